/* SPDX-License-Identifier: GPL-2.0-or-later */
/* conversation.c - What two exomems say to each other while they hand a guest over */

#include "host/conversation.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "host/spawn.h"

/* A message is a few KiB, and a device state some MiB: more is neither. */
#define LINE_MAX_LENGTH ((size_t)1024 * 1024)
#define DATA_MAX_LENGTH ((size_t)1024 * 1024 * 1024)

/*
 * Which messages there are and what they mean. It goes up with every change that a peer who does
 * not know of it would get wrong; members that it may leave aside can be added without.
 */
#define PROTOCOL 1

/* How long the program that speaks with the other host may take to end when nobody speaks any more. */
#define END_MS 2000

/**
 * struct ExmConversation - One end of a conversation
 * @input:  what the other one says comes from here
 * @output: what it shall hear goes there
 * @heard:  bytes that came and were not taken yet
 * @process: the program that reaches the other host, or NULL
 * @program: what that is called, or NULL
 */
struct ExmConversation {
	int input;
	int output;
	GByteArray *heard;
	ExmProcess *process;
	char *program;
};

/**
 * exm_conversation_new() - Speak over two descriptors
 * @input:  to read from (transfer full)
 * @output: to write to (transfer full)
 *
 * Return: the conversation (transfer full).
 */
ExmConversation *exm_conversation_new(int input, int output)
{
	ExmConversation *conversation = g_new0(ExmConversation, 1);

	conversation->input = input;
	conversation->output = output;
	conversation->heard = g_byte_array_new();
	return conversation;
}

static bool make_pipe(int *ret_reader, int *ret_writer, GError **error)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return exm_throw_errno(error, errno, "cannot make a pipe");
	*ret_reader = ends[0];
	*ret_writer = ends[1];
	return true;
}

/**
 * exm_conversation_start() - Start a program that reaches another exomem, and speak with that
 * @argv:  the program and its arguments, NULL-terminated; looked up on PATH
 * @error: UNSUPPORTED where the program cannot be executed, SYSTEM
 *
 * What it says on standard error goes where ours does.
 *
 * Return: the conversation (transfer full), or NULL.
 */
ExmConversation *exm_conversation_start(char *const *argv, GError **error)
{
	exm_autofd int near_in = -1;
	exm_autofd int far_out = -1;
	exm_autofd int far_in = -1;
	exm_autofd int near_out = -1;
	ExmSpawn spawn = {
		.argv = (const char *const *)argv,
		.search_path = true,
		.errors = STDERR_FILENO,
		/* A person's Ctrl-C is for this process, which then says how the migration ended. */
		.own_group = true,
	};
	g_autoptr(ExmProcess) process = NULL;
	ExmConversation *conversation;

	if (!make_pipe(&near_in, &far_out, error) || !make_pipe(&far_in, &near_out, error))
		return NULL;
	spawn.input = far_in;
	spawn.output = far_out;
	process = exm_process_start(&spawn, error);
	if (!process)
		return NULL;
	/* The other exomem may be in that group, and ends its guest itself when it is not needed. */
	process->own_group = false;
	conversation = exm_conversation_new(g_steal_fd(&near_in), g_steal_fd(&near_out));
	conversation->process = g_steal_pointer(&process);
	conversation->program = g_strdup(argv[0]);
	return conversation;
}

/* Until it has been reaped. */
static bool is_running(const ExmConversation *conversation)
{
	return conversation->process && conversation->process->pid > 0;
}

/**
 * exm_conversation_free() - Stop speaking; the other one hears the end
 * @conversation: may be NULL
 */
void exm_conversation_free(ExmConversation *conversation)
{
	int status;

	if (!conversation)
		return;
	exm_fd_clear(&conversation->output);
	exm_fd_clear(&conversation->input);
	if (is_running(conversation))
		exm_process_wait(conversation->process, END_MS, &status);
	exm_process_free(conversation->process);
	g_free(conversation->program);
	g_byte_array_unref(conversation->heard);
	g_free(conversation);
}

