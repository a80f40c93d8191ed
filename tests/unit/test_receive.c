/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_receive.c - lib/plan/receive.c */

#include "plan/receive.h"

#include "facts.h"
#include "suite.h"

#define UUID "'uuid': '8d3c2b9e-5b1f-4a1e-9d3c-0123456789ab'"

#define BLOCK(id, path)                                                               \
	"{'id': '" id "', 'offset': 0, 'size': 4096, 'path': '" path "', 'inode': 7," \
	" 'mtime': 8, 'allocated': 0}"

static const struct {
	const char *changes;
	const char *reason;
} wrong[] = {
	{ "{}", "no guest" },
	{ "{'uuid': 'U'}", "'U' is not the UUID" },
	{ "{" UUID ", 'generation-id': 'G'}", "'G' not a generation ID" },
	{ "{" UUID ", 'index': 4294967296}", "4294967296 is not the index" },
	{ "{" UUID ", 'qemu-version': 'x'}", "'x' is not the version of a QEMU" },
	{ "{" UUID ", 'working-directory': 'srv'}", "the working directory 'srv' is not" },
	{ "{" UUID ", 'memory': [" BLOCK("a", "/mem/../a") "]}", "memory file '/mem/../a' is not" },
	{ "{" UUID ", 'memory': [" BLOCK("a", "/a") ", " BLOCK("a", "/b") "]}", "'a' is there twice" },
};

START_TEST(what_no_guest_is)
{
	g_autoptr(ExmTemplate) handover = facts_template(wrong[_i].changes);
	g_autoptr(GError) error = NULL;

	ck_assert(!exm_receive_check_form(handover, &error));
	assert_error(error, EXM_ERROR_STATE, wrong[_i].reason);
}
END_TEST

#define GUEST UUID ", 'memory': [" BLOCK("a", "/a") "]"

static const char *const others[] = {
	"{" GUEST ", 'name': 'db'}",
	"{'uuid': '00000000-0000-4000-8000-000000000000', 'memory': [" BLOCK("a", "/a") "]}",
	"{" GUEST ", 'command': ['-M', 'q35', '-m', '512', '-mem-path', '/mem', '-hda', 'b.img']}",
	"{" GUEST ", 'ram-size': 1}",
	"{" UUID ", 'memory': [" BLOCK("a", "/b") "]}",
	"{" UUID ", 'memory': [" BLOCK("b", "/a") "]}",
	"{" UUID ", 'memory': [" BLOCK("a", "/a") ", " BLOCK("b", "/b") "]}",
};

START_TEST(another_guest_than_was_checked)
{
	g_autoptr(ExmTemplate) checked = facts_template("{" GUEST "}");
	g_autoptr(ExmTemplate) other = facts_template(others[_i]);
	g_autoptr(GError) error = NULL;

	ck_assert(exm_receive_check_form(checked, &error));
	ck_assert(exm_receive_check_same(checked, checked, &error));
	assert_no_error(error);
	ck_assert(!exm_receive_check_same(checked, other, &error));
	assert_error(error, EXM_ERROR_STATE, "is another guest than 'web', which was checked");
}
END_TEST

Suite *receive_suite(void)
{
	Suite *suite = suite_create("receive");
	TCase *tests = tcase_create("receive");

	tcase_add_loop_test(tests, what_no_guest_is, 0, G_N_ELEMENTS(wrong));
	tcase_add_loop_test(tests, another_guest_than_was_checked, 0, G_N_ELEMENTS(others));
	suite_add_tcase(suite, tests);
	return suite;
}
