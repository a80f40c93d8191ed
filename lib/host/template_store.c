/* SPDX-License-Identifier: GPL-2.0-or-later */
/* template_store.c - Directories of templates: made beside their place, then renamed whole */

#include "host/template_store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/size.h"
#include "host/directory.h"
#include "host/safe_open.h"
#include "plan/host.h"

/* Guest memory is nobody else's business, and nor is what was its registers. */
#define DIRECTORY_MODE 0700
#define FILE_MODE      0600

/* A command line and the names of some files. */
#define MANIFEST_MAX EXM_MIB

/* The name is synced: that of the template is of no use without those above it. */
static bool make_directory(const char *path, GError **error)
{
	g_autofree char *parent = g_path_get_dirname(path);

	if (mkdir(path, DIRECTORY_MODE) < 0 && errno != EEXIST)
		return exm_throw_errno(error, errno, "make directory '%s'", path);
	return exm_directory_sync(parent, error);
}

static bool make_directories(const char *path, GError **error)
{
	g_autoptr(GPtrArray) missing = g_ptr_array_new_with_free_func(g_free);
	g_autofree char *above = g_strdup(path);

	while (access(above, F_OK) < 0) {
		char *parent = g_path_get_dirname(above);

		g_ptr_array_add(missing, g_steal_pointer(&above));
		above = parent;
	}
	for (guint i = missing->len; i > 0; i--)
		if (!make_directory(missing->pdata[i - 1], error))
			return false;
	return true;
}

/**
 * exm_template_store_begin() - Make the directory that a template is put together in
 * @temporary: its path; directories above it are made where they are missing
 * @error:     SYSTEM or NO_ROOM
 */
bool exm_template_store_begin(const char *temporary, GError **error)
{
	g_autofree char *parent = g_path_get_dirname(temporary);

	if (!make_directories(parent, error))
		return false;
	if (mkdir(temporary, DIRECTORY_MODE) < 0)
		return exm_throw_errno(error, errno, "make directory '%s'", temporary);
	return true;
}

/**
 * exm_template_store_write_manifest() - Write down what a template is
 * @temporary: directory of it
 * @template:  what to write
 * @error:     SYSTEM or NO_ROOM
 */
bool exm_template_store_write_manifest(const char *temporary, const ExmTemplate *template,
                                       GError **error)
{
	g_autofree char *path = g_build_filename(temporary, EXM_TEMPLATE_MANIFEST, NULL);
	g_autoptr(ExmJson) json = exm_template_to_json(template);
	g_autofree char *text = exm_json_print(json, true);
	g_autofree char *line = g_strconcat(text, "\n", NULL);

	return exm_file_write_durable(path, line, strlen(line), FILE_MODE, error);
}

/**
 * exm_template_store_commit() - Give a template its place; from here on it is one
 * @temporary: directory that holds all of it
 * @directory: its place, which must be free
 * @error:     STATE where it is not; SYSTEM, also where it has its place and a crash might undo that
 */
bool exm_template_store_commit(const char *temporary, const char *directory, GError **error)
{
	g_autofree char *parent = g_path_get_dirname(directory);

	if (!exm_directory_sync(temporary, error))
		return false;
	/* A template is not empty, so it is never replaced; NFS does not know RENAME_NOREPLACE. */
	if (rename(temporary, directory) < 0) {
		if (errno == EEXIST || errno == ENOTEMPTY || errno == ENOTDIR)
			return exm_throw(error, EXM_ERROR_STATE,
			                 "'%s' has just been made by somebody else", directory);
		return exm_throw_errno(error, errno, "rename '%s' to '%s'", temporary, directory);
	}
	if (exm_directory_sync(parent, error))
		return true;
	g_prefix_error(error,
	               "'%s' is complete, but may be lost in a crash of the host: ", directory);
	return false;
}

/* A link to a template's directory will do. */
static ExmDirectory *open_followed(const char *directory)
{
	g_autofree char *path = g_build_filename(directory, ".", NULL);

	return exm_directory_open_at(AT_FDCWD, path);
}

/**
 * exm_template_store_remove_files() - Remove what exomem made in a template's directory
 * @directory: the directory, which may be half made or not there
 * @error:     as exm_throw_errno() sets it: the manifest is there yet, where it was, so that the
 * removal can be repeated
 */
bool exm_template_store_remove_files(const char *directory, GError **error)
{
	g_autofree char *manifest = g_build_filename(directory, EXM_TEMPLATE_MANIFEST, NULL);
	g_autoptr(ExmDirectory) entries = open_followed(directory);
	const struct dirent *entry;
	bool done = true;

	if (!entries)
		return errno == ENOENT ||
		       exm_throw_errno(error, errno, "cannot open '%s'", directory);
	while ((entry = exm_directory_next(entries))) {
		g_autofree char *path = g_build_filename(directory, entry->d_name, NULL);

		/* What it says is what there still is to do. */
		if (strcmp(entry->d_name, EXM_TEMPLATE_MANIFEST) != 0 &&
		    exm_template_makes_file(entry->d_name))
			done = exm_file_remove(path, done ? error : NULL) && done;
	}
	return done && exm_file_remove(manifest, error);
}

