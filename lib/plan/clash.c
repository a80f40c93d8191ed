/* SPDX-License-Identifier: GPL-2.0-or-later */
/* clash.c - What two guests with the same command line cannot both have */

#include "plan/clash.h"

#include <string.h>

#include "plan/clash_cure.h"
#include "plan/detach.h"
#include "plan/identity.h"
#include "plan/qemu_argument.h"

/* Descriptors that any process has: input, output, errors. */
#define STANDARD_DESCRIPTORS 3

/**
 * struct Case - One word of the command line under examination
 * @line:    the command line
 * @word:    the word
 * @option:  its option and argument, read
 * @keys:    of @option
 * @driver:  of @option
 * @text:    option and argument, for messages
 * @clashes: of ExmClash, grows
 */
typedef struct {
	const ExmQemuLine *line;
	const ExmQemuWord *word;
	const ExmQemuArgument *option;
	const GPtrArray *keys;
	const char *driver;
	const char *text;
	GPtrArray *clashes;
} Case;

/* Rules whose whole argument clashes; the first that fits counts. */
typedef struct {
	const char *family;
	const char *driver;
	ExmClashKind kind;
	bool (*applies)(const Case *c);
	const char *text;
} WholeRule;

/* Rules of which one key's value clashes; each that fits counts. */
typedef struct {
	const char *family;
	const char *driver;
	const char *key;
	ExmClashForm form;
	bool (*applies)(const Case *c);
} KeyRule;

static void clash_free(gpointer data)
{
	ExmClash *clash = data;

	g_free(clash->argument);
	g_free(clash->message);
	g_free(clash);
}

static void add_clash(const Case *c, ExmClashKind kind, const char *text)
{
	ExmClash *clash = g_new0(ExmClash, 1);

	clash->kind = kind;
	clash->argument = g_strdup(c->text);
	clash->message = g_strdup_printf("'%s': %s", c->text, text);
	g_ptr_array_add(c->clashes, clash);
}

static bool wants_identity(const Case *c, const char *key)
{
	const char *value = exm_qemu_keys_get(c->keys, key);

	return value && exm_identity_is_wanted(value);
}

/* It listens, and not on the next port that is free. */
static bool is_server(const Case *c)
{
	/* QEMU, gdbstub/system.c, gdbserver_start(): TCP is always a server */
	const bool is_gdb = strcmp(c->option->name, "gdb") == 0 && exm_qemu_keys_get(c->keys, "port");

	return (is_gdb || exm_qemu_keys_is_on(c->keys, "server")) &&
	       !exm_qemu_keys_get(c->keys, "to") && !exm_qemu_keys_get(c->keys, "addr.to");
}

/* A software TPM serves one guest, though the guest calls it. */
static bool is_tpm(const Case *c)
{
	const char *id = exm_qemu_keys_get(c->keys, "id");

	for (guint i = 0; id && i < c->line->words->len; i++) {
		const ExmQemuWord *word = c->line->words->pdata[i];
		g_autoptr(GPtrArray) keys = NULL;

		if (!exm_qemu_word_is(word, "tpmdev"))
			continue;
		keys = exm_qemu_keys_read(word->value, "type");
		if (g_strcmp0(exm_qemu_keys_get(keys, "chardev"), id) == 0)
			return true;
	}
	return false;
}

static bool is_server_or_tpm(const Case *c)
{
	return is_server(c) || is_tpm(c);
}

/* QEMU, ui/vnc.c, vnc_display_open(): with 'reverse' it calls, with 'to' it looks for a free one */
static bool is_fixed_display(const Case *c)
{
	return !exm_qemu_keys_is_on(c->keys, "reverse") && !exm_qemu_keys_get(c->keys, "to");
}

static bool is_spice_socket(const Case *c)
{
	return exm_qemu_keys_is_on(c->keys, "unix");
}

static bool is_udp(const Case *c)
{
	return exm_qemu_keys_get(c->keys, "udp");
}

static bool is_recording(const Case *c)
{
	return g_strcmp0(exm_qemu_keys_get(c->keys, "rr"), "record") == 0;
}

static bool is_fixed_queue(const Case *c)
{
	return !wants_identity(c, "start-queue");
}

static bool is_terminal_in_use(const Case *c)
{
	ExmDetachment detachment = { 0 };

	return exm_detachment_new(c->line, &detachment, NULL) &&
	       (detachment.console_default || detachment.monitor_default);
}

