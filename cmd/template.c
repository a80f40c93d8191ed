/* SPDX-License-Identifier: GPL-2.0-or-later */
/* template.c - exomem template: list, show, verify, remove */

#include "op/template.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/enumtab.h"
#include "base/error.h"
#include "base/quote.h"
#include "base/size.h"
#include "command.h"
#include "options.h"
#include "output.h"
#include "plan/reach.h"

static struct {
	char *state_directory;
	char *templates;
	char *qemu;
	gboolean deep;
	gboolean force;
	gboolean json;
	gboolean quiet;
} opt;

static const GOptionEntry options[] = {
	EXM_OPTION_FLAG("deep", &opt.deep, "verify: read the memory too"),
	EXM_OPTION_FLAG("force", &opt.force, "remove: end children that wait to be taken"),
	EXM_OPTION_FLAG("json", &opt.json, "list, show: print JSON"),
	EXM_OPTION_SHORT_FLAG("quiet", 'q', &opt.quiet, "list: print names only"),
	EXM_OPTION_TEXT("qemu", &opt.qemu, "verify: for this QEMU, not the one that saved it",
	                "BINARY"),
	EXM_OPTION_TEXT("templates", &opt.templates, "templates are there", "DIR"),
	EXM_OPTION_TEXT("state-dir", &opt.state_directory, "guests' state is there", "DIR"),
	EXM_OPTION_END,
};

static char *print_time(uint64_t seconds)
{
	g_autoptr(GDateTime) time = g_date_time_new_from_unix_local((gint64)seconds);

	return time ? g_date_time_format(time, "%F %T") : g_strdup("?");
}

/* What somebody else may have written. */
static void print_line(const char *name, const char *format, ...) G_GNUC_PRINTF(2, 3);

static void print_line(const char *name, const char *format, ...)
{
	g_autofree char *text = NULL;
	g_autofree char *line = NULL;
	va_list arguments;

	va_start(arguments, format);
	text = g_strdup_vprintf(format, arguments);
	va_end(arguments);
	line = exm_quote_printable(text);
	printf("%-10s  %s\n", name, line);
}

static void print_row(const ExmTemplate *template, int width)
{
	g_autofree char *memory = exm_size_human(template->ram_size);
	g_autofree char *time = print_time(template->created);
	g_autofree char *version = exm_quote_printable(template->qemu_version);
	g_autofree char *name = exm_quote_printable(template->name);

	printf("%-*s  %9s  %5u  %-8s  %s\n", width, name, memory, template->disks->len, version,
	       time);
}

static void print_table(const GPtrArray *templates)
{
	size_t width = strlen("NAME");

	for (guint i = 0; i < templates->len; i++)
		width = MAX(width, strlen(((const ExmTemplate *)templates->pdata[i])->name));
	printf("%-*s  %9s  %5s  %-8s  %s\n", (int)width, "NAME", "MEMORY", "DISKS", "QEMU", "SAVED");
	for (guint i = 0; i < templates->len; i++)
		print_row(templates->pdata[i], (int)width);
}

static ExmJson *to_json(const ExmTemplate *template)
{
	ExmJson *json = exm_template_to_json(template);

	exm_json_set_string(json, "directory", template->directory);
	exm_json_set_string(json, "sha256", template->sha256);
	return json;
}

static bool list(const char *word, GError **error)
{
	g_autofree char *root = exm_templates_directory(opt.templates);
	g_autoptr(GPtrArray) templates = NULL;
	g_autoptr(ExmJson) array = json_object_new_array();

	if (word)
		return exm_throw(error, EXM_ERROR_USAGE, "'%s' is one word too many", word);
	if (opt.json && opt.quiet)
		return exm_throw(error, EXM_ERROR_USAGE, "'--json' and '--quiet' exclude each other");
	templates = exm_op_template_list(root);
	for (guint i = 0; i < templates->len; i++) {
		const ExmTemplate *template = templates->pdata[i];
		g_autofree char *name = exm_quote_printable(template->name);

		if (opt.quiet)
			printf("%s\n", name);
		json_object_array_add(array, to_json(template));
	}
	if (opt.json)
		exm_output_json(array);
	else if (!opt.quiet)
		print_table(templates);
	return true;
}

static void print_memory(const ExmTemplate *template)
{
	for (guint i = 0; i < template->memory->len; i++) {
		const ExmTemplateMemory *memory = template->memory->pdata[i];
		g_autofree char *path = exm_template_path(template, memory->path);
		g_autofree char *size = exm_size_human(memory->size);
		g_autofree char *allocated = exm_size_human(memory->allocated);

		print_line("memory", "%s, %s, %s of it there%s", path, size, allocated,
		           memory->sha256 ? ", with checksum" : "");
	}
}

