/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

/* A guest's memory file, open so that no write-back error since the guest's start is missed. */
typedef struct ExmWriteBack ExmWriteBack;

ExmWriteBack *exm_write_back_open(pid_t pid, int process, const char *path, GError **error);
void exm_write_back_free(ExmWriteBack *file);
bool exm_write_back_check(const ExmWriteBack *file, GError **error);
bool exm_write_back_settle(const ExmWriteBack *file, GError **error);
bool exm_write_back_sync(const ExmWriteBack *file, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ExmWriteBack, exm_write_back_free)
