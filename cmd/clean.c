/* SPDX-License-Identifier: GPL-2.0-or-later */
/* clean.c - exomem clean: remove what guests that have ended left */

#include <stdio.h>

#include "command.h"
#include "op/clean.h"
#include "options.h"
#include "output.h"
#include "words.h"

static struct {
	char *state_directory;
	gboolean dry_run;
} opt;

static const GOptionEntry options[] = {
	EXM_OPTION_FLAG("dry-run", &opt.dry_run,
	                "print the names of guests that have ended, remove nothing"),
	EXM_OPTION_TEXT("state-dir", &opt.state_directory, "guests' state is there", "DIR"),
	EXM_OPTION_END,
};

static bool run(const char *const *words, GError **error)
{
	g_autofree char *directory = NULL;
	g_autoptr(GPtrArray) names = NULL;

	if (!exm_words_none(words, error) ||
	    !exm_state_directory_for_change(opt.state_directory, opt.dry_run, &directory, error) ||
	    !exm_op_clean(directory, opt.dry_run, exm_output_warning, &names, error))
		return false;
	for (guint i = 0; i < names->len; i++)
		printf("%s\n", (const char *)names->pdata[i]);
	return exm_output_finish(error);
}

const ExmCommand exm_command_clean = {
	.name = "clean",
	.summary = "remove what guests that have ended left",
	.usage = "[OPTION]...",
	.options = options,
	.run = run,
};
