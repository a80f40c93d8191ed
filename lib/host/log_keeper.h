/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* A log never gets longer than the limit. Then only its last part is kept, of just this length. */
#define EXM_LOG_LIMIT 1048576
#define EXM_LOG_KEPT  524288

bool exm_log_keeper_start(const char *path, int *ret_write_fd, GError **error);
