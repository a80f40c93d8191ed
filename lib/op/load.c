/* SPDX-License-Identifier: GPL-2.0-or-later */
/* load.c - Load a template's device state into a child that waits for it */

#include "op/load.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "host/child_process.h"
#include "host/control.h"
#include "host/guest_end.h"
#include "host/incoming.h"
#include "host/pidfd.h"
#include "host/qmp_migration.h"
#include "host/template_store.h"
#include "plan/vm.h"

/* A child of a template of many GiB has as much to do as one of few MiB; a busy host may be slow. */
#define LOAD_PATIENCE_MS 120000

/* QEMU has read its state by then, and has only to act on it. */
#define RESUME_PATIENCE_MS 60000

/* How long a QEMU may take to load a state of which it has got all, and for an answer meanwhile. */
#define COMPLETE_US       5000000
#define COMPLETE_PAUSE_US 20000UL
#define ANSWER_MS         10000

/* A QEMU that is killed gives back its memory first. */
#define END_MS 30000

/* How long a QEMU that has hung up may take to end. */
#define END_PATIENCE_MS 10000

/**
 * exm_load_read() - Read a template's device state, and see that it is what was saved
 * @template:   the template
 * @ret_state:  the stream (transfer full)
 * @ret_length: bytes of it
 * @error:      STATE where it is damaged
 *
 * The checksum is a few hundred KiB of work, and tells what broke.
 */
bool exm_load_read(const ExmTemplate *template, char **ret_state, size_t *ret_length, GError **error)
{
	g_autofree char *path = exm_template_path(template, EXM_TEMPLATE_DEVICES);
	g_autofree char *state = NULL;
	g_autofree char *sum = NULL;
	size_t length;

	if (!exm_file_read(path, &state, &length, error))
		return false;
	sum = g_compute_checksum_for_data(G_CHECKSUM_SHA256, (const guchar *)state, length);
	if (strcmp(sum, template->devices_sha256) != 0)
		return exm_throw(error, EXM_ERROR_STATE,
		                 "'%s' is not what was saved: its checksum differs", path);
	*ret_state = g_steal_pointer(&state);
	*ret_length = length;
	return true;
}

/* A disk that somebody else holds keeps it from running, and QEMU says so in its log alone. */
static bool throw_resting(const GError *reason, GError **error)
{
	return exm_throw(error, EXM_ERROR_SYSTEM, "it was loaded but does not run: %s",
	                 reason->message);
}

static bool run(ExmQmp *qmp, bool rests, GError **error)
{
	g_autoptr(ExmJson) answer = NULL;
	g_autoptr(GError) reason = NULL;

	/* One that ran when it was saved runs by itself when it is loaded. */
	if (rests) {
		answer = exm_qmp_execute(qmp, "cont", NULL, error);
		if (!answer)
			return false;
	}
	return exm_qmp_wait_event(qmp, "RESUME", NULL, &reason) || throw_resting(reason, error);
}

/*
 * The guest is about to write the memory that this state belongs to, and nobody must load the state
 * into what it becomes: the template goes before the guest runs. Where it cannot run it has written
 * nothing, and the template is there again.
 */
static bool run_once(ExmQmp *qmp, const ExmPlan *plan, GError **error)
{
	const char *directory = plan->template->directory;

	if (!exm_template_store_hide(directory, error))
		return false;
	if (!plan->paused && !run(qmp, true, error)) {
		exm_template_store_unhide(directory);
		return false;
	}
	exm_template_store_abandon(directory);
	return true;
}

/* Whether the child is paused when it has its state; else it runs by itself. */
static bool rests_when_loaded(const ExmPlan *plan)
{
	return exm_template_device(plan->template) || plan->paused || plan->template->paused;
}

/* From here on the child may run: the next verb resumes it, should this process be killed. */
static bool note_loaded(const ExmPlan *plan, GError **error)
{
	return exm_incoming_note(plan->directory, getpid(), EXM_INCOMING_RESUMES, error);
}