static bool is_fixed_bus(const Case *c)
{
	return !wants_identity(c, "hostbus");
}

static bool is_usb_by_kind(const Case *c)
{
	return !exm_qemu_keys_get(c->keys, "hostport") && !exm_qemu_keys_get(c->keys, "hostaddr") &&
	       !exm_qemu_keys_get(c->keys, "hostdevice") && is_fixed_bus(c);
}

static bool has_no_path(const Case *c)
{
	return !exm_qemu_keys_get(c->keys, "path");
}

static bool is_reporting(const Case *c)
{
	return exm_qemu_keys_is_on(c->keys, "free-page-reporting");
}

static bool is_one_for_all(const Case *c)
{
	return !wants_identity(c, "path");
}

static bool is_shared(const Case *c)
{
	/* QEMU, backends/hostmem-memfd.c and hostmem-shm.c: shared where nothing is said */
	const bool by_default = strcmp(c->driver, "memory-backend-memfd") == 0 ||
	                        strcmp(c->driver, "memory-backend-shm") == 0;

	return exm_qemu_keys_is_on(c->keys, "share") ||
	       (by_default && !exm_qemu_keys_get(c->keys, "share"));
}

static bool is_shared_and_written(const Case *c)
{
	return is_shared(c) && !exm_qemu_keys_is_on(c->keys, "readonly");
}

static bool is_shared_without_file(const Case *c)
{
	return is_shared(c) && strcmp(c->driver, "memory-backend-file") != 0;
}

/*
 * Frames of the guest leave the host's process with the address that the guest has, and that comes
 * with the state of the card, whatever 'mac' says (QEMU, hw/net: it is in each card's VMState).
 * User networking and passt are the only ones that answer the guest themselves and put the host's
 * address in place of its own.
 */
static bool is_seen_by_others(const Case *c)
{
	static const char *const unseen[] = { "", "user", "none", "nic", "hubport", "passt", NULL };

	return !g_strv_contains(unseen, c->driver);
}

#define ONE_TERMINAL  "one guest can have the terminal: "
#define SHARES_MEMORY "another process would share the memory that a child has to itself: "
#define EMULATED      "use a device that QEMU emulates itself"

