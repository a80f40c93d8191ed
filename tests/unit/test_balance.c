/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_balance.c - lib/plan/balance*.c and lib/plan/sample.c */

#include "plan/balance.h"

#include "base/size.h"
#include "suite.h"

/* Twenty percent free is plenty; a step is 10 % of a guest; two rounds between turns. */
#define POLICY                                                                     \
	"[policy]\nstep = 10%\nwindow = 2\nhysteresis = 2%\n"                      \
	"[state soft]\nfree = 20%\nlevers = balloon-idle\n"                        \
	"[state hard]\nfree = 10%\npressure = 30%\nlevers = balloon-idle balloon " \
	"reclaim pause\n"                                                          \
	"[state low]\nfree = 5%\nlevers = drop-cache ksm balloon reclaim refuse migrate\n"

static ExmPolicy *policy;
static ExmBalance *balance;
static ExmSample *sample;
static GPtrArray *decisions;

static void begin(void)
{
	policy = exm_policy_parse(POLICY, NULL);
	balance = exm_balance_new(policy);
	sample = exm_sample_new();
	sample->total = 10 * EXM_GIB;
	sample->available = 5 * EXM_GIB;
	sample->ksm = true;
	decisions = NULL;
}

static void finish(void)
{
	g_clear_pointer(&decisions, g_ptr_array_unref);
	exm_sample_free(sample);
	exm_balance_free(balance);
	exm_policy_free(policy);
}

/* A guest of 1 GiB that runs and has everything; @idle percent of it. */
static ExmGuestSample *add_guest(const char *name, uint64_t idle)
{
	ExmGuestSample *guest = exm_sample_add(sample, name);

	guest->memory = guest->actual = EXM_GIB;
	guest->answers = guest->running = guest->balloon = guest->statistics = true;
	guest->available = EXM_GIB / 100 * idle;
	guest->resident = EXM_GIB;
	guest->out = EXM_OUT_FILE;
	return guest;
}

static void decide(void)
{
	g_clear_pointer(&decisions, g_ptr_array_unref);
	decisions = exm_balance_decide(balance, sample);
	sample->time += 1000;
}

/* A round in which so much is free, in percent. */
static void decide_at(uint64_t percent)
{
	sample->available = sample->total / 100 * percent;
	decide();
}

static const ExmDecision *find(ExmAction action, const char *guest)
{
	for (guint i = 0; i < decisions->len; i++) {
		const ExmDecision *decision = decisions->pdata[i];

		if (decision->action == action && (!guest || g_strcmp0(decision->guest, guest) == 0))
			return decision;
	}
	return NULL;
}

START_TEST(plenty_decides_nothing)
{
	add_guest("web", 90);
	decide_at(50);
	ck_assert_uint_eq(decisions->len, 0);
	ck_assert_str_eq(exm_balance_state(balance), "plenty");
}
END_TEST

START_TEST(line_says_state_guest_and_reason)
{
	add_guest("web-3", 94);
	decide_at(11);
	ck_assert_str_eq(find(EXM_ACTION_BALLOON, "web-3")->line,
	                 "state soft (11.0 % free < 20.0 %): balloon web-3 1024→922 MiB: idle 94.0 %, "
	                 "rank 1");
	ck_assert_str_eq(find(EXM_ACTION_STATE, NULL)->line, "state soft (11.0 % free < 20.0 %)");
}
END_TEST

START_TEST(idle_guest_pays_before_a_busy_one)
{
	add_guest("busy", 30);
	add_guest("idle", 90);
	/* Lacks 1 % of 10 GiB above the margin: one guest can pay that. */
	sample->available = sample->total / 100 * 21;
	decide_at(19);
	ck_assert_ptr_nonnull(find(EXM_ACTION_BALLOON, "idle"));
	ck_assert_ptr_null(find(EXM_ACTION_BALLOON, "busy"));
}
END_TEST

START_TEST(shares_protect)
{
	g_autoptr(ExmPolicy) own = exm_policy_parse(POLICY "[guest gold]\nshares = 4000\n", NULL);
	ExmBalance *other = exm_balance_new(own);
	g_autoptr(GPtrArray) made = NULL;
	const ExmDecision *first = NULL;

	add_guest("gold", 90);
	add_guest("iron", 90);
	sample->available = sample->total / 100 * 19;
	made = exm_balance_decide(other, sample);
	for (guint i = 0; i < made->len && !first; i++) {
		const ExmDecision *decision = made->pdata[i];

		first = decision->action == EXM_ACTION_BALLOON ? decision : NULL;
	}
	ck_assert_str_eq(first->guest, "iron");
	exm_balance_free(other);
}
END_TEST

