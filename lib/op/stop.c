/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stop.c - End guests: by the power button, by QMP, by SIGKILL */

#include "op/stop.h"

#include <string.h>

#include "base/error.h"
#include "base/fd.h"
#include "host/guest_end.h"
#include "host/pidfd.h"
#include "host/state.h"
#include "op/ask.h"

/* How long QEMU may take to answer, and how often it is asked how far the guest is. */
#define ANSWER_MS 1000
#define PAUSE_MS  500

/* A QEMU that was told to quit writes out its disks; one that was killed gives back its memory. */
#define QUIT_MS 10000
#define KILL_MS 10000

/**
 * struct ExmStop - Guests that are being stopped
 * @vms:    of ExmVm
 * @fds:    for each its process, -1 when it has ended
 * @pushed: for each, whether its power button was pressed
 */
typedef struct {
	GPtrArray *vms;
	int *fds;
	bool *pushed;
} ExmStop;

static void stop_clear(ExmStop *stop)
{
	for (guint i = 0; stop->fds && i < stop->vms->len; i++)
		exm_fd_clear(&stop->fds[i]);
	if (stop->vms)
		g_ptr_array_unref(stop->vms);
	g_free(stop->fds);
	g_free(stop->pushed);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ExmStop, stop_clear)

/* The first error is the one that is told; the others are seen by the names. */
static void add_failure(GPtrArray *failed, const char *name, GError **first, GError *problem)
{
	g_ptr_array_add(failed, g_strdup(name));
	if (first && !*first)
		g_propagate_error(first, problem);
	else
		g_error_free(problem);
}

static GPtrArray *find_named(const ExmStopRequest *request, GPtrArray *failed, GError **first)
{
	GPtrArray *vms = exm_vms_new();

	for (size_t i = 0; request->names[i]; i++) {
		GError *problem = NULL;
		ExmVm *vm = exm_state_find(request->state_directory, request->names[i], &problem);

		if (vm)
			g_ptr_array_add(vms, vm);
		else
			add_failure(failed, request->names[i], first, problem);
	}
	return vms;
}

static void take_hold(ExmStop *stop, GPtrArray *failed, GError **first)
{
	stop->fds = g_new0(int, stop->vms->len);
	stop->pushed = g_new0(bool, stop->vms->len);
	for (guint i = 0; i < stop->vms->len; i++) {
		const ExmVm *vm = stop->vms->pdata[i];
		GError *problem = NULL;

		stop->fds[i] = -1;
		if (!exm_pidfd_open(vm, &stop->fds[i], &problem))
			add_failure(failed, vm->name, first, problem);
	}
}

/* Those whose directory was removed, and their sockets with it, can only be sent a signal. */
static void terminate_lost(const ExmStop *stop)
{
	for (guint i = 0; i < stop->vms->len; i++)
		if (stop->fds[i] >= 0 && ((const ExmVm *)stop->vms->pdata[i])->lost)
			exm_pidfd_terminate(stop->fds[i], NULL);
}

/* Questions to those that are still there. */
static GPtrArray *ask_living(const ExmStop *stop, const char *command, int deadline_ms)
{
	GPtrArray *questions = exm_questions_new(stop->vms, command);

	for (guint i = 0; i < questions->len; i++) {
		ExmQuestion *question = questions->pdata[i];

		if (stop->fds[i] < 0)
			question->command = NULL;
	}
	exm_questions_ask(questions, deadline_ms);
	return questions;
}

/*
 * A guest that does not run cannot react to its power button; one that has powered off under
 * -no-shutdown does not run any more.
 */
static const char *next_command(const ExmStop *stop, guint i, const ExmQuestion *status)
{
	if (!status->answer)
		return NULL;
	if (!exm_json_get_bool(status->answer, "running"))
		return "quit";
	return stop->pushed[i] ? NULL : "system_powerdown";
}

