/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sandbox.c - Which paths a QEMU command line needs, and what in it a sandbox makes fail */

#include "plan/sandbox.h"

#include <string.h>

#include "base/enumtab.h"
#include "plan/disk.h"
#include "plan/qemu_argument.h"

static const char *const access_names[] = {
	[EXM_ACCESS_READ] = "read",
	[EXM_ACCESS_EXECUTE] = "execute",
	[EXM_ACCESS_WRITE] = "write",
	[EXM_ACCESS_CREATE] = "create",
	[EXM_ACCESS_SOCKETS] = "sockets",
	[EXM_ACCESS_IMAGE] = "image",
	[EXM_ACCESS_IMAGE_READ] = "image-read",
};

static const ExmEnumTable accesses = { "access", access_names, G_N_ELEMENTS(access_names) };

/* Rules by which a key's value is a path; each that fits counts. Without a key PATH is meant. */
typedef struct {
	const char *family;
	const char *driver;
	const char *key;
	ExmAccess access;
	const char *path;
} Rule;

static const Rule rules[] = {
	{ "D", NULL, "path", EXM_ACCESS_CREATE },
	{ "acpitable", NULL, "data", EXM_ACCESS_READ },
	{ "acpitable", NULL, "file", EXM_ACCESS_READ },
	{ "audiodev", "alsa", NULL, EXM_ACCESS_WRITE, "/dev/snd" },
	{ "audiodev", "oss", NULL, EXM_ACCESS_WRITE, "/dev/dsp" },
	{ "audiodev", "wav", "path", EXM_ACCESS_CREATE },
	{ "chardev", "file", "input-path", EXM_ACCESS_READ },
	{ "chardev", "file", "path", EXM_ACCESS_CREATE },
	{ "chardev", "par*", "path", EXM_ACCESS_WRITE },
	{ "chardev", "pipe", "path", EXM_ACCESS_WRITE },
	{ "chardev", "pty", NULL, EXM_ACCESS_WRITE, "/dev/ptmx" },
	{ "chardev", "pty", NULL, EXM_ACCESS_WRITE, "/dev/pts" },
	{ "chardev", "serial", "path", EXM_ACCESS_WRITE },
	{ "chardev", "tty", "path", EXM_ACCESS_WRITE },
	{ "chardev", NULL, "logfile", EXM_ACCESS_CREATE },
	{ "data", NULL, "path", EXM_ACCESS_READ },
	{ "device", "*loader", "file", EXM_ACCESS_READ },
	{ "device", "guest-loader", "initrd", EXM_ACCESS_READ },
	{ "device", "guest-loader", "kernel", EXM_ACCESS_READ },
	{ "device", "u2f-passthru", "hidraw", EXM_ACCESS_WRITE },
	{ "device", "usb-host", NULL, EXM_ACCESS_READ, "/run/udev" },
	{ "device", "usb-host", NULL, EXM_ACCESS_READ, "/sys" },
	{ "device", "usb-host", NULL, EXM_ACCESS_WRITE, "/dev/bus/usb" },
	{ "device", "usb-mtp", "rootdir", EXM_ACCESS_WRITE },
	{ "device", "vfio-*", NULL, EXM_ACCESS_READ, "/sys" },
	{ "device", "vfio-*", NULL, EXM_ACCESS_WRITE, "/dev/vfio" },
	{ "device", "vhost-scsi*", NULL, EXM_ACCESS_WRITE, "/dev/vhost-scsi" },
	{ "device", "vhost-vsock*", NULL, EXM_ACCESS_WRITE, "/dev/vhost-vsock" },
	{ "device", NULL, "romfile", EXM_ACCESS_READ },
	{ "display", "dbus", NULL, EXM_ACCESS_WRITE, "/dev/dri" },
	{ "display", "egl-headless", NULL, EXM_ACCESS_WRITE, "/dev/dri" },
	{ "display", "gtk", NULL, EXM_ACCESS_WRITE, "/dev/dri" },
	{ "display", "sdl", NULL, EXM_ACCESS_WRITE, "/dev/dri" },
	{ "fsdev", "local", "path", EXM_ACCESS_WRITE },
	{ "fw_cfg", NULL, "file", EXM_ACCESS_READ },
	{ "netdev", "tap", NULL, EXM_ACCESS_WRITE, "/dev/net/tun" },
	{ "netdev", "tap", NULL, EXM_ACCESS_WRITE, "/dev/vhost-net" },
	{ "netdev", "user", "tftp", EXM_ACCESS_READ },
	{ "netdev", "vhost-vdpa", "vhostdev", EXM_ACCESS_WRITE },
	{ "object", "authz-list-file", "filename", EXM_ACCESS_READ },
	{ "object", "filter-dump", "file", EXM_ACCESS_CREATE },
	{ "object", "input-linux", "evdev", EXM_ACCESS_WRITE },
	{ "object", "memory-backend-file", "mem-path", EXM_ACCESS_CREATE },
	{ "object", "memory-backend-shm", NULL, EXM_ACCESS_WRITE, "/dev/shm" },
	{ "object", "rng-random", "filename", EXM_ACCESS_READ },
	{ "object", "secret", "file", EXM_ACCESS_READ },
	{ "object", "sev-*", NULL, EXM_ACCESS_WRITE, "/dev/sev" },
	{ "object", "tls-creds-*", "dir", EXM_ACCESS_READ },
	{ "option-rom", NULL, "romfile", EXM_ACCESS_READ },
	{ "pidfile", NULL, "path", EXM_ACCESS_CREATE },
	{ "plugin", NULL, "file", EXM_ACCESS_READ },
	{ "qtest-log", NULL, "path", EXM_ACCESS_CREATE },
	{ "readconfig", NULL, "path", EXM_ACCESS_READ },
	{ "smbios", NULL, "file", EXM_ACCESS_READ },
	{ "spice", NULL, "x509-dir", EXM_ACCESS_READ },
	{ "tpmdev", "passthrough", "cancel-path", EXM_ACCESS_WRITE },
	{ "tpmdev", "passthrough", "path", EXM_ACCESS_WRITE },
	{ "trace", NULL, "events", EXM_ACCESS_READ },
	{ "trace", NULL, "file", EXM_ACCESS_CREATE },
};

