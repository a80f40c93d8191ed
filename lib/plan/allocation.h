/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "plan/pmem.h"

/**
 * struct ExmAllocation - A namespace that a guest gets
 * @namespace: which (borrowed from the facts)
 * @label:     that was asked for (borrowed from the pool), or NULL where the namespace was named
 * @dirty:     it must be scrubbed first
 * @own:       the guest had it before
 * @why:       why this one, for a person
 */
typedef struct {
	const ExmNamespace *namespace;
	const char *label;
	bool dirty;
	bool own;
	char *why;
} ExmAllocation;

/**
 * struct ExmAllocationInput - What decides about namespaces for a guest; nothing in it is owned
 * @pmem:    persistent memory
 * @claimant: the guest
 * @on_node: @node is known
 * @node:    NUMA node of this host that the guest's memory is on
 */
typedef struct {
	const ExmPmem *pmem;
	const ExmClaimant *claimant;
	bool on_node;
	uint64_t node;
} ExmAllocationInput;

bool exm_allocations_check_claims(const ExmAllocationInput *in, const GPtrArray *wanted,
                                  GError **error);
GPtrArray *exm_allocations_choose(const ExmAllocationInput *in, const GPtrArray *wanted,
                                  GError **error);