/* The program that reached the other host may have said on standard error what it had against it. */
static bool throw_end(ExmConversation *conversation, GError **error)
{
	int status = 0;

	if (!is_running(conversation) ||
	    !exm_process_wait(conversation->process, END_MS, &status) || status == 0)
		return exm_throw(error, EXM_ERROR_SYSTEM, "the connection has ended");
	return exm_throw(error, EXM_ERROR_SYSTEM, "'%s' has ended with status %d",
	                 conversation->program,
	                 WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

static gint64 deadline_of(int timeout_ms)
{
	return timeout_ms < 0 ? G_MAXINT64 / 2 : g_get_monotonic_time() + (gint64)timeout_ms * 1000;
}

static bool wait_until_ready(int fd, short events, gint64 deadline, GError **error)
{
	struct pollfd polled = { .fd = fd, .events = events };
	const gint64 left = (deadline - g_get_monotonic_time() + 999) / 1000;

	return TEMP_FAILURE_RETRY(poll(&polled, 1, (int)CLAMP(left, 0, G_MAXINT))) != 0 ||
	       exm_throw(error, EXM_ERROR_SYSTEM, "the other host does not answer");
}

/* Half a message cannot be finished: the other one, who waits for the rest, hears the end instead. */
static bool throw_unsent(ExmConversation *conversation, int errnum, GError **error)
{
	exm_fd_clear(&conversation->output);
	return errnum == EPIPE ? throw_end(conversation, error)
	                       : exm_throw_errno(error, errnum, "send to the other host");
}

/* Linux, pipe(7): a pipe that poll(2) calls writable takes so much of a write without waiting. */
static bool write_all(ExmConversation *conversation, const char *bytes, size_t length,
                      gint64 deadline, GError **error)
{
	/* poll(2) would wait for what is no descriptor. */
	if (conversation->output < 0)
		return throw_end(conversation, error);
	while (length > 0) {
		ssize_t count;

		if (!wait_until_ready(conversation->output, POLLOUT, deadline, error))
			return false;
		count = TEMP_FAILURE_RETRY(
			write(conversation->output, bytes, MIN(length, (size_t)PIPE_BUF)));
		if (count < 0)
			return throw_unsent(conversation, errno, error);
		bytes += count;
		length -= (size_t)count;
	}
	return true;
}

/**
 * exm_conversation_say() - Say something
 * @conversation: with whom
 * @timeout_ms:   until then it is to be taken; -1 for no end
 * @message:      an object (transfer full)
 * @data:         bytes behind it, or NULL
 * @error:        SYSTEM
 */
bool exm_conversation_say(ExmConversation *conversation, int timeout_ms, ExmJson *message,
                          GBytes *data, GError **error)
{
	const gint64 deadline = deadline_of(timeout_ms);
	gsize length = 0;
	const char *bytes = data ? g_bytes_get_data(data, &length) : NULL;
	g_autofree char *text = NULL;
	g_autofree char *line = NULL;

	if (length > 0)
		exm_json_set_uint(message, "data", length);
	text = exm_json_print(message, false);
	exm_json_put(message);
	line = g_strconcat(text, "\n", NULL);
	return write_all(conversation, line, strlen(line), deadline, error) &&
	       write_all(conversation, bytes, length, deadline, error);
}

/* What comes next, until there is so much of it. */
static bool read_more(ExmConversation *conversation, gint64 deadline, GError **error)
{
	guint8 piece[65536];
	ssize_t got;

	if (!wait_until_ready(conversation->input, POLLIN, deadline, error))
		return false;
	got = TEMP_FAILURE_RETRY(read(conversation->input, piece, sizeof(piece)));
	if (got < 0)
		return exm_throw_errno(error, errno, "hear the other host");
	if (got == 0)
		return throw_end(conversation, error);
	g_byte_array_append(conversation->heard, piece, (guint)got);
	return true;
}

/* Reads until there is the end of a line; NULL where none comes. */
static const guint8 *find_line_end(ExmConversation *conversation, gint64 deadline, GError **error)
{
	const GByteArray *heard = conversation->heard;
	const guint8 *end;

	while (!(end = heard->len ? memchr(heard->data, '\n', heard->len) : NULL)) {
		if (heard->len > LINE_MAX_LENGTH) {
			exm_throw(error, EXM_ERROR_SYSTEM, "the other host says too much");
			return NULL;
		}
		if (!read_more(conversation, deadline, error))
			return NULL;
	}
	return end;
}

static char *read_line(ExmConversation *conversation, gint64 deadline, GError **error)
{
	const GByteArray *heard = conversation->heard;
	const guint8 *end = find_line_end(conversation, deadline, error);
	char *line;

	if (!end)
		return NULL;
	line = g_strndup((const char *)heard->data, (gsize)(end - heard->data));
	g_byte_array_remove_range(conversation->heard, 0, (guint)(end - heard->data) + 1);
	return line;
}

static bool read_data(ExmConversation *conversation, gint64 deadline, size_t length,
                      GBytes **ret_data, GError **error)
{
	if (length > DATA_MAX_LENGTH)
		return exm_throw(error, EXM_ERROR_SYSTEM, "the other host says too much");
	while (conversation->heard->len < length)
		if (!read_more(conversation, deadline, error))
			return false;
	*ret_data = g_bytes_new(conversation->heard->data, length);
	if (length > 0)
		g_byte_array_remove_range(conversation->heard, 0, (guint)length);
	return true;
}

/**
 * exm_conversation_hear() - Hear something
 * @conversation: with whom
 * @timeout_ms:   until then; -1 for no end
 * @ret_message:  an object (transfer full)
 * @ret_data:     the bytes behind it (transfer full), perhaps none
 * @error:        SYSTEM: it says nothing, it has ended, or it is no exomem
 */
bool exm_conversation_hear(ExmConversation *conversation, int timeout_ms, ExmJson **ret_message,
                           GBytes **ret_data, GError **error)
{
	const gint64 deadline = deadline_of(timeout_ms);
	g_autofree char *line = read_line(conversation, deadline, error);
	g_autoptr(ExmJson) message = NULL;

	if (!line)
		return false;
	message = exm_json_parse(line, strlen(line), NULL);
	if (!message || !json_object_is_type(message, json_type_object))
		return exm_throw(error, EXM_ERROR_SYSTEM, "that is no exomem: '%.60s'", line);
	if (!read_data(conversation, deadline, exm_json_get_uint(message, "data"), ret_data, error))
		return false;
	*ret_message = g_steal_pointer(&message);
	return true;
}

/* As the other one has said it, with the status that it has there. */
static bool throw_refusal(ExmJson *answer, GError **error)
{
	const uint64_t code = exm_json_get_uint(answer, "code");
	const bool known = code >= EXM_ERROR_SYSTEM && code <= EXM_ERROR_STATE;
	const char *words = exm_json_get_string(answer, "error");

	return exm_throw(error, known ? (ExmErrorCode)code : EXM_ERROR_SYSTEM, "%s",
	                 words && *words ? words : "the other host refuses, and says no reason");
}

/**
 * exm_conversation_ask() - Say something, and hear the answer
 * @conversation: with whom
 * @timeout_ms:   until it is taken, and from then until the answer
 * @question:     an object (transfer full)
 * @data:         bytes behind it, or NULL
 * @ret_answer:   an object (transfer full), or NULL for one that nobody wants
 * @error:        what the other one has refused, with its code; else SYSTEM
 */
bool exm_conversation_ask(ExmConversation *conversation, int timeout_ms, ExmJson *question,
                          GBytes *data, ExmJson **ret_answer, GError **error)
{
	g_autoptr(ExmJson) answer = NULL;
	g_autoptr(GBytes) bytes = NULL;
	g_autoptr(GError) unsent = NULL;
	const bool sent = exm_conversation_say(conversation, timeout_ms, question, data, &unsent);

	/* A peer that ended before it read the question may have sent the reason. */
	if ((sent || find_line_end(conversation, 0, NULL)) &&
	    !exm_conversation_hear(conversation, sent ? timeout_ms : 0, &answer, &bytes, error))
		return false;
	if (answer && exm_json_member(answer, "error"))
		return throw_refusal(answer, error);
	if (!sent) {
		g_propagate_error(error, g_steal_pointer(&unsent));
		return false;
	}
	if (ret_answer)
		*ret_answer = g_steal_pointer(&answer);
	return true;
}

/**
 * exm_conversation_answer() - Answer a question
 * @conversation: with whom
 * @timeout_ms:   until then it is to be taken
 * @answer:       an object (transfer full), or NULL
 * @refusal:      why not, or NULL
 * @error:        SYSTEM
 */
bool exm_conversation_answer(ExmConversation *conversation, int timeout_ms, ExmJson *answer,
                             const GError *refusal, GError **error)
{
	ExmJson *message = answer ? answer : json_object_new_object();

	if (refusal) {
		exm_json_set_string(message, "error", refusal->message);
		exm_json_set_uint(message, "code", (uint64_t)refusal->code);
	}
	return exm_conversation_say(conversation, timeout_ms, message, NULL, error);
}

/**
 * exm_conversation_introduce() - Write into a first message who sends it
 * @message: an object; grows
 * @version: of this exomem
 */
void exm_conversation_introduce(ExmJson *message, const char *version)
{
	exm_json_set_uint(message, "protocol", PROTOCOL);
	exm_json_set_string(message, "version", version);
}

/* Who has sent a first message. Releases before protocol 1 do not say. */
static char *describe_peer(ExmJson *message)
{
	const uint64_t protocol = exm_json_get_uint(message, "protocol");
	const char *version = exm_json_get_string(message, "version");

	if (protocol == 0)
		return g_strdup("an older exomem without a protocol version");
	return g_strdup_printf("exomem %.60s (protocol %" G_GUINT64_FORMAT ")",
	                       version ? version : "?", protocol);
}

static bool check_peer(ExmJson *message, bool is_source, const char *version, GError **error)
{
	g_autofree char *peer = describe_peer(message);
	g_autofree char *own = g_strdup_printf("exomem %s (protocol %d)", version, PROTOCOL);

	return exm_json_get_uint(message, "protocol") == PROTOCOL ||
	       exm_throw(error, EXM_ERROR_UNSUPPORTED,
	                 "the source has %s, and the destination %s: install one release on both "
	                 "hosts",
	                 is_source ? peer : own, is_source ? own : peer);
}

/**
 * exm_conversation_check_source() - Whether the first question came from an exomem of this protocol
 * @message: the question
 * @version: of this exomem, the destination
 * @error:   UNSUPPORTED, with both versions
 */
bool exm_conversation_check_source(ExmJson *message, const char *version, GError **error)
{
	return check_peer(message, true, version, error);
}

/**
 * exm_conversation_check_destination() - Whether the first answer came from an exomem of this protocol
 * @answer:  the answer
 * @version: of this exomem, the source
 * @error:   UNSUPPORTED, with both versions
 */
bool exm_conversation_check_destination(ExmJson *answer, const char *version, GError **error)
{
	return check_peer(answer, false, version, error);
}
