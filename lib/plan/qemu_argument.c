/* SPDX-License-Identifier: GPL-2.0-or-later */
/* qemu_argument.c - Options that name things of the host: files, ports, programs, devices */

#include "plan/qemu_argument.h"

#include <string.h>

/* How the argument of an option is written. */
typedef enum {
	WRITTEN_NOT_AT_ALL,
	WRITTEN_WHOLE,
	WRITTEN_AS_LIST,
	WRITTEN_AS_CHARDEV,
} Writing;

/**
 * struct Option - An option that is looked into
 * @name:    canonical name
 * @family:  name of the rules that it shares with others
 * @writing: how its argument is written
 * @first:   key of the argument's first part: what says of which kind the rest is
 */
typedef struct {
	const char *name;
	const char *family;
	Writing writing;
	const char *first;
} Option;

/* QEMU, *.c: .implied_opt_name of each QemuOptsList */
static const Option options[] = {
	{ "D", "D", WRITTEN_WHOLE },
	{ "L", "data", WRITTEN_WHOLE },
	{ "acpitable", "acpitable", WRITTEN_AS_LIST, "acpi" },
	{ "add-fd", "add-fd", WRITTEN_AS_LIST },
	{ "audiodev", "audiodev", WRITTEN_AS_LIST, "driver" },
	{ "bios", "data", WRITTEN_WHOLE },
	{ "blockdev", "blockdev", WRITTEN_AS_LIST, "driver" },
	{ "chardev", "chardev", WRITTEN_AS_LIST, "backend" },
	{ "curses", "curses", WRITTEN_NOT_AT_ALL },
	{ "debugcon", "chardev", WRITTEN_AS_CHARDEV, "backend" },
	{ "device", "device", WRITTEN_AS_LIST, "driver" },
	{ "display", "display", WRITTEN_AS_LIST, "type" },
	{ "drive", "drive", WRITTEN_AS_LIST },
	{ "dtb", "data", WRITTEN_WHOLE },
	{ "fsdev", "fsdev", WRITTEN_AS_LIST, "fsdriver" },
	{ "fw_cfg", "fw_cfg", WRITTEN_AS_LIST, "name" },
	{ "gdb", "chardev", WRITTEN_AS_CHARDEV, "backend" },
	{ "icount", "icount", WRITTEN_AS_LIST, "shift" },
	{ "incoming", "incoming", WRITTEN_WHOLE, "path" },
	{ "initrd", "data", WRITTEN_WHOLE },
	{ "kernel", "data", WRITTEN_WHOLE },
	{ "monitor", "chardev", WRITTEN_AS_CHARDEV, "backend" },
	{ "net", "netdev", WRITTEN_AS_LIST, "type" },
	{ "netdev", "netdev", WRITTEN_AS_LIST, "type" },
	{ "nic", "netdev", WRITTEN_AS_LIST, "type" },
	{ "nographic", "nographic", WRITTEN_NOT_AT_ALL },
	{ "object", "object", WRITTEN_AS_LIST, "qom-type" },
	{ "option-rom", "option-rom", WRITTEN_AS_LIST, "romfile" },
	{ "parallel", "chardev", WRITTEN_AS_CHARDEV, "backend" },
	{ "pidfile", "pidfile", WRITTEN_WHOLE },
	{ "plugin", "plugin", WRITTEN_AS_LIST, "file" },
	{ "qmp", "chardev", WRITTEN_AS_CHARDEV, "backend" },
	{ "qmp-pretty", "chardev", WRITTEN_AS_CHARDEV, "backend" },
	{ "qtest", "chardev", WRITTEN_AS_CHARDEV, "backend" },
	{ "qtest-log", "qtest-log", WRITTEN_WHOLE },
	{ "readconfig", "readconfig", WRITTEN_WHOLE },
	{ "run-with", "run-with", WRITTEN_AS_LIST },
	{ "runas", "runas", WRITTEN_WHOLE },
	{ "s", "s", WRITTEN_NOT_AT_ALL },
	{ "serial", "chardev", WRITTEN_AS_CHARDEV, "backend" },
	{ "smbios", "smbios", WRITTEN_AS_LIST },
	{ "spice", "spice", WRITTEN_AS_LIST },
	{ "tpmdev", "tpmdev", WRITTEN_AS_LIST, "type" },
	{ "trace", "trace", WRITTEN_AS_LIST, "enable" },
	{ "virtfs", "fsdev", WRITTEN_AS_LIST, "fsdriver" },
	{ "vnc", "vnc", WRITTEN_AS_LIST, "vnc" },
};

static const Option *find_option(const char *name)
{
	for (size_t i = 0; i < G_N_ELEMENTS(options); i++)
		if (strcmp(options[i].name, name) == 0)
			return &options[i];
	return NULL;
}

static GPtrArray *read_keys(const ExmQemuWord *word, const Option *option, const char *argument)
{
	switch (option->writing) {
	case WRITTEN_WHOLE:
		return exm_qemu_keys_read_whole(word->word, argument);
	case WRITTEN_AS_LIST:
		return exm_qemu_keys_read(argument, option->first);
	case WRITTEN_AS_CHARDEV:
		return exm_qemu_keys_read_chardev(argument);
	case WRITTEN_NOT_AT_ALL:
		break;
	}
	return exm_qemu_keys_read("", NULL);
}

/* QEMU, system/vl.c, parse_display(): "-display vnc=:1" is "-vnc :1" */
static const char *vnc_of_display(const ExmQemuWord *word)
{
	if (!exm_qemu_word_is(word, "display") || !g_str_has_prefix(word->value, "vnc="))
		return NULL;
	return word->value + strlen("vnc=");
}

/**
 * exm_qemu_argument_read() - Read the argument of an option that names things of the host
 * @word:         of a command line
 * @ret_argument: what it says (transfer full); the names in it are valid as long as @word
 *
 * Return: whether it is such an option.
 */
bool exm_qemu_argument_read(const ExmQemuWord *word, ExmQemuArgument *ret_argument)
{
	const char *vnc = vnc_of_display(word);
	const char *name = word->option ? exm_qemu_option_canonical(word->option) : "";
	const Option *option = find_option(vnc ? "vnc" : name);
	GPtrArray *keys;
	const char *driver;

	if (!option)
		return false;
	keys = read_keys(word, option, vnc ? vnc : word->value);
	driver = option->first ? exm_qemu_keys_get(keys, option->first) : NULL;
	*ret_argument = (ExmQemuArgument){
		.name = option->name,
		.family = option->family,
		.driver = driver ? driver : "",
		.keys = keys,
	};
	return true;
}

/**
 * exm_qemu_argument_clear() - Free what an argument says
 * @argument: may be empty
 */
void exm_qemu_argument_clear(ExmQemuArgument *argument)
{
	if (argument->keys)
		g_ptr_array_unref(argument->keys);
	*argument = (ExmQemuArgument){ 0 };
}
