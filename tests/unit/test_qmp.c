/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_qmp.c - lib/host/qmp.c, against a scripted QEMU at the other end of a socket */

#include "host/qmp.h"

#include <sys/socket.h>
#include <unistd.h>

#include "suite.h"

#define GREETING                                                                         \
	"{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 1, \"minor\": 2, \"major\": 7}," \
	" \"package\": \"P\"}, \"capabilities\": [\"oob\"]}}\r\n"
#define AGREED "{\"return\": {}, \"id\": 1}\r\n"

/* Long enough for valgrind, short enough for whoever waits for a failure. */
#define PATIENCE_MS 10000

/**
 * struct Line - One thing that the other end does
 * @wait_for: first it waits until this has been received; NULL for no wait
 * @send:     then it sends this
 * @chunk:    so many bytes at a time, with a pause behind each; 0 for all at once
 * @repeat:   so often
 */
typedef struct {
	const char *wait_for;
	const char *send;
	size_t chunk;
	int repeat;
} Line;

/**
 * struct Peer - The other end
 * @lines:   what it does, closed by an empty one
 * @stays:   it hangs up only after we did
 * @fd:      its socket
 * @ours:    our socket
 * @heard:   all that was received
 * @thread:  it runs there
 */
typedef struct {
	const Line *lines;
	bool stays;
	int fd;
	int ours;
	GString *heard;
	GThread *thread;
} Peer;

static bool hear(Peer *peer)
{
	char chunk[4096];
	ssize_t got = read(peer->fd, chunk, sizeof(chunk));

	if (got > 0)
		g_string_append_len(peer->heard, chunk, got);
	return got > 0;
}

static bool say(Peer *peer, const char *text, size_t chunk)
{
	size_t length = strlen(text);

	while (length > 0) {
		ssize_t sent = send(peer->fd, text, chunk ? MIN(chunk, length) : length,
		                    MSG_NOSIGNAL);

		if (sent <= 0)
			return false;
		text += sent;
		length -= (size_t)sent;
		if (chunk)
			g_usleep(300);
	}
	return true;
}

static gpointer run_peer(gpointer data)
{
	Peer *peer = data;
	bool alive = true;

	for (const Line *line = peer->lines; alive && line->send; line++) {
		while (alive && line->wait_for && !strstr(peer->heard->str, line->wait_for))
			alive = hear(peer);
		for (int i = 0; alive && i < MAX(line->repeat, 1); i++)
			alive = say(peer, line->send, line->chunk);
	}
	while (alive && peer->stays && hear(peer))
		;
	close(peer->fd);
	return NULL;
}

