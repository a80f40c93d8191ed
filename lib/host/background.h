/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

/**
 * typedef ExmBackgroundWork - What a process in the background does
 * @user: what it was given; it has no descriptors but /dev/null
 */
typedef void (*ExmBackgroundWork)(void *user);

bool exm_background_start(const char *name, ExmBackgroundWork work, void *user, GError **error);
void exm_background_close_from(int first);
void exm_background_reset_signals(void);
