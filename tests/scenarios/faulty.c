/* A disk and a clock that misbehave when they are told to, preloaded into the daemon.
 *
 * FAULT_DISK names a file: while it is there, whatever changes a file under FAULT_DIR fails with the errno written in
 * it (30: read-only file system, 5: I/O error). FAULT_CLOCK names a file: while it is there, the kernel says that its
 * clock is not synchronised; otherwise it says that it is.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int fault(void)
{
    const char *path = getenv("FAULT_DISK");
    if (!path) return 0;
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    char text[8] = { 0 };
    long length = syscall(SYS_read, fd, text, sizeof text - 1);
    syscall(SYS_close, fd);
    return length > 0 ? atoi(text) : 0;
}

static int is_there(const char *path)
{
    const char *dir = getenv("FAULT_DIR");
    return dir && path && !strncmp(path, dir, strlen(dir));
}

static int is_on_it(int fd)
{
    char link[64], path[512];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    return is_there(path);
}

static int refused(int concerned)
{
    int error = concerned ? fault() : 0;
    if (error) errno = error;
    return error;
}

ssize_t write(int fd, const void *data, size_t length)
{
    return refused(is_on_it(fd)) ? -1 : syscall(SYS_write, fd, data, length);
}
ssize_t pwrite64(int fd, const void *data, size_t length, off64_t at)
{
    return refused(is_on_it(fd)) ? -1 : REAL(pwrite64)(fd, data, length, at);
}
ssize_t pwrite(int fd, const void *data, size_t length, off_t at) { return pwrite64(fd, data, length, at); }
int ftruncate64(int fd, off64_t length) { return refused(is_on_it(fd)) ? -1 : REAL(ftruncate64)(fd, length); }
int ftruncate(int fd, off_t length) { return ftruncate64(fd, length); }
int fsync(int fd) { return refused(is_on_it(fd)) ? -1 : (int)syscall(SYS_fsync, fd); }
int fdatasync(int fd) { return refused(is_on_it(fd)) ? -1 : (int)syscall(SYS_fdatasync, fd); }
int unlink(const char *path) { return refused(is_there(path)) ? -1 : (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0); }

#define OPEN(name) \
    int name(const char *path, int flags, ...) \
    { \
        va_list rest; \
        va_start(rest, flags); \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? (mode_t)va_arg(rest, int) : 0; \
        va_end(rest); \
        if (refused((flags & (O_WRONLY | O_RDWR)) && is_there(path))) return -1; \
        return (int)syscall(SYS_openat, AT_FDCWD, path, flags | O_LARGEFILE, mode); \
    }
OPEN(open)
OPEN(open64)

int adjtimex(struct timex *state)
{
    const char *path = getenv("FAULT_CLOCK");
    int outcome = REAL(adjtimex)(state);
    if (!path) return outcome;
    return syscall(SYS_faccessat, AT_FDCWD, path, F_OK) == 0 ? TIME_ERROR : TIME_OK;
}
