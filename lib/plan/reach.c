/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reach.c - What a QEMU command line does to the host: programs, files, networks */

#include "plan/reach.h"

#include <stdbool.h>
#include <string.h>

#include "plan/qemu_argument.h"

/**
 * struct Rule - An argument that reaches beyond the guest
 * @family:  of the option
 * @driver:  pattern of its kind; NULL for any
 * @key:     key that it must have; NULL for none
 * @applies: what the key's value, or NULL, must be; NULL for anything
 * @text:    what it does
 */
typedef struct {
	const char *family;
	const char *driver;
	const char *key;
	bool (*applies)(const char *value);
	const char *text;
} Rule;

#define PROGRAM "starts a program"
#define CODE    "loads code"
#define OPTIONS "takes options from a file"
#define WRITES  "writes to a file"
#define READS   "gives the guest what a file holds"
#define FOLDER  "gives the guest a directory of the host"
#define DEVICE  "gives the guest a device of the host"
#define NETWORK "reaches the network"
#define SOCKET  "reaches a program by a socket"

/* "no" is how to have none (QEMU, net/tap.c). */
static bool is_program(const char *value)
{
	return strcmp(value, "no") != 0;
}

static bool is_command(const char *value)
{
	return strstr(value, "cmd:") || g_str_has_prefix(value, "exec:");
}

static bool is_remote(const char *value)
{
	return strstr(value, "://") || g_str_has_prefix(value, "nbd:") ||
	       g_str_has_prefix(value, "ssh:");
}

/* QEMU, net/tap.c: without 'script' it starts /etc/qemu-ifup, which is root's. */
static const Rule rules[] = {
	{ "netdev", "tap", "script", is_program, PROGRAM },
	{ "netdev", "tap", "downscript", is_program, PROGRAM },
	{ "netdev", "*", "helper", NULL, PROGRAM },
	{ "netdev", "passt", NULL, NULL, PROGRAM },
	{ "netdev", "*", "smb", NULL, PROGRAM },
	{ "netdev", "*", "guestfwd", is_command, PROGRAM },
	{ "netdev", "*", "tftp", NULL, FOLDER },
	{ "incoming", NULL, "path", is_command, PROGRAM },
	{ "plugin", NULL, NULL, NULL, CODE },
	{ "readconfig", NULL, NULL, NULL, OPTIONS },
	{ "fsdev", NULL, NULL, NULL, FOLDER },
	{ "D", NULL, NULL, NULL, WRITES },
	{ "pidfile", NULL, NULL, NULL, WRITES },
	{ "qtest-log", NULL, NULL, NULL, WRITES },
	{ "trace", NULL, "file", NULL, WRITES },
	{ "icount", NULL, "rrfile", NULL, WRITES },
	{ "audiodev", "wav", NULL, NULL, WRITES },
	{ "object", "filter-dump", NULL, NULL, WRITES },
	{ "chardev", "*", "logfile", NULL, WRITES },
	{ "chardev", "file", NULL, NULL, WRITES },
	{ "chardev", "pipe", NULL, NULL, WRITES },
	{ "chardev", "parallel", NULL, NULL, DEVICE },
	{ "chardev", "parport", NULL, NULL, DEVICE },
	{ "chardev", "serial", NULL, NULL, DEVICE },
	{ "chardev", "tty", NULL, NULL, DEVICE },
	{ "chardev", "socket", "path", NULL, SOCKET },
	{ "chardev", "socket", NULL, NULL, NETWORK },
	{ "chardev", "udp", NULL, NULL, NETWORK },
	{ "netdev", "vhost-user", NULL, NULL, SOCKET },
	{ "netdev", "none", NULL, NULL, NULL },
	{ "netdev", "nic", NULL, NULL, NULL },
	{ "netdev", "hubport", NULL, NULL, NULL },
	{ "netdev", "*", NULL, NULL, NETWORK },
	{ "vnc", "none", NULL, NULL, NULL },
	{ "vnc", NULL, NULL, NULL, NETWORK },
	{ "spice", NULL, NULL, NULL, NETWORK },
	{ "s", NULL, NULL, NULL, NETWORK },
	{ "drive", NULL, "file", is_remote, NETWORK },
	{ "blockdev", "nbd", NULL, NULL, NETWORK },
	{ "blockdev", "nfs", NULL, NULL, NETWORK },
	{ "blockdev", "http*", NULL, NULL, NETWORK },
	{ "blockdev", "ftp*", NULL, NULL, NETWORK },
	{ "blockdev", "ssh", NULL, NULL, NETWORK },
	{ "blockdev", "iscsi", NULL, NULL, NETWORK },
	{ "blockdev", "rbd", NULL, NULL, NETWORK },
	{ "blockdev", "gluster", NULL, NULL, NETWORK },
	{ "fw_cfg", NULL, "file", NULL, READS },
	{ "device", "vfio-*", NULL, NULL, DEVICE },
	{ "device", "usb-host", NULL, NULL, DEVICE },
	{ "device", "vhost-user-*", NULL, NULL, SOCKET },
	{ "object", "input-linux", NULL, NULL, DEVICE },
	{ "object", "pr-manager-helper", NULL, NULL, SOCKET },
	{ "tpmdev", "passthrough", NULL, NULL, DEVICE },
};

static bool fits(const Rule *rule, const ExmQemuArgument *argument)
{
	const char *value = rule->key ? exm_qemu_keys_get(argument->keys, rule->key) : NULL;

	return strcmp(rule->family, argument->family) == 0 &&
	       (!rule->driver || g_pattern_match_simple(rule->driver, argument->driver)) &&
	       (!rule->key || value) && (!rule->applies || rule->applies(value));
}

/* What the first rule that fits says, or NULL. */
static const char *find_rule(const ExmQemuArgument *argument)
{
	for (size_t i = 0; i < G_N_ELEMENTS(rules); i++)
		if (fits(&rules[i], argument))
			return rules[i].text;
	return NULL;
}

/**
 * exm_reach_find() - What of a command line starts programs, writes to files or reaches the network
 * @command: the words for QEMU
 *
 * The table knows the options of QEMU that do; one that it does not know is not named. So it helps
 * a reader and decides nothing. Disks and kernels are not named either: the guest is made of them.
 *
 * Return: for each such option a line (transfer full): "starts a program: -netdev tap,script=x";
 * for a command line that cannot be read, why not.
 */
char **exm_reach_find(const char *const *command)
{
	g_autoptr(GStrvBuilder) lines = g_strv_builder_new();
	g_autoptr(GError) reason = NULL;
	g_autoptr(ExmQemuLine) line = exm_qemu_line_parse(command, &reason);

	if (!line)
		g_strv_builder_add(lines, reason->message);
	for (guint i = 0; line && i < line->words->len; i++) {
		const ExmQemuWord *word = line->words->pdata[i];
		g_auto(ExmQemuArgument) argument = { 0 };
		g_autofree char *text = exm_qemu_word_text(word);
		const char *what = exm_qemu_argument_read(word, &argument) ? find_rule(&argument)
		                                                           : NULL;
		g_autofree char *found = what ? g_strdup_printf("%s: %s", what, text) : NULL;

		if (found)
			g_strv_builder_add(lines, found);
	}
	return g_strv_builder_end(lines);
}
