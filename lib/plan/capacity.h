/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "plan/commitment.h"
#include "plan/memory_config.h"

/**
 * struct ExmCapacityFacts - What guests have taken of the host
 * @store_device: file system of the store; 0 where that is not there
 * @ram_total:    bytes of the host's memory
 * @commitments:  of ExmCommitment, of the guests that live
 * @unseen:       state directory of the host that this user cannot look into, or NULL
 */
typedef struct {
	uint64_t store_device;
	uint64_t ram_total;
	GPtrArray *commitments;
	char *unseen;
} ExmCapacityFacts;

/**
 * struct ExmBalance - How an account stands
 * @total:     bytes that there are
 * @reserved:  of these, for no guest
 * @committed: to guests; more than there are where somebody said --overcommit
 * @guests:    how many have some of it
 */
typedef struct {
	uint64_t total;
	uint64_t reserved;
	uint64_t committed;
	guint guests;
} ExmBalance;

ExmCapacityFacts *exm_capacity_facts_new(void);
void exm_capacity_facts_free(ExmCapacityFacts *facts);
ExmCapacityFacts *exm_capacity_facts_from_json(ExmJson *json, uint64_t ram_total, GError **error);
ExmBalance exm_capacity_balance(const ExmMemoryConfig *config, const ExmCapacityFacts *facts,
                                ExmAccount account);
uint64_t exm_balance_free(const ExmBalance *balance);
bool exm_capacity_admit(const ExmMemoryConfig *config, const ExmCapacityFacts *facts,
                        const ExmCommitment *commitment, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ExmCapacityFacts, exm_capacity_facts_free)
