/* SPDX-License-Identifier: GPL-2.0-or-later */
/* help.c - exomem help: what there is, out of the table of verbs */

#include "help.h"

#include <stdio.h>

#include "command.h"
#include "options.h"

static bool is_listed(const ExmCommand *command)
{
	return !g_str_has_prefix(command->name, "__");
}

/**
 * exm_help_program() - Print what verbs there are
 */
void exm_help_program(void)
{
	printf("usage: exomem COMMAND [ARGUMENT]...\n"
	       "       exomem help COMMAND\n\n"
	       "Runs QEMU guests whose memory is where you want it.\n\n");
	for (size_t i = 0; exm_commands[i]; i++)
		if (is_listed(exm_commands[i]))
			printf("  %-10s  %s\n", exm_commands[i]->name, exm_commands[i]->summary);
	printf("\n  --version   print the version\n"
	       "  --help      print this, or a command's options\n");
}

/* "-q, --quiet" or "--name NAME" */
static char *form_of(const GOptionEntry *option)
{
	const bool takes = exm_option_takes_argument(option);
	const char letter[] = { '-', option->short_name, ',', ' ', '\0' };

	return g_strdup_printf("%s--%s%s%s", option->short_name ? letter : "", option->long_name,
	                       takes ? " " : "", takes ? option->arg_description : "");
}

/**
 * exm_help_command() - Print how a verb is used
 * @command: the verb
 */
void exm_help_command(const ExmCommand *command)
{
	printf("usage: exomem %s %s\n\n%s\n", command->name, command->usage, command->summary);
	for (const GOptionEntry *option = command->options; option->long_name; option++) {
		g_autofree char *form = NULL;

		if (option->flags & G_OPTION_FLAG_HIDDEN)
			continue;
		form = form_of(option);
		printf("%s  %-18s  %s\n", option == command->options ? "\n" : "", form,
		       option->description);
	}
}

static bool help(const char *const *words, GError **error)
{
	const ExmCommand *command;

	if (!words[0]) {
		exm_help_program();
		return true;
	}
	if (!exm_command_find_or_throw(words[0], &command, error))
		return false;
	exm_help_command(command);
	return true;
}

/* For the check that code, help and man pages agree: one line for each verb and each option. */
static bool list_options(G_GNUC_UNUSED const char *const *words, G_GNUC_UNUSED GError **error)
{
	for (size_t i = 0; exm_commands[i]; i++) {
		const ExmCommand *command = exm_commands[i];

		if (!is_listed(command))
			continue;
		printf("%s\n", command->name);
		for (const GOptionEntry *option = command->options; option->long_name; option++)
			if (!(option->flags & G_OPTION_FLAG_HIDDEN))
				printf("%s --%s\n", command->name, option->long_name);
	}
	return true;
}

static const GOptionEntry no_options[] = { EXM_OPTION_END };

const ExmCommand exm_command_help = {
	.name = "help",
	.summary = "how a command is used",
	.usage = "[COMMAND]",
	.options = no_options,
	.run = help,
};

const ExmCommand exm_command_options = {
	.name = "__options",
	.summary = "list commands and options",
	.usage = "",
	.options = no_options,
	.run = list_options,
};
