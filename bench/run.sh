#!/usr/bin/env bash
# Measures the published figures (docs/BENCHMARKS.md). Installs what it compares
# with, as root, from Debian; starts nothing that it does not end.
#   bench/run.sh [-only NAME,…] [-quick] [-storm 10m] [-v] [-write docs/BENCHMARKS.md] [-redoubt BINARY]
set -euo pipefail
cd "$(dirname "$0")/.."
need=()
want() { command -v "$1" >/dev/null 2>&1 || need+=("$2"); } # want COMMAND PACKAGE
want wrk wrk
want gcc gcc
want curl curl
want bpftrace bpftrace
want node nodejs
want javac default-jdk-headless
[ -x /usr/bin/python3 ] || need+=(python3)
[ -x /sbin/auditctl ] || [ -x /usr/sbin/auditctl ] || need+=(auditd)
if [ ${#need[@]} -gt 0 ]; then
  export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 # an installed auditd does not start by itself
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends "${need[@]}" >/dev/null
fi
exec go run ./bench "$@"
