/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"
#include "plan/policy.h"
#include "plan/sample.h"

/**
 * enum ExmAction - What a decision is about
 * @EXM_ACTION_STATE:      another state has begun; nothing is done
 * @EXM_ACTION_PASS:       a guest is left to other levers; nothing is done
 * @EXM_ACTION_DROP_CACHE: drop what is cached of memory files and mapped by nobody
 * @EXM_ACTION_KSM:        let KSM look at so many pages at a time, 0 for none
 * @EXM_ACTION_BALLOON:    leave a guest so much
 * @EXM_ACTION_RECLAIM:    push so much of a guest out
 * @EXM_ACTION_PAUSE:      pause a guest, and push all of it out
 * @EXM_ACTION_WAKE:       let it go on
 * @EXM_ACTION_REFUSE:     no new guests
 * @EXM_ACTION_ADMIT:      new guests again
 * @EXM_ACTION_MIGRATE:    a guest should move to another host
 * @EXM_ACTION_MOVED:      it has, or could not; none of the planner's
 */
typedef enum {
	EXM_ACTION_STATE,
	EXM_ACTION_PASS,
	EXM_ACTION_DROP_CACHE,
	EXM_ACTION_KSM,
	EXM_ACTION_BALLOON,
	EXM_ACTION_RECLAIM,
	EXM_ACTION_PAUSE,
	EXM_ACTION_WAKE,
	EXM_ACTION_REFUSE,
	EXM_ACTION_ADMIT,
	EXM_ACTION_MIGRATE,
	EXM_ACTION_MOVED,
} ExmAction;

/**
 * struct ExmDecision - One thing to do, and why
 * @action: what
 * @state:  the host's state (the policy's)
 * @guest:  whom, or NULL for the host
 * @from:   bytes before; pages for KSM
 * @to:     bytes after; pages for KSM
 * @rest:   milliseconds that KSM rests between its looks
 * @why:    the reason
 * @line:   all of it in one line
 */
typedef struct {
	ExmAction action;
	const char *state;
	char *guest;
	uint64_t from;
	uint64_t to;
	uint64_t rest;
	char *why;
	char *line;
} ExmDecision;

/* A policy at work: what it has seen and decided so far. */
typedef struct ExmBalance ExmBalance;

ExmBalance *exm_balance_new(const ExmPolicy *policy);
void exm_balance_free(ExmBalance *balance);
GPtrArray *exm_balance_decide(ExmBalance *balance, const ExmSample *sample);
const char *exm_balance_state(const ExmBalance *balance);
bool exm_balance_refuses(const ExmBalance *balance);
ExmJson *exm_decision_to_json(const ExmDecision *decision);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ExmBalance, exm_balance_free)
