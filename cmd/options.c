/* SPDX-License-Identifier: GPL-2.0-or-later */
/* options.c - Options of verbs, and what the environment says where an option is left out */

#include "options.h"

#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/enumtab.h"
#include "base/error.h"
#include "op/config.h"
#include "op/recover.h"
#include "output.h"
#include "plan/finding.h"
#include "plan/identity.h"
#include "plan/qemu_option.h"

/**
 * exm_option_takes_argument() - Whether an option has a value
 * @option: a row of a verb's options
 */
bool exm_option_takes_argument(const GOptionEntry *option)
{
	return option->arg != G_OPTION_ARG_NONE;
}

static const GOptionEntry *find_option(const GOptionEntry *options, const char *word)
{
	const size_t length = strcspn(word + 2, "=");

	for (; options->long_name; options++)
		if (strlen(options->long_name) == length &&
		    strncmp(options->long_name, word + 2, length) == 0)
			return options;
	return NULL;
}

static bool throw_unknown(const ExmCommand *command, const char *word, GError **error)
{
	g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
	const char *name = word + strspn(word, "-");
	g_autofree char *bare = g_strndup(name, strcspn(name, "="));
	const char *nearest;

	for (const GOptionEntry *option = command->options; option->long_name; option++)
		g_ptr_array_add(names, g_strdup(option->long_name));
	nearest = exm_nearest(bare, (const char *const *)names->pdata, names->len);
	if (nearest)
		return exm_throw(error, EXM_ERROR_USAGE,
		                 "'%s' is not an option (did you mean '--%s'?)", word, nearest);
	if (!command->takes_line)
		return exm_throw(error, EXM_ERROR_USAGE, "'%s' is not an option: see '--help'", word);
	return exm_throw(error, EXM_ERROR_USAGE, "'%s' is neither an option of exomem nor of QEMU",
	                 word);
}

/* GOption ends what it says with the word, in whatever language. */
static bool throw_unread(const ExmCommand *command, char *const *words, const GError *reason,
                         GError **error)
{
	if (g_error_matches(reason, G_OPTION_ERROR, G_OPTION_ERROR_UNKNOWN_OPTION))
		for (; *words; words++)
			if (**words == '-' && g_str_has_suffix(reason->message, *words))
				return throw_unknown(command, *words, error);
	return exm_throw(error, EXM_ERROR_USAGE, "%c%s", g_ascii_tolower(*reason->message),
	                 reason->message + 1);
}

/*
 * How many words at the front are options of the verb; what follows is QEMU's. GOption cannot tell,
 * because it takes "-m" for a bundle of letters.
 */
static bool count_own(const ExmCommand *command, char *const *words, size_t *ret_count, GError **error)
{
	size_t count = 0;

	while (words[count] && g_str_has_prefix(words[count], "--")) {
		const char *word = words[count];
		const GOptionEntry *option = find_option(command->options, word);

		if (!option && word[2] && !exm_qemu_option_find(word))
			return throw_unknown(command, word, error);
		if (!option)
			break;
		count++;
		if (!exm_option_takes_argument(option) || strchr(word, '='))
			continue;
		if (!words[count])
			return exm_throw(error, EXM_ERROR_USAGE, "'%s' needs an argument", word);
		count++;
	}
	*ret_count = count;
	return true;
}

static char **copy_words(const char *first, char *const *words, size_t count)
{
	g_autoptr(GPtrArray) copy = g_ptr_array_new();

	if (first)
		g_ptr_array_add(copy, g_strdup(first));
	for (size_t i = 0; i < count; i++)
		g_ptr_array_add(copy, g_strdup(words[i]));
	g_ptr_array_add(copy, NULL);
	return (char **)g_ptr_array_free(g_steal_pointer(&copy), FALSE);
}

/* "-64M" is a number and no option, unless an option's argument; nothing behind it is an option. */
static bool is_number(char *const *words, size_t index)
{
	return words[index][0] == '-' && g_ascii_isdigit(words[index][1]) &&
	       (index == 0 || words[index - 1][0] != '-');
}

static size_t count_before_numbers(const ExmCommand *command, char *const *words)
{
	size_t count = 0;

	while (words[count] && !(command->takes_number && is_number(words, count)))
		count++;
	return count;
}

