/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "op/policy.h"

/**
 * struct ExmBalanceRequest - What `exomem balance` was asked
 * @state_directory: where guests are
 * @templates:       directory of templates, whose unmapped cache is dropped too
 * @group:           directory of a control group whose limit counts, or NULL for the whole host
 * @policy:          the policy
 * @rounds:          how many; 0 for no end
 * @interval_ms:     between rounds
 * @dry_run:         decide, and do nothing
 * @restore:         at the end, undo what was done to guests
 * @migrate_to:      host that guests are moved to, or NULL
 * @migrate_by:      words of the command that moves one, NULL-terminated, or NULL for ours; its
 * name and the host follow
 * @record:          file that samples are added to, or NULL
 * @sink:            called for each decision
 */
typedef struct {
	const char *state_directory;
	const char *templates;
	const char *group;
	const ExmPolicy *policy;
	uint64_t rounds;
	int interval_ms;
	bool dry_run;
	bool restore;
	const char *migrate_to;
	const char *const *migrate_by;
	const char *record;
	ExmDecisionSink sink;
} ExmBalanceRequest;

bool exm_op_balance(const ExmBalanceRequest *request, GError **error);