START_TEST(state_is_left_late_and_one_at_a_time)
{
	decide_at(3);
	ck_assert_str_eq(exm_balance_state(balance), "low");
	decide_at(6); /* not yet 5 + 2 */
	decide_at(6);
	decide_at(6);
	ck_assert_str_eq(exm_balance_state(balance), "low");
	decide_at(50);
	ck_assert_str_eq(exm_balance_state(balance), "hard");
	decide_at(50);
	ck_assert_str_eq(exm_balance_state(balance), "hard");
	decide_at(50);
	ck_assert_str_eq(exm_balance_state(balance), "soft");
	decide_at(50);
	decide_at(50);
	ck_assert_str_eq(exm_balance_state(balance), "plenty");
}
END_TEST

START_TEST(pressure_makes_a_state_as_lack_does)
{
	add_guest("web", 90);
	sample->has_pressure = true;
	sample->pressure = 3500;
	decide_at(50);
	ck_assert_str_eq(exm_balance_state(balance), "hard");
	ck_assert(strstr(find(EXM_ACTION_BALLOON, "web")->line, "stalled 35.0 % >= 30.0 %"));
	/* Without it in the kernel nothing is concluded from it. */
	sample->has_pressure = false;
	for (int i = 0; i < 6; i++)
		decide_at(50);
	ck_assert_str_eq(exm_balance_state(balance), "plenty");
}
END_TEST

START_TEST(balloon_that_does_not_answer_is_left_to_reclaim)
{
	add_guest("deaf", 90);
	for (int i = 0; i < 4; i++)
		decide_at(8);
	ck_assert_ptr_null(find(EXM_ACTION_BALLOON, "deaf"));
	ck_assert_ptr_nonnull(find(EXM_ACTION_RECLAIM, "deaf"));
	ck_assert_str_eq(find(EXM_ACTION_PASS, "deaf")->why, "its balloon does not answer");
	decide_at(8);
	ck_assert_ptr_null(find(EXM_ACTION_PASS, "deaf"));
}
END_TEST

START_TEST(silent_qemu_and_no_balloon_are_left_to_reclaim)
{
	add_guest("hung", 90)->answers = false;
	add_guest("child", 90)->balloon = false;
	decide_at(8);
	ck_assert_str_eq(find(EXM_ACTION_PASS, "hung")->why, "QEMU does not answer");
	ck_assert_str_eq(find(EXM_ACTION_PASS, "child")->why, "it has no balloon to use");
	ck_assert_ptr_nonnull(find(EXM_ACTION_RECLAIM, "hung"));
	ck_assert_ptr_nonnull(find(EXM_ACTION_RECLAIM, "child"));
}
END_TEST

START_TEST(old_statistics_are_not_believed)
{
	ExmGuestSample *guest = add_guest("web", 90);

	guest->statistics_age = 40000000;
	decide_at(50);
	guest->cpu = 900;
	decide_at(15);
	/* Of its time it uses nine tenths: it is not idle. */
	ck_assert_ptr_null(find(EXM_ACTION_BALLOON, "web"));
	ck_assert_str_eq(find(EXM_ACTION_PASS, "web")->why,
	                 "its statistics are old, its processor time counts");
	decide_at(15);
	ck_assert_ptr_nonnull(find(EXM_ACTION_BALLOON, "web"));
	ck_assert(strstr(find(EXM_ACTION_BALLOON, "web")->why, "idle 100.0 % of its time"));
}
END_TEST

START_TEST(guest_that_refaults_gives_less)
{
	ExmGuestSample *guest = add_guest("web", 10);
	uint64_t first;
	const ExmDecision *decision;

	guest->balloon = false;
	decide_at(6);
	decision = find(EXM_ACTION_RECLAIM, "web");
	first = decision->from - decision->to;
	guest->faults += first / 4096;
	decide_at(6);
	decision = find(EXM_ACTION_RECLAIM, "web");
	ck_assert_uint_le(decision->from - decision->to, first / 2);
	ck_assert(strstr(decision->why, "careful"));
	/* And the same as before when nothing comes back. */
	decide_at(6);
	decision = find(EXM_ACTION_RECLAIM, "web");
	ck_assert_uint_eq(decision->from - decision->to, first);
}
END_TEST

