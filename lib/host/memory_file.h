/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

bool exm_memory_file_create_unnamed(const char *directory, int fd_number, int *ret_fd,
                                    GError **error);
bool exm_memory_file_create(const char *path, int fd_number, int *ret_fd, GError **error);
bool exm_memory_file_open(const char *path, bool writable, uint64_t size, int fd_number,
                          int *ret_fd, GError **error);
bool exm_memory_file_set_size(int fd, const char *path, uint64_t size, GError **error);
bool exm_memory_file_reserve(int fd, const char *path, uint64_t size, GError **error);
void exm_memory_file_remove(const char *path);
void exm_memory_file_discard(const char *path, uint64_t size);
bool exm_memory_file_give_name(int fd, const char *path, GError **error);
