/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_checksum.c - lib/host/checksum.c and lib/host/extent.c */

#include "host/checksum.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/size.h"
#include "host/extent.h"
#include "suite.h"

static int fd;
static char *path;

static void make_file(void)
{
	fd = memfd_create("memory", MFD_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	path = g_strdup_printf("/proc/self/fd/%d", fd);
}

static void remove_file(void)
{
	exm_fd_clear(&fd);
	g_clear_pointer(&path, g_free);
}

static void put(const char *text, off_t at)
{
	ck_assert_int_eq(pwrite(fd, text, strlen(text), at), strlen(text));
}

static void assert_sum(const char *wanted)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *sum = exm_checksum_file(path, NULL, NULL, &error);

	assert_no_error(error);
	ck_assert_str_eq(sum, wanted);
}

/* FIPS 180-2, appendix B.1 */
START_TEST(sum_of_the_standard)
{
	put("abc", 0);
	assert_sum("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}
END_TEST

START_TEST(sum_of_nothing)
{
	assert_sum("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}
END_TEST

static char *sum_of_sha256sum(void)
{
	g_autofree char *line = g_strdup_printf("sha256sum %s", path);
	g_auto(GStrv) argv = g_strsplit(line, " ", -1);
	g_autofree char *output = NULL;
	int status = -1;

	ck_assert(g_spawn_sync(NULL, argv, NULL, G_SPAWN_SEARCH_PATH | G_SPAWN_LEAVE_DESCRIPTORS_OPEN,
	                       NULL, NULL, &output, NULL, &status, NULL));
	ck_assert_int_eq(status, 0);
	output[64] = '\0';
	return g_steal_pointer(&output);
}

/* Where data is, in a file of this size: at its start, in its middle, at its end. */
static const struct {
	off_t size;
	off_t data[3];
} sparse[] = {
	{ 5 * (off_t)EXM_MIB, { 0, 3 * (off_t)EXM_MIB - 2, 5 * (off_t)EXM_MIB - 4 } },
	{ 5 * (off_t)EXM_MIB, { 2 * (off_t)EXM_MIB, 2 * (off_t)EXM_MIB, 2 * (off_t)EXM_MIB } },
	{ 3 * (off_t)EXM_MIB + 5, { 0, 1, 3 * (off_t)EXM_MIB + 1 } },
};

START_TEST(sum_of_a_sparse_file)
{
	g_autofree char *wanted = NULL;

	ck_assert_int_eq(fcntl(fd, F_SETFD, 0), 0);
	ck_assert_int_eq(ftruncate(fd, sparse[_i].size), 0);
	for (size_t i = 0; i < G_N_ELEMENTS(sparse[_i].data); i++)
		put("data", sparse[_i].data[i]);
	wanted = sum_of_sha256sum();
	assert_sum(wanted);
}
END_TEST

START_TEST(sum_of_a_hole_alone)
{
	ck_assert_int_eq(ftruncate(fd, EXM_MIB), 0);
	assert_sum("30e14955ebf1352266dc2ff8067e68104607e750abb9d3b36582b8af909fcb58");
}
END_TEST

static void note_progress(uint64_t done, uint64_t all, void *user)
{
	uint64_t *last = user;

	ck_assert_uint_gt(done, *last);
	ck_assert_uint_eq(all, 3 * EXM_MIB);
	*last = done;
}

START_TEST(progress_goes_up_to_the_end)
{
	g_autofree char *sum = NULL;
	uint64_t last = 0;

	ck_assert_int_eq(ftruncate(fd, 3 * EXM_MIB), 0);
	put("data", EXM_MIB);
	sum = exm_checksum_file(path, note_progress, &last, NULL);
	ck_assert_ptr_nonnull(sum);
	ck_assert_uint_eq(last, 3 * EXM_MIB);
}
END_TEST

static void shrink_file(uint64_t done, uint64_t all, void *user)
{
	(void)done;
	(void)all;
	ck_assert_int_eq(ftruncate(fd, 0), 0);
	*(bool *)user = true;
}

START_TEST(file_that_shrinks)
{
	g_autofree char *text = g_strnfill(2 * EXM_MIB, 'x');
	g_autoptr(GError) error = NULL;
	bool shrunk = false;

	put(text, 0);
	ck_assert_ptr_null(exm_checksum_file(path, shrink_file, &shrunk, &error));
	ck_assert(shrunk);
	assert_error(error, EXM_ERROR_STATE, "has just changed: try again");
}
END_TEST

START_TEST(no_file)
{
	g_autoptr(GError) error = NULL;

	ck_assert_ptr_null(exm_checksum_file("/nowhere/mem", NULL, NULL, &error));
	assert_error(error, EXM_ERROR_SYSTEM, "open '/nowhere/mem': No such file");
}
END_TEST

START_TEST(directory)
{
	g_autoptr(GError) error = NULL;

	ck_assert_ptr_null(exm_checksum_file("/", NULL, NULL, &error));
	assert_error(error, EXM_ERROR_SYSTEM, "'/': Is a directory");
}
END_TEST

START_TEST(extents_of_a_sparse_file)
{
	const uint64_t size = 3 * EXM_MIB;
	ExmExtent extent;

	ck_assert_int_eq(ftruncate(fd, (off_t)size), 0);
	put("data", EXM_MIB);
	ck_assert(exm_extent_find(fd, 0, size, &extent, NULL));
	ck_assert_uint_eq(extent.start, EXM_MIB);
	ck_assert_uint_gt(extent.end, EXM_MIB);
	ck_assert_uint_lt(extent.end, size);
	ck_assert(exm_extent_find(fd, extent.end, size, &extent, NULL));
	ck_assert_uint_eq(extent.start, size);
	ck_assert_uint_eq(extent.end, size);
	ck_assert(exm_extent_find(fd, 0, EXM_MIB / 2, &extent, NULL));
	ck_assert_uint_eq(extent.start, EXM_MIB / 2);
}
END_TEST

START_TEST(extents_of_a_pipe)
{
	g_autoptr(GError) error = NULL;
	ExmExtent extent = { 1, 2 };
	int ends[2];

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	ck_assert(!exm_extent_find(ends[0], 0, 1, &extent, &error));
	assert_error(error, EXM_ERROR_SYSTEM, "Illegal seek");
	ck_assert_uint_eq(extent.start, 1);
	exm_fd_clear(&ends[0]);
	exm_fd_clear(&ends[1]);
}
END_TEST

/** checksum_suite() - Tests of lib/host/checksum.c and lib/host/extent.c */
Suite *checksum_suite(void)
{
	Suite *suite = suite_create("checksum");
	TCase *tests = tcase_create("checksum");

	tcase_add_checked_fixture(tests, make_file, remove_file);
	tcase_add_test(tests, sum_of_the_standard);
	tcase_add_test(tests, sum_of_nothing);
	tcase_add_loop_test(tests, sum_of_a_sparse_file, 0, G_N_ELEMENTS(sparse));
	tcase_add_test(tests, sum_of_a_hole_alone);
	tcase_add_test(tests, progress_goes_up_to_the_end);
	tcase_add_test(tests, file_that_shrinks);
	tcase_add_test(tests, no_file);
	tcase_add_test(tests, directory);
	tcase_add_test(tests, extents_of_a_sparse_file);
	tcase_add_test(tests, extents_of_a_pipe);
	suite_add_tcase(suite, tests);
	return suite;
}
