/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

/* A descriptor that is closed when it goes out of scope; hand it on with g_steal_fd(). */
#define exm_autofd __attribute__((cleanup(exm_fd_clear)))

void exm_fd_clear(int *fd);
bool exm_fd_read_all(int fd, char **ret_text, size_t *ret_length, GError **error);
bool exm_fd_write_all(int fd, const void *data, size_t size, const char *name, GError **error);
bool exm_file_read(const char *path, char **ret_text, size_t *ret_length, GError **error);
bool exm_file_write_atomic(const char *path, const char *text, size_t length, int mode,
                           GError **error);
bool exm_file_write_durable(const char *path, const char *text, size_t length, int mode,
                            GError **error);
bool exm_fd_close_on_exec_from(int first);
bool exm_fd_close_all_but(const int *kept);
bool exm_file_remove(const char *path, GError **error);
bool exm_file_remove_own(int fd, const char *path);
bool exm_file_sync(const char *path, GError **error);
bool exm_directory_sync(const char *path, GError **error);
