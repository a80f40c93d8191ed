/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_size.c - lib/base/size.c */

#include "base/size.h"

#include "suite.h"

#define SENTINEL UINT64_C(0x5e5e5e5e5e5e5e5e)
#define EXM_PIB  (UINT64_C(1) << 50)
#define EXM_EIB  (UINT64_C(1) << 60)

static const struct {
	const char *text;
	uint64_t unit;
	uint64_t bytes;
} good[] = {
	{ "1", 1, 1 },
	{ "4097", 1, 4097 },
	{ "0099", 1, 99 },
	{ "12345B", 1, 12345 },
	{ "12345b", 1, 12345 },
	{ "3k", 1, 3 * EXM_KIB },
	{ "3K", 1, 3 * EXM_KIB },
	{ "1536m", 1, 1536 * EXM_MIB },
	{ "8g", 1, 8 * EXM_GIB },
	{ "8G", 1, 8 * EXM_GIB },
	{ "2t", 1, 2 * EXM_TIB },
	{ "2T", 1, 2 * EXM_TIB },
	{ "1p", 1, EXM_PIB },
	{ "3P", 1, 3 * EXM_PIB },
	{ "1e", 1, EXM_EIB },
	{ "15E", 1, 15 * EXM_EIB },
	/* A unit counts only where there is no suffix. */
	{ "512", EXM_MIB, 512 * EXM_MIB },
	{ "512B", EXM_MIB, 512 },
	{ "4G", EXM_MIB, 4 * EXM_GIB },
	/* Fractions: those of QEMU's test-cutils.c, then those that doubles get wrong. */
	{ "0.5E", 1, EXM_EIB / 2 },
	{ "1.5M", 1, EXM_MIB * 3 / 2 },
	{ "1.5", EXM_MIB, EXM_MIB * 3 / 2 },
	{ "1.k", 1, EXM_KIB },
	{ "1.", 1, 1 },
	{ "7.0", 1, 7 },
	{ "7.000B", 1, 7 },
	{ "0.00048828125K", 1, 1 },
	{ "1.00048828124K", 1, 1024 },
	{ "1.00048828125K", 1, 1025 },
	{ "12.345M", 1, 12944671 },
	{ "0.000000000931322574615478515625G", 1, 1 },
	{ "0.1E", 1, UINT64_C(115292150460684698) },
	{ "15.999999999999999999E", 1, UINT64_MAX },
	{ "1.0000000000000000000000000000000000000000000000000000000000000001G", 1, EXM_GIB },
	/* Hex has no suffix: B and E are digits there. */
	{ "0x10", 1, 16 },
	{ "0XfF", 1, 255 },
	{ "0x1B", 1, 27 },
	{ "0x1e", 1, 30 },
	{ "0x100", EXM_MIB, 256 * EXM_MIB },
	{ "0xffffffffffffffff", 1, UINT64_MAX },
	/* The last byte counts that fit. */
	{ "18446744073709551615", 1, UINT64_MAX },
	{ "00000000000000000000000018446744073709551615", 1, UINT64_MAX },
	{ "17592186044415", EXM_MIB, UINT64_MAX - EXM_MIB + 1 },
	{ "16777215T", 1, UINT64_MAX - EXM_TIB + 1 },
};

START_TEST(parse_reads_good)
{
	g_autoptr(GError) error = NULL;
	uint64_t bytes = SENTINEL;

	ck_assert(exm_size_parse(good[_i].text, good[_i].unit, &bytes, &error));
	assert_no_error(error);
	ck_assert_msg(bytes == good[_i].bytes, "'%s' gave %" G_GUINT64_FORMAT, good[_i].text, bytes);
}
END_TEST

