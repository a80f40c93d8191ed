/* SPDX-License-Identifier: GPL-2.0-or-later */
/* save.c - exomem save: freeze a guest into a template */

#include "op/save.h"

#include <stdio.h>

#include "base/error.h"
#include "base/size.h"
#include "command.h"
#include "options.h"
#include "output.h"

static struct {
	char *state_directory;
	char *templates;
	gboolean checksum;
	gboolean dry_run;
	gboolean json;
	gboolean quiet;
} opt;

static const GOptionEntry options[] = {
	EXM_OPTION_FLAG("checksum", &opt.checksum, "with a checksum of its memory, for verify --deep"),
	EXM_OPTION_FLAG("dry-run", &opt.dry_run, "print what would be done, and stop"),
	EXM_OPTION_FLAG("json", &opt.json, "print JSON"),
	EXM_OPTION_SHORT_FLAG("quiet", 'q', &opt.quiet, "print the template's path only"),
	EXM_OPTION_TEXT("templates", &opt.templates, "templates are there", "DIR"),
	EXM_OPTION_TEXT("state-dir", &opt.state_directory, "guests' state is there", "DIR"),
	EXM_OPTION_END,
};

static void print_saved(const ExmSavePlan *plan, const ExmSaved *saved)
{
	g_autofree char *devices = exm_size_human(saved->devices_size);
	g_autofree char *written = exm_size_human(saved->written);

	printf("%s\n", plan->template->directory);
	if (opt.quiet)
		return;
	printf("  memory   %s\n", saved->whole ? "written out" : "stays where it is");
	if (saved->whole)
		printf("  written  %s\n", written);
	printf("  devices  %s\n", devices);
	if (saved->running)
		printf("  pause    %.1f ms\n", (double)saved->pause_us / 1000);
}

static void print_saved_json(const ExmSavePlan *plan, const ExmSaved *saved)
{
	g_autoptr(ExmJson) json = json_object_new_object();

	exm_json_set_string(json, "template", plan->template->directory);
	exm_json_set_bool(json, "whole", saved->whole);
	exm_json_set_uint(json, "written", saved->written);
	exm_json_set_uint(json, "devices-size", saved->devices_size);
	if (saved->running)
		exm_json_set_uint(json, "pause-us", saved->pause_us);
	exm_output_json(json);
}

static void print_plan(const ExmSavePlan *plan)
{
	for (guint i = 0; i < plan->warnings->len; i++)
		exm_output_warning(plan->warnings->pdata[i]);
	if (opt.json) {
		g_autoptr(ExmJson) json = exm_save_plan_to_json(plan);

		exm_output_json(json);
	} else {
		g_autofree char *text = exm_save_plan_to_text(plan);

		printf("%s", text);
	}
}

static bool save(const ExmSavePlan *plan, const char *state_directory, GError **error)
{
	ExmSaved saved;

	if (!exm_op_save(plan, state_directory, exm_output_warning, exm_output_progress, &saved,
	                 error))
		return false;
	if (opt.json)
		print_saved_json(plan, &saved);
	else
		print_saved(plan, &saved);
	return true;
}

static bool run(const char *const *words, GError **error)
{
	g_autofree char *cache = exm_cache_directory();
	g_autofree char *state_directory = NULL;
	const ExmSources sources = { .cache_directory = cache };
	g_autoptr(ExmSaveRequest) request = g_new0(ExmSaveRequest, 1);
	g_autoptr(ExmSaveFacts) facts = NULL;
	g_autoptr(ExmSavePlan) plan = NULL;

	if (opt.json && opt.quiet)
		return exm_throw(error, EXM_ERROR_USAGE, "'--json' and '--quiet' exclude each other");
	if (!words[0])
		return exm_throw(error, EXM_ERROR_USAGE, "name a guest; 'exomem list' shows them");
	if (words[1] && words[2])
		return exm_throw(error, EXM_ERROR_USAGE, "'%s' is one word too many", words[2]);
	if (!exm_state_directory_for_change(opt.state_directory, opt.dry_run, &state_directory,
	                                    error) ||
	    !exm_template_directory(opt.templates, words[1] ? words[1] : words[0],
	                            &request->directory, error))
		return false;
	request->name = g_path_get_basename(request->directory);
	request->checksum = opt.checksum;
	facts = exm_save_facts_read(request, words[0], state_directory, &sources, error);
	plan = facts ? exm_save_plan(request, facts, error) : NULL;
	if (!plan)
		return false;
	if (!opt.dry_run)
		return save(plan, state_directory, error);
	print_plan(plan);
	return true;
}

const ExmCommand exm_command_save = {
	.name = "save",
	.summary = "freeze a guest into a template for clones",
	.usage = "[OPTION]... GUEST [TEMPLATE]",
	.options = options,
	.takes_guest = true,
	.run = run,
};
