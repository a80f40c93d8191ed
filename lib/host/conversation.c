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
#define PROTOCOL 2

/* Once a message has begun to arrive, its line takes no longer than this. */
#define MESSAGE_MS 10000

/* Bytes a second that the data after a line come with at least. */
#define DATA_RATE 65536

/* A migration has ten questions, two of them more than once. */
#define TURNS_MAX 32

/* How long the program that speaks with the other host may take to end when nobody speaks any more. */
#define END_MS 2000

/**
 * struct ExmConversation - One end of a conversation
 * @input:  what the other one says comes from here
 * @output: what it shall hear goes there
 * @heard:  bytes that came and were not taken yet
 * @turn:   number of the last question
 * @has_ended: the other one has closed the channel, and not within a message
 * @process: the program that reaches the other host, or NULL
 * @program: what that is called, or NULL
 */
struct ExmConversation {
	int input;
	int output;
	GByteArray *heard;
	uint64_t turn;
	bool has_ended;
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

static bool wait_until_ready(int fd, short events, gint64 deadline)
{
	struct pollfd polled = { .fd = fd, .events = events };
	const gint64 left = (deadline - g_get_monotonic_time() + 999) / 1000;

	return TEMP_FAILURE_RETRY(poll(&polled, 1, (int)CLAMP(left, 0, G_MAXINT))) != 0;
}

static bool throw_silence(GError **error)
{
	return exm_throw(error, EXM_ERROR_SYSTEM, "the other host does not answer");
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

		if (!wait_until_ready(conversation->output, POLLOUT, deadline))
			return throw_silence(error);
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

	if (length > 0) {
		g_autofree char *sum = g_compute_checksum_for_bytes(G_CHECKSUM_SHA256, data);

		exm_json_set_uint(message, "data", length);
		exm_json_set_string(message, "sha256", sum);
	}
	text = exm_json_print(message, false);
	exm_json_put(message);
	line = g_strconcat(text, "\n", NULL);
	return write_all(conversation, line, strlen(line), deadline, error) &&
	       write_all(conversation, bytes, length, deadline, error);
}

/* Fails at the end of input, and where nothing comes until the deadline. */
static bool read_more(ExmConversation *conversation, gint64 deadline, GError **error)
{
	const bool begun = conversation->heard->len > 0;
	guint8 piece[65536];
	ssize_t got;

	if (!wait_until_ready(conversation->input, POLLIN, deadline))
		return begun ? exm_throw(error, EXM_ERROR_SYSTEM,
		                         "the other host does not finish its message")
		             : throw_silence(error);
	got = TEMP_FAILURE_RETRY(read(conversation->input, piece, sizeof(piece)));
	if (got < 0)
		return exm_throw_errno(error, errno, "hear the other host");
	if (got == 0) {
		conversation->has_ended = !begun;
		return throw_end(conversation, error);
	}
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
			exm_throw(error, EXM_ERROR_SYSTEM, "the other host sends too much");
			return NULL;
		}
		if (!read_more(conversation, deadline, error))
			return NULL;
	}
	return end;
}

static GBytes *read_line(ExmConversation *conversation, gint64 deadline, GError **error)
{
	const GByteArray *heard = conversation->heard;
	const guint8 *end = find_line_end(conversation, deadline, error);
	GBytes *line;

	if (!end)
		return NULL;
	line = g_bytes_new(heard->data, (gsize)(end - heard->data));
	g_byte_array_remove_range(conversation->heard, 0, (guint)(end - heard->data) + 1);
	return line;
}

static ExmJson *parse_line(GBytes *line, GError **error)
{
	g_autoptr(GError) reason = NULL;
	gsize length;
	const char *text = g_bytes_get_data(line, &length);
	g_autoptr(ExmJson) message = exm_json_parse(text, length, &reason);

	if (message && json_object_is_type(message, json_type_object))
		return g_steal_pointer(&message);
	exm_throw(error, EXM_ERROR_SYSTEM, "the peer is not exomem: '%.*s' (%s)",
	          (int)MIN(length, 60), text, reason ? reason->message : "not an object");
	return NULL;
}

static bool read_data(ExmConversation *conversation, size_t length, GBytes **ret_data, GError **error)
{
	const GByteArray *heard = conversation->heard;
	const gint64 deadline = deadline_of(MESSAGE_MS);

	while (heard->len < length) {
		const gint64 granted = (gint64)heard->len * G_USEC_PER_SEC / DATA_RATE;

		if (!read_more(conversation, deadline + granted, error))
			return false;
	}
	*ret_data = g_bytes_new(heard->data, length);
	if (length > 0)
		g_byte_array_remove_range(conversation->heard, 0, (guint)length);
	return true;
}

static bool check_length(ExmJson *message, size_t *ret_length, GError **error)
{
	ExmJson *length = exm_json_member(message, "data");
	const bool is_size = json_object_is_type(length, json_type_int) &&
	                     json_object_get_int64(length) >= 0;

	if (length && !is_size)
		return exm_throw(error, EXM_ERROR_SYSTEM,
		                 "the other host sends '%.60s' bytes of data",
		                 json_object_to_json_string(length));
	if (exm_json_get_uint(message, "data") > DATA_MAX_LENGTH)
		return exm_throw(error, EXM_ERROR_SYSTEM, "the other host sends too much");
	*ret_length = exm_json_get_uint(message, "data");
	return true;
}

