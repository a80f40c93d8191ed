/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "plan/policy.h"
#include "plan/sample.h"

/* Private to the planner: a guest in a round, and what is remembered of it. */

/* A guest whose reclaimed pages come back is asked for 1/2, 1/4, ... of a step, down to 1/16. */
#define EXM_CAUTION_MAX 4

/**
 * struct ExmGuestMemory - What is remembered of a guest from round to round
 * @seen:      round in which it was there last
 * @direction: of its balloon's last move: -1 taken, 1 given, 0 for none yet
 * @turned:    round of the last move in another direction than the one before it, or 0
 * @asked:     bytes its balloon was last told to leave it; 0 for none, or when it has come there
 * @asked_at:  round in which that was
 * @asked_of:  bytes it had then
 * @stuck:     its balloon did not answer
 * @faults:    counted at the last round
 * @cpu:       counted at the last round
 * @reclaimed: bytes that were pushed out in the last round
 * @caution:   how often its step is halved
 * @paused_at: round in which it was paused or woken, or 0
 * @note:      what was said last of a lever that does not reach it, or NULL
 */
typedef struct {
	uint64_t seen;
	int direction;
	uint64_t turned;
	uint64_t asked;
	uint64_t asked_at;
	uint64_t asked_of;
	bool stuck;
	uint64_t faults;
	uint64_t cpu;
	uint64_t reclaimed;
	unsigned caution;
	uint64_t paused_at;
	const char *note;
} ExmGuestMemory;

/**
 * struct ExmGuestRound - A guest in one round
 * @now:     as it is
 * @memory:  what is remembered of it
 * @rule:    what the policy says of it
 * @floor:   bytes
 * @ceiling: bytes
 * @step:    the most it loses or gets in this round, in bytes
 * @trusted: its statistics count
 * @idle:    which part of its memory, or where that is not known of its time, it does not use
 * @rest:    which part of its time it does not compute
 * @worth:   shares for a byte, idle ones taxed; the least is taken from first
 * @rank:    from 1 on, by @worth; set by whoever knows the others
 * @touched: it has lost or got something in this round
 */
typedef struct {
	const ExmGuestSample *now;
	ExmGuestMemory *memory;
	ExmGuestRule rule;
	uint64_t floor;
	uint64_t ceiling;
	uint64_t step;
	bool trusted;
	uint64_t idle;
	uint64_t rest;
	double worth;
	unsigned rank;
	bool touched;
} ExmGuestRound;

bool exm_guest_round_begin(ExmGuestRound *guest, const ExmPolicy *policy, uint64_t round,
                           uint64_t elapsed_ms);
bool exm_guest_round_may_turn(const ExmGuestRound *guest, int direction, uint64_t round,
                              uint64_t window);
void exm_guest_round_ask(ExmGuestRound *guest, uint64_t target, uint64_t round);
uint64_t exm_guest_round_want(const ExmGuestRound *guest, const ExmPolicy *policy);
uint64_t exm_guest_round_spare(const ExmGuestRound *guest, const ExmPolicy *policy);
