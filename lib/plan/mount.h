/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

/**
 * struct ExmMount - The file system that a path is on, as it is mounted
 * @path:    where it is mounted
 * @type:    "nfs4", "tmpfs", "fuse.sshfs"
 * @options: of the mount and of the file system: "rw", "hard", "vers=4.2"; NULL where none is known
 */
typedef struct {
	char *path;
	char *type;
	char **options;
} ExmMount;

/**
 * enum ExmMountUse - What a file that is mapped shared needs of its mount; each needs more than the last
 * @EXM_MOUNT_UNNAMED:    the file has no name, so that nobody else opens it
 * @EXM_MOUNT_NAMED:      its lock has to keep all others away, on whatever host
 * @EXM_MOUNT_HANDOVER:   a process that takes it over sees all that was written and synced
 * @EXM_MOUNT_OTHER_HOST: that process is known to be on another host
 */
typedef enum {
	EXM_MOUNT_UNNAMED,
	EXM_MOUNT_NAMED,
	EXM_MOUNT_HANDOVER,
	EXM_MOUNT_OTHER_HOST,
} ExmMountUse;

void exm_mount_free(ExmMount *mount);
bool exm_mount_identifies_files(const ExmMount *mount);
bool exm_mount_check(const ExmMount *mount, ExmMountUse use, bool trust, GPtrArray *warnings,
                     GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ExmMount, exm_mount_free)
