/* SPDX-License-Identifier: GPL-2.0-or-later */
/* children.c - Start many detached guests side by side, and perhaps stay until they end */

#include "op/children.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "host/child_process.h"
#include "host/control.h"
#include "host/pidfd.h"
#include "host/state.h"
#include "op/detach.h"

/* How long a QEMU may take to say what it does, and to end when it is killed. */
#define ANSWER_MS 5000
#define END_MS    30000

/**
 * struct Worker - A process that starts one child
 * @pid:    of it
 * @report: takes the id of QEMU's parent, or the error, and closes with it
 * @plan:   of the child
 */
typedef struct {
	pid_t pid;
	int report;
	ExmPlan *plan;
} Worker;

/**
 * struct Child - A child that runs
 * @pid:    of its QEMU
 * @parent: of that: it is ours, because we are the one that orphans fall to, and exits as QEMU does
 * @name:   the child's
 */
typedef struct {
	pid_t pid;
	pid_t parent;
	const char *name;
} Child;

/**
 * struct Batch - Children that are being started
 * @plans:           of ExmPlan, one for each
 * @state_directory: where guests' directories are
 * @order:           how they are started
 * @work:            what is done for each
 * @cloned:          called for each that it is done for
 * @signals:         a descriptor that tells of signals
 * @old_signals:     the mask to restore
 * @deadline:        monotonic microseconds, or -1
 * @next:            first plan that was not begun
 * @workers:         of Worker
 * @children:        of Child
 * @started:         how many were started
 * @stopping:        nothing more is begun
 * @error:           what failed first
 */
typedef struct {
	const GPtrArray *plans;
	const char *state_directory;
	const ExmCloneOrder *order;
	const ExmChildWork *work;
	ExmCloned cloned;
	int signals;
	sigset_t old_signals;
	gint64 deadline;
	guint next;
	GArray *workers;
	GArray *children;
	guint started;
	bool stopping;
	GError *error;
} Batch;

/**
 * struct Job - What a worker is given
 * @batch:  what it is a part of
 * @plan:   of the child
 * @report: takes the id of QEMU's parent, or the error
 */
typedef struct {
	const Batch *batch;
	ExmPlan *plan;
	int report;
} Job;

static void batch_clear(Batch *batch)
{
	sigprocmask(SIG_SETMASK, &batch->old_signals, NULL);
	exm_fd_clear(&batch->signals);
	g_array_unref(batch->workers);
	g_array_unref(batch->children);
	g_clear_error(&batch->error);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Batch, batch_clear)

static void ignore_warning(G_GNUC_UNUSED const char *warning)
{
}

static bool start(ExmPlan *plan, const char *state_directory, G_GNUC_UNUSED const void *user,
                  pid_t *ret_pid, GError **error)
{
	return exm_detach(plan, state_directory, 0, ignore_warning, ret_pid, error);
}

