/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

#include "plan/end.h"
#include "plan/vm.h"

/**
 * struct ExmEnded - A guest that has ended
 * @vm:  its record; its directory is where the record and the log are kept
 * @end: how it ended
 */
typedef struct {
	ExmVm *vm;
	ExmEnd *end;
} ExmEnded;

/**
 * struct ExmRemains - What dead guests have left
 * @names:   of char *: those whose directories go
 * @foreign: of char *: paths of files beside theirs that exomem did not make, and that stay
 */
typedef struct {
	GPtrArray *names;
	GPtrArray *foreign;
} ExmRemains;

bool exm_state_claim(const char *directory, int fd_number, int *ret_fd, GError **error);
void exm_state_sweep(const char *state_directory);
bool exm_state_clean(const char *state_directory, bool dry_run, ExmRemains *remains, GError **error);
void exm_state_release(const char *directory);
bool exm_state_exchange(const char *state_directory, const char *successor, const ExmVm *vm,
                        GError **error);
bool exm_state_record(const ExmVm *vm, GError **error);
void exm_state_record_loss(const ExmVm *vm, const char *reason);
bool exm_state_list(const char *state_directory, GPtrArray **ret_vms, GError **error);
char **exm_state_names(const char *state_directory);
ExmVm *exm_state_find(const char *state_directory, const char *name, GError **error);
void exm_ended_free(ExmEnded *ended);
bool exm_state_list_ended(const char *state_directory, GPtrArray **ret_ended, GError **error);
ExmEnded *exm_state_find_ended(const char *state_directory, const char *name, const char *uuid);
char *exm_state_find_pid(const char *state_directory, pid_t pid);
bool exm_state_is_alive(const ExmVm *vm);
bool exm_state_start_time(pid_t pid, uint64_t *ret_ticks, GError **error);
char *exm_state_boot_id(void);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ExmEnded, exm_ended_free)
