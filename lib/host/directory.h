/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <dirent.h>
#include <glib.h>

typedef DIR ExmDirectory;

ExmDirectory *exm_directory_open_at(int at, const char *name);
GStrv exm_directory_names(const char *path, GError **error);
const struct dirent *exm_directory_next(ExmDirectory *directory);
void exm_directory_close(ExmDirectory *directory);
int exm_directory_beneath(int at, const char *name);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ExmDirectory, exm_directory_close)
