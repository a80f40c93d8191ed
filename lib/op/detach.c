/* SPDX-License-Identifier: GPL-2.0-or-later */
/* detach.c - Start a guest that lives on its own, and wait until it runs */

#include "op/detach.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "host/child_process.h"
#include "host/control.h"
#include "host/guest_parent.h"
#include "host/lock.h"
#include "host/memory_file.h"
#include "host/spawn.h"
#include "host/state.h"
#include "op/load.h"
#include "op/pmem_claim.h"

/* QEMU answers when its machine is made; touching all of a large memory may take minutes. */
#define START_PATIENCE_MS (15 * 60 * 1000)

/* How long a busy host may take to end a QEMU that has hung up, and to write its last output to the log. */
#define END_PATIENCE_MS 10000

/* How long a QEMU that runs may take to answer. */
#define ANSWER_MS 1000

/* Of QEMU's words that go into an error. */
#define WORDS_MAX 4096

static void ignore_warning(G_GNUC_UNUSED const char *warning)
{
}

/**
 * struct Start - What the child is given
 * @plan:            the plan that it acts on
 * @state_directory: where guests' directories are
 * @loader:          the process that loads the guest's device state, or 0
 * @report:          end of a pipe that takes the error
 */
typedef struct {
	const ExmPlan *plan;
	const char *state_directory;
	pid_t loader;
	int report;
} Start;

/* The number of the descriptor through which QEMU's parent sees it end. */
static int find_channel(const ExmPlan *plan)
{
	for (guint i = 0; i < plan->steps->len; i++) {
		const ExmStep *step = plan->steps->pdata[i];

		if (step->kind == EXM_STEP_KEEP_LOG)
			return step->fd;
	}
	return -1;
}

/* Tells the starter why there is no guest: the code as one byte, then the message. */
static G_GNUC_NORETURN void report_error(const Start *start, const GError *error)
{
	g_autofree char *text = g_strdup_printf("%c%s", '0' + exm_error_exit_status(error),
	                                        error->message);
	const ssize_t put = write(start->report, text, strlen(text));

	_exit(put < 0 ? 2 : 1);
}

/* In the grandchild: become QEMU. */
static void act_as_guest(int channel, void *user)
{
	const Start *start = user;
	const int number = find_channel(start->plan);
	g_autoptr(GError) error = NULL;

	if (fcntl(channel, F_DUPFD_CLOEXEC, number) != number)
		exm_throw(&error, EXM_ERROR_SYSTEM, "descriptor %d is in use", number);
	else
		exm_act(start->plan, start->state_directory, start->loader, ignore_warning, &error);
	report_error(start, error);
}

/* In the child: stay as QEMU's parent. */
static void act_in_child(void *user)
{
	Start *start = user;
	g_autoptr(GError) error = NULL;

	exm_guest_parent_run(start->plan->directory, act_as_guest, start, &error);
	report_error(start, error);
}

/* What the child reports is an error; silence is QEMU, whose exec closes the pipe. */
static bool read_report(int report, GError **error)
{
	g_autofree char *text = NULL;
	size_t length;

	if (!exm_fd_read_all(report, &text, &length, error))
		return false;
	return length == 0 || exm_throw(error, (ExmErrorCode)(text[0] - '0'), "%s", text + 1);
}

/* The parent of what is to become a guest, until it is one; both go with us until then. */
static volatile sig_atomic_t newborn;
static volatile sig_atomic_t last_signal;

static const int last_signals[] = { SIGHUP, SIGINT, SIGTERM };

static void take_newborn_along(int signal_number)
{
	last_signal = signal_number;
	if (newborn > 0) {
		kill((pid_t)newborn, EXM_GUEST_PARENT_KILL);
		return;
	}
	signal(signal_number, SIG_DFL);
	raise(signal_number);
}

/* What the newborn was given has been removed by now. */
static void end_by_signal(void)
{
	if (!last_signal)
		return;
	signal(last_signal, SIG_DFL);
	raise(last_signal);
}