static bool resume(ExmQmp *qmp, const ExmPlan *plan, GError **error)
{
	const bool once = exm_template_device(plan->template) != NULL;
	const bool rests = rests_when_loaded(plan);

	exm_qmp_set_deadline(qmp, RESUME_PATIENCE_MS);
	if (rests && !exm_qmp_migration_wait(qmp, error))
		return false;
	if (rests && !plan->paused && !note_loaded(plan, error))
		return false;
	if (once)
		return run_once(qmp, plan, error);
	return plan->paused || run(qmp, rests, error);
}

/**
 * exm_load() - Load a template's device state into a child that waits for it
 * @plan:       of the child, whose QEMU has been started
 * @timeout_ms: for all of it
 * @error:      SYSTEM: QEMU does not answer or cannot load it; STATE: the state is damaged
 *
 * When it returns, the child runs; or rests, where it shall.
 */
bool exm_load(const ExmPlan *plan, int timeout_ms, GError **error)
{
	const ExmVm vm = { .name = plan->name, .directory = plan->directory };
	g_autofree char *state = NULL;
	g_autoptr(ExmQmp) qmp = NULL;
	size_t length = 0;

	if (!exm_load_read(plan->template, &state, &length, error))
		return false;
	qmp = exm_control_begin(&vm, EXM_VM_CONTROL, timeout_ms, error);
	if (!qmp || (!rests_when_loaded(plan) && !note_loaded(plan, error)) ||
	    !exm_qmp_migration_load(qmp, state, length, error) || !resume(qmp, plan, error))
		return false;
	exm_incoming_leave(&vm);
	return true;
}

/**
 * exm_load_expect() - Let a child that was started wait for a state that comes later
 * @vm:         the child
 * @timeout_ms: until it does
 * @ret_child:  the child (transfer full), to be cleared by exm_expectant_clear()
 * @error:      SYSTEM
 */
bool exm_load_expect(const ExmVm *vm, int timeout_ms, ExmExpectant *ret_child, GError **error)
{
	g_autoptr(ExmQmp) qmp = exm_control_begin(vm, EXM_VM_CONTROL, timeout_ms, error);

	if (!qmp || !exm_qmp_migration_expect(qmp, &ret_child->writer, error))
		return false;
	ret_child->qmp = g_steal_pointer(&qmp);
	return true;
}

/**
 * exm_expectant_clear() - Leave a child alone
 * @child: may be clear already
 */
void exm_expectant_clear(ExmExpectant *child)
{
	exm_qmp_free(g_steal_pointer(&child->qmp));
	exm_fd_clear(&child->writer);
}

/**
 * exm_load_pour() - Give a child that expects it its state
 * @child:  the child
 * @state:  the device state
 * @length: bytes of it
 * @error:  SYSTEM
 */
bool exm_load_pour(ExmExpectant *child, const char *state, size_t length, GError **error)
{
	const bool poured = exm_qmp_migration_pour(child->writer, state, length, error);

	/* The end of the stream is its end. */
	exm_fd_clear(&child->writer);
	exm_qmp_set_deadline(child->qmp, RESUME_PATIENCE_MS);
	return poured;
}

/**
 * exm_load_resume() - Let a child run that was started to rest when it is loaded
 * @child:   the child, whose state is loaded
 * @ret_time: when it ran, in microseconds since 1970
 * @error:   SYSTEM
 */
bool exm_load_resume(ExmExpectant *child, uint64_t *ret_time, GError **error)
{
	g_autoptr(GError) reason = NULL;

	if (!exm_qmp_send(child->qmp, "cont", NULL, -1, error) || !exm_qmp_settle(child->qmp, error))
		return false;
	return exm_qmp_wait_event(child->qmp, "RESUME", ret_time, &reason) ||
	       throw_resting(reason, error);
}

/**
 * exm_load_state() - Load a state into a child that was started to wait for it, and rest
 * @vm:     the child
 * @state:  the device state
 * @length: bytes of it
 * @run:    let it run then
 * @error:  SYSTEM
 */
bool exm_load_state(const ExmVm *vm, const char *state, size_t length, bool run, GError **error)
{
	g_auto(ExmExpectant) child = { .writer = -1 };
	uint64_t time;

	return exm_load_expect(vm, LOAD_PATIENCE_MS, &child, error) &&
	       exm_load_pour(&child, state, length, error) &&
	       exm_qmp_migration_wait(child.qmp, error) &&
	       (!run || exm_load_resume(&child, &time, error));
}

