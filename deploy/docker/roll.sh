#!/usr/bin/env bash
# Replaces the containers of services by ones of the image that is there now, without a moment in which a service is away:
# new ones come first, then the old ones are told to stop, one after the other. If the new ones are not healthy, old and
# new are left as they are, and it says how to go on. Usage: deploy/docker/roll.sh [SERVICE...]
set -euo pipefail
cd "$(dirname "$0")/../.."

[ $# -gt 0 ] || set -- users auth rooms presence files messages api-gateway ws-gateway
for service; do
  old=$(docker compose ps -q "$service" | xargs)
  count=$(wc -w <<<"$old")
  if ! docker compose up -d --quiet-pull --no-deps --no-recreate --wait --scale "$service=$((count * 2))" "$service"; then
    new=$(docker compose ps -aq "$service" | xargs -n 1 | grep -vxF "${old// /$'\n'}" | xargs || true)
    cat >&2 <<END
$service: the new containers are not healthy; the old ones still work, and nothing after it was replaced
  look:     docker compose logs --tail 50 $service
  go back:  ${new:+docker rm -f }${new:-nothing was made}
  go on:    docker stop $old && docker rm $old    once \`docker compose ps $service\` shows the new ones healthy;
            then run this again with the services after it
END
    exit 1
  fi
  for container in $old; do
    docker stop "$container" >/dev/null
    docker rm "$container" >/dev/null
  done
  echo "$service: $count new"
done
