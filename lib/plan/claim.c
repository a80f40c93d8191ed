/* SPDX-License-Identifier: GPL-2.0-or-later */
/* claim.c - Which guest a namespace of persistent memory belongs to, as a value and as JSON */

#include "plan/claim.h"

#include "base/error.h"
#include "base/record.h"
#include "plan/identity.h"

/* Counts up when a member changes its meaning. */
#define SCHEMA 1

static const ExmField fields[] = {
	EXM_FIELD(ExmClaim, "schema", UINT, schema, true),
	EXM_FIELD(ExmClaim, "uuid", STRING, uuid, true),
	EXM_FIELD(ExmClaim, "namespace", STRING, namespace, true),
	EXM_FIELD(ExmClaim, "size", UINT, size, true),
	EXM_FIELD(ExmClaim, "guest", STRING, guest, false),
	EXM_FIELD(ExmClaim, "label", STRING, label, false),
	EXM_FIELD(ExmClaim, "order", UINT, order, false),
	EXM_FIELD(ExmClaim, "ephemeral", BOOL, ephemeral, false),
	EXM_FIELD(ExmClaim, "dirty", BOOL, dirty, false),
	EXM_FIELD(ExmClaim, "scrubbed", UINT, scrubbed, false),
	EXM_FIELD(ExmClaim, "template", STRING, template, false),
};

static const ExmLayout layout = { "claim", sizeof(ExmClaim), fields, G_N_ELEMENTS(fields), true };

/**
 * exm_claim_new() - A claim of nothing
 *
 * Return: the claim (transfer full).
 */
ExmClaim *exm_claim_new(void)
{
	return exm_record_new(&layout);
}

/**
 * exm_claim_free() - Free a claim
 * @claim: may be NULL
 */
void exm_claim_free(ExmClaim *claim)
{
	exm_record_free(&layout, claim);
}

/**
 * exm_claim_to_json() - Write a claim as JSON
 * @claim: the claim
 *
 * Return: an object (transfer full), described in exomem-pmem(1).
 */
ExmJson *exm_claim_to_json(const ExmClaim *claim)
{
	ExmJson *json = exm_record_to_json(&layout, claim);

	exm_json_set_uint(json, "schema", SCHEMA);
	return json;
}

/**
 * exm_claim_from_json() - Read a claim back
 * @json:  what exm_claim_to_json() wrote
 * @error: STATE where it is not whole, or of a schema that is not known
 *
 * Return: the claim (transfer full), or NULL.
 */
ExmClaim *exm_claim_from_json(ExmJson *json, GError **error)
{
	g_autoptr(ExmClaim) claim = exm_record_from_json(&layout, json, NULL);

	if (!claim || claim->schema != SCHEMA || !g_uuid_string_is_valid(claim->uuid) ||
	    (claim->guest && !exm_name_check(claim->guest, NULL))) {
		exm_throw(error, EXM_ERROR_STATE, "the claim is not whole");
		return NULL;
	}
	return g_steal_pointer(&claim);
}
