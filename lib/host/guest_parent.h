/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <signal.h>
#include <stdbool.h>

/* At this signal the parent kills its guest. */
#define EXM_GUEST_PARENT_KILL SIGUSR1

/**
 * typedef ExmGuestWork - What the process does that becomes a guest; it does not return
 * @channel: its end of the channel to its parent, close-on-exec
 * @user:    what it was given
 */
typedef void (*ExmGuestWork)(int channel, void *user);

bool exm_guest_parent_run(const char *directory, ExmGuestWork work, void *user, GError **error);
bool exm_guest_parent_begin(int channel, GError **error);
