/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

bool exm_lock_take(int fd, bool shared, bool *ret_taken, GError **error);
bool exm_lock_wait(int fd, int64_t patience_us, bool *ret_taken, GError **error);
pid_t exm_lock_holder(int fd);
