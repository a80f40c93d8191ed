/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fork.c - exomem fork: start children of a running guest, which goes on */

#include "op/fork.h"

#include <stdio.h>

#include "base/error.h"
#include "base/size.h"
#include "command.h"
#include "options.h"
#include "output.h"
#include "words.h"

static struct {
	char *count;
	char *name;
	char *jobs;
	char *timeout;
	char *disks;
	char *state_directory;
	char *templates;
	char *config;
	char *cow_budget;
	gboolean overcommit;
	gboolean keep;
	gboolean paused;
	gboolean no_kernel;
	gboolean merge;
	gboolean identical;
	gboolean same_mac;
	gboolean sandbox;
	gboolean no_sandbox;
	gboolean dry_run;
	gboolean json;
	gboolean quiet;
} opt;

static const GOptionEntry options[] = {
	EXM_OPTION_SHORT_TEXT("count", 'n', &opt.count, "start so many children (default: 1)", "N"),
	EXM_OPTION_TEXT("name", &opt.name, "call the child so; several get a number behind it",
	                "NAME"),
	EXM_OPTION_FLAG("keep", &opt.keep, "leave a template for later clones"),
	EXM_OPTION_FLAG("paused", &opt.paused, "the children do not run until 'cont' over QMP"),
	EXM_OPTION_TEXT("disks", &opt.disks, "make children's overlays there", "DIR"),
	EXM_OPTION_TEXT("jobs", &opt.jobs, "start so many at a time (default: one a processor)", "N"),
	EXM_OPTION_TEXT("timeout", &opt.timeout, "give up after so long", "SECONDS"),
	EXM_OPTION_FLAG("no-kernel", &opt.no_kernel,
	                "less memory: without the -kernel that a reboot needs"),
	EXM_OPTION_FLAG("merge", &opt.merge, "let the kernel merge equal pages of all of QEMU (KSM)"),
	EXM_OPTION_TEXT("cow-budget", &opt.cow_budget,
	                "hold each child to so much memory (by a control group)", "SIZE"),
	EXM_OPTION_FLAG("overcommit", &opt.overcommit, "start them even where they do not fit"),
	EXM_OPTION_TEXT("config", &opt.config, "read this configuration", "FILE"),
	EXM_OPTION_FLAG("identical", &opt.identical, "children need not know that they are several"),
	EXM_OPTION_FLAG("same-mac", &opt.same_mac, "their network addresses may be the same"),
	EXM_OPTION_FLAG("sandbox", &opt.sandbox,
	                "restrict QEMU to its files, and let it start nothing"),
	EXM_OPTION_FLAG("no-sandbox", &opt.no_sandbox,
	                "do not restrict QEMU, though the parent had '--sandbox'"),
	EXM_OPTION_FLAG("dry-run", &opt.dry_run, "print what would be done, and stop"),
	EXM_OPTION_FLAG("json", &opt.json, "print JSON"),
	EXM_OPTION_SHORT_FLAG("quiet", 'q', &opt.quiet, "print the children's names only"),
	EXM_OPTION_TEXT("templates", &opt.templates, "templates are there", "DIR"),
	EXM_OPTION_TEXT("state-dir", &opt.state_directory, "guests' state is there", "DIR"),
	EXM_OPTION_END,
};

/* A template that is not kept has a hidden place, which no other fork can have. */
static bool choose_template(const char *const *words, ExmSaveRequest *request, GError **error)
{
	g_autofree char *hidden = g_strdup_printf(".%s.fork-%08x", words[0], g_random_int());
	g_autofree char *parent = NULL;
	g_autofree char *directory = NULL;

	if (!exm_template_directory(opt.templates, words[1] ? words[1] : words[0], &directory, error))
		return false;
	if (opt.keep) {
		request->name = g_path_get_basename(directory);
		request->directory = g_steal_pointer(&directory);
		return true;
	}
	parent = g_path_get_dirname(directory);
	request->name = g_strdup(words[0]);
	request->directory = g_build_filename(parent, hidden, NULL);
	return true;
}

static bool read_request(const char *const *words, ExmForkRequest *request, ExmCloneOrder *order,
                         GError **error)
{
	uint64_t count = 1;
	uint64_t jobs = g_get_num_processors();

	order->timeout_ms = -1;
	if (!exm_words_count("-n", opt.count, EXM_CLONE_MAX, &count, error) ||
	    !exm_words_count("--jobs", opt.jobs, EXM_CLONE_MAX, &jobs, error) ||
	    !exm_words_seconds("--timeout", opt.timeout, &order->timeout_ms, error) ||
	    !choose_template(words, &request->freeze, error))
		return false;
	order->jobs = (unsigned int)jobs;
	order->disk_directory = opt.disks;
	request->keep = opt.keep;
	request->clone.count = (uint32_t)count;
	request->clone.name = opt.name;
	request->clone.paused = opt.paused;
	request->clone.no_kernel = opt.no_kernel;
	request->clone.merge = opt.merge;
	request->clone.identical = opt.identical;
	request->clone.same_mac = opt.same_mac;
	request->clone.sandbox = opt.sandbox;
	request->clone.no_sandbox = opt.no_sandbox;
	request->clone.overcommit = opt.overcommit;
	return exm_words_size("--cow-budget", opt.cow_budget, &request->clone.cow_budget, error);
}

