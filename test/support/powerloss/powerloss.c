/*
 * Preloaded into a process, writes down everything it does to files under one folder, so that a harness can tell afterwards
 * what a disk would still have after a loss of power at any moment (disk.ts). The process itself notices nothing: every call
 * is carried out as asked.
 *
 *   POWERLOSS_FOLDER   what is followed; an absolute path without symbolic links
 *   POWERLOSS_RECORD   folder of the record, remade at each start: `base` is the followed folder as it was found, `journal`
 *                      what happened since
 *   POWERLOSS_PROGRAM  path of the program that is followed; others, as a shell that starts it, are not
 *   POWERLOSS_DELAY    a file; while it is there each sync takes as many milliseconds more as it says
 *
 * The journal outlives SIGKILL because it is in the page cache of a machine that goes on. A record is written after its call
 * returned: what was under way is not in it, as nobody was told of it either. A sync has two records, because it covers what
 * was written before it began and counts once it has ended.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { OPEN = 1, CREATE, WRITE, TRUNCATE, SYNC_BEGIN, SYNC_END, RENAME, UNLINK, LINK, MKDIR };

/* As journal.ts reads it, little endian: then `length` bytes of data, or of a path, or of two with a zero between. */
struct record {
  uint32_t length;
  uint32_t kind;
  uint64_t inode;
  /* Offset of a write, size after a truncation, number of a sync. */
  uint64_t at;
};

#define FDS 65536
/* Inode behind each followed descriptor; 0: not followed. */
static uint64_t followed[FDS];
static int journal = -1;
static char folder[PATH_MAX];
static size_t folder_length;
static const char *delay_file;
static uint64_t syncs;

#define REAL(name) \
  static __typeof__(name) *real; \
  if (!real) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

static void note(uint32_t kind, uint64_t inode, uint64_t at, const struct iovec *data, int count, size_t length) {
  struct record record = {(uint32_t)length, kind, inode, at};
  struct iovec parts[66] = {{&record, sizeof record}};
  size_t left = length;
  int used = 1;
  for (int i = 0; i < count && left > 0 && used < 66; i++) {
    size_t size = data[i].iov_len < left ? data[i].iov_len : left;
    parts[used++] = (struct iovec){data[i].iov_base, size};
    left -= size;
  }
  int before = errno;
  /* One call with O_APPEND: records of several threads never mix. Half a record would make all that follows unreadable. */
  if (left > 0 || writev(journal, parts, used) != (ssize_t)(sizeof record + length)) abort();
  errno = before;
}

static void note_paths(uint32_t kind, uint64_t inode, const char *first, const char *second) {
  struct iovec parts[2] = {{(void *)first, strlen(first) + (second ? 1 : 0)}, {(void *)second, second ? strlen(second) : 0}};
  note(kind, inode, 0, parts, second ? 2 : 1, parts[0].iov_len + parts[1].iov_len);
}

/* The path within the folder, or null for what is outside, and for SQLite's shared memory, which is made anew after a crash. */
static const char *within(int dir, const char *path, char *absolute) {
  if (journal < 0 || !path) return NULL;
  if (path[0] == '/') {
    if (strlen(path) >= PATH_MAX) return NULL;
    strcpy(absolute, path);
  } else {
    char base[PATH_MAX], link[64];
    ssize_t size;
    if (dir == AT_FDCWD) {
      if (!getcwd(base, sizeof base)) return NULL;
    } else {
      snprintf(link, sizeof link, "/proc/self/fd/%d", dir);
      if ((size = readlink(link, base, sizeof base - 1)) < 0) return NULL;
      base[size] = 0;
    }
    if (strncmp(path, "./", 2) == 0) path += 2;
    if (snprintf(absolute, PATH_MAX, "%s/%s", base, path) >= PATH_MAX) return NULL;
  }
  size_t length = strlen(absolute);
  while (length > 1 && absolute[length - 1] == '/') absolute[--length] = 0;
  if (strncmp(absolute, folder, folder_length) != 0) return NULL;
  if (absolute[folder_length] == 0) return "";
  if (absolute[folder_length] != '/') return NULL;
  if (length > 4 && strcmp(absolute + length - 4, "-shm") == 0) return NULL;
  return absolute + folder_length + 1;
}

