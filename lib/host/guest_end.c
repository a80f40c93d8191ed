/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest_end.c - What a guest's directory tells of its end: log, memory files and ended.json */

#include "host/guest_end.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "host/lock.h"
#include "plan/vm.h"

/* The end of a log in which QEMU's last line is looked for. */
#define LOG_END 16384

/* A file system with less room than this cannot give a page any more, or the next writer took the rest. */
#define NO_ROOM 1048576

static int open_file(int directory, const char *name)
{
	return openat(directory, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
}

/**
 * exm_guest_end_line() - What QEMU wrote last
 * @directory:   of the guest, whose QEMU has ended
 * @patience_us: how long the log keeper may take to finish the log
 *
 * Return: one line (transfer full), or NULL.
 */
char *exm_guest_end_line(int directory, int64_t patience_us)
{
	exm_autofd int log = open_file(directory, EXM_VM_LOG);
	g_autofree char *text = NULL;
	struct stat status;
	bool taken;

	if (log >= 0)
		exm_lock_wait(log, true, patience_us, &taken, NULL);
	if (log < 0 || fstat(log, &status) < 0 ||
	    lseek(log, MAX(status.st_size - LOG_END, 0), SEEK_SET) < 0 ||
	    !exm_fd_read_all(log, &text, NULL, NULL))
		return NULL;
	return exm_end_find_line(text);
}

static ExmJson *read_json(int directory, const char *name)
{
	exm_autofd int fd = open_file(directory, name);
	g_autofree char *text = NULL;
	size_t length;

	if (fd < 0 || !exm_fd_read_all(fd, &text, &length, NULL))
		return NULL;
	return exm_json_parse(text, length, NULL);
}

/* What is wrong with one block of memory (transfer full), or NULL. */
static char *find_fault(ExmJson *block)
{
	const char *path = exm_json_get_string(block, "path");
	const uint64_t needed = exm_json_get_uint(block, "size");
	struct statvfs room;
	struct stat status;

	if (!path || stat(path, &status) < 0 || statvfs(path, &room) < 0)
		return NULL;
	if (S_ISREG(status.st_mode) && !exm_json_get_bool(block, "unnamed") &&
	    (uint64_t)status.st_size < needed)
		return g_strdup_printf("'%s' was truncated to %" G_GUINT64_FORMAT
		                       " of %" G_GUINT64_FORMAT " bytes",
		                       path, (uint64_t)status.st_size, needed);
	if ((uint64_t)room.f_bavail * room.f_frsize < MAX((uint64_t)NO_ROOM, room.f_bsize))
		return g_strdup_printf("the file system of '%s' is full", path);
	return NULL;
}

/**
 * exm_guest_end_memory() - Why a page of a guest's memory file was not available
 * @directory: of the guest, whose QEMU was killed by SIGBUS
 *
 * The kernel does not say which page it was, so each file is looked at.
 *
 * Return: one line (transfer full), or NULL where the guest has no memory file.
 */
char *exm_guest_end_memory(int directory)
{
	g_autoptr(ExmJson) record = read_json(directory, EXM_VM_RECORD);
	ExmJson *blocks = exm_json_member(record, "memory");
	g_autoptr(GString) paths = g_string_new(NULL);

	for (size_t i = 0; blocks && i < exm_json_length(blocks); i++) {
		ExmJson *block = json_object_array_get_idx(blocks, i);
		const char *path = exm_json_get_string(block, "path");
		char *fault = find_fault(block);

		if (fault)
			return fault;
		if (path)
			g_string_append_printf(paths, "%s'%s'", paths->len ? ", " : "", path);
	}
	if (paths->len == 0)
		return NULL;
	return g_strdup_printf(
		"an I/O error or a full file system in memory of %s; see the kernel's log",
		paths->str);
}

/**
 * exm_guest_end_announce() - Tell who records a guest's end why its QEMU is killed
 * @directory: path of the guest's directory
 * @why:       one line
 *
 * Where that cannot be written, the end is recorded as that by any other SIGKILL.
 */
void exm_guest_end_announce(const char *directory, const char *why)
{
	g_autofree char *path = g_build_filename(directory, EXM_VM_ENDING, NULL);

	exm_file_write_atomic(path, why, strlen(why), 0600, NULL);
}

/**
 * exm_guest_end_announced() - Why exomem has killed a guest's QEMU
 * @directory: of the guest
 *
 * Return: one line (transfer full), or NULL where it has not.
 */
char *exm_guest_end_announced(int directory)
{
	exm_autofd int fd = open_file(directory, EXM_VM_ENDING);
	char *text = NULL;

	return fd >= 0 && exm_fd_read_all(fd, &text, NULL, NULL) ? text : NULL;
}

/**
 * exm_guest_end_write() - Record how a guest ended
 * @directory: of the guest
 * @end:       how
 */
bool exm_guest_end_write(int directory, const ExmEnd *end)
{
	g_autoptr(ExmJson) json = exm_end_to_json(end);
	g_autofree char *text = exm_json_print(json, true);
	exm_autofd int fd = openat(directory, EXM_VM_ENDED ".new",
	                           O_CREAT | O_TRUNC | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0600);

	return fd >= 0 && exm_fd_write_all(fd, text, strlen(text), EXM_VM_ENDED, NULL) &&
	       renameat(directory, EXM_VM_ENDED ".new", directory, EXM_VM_ENDED) == 0;
}

/**
 * exm_guest_end_read() - Read how a guest ended
 * @directory: of the guest
 *
 * Return: how (transfer full), or NULL where that was not recorded.
 */
ExmEnd *exm_guest_end_read(int directory)
{
	g_autoptr(ExmJson) json = read_json(directory, EXM_VM_ENDED);

	return json ? exm_end_from_json(json, NULL) : NULL;
}

/**
 * exm_guest_end_wait() - Wait until the end of a guest is recorded
 * @directory:   of the guest, whose QEMU has ended
 * @patience_us: for at most so many microseconds
 *
 * The process that records it has the directory's lock until then.
 */
void exm_guest_end_wait(int directory, int64_t patience_us)
{
	/* A descriptor of its own: a lock belongs to one, and duplicates share it. */
	exm_autofd int own = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool taken;

	if (own >= 0)
		exm_lock_wait(own, false, patience_us, &taken, NULL);
}
