/* SPDX-License-Identifier: GPL-2.0-or-later */
/* commands.c - The table of verbs */

#include <string.h>

#include "base/enumtab.h"
#include "base/error.h"
#include "command.h"

const ExmCommand *const exm_commands[] = {
	&exm_command_run,
	&exm_command_list,
	&exm_command_show,
	&exm_command_wait,
	&exm_command_stop,
	&exm_command_console,
	&exm_command_logs,
	&exm_command_qmp,
	&exm_command_events,
	&exm_command_save,
	&exm_command_clone,
	&exm_command_fork,
	&exm_command_migrate,
	&exm_command_receive,
	&exm_command_template,
	&exm_command_prefetch,
	&exm_command_usage,
	&exm_command_capacity,
	&exm_command_balance,
	&exm_command_balloon,
	&exm_command_reclaim,
	&exm_command_wake,
	&exm_command_clean,
	&exm_command_pmem,
	&exm_command_config,
	&exm_command_probe,
	&exm_command_completion,
	&exm_command_help,
	&exm_command_complete,
	&exm_command_options,
	NULL,
};

/**
 * exm_command_find() - Look up a verb
 * @name: the verb
 *
 * Return: the command, or NULL.
 */
const ExmCommand *exm_command_find(const char *name)
{
	for (size_t i = 0; exm_commands[i]; i++)
		if (strcmp(exm_commands[i]->name, name) == 0)
			return exm_commands[i];
	return NULL;
}

/**
 * exm_command_find_or_throw() - Look up a verb that must be there
 * @name:        the verb
 * @ret_command: the command
 * @error:       USAGE, naming the nearest verb
 */
bool exm_command_find_or_throw(const char *name, const ExmCommand **ret_command, GError **error)
{
	const char *names[G_N_ELEMENTS(exm_commands)];
	const ExmCommand *command = exm_command_find(name);
	const char *nearest;
	size_t count = 0;

	if (command) {
		*ret_command = command;
		return true;
	}
	for (size_t i = 0; exm_commands[i]; i++)
		if (!g_str_has_prefix(exm_commands[i]->name, "__"))
			names[count++] = exm_commands[i]->name;
	nearest = exm_nearest(name, names, count);
	if (nearest)
		return exm_throw(error, EXM_ERROR_USAGE,
		                 "'%s' is not a command (did you mean '%s'?)", name, nearest);
	return exm_throw(error, EXM_ERROR_USAGE, "'%s' is not a command; see 'exomem help'", name);
}
