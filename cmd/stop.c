/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stop.c - exomem stop: end guests */

#include "op/stop.h"

#include <stdio.h>

#include "base/error.h"
#include "command.h"
#include "options.h"
#include "words.h"

#define TIMEOUT_MS 30000

static struct {
	char *state_directory;
	gboolean all;
	gboolean kill;
	char *timeout;
} opt;

static const GOptionEntry options[] = {
	EXM_OPTION_FLAG("all", &opt.all, "stop all your guests"),
	EXM_OPTION_FLAG("kill", &opt.kill, "kill at once, and ask no guest to power off"),
	EXM_OPTION_TEXT("timeout", &opt.timeout, "wait for powering off so long (default: 30)",
	                "SECONDS"),
	EXM_OPTION_TEXT("state-dir", &opt.state_directory, "guests' state is there", "DIR"),
	EXM_OPTION_END,
};

static bool check_words(const char *const *words, GError **error)
{
	if (opt.kill && opt.timeout)
		return exm_throw(error, EXM_ERROR_USAGE,
		                 "'--kill' and '--timeout' exclude each other");
	if (opt.all && words[0])
		return exm_throw(error, EXM_ERROR_USAGE, "'%s' is not expected behind '--all'",
		                 words[0]);
	if (!opt.all && !words[0])
		return exm_throw(error, EXM_ERROR_USAGE,
		                 "name guests, or say '--all'; 'exomem list' shows them");
	return true;
}

static bool run(const char *const *words, GError **error)
{
	g_autofree char *directory = NULL;
	g_autoptr(GPtrArray) failed = g_ptr_array_new_with_free_func(g_free);
	ExmStopRequest request = {
		.names = opt.all ? NULL : words,
		.kill = opt.kill,
		.timeout_ms = TIMEOUT_MS,
	};
	bool good;

	if (!check_words(words, error) ||
	    !exm_words_seconds("--timeout", opt.timeout, &request.timeout_ms, error) ||
	    !exm_state_directory_for_change(opt.state_directory, false, &directory, error))
		return false;
	request.state_directory = directory;
	good = exm_op_stop(&request, failed, error);
	/* The error is of one: where there may be several, these are they. */
	for (guint i = 0; (opt.all || words[1]) && i < failed->len; i++)
		printf("%s\n", (const char *)failed->pdata[i]);
	return good;
}

const ExmCommand exm_command_stop = {
	.name = "stop",
	.summary = "power guests off",
	.usage = "[OPTION]... GUEST...",
	.options = options,
	.takes_guest = true,
	.run = run,
};
