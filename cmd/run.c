/* SPDX-License-Identifier: GPL-2.0-or-later */
/* run.c - exomem run: boot a guest on chosen memory */

#include "op/run.h"

#include <stdio.h>

#include "base/error.h"
#include "base/quote.h"
#include "command.h"
#include "options.h"
#include "output.h"

static struct {
	char *qemu;
	char *name;
	char *state_directory;
	char *state_format;
	gboolean detach;
	gboolean dry_run;
	gboolean json;
	gboolean shell;
	gboolean no_identity;
	gboolean sandbox;
	char *run_as;
	char **pmem;
	char *config;
	char *claims;
	char *backing;
	gboolean overcommit;
	gboolean trust_mount;
	char **facts;
} opt;

static const GOptionEntry options[] = {
	EXM_OPTION_TEXT("qemu", &opt.qemu, "run this QEMU", "BINARY"),
	EXM_OPTION_TEXT("name", &opt.name, "call the guest so", "NAME"),
	EXM_OPTION_FLAG("detach", &opt.detach, "return when the guest runs; print its name"),
	EXM_OPTION_FLAG("dry-run", &opt.dry_run, "print what would be done, and stop"),
	EXM_OPTION_FLAG("json", &opt.json, "with --dry-run: as JSON"),
	EXM_OPTION_FLAG("shell", &opt.shell, "with --dry-run: as one shell command"),
	EXM_OPTION_FLAG("no-identity", &opt.no_identity, "add no vmgenid and no identity"),
	EXM_OPTION_FLAG("sandbox", &opt.sandbox,
	                "restrict QEMU to its files, and let it start nothing"),
	EXM_OPTION_TEXT("run-as", &opt.run_as, "run the guest as this user; for root", "USER"),
	EXM_OPTION_TEXT("state-dir", &opt.state_directory, "keep guests' state there", "DIR"),
	EXM_OPTION_TEXT("state-format", &opt.state_format,
	                "how -incoming's state was saved: auto, qemu or xen", "HOW"),
	EXM_OPTION_LIST("pmem", &opt.pmem, "give it persistent memory; again for more", "SPEC"),
	EXM_OPTION_TEXT("memory-backing", &opt.backing,
	                "its memory is in a file, as configured, or is not", "on|off"),
	EXM_OPTION_FLAG("overcommit", &opt.overcommit, "start it even where it does not fit"),
	EXM_OPTION_FLAG("trust-mount", &opt.trust_mount,
	                "warn of a file system that would be refused"),
	EXM_OPTION_TEXT("config", &opt.config, "read this configuration", "FILE"),
	EXM_OPTION_TEXT("claims", &opt.claims, "--pmem: who has what is remembered there", "DIR"),
	EXM_OPTION_HIDDEN_LIST("facts", &opt.facts),
	EXM_OPTION_END,
};

static bool check_options(GError **error)
{
	if ((opt.json || opt.shell) && !opt.dry_run)
		return exm_throw(error, EXM_ERROR_USAGE, "'%s' goes with '--dry-run'",
		                 opt.json ? "--json" : "--shell");
	if (opt.json && opt.shell)
		return exm_throw(error, EXM_ERROR_USAGE, "'--json' and '--shell' exclude each other");
	if (opt.facts && !opt.dry_run)
		return exm_throw(error, EXM_ERROR_USAGE, "'--facts' goes with '--dry-run'");
	return true;
}

static bool read_state_format(ExmStateFormat *ret_format, GError **error)
{
	int format = EXM_STATE_AUTO;

	if (opt.state_format && !exm_enum_parse(&exm_state_formats, opt.state_format, &format, error))
		return false;
	*ret_format = (ExmStateFormat)format;
	return true;
}

static bool read_pmem(ExmRunRequest *request, GError **error)
{
	for (char **text = opt.pmem; text && *text; text++)
		if (!exm_run_request_add_pmem(request, *text, error))
			return false;
	return true;
}

