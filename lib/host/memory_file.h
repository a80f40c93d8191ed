/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

bool exm_memory_file_create_unnamed(const char *directory, int fd_number, int *ret_fd,
                                    GError **error);
bool exm_memory_file_create(const char *path, int fd_number, int *ret_fd, GError **error);
bool exm_memory_file_open(const char *path, bool writable, uint64_t size, int fd_number,
                          int *ret_fd, GError **error);
bool exm_memory_file_borrow(const char *path, int fd_number, int *ret_fd, GError **error);
void exm_memory_file_match(int from, int to);
bool exm_memory_file_set_size(int fd, const char *path, uint64_t size, GError **error);
bool exm_memory_file_reserve(int fd, const char *path, uint64_t size, GError **error);
void exm_memory_file_remove(const char *path);
void exm_memory_file_discard(const char *path, uint64_t device, uint64_t inode, uint64_t size);
bool exm_memory_file_give_name(int fd, const char *path, GError **error);
bool exm_memory_file_link(pid_t pid, int fd_number, const char *path, bool *ret_linked,
                          GError **error);
bool exm_memory_file_copy(const char *from, const char *to, GError **error);
bool exm_memory_file_clone(int from_fd, const char *from, int to_fd, const char *to, GError **error);
