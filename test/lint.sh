#!/usr/bin/env bash
# What a change must hold before it lands.
set -uo pipefail
failed=0
say() { echo "lint: $1" >&2; failed=1; }
unformatted=$(gofmt -l cmd internal test bench web/*.go)
[ -z "$unformatted" ] || say "not gofmt'ed: $unformatted"
go vet ./... || say "go vet"
go tool staticcheck ./... || say "staticcheck"
go mod tidy -diff >/dev/null || say "go.mod is not tidy: run go mod tidy"
long=$(git ls-files '*.go' | grep -vE '(_test|\.pb|_bpfe[lb]|connect)\.go$' | xargs wc -l | awk '$1>700 && $2!="total"{print $2" "$1}')
[ -z "$long" ] || say "files over 700 lines, look for the second noun inside: $long"
if grep -rnE 'registry\.npmjs|proxy\.golang|"resolved"' web/package-lock.json >/dev/null 2>&1; then say "web/package-lock.json names download addresses"; fi
exit $failed
