/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_scrub.c - lib/host/scrub.c and lib/host/claim_store.c */

#include "host/scrub.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "host/claim_store.h"
#include "suite.h"

#define UUID "24ffd5e4-2b39-4f28-88b3-d6dc1ec44863"

/* Pieces of 16 MiB in windows of 256 MiB: more than one of each, and a rest. */
#define SIZE ((UINT64_C(256) << 20) + (UINT64_C(18) << 20))

static int make_file(char **ret_path)
{
	return g_file_open_tmp("exomem-unit-XXXXXX", ret_path, NULL);
}

static bool count_calls(uint64_t done, void *user, G_GNUC_UNUSED GError **error)
{
	uint64_t *last = user;

	ck_assert_uint_gt(done, *last);
	*last = done;
	return true;
}

static bool stop_at_once(G_GNUC_UNUSED uint64_t done, G_GNUC_UNUSED void *user, GError **error)
{
	return exm_throw(error, EXM_ERROR_SYSTEM, "enough");
}

START_TEST(all_of_it_is_zero_afterwards)
{
	g_autofree char *path = NULL;
	const int fd = make_file(&path);
	const ExmScrub scrub = { fd, path, SIZE, 4096 };
	g_autoptr(GError) error = NULL;
	uint64_t last = 0;

	ck_assert_int_eq(ftruncate(fd, SIZE), 0);
	ck_assert_int_eq(pwrite(fd, "x", 1, 0), 1);
	ck_assert_int_eq(pwrite(fd, "x", 1, SIZE - 1), 1);
	ck_assert(!exm_scrub_verify(&scrub, count_calls, &last, &error));
	ck_assert_ptr_nonnull(strstr(error->message, "not zero after 0 bytes"));
	last = 0;
	ck_assert(exm_scrub_zero(&scrub, 0, count_calls, &last, NULL));
	ck_assert_uint_eq(last, SIZE);
	last = 0;
	ck_assert(exm_scrub_verify(&scrub, count_calls, &last, NULL));
	ck_assert_uint_eq(last, SIZE);
	close(fd);
	g_unlink(path);
}
END_TEST

START_TEST(goes_on_where_it_was_and_ends_when_told)
{
	g_autofree char *path = NULL;
	const int fd = make_file(&path);
	const ExmScrub scrub = { fd, path, 1 << 20, 4096 };
	g_autoptr(GError) error = NULL;
	uint64_t last = 0;
	char byte;

	ck_assert_int_eq(ftruncate(fd, 1 << 20), 0);
	ck_assert_int_eq(pwrite(fd, "xx", 2, 8191), 2);
	ck_assert(exm_scrub_zero(&scrub, 8192, count_calls, &last, NULL));
	ck_assert_int_eq(pread(fd, &byte, 1, 8191), 1);
	ck_assert_int_eq(byte, 'x');
	ck_assert_int_eq(pread(fd, &byte, 1, 8192), 1);
	ck_assert_int_eq(byte, 0);
	ck_assert(!exm_scrub_zero(&scrub, 0, stop_at_once, NULL, &error));
	ck_assert_str_eq(error->message, "enough");
	close(fd);
	g_unlink(path);
}
END_TEST

/* As a file that is shorter than its mapping, so is a page that the medium has lost: SIGBUS. */
START_TEST(a_page_that_is_lost_is_an_error)
{
	g_autofree char *path = NULL;
	const int fd = make_file(&path);
	const ExmScrub scrub = { fd, path, 1 << 20, 4096 };
	g_autoptr(GError) zeroing = NULL, looking = NULL;
	uint64_t last = 0;

	ck_assert_int_eq(ftruncate(fd, 1 << 19), 0);
	ck_assert(!exm_scrub_zero(&scrub, 0, count_calls, &last, &zeroing));
	ck_assert(g_error_matches(zeroing, EXM_ERROR, EXM_ERROR_SYSTEM));
	ck_assert_ptr_nonnull(strstr(zeroing->message, "at byte 524288: is the medium broken?"));
	ck_assert(!exm_scrub_verify(&scrub, count_calls, &last, &looking));
	ck_assert_ptr_nonnull(strstr(looking->message, "at byte 524288: is the medium broken?"));
	close(fd);
	g_unlink(path);
}
END_TEST