static const WholeRule whole_rules[] = {
	{ "curses", NULL, EXM_CLASH_TERMINAL, NULL, ONE_TERMINAL "write '-display vnc=:@{index}'" },
	{ "display", "curses", EXM_CLASH_TERMINAL, NULL,
	  ONE_TERMINAL "write '-display vnc=:@{index}'" },
	{ "nographic", NULL, EXM_CLASH_TERMINAL, is_terminal_in_use, ONE_TERMINAL "add '--detach'" },
	{ "gdb", "stdio", EXM_CLASH_TERMINAL, NULL, ONE_TERMINAL "write '-gdb tcp::@{index+1234}'" },
	{ "chardev", "stdio", EXM_CLASH_TERMINAL, NULL, ONE_TERMINAL "add '--detach'" },
	{ "s", NULL, EXM_CLASH_EXCLUSIVE, NULL,
	  "host port 1234 can be had once: write '-gdb tcp::@{index+1234}'" },
	{ "readconfig", NULL, EXM_CLASH_EXCLUSIVE, is_one_for_all,
	  "what it asks for is not seen here: write its options on the command line" },
	{ "device", "usb-host", EXM_CLASH_EXCLUSIVE, is_usb_by_kind,
	  "a USB device of the host can be had once: add 'hostport=@{index+1}'" },
	{ "audiodev", "wav", EXM_CLASH_EXCLUSIVE, has_no_path,
	  "'qemu.wav' can be had once: add 'path=qemu-@{name}.wav'" },
	{ "tpmdev", "passthrough", EXM_CLASH_EXCLUSIVE, has_no_path,
	  "the host's TPM can be had once: add 'path=/dev/tpm@{index}'" },
	{ "netdev", "vhost-user", EXM_CLASH_MEMORY, NULL, SHARES_MEMORY "use 'tap' with 'vhost=on'" },
	{ "netdev", NULL, EXM_CLASH_MAC, is_seen_by_others,
	  "a child has its parent's Ethernet address: use 'user', or clone with '--same-mac'" },
	{ "device", "vhost-user-fs*", EXM_CLASH_MEMORY, NULL, SHARES_MEMORY "use '-virtfs'" },
	{ "device", "vhost-user-*", EXM_CLASH_MEMORY, NULL, SHARES_MEMORY EMULATED },
	{ "device", "vfio-user*", EXM_CLASH_MEMORY, NULL, SHARES_MEMORY EMULATED },
	{ "device", "x-pci-proxy-dev", EXM_CLASH_MEMORY, NULL, SHARES_MEMORY EMULATED },
	{ "object", "x-remote-object", EXM_CLASH_MEMORY, NULL, SHARES_MEMORY "leave it out" },
	{ "object", "x-vfio-user-server", EXM_CLASH_MEMORY, NULL, SHARES_MEMORY "leave it out" },
	{ "object", "vhost-user-*", EXM_CLASH_MEMORY, NULL, SHARES_MEMORY "leave it out" },
	{ "object", "cryptodev-vhost-user", EXM_CLASH_MEMORY, NULL,
	  SHARES_MEMORY "use 'cryptodev-backend-builtin'" },
	{ "device", "ivshmem*", EXM_CLASH_MEMORY, NULL,
	  "memory that guests share cannot be cloned: leave it out" },
	{ "object", "memory-backend-file", EXM_CLASH_MEMORY, is_shared_and_written,
	  "all children would write one file: write 'share=off' or 'readonly=on'" },
	/* QEMU, migration/ram.c, before 8.1: x-ignore-shared left out all that is shared */
	{ "object", "memory-backend-*", EXM_CLASH_STATE, is_shared_without_file,
	  "QEMU may leave shared memory out of the stream: use 'memory-backend-ram,share=off'" },
	/* QEMU, hw/virtio/virtio-pmem.c: no VMState, no vmstate_register_ram() */
	{ "device", "virtio-pmem*", EXM_CLASH_STATE, NULL,
	  "what it holds is not in the stream: use 'nvdimm' on a backend with 'share=off'" },
	{ "device", "virtio-balloon*", EXM_CLASH_BALLOON, is_reporting,
	  "what a child frees is not its own but the template's: write 'free-page-reporting=off'" },
	{ "device", "virtio-balloon*", EXM_CLASH_BALLOON, NULL,
	  "what it takes from a child is not the child's own but the template's: leave it out" },
};