/* What every QEMU may need: libraries, firmware, the clock, names of hosts and users, and devices. */
static const struct {
	const char *path;
	ExmAccess access;
} common[] = {
	{ "/lib", EXM_ACCESS_EXECUTE },
	{ "/lib32", EXM_ACCESS_EXECUTE },
	{ "/lib64", EXM_ACCESS_EXECUTE },
	{ "/usr/lib", EXM_ACCESS_EXECUTE },
	{ "/usr/lib32", EXM_ACCESS_EXECUTE },
	{ "/usr/lib64", EXM_ACCESS_EXECUTE },
	{ "/usr/local/lib", EXM_ACCESS_EXECUTE },
	{ "/usr/local/share", EXM_ACCESS_READ },
	{ "/usr/share", EXM_ACCESS_READ },
	{ "/etc/gai.conf", EXM_ACCESS_READ },
	{ "/etc/gnutls", EXM_ACCESS_READ },
	{ "/etc/group", EXM_ACCESS_READ },
	{ "/etc/host.conf", EXM_ACCESS_READ },
	{ "/etc/hosts", EXM_ACCESS_READ },
	{ "/etc/ld.so.cache", EXM_ACCESS_READ },
	{ "/etc/localtime", EXM_ACCESS_READ },
	{ "/etc/nsswitch.conf", EXM_ACCESS_READ },
	{ "/etc/passwd", EXM_ACCESS_READ },
	{ "/etc/resolv.conf", EXM_ACCESS_READ },
	{ "/etc/services", EXM_ACCESS_READ },
	{ "/proc/self", EXM_ACCESS_READ },
	{ "/proc/sys/vm", EXM_ACCESS_READ },
	{ "/sys/devices/system", EXM_ACCESS_READ },
	{ "/sys/kernel/mm", EXM_ACCESS_READ },
	{ "/dev/full", EXM_ACCESS_WRITE },
	{ "/dev/kvm", EXM_ACCESS_WRITE },
	{ "/dev/null", EXM_ACCESS_WRITE },
	{ "/dev/random", EXM_ACCESS_READ },
	{ "/dev/urandom", EXM_ACCESS_READ },
	{ "/dev/userfaultfd", EXM_ACCESS_WRITE },
	{ "/dev/zero", EXM_ACCESS_WRITE },
};

/**
 * exm_access_name() - What an access is called in plans
 * @access: the access
 *
 * Return: "read" (static).
 */
const char *exm_access_name(ExmAccess access)
{
	return exm_enum_name(&accesses, (int)access);
}