START_TEST(only_a_dax_device_is_opened_and_nothing_is_made)
{
	g_autofree char *path = NULL;
	const int fd = make_file(&path);
	g_autoptr(GError) error = NULL, missing = NULL;
	int opened;

	close(fd);
	ck_assert(!exm_scrub_open(path, &opened, &error));
	ck_assert(g_error_matches(error, EXM_ERROR, EXM_ERROR_STATE));
	g_unlink(path);
	ck_assert(!exm_scrub_open(path, &opened, &missing));
	ck_assert_int_ne(access(path, F_OK), 0);
}
END_TEST

START_TEST(every_byte_counts)
{
	g_autofree unsigned char *memory = g_malloc0(4096);

	ck_assert(exm_scrub_is_zero(memory, 4096));
	for (size_t i = 0; i < 4096; i++) {
		memory[i] = 1;
		ck_assert(!exm_scrub_is_zero(memory, 4096));
		memory[i] = 0;
	}
}
END_TEST

START_TEST(claims_there_and_back)
{
	g_autofree char *folder = g_dir_make_tmp("exomem-unit-XXXXXX", NULL);
	g_autofree char *directory = g_build_filename(folder, "a", "pmem", NULL);
	g_autofree char *parent = g_path_get_dirname(directory);
	g_autoptr(GPtrArray) claims = g_ptr_array_new();
	g_autoptr(ExmClaim) claim = exm_claim_new(), read = NULL;

	claim->uuid = g_strdup(UUID);
	claim->namespace = g_strdup("ns0");
	claim->guest = g_strdup("web");
	claim->size = 42;
	claim->ephemeral = true;
	ck_assert(exm_claim_store_read(directory, UUID, &read, NULL));
	ck_assert_ptr_null(read);
	ck_assert(exm_claim_store_read_all(directory, claims, NULL));
	ck_assert_uint_eq(claims->len, 0);
	ck_assert(exm_claim_store_write(directory, claim, NULL));
	ck_assert(exm_claim_store_read(directory, UUID, &read, NULL));
	ck_assert_str_eq(read->guest, "web");
	ck_assert_uint_eq(read->size, 42);
	ck_assert(read->ephemeral && !read->dirty);
	ck_assert(exm_claim_store_remove(directory, UUID, NULL));
	ck_assert(exm_claim_store_remove(directory, UUID, NULL));
	g_rmdir(directory), g_rmdir(parent), g_rmdir(folder);
}
END_TEST

START_TEST(what_a_killed_writer_left_goes_with_the_next)
{
	static const struct {
		const char *name;
		bool goes;
	} files[] = {
		{ UUID ".json.a1B2c3", true },     { UUID ".json.a1B2c", false },
		{ "somebody.json.a1B2c3", false }, { UUID ".json", false },
		{ UUID ".old.a1B2c3", false },
	};
	g_autofree char *directory = g_dir_make_tmp("exomem-unit-XXXXXX", NULL);
	g_autoptr(ExmClaim) claim = exm_claim_new();

	claim->uuid = g_strdup(UUID);
	claim->namespace = g_strdup("ns0");
	for (size_t i = 0; i < G_N_ELEMENTS(files); i++) {
		g_autofree char *path = g_build_filename(directory, files[i].name, NULL);

		ck_assert(g_file_set_contents(path, "", 0, NULL));
	}
	ck_assert(exm_claim_store_write(directory, claim, NULL));
	for (size_t i = 0; i < G_N_ELEMENTS(files); i++) {
		g_autofree char *path = g_build_filename(directory, files[i].name, NULL);

		ck_assert_msg((access(path, F_OK) < 0) == files[i].goes, "%s", files[i].name);
		unlink(path);
	}
	g_rmdir(directory);
}
END_TEST

