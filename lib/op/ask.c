/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ask.c - Ask many guests something at once */

#include "op/ask.h"

#include <poll.h>

/* A monitor serves one at a time and lets two more wait; who comes then has to come again. */
#define RETRY_MS 5

static void hang_up(ExmQuestion *question)
{
	exm_listener_free(question->listener);
	question->listener = NULL;
}

static void question_free(gpointer data)
{
	ExmQuestion *question = data;

	hang_up(question);
	exm_json_put(question->arguments);
	exm_json_put(question->answer);
	g_free(question);
}

/**
 * exm_questions_new() - Make a question to each guest
 * @vms:     of ExmVm, which must live as long as the questions
 * @command: for all of them; may be changed, also to NULL
 *
 * Return: of ExmQuestion, in the order of the guests (transfer full).
 */
GPtrArray *exm_questions_new(const GPtrArray *vms, const char *command)
{
	GPtrArray *questions = g_ptr_array_new_with_free_func(question_free);

	for (guint i = 0; i < vms->len; i++) {
		ExmQuestion *question = g_new0(ExmQuestion, 1);

		question->vm = vms->pdata[i];
		question->command = command;
		g_ptr_array_add(questions, question);
	}
	return questions;
}

static void read_answer(ExmQuestion *question)
{
	ExmJson *message;

	while (!question->done && (message = exm_listener_next(question->listener))) {
		question->done = exm_json_get_uint(message, "id") == 1;
		if (question->done)
			question->answer = json_object_get(exm_json_member(message, "return"));
		exm_json_put(message);
	}
}

static void hear(ExmQuestion *question)
{
	const bool more = exm_listener_receive(question->listener);

	read_answer(question);
	question->done = question->done || !more;
	if (question->done)
		hang_up(question);
}

/*
 * Connects where that is to be done; returns how many questions are still open. The sockets of a
 * guest whose directory was removed are out of reach.
 */
static guint prepare(GPtrArray *questions, struct pollfd *polled, bool *ret_all_connected)
{
	guint open = 0;

	*ret_all_connected = true;
	for (guint i = 0; i < questions->len; i++) {
		ExmQuestion *question = questions->pdata[i];

		polled[i] = (struct pollfd){ .fd = -1, .events = POLLIN };
		if (question->done || !question->command || question->vm->lost)
			continue;
		open++;
		if (!question->listener)
			question->listener = exm_listener_new(question->vm, EXM_VM_CONTROL,
			                                      question->command,
			                                      question->arguments, NULL);
		if (question->listener)
			polled[i].fd = exm_listener_fd(question->listener);
		else
			*ret_all_connected = false;
	}
	return open;
}

/**
 * exm_questions_ask() - Ask all, then hear all
 * @questions:   of ExmQuestion
 * @deadline_ms: for all together; a guest that does not answer holds up nobody else
 */
void exm_questions_ask(GPtrArray *questions, int deadline_ms)
{
	const gint64 deadline = g_get_monotonic_time() + (gint64)deadline_ms * 1000;
	g_autofree struct pollfd *polled = g_new0(struct pollfd, questions->len);
	bool all_connected;

	while (prepare(questions, polled, &all_connected) > 0) {
		const gint64 left = (deadline - g_get_monotonic_time() + 999) / 1000;

		if (left <= 0)
			break;
		poll(polled, questions->len, (int)(all_connected ? left : MIN(left, RETRY_MS)));
		for (guint i = 0; i < questions->len; i++)
			if (polled[i].revents)
				hear(questions->pdata[i]);
	}
	/* Who does not answer is left: somebody else may want the monitor. */
	for (guint i = 0; i < questions->len; i++)
		hang_up(questions->pdata[i]);
}