static bool batch_init(Batch *batch, GError **error)
{
	static const int wanted[] = { SIGHUP, SIGINT, SIGTERM, SIGCHLD };
	sigset_t signals;

	sigemptyset(&signals);
	for (size_t i = 0; i < G_N_ELEMENTS(wanted); i++)
		sigaddset(&signals, wanted[i]);
	batch->workers = g_array_new(FALSE, FALSE, sizeof(Worker));
	batch->children = g_array_new(FALSE, FALSE, sizeof(Child));
	batch->deadline = batch->order->timeout_ms < 0
	                          ? -1
	                          : g_get_monotonic_time() + (gint64)batch->order->timeout_ms * 1000;
	sigprocmask(SIG_BLOCK, &signals, &batch->old_signals);
	batch->signals = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	if (batch->signals < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		return exm_throw_errno(error, errno, "prepare to start children");
	return true;
}

/*
 * In the worker. It goes with us, and what it has not finished goes with it (op/detach.c): so it
 * must outlive us where our whole process group is killed.
 */
static void do_work(void *user)
{
	const Job *job = user;
	const ExmChildWork *work = job->batch->work;
	g_autoptr(GError) error = NULL;
	g_autofree char *text = NULL;
	pid_t pid = 0;
	bool done;

	done = work->act(job->plan, job->batch->state_directory, work->user, &pid, &error);
	text = done ? g_strdup_printf("%d", (int)pid)
	            : g_strdup_printf("%c%s", '0' + exm_error_exit_status(error), error->message);
	_exit(write(job->report, text, strlen(text)) < 0 || !done ? 1 : 0);
}

static bool start_worker(Batch *batch, GError **error)
{
	static const int ignored[] = { SIGPIPE, 0 };
	Worker worker = { .plan = batch->plans->pdata[batch->next] };
	Job job = { .batch = batch, .plan = worker.plan };
	const ExmChildProcess process = {
		.work = do_work,
		.user = &job,
		.ignored_signals = ignored,
		.death_signal = SIGTERM,
		.own_group = true,
	};
	bool started;
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return exm_throw_errno(error, errno, "make a pipe");
	worker.report = ends[0];
	job.report = ends[1];
	started = exm_child_process_start(&process, &worker.pid, error);
	close(ends[1]);
	if (!started) {
		close(ends[0]);
		return false;
	}
	g_array_append_val(batch->workers, worker);
	batch->next++;
	return true;
}

static pid_t parent_of(pid_t pid)
{
	g_autofree char *path = g_strdup_printf("/proc/%d/stat", (int)pid);
	g_autofree char *text = NULL;
	const char *behind_name;

	if (!exm_file_read(path, &text, NULL, NULL))
		return 0;
	behind_name = strrchr(text, ')');
	return behind_name ? (pid_t)g_ascii_strtoll(behind_name + strlen(") S "), NULL, 10) : 0;
}

/* A QEMU or, above it, the process that is its parent: whichever is our child; 0 for neither. */
static pid_t our_process(pid_t pid)
{
	const pid_t parent = pid > 0 ? parent_of(pid) : 0;

	if (parent == getpid())
		return pid;
	return parent > 0 && parent_of(parent) == getpid() ? parent : 0;
}

/* By its directory: one that is to take another's place has that one's name already. */
static ExmVm *find_child(const char *state_directory, const ExmPlan *plan)
{
	g_autofree char *name = g_path_get_basename(plan->directory);

	return exm_state_find(state_directory, name, NULL);
}

/* A worker that was killed could not take along what it had begun; that fell to us. */
static void end_orphan(const Batch *batch, const ExmPlan *plan)
{
	g_autoptr(ExmVm) vm = find_child(batch->state_directory, plan);
	const pid_t ours = vm ? our_process((pid_t)vm->pid) : 0;

	if (ours > 0) {
		kill((pid_t)vm->pid, SIGKILL);
		waitpid(ours, NULL, 0);
	}
}

static void fail(Batch *batch, ExmErrorCode code, const char *what, const char *why)
{
	if (!batch->error)
		batch->error = g_error_new(EXM_ERROR, (gint)code, "%s%s", what, why);
	batch->stopping = batch->stopping || batch->order->all_or_none;
}

/* A child that was not started by its worker, and that has ended since, is not waited for. */
static void add_child(Batch *batch, const ExmPlan *plan, pid_t parent)
{
	g_autoptr(ExmVm) vm = find_child(batch->state_directory, plan);
	const pid_t pid = vm ? (pid_t)vm->pid : 0;
	const Child child = { pid, parent > 0 ? parent : our_process(pid), plan->name };

	if (child.parent > 0)
		g_array_append_val(batch->children, child);
	batch->started++;
	batch->cloned(plan->name);
}

static void finish_worker(Batch *batch, guint index)
{
	const Worker worker = g_array_index(batch->workers, Worker, index);
	g_autofree char *what = g_strdup_printf("child '%s': ", worker.plan->name);
	g_autofree char *text = NULL;
	int status = -1;

	exm_fd_read_all(worker.report, &text, NULL, NULL);
	close(worker.report);
	(void)TEMP_FAILURE_RETRY(waitpid(worker.pid, &status, 0));
	g_array_remove_index(batch->workers, index);
	if (status == 0 && text) {
		add_child(batch, worker.plan, (pid_t)g_ascii_strtoll(text, NULL, 10));
	} else if (text && *text) {
		fail(batch, (ExmErrorCode)(*text - '0'), what, text + 1);
	} else {
		end_orphan(batch, worker.plan);
		if (!batch->stopping)
			fail(batch, EXM_ERROR_SYSTEM, what, "the process that started it was killed");
	}
}

/* Ends the workers, which take along what they have begun. */
static void stop(Batch *batch, const char *why)
{
	g_autofree char *what = g_strdup_printf("%u of %u children run: ", batch->started,
	                                        batch->plans->len);

	fail(batch, EXM_ERROR_SYSTEM, what, why);
	batch->stopping = true;
	for (guint i = 0; i < batch->workers->len; i++)
		kill(g_array_index(batch->workers, Worker, i).pid, SIGTERM);
}

static int next_signal(const Batch *batch)
{
	struct signalfd_siginfo info;

	return read(batch->signals, &info, sizeof(info)) == sizeof(info) ? (int)info.ssi_signo : 0;
}

static int time_left(const Batch *batch)
{
	if (batch->deadline < 0 || batch->stopping)
		return -1;
	return (int)MAX((batch->deadline - g_get_monotonic_time() + 999) / 1000, 0);
}

static void attend(Batch *batch)
{
	const guint count = batch->workers->len;
	g_autofree struct pollfd *polled = g_new0(struct pollfd, count + 1);
	int got;

	for (guint i = 0; i < count; i++)
		polled[i] = (struct pollfd){ .fd = g_array_index(batch->workers, Worker, i).report,
			                     .events = POLLIN };
	polled[count] = (struct pollfd){ .fd = batch->signals, .events = POLLIN };
	got = poll(polled, count + 1, time_left(batch));
	if (got == 0)
		stop(batch, "time is up");
	for (int number; got > 0 && (number = next_signal(batch)) != 0;)
		if (number != SIGCHLD && !batch->stopping)
			stop(batch, "interrupted");
	for (guint i = count; got > 0 && i > 0; i--)
		if (polled[i - 1].revents)
			finish_worker(batch, i - 1);
}

static void start_all(Batch *batch)
{
	while (batch->workers->len > 0 || (!batch->stopping && batch->next < batch->plans->len)) {
		while (!batch->stopping && batch->next < batch->plans->len &&
		       batch->workers->len < batch->order->jobs) {
			GError *problem = NULL;

			if (start_worker(batch, &problem))
				continue;
			fail(batch, EXM_ERROR_SYSTEM, "", problem->message);
			batch->stopping = true;
			g_error_free(problem);
		}
		if (batch->workers->len > 0)
			attend(batch);
	}
}

static void kill_children(Batch *batch)
{
	for (guint i = 0; i < batch->children->len; i++) {
		const Child *child = &g_array_index(batch->children, Child, i);

		if (child->pid > 0 && kill(child->pid, SIGKILL) == 0)
			waitpid(child->parent, NULL, 0);
	}
	g_array_set_size(batch->children, 0);
	exm_state_sweep(batch->state_directory);
}

static int status_of(int status)
{
	/* As a shell has it. */
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Reaps children that have ended; the worst of them is the error. */
static bool reap(Batch *batch)
{
	bool one = false;
	pid_t pid;
	int status;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (guint i = batch->children->len; i > 0; i--) {
			const Child child = g_array_index(batch->children, Child, i - 1);
			const int code = status_of(status);

			if (child.parent != pid)
				continue;
			one = true;
			g_array_remove_index(batch->children, i - 1);
			if (code == 0 || (batch->error && batch->error->code >= code))
				continue;
			g_clear_error(&batch->error);
			batch->error = g_error_new(EXM_ERROR, code, "child '%s' ended with status %d",
			                           child.name, code);
		}
	return one;
}

static void pass_signal(const Batch *batch, int number)
{
	for (guint i = 0; i < batch->children->len; i++) {
		const pid_t pid = g_array_index(batch->children, Child, i).pid;

		if (pid > 0)
			kill(pid, number);
	}
}

/* As their parent, until they have ended; signals are handed on. */
static void stay(Batch *batch)
{
	bool ended = reap(batch);

	while (batch->children->len > 0 && !(ended && batch->order->any)) {
		struct pollfd polled = { .fd = batch->signals, .events = POLLIN };
		int number;

		poll(&polled, 1, -1);
		while ((number = next_signal(batch)) != 0)
			if (number != SIGCHLD)
				pass_signal(batch, number);
		ended = reap(batch) || ended;
	}
	exm_state_sweep(batch->state_directory);
}

/**
 * exm_children_work() - Do something for many children side by side
 * @plans:           of ExmPlan, one for each
 * @state_directory: where guests' directories are
 * @order:           how many at a time, for how long, and what to do when one fails
 * @work:            done for each
 * @cloned:          called for each that it is done for
 * @error:           of the first that failed; its code is the exit status of the worst that was
 *                   attended to
 *
 * A process of its own does it for each, and as the one that orphans fall to, this process is the
 * parent of them all as long as it stays.
 */
bool exm_children_work(const GPtrArray *plans, const char *state_directory,
                       const ExmCloneOrder *order, const ExmChildWork *work, ExmCloned cloned,
                       GError **error)
{
	g_auto(Batch) batch = {
		.plans = plans,
		.state_directory = state_directory,
		.order = order,
		.work = work,
		.cloned = cloned,
		.signals = -1,
	};

	if (!batch_init(&batch, error))
		return false;
	start_all(&batch);
	if (batch.error && order->all_or_none)
		kill_children(&batch);
	if (order->attach && !batch.stopping)
		stay(&batch);
	if (!batch.error)
		return true;
	exm_state_sweep(state_directory);
	g_propagate_error(error, g_steal_pointer(&batch.error));
	return false;
}

/**
 * exm_children_start() - Start detached children side by side
 * @plans:           of ExmPlan, one for each
 * @state_directory: where guests' directories are
 * @order:           how many at a time, for how long, and what to do when one fails
 * @cloned:          called for each that runs
 * @error:           see exm_children_work()
 */
bool exm_children_start(const GPtrArray *plans, const char *state_directory,
                        const ExmCloneOrder *order, ExmCloned cloned, GError **error)
{
	static const ExmChildWork work = { start, NULL };

	return exm_children_work(plans, state_directory, order, &work, cloned, error);
}

static bool has_status(const ExmVm *vm, const char *wanted)
{
	g_autofree char *status = exm_control_status(vm, ANSWER_MS, NULL);

	return g_strcmp0(status, wanted) == 0;
}

/**
 * exm_children_end() - End children that this or another process has started
 * @plans:           of ExmPlan, one for each
 * @state_directory: where guests' directories are
 * @spared:          QEMU's status of those that stay, "running" for instance; NULL for none
 */
void exm_children_end(const GPtrArray *plans, const char *state_directory, const char *spared)
{
	for (guint i = 0; i < plans->len; i++) {
		const ExmPlan *plan = plans->pdata[i];
		g_autoptr(ExmVm) vm = find_child(state_directory, plan);

		/* Another guest may have the name by now. */
		if (vm && strcmp(vm->uuid, plan->uuid) == 0 && !(spared && has_status(vm, spared)))
			exm_pidfd_end(vm, END_MS, NULL);
	}
	exm_state_sweep(state_directory);
}
