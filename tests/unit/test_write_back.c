/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_write_back.c - lib/host/write_back.c; what a failing disk says is in integration/write_back.bats */

#include "host/write_back.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "suite.h"

static char *path;
static int file = -1;

/* This process stands for the guest. */
static void make_file(void)
{
	file = g_file_open_tmp("exomem-unit-XXXXXX", &path, NULL);
	ck_assert_int_ge(file, 0);
}

static void remove_file(void)
{
	exm_fd_clear(&file);
	g_unlink(path);
	g_clear_pointer(&path, g_free);
}

static ExmWriteBack *open_file(int process, const char *name)
{
	g_autoptr(GError) error = NULL;
	ExmWriteBack *opened = exm_write_back_open(getpid(), process, name, &error);

	assert_no_error(error);
	ck_assert_ptr_nonnull(opened);
	return opened;
}

static void assert_all_good(const ExmWriteBack *opened)
{
	g_autoptr(GError) error = NULL;

	ck_assert(exm_write_back_settle(opened, &error));
	ck_assert(exm_write_back_check(opened, &error));
	ck_assert(exm_write_back_sync(opened, &error));
	assert_no_error(error);
}

START_TEST(opened_as_the_guest_has_it)
{
	exm_autofd int process = pidfd_open(getpid(), 0);
	g_autoptr(ExmWriteBack) opened = open_file(process, path);

	assert_all_good(opened);
}
END_TEST

START_TEST(opened_anew)
{
	g_autoptr(ExmWriteBack) opened = open_file(-1, path);

	assert_all_good(opened);
	exm_write_back_free(NULL);
}
END_TEST

START_TEST(not_there)
{
	g_autoptr(GError) error = NULL;

	ck_assert_ptr_null(exm_write_back_open(getpid(), -1, "/nowhere/ram", &error));
	assert_error(error, EXM_ERROR_SYSTEM, "cannot open '/nowhere/ram': No such file");
}
END_TEST

static bool (*const acts[])(const ExmWriteBack *, GError **) = {
	exm_write_back_settle,
	exm_write_back_check,
	exm_write_back_sync,
};

START_TEST(what_fails_is_reported)
{
	g_autoptr(ExmWriteBack) opened = open_file(-1, "/dev/null");
	g_autoptr(GError) error = NULL;

	ck_assert(!acts[_i](opened, &error));
	assert_error(error, EXM_ERROR_SYSTEM, "cannot sync '/dev/null'");
}
END_TEST

/** write_back_suite() - Tests of lib/host/write_back.c */
Suite *write_back_suite(void)
{
	Suite *suite = suite_create("write_back");
	TCase *tests = tcase_create("write_back");

	tcase_add_checked_fixture(tests, make_file, remove_file);
	tcase_add_test(tests, opened_as_the_guest_has_it);
	tcase_add_test(tests, opened_anew);
	tcase_add_test(tests, not_there);
	tcase_add_loop_test(tests, what_fails_is_reported, 0, G_N_ELEMENTS(acts));
	suite_add_tcase(suite, tests);
	return suite;
}
