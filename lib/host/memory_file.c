/* SPDX-License-Identifier: GPL-2.0-or-later */
/* memory_file.c - Files that guest memory lives in */

#include "host/memory_file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "host/extent.h"
#include "host/interrupt.h"
#include "host/lock.h"
#include "host/place.h"
#include "plan/host.h"

/* Guest memory is nobody else's business, whatever the umask. */
#define MEMORY_FILE_MODE 0600

/*
 * Moves a descriptor to the number that QEMU's command line gives it. It stays close-on-exec until
 * the moment of exec.
 */
static bool move_to(int fd, int number, const char *path, int *ret_fd, GError **error)
{
	exm_autofd int moved = fcntl(fd, F_DUPFD_CLOEXEC, number);

	if (moved < 0)
		return exm_throw_errno(error, errno, "duplicate the descriptor of '%s'", path);
	if (moved != number)
		return exm_throw(error, EXM_ERROR_SYSTEM, "descriptor %d for '%s' is in use",
		                 number, path);
	*ret_fd = g_steal_fd(&moved);
	return true;
}

/**
 * exm_memory_file_create_unnamed() - Make a file that has no name
 * @directory: where its blocks are
 * @fd_number: number that the descriptor shall have
 * @ret_fd:    the descriptor, close-on-exec
 * @error:     SYSTEM or NO_ROOM
 */
bool exm_memory_file_create_unnamed(const char *directory, int fd_number, int *ret_fd, GError **error)
{
	exm_autofd int fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, MEMORY_FILE_MODE);

	if (fd < 0)
		return exm_throw_errno(error, errno, "make a file in '%s'", directory);
	if (fchmod(fd, MEMORY_FILE_MODE) < 0)
		return exm_throw_errno(error, errno, "set the mode of a file in '%s'", directory);
	return move_to(fd, fd_number, directory, ret_fd, error);
}

/**
 * exm_memory_file_create() - Make a file that must not be there
 * @path:      its name
 * @fd_number: number that the descriptor shall have
 * @ret_fd:    the descriptor, close-on-exec
 * @error:     SYSTEM or NO_ROOM; nothing is left behind
 */
bool exm_memory_file_create(const char *path, int fd_number, int *ret_fd, GError **error)
{
	exm_autofd int fd = open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, MEMORY_FILE_MODE);

	if (fd < 0)
		return exm_throw_errno(error, errno, "make '%s'", path);
	if (fchmod(fd, MEMORY_FILE_MODE) < 0) {
		exm_throw_errno(error, errno, "set the mode of '%s'", path);
		exm_file_remove_own(fd, path);
		return false;
	}
	if (!move_to(fd, fd_number, path, ret_fd, error)) {
		exm_file_remove_own(fd, path);
		return false;
	}
	return true;
}

/**
 * exm_memory_file_open() - Open a file or device that must be there
 * @path:      its name; a symbolic link is refused
 * @writable:  open it for writing too
 * @size:      bytes that a plain file must have
 * @fd_number: number that the descriptor shall have
 * @ret_fd:    the descriptor, close-on-exec
 * @error:     STATE where it is not what the plan saw
 */
bool exm_memory_file_open(const char *path, bool writable, uint64_t size, int fd_number,
                          int *ret_fd, GError **error)
{
	exm_autofd int fd = open(path, (writable ? O_RDWR : O_RDONLY) | O_NOFOLLOW | O_NONBLOCK |
	                                       O_CLOEXEC);
	struct stat status;

	if (fd < 0 || fstat(fd, &status) < 0)
		return exm_throw_errno(error, errno, "open '%s'", path);
	if (!S_ISCHR(status.st_mode) && (!S_ISREG(status.st_mode) || (uint64_t)status.st_size != size))
		return exm_throw(error, EXM_ERROR_STATE, "'%s' has just changed: try again", path);
	return move_to(fd, fd_number, path, ret_fd, error);
}

/**
 * exm_memory_file_borrow() - Open the memory file of a guest for those that shall map it privately
 * @path:      its name, or /proc/PID/fd/N for one without a name
 * @fd_number: number that the descriptor shall have
 * @ret_fd:    the descriptor, close-on-exec
 * @error:     SYSTEM
 */
bool exm_memory_file_borrow(const char *path, int fd_number, int *ret_fd, GError **error)
{
	exm_autofd int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return exm_throw_errno(error, errno, "open '%s'", path);
	return move_to(fd, fd_number, path, ret_fd, error);
}

