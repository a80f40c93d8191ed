/* SPDX-License-Identifier: GPL-2.0-or-later */
/* clone.c - exomem clone: start children of a template */

#include "op/clone.h"

#include <stdio.h>

#include "base/enumtab.h"
#include "base/error.h"
#include "command.h"
#include "options.h"
#include "output.h"
#include "trust.h"
#include "words.h"

static struct {
	char *count;
	char *warm;
	char *name;
	char *jobs;
	char *timeout;
	char *memory;
	char *qemu;
	char *disks;
	char *state_directory;
	char *templates;
	char *config;
	char *cow_budget;
	gboolean overcommit;
	gboolean detach;
	gboolean attach;
	gboolean any;
	gboolean paused;
	gboolean all_or_none;
	gboolean no_kernel;
	gboolean merge;
	gboolean identical;
	gboolean same_mac;
	gboolean sandbox;
	gboolean no_sandbox;
	char *run_as;
	char *trust;
	gboolean prefetch;
	gboolean dry_run;
	gboolean json;
} opt;

static const GOptionEntry options[] = {
	EXM_OPTION_SHORT_TEXT("count", 'n', &opt.count, "start so many children (default: 1)", "N"),
	EXM_OPTION_TEXT("name", &opt.name, "call the child so; several get a number behind it",
	                "NAME"),
	EXM_OPTION_TEXT("warm", &opt.warm, "leave so many waiting, for clones to take", "K"),
	EXM_OPTION_FLAG("detach", &opt.detach, "return when it runs; several always do"),
	EXM_OPTION_FLAG("paused", &opt.paused, "it does not run until 'cont' over QMP"),
	EXM_OPTION_TEXT("memory", &opt.memory,
	                "share memory pages, or blocks of the file (reflink)", "private|reflink"),
	EXM_OPTION_TEXT("disks", &opt.disks, "make overlays there (default: in the template)", "DIR"),
	EXM_OPTION_TEXT("jobs", &opt.jobs, "start so many at a time (default: one a processor)", "N"),
	EXM_OPTION_TEXT("timeout", &opt.timeout, "give up after so long", "SECONDS"),
	EXM_OPTION_FLAG("all-or-none", &opt.all_or_none, "if one fails, take the others down"),
	EXM_OPTION_FLAG("attach", &opt.attach, "stay until all have ended, and end as the worst"),
	EXM_OPTION_FLAG("any", &opt.any, "with --attach: until the first has ended"),
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
	EXM_OPTION_TEXT("run-as", &opt.run_as,
	                "run them as this user, not as the parent's; for root", "USER"),
	EXM_OPTION_TEXT("trust", &opt.trust, "use another user's template, with this manifest",
	                "SHA256"),
	EXM_OPTION_TEXT("qemu", &opt.qemu, "run this QEMU, not the one that saved it", "BINARY"),
	EXM_OPTION_FLAG("prefetch", &opt.prefetch, "read what was recorded of the template before it"),
	EXM_OPTION_FLAG("dry-run", &opt.dry_run, "print what would be done for the first, and stop"),
	EXM_OPTION_FLAG("json", &opt.json, "with --dry-run: as JSON"),
	EXM_OPTION_TEXT("templates", &opt.templates, "templates are there", "DIR"),
	EXM_OPTION_TEXT("state-dir", &opt.state_directory, "keep guests' state there", "DIR"),
	EXM_OPTION_END,
};

static const char *const memory_names[] = { "private", "reflink" };
static const ExmEnumTable memories = { "kind of memory", memory_names, G_N_ELEMENTS(memory_names) };

