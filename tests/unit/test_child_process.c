/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_child_process.c - lib/host/child_process.c */

#include "host/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "suite.h"

#define PATIENCE_MS 10000

/* What the process under test tells through a pipe. */
typedef struct {
	int writer;
	int foreign;
} Work;

static void make_pipe(int *ret_reader, int *ret_writer)
{
	int ends[2];

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	*ret_reader = ends[0];
	*ret_writer = ends[1];
}

static char *read_text(int reader)
{
	g_autoptr(GError) error = NULL;
	char *text = NULL;

	exm_fd_read_all(reader, &text, NULL, &error);
	assert_no_error(error);
	return text;
}

static void tell(int writer, const char *text)
{
	ck_assert_int_eq(write(writer, text, strlen(text)), (ssize_t)strlen(text));
}

static void tell_signals(void *user)
{
	const Work *work = user;
	g_autofree char *text = NULL;
	struct sigaction pipe_action, term_action, chld_action;
	sigset_t mask;

	sigaction(SIGPIPE, NULL, &pipe_action);
	sigaction(SIGTERM, NULL, &term_action);
	sigaction(SIGCHLD, NULL, &chld_action);
	sigprocmask(SIG_SETMASK, NULL, &mask);
	text = g_strdup_printf("pipe %s, term %s, chld %s, int %s",
	                       pipe_action.sa_handler == SIG_IGN ? "ignored" : "default",
	                       term_action.sa_handler == SIG_DFL ? "default" : "handled",
	                       chld_action.sa_handler == SIG_DFL ? "default" : "ignored",
	                       sigismember(&mask, SIGINT) ? "blocked" : "open");
	tell(work->writer, text);
}

static void handle_nothing(int number)
{
	(void)number;
}

START_TEST(signals_are_reset_but_those_it_ignores)
{
	static const int ignored[] = { SIGPIPE, 0 };
	exm_autofd int reader = -1;
	exm_autofd int writer = -1;
	g_autoptr(GError) error = NULL;
	g_autofree char *text = NULL;
	sigset_t mask, now;
	pid_t pid;
	Work work;

	make_pipe(&reader, &writer);
	work.writer = writer;
	signal(SIGTERM, handle_nothing);
	signal(SIGCHLD, SIG_DFL);
	sigemptyset(&mask);
	sigaddset(&mask, SIGINT);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	ck_assert(exm_child_process_start(
		&(ExmChildProcess){ .work = tell_signals, .user = &work, .ignored_signals = ignored },
		&pid, &error));
	exm_fd_clear(&writer);
	text = read_text(reader);
	ck_assert_str_eq(text, "pipe ignored, term default, chld default, int open");
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	/* Ours are as they were. */
	sigprocmask(SIG_SETMASK, NULL, &now);
	ck_assert(sigismember(&now, SIGINT));
	ck_assert(!sigismember(&now, SIGUSR1));
}
END_TEST

static void wait_for_byte(void *user)
{
	const Work *work = user;
	char none;

	tell(work->writer, getsid(0) == getpid() ? "leader" : "member");
	(void)!read(work->foreign, &none, 1);
}

/* It is so when it has been started: the group may be killed at once. */
START_TEST(it_outlives_its_group)
{
	static const int signals[] = { SIGHUP,  SIGINT,  SIGQUIT, SIGTERM,
		                       SIGALRM, SIGUSR1, SIGTSTP, SIGXCPU };
	exm_autofd int reader = -1, writer = -1, held = -1, leash = -1;
	g_autoptr(GError) error = NULL;
	g_autofree char *text = NULL;
	int status;
	pid_t pid;
	Work work;

	make_pipe(&reader, &writer);
	make_pipe(&held, &leash);
	work = (Work){ writer, held };
	ck_assert(exm_child_process_start(
		&(ExmChildProcess){ .work = wait_for_byte, .user = &work, .outlives_group = true },
		&pid, &error));
	ck_assert_int_ne(getpgid(pid), getpgrp());
	for (size_t i = 0; i < G_N_ELEMENTS(signals); i++)
		ck_assert_int_eq(kill(pid, signals[i]), 0);
	tell(leash, "x");
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	exm_fd_clear(&writer);
	text = read_text(reader);
	ck_assert_str_eq(text, "leader");
}
END_TEST

static void tell_descriptors(void *user)
{
	const Work *work = user;
	g_autofree char *text = NULL;
	char directory[16] = "";

	text = g_strdup_printf("foreign %s, stdin %s, in %s, session %s",
	                       fcntl(work->foreign, F_GETFD) < 0 ? "closed" : "open",
	                       fcntl(STDIN_FILENO, F_GETFD) < 0 ? "closed" : "open",
	                       getcwd(directory, sizeof(directory)) ? directory : "?",
	                       getsid(0) == getpid() ? "leader" : "member");
	tell(work->writer, text);
}

START_TEST(a_daemon_keeps_no_other_descriptors)
{
	exm_autofd int reader = -1;
	exm_autofd int writer = -1;
	exm_autofd int foreign = open("/dev/null", O_RDONLY);
	g_autoptr(GError) error = NULL;
	g_autofree char *text = NULL;
	int kept[] = { -1, -1 };
	pid_t pid = 0;
	Work work;

	make_pipe(&reader, &writer);
	kept[0] = writer;
	work = (Work){ writer, foreign };
	ck_assert(exm_child_process_start_orphan(
		&(ExmChildProcess){
			.work = tell_descriptors, .user = &work, .kept_fds = kept, .daemon = true },
		&pid, &error));
	assert_no_error(error);
	exm_fd_clear(&writer);
	text = read_text(reader);
	ck_assert_str_eq(text, "foreign closed, stdin open, in /, session member");
	/* It is nobody's to reap. */
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
}
END_TEST

static void hold(void *user)
{
	(void)user;
	pause();
}

static void start_and_leave(void *user)
{
	pid_t pid;

	exm_child_process_start(
		&(ExmChildProcess){
			.work = hold, .user = user, .name = "held", .death_signal = SIGKILL },
		&pid, NULL);
}

/* Whether the death signal comes or the process finds that its parent is gone already. */
START_TEST(its_death_signal_reaches_it)
{
	exm_autofd int reader = -1;
	exm_autofd int writer = -1;
	struct pollfd polled;
	pid_t pid;
	char byte;

	make_pipe(&reader, &writer);
	ck_assert(exm_child_process_start(&(ExmChildProcess){ .work = start_and_leave }, &pid, NULL));
	exm_fd_clear(&writer);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	polled = (struct pollfd){ .fd = reader, .events = POLLIN };
	ck_assert_int_eq(poll(&polled, 1, PATIENCE_MS), 1);
	ck_assert_int_eq(read(reader, &byte, 1), 0);
}
END_TEST

Suite *child_process_suite(void)
{
	Suite *suite = suite_create("child_process");
	TCase *tcase = tcase_create("child_process");

	tcase_add_test(tcase, signals_are_reset_but_those_it_ignores);
	tcase_add_test(tcase, it_outlives_its_group);
	tcase_add_test(tcase, a_daemon_keeps_no_other_descriptors);
	tcase_add_test(tcase, its_death_signal_reaches_it);
	suite_add_tcase(suite, tcase);
	return suite;
}
