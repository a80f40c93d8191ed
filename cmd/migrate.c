/* SPDX-License-Identifier: GPL-2.0-or-later */
/* migrate.c - exomem migrate: hand a guest over to another host, its memory left where it is */

#include "op/migrate.h"

#include <stdio.h>

#include "base/error.h"
#include "base/quote.h"
#include "base/size.h"
#include "command.h"
#include "options.h"
#include "output.h"
#include "words.h"

/* A QEMU may have to be started there, and memory be read over a slow network. */
#define TIMEOUT_MS 120000

/* Nobody is there to type a password: better to be refused at once. */
#define DEFAULT_RSH "ssh -o BatchMode=yes"

static struct {
	char *to;
	char *rsh;
	char *remote;
	char *remote_state;
	char *remote_config;
	char *qemu;
	char **path_maps;
	char *state_directory;
	char *timeout;
	gboolean no_rehearsal;
	gboolean overcommit;
	gboolean prefetch;
	gboolean private;
	gboolean trust_mount;
	gboolean dry_run;
	gboolean json;
	gboolean quiet;
} opt;

static const GOptionEntry options[] = {
	EXM_OPTION_TEXT("to", &opt.to, "leave the state there, for 'exomem receive'", "DIR"),
	EXM_OPTION_TEXT("rsh", &opt.rsh, "reach the host by it (default: " DEFAULT_RSH ")", "COMMAND"),
	EXM_OPTION_TEXT("remote", &opt.remote, "exomem is called so there (default: exomem)",
	                "COMMAND"),
	EXM_OPTION_TEXT("remote-state-dir", &opt.remote_state,
	                "guests' state is there on that host", "DIR"),
	EXM_OPTION_TEXT("remote-config", &opt.remote_config, "read this configuration on that host",
	                "FILE"),
	EXM_OPTION_FLAG("overcommit", &opt.overcommit, "move it even where it does not fit there"),
	EXM_OPTION_LIST("path-map", &opt.path_maps, "what is called so here is called so there",
	                "HERE=THERE"),
	EXM_OPTION_TEXT("qemu", &opt.qemu, "run it in this QEMU there", "PATH"),
	EXM_OPTION_TEXT("timeout", &opt.timeout, "it may take so long to answer (default: 120)",
	                "SECONDS"),
	EXM_OPTION_FLAG("no-rehearsal", &opt.no_rehearsal, "do not try it there before"),
	EXM_OPTION_FLAG("prefetch", &opt.prefetch, "have the pages that it uses read there first"),
	EXM_OPTION_FLAG("private", &opt.private,
	                "its files stay as they are, and what it writes is its own"),
	EXM_OPTION_FLAG("trust-mount", &opt.trust_mount,
	                "warn of a file system that would be refused"),
	EXM_OPTION_FLAG("dry-run", &opt.dry_run, "print what would be done, and stop"),
	EXM_OPTION_FLAG("json", &opt.json, "print JSON"),
	EXM_OPTION_SHORT_FLAG("quiet", 'q', &opt.quiet, "print nothing"),
	EXM_OPTION_TEXT("state-dir", &opt.state_directory, "guests' state is there", "DIR"),
	EXM_OPTION_END,
};

static ExmJson *steps;

static void tell_step(const char *name, uint64_t time_us)
{
	ExmJson *item;

	if (opt.json) {
		item = json_object_new_object();
		exm_json_set_string(item, "step", name);
		exm_json_set_uint(item, "time-us", time_us);
		json_object_array_add(steps, item);
	} else if (!opt.quiet) {
		printf("  %-14s %9.1f ms\n", name, (double)time_us / 1000);
	}
}

static bool append_words(GPtrArray *argv, const char *text, const char *option, GError **error)
{
	g_autoptr(GError) reason = NULL;
	g_auto(GStrv) words = NULL;

	if (!g_shell_parse_argv(text, NULL, &words, &reason))
		return exm_throw(error, EXM_ERROR_USAGE, "%s: '%s': %s", option, text,
		                 reason->message);
	for (char **word = words; *word; word++)
		g_ptr_array_add(argv, g_strdup(*word));
	return true;
}

/* What goes to the other host is read by a shell there. */
static void append_remote(GPtrArray *argv, const char *option, const char *value)
{
	if (!value)
		return;
	g_ptr_array_add(argv, g_strdup(option));
	g_ptr_array_add(argv, exm_quote_word(value));
}

static GPtrArray *peer_command(const char *host, GError **error)
{
	g_autoptr(GPtrArray) argv = g_ptr_array_new_with_free_func(g_free);

	if (!append_words(argv, opt.rsh ? opt.rsh : DEFAULT_RSH, "--rsh", error))
		return NULL;
	g_ptr_array_add(argv, g_strdup(host));
	if (!append_words(argv, opt.remote ? opt.remote : "exomem", "--remote", error))
		return NULL;
	g_ptr_array_add(argv, g_strdup("receive"));
	append_remote(argv, "--state-dir", opt.remote_state);
	append_remote(argv, "--config", opt.remote_config);
	append_remote(argv, "--qemu", opt.qemu);
	for (char **map = opt.path_maps; map && *map; map++)
		append_remote(argv, "--path-map", *map);
	if (opt.overcommit)
		g_ptr_array_add(argv, g_strdup("--overcommit"));
	if (opt.private)
		g_ptr_array_add(argv, g_strdup("--private"));
	if (opt.trust_mount)
		g_ptr_array_add(argv, g_strdup("--trust-mount"));
	g_ptr_array_add(argv, g_strdup("-"));
	g_ptr_array_add(argv, NULL);
	return g_steal_pointer(&argv);
}