static const struct {
	const char *text;
	uint64_t unit;
	const char *part;
} bad[] = {
	{ "", 1, "'' is not a size (write it like 512M or 8G)" },
	{ "8x", 1, "'8x' is not a size (write it like 512M or 8G)" },
	{ "M", 1, "not a size" },
	{ "-1", 1, "not a size" },
	{ "+1", 1, "not a size" },
	{ " 1", 1, "not a size" },
	{ "1 ", 1, "not a size" },
	{ "1 G", 1, "not a size" },
	{ "1gb", 1, "not a size" },
	{ "1GiB", 1, "not a size" },
	{ "1KK", 1, "not a size" },
	{ "1e3", 1, "not a size" },
	{ "1.5e3K", 1, "not a size" },
	{ ".5G", 1, "not a size" },
	{ ".", 1, "not a size" },
	{ "1.2.3G", 1, "not a size" },
	{ "1,5G", 1, "not a size" },
	{ "1G,", 1, "not a size" },
	{ "inf", 1, "not a size" },
	{ "nan", 1, "not a size" },
	{ "0x", 1, "not a size" },
	{ "0xg", 1, "not a size" },
	{ "0x10.8", 1, "not a size" },
	{ "0x1p3", 1, "not a size" },
	{ "0x10G", 1, "not a size" },
	{ "1x10", 1, "not a size" },
	{ "\xc2\xb2G", 1, "not a size" },
	{ "1.5", 1, "'1.5' is not a whole number of bytes" },
	{ "1.5B", EXM_MIB, "'1.5B' is not a whole number of bytes" },
	/* 17179869185 * 2^40 is 1 TiB more than 2^74: 1 TiB, if it wrapped. */
	{ "17179869185T", 1, "'17179869185T' is too large for a size" },
	{ "16E", 1, "too large" },
	{ "15.9999999999999999999999999999E", 1, "too large" },
	{ "16777216T", 1, "too large" },
	{ "17592186044416", EXM_MIB, "too large" },
	{ "18446744073709551616", 1, "too large" },
	{ "18446744073709551616B", 1, "too large" },
	{ "0x10000000000000000", 1, "too large" },
	{ "0x100000000000", EXM_MIB, "too large" },
	{ "999999999999999999999999999999999999999999999999999999E", 1, "too large" },
	{ "0", 1, "'0' must be more than zero" },
	{ "0G", 1, "must be more than zero" },
	{ "0.0", 1, "must be more than zero" },
	{ "0x0", EXM_MIB, "must be more than zero" },
	{ "0.00048828124K", 1, "must be more than zero" },
};

START_TEST(parse_refuses_bad)
{
	g_autoptr(GError) error = NULL;
	uint64_t bytes = SENTINEL;

	ck_assert_msg(!exm_size_parse(bad[_i].text, bad[_i].unit, &bytes, &error), "'%s' passed",
	              bad[_i].text);
	assert_error(error, EXM_ERROR_USAGE, bad[_i].part);
	ck_assert(bytes == SENTINEL);
}
END_TEST

static const struct {
	uint64_t bytes;
	const char *exact;
	const char *human;
} printed[] = {
	{ 0, "0", "0 bytes" },
	{ 1, "1", "1 byte" },
	{ 17, "17", "17 bytes" },
	{ 1023, "1023", "1023 bytes" },
	{ 1024, "1K", "1 KiB" },
	{ 4097, "4097", "4 KiB" },
	{ 12 * EXM_KIB, "12K", "12 KiB" },
	{ 1536 * EXM_MIB, "1536M", "1.5 GiB" },
	{ 347 * EXM_MIB, "347M", "347 MiB" },
	{ 347 * EXM_MIB + 512 * EXM_KIB, "355840K", "348 MiB" },
	{ 8 * EXM_GIB, "8G", "8 GiB" },
	{ EXM_GIB * 127 / 10, "13636521164", "12.7 GiB" },
	{ 99 * EXM_GIB + 973 * EXM_MIB, "102349M", "100 GiB" },
	{ EXM_MIB - 513, "1048063", "1023 KiB" },
	{ EXM_MIB - 512, "1048064", "1 MiB" },
	{ EXM_TIB - 1, "1099511627775", "1 TiB" },
	{ 3 * EXM_TIB, "3T", "3 TiB" },
	{ 5 * EXM_PIB, "5P", "5 PiB" },
	{ 15 * EXM_EIB, "15E", "15 EiB" },
	{ UINT64_MAX, "18446744073709551615", "16 EiB" },
};

