/* SPDX-License-Identifier: GPL-2.0-or-later */
/* qmp.c - exomem qmp: say one command to a guest's QEMU */

#include <string.h>

#include "base/error.h"
#include "command.h"
#include "op/monitor.h"
#include "options.h"
#include "output.h"
#include "words.h"

#define TIMEOUT_MS 30000

static struct {
	char *state_directory;
	char *timeout;
} opt;

static const GOptionEntry options[] = {
	EXM_OPTION_TEXT("timeout", &opt.timeout, "give up after this time (default: 30)", "SECONDS"),
	EXM_OPTION_TEXT("state-dir", &opt.state_directory, "guests' state is there", "DIR"),
	EXM_OPTION_END,
};

static ExmJson *read_arguments(const char *text, GError **error)
{
	g_autoptr(GError) problem = NULL;
	g_autoptr(ExmJson) json = exm_json_parse_plain(text, strlen(text), &problem);

	if (!json) {
		exm_throw(error, EXM_ERROR_USAGE, "arguments: %s", problem->message);
		return NULL;
	}
	if (!json_object_is_type(json, json_type_object)) {
		exm_throw(error, EXM_ERROR_USAGE, "arguments are a JSON object, and '%s' is none",
		          text);
		return NULL;
	}
	return g_steal_pointer(&json);
}

static bool check_words(const char *const *words, GError **error)
{
	if (!words[0] || !words[1])
		return exm_throw(error, EXM_ERROR_USAGE,
		                 "name a guest and a command, such as 'query-status'");
	return !words[2] || exm_words_none(words + 3, error);
}

static bool run(const char *const *words, GError **error)
{
	g_autofree char *directory = NULL;
	g_autoptr(ExmJson) arguments = NULL;
	g_autoptr(ExmJson) answer = NULL;
	int timeout_ms = TIMEOUT_MS;

	if (!check_words(words, error) ||
	    !exm_words_seconds("--timeout", opt.timeout, &timeout_ms, error) ||
	    !exm_state_directory(opt.state_directory, &directory, error))
		return false;
	if (words[2] && !(arguments = read_arguments(words[2], error)))
		return false;
	answer = exm_op_qmp(directory, words[0], words[1], g_steal_pointer(&arguments), timeout_ms,
	                    error);
	if (!answer)
		return false;
	exm_output_json(answer);
	return true;
}

const ExmCommand exm_command_qmp = {
	.name = "qmp",
	.summary = "say a QMP command to a guest's QEMU",
	.usage = "[OPTION]... GUEST COMMAND [JSON]",
	.options = options,
	.takes_guest = true,
	.run = run,
};
