#!/usr/bin/env bash
# Attacks the shop that up.sh opened, one way after the other, and shows what
# became of each and which record says so. Before and after, honest customers
# do what they do, and that has to work. Ends with 1 if anything went otherwise.
set -uo pipefail
cd "$(dirname "$0")"
. ./shop.sh
failed=0
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

title() { printf '\n== %s\n' "$1"; }
ok() { printf '   ok  %s\n' "$1"; }
no() { printf '   NO  %s\n' "$1"; failed=1; }

# ask WHO STATUS TEXT CURL-ARGUMENTS… sends a request, which is to be answered
# by that status and an answer with that text; $id is the id of its record.
ask() {
  local who=$1 want=$2 text=$3 status body line
  shift 3
  status=$(curl -sS --max-time 60 --cacert "$cacert" -D "$tmp/head" -o "$tmp/body" -w '%{http_code}' "$@")
  body=$(head -c 4000 "$tmp/body" | tr -s '\n ' ' ')
  id=$(tr -d '\r' < "$tmp/head" | awk 'tolower($1) == "x-request-id:" {print $2}')
  line=$(sed 's/"access_token":"[^"]*"/"access_token":"…"/' <<< "$body")
  line="$who: $status ${line:0:150}"
  if [[ $status == "$want" && $body == *"$text"* ]]; then ok "$line"; else no "$line; it should have been $want $text"; fi
}

honest() {
  ask 'honest customer asks a price' 200 '"cents": 650' "$site/prices?item=earl+grey&quantity=3"
  ask 'honest customer orders' 201 '"cents":10146' "$site/orders" --data '{"item": "oolong", "quantity": 12, "customer": "Ada"}'
}

# record prints what the record of $id says, a line for each thing; nothing
# while there is none.
record() {
  "$redoubt" function calls --since 1h --limit 200 -o json | python3 -c '
import json, sys
for said in json.load(sys.stdin):
    if said["id"] != sys.argv[1]:
        continue
    print("outcome", said["outcome"], said.get("status", ""), said.get("error", ""))
    print("version", said.get("version", "-"), "called by", said["caller"])
    for v in said.get("verdicts") or []:
        print("verdict", v["effect"], v.get("rule", ""), v.get("reason", ""))
    for u in said.get("uses") or []:
        print("refused" if u.get("refused") else "used", u["kind"], u["target"])' "$id"
}

# recorded PATTERN… waits for the record of $id, which is to have a line that
# fits each pattern.
recorded() {
  local p
  kept() { record > "$tmp/record" && [[ -s $tmp/record ]]; }
  within 30 kept || no "there is no record $id"
  for p in "$@"; do
    if grep -qE "$p" "$tmp/record"; then ok "record ${id:0:8}: $(grep -m 1 -E "$p" "$tmp/record")"; else no "record $id has no $p:"; sed 's/^/       /' "$tmp/record"; fi
  done
}

title 'Honest customers'
honest
if "$redoubt" function describe receipt > /dev/null 2>&1; then
  receipt() { keeper "$gateway/buckets/receipts/$id.txt" > "$tmp/receipt" 2> /dev/null; }
  if within 30 receipt; then ok "the order came into the bucket, and so the function receipt wrote: $(cat "$tmp/receipt")"; else no 'no receipt was written'; fi
else
  echo '   the function receipt is not deployed'
fi

title 'Command injection: a shell command in the field "quantity"'
inject='1));id;echo $((1'
echo "   what the same code does where nobody watches:"
(cd functions/prices && python3 -B -c 'import app, sys; print("      ", app.handler({"item": "oolong", "quantity": sys.argv[1]}, None))' "$inject")
ask attacker 502 '' "$site/prices" -G --data-urlencode item=oolong --data-urlencode "quantity=$inject"
recorded '^outcome failed' '^verdict prevent .*exec .* is not granted' '^refused exec '
honest