static bool check_options(GError **error)
{
	const struct {
		gboolean one;
		gboolean other;
		const char *text;
	} exclusive[] = {
		{ opt.json, !opt.dry_run, "'--json' goes with '--dry-run'" },
		{ opt.any, !opt.attach, "'--any' goes with '--attach'" },
		{ opt.attach, opt.detach, "'--attach' and '--detach' exclude each other" },
		{ opt.prefetch, g_strcmp0(opt.memory, "reflink") == 0,
		  "'--prefetch' is for children that share memory pages: not with '--memory reflink'" },
		{ opt.sandbox, opt.no_sandbox, "'--sandbox' and '--no-sandbox' exclude each other" },
		{ opt.warm != NULL, opt.name != NULL, "'--warm' and '--name' exclude each other" },
		{ opt.warm != NULL, opt.disks != NULL, "'--warm' and '--disks' exclude each other" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(exclusive); i++)
		if (exclusive[i].one && exclusive[i].other)
			return exm_throw(error, EXM_ERROR_USAGE, "%s", exclusive[i].text);
	return true;
}

static bool read_request(ExmCloneRequest *request, GError **error)
{
	/* One who only lets children wait starts none. */
	const bool fill_only = opt.warm && !opt.detach && !opt.attach && !opt.dry_run;
	uint64_t count = fill_only ? 0 : 1;
	int memory = 0;

	if (!exm_words_count("-n", opt.count, EXM_CLONE_MAX, &count, error) ||
	    (opt.memory && !exm_enum_parse(&memories, opt.memory, &memory, error)))
		return false;
	request->count = (uint32_t)count;
	request->name = opt.name;
	request->detach = opt.detach || opt.attach || opt.warm || count > 1;
	request->paused = opt.paused;
	request->reflink = memory == 1;
	request->no_kernel = opt.no_kernel;
	request->merge = opt.merge;
	request->identical = opt.identical;
	request->same_mac = opt.same_mac;
	request->sandbox = opt.sandbox;
	request->no_sandbox = opt.no_sandbox;
	request->run_as = opt.run_as;
	request->overcommit = opt.overcommit;
	return exm_words_size("--cow-budget", opt.cow_budget, &request->cow_budget, error);
}

static bool read_order(const ExmCloneRequest *request, ExmCloneOrder *order, GError **error)
{
	uint64_t jobs = g_get_num_processors();
	uint64_t warm = 0;

	order->timeout_ms = -1;
	if (!exm_words_count("--jobs", opt.jobs, EXM_CLONE_MAX, &jobs, error) ||
	    !exm_words_count("--warm", opt.warm, EXM_CLONE_MAX, &warm, error) ||
	    !exm_words_seconds("--timeout", opt.timeout, &order->timeout_ms, error))
		return false;
	order->jobs = (unsigned int)jobs;
	order->disk_directory = opt.disks;
	order->all_or_none = opt.all_or_none;
	order->warm = (unsigned int)warm;
	/* Those that wait have names and overlays already, and another parent. */
	order->take_waiting = request->detach && !opt.name && !opt.disks && !opt.attach && !opt.qemu;
	order->prefetch = opt.prefetch;
	order->attach = opt.attach;
	order->any = opt.any;
	return true;
}

static void print_plan(const ExmPlan *plan)
{
	for (guint i = 0; i < plan->warnings->len; i++)
		exm_output_warning(plan->warnings->pdata[i]);
	if (opt.json) {
		g_autoptr(ExmJson) json = exm_plan_to_json(plan);

		exm_output_json(json);
	} else {
		g_autofree char *text = exm_plan_to_text(plan);

		printf("%s", text);
	}
}

/* As each runs: who waits for the first need not wait for the last. */
static void print_name(const char *name)
{
	printf("%s\n", name);
	fflush(stdout);
}

static bool run(const char *const *words, GError **error)
{
	g_autofree char *cache = exm_cache_directory();
	g_autofree char *directory = NULL;
	g_autofree char *state_directory = NULL;
	const ExmSources sources = { .qemu = opt.qemu, .cache_directory = cache };
	ExmCloneRequest request = { 0 };
	ExmCloneOrder order = { 0 };
	g_autoptr(ExmConfig) config = NULL;
	g_autoptr(ExmMemoryConfig) store = NULL;

	if (!exm_trust_check(opt.trust, error))
		return false;
	if (!words[0])
		return exm_throw(error, EXM_ERROR_USAGE,
		                 "name a template; 'exomem template list' shows them");
	if (words[1])
		return exm_throw(error, EXM_ERROR_USAGE, "'%s' is one word too many", words[1]);
	if (!check_options(error) || !read_request(&request, error) ||
	    !read_order(&request, &order, error) ||
	    !exm_state_directory_for_change(opt.state_directory, opt.dry_run, &state_directory,
	                                    error) ||
	    !exm_template_directory(opt.templates, words[0], &directory, error))
		return false;
	exm_trust_ask(directory, &opt.trust);
	order.trust = opt.trust;
	config = exm_config_load(opt.config, NULL, error);
	if (!config || !exm_store_load(config, &store, error))
		return false;
	request.store = store;
	request.state_directory = state_directory;
	order.directory = directory;
	if (!opt.dry_run)
		return exm_op_clone(&request, &order, &sources, exm_output_warning, print_name,
		                    error);
	return exm_op_plan_clone(&request, &order, &sources, print_plan, exm_output_warning, error);
}

const ExmCommand exm_command_clone = {
	.name = "clone",
	.summary = "start children of a template, sharing its memory",
	.usage = "[OPTION]... TEMPLATE",
	.options = options,
	.takes_template = true,
	.run = run,
};