static void print_plan(const ExmForkPrepared *prepared)
{
	const ExmPlan *child = prepared->children->pdata[0];

	for (guint i = 0; i < child->warnings->len; i++)
		exm_output_warning(child->warnings->pdata[i]);
	if (opt.json) {
		g_autoptr(ExmJson) json = exm_fork_plan_to_json(prepared->plan);

		json_object_object_add(json, "child", exm_plan_to_json(child));
		exm_output_json(json);
	} else {
		g_autofree char *text = exm_fork_plan_to_text(prepared->plan);
		g_autofree char *first = exm_plan_to_text(child);

		printf("%s\n# --- the first child\n%s", text, first);
	}
}

static ExmJson *names;

/* As each runs: who waits for the first need not wait for the last. */
static void take_name(const char *name)
{
	if (opt.json) {
		json_object_array_add(names, json_object_new_string(name));
		return;
	}
	printf("%s\n", name);
	fflush(stdout);
}

static void print_forked(const ExmForkPlan *plan, const ExmForked *forked)
{
	g_autofree char *written = exm_size_human(forked->written);

	if (opt.quiet)
		return;
	if (plan->keep)
		printf("  template  %s\n", plan->freeze->template->directory);
	for (guint i = 0; plan->overlays->pdata[i]; i++)
		printf("  disk      %s\n", (const char *)plan->overlays->pdata[i]);
	if (forked->written > 0)
		printf("  written   %s\n", written);
	if (forked->child_us > 0)
		printf("  child     %.1f ms\n", (double)forked->child_us / 1000);
	printf("  pause     %.1f ms\n", (double)forked->pause_us / 1000);
}

static void print_forked_json(const ExmForkPlan *plan, const ExmForked *forked)
{
	g_autoptr(ExmJson) json = json_object_new_object();
	ExmJson *disks = json_object_new_array();

	json_object_object_add(json, "children", json_object_get(names));
	if (plan->keep)
		exm_json_set_string(json, "template", plan->freeze->template->directory);
	for (guint i = 0; plan->overlays->pdata[i]; i++)
		json_object_array_add(disks, json_object_new_string(plan->overlays->pdata[i]));
	json_object_object_add(json, "disks", disks);
	exm_json_set_uint(json, "devices-size", forked->devices_size);
	exm_json_set_uint(json, "written", forked->written);
	if (forked->child_us > 0)
		exm_json_set_uint(json, "child-us", forked->child_us);
	exm_json_set_uint(json, "pause-us", forked->pause_us);
	exm_output_json(json);
}

static bool fork_guest(const ExmForkPrepared *prepared, const char *state_directory,
                       const ExmCloneOrder *order, GError **error)
{
	const ExmForkAudience audience = { take_name, exm_output_progress };
	g_autoptr(ExmJson) list = json_object_new_array();
	ExmForked forked = { 0 };
	bool done;

	names = list;
	done = exm_op_fork(prepared, state_directory, order, &audience, &forked, error);
	/* Where some children run, it is told what that has cost. */
	if (done || forked.children > 0)
		(opt.json ? print_forked_json : print_forked)(prepared->plan, &forked);
	return done;
}

static bool run(const char *const *words, GError **error)
{
	g_autofree char *cache = exm_cache_directory();
	g_autofree char *state_directory = NULL;
	const ExmSources sources = { .cache_directory = cache };
	ExmForkRequest request = { 0 };
	ExmCloneOrder order = { 0 };
	g_autoptr(ExmConfig) config = NULL;
	g_autoptr(ExmMemoryConfig) store = NULL;
	g_autoptr(ExmForkPrepared) prepared = NULL;

	if (opt.json && opt.quiet)
		return exm_throw(error, EXM_ERROR_USAGE, "'--json' and '--quiet' exclude each other");
	if (opt.sandbox && opt.no_sandbox)
		return exm_throw(error, EXM_ERROR_USAGE,
		                 "'--sandbox' and '--no-sandbox' exclude each other");
	if (!words[0])
		return exm_throw(error, EXM_ERROR_USAGE, "name a guest; 'exomem list' shows them");
	if (words[1] && !opt.keep)
		return exm_throw(error, EXM_ERROR_USAGE,
		                 "'%s' would be the name of a template: say '--keep' to leave one",
		                 words[1]);
	if (words[1] && words[2])
		return exm_throw(error, EXM_ERROR_USAGE, "'%s' is one word too many", words[2]);
	if (!exm_state_directory_for_change(opt.state_directory, opt.dry_run, &state_directory,
	                                    error) ||
	    !read_request(words, &request, &order, error))
		return false;
	config = exm_config_load(opt.config, NULL, error);
	if (!config || !exm_store_load(config, &store, error))
		return false;
	request.clone.store = store;
	request.clone.state_directory = state_directory;
	prepared = exm_op_fork_prepare(&request, words[0], &order, &sources, error);
	g_free(request.freeze.name);
	g_free(request.freeze.directory);
	if (!prepared)
		return false;
	if (!opt.dry_run)
		return fork_guest(prepared, state_directory, &order, error);
	print_plan(prepared);
	return true;
}

const ExmCommand exm_command_fork = {
	.name = "fork",
	.summary = "start children of a running guest, which goes on",
	.usage = "[OPTION]... GUEST [TEMPLATE]",
	.options = options,
	.takes_guest = true,
	.run = run,
};
