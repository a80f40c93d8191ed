/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_strip.c - lib/plan/strip.c */

#include "plan/strip.h"

#include <string.h>

#include "base/size.h"
#include "suite.h"

START_TEST(one_copied_page_shows_in_the_text)
{
	ExmStripCell cells[EXM_STRIP_CELLS] = { 0 };
	g_autofree char *text = NULL;

	cells[0] = (ExmStripCell){ 64, 63, 1 };
	cells[1] = (ExmStripCell){ 64, 1, 0 };
	text = exm_strip_to_text(cells, 64 * EXM_MIB, false);
	ck_assert(g_str_has_prefix(text, "         0  \u2588\u2592\u2591"));
	ck_assert_ptr_nonnull(strstr(text, "\n   3000000  \u2591"));
	ck_assert_ptr_null(strchr(text, '\033'));
}
END_TEST

START_TEST(colours_are_escapes)
{
	const ExmStripCell cells[EXM_STRIP_CELLS] = { { 1, 0, 1 } };
	g_autofree char *text = exm_strip_to_text(cells, 64 * EXM_MIB, true);

	ck_assert_ptr_nonnull(strstr(text, "\033[31m\u2588\033[0m"));
}
END_TEST

START_TEST(a_column_of_the_picture_is_filled_in_parts)
{
	const ExmStripCell cells[EXM_STRIP_CELLS] = { { 4, 2, 1 } };
	g_autofree char *svg = exm_strip_to_svg(cells, "a<b", 64 * EXM_MIB);

	ck_assert_ptr_nonnull(strstr(svg, "y=\"36\" width=\"3\" height=\"12\" fill=\"#c0504d\""));
	ck_assert_ptr_nonnull(strstr(svg, "y=\"12\" width=\"3\" height=\"24\" fill=\"#4c9a5f\""));
	ck_assert_ptr_nonnull(strstr(svg, "a&lt;b, 64 MiB:"));
}
END_TEST

Suite *strip_suite(void)
{
	Suite *suite = suite_create("strip");
	TCase *tcase = tcase_create("strip");

	tcase_add_test(tcase, one_copied_page_shows_in_the_text);
	tcase_add_test(tcase, colours_are_escapes);
	tcase_add_test(tcase, a_column_of_the_picture_is_filled_in_parts);
	suite_add_tcase(suite, tcase);
	return suite;
}
