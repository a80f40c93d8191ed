/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_policy.c - Under any policy that is read, a guest gets no less than its floor and no more than it has */

#include "plan/balance.h"
#include "plan/policy.h"

#include "fuzz.h"

#define GIB ((uint64_t)1 << 30)

#define ROUNDS 8

static const char *const guests[] = { "web", "db-1", "a" };

static void free_decision_json(ExmJson *json)
{
	g_autofree char *text = json_text_and_put(json);

	g_assert_cmpstr(text, !=, "");
}

/* A host that lacks memory more and more, and then has plenty. */
static ExmSample *make_sample(int round)
{
	ExmSample *sample = exm_sample_new();

	sample->time = (uint64_t)round * 10000;
	sample->total = 8 * GIB;
	sample->available = round == ROUNDS - 1 ? 7 * GIB : (4 - (uint64_t)round / 2) * GIB;
	sample->swap_free = GIB;
	sample->has_pressure = true;
	sample->pressure = (uint64_t)round * 1000;
	sample->ksm = true;
	for (size_t i = 0; i < G_N_ELEMENTS(guests); i++) {
		ExmGuestSample *guest = exm_sample_add(sample, guests[i]);

		guest->memory = 2 * GIB;
		guest->answers = guest->running = guest->balloon = guest->statistics = true;
		guest->actual = 2 * GIB;
		guest->available = i * GIB / 2;
		guest->resident = GIB;
		guest->out = EXM_OUT_FILE;
	}
	return sample;
}

static void check_balloon(const ExmPolicy *policy, const ExmDecision *decision)
{
	ExmGuestRule rule;

	if (decision->action != EXM_ACTION_BALLOON)
		return;
	g_assert_cmpuint(decision->to, <=, 2 * GIB);
	if (exm_policy_rule(policy, decision->guest, 2 * GIB, &rule, NULL))
		g_assert_cmpuint(decision->to, >=,
		                 MIN(exm_allowance_of(rule.floor, 2 * GIB), decision->from));
}

static void check_rounds(const ExmPolicy *policy)
{
	g_autoptr(ExmBalance) balance = exm_balance_new(policy);

	for (int round = 0; round < ROUNDS; round++) {
		g_autoptr(ExmSample) sample = make_sample(round);
		g_autoptr(GPtrArray) decisions = exm_balance_decide(balance, sample);

		for (guint i = 0; i < decisions->len; i++) {
			check_balloon(policy, decisions->pdata[i]);
			free_decision_json(exm_decision_to_json(decisions->pdata[i]));
		}
		g_assert_nonnull(exm_balance_state(balance));
	}
}

/* Whether each guest has a rule; where one has none, a policy is not put to work. */
static bool check_rules(const ExmPolicy *policy)
{
	bool good = true;

	for (size_t i = 0; i < G_N_ELEMENTS(guests); i++) {
		g_autoptr(GError) error = NULL;
		ExmGuestRule rule;

		if (!exm_policy_rule(policy, guests[i], 2 * GIB, &rule, &error)) {
			assert_rejected(error);
			good = false;
			continue;
		}
		g_assert_cmpuint(exm_allowance_of(rule.floor, 2 * GIB), <=,
		                 exm_allowance_of(rule.ceiling, 2 * GIB));
		g_assert_cmpuint(exm_allowance_of(rule.ceiling, 2 * GIB), <=, 2 * GIB);
	}
	return good;
}

/**
 * LLVMFuzzerTestOneInput() - Read a policy, and balance by it
 * @data: its text
 * @size: length of that
 *
 * Return: 0
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autofree char *text = input_text(data, size);
	g_autoptr(GError) error = NULL;
	g_autoptr(ExmPolicy) policy = exm_policy_parse(text, &error);

	if (!policy) {
		assert_rejected(error);
		return 0;
	}
	g_assert_no_error(error);
	if (check_rules(policy))
		check_rounds(policy);
	return 0;
}