START_TEST(claims_that_others_can_write_are_refused)
{
	g_autofree char *directory = g_dir_make_tmp("exomem-unit-XXXXXX", NULL);
	g_autofree char *path = g_build_filename(directory, UUID ".json", NULL);
	g_autofree char *fifo = g_build_filename(directory, "fifo.json", NULL);
	g_autoptr(ExmClaim) claim = exm_claim_new(), read = NULL;
	g_autoptr(GPtrArray) claims = g_ptr_array_new();
	g_autoptr(GError) file_error = NULL, fifo_error = NULL, error = NULL;

	claim->uuid = g_strdup(UUID);
	claim->namespace = g_strdup("ns0");
	ck_assert(exm_claim_store_write(directory, claim, NULL));
	ck_assert_int_eq(chmod(path, 0666), 0);
	ck_assert(!exm_claim_store_read(directory, UUID, &read, &file_error));
	unlink(path);
	ck_assert_int_eq(mkfifo(fifo, 0600), 0);
	ck_assert(!exm_claim_store_read_all(directory, claims, &fifo_error));
	unlink(fifo);
	ck_assert_int_eq(chmod(directory, 0777), 0);
	ck_assert(!exm_claim_store_write(directory, claim, &error));
	g_rmdir(directory);
	assert_error(file_error, EXM_ERROR_STATE, "others can write to '");
	assert_error(fifo_error, EXM_ERROR_STATE, "is not a regular file");
	assert_error(error, EXM_ERROR_STATE, "name another directory of claims");
}
END_TEST

/* Who does not hold the device's lock changes only what it knows. */
START_TEST(a_claim_is_replaced_only_where_it_is_what_was_expected)
{
	g_autofree char *directory = g_dir_make_tmp("exomem-unit-XXXXXX", NULL);
	g_autoptr(ExmClaim) seen = exm_claim_new(), other = exm_claim_new(), read = NULL;
	g_autoptr(GError) error = NULL;
	bool replaced;

	seen->uuid = g_strdup(UUID), other->uuid = g_strdup(UUID);
	seen->namespace = g_strdup("ns0"), other->namespace = g_strdup("ns0");
	seen->guest = g_strdup("web"), other->guest = g_strdup("db");
	ck_assert(exm_claim_store_replace(directory, seen, other, &replaced, &error));
	ck_assert(!replaced);
	ck_assert(exm_claim_store_write(directory, other, &error));
	ck_assert(exm_claim_store_replace(directory, seen, seen, &replaced, &error));
	ck_assert(!replaced);
	/* What a save has added meanwhile stays. */
	seen->template = g_strdup("/t");
	ck_assert(exm_claim_store_write(directory, seen, &error));
	ck_assert(exm_claim_store_replace(directory, seen, other, &replaced, &error));
	assert_no_error(error);
	ck_assert(replaced);
	ck_assert(exm_claim_store_read(directory, UUID, &read, &error));
	ck_assert_str_eq(read->guest, "db");
	ck_assert_str_eq(read->template, "/t");
	ck_assert(exm_claim_store_remove(directory, UUID, &error));
	g_rmdir(directory);
}
END_TEST

START_TEST(half_a_claim_is_no_claim)
{
	g_autofree char *folder = g_dir_make_tmp("exomem-unit-XXXXXX", NULL);
	g_autofree char *path = g_build_filename(folder, UUID ".json", NULL);
	g_autoptr(GPtrArray) claims = g_ptr_array_new();
	g_autoptr(GError) error = NULL;

	ck_assert(g_file_set_contents(path, "{\"schema\":2}", -1, NULL));
	ck_assert(!exm_claim_store_read_all(folder, claims, &error));
	ck_assert(g_error_matches(error, EXM_ERROR, EXM_ERROR_STATE));
	g_unlink(path), g_rmdir(folder);
}
END_TEST

Suite *scrub_suite(void)
{
	Suite *suite = suite_create("scrub");
	TCase *tcase = tcase_create("scrub");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, all_of_it_is_zero_afterwards);
	tcase_add_test(tcase, goes_on_where_it_was_and_ends_when_told);
	tcase_add_test(tcase, a_page_that_is_lost_is_an_error);
	tcase_add_test(tcase, only_a_dax_device_is_opened_and_nothing_is_made);
	tcase_add_test(tcase, every_byte_counts);
	tcase_add_test(tcase, claims_there_and_back);
	tcase_add_test(tcase, what_a_killed_writer_left_goes_with_the_next);
	tcase_add_test(tcase, half_a_claim_is_no_claim);
	tcase_add_test(tcase, claims_that_others_can_write_are_refused);
	tcase_add_test(tcase, a_claim_is_replaced_only_where_it_is_what_was_expected);
	suite_add_tcase(suite, tcase);
	return suite;
}
