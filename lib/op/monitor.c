/* SPDX-License-Identifier: GPL-2.0-or-later */
/* monitor.c - Say something to a guest's QEMU, or hear what it says */

#include "op/monitor.h"

#include <poll.h>

#include "base/error.h"
#include "host/control.h"
#include "host/listener.h"
#include "host/state.h"
#include "op/ask.h"

/* How long QEMU may take to greet. */
#define GREETING_MS 2000

/* A monitor serves one at a time and lets two more wait; who comes then has to come again. */
#define RETRY_US 5000UL

static ExmQmp *open_monitor(const ExmVm *vm, int deadline_ms, GError **error)
{
	const gint64 deadline = g_get_monotonic_time() + (gint64)deadline_ms * 1000;

	for (;;) {
		g_autoptr(GError) problem = NULL;
		ExmQmp *qmp = exm_control_open(vm, EXM_VM_CONTROL, deadline_ms, &problem);

		if (qmp)
			return qmp;
		if (!g_error_matches(problem, EXM_ERROR, EXM_ERROR_STATE) || !exm_state_is_alive(vm)) {
			g_propagate_error(error, g_steal_pointer(&problem));
			return NULL;
		}
		if (g_get_monotonic_time() > deadline) {
			exm_throw(error, EXM_ERROR_SYSTEM, "%s", problem->message);
			return NULL;
		}
		g_usleep(RETRY_US);
	}
}

/**
 * exm_op_qmp() - Let a guest's QEMU execute a command
 * @state_directory: where guests' directories are
 * @name:            the guest's
 * @command:         the command
 * @arguments:       (transfer full): its arguments, an object, or NULL
 * @timeout_ms:      for the command; to say anything at all, QEMU has less
 * @error:           STATE where there is no such guest; SYSTEM: QEMU's words, or its silence
 *
 * Return: what it returned (transfer full), or NULL.
 */
ExmJson *exm_op_qmp(const char *state_directory, const char *name, const char *command,
                    ExmJson *arguments, int timeout_ms, GError **error)
{
	g_autoptr(ExmJson) held = arguments;
	g_autoptr(ExmVm) vm = exm_state_find(state_directory, name, error);
	g_autoptr(ExmQmp) qmp = NULL;

	if (!vm)
		return NULL;
	qmp = open_monitor(vm, MIN(timeout_ms, GREETING_MS), error);
	if (!qmp)
		return NULL;
	exm_qmp_set_deadline(qmp, timeout_ms);
	return exm_qmp_execute(qmp, command, g_steal_pointer(&held), error);
}

/* A monitor greets one client only, and the next one when that has left. */
static bool throw_no_greeting(ExmVm *vm, GError **error)
{
	g_autoptr(GPtrArray) vms = g_ptr_array_new();
	g_autoptr(GPtrArray) questions = NULL;
	const ExmQuestion *question;

	g_ptr_array_add(vms, vm);
	questions = exm_questions_new(vms, "query-status");
	exm_questions_ask(questions, GREETING_MS);
	question = questions->pdata[0];
	if (question->answer)
		return exm_throw(error, EXM_ERROR_STATE,
		                 "somebody else listens to the events of guest '%s'", vm->name);
	return exm_throw(error, EXM_ERROR_SYSTEM, "QEMU of guest '%s' did not answer in time",
	                 vm->name);
}

static bool wait_for_greeting(ExmVm *vm, const ExmListener *listener, GError **error)
{
	const gint64 deadline = g_get_monotonic_time() + (gint64)GREETING_MS * 1000;
	struct pollfd greeting = { .fd = exm_listener_fd(listener), .events = POLLIN };

	while (poll(&greeting, 1, GREETING_MS) <= 0)
		if (g_get_monotonic_time() >= deadline)
			return throw_no_greeting(vm, error);
	return true;
}

static bool pass_on(ExmListener *listener, ExmEventSink sink, GError **error)
{
	ExmJson *message;
	bool good = true;

	while (good && (message = exm_listener_next(listener))) {
		if (exm_json_get_string(message, "event"))
			good = sink(message, error);
		exm_json_put(message);
	}
	return good;
}

/**
 * exm_op_events() - Hear a guest's events until it ends
 * @state_directory: where guests' directories are
 * @name:            the guest's
 * @sink:            called for each
 * @reader:          a descriptor: when the reader behind it has gone, nobody listens any more
 * @error:           of @sink; STATE where there is no such guest, or somebody else listens
 */
bool exm_op_events(const char *state_directory, const char *name, ExmEventSink sink, int reader,
                   GError **error)
{
	g_autoptr(ExmVm) vm = exm_state_find(state_directory, name, error);
	g_autoptr(ExmListener) listener = NULL;
	struct pollfd polled[2] = { { .events = POLLIN }, { .fd = reader } };
	bool more = true;

	if (!vm)
		return false;
	listener = exm_listener_new(vm, EXM_VM_EVENTS, NULL, NULL, error);
	if (!listener || !wait_for_greeting(vm, listener, error))
		return false;
	polled[0].fd = exm_listener_fd(listener);
	while (more) {
		poll(polled, G_N_ELEMENTS(polled), -1);
		more = !polled[1].revents && exm_listener_receive(listener);
		if (!pass_on(listener, sink, error))
			return false;
	}
	return true;
}
