/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mount.c - How the file system is mounted that a path is on */

#include "host/mount.h"

#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/fd.h"

/* Fields of /proc/self/mountinfo (proc(5)); behind a "-" there are three more. */
enum { FIELD_DEVICE = 2, FIELD_PLACE = 4, FIELD_OPTIONS = 5, FIELD_TAGS = 6 };
enum { BEHIND_TYPE = 1, BEHIND_OPTIONS = 3, BEHIND_COUNT = 4 };

static ExmMount *read_line(const char *line, const char *device)
{
	g_auto(GStrv) fields = g_strsplit(line, " ", -1);
	const guint count = g_strv_length(fields);
	g_autofree char *options = NULL;
	ExmMount *mount;
	guint dash = FIELD_TAGS;

	while (dash < count && strcmp(fields[dash], "-") != 0)
		dash++;
	if (dash + BEHIND_COUNT > count || strcmp(fields[FIELD_DEVICE], device) != 0)
		return NULL;
	options = g_strconcat(fields[FIELD_OPTIONS], ",", fields[dash + BEHIND_OPTIONS], NULL);
	mount = g_new0(ExmMount, 1);
	mount->path = g_strcompress(fields[FIELD_PLACE]);
	mount->type = g_strdup(fields[dash + BEHIND_TYPE]);
	mount->options = g_strsplit(options, ",", -1);
	return mount;
}

/**
 * exm_mount_look() - How the file system is mounted that a path is on
 * @path: a path
 *
 * Return: the mount (transfer full); NULL where the path is not there, or the kernel does not say.
 */
ExmMount *exm_mount_look(const char *path)
{
	g_autofree char *device = NULL;
	g_autofree char *text = NULL;
	g_auto(GStrv) lines = NULL;
	ExmMount *mount = NULL;
	struct stat status;

	if (stat(path, &status) < 0 || !exm_file_read("/proc/self/mountinfo", &text, NULL, NULL))
		return NULL;
	device = g_strdup_printf("%u:%u", major(status.st_dev), minor(status.st_dev));
	lines = g_strsplit(text, "\n", -1);
	for (char **line = lines; *line && !mount; line++)
		mount = read_line(*line, device);
	return mount;
}
