/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/**
 * struct ExmKeptFd - A descriptor that a started program gets
 * @ours:   its number here
 * @theirs: its number there
 */
typedef struct {
	int ours;
	int theirs;
} ExmKeptFd;

/**
 * struct ExmSpawn - A program to start
 * @argv:      path, arguments, NULL
 * @search_path: whether argv[0] is looked up on PATH
 * @fds:       the descriptors it gets in addition to stdin, stdout and stderr
 * @fd_count:  number of those
 * @input:     its stdin; -1 for /dev/null
 * @output:    its stdout; -1 for /dev/null
 * @errors:    its stderr; -1 for /dev/null
 * @own_group: it leads a process group, and the whole group is killed with it
 * @die_with_us: the kernel kills it when this process ends, however that ends
 */
typedef struct {
	const char *const *argv;
	const ExmKeptFd *fds;
	size_t fd_count;
	int input;
	int output;
	int errors;
	bool search_path;
	bool own_group;
	bool die_with_us;
} ExmSpawn;

/**
 * struct ExmProcess - A started program; freeing it kills and reaps it
 * @pid:       its process id, valid until it is reaped
 * @own_group: as in ExmSpawn
 */
typedef struct {
	pid_t pid;
	bool own_group;
} ExmProcess;

ExmProcess *exm_process_start(const ExmSpawn *spawn, GError **error);
bool exm_process_wait(ExmProcess *process, int timeout_ms, int *ret_status);
void exm_process_free(ExmProcess *process);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ExmProcess, exm_process_free)
