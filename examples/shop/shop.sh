# What up.sh, attack.sh and down.sh share.
redoubt=${REDOUBT:-redoubt}
cacert=${REDOUBT_CACERT:-/var/lib/redoubt/ca.crt}
gateway=${REDOUBT_GATEWAY:-https://127.0.0.1:8444}
mqtt=${REDOUBT_MQTT:-127.0.0.1:8883}
site=${SHOP:-http://127.0.0.1:8090}
state=${SHOP_STATE:-.state} # keys and what was compiled
name=${SHOP_NAME:-shop-web} # of the container

# within SECONDS COMMAND… repeats a command until it works.
within() {
  local ends=$((SECONDS + $1))
  shift
  until "$@"; do
    (( SECONDS < ends )) || return 1
    sleep 0.3
  done
}

# deploy NAME FOLDER deploys code as functions/NAME/function.yaml says.
deploy() {
  "$redoubt" function deploy "$1" --file "functions/$1/function.yaml" "$2" | sed 's/^/      /'
}

# key WHO makes the role WHO and a key for it in $state/WHO.key, once.
key() {
  [[ -s $state/$1.key ]] && return
  "$redoubt" principal create "role/$1" > /dev/null
  (umask 077; "$redoubt" key create --principal "role/$1" --name shop > "$state/$1.key")
}

# keeper CURL-ARGUMENTS… asks the gateway as the keeper of the shop.
keeper() { curl -sSf --max-time 20 --cacert "$cacert" -H "X-Api-Key: $(< "$state/shop-keeper.key")" "$@"; }
