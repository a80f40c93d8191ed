/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "op/policy.h"

/* In the state directory while `exomem balance` is at work; exomem-state(5). */
#define EXM_BALANCE_STATE ".balance.json"
#define EXM_BALANCE_LOCK  ".balance.lock"

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
	const char *record;
	ExmDecisionSink sink;
} ExmBalanceRequest;

bool exm_op_balance(const ExmBalanceRequest *request, GError **error);
