#!/usr/bin/env bash
# Replaces the containers of services by ones of the image that is there now, without a moment in which a service is away:
# new ones come first, then the old ones are told to stop, one after the other. Usage: deploy/docker/roll.sh [SERVICE...]
set -euo pipefail
cd "$(dirname "$0")/../.."

[ $# -gt 0 ] || set -- users auth rooms presence files messages api-gateway ws-gateway
for service; do
  old=$(docker compose ps -q "$service")
  count=$(wc -w <<<"$old")
  docker compose up -d --quiet-pull --no-deps --no-recreate --wait --scale "$service=$((count * 2))" "$service"
  for container in $old; do
    docker stop "$container" >/dev/null
    docker rm "$container" >/dev/null
  done
  echo "$service: $count new"
done
