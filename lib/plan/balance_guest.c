/* SPDX-License-Identifier: GPL-2.0-or-later */
/* balance_guest.c - A guest in a round of the planner: what it is worth, and what it could lose */

#include "plan/balance_guest.h"

/* What a major fault brings back, at least. */
#define FAULT_BYTES G_GUINT64_CONSTANT(4096)

/* Rounds in which a balloon has to do something. */
#define PATIENCE 3

static uint64_t less(uint64_t from, uint64_t what)
{
	return from > what ? from - what : 0;
}

static bool believes(const ExmGuestSample *now, const ExmPolicy *policy)
{
	return now->statistics && now->statistics_age <= policy->statistics_age && now->actual > 0;
}

static uint64_t restfulness(const ExmGuestRound *guest, uint64_t elapsed_ms)
{
	const uint64_t cpu = guest->now->cpu;

	if (elapsed_ms == 0 || cpu < guest->memory->cpu)
		return 0;
	return less(EXM_WHOLE, (cpu - guest->memory->cpu) * EXM_WHOLE / elapsed_ms);
}

/* Where a guest tells nothing of its memory, the time it computes has to do. */
static uint64_t idleness(const ExmGuestRound *guest)
{
	const ExmGuestSample *now = guest->now;

	if (guest->trusted)
		return MIN(now->available, now->actual) * EXM_WHOLE / now->actual;
	return guest->rest;
}

/* Waldspurger's min-funding revocation with an idle memory tax (OSDI 2002, section 5.2). */
static double worth_of(const ExmGuestRound *guest, const ExmPolicy *policy)
{
	const double idle = (double)guest->idle / EXM_WHOLE;
	const double price = EXM_WHOLE / (double)(EXM_WHOLE - policy->idle_tax);
	const double charged = (double)MAX(guest->now->actual, 1) * (1 - idle + price * idle);

	return (double)guest->rule.shares / charged;
}

static void follow_balloon(ExmGuestRound *guest, uint64_t round)
{
	ExmGuestMemory *memory = guest->memory;
	const uint64_t actual = guest->now->actual;

	if (!memory->asked)
		return;
	if (actual == memory->asked) {
		memory->asked = 0;
		memory->stuck = false;
	} else if (actual != memory->asked_of) {
		/* It moves. */
		memory->asked_of = actual;
		memory->asked_at = round;
		memory->stuck = false;
	} else if (round - memory->asked_at >= PATIENCE) {
		memory->stuck = true;
	}
}

/* Pages that come back were not idle: next time fewer are taken. */
static void follow_faults(ExmGuestRound *guest)
{
	ExmGuestMemory *memory = guest->memory;
	const uint64_t back = less(guest->now->faults, memory->faults) * FAULT_BYTES;

	if (memory->reclaimed && back >= memory->reclaimed / 4)
		memory->caution = MIN(memory->caution + 1, EXM_CAUTION_MAX);
	else if (memory->caution > 0 && back < FAULT_BYTES * 16)
		memory->caution--;
	memory->reclaimed = 0;
}

/**
 * exm_guest_round_begin() - Look at a guest
 * @guest:      with @now and @memory set; gets all the rest but its rank
 * @policy:     the policy
 * @round:      number of the round
 * @elapsed_ms: since the last one; 0 for the first
 *
 * Return: false where the policy leaves it no memory to move: its floor is above its ceiling.
 */
bool exm_guest_round_begin(ExmGuestRound *guest, const ExmPolicy *policy, uint64_t round,
                           uint64_t elapsed_ms)
{
	const ExmGuestSample *now = guest->now;
	const bool known = guest->memory->seen != 0;
	const bool good = exm_policy_rule(policy, now->name, now->memory, &guest->rule, NULL);

	guest->floor = exm_allowance_of(guest->rule.floor, now->memory);
	guest->ceiling = exm_allowance_of(guest->rule.ceiling, now->memory);
	guest->step = exm_fraction_of(now->memory, policy->step);
	guest->trusted = believes(now, policy);
	guest->rest = restfulness(guest, known ? elapsed_ms : 0);
	guest->idle = idleness(guest);
	guest->worth = worth_of(guest, policy);
	follow_balloon(guest, round);
	if (known)
		follow_faults(guest);
	guest->memory->seen = round;
	guest->memory->faults = now->faults;
	guest->memory->cpu = now->cpu;
	return good;
}

/**
 * exm_guest_round_may_turn() - Whether a guest's balloon may move so now
 * @guest:     the guest
 * @direction: -1 to take, 1 to give
 * @round:     number of the round
 * @window:    rounds that lie between two turns
 */
bool exm_guest_round_may_turn(const ExmGuestRound *guest, int direction, uint64_t round,
                              uint64_t window)
{
	const ExmGuestMemory *memory = guest->memory;

	return memory->direction == 0 || memory->direction == direction || memory->turned == 0 ||
	       round - memory->turned > window;
}

/**
 * exm_guest_round_ask() - Remember what a balloon is told
 * @guest:  the guest
 * @target: bytes it shall leave
 * @round:  number of the round
 */
void exm_guest_round_ask(ExmGuestRound *guest, uint64_t target, uint64_t round)
{
	ExmGuestMemory *memory = guest->memory;
	const int direction = target < guest->now->actual ? -1 : 1;

	if (memory->direction == -direction)
		memory->turned = round;
	memory->direction = direction;
	memory->asked = target;
	memory->asked_at = round;
	memory->asked_of = guest->now->actual;
	memory->stuck = false;
	guest->touched = true;
}

/**
 * exm_guest_round_want() - What a guest lacks to have free what it should
 * @guest:  the guest
 * @policy: the policy
 *
 * Return: bytes; 0 where it does not tell.
 */
uint64_t exm_guest_round_want(const ExmGuestRound *guest, const ExmPolicy *policy)
{
	const ExmGuestSample *now = guest->now;

	if (!guest->trusted)
		return 0;
	return less(exm_fraction_of(now->actual, policy->guest_free), now->available);
}

/**
 * exm_guest_round_spare() - What a balloon could take without leaving a guest too little
 * @guest:  the guest
 * @policy: the policy
 *
 * Return: bytes above its floor, and above what it should have free where it tells what it has.
 */
uint64_t exm_guest_round_spare(const ExmGuestRound *guest, const ExmPolicy *policy)
{
	const ExmGuestSample *now = guest->now;
	const uint64_t above = less(now->actual, guest->floor);

	if (!guest->trusted)
		return above;
	return MIN(above, less(now->available, exm_fraction_of(now->actual, policy->guest_free)));
}