START_TEST(nowhere_to_go_is_not_reclaimed)
{
	ExmGuestSample *guest = add_guest("huge", 10);

	guest->balloon = false;
	guest->out = EXM_OUT_NOWHERE;
	decide_at(6);
	ck_assert_ptr_null(find(EXM_ACTION_RECLAIM, NULL));
	guest->out = EXM_OUT_SWAP;
	decide_at(6);
	ck_assert_ptr_null(find(EXM_ACTION_RECLAIM, NULL));
	sample->swap_free = EXM_GIB;
	decide_at(6);
	ck_assert_ptr_nonnull(find(EXM_ACTION_RECLAIM, NULL));
}
END_TEST

START_TEST(only_a_resting_guest_is_paused_and_it_is_woken)
{
	ExmGuestSample *guest = add_guest("web", 90);

	guest->balloon = false;
	guest->actual = guest->memory / 4;
	guest->available = guest->actual;
	guest->resident = guest->memory / 4; /* its floor: nothing to reclaim */
	decide_at(50);
	guest->cpu = 600;
	decide_at(6);
	ck_assert_ptr_null(find(EXM_ACTION_PAUSE, NULL));
	decide_at(6);
	ck_assert_ptr_nonnull(find(EXM_ACTION_PAUSE, "web"));
	guest->running = false;
	guest->paused = true;
	for (int i = 0; i < 10 && !find(EXM_ACTION_WAKE, "web"); i++)
		decide_at(50);
	ck_assert_ptr_nonnull(find(EXM_ACTION_WAKE, "web"));
}
END_TEST

START_TEST(ksm_goes_faster_and_slower_and_stops)
{
	decide_at(2);
	ck_assert_uint_eq(find(EXM_ACTION_KSM, NULL)->to, 300);
	ck_assert_uint_eq(find(EXM_ACTION_KSM, NULL)->rest, 16);
	for (int i = 0; i < 10; i++)
		decide_at(2);
	ck_assert_ptr_null(find(EXM_ACTION_KSM, NULL)); /* as fast as it may */
	decide_at(50);
	ck_assert_uint_eq(find(EXM_ACTION_KSM, NULL)->to, 1200);
	for (int i = 0; i < 40; i++) {
		decide_at(50);
		if (find(EXM_ACTION_KSM, NULL) && find(EXM_ACTION_KSM, NULL)->to == 0)
			return;
	}
	ck_abort_msg("it does not stop");
}
END_TEST

START_TEST(low_refuses_names_a_mover_and_admits_again)
{
	add_guest("small", 10)->resident = EXM_MIB;
	add_guest("large", 10);
	decide_at(2);
	ck_assert_ptr_nonnull(find(EXM_ACTION_REFUSE, NULL));
	ck_assert_str_eq(find(EXM_ACTION_MIGRATE, NULL)->guest, "large");
	ck_assert_ptr_nonnull(find(EXM_ACTION_DROP_CACHE, NULL));
	ck_assert(exm_balance_refuses(balance));
	decide_at(2);
	ck_assert_ptr_null(find(EXM_ACTION_REFUSE, NULL));
	ck_assert_ptr_null(find(EXM_ACTION_MIGRATE, NULL));
	ck_assert_ptr_null(find(EXM_ACTION_DROP_CACHE, NULL));
	decide_at(50);
	ck_assert_ptr_nonnull(find(EXM_ACTION_ADMIT, NULL));
	ck_assert(!exm_balance_refuses(balance));
}
END_TEST

START_TEST(guest_in_want_is_paid_by_an_idle_one)
{
	ExmGuestSample *poor = add_guest("poor", 0);
	ExmGuestSample *rich = add_guest("rich", 90);

	poor->actual = EXM_GIB / 2;
	decide_at(15);
	ck_assert_uint_gt(find(EXM_ACTION_BALLOON, "poor")->to, poor->actual);
	ck_assert_uint_lt(find(EXM_ACTION_BALLOON, "rich")->to, rich->actual);
}
END_TEST

START_TEST(memory_comes_back_when_there_is_plenty)
{
	ExmGuestSample *guest = add_guest("web", 90);

	guest->actual = EXM_GIB / 2;
	guest->available = guest->actual / 2;
	decide_at(50);
	ck_assert_uint_eq(find(EXM_ACTION_BALLOON, "web")->to, EXM_GIB / 2 + 102 * EXM_MIB);
	/* A host with just enough keeps it. */
	exm_balance_free(balance);
	balance = exm_balance_new(policy);
	decide_at(21);
	ck_assert_ptr_null(find(EXM_ACTION_BALLOON, NULL));
}
END_TEST