static void allowed_free(gpointer data)
{
	ExmAllowed *allowed = data;

	g_free(allowed->path);
	g_free(allowed);
}

static void allow(GPtrArray *paths, const char *path, ExmAccess access)
{
	ExmAllowed *allowed = g_new0(ExmAllowed, 1);

	allowed->path = g_strdup(path);
	allowed->access = access;
	g_ptr_array_add(paths, allowed);
}

static bool is_allowed(const GPtrArray *paths, const char *path)
{
	for (guint i = 0; i < paths->len; i++)
		if (strcmp(((const ExmAllowed *)paths->pdata[i])->path, path) == 0)
			return true;
	return false;
}

static bool is_on(const ExmQemuArgument *c, const char *key)
{
	return exm_qemu_keys_is_on(c->keys, key);
}

static bool is_family(const ExmQemuArgument *c, const char *family)
{
	return strcmp(c->family, family) == 0;
}

static bool fits(const ExmQemuArgument *c, const char *family, const char *driver)
{
	return is_family(c, family) && (!driver || g_pattern_match_simple(driver, c->driver));
}

static void allow_sockets(GPtrArray *paths, const char *socket)
{
	g_autofree char *directory = g_path_get_dirname(socket);

	allow(paths, directory, EXM_ACCESS_SOCKETS);
}

/* A client needs nothing: the kernel lets it connect to any socket that it may write to. */
static void allow_servers(const ExmQemuArgument *c, GPtrArray *paths)
{
	const char *path = exm_qemu_keys_get(c->keys, "path");
	const char *address = exm_qemu_keys_get(c->keys, "addr");
	const bool is_unix = g_str_has_prefix(c->driver, "unix:");

	if (fits(c, "chardev", "socket") && path && is_on(c, "server"))
		allow_sockets(paths, path);
	if (fits(c, "netdev", "stream") && exm_qemu_keys_get(c->keys, "addr.path") &&
	    is_on(c, "server"))
		allow_sockets(paths, exm_qemu_keys_get(c->keys, "addr.path"));
	if (fits(c, "netdev", "dgram") && exm_qemu_keys_get(c->keys, "local.path"))
		allow_sockets(paths, exm_qemu_keys_get(c->keys, "local.path"));
	if (is_unix && (is_family(c, "vnc") || is_family(c, "incoming")))
		allow_sockets(paths, c->driver + strlen("unix:"));
	if (is_family(c, "spice") && address && is_on(c, "unix"))
		allow_sockets(paths, address);
	if (is_family(c, "incoming") && g_str_has_prefix(c->driver, "file:"))
		allow(paths, c->driver + strlen("file:"), EXM_ACCESS_READ);
}

/* QEMU, chardev/char-pipe.c: one for each way, or one for both */
static void allow_pipe(const char *path, GPtrArray *paths)
{
	g_autofree char *in = g_strconcat(path, ".in", NULL);
	g_autofree char *out = g_strconcat(path, ".out", NULL);

	allow(paths, in, EXM_ACCESS_WRITE);
	allow(paths, out, EXM_ACCESS_WRITE);
}

/* A memory file or a shared directory that is only read. */
static ExmAccess weaken(const ExmQemuArgument *c, ExmAccess access)
{
	const bool is_memory = access == EXM_ACCESS_CREATE && is_family(c, "object");

	return (is_memory || is_family(c, "fsdev")) && is_on(c, "readonly") ? EXM_ACCESS_READ
	                                                                    : access;
}

static void allow_device_of_memory(const char *path, GPtrArray *paths)
{
	/* QEMU looks its size up there: system/physmem.c, get_file_size(). */
	if (g_str_has_prefix(path, "/dev/dax"))
		allow(paths, "/sys", EXM_ACCESS_READ);
}

static void apply_rule(const Rule *rule, const ExmQemuArgument *c, GPtrArray *paths)
{
	const char *value = rule->key ? exm_qemu_keys_get(c->keys, rule->key) : rule->path;

	if (!fits(c, rule->family, rule->driver) || !value || !*value)
		return;
	if (is_family(c, "object"))
		allow_device_of_memory(value, paths);
	if (fits(c, "chardev", "pipe") && rule->key && strcmp(rule->key, "path") == 0)
		allow_pipe(value, paths);
	allow(paths, value, weaken(c, rule->access));
}

