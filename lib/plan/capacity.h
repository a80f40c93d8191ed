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
 * struct ExmStanding - How an account stands
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
} ExmStanding;

/**
 * struct ExmFit - How many more of a size fit
 * @size:     bytes of each
 * @guests:   with memory of their own in the store
 * @children: of a template, that may copy all of it
 * @guest_stop: what stops the guest after these (static)
 * @child_stop: what stops the child after these (static)
 */
typedef struct {
	uint64_t size;
	uint64_t guests;
	uint64_t children;
	const char *guest_stop;
	const char *child_stop;
} ExmFit;

ExmCapacityFacts *exm_capacity_facts_new(void);
void exm_capacity_facts_free(ExmCapacityFacts *facts);
ExmCapacityFacts *exm_capacity_facts_from_json(ExmJson *json, uint64_t ram_total, GError **error);
ExmStanding exm_capacity_standing(const ExmMemoryConfig *config, const ExmCapacityFacts *facts,
                                  ExmAccount account);
uint64_t exm_standing_free(const ExmStanding *standing);
uint64_t exm_capacity_used(const uint64_t *memories, size_t count);
ExmFit exm_capacity_fit(const ExmMemoryConfig *config, const ExmCapacityFacts *facts,
                        uint64_t store_free, uint64_t ram_available, uint64_t size);
ExmJson *exm_capacity_inventory(const ExmMemoryConfig *config);
bool exm_capacity_admit(const ExmMemoryConfig *config, const ExmCapacityFacts *facts,
                        const ExmCommitment *commitment, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ExmCapacityFacts, exm_capacity_facts_free)
