/* SPDX-License-Identifier: GPL-2.0-or-later */
/* wait.c - Wait until a guest runs or has ended */

#include "op/wait.h"

#include "base/error.h"
#include "base/fd.h"
#include "host/pidfd.h"
#include "host/state.h"
#include "op/ask.h"

/* How long QEMU may take to say what it does, and how long to leave it in peace behind that. */
#define ANSWER_MS 500
#define PAUSE_MS  50

static bool throw_timeout(const char *name, const char *what, int timeout_ms, GError **error)
{
	return exm_throw(error, EXM_ERROR_SYSTEM, "guest '%s' %s after %g s", name, what,
	                 timeout_ms / 1000.0);
}

static bool wait_for_process(const ExmVm *vm, int timeout_ms, GError **error)
{
	exm_autofd int fd = -1;

	if (!exm_pidfd_open(vm, &fd, error))
		return false;
	return exm_pidfds_wait(&fd, 1, timeout_ms) ||
	       throw_timeout(vm->name, "has not ended", timeout_ms, error);
}

static bool report(const ExmEnded *ended, char **ret_text, GError **error)
{
	g_autofree char *text = exm_end_text(ended->end);
	const int status = exm_end_exit_status(ended->end);

	if (status == 0) {
		*ret_text = g_steal_pointer(&text);
		return true;
	}
	return exm_throw(error, (ExmErrorCode)status, "guest '%s' has ended: %s", ended->vm->name,
	                 text);
}

/* Of a guest in the foreground only the shell knows the end that started it. */
static ExmEnded *find_ended(const char *state_directory, const char *name, const ExmVm *vm)
{
	g_autoptr(ExmEnded) ended = exm_state_find_ended(state_directory, name, vm ? vm->uuid : NULL);

	return ended && ended->vm->detached ? g_steal_pointer(&ended) : NULL;
}

/**
 * exm_op_wait_exit() - Wait until a guest's QEMU has ended, and say how
 * @state_directory: where guests' directories are
 * @name:            the guest's; it may have ended already
 * @timeout_ms:      -1 for no end
 * @ret_text:        how it ended, where that was in order (transfer full); NULL where that is not
 * known because it ran in the foreground
 * @error:           STATE where there is no such guest, SYSTEM where time is up; where QEMU failed
 * or was killed the code is exm_end_exit_status()
 */
bool exm_op_wait_exit(const char *state_directory, const char *name, int timeout_ms,
                      char **ret_text, GError **error)
{
	g_autoptr(GError) missing = NULL;
	g_autoptr(ExmVm) vm = exm_state_find(state_directory, name, &missing);
	g_autoptr(ExmEnded) ended = NULL;

	*ret_text = NULL;
	if (vm && !wait_for_process(vm, timeout_ms, error))
		return false;
	if (vm || g_error_matches(missing, EXM_ERROR, EXM_ERROR_STATE))
		ended = find_ended(state_directory, name, vm);
	if (ended)
		return report(ended, ret_text, error);
	if (vm)
		return true;
	g_propagate_error(error, g_steal_pointer(&missing));
	return false;
}

static bool is_running(ExmVm *vm, int deadline_ms)
{
	g_autoptr(GPtrArray) vms = g_ptr_array_new();
	g_autoptr(GPtrArray) questions = NULL;
	const ExmQuestion *question;

	g_ptr_array_add(vms, vm);
	questions = exm_questions_new(vms, "query-status");
	exm_questions_ask(questions, deadline_ms);
	question = questions->pdata[0];
	return exm_json_get_bool(question->answer, "running");
}

static bool throw_ended(const char *state_directory, const char *name, GError **error)
{
	g_autoptr(ExmEnded) ended = exm_state_find_ended(state_directory, name, NULL);
	g_autofree char *text = ended ? exm_end_text(ended->end) : NULL;

	return exm_throw(error, EXM_ERROR_STATE, "guest '%s' has ended%s%s", name, text ? ": " : "",
	                 text ? text : "");
}

/**
 * exm_op_wait_running() - Wait until a guest runs
 * @state_directory: where guests' directories are
 * @name:            the guest's
 * @timeout_ms:      -1 for no end
 * @error:           STATE where there is no such guest, or it ends; SYSTEM where time is up
 */
bool exm_op_wait_running(const char *state_directory, const char *name, int timeout_ms, GError **error)
{
	const gint64 deadline = g_get_monotonic_time() + (gint64)timeout_ms * 1000;
	g_autoptr(ExmVm) vm = exm_state_find(state_directory, name, error);
	exm_autofd int fd = -1;
	gint64 left = ANSWER_MS;

	if (!vm || !exm_pidfd_open(vm, &fd, error))
		return false;
	for (;;) {
		if (timeout_ms >= 0)
			left = (deadline - g_get_monotonic_time() + 999) / 1000;
		if (left <= 0)
			return throw_timeout(name, "does not run", timeout_ms, error);
		if (is_running(vm, (int)MIN(left, ANSWER_MS)))
			return true;
		if (exm_pidfds_wait(&fd, 1, (int)MIN(left, PAUSE_MS)))
			return throw_ended(state_directory, name, error);
	}
}
