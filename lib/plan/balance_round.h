/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "plan/balance.h"
#include "plan/balance_guest.h"

/* Private to the planner: one round, and the levers that are pulled in it. */

/**
 * struct ExmBalance - A policy at work
 * @policy:   the policy (borrowed)
 * @round:    number of the last round, from 1 on
 * @time:     of its sample
 * @state:    number of the state; 0 for plenty
 * @since:    round in which it began
 * @guests:   of ExmGuestMemory by name
 * @pages:    that KSM was told to look at; 0 where it was told nothing or to stop
 * @dropped:  round in which caches were dropped last, or 0
 * @refuses:  new guests are refused
 * @mover:    guest that was last said to move, or NULL
 */
struct ExmBalance {
	const ExmPolicy *policy;
	uint64_t round;
	uint64_t time;
	size_t state;
	uint64_t since;
	GHashTable *guests;
	uint64_t pages;
	uint64_t dropped;
	bool refuses;
	char *mover;
};

/**
 * struct ExmRound - One round
 * @balance:   the policy at work
 * @policy:    its policy
 * @sample:    what is known
 * @state:     the state, or NULL for plenty
 * @reason:    why it is this state
 * @guests:    of ExmGuestRound, by rank
 * @need:      bytes that are still to be freed
 * @lacking:   something was, when the round began
 * @decisions: of ExmDecision
 */
typedef struct {
	ExmBalance *balance;
	const ExmPolicy *policy;
	const ExmSample *sample;
	const ExmPolicyState *state;
	char *reason;
	GArray *guests;
	uint64_t need;
	bool lacking;
	GPtrArray *decisions;
} ExmRound;

ExmDecision *exm_round_decide(ExmRound *round, ExmAction action, const char *guest,
                              const char *what, const char *why);
void exm_round_pull(ExmRound *round, ExmLever lever);
void exm_round_release(ExmRound *round, ExmLever lever);
void exm_round_give(ExmRound *round);