static uint64_t inode_of(int fd) {
  if (journal < 0 || fd < 0 || fd >= FDS || !followed[fd]) return 0;
  struct stat now;
  int before = errno;
  /* The number may have been closed behind our back and given to a socket. */
  if (fstat(fd, &now) != 0 || now.st_ino != followed[fd]) followed[fd] = 0;
  errno = before;
  return followed[fd];
}

static uint64_t inode_at(const char *path) {
  struct stat now;
  return lstat(path, &now) == 0 ? now.st_ino : 0;
}

static void begin_record(const char *record) {
  char base[PATH_MAX], file[PATH_MAX];
  snprintf(base, sizeof base, "%s/base", record);
  snprintf(file, sizeof file, "%s/journal", record);
  pid_t child = fork();
  if (child == 0) {
    execl("/bin/sh", "sh", "-c", "rm -rf \"$2\" && mkdir -p \"$2\" \"$1\" && cp -a \"$1/.\" \"$2\"", "sh", folder, base,
          (char *)NULL);
    _exit(127);
  }
  int status = -1;
  waitpid(child, &status, 0);
  int fd = status == 0 ? open(file, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600) : -1;
  if (fd < 0) {
    fprintf(stderr, "powerloss: %s cannot be made\n", record);
    _exit(1);
  }
  journal = fd;
}

__attribute__((constructor)) static void start(void) {
  const char *wanted = getenv("POWERLOSS_FOLDER"), *record = getenv("POWERLOSS_RECORD");
  const char *program = getenv("POWERLOSS_PROGRAM");
  char self[PATH_MAX];
  ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
  if (!program || length < 0 || (self[length] = 0, strcmp(program, self)) != 0) return;
  delay_file = getenv("POWERLOSS_DELAY");
  /* Programs that this one starts are not followed. */
  unsetenv("LD_PRELOAD");
  if (!wanted || !record || strlen(wanted) >= sizeof folder) return;
  strcpy(folder, wanted);
  folder_length = strlen(folder);
  begin_record(record);
}

static int opened(int fd, const char *name, int flags, int was_there) {
  struct stat now;
  if (fd < 0 || fd >= FDS) return fd;
  followed[fd] = 0;
  if (!name) return fd;
  int before = errno;
  if (fstat(fd, &now) == 0) {
    followed[fd] = now.st_ino;
    note_paths((flags & O_CREAT) && !was_there ? CREATE : OPEN, now.st_ino, name, NULL);
    if (was_there && (flags & O_TRUNC)) note(TRUNCATE, now.st_ino, 0, NULL, 0, 0);
  }
  errno = before;
  return fd;
}

#define OPENING(function, dir, call) \
  { \
    REAL(function); \
    mode_t mode = 0; \
    if (flags & (O_CREAT | O_TMPFILE)) { \
      va_list more; \
      va_start(more, flags); \
      mode = va_arg(more, mode_t); \
      va_end(more); \
    } \
    char absolute[PATH_MAX]; \
    const char *name = within(dir, path, absolute); \
    int was_there = name && inode_at(absolute) != 0; \
    return opened(call, name, flags, was_there); \
  }

int open(const char *path, int flags, ...) OPENING(open, AT_FDCWD, real(path, flags, mode))
int open64(const char *path, int flags, ...) OPENING(open64, AT_FDCWD, real(path, flags, mode))
int openat(int dir, const char *path, int flags, ...) OPENING(openat, dir, real(dir, path, flags, mode))
int openat64(int dir, const char *path, int flags, ...) OPENING(openat64, dir, real(dir, path, flags, mode))

int close(int fd) {
  REAL(close);
  if (fd >= 0 && fd < FDS) followed[fd] = 0;
  return real(fd);
}

/* After a write at the descriptor's own position, which may be the end of the file. */
static uint64_t position_before(int fd, ssize_t done) {
  int before = errno;
  uint64_t at = (uint64_t)lseek(fd, 0, SEEK_CUR) - (uint64_t)done;
  errno = before;
  return at;
}

static ssize_t written(int fd, const struct iovec *data, int count, ssize_t done, int64_t at) {
  uint64_t inode = done > 0 ? inode_of(fd) : 0;
  if (inode) note(WRITE, inode, at < 0 ? position_before(fd, done) : (uint64_t)at, data, count, (size_t)done);
  return done;
}

