/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_balloon.c - lib/plan/balloon.c */

#include "plan/balloon.h"

#include "base/size.h"
#include "suite.h"

static uint64_t target(const char *word)
{
	uint64_t bytes = 0;

	ck_assert(exm_balloon_target(word, 512 * EXM_MIB, EXM_GIB, &bytes, NULL));
	return bytes;
}

START_TEST(size_is_absolute_or_a_change)
{
	ck_assert_uint_eq(target("256"), 256 * EXM_MIB);
	ck_assert_uint_eq(target("1G"), EXM_GIB);
	ck_assert_uint_eq(target("+512M"), EXM_GIB);
	ck_assert_uint_eq(target("-64M"), 448 * EXM_MIB);
}
END_TEST

START_TEST(what_no_guest_can_have_is_refused)
{
	static const char *const words[] = {
		"", "+", "-", "0", "1025M", "+513M", "-512M", "-1G", "12X", "--64M", "16E", "+16E",
	};

	for (size_t i = 0; i < G_N_ELEMENTS(words); i++) {
		g_autoptr(GError) error = NULL;
		uint64_t bytes = 7;

		ck_assert_msg(!exm_balloon_target(words[i], 512 * EXM_MIB, EXM_GIB, &bytes, &error),
		              "%s", words[i]);
		ck_assert_int_eq(error->code, EXM_ERROR_USAGE);
		ck_assert_uint_eq(bytes, 7);
	}
}
END_TEST

START_TEST(device_is_found_by_its_type)
{
	g_autoptr(ExmJson) list = json_tokener_parse(
		"[{\"name\":\"net\",\"type\":\"child<virtio-net-pci>\"},"
		"{\"name\":\"device[2]\",\"type\":\"child<virtio-balloon-pci>\"}]");
	g_autoptr(ExmJson) none = json_tokener_parse("[]");
	g_autoptr(ExmJson) object = json_tokener_parse("{}");

	assert_text_and_free(exm_balloon_find(list, "/machine/peripheral-anon"),
	                     "/machine/peripheral-anon/device[2]");
	ck_assert_ptr_null(exm_balloon_find(none, "/machine"));
	ck_assert_ptr_null(exm_balloon_find(object, "/machine"));
}
END_TEST

static ExmGuestSample read_statistics(const char *text, uint64_t now)
{
	g_autoptr(ExmJson) answer = json_tokener_parse(text);
	ExmGuestSample guest = { 0 };

	exm_balloon_read_statistics(answer, now, &guest);
	return guest;
}

START_TEST(statistics_count_from_when_they_were_told)
{
	const ExmGuestSample guest = read_statistics(
		"{\"stats\":{\"stat-available-memory\":1000,\"stat-free-memory\":7},\"last-update\":50}",
		60);

	ck_assert(guest.statistics);
	ck_assert_uint_eq(guest.statistics_age, 10);
	ck_assert_uint_eq(guest.available, 1000);
}
END_TEST

START_TEST(old_kernels_tell_free_memory_only)
{
	const ExmGuestSample guest = read_statistics(
		"{\"stats\":{\"stat-available-memory\":18446744073709551615,\"stat-free-memory\":7},"
		"\"last-update\":70}",
		60);

	ck_assert(guest.statistics);
	ck_assert_uint_eq(guest.statistics_age, 0); /* clocks differ */
	ck_assert_uint_eq(guest.available, 7);
}
END_TEST

START_TEST(nothing_told_is_nothing_known)
{
	ck_assert(!read_statistics("{\"stats\":{},\"last-update\":0}", 60).statistics);
	ck_assert(!read_statistics("{\"stats\":{\"stat-free-memory\":18446744073709551615},"
	                           "\"last-update\":50}",
	                           60)
	                   .statistics);
	ck_assert(!read_statistics("{}", 60).statistics);
}
END_TEST

Suite *balloon_suite(void)
{
	Suite *suite = suite_create("balloon");
	TCase *tests = tcase_create("balloon");

	tcase_add_test(tests, size_is_absolute_or_a_change);
	tcase_add_test(tests, what_no_guest_can_have_is_refused);
	tcase_add_test(tests, device_is_found_by_its_type);
	tcase_add_test(tests, statistics_count_from_when_they_were_told);
	tcase_add_test(tests, old_kernels_tell_free_memory_only);
	tcase_add_test(tests, nothing_told_is_nothing_known);
	suite_add_tcase(suite, tests);
	return suite;
}
