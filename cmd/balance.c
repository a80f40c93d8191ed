/* SPDX-License-Identifier: GPL-2.0-or-later */
/* balance.c - exomem balance: overcommitted memory, by a written policy */

#include <stdio.h>

#include "base/error.h"
#include "base/quote.h"
#include "base/size.h"
#include "command.h"
#include "op/balance.h"
#include "op/policy.h"
#include "options.h"
#include "output.h"
#include "words.h"

static struct {
	char *state_directory;
	char *templates;
	char *group;
	char *watch;
	char *record;
	char *migrate_to;
	char *migrate_by;
	gboolean once;
	gboolean dry_run;
	gboolean restore;
	char *policy;
	char *replay;
	gboolean json;
	gboolean print_policy;
} opt;

static const GOptionEntry options[] = {
	EXM_OPTION_FLAG("once", &opt.once, "one round"),
	EXM_OPTION_TEXT("watch", &opt.watch, "a round each so many seconds (default: the policy's)",
	                "SECONDS"),
	EXM_OPTION_TEXT("policy", &opt.policy, "default, density, latency or a file", "POLICY"),
	EXM_OPTION_TEXT("cgroup", &opt.group, "the limit of this control group counts", "DIR"),
	EXM_OPTION_FLAG("restore", &opt.restore, "at the end, undo what was done to guests"),
	EXM_OPTION_TEXT("migrate-to", &opt.migrate_to, "move guests there, by 'exomem migrate'",
	                "HOST"),
	EXM_OPTION_TEXT("migrate-by", &opt.migrate_by, "the command that moves one", "COMMAND"),
	EXM_OPTION_FLAG("dry-run", &opt.dry_run, "say what would be done, and do nothing"),
	EXM_OPTION_TEXT("record", &opt.record, "add what is seen to this file", "FILE"),
	EXM_OPTION_TEXT("replay", &opt.replay, "say what it would have done with these samples",
	                "FILE"),
	EXM_OPTION_FLAG("print-policy", &opt.print_policy, "print the policy, and do nothing"),
	EXM_OPTION_FLAG("json", &opt.json, "print JSON, one object a line"),
	EXM_OPTION_TEXT("state-dir", &opt.state_directory, "guests' state is there", "DIR"),
	EXM_OPTION_TEXT("templates", &opt.templates, "templates are there", "DIR"),
	EXM_OPTION_END,
};

/* As one would type it, or NULL. */
static char *command_for(const ExmDecision *decision)
{
	g_autofree char *directory = NULL;

	if (decision->action != EXM_ACTION_MIGRATE || !opt.migrate_to)
		return NULL;
	if (opt.migrate_by)
		return g_strdup_printf("%s %s %s", opt.migrate_by, decision->guest, opt.migrate_to);
	directory = opt.state_directory ? exm_quote_word(opt.state_directory) : NULL;
	return g_strdup_printf("exomem migrate %s%s%s%s %s", directory ? "--state-dir " : "",
	                       directory ? directory : "", directory ? " " : "", decision->guest,
	                       opt.migrate_to);
}

static void print_line(uint64_t round, const ExmDecision *decision, uint64_t freed,
                       const char *problem)
{
	g_autofree char *command = command_for(decision);
	g_autofree char *size = exm_size_human(freed);

	printf("%" G_GUINT64_FORMAT " %s", round, decision->line);
	if (freed)
		printf("; %s freed", size);
	if (command)
		printf("; %s", command);
	if (problem)
		printf("; failed: %s", problem);
	printf("\n");
}

static void print_decision(uint64_t round, const ExmDecision *decision, uint64_t freed,
                           const char *problem)
{
	g_autofree char *command = command_for(decision);
	g_autoptr(ExmJson) json = NULL;
	g_autofree char *text = NULL;

	if (!opt.json) {
		print_line(round, decision, freed, problem);
		fflush(stdout);
		return;
	}
	json = exm_decision_to_json(decision);
	exm_json_set_uint(json, "round", round);
	exm_json_set_uint(json, "freed", freed);
	if (problem)
		exm_json_set_string(json, "problem", problem);
	if (command)
		exm_json_set_string(json, "command", command);
	text = exm_json_print(json, false);
	printf("%s\n", text);
	fflush(stdout);
}

static bool check_options(GError **error)
{
	if (opt.once && opt.watch)
		return exm_throw(error, EXM_ERROR_USAGE, "'--once' and '--watch' exclude each other");
	if (opt.replay && (opt.once || opt.watch || opt.record))
		return exm_throw(error, EXM_ERROR_USAGE,
		                 "'--replay' reads samples: '%s' does not go with it",
		                 opt.once    ? "--once"
		                 : opt.watch ? "--watch"
		                             : "--record");
	if (opt.migrate_by && !opt.migrate_to)
		return exm_throw(error, EXM_ERROR_USAGE, "'--migrate-by' goes with '--migrate-to'");
	return true;
}

static bool read_command(char ***ret_words, GError **error)
{
	g_autoptr(GError) reason = NULL;

	return !opt.migrate_by || g_shell_parse_argv(opt.migrate_by, NULL, ret_words, &reason) ||
	       exm_throw(error, EXM_ERROR_USAGE, "--migrate-by: '%s': %s", opt.migrate_by,
	                 reason->message);
}

static bool balance(const ExmPolicy *policy, GError **error)
{
	g_autofree char *directory = NULL;
	g_auto(GStrv) command = NULL;
	g_autofree char *templates = exm_templates_directory(opt.templates);
	ExmBalanceRequest request = {
		.templates = templates,
		.group = opt.group,
		.policy = policy,
		.rounds = opt.once,
		.interval_ms = (int)(policy->interval * 1000),
		.dry_run = opt.dry_run,
		.restore = opt.restore,
		.migrate_to = opt.migrate_to,
		.record = opt.record,
		.sink = print_decision,
	};

	if (!read_command(&command, error) ||
	    !exm_words_seconds("--watch", opt.watch, &request.interval_ms, error) ||
	    !exm_state_directory_for_change(opt.state_directory, opt.dry_run, &directory, error))
		return false;
	request.interval_ms = MAX(request.interval_ms, 100);
	request.state_directory = directory;
	request.migrate_by = (const char *const *)command;
	return exm_op_balance(&request, error);
}

static bool run(const char *const *words, GError **error)
{
	const char *word = opt.policy ? opt.policy : "default";
	g_autofree char *text = NULL;
	g_autoptr(ExmPolicy) policy = NULL;

	if (!exm_words_none(words, error) || !check_options(error))
		return false;
	text = exm_op_policy_text(word, error);
	policy = text ? exm_op_policy_load(word, error) : NULL;
	if (!policy)
		return false;
	if (opt.print_policy)
		printf("%s", text);
	else if (opt.replay)
		return exm_op_replay(opt.replay, policy, print_decision, error);
	else
		return balance(policy, error);
	return true;
}

const ExmCommand exm_command_balance = {
	.name = "balance",
	.summary = "overcommit memory, by a written policy",
	.usage = "[OPTION]...",
	.options = options,
	.run = run,
};
