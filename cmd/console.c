/* SPDX-License-Identifier: GPL-2.0-or-later */
/* console.c - exomem console: a terminal on a detached guest's serial line */

#include "op/console.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/error.h"
#include "command.h"
#include "options.h"
#include "output.h"
#include "plan/console.h"
#include "words.h"

static struct {
	char *state_directory;
	char *detach_key;
} opt;

static const GOptionEntry options[] = {
	EXM_OPTION_TEXT("detach-key", &opt.detach_key, "leave by this key (default: ^])", "KEY"),
	EXM_OPTION_TEXT("state-dir", &opt.state_directory, "guests' state is there", "DIR"),
	EXM_OPTION_END,
};

static ExmConsoleRequest request = {
	.detach_key = 0x1d, /* ^] */
	.input = STDIN_FILENO,
	.output = STDOUT_FILENO,
};

static void tell_way_out(bool terminal)
{
	g_autofree char *key = exm_detach_key_name(request.detach_key);

	if (terminal)
		fprintf(stderr, "\nConsole of guest '%s'; %s leaves it.\n", request.name, key);
}

static void tell_end(const ExmConsoleEnd *end)
{
	if (end->reason == EXM_CONSOLE_GUEST_ENDED)
		fprintf(stderr, "\nGuest '%s' has ended.\n", request.name);
	else if (end->reason == EXM_CONSOLE_DETACHED)
		fprintf(stderr, "\nLeft the console of guest '%s', which goes on.\n", request.name);
	/* Who waits for us shall see which signal it was. */
	if (end->signal)
		raise(end->signal);
}

/* Else another file would get its number, and what the guest says. */
static bool check_open(int fd, const char *what, GError **error)
{
	return fcntl(fd, F_GETFD) >= 0 || exm_throw_errno(error, errno, "%s", what);
}

static bool run(const char *const *words, GError **error)
{
	g_autofree char *directory = NULL;
	ExmConsoleEnd end;

	if (!exm_words_guest(words, &request.name, error) ||
	    !check_open(STDIN_FILENO, "read standard input", error) ||
	    !check_open(STDOUT_FILENO, "write standard output", error) ||
	    !exm_state_directory(opt.state_directory, &directory, error))
		return false;
	if (opt.detach_key && !exm_detach_key_parse(opt.detach_key, &request.detach_key, error)) {
		g_prefix_error(error, "--detach-key: ");
		return false;
	}
	request.state_directory = directory;
	request.attached = tell_way_out;
	if (!exm_op_console(&request, &end, error))
		return false;
	tell_end(&end);
	return true;
}

const ExmCommand exm_command_console = {
	.name = "console",
	.summary = "be the terminal of a detached guest",
	.usage = "[OPTION]... GUEST",
	.options = options,
	.takes_guest = true,
	.run = run,
};
