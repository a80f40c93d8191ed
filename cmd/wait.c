/* SPDX-License-Identifier: GPL-2.0-or-later */
/* wait.c - exomem wait: until a guest runs or has ended */

#include "op/wait.h"

#include <stdio.h>

#include "base/enumtab.h"
#include "command.h"
#include "options.h"
#include "output.h"
#include "words.h"

static struct {
	char *state_directory;
	char *event;
	char *timeout;
} opt;

static const GOptionEntry options[] = {
	EXM_OPTION_TEXT("for", &opt.event, "wait for this: running, or exit (default)", "EVENT"),
	EXM_OPTION_TEXT("timeout", &opt.timeout, "give up after this time", "SECONDS"),
	EXM_OPTION_TEXT("state-dir", &opt.state_directory, "guests' state is there", "DIR"),
	EXM_OPTION_END,
};

enum {
	FOR_EXIT,
	FOR_RUNNING,
};

static const char *const event_names[] = { "exit", "running" };
static const ExmEnumTable events = { "event", event_names, G_N_ELEMENTS(event_names) };

static bool run(const char *const *words, GError **error)
{
	g_autofree char *directory = NULL;
	g_autofree char *text = NULL;
	const char *name;
	int event = FOR_EXIT;
	int timeout_ms = -1;

	if (!exm_words_guest(words, &name, error) ||
	    !exm_words_seconds("--timeout", opt.timeout, &timeout_ms, error) ||
	    !exm_state_directory(opt.state_directory, &directory, error))
		return false;
	if (opt.event && !exm_enum_parse(&events, opt.event, &event, error)) {
		g_prefix_error(error, "--for: ");
		return false;
	}
	if (event == FOR_RUNNING)
		return exm_op_wait_running(directory, name, timeout_ms, error);
	if (!exm_op_wait_exit(directory, name, timeout_ms, &text, error))
		return false;
	if (text)
		printf("%s\n", text);
	return exm_output_finish(error);
}

const ExmCommand exm_command_wait = {
	.name = "wait",
	.summary = "wait until a guest runs or has ended",
	.usage = "[OPTION]... GUEST",
	.options = options,
	.takes_guest = true,
	.run = run,
};
