/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_conversation.c - lib/host/conversation.c */

#include "host/conversation.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "suite.h"

/* A peer that has sent this text, and ended before it read anything. */
static ExmConversation *ended_peer(const char *text)
{
	int sent[2], unread[2];

	signal(SIGPIPE, SIG_IGN);
	ck_assert_int_eq(pipe(sent), 0);
	ck_assert_int_eq(pipe(unread), 0);
	ck_assert_int_eq(write(sent[1], text, strlen(text)), (int)strlen(text));
	close(sent[1]);
	close(unread[0]);
	return exm_conversation_new(sent[0], unread[1]);
}

static void assert_refusal(const char *text, ExmErrorCode code, const char *reason)
{
	ExmConversation *peer = ended_peer(text);
	g_autoptr(GError) error = NULL;
	g_autoptr(ExmJson) answer = NULL;

	ck_assert(!exm_conversation_ask(peer, 1000, json_object_new_object(), NULL, &answer, &error));
	assert_error(error, code, reason);
	ck_assert_ptr_null(answer);
	exm_conversation_free(peer);
}

START_TEST(reason_of_a_peer_that_read_nothing)
{
	assert_refusal("{\"error\": \"name 'web' is taken\", \"code\": 5}\n", EXM_ERROR_STATE,
	               "name 'web' is taken");
	assert_refusal("hello\n", EXM_ERROR_SYSTEM, "'hello'");
}
END_TEST

/* Neither half a line nor an answer to a question that was not sent is a reason. */
START_TEST(end_of_a_peer_that_read_nothing)
{
	assert_refusal("", EXM_ERROR_SYSTEM, "the connection has ended");
	assert_refusal("{\"err", EXM_ERROR_SYSTEM, "the connection has ended");
	assert_refusal("{}\n", EXM_ERROR_SYSTEM, "the connection has ended");
}
END_TEST

static ExmJson *first_message(const char *text)
{
	return exm_json_parse(text, strlen(text), NULL);
}

START_TEST(two_of_one_protocol)
{
	g_autoptr(ExmJson) message = json_object_new_object();
	g_autoptr(GError) error = NULL;

	exm_conversation_introduce(message, "2.0");
	ck_assert(exm_conversation_check_source(message, "1.9", &error));
	ck_assert(exm_conversation_check_destination(message, "1.9", &error));
	assert_no_error(error);
}
END_TEST

/* Each says which release both have; the oldest do not say which they are. */
START_TEST(two_that_do_not_know_each_other)
{
	g_autoptr(ExmJson) old = first_message("{\"ask\": \"check\"}");
	g_autoptr(ExmJson) later = first_message("{\"protocol\": 7, \"version\": \"9.1\"}");
	g_autoptr(GError) error = NULL;

	ck_assert(!exm_conversation_check_source(old, "2.0", &error));
	assert_error(error, EXM_ERROR_UNSUPPORTED,
	             "the source has an older exomem without a protocol version, and the "
	             "destination exomem 2.0 (protocol 2): install one release on both hosts");
	g_clear_error(&error);
	ck_assert(!exm_conversation_check_destination(old, "2.0", &error));
	assert_error(error, EXM_ERROR_UNSUPPORTED,
	             "the source has exomem 2.0 (protocol 2), and the destination an older exomem");
	g_clear_error(&error);
	ck_assert(!exm_conversation_check_source(later, "2.0", &error));
	assert_error(error, EXM_ERROR_UNSUPPORTED,
	             "the source has exomem 9.1 (protocol 7), and the destination exomem 2.0 "
	             "(protocol 2)");
	g_clear_error(&error);
	ck_assert(!exm_conversation_check_destination(later, "2.0", &error));
	assert_error(error, EXM_ERROR_UNSUPPORTED, "the destination exomem 9.1 (protocol 7)");
}
END_TEST

/* A peer that has half a message waits for the rest of it. */
START_TEST(a_message_that_cannot_be_sent_ends_the_conversation)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GError) again = NULL;
	int silent[2];
	ExmConversation *peer;

	ck_assert_int_eq(pipe(silent), 0);
	peer = exm_conversation_new(silent[0], open("/dev/full", O_WRONLY | O_CLOEXEC));
	ck_assert(!exm_conversation_say(peer, 1000, json_object_new_object(), NULL, &error));
	assert_error(error, EXM_ERROR_NO_ROOM, "No space left on device");
	ck_assert(!exm_conversation_say(peer, 60000, json_object_new_object(), NULL, &again));
	assert_error(again, EXM_ERROR_SYSTEM, "the connection has ended");
	exm_conversation_free(peer);
	close(silent[1]);
}
END_TEST

Suite *conversation_suite(void)
{
	Suite *suite = suite_create("conversation");
	TCase *tests = tcase_create("conversation");

	tcase_add_test(tests, reason_of_a_peer_that_read_nothing);
	tcase_add_test(tests, end_of_a_peer_that_read_nothing);
	tcase_add_test(tests, two_of_one_protocol);
	tcase_add_test(tests, two_that_do_not_know_each_other);
	tcase_add_test(tests, a_message_that_cannot_be_sent_ends_the_conversation);
	suite_add_tcase(suite, tests);
	return suite;
}
