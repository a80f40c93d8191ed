/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mount.c - How the file system is mounted that a path is on */

#include "host/mount.h"

#include <fcntl.h>
#include <string.h>

#include "base/fd.h"
#include "host/place.h"

/* Fields of /proc/self/mountinfo (proc(5)); after a "-" there are three more. */
enum { FIELD_ID = 0, FIELD_PLACE = 4, FIELD_OPTIONS = 5, FIELD_TAGS = 6 };
enum { AFTER_TYPE = 1, AFTER_OPTIONS = 3, AFTER_COUNT = 4 };

static ExmMount *read_line(const char *line, const char *id)
{
	g_auto(GStrv) fields = g_strsplit(line, " ", -1);
	const guint count = g_strv_length(fields);
	g_autofree char *options = NULL;
	ExmMount *mount;
	guint dash = FIELD_TAGS;

	while (dash < count && strcmp(fields[dash], "-") != 0)
		dash++;
	if (dash + AFTER_COUNT > count || strcmp(fields[FIELD_ID], id) != 0)
		return NULL;
	options = g_strconcat(fields[FIELD_OPTIONS], ",", fields[dash + AFTER_OPTIONS], NULL);
	mount = g_new0(ExmMount, 1);
	mount->path = g_strcompress(fields[FIELD_PLACE]);
	mount->type = g_strdup(fields[dash + AFTER_TYPE]);
	mount->options = g_strsplit(options, ",", -1);
	return mount;
}

/* The "mnt_id" of a descriptor (proc(5), /proc/PID/fdinfo, Linux 3.15). */
static char *mount_id(int fd)
{
	g_autofree char *path = g_strdup_printf("/proc/self/fdinfo/%d", fd);
	g_autofree char *text = NULL;
	const char *line = exm_file_read(path, &text, NULL, NULL) ? strstr(text, "mnt_id:") : NULL;

	if (!line)
		return NULL;
	line += strlen("mnt_id:");
	line += strspn(line, " \t");
	return g_strndup(line, strcspn(line, "\n"));
}

static ExmMount *find_mount(const char *id)
{
	g_autofree char *text = NULL;
	g_auto(GStrv) lines = NULL;
	ExmMount *mount = NULL;

	if (!exm_file_read("/proc/self/mountinfo", &text, NULL, NULL))
		return NULL;
	lines = g_strsplit(text, "\n", -1);
	for (char **line = lines; *line && !mount; line++)
		mount = read_line(*line, id);
	return mount;
}

/**
 * exm_mount_look() - How the file system is mounted that a path is on
 * @path: a path
 *
 * By the mount's number: a file's device number is another one than its mount's on btrfs and overlayfs,
 * and one device may be mounted twice, with other options. A mount above the root directory of this
 * process is in no list of its own: its type is known then, and its options are not.
 *
 * Return: the mount (transfer full); NULL where the path is not there.
 */
ExmMount *exm_mount_look(const char *path)
{
	exm_autofd int fd = open(path, O_PATH | O_CLOEXEC);
	g_autofree char *id = fd < 0 ? NULL : mount_id(fd);
	ExmMount *mount = id ? find_mount(id) : NULL;

	if (mount || fd < 0)
		return mount;
	mount = g_new0(ExmMount, 1);
	mount->path = g_strdup(path);
	mount->type = exm_place_file_system(path);
	return mount;
}
