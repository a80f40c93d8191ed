/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_directory.c - lib/host/directory.c, and those who must not take what they cannot read for empty */

#include "host/directory.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "host/commitments.h"
#include "host/config_file.h"
#include "host/frozen.h"
#include "suite.h"

START_TEST(names_of_what_is_there)
{
	g_autofree char *folder = g_dir_make_tmp("exomem-unit-XXXXXX", NULL);
	g_autofree char *inner = g_build_filename(folder, ".inner", NULL);
	g_auto(GStrv) none = exm_directory_names(folder, NULL);
	g_auto(GStrv) one = NULL;
	g_auto(GStrv) no_directory = exm_directory_names("/proc/self/status", NULL);
	g_auto(GStrv) missing = NULL;

	ck_assert_uint_eq(g_strv_length(none), 0);
	ck_assert_int_eq(g_mkdir(inner, 0700), 0);
	one = exm_directory_names(folder, NULL);
	ck_assert_uint_eq(g_strv_length(one), 1);
	ck_assert_str_eq(one[0], ".inner");
	g_rmdir(inner), g_rmdir(folder);
	missing = exm_directory_names(folder, NULL);
	ck_assert_uint_eq(g_strv_length(missing), 0);
	ck_assert_uint_eq(g_strv_length(no_directory), 0);
}
END_TEST

static bool read_names(GError **error)
{
	g_auto(GStrv) names = exm_directory_names("/proc/self", error);

	return names;
}

static bool read_drop_ins(GError **error)
{
	g_autoptr(GPtrArray) entries = g_ptr_array_new();

	return exm_config_file_read_all("/nonexistent/exomem.conf", entries, error);
}

static bool read_commitments(GError **error)
{
	const ExmCommitmentPlaces places = { "/nonexistent", "/proc/self" };
	g_autoptr(ExmCapacityFacts) facts = exm_capacity_facts_new();

	return exm_commitments_read(&places, NULL, facts, error);
}

static bool get_locks(GError **error)
{
	g_autoptr(GArray) locks = exm_frozen_locks(getpid(), -1, "/proc/self/status", error);

	return locks;
}

/* What finds nothing, and must say so where it cannot look. */
static bool (*const readers[])(GError **error) = {
	read_names,
	read_drop_ins,
	read_commitments,
	get_locks,
};

START_TEST(what_cannot_be_read_is_not_empty)
{
	bool (*const reader)(GError * *error) = readers[_i];
	g_autoptr(GError) good = NULL;
	g_autoptr(GError) error = NULL;
	struct rlimit old, none;
	bool known;

	ck_assert(reader(&good));
	assert_no_error(good);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
	none = (struct rlimit){ 0, old.rlim_max };
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	known = reader(&error);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
	ck_assert(!known);
	ck_assert_ptr_nonnull(error);
	ck_assert_msg(strstr(error->message, "Too many open files"), "%s", error->message);
}
END_TEST

/** directory_suite() - Tests of lib/host/directory.c */
Suite *directory_suite(void)
{
	Suite *suite = suite_create("directory");
	TCase *tests = tcase_create("directory");

	tcase_add_test(tests, names_of_what_is_there);
	tcase_add_loop_test(tests, what_cannot_be_read_is_not_empty, 0, G_N_ELEMENTS(readers));
	suite_add_tcase(suite, tests);
	return suite;
}
