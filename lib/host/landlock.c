/* SPDX-License-Identifier: GPL-2.0-or-later */
/* landlock.c - Restrict this process to some paths (landlock(7)) */

#include "host/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "host/image.h"
#include "plan/sandbox.h"

/* Linux 6.2, 6.10 and 6.12, include/uapi/linux/landlock.h; older headers have them not. */
#ifndef LANDLOCK_ACCESS_FS_REFER
#define LANDLOCK_ACCESS_FS_REFER (1ULL << 13)
#endif
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif
#ifndef LANDLOCK_ACCESS_FS_IOCTL_DEV
#define LANDLOCK_ACCESS_FS_IOCTL_DEV (1ULL << 15)
#endif
#ifndef LANDLOCK_SCOPE_SIGNAL
#define LANDLOCK_SCOPE_SIGNAL (1ULL << 1)
#endif

/* Permission bits of a file that QEMU is to write, before the umask. */
#define FILE_MODE 0666

/* More images than this below each other are a loop. */
#define IMAGES_MAX 200

/* struct landlock_ruleset_attr as of version 6 */
typedef struct {
	uint64_t handled_files;
	uint64_t handled_network;
	uint64_t scoped;
} RulesetAttributes;

#define READ_RIGHTS (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)

#define SOCKET_RIGHTS (LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_REMOVE_FILE)

#define WRITE_RIGHTS                                                                                \
	(READ_RIGHTS | SOCKET_RIGHTS | LANDLOCK_ACCESS_FS_WRITE_FILE |                              \
	 LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_MAKE_DIR |                              \
	 LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_SYM | \
	 LANDLOCK_ACCESS_FS_REFER | LANDLOCK_ACCESS_FS_TRUNCATE | LANDLOCK_ACCESS_FS_IOCTL_DEV)

/* Those that mean something of what is no directory; the kernel refuses the others. */
#define FILE_RIGHTS                                                   \
	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | \
	 LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_TRUNCATE | LANDLOCK_ACCESS_FS_IOCTL_DEV)

/* The rights of version 1. */
#define FIRST_RIGHTS (LANDLOCK_ACCESS_FS_REFER - 1)

static const uint64_t rights_of[] = {
	[EXM_ACCESS_READ] = READ_RIGHTS,
	[EXM_ACCESS_EXECUTE] = READ_RIGHTS | LANDLOCK_ACCESS_FS_EXECUTE,
	[EXM_ACCESS_WRITE] = WRITE_RIGHTS,
	[EXM_ACCESS_CREATE] = WRITE_RIGHTS,
	[EXM_ACCESS_SOCKETS] = SOCKET_RIGHTS,
	[EXM_ACCESS_IMAGE] = WRITE_RIGHTS,
	[EXM_ACCESS_IMAGE_READ] = READ_RIGHTS,
};

/* What a kernel of some version can forbid. */
static uint64_t handled_files(uint64_t version)
{
	return FIRST_RIGHTS | (version >= 2 ? LANDLOCK_ACCESS_FS_REFER : 0) |
	       (version >= 3 ? LANDLOCK_ACCESS_FS_TRUNCATE : 0) |
	       (version >= 5 ? LANDLOCK_ACCESS_FS_IOCTL_DEV : 0);
}

/* Older kernels know a shorter structure, and refuse a longer one unless its end is zeros. */
static int create_ruleset(uint64_t version)
{
	const RulesetAttributes attributes = {
		.handled_files = handled_files(version),
		.scoped = version >= 6 ? LANDLOCK_SCOPE_SIGNAL : 0,
	};

	return (int)syscall(SYS_landlock_create_ruleset, &attributes, sizeof(attributes), 0);
}

/**
 * exm_landlock_version() - Ask which version of Landlock the kernel has
 *
 * Return: 1 or more; 0 where it has none, or where it is not enabled.
 */
uint64_t exm_landlock_version(void)
{
	const long version = syscall(SYS_landlock_create_ruleset, NULL, 0,
	                             LANDLOCK_CREATE_RULESET_VERSION);

	return version > 0 ? (uint64_t)version : 0;
}