static char **join(char *const *first, char *const *second)
{
	g_autoptr(GPtrArray) all = g_ptr_array_new();

	for (; *first; first++)
		g_ptr_array_add(all, g_strdup(*first));
	for (; *second; second++)
		g_ptr_array_add(all, g_strdup(*second));
	g_ptr_array_add(all, NULL);
	return (char **)g_ptr_array_free(g_steal_pointer(&all), FALSE);
}

/**
 * exm_options_parse() - Read a verb's options into its storage
 * @command:  the verb
 * @words:    what follows it, NULL-terminated
 * @ret_rest: the words that are no options (transfer full); QEMU's command line for a verb that
 *            takes one
 * @error:    USAGE
 */
bool exm_options_parse(const ExmCommand *command, char **words, char ***ret_rest, GError **error)
{
	g_autoptr(GOptionContext) context = g_option_context_new(NULL);
	g_autoptr(GError) reason = NULL;
	g_auto(GStrv) own = NULL;
	size_t count = count_before_numbers(command, words);
	char **rest;

	if (command->takes_line && !count_own(command, words, &count, error))
		return false;
	rest = words + count;
	/* A lone "--" says where QEMU's words begin, and is not one of them. */
	if (command->takes_line && *rest && strcmp(*rest, "--") == 0)
		rest++;
	own = copy_words(command->name, words, count);
	g_option_context_add_main_entries(context, command->options, NULL);
	g_option_context_set_help_enabled(context, FALSE);
	if (!g_option_context_parse_strv(context, &own, &reason))
		return throw_unread(command, words, reason, error);
	*ret_rest = command->takes_line ? g_strdupv(rest) : join(own + 1, rest);
	return true;
}

/**
 * exm_default_qemu() - The QEMU of this machine's own architecture
 *
 * Return: $EXOMEM_QEMU, else a name to look for in PATH.
 */
const char *exm_default_qemu(void)
{
	/* Where uname(2) and QEMU call an architecture differently. */
	static const struct {
		const char *machine;
		const char *qemu;
	} names[] = {
		{ "aarch64", "qemu-system-aarch64" }, { "i686", "qemu-system-i386" },
		{ "ppc64le", "qemu-system-ppc64" },   { "riscv64", "qemu-system-riscv64" },
		{ "s390x", "qemu-system-s390x" },     { "x86_64", "qemu-system-x86_64" },
	};
	const char *chosen = g_getenv("EXOMEM_QEMU");
	struct utsname host = { .machine = "x86_64" };

	if (chosen && *chosen)
		return chosen;
	uname(&host);
	for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
		if (strcmp(host.machine, names[i].machine) == 0)
			return names[i].qemu;
	return "qemu-system-x86_64";
}

/**
 * exm_cache_directory() - Where what can be found out again is kept
 *
 * Return: /var/cache/exomem for root, else a folder of $XDG_CACHE_HOME (transfer full).
 */
char *exm_cache_directory(void)
{
	const char *home = g_getenv("XDG_CACHE_HOME");

	if (home && *home)
		return g_build_filename(home, "exomem", NULL);
	if (geteuid() == 0)
		return g_strdup("/var/cache/exomem");
	return g_build_filename(g_get_user_cache_dir(), "exomem", NULL);
}

/**
 * exm_state_directory() - Where guests' directories are
 * @chosen:        --state-dir, or NULL
 * @ret_directory: absolute path (transfer full)
 * @error:         USAGE where neither the option nor the environment says
 */
bool exm_state_directory(const char *chosen, char **ret_directory, GError **error)
{
	const char *runtime = g_getenv("XDG_RUNTIME_DIR");

	if (chosen && !*chosen)
		return exm_throw(error, EXM_ERROR_USAGE, "'--state-dir' is empty");
	if (chosen)
		*ret_directory = g_canonicalize_filename(chosen, NULL);
	else if (geteuid() == 0)
		*ret_directory = g_strdup("/run/exomem");
	else if (runtime && *runtime)
		*ret_directory = g_build_filename(runtime, "exomem", NULL);
	else
		return exm_throw(error, EXM_ERROR_USAGE,
		                 "XDG_RUNTIME_DIR is not set: name a directory by --state-dir");
	return true;
}

