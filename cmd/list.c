/* SPDX-License-Identifier: GPL-2.0-or-later */
/* list.c - exomem list: which guests there are */

#include "op/list.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/size.h"
#include "command.h"
#include "options.h"
#include "output.h"
#include "words.h"

#define WATCH_PAUSE_US 1000000UL

/* ECMA-48: to the first place, and all behind it away. */
#define CLEAR_SCREEN "\033[H\033[J"

static struct {
	char *state_directory;
	gboolean all;
	gboolean quiet;
	gboolean json;
	gboolean watch;
} opt;

static const GOptionEntry options[] = {
	EXM_OPTION_FLAG("all", &opt.all, "list guests that have ended too, and how they ended"),
	EXM_OPTION_SHORT_FLAG("quiet", 'q', &opt.quiet, "print names only, and ask no QEMU"),
	EXM_OPTION_FLAG("json", &opt.json, "print JSON"),
	EXM_OPTION_FLAG("watch", &opt.watch, "print anew each second, until interrupted"),
	EXM_OPTION_TEXT("state-dir", &opt.state_directory, "guests' state is there", "DIR"),
	EXM_OPTION_END,
};

static bool check_options(GError **error)
{
	if (opt.quiet && opt.json)
		return exm_throw(error, EXM_ERROR_USAGE, "'--quiet' and '--json' exclude each other");
	if (opt.watch && opt.json)
		return exm_throw(error, EXM_ERROR_USAGE, "'--watch' and '--json' exclude each other");
	return true;
}

static void print_json(const GPtrArray *all_listed)
{
	g_autoptr(ExmJson) array = json_object_new_array();

	for (guint i = 0; i < all_listed->len; i++) {
		const ExmListed *listed = all_listed->pdata[i];
		ExmJson *json = json_object_new_object();

		exm_json_set_string(json, "name", listed->vm->name);
		exm_json_set_string(json, "status", exm_status_text(listed));
		exm_json_set_uint(json, "pid", listed->end ? 0 : listed->vm->pid);
		exm_json_set_uint(json, "memory", listed->memory);
		exm_json_set_uint(json, "created", listed->vm->created);
		exm_json_set_bool(json, "detached", listed->vm->detached);
		exm_json_set_string(json, "directory", listed->vm->directory);
		exm_json_set_string(json, "qemu-version", listed->vm->qemu_version);
		exm_json_set_string(json, "uuid", listed->vm->uuid);
		if (listed->end)
			exm_output_end(json, listed->end);
		json_object_array_add(array, json);
	}
	exm_output_json(array);
}

/* "5s", "3m", "2h", "4d": the largest unit that fits. */
static char *print_age(uint64_t created)
{
	static const struct {
		uint64_t seconds;
		char letter;
	} units[] = { { 86400, 'd' }, { 3600, 'h' }, { 60, 'm' } };
	const uint64_t now = (uint64_t)(g_get_real_time() / G_USEC_PER_SEC);
	const uint64_t age = now > created ? now - created : 0;

	for (size_t i = 0; i < G_N_ELEMENTS(units); i++)
		if (age >= units[i].seconds)
			return g_strdup_printf("%" G_GUINT64_FORMAT "%c", age / units[i].seconds,
			                       units[i].letter);
	return g_strdup_printf("%" G_GUINT64_FORMAT "s", age);
}

static void print_row(const ExmListed *listed, int name_width)
{
	g_autofree char *memory = listed->memory ? exm_size_human(listed->memory) : g_strdup("-");
	g_autofree char *age = print_age(listed->vm->created);
	g_autofree char *since = listed->end ? print_age(listed->end->time) : NULL;
	g_autofree char *how = listed->end ? exm_end_text(listed->end) : NULL;
	g_autofree char *status = listed->end ? g_strdup_printf("ended %s ago", since)
	                                      : g_strdup(exm_status_text(listed));
	g_autofree char *pid = listed->end ? g_strdup("-")
	                                   : g_strdup_printf("%d", (int)listed->vm->pid);

	printf("%-*s  %-14s  %7s  %9s  %5s%s%s\n", name_width, listed->vm->name, status, pid,
	       memory, age, how ? "  " : "", how ? how : "");
}

static void print_table(const GPtrArray *all_listed)
{
	size_t name_width = strlen("NAME");

	for (guint i = 0; i < all_listed->len; i++) {
		const ExmListed *listed = all_listed->pdata[i];

		name_width = MAX(name_width, strlen(listed->vm->name));
	}
	printf("%-*s  %-14s  %7s  %9s  %5s%s\n", (int)name_width, "NAME", "STATUS", "PID", "MEMORY",
	       "AGE", opt.all ? "  HOW IT ENDED" : "");
	for (guint i = 0; i < all_listed->len; i++)
		print_row(all_listed->pdata[i], (int)name_width);
}

static void print_names(const GPtrArray *all_listed)
{
	for (guint i = 0; i < all_listed->len; i++) {
		const ExmListed *listed = all_listed->pdata[i];

		printf("%s\n", listed->vm->name);
	}
}

static bool print_once(const char *directory, GError **error)
{
	g_autoptr(GPtrArray) all_listed = NULL;

	if (!exm_op_list(directory, !opt.quiet, &all_listed, error) ||
	    (opt.all && !exm_op_list_ended(directory, all_listed, error)))
		return false;
	if (opt.watch && isatty(STDOUT_FILENO))
		printf(CLEAR_SCREEN);
	if (opt.quiet)
		print_names(all_listed);
	else if (opt.json)
		print_json(all_listed);
	else
		print_table(all_listed);
	return exm_output_finish(error);
}

static bool run(const char *const *words, GError **error)
{
	g_autofree char *directory = NULL;

	if (!exm_words_none(words, error) || !check_options(error) ||
	    !exm_state_directory(opt.state_directory, &directory, error) ||
	    !print_once(directory, error))
		return false;
	while (opt.watch) {
		g_usleep(WATCH_PAUSE_US);
		if (!print_once(directory, error))
			return false;
	}
	return true;
}

const ExmCommand exm_command_list = {
	.name = "list",
	.summary = "your guests, and what they are doing",
	.usage = "[OPTION]...",
	.options = options,
	.run = run,
};
