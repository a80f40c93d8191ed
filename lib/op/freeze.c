/* SPDX-License-Identifier: GPL-2.0-or-later */
/* freeze.c - Do the steps of a save or a fork, watched by a process that can undo them */

#include "op/freeze.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/trace.h"
#include "host/child_process.h"
#include "host/control.h"
#include "host/pidfd.h"
#include "host/state.h"
#include "op/operation.h"

/* One that failed is undone too, unless it is whole: it may have got half way. */
static bool undo(const ExmFreeze *freeze, guint begun)
{
	bool done = true;

	for (guint i = begun; i > 0; i--) {
		const ExmStep *step = freeze->plan->steps->pdata[i - 1];
		const ExmDeed *deed = freeze->kind->deed(step->kind);

		exm_trace("act", "undo %s %s", exm_step_name(step), step->path);
		if (deed->undo && !deed->undo(freeze, step))
			done = false;
	}
	return done;
}

/* True also for a guest that has ended, or was paused when the operation began. */
static bool runs_again(const ExmFreeze *freeze, char **ret_status)
{
	const ExmSavePlan *plan = freeze->plan;
	g_autofree char *status = NULL;

	if (!plan->running || !exm_state_is_alive(plan->vm))
		return true;
	status = exm_control_status(plan->vm, EXM_FREEZE_ANSWER_MS, NULL);
	if (g_strcmp0(status, "running") == 0)
		return true;
	if (ret_status)
		*ret_status = status ? g_steal_pointer(&status) : g_strdup("unknown");
	return false;
}

/**
 * exm_freeze_resolve() - Complete an operation that is committed, and undo one that is not
 * @freeze:     the operation
 * @begun:      number of its steps that have begun
 * @ret_status: QEMU's status where the guest does not run as it did, or "unknown" (transfer full);
 *              else NULL. May be NULL
 */
ExmFreezeEnd exm_freeze_resolve(const ExmFreeze *freeze, guint begun, char **ret_status)
{
	bool done;

	if (freeze->kind->is_done(freeze, begun))
		return freeze->kind->finish(freeze, begun) ? EXM_FREEZE_COMPLETED
		                                           : EXM_FREEZE_UNRESOLVED;
	done = undo(freeze, begun);
	return runs_again(freeze, ret_status) && done ? EXM_FREEZE_UNDONE : EXM_FREEZE_UNRESOLVED;
}

/* Keep the record while something is left to undo: the next command tries again. */
static void resolve(ExmFreeze *freeze, guint begun)
{
	if (begun == 0 || exm_freeze_resolve(freeze, begun, NULL) != EXM_FREEZE_UNRESOLVED)
		exm_operation_end(freeze);
}

static void say_what_is_left(const ExmFreeze *freeze, GError **error)
{
	g_autoptr(GError) reason = NULL;

	if (exm_operation_begun(freeze) == 0 || !error)
		return;
	reason = g_steal_pointer(error);
	g_set_error(error, reason->domain, reason->code,
	            "%s; some changes could not be undone: 'exomem clean' tries again",
	            reason->message);
}

/**
 * struct Guard - What the process that watches is given
 * @freeze:  the operation
 * @pipe:    end of a pipe that is closed when the other process has ended or is done
 * @writer:  its other end, which must be closed there
 */
typedef struct {
	ExmFreeze *freeze;
	int pipe;
	int writer;
} Guard;

static void guard(void *user)
{
	const Guard *guard = user;
	char byte;

	close(guard->writer);
	(void)TEMP_FAILURE_RETRY(read(guard->pipe, &byte, 1));
	resolve(guard->freeze, exm_operation_begun(guard->freeze));
}

static bool start_guard(ExmFreeze *freeze, pid_t *ret_pid, int *ret_pipe, GError **error)
{
	Guard user = { .freeze = freeze };
	const ExmChildProcess process = {
		.work = guard,
		.user = &user,
		.outlives_group = true,
	};
	bool started;
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return exm_throw_errno(error, errno, "make a pipe");
	user.pipe = ends[0];
	user.writer = ends[1];
	started = exm_child_process_start(&process, ret_pid, error);
	close(ends[0]);
	*ret_pipe = ends[1];
	return started;
}

/* A pipe without a reader is one whose process was killed. */
static bool check_watched(int pipe, GError **error)
{
	struct pollfd polled = { .fd = pipe };

	return TEMP_FAILURE_RETRY(poll(&polled, 1, 0)) == 0 ||
	       exm_throw(error, EXM_ERROR_SYSTEM, "the process that guards the guest is gone");
}

