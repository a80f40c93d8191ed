/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_pressure.c - lib/host/pressure.c */

#include "host/pressure.h"

#include <glib/gstdio.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/size.h"
#include "suite.h"

static char *group;

static void begin(void)
{
	group = g_dir_make_tmp(NULL, NULL);
}

static void finish(void)
{
	static const char *const names[] = {
		"memory.max",
		"memory.current",
		"memory.stat",
		"memory.limit_in_bytes",
		"memory.usage_in_bytes",
		"memory.pressure",
	};

	for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
		g_autofree char *path = g_build_filename(group, names[i], NULL);

		g_unlink(path);
	}
	g_rmdir(group);
	g_clear_pointer(&group, g_free);
}

static void put(const char *name, const char *text)
{
	g_autofree char *path = g_build_filename(group, name, NULL);

	ck_assert(exm_file_write_atomic(path, text, strlen(text), 0600, NULL));
}

START_TEST(host_has_memory_and_some_is_available)
{
	ExmSample sample = { 0 };

	ck_assert(exm_pressure_read(NULL, &sample, NULL));
	ck_assert_uint_gt(sample.total, 0);
	ck_assert_uint_gt(sample.available, 0);
	ck_assert_uint_le(sample.available, sample.total);
}
END_TEST

START_TEST(second_version_counts_what_is_cached_and_unmapped)
{
	ExmSample sample = { 0 };

	put("memory.max", "16777216\n");
	put("memory.current", "12582912\n");
	put("memory.stat", "anon 1\nfile 6291456\nfile_mapped 2097152\nshmem 1048576\n");
	put("memory.pressure", "some avg10=12.34 avg60=0.00 avg300=0.00 total=1\n");
	ck_assert(exm_pressure_read(group, &sample, NULL));
	ck_assert_uint_eq(sample.total, 16 * EXM_MIB);
	ck_assert_uint_eq(sample.available, 7 * EXM_MIB);
	ck_assert(sample.has_pressure);
	ck_assert_uint_eq(sample.pressure, 1234);
}
END_TEST

START_TEST(first_version_counts_the_same)
{
	ExmSample sample = { 0 };

	put("memory.limit_in_bytes", "16777216\n");
	put("memory.usage_in_bytes", "12582912\n");
	put("memory.stat", "cache 0\ntotal_cache 6291456\ntotal_mapped_file 2097152\n"
	                   "total_shmem 1048576\n");
	ck_assert(exm_pressure_read(group, &sample, NULL));
	ck_assert_uint_eq(sample.total, 16 * EXM_MIB);
	ck_assert_uint_eq(sample.available, 7 * EXM_MIB);
}
END_TEST

START_TEST(no_limit_is_the_host)
{
	ExmSample host = { 0 };
	ExmSample sample = { 0 };

	put("memory.max", "max\n");
	put("memory.current", "4096\n");
	put("memory.stat", "file 0\n");
	ck_assert(exm_pressure_read(NULL, &host, NULL));
	ck_assert(exm_pressure_read(group, &sample, NULL));
	ck_assert_uint_eq(sample.total, host.total);
}
END_TEST

START_TEST(another_folder_is_refused)
{
	g_autoptr(GError) error = NULL;
	ExmSample sample = { 0 };

	ck_assert(!exm_pressure_read(group, &sample, &error));
	ck_assert_int_eq(error->code, EXM_ERROR_STATE);
}
END_TEST

START_TEST(process_is_read_and_a_gone_one_is_not)
{
	ExmGuestSample guest = { 0 };

	ck_assert(exm_process_read(getpid(), &guest));
	ck_assert_uint_gt(guest.resident, 0);
	ck_assert(!exm_process_read(0x7ffffff0, &guest));
}
END_TEST

Suite *pressure_suite(void)
{
	Suite *suite = suite_create("pressure");
	TCase *tests = tcase_create("pressure");

	tcase_add_checked_fixture(tests, begin, finish);
	tcase_add_test(tests, host_has_memory_and_some_is_available);
	tcase_add_test(tests, second_version_counts_what_is_cached_and_unmapped);
	tcase_add_test(tests, first_version_counts_the_same);
	tcase_add_test(tests, no_limit_is_the_host);
	tcase_add_test(tests, another_folder_is_refused);
	tcase_add_test(tests, process_is_read_and_a_gone_one_is_not);
	suite_add_tcase(suite, tests);
	return suite;
}
