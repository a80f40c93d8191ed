/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

bool exm_balance_note_lock(const char *state_directory, int *ret_fd, GError **error);
bool exm_balance_note_write(const char *state_directory, const char *state, bool refuses,
                            GError **error);
void exm_balance_note_remove(const char *state_directory);
void exm_balance_note_clean(const char *state_directory);
char *exm_balance_note_refusal(const char *state_directory);
