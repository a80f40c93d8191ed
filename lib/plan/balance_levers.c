/* SPDX-License-Identifier: GPL-2.0-or-later */
/* balance_levers.c - The levers of the planner: who gives how much, and who gets it back */

#include <string.h>

#include "base/size.h"
#include "plan/balance_round.h"

/* ksmtuned: so many pages more in a round of pressure, so many fewer in one without. */
#define PAGES_MORE 300
#define PAGES_LESS 50

/* ksmtuned: KSM rests 10 ms on a host of 16 GiB, less on a larger one, never under 10 ms. */
#define REST_MS  10
#define REST_RAM (16 * EXM_GIB)

/* A change of less than a quarter of a percent is not worth the trouble (MoM). */
#define TRIFLE 25

/* A guest that computes more than a twentieth of its time is not paused. */
#define RESTING 9500

static uint64_t less(uint64_t from, uint64_t what)
{
	return from > what ? from - what : 0;
}

/* Whole MiB, and nothing where that would be a trifle. */
static uint64_t whole(uint64_t bytes, uint64_t memory)
{
	const uint64_t rounded = bytes / EXM_MIB * EXM_MIB;

	return rounded >= exm_fraction_of(memory, TRIFLE) ? rounded : 0;
}

static uint64_t mib(uint64_t bytes)
{
	return bytes / EXM_MIB;
}

static char *describe(const ExmGuestRound *guest)
{
	g_autofree char *idle = exm_fraction_print(guest->idle);

	return g_strdup_printf("idle %s %%%s, rank %u%s", idle,
	                       guest->trusted ? "" : " of its time", guest->rank,
	                       guest->memory->caution ? ", careful: pages came back" : "");
}

static bool is_moving(const ExmGuestRound *guest)
{
	return guest->memory->asked && !guest->memory->stuck;
}

/* Why a guest's balloon is of no use; NULL where it is of use. */
static const char *no_balloon(const ExmGuestRound *guest)
{
	if (!guest->now->answers)
		return "QEMU does not answer";
	if (!guest->now->balloon)
		return "it has no balloon to use";
	if (guest->memory->stuck)
		return "its balloon does not answer";
	if (guest->now->statistics && !guest->trusted)
		return "its statistics are old, its processor time counts";
	return NULL;
}

/* Said once, until something else is to be said. */
static void note(ExmRound *round, ExmGuestRound *guest)
{
	const char *reason = no_balloon(guest);

	if (reason && reason != guest->memory->note) {
		g_autofree char *what = g_strdup_printf("note %s", guest->now->name);

		exm_round_decide(round, EXM_ACTION_PASS, guest->now->name, what, reason);
	}
	guest->memory->note = reason;
}

static bool has_balloon(const ExmGuestRound *guest)
{
	return guest->now->answers && guest->now->running && guest->now->balloon;
}

/* What its balloon can take now. */
static uint64_t takable(const ExmRound *round, const ExmGuestRound *guest)
{
	const uint64_t step = guest->step >> guest->memory->caution;
	const uint64_t spare = exm_guest_round_spare(guest, round->policy);

	if (guest->touched || !has_balloon(guest) || guest->memory->asked ||
	    !exm_guest_round_may_turn(guest, -1, round->balance->round, round->policy->window))
		return 0;
	return whole(MIN(step, spare), guest->now->memory);
}

static void move_balloon(ExmRound *round, ExmGuestRound *guest, uint64_t target, const char *why)
{
	g_autofree char *what = g_strdup_printf(
		"balloon %s %" G_GUINT64_FORMAT "→%" G_GUINT64_FORMAT " MiB", guest->now->name,
		mib(guest->now->actual), mib(target));
	ExmDecision *decision = exm_round_decide(round, EXM_ACTION_BALLOON, guest->now->name, what,
	                                         why);

	decision->from = guest->now->actual;
	decision->to = target;
	exm_guest_round_ask(guest, target, round->balance->round);
}

static bool is_idle(const ExmRound *round, const ExmGuestRound *guest)
{
	return guest->idle >= round->policy->idle;
}

