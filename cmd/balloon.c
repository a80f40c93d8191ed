/* SPDX-License-Identifier: GPL-2.0-or-later */
/* balloon.c - exomem balloon: how much memory a guest is left */

#include "op/balloon.h"

#include <stdio.h>

#include "base/error.h"
#include "base/json.h"
#include "base/size.h"
#include "command.h"
#include "options.h"
#include "output.h"
#include "words.h"

#define TIMEOUT_MS 10000

static struct {
	char *state_directory;
	char *timeout;
	gboolean json;
} opt;

static const GOptionEntry options[] = {
	EXM_OPTION_FLAG("json", &opt.json, "print JSON, in bytes"),
	EXM_OPTION_TEXT("state-dir", &opt.state_directory, "guests' state is there", "DIR"),
	EXM_OPTION_TEXT("timeout", &opt.timeout, "wait for it so long (default: 10)", "SECONDS"),
	EXM_OPTION_END,
};

static void print_json(const ExmBallooned *result)
{
	g_autoptr(ExmJson) json = json_object_new_object();

	exm_json_set_uint(json, "memory", result->memory);
	exm_json_set_uint(json, "before", result->before);
	exm_json_set_uint(json, "target", result->target);
	exm_json_set_uint(json, "after", result->after);
	json_object_object_add(json, "freed", json_object_new_int64(result->freed));
	exm_json_set_bool(json, "statistics", result->guest.statistics);
	exm_json_set_uint(json, "statistics-age", result->guest.statistics_age);
	exm_json_set_uint(json, "available", result->guest.available);
	exm_json_set_bool(json, "free-page-reporting", result->reporting);
	exm_output_json(json);
}

static void print_guest(const ExmBallooned *result)
{
	g_autofree char *actual = exm_size_human(result->after);
	g_autofree char *memory = exm_size_human(result->memory);
	g_autofree char *available = exm_size_human(result->guest.available);

	printf("%s of %s", actual, memory);
	if (result->guest.statistics)
		printf(", %s available to the guest %" G_GUINT64_FORMAT " s ago", available,
		       result->guest.statistics_age);
	printf("%s\n", result->reporting ? ", and it gives back what it frees" : "");
}

static void print_move(const char *name, const ExmBallooned *result)
{
	g_autofree char *before = exm_size_human(result->before);
	g_autofree char *after = exm_size_human(result->after);
	const bool less = result->freed >= 0;
	g_autofree char *freed = exm_size_human((uint64_t)(less ? result->freed : -result->freed));

	printf("%s: %s → %s, it holds %s %s of the host's memory\n", name, before, after, freed,
	       less ? "less" : "more");
}

static bool run(const char *const *words, GError **error)
{
	g_autofree char *directory = NULL;
	ExmBallooned result;
	int timeout_ms = TIMEOUT_MS;

	if (!words[0])
		return exm_throw(error, EXM_ERROR_USAGE, "name a guest; 'exomem list' shows them");
	if ((words[1] && !exm_words_none(words + 2, error)) ||
	    !exm_words_seconds("--timeout", opt.timeout, &timeout_ms, error) ||
	    !exm_state_directory_for_change(opt.state_directory, !words[1], &directory, error) ||
	    !exm_op_balloon(directory, words[0], words[1], timeout_ms, &result, error))
		return false;
	if (opt.json)
		print_json(&result);
	else if (words[1])
		print_move(words[0], &result);
	else
		print_guest(&result);
	if (result.after == result.target)
		return true;
	return exm_throw(error, EXM_ERROR_SYSTEM,
	                 "the balloon of guest '%s' has not come there in time: its driver may not run",
	                 words[0]);
}

const ExmCommand exm_command_balloon = {
	.name = "balloon",
	.summary = "how much memory a guest is left",
	.usage = "[OPTION]... GUEST [SIZE|+SIZE|-SIZE]",
	.options = options,
	.takes_guest = true,
	.takes_number = true,
	.run = run,
};