/* A committed operation is completed, even if no other process could complete it instead. */
static bool begin_step(const ExmFreeze *freeze, int pipe, guint index, GError **error)
{
	const bool is_done = freeze->kind->is_done(freeze, index);
	GError **reason = is_done ? NULL : error;

	return (check_watched(pipe, reason) && exm_operation_note(freeze, index + 1, reason)) ||
	       is_done;
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

static bool act_all(ExmFreeze *freeze, int pipe, guint *ret_begun, GError **error)
{
	const GPtrArray *steps = freeze->plan->steps;

	for (guint i = 0; i < steps->len; i++) {
		const ExmStep *step = steps->pdata[i];
		const ExmDeed *deed = freeze->kind->deed(step->kind);

		if (!begin_step(freeze, pipe, i, error))
			return false;
		*ret_begun = i + 1;
		if (act_one(freeze, step, error))
			continue;
		if (deed->whole) {
			*ret_begun = i;
			exm_operation_note(freeze, i, NULL);
		}
		return false;
	}
	return true;
}

static void file_free(gpointer file)
{
	exm_write_back_free(file);
}

/* Where the guest's own file can be found (transfer full); NULL where memory is in none, or a device. */
static char *path_of(const ExmSavePlan *plan, guint index)
{
	const ExmSaveFile *file = plan->memory->pdata[index];
	const ExmTemplateMemory *block = plan->template->memory->pdata[index];

	/* A device has no page cache, and no fsync(2) (Linux, drivers/dax/device.c). */
	if (file->how == EXM_SAVE_WRITE || block->namespace)
		return NULL;
	if (file->source)
		return g_strdup(file->source);
	return file->fd >= 0 ? exm_freeze_opened_by_guest(plan, file) : g_strdup(file->path);
}

static bool open_files(ExmFreeze *freeze, GError **error)
{
	const ExmSavePlan *plan = freeze->plan;
	exm_autofd int process = -1;

	freeze->files = g_ptr_array_new_with_free_func(file_free);
	if (!exm_pidfd_open(plan->vm, &process, error))
		return false;
	for (guint i = 0; i < plan->memory->len; i++) {
		g_autofree char *path = path_of(plan, i);
		ExmWriteBack *file = path ? exm_write_back_open((pid_t)plan->vm->pid, process, path,
		                                                error)
		                          : NULL;

		if (path && !file)
			return false;
		if (file)
			g_ptr_array_add(freeze->files, file);
	}
	return true;
}

/**
 * exm_freeze_write_back() - Write back all of the guest's memory files, or ask how that went
 * @freeze: what is done
 * @act:    exm_write_back_check(), _settle() or _sync()
 * @error:  SYSTEM or NO_ROOM; the guest's record has it from now on, because the kernel does not
 *          say it again
 */
bool exm_freeze_write_back(const ExmFreeze *freeze,
                           bool (*act)(const ExmWriteBack *file, GError **error), GError **error)
{
	for (guint i = 0; i < freeze->files->len; i++) {
		GError *failure = NULL;

		if (act(freeze->files->pdata[i], &failure))
			continue;
		exm_state_record_loss(freeze->plan->vm, failure->message);
		g_propagate_error(error, failure);
		return false;
	}
	return true;
}

static bool run_watched(ExmFreeze *freeze, GError **error)
{
	exm_autofd int pipe = -1;
	pid_t watcher = -1;
	guint begun = 0;
	int status = 0;
	bool done;

	if (!start_guard(freeze, &watcher, &pipe, error))
		return false;
	freeze->qmp = exm_control_open(freeze->plan->vm, EXM_VM_CONTROL, EXM_FREEZE_ANSWER_MS, error);
	done = freeze->qmp && act_all(freeze, pipe, &begun, error);
	exm_qmp_free(g_steal_pointer(&freeze->qmp));
	if (done && !freeze->left)
		exm_operation_end(freeze);
	exm_fd_clear(&pipe);
	waitpid(watcher, &status, 0);
	/* One that was killed has left that to us. */
	if (!done && WIFSIGNALED(status))
		resolve(freeze, begun);
	if (!done)
		say_what_is_left(freeze, error);
	return done;
}

static bool run_recorded(ExmFreeze *freeze, GError **error)
{
	bool done;

	if (!exm_operation_begin(freeze, error))
		return false;
	done = run_watched(freeze, error);
	exm_fd_clear(&freeze->folder);
	exm_fd_clear(&freeze->record);
	return done;
}

/**
 * exm_freeze_run() - Do the steps of a save or a fork
 * @freeze: what is done, on what
 * @error:  of the step that failed; the guest goes on as if nothing had been tried, where it was
 * not too late for that
 *
 * A second process watches: should this one be killed, it undoes what was done, or completes it
 * where it is too late for that. It does the same where a step fails, so that there is one way
 * back. Should both be killed, exm_op_recover() does it.
 */
bool exm_freeze_run(ExmFreeze *freeze, GError **error)
{
	bool done;

	signal(SIGPIPE, SIG_IGN);
	done = open_files(freeze, error) && run_recorded(freeze, error);
	g_ptr_array_unref(g_steal_pointer(&freeze->files));
	return done;
}
