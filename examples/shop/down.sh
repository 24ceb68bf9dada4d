#!/usr/bin/env bash
# Closes the shop: removes the container, the functions, the route, the policy
# and the keys. Buckets and records stay.
set -uo pipefail
cd "$(dirname "$0")"
. ./shop.sh
docker rm -f "$name" > /dev/null 2>&1
docker rmi "$name:1" > /dev/null 2>&1
for function in orders prices invoice receipt sensor; do "$redoubt" function delete "$function"; done
"$redoubt" route delete shop-prices
"$redoubt" access delete shop
for who in shop-web shop-thermometer shop-keeper; do "$redoubt" principal delete "role/$who"; done
rm -rf "$state"/*.key "$state/web" functions/*/build
