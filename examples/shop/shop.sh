# What up.sh, attack.sh and down.sh share.
redoubt=${REDOUBT:-redoubt}
cacert=${REDOUBT_CACERT:-/var/lib/redoubt/ca.crt}
gateway=${REDOUBT_GATEWAY:-https://127.0.0.1:8445}
mqtt=${REDOUBT_MQTT:-127.0.0.1:8883}
site=${SHOP:-http://127.0.0.1:8090}
state=${SHOP_STATE:-.state} # keys, and the web site's program
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

# deploy FOLDER deploys what the folder's function.yaml describes.
deploy() { "$redoubt" function deploy "$1" | sed 's/^/      /'; }

# token WHO changes the key in $state/WHO.key for a token.
token() { curl -sSf --max-time 20 --cacert "$cacert" -X POST -H "X-Api-Key: $(< "$state/$1.key")" "$gateway/token"; }

# key WHO makes the role WHO and a key for it, if there is none that works.
key() {
  if [[ -s $state/$1.key ]] && token "$1" > /dev/null 2>&1; then return; fi
  "$redoubt" principal put "role/$1" > /dev/null
  (umask 077; "$redoubt" principal key create shop --for "role/$1" 2> /dev/null > "$state/$1.key")
}

# keeper CURL-ARGUMENTS… asks the gateway as the keeper of the shop.
keeper() { curl -sSf --max-time 20 --cacert "$cacert" -H "X-Api-Key: $(< "$state/shop-keeper.key")" "$@"; }