static void take_by_balloon(ExmRound *round, bool idle_only)
{
	for (guint i = 0; i < round->guests->len && round->need > 0; i++) {
		ExmGuestRound *guest = &g_array_index(round->guests, ExmGuestRound, i);
		const uint64_t most = MIN(takable(round, guest), MAX(round->need, EXM_MIB));
		const uint64_t amount = whole(most, guest->now->memory);
		g_autofree char *why = NULL;

		note(round, guest);
		if (amount == 0 || (idle_only && !is_idle(round, guest)))
			continue;
		why = describe(guest);
		move_balloon(round, guest, guest->now->actual - amount, why);
		round->need = less(round->need, amount);
	}
}

static void balloon_idle(ExmRound *round)
{
	take_by_balloon(round, true);
}

static void balloon_all(ExmRound *round)
{
	take_by_balloon(round, false);
}

static uint64_t reclaimable(const ExmGuestRound *guest, uint64_t swap_free)
{
	const ExmGuestSample *now = guest->now;
	uint64_t most = MIN(guest->step >> guest->memory->caution, less(now->resident, guest->floor));

	if (guest->touched || now->paused || now->out == EXM_OUT_NOWHERE)
		return 0;
	if (now->out == EXM_OUT_SWAP)
		most = MIN(most, swap_free);
	return whole(most, now->memory);
}

static void reclaim_from(ExmRound *round, ExmGuestRound *guest, uint64_t amount)
{
	const ExmGuestSample *now = guest->now;
	g_autofree char *why = describe(guest);
	g_autofree char *what = g_strdup_printf("reclaim %s %" G_GUINT64_FORMAT " MiB to %s",
	                                        now->name, mib(amount),
	                                        now->out == EXM_OUT_FILE ? "its file" : "swap");
	ExmDecision *decision = exm_round_decide(round, EXM_ACTION_RECLAIM, now->name, what, why);

	decision->from = now->resident;
	decision->to = now->resident - amount;
	guest->memory->reclaimed = amount;
	guest->touched = true;
}

static void reclaim(ExmRound *round, bool idle_only)
{
	uint64_t swap_free = round->sample->swap_free;

	for (guint i = 0; i < round->guests->len && round->need > 0; i++) {
		ExmGuestRound *guest = &g_array_index(round->guests, ExmGuestRound, i);
		const uint64_t amount = whole(
			MIN(reclaimable(guest, swap_free), MAX(round->need, EXM_MIB)),
			guest->now->memory);

		if (amount == 0 || (idle_only && !is_idle(round, guest)))
			continue;
		reclaim_from(round, guest, amount);
		if (guest->now->out == EXM_OUT_SWAP)
			swap_free -= amount;
		round->need = less(round->need, amount);
	}
}

static void reclaim_idle(ExmRound *round)
{
	reclaim(round, true);
}

static void reclaim_all(ExmRound *round)
{
	reclaim(round, false);
}

static bool may_change_pause(const ExmRound *round, const ExmGuestRound *guest)
{
	const uint64_t then = guest->memory->paused_at;

	return then == 0 || round->balance->round - then > round->policy->window;
}

static bool may_pause(const ExmRound *round, const ExmGuestRound *guest)
{
	const ExmGuestSample *now = guest->now;

	return guest->rule.pause && now->answers && now->running && !guest->touched &&
	       now->out == EXM_OUT_FILE && guest->rest >= RESTING && is_idle(round, guest) &&
	       may_change_pause(round, guest);
}

/* One in a round: the next sample tells whether that was enough. */
static void pause_one(ExmRound *round)
{
	for (guint i = 0; i < round->guests->len && round->need > 0; i++) {
		ExmGuestRound *guest = &g_array_index(round->guests, ExmGuestRound, i);
		g_autofree char *what = NULL;
		g_autofree char *why = NULL;
		ExmDecision *decision;

		if (!may_pause(round, guest))
			continue;
		what = g_strdup_printf("pause %s, %" G_GUINT64_FORMAT " MiB to its file",
		                       guest->now->name, mib(guest->now->resident));
		why = describe(guest);
		decision = exm_round_decide(round, EXM_ACTION_PAUSE, guest->now->name, what, why);
		decision->from = guest->now->resident;
		guest->memory->paused_at = round->balance->round;
		guest->touched = true;
		round->need = less(round->need, guest->now->resident);
		return;
	}
}

