/* SPDX-License-Identifier: GPL-2.0-or-later */
/* complete.c - exomem __complete: what a word of our command line can become, for shells */

#include <stdio.h>
#include <string.h>

#include "command.h"
#include "complete_pmem.h"
#include "op/list.h"
#include "op/template.h"
#include "options.h"
#include "plan/qemu_option.h"

/**
 * struct Place - Where in a verb's words the one is that is being typed
 * @command:         the verb
 * @words:           what follows it, up to the word that is being typed
 * @typed:           the beginning of that word
 * @option:          of which it is the argument, or NULL
 * @plain:           how many words before it are no options
 * @takes_options:   it could be an option of the verb
 * @line:            number of the first word that is QEMU's, or of @typed
 * @state_directory: --state-dir, or NULL
 * @templates:       --templates, or NULL
 * @claims:          --claims, or NULL
 * @config:          --config, or NULL
 * @pool:            --pool, or NULL
 * @action:          the first word that is no option, or NULL
 */
typedef struct {
	const ExmCommand *command;
	const char *const *words;
	const char *typed;
	const GOptionEntry *option;
	size_t plain;
	bool takes_options;
	size_t line;
	const char *state_directory;
	const char *templates;
	const char *claims;
	const char *config;
	const char *pool;
	const char *action;
} Place;

/* Words that arguments can be, NULL-terminated. */
static const char *const wait_events[] = { "exit", "running", NULL };
static const char *const template_actions[] = { "list", "remove", "show", "verify", NULL };
static const char *const prefetch_actions[] = { "record", "replay", "show", NULL };
static const char *const config_actions[] = { "show", NULL };
static const char *const pmem_actions[] = {
	"adopt", "allocations", "inventory", "list", "release", "scrub", NULL,
};
static const char *const memories[] = { "private", "reflink", NULL };
static const char *const state_formats[] = { "auto", "qemu", "xen", NULL };
static const char *const policies[] = { "default", "density", "latency", NULL };
static const char *const shells[] = { "bash", "fish", "zsh", NULL };

static const struct {
	const char *verb;
	const char *option;
	const char *const *words;
} values[] = {
	{ "balance", "policy", policies },
	{ "clone", "memory", memories },
	{ "run", "state-format", state_formats },
	{ "wait", "for", wait_events },
};

static void offer(const char *typed, const char *word, const char *description)
{
	if (g_str_has_prefix(word, typed))
		printf("%s\t%s\n", word, description);
}

static void offer_words(const char *typed, const char *prefix, const char *const *words)
{
	for (; *words; words++) {
		g_autofree char *whole = g_strconcat(prefix, *words, NULL);

		offer(typed, whole, "");
	}
}

static void offer_verbs(const char *typed)
{
	for (size_t i = 0; exm_commands[i]; i++)
		if (!g_str_has_prefix(exm_commands[i]->name, "__"))
			offer(typed, exm_commands[i]->name, exm_commands[i]->summary);
}

static void offer_options(const Place *place)
{
	for (const GOptionEntry *option = place->command->options; option->long_name; option++) {
		g_autofree char *word = g_strconcat("--", option->long_name, NULL);

		if (!(option->flags & G_OPTION_FLAG_HIDDEN))
			offer(place->typed, word, option->description);
	}
}

/* QEMU takes one dash or two; behind "--", two could not be meant for us. */
static void offer_qemu_options(const Place *place)
{
	const bool two = !place->takes_options && g_str_has_prefix(place->typed, "--");
	size_t count;
	const ExmQemuOption *options = exm_qemu_options(&count);

	for (size_t i = 0; i < count; i++) {
		g_autofree char *word = g_strconcat(two ? "--" : "-", options[i].name, NULL);

		offer(place->typed, word, "of QEMU");
	}
}

/* Whether a verb finds guests that have ended too. */
static bool takes_ended(const ExmCommand *command)
{
	return command == &exm_command_logs || command == &exm_command_wait;
}

