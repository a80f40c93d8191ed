/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_capacity.c - lib/plan/capacity.c and lib/plan/commitment.c */

#include "plan/capacity.h"

#include "base/error.h"
#include "base/size.h"
#include "suite.h"

#define STORE_DEVICE 7

static const ExmMemoryConfig config = {
	.capacity = 1024 * EXM_MIB,
	.reserved = 24 * EXM_MIB,
};

static ExmMemoryUse in_store(uint64_t mib, uint64_t inode, bool shared)
{
	return (ExmMemoryUse){
		.size = mib * EXM_MIB,
		.in_file = true,
		.shared = shared,
		.device = STORE_DEVICE,
		.inode = inode,
	};
}

static ExmCommitment *commitment_to(ExmMemoryUse use, uint64_t budget)
{
	ExmCommitment *commitment = exm_commitment_new("guest", budget);

	exm_commitment_add(commitment, &use, STORE_DEVICE);
	return commitment;
}

static ExmCapacityFacts *new_facts(void)
{
	ExmCapacityFacts *facts = exm_capacity_facts_new();

	facts->store_device = STORE_DEVICE;
	facts->ram_total = 536 * EXM_MIB;
	return facts;
}

static uint64_t free_mib(const ExmCapacityFacts *facts, ExmAccount account)
{
	const ExmStanding standing = exm_capacity_standing(&config, facts, account);

	return exm_standing_free(&standing) / EXM_MIB;
}

START_TEST(shared_memory_counts_against_the_store_alone)
{
	g_autoptr(ExmCapacityFacts) facts = new_facts();

	g_ptr_array_add(facts->commitments, commitment_to(in_store(400, 1, true), 0));
	ck_assert_uint_eq(free_mib(facts, EXM_ACCOUNT_STORE), 600);
	ck_assert_uint_eq(free_mib(facts, EXM_ACCOUNT_RAM), 512);
}
END_TEST

START_TEST(a_file_counts_once_and_each_childs_copies)
{
	g_autoptr(ExmCapacityFacts) facts = new_facts();

	for (int i = 0; i < 2; i++)
		g_ptr_array_add(facts->commitments, commitment_to(in_store(200, 1, false), 0));
	ck_assert_uint_eq(free_mib(facts, EXM_ACCOUNT_STORE), 800);
	ck_assert_uint_eq(free_mib(facts, EXM_ACCOUNT_RAM), 112);
}
END_TEST

START_TEST(a_budget_counts_in_place_of_all_that_may_be_copied)
{
	const ExmMemoryUse first = in_store(200, 1, false), second = in_store(200, 2, false);
	g_autoptr(ExmCapacityFacts) facts = new_facts();
	ExmCommitment *commitment = commitment_to(first, 300 * EXM_MIB);

	exm_commitment_add(commitment, &second, STORE_DEVICE);
	g_ptr_array_add(facts->commitments, commitment);
	ck_assert_uint_eq(free_mib(facts, EXM_ACCOUNT_STORE), 600);
	ck_assert_uint_eq(free_mib(facts, EXM_ACCOUNT_RAM), 212);
}
END_TEST

START_TEST(memory_elsewhere_counts_against_what_it_is_in)
{
	ExmMemoryUse use = in_store(100, 1, true);
	g_autoptr(ExmCapacityFacts) facts = new_facts();

	use.device = STORE_DEVICE + 1;
	g_ptr_array_add(facts->commitments, commitment_to(use, 0));
	ck_assert_uint_eq(free_mib(facts, EXM_ACCOUNT_STORE), 1000);
	ck_assert_uint_eq(free_mib(facts, EXM_ACCOUNT_RAM), 512);
	use.in_ram = true;
	g_ptr_array_add(facts->commitments, commitment_to(use, 0));
	ck_assert_uint_eq(free_mib(facts, EXM_ACCOUNT_STORE), 1000);
	ck_assert_uint_eq(free_mib(facts, EXM_ACCOUNT_RAM), 412);
}
END_TEST

START_TEST(admission_is_exact_and_says_the_arithmetic)
{
	g_autoptr(ExmCapacityFacts) facts = new_facts();
	g_autoptr(ExmCommitment) fits = commitment_to(in_store(600, 0, true), 0);
	g_autoptr(ExmCommitment) fits_not = commitment_to(in_store(601, 0, true), 0);
	g_autoptr(GError) error = NULL;

	g_ptr_array_add(facts->commitments, commitment_to(in_store(400, 1, true), 0));
	ck_assert(exm_capacity_admit(&config, facts, fits, NULL));
	ck_assert(!exm_capacity_admit(&config, facts, fits_not, &error));
	ck_assert(g_error_matches(error, EXM_ERROR, EXM_ERROR_NO_ROOM));
	ck_assert_str_eq(error->message, "needs 601 MiB; configured 1024, reserved 24, committed 400 "
	                                 "(1 guest), free 600");
}
END_TEST

START_TEST(who_maps_a_file_that_counts_already_needs_no_more_of_the_store)
{
	g_autoptr(ExmCapacityFacts) facts = new_facts();
	g_autoptr(ExmCommitment) child = commitment_to(in_store(500, 1, false), 100 * EXM_MIB);

	g_ptr_array_add(facts->commitments, commitment_to(in_store(900, 2, true), 0));
	ck_assert(!exm_capacity_admit(&config, facts, child, NULL));
	((ExmCharge *)((ExmCommitment *)facts->commitments->pdata[0])->charges->pdata[0])->inode = 1;
	ck_assert(exm_capacity_admit(&config, facts, child, NULL));
}
END_TEST

START_TEST(more_committed_than_there_is_leaves_nothing)
{
	g_autoptr(ExmCapacityFacts) facts = new_facts();

	g_ptr_array_add(facts->commitments, commitment_to(in_store(2000, 1, true), 0));
	ck_assert_uint_eq(free_mib(facts, EXM_ACCOUNT_STORE), 0);
}
END_TEST

START_TEST(commitment_there_and_back)
{
	g_autoptr(ExmCommitment) commitment = commitment_to(in_store(200, 1, false), 100 * EXM_MIB);
	g_autoptr(ExmJson) json = exm_commitment_to_json(commitment);
	g_autoptr(ExmCommitment) again = exm_commitment_from_json(json, NULL);
	g_autoptr(ExmJson) other = exm_commitment_to_json(again);

	ck_assert(json_object_equal(json, other));
	ck_assert_uint_eq(again->charges->len, 2);
}
END_TEST

Suite *capacity_suite(void)
{
	Suite *suite = suite_create("capacity");
	TCase *tcase = tcase_create("capacity");

	tcase_add_test(tcase, shared_memory_counts_against_the_store_alone);
	tcase_add_test(tcase, a_file_counts_once_and_each_childs_copies);
	tcase_add_test(tcase, a_budget_counts_in_place_of_all_that_may_be_copied);
	tcase_add_test(tcase, memory_elsewhere_counts_against_what_it_is_in);
	tcase_add_test(tcase, admission_is_exact_and_says_the_arithmetic);
	tcase_add_test(tcase, who_maps_a_file_that_counts_already_needs_no_more_of_the_store);
	tcase_add_test(tcase, more_committed_than_there_is_leaves_nothing);
	tcase_add_test(tcase, commitment_there_and_back);
	suite_add_tcase(suite, tcase);
	return suite;
}
