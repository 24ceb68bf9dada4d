#!/usr/bin/env bash
# Opens the shop: compiles what has to be, deploys the functions, says who may
# do what, makes keys and buckets, and starts the web site in a container.
# Run again it brings everything up to date. README.md tells what it needs.
set -euo pipefail
cd "$(dirname "$0")"
. ./shop.sh
for program in "$redoubt" docker go node python3 java javac curl; do
  command -v "$program" > /dev/null || { echo "up.sh needs $program" >&2; exit 1; }
done
mkdir -p "$state"
chmod 700 "$state"

echo '== functions'
mkdir -p functions/invoice/build functions/receipt/build
javac -d functions/invoice/build functions/invoice/Invoice.java
for name in prices invoice orders sensor; do deploy "functions/$name"; done
if command -v mcs > /dev/null && command -v mono > /dev/null; then
  mcs -target:library -out:functions/receipt/build/Receipt.dll functions/receipt/Receipt.cs
  deploy functions/receipt
else
  echo '      the function receipt is left out: it is written in C#, and there is no mcs or no mono here (apt-get install mono-mcs)'
fi

echo '== who may do what'
"$redoubt" route apply routes.yaml | sed 's/^/      /'
"$redoubt" access apply access.yaml | sed 's/^/      /'
for who in shop-web shop-thermometer shop-keeper; do key "$who"; done

echo '== buckets'
for bucket in orders receipts; do
  within 30 keeper -X PUT "$gateway/buckets/$bucket" -o /dev/null || { echo "bucket $bucket could not be made" >&2; exit 1; }
  echo "      $bucket"
done

echo '== web site'
CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o "$state/web" ./web
tar -C "$state" -c web | docker import --change 'ENTRYPOINT ["/web"]' - "$name:1" > /dev/null
docker rm -f "$name" > /dev/null 2>&1 || true
# The gateway listens on this machine only, so the container shares its network.
docker run -d --name "$name" --network host --read-only --cap-drop ALL --security-opt no-new-privileges --user "$(id -u):$(id -g)" \
  -v "$(realpath "$cacert"):/ca.crt:ro" -v "$(realpath "$state/shop-web.key"):/proof:ro" \
  -e "SHOP_GATEWAY=$gateway" -e SHOP_CACERT=/ca.crt -e SHOP_PROOF=/proof -e "SHOP_LISTEN=${site#http://}" "$name:1" > /dev/null
open() { curl -sSf --max-time 10 -o /dev/null "$site/prices?item=oolong&quantity=1" 2> /dev/null; }
within 60 open || { docker logs "$name" >&2; echo "the web site does not answer at $site" >&2; exit 1; }
echo "      $site"
