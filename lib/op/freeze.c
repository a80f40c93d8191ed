/* SPDX-License-Identifier: GPL-2.0-or-later */
/* freeze.c - Do the steps of a save or a fork, watched by a process that can undo them */

#include "op/freeze.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/trace.h"
#include "host/child_process.h"
#include "host/control.h"

/* One that failed is undone too, unless it is whole: it may have got half way. */
static void undo(const ExmFreeze *freeze, guint begun)
{
	for (guint i = begun; i > 0; i--) {
		const ExmStep *step = freeze->plan->steps->pdata[i - 1];
		const ExmDeed *deed = freeze->kind->deed(step->kind);

		exm_trace("act", "undo %s %s", exm_step_name(step), step->path);
		if (deed->undo)
			deed->undo(freeze, step);
	}
}

/* The guest goes on as if nothing had been tried; or it is too late for that. */
static void settle(const ExmFreeze *freeze, guint begun)
{
	if (freeze->kind->is_done(freeze, begun))
		freeze->kind->finish(freeze, begun);
	else
		undo(freeze, begun);
}

/* What is written when there is nothing left to watch over. */
#define ALL_DONE G_MAXUINT

/**
 * struct Guard - What the guard is given
 * @freeze:  what it undoes or finishes
 * @reports: end of a pipe that is read
 * @writer:  its other end, which must be closed there
 */
typedef struct {
	const ExmFreeze *freeze;
	int reports;
	int writer;
} Guard;

/* In the guard, which hears of each step before it is begun: silence is the other's death. */
static void guard(void *user)
{
	const Guard *guard = user;
	guint begun = 0;
	guint report;

	close(guard->writer);
	while (TEMP_FAILURE_RETRY(read(guard->reports, &report, sizeof(report))) == sizeof(report)) {
		if (report == ALL_DONE)
			return;
		begun = report;
	}
	settle(guard->freeze, begun);
}

static bool start_guard(const ExmFreeze *freeze, pid_t *ret_pid, int *ret_reports, GError **error)
{
	static const int ignored[] = { SIGHUP, SIGINT, SIGTERM, SIGPIPE, 0 };
	Guard user = { .freeze = freeze };
	const ExmChildProcess process = {
		.work = guard,
		.user = &user,
		.ignored_signals = ignored,
	};
	bool started;
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return exm_throw_errno(error, errno, "make a pipe");
	user.reports = ends[0];
	user.writer = ends[1];
	started = exm_child_process_start(&process, ret_pid, error);
	close(ends[0]);
	*ret_reports = ends[1];
	return started;
}

static bool tell_guard(int reports, guint report, GError **error)
{
	return write(reports, &report, sizeof(report)) == sizeof(report) ||
	       exm_throw(error, EXM_ERROR_SYSTEM, "the process that guards the guest is gone");
}

static bool act_one(ExmFreeze *freeze, const ExmStep *step, GError **error)
{
	const gint64 start = g_get_monotonic_time();

	exm_trace("act", "%s %s", exm_step_name(step), step->path);
	/* What came before may have taken longer than QEMU may. */
	exm_qmp_set_deadline(freeze->qmp, EXM_FREEZE_ANSWER_MS);
	if (!freeze->kind->deed(step->kind)->act(freeze, step, error)) {
		g_prefix_error(error, "%s: ", exm_step_name(step));
		return false;
	}
	if (freeze->kind->stepped)
		freeze->kind->stepped(freeze, step, (uint64_t)(g_get_monotonic_time() - start));
	return true;
}

static bool act_all(ExmFreeze *freeze, int reports, guint *ret_begun, GError **error)
{
	const GPtrArray *steps = freeze->plan->steps;

	for (guint i = 0; i < steps->len; i++) {
		const ExmStep *step = steps->pdata[i];
		const ExmDeed *deed = freeze->kind->deed(step->kind);

		if (!tell_guard(reports, i + 1, error))
			return false;
		*ret_begun = i + 1;
		if (act_one(freeze, step, error))
			continue;
		if (deed->whole) {
			*ret_begun = i;
			tell_guard(reports, i, NULL);
		}
		return false;
	}
	return tell_guard(reports, ALL_DONE, error);
}

/**
 * exm_freeze_run() - Do the steps of a save or a fork
 * @freeze: what is done, on what
 * @error:  of the step that failed; the guest goes on as if nothing had been tried, where it was
 * not too late for that
 *
 * A second process watches: should this one be killed, it lets the guest go on, or finishes where
 * it is too late for that. It does the same where a step fails, so that there is one way back.
 */
bool exm_freeze_run(ExmFreeze *freeze, GError **error)
{
	exm_autofd int reports = -1;
	pid_t watcher = -1;
	guint begun = 0;
	int status = 0;
	bool done;

	signal(SIGPIPE, SIG_IGN);
	if (!start_guard(freeze, &watcher, &reports, error))
		return false;
	freeze->qmp = exm_control_open(freeze->plan->vm, EXM_VM_CONTROL, EXM_FREEZE_ANSWER_MS, error);
	done = freeze->qmp && act_all(freeze, reports, &begun, error);
	exm_qmp_free(g_steal_pointer(&freeze->qmp));
	exm_fd_clear(&reports);
	waitpid(watcher, &status, 0);
	/* One that was killed has left that to us. */
	if (!done && WIFSIGNALED(status))
		settle(freeze, begun);
	return done;
}
