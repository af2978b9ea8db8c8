/* A full disk, for the program that this is preloaded into.
 *
 * While the file NOSPACE_FLAG exists, no file under NOSPACE_FOLDER may grow: what would be written
 * behind its end fails with ENOSPC, as on a file system without a free block. What overwrites is
 * still written, as it is there.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static int full(int file, off64_t end)
{
    const char *flag = getenv("NOSPACE_FLAG"), *folder = getenv("NOSPACE_FOLDER");
    char link[64], path[PATH_MAX];
    struct stat status;
    ssize_t length;

    if (!flag || !folder || access(flag, F_OK) != 0)
        return 0;
    if (fstat(file, &status) != 0 || !S_ISREG(status.st_mode) || end <= status.st_size)
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    length = readlink(link, path, sizeof path - 1);
    if (length < 0)
        return 0;
    path[length] = 0;
    return strncmp(path, folder, strlen(folder)) == 0;
}

static off64_t sum(const struct iovec *parts, int count)
{
    off64_t bytes = 0;

    while (count-- > 0)
        bytes += parts++->iov_len;
    return bytes;
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define REFUSE(file, end) \
    if (full(file, end)) { \
        errno = ENOSPC; \
        return -1; \
    }

ssize_t write(int file, const void *data, size_t count)
{
    off64_t at = lseek64(file, 0, SEEK_CUR);

    if (at >= 0)
        REFUSE(file, at + (off64_t)count)
    return NEXT(write)(file, data, count);
}

ssize_t pwrite(int file, const void *data, size_t count, off_t at)
{
    REFUSE(file, at + (off64_t)count)
    return NEXT(pwrite)(file, data, count, at);
}

ssize_t pwrite64(int file, const void *data, size_t count, off64_t at)
{
    REFUSE(file, at + (off64_t)count)
    return NEXT(pwrite64)(file, data, count, at);
}

ssize_t pwritev(int file, const struct iovec *parts, int count, off_t at)
{
    REFUSE(file, at + sum(parts, count))
    return NEXT(pwritev)(file, parts, count, at);
}

ssize_t pwritev64(int file, const struct iovec *parts, int count, off64_t at)
{
    REFUSE(file, at + sum(parts, count))
    return NEXT(pwritev64)(file, parts, count, at);
}

int posix_fallocate64(int file, off64_t at, off64_t count)
{
    return full(file, at + count) ? ENOSPC : NEXT(posix_fallocate64)(file, at, count);
}