/* Only the header of an image that QEMU takes for qcow2 counts: a guest can write one into a raw image. */
static ExmAccess access_of_disk(const ExmDisk *disk)
{
	const bool has_header = !disk->format || strcmp(disk->format, "qcow2") == 0;

	if (disk->read_only)
		return has_header ? EXM_ACCESS_IMAGE_READ : EXM_ACCESS_READ;
	return has_header ? EXM_ACCESS_IMAGE : EXM_ACCESS_WRITE;
}

static void allow_disks(const ExmQemuLine *line, GPtrArray *paths)
{
	g_autoptr(GPtrArray) disks = exm_disks_read(line);

	for (guint i = 0; i < disks->len; i++) {
		const ExmDisk *disk = disks->pdata[i];

		if (g_str_has_prefix(disk->path, "fat:"))
			allow(paths, strrchr(disk->path, ':') + 1, EXM_ACCESS_READ);
		else if (*disk->path)
			allow(paths, disk->path, access_of_disk(disk));
	}
}

/* Names of files in the keys of a node, however deep. */
static void allow_nodes(const GPtrArray *keys, GPtrArray *paths)
{
	const bool read_only = exm_qemu_keys_is_on(keys, "read-only");

	for (guint i = 0; i < keys->len; i++) {
		const ExmQemuKey *key = keys->pdata[i];
		const bool is_below = strstr(key->key, "backing.") != NULL;

		if (g_str_has_suffix(key->key, "filename") && *key->value &&
		    !is_allowed(paths, key->value))
			allow(paths, key->value,
			      read_only || is_below ? EXM_ACCESS_READ : EXM_ACCESS_WRITE);
	}
}

/* QEMU, block.c, bdrv_open_inherit(): a file name may hold the keys of a node as JSON. */
static void allow_json(const char *text, GPtrArray *paths)
{
	g_autoptr(GPtrArray) keys = exm_qemu_keys_read(text + strlen("json:"), NULL);

	allow_nodes(keys, paths);
}

static void allow_other_nodes(const ExmQemuWord *word, GPtrArray *paths)
{
	const bool is_node = exm_qemu_word_is(word, "blockdev");
	g_autoptr(GPtrArray) keys = NULL;
	const char *file;

	if (word->value && g_str_has_prefix(word->value, "json:"))
		allow_json(word->value, paths);
	if (!is_node && !exm_qemu_word_is(word, "drive"))
		return;
	keys = exm_qemu_keys_read(word->value, is_node ? "driver" : NULL);
	file = exm_qemu_keys_get(keys, "file");
	allow_nodes(keys, paths);
	if (file && g_str_has_prefix(file, "json:"))
		allow_json(file, paths);
}

static void allow_word(const ExmQemuWord *word, GPtrArray *paths)
{
	g_auto(ExmQemuArgument) c = { 0 };

	allow_other_nodes(word, paths);
	if (!exm_qemu_argument_read(word, &c))
		return;
	for (size_t i = 0; i < G_N_ELEMENTS(rules); i++)
		apply_rule(&rules[i], &c, paths);
	allow_servers(&c, paths);
}

/* Libraries and firmware of a QEMU that is not in /usr are next to its "bin". */
static void allow_program(const char *qemu, GPtrArray *paths)
{
	static const char *const parts[] = { "lib", "lib64", "share" };
	g_autofree char *bin = g_path_get_dirname(qemu);
	g_autofree char *prefix = g_path_get_dirname(bin);

	allow(paths, qemu, EXM_ACCESS_EXECUTE);
	for (size_t i = 0; i < G_N_ELEMENTS(parts); i++) {
		g_autofree char *path = g_build_filename(prefix, parts[i], NULL);

		if (!is_allowed(paths, path))
			allow(paths, path, EXM_ACCESS_EXECUTE);
	}
}

/**
 * exm_sandbox_paths() - Read which paths a QEMU needs for its command line
 * @qemu: path of the binary
 * @line: its whole command line, placeholders replaced
 *
 * What is not on the command line is not in it: files of a -readconfig, of hotplug, and those that
 * a display opens for its user (~/.Xauthority).
 *
 * Return: of ExmAllowed (transfer full).
 */
GPtrArray *exm_sandbox_paths(const char *qemu, const ExmQemuLine *line)
{
	GPtrArray *paths = g_ptr_array_new_with_free_func(allowed_free);

	for (size_t i = 0; i < G_N_ELEMENTS(common); i++)
		allow(paths, common[i].path, common[i].access);
	allow_program(qemu, paths);
	allow_disks(line, paths);
	for (guint i = 0; i < line->words->len; i++)
		allow_word(line->words->pdata[i], paths);
	return paths;
}

