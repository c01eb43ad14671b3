#!/usr/bin/env bash
# Programs that the benches compare with: one command, may be repeated. They stand under $ROOKERY_CACHE; what is there is
# left alone. A peer that cannot be had is named in one line and the benches leave it out: exit 0.
set -uo pipefail

here="$(cd "$(dirname "$0")" && pwd)"
cache="${ROOKERY_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/rookery}"
log="$cache/install.log.peers"
mkdir -p "$cache/bin"
: >"$log"

go="$(command -v go || ls /usr/local/go/bin/go 2>/dev/null)"

told() { printf '%-16s %-12s %s\n' "$1" "$2" "$3"; }

# Built anew when its source changed: the digest of the sources is kept beside it.
centrifuge() {
  local source="$here/centrifuge" to="$cache/bin/centrifuge-peer" version digest
  version="$(sed -n 's|^require github.com/centrifugal/centrifuge ||p' "$source/go.mod")"
  digest="$(cat "$source"/main.go "$source"/go.mod "$source"/go.sum | sha256sum | cut -d' ' -f1)"
  if [ -x "$to" ] && [ "$(cat "$to.source" 2>/dev/null)" = "$digest" ]; then
    told centrifuge "$version" cached
  elif [ -z "$go" ]; then
    told centrifuge "$version" "left out: no Go found to build it with"
  elif (cd "$source" && "$go" build -mod=readonly -buildvcs=false -ldflags='-s -w' -o "$to.new" .) >>"$log" 2>&1; then
    mv "$to.new" "$to" && echo "$digest" >"$to.source"
    told centrifuge "$version" built
  else
    told centrifuge "$version" "left out: the build failed, see $log"
  fi
}

# The server of Debian's Redis is a link in one package to a program of another: that one alone has no service to start.
redis() {
  local to="$cache/bin/redis-server" state=cached
  if ! [ -x "$to" ]; then
    state=installed
    local from
    from="$(command -v redis-server || command -v redis-check-rdb)"
    if [ -z "$from" ] && [ "$(id -u)" = 0 ]; then
      apt-get update -qq >>"$log" 2>&1
      DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends redis-tools >>"$log" 2>&1
      from="$(command -v redis-check-rdb)"
    fi
    [ -z "$from" ] || ln -sf "$from" "$to"
  fi
  if "$to" --version >>"$log" 2>&1; then
    told redis "$("$to" --version | sed 's/.* v=\([^ ]*\).*/\1/')" "$state"
  else
    told redis "" "left out: no redis-server, and apt could not install it; see $log"
  fi
}

# Of the product's own dependencies: nothing to install.
module() {
  local name=$1 package=$2
  if [ -e "$here/../../node_modules/$package/package.json" ]; then
    told "$name" "$(sed -n 's/^ *"version": "\(.*\)",*/\1/p' "$here/../../node_modules/$package/package.json")" there
  else
    told "$name" "" "left out: $package is not installed"
  fi
}

# Not a dependency of the product: in a folder of its own, without scripts.
socketio() {
  local version=4.8.4 to="$cache/socketio" state=cached
  if [ "$(sed -n 's/^ *"version": "\(.*\)",*/\1/p' "$to/node_modules/socket.io/package.json" 2>/dev/null)" != "$version" ]; then
    state=installed
    mkdir -p "$to" && echo '{ "private": true }' >"$to/package.json"
    (cd "$to" && npm install --ignore-scripts --no-audit --no-fund --save-exact "socket.io@$version") >>"$log" 2>&1 ||
      state="left out: npm could not install it, see $log"
  fi
  told socketio "$version" "$state"
}

module raw-uws uWebSockets.js
module ws ws
socketio
centrifuge
redis