static const KeyRule key_rules[] = {
	{ "D", NULL, "path", EXM_CLASH_LOG, NULL },
	{ "audiodev", "wav", "path", EXM_CLASH_PATH, NULL },
	{ "chardev", "file", "path", EXM_CLASH_PATH, NULL },
	{ "chardev", "parallel", "path", EXM_CLASH_NUMBERED, NULL },
	{ "chardev", "parport", "path", EXM_CLASH_NUMBERED, NULL },
	{ "chardev", "pipe", "path", EXM_CLASH_PATH, NULL },
	{ "chardev", "pty", "path", EXM_CLASH_PATH, NULL },
	{ "chardev", "serial", "path", EXM_CLASH_NUMBERED, NULL },
	{ "chardev", "socket", "path", EXM_CLASH_PATH, is_server_or_tpm },
	{ "chardev", "socket", "port", EXM_CLASH_PORT, is_server },
	{ "chardev", "tty", "path", EXM_CLASH_NUMBERED, NULL },
	{ "chardev", "udp", "localport", EXM_CLASH_PORT, NULL },
	{ "chardev", NULL, "logfile", EXM_CLASH_PATH, NULL },
	{ "device", "usb-host", "hostaddr", EXM_CLASH_NUMBERED, is_fixed_bus },
	{ "device", "usb-host", "hostdevice", EXM_CLASH_NUMBERED, NULL },
	{ "device", "usb-host", "hostport", EXM_CLASH_NUMBERED, is_fixed_bus },
	{ "device", "vfio-*", "host", EXM_CLASH_NUMBERED, NULL },
	{ "device", "vfio-*", "sysfsdev", EXM_CLASH_NUMBERED, NULL },
	{ "device", "vhost-scsi*", "wwpn", EXM_CLASH_NUMBERED, NULL },
	{ "device", "vhost-vdpa-*", "vhostdev", EXM_CLASH_NUMBERED, NULL },
	{ "device", "vhost-vsock-*", "guest-cid", EXM_CLASH_NUMBER, NULL },
	{ "icount", NULL, "rrfile", EXM_CLASH_PATH, is_recording },
	{ "netdev", "af-xdp", "ifname", EXM_CLASH_NUMBERED, is_fixed_queue },
	{ "netdev", "dgram", "local.path", EXM_CLASH_PATH, NULL },
	{ "netdev", "dgram", "local.port", EXM_CLASH_PORT, NULL },
	{ "netdev", "l2tpv3", "srcport", EXM_CLASH_PORT, NULL },
	{ "netdev", "l2tpv3", "txsession", EXM_CLASH_NUMBER, NULL },
	{ "netdev", "netmap", "ifname", EXM_CLASH_NUMBERED, NULL },
	{ "netdev", "passt", "tcp-ports", EXM_CLASH_PORTS, NULL },
	{ "netdev", "passt", "udp-ports", EXM_CLASH_PORTS, NULL },
	{ "netdev", "socket", "listen", EXM_CLASH_ADDRESS, NULL },
	/* With 'mcast' it is no more than the address of an interface. */
	{ "netdev", "socket", "localaddr", EXM_CLASH_ADDRESS, is_udp },
	{ "netdev", "stream", "addr.path", EXM_CLASH_PATH, is_server },
	{ "netdev", "stream", "addr.port", EXM_CLASH_PORT, is_server },
	{ "netdev", "tap", "ifname", EXM_CLASH_NUMBERED, NULL },
	{ "netdev", "vhost-vdpa", "vhostdev", EXM_CLASH_NUMBERED, NULL },
	{ "netdev", NULL, "hostfwd", EXM_CLASH_FORWARD, NULL },
	{ "object", "filter-dump", "file", EXM_CLASH_PATH, NULL },
	{ "object", "input-linux", "evdev", EXM_CLASH_NUMBERED, NULL },
	{ "pidfile", NULL, "path", EXM_CLASH_PATH, NULL },
	{ "qtest-log", NULL, "path", EXM_CLASH_PATH, NULL },
	{ "spice", NULL, "addr", EXM_CLASH_PATH, is_spice_socket },
	{ "spice", NULL, "port", EXM_CLASH_PORT, NULL },
	{ "spice", NULL, "tls-port", EXM_CLASH_PORT, NULL },
	{ "tpmdev", "passthrough", "path", EXM_CLASH_NUMBERED, NULL },
	{ "trace", NULL, "file", EXM_CLASH_LOG, NULL },
	{ "vnc", NULL, "vnc", EXM_CLASH_DISPLAY, is_fixed_display },
	{ "vnc", NULL, "websocket", EXM_CLASH_WEBSOCKET, is_fixed_display },
};

/* Keys that take the number of a descriptor, whichever option they belong to. */
static const char *const descriptor_keys[] = {
	"addr.str", "fd",      "fds",     "local.str", "remote.str",
	"sock-fds", "sock_fd", "vhostfd", "vhostfds",  NULL,
};

/* Paths of descriptors that a process was given. */
static const char *const descriptor_paths[] = { "/dev/fd/", "/dev/fdset/", "/proc/self/fd/" };

/* Words for the guest, and what exomem gives each child itself. */
static const char *const skipped_options[] = { "append", "incoming", "mem-path", NULL };

/* Where a key is the host's address that a port belongs to. */
static const char *const host_keys[] = { "addr",       "addr.host", "host",
	                                 "local.host", "localaddr", "src" };

static bool fits(const char *pattern, const char *text)
{
	return !pattern || g_pattern_match_simple(pattern, text);
}

/* Elements of a JSON array have their number and "str" behind the key: "hostfwd.0.str". */
static bool is_key(const ExmQemuKey *key, const char *name)
{
	const size_t length = strlen(name);

	return g_str_has_prefix(key->key, name) &&
	       (!key->key[length] ||
	        (key->key[length] == '.' && g_ascii_isdigit(key->key[length + 1])));
}

static void add_key_clash(const Case *c, const ExmQemuKey *key, ExmClashForm form)
{
	g_autofree char *thing = NULL;
	g_autofree char *cure = exm_clash_cure(form, key->value, &thing);
	g_autofree char *written = NULL;
	g_autofree char *text = NULL;

	if (!cure)
		return;
	written = exm_qemu_key_write(key, cure);
	text = g_strdup_printf("%s can be had once: write '%s'", thing, written);
	add_clash(c, EXM_CLASH_EXCLUSIVE, text);
}

