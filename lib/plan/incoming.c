/* SPDX-License-Identifier: GPL-2.0-or-later */
/* incoming.c - The argument of -incoming: in which file the state is, if in one */

#include "plan/incoming.h"

#include <stdbool.h>
#include <string.h>

#include "base/size.h"

static const char *const format_names[] = { "auto", "qemu", "xen" };

const ExmEnumTable exm_state_formats = { "state format", format_names, G_N_ELEMENTS(format_names) };

#define BLANKS " \t"

/* What a shell may take for more than text, some of it even between quotes. */
#define SHELL_SPECIAL "$`\\*?[]{}~#&|;()<>\n"

/* Files that are others in another process; the first is /dev/fdset, too, which is QEMU's own. */
static const char *const process_files[] = { "/dev/fd", "/dev/std", "/proc/" };

static ExmIncomingFile *file_new(char *path, int fd, uint64_t offset)
{
	ExmIncomingFile *file = g_new0(ExmIncomingFile, 1);

	file->path = path;
	file->fd = fd;
	file->offset = offset;
	return file;
}

/* The file of "cat FILE" or "cat <FILE"; NULL for another command, or one that may mean more. */
static char *find_in_command(const char *command)
{
	g_auto(GStrv) words = NULL;
	int count;

	command += strspn(command, BLANKS);
	if (!g_str_has_prefix(command, "cat"))
		return NULL;
	command += strlen("cat");
	if (!*command || !strchr(BLANKS "<", *command))
		return NULL;
	command += strspn(command, BLANKS);
	if (*command == '<')
		command++;
	/* Without those characters GLib reads words as a shell does. */
	if (strpbrk(command, SHELL_SPECIAL) || !g_shell_parse_argv(command, &count, &words, NULL) ||
	    count != 1 || words[0][0] == '-')
		return NULL;
	return g_strdup(words[0]);
}

static ExmIncomingFile *read_command(const char *command)
{
	char *path = find_in_command(command);

	return path ? file_new(path, -1, 0) : NULL;
}

/* QEMU, migration/file.c, file_parse_offset(): the first ",offset=" counts, wherever it stands. */
static ExmIncomingFile *read_file(const char *text)
{
	static const char key[] = ",offset=";
	const char *option = strstr(text, key);
	const char *value = option ? option + strlen(key) : "0";
	uint64_t offset = 0;

	/* A size is never zero to exm_size_parse(). */
	if (strcmp(value, "0") != 0 && !exm_size_parse(value, 1, &offset, NULL))
		return NULL;
	if (!option)
		return file_new(g_strdup(text), -1, 0);
	return file_new(g_strndup(text, (gsize)(option - text)), -1, offset);
}

/* What is no number is a name that QEMU's monitor gave to a descriptor. */
static ExmIncomingFile *read_descriptor(const char *text)
{
	guint64 fd;

	if (!g_ascii_string_to_unsigned(text, 10, 0, G_MAXINT, &fd, NULL))
		return NULL;
	return file_new(NULL, (int)fd, 0);
}

/* QEMU, migration/migration.c, migrate_uri_parse(): those whose source may be a plain file */
static const struct {
	const char *prefix;
	ExmIncomingFile *(*read)(const char *text);
} readers[] = {
	{ "exec:", read_command },
	{ "fd:", read_descriptor },
	{ "file:", read_file },
};

static bool is_of_process(const char *path)
{
	for (size_t i = 0; i < G_N_ELEMENTS(process_files); i++)
		if (g_str_has_prefix(path, process_files[i]))
			return true;
	return false;
}

/**
 * exm_incoming_file_new() - The file that a state comes from
 * @source: argument of -incoming
 *
 * Return: the file (transfer full), or NULL where the source is none or not surely understood.
 */
ExmIncomingFile *exm_incoming_file_new(const char *source)
{
	g_autoptr(ExmIncomingFile) file = NULL;

	for (size_t i = 0; i < G_N_ELEMENTS(readers); i++)
		if (g_str_has_prefix(source, readers[i].prefix))
			file = readers[i].read(source + strlen(readers[i].prefix));
	if (file && file->path && is_of_process(file->path))
		return NULL;
	return g_steal_pointer(&file);
}

/**
 * exm_incoming_file_print() - What a message, or a record of facts, calls the file
 * @file: the file
 *
 * Return: the text (transfer full).
 */
char *exm_incoming_file_print(const ExmIncomingFile *file)
{
	if (!file->path)
		return g_strdup_printf("fd:%d", file->fd);
	if (!file->offset)
		return g_strdup(file->path);
	return g_strdup_printf("%s,offset=%" G_GUINT64_FORMAT, file->path, file->offset);
}

/**
 * exm_incoming_file_free() - Free where a state is
 * @file: may be NULL
 */
void exm_incoming_file_free(ExmIncomingFile *file)
{
	if (!file)
		return;
	g_free(file->path);
	g_free(file);
}
