/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"

/**
 * struct ExmClaim - What is remembered of a namespace that a guest has or had; see exomem-pmem(1)
 * @schema:    of the JSON that was read; exm_claim_to_json() writes its own
 * @uuid:      of the namespace
 * @namespace: what it was called when it was claimed, for messages
 * @size:      of it then, in bytes
 * @guest:     who has it; NULL where nobody has it and it only waits to be scrubbed
 * @label:     by which the guest got it, or NULL where it named the namespace
 * @order:     which of the guest's devices it is
 * @ephemeral: its data end with the guest
 * @dirty:     a scrub has begun, and until it has ended nobody gets the namespace
 * @scrubbed:  bytes from its start that are zero already
 * @template:  directory of the template whose memory it is, or NULL; one that is gone does not count
 */
typedef struct {
	uint64_t schema;
	char *uuid;
	char *namespace;
	uint64_t size;
	char *guest;
	char *label;
	uint64_t order;
	bool ephemeral;
	bool dirty;
	uint64_t scrubbed;
	char *template;
} ExmClaim;

ExmClaim *exm_claim_new(void);
void exm_claim_free(ExmClaim *claim);
ExmJson *exm_claim_to_json(const ExmClaim *claim);
ExmClaim *exm_claim_from_json(ExmJson *json, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ExmClaim, exm_claim_free)
