/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

/**
 * struct ExmMount - The file system that a path is on, as it is mounted
 * @path:    where it is mounted
 * @type:    "nfs4", "tmpfs", "fuse.sshfs"
 * @options: of the mount and of the file system: "rw", "hard", "vers=4.2"
 */
typedef struct {
	char *path;
	char *type;
	char **options;
} ExmMount;

void exm_mount_free(ExmMount *mount);
bool exm_mount_identifies_files(const ExmMount *mount);
bool exm_mount_check(const ExmMount *mount, GPtrArray *warnings, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ExmMount, exm_mount_free)
