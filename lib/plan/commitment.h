/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/enumtab.h"
#include "base/json.h"

/**
 * enum ExmAccount - What of the host a guest may take
 * @EXM_ACCOUNT_STORE: room in the directory of memory files
 * @EXM_ACCOUNT_RAM:   memory of the host
 */
typedef enum {
	EXM_ACCOUNT_STORE,
	EXM_ACCOUNT_RAM,
} ExmAccount;

/**
 * struct ExmCharge - What a guest takes at the worst, of one account
 * @account: which
 * @bytes:   how much
 * @device:  with @inode: the file that is taken, which counts once whoever maps it
 * @inode:   0 for what is the guest's alone
 */
typedef struct {
	ExmAccount account;
	uint64_t bytes;
	uint64_t device;
	uint64_t inode;
} ExmCharge;

/**
 * struct ExmCommitment - All that a guest takes; as JSON in its directory, see exomem-state(5)
 * @guest:      its name
 * @overcommit: why it would not have fitted, where the user wanted it all the same; else NULL
 * @budget:     bytes of memory that its control group leaves it; 0 for no limit
 * @charges:    of ExmCharge
 */
typedef struct {
	char *guest;
	char *overcommit;
	uint64_t budget;
	GPtrArray *charges;
} ExmCommitment;

/**
 * struct ExmMemoryUse - What is known of one block of a guest's memory
 * @size:    bytes
 * @in_file: it is in a file
 * @shared:  the guest writes that file; else its pages are copied where it writes
 * @in_ram:  the file's blocks are memory
 * @device:  of the file
 * @inode:   of it; 0 where it is not there yet
 */
typedef struct {
	uint64_t size;
	bool in_file;
	bool shared;
	bool in_ram;
	uint64_t device;
	uint64_t inode;
} ExmMemoryUse;

ExmCommitment *exm_commitment_new(const char *guest, uint64_t budget);
void exm_commitment_free(ExmCommitment *commitment);
void exm_commitment_add(ExmCommitment *commitment, const ExmMemoryUse *use, uint64_t store_device);
ExmJson *exm_commitment_to_json(const ExmCommitment *commitment);
ExmCommitment *exm_commitment_from_json(ExmJson *json, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ExmCommitment, exm_commitment_free)
