/* SPDX-License-Identifier: GPL-2.0-or-later */
/* balance.c - What a policy does about a lack of memory, round by round: a pure function */

#include "plan/balance.h"

#include <string.h>

#include "base/enumtab.h"
#include "plan/balance_round.h"

static const char *const action_names[] = {
	[EXM_ACTION_STATE] = "state",           [EXM_ACTION_PASS] = "note",
	[EXM_ACTION_DROP_CACHE] = "drop-cache", [EXM_ACTION_KSM] = "ksm",
	[EXM_ACTION_BALLOON] = "balloon",       [EXM_ACTION_RECLAIM] = "reclaim",
	[EXM_ACTION_PAUSE] = "pause",           [EXM_ACTION_WAKE] = "wake",
	[EXM_ACTION_REFUSE] = "refuse",         [EXM_ACTION_ADMIT] = "admit",
	[EXM_ACTION_MIGRATE] = "migrate",       [EXM_ACTION_MOVED] = "moved",
};

static const ExmEnumTable action_table = { "action", action_names, G_N_ELEMENTS(action_names) };

static void decision_free(gpointer data)
{
	ExmDecision *decision = data;

	g_free(decision->guest);
	g_free(decision->why);
	g_free(decision->line);
	g_free(decision);
}

/**
 * exm_balance_new() - Put a policy to work
 * @policy: the policy, which must live as long
 *
 * Return: a planner that has seen nothing (transfer full).
 */
ExmBalance *exm_balance_new(const ExmPolicy *policy)
{
	ExmBalance *balance = g_new0(ExmBalance, 1);

	balance->policy = policy;
	balance->guests = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	return balance;
}

/**
 * exm_balance_free() - Free a planner
 * @balance: may be NULL
 */
void exm_balance_free(ExmBalance *balance)
{
	if (!balance)
		return;
	g_hash_table_unref(balance->guests);
	g_free(balance->mover);
	g_free(balance);
}

/**
 * exm_balance_state() - The state the host is in
 * @balance: the planner
 *
 * Return: its name (borrowed).
 */
const char *exm_balance_state(const ExmBalance *balance)
{
	return exm_policy_state_name(balance->policy, balance->state);
}

/**
 * exm_balance_refuses() - Whether new guests should be refused
 * @balance: the planner
 */
bool exm_balance_refuses(const ExmBalance *balance)
{
	return balance->refuses;
}

/**
 * exm_round_decide() - Add a decision
 * @round:  the round
 * @action: what it is about
 * @guest:  whom, or NULL
 * @what:   as people read it
 * @why:    the reason
 *
 * Return: the decision (borrowed), for its numbers.
 */
ExmDecision *exm_round_decide(ExmRound *round, ExmAction action, const char *guest,
                              const char *what, const char *why)
{
	ExmDecision *decision = g_new0(ExmDecision, 1);

	decision->action = action;
	decision->state = exm_balance_state(round->balance);
	decision->guest = g_strdup(guest);
	decision->why = g_strdup(why);
	decision->line = g_strdup_printf("state %s (%s)%s%s%s%s", exm_balance_state(round->balance),
	                                 round->reason, what ? ": " : "", what ? what : "",
	                                 why ? ": " : "", why ? why : "");
	g_ptr_array_add(round->decisions, decision);
	return decision;
}

static uint64_t free_of(const ExmSample *sample)
{
	return MIN(sample->available, sample->total) * EXM_WHOLE / sample->total;
}

static bool begins_by_free(const ExmPolicyState *state, const ExmSample *sample)
{
	return state->free && free_of(sample) < state->free;
}

static bool begins_by_pressure(const ExmPolicyState *state, const ExmSample *sample)
{
	return state->pressure && sample->has_pressure && sample->pressure >= state->pressure;
}

/* The hardest state that begins by itself. */
static size_t state_now(const ExmPolicy *policy, const ExmSample *sample)
{
	for (size_t i = policy->states->len; i > 0; i--) {
		const ExmPolicyState *state = exm_policy_state(policy, i);

		if (begins_by_free(state, sample) || begins_by_pressure(state, sample))
			return i;
	}
	return 0;
}

/* Enough is free, and pressure is down by a quarter. */
static bool is_over(const ExmPolicy *policy, const ExmPolicyState *state, const ExmSample *sample)
{
	if (state->free && free_of(sample) < state->free + policy->hysteresis)
		return false;
	return !state->pressure || !sample->has_pressure ||
	       sample->pressure < state->pressure - state->pressure / 4;
}

static size_t next_state(const ExmBalance *balance, const ExmSample *sample)
{
	const size_t now = state_now(balance->policy, sample);

	if (now >= balance->state)
		return now;
	if (balance->round - balance->since < balance->policy->window ||
	    !is_over(balance->policy, exm_policy_state(balance->policy, balance->state), sample))
		return balance->state;
	return balance->state - 1;
}

static char *explain(const ExmBalance *balance, const ExmSample *sample)
{
	const ExmPolicyState *state = exm_policy_state(balance->policy, balance->state);
	g_autofree char *is = exm_fraction_print(free_of(sample));
	g_autofree char *stalled = exm_fraction_print(sample->pressure);
	g_autofree char *edge = state ? exm_fraction_print(state->free) : NULL;
	g_autofree char *press = state ? exm_fraction_print(state->pressure) : NULL;

	if (!state)
		return g_strdup_printf("%s %% free", is);
	if (begins_by_free(state, sample))
		return g_strdup_printf("%s %% free < %s %%", is, edge);
	if (begins_by_pressure(state, sample))
		return g_strdup_printf("stalled %s %% >= %s %%", stalled, press);
	return g_strdup_printf("%s %% free, not over yet", is);
}