static void push(ExmStop *stop, int deadline_ms)
{
	g_autoptr(GPtrArray) asked = ask_living(stop, "query-status", deadline_ms);
	g_autoptr(GPtrArray) told = exm_questions_new(stop->vms, NULL);

	for (guint i = 0; i < told->len; i++) {
		ExmQuestion *question = told->pdata[i];

		question->command = next_command(stop, i, asked->pdata[i]);
	}
	exm_questions_ask(told, deadline_ms);
	for (guint i = 0; i < told->len; i++) {
		const ExmQuestion *question = told->pdata[i];

		if (question->answer && strcmp(question->command, "system_powerdown") == 0)
			stop->pushed[i] = true;
	}
}

static void kill_one(const ExmStop *stop, guint i)
{
	const ExmVm *vm = stop->vms->pdata[i];

	exm_guest_end_announce(vm->directory, "by 'exomem stop'");
	exm_pidfd_kill(stop->fds[i], NULL);
}

static bool wait_for_all(const ExmStop *stop, gint64 timeout_ms)
{
	return exm_pidfds_wait(stop->fds, stop->vms->len, (int)MAX(timeout_ms, 0));
}

/* Until they have powered themselves off. One that was silent is asked again. */
static bool power_down(ExmStop *stop, int timeout_ms)
{
	const gint64 deadline = g_get_monotonic_time() + (gint64)timeout_ms * 1000;
	gint64 left = timeout_ms;
	bool ended = wait_for_all(stop, 0);

	while (!ended && left > 0) {
		push(stop, (int)MIN(left, ANSWER_MS));
		left = (deadline - g_get_monotonic_time()) / 1000;
		ended = wait_for_all(stop, MIN(left, PAUSE_MS));
		left = (deadline - g_get_monotonic_time()) / 1000;
	}
	return ended;
}

/* Until they have quit; one that does not even answer is killed meanwhile. */
static bool quit(const ExmStop *stop)
{
	g_autoptr(GPtrArray) questions = ask_living(stop, "quit", ANSWER_MS);

	for (guint i = 0; i < questions->len; i++) {
		const ExmQuestion *question = questions->pdata[i];

		if (stop->fds[i] >= 0 && !question->done && !question->vm->lost)
			kill_one(stop, i);
	}
	return wait_for_all(stop, QUIT_MS);
}

static bool kill_all(const ExmStop *stop)
{
	for (guint i = 0; i < stop->vms->len; i++)
		if (stop->fds[i] >= 0)
			kill_one(stop, i);
	return wait_for_all(stop, KILL_MS);
}

static void add_survivors(const ExmStop *stop, GPtrArray *failed, GError **first)
{
	for (guint i = 0; i < stop->vms->len; i++) {
		const ExmVm *vm = stop->vms->pdata[i];
		GError *problem = NULL;

		if (stop->fds[i] < 0)
			continue;
		exm_throw(&problem, EXM_ERROR_SYSTEM, "guest '%s' (pid %d) does not end", vm->name,
		          (int)vm->pid);
		add_failure(failed, vm->name, first, problem);
	}
}

/**
 * exm_op_stop() - End guests, all side by side
 * @request: which, and how
 * @failed:  gets the names of those that were not found or did not end
 * @error:   of the first of those
 *
 * It returns when their processes are gone and their directories swept.
 */
bool exm_op_stop(const ExmStopRequest *request, GPtrArray *failed, GError **error)
{
	g_auto(ExmStop) stop = { 0 };
	g_autoptr(GError) first = NULL;

	if (request->names)
		stop.vms = find_named(request, failed, &first);
	else if (!exm_state_list(request->state_directory, &stop.vms, error))
		return false;
	take_hold(&stop, failed, &first);
	terminate_lost(&stop);
	if (request->kill || (!power_down(&stop, request->timeout_ms) && !quit(&stop)))
		kill_all(&stop);
	add_survivors(&stop, failed, &first);
	exm_state_sweep(request->state_directory);
	if (first)
		g_propagate_error(error, g_steal_pointer(&first));
	return failed->len == 0;
}
