/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* Moves guests away, one at a time, by a command of its own. */
typedef struct ExmMover ExmMover;

ExmMover *exm_mover_new(const char *const *command, const char *state_directory, const char *host,
                        GError **error);
void exm_mover_free(ExmMover *mover);
bool exm_mover_start(ExmMover *mover, const char *guest, GError **error);
bool exm_mover_wait(ExmMover *mover, int timeout_ms, char **ret_guest, char **ret_problem);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ExmMover, exm_mover_free)