/**
 * exm_memory_file_set_size() - Give an empty file its size, or take it away again
 * @fd:    open for writing
 * @path:  its name, for messages
 * @size:  bytes; the file has holes for blocks
 * @error: SYSTEM or NO_ROOM
 */
bool exm_memory_file_set_size(int fd, const char *path, uint64_t size, GError **error)
{
	if (ftruncate(fd, (off_t)size) < 0)
		return exm_throw_errno(error, errno, "set the size of '%s'", path);
	return true;
}

/**
 * exm_memory_file_reserve() - Reserve a file's blocks, so that no write to it can fail for room
 * @fd:    open for writing
 * @path:  its name, for messages
 * @size:  bytes from the start of the file; what it holds stays as it is
 * @error: NO_ROOM where the file system is full, SYSTEM otherwise, also where it is interrupted
 * (exm_interrupt_defer()); one that cannot reserve is none
 */
bool exm_memory_file_reserve(int fd, const char *path, uint64_t size, GError **error)
{
	int result;

	/* A signal may interrupt a long reservation; what it has reserved stays reserved. */
	do {
		result = fallocate(fd, 0, 0, (off_t)size);
	} while (result < 0 && errno == EINTR && !exm_interrupt_came());
	/* What looks like ext4 may be an ext3 that the same driver serves, which cannot reserve. */
	if (result < 0 && errno != EOPNOTSUPP)
		return exm_throw_errno(error, errno, "reserve the blocks of '%s'", path);
	return true;
}

static bool link_descriptor(const char *descriptor, const char *path)
{
	return linkat(AT_FDCWD, descriptor, AT_FDCWD, path, AT_SYMLINK_FOLLOW) == 0;
}

static bool throw_link(int errnum, const char *path, GError **error)
{
	if (errnum == EEXIST)
		return exm_throw(error, EXM_ERROR_STATE,
		                 "'%s' has just been made by somebody else: try again", path);
	return exm_throw_errno(error, errnum, "give '%s' its name", path);
}

/**
 * exm_memory_file_give_name() - Give an unnamed file its name
 * @fd:    made by exm_memory_file_create_unnamed()
 * @path:  the name, which must not be there
 * @error: STATE where it is, SYSTEM otherwise
 */
bool exm_memory_file_give_name(int fd, const char *path, GError **error)
{
	g_autofree char *descriptor = g_strdup_printf("/proc/self/fd/%d", fd);

	return link_descriptor(descriptor, path) || throw_link(errno, path, error);
}

/**
 * exm_memory_file_link() - Give a name to a file that another process has open
 * @pid:        the process; it may have been made by another exomem, but for the same user
 * @fd_number:  its descriptor of the file, which was made without a name or still has one
 * @path:       the name, which must not be there
 * @ret_linked: false where only a copy can do it: @path is on another file system or mount, or the
 *              file had a name and lost it, for the kernel gives such a file none again (Linux,
 *              fs/namei.c, vfs_link())
 * @error:      STATE where the name is there, SYSTEM otherwise
 */
bool exm_memory_file_link(pid_t pid, int fd_number, const char *path, bool *ret_linked, GError **error)
{
	g_autofree char *descriptor = g_strdup_printf("/proc/%d/fd/%d", (int)pid, fd_number);
	const bool linked = link_descriptor(descriptor, path);

	if (!linked && errno != EXDEV && errno != ENOENT)
		return throw_link(errno, path, error);
	*ret_linked = linked;
	return true;
}

/**
 * exm_memory_file_match() - Make an empty file one that can share blocks with another
 * @from: descriptor of the other one
 * @to:   of the empty file
 *
 * btrfs shares blocks only between files that are both under chattr +C or both not, and lets that
 * be changed as long as a file is empty (Linux, fs/btrfs/ioctl.c, btrfs_fileattr_set()).
 */
void exm_memory_file_match(int from, int to)
{
	int wanted, flags;

	if (ioctl(from, FS_IOC_GETFLAGS, &wanted) < 0 || ioctl(to, FS_IOC_GETFLAGS, &flags) < 0 ||
	    (wanted & FS_NOCOW_FL) == (flags & FS_NOCOW_FL))
		return;
	flags ^= FS_NOCOW_FL;
	ioctl(to, FS_IOC_SETFLAGS, &flags);
}

