/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_error.c - lib/base/error.c */

#include <errno.h>

#include "suite.h"

START_TEST(throw_sets_code_and_text)
{
	g_autoptr(GError) error = NULL;

	ck_assert(!exm_throw(&error, EXM_ERROR_STATE, "'%s' is taken by %d", "a", 7));
	assert_error(error, EXM_ERROR_STATE, "'a' is taken by 7");
	ck_assert_str_eq(error->message, "'a' is taken by 7");
}
END_TEST

START_TEST(throw_without_a_place_for_it)
{
	ck_assert(!exm_throw(NULL, EXM_ERROR_USAGE, "nobody listens"));
	ck_assert(!exm_throw_errno(NULL, EIO, "nobody listens"));
}
END_TEST

static const struct {
	int errnum;
	ExmErrorCode code;
} errno_codes[] = {
	{ ENOSPC, EXM_ERROR_NO_ROOM }, { EDQUOT, EXM_ERROR_NO_ROOM }, { ENOMEM, EXM_ERROR_NO_ROOM },
	{ ENOENT, EXM_ERROR_SYSTEM },  { EACCES, EXM_ERROR_SYSTEM },  { EFBIG, EXM_ERROR_SYSTEM },
};

START_TEST(throw_errno_sets_code_and_appends_reason)
{
	const int errnum = errno_codes[_i].errnum;
	g_autoptr(GError) error = NULL;
	g_autofree char *wanted = g_strdup_printf("open '/x': %s", g_strerror(errnum));

	ck_assert(!exm_throw_errno(&error, errnum, "open '%s'", "/x"));
	assert_error(error, errno_codes[_i].code, "open");
	ck_assert_str_eq(error->message, wanted);
}
END_TEST

/* The numbers are documented for users; they must not move with the enum. */
static const struct {
	ExmErrorCode code;
	int status;
} statuses[] = {
	{ EXM_ERROR_SYSTEM, 1 },  { EXM_ERROR_USAGE, 2 }, { EXM_ERROR_UNSUPPORTED, 3 },
	{ EXM_ERROR_NO_ROOM, 4 }, { EXM_ERROR_STATE, 5 },
};

START_TEST(exit_status_follows_code)
{
	g_autoptr(GError) error = NULL;

	exm_throw(&error, statuses[_i].code, "text");
	ck_assert_int_eq(exm_error_exit_status(error), statuses[_i].status);
}
END_TEST

START_TEST(exit_status_of_foreign_domain_is_1)
{
	g_autoptr(GError) error = g_error_new(G_OPTION_ERROR, 4, "text");

	ck_assert_int_eq(exm_error_exit_status(error), 1);
}
END_TEST

START_TEST(exit_status_of_no_error_is_0)
{
	ck_assert_int_eq(exm_error_exit_status(NULL), 0);
}
END_TEST

/** error_suite() - Tests of lib/base/error.c */
Suite *error_suite(void)
{
	Suite *suite = suite_create("error");
	TCase *tests = tcase_create("error");

	tcase_add_test(tests, throw_sets_code_and_text);
	tcase_add_test(tests, throw_without_a_place_for_it);
	tcase_add_loop_test(tests, throw_errno_sets_code_and_appends_reason, 0,
	                    G_N_ELEMENTS(errno_codes));
	tcase_add_loop_test(tests, exit_status_follows_code, 0, G_N_ELEMENTS(statuses));
	tcase_add_test(tests, exit_status_of_foreign_domain_is_1);
	tcase_add_test(tests, exit_status_of_no_error_is_0);
	suite_add_tcase(suite, tests);
	return suite;
}
