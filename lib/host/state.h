/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/json.h"

bool exm_state_claim(const char *directory, int fd_number, int *ret_fd, GError **error);
void exm_state_release(const char *directory);
bool exm_state_record(const char *directory, ExmJson *guest, GError **error);
char *exm_state_find_pid(const char *state_directory, pid_t pid);
uint64_t exm_state_start_time(void);
