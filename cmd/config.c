/* SPDX-License-Identifier: GPL-2.0-or-later */
/* config.c - exomem config: what the configuration says, and where */

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "command.h"
#include "options.h"
#include "output.h"

static struct {
	char *config;
	gboolean json;
} opt;

static const GOptionEntry options[] = {
	EXM_OPTION_TEXT("config", &opt.config, "read this file instead", "FILE"),
	EXM_OPTION_FLAG("json", &opt.json, "print JSON"),
	EXM_OPTION_END,
};

static void print_value(const ExmConfigValue *value)
{
	const ExmConfigEntry *entry = value->entry;

	if (!entry)
		printf("[%s] %s is not set: %s\n", value->key->group, value->key->name,
		       value->key->summary);
	else
		printf("[%s] %s = %s\n    from %s [%s]\n", value->key->group, value->key->name,
		       entry->value, entry->file, entry->group);
}

static bool run(const char *const *words, GError **error)
{
	g_autoptr(ExmConfig) config = NULL;

	if (!words[0] || strcmp(words[0], "show") != 0)
		return exm_throw(error, EXM_ERROR_USAGE, "'%s' cannot be done: say 'show'",
		                 words[0] ? words[0] : "");
	if (words[1])
		return exm_throw(error, EXM_ERROR_USAGE, "'%s' is one word too many", words[1]);
	config = exm_config_load(opt.config, NULL, error);
	if (!config)
		return false;
	if (opt.json) {
		g_autoptr(ExmJson) json = exm_config_to_json(config);

		exm_output_json(json);
		return true;
	}
	for (size_t i = 0; i < config->count; i++)
		print_value(&config->values[i]);
	return true;
}

const ExmCommand exm_command_config = {
	.name = "config",
	.summary = "what the configuration says, and which file says it",
	.usage = "[OPTION]... show",
	.options = options,
	.run = run,
};
