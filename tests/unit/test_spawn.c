/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_spawn.c - lib/host/spawn.c */

#include "host/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "suite.h"

#define PATIENCE_MS 10000

/* Shell text that runs until it is killed, whether the shell forks for it or not. */
#define FOR_EVER "sleep 1000 & wait"

static ExmProcess *start_shell(const char *text, const ExmKeptFd *fds, size_t fd_count, int output)
{
	const char *const argv[] = { "/bin/sh", "-c", text, NULL };
	const ExmSpawn spawn = {
		.argv = argv,
		.fds = fds,
		.fd_count = fd_count,
		.input = -1,
		.output = output,
		.errors = output,
		.own_group = true,
	};
	g_autoptr(GError) error = NULL;
	ExmProcess *process = exm_process_start(&spawn, &error);

	assert_no_error(error);
	ck_assert_ptr_nonnull(process);
	return process;
}

static int wait_status(ExmProcess *process)
{
	int status = -1;

	ck_assert(exm_process_wait(process, PATIENCE_MS, &status));
	return status;
}

static void make_pipe(int *ret_reader, int *ret_writer)
{
	int ends[2];

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	*ret_reader = ends[0];
	*ret_writer = ends[1];
}

/* Nobody holds the other end any more, or will within our patience. */
static void assert_hung_up(int reader)
{
	struct pollfd poll_fd = { .fd = reader, .events = POLLIN };
	char byte;

	ck_assert_int_eq(poll(&poll_fd, 1, PATIENCE_MS), 1);
	ck_assert_int_eq(read(reader, &byte, 1), 0);
}

START_TEST(exit_status)
{
	g_autoptr(ExmProcess) process = start_shell("exit 7", NULL, 0, -1);
	int status = wait_status(process);

	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 7);
}
END_TEST

START_TEST(death_by_signal)
{
	g_autoptr(ExmProcess) process = start_shell("kill -TERM $$", NULL, 0, -1);
	int status = wait_status(process);

	ck_assert(WIFSIGNALED(status));
	ck_assert_int_eq(WTERMSIG(status), SIGTERM);
}
END_TEST

START_TEST(output_is_captured_and_input_is_empty)
{
	exm_autofd int reader = -1;
	exm_autofd int writer = -1;
	g_autoptr(ExmProcess) process = NULL;
	g_autofree char *text = NULL;

	make_pipe(&reader, &writer);
	process = start_shell("cat; echo out; echo err >&2", NULL, 0, writer);
	exm_fd_clear(&writer);
	ck_assert(exm_fd_read_all(reader, &text, NULL, NULL));
	ck_assert_str_eq(text, "out\nerr\n");
	ck_assert_int_eq(wait_status(process), 0);
}
END_TEST

START_TEST(output_that_nobody_wants)
{
	g_autoptr(ExmProcess) process = start_shell("echo lost && echo lost >&2", NULL, 0, -1);

	ck_assert_int_eq(wait_status(process), 0);
}
END_TEST

/* Each pipe gets the other's number, and the output has a number that is given out as well. */
START_TEST(descriptors_may_swap_numbers)
{
	exm_autofd int reader = -1;
	exm_autofd int writer = -1;
	exm_autofd int one = -1;
	exm_autofd int two = -1;
	g_autoptr(ExmProcess) process = NULL;
	g_autofree char *text = NULL;
	g_autofree char *script = NULL;

	make_pipe(&reader, &writer);
	one = open("/dev/null", O_WRONLY | O_CLOEXEC);
	two = dup(writer);
	fcntl(two, F_SETFD, FD_CLOEXEC);
	script = g_strdup_printf("echo a >/dev/fd/%d; echo b >/dev/fd/%d; echo c >/dev/fd/%d", one,
	                         two, writer);
	process = start_shell(script,
	                      (const ExmKeptFd[]){ { two, one }, { one, two }, { two, writer } }, 3,
	                      writer);
	exm_fd_clear(&writer);
	exm_fd_clear(&two);
	ck_assert(exm_fd_read_all(reader, &text, NULL, NULL));
	ck_assert_str_eq(text, "a\nc\n");
	ck_assert_int_eq(wait_status(process), 0);
}
END_TEST

START_TEST(other_descriptors_stay_here)
{
	exm_autofd int reader = -1;
	exm_autofd int writer = -1;
	g_autoptr(ExmProcess) process = NULL;

	make_pipe(&reader, &writer);
	process = start_shell(FOR_EVER, NULL, 0, -1);
	exm_fd_clear(&writer);
	assert_hung_up(reader);
}
END_TEST

START_TEST(what_cannot_be_executed)
{
	static const struct {
		const char *path;
		int errnum;
	} cases[] = {
		{ "/nonexistent/program", ENOENT },
		{ "/", EACCES },
		{ "/etc/passwd", EACCES },
		{ "/etc/passwd/x", ENOTDIR },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		const char *const argv[] = { cases[i].path, NULL };
		const ExmSpawn spawn = {
			.argv = argv,
			.input = -1,
			.output = -1,
			.errors = -1,
		};
		g_autoptr(GError) error = NULL;

		ck_assert_ptr_null(exm_process_start(&spawn, &error));
		assert_error(error, EXM_ERROR_UNSUPPORTED, cases[i].path);
		assert_error(error, EXM_ERROR_UNSUPPORTED, g_strerror(cases[i].errnum));
	}
	/* No child was left to be reaped. */
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
	ck_assert_int_eq(errno, ECHILD);
}
END_TEST

