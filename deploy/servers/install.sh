#!/usr/bin/env bash
# The servers that the local cluster and the tests run on, for a bare Debian machine: one command, may be repeated.
# Everything stands under $ROOKERY_CACHE; what is there in the pinned version is left alone. A server that cannot be had
# is named in one line and the rest goes on: exit 0, because tests leave out what they have no server for.
set -uo pipefail

cache="${ROOKERY_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/rookery}"
log="$cache/install.log"
mkdir -p "$cache/bin"
: >"$log"

go="$(command -v go || ls /usr/local/go/bin/go 2>/dev/null)"

told() { printf '%-16s %-28s %s\n' "$1" "$2" "$3"; }
seconds() { echo "$(($(date +%s) - $1)) s"; }

apt_updated=""
# Debian packages, only those whose command is missing: COMMAND=PACKAGE...
need() {
  local missing=()
  for pair in "$@"; do command -v "${pair%%=*}" >/dev/null || missing+=("${pair#*=}"); done
  [ ${#missing[@]} -eq 0 ] && return
  [ "$(id -u)" = 0 ] || return 1
  [ -n "$apt_updated" ] || apt-get update -qq >>"$log" 2>&1
  apt_updated=yes
  DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends "${missing[@]}" >>"$log" 2>&1
}

# A Go program: NAME MODULE VERSION PACKAGE. Its version is looked up in the build information inside the binary.
go_server() {
  local name=$1 module=$2 version=$3 package=$4 from
  if grep -aqF "mod	$module	$version" "$cache/bin/$name" 2>/dev/null; then
    told "$name" "$version" cached
    return
  fi
  [ -n "$go" ] || { told "$name" "$version" "left out: no Go found to build it with"; return; }
  from=$(date +%s)
  local dir
  dir="$(mktemp -d "$cache/build.XXXXXX")"
  if GOBIN="$dir" GOFLAGS=-buildvcs=false "$go" install -ldflags='-s -w' "$package@$version" >>"$log" 2>&1; then
    mv "$dir/$(ls "$dir")" "$cache/bin/$name"
    told "$name" "$version" "installed in $(seconds "$from")"
  else
    told "$name" "$version" "left out: the build failed, see $log"
  fi
  rm -rf "$dir"
}

# FerretDB's store: PostgreSQL with the DocumentDB extension, in a tree of its own because Debian has it in sid only.
# Made under another name and renamed when it is complete, in a mount namespace, so that no mount outlives this script.
documentdb_version() {
  sed -n '/^Package: postgresql-18-documentdb$/,/^$/s/^Version: //p' "$1/var/lib/dpkg/status" 2>/dev/null
}

documentdb() {
  local tree="$cache/documentdb" from
  if [ -e "$tree/usr/share/postgresql/18/extension/documentdb.control" ] && [ -x "$tree/usr/lib/postgresql/18/bin/postgres" ]; then
    told documentdb "$(documentdb_version "$tree")" cached
    return
  fi
  [ "$(id -u)" = 0 ] || { told documentdb "" "left out: a MongoDB stand-in needs root here; set MONGO_URL instead"; return; }
  from=$(date +%s)
  rm -rf --one-file-system "$tree.new"
  if need debootstrap=debootstrap && unshare --mount bash -euxc '
    tree=$1
    debootstrap --variant=minbase sid "$tree" http://deb.debian.org/debian
    mountpoint -q "$tree/proc" || mount -t proc proc "$tree/proc"
    mount --rbind /dev "$tree/dev"
    printf "#!/bin/sh\nexit 101\n" >"$tree/usr/sbin/policy-rc.d"
    chmod +x "$tree/usr/sbin/policy-rc.d"
    cp /etc/resolv.conf "$tree/etc/resolv.conf"
    export DEBIAN_FRONTEND=noninteractive PATH=/usr/sbin:/usr/bin:/sbin:/bin
    chroot "$tree" apt-get -o Acquire::Check-Valid-Until=false update
    chroot "$tree" apt-get install -y --no-install-recommends postgresql-18-documentdb
    chroot "$tree" apt-get clean
    test -e "$tree/usr/share/postgresql/18/extension/documentdb.control"
  ' documentdb "$tree.new" >>"$log.documentdb" 2>&1 && rm -rf --one-file-system "$tree" && mv "$tree.new" "$tree"; then
    told documentdb "$(documentdb_version "$tree")" "installed in $(seconds "$from")"
  else
    told documentdb "" "left out: no MongoDB stand-in (see $log.documentdb); set MONGO_URL instead"
  fi
}

nginx_server() {
  local from state=cached
  from=$(date +%s)
  command -v nginx >/dev/null || state="installed in"
  if need nginx=nginx-light; then
    [ "$state" = cached ] || state="$state $(seconds "$from")"
    told nginx "$(nginx -v 2>&1 | sed 's|.*/||')" "$state"
  else
    told nginx "" "left out: apt could not install it, see $log"
  fi
}

# Compiles what tests preload into a server, to see what a loss of power would leave of its files.
compiler() {
  if need cc=gcc && { [ -e /usr/include/stdio.h ] || need libc6-dev=libc6-dev; }; then
    told cc "$(cc -dumpfullversion)" there
  else
    told cc "" "left out: apt could not install gcc, see $log"
  fi
}

: >"$log.documentdb"
# Two installations by apt at once would wait for each other's lock: nginx first, then the tree beside the builds.
nginx_server
compiler
documentdb &
go_server nats-server github.com/nats-io/nats-server/v2 v2.15.2 github.com/nats-io/nats-server/v2
go_server ferretdb github.com/FerretDB/FerretDB/v2 v2.7.0 github.com/FerretDB/FerretDB/v2/cmd/ferretdb
go_server versitygw github.com/versity/versitygw v1.8.0 github.com/versity/versitygw/cmd/versitygw
go_server toxiproxy github.com/Shopify/toxiproxy/v2 v2.12.0 github.com/Shopify/toxiproxy/v2/cmd/server
wait
