#!/usr/bin/env bash
# Every test there is. Go tests print their own closing lines; a failure of
# any part fails the whole.
set -uo pipefail
failed=0
go test -timeout 15m ./... || failed=1
(cd web && npm test --silent) || failed=1
exit $failed
