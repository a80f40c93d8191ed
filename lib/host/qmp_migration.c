/* SPDX-License-Identifier: GPL-2.0-or-later */
/* qmp_migration.c - Migration streams to and from a QEMU, through a pipe */

#include "host/qmp_migration.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/size.h"

/* By this name QEMU's monitor knows the pipe: fd: is the one transport that all versions have. */
#define PIPE_NAME "exomem-stream"
#define PIPE_URI  "fd:" PIPE_NAME

/* A device state fits in; what goes through a larger one has left the processor's cache. */
#define PIPE_SIZE ((int)(512 * EXM_KIB))

/**
 * exm_qmp_event_time() - When QEMU sent an event
 * @event: the event's message
 *
 * Return: microseconds since 1970.
 */
uint64_t exm_qmp_event_time(ExmJson *event)
{
	ExmJson *time = exm_json_member(event, "timestamp");

	return exm_json_get_uint(time, "seconds") * G_USEC_PER_SEC +
	       exm_json_get_uint(time, "microseconds");
}

/**
 * exm_qmp_wait_event() - Wait for an event of a name, or for the news that loading failed
 * @qmp:      the conversation
 * @name:     "RESUME"
 * @ret_time: when it was sent, in microseconds since 1970; or NULL
 * @error:    SYSTEM
 */
bool exm_qmp_wait_event(ExmQmp *qmp, const char *name, uint64_t *ret_time, GError **error)
{
	for (;;) {
		g_autoptr(ExmJson) event = exm_qmp_next_event(qmp, error);
		ExmJson *data = exm_json_member(event, "data");

		if (!event)
			return false;
		if (strcmp(exm_json_get_string(event, "event"), name) == 0) {
			if (ret_time)
				*ret_time = exm_qmp_event_time(event);
			return true;
		}
		if (strcmp(exm_json_get_string(event, "event"), "MIGRATION") == 0 &&
		    g_strcmp0(exm_json_get_string(data, "status"), "failed") == 0)
			return exm_throw(error, EXM_ERROR_SYSTEM, "QEMU could not load the state");
	}
}

/**
 * exm_qmp_migration_throw() - Why the last migration of a QEMU failed, in its own words
 * @qmp:   the conversation
 * @error: SYSTEM
 *
 * Return: false.
 */
bool exm_qmp_migration_throw(ExmQmp *qmp, GError **error)
{
	g_autoptr(ExmJson) answer = exm_qmp_execute(qmp, "query-migrate", NULL, NULL);
	const char *words = exm_json_get_string(answer, "error-desc");

	return exm_throw(error, EXM_ERROR_SYSTEM, "QEMU could not move the state: %s",
	                 words ? words : "it does not say why");
}

/**
 * exm_qmp_migration_wait() - Wait until a migration has ended
 * @qmp:   the conversation
 * @error: SYSTEM where it failed
 */
bool exm_qmp_migration_wait(ExmQmp *qmp, GError **error)
{
	for (;;) {
		g_autoptr(ExmJson) event = exm_qmp_next_event(qmp, error);
		const char *status = exm_json_get_string(exm_json_member(event, "data"), "status");

		if (!event)
			return false;
		if (strcmp(exm_json_get_string(event, "event"), "MIGRATION") != 0)
			continue;
		if (g_strcmp0(status, "completed") == 0)
			return true;
		if (g_strcmp0(status, "failed") == 0 || g_strcmp0(status, "cancelled") == 0)
			return exm_qmp_migration_throw(qmp, error);
	}
}

/* Shared memory is left out of the stream, and QEMU tells how it goes. */
static ExmJson *build_capabilities(void)
{
	static const char *const names[] = { "x-ignore-shared", "events" };
	ExmJson *arguments = json_object_new_object();
	ExmJson *list = json_object_new_array();

	for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
		ExmJson *item = json_object_new_object();

		exm_json_set_string(item, "capability", names[i]);
		exm_json_set_bool(item, "state", true);
		json_object_array_add(list, item);
	}
	json_object_object_add(arguments, "capabilities", list);
	return arguments;
}

/**
 * exm_qmp_migration_prepare() - Leave shared memory out of the stream, and tell how it goes
 * @qmp:   the conversation
 * @error: SYSTEM
 *
 * Both ends must agree (QEMU, migration/savevm.c, configuration_validate_capabilities()).
 */
bool exm_qmp_migration_prepare(ExmQmp *qmp, GError **error)
{
	g_autoptr(ExmJson) answer = exm_qmp_execute(qmp, "migrate-set-capabilities",
	                                            build_capabilities(), error);

	return answer;
}

static bool send_pipe(ExmQmp *qmp, int theirs, GError **error)
{
	ExmJson *arguments = json_object_new_object();

	exm_json_set_string(arguments, "fdname", PIPE_NAME);
	return exm_qmp_send(qmp, "getfd", arguments, theirs, error);
}