/* QEMU, net/tap.c, net_init_tap(): without it there is a script by default. */
static bool names_script(const ExmQemuArgument *c, const char *key)
{
	const char *script = exm_qemu_keys_get(c->keys, key);

	return !script || (*script && strcmp(script, "no") != 0);
}

static bool runs_script(const ExmQemuArgument *c)
{
	static const char *const given[] = { "fd", "fds" };

	for (size_t i = 0; i < G_N_ELEMENTS(given); i++)
		if (exm_qemu_keys_get(c->keys, given[i]))
			return false;
	return exm_qemu_keys_get(c->keys, "helper") || exm_qemu_keys_get(c->keys, "br") ||
	       names_script(c, "script") || names_script(c, "downscript");
}

static bool runs_samba(const ExmQemuArgument *c)
{
	return exm_qemu_keys_get(c->keys, "smb");
}

static bool runs_command(const ExmQemuArgument *c)
{
	const char *forward = exm_qemu_keys_get(c->keys, "guestfwd");

	return forward && strstr(forward, "cmd:");
}

static bool changes_user(const ExmQemuArgument *c)
{
	return exm_qemu_keys_get(c->keys, "user");
}

static bool has_temporary_file(const ExmQemuArgument *c)
{
	return is_on(c, "snapshot");
}

static bool is_command(const ExmQemuArgument *c)
{
	return g_str_has_prefix(c->driver, "exec:");
}

#define NO_PROGRAM "a sandboxed QEMU can start no program: "

/* What would fail later, or end QEMU; the first that fits counts. */
static const struct {
	const char *family;
	const char *driver;
	bool (*applies)(const ExmQemuArgument *c);
	const char *text;
} conflicts[] = {
	{ "display", "spice-app*", NULL, NO_PROGRAM "use '-spice'" },
	{ "drive", NULL, has_temporary_file,
	  "a sandboxed QEMU can make no temporary file: use a qcow2 overlay" },
	{ "incoming", NULL, is_command, NO_PROGRAM "use 'file:' or 'fd:'" },
	{ "netdev", "bridge", NULL, NO_PROGRAM "use 'tap,script=no,downscript=no,ifname=NAME'" },
	{ "netdev", "passt", NULL, NO_PROGRAM "use 'stream' with a passt of its own" },
	{ "netdev", "tap", runs_script, NO_PROGRAM "add 'script=no,downscript=no'" },
	{ "netdev", "user", runs_command, NO_PROGRAM "forward to a socket" },
	{ "netdev", "user", runs_samba, NO_PROGRAM "leave 'smb' out" },
	{ "readconfig", NULL, NULL,
	  "what it asks for is not seen here: write its options on the command line" },
	{ "run-with", NULL, changes_user,
	  "a sandboxed QEMU cannot change its user: leave 'user' out" },
	{ "runas", NULL, NULL, "a sandboxed QEMU cannot change its user: leave it out" },
};

static char *conflict_of(const ExmQemuWord *word)
{
	g_auto(ExmQemuArgument) c = { 0 };

	if (exm_qemu_word_is(word, "snapshot"))
		return g_strdup("'-snapshot': a sandboxed QEMU can make no temporary file: use a "
		                "qcow2 overlay");
	if (!exm_qemu_argument_read(word, &c))
		return NULL;
	for (size_t i = 0; i < G_N_ELEMENTS(conflicts); i++)
		if (fits(&c, conflicts[i].family, conflicts[i].driver) &&
		    (!conflicts[i].applies || conflicts[i].applies(&c)))
			return g_strdup_printf("'%s %s': %s", word->word, word->value,
			                       conflicts[i].text);
	return NULL;
}

/**
 * exm_sandbox_conflict() - Find what a sandbox makes fail
 * @line:              QEMU's whole command line
 * @own_configuration: the file of -readconfig that exomem itself writes, or NULL
 *
 * Return: one line with the option, the reason and what to write instead (transfer full), or NULL.
 */
char *exm_sandbox_conflict(const ExmQemuLine *line, const char *own_configuration)
{
	for (guint i = 0; i < line->words->len; i++) {
		const ExmQemuWord *word = line->words->pdata[i];
		char *message = g_strcmp0(word->value, own_configuration) == 0 && word->value
		                        ? NULL
		                        : conflict_of(word);

		if (message)
			return message;
	}
	return NULL;
}
