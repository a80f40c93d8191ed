/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_claim.c - lib/plan/claim.c */

#include "plan/claim.h"

#include "facts.h"
#include "suite.h"

#define UUID  "'uuid': '00000001-0000-4000-8000-000000000001', "
#define CLAIM "'schema': 1, " UUID "'namespace': 'ns0', 'size': 1"
#define WEB   CLAIM ", 'guest': 'web'"
#define HERE  WEB ", 'state-directory': '/run/exomem', 'boot-id': 'now', 'state-id': "

static ExmClaim *claim_of(const char *members)
{
	g_autofree char *text = g_strdup_printf("{%s}", members);
	g_autoptr(ExmJson) json = facts_json(text);
	g_autoptr(GError) error = NULL;
	ExmClaim *claim = exm_claim_from_json(json, &error);

	assert_no_error(error);
	return claim;
}

/* Whose a claim is, asked by guest 'web' of /run/exomem, whose marker has the id "a", in boot "now". */
static const struct {
	const char *claim;
	bool own;
} owners[] = {
	{ HERE "'a'", true },
	{ HERE "'b'", false },
	{ CLAIM, false },
	{ CLAIM ", 'guest': 'db', 'state-id': 'a'", false },
	/* Another directory, whatever happened to the host. */
	{ WEB ", 'state-directory': '/srv', 'state-id': 'b', 'boot-id': 'then'", false },
	/* The same one, under another path. */
	{ WEB ", 'state-directory': '/srv', 'state-id': 'a', 'boot-id': 'then'", true },
	/* The one before a restart. */
	{ WEB ", 'state-directory': '/run/exomem', 'state-id': 'b', 'boot-id': 'then'", true },
	/* Of before state directories were remembered. */
	{ WEB, true },
	{ HERE "'b', 'template': '/t'", true },
	{ HERE "'b', 'template': '/u'", false },
};

START_TEST(a_guest_is_its_name_and_its_state_directory)
{
	const ExmClaimant web = { "web", "/run/exomem", "a", "now", "/t" };
	g_autoptr(ExmClaim) claim = claim_of(owners[_i].claim);

	ck_assert(exm_claim_is_of(claim, &web) == owners[_i].own);
}
END_TEST

START_TEST(without_a_state_directory_nothing_is_of_this_boot)
{
	const ExmClaimant web = { "web", "/run/exomem", NULL, "now", NULL };
	g_autoptr(ExmClaim) claim = claim_of(HERE "'a'");

	ck_assert(!exm_claim_is_of(claim, &web));
}
END_TEST

/* What of a claim has to be the same for a decision to hold. */
static const struct {
	const char *one;
	const char *other;
	bool same;
} pairs[] = {
	{ WEB, WEB ", 'label': 'L', 'order': 3", true },
	{ WEB, CLAIM ", 'guest': 'db'", false },
	{ WEB, HERE "'a'", false },
	{ HERE "'a'", HERE "'b'", false },
	{ WEB, WEB ", 'start': 's'", false },
	{ CLAIM, CLAIM ", 'dirty': true", false },
};

START_TEST(a_decision_holds_for_the_same_claim)
{
	g_autoptr(ExmClaim) one = claim_of(pairs[_i].one);
	g_autoptr(ExmClaim) other = claim_of(pairs[_i].other);

	ck_assert(exm_claim_same(one, other) == pairs[_i].same);
	ck_assert(exm_claim_same(NULL, NULL));
	ck_assert(!exm_claim_same(one, NULL));
	ck_assert(!exm_claim_same(NULL, other));
}
END_TEST

START_TEST(clean_is_nobodys_and_scrubbed)
{
	g_autoptr(ExmClaim) clean = claim_of(CLAIM);
	g_autoptr(ExmClaim) dirty = claim_of(CLAIM ", 'dirty': true");
	g_autoptr(ExmClaim) ephemeral = claim_of(WEB ", 'ephemeral': true");
	g_autoptr(ExmClaim) web = claim_of(WEB);

	ck_assert(exm_claim_is_clean(clean) && !exm_claim_waits(clean));
	ck_assert(!exm_claim_is_clean(dirty) && exm_claim_waits(dirty));
	ck_assert(!exm_claim_is_clean(ephemeral) && exm_claim_waits(ephemeral));
	ck_assert(!exm_claim_is_clean(web) && !exm_claim_waits(web));
}
END_TEST

Suite *claim_suite(void)
{
	Suite *suite = suite_create("claim");
	TCase *tcase = tcase_create("claim");

	tcase_add_loop_test(tcase, a_guest_is_its_name_and_its_state_directory, 0,
	                    G_N_ELEMENTS(owners));
	tcase_add_test(tcase, without_a_state_directory_nothing_is_of_this_boot);
	tcase_add_loop_test(tcase, a_decision_holds_for_the_same_claim, 0, G_N_ELEMENTS(pairs));
	tcase_add_test(tcase, clean_is_nobodys_and_scrubbed);
	suite_add_tcase(suite, tcase);
	return suite;
}
