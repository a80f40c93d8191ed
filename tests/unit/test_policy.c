/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_policy.c - lib/plan/policy.c and lib/plan/policy_shipped.c */

#include "plan/policy.h"

#include "base/size.h"
#include "suite.h"

#define ONE_STATE "[state low]\nfree = 10%\n"

static void expect_refused(const char *text, const char *message)
{
	g_autoptr(GError) error = NULL;

	ck_assert_ptr_null(exm_policy_parse(text, &error));
	ck_assert_ptr_nonnull(error);
	ck_assert_int_eq(error->code, EXM_ERROR_USAGE);
	ck_assert_msg(strstr(error->message, message), "'%s' is not in '%s'", message,
	              error->message);
	ck_assert_ptr_null(strchr(error->message, '\n'));
}

START_TEST(shipped_policies_are_good)
{
	static const char *const names[] = { "default", "density", "latency" };

	for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
		g_autoptr(GError) error = NULL;
		g_autoptr(ExmPolicy) policy = exm_policy_parse(exm_policy_shipped(names[i]), &error);

		ck_assert_msg(policy, "%s: %s", names[i], error ? error->message : "");
		ck_assert_uint_ge(policy->states->len, 3);
	}
	ck_assert_ptr_null(exm_policy_shipped("defaults"));
}
END_TEST

START_TEST(default_is_in_the_order_of_prices)
{
	g_autoptr(ExmPolicy) policy = exm_policy_parse(exm_policy_shipped("default"), NULL);
	const ExmPolicyState *low = exm_policy_state(policy, policy->states->len);

	ck_assert_uint_eq(low->count, EXM_LEVER_COUNT);
	for (size_t i = 0; i < low->count; i++)
		ck_assert_int_eq(low->levers[i], i);
	ck_assert_str_eq(exm_policy_state_name(policy, 0), "plenty");
	ck_assert_str_eq(exm_policy_state_name(policy, 2), "soft");
	ck_assert_uint_eq(exm_policy_state(policy, 2)->free, 1280);
}
END_TEST

START_TEST(what_is_not_said_has_a_default)
{
	g_autoptr(ExmPolicy) policy = exm_policy_parse(ONE_STATE, NULL);
	ExmGuestRule rule;

	ck_assert_ptr_nonnull(policy);
	ck_assert_uint_eq(policy->interval, 10);
	ck_assert_uint_eq(policy->step, 500);
	ck_assert(exm_policy_rule(policy, "web", EXM_GIB, &rule, NULL));
	ck_assert_uint_eq(rule.shares, 1000);
	ck_assert_uint_eq(exm_allowance_of(rule.floor, EXM_GIB), EXM_GIB / 4);
	ck_assert_uint_eq(exm_allowance_of(rule.ceiling, EXM_GIB), EXM_GIB);
	ck_assert(rule.pause);
}
END_TEST

START_TEST(last_rule_that_matches_counts_key_by_key)
{
	g_autoptr(ExmPolicy) policy = exm_policy_parse(ONE_STATE "[guest *]\nshares = 10\nfloor = 1M\n"
	                                                         "[guest web-*]\nfloor = 64M\n"
	                                                         "pause = no\n",
	                                               NULL);
	ExmGuestRule rule;

	ck_assert(exm_policy_rule(policy, "web-3", EXM_GIB, &rule, NULL));
	ck_assert_uint_eq(rule.shares, 10);
	ck_assert_uint_eq(rule.floor.bytes, 64 * EXM_MIB);
	ck_assert(!rule.pause);
	ck_assert(exm_policy_rule(policy, "db", EXM_GIB, &rule, NULL));
	ck_assert_uint_eq(rule.floor.bytes, EXM_MIB);
	ck_assert(rule.pause);
}
END_TEST

START_TEST(floor_above_ceiling_is_refused)
{
	g_autoptr(ExmPolicy) policy = NULL;
	g_autoptr(GError) error = NULL;
	ExmGuestRule rule;

	expect_refused(ONE_STATE "[guest a]\nfloor = 60%\nceiling = 50%\n", "floor is above");
	expect_refused(ONE_STATE "[guest a]\nfloor = 2G\nceiling = 1G\n", "floor is above");
	/* Only a guest's size decides. */
	policy = exm_policy_parse(ONE_STATE "[guest a]\nfloor = 50%\nceiling = 1G\n", NULL);
	ck_assert(exm_policy_rule(policy, "a", EXM_GIB, &rule, NULL));
	ck_assert(!exm_policy_rule(policy, "a", 4 * EXM_GIB, &rule, &error));
	ck_assert_int_eq(error->code, EXM_ERROR_USAGE);
}
END_TEST