static void print_disks(const ExmTemplate *template)
{
	for (guint i = 0; i < template->disks->len; i++) {
		const ExmTemplateDisk *disk = template->disks->pdata[i];
		g_autofree char *path = exm_template_path(template, disk->path);
		g_autofree char *size = exm_size_human(disk->size);

		print_line("disk", "%s, %s, %s", path, disk->format, size);
	}
}

static void print_template(const ExmTemplate *template)
{
	g_autofree char *time = print_time(template->created);
	g_autofree char *devices = exm_size_human(template->devices_size);
	g_autofree char *lineage = g_strjoinv(" -> ", template->lineage);
	g_autofree char *command = exm_quote_argv((const char *const *)template->command);
	g_auto(GStrv) reach = exm_reach_find((const char *const *)template->command);

	print_line("name", "%s", template->name);
	print_line("directory", "%s", template->directory);
	print_line("saved", "%s", time);
	print_line("guest", "%s", template->parent);
	if (*lineage)
		print_line("from", "%s", lineage);
	print_line("qemu", "%s (%s), %s, %s", template->qemu, template->qemu_version,
	           template->machine, template->accelerator);
	if (template->cpu)
		print_line("cpu", "%s", template->cpu);
	print_memory(template);
	print_line("devices", "%s", devices);
	print_disks(template);
	print_line("identity", "%s%s", template->identity ? "yes" : "no",
	           template->vmgenid ? ", vmgenid" : "");
	print_line("in", "%s", template->working_directory);
	print_line("command", "%s", command);
	for (char **line = reach; *line; line++)
		print_line("host", "%s", *line);
	print_line("sha256", "%s", template->sha256);
}

static bool show(const char *directory, GError **error)
{
	g_autoptr(ExmTemplate) template = exm_op_template_read(directory, error);
	g_autoptr(ExmJson) json = NULL;

	if (!template)
		return false;
	if (opt.json) {
		json = to_json(template);
		exm_output_json(json);
		return true;
	}
	print_template(template);
	return true;
}

static void problem_free(gpointer problem)
{
	g_error_free(problem);
}

static bool verify(const char *directory, GError **error)
{
	g_autofree char *cache = exm_cache_directory();
	const ExmSources sources = { .qemu = opt.qemu, .cache_directory = cache };
	g_autoptr(GPtrArray) problems = g_ptr_array_new_with_free_func(problem_free);

	if (!exm_op_template_verify(directory, &sources, opt.deep, exm_output_progress, problems,
	                            error))
		return false;
	/* All of them are told; the exit status is the first one's. */
	for (guint i = 1; i < problems->len; i++)
		exm_output_error(problems->pdata[i]);
	if (problems->len > 0)
		g_propagate_error(error, g_error_copy(problems->pdata[0]));
	return problems->len == 0;
}

static bool remove_one(const char *directory, GError **error)
{
	g_autofree char *state_directory = NULL;

	return exm_state_directory_for_change(opt.state_directory, false, &state_directory, error) &&
	       exm_op_template_remove(directory, state_directory, opt.force, exm_output_warning,
	                              error);
}

static const struct {
	const char *name;
	bool (*run)(const char *directory, GError **error);
} actions[] = {
	{ "show", show },
	{ "verify", verify },
	{ "remove", remove_one },
};

static bool throw_action(const char *word, GError **error)
{
	static const char *const names[] = { "list", "show", "verify", "remove" };
	const char *nearest = word ? exm_nearest(word, names, G_N_ELEMENTS(names)) : NULL;

	if (!word)
		return exm_throw(error, EXM_ERROR_USAGE, "say 'list', 'show', 'verify' or 'remove'");
	if (nearest)
		return exm_throw(error, EXM_ERROR_USAGE,
		                 "'%s' is not a thing to do with templates (did you mean '%s'?)",
		                 word, nearest);
	return exm_throw(error, EXM_ERROR_USAGE,
	                 "'%s' is not a thing to do with templates: say 'list', 'show', 'verify' or "
	                 "'remove'",
	                 word);
}

static bool run(const char *const *words, GError **error)
{
	g_autofree char *directory = NULL;

	if (words[0] && strcmp(words[0], "list") == 0)
		return list(words[1], error);
	for (size_t i = 0; words[0] && i < G_N_ELEMENTS(actions); i++) {
		if (strcmp(words[0], actions[i].name) != 0)
			continue;
		if (!words[1])
			return exm_throw(error, EXM_ERROR_USAGE,
			                 "name a template; 'exomem template list' shows them");
		if (words[2])
			return exm_throw(error, EXM_ERROR_USAGE, "'%s' is one word too many",
			                 words[2]);
		return exm_template_directory(opt.templates, words[1], &directory, error) &&
		       actions[i].run(directory, error);
	}
	return throw_action(words[0], error);
}

const ExmCommand exm_command_template = {
	.name = "template",
	.summary = "list, show, verify or remove templates",
	.usage = "[OPTION]... list|show|verify|remove [TEMPLATE]",
	.options = options,
	.takes_template = true,
	.run = run,
};