static void drop_cache(ExmRound *round)
{
	ExmBalance *balance = round->balance;

	if (!round->lacking ||
	    (balance->dropped && balance->round - balance->dropped < round->policy->window))
		return;
	balance->dropped = balance->round;
	exm_round_decide(round, EXM_ACTION_DROP_CACHE, NULL, "drop cache of memory files",
	                 "nobody maps it");
}

static void set_pages(ExmRound *round, uint64_t pages, const char *why)
{
	const uint64_t rest = MAX(REST_MS * REST_RAM / MAX(round->sample->total, 1), REST_MS);
	g_autofree char *what = NULL;
	ExmDecision *decision;

	if (pages == round->balance->pages)
		return;
	what = pages ? g_strdup_printf("ksm %" G_GUINT64_FORMAT " pages, rest %" G_GUINT64_FORMAT
	                               " ms",
	                               pages, rest)
	             : g_strdup("ksm stops");
	decision = exm_round_decide(round, EXM_ACTION_KSM, NULL, what, why);
	decision->from = round->balance->pages;
	decision->to = pages;
	decision->rest = rest;
	round->balance->pages = pages;
}

static void scan_faster(ExmRound *round)
{
	const ExmPolicy *policy = round->policy;

	if (round->sample->ksm && round->lacking)
		set_pages(round,
		          CLAMP(round->balance->pages + PAGES_MORE, policy->pages_min,
		                policy->pages_max),
		          "memory is short");
}

static void scan_slower(ExmRound *round)
{
	const uint64_t pages = round->balance->pages;
	const uint64_t slower = less(pages, PAGES_LESS);

	set_pages(round,
	          pages <= round->policy->pages_min ? 0 : MAX(slower, round->policy->pages_min),
	          "memory is not short");
}

static void refuse(ExmRound *round)
{
	if (round->balance->refuses)
		return;
	round->balance->refuses = true;
	exm_round_decide(round, EXM_ACTION_REFUSE, NULL, "refuse new guests", "there is no room");
}

static void admit(ExmRound *round)
{
	if (!round->balance->refuses)
		return;
	round->balance->refuses = false;
	exm_round_decide(round, EXM_ACTION_ADMIT, NULL, "admit new guests", "there is room again");
}

/* The move of the largest frees most. */
static void migrate(ExmRound *round)
{
	const ExmGuestRound *largest = NULL;
	g_autofree char *what = NULL;

	for (guint i = 0; i < round->guests->len; i++) {
		const ExmGuestRound *guest = &g_array_index(round->guests, ExmGuestRound, i);

		if (!largest || guest->now->resident > largest->now->resident)
			largest = guest;
	}
	if (round->need == 0 || !largest || g_strcmp0(round->balance->mover, largest->now->name) == 0)
		return;
	g_free(round->balance->mover);
	round->balance->mover = g_strdup(largest->now->name);
	what = g_strdup_printf("migrate %s", largest->now->name);
	exm_round_decide(round, EXM_ACTION_MIGRATE, largest->now->name, what,
	                 "of all guests it holds most")
		->from = largest->now->resident;
}

/* @release undoes what the lever did, in states that do not have it; NULL where that is no matter. */
static const struct {
	void (*pull)(ExmRound *round);
	void (*release)(ExmRound *round);
} levers[] = {
	[EXM_LEVER_DROP_CACHE] = { drop_cache, NULL },
	[EXM_LEVER_KSM] = { scan_faster, scan_slower },
	[EXM_LEVER_BALLOON_IDLE] = { balloon_idle, NULL },
	[EXM_LEVER_BALLOON] = { balloon_all, NULL },
	[EXM_LEVER_RECLAIM_IDLE] = { reclaim_idle, NULL },
	[EXM_LEVER_RECLAIM] = { reclaim_all, NULL },
	[EXM_LEVER_PAUSE] = { pause_one, NULL },
	[EXM_LEVER_REFUSE] = { refuse, admit },
	[EXM_LEVER_MIGRATE] = { migrate, NULL },
};

/**
 * exm_round_pull() - Pull a lever
 * @round: the round; what it will free is taken off what is needed
 * @lever: which
 */
