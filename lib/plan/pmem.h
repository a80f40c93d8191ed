/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "base/json.h"
#include "plan/claim.h"
#include "plan/namespace.h"
#include "plan/pool.h"

/**
 * struct ExmPmem - The persistent memory of this host, what it is called, and who has it
 * @namespaces: of ExmNamespace, by name
 * @pool:       the labels
 * @claims:     of ExmClaim
 */
typedef struct {
	GPtrArray *namespaces;
	ExmPool *pool;
	GPtrArray *claims;
} ExmPmem;

/**
 * enum ExmPmemState - What a namespace is to a guest
 * @EXM_PMEM_FREE:  nobody has it, and nobody had it since it was scrubbed
 * @EXM_PMEM_DIRTY: nobody has it, but it must be scrubbed first: as it waits for that, because
 * nothing is remembered of it, or because its guest was never seen to run
 * @EXM_PMEM_OWN:   it is the guest's, with its data
 * @EXM_PMEM_TAKEN: it cannot be had
 */
typedef enum {
	EXM_PMEM_FREE,
	EXM_PMEM_DIRTY,
	EXM_PMEM_OWN,
	EXM_PMEM_TAKEN,
} ExmPmemState;

ExmPmem *exm_pmem_new(void);
void exm_pmem_free(ExmPmem *pmem);
ExmPmem *exm_pmem_from_json(ExmJson *json, GError **error);
const ExmClaim *exm_pmem_claim_of(const ExmPmem *pmem, const ExmNamespace *namespace);
ExmPmemState exm_pmem_state(const ExmPmem *pmem, const ExmNamespace *namespace,
                            const ExmClaimant *claimant, char **ret_reason);
bool exm_pmem_is_unused(const ExmPmem *pmem, const ExmClaim *claim);
bool exm_pmem_check_claim(const ExmPmem *pmem, const ExmClaim *claim, ExmNamespace **ret_namespace,
                          GError **error);
bool exm_pmem_is_gone(const ExmPmem *pmem, const ExmClaim *claim);
bool exm_pmem_throw_saved(const ExmClaim *claim, const ExmNamespace *namespace, GError **error);
ExmJson *exm_pmem_inventory(const ExmPmem *pmem);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ExmPmem, exm_pmem_free)
