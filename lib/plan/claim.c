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
	EXM_FIELD(ExmClaim, "state-directory", STRING, state_directory, false),
	EXM_FIELD(ExmClaim, "state-id", STRING, state_id, false),
	EXM_FIELD(ExmClaim, "boot-id", STRING, boot_id, false),
	EXM_FIELD(ExmClaim, "start", STRING, start, false),
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

/**
 * exm_claim_is_of() - Check whether a claim belongs to a guest
 * @claim:    the claim
 * @claimant: the guest
 *
 * A guest is its name and its state directory, which the id of a marker identifies. State directories
 * are on a tmpfs as a rule: after a restart of the host there is another one of the same path, with
 * another id, and its guests are those of before. Two that exist in one boot never are.
 *
 * A claim without an id was made by an exomem that knew guests by their names alone. What a template
 * holds is its child's, wherever that is started.
 */
bool exm_claim_is_of(const ExmClaim *claim, const ExmClaimant *claimant)
{
	if (!claim->guest || g_strcmp0(claim->guest, claimant->guest) != 0)
		return false;
	if (!claim->state_id || g_strcmp0(claim->state_id, claimant->state_id) == 0)
		return true;
	if (claim->template && g_strcmp0(claim->template, claimant->template) == 0)
		return true;
	return g_strcmp0(claim->state_directory, claimant->state_directory) == 0 &&
	       g_strcmp0(claim->boot_id, claimant->boot_id) != 0;
}

/**
 * exm_claim_is_clean() - Check whether a namespace was scrubbed and given to nobody since
 * @claim: the claim
 */
bool exm_claim_is_clean(const ExmClaim *claim)
{
	return !claim->guest && !claim->dirty;
}

/**
 * exm_claim_waits() - Check whether a namespace holds nobody's data but must be scrubbed first
 * @claim: the claim
 */
bool exm_claim_waits(const ExmClaim *claim)
{
	return claim->dirty || claim->ephemeral;
}

/**
 * exm_claim_same() - Check whether a claim is still what it was when a decision was made
 * @one:   a claim, or NULL for none
 * @other: another reading of the same namespace's claim, or NULL
 */
bool exm_claim_same(const ExmClaim *one, const ExmClaim *other)
{
	if (!one || !other)
		return !one && !other;
	return one->dirty == other->dirty && g_strcmp0(one->guest, other->guest) == 0 &&
	       g_strcmp0(one->state_id, other->state_id) == 0 &&
	       g_strcmp0(one->start, other->start) == 0;
}
