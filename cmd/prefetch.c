/* SPDX-License-Identifier: GPL-2.0-or-later */
/* prefetch.c - exomem prefetch: record which pages guests touch, replay and show the recording */

#include "op/prefetch.h"

#include <stdio.h>
#include <string.h>

#include "base/enumtab.h"
#include "base/error.h"
#include "base/size.h"
#include "command.h"
#include "options.h"
#include "output.h"
#include "words.h"

static struct {
	char *seconds;
	char *limit;
	char *rate;
	char *state_directory;
	char *templates;
	gboolean anew;
	gboolean json;
	gboolean quiet;
} opt;

static const GOptionEntry options[] = {
	EXM_OPTION_TEXT("seconds", &opt.seconds, "record: after so long (default: at once)", "N"),
	EXM_OPTION_FLAG("anew", &opt.anew, "record: drop what was recorded before"),
	EXM_OPTION_TEXT("limit", &opt.limit,
	                "replay: read no more (default: half of the free memory)", "SIZE"),
	EXM_OPTION_TEXT("rate", &opt.rate, "replay: read no faster, in bytes a second", "SIZE"),
	EXM_OPTION_FLAG("json", &opt.json, "print JSON, in bytes"),
	EXM_OPTION_SHORT_FLAG("quiet", 'q', &opt.quiet, "record, replay: print nothing"),
	EXM_OPTION_TEXT("templates", &opt.templates, "templates are there", "DIR"),
	EXM_OPTION_TEXT("state-dir", &opt.state_directory, "guests' state is there", "DIR"),
	EXM_OPTION_END,
};

static void print_recording(const ExmPrefetchShown *shown)
{
	g_autofree char *size = exm_size_human(exm_prefetch_bytes(shown->recording));

	printf("%-12s %s\n", "recording", shown->path);
	printf("%-12s %s in %u extents, of %" G_GUINT64_FORMAT " %s\n", "size", size,
	       exm_prefetch_count(shown->recording), shown->recording->runs,
	       shown->recording->runs == 1 ? "guest" : "guests");
}

static double percent(uint64_t part, uint64_t whole)
{
	return whole ? 100.0 * (double)part / (double)whole : 0;
}

static void print_score(const ExmPrefetchShown *shown)
{
	const ExmPrefetchScore *score = &shown->score;
	g_autofree char *cached = exm_size_human(shown->cached);
	g_autofree char *touched = exm_size_human(score->touched);
	g_autofree char *hit = exm_size_human(score->hit);
	g_autofree char *waste = exm_size_human(score->recorded - score->hit);

	printf("%-12s %s of it\n", "page cache", cached);
	if (!shown->guest)
		return;
	printf("%-12s %s has touched %s\n", "guest", shown->guest, touched);
	printf("%-12s %s, %.1f %% of that\n", "hit", hit, percent(score->hit, score->touched));
	printf("%-12s %s, %.1f %% of the recording\n", "waste", waste,
	       percent(score->recorded - score->hit, score->recorded));
}

static ExmJson *to_json(const ExmPrefetchShown *shown)
{
	ExmJson *json = json_object_new_object();

	exm_json_set_string(json, "path", shown->path);
	exm_json_set_uint(json, "recorded", exm_prefetch_bytes(shown->recording));
	exm_json_set_uint(json, "extents", exm_prefetch_count(shown->recording));
	exm_json_set_uint(json, "runs", shown->recording->runs);
	exm_json_set_string(json, "guest", shown->guest);
	return json;
}

static bool record(const ExmPrefetchTarget *target, GError **error)
{
	g_autoptr(ExmPrefetchShown) shown = NULL;
	g_autoptr(ExmJson) json = NULL;
	int wait_ms = 0;

	if (!exm_words_seconds("--seconds", opt.seconds, &wait_ms, error))
		return false;
	shown = exm_op_prefetch_record(target, wait_ms, opt.anew, error);
	if (!shown)
		return false;
	json = to_json(shown);
	if (opt.json)
		exm_output_json(json);
	else if (!opt.quiet)
		print_recording(shown);
	return true;
}

static bool show(const ExmPrefetchTarget *target, GError **error)
{
	g_autoptr(ExmPrefetchShown) shown = exm_op_prefetch_show(target, error);
	g_autoptr(ExmJson) json = NULL;

	if (!shown)
		return false;
	if (!opt.json) {
		print_recording(shown);
		print_score(shown);
		return true;
	}
	json = to_json(shown);
	exm_json_set_uint(json, "cached", shown->cached);
	if (shown->guest) {
		exm_json_set_uint(json, "touched", shown->score.touched);
		exm_json_set_uint(json, "hit", shown->score.hit);
		exm_json_set_uint(json, "waste", shown->score.recorded - shown->score.hit);
	}
	exm_output_json(json);
	return true;
}

