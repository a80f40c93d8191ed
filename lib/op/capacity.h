/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "host/leaks.h"
#include "op/facts.h"
#include "plan/capacity.h"
#include "plan/store.h"

/**
 * struct ExmCapacity - How much the host's store holds, and who has it
 * @facts:         what guests have
 * @place:         of the store
 * @store:         facts beside these
 * @ram_available: bytes of memory that can be had without swapping
 * @used:          MiB that guests use, by their balloons
 * @findings:      of ExmFinding, what is wrong and right
 */
typedef struct {
	ExmCapacityFacts *facts;
	ExmPlace *place;
	ExmStore *store;
	uint64_t ram_available;
	uint64_t used;
	GPtrArray *findings;
} ExmCapacity;

ExmCapacity *exm_op_capacity(const ExmMemoryConfig *config, const char *state_directory,
                             const ExmSources *sources, GError **error);
void exm_capacity_free(ExmCapacity *capacity);
GPtrArray *exm_op_leaks(const ExmMemoryConfig *config);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ExmCapacity, exm_capacity_free)
