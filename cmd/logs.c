/* SPDX-License-Identifier: GPL-2.0-or-later */
/* logs.c - exomem logs: what a detached guest has written */

#include "op/logs.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/error.h"
#include "command.h"
#include "options.h"
#include "output.h"
#include "words.h"

static struct {
	char *state_directory;
	gboolean follow;
} opt;

static const GOptionEntry options[] = {
	EXM_OPTION_SHORT_FLAG("follow", 'f', &opt.follow, "go on until the guest ends"),
	EXM_OPTION_TEXT("state-dir", &opt.state_directory, "guests' state is there", "DIR"),
	EXM_OPTION_END,
};

static bool print_text(const char *text, size_t length, GError **error)
{
	if (fwrite(text, 1, length, stdout) < length)
		return exm_throw_errno(error, errno, "write standard output");
	return exm_output_finish(error);
}

static bool run(const char *const *words, GError **error)
{
	g_autofree char *directory = NULL;
	ExmLogsRequest request = { .follow = opt.follow,
		                   .reader = STDOUT_FILENO,
		                   .ended = exm_output_warning };

	if (!exm_words_guest(words, &request.name, error) ||
	    !exm_state_directory(opt.state_directory, &directory, error))
		return false;
	request.state_directory = directory;
	return exm_op_logs(&request, print_text, error);
}

const ExmCommand exm_command_logs = {
	.name = "logs",
	.summary = "print what a detached guest has written",
	.usage = "[OPTION]... GUEST",
	.options = options,
	.takes_guest = true,
	.run = run,
};
