/* SPDX-License-Identifier: GPL-2.0-or-later */
/* balance.c - exomem balance: overcommitted memory, by a written policy */

#include <stdio.h>

#include "base/error.h"
#include "command.h"
#include "op/policy.h"
#include "options.h"
#include "output.h"
#include "words.h"

static struct {
	char *policy;
	char *replay;
	gboolean json;
	gboolean print_policy;
} opt;

static const GOptionEntry options[] = {
	EXM_OPTION_TEXT("policy", &opt.policy, "default, density, latency or a file", "POLICY"),
	EXM_OPTION_TEXT("replay", &opt.replay, "say what it would have done with these samples",
	                "FILE"),
	EXM_OPTION_FLAG("print-policy", &opt.print_policy, "print the policy, and do nothing"),
	EXM_OPTION_FLAG("json", &opt.json, "print JSON, one object a line"),
	EXM_OPTION_END,
};

static void print_decision(uint64_t round, const ExmDecision *decision, uint64_t freed,
                           const char *problem)
{
	g_autoptr(ExmJson) json = NULL;
	g_autofree char *text = NULL;

	if (!opt.json) {
		printf("%" G_GUINT64_FORMAT " %s\n", round, decision->line);
		return;
	}
	json = exm_decision_to_json(decision);
	exm_json_set_uint(json, "round", round);
	exm_json_set_uint(json, "freed", freed);
	if (problem)
		exm_json_set_string(json, "problem", problem);
	text = exm_json_print(json, false);
	printf("%s\n", text);
}

static bool run(const char *const *words, GError **error)
{
	const char *word = opt.policy ? opt.policy : "default";
	g_autoptr(ExmPolicy) policy = NULL;

	if (!exm_words_none(words, error))
		return false;
	policy = exm_op_policy_load(word, error);
	if (!policy)
		return false;
	if (opt.print_policy) {
		g_autofree char *text = exm_op_policy_text(word, error);

		printf("%s", text ? text : "");
		return text != NULL;
	}
	if (!opt.replay)
		return exm_throw(error, EXM_ERROR_USAGE, "say '--replay' or '--print-policy'");
	return exm_op_replay(opt.replay, policy, print_decision, error);
}

const ExmCommand exm_command_balance = {
	.name = "balance",
	.summary = "overcommit memory, by a written policy",
	.usage = "[OPTION]...",
	.options = options,
	.run = run,
};