static bool check_sum(ExmJson *message, GBytes *data, GError **error)
{
	g_autofree char *sum = NULL;

	if (g_bytes_get_size(data) == 0)
		return true;
	sum = g_compute_checksum_for_bytes(G_CHECKSUM_SHA256, data);
	return g_strcmp0(exm_json_get_string(message, "sha256"), sum) == 0 ||
	       exm_throw(error, EXM_ERROR_SYSTEM,
	                 "the data that the other host sent have changed on the way");
}

/*
 * One message more or less, or one that is late, would be taken for another. A peer of an older
 * protocol is to be told so: its first message has no number.
 */
static bool check_turn(ExmJson *message, uint64_t turn, GError **error)
{
	const bool is_older = turn == 1 && !exm_json_member(message, "turn") &&
	                      exm_json_get_uint(message, "protocol") < PROTOCOL;

	return is_older || exm_json_get_uint(message, "turn") == turn ||
	       exm_throw(error, EXM_ERROR_SYSTEM,
	                 "the message of the other host is not that of turn %" G_GUINT64_FORMAT,
	                 turn);
}

static bool hear(ExmConversation *conversation, int timeout_ms, ExmJson **ret_message,
                 GBytes **ret_data, GError **error)
{
	g_autoptr(ExmJson) message = NULL;
	g_autoptr(GBytes) line = NULL;
	const int rest_ms = timeout_ms < 0 ? MESSAGE_MS : MIN(timeout_ms, MESSAGE_MS);
	size_t length = 0;

	if (conversation->heard->len == 0 && !read_more(conversation, deadline_of(timeout_ms), error))
		return false;
	line = read_line(conversation, deadline_of(rest_ms), error);
	message = line ? parse_line(line, error) : NULL;
	if (!message || !check_length(message, &length, error) ||
	    !read_data(conversation, length, ret_data, error))
		return false;
	if (check_sum(message, *ret_data, error)) {
		*ret_message = g_steal_pointer(&message);
		return true;
	}
	g_bytes_unref(g_steal_pointer(ret_data));
	return false;
}

/**
 * exm_conversation_hear() - Hear the next question
 * @conversation: with whom
 * @timeout_ms:   until it begins to arrive; -1 for no end. The rest of its line is to arrive in ten
 *                seconds, and its data at 64 KiB a second
 * @ret_message:  an object (transfer full)
 * @ret_data:     the bytes behind it (transfer full), perhaps none
 * @error:        SYSTEM: nothing comes, the channel has ended, the peer is not exomem, or it asks
 *                another question than the next
 */
bool exm_conversation_hear(ExmConversation *conversation, int timeout_ms, ExmJson **ret_message,
                           GBytes **ret_data, GError **error)
{
	g_autoptr(ExmJson) message = NULL;
	g_autoptr(GBytes) data = NULL;

	if (!hear(conversation, timeout_ms, &message, &data, error))
		return false;
	if (++conversation->turn > TURNS_MAX)
		return exm_throw(error, EXM_ERROR_SYSTEM, "the other host asks too much");
	if (!check_turn(message, conversation->turn, error))
		return false;
	*ret_message = g_steal_pointer(&message);
	*ret_data = g_steal_pointer(&data);
	return true;
}

/**
 * exm_conversation_has_ended() - Whether the peer has closed the channel, and not within a message
 * @conversation: with whom
 */
bool exm_conversation_has_ended(const ExmConversation *conversation)
{
	return conversation->has_ended;
}

/* As the other one has said it, with the status that it has there. */
static bool throw_refusal(ExmJson *answer, GError **error)
{
	const uint64_t code = exm_json_get_uint(answer, "code");
	const bool known = code >= EXM_ERROR_SYSTEM && code <= EXM_ERROR_STATE;
	const char *words = exm_json_get_string(answer, "error");

	return exm_throw(error, known ? (ExmErrorCode)code : EXM_ERROR_SYSTEM, "%.1000s",
	                 words && *words ? words
	                                 : "the other host rejects the request without a reason");
}

/* The answer to the last question; a reason for a refusal is the error. */
static bool hear_answer(ExmConversation *conversation, int timeout_ms, ExmJson **ret_answer,
                        GError **error)
{
	g_autoptr(ExmJson) answer = NULL;
	g_autoptr(GBytes) data = NULL;

	if (!hear(conversation, timeout_ms, &answer, &data, error))
		return false;
	if (!check_turn(answer, conversation->turn, error))
		return false;
	if (g_bytes_get_size(data) > 0)
		return exm_throw(error, EXM_ERROR_SYSTEM, "the other host sends data with an answer");
	if (exm_json_member(answer, "error"))
		return throw_refusal(answer, error);
	*ret_answer = g_steal_pointer(&answer);
	return true;
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
	g_autoptr(GError) unsent = NULL;
	bool sent;

	exm_json_set_uint(question, "turn", ++conversation->turn);
	sent = exm_conversation_say(conversation, timeout_ms, question, data, &unsent);
	/* A peer that ended before it read the question may have sent the reason. */
	if ((sent || find_line_end(conversation, 0, NULL)) &&
	    !hear_answer(conversation, sent ? timeout_ms : 0, &answer, error))
		return false;
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

	exm_json_set_uint(message, "turn", conversation->turn);
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
