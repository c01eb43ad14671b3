# The first process of namespaces of its own (mounts, processes, shared memory): whatever ends it, the kernel ends
# everything of this store and leaves no mount and no segment behind.
# $1: the tree with PostgreSQL and DocumentDB; $2: the data folder; $3: the port
set -eu
# One store per folder. The lock is the kernel's and passes on to the postmaster: while one lives, it is held. Whoever was
# killed a moment ago may not be gone yet.
exec 9>"$2/lock"
flock -w 5 9 || { echo "the data folder $2 is in use by another postmaster"; exit 1; }
mount -t proc proc "$1/proc"
mount --bind /dev "$1/dev"
mount --bind "$2" "$1/mnt"
as_postgres() { exec chroot --userspec=postgres:postgres "$1" /usr/lib/postgresql/18/bin/"$2" "${@:3}"; }

if [ ! -e "$2/data/PG_VERSION" ]; then
  rm -rf "$2/making"
  (as_postgres "$1" initdb -D /mnt/making -A trust -U postgres --no-locale -E UTF8)
  cat >>"$2/making/postgresql.conf" <<CONF
shared_preload_libraries = 'pg_cron,pg_documentdb_core,pg_documentdb'
cron.database_name = 'postgres'
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 200
log_min_messages = fatal
cron.log_statement = off
cron.log_run = off
CONF
  mv "$2/making" "$2/data"
fi
# Of a postmaster that was killed with everything of its namespace: nobody holds the lock.
rm -f "$2/data/postmaster.pid"
(as_postgres "$1" postgres -D /mnt/data -p "$3") &
wait $!