static bool throw_clone(int errnum, const char *from, int to_fd, const char *to, GError **error)
{
	g_autofree char *descriptor = g_strdup_printf("/proc/self/fd/%d", to_fd);
	g_autofree char *file_system = exm_place_file_system(descriptor);

	if (errnum == EOPNOTSUPP)
		return exm_throw(error, EXM_ERROR_UNSUPPORTED,
		                 "'%s' is on %s, which has no reflinks here: put the template on "
		                 "XFS or btrfs, or leave '--memory reflink' out",
		                 to, file_system);
	if (errnum == EXDEV)
		return exm_throw(error, EXM_ERROR_UNSUPPORTED,
		                 "'%s' is on another file system than '%s', and no reflink leads "
		                 "there: put the template beside the memory, or leave "
		                 "'--memory reflink' out",
		                 to, from);
	return exm_throw_errno(error, errnum, "reflink '%s' as '%s'", from, to);
}

/**
 * exm_memory_file_clone() - Let an empty file share the blocks of another, until one is written
 * @from_fd: the file, open for reading; what is dirty of it is written first, which takes its time
 * @from:    its name, for messages
 * @to_fd:   the empty file, open for writing; it gets the other's size
 * @to:      its name, for messages
 * @error:   UNSUPPORTED where the file system has no reflinks, or they are on two; NO_ROOM; SYSTEM
 */
bool exm_memory_file_clone(int from_fd, const char *from, int to_fd, const char *to, GError **error)
{
	exm_memory_file_match(from_fd, to_fd);
	return ioctl(to_fd, FICLONE, from_fd) == 0 || throw_clone(errno, from, to_fd, to, error);
}

/**
 * exm_memory_file_remove() - Remove a file that a dead guest made
 * @path: its name
 *
 * Nothing happens where another guest holds it by now.
 */
void exm_memory_file_remove(const char *path)
{
	exm_autofd int fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	bool taken;

	if (fd >= 0 && exm_lock_take(fd, false, &taken, NULL) && taken)
		exm_file_remove_own(fd, path);
}

/**
 * exm_memory_file_discard() - Punch the memory of a dead guest out of its file
 * @path:   the file
 * @device: number of its file system
 * @inode:  its number there
 * @size:   bytes from its start
 *
 * Nothing happens where a template has come to count on the file, where another guest holds it, or
 * where it is not there any more, or another one is.
 */
void exm_memory_file_discard(const char *path, uint64_t device, uint64_t inode, uint64_t size)
{
	g_autoptr(ExmFileFacts) facts = exm_file_look(path);
	exm_autofd int fd = open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat file;
	bool taken;

	if (fd < 0 || fstat(fd, &file) < 0 || file.st_dev != device || file.st_ino != inode)
		return;
	if (facts->template_name || !exm_lock_take(fd, false, &taken, NULL) || !taken)
		return;
	fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t)size);
}

static bool copy_extent(int from, int to, const ExmExtent *extent)
{
	off_t input = (off_t)extent->start;
	off_t output = (off_t)extent->start;

	while ((uint64_t)input < extent->end) {
		const size_t left = extent->end - (uint64_t)input;
		const ssize_t put = TEMP_FAILURE_RETRY(
			copy_file_range(from, &input, to, &output, left, 0));

		if (put <= 0)
			return false;
	}
	return true;
}

static bool copy_data(int from, int to, uint64_t size, const char *name, GError **error)
{
	ExmExtent extent = { 0 };

	if (ftruncate(to, (off_t)size) < 0)
		return exm_throw_errno(error, errno, "set the size of '%s'", name);
	for (;;) {
		if (!exm_extent_find(from, extent.end, size, &extent, error))
			return false;
		if (extent.start >= size)
			return true;
		if (!copy_extent(from, to, &extent))
			return exm_throw_errno(error, errno, "copy to '%s'", name);
	}
}

/**
 * exm_memory_file_copy() - Copy a file that cannot be linked to its new place
 * @from:  the file, perhaps /proc/PID/fd/N
 * @to:    the new one, which must not be there; holes stay holes
 * @error: STATE where it is, NO_ROOM or SYSTEM otherwise; nothing is left behind
 *
 * The copy is synced, its name is not.
 */
bool exm_memory_file_copy(const char *from, const char *to, GError **error)
{
	exm_autofd int input = open(from, O_RDONLY | O_CLOEXEC);
	exm_autofd int output = -1;
	struct stat status;

	if (input < 0 || fstat(input, &status) < 0)
		return exm_throw_errno(error, errno, "open '%s'", from);
	output = open(to, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, MEMORY_FILE_MODE);
	if (output < 0)
		return throw_link(errno, to, error);
	if (copy_data(input, output, (uint64_t)status.st_size, to, error) &&
	    (TEMP_FAILURE_RETRY(fsync(output)) == 0 ||
	     exm_throw_errno(error, errno, "cannot sync '%s'", to)))
		return true;
	exm_file_remove_own(output, to);
	return false;
}