static bool send_start(ExmQmp *qmp, const char *command, GError **error)
{
	ExmJson *arguments = json_object_new_object();

	exm_json_set_string(arguments, "uri", PIPE_URI);
	return exm_qmp_send(qmp, command, arguments, -1, error);
}

static bool make_pipe(int *ret_reader, int *ret_writer, GError **error)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return exm_throw_errno(error, errno, "make a pipe");
	/* Only speed is lost where it stays small. */
	fcntl(ends[0], F_SETPIPE_SZ, PIPE_SIZE);
	*ret_reader = ends[0];
	*ret_writer = ends[1];
	return true;
}

/* Writes all, or what goes without waiting; *state and *length become the rest. */
static bool pour(int writer, bool wait, const char **state, size_t *length, GError **error)
{
	if (fcntl(writer, F_SETFL, wait ? 0 : O_NONBLOCK) < 0)
		return exm_throw_errno(error, errno, "prepare a pipe");
	while (*length > 0) {
		const ssize_t put = TEMP_FAILURE_RETRY(write(writer, *state, *length));

		/* Why it does not read on comes as an event, or on its standard error. */
		if (put < 0 && (errno == EPIPE || errno == EAGAIN))
			return true;
		if (put < 0)
			return exm_throw_errno(error, errno, "cannot pass the state to QEMU");
		*state += put;
		*length -= (size_t)put;
	}
	return true;
}

static bool send_expect(ExmQmp *qmp, int *ret_writer, GError **error)
{
	exm_autofd int reader = -1;
	exm_autofd int writer = -1;

	if (!make_pipe(&reader, &writer, error) ||
	    !exm_qmp_send(qmp, "migrate-set-capabilities", build_capabilities(), -1, error) ||
	    !send_pipe(qmp, reader, error) || !send_start(qmp, "migrate-incoming", error))
		return false;
	*ret_writer = g_steal_fd(&writer);
	return true;
}

/**
 * exm_qmp_migration_expect() - Let a QEMU wait for a state that comes later (-incoming defer)
 * @qmp:        the conversation, from exm_qmp_begin()
 * @ret_writer: where the state is to be written (transfer full)
 * @error:      SYSTEM
 *
 * When it returns, QEMU has nothing to do but to read.
 */
bool exm_qmp_migration_expect(ExmQmp *qmp, int *ret_writer, GError **error)
{
	return send_expect(qmp, ret_writer, error) && exm_qmp_settle(qmp, error);
}

/**
 * exm_qmp_migration_pour() - Write a state to a QEMU that expects it
 * @writer: from exm_qmp_migration_expect()
 * @state:  the stream
 * @length: bytes of it
 * @error:  SYSTEM
 *
 * What comes of it is told by events.
 */
bool exm_qmp_migration_pour(int writer, const char *state, size_t length, GError **error)
{
	return pour(writer, true, &state, &length, error);
}

/**
 * exm_qmp_migration_load() - Load a state into a QEMU that waits for one (-incoming defer)
 * @qmp:    the conversation, from exm_qmp_begin()
 * @state:  the stream
 * @length: bytes of it
 * @error:  SYSTEM
 *
 * All is said and, as far as it fits into a pipe, handed over before QEMU is there to hear it. It
 * returns when QEMU has read all; what comes of it is told by events.
 */
bool exm_qmp_migration_load(ExmQmp *qmp, const char *state, size_t length, GError **error)
{
	exm_autofd int writer = -1;

	/* QEMU's is the only reading end then: its end is ours to see. */
	if (!send_expect(qmp, &writer, error))
		return false;
	/* Only one who reads may be waited for. */
	return pour(writer, false, &state, &length, error) && exm_qmp_settle(qmp, error) &&
	       pour(writer, true, &state, &length, error);
}

/**
 * exm_qmp_migration_start() - Let a QEMU write its state
 * @qmp:        the conversation, after exm_qmp_migration_prepare()
 * @stop:       stop the guest first
 * @ret_reader: from which the stream is to be read to its end
 * @error:      SYSTEM: in QEMU's own words where a device cannot migrate; but for @stop, the guest
 *              has not noticed
 */
bool exm_qmp_migration_start(ExmQmp *qmp, bool stop, int *ret_reader, GError **error)
{
	exm_autofd int reader = -1;
	exm_autofd int writer = -1;

	/* The guest rests from here on: nothing is waited for in between. */
	if (!make_pipe(&reader, &writer, error) || !send_pipe(qmp, writer, error) ||
	    (stop && !exm_qmp_send(qmp, "stop", NULL, -1, error)) ||
	    !send_start(qmp, "migrate", error) || !exm_qmp_settle(qmp, error))
		return false;
	*ret_reader = g_steal_fd(&reader);
	return true;
}
