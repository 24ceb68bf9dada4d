#!/usr/bin/env bash
# Every test there is. Go tests print their own closing lines; a failure of
# any part fails the whole. What starts the whole product runs by itself, so
# that other tests' containers and networks do not come in between.
set -uo pipefail
failed=0
go test -timeout 15m $(go list ./... | grep -v /test/) || failed=1
(cd web && npm test --silent) || failed=1
go test -timeout 30m -p 1 ./test/... || failed=1
exit $failed
