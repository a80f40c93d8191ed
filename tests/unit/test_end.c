/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_end.c - lib/plan/end.c: how a guest ended, from what was seen of it */

#include <signal.h>

#include "plan/end.h"
#include "suite.h"

#define QEMU "qemu-system-x86_64: "

/* What was seen of an end, what is said of it, and how exomem wait exits. */
static const struct {
	ExmEndFacts facts;
	const char *reason;
	const char *text;
	int exit_status;
} cases[] = {
	{ { .shutdown = "guest-shutdown" }, "powered-off", "powered off", 0 },
	{ { .shutdown = "guest-reset" }, "reset", "reset, with -no-reboot", 0 },
	{ { .shutdown = "host-qmp-quit", .line = "x" }, "quit", "quit", 0 },
	{ { .shutdown = "host-ui" }, "quit", "quit", 0 },
	{ { .shutdown = "host-signal", .line = QEMU "terminating on signal 15 from pid 7 (sh)" },
	  "terminated",
	  "terminated: " QEMU "terminating on signal 15 from pid 7 (sh)",
	  0 },
	{ { .shutdown = "guest-panic" }, "panicked", "the guest panicked", 1 },
	{ { .shutdown = "guest-panic", .status = 1 }, "panicked", "the guest panicked", 1 },
	{ { .shutdown = NULL }, "exited", "exit status 0", 0 },
	{ { .shutdown = "host-from-mars" }, "exited", "exit status 0", 0 },
	{ { .status = 1, .line = QEMU "-device nope: not found" },
	  "failed",
	  "exit status 1: " QEMU "-device nope: not found",
	  1 },
	{ { .status = 3 }, "failed", "exit status 3", 3 },
	{ { .signal = SIGKILL, .line = "login:" }, "killed", "killed by SIGKILL", 137 },
	{ { .signal = SIGKILL, .out_of_memory = "group" },
	  "out-of-memory",
	  "killed by SIGKILL: out of memory: group",
	  137 },
	{ { .signal = SIGKILL, .announced = "by 'exomem stop'", .out_of_memory = "group" },
	  "killed",
	  "killed by SIGKILL: by 'exomem stop'",
	  137 },
	{ { .signal = SIGKILL, .announced = "migrated" }, "migrated", "migrated", 0 },
	{ { .signal = SIGSEGV, .announced = "migrated" }, "killed", "killed by SIGSEGV", 139 },
	/* The group lost another process. */
	{ { .shutdown = "guest-shutdown", .out_of_memory = "group" }, "powered-off", "powered off", 0 },
	{ { .signal = SIGBUS, .memory = "'/m/a' was truncated to 0 of 4096 bytes" },
	  "memory-error",
	  "killed by SIGBUS: '/m/a' was truncated to 0 of 4096 bytes",
	  135 },
	{ { .signal = SIGABRT, .line = QEMU "../x.c:1: f: Assertion `a' failed." },
	  "killed",
	  "killed by SIGABRT: " QEMU "../x.c:1: f: Assertion `a' failed.",
	  134 },
	{ { .signal = 40 }, "killed", "killed by signal 40", 168 },
};

START_TEST(reasons)
{
	g_autoptr(ExmEnd) end = exm_end_new(&cases[_i].facts);
	g_autofree char *text = exm_end_text(end);

	ck_assert_str_eq(exm_end_reason(end), cases[_i].reason);
	ck_assert_str_eq(text, cases[_i].text);
	ck_assert_int_eq(exm_end_exit_status(end), cases[_i].exit_status);
}
END_TEST

START_TEST(round_trip)
{
	const ExmEndFacts facts = { .time = 42, .status = 1, .line = QEMU "no" };
	g_autoptr(ExmEnd) end = exm_end_new(&facts);
	g_autoptr(ExmJson) json = exm_end_to_json(end);
	g_autoptr(ExmEnd) again = exm_end_from_json(json, NULL);

	ck_assert_ptr_nonnull(again);
	ck_assert_uint_eq(again->time, 42);
	ck_assert_uint_eq(again->status, 1);
	ck_assert_int_eq(again->reason, EXM_END_FAILED);
	ck_assert_str_eq(again->details, QEMU "no");
}
END_TEST

static const char *const not_whole[] = {
	"{}",
	"{\"schema\": 2, \"time\": 1, \"reason\": \"quit\", \"status\": 0, \"signal\": 0}",
	"{\"schema\": 1, \"time\": 1, \"reason\": \"bored\", \"status\": 0, \"signal\": 0}",
	"{\"schema\": 1, \"time\": 1, \"reason\": \"killed\", \"status\": 0, \"signal\": 4000}",
	"{\"schema\": 1, \"time\": 1, \"reason\": \"quit\", \"status\": 256, \"signal\": 0}",
};

START_TEST(not_whole_json)
{
	g_autoptr(ExmJson) json = exm_json_parse(not_whole[_i], strlen(not_whole[_i]), NULL);
	g_autoptr(GError) error = NULL;

	ck_assert_ptr_null(exm_end_from_json(json, &error));
	assert_error(error, EXM_ERROR_STATE, "is not whole");
}
END_TEST

/* A log, and QEMU's last line in it. */
static const struct {
	const char *log;
	const char *line;
} logs[] = {
	{ "", NULL },
	{ "\n\r\n", NULL },
	{ "login: \n", "login: " },
	{ QEMU "no\nlogin: ", QEMU "no" },
	{ QEMU "no\n" QEMU "warning: old\n", QEMU "no" },
	{ QEMU "one\r\n" QEMU "two\r\n", QEMU "two" },
	{ "qemu is fine\nboot\n", "boot" },
	{ "a\033[1mb\377", "a [1mb\357\277\275" },
};

START_TEST(last_line)
{
	g_autofree char *line = exm_end_find_line(logs[_i].log);

	ck_assert_pstr_eq(line, logs[_i].line);
}
END_TEST

Suite *end_suite(void)
{
	Suite *suite = suite_create("end");
	TCase *tcase = tcase_create("end");

	tcase_add_loop_test(tcase, reasons, 0, G_N_ELEMENTS(cases));
	tcase_add_test(tcase, round_trip);
	tcase_add_loop_test(tcase, not_whole_json, 0, G_N_ELEMENTS(not_whole));
	tcase_add_loop_test(tcase, last_line, 0, G_N_ELEMENTS(logs));
	suite_add_tcase(suite, tcase);
	return suite;
}