static void guard_newborn(void)
{
	const struct sigaction action = { .sa_handler = take_newborn_along };

	for (size_t i = 0; i < G_N_ELEMENTS(last_signals); i++) {
		struct sigaction old;

		/* What somebody had ignored (nohup) stays ignored. */
		if (sigaction(last_signals[i], NULL, &old) == 0 && old.sa_handler == SIG_DFL)
			sigaction(last_signals[i], &action, NULL);
	}
}

static bool start_child(const ExmPlan *plan, const char *state_directory, pid_t loader,
                        pid_t *ret_pid, GError **error)
{
	exm_autofd int reader = -1;
	exm_autofd int writer = -1;
	Start start = { .plan = plan, .state_directory = state_directory, .loader = loader };
	const ExmChildProcess process = {
		.work = act_in_child,
		.user = &start,
		.death_signal = SIGKILL,
	};
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return exm_throw_errno(error, errno, "make a pipe");
	reader = ends[0];
	writer = start.report = ends[1];
	guard_newborn();
	if (!exm_child_process_start(&process, &pid, error))
		return false;
	/* Until here the child ends with this process by its death signal. */
	newborn = pid;
	exm_fd_clear(&writer);
	if (!read_report(reader, error)) {
		newborn = 0;
		waitpid(pid, NULL, 0);
		end_by_signal();
		return false;
	}
	*ret_pid = pid;
	return true;
}

/* The keeper holds the log's lock until it has written all that came. */
static void wait_for_words(int log)
{
	bool taken;

	exm_lock_wait(log, true, END_PATIENCE_MS * G_GINT64_CONSTANT(1000), &taken, NULL);
}

