/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_trace.c - lib/base/trace.c */

#include "base/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <unistd.h>

#include "base/fd.h"
#include "suite.h"

/* While a test runs, stderr is this file. */
static int captured = -1;
static int real_stderr = -1;

static void capture_stderr(void)
{
	g_autofree char *name = g_strdup("/tmp/exomem-unit-XXXXXX");

	captured = g_mkstemp_full(name, O_RDWR | O_CLOEXEC, 0600);
	ck_assert_int_ge(captured, 0);
	ck_assert_int_eq(g_unlink(name), 0);
	real_stderr = dup(STDERR_FILENO);
	ck_assert_int_ge(dup2(captured, STDERR_FILENO), 0);
}

static void release_stderr(void)
{
	exm_trace_enable(NULL);
	dup2(real_stderr, STDERR_FILENO);
	exm_fd_clear(&real_stderr);
	exm_fd_clear(&captured);
}

static char *captured_text(void)
{
	char *text = NULL;

	ck_assert_int_eq(lseek(captured, 0, SEEK_SET), 0);
	ck_assert(exm_fd_read_all(captured, &text, NULL, NULL));
	return text;
}

static const struct {
	const char *topics;
	bool argv;
	bool qmp;
} cases[] = {
	{ NULL, false, false },    { "", false, false },       { "argv", true, false },
	{ "qmp", false, true },    { "argv,qmp", true, true }, { "host,qmp", false, true },
	{ "all", true, true },     { "host,all", true, true }, { "arg", false, false },
	{ "argv2", false, false },
};

START_TEST(only_enabled_topics_are_traced)
{
	g_autofree char *text = NULL;

	exm_trace_enable(cases[_i].topics);
	exm_trace("argv", "from %s", "argv");
	exm_trace("qmp", "from %s", "qmp");
	text = captured_text();
	ck_assert(g_str_has_prefix(text, "exomem: ") == (cases[_i].argv || cases[_i].qmp));
	ck_assert((strstr(text, "from argv\n") != NULL) == cases[_i].argv);
	ck_assert((strstr(text, "from qmp\n") != NULL) == cases[_i].qmp);
}
END_TEST

START_TEST(later_topics_replace_earlier)
{
	exm_trace_enable("argv");
	exm_trace_enable("qmp");
	exm_trace("argv", "text");
	assert_text_and_free(captured_text(), "");
}
END_TEST

START_TEST(a_trace_is_one_line_with_the_time)
{
	const gint64 before = g_get_monotonic_time();
	g_autofree char *text = NULL;
	char *end = NULL;
	gint64 milliseconds, microseconds;

	exm_trace_enable("host");
	exm_trace("host", "one\ntwo\r\nthree");
	text = captured_text();
	ck_assert(g_str_has_prefix(text, "exomem: host: "));
	milliseconds = g_ascii_strtoll(text + strlen("exomem: host: "), &end, 10);
	ck_assert_int_eq(*end, '.');
	microseconds = g_ascii_strtoll(end + 1, &end, 10);
	ck_assert_int_ge(milliseconds * 1000 + microseconds, before);
	ck_assert_int_le(milliseconds * 1000 + microseconds, g_get_monotonic_time());
	ck_assert_str_eq(end, " one two  three\n");
}
END_TEST

START_TEST(errno_is_left_alone)
{
	exm_trace_enable("host");
	/* A full device makes the write fail, which sets errno. */
	exm_fd_clear(&captured);
	captured = open("/dev/full", O_WRONLY | O_CLOEXEC);
	ck_assert_int_ge(dup2(captured, STDERR_FILENO), 0);
	errno = EXDEV;
	exm_trace("host", "text");
	ck_assert_int_eq(errno, EXDEV);
	exm_trace("other", "text");
	ck_assert_int_eq(errno, EXDEV);
}
END_TEST

/** trace_suite() - Tests of lib/base/trace.c */
Suite *trace_suite(void)
{
	Suite *suite = suite_create("trace");
	TCase *tests = tcase_create("trace");

	tcase_add_checked_fixture(tests, capture_stderr, release_stderr);
	tcase_add_loop_test(tests, only_enabled_topics_are_traced, 0, G_N_ELEMENTS(cases));
	tcase_add_test(tests, later_topics_replace_earlier);
	tcase_add_test(tests, a_trace_is_one_line_with_the_time);
	tcase_add_test(tests, errno_is_left_alone);
	suite_add_tcase(suite, tests);
	return suite;
}
