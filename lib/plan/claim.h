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
 * @guest:     who has it; NULL where nobody has it: then it was scrubbed, or is @dirty
 * @state_directory: state directory of that guest; NULL in a claim of before that was remembered
 * @state_id:  id of the marker of @state_directory
 * @boot_id:   boot of the host in which that id was read
 * @start:     the start of a guest that made the claim, until that guest is seen to run; else NULL
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
	char *state_directory;
	char *state_id;
	char *boot_id;
	char *start;
	char *label;
	uint64_t order;
	bool ephemeral;
	bool dirty;
	uint64_t scrubbed;
	char *template;
} ExmClaim;

/**
 * struct ExmClaimant - A guest that claims, told from those of other state directories; owns nothing
 * @guest:           its name
 * @state_directory: absolute path of its state directory
 * @state_id:        id of the marker of @state_directory, or NULL before that directory is made
 * @boot_id:         of this boot of the host
 * @template:        directory of the template that it is a child of, or NULL
 */
typedef struct {
	const char *guest;
	const char *state_directory;
	const char *state_id;
	const char *boot_id;
	const char *template;
} ExmClaimant;

ExmClaim *exm_claim_new(void);
void exm_claim_free(ExmClaim *claim);
ExmJson *exm_claim_to_json(const ExmClaim *claim);
ExmClaim *exm_claim_from_json(ExmJson *json, GError **error);
bool exm_claim_is_of(const ExmClaim *claim, const ExmClaimant *claimant);
bool exm_claim_is_clean(const ExmClaim *claim);
bool exm_claim_waits(const ExmClaim *claim);
bool exm_claim_same(const ExmClaim *one, const ExmClaim *other);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ExmClaim, exm_claim_free)