static void print_replayed(const ExmReplayed *replayed)
{
	g_autofree char *recorded = exm_size_human(replayed->recorded);
	g_autofree char *cached = exm_size_human(replayed->cached);
	g_autofree char *read = exm_size_human(replayed->read);

	printf("%s recorded, %s of it in the page cache; %s read in %.1f ms%s\n", recorded, cached,
	       read, (double)replayed->time_us / 1000,
	       replayed->gone ? ", until the guest ended" : "");
}

static void print_replayed_json(const ExmReplayed *replayed)
{
	g_autoptr(ExmJson) json = json_object_new_object();

	exm_json_set_uint(json, "recorded", replayed->recorded);
	exm_json_set_uint(json, "cached", replayed->cached);
	exm_json_set_uint(json, "read", replayed->read);
	exm_json_set_uint(json, "time-us", replayed->time_us);
	exm_json_set_bool(json, "gone", replayed->gone);
	exm_output_json(json);
}

static bool replay(const ExmPrefetchTarget *target, GError **error)
{
	ExmPrefetchOrder order = { .progress = opt.quiet ? NULL : exm_output_progress };
	ExmReplayed replayed;

	if (!exm_words_size("--limit", opt.limit, &order.limit, error) ||
	    !exm_words_size("--rate", opt.rate, &order.rate, error) ||
	    !exm_op_prefetch_replay(target, &order, &replayed, error))
		return false;
	if (opt.json)
		print_replayed_json(&replayed);
	else if (!opt.quiet)
		print_replayed(&replayed);
	return true;
}

static const struct {
	const char *name;
	bool (*run)(const ExmPrefetchTarget *target, GError **error);
} actions[] = {
	{ "record", record },
	{ "replay", replay },
	{ "show", show },
};

static bool throw_action(const char *word, GError **error)
{
	static const char *const names[] = { "record", "replay", "show" };
	const char *nearest = word ? exm_nearest(word, names, G_N_ELEMENTS(names)) : NULL;

	if (!word)
		return exm_throw(error, EXM_ERROR_USAGE, "say 'record', 'replay' or 'show'");
	if (nearest)
		return exm_throw(error, EXM_ERROR_USAGE,
		                 "'%s' is not a thing to do with recordings (did you mean '%s'?)",
		                 word, nearest);
	return exm_throw(
		error, EXM_ERROR_USAGE,
		"'%s' is not a thing to do with recordings: say 'record', 'replay' or 'show'", word);
}

/* An option of one action that is said to another would be passed over in silence. */
static bool check_options(const char *action, GError **error)
{
	const struct {
		bool said;
		const char *option;
		const char *action;
	} rules[] = {
		{ opt.seconds != NULL, "--seconds", "record" },
		{ opt.anew, "--anew", "record" },
		{ opt.limit != NULL, "--limit", "replay" },
		{ opt.rate != NULL, "--rate", "replay" },
	};

	if (opt.json && opt.quiet)
		return exm_throw(error, EXM_ERROR_USAGE, "'--json' and '--quiet' exclude each other");
	for (size_t i = 0; i < G_N_ELEMENTS(rules); i++)
		if (rules[i].said && strcmp(rules[i].action, action) != 0)
			return exm_throw(error, EXM_ERROR_USAGE, "'%s' goes with '%s'",
			                 rules[i].option, rules[i].action);
	return true;
}

static bool run(const char *const *words, GError **error)
{
	g_autofree char *state_directory = NULL;
	g_autofree char *template = NULL;
	ExmPrefetchTarget target;
	size_t i = 0;

	while (i < G_N_ELEMENTS(actions) && g_strcmp0(words[0], actions[i].name) != 0)
		i++;
	if (i == G_N_ELEMENTS(actions))
		return throw_action(words[0], error);
	if (!words[1])
		return exm_throw(error, EXM_ERROR_USAGE,
		                 "name a %s; 'exomem list' and 'exomem template list' show them",
		                 actions[i].run == record ? "guest" : "template or a guest");
	if (!exm_words_none(words + 2, error) || !check_options(words[0], error) ||
	    !exm_state_directory(opt.state_directory, &state_directory, error) ||
	    !exm_template_directory(opt.templates, words[1], &template, error))
		return false;
	target = (ExmPrefetchTarget){ state_directory, words[1], template };
	return actions[i].run(&target, error);
}

const ExmCommand exm_command_prefetch = {
	.name = "prefetch",
	.summary = "record which pages guests touch, and read them before the next one",
	.usage = "[OPTION]... record GUEST | replay|show TEMPLATE|GUEST",
	.options = options,
	.run = run,
};