START_TEST(print_is_exact)
{
	assert_text_and_free(exm_size_print(printed[_i].bytes), printed[_i].exact);
}
END_TEST

START_TEST(human_is_short)
{
	assert_text_and_free(exm_size_human(printed[_i].bytes), printed[_i].human);
}
END_TEST

static void assert_reads_back(uint64_t bytes)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *text = exm_size_print(bytes);
	uint64_t again = SENTINEL;

	ck_assert(exm_size_parse(text, 1, &again, &error));
	assert_no_error(error);
	ck_assert_msg(again == bytes, "'%s' read back as %" G_GUINT64_FORMAT, text, again);
}

START_TEST(parse_undoes_print_near_powers)
{
	for (unsigned int shift = 0; shift < 64; shift++) {
		const uint64_t power = UINT64_C(1) << shift;

		assert_reads_back(power);
		assert_reads_back(power + 1);
		assert_reads_back(power | power >> 1);
		assert_reads_back(power * 2 - 1);
	}
}
END_TEST

/* Every width, so that every suffix comes up; the seed makes a failure come again. */
START_TEST(parse_undoes_print_at_random)
{
	GRand *rand = g_rand_new_with_seed(20120419);

	for (unsigned int i = 0; i < 20000; i++) {
		const uint64_t high = g_rand_int(rand), low = g_rand_int(rand);
		const uint64_t bits = (high << 32 | low) >> g_rand_int_range(rand, 0, 64);

		assert_reads_back(bits | 1);
		assert_reads_back(((bits | 1) << g_rand_int_range(rand, 0, 63)) | UINT64_C(1) << 63);
	}
	g_rand_free(rand);
}
END_TEST

static const struct {
	uint64_t bytes;
	uint64_t align;
	uint64_t rounded;
} aligned[] = {
	{ 0, 4096, 0 },
	{ 1, 4096, 4096 },
	{ 4096, 4096, 4096 },
	{ 4097, 4096, 8192 },
	{ 5, 1, 5 },
	{ UINT64_MAX, 1, UINT64_MAX },
	{ EXM_GIB + 1, 2 * EXM_MIB, EXM_GIB + 2 * EXM_MIB },
	{ UINT64_MAX - 4095, 4096, UINT64_MAX - 4095 },
	{ UINT64_MAX - 8190, 4096, UINT64_MAX - 4095 },
	{ 1, UINT64_C(1) << 63, UINT64_C(1) << 63 },
};

START_TEST(align_up_rounds_up)
{
	uint64_t bytes = SENTINEL;

	ck_assert(exm_size_align_up(aligned[_i].bytes, aligned[_i].align, &bytes));
	ck_assert_uint_eq(bytes, aligned[_i].rounded);
}
END_TEST

START_TEST(align_up_refuses_overflow)
{
	uint64_t bytes = SENTINEL;

	ck_assert(!exm_size_align_up(UINT64_MAX, 2, &bytes));
	ck_assert(!exm_size_align_up(UINT64_MAX - 4094, 4096, &bytes));
	ck_assert(!exm_size_align_up((UINT64_C(1) << 63) + 1, UINT64_C(1) << 63, &bytes));
	ck_assert(bytes == SENTINEL);
}
END_TEST

/** size_suite() - Tests of lib/base/size.c */
Suite *size_suite(void)
{
	Suite *suite = suite_create("size");
	TCase *tests = tcase_create("size");

	tcase_add_loop_test(tests, parse_reads_good, 0, G_N_ELEMENTS(good));
	tcase_add_loop_test(tests, parse_refuses_bad, 0, G_N_ELEMENTS(bad));
	tcase_add_loop_test(tests, print_is_exact, 0, G_N_ELEMENTS(printed));
	tcase_add_loop_test(tests, human_is_short, 0, G_N_ELEMENTS(printed));
	tcase_add_test(tests, parse_undoes_print_near_powers);
	tcase_add_test(tests, parse_undoes_print_at_random);
	tcase_add_loop_test(tests, align_up_rounds_up, 0, G_N_ELEMENTS(aligned));
	tcase_add_test(tests, align_up_refuses_overflow);
	suite_add_tcase(suite, tests);
	return suite;
}
