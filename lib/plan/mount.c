/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mount.c - Whether two hosts that mount a file system so can hand a guest's memory over on it */

#include "plan/mount.h"

#include <string.h>

#include "base/error.h"

/**
 * exm_mount_free() - Free what is known of a mount
 * @mount: may be NULL
 */
void exm_mount_free(ExmMount *mount)
{
	if (!mount)
		return;
	g_free(mount->path);
	g_free(mount->type);
	g_strfreev(mount->options);
	g_free(mount);
}

/*
 * nfs(5), and Linux, fs/nfs/super.c, which prints these options. What is refused would lose memory
 * or let two hosts run one guest.
 */
static const struct {
	const char *type;
	const char *option;
	bool refused;
	const char *why;
} rows[] = {
	{ "nfs", "soft", true,
	  "a server that is slow for a moment would be a bus error in the guest: mount it 'hard'" },
	{ "nfs", "softerr", true,
	  "a server that is slow for a moment would be a bus error in the guest: mount it 'hard'" },
	{ "nfs", "local_lock=all", true,
	  "a lock is not seen by the other host, and both could run the guest: mount it without" },
	{ "nfs", "local_lock=flock", true,
	  "a lock is not seen by the other host, and both could run the guest: mount it without" },
	{ "nfs", "nolock", true,
	  "a lock is not seen by the other host, and both could run the guest: mount it without" },
	{ "nfs", "nocto", true,
	  "the other host would go on with what it had read before: mount it without" },
	{ "nfs", "vers=3", false,
	  "locks go by another protocol, which a server may have off, and no memory can be given "
	  "back to it by punching holes: 'vers=4.2' has both" },
	{ "fuse.sshfs", NULL, true,
	  "it shows another host's changes late, and has no locks between hosts: share the directory "
	  "by NFS 4.2" },
};

/* "nfs" stands for "nfs4" too. */
static bool is_type(const ExmMount *mount, const char *type)
{
	return strcmp(mount->type, type) == 0 ||
	       (strcmp(type, "nfs") == 0 && strcmp(mount->type, "nfs4") == 0);
}

/**
 * exm_mount_identifies_files() - Whether a file is known again by its inode number and time
 * @mount: where the file is
 *
 * sshfs makes numbers up as files come along (libfuse, lib/fuse.c, without use_ino), and shows whole
 * seconds of the server's, late (tried: a file that had just been synced had another time a moment on).
 */
bool exm_mount_identifies_files(const ExmMount *mount)
{
	return strcmp(mount->type, "fuse.sshfs") != 0;
}

/**
 * exm_mount_check() - Whether memory on a file system can be handed over to another host
 * @mount:    of this host
 * @warnings: of char *, grows by what is lost
 * @error:    UNSUPPORTED for what would lose memory, or run a guest twice
 */
bool exm_mount_check(const ExmMount *mount, GPtrArray *warnings, GError **error)
{
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		const char *option = rows[i].option;
		const char *what = option ? option : rows[i].type;

		if (!is_type(mount, rows[i].type) ||
		    (option && !g_strv_contains((const char *const *)mount->options, option)))
			continue;
		if (rows[i].refused)
			return exm_throw(error, EXM_ERROR_UNSUPPORTED, "'%s' is mounted '%s': %s",
			                 mount->path, what, rows[i].why);
		g_ptr_array_add(warnings, g_strdup_printf("'%s' is mounted '%s': %s", mount->path,
		                                          what, rows[i].why));
	}
	return true;
}