START_TEST(sample_is_read_as_it_was_written)
{
	g_autoptr(ExmJson) json = NULL;
	g_autoptr(ExmJson) again = NULL;
	g_autoptr(ExmSample) copy = NULL;

	add_guest("web", 90)->out = EXM_OUT_SWAP;
	json = exm_sample_to_json(sample);
	copy = exm_sample_from_json(json, NULL);
	ck_assert_ptr_nonnull(copy);
	again = exm_sample_to_json(copy);
	ck_assert_str_eq(json_object_to_json_string(json), json_object_to_json_string(again));
}
END_TEST

START_TEST(sample_of_nothing_is_refused)
{
	g_autoptr(ExmJson) json = NULL;
	g_autoptr(GError) error = NULL;

	sample->total = 0;
	json = exm_sample_to_json(sample);
	ck_assert_ptr_null(exm_sample_from_json(json, &error));
	ck_assert_int_eq(error->code, EXM_ERROR_USAGE);
}
END_TEST

/* --- any trace keeps the promises --- */

#define GUESTS 12
#define ROUNDS 120

/**
 * struct Watch - What a guest's balloon has done
 * @direction: of its last move
 * @turned:    round of its last turn; -1 for none
 */
typedef struct {
	int direction;
	int turned;
} Watch;

static uint64_t floor_of(const char *guest)
{
	ExmGuestRule rule;

	ck_assert(exm_policy_rule(policy, guest, EXM_GIB, &rule, NULL));
	return exm_allowance_of(rule.floor, EXM_GIB);
}

static void check_move(const ExmDecision *decision, Watch *watch, int round)
{
	const uint64_t memory = EXM_GIB;
	const uint64_t change = decision->to > decision->from ? decision->to - decision->from
	                                                      : decision->from - decision->to;
	const int direction = decision->to < decision->from ? -1 : 1;

	ck_assert_msg(change <= exm_fraction_of(memory, policy->step), "%s", decision->line);
	ck_assert_msg(direction > 0 || decision->to >= floor_of(decision->guest), "%s",
	              decision->line);
	ck_assert_msg(decision->to <= memory || direction < 0, "%s", decision->line);
	if (decision->action != EXM_ACTION_BALLOON)
		return;
	if (watch->direction == -direction) {
		ck_assert_msg(watch->turned < 0 || round - watch->turned > (int)policy->window,
		              "round %d after a turn in %d: %s", round, watch->turned,
		              decision->line);
		watch->turned = round;
	}
	watch->direction = direction;
}

/* Balloons come where they are told to at once, half way, or not at all. */
static void obey(GRand *chance, ExmGuestSample *guest, const ExmDecision *decision)
{
	const uint64_t half = decision->to / 2 + guest->actual / 2;

	switch (g_rand_int_range(chance, 0, 4)) {
	case 0:
		break;
	case 1:
		guest->actual = half;
		break;
	default:
		guest->actual = decision->to;
	}
}

static uint64_t draw(GRand *chance, uint64_t most)
{
	return (uint64_t)(g_rand_double(chance) * (double)most);
}

static void draw_guest(GRand *chance, ExmGuestSample *guest)
{
	guest->answers = g_rand_int_range(chance, 0, 20) > 0;
	guest->running = g_rand_int_range(chance, 0, 20) > 0;
	guest->balloon = g_rand_int_range(chance, 0, 10) > 0;
	guest->statistics_age = g_rand_int_range(chance, 0, 10) ? 1 : 100000;
	guest->available = draw(chance, guest->actual);
	guest->resident = draw(chance, guest->memory);
	guest->faults += draw(chance, 20000);
	guest->cpu += draw(chance, 1500);
	guest->out = (ExmOut)g_rand_int_range(chance, 0, 3);
}

static void draw_host(GRand *chance)
{
	const uint64_t change = sample->total / 20;
	const uint64_t next = sample->available + draw(chance, 2 * change);

	sample->available = next > change ? MIN(next - change, sample->total) : 0;
	sample->has_pressure = g_rand_int_range(chance, 0, 4) > 0;
	sample->pressure = draw(chance, g_rand_boolean(chance) ? 1000 : EXM_WHOLE);
	sample->swap_free = draw(chance, EXM_GIB);
}

