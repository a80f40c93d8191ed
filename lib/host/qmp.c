/* SPDX-License-Identifier: GPL-2.0-or-later */
/* qmp.c - A client of QEMU's monitor */

#include "host/qmp.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/size.h"
#include "base/trace.h"

/* QEMU's largest answer, to query-qmp-schema, has 200 KiB; a peer that never ends is none. */
#define MESSAGE_MAX (16 * EXM_MIB)

/**
 * struct ExmQmp - A conversation over QMP
 * @fd:       the socket, owned
 * @deadline: monotonic microseconds at which every wait ends
 * @greeted:  whether QEMU has said its first word
 * @hung_up:  QEMU has closed the connection
 * @last_id:  id of the last command
 * @pending:  of char *: commands that were sent and not yet answered, oldest first
 * @events:   of ExmJson: what came while an answer was awaited, oldest first
 * @message:  what has come of a message
 * @depth:    how many objects and lists are open at its end
 * @string:   whether a string is
 * @escape:   whether a backslash in that is its last byte
 * @start:    first byte of @buffer not yet read into a message
 * @end:      behind the last one
 * @buffer:   what was received
 */
struct ExmQmp {
	int fd;
	gint64 deadline;
	bool greeted;
	bool hung_up;
	uint64_t last_id;
	GQueue pending;
	GQueue events;
	GString *message;
	size_t depth;
	bool string;
	bool escape;
	size_t start;
	size_t end;
	char buffer[65536];
};

static bool wait_for(ExmQmp *qmp, short what, GError **error)
{
	struct pollfd poll_fd = { .fd = qmp->fd, .events = what };
	int got;

	do {
		const gint64 left = (qmp->deadline - g_get_monotonic_time() + 999) / 1000;

		if (left <= 0)
			return exm_throw(error, EXM_ERROR_SYSTEM, "QEMU did not answer in time");
		got = poll(&poll_fd, 1, (int)left);
	} while (got == 0 || (got < 0 && errno == EINTR));
	return got > 0 || exm_throw_errno(error, errno, "cannot wait for QEMU");
}

/* Room for one descriptor beside the bytes of a message (unix(7), SCM_RIGHTS). */
typedef union {
	struct cmsghdr header;
	char bytes[CMSG_SPACE(sizeof(int))];
} Ancillary;

/* The kernel's struct serves reading too, and so wants to be allowed to write. */
#define DISCARD_CONST(pointer) ((void *)(uintptr_t)(pointer))

