/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

bool exm_frozen_stop(pid_t pid, int process, GError **error);
void exm_frozen_go_on(int process);
GArray *exm_frozen_locks(pid_t pid, int process, const char *path, GError **error);
void exm_frozen_unlock(GArray *locks);
bool exm_frozen_lock(int process, int fd, bool shared, bool *ret_taken, GError **error);
