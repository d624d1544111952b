/* Records what a process does to its journal's files, in order, with the data: create, write, truncate, sync, unlink.
 *
 * Preloaded into a real process. POWERCUT_DIR is the journal's directory, POWERCUT_TRACE the file to record into.
 * A record is 16 bytes (op, file, two zeros, length u32, offset u64, little-endian) and the data written.
 * The call and its record happen under one lock, so the record's order is the kernel's. An acknowledgement is a write
 * to the file "acks" and stands in the same order. The shared index (-shm) is not recorded: a power cut takes it away.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { NOT_OURS, DB, WAL, ROLLBACK, ACKS, DIRECTORY };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned char file_of[4096];
static int trace = -1;

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int named(const char *path)
{
    const char *dir = getenv("POWERCUT_DIR");
    size_t length = dir ? strlen(dir) : 0;
    if (!length || !path || strncmp(path, dir, length)) return NOT_OURS;
    const char *name = path + length;
    if (!strcmp(name, "")) return DIRECTORY;
    if (!strcmp(name, "/journal.db")) return DB;
    if (!strcmp(name, "/journal.db-wal")) return WAL;
    if (!strcmp(name, "/journal.db-journal")) return ROLLBACK;
    if (!strcmp(name, "/acks")) return ACKS;
    return NOT_OURS;
}

static int ours(int fd)
{
    return fd >= 0 && fd < (int)sizeof file_of ? file_of[fd] : NOT_OURS;
}

static void all_of(const void *data, size_t length)
{
    while (length > 0) {
        long done = syscall(SYS_write, trace, data, length);
        if (done <= 0) { fprintf(stderr, "the trace cannot be written\n"); abort(); }
        data = (const char *)data + done;
        length -= (size_t)done;
    }
}

static void record(char op, int file, uint64_t offset, const void *data, uint32_t length)
{
    struct { char op; uint8_t file; uint8_t zero[2]; uint32_t length; uint64_t offset; } head =
        { op, (uint8_t)file, { 0, 0 }, length, offset };
    if (trace < 0) trace = (int)syscall(SYS_openat, AT_FDCWD, getenv("POWERCUT_TRACE"), O_WRONLY | O_CREAT | O_APPEND, 0644);
    all_of(&head, sizeof head);
    if (length) all_of(data, length);
}

static int opened(const char *path, int flags, mode_t mode)
{
    int file = named(path);
    pthread_mutex_lock(&lock);
    int fresh = file && (flags & O_CREAT) && syscall(SYS_faccessat, AT_FDCWD, path, F_OK) != 0;
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
    if (fd >= 0 && fd < (int)sizeof file_of) file_of[fd] = (unsigned char)file;
    if (fd >= 0 && fresh) record('C', file, 0, NULL, 0);
    if (fd >= 0 && file && !fresh && (flags & O_TRUNC)) record('T', file, 0, NULL, 0);
    pthread_mutex_unlock(&lock);
    return fd;
}

#define OPEN(name) \
    int name(const char *path, int flags, ...) \
    { \
        va_list rest; \
        va_start(rest, flags); \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? (mode_t)va_arg(rest, int) : 0; \
        va_end(rest); \
        return opened(path, flags | O_LARGEFILE, mode); \
    }
OPEN(open)
OPEN(open64)

int close(int fd)
{
    pthread_mutex_lock(&lock);
    if (fd >= 0 && fd < (int)sizeof file_of) file_of[fd] = NOT_OURS;
    int outcome = (int)syscall(SYS_close, fd);
    pthread_mutex_unlock(&lock);
    return outcome;
}

static ssize_t written(int fd, const void *data, size_t length, off64_t offset, int at_offset)
{
    int file = ours(fd);
    if (!file) return at_offset ? REAL(pwrite64)(fd, data, length, offset) : syscall(SYS_write, fd, data, length);
    pthread_mutex_lock(&lock);
    if (!at_offset) offset = lseek64(fd, 0, SEEK_CUR);
    ssize_t done = at_offset ? REAL(pwrite64)(fd, data, length, offset) : syscall(SYS_write, fd, data, length);
    if (done > 0) record('W', file, (uint64_t)offset, data, (uint32_t)done);
    pthread_mutex_unlock(&lock);
    return done;
}

ssize_t write(int fd, const void *data, size_t length) { return written(fd, data, length, 0, 0); }
ssize_t pwrite(int fd, const void *data, size_t length, off_t at) { return written(fd, data, length, at, 1); }
ssize_t pwrite64(int fd, const void *data, size_t length, off64_t at) { return written(fd, data, length, at, 1); }

static int recorded(int fd, char op, uint64_t offset, int (*call)(int, off64_t))
{
    int file = ours(fd);
    if (!file) return call(fd, (off64_t)offset);
    pthread_mutex_lock(&lock);
    int outcome = call(fd, (off64_t)offset);
    if (outcome == 0) record(op, file, offset, NULL, 0);
    pthread_mutex_unlock(&lock);
    return outcome;
}

static int truncate_to(int fd, off64_t length) { return REAL(ftruncate64)(fd, length); }
static int sync_all(int fd, off64_t unused) { (void)unused; return (int)syscall(SYS_fsync, fd); }

int ftruncate(int fd, off_t length) { return recorded(fd, 'T', (uint64_t)length, truncate_to); }
int ftruncate64(int fd, off64_t length) { return recorded(fd, 'T', (uint64_t)length, truncate_to); }
int fsync(int fd) { return recorded(fd, 'S', 0, sync_all); }
int fdatasync(int fd) { return recorded(fd, 'S', 0, sync_all); }

int unlink(const char *path)
{
    int file = named(path);
    pthread_mutex_lock(&lock);
    int outcome = (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
    if (outcome == 0 && file) record('U', file, 0, NULL, 0);
    pthread_mutex_unlock(&lock);
    return outcome;
}

/* The trace knows no renaming, no gathered writes and no allocating: a journal that begins to use them must not pass
 * unnoticed. */
int rename(const char *from, const char *to)
{
    if (named(from) || named(to)) record('?', DB, 0, NULL, 0);
    return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

int posix_fallocate64(int fd, off64_t offset, off64_t length)
{
    if (ours(fd)) record('?', ours(fd), 0, NULL, 0);
    return REAL(posix_fallocate64)(fd, offset, length);
}
