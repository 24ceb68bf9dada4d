#!/usr/bin/env bash
# Brings a fresh Debian machine to where `make run` or `make test` works:
# installs missing packages (as root) and, for tests, starts a Docker engine
# where none runs. Says what it leaves out where it may not.
#   test/setup.sh run|test
set -euo pipefail
goal=${1:-test}

need=()
want() { # want COMMAND PACKAGE
  command -v "$1" >/dev/null 2>&1 || need+=("$2")
}
want npm npm
if [ "$goal" = test ]; then
  want dockerd docker.io
  want iptables iptables
  want debootstrap debootstrap
  want chromium chromium
  want qemu-system-x86_64 qemu-system-x86
  want busybox busybox-static
  want cpio cpio
  want ip iproute2
  want gcc gcc
  want wrk wrk
  want javac default-jdk-headless
  want mcs mono-mcs
fi
if [ ${#need[@]} -gt 0 ]; then
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "setup: missing ${need[*]}; install them (Debian package names) or expect skipped tests" >&2
  else
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends "${need[@]}" >/dev/null
  fi
fi
[ "$goal" = test ] || exit 0

if [ "$(id -u)" = 0 ] && command -v dockerd >/dev/null && ! docker info >/dev/null 2>&1; then
  mkdir -p /var/log/redoubt-test
  setsid dockerd >/var/log/redoubt-test/dockerd.log 2>&1 </dev/null &
  for _ in $(seq 60); do docker info >/dev/null 2>&1 && break; sleep 0.5; done
  docker info >/dev/null 2>&1 || { echo "setup: the Docker engine did not start; see /var/log/redoubt-test/dockerd.log" >&2; exit 1; }
fi
if docker info >/dev/null 2>&1; then test/images/nginx.sh >/dev/null; fi
