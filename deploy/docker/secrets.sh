#!/usr/bin/env bash
# Makes what a first start needs and nobody may share: random passwords in .env, and a certificate if none was given.
# What is there already stays; run it again after an update to get what is new. Usage: deploy/docker/secrets.sh [DOMAIN]
set -euo pipefail
cd "$(dirname "$0")/../.."
umask 077
touch .env

setting() { # NAME VALUE: kept if it is there
  grep -q "^$1=" .env || { printf '%s=%s\n' "$1" "$2" >>.env; echo "made $1"; }
}
# Begins with a letter: NATS would read digits alone as a number.
random() { echo "k$(openssl rand -hex 24)"; }

[ $# -eq 0 ] || sed -i '/^DOMAIN=/d' .env
setting DOMAIN "${1:-localhost}"
setting JWT_SECRET "$(random)$(random)"
setting ADMIN_PASSWORD "$(random)"
for name in MONGO_ROOT MONGO GRAFANA; do setting "${name}_PASSWORD" "$(random)"; done
for user in API_GATEWAY WS_GATEWAY AUTH USERS ROOMS MESSAGES PRESENCE FILES REPL; do
  setting "NATS_PASSWORD_$user" "$(random)"
done

tls=deploy/proxy/tls
domain=$(sed -n 's/^DOMAIN=//p' .env)
if [ ! -s "$tls/server.crt" ]; then
  mkdir -p "$tls"
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 825 \
    -subj "/CN=$domain" -addext "subjectAltName=DNS:$domain,DNS:localhost,IP:127.0.0.1" \
    -keyout "$tls/server.key" -out "$tls/server.crt" 2>/dev/null
  echo "made a self-signed certificate for $domain; put a real one into $tls/server.crt and server.key"
fi
# The proxy is nobody in particular, in the group that may read the key.
setting TLS_GROUP "$(id -g)"
chmod 755 "$tls" && chmod 644 "$tls/server.crt" && chmod 640 "$tls/server.key" && chgrp "$(sed -n 's/^TLS_GROUP=//p' .env)" "$tls/server.key"
