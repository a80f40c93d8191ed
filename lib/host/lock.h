/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

/**
 * struct ExmLock - A flock(2) lock that a process holds
 * @pid:  the process that took it; 0 where that is of another pid namespace
 * @file: the file, as exm_lock_name() has it
 */
typedef struct {
	pid_t pid;
	char *file;
} ExmLock;

bool exm_lock_take(int fd, bool shared, bool *ret_taken, GError **error);
bool exm_lock_wait(int fd, bool shared, int64_t patience_us, bool *ret_taken, GError **error);
GPtrArray *exm_locks_read(void);
char *exm_lock_name(const struct stat *status);
pid_t exm_lock_holder(int fd);
