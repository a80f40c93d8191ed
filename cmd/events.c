/* SPDX-License-Identifier: GPL-2.0-or-later */
/* events.c - exomem events: what a guest's QEMU reports, as it happens */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/error.h"
#include "command.h"
#include "op/monitor.h"
#include "options.h"
#include "output.h"
#include "words.h"

static struct {
	char *state_directory;
} opt;

static const GOptionEntry options[] = {
	EXM_OPTION_TEXT("state-dir", &opt.state_directory, "guests' state is there", "DIR"),
	EXM_OPTION_END,
};

static bool print_event(ExmJson *event, GError **error)
{
	g_autofree char *text = exm_json_print(event, false);

	printf("%s\n", text);
	return exm_output_finish(error);
}

static bool run(const char *const *words, GError **error)
{
	g_autofree char *directory = NULL;
	const char *name;

	/* Or the guest's socket would get its number, and QEMU what is printed. */
	if (fcntl(STDOUT_FILENO, F_GETFD) < 0)
		return exm_throw_errno(error, errno, "write standard output");
	if (!exm_words_guest(words, &name, error) ||
	    !exm_state_directory(opt.state_directory, &directory, error))
		return false;
	return exm_op_events(directory, name, print_event, STDOUT_FILENO, error);
}

const ExmCommand exm_command_events = {
	.name = "events",
	.summary = "print a guest's QMP events as they happen",
	.usage = "[OPTION]... GUEST",
	.options = options,
	.takes_guest = true,
	.run = run,
};