/**
 * exm_state_directory_for_change() - Where guests' directories are, for a verb that changes guests
 * @chosen:        --state-dir, or NULL
 * @dry_run:       nothing is changed, so that what was killed stays as it is
 * @ret_directory: absolute path (transfer full)
 * @error:         USAGE where neither the option nor the environment says
 *
 * Saves, forks and migrations that were killed are undone or completed, with a warning for each.
 */
bool exm_state_directory_for_change(const char *chosen, bool dry_run, char **ret_directory,
                                    GError **error)
{
	if (!exm_state_directory(chosen, ret_directory, error))
		return false;
	if (!dry_run)
		exm_op_recover(*ret_directory, exm_output_warning);
	return true;
}

/**
 * exm_templates_directory() - Where templates are that are called by their names
 * @chosen: --templates, or NULL
 *
 * Return: absolute path (transfer full).
 */
char *exm_templates_directory(const char *chosen)
{
	if (chosen)
		return g_canonicalize_filename(chosen, NULL);
	if (geteuid() == 0)
		return g_strdup("/var/lib/exomem/templates");
	return g_build_filename(g_get_user_data_dir(), "exomem", "templates", NULL);
}

/**
 * exm_template_directory() - Where a template is that the user named
 * @root:          --templates, or NULL
 * @word:          a name, or a path, which has a slash in it
 * @ret_directory: absolute path (transfer full)
 * @error:         USAGE where it can be neither
 */
bool exm_template_directory(const char *root, const char *word, char **ret_directory, GError **error)
{
	g_autofree char *templates = exm_templates_directory(root);
	g_autofree char *directory = strchr(word, '/') ? g_canonicalize_filename(word, NULL)
	                                               : g_build_filename(templates, word, NULL);
	g_autofree char *name = g_path_get_basename(directory);

	/* Nothing at all would be the directory of them all. */
	if (!exm_name_check(*word ? name : word, error))
		return false;
	*ret_directory = g_steal_pointer(&directory);
	return true;
}

/**
 * exm_config_load() - Read the configuration, and warn of what is not known in it
 * @chosen:   --config, or NULL
 * @recorded: --facts, or NULL
 * @error:    as for exm_op_config_read()
 *
 * Return: the configuration (transfer full), or NULL.
 */
ExmConfig *exm_config_load(const char *chosen, const char *const *recorded, GError **error)
{
	g_autofree char *own = g_build_filename(g_get_user_config_dir(), "exomem", "exomem.conf",
	                                        NULL);
	const char *const files[] = { "/etc/exomem/exomem.conf", own, NULL };
	const ExmConfigSource source = { chosen, files, recorded };
	ExmConfig *config = exm_op_config_read(&source, error);

	for (guint i = 0; config && i < config->warnings->len; i++)
		exm_output_warning(config->warnings->pdata[i]);
	return config;
}

/**
 * exm_store_read() - What the configuration says of guests' memory
 * @config: the configuration
 * @error:  USAGE where a value cannot be
 *
 * Return: what it says (transfer full), or NULL.
 */
ExmMemoryConfig *exm_store_read(const ExmConfig *config, GError **error)
{
	g_autofree char *own = g_build_filename(g_get_user_data_dir(), "exomem", "ram", NULL);

	return exm_memory_config_new(config, geteuid() == 0 ? "/var/lib/exomem/ram" : own, error);
}

/**
 * exm_store_load() - What the configuration says of guests' memory, where it can be so
 * @config:    the configuration
 * @ret_store: what it says (transfer full), or NULL where file backing is off
 * @error:     USAGE where a value cannot be
 */
bool exm_store_load(const ExmConfig *config, ExmMemoryConfig **ret_store, GError **error)
{
	g_autoptr(ExmMemoryConfig) store = exm_store_read(config, error);
	g_autoptr(GPtrArray) findings = exm_findings_new();

	if (!store)
		return false;
	*ret_store = NULL;
	if (store->capacity == 0)
		return true;
	exm_memory_config_check(store, findings);
	if (!exm_findings_throw(findings, error))
		return false;
	*ret_store = g_steal_pointer(&store);
	return true;
}

/**
 * exm_claims_directory() - Where it is remembered who has which persistent memory
 * @chosen: --claims, or NULL
 *
 * One for all users, as the devices are.
 *
 * Return: absolute path (transfer full).
 */
char *exm_claims_directory(const char *chosen)
{
	return chosen ? g_canonicalize_filename(chosen, NULL) : g_strdup("/var/lib/exomem/pmem");
}
