/* SPDX-License-Identifier: GPL-2.0-or-later */
/* config_file.c - Configuration files, and the directories of more of them beside each */

#include "host/config_file.h"

#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/size.h"
#include "host/directory.h"
#include "host/safe_open.h"
#include "plan/config.h"

#define DROP_IN_SUFFIX ".conf"

/* That of Nova, whose groups are among ours, has 600 KiB when it is generated with all its comments. */
#define CONFIG_MAX (16 * EXM_MIB)

/* What it says decides whose data is wiped: nobody but root and this user may have a say in it. */
static bool check_trust(const char *distrust, const char *path, GError **error)
{
	return !distrust || exm_throw(error, EXM_ERROR_USAGE,
	                              "cannot use configuration '%s': %s; chown or chmod go-w it",
	                              path, distrust);
}

static bool throw_key_file(const char *path, const GError *reason, GError **error)
{
	return exm_throw(error, EXM_ERROR_USAGE, "'%s' is not a configuration file: %c%s", path,
	                 g_ascii_tolower(*reason->message), reason->message + 1);
}

static bool add_group(GKeyFile *file, const char *path, const char *group, GPtrArray *entries,
                      GError **error)
{
	g_autoptr(GError) reason = NULL;
	g_auto(GStrv) names = g_key_file_get_keys(file, group, NULL, NULL);

	for (char **name = names; name && *name; name++) {
		/* As it stands: a backslash is one. */
		g_autofree char *value = g_key_file_get_value(file, group, *name, &reason);

		if (!value)
			return throw_key_file(path, reason, error);
		g_ptr_array_add(entries, exm_config_entry_new(group, *name, g_strchomp(value), path));
	}
	return true;
}

/**
 * exm_config_file_read() - Read a configuration file
 * @path:    of the file
 * @entries: of ExmConfigEntry; grows
 * @error:   USAGE where it is none, or where others can write to it or exchange it; STATE where it
 * is no plain file; SYSTEM where it cannot be read
 */
bool exm_config_file_read(const char *path, GPtrArray *entries, GError **error)
{
	g_autoptr(GKeyFile) file = g_key_file_new();
	g_autoptr(GError) reason = NULL;
	g_autofree char *distrust = NULL;
	g_autoptr(GString) text = exm_safe_read_path(path, CONFIG_MAX, &distrust, error);
	g_auto(GStrv) groups = NULL;

	if (!text || !check_trust(distrust, path, error))
		return false;
	if (!g_key_file_load_from_data(file, text->str, text->len, G_KEY_FILE_NONE, &reason))
		return throw_key_file(path, reason, error);
	groups = g_key_file_get_groups(file, NULL);
	for (char **group = groups; *group; group++)
		if (!add_group(file, path, *group, entries, error))
			return false;
	return true;
}

static gint compare_names(gconstpointer a, gconstpointer b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool read_drop_ins(const char *directory, GPtrArray *entries, GError **error)
{
	g_autoptr(GPtrArray) paths = g_ptr_array_new_with_free_func(g_free);
	g_auto(GStrv) names = exm_directory_names(directory, error);
	g_autofree char *distrust = NULL;
	g_autoptr(GError) reason = NULL;
	exm_autofd int fd = -1;

	if (!names)
		return false;
	fd = exm_safe_open_directory(directory, &distrust, &reason);
	/* It is not there, or not ours to read. */
	if (fd < 0 && !*names)
		return true;
	if (fd < 0) {
		g_propagate_error(error, g_steal_pointer(&reason));
		return false;
	}
	if (!check_trust(distrust, directory, error))
		return false;
	for (char **name = names; *name; name++)
		if (**name != '.' && g_str_has_suffix(*name, DROP_IN_SUFFIX))
			g_ptr_array_add(paths, g_build_filename(directory, *name, NULL));
	g_ptr_array_sort(paths, compare_names);
	for (guint i = 0; i < paths->len; i++)
		if (!exm_config_file_read(paths->pdata[i], entries, error))
			return false;
	return true;
}

/**
 * exm_config_file_read_all() - Read a configuration file and the directory of more beside it
 * @path:    of the file, which may not be there; then those of FILE.d whose names end in .conf
 * @entries: of ExmConfigEntry; grows
 * @error:   as for exm_config_file_read()
 */
bool exm_config_file_read_all(const char *path, GPtrArray *entries, GError **error)
{
	g_autofree char *directory = g_strconcat(path, ".d", NULL);

	/* Behind a directory that is not ours to enter there is nothing for us. */
	if (access(path, F_OK) == 0 && !exm_config_file_read(path, entries, error))
		return false;
	return read_drop_ins(directory, entries, error);
}
