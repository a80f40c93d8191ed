/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reclaim.c - exomem reclaim: push a guest's pages out of memory */

#include "op/reclaim.h"

#include <stdio.h>

#include "base/error.h"
#include "base/size.h"
#include "command.h"
#include "options.h"
#include "output.h"
#include "words.h"

static struct {
	char *state_directory;
	gboolean pause;
	gboolean json;
} opt;

static const GOptionEntry options[] = {
	EXM_OPTION_FLAG("json", &opt.json, "print JSON, in bytes"),
	EXM_OPTION_FLAG("pause", &opt.pause, "pause it, and push all of it out to its file"),
	EXM_OPTION_TEXT("state-dir", &opt.state_directory, "guests' state is there", "DIR"),
	EXM_OPTION_END,
};

static void print(const char *name, const ExmReclaimed *result)
{
	g_autoptr(ExmJson) json = NULL;
	const char *to = result->out == EXM_OUT_FILE ? "its file" : "swap";
	g_autofree char *freed = exm_size_human(result->freed);

	if (!opt.json) {
		printf("%s: %s freed, to %s%s\n", name, freed, to,
		       result->group ? " by its control group" : "");
		return;
	}
	json = json_object_new_object();
	exm_json_set_uint(json, "freed", result->freed);
	exm_json_set_string(json, "to", result->out == EXM_OUT_FILE ? "file" : "swap");
	exm_json_set_bool(json, "group", result->group);
	exm_output_json(json);
}

static bool read_words(const char *const *words, uint64_t *ret_bytes, GError **error)
{
	if (!words[0])
		return exm_throw(error, EXM_ERROR_USAGE, "name a guest; 'exomem list' shows them");
	if (opt.pause)
		return exm_words_none(words + 1, error);
	if (!words[1])
		return exm_throw(error, EXM_ERROR_USAGE, "say how much, or '--pause' for all");
	return exm_words_none(words + 2, error) &&
	       exm_size_parse(words[1], EXM_MIB, ret_bytes, error);
}

static bool run(const char *const *words, GError **error)
{
	g_autofree char *directory = NULL;
	ExmReclaimed result;
	uint64_t bytes = 0;
	bool good;

	if (!read_words(words, &bytes, error) ||
	    !exm_state_directory_for_change(opt.state_directory, false, &directory, error))
		return false;
	good = opt.pause ? exm_op_sleep(directory, words[0], &result, error)
	                 : exm_op_reclaim(directory, words[0], bytes, &result, error);
	if (good)
		print(words[0], &result);
	return good;
}

const ExmCommand exm_command_reclaim = {
	.name = "reclaim",
	.summary = "push a guest's pages out of memory",
	.usage = "[OPTION]... GUEST SIZE | --pause GUEST",
	.options = options,
	.takes_guest = true,
	.run = run,
};
