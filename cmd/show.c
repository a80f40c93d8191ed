/* SPDX-License-Identifier: GPL-2.0-or-later */
/* show.c - exomem show: all that is known of a guest */

#include <stdio.h>

#include "base/quote.h"
#include "base/size.h"
#include "command.h"
#include "op/list.h"
#include "options.h"
#include "output.h"
#include "words.h"

#define NAME_WIDTH 19

static struct {
	char *state_directory;
	gboolean json;
} opt;

static const GOptionEntry options[] = {
	EXM_OPTION_FLAG("json", &opt.json, "print JSON"),
	EXM_OPTION_TEXT("state-dir", &opt.state_directory, "guests' state is there", "DIR"),
	EXM_OPTION_END,
};

static void print_json(const ExmListed *listed, char **sockets)
{
	g_autoptr(ExmJson) json = exm_vm_to_json(listed->vm);

	exm_json_set_string(json, "directory", listed->vm->directory);
	exm_json_set_string(json, "status", exm_status_text(listed));
	exm_json_set_uint(json, "memory-size", listed->memory);
	exm_json_set_strv(json, "sockets", (const char *const *)sockets);
	exm_output_json(json);
}

static void print_fact(const char *name, const char *value)
{
	if (value)
		printf("%-*s%s\n", NAME_WIDTH, name, value);
}

static void print_time(const char *name, uint64_t seconds)
{
	g_autoptr(GDateTime) time = g_date_time_new_from_unix_local((gint64)seconds);
	g_autofree char *text = time ? g_date_time_format(time, "%Y-%m-%d %H:%M:%S %z") : NULL;

	print_fact(name, text);
}

static void print_block(ExmJson *block)
{
	const char *path = exm_json_get_string(block, "path");
	const bool unnamed = exm_json_get_bool(block, "unnamed");
	g_autofree char *size = exm_size_human(exm_json_get_uint(block, "size"));

	printf("%-*s%s at %#" G_GINT64_MODIFIER "x, %s: %s%s\n", NAME_WIDTH, "memory block", size,
	       exm_json_get_uint(block, "offset"),
	       exm_json_get_bool(block, "shared") ? "shared" : "private",
	       unnamed && path ? "a file without name in " : "", path ? path : "anonymous");
}

static void print_memory(const ExmListed *listed)
{
	g_autofree char *size = listed->memory ? exm_size_human(listed->memory) : NULL;

	print_fact("memory", size);
	for (size_t i = 0; i < exm_json_length(listed->vm->memory); i++)
		print_block(json_object_array_get_idx(listed->vm->memory, i));
}

static void print_facts(const ExmListed *listed, char **sockets)
{
	const ExmVm *vm = listed->vm;
	g_autofree char *pid = g_strdup_printf("%d", (int)vm->pid);
	g_autofree char *joined = g_strjoinv(" ", sockets);
	g_autofree char *command = exm_quote_argv((const char *const *)vm->command);

	print_fact("name", vm->name);
	print_fact("status", exm_status_text(listed));
	print_fact("pid", pid);
	print_time("created", vm->created);
	print_fact("detached", vm->detached ? "yes" : "no");
	print_fact("directory", vm->directory);
	print_fact("sockets", joined);
	print_fact("qemu", vm->qemu);
	print_fact("qemu version", vm->qemu_version);
	print_fact("uuid", vm->uuid);
	print_fact("generation id", vm->generation_id);
	print_memory(listed);
	print_fact("working directory", vm->working_directory);
	print_fact("command", command);
}

static bool run(const char *const *words, GError **error)
{
	g_autofree char *directory = NULL;
	g_autoptr(ExmListed) listed = NULL;
	g_auto(GStrv) sockets = NULL;
	const char *name;

	if (!exm_words_guest(words, &name, error) ||
	    !exm_state_directory(opt.state_directory, &directory, error))
		return false;
	listed = exm_op_show(directory, name, error);
	if (!listed)
		return false;
	sockets = exm_op_sockets(listed->vm);
	if (opt.json)
		print_json(listed, sockets);
	else
		print_facts(listed, sockets);
	return true;
}

const ExmCommand exm_command_show = {
	.name = "show",
	.summary = "all that is known of a guest",
	.usage = "[OPTION]... GUEST",
	.options = options,
	.takes_guest = true,
	.run = run,
};
