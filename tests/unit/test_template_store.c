/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_template_store.c - lib/host/template_store.c: a template's place is given to one only */

#include "host/template_store.h"

#include <glib/gstdio.h>

#include "suite.h"

static char *folder;
static char *place;

static void make_folder(void)
{
	folder = g_dir_make_tmp("exomem-unit-XXXXXX", NULL);
	ck_assert_ptr_nonnull(folder);
	place = g_build_filename(folder, "web", NULL);
}

static void remove_folder(void)
{
	exm_template_store_abandon(place);
	ck_assert_int_eq(g_rmdir(folder), 0);
	g_clear_pointer(&place, g_free);
	g_clear_pointer(&folder, g_free);
}

/* Puts a template together whose devices are this text. */
static char *begin(const char *name, const char *text)
{
	g_autoptr(GError) error = NULL;
	char *temporary = g_build_filename(folder, name, NULL);
	g_autofree char *devices = g_build_filename(temporary, "devices", NULL);

	ck_assert(exm_template_store_begin(temporary, &error));
	assert_no_error(error);
	ck_assert(g_file_set_contents(devices, text, -1, NULL));
	return temporary;
}

START_TEST(first_has_the_place)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *first = begin(".web.1", "first");
	g_autofree char *second = begin(".web.2", "second");
	g_autofree char *devices = g_build_filename(place, "devices", NULL);
	g_autofree char *text = NULL;

	ck_assert(exm_template_store_commit(first, place, &error));
	assert_no_error(error);
	ck_assert(!exm_template_store_commit(second, place, &error));
	assert_error(error, EXM_ERROR_STATE, "web' has just been made by somebody else");
	ck_assert(g_file_get_contents(devices, &text, NULL, NULL));
	ck_assert_str_eq(text, "first");
	exm_template_store_abandon(second);
}
END_TEST

START_TEST(file_is_not_replaced)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *temporary = begin(".web.1", "first");

	ck_assert(g_file_set_contents(place, "a file", -1, NULL));
	ck_assert(!exm_template_store_commit(temporary, place, &error));
	assert_error(error, EXM_ERROR_STATE, "has just been made by somebody else");
	ck_assert_int_eq(g_unlink(place), 0);
	exm_template_store_abandon(temporary);
}
END_TEST

START_TEST(what_others_made_stays)
{
	g_autofree char *temporary = begin(".web.1", "first");
	g_autofree char *notes = g_build_filename(temporary, "notes", NULL);
	g_autofree char *devices = g_build_filename(temporary, "devices", NULL);

	ck_assert(g_file_set_contents(notes, "mine", -1, NULL));
	exm_template_store_abandon(temporary);
	ck_assert(g_file_test(notes, G_FILE_TEST_EXISTS));
	ck_assert(!g_file_test(devices, G_FILE_TEST_EXISTS));
	ck_assert_int_eq(g_unlink(notes), 0);
	exm_template_store_abandon(temporary);
}
END_TEST

/** template_store_suite() - Tests of lib/host/template_store.c */
Suite *template_store_suite(void)
{
	Suite *suite = suite_create("template_store");
	TCase *tests = tcase_create("template_store");

	tcase_add_checked_fixture(tests, make_folder, remove_folder);
	tcase_add_test(tests, first_has_the_place);
	tcase_add_test(tests, file_is_not_replaced);
	tcase_add_test(tests, what_others_made_stays);
	suite_add_tcase(suite, tests);
	return suite;
}
