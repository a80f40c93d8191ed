/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "host/smaps.h"
#include "plan/strip.h"
#include "plan/vm.h"

/**
 * struct ExmUsage - What one guest has in memory
 * @vm:    the guest
 * @smaps: of its QEMU; the chosen files are its memory
 * @lost:  name of a memory file of it that was deleted, moved or replaced, or NULL
 */
typedef struct {
	ExmVm *vm;
	ExmSmaps smaps;
	char *lost;
} ExmUsage;

/**
 * struct ExmUsageSum - What several guests have in memory together, in bytes
 * @files:   of the memory files that they map, each counted once
 * @copied:  pages of their own that began in a template's file
 * @swapped: pages of theirs in swap
 * @qemu:    QEMUs' own
 * @merged:  pages of their own that are merged with equal ones (KSM)
 * @blocks:  of the memory files, each counted once
 * @dirty:   pages of these files that are not on the disk yet
 * @alone:   what the same guests would take if none of them shared anything
 */
typedef struct {
	uint64_t files;
	uint64_t copied;
	uint64_t swapped;
	uint64_t qemu;
	uint64_t merged;
	uint64_t blocks;
	uint64_t dirty;
	uint64_t alone;
} ExmUsageSum;

bool exm_op_usage(const char *state_directory, const char *const *names, GPtrArray **ret_usages,
                  ExmUsageSum *ret_sum, GError **error);
bool exm_op_usage_map(const char *state_directory, const char *name, ExmStripCell *cells,
                      uint64_t *ret_size, GError **error);
