/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_pidfd.c - lib/host/pidfd.c */

#include "host/pidfd.h"

#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/state.h"
#include "suite.h"

static pid_t start_sleeper(void)
{
	const pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	while (pid == 0)
		pause();
	return pid;
}

static uint64_t start_time_of(pid_t pid)
{
	uint64_t ticks = 0;

	ck_assert(exm_state_start_time(pid, &ticks, NULL));
	return ticks;
}

START_TEST(end_kills_and_waits)
{
	g_autoptr(GError) error = NULL;
	const pid_t pid = start_sleeper();
	const ExmVm vm = { .pid = (uint64_t)pid, .start_time = start_time_of(pid) };
	int status = 0;

	ck_assert(exm_pidfd_end(&vm, 30000, &error));
	assert_no_error(error);
	ck_assert_int_eq(waitpid(pid, &status, WNOHANG), pid);
	ck_assert(WIFSIGNALED(status));
	ck_assert_int_eq(WTERMSIG(status), SIGKILL);
	/* Once more: it has ended already. */
	ck_assert(exm_pidfd_end(&vm, 0, &error));
	assert_no_error(error);
}
END_TEST

START_TEST(end_spares_another_process_with_that_number)
{
	g_autoptr(GError) error = NULL;
	const pid_t pid = start_sleeper();
	const ExmVm vm = { .pid = (uint64_t)pid, .start_time = start_time_of(pid) + 1 };
	int status = 0;

	ck_assert(exm_pidfd_end(&vm, 30000, &error));
	assert_no_error(error);
	ck_assert_int_eq(waitpid(pid, &status, WNOHANG), 0);
	kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
}
END_TEST

START_TEST(a_process_that_cannot_be_read_has_not_ended)
{
	g_autoptr(GError) error = NULL;
	struct rlimit old, none;
	uint64_t ticks = 1;
	bool known;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
	none = (struct rlimit){ 0, old.rlim_max };
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	known = exm_state_start_time(getpid(), &ticks, &error);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
	ck_assert(!known);
	ck_assert_ptr_nonnull(strstr(error->message, "Too many open files"));
}
END_TEST

/** pidfd_suite() - Tests of lib/host/pidfd.c */
Suite *pidfd_suite(void)
{
	Suite *suite = suite_create("pidfd");
	TCase *tests = tcase_create("pidfd");

	tcase_add_test(tests, end_kills_and_waits);
	tcase_add_test(tests, end_spares_another_process_with_that_number);
	tcase_add_test(tests, a_process_that_cannot_be_read_has_not_ended);
	suite_add_tcase(suite, tests);
	return suite;
}