START_TEST(descriptor_that_is_not_open)
{
	const char *const argv[] = { "/bin/true", NULL };
	const ExmKeptFd kept = { 900, 3 };
	const ExmSpawn spawn = {
		.argv = argv,
		.fds = &kept,
		.fd_count = 1,
		.input = -1,
		.output = -1,
		.errors = -1,
	};
	g_autoptr(GError) error = NULL;

	ck_assert_ptr_null(exm_process_start(&spawn, &error));
	assert_error(error, EXM_ERROR_UNSUPPORTED, g_strerror(EBADF));
}
END_TEST

START_TEST(wait_gives_up)
{
	g_autoptr(ExmProcess) process = start_shell(FOR_EVER, NULL, 0, -1);
	const gint64 start = g_get_monotonic_time();
	int status = 123;

	ck_assert(!exm_process_wait(process, 50, &status));
	ck_assert_int_ge(g_get_monotonic_time() - start, 50 * 1000);
	ck_assert_int_eq(status, 123);
	ck_assert(!exm_process_wait(process, 0, &status));
}
END_TEST

/* The sleep that the shell started holds the pipe too: it must be gone as well. */
START_TEST(freeing_kills_the_whole_group)
{
	exm_autofd int reader = -1;
	exm_autofd int writer = -1;
	ExmProcess *process;
	pid_t pid;

	make_pipe(&reader, &writer);
	process = start_shell("sleep 1000 & " FOR_EVER, &(ExmKeptFd){ writer, 3 }, 1, -1);
	exm_fd_clear(&writer);
	pid = process->pid;
	exm_process_free(process);
	assert_hung_up(reader);
	ck_assert_int_eq(kill(pid, 0), -1);
	ck_assert_int_eq(errno, ESRCH);
}
END_TEST

START_TEST(waiting_kills_what_the_program_left)
{
	exm_autofd int reader = -1;
	exm_autofd int writer = -1;
	g_autoptr(ExmProcess) process = NULL;

	make_pipe(&reader, &writer);
	process = start_shell("sleep 1000 &", &(ExmKeptFd){ writer, 3 }, 1, -1);
	exm_fd_clear(&writer);
	ck_assert_int_eq(wait_status(process), 0);
	assert_hung_up(reader);
}
END_TEST

static G_GNUC_NORETURN void start_and_wait(int kept_fd, int ready)
{
	const char *const argv[] = { "/bin/sleep", "1000", NULL };
	const ExmKeptFd kept = { kept_fd, 3 };
	const ExmSpawn spawn = {
		.argv = argv,
		.fds = &kept,
		.fd_count = 1,
		.input = -1,
		.output = -1,
		.errors = -1,
		.die_with_us = true,
	};

	if (exm_process_start(&spawn, NULL) && write(ready, "", 1) == 1)
		pause();
	_exit(1);
}

/* A process in between starts the program and is killed: it can clean up nothing. */
START_TEST(dies_with_us)
{
	exm_autofd int reader = -1;
	exm_autofd int writer = -1;
	exm_autofd int ready = -1;
	exm_autofd int tell = -1;
	pid_t between;
	char byte;

	make_pipe(&reader, &writer);
	make_pipe(&ready, &tell);
	between = fork();
	if (between == 0)
		start_and_wait(writer, tell);
	exm_fd_clear(&writer);
	exm_fd_clear(&tell);
	ck_assert_int_eq(read(ready, &byte, 1), 1);
	ck_assert_int_eq(kill(between, SIGKILL), 0);
	ck_assert_int_eq(waitpid(between, NULL, 0), between);
	assert_hung_up(reader);
}
END_TEST

START_TEST(signals_are_as_a_program_expects_them)
{
	sigset_t blocked, before;
	int status;

	sigemptyset(&blocked);
	sigaddset(&blocked, SIGTERM);
	sigprocmask(SIG_BLOCK, &blocked, &before);
	signal(SIGPIPE, SIG_IGN);
	{
		g_autoptr(ExmProcess) term = start_shell("kill -TERM $$; exit 0", NULL, 0, -1);
		g_autoptr(ExmProcess) broken = start_shell("kill -PIPE $$; exit 0", NULL, 0, -1);

		status = wait_status(term);
		ck_assert(WIFSIGNALED(status));
		status = wait_status(broken);
		ck_assert(WIFSIGNALED(status));
	}
	signal(SIGPIPE, SIG_DFL);
	sigprocmask(SIG_SETMASK, &before, NULL);
}
END_TEST

Suite *spawn_suite(void)
{
	Suite *suite = suite_create("spawn");
	TCase *tcase = tcase_create("spawn");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, exit_status);
	tcase_add_test(tcase, death_by_signal);
	tcase_add_test(tcase, output_is_captured_and_input_is_empty);
	tcase_add_test(tcase, output_that_nobody_wants);
	tcase_add_test(tcase, descriptors_may_swap_numbers);
	tcase_add_test(tcase, other_descriptors_stay_here);
	tcase_add_test(tcase, what_cannot_be_executed);
	tcase_add_test(tcase, descriptor_that_is_not_open);
	tcase_add_test(tcase, wait_gives_up);
	tcase_add_test(tcase, freeing_kills_the_whole_group);
	tcase_add_test(tcase, waiting_kills_what_the_program_left);
	tcase_add_test(tcase, dies_with_us);
	tcase_add_test(tcase, signals_are_as_a_program_expects_them);
	suite_add_tcase(suite, tcase);
	return suite;
}