static void run_round(GRand *chance, Watch *watches, int round)
{
	draw_host(chance);
	for (guint i = 0; i < sample->guests->len; i++)
		draw_guest(chance, sample->guests->pdata[i]);
	decide();
	for (guint i = 0; i < decisions->len; i++) {
		const ExmDecision *decision = decisions->pdata[i];
		const int number = decision->guest
		                           ? (int)g_ascii_strtoull(decision->guest + 1, NULL, 10)
		                           : 0;

		if (decision->action != EXM_ACTION_BALLOON && decision->action != EXM_ACTION_RECLAIM)
			continue;
		check_move(decision, &watches[number], round);
		if (decision->action == EXM_ACTION_BALLOON)
			obey(chance, sample->guests->pdata[number], decision);
	}
}

static void run_trace(uint32_t seed, const char *name)
{
	GRand *chance = g_rand_new_with_seed(seed);
	Watch watches[GUESTS];

	finish();
	begin();
	exm_balance_free(balance);
	exm_policy_free(policy);
	policy = exm_policy_parse(name ? exm_policy_shipped(name) : POLICY, NULL);
	balance = exm_balance_new(policy);
	for (int i = 0; i < GUESTS; i++) {
		g_autofree char *guest = g_strdup_printf("g%d", i);

		add_guest(guest, 50);
		watches[i] = (Watch){ 0, -1 };
	}
	for (int round = 0; round < ROUNDS; round++)
		run_round(chance, watches, round);
	g_rand_free(chance);
}

START_TEST(a_thousand_random_traces_keep_the_promises)
{
	static const char *const names[] = { NULL, "default", "density", "latency" };

	for (uint32_t seed = 0; seed < 1000; seed++)
		run_trace(seed, names[seed % G_N_ELEMENTS(names)]);
}
END_TEST

/* A guest can come, go and come again: what was remembered of it is forgotten. */
START_TEST(guest_that_vanished_is_forgotten)
{
	add_guest("web", 90);
	for (int i = 0; i < 4; i++)
		decide_at(8);
	ck_assert_ptr_null(find(EXM_ACTION_BALLOON, "web"));
	exm_sample_free(sample);
	sample = exm_sample_new();
	sample->total = 10 * EXM_GIB;
	decide_at(8);
	add_guest("web", 90);
	decide_at(8);
	ck_assert_ptr_nonnull(find(EXM_ACTION_BALLOON, "web"));
}
END_TEST

Suite *balance_suite(void)
{
	Suite *suite = suite_create("balance");
	TCase *tests = tcase_create("balance");

	tcase_set_timeout(tests, 120);
	tcase_add_checked_fixture(tests, begin, finish);
	tcase_add_test(tests, plenty_decides_nothing);
	tcase_add_test(tests, line_says_state_guest_and_reason);
	tcase_add_test(tests, idle_guest_pays_before_a_busy_one);
	tcase_add_test(tests, shares_protect);
	tcase_add_test(tests, state_is_left_late_and_one_at_a_time);
	tcase_add_test(tests, pressure_makes_a_state_as_lack_does);
	tcase_add_test(tests, balloon_that_does_not_answer_is_left_to_reclaim);
	tcase_add_test(tests, silent_qemu_and_no_balloon_are_left_to_reclaim);
	tcase_add_test(tests, old_statistics_are_not_believed);
	tcase_add_test(tests, guest_that_refaults_gives_less);
	tcase_add_test(tests, nowhere_to_go_is_not_reclaimed);
	tcase_add_test(tests, only_a_resting_guest_is_paused_and_it_is_woken);
	tcase_add_test(tests, ksm_goes_faster_and_slower_and_stops);
	tcase_add_test(tests, low_refuses_names_a_mover_and_admits_again);
	tcase_add_test(tests, guest_in_want_is_paid_by_an_idle_one);
	tcase_add_test(tests, memory_comes_back_when_there_is_plenty);
	tcase_add_test(tests, sample_is_read_as_it_was_written);
	tcase_add_test(tests, sample_of_nothing_is_refused);
	tcase_add_test(tests, guest_that_vanished_is_forgotten);
	tcase_add_test(tests, a_thousand_random_traces_keep_the_promises);
	suite_add_tcase(suite, tests);
	return suite;
}
