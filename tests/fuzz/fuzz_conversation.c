/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_conversation.c - Whatever another host says, hearing it ends; what is said well arrives as it is */

#include "host/conversation.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "fuzz.h"

/* What a pipe takes without a reader. */
#define INPUT_MAX 32768

/* Nobody waits for somebody who has hung up. */
#define PATIENCE_MS 20000

/* Two ends that hear what is written to @ret_peer, and say what nobody reads. */
static ExmConversation *listen_to(int *ret_peer)
{
	int ends[2];
	int said;

	g_assert_cmpint(pipe2(ends, O_CLOEXEC), ==, 0);
	said = open("/dev/null", O_WRONLY | O_CLOEXEC);
	g_assert_cmpint(said, >=, 0);
	*ret_peer = ends[1];
	return exm_conversation_new(ends[0], said);
}

static void check_ends(const uint8_t *text, size_t length)
{
	exm_autofd int peer = -1;
	g_autoptr(ExmConversation) conversation = listen_to(&peer);
	g_autoptr(GError) error = NULL;
	bool heard = true;

	g_assert_cmpint(write(peer, text, length), ==, (ssize_t)length);
	exm_fd_clear(&peer);
	while (heard) {
		g_autoptr(ExmJson) message = NULL;
		g_autoptr(GBytes) data = NULL;

		heard = exm_conversation_hear(conversation, PATIENCE_MS, &message, &data, &error);
		g_assert_true(heard == (message != NULL));
		g_assert_true(!heard || (data && g_bytes_get_size(data) <= length));
	}
	assert_rejected(error);
}

static void check_answer(const uint8_t *text, size_t length)
{
	exm_autofd int peer = -1;
	g_autoptr(ExmConversation) conversation = listen_to(&peer);
	g_autoptr(ExmJson) answer = NULL;
	g_autoptr(GError) error = NULL;

	g_assert_cmpint(write(peer, text, length), ==, (ssize_t)length);
	exm_fd_clear(&peer);
	if (exm_conversation_ask(conversation, PATIENCE_MS, json_object_new_object(), NULL, &answer,
	                         &error))
		g_assert_null(exm_json_member(answer, "error"));
	else
		assert_rejected(error);
}

/* The input as data behind a message. */
static void check_arrives(const uint8_t *text, size_t length)
{
	int ends[2];
	g_autoptr(ExmConversation) conversation = NULL;
	g_autoptr(GBytes) said = g_bytes_new_static(text, length);
	g_autoptr(GBytes) heard = NULL;
	g_autoptr(ExmJson) message = NULL;
	g_autoptr(GError) error = NULL;

	g_assert_cmpint(pipe2(ends, O_CLOEXEC), ==, 0);
	conversation = exm_conversation_new(ends[0], ends[1]);
	g_assert_true(exm_conversation_say(conversation, PATIENCE_MS, json_object_new_object(),
	                                   said, &error));
	g_assert_true(exm_conversation_hear(conversation, PATIENCE_MS, &message, &heard, &error));
	g_assert_no_error(error);
	g_assert_true(g_bytes_equal(said, heard));
}

/**
 * LLVMFuzzerTestOneInput() - Hear another host that says the input
 * @data: what it says
 * @size: length of that
 *
 * Return: 0
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > INPUT_MAX)
		return 0;
	check_ends(data, size);
	check_answer(data, size);
	check_arrives(data, size);
	return 0;
}