static ssize_t send_some(const ExmQmp *qmp, const char *text, size_t length, int fd)
{
	Ancillary ancillary = { .header = { .cmsg_len = CMSG_LEN(sizeof(int)),
		                            .cmsg_level = SOL_SOCKET,
		                            .cmsg_type = SCM_RIGHTS } };
	struct iovec data = { .iov_base = DISCARD_CONST(text), .iov_len = length };
	struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1 };

	if (fd >= 0) {
		memcpy(CMSG_DATA(&ancillary.header), &fd, sizeof(fd));
		message.msg_control = &ancillary;
		message.msg_controllen = sizeof(ancillary);
	}
	return sendmsg(qmp->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* What follows half a command would be read as the rest of it. */
static bool give_up_sending(const ExmQmp *qmp, bool begun)
{
	if (begun)
		shutdown(qmp->fd, SHUT_RDWR);
	return false;
}

/* A descriptor goes with the first bytes. */
static bool send_all(ExmQmp *qmp, const char *text, int fd, GError **error)
{
	const size_t whole = strlen(text);
	size_t length = whole;

	exm_trace("qmp", "to QEMU: %s", text);
	while (length > 0) {
		ssize_t sent;

		if (!wait_for(qmp, POLLOUT, error))
			return give_up_sending(qmp, length < whole);
		sent = send_some(qmp, text, length, fd);
		/* What it said before it hung up still counts; behind that the reader finds the end. */
		if (sent < 0 && (errno == EPIPE || errno == ECONNRESET))
			return true;
		if (sent < 0 && errno != EAGAIN && errno != EINTR) {
			exm_throw_errno(error, errno, "cannot talk to QEMU");
			return give_up_sending(qmp, length < whole);
		}
		sent = MAX(sent, 0);
		fd = sent > 0 ? -1 : fd;
		text += sent;
		length -= (size_t)sent;
	}
	return true;
}

static bool receive(ExmQmp *qmp, GError **error)
{
	ssize_t got;

	do {
		if (!wait_for(qmp, POLLIN, error))
			return false;
		got = recv(qmp->fd, qmp->buffer, sizeof(qmp->buffer), MSG_DONTWAIT);
	} while (got < 0 && (errno == EAGAIN || errno == EINTR));
	/* A peer that dies with something unread resets the connection. */
	qmp->hung_up = got == 0 || (got < 0 && errno == ECONNRESET);
	if (qmp->hung_up)
		return exm_throw(error, EXM_ERROR_SYSTEM,
		                 qmp->message->len ? "QEMU hung up in the middle of a message"
		                                   : "QEMU hung up");
	if (got < 0)
		return exm_throw_errno(error, errno, "cannot hear QEMU");
	qmp->start = 0;
	qmp->end = (size_t)got;
	return true;
}

static void skip_space(ExmQmp *qmp)
{
	while (qmp->start < qmp->end && g_ascii_isspace(qmp->buffer[qmp->start]))
		qmp->start++;
}

static bool throw_junk(const char *text, size_t length, const GError *reason, GError **error)
{
	g_autofree char *junk = g_strndup(text, MIN(length, 40));
	g_autofree char *shown = NULL;

	junk[strcspn(junk, "\r\n")] = '\0';
	shown = g_strescape(junk, NULL);
	return exm_throw(error, EXM_ERROR_SYSTEM, "'%s' is not QMP%s%s", shown, reason ? ": " : "",
	                 reason ? reason->message : "");
}

/* Whether this letter ends the message. */
static bool ends_message(ExmQmp *qmp, char letter)
{
	if (qmp->escape)
		qmp->escape = false;
	else if (qmp->string && letter == '\\')
		qmp->escape = true;
	else if (letter == '"')
		qmp->string = !qmp->string;
	else if (!qmp->string && (letter == '[' || letter == '{'))
		qmp->depth++;
	else if (!qmp->string && (letter == ']' || letter == '}'))
		qmp->depth--;
	return qmp->depth == 0;
}

/* Moves what was received to the message, and no more than that; whether it is whole then. */
static bool take_message(ExmQmp *qmp)
{
	const size_t start = qmp->start;
	bool whole = false;

	while (!whole && qmp->start < qmp->end)
		whole = ends_message(qmp, qmp->buffer[qmp->start++]);
	g_string_append_len(qmp->message, qmp->buffer + start, (gssize)(qmp->start - start));
	return whole;
}

/* True with *ret_message NULL where more is needed. */
static bool parse(ExmQmp *qmp, ExmJson **ret_message, GError **error)
{
	g_autoptr(GError) reason = NULL;

	if (qmp->message->len == 0)
		skip_space(qmp);
	*ret_message = NULL;
	if (qmp->start == qmp->end)
		return true;
	/* Every message is an object. */
	if (qmp->message->len == 0 && qmp->buffer[qmp->start] != '{')
		return throw_junk(qmp->buffer + qmp->start, qmp->end - qmp->start, NULL, error);
	if (!take_message(qmp))
		return qmp->message->len <= MESSAGE_MAX ||
		       exm_throw(error, EXM_ERROR_SYSTEM, "QEMU sent a message without an end");
	*ret_message = exm_json_parse_plain(qmp->message->str, qmp->message->len, &reason);
	if (!*ret_message)
		throw_junk(qmp->message->str, qmp->message->len, reason, error);
	g_string_truncate(qmp->message, 0);
	return *ret_message;
}

static ExmJson *next_message(ExmQmp *qmp, GError **error)
{
	ExmJson *message = NULL;

	while (!message)
		if (!parse(qmp, &message, error) ||
		    (!message && qmp->start == qmp->end && !receive(qmp, error)))
			return NULL;
	exm_trace("qmp", "from QEMU: %s", json_object_get_string(message));
	return message;
}

static bool is_answer(ExmJson *message)
{
	return json_object_object_get_ex(message, "return", NULL) ||
	       json_object_object_get_ex(message, "error", NULL);
}

/* An error about something that QEMU could not even read carries no id: it is meant for us. */
static bool is_ours(const ExmQmp *qmp, ExmJson *answer)
{
	ExmJson *id = exm_json_member(answer, "id");
	const uint64_t awaited = qmp->last_id - qmp->pending.length + 1;

	return id ? json_object_get_uint64(id) == awaited : exm_json_member(answer, "error") != NULL;
}

/* The answer to the oldest command; events before it are kept, answers to others are dropped. */
static ExmJson *next_answer(ExmQmp *qmp, GError **error)
{
	for (;;) {
		g_autoptr(ExmJson) message = next_message(qmp, error);

		if (!message)
			return NULL;
		if (exm_json_get_string(message, "event")) {
			g_queue_push_tail(&qmp->events, g_steal_pointer(&message));
		} else if (!is_answer(message)) {
			exm_throw(error, EXM_ERROR_SYSTEM,
			          "QEMU sent a message that is neither an answer nor an event");
			return NULL;
		} else if (is_ours(qmp, message)) {
			return g_steal_pointer(&message);
		}
	}
}

static char *build_command(const ExmQmp *qmp, const char *command, ExmJson *arguments, GError **error)
{
	g_autoptr(ExmJson) message = json_object_new_object();
	g_autofree char *text = NULL;

	exm_json_set_string(message, "execute", command);
	if (arguments)
		json_object_object_add(message, "arguments", arguments);
	exm_json_set_uint(message, "id", qmp->last_id + 1);
	text = exm_json_print_plain(message, error);
	return text ? g_strconcat(text, "\r\n", NULL) : NULL;
}

static ExmJson *read_answer(ExmQmp *qmp, GError **error)
{
	g_autoptr(ExmJson) answer = next_answer(qmp, error);
	g_autofree char *command = g_queue_pop_head(&qmp->pending);
	ExmJson *value;

	if (!answer) {
		g_prefix_error(error, "QMP command '%s': ", command);
		return NULL;
	}
	value = exm_json_member(answer, "error");
	if (value) {
		const char *words = exm_json_get_string(value, "desc");

		exm_throw(error, EXM_ERROR_SYSTEM, "QMP command '%s': %s", command,
		          words ? words : "QEMU refused without a reason");
		return NULL;
	}
	value = exm_json_member(answer, "return");
	return value ? json_object_get(value) : json_object_new_object();
}

/**
 * exm_qmp_send() - Send a command, and do not wait for its answer
 * @qmp:       the conversation
 * @command:   name of the command
 * @arguments: (transfer full): its arguments, or NULL
 * @fd:        a descriptor that goes with it, of which QEMU gets a duplicate; or -1
 * @error:     UNSUPPORTED for a string that is not UTF-8; as exm_throw_errno() sets it where the
 *             command could not be sent. It can be sent again, unless a part of it has gone: then
 *             QEMU has been hung up on
 *
 * QEMU takes no string that is not UTF-8 (qobject/json-parser.c, parse_string()).
 * QEMU does what it was sent one by one, whether or not the one before has failed. Before anything
 * else is done with the conversation, exm_qmp_settle() has to hear the answers.
 */
bool exm_qmp_send(ExmQmp *qmp, const char *command, ExmJson *arguments, int fd, GError **error)
{
	g_autofree char *text = build_command(qmp, command, arguments, error);

	if (!text || !send_all(qmp, text, fd, error)) {
		g_prefix_error(error, "QMP command '%s': ", command);
		return false;
	}
	qmp->last_id++;
	g_queue_push_tail(&qmp->pending, g_strdup(command));
	return true;
}

/**
 * exm_qmp_execute() - Let QEMU execute a command, and wait for its answer
 * @qmp:       the conversation
 * @command:   name of the command
 * @arguments: (transfer full): its arguments, or NULL
 * @error:     UNSUPPORTED as of exm_qmp_send(); SYSTEM: QEMU's own words where it refuses, or
 *             what broke the connection, which is then unusable
 *
 * Return: what QEMU returned (transfer full), an empty object where that is null; or NULL.
 */
ExmJson *exm_qmp_execute(ExmQmp *qmp, const char *command, ExmJson *arguments, GError **error)
{
	return exm_qmp_send(qmp, command, arguments, -1, error) ? read_answer(qmp, error) : NULL;
}

/**
 * exm_qmp_take_event() - Take the oldest event that came while an answer was awaited
 * @qmp: the conversation
 *
 * Return: the event's message (transfer full), or NULL where there is none.
 */
ExmJson *exm_qmp_take_event(ExmQmp *qmp)
{
	return g_queue_pop_head(&qmp->events);
}

/**
 * exm_qmp_next_event() - Wait for an event
 * @qmp:   the conversation
 * @error: SYSTEM: the deadline passed, or QEMU hung up
 *
 * Return: the oldest event that was not taken yet (transfer full), or NULL.
 */
ExmJson *exm_qmp_next_event(ExmQmp *qmp, GError **error)
{
	for (;;) {
		g_autoptr(ExmJson) message = exm_qmp_take_event(qmp);

		if (!message)
			message = next_message(qmp, error);
		if (!message || exm_json_get_string(message, "event"))
			return g_steal_pointer(&message);
	}
}

/**
 * exm_qmp_set_deadline() - Set the time at which every wait of this conversation ends
 * @qmp:         the conversation
 * @deadline_ms: milliseconds from now
 */
void exm_qmp_set_deadline(ExmQmp *qmp, int deadline_ms)
{
	qmp->deadline = g_get_monotonic_time() + (gint64)deadline_ms * 1000;
}

/*
 * QEMU speaks first. What it has to say while it takes a connection it says to that one, although it was
 * meant for the one before (monitor/qmp.c, qmp_send_response(), up to CHR_EVENT_OPENED; seen with 7.2).
 */
static ExmJson *read_greeting(ExmQmp *qmp, GError **error)
{
	for (;;) {
		g_autoptr(ExmJson) message = next_message(qmp, error);
		ExmJson *greeting = message ? exm_json_member(message, "QMP") : NULL;

		qmp->greeted = greeting;
		if (!message || greeting)
			return json_object_get(greeting);
		if (!exm_json_get_string(message, "event") && !exm_json_member(message, "id")) {
			exm_throw(error, EXM_ERROR_SYSTEM, "the first message is not QMP's greeting");
			return NULL;
		}
	}
}

/**
 * exm_qmp_settle() - Hear the answers to all that was sent
 * @qmp:   the conversation
 * @error: SYSTEM: of the first command that QEMU refused, in its own words, or what broke the
 *         conversation, which cannot go on then
 */
bool exm_qmp_settle(ExmQmp *qmp, GError **error)
{
	g_autoptr(ExmJson) greeting = qmp->greeted ? NULL : read_greeting(qmp, error);
	bool done = true;

	if (!qmp->greeted && !greeting)
		return false;
	while (qmp->pending.length > 0) {
		g_autoptr(ExmJson) answer = read_answer(qmp, done ? error : NULL);

		done = done && answer;
	}
	return done;
}

static ExmQmp *conversation_new(int fd, int deadline_ms)
{
	ExmQmp *qmp = g_new0(ExmQmp, 1);

	qmp->fd = fd;
	qmp->message = g_string_new(NULL);
	exm_qmp_set_deadline(qmp, deadline_ms);
	return qmp;
}

/**
 * exm_qmp_new() - Begin a conversation
 * @fd:           (transfer full): a connected socket; closed on failure too
 * @deadline_ms:  milliseconds for the whole conversation, until exm_qmp_set_deadline()
 * @ret_greeting: (transfer full): version and capabilities that QEMU greets with; may be NULL
 * @error:        SYSTEM: silence, end of file, or something that is not QMP
 *
 * Return: the conversation (transfer full), ready for commands, or NULL.
 */
ExmQmp *exm_qmp_new(int fd, int deadline_ms, ExmJson **ret_greeting, GError **error)
{
	g_autoptr(ExmQmp) qmp = conversation_new(fd, deadline_ms);
	g_autoptr(ExmJson) greeting = read_greeting(qmp, error);
	g_autoptr(ExmJson) agreed = NULL;

	agreed = greeting ? exm_qmp_execute(qmp, "qmp_capabilities", NULL, error) : NULL;
	if (!agreed)
		return NULL;
	if (ret_greeting)
		*ret_greeting = g_steal_pointer(&greeting);
	return g_steal_pointer(&qmp);
}

/**
 * exm_qmp_begin() - Begin a conversation with a QEMU that need not be there yet
 * @fd:          (transfer full): a connected socket; closed on failure too
 * @deadline_ms: milliseconds for the whole conversation, until exm_qmp_set_deadline()
 * @error:       SYSTEM
 *
 * Return: the conversation (transfer full), for exm_qmp_send() until it is settled; or NULL.
 */
ExmQmp *exm_qmp_begin(int fd, int deadline_ms, GError **error)
{
	g_autoptr(ExmQmp) qmp = conversation_new(fd, deadline_ms);

	return exm_qmp_send(qmp, "qmp_capabilities", NULL, -1, error) ? g_steal_pointer(&qmp) : NULL;
}

/**
 * exm_qmp_has_hung_up() - Check whether QEMU has closed the connection, as it does when it exits
 * @qmp: the connection, which is unusable in that case
 */
bool exm_qmp_has_hung_up(const ExmQmp *qmp)
{
	return qmp->hung_up;
}

static void event_free(gpointer event)
{
	exm_json_put(event);
}

/**
 * exm_qmp_free() - Hang up
 * @qmp: may be NULL
 */
void exm_qmp_free(ExmQmp *qmp)
{
	if (!qmp)
		return;
	g_queue_clear_full(&qmp->events, event_free);
	g_queue_clear_full(&qmp->pending, g_free);
	g_string_free(qmp->message, TRUE);
	exm_fd_clear(&qmp->fd);
	g_free(qmp);
}
