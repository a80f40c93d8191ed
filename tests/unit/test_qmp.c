/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_qmp.c - lib/host/qmp.c, against a scripted QEMU at the other end of a socket */

#include "host/qmp.h"

#include <fcntl.h>
#include <unistd.h>

#include "peer.h"
#include "suite.h"

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
	ExmQmp *qmp = peer_begin(peer);
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
	ExmQmp *qmp = peer_begin(peer);
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
	ExmQmp *qmp = peer_begin(peer);
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

START_TEST(what_others_should_have_heard_comes_before_the_greeting)
{
	static const Line lines[] = {
		{ NULL,
		  "{\"event\": \"MIGRATION\"}\r\n{\"return\": {}, \"id\": 6}\r\n"
		  "{\"error\": {\"desc\": \"old\"}, \"id\": 7}\r\n" GREETING AGREED,
		  0, 0 },
		{ 0 },
	};
	Peer *peer = peer_start(lines, true);
	ExmQmp *qmp = peer_begin(peer);

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
	ExmQmp *qmp = peer_begin(peer);
	g_autoptr(GError) error = NULL;
	g_autoptr(ExmJson) answer = exm_qmp_execute(qmp, "ask", NULL, &error);

	assert_no_error(error);
	ck_assert_uint_eq(exm_json_get_uint(answer, "n"), 2);
	exm_qmp_free(qmp);
	peer_end(peer);
}
END_TEST

/* Nothing of it has gone, so QEMU owes no answer. */
START_TEST(a_command_that_could_not_be_sent_is_not_waited_for)
{
	static const Line lines[] = {
		{ NULL, GREETING AGREED, 0, 0 },
		{ "\"id\":2", "{\"return\": {\"n\": 2}, \"id\": 2}", 0, 0 },
		{ 0 },
	};
	const int none = open("/dev/null", O_RDONLY | O_CLOEXEC);
	Peer *peer = peer_start(lines, true);
	ExmQmp *qmp = peer_begin(peer);
	g_autoptr(GError) refusal = NULL;
	g_autoptr(GError) error = NULL;
	g_autoptr(ExmJson) answer = NULL;

	close(none);
	ck_assert(!exm_qmp_send(qmp, "getfd", NULL, none, &refusal));
	assert_error(refusal, EXM_ERROR_SYSTEM, "QMP command 'getfd': cannot talk to QEMU: Bad file");
	answer = exm_qmp_execute(qmp, "ask", NULL, &error);
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
	ExmQmp *qmp = peer_begin(peer);
	g_autoptr(GError) error = NULL;
	g_autoptr(ExmJson) answer = exm_qmp_execute(qmp, "ask", NULL, &error);

	assert_no_error(error);
	ck_assert_int_eq(json_object_object_length(answer), 0);
	exm_qmp_free(qmp);
	peer_end(peer);
}
END_TEST

/* What came before is taken first; answers that nobody waits for are no events. */
START_TEST(events_are_awaited)
{
	static const Line lines[] = {
		{ NULL, GREETING AGREED "{\"event\": \"A\"}", 0, 0 },
		{ "\"id\":2", "{\"return\": {}, \"id\": 2}{\"return\": {}, \"id\": 1}", 0, 0 },
		{ NULL, "{\"event\": \"B\"}\r\n", 1, 0 },
		{ 0 },
	};
	static const char *const wanted[] = { "A", "B" };
	Peer *peer = peer_start(lines, false);
	ExmQmp *qmp = peer_begin(peer);
	g_autoptr(GError) error = NULL;
	g_autoptr(ExmJson) answer = exm_qmp_execute(qmp, "ask", NULL, &error);

	assert_no_error(error);
	ck_assert_ptr_nonnull(answer);
	for (size_t i = 0; i < G_N_ELEMENTS(wanted); i++) {
		g_autoptr(ExmJson) event = exm_qmp_next_event(qmp, &error);

		assert_no_error(error);
		ck_assert_str_eq(exm_json_get_string(event, "event"), wanted[i]);
	}
	ck_assert_ptr_null(exm_qmp_next_event(qmp, &error));
	assert_error(error, EXM_ERROR_SYSTEM, "hung up");
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
	ExmQmp *qmp = peer_begin(peer);
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
	assert_command_fails("{\"return\": \"\\ud800\", \"id\": 2}", "half of a surrogate pair");
	assert_command_fails("{\"return\": \"\\u0000\", \"id\": 2}", "NUL in a string");
	assert_command_fails("{\"return\": \"caf\xe9\", \"id\": 2}",
	                     "is not QMP: not JSON at byte 15");
	assert_command_fails("{\"return\": [1}, \"id\": 2}", "is not QMP");
}
END_TEST

