/* SPDX-License-Identifier: GPL-2.0-or-later */
/* claim_store.c - Files that remember whose a namespace of persistent memory is, over restarts */

#include "host/claim_store.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/size.h"
#include "host/directory.h"
#include "host/lock.h"
#include "host/safe_open.h"

/* Who has what is no secret, and others' exomems shall not give it out. */
#define DIRECTORY_MODE 0755
#define FILE_MODE      0644

#define SUFFIX ".json"

/* Names, numbers and paths. */
#define CLAIM_MAX EXM_MIB

/* How long another exomem may take to write a claim. */
#define PATIENCE_US 10000000

static char *path_of(const char *directory, const char *uuid)
{
	return g_strdup_printf("%s/%s%s", directory, uuid, SUFFIX);
}

/* What it says decides whose data is wiped. */
static bool check_trust(const char *distrust, const char *path, GError **error)
{
	return !distrust || exm_throw(error, EXM_ERROR_STATE,
	                              "%s, and so '%s' is not safe: name another directory of claims",
	                              distrust, path);
}

static bool read_claim(const char *path, ExmClaim **ret_claim, GError **error)
{
	g_autofree char *distrust = NULL;
	exm_autofd int fd = exm_safe_open_parent(path, &distrust, error);
	g_autoptr(GString) text = fd < 0 ? NULL
	                                 : exm_safe_read(fd, path, CLAIM_MAX, &distrust, error);
	g_autoptr(ExmJson) json = NULL;

	if (!text || !check_trust(distrust, path, error))
		return false;
	json = exm_json_parse(text->str, text->len, error);
	*ret_claim = json ? exm_claim_from_json(json, error) : NULL;
	if (!*ret_claim)
		g_prefix_error(error, "'%s': ", path);
	return *ret_claim;
}

/**
 * exm_claim_store_read() - What is remembered of one namespace
 * @directory: of claims, which may not be there
 * @uuid:      of the namespace
 * @ret_claim: (transfer full): the claim, or NULL where there is none
 * @error:     STATE where it is not whole, SYSTEM
 */
