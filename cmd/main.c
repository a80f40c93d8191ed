/* SPDX-License-Identifier: GPL-2.0-or-later */
/* main.c - The program: finds the verb, prints errors, picks the exit status */

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/trace.h"
#include "command.h"
#include "help.h"
#include "options.h"
#include "output.h"

static bool is_help(const char *word)
{
	return strcmp(word, "--help") == 0;
}

static bool run_command(const ExmCommand *command, char **words, GError **error)
{
	g_auto(GStrv) rest = NULL;

	exm_output_set_verb(command->name);
	if (words[0] && is_help(words[0])) {
		exm_help_command(command);
		return true;
	}
	if (!exm_options_parse(command, words, &rest, error))
		return false;
	return command->run((const char *const *)rest, error);
}

static bool run_program(char **argv, GError **error)
{
	const ExmCommand *command;

	if (!argv[1])
		return exm_throw(error, EXM_ERROR_USAGE, "no command; see 'exomem help'");
	if (is_help(argv[1])) {
		exm_help_program();
		return true;
	}
	if (strcmp(argv[1], "--version") == 0) {
		printf("exomem %s\n", VERSION);
		return true;
	}
	if (!exm_command_find_or_throw(argv[1], &command, error))
		return false;
	return run_command(command, argv + 2, error);
}

int main(G_GNUC_UNUSED int argc, char **argv)
{
	g_autoptr(GError) error = NULL;

	exm_trace_enable(g_getenv("EXOMEM_DEBUG"));
	/* Where the caller ignores it, the kernel reaps children, and how they ended is lost. */
	signal(SIGCHLD, SIG_DFL);
	/* A file larger than RLIMIT_FSIZE is an error like others: EFBIG. */
	signal(SIGXFSZ, SIG_IGN);
	if (run_program(argv, &error) && exm_output_finish(&error))
		return 0;
	exm_output_error(error);
	return exm_error_exit_status(error);
}