static Peer *peer_start(const Line *lines, bool stays)
{
	Peer *peer = g_new0(Peer, 1);
	int ends[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	peer->lines = lines;
	peer->stays = stays;
	peer->fd = ends[0];
	peer->ours = ends[1];
	peer->heard = g_string_new(NULL);
	peer->thread = g_thread_new("peer", run_peer, peer);
	return peer;
}

/* After the conversation is freed: the peer may wait for its end. */
static void peer_end_having_heard(Peer *peer, const char *wanted)
{
	g_thread_join(peer->thread);
	ck_assert_ptr_nonnull(strstr(peer->heard->str, wanted));
	g_string_free(peer->heard, TRUE);
	g_free(peer);
}

static ExmQmp *begin(const Peer *peer)
{
	g_autoptr(GError) error = NULL;
	ExmQmp *qmp = exm_qmp_new(peer->ours, PATIENCE_MS, NULL, &error);

	assert_no_error(error);
	ck_assert_ptr_nonnull(qmp);
	return qmp;
}

static void peer_end(Peer *peer)
{
	peer_end_having_heard(peer, "");
}

/* A conversation that must not come about, and why. */
static void assert_refused(const Line *lines, bool stays, int deadline_ms, const char *part)
{
	static int untouched;
	ExmJson *const sentinel = (ExmJson *)&untouched;
	Peer *peer = peer_start(lines, stays);
	g_autoptr(GError) error = NULL;
	ExmJson *greeting = sentinel;

	ck_assert_ptr_null(exm_qmp_new(peer->ours, deadline_ms, &greeting, &error));
	assert_error(error, EXM_ERROR_SYSTEM, part);
	ck_assert_ptr_eq(greeting, sentinel);
	peer_end(peer);
}

/* The first command's error, where the peer says @answer to it. */
static void assert_command_fails(const char *answer, const char *part)
{
	const Line lines[] = { { NULL, GREETING AGREED, 0, 0 }, { "ask", answer, 0, 0 }, { 0 } };
	Peer *peer = peer_start(lines, false);
	ExmQmp *qmp = begin(peer);
	g_autoptr(GError) error = NULL;

	ck_assert_ptr_null(exm_qmp_execute(qmp, "ask", NULL, &error));
	assert_error(error, EXM_ERROR_SYSTEM, part);
	assert_error(error, EXM_ERROR_SYSTEM, "'ask'");
	exm_qmp_free(qmp);
	peer_end(peer);
}

START_TEST(greeting_and_command)
{
	static const Line lines[] = {
		{ NULL, GREETING, 0, 0 },
		{ "qmp_capabilities", AGREED, 0, 0 },
		{ "\"id\":2", "{\"return\": {\"arch\": \"x86_64\"}, \"id\": 2}\r\n", 0, 0 },
		{ 0 },
	};
	Peer *peer = peer_start(lines, false);
	g_autoptr(ExmJson) greeting = NULL;
	g_autoptr(ExmJson) answer = NULL;
	g_autoptr(GError) error = NULL;
	ExmJson *arguments = json_object_new_object();
	ExmQmp *qmp = exm_qmp_new(peer->ours, PATIENCE_MS, &greeting, &error);

	assert_no_error(error);
	ck_assert_str_eq(exm_json_get_string(exm_json_member(greeting, "version"), "package"), "P");
	exm_json_set_string(arguments, "a", "b");
	answer = exm_qmp_execute(qmp, "query-target", arguments, &error);
	assert_no_error(error);
	ck_assert_str_eq(exm_json_get_string(answer, "arch"), "x86_64");
	ck_assert_ptr_null(exm_qmp_take_event(qmp));
	exm_qmp_free(qmp);
	peer_end_having_heard(
		peer, "{\"execute\":\"query-target\",\"arguments\":{\"a\":\"b\"},\"id\":2}\r\n");
}
END_TEST

START_TEST(split_reads)
{
	static const Line lines[] = {
		{ NULL, GREETING, 1, 0 },
		{ "\"id\":1", AGREED, 3, 0 },
		{ "\"id\":2", "{\"return\": [1, 23, 456], \"id\": 2}\r\n", 1, 0 },
		{ 0 },
	};
	Peer *peer = peer_start(lines, false);
	ExmQmp *qmp = begin(peer);
	g_autoptr(GError) error = NULL;
	g_autoptr(ExmJson) answer = exm_qmp_execute(qmp, "ask", NULL, &error);

	assert_no_error(error);
	ck_assert_uint_eq(json_object_array_length(answer), 3);
	ck_assert_int_eq(json_object_get_int(json_object_array_get_idx(answer, 2)), 456);
	exm_qmp_free(qmp);
	peer_end(peer);
}
END_TEST

/* One send, so one read: greeting, two answers, and events before, between and behind them. */
START_TEST(several_in_one_read)
{
	static const Line lines[] = {
		{ NULL,
		  GREETING "{\"event\": \"A\"}\r\n" AGREED "{\"event\": \"B\"}\r\n"
		           "{\"return\": {\"n\": 5}, \"id\": 2}\r\n{\"event\": \"C\"}\r\n"
		           "{\"return\": {\"n\": 6}, \"id\": 3}\r\n",
		  0, 0 },
		{ 0 },
	};
	static const char *const wanted[] = { "A", "B", "C" };
	Peer *peer = peer_start(lines, true);
	ExmQmp *qmp = begin(peer);
	g_autoptr(GError) error = NULL;
	g_autoptr(ExmJson) first = exm_qmp_execute(qmp, "one", NULL, &error);
	g_autoptr(ExmJson) second = exm_qmp_execute(qmp, "two", NULL, &error);

	assert_no_error(error);
	ck_assert_uint_eq(exm_json_get_uint(first, "n"), 5);
	ck_assert_uint_eq(exm_json_get_uint(second, "n"), 6);
	for (size_t i = 0; i < G_N_ELEMENTS(wanted); i++) {
		g_autoptr(ExmJson) event = exm_qmp_take_event(qmp);

		ck_assert_str_eq(exm_json_get_string(event, "event"), wanted[i]);
	}
	ck_assert_ptr_null(exm_qmp_take_event(qmp));
	exm_qmp_free(qmp);
	peer_end(peer);
}
END_TEST

START_TEST(answers_to_others_are_dropped)
{
	static const Line lines[] = {
		{ NULL, GREETING AGREED, 0, 0 },
		{ "\"id\":2",
		  "{\"return\": {\"n\": 1}, \"id\": 1}{\"return\": {\"n\": 3}}"
		  "{\"error\": {\"desc\": \"old\"}, \"id\": 7}{\"return\": {\"n\": 2}, \"id\": 2}",
		  0, 0 },
		{ 0 },
	};
	Peer *peer = peer_start(lines, false);
	ExmQmp *qmp = begin(peer);
	g_autoptr(GError) error = NULL;
	g_autoptr(ExmJson) answer = exm_qmp_execute(qmp, "ask", NULL, &error);

	assert_no_error(error);
	ck_assert_uint_eq(exm_json_get_uint(answer, "n"), 2);
	exm_qmp_free(qmp);
	peer_end(peer);
}
END_TEST

START_TEST(null_is_an_answer)
{
	static const Line lines[] = {
		{ NULL, GREETING AGREED, 0, 0 },
		{ "\"id\":2", "{\"return\": null, \"id\": 2}", 0, 0 },
		{ 0 },
	};
	Peer *peer = peer_start(lines, false);
	ExmQmp *qmp = begin(peer);
	g_autoptr(GError) error = NULL;
	g_autoptr(ExmJson) answer = exm_qmp_execute(qmp, "ask", NULL, &error);

	assert_no_error(error);
	ck_assert_int_eq(json_object_object_length(answer), 0);
	exm_qmp_free(qmp);
	peer_end(peer);
}
END_TEST

/* A refusal is no end: the next command is answered. */
START_TEST(refusals)
{
	static const Line lines[] = {
		{ NULL, GREETING AGREED, 0, 0 },
		{ "\"id\":2",
		  "{\"error\": {\"class\": \"X\", \"desc\": \"no such thing\"}, \"id\": 2}", 0, 0 },
		{ "\"id\":3", "{\"return\": {}, \"id\": 3}", 0, 0 },
		{ 0 },
	};
	Peer *peer = peer_start(lines, false);
	ExmQmp *qmp = begin(peer);
	g_autoptr(GError) error = NULL;
	g_autoptr(GError) none = NULL;
	g_autoptr(ExmJson) answer = NULL;

	ck_assert_ptr_null(exm_qmp_execute(qmp, "ask", NULL, &error));
	assert_error(error, EXM_ERROR_SYSTEM, "QMP command 'ask': no such thing");
	answer = exm_qmp_execute(qmp, "again", NULL, &none);
	assert_no_error(none);
	exm_qmp_free(qmp);
	peer_end(peer);
}
END_TEST

START_TEST(broken_answers)
{
	assert_command_fails("{\"error\": {\"desc\": \"not even JSON\"}}", "not even JSON");
	assert_command_fails("{\"error\": {}, \"id\": 2}", "without a reason");
	assert_command_fails("{\"strange\": 1}", "neither an answer nor an event");
	assert_command_fails("{\"return\": {}, \"id\": 2", "in the middle of a message");
	assert_command_fails("", "hung up");
	assert_command_fails("Segmentation fault\n", "'Segmentation fault' is not QMP");
}
END_TEST

START_TEST(what_is_not_qmp)
{
	static const struct {
		const char *said;
		const char *part;
	} cases[] = {
		{ "SSH-2.0-OpenSSH_9.2\r\nmore", "'SSH-2.0-OpenSSH_9.2' is not QMP" },
		{ "\n  \t\033[1mhello", "\\033[1mhello" },
		{ "{\"QMP\": nonsense}", "is not QMP" },
		{ "[1, 2]", "is not QMP" },
		{ "123456", "is not QMP" },
		{ "{}", "not QMP's greeting" },
		{ "{\"return\": {}}", "not QMP's greeting" },
		{ " ", "hung up" },
		{ "{\"QMP\": ", "in the middle of a message" },
		{ GREETING "{\"error\": {\"desc\": \"go away\"}, \"id\": 1}", "go away" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
		assert_refused((const Line[]){ { NULL, cases[i].said, 0, 0 }, { 0 } }, false,
		               PATIENCE_MS, cases[i].part);
}
END_TEST

START_TEST(hangs_up_at_once)
{
	assert_refused((const Line[]){ { 0 } }, false, PATIENCE_MS, "hung up");
}
END_TEST

START_TEST(silence_ends_at_the_deadline)
{
	const gint64 start = g_get_monotonic_time();
	gint64 took;

	assert_refused((const Line[]){ { 0 } }, true, 100, "did not answer in time");
	took = g_get_monotonic_time() - start;
	ck_assert_int_ge(took, 100 * 1000);
	ck_assert_int_lt(took, PATIENCE_MS * 1000);
}
END_TEST

/* Each byte comes in time, the message as a whole does not. */
START_TEST(trickle_ends_at_the_deadline)
{
	static const Line lines[] = { { NULL, "{\"a\": [", 0, 0 }, { NULL, "1, ", 1, 1000000 }, { 0 } };
	const gint64 start = g_get_monotonic_time();

	assert_refused(lines, true, 150, "did not answer in time");
	ck_assert_int_lt(g_get_monotonic_time() - start, PATIENCE_MS * 1000);
}
END_TEST

START_TEST(message_without_an_end)
{
	g_autofree char *chunk = g_strnfill(1 << 20, 'x');
	const Line lines[] = { { NULL, "{\"QMP\": \"", 0, 0 }, { NULL, chunk, 0, 64 }, { 0 } };

	assert_refused(lines, true, 6 * PATIENCE_MS, "without an end");
}
END_TEST

/* Events alone must not keep a command waiting for ever; a later deadline lets it go on. */
START_TEST(deadline_can_be_moved)
{
	static const Line lines[] = {
		{ NULL, GREETING AGREED, 0, 0 },
		{ "\"id\":3", "{\"event\": \"LATE\"}{\"return\": {}, \"id\": 3}", 0, 0 },
		{ 0 },
	};
	Peer *peer = peer_start(lines, true);
	ExmQmp *qmp = begin(peer);
	g_autoptr(GError) error = NULL;
	g_autoptr(GError) none = NULL;
	g_autoptr(ExmJson) answer = NULL;

	exm_qmp_set_deadline(qmp, 50);
	ck_assert_ptr_null(exm_qmp_execute(qmp, "slow", NULL, &error));
	assert_error(error, EXM_ERROR_SYSTEM, "did not answer in time");
	exm_qmp_set_deadline(qmp, PATIENCE_MS);
	answer = exm_qmp_execute(qmp, "quick", NULL, &none);
	assert_no_error(none);
	exm_qmp_free(qmp);
	peer_end(peer);
}
END_TEST

Suite *qmp_suite(void)
{
	Suite *suite = suite_create("qmp");
	TCase *tcase = tcase_create("qmp");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, greeting_and_command);
	tcase_add_test(tcase, split_reads);
	tcase_add_test(tcase, several_in_one_read);
	tcase_add_test(tcase, answers_to_others_are_dropped);
	tcase_add_test(tcase, null_is_an_answer);
	tcase_add_test(tcase, refusals);
	tcase_add_test(tcase, broken_answers);
	tcase_add_test(tcase, what_is_not_qmp);
	tcase_add_test(tcase, hangs_up_at_once);
	tcase_add_test(tcase, silence_ends_at_the_deadline);
	tcase_add_test(tcase, trickle_ends_at_the_deadline);
	tcase_add_test(tcase, message_without_an_end);
	tcase_add_test(tcase, deadline_can_be_moved);
	suite_add_tcase(suite, tcase);
	return suite;
}
