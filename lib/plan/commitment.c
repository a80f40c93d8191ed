/* SPDX-License-Identifier: GPL-2.0-or-later */
/* commitment.c - What a guest takes of the host at the worst, as a value and as JSON */

#include "plan/commitment.h"

#include "base/record.h"

static const char *const account_names[] = {
	[EXM_ACCOUNT_STORE] = "store",
	[EXM_ACCOUNT_RAM] = "ram",
};

static const ExmEnumTable accounts = { "account", account_names, G_N_ELEMENTS(account_names) };

static const ExmField charge_fields[] = {
	{ .name = "account",
	  .type = EXM_FIELD_ENUM,
	  .offset = G_STRUCT_OFFSET(ExmCharge, account),
	  .required = true,
	  .names = &accounts },
	EXM_FIELD(ExmCharge, "bytes", UINT, bytes, true),
	EXM_FIELD(ExmCharge, "device", UINT, device, false),
	EXM_FIELD(ExmCharge, "inode", UINT, inode, false),
};

static const ExmLayout charge_layout = {
	"charge", sizeof(ExmCharge), charge_fields, G_N_ELEMENTS(charge_fields), true,
};

static const ExmField fields[] = {
	EXM_FIELD(ExmCommitment, "guest", STRING, guest, true),
	EXM_FIELD(ExmCommitment, "overcommit", STRING, overcommit, false),
	EXM_FIELD(ExmCommitment, "budget", UINT, budget, false),
	{ .name = "charges",
	  .type = EXM_FIELD_LIST,
	  .offset = G_STRUCT_OFFSET(ExmCommitment, charges),
	  .required = true,
	  .items = &charge_layout },
};

static const ExmLayout layout = {
	"commitment", sizeof(ExmCommitment), fields, G_N_ELEMENTS(fields), true,
};

/**
 * exm_commitment_new() - A commitment to nothing yet
 * @guest:  name of the guest
 * @budget: bytes that it may have of memory at most; 0 for no limit
 *
 * Return: the commitment (transfer full).
 */
ExmCommitment *exm_commitment_new(const char *guest, uint64_t budget)
{
	ExmCommitment *commitment = exm_record_new(&layout);

	commitment->guest = g_strdup(guest);
	commitment->budget = budget;
	return commitment;
}

/**
 * exm_commitment_free() - Free a commitment
 * @commitment: may be NULL
 */
void exm_commitment_free(ExmCommitment *commitment)
{
	exm_record_free(&layout, commitment);
}

static void charge(ExmCommitment *commitment, ExmAccount account, uint64_t bytes,
                   const ExmMemoryUse *file)
{
	ExmCharge *item = exm_record_new(&charge_layout);

	item->account = account;
	item->bytes = bytes;
	item->device = file ? file->device : 0;
	item->inode = file ? file->inode : 0;
	g_ptr_array_add(commitment->charges, item);
}

/* What is left of the budget for pages of the guest's own. */
static uint64_t within_budget(const ExmCommitment *commitment, uint64_t size)
{
	uint64_t left = commitment->budget;

	if (left == 0)
		return size;
	for (guint i = 0; i < commitment->charges->len; i++) {
		const ExmCharge *item = commitment->charges->pdata[i];

		if (item->account == EXM_ACCOUNT_RAM && item->inode == 0)
			left -= MIN(left, item->bytes);
	}
	return MIN(size, left);
}

/**
 * exm_commitment_add() - Charge a guest for a block of its memory
 * @commitment:   of the guest
 * @use:          the block
 * @store_device: the file system of the store
 *
 * A file in the store counts against the store, a file in memory against that, and one elsewhere
 * against nothing. A guest that copies what it writes may come to copy all: that is memory.
 */
void exm_commitment_add(ExmCommitment *commitment, const ExmMemoryUse *use, uint64_t store_device)
{
	const bool in_store = use->in_file && use->device == store_device;
	/* Whose file is not there yet, and who only reads it, has its maker to pay. */
	const bool pays = use->shared || use->inode != 0;

	if (in_store && pays)
		charge(commitment, EXM_ACCOUNT_STORE, use->size, use);
	else if (use->in_file && use->in_ram && pays)
		charge(commitment, EXM_ACCOUNT_RAM, use->size, use);
	if (!use->in_file || !use->shared)
		charge(commitment, EXM_ACCOUNT_RAM, within_budget(commitment, use->size), NULL);
}

/**
 * exm_commitment_to_json() - Write a commitment as JSON
 * @commitment: it
 *
 * Return: an object (transfer full).
 */
ExmJson *exm_commitment_to_json(const ExmCommitment *commitment)
{
	return exm_record_to_json(&layout, commitment);
}

/**
 * exm_commitment_from_json() - Read a commitment back
 * @json:  what exm_commitment_to_json() wrote
 * @error: SYSTEM where a member is of another type, or needed and absent
 *
 * Return: the commitment (transfer full), or NULL.
 */
ExmCommitment *exm_commitment_from_json(ExmJson *json, GError **error)
{
	return exm_record_from_json(&layout, json, error);
}
