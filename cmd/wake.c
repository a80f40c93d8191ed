/* SPDX-License-Identifier: GPL-2.0-or-later */
/* wake.c - exomem wake: let a guest go on that was paused to disk */

#include "command.h"
#include "op/reclaim.h"
#include "options.h"
#include "words.h"

static struct {
	char *state_directory;
} opt;

static const GOptionEntry options[] = {
	EXM_OPTION_TEXT("state-dir", &opt.state_directory, "guests' state is there", "DIR"),
	EXM_OPTION_END,
};

static bool run(const char *const *words, GError **error)
{
	g_autofree char *directory = NULL;
	const char *name;

	return exm_words_guest(words, &name, error) &&
	       exm_state_directory_for_change(opt.state_directory, false, &directory, error) &&
	       exm_op_wake(directory, name, error);
}

const ExmCommand exm_command_wake = {
	.name = "wake",
	.summary = "let a guest go on that was paused to disk",
	.usage = "[OPTION]... GUEST",
	.options = options,
	.takes_guest = true,
	.run = run,
};