static void enter_state(ExmRound *round)
{
	ExmBalance *balance = round->balance;
	const size_t next = next_state(balance, round->sample);
	const bool changed = next != balance->state;

	if (changed) {
		balance->state = next;
		balance->since = balance->round;
	}
	round->state = exm_policy_state(round->policy, next);
	round->reason = explain(balance, round->sample);
	if (changed)
		exm_round_decide(round, EXM_ACTION_STATE, NULL, NULL, NULL);
}

static gint compare_worth(gconstpointer left, gconstpointer right)
{
	const ExmGuestRound *one = left;
	const ExmGuestRound *other = right;

	if (one->worth != other->worth)
		return one->worth < other->worth ? -1 : 1;
	return strcmp(one->now->name, other->now->name);
}

static ExmGuestMemory *remember(const ExmBalance *balance, const char *name)
{
	ExmGuestMemory *memory = g_hash_table_lookup(balance->guests, name);

	if (!memory) {
		memory = g_new0(ExmGuestMemory, 1);
		g_hash_table_insert(balance->guests, g_strdup(name), memory);
	}
	return memory;
}

static gboolean has_left(G_GNUC_UNUSED gpointer name, gpointer memory, gpointer round)
{
	return ((const ExmGuestMemory *)memory)->seen != *(const uint64_t *)round;
}

static void look_at_guests(ExmRound *round)
{
	ExmBalance *balance = round->balance;
	const uint64_t elapsed = balance->round > 1 && round->sample->time > balance->time
	                                 ? round->sample->time - balance->time
	                                 : 0;

	for (guint i = 0; i < round->sample->guests->len; i++) {
		const ExmGuestSample *now = round->sample->guests->pdata[i];
		ExmGuestRound guest = { .now = now, .memory = remember(balance, now->name) };

		if (exm_guest_round_begin(&guest, round->policy, balance->round, elapsed))
			g_array_append_val(round->guests, guest);
	}
	g_hash_table_foreach_remove(balance->guests, has_left, &balance->round);
	g_array_sort(round->guests, compare_worth);
	for (guint i = 0; i < round->guests->len; i++)
		g_array_index(round->guests, ExmGuestRound, i).rank = i + 1;
	balance->time = round->sample->time;
}

/* What balloons that are on their way will bring. */
static uint64_t coming(const ExmRound *round)
{
	uint64_t bytes = 0;

	for (guint i = 0; i < round->guests->len; i++) {
		const ExmGuestRound *guest = &g_array_index(round->guests, ExmGuestRound, i);
		const ExmGuestMemory *memory = guest->memory;

		if (memory->asked && !memory->stuck && guest->now->actual > memory->asked)
			bytes += guest->now->actual - memory->asked;
	}
	return bytes;
}

/* Enough to leave the state; where it is one of pressure, at least as much as its hysteresis. */
static uint64_t need_of(const ExmRound *round)
{
	const ExmSample *sample = round->sample;
	const uint64_t margin = exm_fraction_of(sample->total, round->policy->hysteresis);
	const uint64_t goal = round->state->free
	                              ? exm_fraction_of(sample->total, round->state->free) + margin
	                              : 0;
	const uint64_t bytes = goal > sample->available ? goal - sample->available : 0;
	const uint64_t need = begins_by_pressure(round->state, sample) ? MAX(bytes, margin) : bytes;
	const uint64_t on_the_way = coming(round);

	return need > on_the_way ? need - on_the_way : 0;
}

static void pull_levers(ExmRound *round)
{
	for (size_t i = 0; round->state && i < round->state->count; i++)
		exm_round_pull(round, round->state->levers[i]);
	for (ExmLever lever = 0; lever < EXM_LEVER_COUNT; lever++)
		if (!exm_policy_state_has(round->state, lever))
			exm_round_release(round, lever);
}

/**
 * exm_balance_decide() - What to do now
 * @balance: the planner, which remembers
 * @sample:  what is known at this moment
 *
 * Return: of ExmDecision, in the order they should be acted on (transfer full).
 */
GPtrArray *exm_balance_decide(ExmBalance *balance, const ExmSample *sample)
{
	g_autoptr(GArray)
		guests = g_array_sized_new(FALSE, TRUE, sizeof(ExmGuestRound), sample->guests->len);
	ExmRound round = {
		.balance = balance,
		.policy = balance->policy,
		.sample = sample,
		.guests = guests,
		.decisions = g_ptr_array_new_with_free_func(decision_free),
	};

	balance->round++;
	enter_state(&round);
	look_at_guests(&round);
	if (round.state)
		round.need = need_of(&round);
	round.lacking = round.need > 0;
	exm_round_give(&round);
	pull_levers(&round);
	g_free(round.reason);
	return round.decisions;
}

/**
 * exm_decision_to_json() - A decision as JSON
 * @decision: the decision
 *
 * Return: an object (transfer full), described in exomem-balance(1).
 */
ExmJson *exm_decision_to_json(const ExmDecision *decision)
{
	ExmJson *json = json_object_new_object();

	exm_json_set_string(json, "state", decision->state);
	exm_json_set_string(json, "action", exm_enum_name(&action_table, (int)decision->action));
	if (decision->guest)
		exm_json_set_string(json, "guest", decision->guest);
	exm_json_set_uint(json, "from", decision->from);
	exm_json_set_uint(json, "to", decision->to);
	if (decision->why)
		exm_json_set_string(json, "why", decision->why);
	exm_json_set_string(json, "line", decision->line);
	return json;
}