static bool has_own_host(const Case *c)
{
	for (size_t i = 0; i < G_N_ELEMENTS(host_keys); i++)
		if (wants_identity(c, host_keys[i]))
			return true;
	return false;
}

static void apply_key_rules(const Case *c, const ExmQemuKey *key)
{
	for (size_t i = 0; i < G_N_ELEMENTS(key_rules); i++) {
		const KeyRule *rule = &key_rules[i];

		if (strcmp(rule->family, c->option->family) != 0 || !fits(rule->driver, c->driver) ||
		    !is_key(key, rule->key) || (rule->applies && !rule->applies(c)))
			continue;
		if (rule->form != EXM_CLASH_PORT || !has_own_host(c))
			add_key_clash(c, key, rule->form);
	}
}

static void apply_whole_rules(const Case *c)
{
	for (size_t i = 0; i < G_N_ELEMENTS(whole_rules); i++) {
		const WholeRule *rule = &whole_rules[i];
		const bool is_meant = strcmp(rule->family, c->option->family) == 0 ||
		                      strcmp(rule->family, c->option->name) == 0;

		if (!is_meant || !fits(rule->driver, c->driver) ||
		    (rule->applies && !rule->applies(c)))
			continue;
		add_clash(c, rule->kind, rule->text);
		return;
	}
}

static void add_descriptor(const Case *c, const char *name)
{
	g_autofree char *text = g_strdup_printf(
		"a child does not inherit '%s': write the path or address that it stands for", name);

	add_clash(c, EXM_CLASH_DESCRIPTOR, text);
}

static void apply_descriptor_keys(const Case *c)
{
	for (guint i = 0; i < c->keys->len; i++) {
		const ExmQemuKey *key = c->keys->pdata[i];
		g_autofree char *written = exm_qemu_key_write(key, key->value);

		if (g_strv_contains(descriptor_keys, key->key))
			add_descriptor(c, written);
	}
}

/* A path in the argument that is a descriptor, but for those that each process has. */
static char *find_descriptor_path(const char *argument)
{
	for (size_t i = 0; i < G_N_ELEMENTS(descriptor_paths); i++) {
		const char *found = strstr(argument, descriptor_paths[i]);
		const char *number = found ? found + strlen(descriptor_paths[i]) : NULL;
		const gsize length = number ? strspn(number, "0123456789") : 0;

		if (length > 0 && (g_ascii_strtoull(number, NULL, 10) >= STANDARD_DESCRIPTORS ||
		                   strcmp(descriptor_paths[i], "/dev/fdset/") == 0))
			return g_strndup(found, (gsize)(number - found) + length);
	}
	return NULL;
}

static void apply_descriptor_paths(const Case *c)
{
	g_autofree char *path = NULL;

	if (!c->word->value ||
	    (c->word->option &&
	     g_strv_contains(skipped_options, exm_qemu_option_canonical(c->word->option))))
		return;
	path = find_descriptor_path(c->word->value);
	if (path)
		add_descriptor(c, path);
}

static void apply_rules(const Case *c)
{
	apply_descriptor_keys(c);
	apply_whole_rules(c);
	for (guint i = 0; i < c->keys->len; i++)
		apply_key_rules(c, c->keys->pdata[i]);
}

static void examine(const ExmQemuLine *line, const ExmQemuWord *word, GPtrArray *clashes)
{
	g_autofree char *text = exm_qemu_word_text(word);
	g_auto(ExmQemuArgument) argument = { 0 };
	Case c = { .line = line, .word = word, .text = text, .clashes = clashes };

	apply_descriptor_paths(&c);
	if (!exm_qemu_argument_read(word, &argument))
		return;
	c.option = &argument;
	c.keys = argument.keys;
	c.driver = argument.driver;
	apply_rules(&c);
}

/**
 * exm_clashes_find() - Find what two guests with one command line cannot both have
 * @line: QEMU's command line, placeholders not replaced
 *
 * What carries a placeholder (plan/identity.c) in the place that matters differs from guest to
 * guest, and is none. -incoming and -mem-path are exomem's own affair; disk images are those of
 * plan/disk.c.
 *
 * Return: of ExmClash, in the line's order (transfer full).
 */
GPtrArray *exm_clashes_find(const ExmQemuLine *line)
{
	GPtrArray *clashes = g_ptr_array_new_with_free_func(clash_free);

	for (guint i = 0; i < line->words->len; i++)
		examine(line, line->words->pdata[i], clashes);
	return clashes;
}