title 'SQL injection: a statement in the field "item"'
leak="x' union select name, cost from supplier --"
echo '   the firewall only watches, as it does until somebody turns it up:'
ask attacker 200 secret-supplier "$site/prices" -G --data-urlencode "item=$leak"
recorded '^verdict alert waf/942'
echo '   the owner turns it up for this route:'
"$redoubt" route apply attack/firewall.yaml | sed 's/^/      /'
turned() { [[ $(curl -sS -o /dev/null -w '%{http_code}' -G --data-urlencode "item=$leak" "$site/prices") == 403 ]]; }
within 30 turned
ask attacker 403 'firewall' "$site/prices" -G --data-urlencode "item=$leak"
recorded '^outcome refused' '^verdict prevent waf/942'
honest

title "Over-privilege: a thief has the web site's key"
key=$(< "$state/shop-web.key")
ask 'thief gets a token' 200 access_token -X POST -H "X-Api-Key: $key" "$gateway/token"
token=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["access_token"])' "$tmp/body")
ask 'thief calls invoice' 403 'may not invoke invoice' -H "Authorization: Bearer $token" --data '{}' "$gateway/2015-03-31/functions/invoice/invocations"
recorded '^outcome denied' '^version .* called by role/shop-web'
ask "thief reads customers' orders" 403 'AccessDenied' -H "Authorization: Bearer $token" "$gateway/buckets/orders?list-type=2"
if "$redoubt" access simulate --principal role/shop-web --action function:Invoke --resource function/invoice -o json > "$tmp/simulated" 2> /dev/null; grep -qE '"allow": *false' "$tmp/simulated"; then
  ok "the simulator says so too"
else no "the simulator says $(cat "$tmp/simulated")"; fi
if ./thermometer.py "$mqtt" "$state/shop-web.key" shop/cold-store/temperature -40 > "$tmp/told" 2>&1; then no 'thief tells the cold store a temperature'; else ok "thief tells the cold store a temperature: $(tail -n 1 "$tmp/told")"; fi
if ./thermometer.py "$mqtt" "$state/shop-thermometer.key" shop/cold-store/temperature 4.5 > "$tmp/told" 2>&1; then ok "honest thermometer: $(cat "$tmp/told")"; else no "honest thermometer: $(cat "$tmp/told")"; fi
heard() { "$redoubt" function logs sensor --since 1m | grep -q 'shop/cold-store/temperature: 4.5 degrees'; }
if within 30 heard; then ok 'the function sensor heard it'; else no 'the function sensor did not hear it'; fi
honest

title 'Dependency backdoor: tiny-discount 1.0.1 comes with an update of orders'
cp -r functions/orders "$tmp/orders"
cp attack/tiny-discount-1.0.1.js "$tmp/orders/node_modules/tiny-discount/index.js"
deploy "$tmp/orders"
honest
recorded '^outcome succeeded' '^refused egress 169.254.169.254:80' '^verdict prevent .*169.254.169.254:80 is not granted'
lines() { "$redoubt" function logs orders --invocation "$id" > "$tmp/lines"; grep -q 'backdoor: call sensor' "$tmp/lines"; }
within 30 lines
grep -o 'backdoor: .*' "$tmp/lines" | sort -u | cut -c1-160 | sed 's/^/      /'
if grep -qF -e "$REDOUBT_TOKEN" -e "$key" "$tmp/lines"; then no 'the backdoor found a secret'; else ok 'the backdoor found no secret of this machine'; fi

title 'Data exfiltration: the same update sends orders away'
recorded '^refused dns collector.example' '^refused dns [0-9a-f]+.collector.example' '^refused function sensor' '^refused bucket orders:read'
echo '   the owner rolls back:'
"$redoubt" function rollback orders | sed 's/^/      /'
honest
recorded '^outcome succeeded' '^used function prices'
if grep -q '^refused' "$tmp/record"; then no 'the version before asks for more than its role'; else ok 'nothing was refused'; fi

"$redoubt" route apply routes.yaml > /dev/null
exit "$failed"
