/* SPDX-License-Identifier: GPL-2.0-or-later */
/* detach.c - What a guest without a terminal has in place of standard input and output */

#include "plan/detach.h"

#include <string.h>

#include "base/error.h"
#include "base/keyval.h"
#include "plan/qemu_keys.h"

/* Which sockets a use of standard input and output asks for. */
enum {
	NEEDS_CONSOLE = 1 << 0,
	NEEDS_CONSOLE_MONITOR = 1 << 1,
	NEEDS_MONITOR = 1 << 2,
	NEEDS_QMP = 1 << 3,
};

/* Uses of standard input and output as a whole argument, and what stands in for them. */
static const struct {
	const char *option;
	const char *value;
	const char *replacement;
	unsigned int needs;
} uses[] = {
	{ "serial", "stdio", "chardev:exomem-console", NEEDS_CONSOLE },
	{ "serial", "mon:stdio", "chardev:exomem-console", NEEDS_CONSOLE | NEEDS_CONSOLE_MONITOR },
	{ "parallel", "stdio", "chardev:exomem-console", NEEDS_CONSOLE },
	{ "debugcon", "stdio", "chardev:exomem-console", NEEDS_CONSOLE },
	{ "monitor", "stdio", "chardev:exomem-monitor", NEEDS_MONITOR },
	{ "qmp", "stdio", "chardev:exomem-qmp", NEEDS_QMP },
	{ "qmp-pretty", "stdio", "chardev:exomem-qmp", NEEDS_QMP },
};

static const char *name_of(const ExmQemuWord *word)
{
	return word->option ? exm_qemu_option_canonical(word->option) : "";
}

static bool is_monitor_object(const ExmQemuWord *word)
{
	g_autoptr(GPtrArray) keys = NULL;
	const char *type;

	if (!exm_qemu_word_is(word, "object"))
		return false;
	keys = exm_qemu_keys_read(word->value, "qom-type");
	type = exm_qemu_keys_get(keys, "qom-type");
	return g_strcmp0(type, "monitor-hmp") == 0 || g_strcmp0(type, "monitor-qmp") == 0;
}

/* Whether a word takes QEMU's default monitor away (system/vl.c, default_monitor). */
static bool replaces_monitor(const ExmQemuWord *word)
{
	static const char *const options[] = { "mon", "monitor", "qmp", "qmp-pretty", NULL };
	static const char *const ports[] = { "serial", "parallel", NULL };
	const char *name = name_of(word);

	return g_strv_contains(options, name) || is_monitor_object(word) ||
	       (g_strv_contains(ports, name) && g_str_has_prefix(word->value, "mon:"));
}

/* The row of uses[] that a word is, or -1. */
static int find_use(const ExmQemuWord *word)
{
	for (size_t i = 0; i < G_N_ELEMENTS(uses); i++)
		if (exm_qemu_word_is(word, uses[i].option) && strcmp(word->value, uses[i].value) == 0)
			return (int)i;
	return -1;
}

static bool is_stdio_chardev(const ExmQemuWord *word)
{
	return exm_qemu_word_is(word, "chardev") &&
	       (strcmp(word->value, "stdio") == 0 || g_str_has_prefix(word->value, "stdio,"));
}

static bool wants_screen(const ExmQemuWord *word)
{
	return exm_qemu_word_is(word, "curses") ||
	       (exm_qemu_word_is(word, "display") && g_str_has_prefix(word->value, "curses"));
}

/* -nographic puts what nobody has placed elsewhere on standard input and output. */
static void add_defaults(const ExmQemuLine *line, ExmDetachment *detachment)
{
	bool nographic = false;
	bool serial = false;
	bool monitor = false;

	for (guint i = 0; i < line->words->len; i++) {
		const ExmQemuWord *word = line->words->pdata[i];

		nographic = nographic || exm_qemu_word_is(word, "nographic");
		serial = serial || exm_qemu_word_is(word, "serial");
		monitor = monitor || replaces_monitor(word);
		/* QEMU, system/vl.c: -nodefaults takes both away */
		if (exm_qemu_word_is(word, "nodefaults"))
			serial = monitor = true;
	}
	if (!nographic)
		return;
	detachment->console_default = !serial;
	detachment->console = detachment->console || !serial;
	detachment->console_monitor = detachment->console_monitor || (!serial && !monitor);
	detachment->monitor_default = serial && !monitor && !detachment->console_monitor;
	detachment->monitor = detachment->monitor || detachment->monitor_default;
}

static bool add_word(const ExmQemuWord *word, ExmDetachment *detachment, GError **error)
{
	const int use = find_use(word);
	const unsigned int needs = use < 0 ? 0 : uses[use].needs;

	if (wants_screen(word))
		return exm_throw(error, EXM_ERROR_USAGE,
		                 "'%s%s%s' needs a terminal, which a detached guest has not",
		                 word->word, word->value ? " " : "", word->value ? word->value : "");
	detachment->console = detachment->console || needs & NEEDS_CONSOLE;
	detachment->console_monitor = detachment->console_monitor || needs & NEEDS_CONSOLE_MONITOR;
	detachment->monitor = detachment->monitor || needs & NEEDS_MONITOR;
	detachment->qmp = detachment->qmp || needs & NEEDS_QMP;
	if (is_stdio_chardev(word)) {
		detachment->console = true;
		detachment->console_chardev = word->value;
	}
	return true;
}