START_TEST(states_that_cross_are_refused)
{
	expect_refused("[state a]\nfree = 10%\n[state b]\nfree = 20%\n", "cross");
	expect_refused("[state a]\nfree = 10%\n[state b]\nfree = 9%\n", "left at 11.0 % free");
	expect_refused("[state a]\npressure = 20%\n[state b]\npressure = 20%\n", "cross");
	/* Also with a state between them that has no threshold of that kind. */
	expect_refused("[state a]\nfree = 10%\n[state b]\npressure = 5%\n[state c]\nfree = 10%\n",
	               "cross");
}
END_TEST

START_TEST(unknown_words_are_refused_with_the_nearest)
{
	expect_refused("[state low]\nfree = 10%\nlevers = baloon\n",
	               "[state low]: levers: 'baloon' is not a lever (did you mean 'balloon'?)");
	expect_refused("[state low]\nfree = 10%\nlevers = ksm ksm\n", "'ksm' is there twice");
	expect_refused("[states low]\nfree = 10%\n", "'[states low]' is not a group");
	expect_refused(ONE_STATE "[policy]\nintervall = 3\n", "did you mean 'interval'");
	expect_refused(ONE_STATE "[guest x]\nzzz = 3\n", "[guest x]: 'zzz' is not a key");
	expect_refused("[state plenty]\nfree = 10%\n", "none of the others");
	expect_refused("[state low]\nlevers = ksm\n", "when it begins");
	expect_refused("[policy]\n", "there is no [state NAME]");
	expect_refused("interval = 3\n", "not a policy");
}
END_TEST

START_TEST(values_out_of_range_are_refused)
{
	static const char *const values[] = {
		"interval = 0", "interval = ten", "interval = -1",    "step = 5",
		"step = 0%",    "step = 101%",    "step = 0x5%",      "idle-tax = 100%",
		"window = 0",   "step = 5 % %",   "pages-min = 2000", "step = nan%",
		"step = %",
	};

	for (size_t i = 0; i < G_N_ELEMENTS(values); i++) {
		g_autofree char *text = g_strdup_printf("%s[policy]\n%s\n", ONE_STATE, values[i]);

		expect_refused(text, "[policy]");
	}
	expect_refused(ONE_STATE "[guest x]\nshares = 0\n", "too small");
	expect_refused(ONE_STATE "[guest x]\nfloor = 12X\n", "12X");
	expect_refused(ONE_STATE "[guest x]\npause = maybe\n", "'maybe' is not a switch");
}
END_TEST

START_TEST(fractions_are_exact_for_large_memories)
{
	g_autofree char *text = exm_fraction_print(1284);

	ck_assert_uint_eq(exm_fraction_of(UINT64_MAX, EXM_WHOLE), UINT64_MAX);
	ck_assert_uint_eq(exm_fraction_of(EXM_GIB, 500), EXM_GIB / 20);
	ck_assert_str_eq(text, "12.8");
}
END_TEST

Suite *policy_suite(void)
{
	Suite *suite = suite_create("policy");
	TCase *tests = tcase_create("policy");

	tcase_add_test(tests, shipped_policies_are_good);
	tcase_add_test(tests, default_is_in_the_order_of_prices);
	tcase_add_test(tests, what_is_not_said_has_a_default);
	tcase_add_test(tests, last_rule_that_matches_counts_key_by_key);
	tcase_add_test(tests, floor_above_ceiling_is_refused);
	tcase_add_test(tests, states_that_cross_are_refused);
	tcase_add_test(tests, unknown_words_are_refused_with_the_nearest);
	tcase_add_test(tests, values_out_of_range_are_refused);
	tcase_add_test(tests, fractions_are_exact_for_large_memories);
	suite_add_tcase(suite, tests);
	return suite;
}