/* Whoever starts or ends a guest meanwhile has moved the log of one that has ended. */
static int open_log(const ExmPlan *plan)
{
	g_autofree char *path = g_build_filename(plan->directory, EXM_VM_LOG, NULL);
	g_autofree char *state_directory = g_path_get_dirname(plan->directory);
	g_autofree char *name = g_path_get_basename(plan->directory);
	g_autofree char *kept = NULL;
	g_autoptr(ExmEnded) ended = NULL;
	const int log = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	if (log >= 0)
		return log;
	ended = exm_state_find_ended(state_directory, name, plan->uuid);
	if (!ended)
		return -1;
	kept = g_build_filename(ended->vm->directory, EXM_VM_LOG, NULL);
	return open(kept, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
}

/**
 * exm_detach_words() - What a QEMU that was started detached, and has ended, said last
 * @plan: of it
 *
 * Return: the end of its log (transfer full), empty where it said nothing.
 */
char *exm_detach_words(const ExmPlan *plan)
{
	exm_autofd int log = open_log(plan);
	g_autofree char *text = NULL;
	size_t length;

	if (log < 0)
		return g_strdup("");
	wait_for_words(log);
	if (!exm_fd_read_all(log, &text, &length, NULL))
		return g_strdup("");
	return g_strchomp(g_strdup(length > WORDS_MAX ? text + length - WORDS_MAX : text));
}

/* What the dead QEMU was given, where nobody else has taken it over since. */
static void remove_remains(const ExmPlan *plan, const char *state_directory)
{
	for (guint i = 0; i < plan->steps->len; i++) {
		const ExmStep *step = plan->steps->pdata[i];

		if (step->kind == EXM_STEP_CREATE_FILE || step->kind == EXM_STEP_NAME_FILE)
			exm_memory_file_remove(step->path);
	}
	exm_pmem_claims_abandon(plan);
	exm_state_sweep(state_directory);
}

static bool throw_death(const ExmPlan *plan, const char *state_directory, int status, GError **error)
{
	g_autofree char *words = exm_detach_words(plan);
	g_autofree char *name = g_path_get_basename(plan->directory);
	g_autoptr(ExmEnded) ended = NULL;
	g_autofree char *how = NULL;

	remove_remains(plan, state_directory);
	ended = exm_state_find_ended(state_directory, name, plan->uuid);
	if (ended && ended->end->signal)
		how = exm_end_text(ended->end);
	if (how)
		return exm_throw(error, EXM_ERROR_SYSTEM, "QEMU was %s%s%s", how,
		                 *words ? "; its output: " : "", words);
	if (*words)
		return exm_throw(error, EXM_ERROR_SYSTEM, "%s", words);
	return exm_throw(error, EXM_ERROR_SYSTEM, "QEMU ended with status %d", WEXITSTATUS(status));
}

static bool loads_state(const ExmPlan *plan)
{
	return plan->template && !plan->waiting;
}

/* QEMU answers a command once its machine is made; a child has to load its state as well. */
static bool wait_until_made(const ExmPlan *plan, GError **error)
{
	const ExmVm vm = { .name = plan->name, .directory = plan->directory };
	g_autofree char *status = NULL;

	if (loads_state(plan))
		return exm_load(plan, START_PATIENCE_MS, error);
	status = exm_control_status(&vm, START_PATIENCE_MS, error);
	return status != NULL;
}

static void kill_child(pid_t pid)
{
	newborn = 0;
	kill(pid, EXM_GUEST_PARENT_KILL);
	waitpid(pid, NULL, 0);
}

/* What QEMU wrote last goes into the error. */
static void throw_with_output(const ExmPlan *plan, const GError *reason, GError **error)
{
	g_autofree char *words = exm_detach_words(plan);
	g_autofree char *line = exm_end_find_line(words);

	if (line && !strstr(reason->message, line))
		exm_throw(error, (ExmErrorCode)reason->code, "%s; QEMU's output: %s",
		          reason->message, line);
	else
		g_propagate_error(error, g_error_copy(reason));
}

/**
 * exm_detach_end() - End a QEMU that was just started detached, and remove what it was given
 * @plan:            its plan
 * @state_directory: where guests' directories are
 * @pid:             of exm_detach()
 */
void exm_detach_end(const ExmPlan *plan, const char *state_directory, pid_t pid)
{
	kill_child(pid);
	remove_remains(plan, state_directory);
}

/* A QEMU that answers has not hung up, so that it need not be waited for. */
static bool still_answers(const ExmPlan *plan)
{
	const ExmVm vm = { .name = plan->name, .directory = plan->directory };
	g_autofree char *status = exm_control_status(&vm, ANSWER_MS, NULL);

	return status != NULL;
}

/* What answers may be a later guest of that name. It is not reaped, so that its id stays its own. */
static bool still_runs(pid_t pid)
{
	siginfo_t info = { 0 };

	return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == 0;
}

/**
 * exm_detach() - Do the steps of a plan in a process that becomes a QEMU of its own
 * @plan:            the plan of a detached guest
 * @state_directory: where guests' directories are
 * @loader:          the process that will load a state that is not the plan's template; 0 for none
 * @warn:            called for each warning, when the guest runs
 * @ret_pid:         QEMU's parent, a child of this process that exits as QEMU does; may be NULL
 * @error:           of the step that failed; SYSTEM with QEMU's own words where it ended at start.
 *                   Nothing is left then.
 *
 * The child, not this process, does the steps: so the locks and the record name the process that
 * becomes QEMU.
 */
bool exm_detach(const ExmPlan *plan, const char *state_directory, pid_t loader, ExmWarn warn,
                pid_t *ret_pid, GError **error)
{
	g_autoptr(GError) silence = NULL;
	pid_t pid = -1;
	int status = 0;

	if (loads_state(plan))
		loader = getpid();
	if (!start_child(plan, state_directory, loader, &pid, error))
		return false;
	if (!wait_until_made(plan, &silence)) {
		const bool answers = still_answers(plan);

		if (!answers &&
		    exm_process_wait(&(ExmProcess){ .pid = pid }, END_PATIENCE_MS, &status)) {
			throw_death(plan, state_directory, status, error);
			end_by_signal();
			return false;
		}
		/* It was a call of our own that failed: one that has no state to load is made. */
		if (!answers || loads_state(plan) || !still_runs(pid)) {
			kill_child(pid);
			throw_with_output(plan, silence, error);
			remove_remains(plan, state_directory);
			end_by_signal();
			return false;
		}
	}
	newborn = 0;
	exm_pmem_claims_confirm(plan);
	for (guint i = 0; i < plan->warnings->len; i++)
		warn(plan->warnings->pdata[i]);
	if (ret_pid)
		*ret_pid = pid;
	return true;
}