/* Brackets and quotation marks in strings, and letters beyond ASCII in either spelling. */
START_TEST(strings_end_no_message)
{
	static const Line lines[] = {
		{ NULL, GREETING AGREED, 0, 0 },
		{ "\"id\":2",
		  "{\"event\": \"}\"}{\"return\": {\"a\": \"\\\\\", \"b\": \"]}\\\"{\", \"c\": "
		  "\"\xc3\xa9\\u00e9\"}, \"id\": 2}\r\n",
		  1, 0 },
		{ 0 },
	};
	Peer *peer = peer_start(lines, false);
	ExmQmp *qmp = peer_begin(peer);
	g_autoptr(GError) error = NULL;
	g_autoptr(ExmJson) answer = exm_qmp_execute(qmp, "ask", NULL, &error);

	assert_no_error(error);
	ck_assert_str_eq(exm_json_get_string(answer, "a"), "\\");
	ck_assert_str_eq(exm_json_get_string(answer, "b"), "]}\"{");
	ck_assert_str_eq(exm_json_get_string(answer, "c"), "\xc3\xa9\xc3\xa9");
	exm_qmp_free(qmp);
	peer_end(peer);
}
END_TEST

/* What QEMU answers is no record of exomem's: nothing in it stands for bytes. */
START_TEST(bytes_of_qemu_are_an_object)
{
	static const Line lines[] = {
		{ NULL, GREETING AGREED, 0, 0 },
		{ "\"id\":2", "{\"return\": {\"a\": {\"bytes\": \"YQ==\"}}, \"id\": 2}", 0, 0 },
		{ 0 },
	};
	Peer *peer = peer_start(lines, false);
	ExmQmp *qmp = peer_begin(peer);
	g_autoptr(ExmJson) answer = exm_qmp_execute(qmp, "ask", NULL, NULL);

	ck_assert_str_eq(exm_json_get_string(exm_json_member(answer, "a"), "bytes"), "YQ==");
	exm_qmp_free(qmp);
	peer_end(peer);
}
END_TEST

