/* SPDX-License-Identifier: GPL-2.0-or-later */
/* policy.c - Read a policy, and run it over samples that were recorded */

#include "op/policy.h"

#include <string.h>

#include "base/error.h"
#include "base/fd.h"

/**
 * exm_op_policy_text() - The text of a policy
 * @word:  name of one that comes with exomem, or path of a file
 * @error: USAGE where it is neither; SYSTEM where the file cannot be read
 *
 * Return: the text (transfer full), or NULL.
 */
char *exm_op_policy_text(const char *word, GError **error)
{
	const char *shipped = exm_policy_shipped(word);
	g_autofree char *text = NULL;

	if (shipped)
		return g_strdup(shipped);
	if (!strchr(word, '/') && !g_str_has_suffix(word, ".policy")) {
		exm_throw(error, EXM_ERROR_USAGE,
		          "'%s' is not a policy (default, density, latency, or the path of a file: "
		          "./%s)",
		          word, word);
		return NULL;
	}
	return exm_file_read(word, &text, NULL, error) ? g_steal_pointer(&text) : NULL;
}

/**
 * exm_op_policy_load() - Read a policy
 * @word:  as for exm_op_policy_text()
 * @error: as there; USAGE where it is no good policy
 *
 * Return: the policy (transfer full), or NULL.
 */
ExmPolicy *exm_op_policy_load(const char *word, GError **error)
{
	g_autofree char *text = exm_op_policy_text(word, error);
	ExmPolicy *policy = text ? exm_policy_parse(text, error) : NULL;

	if (text && !policy)
		g_prefix_error(error, "policy '%s': ", word);
	return policy;
}

static bool replay_line(ExmBalance *balance, const char *line, uint64_t round, ExmDecisionSink sink,
                        GError **error)
{
	g_autoptr(ExmJson) json = exm_json_parse(line, strlen(line), error);
	g_autoptr(ExmSample) sample = json ? exm_sample_from_json(json, error) : NULL;
	g_autoptr(GPtrArray) decisions = NULL;

	if (!sample)
		return false;
	decisions = exm_balance_decide(balance, sample);
	for (guint i = 0; i < decisions->len; i++)
		sink(round, decisions->pdata[i], 0, NULL);
	return true;
}

/**
 * exm_op_replay() - What a policy would have done
 * @path:   a file of samples, one a line, as `exomem balance --record` writes it
 * @policy: the policy
 * @sink:   called for each decision
 * @error:  USAGE where a line is no sample; SYSTEM where the file cannot be read
 */
bool exm_op_replay(const char *path, const ExmPolicy *policy, ExmDecisionSink sink, GError **error)
{
	g_autoptr(ExmBalance) balance = exm_balance_new(policy);
	g_autofree char *text = NULL;
	g_auto(GStrv) lines = NULL;

	if (!exm_file_read(path, &text, NULL, error))
		return false;
	lines = g_strsplit(text, "\n", -1);
	for (guint i = 0; lines[i]; i++) {
		g_autoptr(GError) problem = NULL;

		if (*lines[i] && !replay_line(balance, lines[i], i + 1, sink, &problem))
			return exm_throw(error, EXM_ERROR_USAGE, "'%s', line %u: %s", path, i + 1,
			                 problem->message);
	}
	return true;
}