static void offer_guests(const Place *place)
{
	g_autoptr(GHashTable) offered = g_hash_table_new(g_str_hash, g_str_equal);
	g_autoptr(GPtrArray) guests = NULL;
	g_autofree char *directory = NULL;

	/* Who types does not want to read errors. */
	if (!exm_state_directory(place->state_directory, &directory, NULL) ||
	    !exm_op_list(directory, false, &guests, NULL))
		return;
	if (takes_ended(place->command))
		exm_op_list_ended(directory, guests, NULL);
	for (guint i = 0; i < guests->len; i++) {
		const ExmListed *guest = guests->pdata[i];

		if (!g_hash_table_add(offered, guest->vm->name))
			continue;
		offer(place->typed, guest->vm->name, guest->end ? "guest that has ended" : "guest");
	}
}

static void offer_templates(const Place *place)
{
	g_autofree char *root = exm_templates_directory(place->templates);
	g_autoptr(GPtrArray) templates = exm_op_template_list(root);

	for (guint i = 0; i < templates->len; i++) {
		const ExmTemplate *template = templates->pdata[i];

		offer(place->typed, template->name, "template");
	}
}

/* A word as it is completed: behind the option that it is the argument of. */
typedef struct {
	const Place *place;
	const char *prefix;
} Prefixed;

static void offer_pmem(const char *word, const char *description, void *user)
{
	const Prefixed *prefixed = user;
	g_autofree char *whole = g_strconcat(prefixed->prefix, word, NULL);

	offer(prefixed->place->typed, whole, description);
}

static ExmCompletePmem pmem_of(const Place *place, Prefixed *prefixed)
{
	return (ExmCompletePmem){ place->config, place->claims, place->pool, offer_pmem, prefixed };
}

static void offer_values(const Place *place, const GOptionEntry *option, const char *prefix)
{
	Prefixed prefixed = { place, prefix };
	const ExmCompletePmem pmem = pmem_of(place, &prefixed);

	if (strcmp(option->long_name, "pmem") == 0)
		exm_complete_pmem_spec(&pmem, place->typed + strlen(prefix));
	for (size_t i = 0; i < G_N_ELEMENTS(values); i++)
		if (strcmp(values[i].verb, place->command->name) == 0 &&
		    strcmp(values[i].option, option->long_name) == 0)
			offer_words(place->typed, prefix, values[i].words);
}

/* The option of a word such as "--name" or "--name=web". */
static const GOptionEntry *find_option(const ExmCommand *command, const char *word)
{
	const size_t length = g_str_has_prefix(word, "--") ? strcspn(word + 2, "=") : 0;
	const GOptionEntry *option = command->options;

	for (; length > 0 && option->long_name; option++)
		if (strlen(option->long_name) == length &&
		    strncmp(option->long_name, word + 2, length) == 0)
			return option;
	return NULL;
}

/* Where guests, templates and namespaces are, should their names be wanted. */
static void pass_value(Place *place, const GOptionEntry *option, const char *value)
{
	const struct {
		const char *name;
		const char **value;
	} kept[] = {
		{ "state-dir", &place->state_directory },
		{ "templates", &place->templates },
		{ "claims", &place->claims },
		{ "config", &place->config },
		{ "pool", &place->pool },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(kept); i++)
		if (strcmp(option->long_name, kept[i].name) == 0)
			*kept[i].value = value;
}

/* Takes up one of the words before the one that is being typed. */
static void pass_word(Place *place, const char *word, size_t index)
{
	const GOptionEntry *option = place->takes_options ? find_option(place->command, word) : NULL;

	if (place->option) {
		pass_value(place, place->option, word);
		place->option = NULL;
	} else if (option) {
		if (exm_option_takes_argument(option) && !strchr(word, '='))
			place->option = option;
		else if (strchr(word, '='))
			pass_value(place, option, strchr(word, '=') + 1);
	} else if (place->takes_options && strcmp(word, "--") == 0) {
		place->takes_options = false;
		place->line = index + 1;
	} else if (word[0] != '-' || !place->takes_options || place->command->takes_line) {
		if (place->command->takes_line && place->takes_options) {
			place->takes_options = false;
			place->line = index;
		}
		if (place->plain++ == 0)
			place->action = word;
	}
}