/* Nothing is sent, and so the next command has the number that this one would have had. */
START_TEST(what_is_not_utf8_is_not_sent)
{
	static const Line lines[] = {
		{ NULL, GREETING AGREED, 0, 0 },
		{ "\"id\":2", "{\"return\": {\"n\": 7}, \"id\": 2}", 0, 0 },
		{ 0 },
	};
	Peer *peer = peer_start(lines, false);
	ExmQmp *qmp = peer_begin(peer);
	ExmJson *arguments = json_object_new_object();
	g_autoptr(GError) error = NULL;
	g_autoptr(GError) none = NULL;
	g_autoptr(ExmJson) answer = NULL;

	exm_json_set_string(arguments, "filename", "/caf\xe9");
	ck_assert_ptr_null(exm_qmp_execute(qmp, "blockdev-add", arguments, &error));
	assert_error(error, EXM_ERROR_UNSUPPORTED,
	             "QMP command 'blockdev-add': '/caf\xe9' is not UTF-8");
	answer = exm_qmp_execute(qmp, "next", NULL, &none);
	assert_no_error(none);
	ck_assert_uint_eq(exm_json_get_uint(answer, "n"), 7);
	exm_qmp_free(qmp);
	peer_end_having_heard(peer, "{\"execute\":\"next\",\"id\":2}\r\n");
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
	ExmQmp *qmp = peer_begin(peer);
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

/* The peer says nothing before it has heard all three commands. */
START_TEST(all_is_said_before_anybody_is_there)
{
	static const Line lines[] = {
		{ "\"id\":3",
		  GREETING AGREED "{\"return\": {}, \"id\": 2}\r\n{\"event\": \"E\"}\r\n"
		                  "{\"return\": {}, \"id\": 3}\r\n",
		  0, 0 },
		{ "\"id\":4", "{\"return\": {\"n\": 7}, \"id\": 4}\r\n", 0, 0 },
		{ 0 },
	};
	Peer *peer = peer_start(lines, false);
	g_autoptr(GError) error = NULL;
	g_autoptr(ExmJson) event = NULL;
	g_autoptr(ExmJson) answer = NULL;
	ExmQmp *qmp = exm_qmp_begin(peer->ours, PATIENCE_MS, &error);

	assert_no_error(error);
	ck_assert(exm_qmp_send(qmp, "one", NULL, -1, &error));
	ck_assert(exm_qmp_send(qmp, "two", NULL, -1, &error));
	ck_assert(exm_qmp_settle(qmp, &error));
	event = exm_qmp_take_event(qmp);
	ck_assert_str_eq(exm_json_get_string(event, "event"), "E");
	answer = exm_qmp_execute(qmp, "three", NULL, &error);
	assert_no_error(error);
	ck_assert_uint_eq(exm_json_get_uint(answer, "n"), 7);
	exm_qmp_free(qmp);
	peer_end(peer);
}
END_TEST

START_TEST(the_first_refusal_counts_and_the_rest_is_heard)
{
	static const Line lines[] = {
		{ "\"id\":4",
		  GREETING AGREED "{\"error\": {\"desc\": \"first\"}, \"id\": 2}\r\n"
		                  "{\"return\": {}, \"id\": 3}\r\n"
		                  "{\"error\": {\"desc\": \"last\"}, \"id\": 4}\r\n",
		  0, 0 },
		{ "\"id\":5", "{\"return\": {}, \"id\": 5}\r\n", 0, 0 },
		{ 0 },
	};
	Peer *peer = peer_start(lines, false);
	ExmQmp *qmp = exm_qmp_begin(peer->ours, PATIENCE_MS, NULL);
	g_autoptr(GError) error = NULL;
	g_autoptr(GError) none = NULL;
	g_autoptr(ExmJson) answer = NULL;

	ck_assert(exm_qmp_send(qmp, "one", NULL, -1, &none));
	ck_assert(exm_qmp_send(qmp, "two", NULL, -1, &none));
	ck_assert(exm_qmp_send(qmp, "three", NULL, -1, &none));
	ck_assert(!exm_qmp_settle(qmp, &error));
	assert_error(error, EXM_ERROR_SYSTEM, "'one': first");
	answer = exm_qmp_execute(qmp, "four", NULL, &none);
	assert_no_error(none);
	exm_qmp_free(qmp);
	peer_end(peer);
}
END_TEST

START_TEST(nobody_comes)
{
	static const Line lines[] = { { "\"id\":2", "", 0, 0 }, { 0 } };
	Peer *peer = peer_start(lines, false);
	ExmQmp *qmp = exm_qmp_begin(peer->ours, PATIENCE_MS, NULL);
	g_autoptr(GError) error = NULL;

	ck_assert(exm_qmp_send(qmp, "one", NULL, -1, NULL));
	ck_assert(!exm_qmp_settle(qmp, &error));
	assert_error(error, EXM_ERROR_SYSTEM, "QEMU hung up");
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
	tcase_add_test(tcase, what_others_should_have_heard_comes_before_the_greeting);
	tcase_add_test(tcase, answers_to_others_are_dropped);
	tcase_add_test(tcase, a_command_that_could_not_be_sent_is_not_waited_for);
	tcase_add_test(tcase, events_are_awaited);
	tcase_add_test(tcase, null_is_an_answer);
	tcase_add_test(tcase, refusals);
	tcase_add_test(tcase, broken_answers);
	tcase_add_test(tcase, strings_end_no_message);
	tcase_add_test(tcase, bytes_of_qemu_are_an_object);
	tcase_add_test(tcase, what_is_not_utf8_is_not_sent);
	tcase_add_test(tcase, what_is_not_qmp);
	tcase_add_test(tcase, hangs_up_at_once);
	tcase_add_test(tcase, silence_ends_at_the_deadline);
	tcase_add_test(tcase, trickle_ends_at_the_deadline);
	tcase_add_test(tcase, message_without_an_end);
	tcase_add_test(tcase, deadline_can_be_moved);
	tcase_add_test(tcase, all_is_said_before_anybody_is_there);
	tcase_add_test(tcase, the_first_refusal_counts_and_the_rest_is_heard);
	tcase_add_test(tcase, nobody_comes);
	suite_add_tcase(suite, tcase);
	return suite;
}
