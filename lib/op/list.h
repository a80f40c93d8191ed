/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "plan/end.h"
#include "plan/vm.h"

/**
 * struct ExmListed - A guest as it is now
 * @vm:     its record
 * @status: QEMU's word for it, such as "running"; NULL where QEMU did not answer or was not asked
 * @memory: bytes of its main memory; 0 where that is not known
 * @end:    how it ended; NULL where it runs
 */
typedef struct {
	ExmVm *vm;
	char *status;
	uint64_t memory;
	ExmEnd *end;
} ExmListed;

void exm_listed_free(ExmListed *listed);
bool exm_op_list(const char *state_directory, bool ask, GPtrArray **ret_listed, GError **error);
bool exm_op_list_ended(const char *state_directory, GPtrArray *all_listed, GError **error);
ExmListed *exm_op_show(const char *state_directory, const char *name, GError **error);
const char *exm_status_text(const ExmListed *listed);
char **exm_op_sockets(const ExmVm *vm);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ExmListed, exm_listed_free)