static bool add_rule(int ruleset, int fd, uint64_t rights, const char *path, GError **error)
{
	struct landlock_path_beneath_attr rule = { .parent_fd = fd };
	struct stat status;

	if (fstat(fd, &status) < 0)
		return exm_throw_errno(error, errno, "cannot allow '%s'", path);
	rule.allowed_access = rights & handled_files(exm_landlock_version());
	if (!S_ISDIR(status.st_mode))
		rule.allowed_access &= FILE_RIGHTS;
	if (rule.allowed_access == 0)
		return true;
	/* Of a file without a mount, such as a memfd, there is nothing to allow: EBADFD. */
	return syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0 ||
	       errno == EBADFD || exm_throw_errno(error, errno, "cannot allow '%s'", path);
}

static int open_path(const char *path, ExmAccess access)
{
	int fd = open(path, O_PATH | O_CLOEXEC);

	if (fd >= 0 || errno != ENOENT || access != EXM_ACCESS_CREATE)
		return fd;
	return open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, FILE_MODE);
}

/* What cannot be opened here QEMU cannot open either, and says so if it needs it. */
static bool allow_path(int ruleset, const char *path, ExmAccess access, GError **error)
{
	exm_autofd int fd = open_path(path, access);

	return fd < 0 || add_rule(ruleset, fd, rights_of[access], path, error);
}

static bool allow_image(int ruleset, const char *path, ExmAccess access, GError **error)
{
	g_autofree char *next = g_strdup(path);

	for (int i = 0; next && i < IMAGES_MAX; i++) {
		g_autoptr(ExmImage) image = exm_image_read(next);
		const bool has_header = !image->format || strcmp(image->format, "qcow2") == 0;

		if (!allow_path(ruleset, next, access, error) ||
		    (image->data && !allow_path(ruleset, image->data, access, error)))
			return false;
		/* A guest may have written a header into a raw image, which QEMU does not read. */
		if (image->backing && !has_header)
			return allow_path(ruleset, image->backing, EXM_ACCESS_READ, error);
		g_free(next);
		next = g_steal_pointer(&image->backing);
		access = EXM_ACCESS_IMAGE_READ;
	}
	return true;
}

static bool allow_all(int ruleset, const GPtrArray *allowed, GError **error)
{
	for (guint i = 0; i < allowed->len; i++) {
		const ExmAllowed *one = allowed->pdata[i];
		const bool is_image = one->access == EXM_ACCESS_IMAGE ||
		                      one->access == EXM_ACCESS_IMAGE_READ;

		if (!(is_image ? allow_image : allow_path)(ruleset, one->path, one->access, error))
			return false;
	}
	return true;
}

static bool check_program(const char *program, GError **error)
{
	exm_autofd int fd = open(program, O_RDONLY | O_CLOEXEC);
	char mark[2];

	return fd < 0 || read(fd, mark, sizeof(mark)) != sizeof(mark) ||
	       memcmp(mark, "#!", sizeof(mark)) != 0 ||
	       exm_throw(error, EXM_ERROR_UNSUPPORTED,
	                 "'%s' is a script, and a sandboxed QEMU can start no program: name the "
	                 "binary that it starts by '--qemu'",
	                 program);
}

/**
 * exm_landlock_restrict() - Let this process open nothing but some paths from here on
 * @program: that it will execute; it is among @allowed
 * @allowed: of ExmAllowed; a path that is not there is left out, or made if it may be created
 * @error:   UNSUPPORTED for a script, or a kernel without Landlock; SYSTEM
 *
 * It stays across exec and for all that this process starts, and cannot be removed. Descriptors
 * that are open stay usable. What the kernel's version does not know it does not forbid: truncation
 * by path before 3, ioctl(2) on devices before 5, signals to others before 6. No version forbids
 * connecting to sockets in the file system, stat(2), chmod(2), chown(2) and setxattr(2).
 *
 * PR_SET_NO_NEW_PRIVS is set, without which the kernel wants CAP_SYS_ADMIN.
 */
bool exm_landlock_restrict(const char *program, const GPtrArray *allowed, GError **error)
{
	exm_autofd int ruleset = -1;

	if (!check_program(program, error))
		return false;
	ruleset = create_ruleset(exm_landlock_version());
	if (ruleset < 0)
		return exm_throw(error, EXM_ERROR_UNSUPPORTED, "this kernel has no Landlock: %s",
		                 strerror(errno));
	if (!allow_all(ruleset, allowed, error))
		return false;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
		return exm_throw_errno(error, errno, "cannot restrict this process");
	return true;
}