void exm_round_pull(ExmRound *round, ExmLever lever)
{
	levers[lever].pull(round);
}

/**
 * exm_round_release() - Let go of a lever that the state does not have
 * @round: the round
 * @lever: which
 */
void exm_round_release(ExmRound *round, ExmLever lever)
{
	if (levers[lever].release)
		levers[lever].release(round);
}

/* What may be given away: all above the mildest state where there is plenty, else what idle guests
 * can pay, and what is free above the hardest state. */
static uint64_t budget_of(const ExmRound *round)
{
	const ExmPolicy *policy = round->policy;
	const size_t number = round->state ? policy->states->len : 1;
	const ExmPolicyState *edge = exm_policy_state(policy, number);
	uint64_t budget = less(round->sample->available,
	                       exm_fraction_of(round->sample->total, edge->free + policy->hysteresis));

	for (guint i = 0; round->state && i < round->guests->len; i++) {
		const ExmGuestRound *guest = &g_array_index(round->guests, ExmGuestRound, i);

		if (is_idle(round, guest))
			budget += takable(round, guest);
	}
	return budget;
}

static bool can_get(const ExmRound *round, const ExmGuestRound *guest)
{
	return !guest->touched && has_balloon(guest) && !is_moving(guest) &&
	       guest->now->actual < guest->ceiling &&
	       exm_guest_round_may_turn(guest, 1, round->balance->round, round->policy->window);
}

static void give(ExmRound *round, ExmGuestRound *guest, uint64_t wanted, uint64_t *budget,
                 const char *why)
{
	const uint64_t room = less(guest->ceiling, guest->now->actual);
	const uint64_t most = MIN(MIN(wanted, guest->step), MIN(room, *budget));
	const uint64_t amount = most == room ? room : whole(most, guest->now->memory);

	if (amount == 0)
		return;
	move_balloon(round, guest, guest->now->actual + amount, why);
	*budget -= amount;
	round->need += round->state ? amount : 0;
}

/* A whole step: one that lacks memory will not stop at what it lacks now. */
static void give_to_wanting(ExmRound *round, uint64_t *budget)
{
	for (guint i = round->guests->len; i > 0; i--) {
		ExmGuestRound *guest = &g_array_index(round->guests, ExmGuestRound, i - 1);
		g_autofree char *why = NULL;
		g_autofree char *has = NULL;

		if (exm_guest_round_want(guest, round->policy) == 0 || !can_get(round, guest))
			continue;
		has = exm_fraction_print(guest->idle);
		why = g_strdup_printf("it has %s %% free, rank %u", has, guest->rank);
		give(round, guest, guest->step, budget, why);
	}
}

static void give_to_all(ExmRound *round, uint64_t *budget)
{
	for (guint i = round->guests->len; i > 0; i--) {
		ExmGuestRound *guest = &g_array_index(round->guests, ExmGuestRound, i - 1);
		g_autofree char *why = g_strdup_printf("it had more, rank %u", guest->rank);

		if (can_get(round, guest))
			give(round, guest, G_MAXUINT64, budget, why);
	}
}

/* One in a round: it takes back its memory as it goes. */
static void wake_one(ExmRound *round, uint64_t *budget)
{
	for (guint i = round->guests->len; i > 0; i--) {
		ExmGuestRound *guest = &g_array_index(round->guests, ExmGuestRound, i - 1);
		g_autofree char *what = NULL;

		if (!guest->now->paused || !may_change_pause(round, guest) || *budget < guest->step)
			continue;
		what = g_strdup_printf("wake %s", guest->now->name);
		exm_round_decide(round, EXM_ACTION_WAKE, guest->now->name, what,
		                 "there is room again");
		guest->memory->paused_at = round->balance->round;
		guest->touched = true;
		*budget -= guest->step;
		return;
	}
}

/**
 * exm_round_give() - Give memory to guests that lack it, and back to all where there is plenty
 * @round: the round; what is given where there is no plenty has to be taken from others
 */
void exm_round_give(ExmRound *round)
{
	uint64_t budget = budget_of(round);

	give_to_wanting(round, &budget);
	if (round->state)
		return;
	wake_one(round, &budget);
	give_to_all(round, &budget);
}
