/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_qmp.c - Whatever a QEMU says, talking to it ends in time; a good answer arrives as it is */

#include "host/qmp.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "fuzz.h"

#define GREETING "{\"QMP\": {\"version\": {}, \"capabilities\": []}}\r\n"
#define AGREED   "{\"return\": {}, \"id\": 1}\r\n"
#define EVENTS   "{\"event\": \"FIRST\"}\r\n{\"event\": \"SECOND\"}"

#define INPUT_MAX 32768
/* How much of a deadline's miss is the machine's fault. */
#define SLACK_MS 20000

/* Pieces that one read each will see; more would not fit into the socket. */
#define PIECES_MAX 64

/* The input's first byte says how the rest is said. */
enum {
	GREET_FIRST = 1,  /* behind a good greeting */
	STAY_SILENT = 2,  /* without hanging up then */
	IN_PIECES = 4,    /* in many small reads */
	AS_AN_ANSWER = 8, /* as the value that a command returns */
};

/* Keeps the borders between what was sent, so that pieces need no second thread. */
static void make_ends(int *ret_peer, int *ret_ours)
{
	int ends[2];

	g_assert_cmpint(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), ==, 0);
	*ret_peer = ends[0];
	*ret_ours = ends[1];
}

static void say(int peer, const char *text, size_t length, size_t piece)
{
	while (length > 0) {
		const size_t part = MIN(piece, length);

		g_assert_cmpint(send(peer, text, part, MSG_DONTWAIT | MSG_NOSIGNAL), ==, (int)part);
		text += part;
		length -= part;
	}
}

static size_t piece_size(size_t length, int how)
{
	return how & IN_PIECES ? length / PIECES_MAX + 1 : length;
}

static void take_events(ExmQmp *qmp)
{
	ExmJson *event;

	while ((event = exm_qmp_take_event(qmp))) {
		g_assert_nonnull(exm_json_get_string(event, "event"));
		exm_json_put(event);
	}
}

/* Some commands, each answered or refused, whatever became of those before it. */
static void converse(int ours, int deadline_ms)
{
	static int untouched;
	ExmJson *greeting = (ExmJson *)&untouched;
	g_autoptr(GError) error = NULL;
	g_autoptr(ExmQmp) qmp = exm_qmp_new(ours, deadline_ms, &greeting, &error);

	if (!qmp) {
		assert_rejected(error);
		g_assert_true(greeting == (ExmJson *)&untouched);
		return;
	}
	g_assert_no_error(error);
	exm_json_put(greeting);
	for (int i = 0; i < 3; i++) {
		g_autoptr(GError) refusal = NULL;
		g_autoptr(ExmJson) answer = exm_qmp_execute(qmp, "ask", NULL, &refusal);

		g_assert_true((answer == NULL) == (refusal != NULL));
		if (!answer)
			assert_rejected(refusal);
	}
	take_events(qmp);
}

static void check_ends_in_time(const char *text, size_t length, int how)
{
	const gint64 start = g_get_monotonic_time();
	const int deadline_ms = how & STAY_SILENT ? 2 : 1000;
	exm_autofd int peer = -1;
	int ours;

	make_ends(&peer, &ours);
	if (how & GREET_FIRST)
		say(peer, GREETING AGREED, strlen(GREETING AGREED), SIZE_MAX);
	say(peer, text, length, piece_size(length, how));
	if (!(how & STAY_SILENT))
		shutdown(peer, SHUT_WR);
	converse(ours, deadline_ms);
	g_assert_cmpint(g_get_monotonic_time() - start, <, (deadline_ms + SLACK_MS) * 1000);
}

/* The answer to the first command, or NULL where the value makes none. */
static char *make_answer(ExmJson *value)
{
	g_autoptr(ExmJson) message = json_object_new_object();
	g_autoptr(ExmJson) read_back = NULL;
	g_autofree char *text = NULL;

	json_object_object_add(message, "return", json_object_get(value));
	exm_json_set_uint(message, "id", 2);
	text = exm_json_print(message, false);
	/* One level deeper than alone, it may be too deep for json-c. */
	read_back = exm_json_parse_plain(text, strlen(text), NULL);
	return read_back ? g_steal_pointer(&text) : NULL;
}

static void check_event(ExmQmp *qmp, const char *name)
{
	g_autoptr(ExmJson) event = exm_qmp_take_event(qmp);

	g_assert_cmpstr(exm_json_get_string(event, "event"), ==, name);
}

static void check_answer(ExmJson *value, const char *answer, int how)
{
	g_autofree char *wanted = exm_json_print(value, false);
	g_autofree char *got = NULL;
	g_autoptr(GError) error = NULL;
	g_autoptr(ExmQmp) qmp = NULL;
	exm_autofd int peer = -1;
	int ours;

	make_ends(&peer, &ours);
	say(peer, GREETING AGREED EVENTS, strlen(GREETING AGREED EVENTS), SIZE_MAX);
	say(peer, answer, strlen(answer), piece_size(strlen(answer), how));
	qmp = exm_qmp_new(ours, SLACK_MS, NULL, &error);
	g_assert_no_error(error);
	got = json_text_and_put(exm_qmp_execute(qmp, "ask", NULL, &error));
	g_assert_no_error(error);
	g_assert_cmpstr(got, ==, wanted);
	check_event(qmp, "FIRST");
	check_event(qmp, "SECOND");
	g_assert_null(exm_qmp_take_event(qmp));
}

static void check_arrives(const char *text, size_t length, int how)
{
	g_autoptr(ExmJson) value = exm_json_parse_plain(text, length, NULL);
	g_autofree char *answer = value ? make_answer(value) : NULL;

	if (answer)
		check_answer(value, answer, how);
}

/**
 * LLVMFuzzerTestOneInput() - Talk to a QEMU that says the input
 * @data: how, and what
 * @size: length of that
 *
 * Return: 0
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data + 1;

	if (size < 1 || size > INPUT_MAX)
		return 0;
	if (data[0] & AS_AN_ANSWER)
		check_arrives(text, size - 1, data[0]);
	else
		check_ends_in_time(text, size - 1, data[0]);
	return 0;
}
