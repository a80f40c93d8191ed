/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_size.c - A size that is read is printed and read again as the same; digits are themselves */

#include "base/size.h"

#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

#define SENTINEL UINT64_C(0x5e471e15e471e1)

static void check_printed(uint64_t bytes)
{
	g_autofree char *printed = exm_size_print(bytes);
	g_autofree char *human = exm_size_human(bytes);
	g_autoptr(GError) error = NULL;
	uint64_t again = 0;

	exm_size_parse(printed, 1, &again, &error);
	g_assert_no_error(error);
	g_assert_cmpuint(again, ==, bytes);
	g_assert_cmpint(g_ascii_isdigit(human[0]), !=, 0);
}

static void check_aligned(uint64_t bytes)
{
	uint64_t aligned = SENTINEL;

	if (exm_size_align_up(bytes, 2 * EXM_MIB, &aligned)) {
		g_assert_cmpuint(aligned % (2 * EXM_MIB), ==, 0);
		g_assert_cmpuint(aligned - bytes, <, 2 * EXM_MIB);
	} else {
		g_assert_cmpuint(aligned, ==, SENTINEL);
		g_assert_cmpuint(bytes, >, UINT64_MAX - 2 * EXM_MIB);
	}
}

/* An oracle for the plainest form, which also knows what is too large. */
static void check_digits(const char *text, uint64_t unit, bool accepted, uint64_t bytes)
{
	guint64 number;
	bool fits;

	if (strspn(text, "0123456789") != strlen(text))
		return;
	fits = g_ascii_string_to_unsigned(text, 10, 1, UINT64_MAX / unit, &number, NULL);
	g_assert_true(accepted == fits);
	if (fits)
		g_assert_cmpuint(bytes, ==, number * unit);
}

static void check(const char *text, uint64_t unit)
{
	g_autoptr(GError) error = NULL;
	uint64_t bytes = SENTINEL;
	const bool accepted = exm_size_parse(text, unit, &bytes, &error);

	check_digits(text, unit, accepted, bytes);
	if (!accepted) {
		assert_rejected(error);
		g_assert_cmpuint(bytes, ==, SENTINEL);
		return;
	}
	g_assert_no_error(error);
	g_assert_cmpuint(bytes, >, 0);
	check_printed(bytes);
	check_aligned(bytes);
}

/**
 * LLVMFuzzerTestOneInput() - Read a size, as a count of bytes and of MiB
 * @data: its text
 * @size: length of that
 *
 * Return: 0
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autofree char *text = input_text(data, size);

	check(text, 1);
	check(text, EXM_MIB);
	return 0;
}