/* Whether the word is the argument of an option of QEMU. */
static bool is_qemu_argument(const Place *place, size_t last)
{
	bool argument = false;

	for (size_t i = place->line; i < last; i++) {
		const char *word = place->words[i];
		const ExmQemuOption *option = !argument && word[0] == '-'
		                                      ? exm_qemu_option_find(word)
		                                      : NULL;

		argument = option && option->takes_argument;
	}
	return argument;
}

static void offer_option_words(const Place *place)
{
	const char *equals = strchr(place->typed, '=');
	const GOptionEntry *option = find_option(place->command, place->typed);

	if (place->takes_options && equals && option) {
		g_autofree char *prefix = g_strndup(place->typed, (gsize)(equals + 1 - place->typed));

		offer_values(place, option, prefix);
		return;
	}
	if (place->takes_options)
		offer_options(place);
	if (place->command->takes_line)
		offer_qemu_options(place);
}

static void offer_pmem_words(const Place *place)
{
	Prefixed prefixed = { place, "" };
	const ExmCompletePmem pmem = pmem_of(place, &prefixed);

	if (place->plain == 0)
		offer_words(place->typed, "", pmem_actions);
	else if (place->plain == 1 &&
	         (strcmp(place->action, "release") == 0 || strcmp(place->action, "adopt") == 0))
		exm_complete_pmem_release(&pmem);
	else if (place->plain == 1 && strcmp(place->action, "scrub") == 0)
		exm_complete_pmem_scrub(&pmem);
}

/* What is recorded of is a guest that runs. */
static void offer_prefetch_words(const Place *place)
{
	if (place->plain == 0)
		offer_words(place->typed, "", prefetch_actions);
	else if (place->plain == 1)
		offer_guests(place);
	if (place->plain == 1 && strcmp(place->action, "record") != 0)
		offer_templates(place);
}

static void offer_plain_words(const Place *place)
{
	const ExmCommand *command = place->command;
	const bool several = g_str_has_suffix(command->usage, "...");

	if (command->takes_guest && (place->plain == 0 || several))
		offer_guests(place);
	else if (command == &exm_command_template && place->plain == 0)
		offer_words(place->typed, "", template_actions);
	else if (command == &exm_command_pmem)
		offer_pmem_words(place);
	else if (command == &exm_command_prefetch)
		offer_prefetch_words(place);
	else if (command == &exm_command_config && place->plain == 0)
		offer_words(place->typed, "", config_actions);
	else if (place->plain == (command == &exm_command_template ? 1 : 0) && command->takes_template)
		offer_templates(place);
	else if (command == &exm_command_help && place->plain == 0)
		offer_verbs(place->typed);
	else if (command == &exm_command_completion && place->plain == 0)
		offer_words(place->typed, "", shells);
}

static void complete_verb(const ExmCommand *command, const char *const *words, size_t last)
{
	Place place = {
		.command = command,
		.words = words,
		.typed = words[last],
		.takes_options = true,
		.line = last,
	};

	for (size_t i = 0; i < last; i++)
		pass_word(&place, words[i], i);
	if (place.option)
		offer_values(&place, place.option, "");
	else if (command->takes_line && is_qemu_argument(&place, last))
		return;
	else if (place.typed[0] == '-' && (place.takes_options || command->takes_line))
		offer_option_words(&place);
	else
		offer_plain_words(&place);
}

/* Words that can follow; nothing where it is a path, or anything else that the shell knows better. */
static bool complete(const char *const *words, G_GNUC_UNUSED GError **error)
{
	const ExmCommand *command;
	size_t count = 0;

	while (words[count])
		count++;
	if (count <= 1) {
		const char *typed = count ? words[0] : "";

		offer_verbs(typed);
		if (typed[0] == '-') {
			offer(typed, "--help", "print the commands");
			offer(typed, "--version", "print the version");
		}
		return true;
	}
	command = exm_command_find(words[0]);
	if (command)
		complete_verb(command, words + 1, count - 2);
	return true;
}

static const GOptionEntry no_options[] = { EXM_OPTION_END };

const ExmCommand exm_command_complete = {
	.name = "__complete",
	.summary = "what the last word can become, one a line, with a tab before what it means",
	.usage = "-- WORD...",
	.options = no_options,
	/* So that the words behind "--" come as they are. */
	.takes_line = true,
	.run = complete,
};
