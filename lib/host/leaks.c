/* SPDX-License-Identifier: GPL-2.0-or-later */
/* leaks.c - Memory files that no guest holds */

#include "host/leaks.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "host/lock.h"
#include "host/place.h"
#include "plan/block.h"

static void leak_free(gpointer data)
{
	ExmLeak *leak = data;

	g_free(leak->path);
	g_free(leak);
}

/* Each guest holds the locks of its memory files as long as it lives. */
static bool is_held(const char *path)
{
	exm_autofd int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	bool taken = false;

	return fd < 0 || !exm_lock_take(fd, false, &taken, NULL) || !taken;
}

static gint compare_paths(gconstpointer a, gconstpointer b)
{
	const ExmLeak *const *one = a;
	const ExmLeak *const *two = b;

	return strcmp((*one)->path, (*two)->path);
}

/**
 * exm_leaks_find() - Memory files that no guest holds
 * @directory: where to look
 *
 * Return: of ExmLeak, by path (transfer full).
 */
GPtrArray *exm_leaks_find(const char *directory)
{
	GPtrArray *leaks = g_ptr_array_new_with_free_func(leak_free);
	g_autoptr(GDir) entries = g_dir_open(directory, 0, NULL);
	const char *name;

	while (entries && (name = g_dir_read_name(entries))) {
		g_autofree char *path = g_build_filename(directory, name, NULL);
		g_autoptr(ExmFileFacts) file = NULL;
		ExmLeak *leak;

		if (!g_str_has_prefix(name, EXM_BLOCK_PREFIX) ||
		    g_str_has_suffix(name, EXM_TEMPLATE_MARKER))
			continue;
		file = exm_file_look(path);
		if (!file->regular || is_held(path))
			continue;
		leak = g_new0(ExmLeak, 1);
		leak->path = g_steal_pointer(&path);
		leak->size = file->size;
		leak->blocks = file->allocated;
		leak->template = file->template_name;
		g_ptr_array_add(leaks, leak);
	}
	g_ptr_array_sort(leaks, compare_paths);
	return leaks;
}
