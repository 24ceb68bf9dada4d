#!/usr/bin/env bash
# Builds the image the tests and the README's story use: Debian with nginx and
# net-tools, from this machine's own Debian mirror, so that no image registry
# is needed. Prints its name. Does nothing where it exists already.
set -euo pipefail
name=redoubt-nginx:1
if docker image inspect "$name" >/dev/null 2>&1; then echo "$name"; exit 0; fi
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mirror=$(grep -rhoE '(https?|file):[^ ]+/debian/?( |$)' /etc/apt/sources.list /etc/apt/sources.list.d 2>/dev/null | head -n 1 | tr -d ' ' || true)
codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
debootstrap --variant=minbase --include=nginx-light,net-tools,curl,procps "$codename" "$root" ${mirror:+"$mirror"} >&2
mkdir -p "$root/docker-entrypoint.d"
cat > "$root/docker-entrypoint.sh" <<'S'
#!/bin/sh
# Runs every hook, then becomes the server.
set -e
for hook in /docker-entrypoint.d/*.sh; do
  [ -x "$hook" ] && "$hook"
done
exec "$@"
S
cat > "$root/docker-entrypoint.d/10-workers.sh" <<'S'
#!/bin/sh
set -e
cores=$(nproc)
sed -i "s/^worker_processes .*/worker_processes $cores;/" /etc/nginx/nginx.conf
S
chmod +x "$root/docker-entrypoint.sh" "$root/docker-entrypoint.d/10-workers.sh"
rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*
tar -C "$root" -c . | docker import \
  --change 'ENTRYPOINT ["/docker-entrypoint.sh"]' \
  --change 'CMD ["nginx","-g","daemon off;"]' \
  --change 'EXPOSE 80' - "$name" >&2
echo "$name"
