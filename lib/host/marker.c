/* SPDX-License-Identifier: GPL-2.0-or-later */
/* marker.c - A file that proves that exomem made the directory it is in */

#include "host/marker.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "host/directory.h"

/* "exomem guest ID of ID" has 90 bytes. */
#define LONGEST 128

static const char *const kind_names[] = {
	[EXM_MARKER_STATE] = "state", [EXM_MARKER_GUEST] = "guest", [EXM_MARKER_ENDED] = "ended"
};

/* Of one who was killed while making it. */
static void remove_unfinished(int directory)
{
	struct stat status;

	if (fstatat(directory, EXM_MARKER, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISREG(status.st_mode) && status.st_size == 0)
		unlinkat(directory, EXM_MARKER, 0);
}

/**
 * exm_marker_can_be_made() - Whether a directory holds nothing, so that nothing can be lost in it
 * @directory: descriptor of it
 *
 * A marker whose maker was killed meanwhile is nothing.
 */
bool exm_marker_can_be_made(int directory)
{
	g_autoptr(ExmDirectory) entries = exm_directory_open_at(directory, ".");
	const struct dirent *entry;
	struct stat status;

	if (!entries)
		return false;
	while ((entry = exm_directory_next(entries)))
		if (strcmp(entry->d_name, EXM_MARKER) != 0)
			return false;
	return fstatat(directory, EXM_MARKER, &status, AT_SYMLINK_NOFOLLOW) < 0 ||
	       (S_ISREG(status.st_mode) && status.st_size == 0);
}

/**
 * exm_marker_make() - Mark a directory that holds nothing
 * @directory: descriptor of it; others who could make it are kept out by a lock
 * @kind:      what it is
 * @within:    id of the directory that it belongs to, or NULL
 * @error:     SYSTEM or NO_ROOM; also where there is a marker
 *
 * The file has an id that no other directory has.
 */
bool exm_marker_make(int directory, ExmMarkerKind kind, const char *within, GError **error)
{
	g_autofree char *id = g_uuid_string_random();
	g_autofree char *text = g_strdup_printf("exomem %s %s%s%s\n", kind_names[kind], id,
	                                        within ? " of " : "", within ? within : "");
	exm_autofd int fd = -1;

	remove_unfinished(directory);
	fd = openat(directory, EXM_MARKER, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC,
	            0600);
	if (fd < 0)
		return exm_throw_errno(error, errno, "make '" EXM_MARKER "'");
	if (exm_fd_write_all(fd, text, strlen(text), "'" EXM_MARKER "'", error))
		return true;
	unlinkat(directory, EXM_MARKER, 0);
	return false;
}

static bool is_plain_and_ours(int fd)
{
	struct stat status;

	return fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_uid == geteuid() &&
	       status.st_size <= LONGEST;
}

/**
 * exm_marker_read() - Read the marker of a directory
 * @directory:  descriptor of it
 * @kind:       what it has to be
 * @ret_within: id of the directory that it belongs to (transfer full), NULL without; may be NULL
 *
 * Return: its id (transfer full), or NULL where it has no such marker that this user made.
 */
char *exm_marker_read(int directory, ExmMarkerKind kind, char **ret_within)
{
	exm_autofd int fd = openat(directory, EXM_MARKER,
	                           O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	g_autofree char *text = NULL;
	g_auto(GStrv) words = NULL;
	guint count;

	if (fd < 0 || !is_plain_and_ours(fd) || !exm_fd_read_all(fd, &text, NULL, NULL))
		return NULL;
	words = g_strsplit(g_strchomp(text), " ", -1);
	count = g_strv_length(words);
	if ((count != 3 && count != 5) || strcmp(words[0], "exomem") != 0 ||
	    strcmp(words[1], kind_names[kind]) != 0 || !g_uuid_string_is_valid(words[2]))
		return NULL;
	if (ret_within)
		*ret_within = count == 5 ? g_strdup(words[4]) : NULL;
	return g_strdup(words[2]);
}