ssize_t write(int fd, const void *data, size_t size) {
  REAL(write);
  struct iovec part = {(void *)data, size};
  return written(fd, &part, 1, real(fd, data, size), -1);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
  REAL(writev);
  ssize_t done = real(fd, parts, count);
  return fd == journal ? done : written(fd, parts, count, done, -1);
}

#define PWRITE(function, type) \
  ssize_t function(int fd, const void *data, size_t size, type at) { \
    REAL(function); \
    struct iovec part = {(void *)data, size}; \
    return written(fd, &part, 1, real(fd, data, size, at), at); \
  }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

#define PWRITEV(function, type) \
  ssize_t function(int fd, const struct iovec *parts, int count, type at) { \
    REAL(function); \
    return written(fd, parts, count, real(fd, parts, count, at), at); \
  }
PWRITEV(pwritev, off_t)
PWRITEV(pwritev64, off64_t)

#define FTRUNCATE(function, type) \
  int function(int fd, type size) { \
    REAL(function); \
    int result = real(fd, size); \
    uint64_t inode = result == 0 ? inode_of(fd) : 0; \
    if (inode) note(TRUNCATE, inode, (uint64_t)size, NULL, 0, 0); \
    return result; \
  }
FTRUNCATE(ftruncate, off_t)
FTRUNCATE(ftruncate64, off64_t)

static void dawdle(void) {
  FILE *file = delay_file ? fopen(delay_file, "re") : NULL;
  long ms = 0;
  if (!file) return;
  if (fscanf(file, "%ld", &ms) != 1) ms = 0;
  fclose(file);
  struct timespec time = {ms / 1000, ms % 1000 * 1000000};
  nanosleep(&time, NULL);
}

#define SYNC(function) \
  int function(int fd) { \
    REAL(function); \
    uint64_t inode = inode_of(fd), number = inode ? __atomic_add_fetch(&syncs, 1, __ATOMIC_RELAXED) : 0; \
    if (inode) note(SYNC_BEGIN, inode, number, NULL, 0, 0); \
    if (inode) dawdle(); \
    int result = real(fd); \
    if (inode && result == 0) note(SYNC_END, inode, number, NULL, 0, 0); \
    return result; \
  }
SYNC(fsync)
SYNC(fdatasync)

static int moved(uint32_t kind, int result, int from_dir, const char *from, int to_dir, const char *to) {
  char a[PATH_MAX], b[PATH_MAX];
  if (result != 0) return result;
  int before = errno;
  const char *source = within(from_dir, from, a), *target = within(to_dir, to, b);
  /* What crosses the border of the folder would need the file's bytes from outside of the record. */
  if ((source == NULL) != (target == NULL)) abort();
  if (target) note_paths(kind, 0, source, target);
  errno = before;
  return result;
}

int rename(const char *from, const char *to) {
  REAL(rename);
  return moved(RENAME, real(from, to), AT_FDCWD, from, AT_FDCWD, to);
}
int renameat(int from_dir, const char *from, int to_dir, const char *to) {
  REAL(renameat);
  return moved(RENAME, real(from_dir, from, to_dir, to), from_dir, from, to_dir, to);
}
int link(const char *from, const char *to) {
  REAL(link);
  return moved(LINK, real(from, to), AT_FDCWD, from, AT_FDCWD, to);
}
int linkat(int from_dir, const char *from, int to_dir, const char *to, int flags) {
  REAL(linkat);
  return moved(LINK, real(from_dir, from, to_dir, to, flags), from_dir, from, to_dir, to);
}

static int named(uint32_t kind, int result, int dir, const char *path) {
  char absolute[PATH_MAX];
  int before = errno;
  const char *name = result == 0 ? within(dir, path, absolute) : NULL;
  if (name) note_paths(kind, 0, name, NULL);
  errno = before;
  return result;
}

int unlink(const char *path) {
  REAL(unlink);
  return named(UNLINK, real(path), AT_FDCWD, path);
}
int unlinkat(int dir, const char *path, int flags) {
  REAL(unlinkat);
  return named(UNLINK, real(dir, path, flags), dir, path);
}
int rmdir(const char *path) {
  REAL(rmdir);
  return named(UNLINK, real(path), AT_FDCWD, path);
}
int mkdir(const char *path, mode_t mode) {
  REAL(mkdir);
  return named(MKDIR, real(path, mode), AT_FDCWD, path);
}