/**
 * exm_template_store_remove_directory() - Remove a template's directory, which has nothing more in it
 * @directory: the directory, or a link to it, which stays; none of its files may be open: NFS and
 * FUSE keep those that are, by another name
 * @error:     as exm_throw_errno() sets it
 *
 * Where files are left in it that exomem did not make, it stays.
 */
bool exm_template_store_remove_directory(const char *directory, GError **error)
{
	g_autofree char *path = realpath(directory, NULL);

	if (!path || rmdir(path) == 0)
		return true;
	return errno == ENOENT || errno == ENOTEMPTY || errno == EEXIST ||
	       exm_throw_errno(error, errno, "remove directory '%s'", path);
}

/**
 * exm_template_store_remove_empty() - Remove an empty directory, which a killed removal may have left
 * @directory: the directory
 *
 * Return: whether it was one, of this user, and is gone.
 */
bool exm_template_store_remove_empty(const char *directory)
{
	struct stat status;

	return lstat(directory, &status) == 0 && S_ISDIR(status.st_mode) &&
	       status.st_uid == geteuid() && rmdir(directory) == 0;
}

/**
 * exm_template_store_abandon() - Remove as much of a template that was begun as can be removed
 * @temporary: its directory, which may be half made or not there
 *
 * Return: whether nothing is left that exomem made.
 */
bool exm_template_store_abandon(const char *temporary)
{
	return exm_template_store_remove_files(temporary, NULL) &&
	       exm_template_store_remove_directory(temporary, NULL);
}

/**
 * exm_template_store_has() - Whether there is a template
 * @directory: of it
 */
bool exm_template_store_has(const char *directory)
{
	g_autofree char *path = g_build_filename(directory, EXM_TEMPLATE_MANIFEST, NULL);

	return access(path, F_OK) == 0;
}

/**
 * exm_template_store_hide() - From here on a directory is no template, though all of it is there
 * @directory: of the template
 * @error:     SYSTEM
 */
bool exm_template_store_hide(const char *directory, GError **error)
{
	g_autofree char *manifest = g_build_filename(directory, EXM_TEMPLATE_MANIFEST, NULL);
	g_autofree char *hidden = g_build_filename(directory, EXM_TEMPLATE_HIDDEN, NULL);

	if (rename(manifest, hidden) < 0)
		return exm_throw_errno(error, errno, "rename '%s'", manifest);
	return exm_directory_sync(directory, error);
}

/**
 * exm_template_store_unhide() - Make a directory a template again
 * @directory: that exm_template_store_hide() was called for
 */
void exm_template_store_unhide(const char *directory)
{
	g_autofree char *manifest = g_build_filename(directory, EXM_TEMPLATE_MANIFEST, NULL);
	g_autofree char *hidden = g_build_filename(directory, EXM_TEMPLATE_HIDDEN, NULL);

	if (rename(hidden, manifest) == 0)
		exm_directory_sync(directory, NULL);
}

/* The text of a manifest (transfer full), and who may have written it. */
static GString *read_manifest(const char *directory, char **distrust, GError **error)
{
	g_autofree char *path = g_build_filename(directory, EXM_TEMPLATE_MANIFEST, NULL);
	g_autoptr(GError) reason = NULL;
	exm_autofd int fd = exm_safe_open_directory(directory, distrust, &reason);
	const bool missing = (fd < 0 || faccessat(fd, EXM_TEMPLATE_MANIFEST, F_OK, 0) < 0) &&
	                     (errno == ENOENT || errno == ENOTDIR);

	if (missing)
		exm_throw(error, EXM_ERROR_STATE,
		          "no template '%s'; 'exomem template list' shows those there are",
		          directory);
	else if (fd < 0)
		g_propagate_error(error, g_steal_pointer(&reason));
	else
		return exm_safe_read(fd, path, MANIFEST_MAX, distrust, error);
	return NULL;
}

/**
 * exm_template_store_read() - Read a template's manifest
 * @directory: of the template
 * @error:     STATE where there is none, or it is not whole
 *
 * Return: the template (transfer full), which says who may have written it; or NULL.
 */
ExmTemplate *exm_template_store_read(const char *directory, GError **error)
{
	g_autofree char *distrust = NULL;
	g_autoptr(GString) text = read_manifest(directory, &distrust, error);
	g_autoptr(GError) reason = NULL;
	g_autoptr(ExmJson) json = NULL;
	ExmTemplate *template;

	if (!text)
		return NULL;
	json = exm_json_parse(text->str, text->len, &reason);
	if (!json) {
		exm_throw(error, EXM_ERROR_STATE, "the manifest of template '%s' is not whole: %s",
		          directory, reason->message);
		return NULL;
	}
	template = exm_template_from_json(json, directory, error);
	if (template) {
		template->distrust = g_steal_pointer(&distrust);
		template->sha256 = g_compute_checksum_for_string(G_CHECKSUM_SHA256, text->str,
		                                                 (gssize)text->len);
	}
	/* One that was renamed is called as its directory is by now; a guest keeps its name. */
	if (template && !template->uuid) {
		g_free(template->name);
		template->name = g_path_get_basename(directory);
	}
	return template;
}