static ExmRunRequest *read_request(const char *const *words, GError **error)
{
	g_autoptr(ExmRunRequest) request = exm_run_request_new(words, error);

	if (!request ||
	    !exm_state_directory_for_change(opt.state_directory, opt.dry_run,
	                                    &request->state_directory, error) ||
	    !read_state_format(&request->state_format, error))
		return NULL;
	request->name = g_strdup(opt.name);
	request->claims_directory = exm_claims_directory(opt.claims);
	if (!read_pmem(request, error))
		return NULL;

	request->identity = !opt.no_identity;
	request->sandbox = opt.sandbox;
	request->run_as = g_strdup(opt.run_as);
	request->detach = opt.detach || request->guest->daemonize;
	if (request->detach && opt.shell) {
		exm_throw(error, EXM_ERROR_USAGE, "'--shell' prints a guest in the foreground only");
		return NULL;
	}
	return g_steal_pointer(&request);
}

static bool read_backing(ExmSwitch *ret_backing, GError **error)
{
	static const char *const names[] = { "off", "on" };
	static const ExmEnumTable table = { "choice", names, G_N_ELEMENTS(names) };
	int answer;

	*ret_backing = EXM_SWITCH_UNSET;
	if (!opt.backing)
		return true;
	if (!exm_enum_parse(&table, opt.backing, &answer, error)) {
		g_prefix_error(error, "--memory-backing: ");
		return false;
	}
	*ret_backing = answer ? EXM_SWITCH_ON : EXM_SWITCH_OFF;
	return true;
}

static void print_plan(const ExmPlan *plan)
{
	g_autofree char *text = NULL;

	if (opt.json) {
		g_autoptr(ExmJson) json = exm_plan_to_json(plan);

		exm_output_json(json);
		return;
	}
	text = opt.shell ? exm_plan_to_shell(plan) : exm_plan_to_text(plan);
	printf("%s%s", text, opt.shell ? "\n" : "");
}

static void warn_of_shell(const ExmPlan *plan)
{
	g_autofree char *loss = exm_plan_shell_loss(plan);

	if (loss)
		exm_output_warning(loss);
}

static bool start(const ExmRunRequest *request, const ExmSources *sources, GError **error)
{
	g_autofree char *name = NULL;

	if (!exm_op_run(request, sources, exm_output_warning, &name, error))
		return false;
	printf("%s\n", name);
	return true;
}

static bool run(const char *const *words, GError **error)
{
	g_autofree char *cache = exm_cache_directory();
	g_autoptr(ExmConfig) config = NULL;
	g_autoptr(ExmMemoryConfig) store = NULL;
	ExmSources sources = {
		.qemu = opt.qemu ? opt.qemu : exm_default_qemu(),
		.cache_directory = cache,
		.recorded = (const char *const *)opt.facts,
	};
	g_autoptr(ExmRunRequest) request = NULL;
	g_autoptr(ExmPlan) plan = NULL;

	if (!check_options(error))
		return false;
	request = read_request(words, error);
	if (!request)
		return false;
	config = exm_config_load(opt.config, sources.recorded, error);
	if (!config || !exm_store_load(config, &store, error))
		return false;
	if (!opt.facts)
		sources.pool = exm_config_get(config, "pmem", "pmem_namespaces");
	request->store = store;
	request->overcommit = opt.overcommit;
	request->trust_mount = opt.trust_mount;
	if (!read_backing(&request->backing, error) || !exm_run_request_use_store(request, error))
		return false;
	if (!opt.dry_run)
		return start(request, &sources, error);
	plan = exm_op_plan_run(request, &sources, error);
	if (!plan)
		return false;
	for (guint i = 0; i < plan->warnings->len; i++)
		exm_output_warning(plan->warnings->pdata[i]);
	if (opt.shell)
		warn_of_shell(plan);
	print_plan(plan);
	return true;
}

const ExmCommand exm_command_run = {
	.name = "run",
	.summary = "boot a guest on memory you choose",
	.usage = "[OPTION]... QEMU-OPTION...",
	.options = options,
	.takes_line = true,
	.run = run,
};