/* A QEMU that has been given all of the state may still be loading it. */
static char *wait_until_loaded(const ExmVm *vm)
{
	const gint64 deadline = g_get_monotonic_time() + COMPLETE_US;
	char *status = exm_control_status(vm, ANSWER_MS, NULL);

	while (g_strcmp0(status, "inmigrate") == 0 && g_get_monotonic_time() < deadline) {
		g_usleep(COMPLETE_PAUSE_US);
		g_free(status);
		status = exm_control_status(vm, ANSWER_MS, NULL);
	}
	return status;
}

static bool resume_loaded(const ExmVm *vm)
{
	g_autoptr(ExmQmp) qmp = exm_control_open(vm, EXM_VM_CONTROL, ANSWER_MS, NULL);
	g_autoptr(ExmJson) resumed = qmp ? exm_qmp_execute(qmp, "cont", NULL, NULL) : NULL;

	return resumed;
}

/**
 * exm_load_complete() - Complete the load of a guest's state by a process that has ended
 * @vm:   the guest
 * @then: of exm_incoming_then()
 *
 * The guest is not ended: loading may have written to its memory, so that no other QEMU can load
 * the state any more. One that still waits for its state after that has got none, and is ended.
 *
 * Return: whether the guest was resumed.
 */
bool exm_load_complete(const ExmVm *vm, const char *then)
{
	g_autofree char *status = wait_until_loaded(vm);
	bool resumed = false;

	if (!status)
		return false;
	if (strcmp(status, "inmigrate") == 0) {
		exm_guest_end_announce(vm->directory,
		                       "the process that was to load its state was killed");
		exm_pidfd_end(vm, END_MS, NULL);
		return false;
	}
	if (strcmp(status, "paused") == 0 && strcmp(then, EXM_INCOMING_RESUMES) == 0) {
		resumed = resume_loaded(vm);
		if (!resumed)
			return false;
	}
	exm_incoming_leave(vm);
	return resumed;
}

/**
 * struct Helper - What the process that loads the device state is given
 * @plan:  of the child
 * @child: descriptor of the child's process
 * @warn:  tells the user
 */
typedef struct {
	const ExmPlan *plan;
	int child;
	ExmWarn warn;
} Helper;

/* A QEMU that could not load the state, or that never came to be, has said why, and ends. */
static void load_or_kill(void *user)
{
	const Helper *helper = user;
	int child = helper->child;
	g_autoptr(GError) error = NULL;

	if (exm_load(helper->plan, LOAD_PATIENCE_MS, &error))
		return;
	/* A damaged state QEMU never got to see: it has no reason to end. */
	if (!g_error_matches(error, EXM_ERROR, EXM_ERROR_STATE) &&
	    exm_pidfds_wait(&child, 1, END_PATIENCE_MS))
		return;
	helper->warn(error->message);
	exm_pidfd_kill(child, NULL);
}

/**
 * exm_load_start() - Have the device state loaded while this process becomes QEMU
 * @plan:  of the child, whose socket is there
 * @warn:  tells the user where it cannot be loaded; the child is killed then
 * @error: SYSTEM
 *
 * A helper does it, which QEMU is not the parent of. It keeps none of the child's descriptors: with
 * the sockets it could not see QEMU's end, and the locks would outlive the child.
 */
bool exm_load_start(const ExmPlan *plan, ExmWarn warn, GError **error)
{
	static const int ignored[] = { SIGPIPE, 0 };
	exm_autofd int child = pidfd_open(getpid(), 0);
	Helper helper = { .plan = plan, .child = child, .warn = warn };
	const int kept[] = { STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO, child, -1 };
	const ExmChildProcess process = {
		.work = load_or_kill,
		.user = &helper,
		.ignored_signals = ignored,
		.kept_fds = kept,
	};
	pid_t pid = 0;

	if (child < 0)
		return exm_throw_errno(error, errno, "open this process");
	/* A QEMU that nobody gives its state would wait for it for ever: the next verb ends it. */
	return exm_child_process_start_orphan(&process, &pid, error) &&
	       exm_incoming_note(plan->directory, pid, NULL, error);
}