/**
 * exm_template_store_read_own() - Read the manifest of a directory that may be removed
 * @directory: of the template or the guest
 * @error:     STATE where it is a symbolic link, another user's, or without a whole manifest
 *
 * Return: the template (transfer full), or NULL.
 */
ExmTemplate *exm_template_store_read_own(const char *directory, GError **error)
{
	struct stat status;

	if (lstat(directory, &status) < 0) {
		exm_throw_errno(error, errno, "read '%s'", directory);
		return NULL;
	}
	if (!S_ISDIR(status.st_mode) || status.st_uid != geteuid()) {
		exm_throw(error, EXM_ERROR_STATE, "'%s' is not a directory of this user", directory);
		return NULL;
	}
	return exm_template_store_read(directory, error);
}

static int compare_names(gconstpointer a, gconstpointer b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/**
 * exm_template_store_list() - The templates in a directory
 * @root: the directory, which may not be there
 *
 * Return: their names in order (transfer full), closed by NULL.
 */
char **exm_template_store_list(const char *root)
{
	g_autoptr(GDir) directory = g_dir_open(root, 0, NULL);
	g_autoptr(GPtrArray) names = g_ptr_array_new();
	const char *name;

	while (directory && (name = g_dir_read_name(directory))) {
		g_autofree char *path = g_build_filename(root, name, EXM_TEMPLATE_MANIFEST, NULL);

		if (*name != '.' && access(path, F_OK) == 0)
			g_ptr_array_add(names, g_strdup(name));
	}
	g_ptr_array_sort(names, compare_names);
	g_ptr_array_add(names, NULL);
	return (char **)g_ptr_array_free(g_steal_pointer(&names), FALSE);
}

/* The template that a link of a directory leads to, where that is one yet. */
static char *read_heir(const char *directory, const char *name)
{
	g_autofree char *path = g_build_filename(directory, name, NULL);
	g_autofree char *heir = g_file_read_link(path, NULL);
	g_autofree char *manifest = heir ? g_build_filename(heir, EXM_TEMPLATE_MANIFEST, NULL) : NULL;

	return manifest && access(manifest, F_OK) == 0 ? g_steal_pointer(&heir) : NULL;
}

/**
 * exm_template_store_heir() - A template whose disks stand on those of another
 * @directory: of the other
 * @ret_heir:  (transfer full): its directory, or NULL where there is none, or none any more
 * @error:     as exm_throw_errno() sets it: it is not known whether there is one
 */
bool exm_template_store_heir(const char *directory, char **ret_heir, GError **error)
{
	g_autoptr(ExmDirectory) entries = open_followed(directory);
	g_autofree char *heir = NULL;
	const struct dirent *entry;

	if (!entries)
		return exm_throw_errno(error, errno, "cannot open '%s'", directory);
	while (!heir && (entry = exm_directory_next(entries)))
		if (g_str_has_prefix(entry->d_name, EXM_TEMPLATE_HEIR))
			heir = read_heir(directory, entry->d_name);
	*ret_heir = g_steal_pointer(&heir);
	return true;
}

/**
 * exm_template_store_mark() - Say beside a memory file that it belongs to a template
 * @memory_file: its path
 * @name:        the template's
 * @error:       SYSTEM or NO_ROOM
 *
 * Nobody maps it shared then, and nobody discards it.
 */
bool exm_template_store_mark(const char *memory_file, const char *name, GError **error)
{
	g_autofree char *path = g_strconcat(memory_file, EXM_TEMPLATE_MARKER, NULL);
	g_autofree char *line = g_strconcat(name, "\n", NULL);

	return exm_file_write_durable(path, line, strlen(line), FILE_MODE, error);
}

/* By what name exm_file_write_durable() writes a file before it takes its place. */
static bool is_before_its_place(const char *name, const char *place)
{
	const size_t length = strlen(place);

	return strncmp(name, place, length) == 0 && name[length] == '.' &&
	       strlen(name + length) == strlen(".XXXXXX");
}

static void remove_unfinished(const char *path)
{
	g_autofree char *directory = g_path_get_dirname(path);
	g_autofree char *place = g_path_get_basename(path);
	g_autoptr(ExmDirectory) entries = exm_directory_open_at(AT_FDCWD, directory);
	const struct dirent *entry;
	struct stat file;

	while (entries && (entry = exm_directory_next(entries)))
		if (is_before_its_place(entry->d_name, place) &&
		    fstatat(dirfd(entries), entry->d_name, &file, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISREG(file.st_mode) && file.st_uid == geteuid())
			unlinkat(dirfd(entries), entry->d_name, 0);
}

/**
 * exm_template_store_unmark() - Take such a mark away
 * @memory_file: its path
 * @error:       as exm_throw_errno() sets it: the mark is still there
 *
 * One that somebody was about to make who was killed goes too.
 */
bool exm_template_store_unmark(const char *memory_file, GError **error)
{
	g_autofree char *path = g_strconcat(memory_file, EXM_TEMPLATE_MARKER, NULL);

	remove_unfinished(path);
	return exm_file_remove(path, error);
}