/**
 * exm_detachment_new() - Which sockets a command line needs when its terminal goes
 * @line:           QEMU's command line
 * @ret_detachment: borrows from the line
 * @error:          USAGE where it draws on a terminal
 */
bool exm_detachment_new(const ExmQemuLine *line, ExmDetachment *ret_detachment, GError **error)
{
	ExmDetachment detachment = { 0 };

	for (guint i = 0; i < line->words->len; i++)
		if (!add_word(line->words->pdata[i], &detachment, error))
			return false;
	add_defaults(line, &detachment);
	*ret_detachment = detachment;
	return true;
}

/* The numbers of a match such as "9" or "9:10". */
static void add_numbers(const char *text, GArray *fds)
{
	g_auto(GStrv) numbers = g_strsplit(text, ":", -1);

	for (char **number = numbers; *number; number++) {
		guint64 value;

		if (g_ascii_string_to_unsigned(*number, 10, 0, G_MAXINT, &value, NULL)) {
			const int fd = (int)value;

			g_array_append_val(fds, fd);
		}
	}
}

/**
 * exm_detach_named_fds() - The descriptors that a command line may name
 * @argv: QEMU's command line, whose last element may be NULL
 *
 * QEMU takes them as fd=9, vhostfd=9, fds=9:10, fd:9, /dev/fd/9 and addr.str=9, and the same in
 * JSON. A number too many does no harm.
 *
 * Return: of int (transfer full).
 */
GArray *exm_detach_named_fds(const GPtrArray *argv)
{
	static const char pattern[] = "(?:fds?|str)\"?\\s*[:=/]\\s*\"?([0-9][0-9:]*)";
	g_autoptr(GRegex) regex = g_regex_new(pattern, G_REGEX_RAW, 0, NULL);
	GArray *fds = g_array_new(FALSE, FALSE, sizeof(int));

	for (guint i = 0; i < argv->len && argv->pdata[i]; i++) {
		g_autoptr(GMatchInfo) match = NULL;

		for (g_regex_match(regex, argv->pdata[i], 0, &match); g_match_info_matches(match);
		     g_match_info_next(match, NULL)) {
			g_autofree char *numbers = g_match_info_fetch(match, 1);

			add_numbers(numbers, fds);
		}
	}
	return fds;
}

/**
 * exm_detach_has_config() - Whether a command line reads a configuration file of the user
 * @argv: QEMU's command line, whose last element may be NULL
 * @own:  the configuration file that exomem writes, or NULL
 *
 * Such a file may name descriptors too.
 */
bool exm_detach_has_config(const GPtrArray *argv, const char *own)
{
	for (guint i = 0; i + 1 < argv->len; i++) {
		const char *option = argv->pdata[i];
		const char *value = argv->pdata[i + 1];

		if (value && g_str_has_suffix(option, "-readconfig") && g_strcmp0(value, own) != 0)
			return true;
	}
	return false;
}

/**
 * exm_detach_chardev() - A character device that is a socket and perhaps logs what it says
 * @id:  its id
 * @fd:  a listening socket that QEMU inherits
 * @mux: several front ends share it
 * @log: what it says also goes to standard output
 *
 * Return: the argument of -chardev (transfer full).
 */
char *exm_detach_chardev(const char *id, int fd, bool mux, bool log)
{
	return g_strdup_printf("socket,id=%s,fd=%d,server=on,wait=off%s%s", id, fd,
	                       mux ? ",mux=on" : "",
	                       log ? ",logfile=/proc/self/fd/1,logappend=on" : "");
}

/* The user's -chardev stdio as a socket; its id, and whether it is shared, stay. */
static char *rewrite_chardev(const char *value, int fd)
{
	g_autoptr(GPtrArray) pairs = exm_keyval_split(value);
	const char *id = exm_keyval_get(pairs, "id");

	return exm_detach_chardev(id ? id : "", fd,
	                          g_strcmp0(exm_keyval_get(pairs, "mux"), "on") == 0, true);
}

/**
 * exm_detach_value() - What a word's argument is for a detached guest
 * @word:       a word of QEMU's command line
 * @console_fd: listening socket of the console
 *
 * Return: the argument (transfer full), or NULL where it stays as it is.
 */
char *exm_detach_value(const ExmQemuWord *word, int console_fd)
{
	const int use = find_use(word);

	if (use >= 0)
		return g_strdup(uses[use].replacement);
	return is_stdio_chardev(word) ? rewrite_chardev(word->value, console_fd) : NULL;
}