bool exm_claim_store_read(const char *directory, const char *uuid, ExmClaim **ret_claim,
                          GError **error)
{
	g_autofree char *path = path_of(directory, uuid);

	*ret_claim = NULL;
	if (faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
		return true;
	return read_claim(path, ret_claim, error);
}

/**
 * exm_claim_store_read_all() - All that is remembered
 * @directory: of claims, which may not be there
 * @claims:    of ExmClaim; grows
 * @error:     STATE where one is not whole: it may be of a later exomem, and its namespace must not
 *             be given out; SYSTEM
 */
bool exm_claim_store_read_all(const char *directory, GPtrArray *claims, GError **error)
{
	g_autoptr(GError) reason = NULL;
	g_autoptr(GDir) dir = g_dir_open(directory, 0, &reason);
	const char *name;

	if (!dir && g_error_matches(reason, G_FILE_ERROR, G_FILE_ERROR_NOENT))
		return true;
	if (!dir)
		return exm_throw(error, EXM_ERROR_SYSTEM, "'%s' cannot be read: %s", directory,
		                 reason->message);
	while ((name = g_dir_read_name(dir))) {
		g_autofree char *path = g_build_filename(directory, name, NULL);
		ExmClaim *claim;

		if (!g_str_has_suffix(name, SUFFIX))
			continue;
		/* It may have been released since its name was read. */
		if (faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
			continue;
		if (!read_claim(path, &claim, error))
			return false;
		g_ptr_array_add(claims, claim);
	}
	return true;
}

/* UUID.json.XXXXXX, as exm_file_write_durable() calls a file before it takes its place. */
static bool is_before_its_place(const char *name)
{
	const char *end = strstr(name, SUFFIX ".");
	g_autofree char *uuid = end ? g_strndup(name, (size_t)(end - name)) : NULL;

	return uuid && g_uuid_string_is_valid(uuid) && strlen(end) == strlen(SUFFIX ".XXXXXX");
}

/* What a writer has left that was killed: nobody else writes now, as this one has the lock. */
static void remove_left(int fd)
{
	g_autoptr(ExmDirectory) entries = exm_directory_open_at(fd, ".");
	const struct dirent *entry;
	struct stat file;

	while (entries && (entry = exm_directory_next(entries)))
		if (is_before_its_place(entry->d_name) &&
		    fstatat(fd, entry->d_name, &file, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISREG(file.st_mode) && file.st_uid == geteuid())
			unlinkat(fd, entry->d_name, 0);
}

/* One writer at a time: exm_claim_store_replace() reads before it writes. */
static bool lock(const char *directory, int *ret_fd, GError **error)
{
	g_autofree char *distrust = NULL;
	exm_autofd int fd = -1;
	bool taken;

	if (g_mkdir_with_parents(directory, DIRECTORY_MODE) < 0)
		return exm_throw_errno(error, errno, "make directory '%s'", directory);
	fd = exm_safe_open_directory(directory, &distrust, error);
	if (fd < 0 || !check_trust(distrust, directory, error))
		return false;
	if (!exm_lock_wait(fd, false, PATIENCE_US, &taken, error))
		return false;
	if (!taken)
		return exm_throw(error, EXM_ERROR_STATE, "'%s' is held by pid %d", directory,
		                 (int)exm_lock_holder(fd));
	remove_left(fd);
	*ret_fd = g_steal_fd(&fd);
	return true;
}

static bool write_claim(const char *directory, const ExmClaim *claim, GError **error)
{
	g_autofree char *path = path_of(directory, claim->uuid);
	g_autoptr(ExmJson) json = exm_claim_to_json(claim);
	g_autofree char *text = exm_json_print(json, true);
	g_autofree char *line = g_strconcat(text, "\n", NULL);

	return exm_file_write_durable(path, line, strlen(line), FILE_MODE, error);
}

/**
 * exm_claim_store_write() - Remember a claim, so that it outlives a crash of the host
 * @directory: of claims; made where it is missing
 * @claim:     the claim; one of the same namespace is replaced
 * @error:     SYSTEM or NO_ROOM; STATE where another process does not let go of @directory
 */
bool exm_claim_store_write(const char *directory, const ExmClaim *claim, GError **error)
{
	exm_autofd int fd = -1;

	return lock(directory, &fd, error) && write_claim(directory, claim, error);
}

/**
 * exm_claim_store_replace() - Change a claim, unless it is another one by now
 * @directory:    of claims
 * @expected:     what is remembered of the namespace, as exm_claim_same() compares it
 * @claim:        the claim that takes its place; its template is that which is remembered by then
 * @ret_replaced: whether it was replaced
 * @error:        as exm_claim_store_write(); STATE where what is remembered is not whole
 *
 * For who does not hold the lock of the namespace's device.
 */
bool exm_claim_store_replace(const char *directory, const ExmClaim *expected, ExmClaim *claim,
                             bool *ret_replaced, GError **error)
{
	g_autoptr(ExmClaim) now = NULL;
	exm_autofd int fd = -1;

	*ret_replaced = false;
	if (!lock(directory, &fd, error) ||
	    !exm_claim_store_read(directory, claim->uuid, &now, error))
		return false;
	if (!exm_claim_same(expected, now))
		return true;
	g_free(claim->template);
	claim->template = now ? g_steal_pointer(&now->template) : NULL;
	*ret_replaced = true;
	return write_claim(directory, claim, error);
}

/**
 * exm_claim_store_remove() - Forget a claim: from here on nothing is known of the namespace
 * @directory: of claims
 * @uuid:      of the namespace
 * @error:     SYSTEM
 */
bool exm_claim_store_remove(const char *directory, const char *uuid, GError **error)
{
	g_autofree char *path = path_of(directory, uuid);

	if (unlink(path) < 0 && errno != ENOENT)
		return exm_throw_errno(error, errno, "remove '%s'", path);
	return exm_directory_sync(directory, error);
}