static void print_moved(const ExmSavePlan *plan, const ExmMoved *moved)
{
	g_autofree char *devices = exm_size_human(moved->devices_size);

	printf("  devices        %s\n", devices);
	if (moved->rehearsal_us)
		printf("  rehearsal      %9.1f ms\n", (double)moved->rehearsal_us / 1000);
	if (plan->running)
		printf("  pause          %9.1f ms\n", (double)moved->pause_us / 1000);
	if (opt.to)
		printf("'exomem receive %s' resumes it\n", plan->template->directory);
}

static void print_moved_json(const ExmSavePlan *plan, const ExmMoved *moved)
{
	g_autoptr(ExmJson) json = json_object_new_object();

	exm_json_set_string(json, "name", plan->vm->name);
	exm_json_set_string(json, "state", plan->template->directory);
	exm_json_set_uint(json, "devices-size", moved->devices_size);
	exm_json_set_uint(json, "round-trip-us", moved->round_trip_us);
	exm_json_set_uint(json, "rehearsal-us", moved->rehearsal_us);
	if (plan->running)
		exm_json_set_uint(json, "pause-us", moved->pause_us);
	json_object_object_add(json, "steps", json_object_get(steps));
	exm_output_json(json);
}

static void print_plan(const ExmSavePlan *plan)
{
	g_autoptr(ExmJson) json = exm_save_plan_to_json(plan);
	g_autofree char *text = exm_save_plan_to_text(plan);

	if (opt.json)
		exm_output_json(json);
	else
		printf("%s", text);
}

static bool migrate(const ExmSavePlan *plan, const char *state_directory, const char *host,
                    int timeout_ms, GError **error)
{
	g_autoptr(GPtrArray) peer = host ? peer_command(host, error) : NULL;
	const ExmMigrateOrder order = {
		.peer = peer ? (char *const *)peer->pdata : NULL,
		.timeout_ms = timeout_ms,
		.version = VERSION,
		.keep = opt.private,
		.trust_mount = opt.trust_mount,
		.warn = exm_output_warning,
		.stepped = tell_step,
		.progress = exm_output_progress,
	};
	ExmMoved moved;
	bool done;

	if (host && !peer)
		return false;
	steps = json_object_new_array();
	if (!opt.json && !opt.quiet)
		printf("%s\n", plan->vm->name);
	done = exm_op_migrate(plan, state_directory, &order, &moved, error);
	if (done && opt.json)
		print_moved_json(plan, &moved);
	else if (done && !opt.quiet)
		print_moved(plan, &moved);
	exm_json_put(steps);
	return done;
}

static bool check_words(const char *const *words, GError **error)
{
	if (opt.json && opt.quiet)
		return exm_throw(error, EXM_ERROR_USAGE, "'--json' and '--quiet' exclude each other");
	if (!words[0])
		return exm_throw(error, EXM_ERROR_USAGE, "name a guest; 'exomem list' shows them");
	if (words[1] && opt.to)
		return exm_throw(error, EXM_ERROR_USAGE, "'%s' and '--to' exclude each other",
		                 words[1]);
	if (!words[1] && !opt.to)
		return exm_throw(error, EXM_ERROR_USAGE,
		                 "name a host behind '%s', or a directory by '--to'", words[0]);
	return !words[1] || !words[2] ||
	       exm_throw(error, EXM_ERROR_USAGE, "'%s' is one word too many", words[2]);
}

static bool run(const char *const *words, GError **error)
{
	g_autofree char *cache = exm_cache_directory();
	g_autofree char *state_directory = NULL;
	int timeout_ms = TIMEOUT_MS;
	const ExmSources sources = { .cache_directory = cache };
	g_autoptr(ExmMigrateRequest) request = g_new0(ExmMigrateRequest, 1);
	g_autoptr(ExmSaveFacts) facts = NULL;
	g_autoptr(ExmSavePlan) plan = NULL;

	if (!check_words(words, error) ||
	    !exm_words_seconds("--timeout", opt.timeout, &timeout_ms, error) ||
	    !exm_state_directory_for_change(opt.state_directory, opt.dry_run, &state_directory, error))
		return false;
	request->destination = g_strdup(words[1]);
	request->rehearse = !opt.no_rehearsal;
	request->prefetch = opt.prefetch;
	request->freeze.moves = true;
	request->freeze.directory = opt.to ? g_canonicalize_filename(opt.to, NULL) : NULL;
	facts = exm_migrate_facts_read(request, words[0], state_directory, &sources, error);
	plan = facts ? exm_migrate_plan(request, facts, error) : NULL;
	if (!plan)
		return false;
	if (!opt.dry_run)
		return migrate(plan, state_directory, words[1], timeout_ms, error);
	print_plan(plan);
	return true;
}

const ExmCommand exm_command_migrate = {
	.name = "migrate",
	.summary = "hand a guest over to another host, its memory left where it is",
	.usage = "[OPTION]... GUEST HOST|--to DIR",
	.options = options,
	.takes_guest = true,
	.run = run,
};
