/* SPDX-License-Identifier: GPL-2.0-or-later */
/* disk.c - The disk images of a command line, and the words that put overlays in their place */

#include "plan/disk.h"

#include <string.h>

#include "base/keyval.h"
#include "plan/qemu_keys.h"

/* QEMU, system/vl.c, the calls of drive_add(): what each option says of the image it names. */
static const struct {
	const char *option;
	const char *keys;
	bool read_only;
} places[] = {
	{ NULL, "index=0,media=disk", false },
	{ "cdrom", "index=2,media=cdrom", true },
	{ "fda", "if=floppy,index=0", false },
	{ "fdb", "if=floppy,index=1", false },
	{ "hda", "index=0,media=disk", false },
	{ "hdb", "index=1,media=disk", false },
	{ "hdc", "index=2,media=disk", false },
	{ "hdd", "index=3,media=disk", false },
	{ "mtdblock", "if=mtd", false },
	{ "pflash", "if=pflash", false },
	{ "sd", "if=sd", false },
};

/* Drivers of -blockdev that give an image a meaning; the others are files, places or filters. */
static const char *const formats[] = {
	"bochs", "cloop", "dmg", "luks", "parallels", "qcow", "qcow2",
	"qed",   "raw",   "vdi", "vhdx", "vmdk",      "vpc",  NULL,
};

/* Drivers that stand before the nodes that they are given, and have no image of their own. */
static const char *const filters[] = {
	"blkdebug",          "blklogwrites", "blkreplay",   "blkverify", "compress",
	"copy-before-write", "copy-on-read", "preallocate", "quorum",    "replication",
	"snapshot-access",   "throttle",     NULL,
};

/* Drivers that keep nothing of what is written. */
static const char *const empty_drivers[] = { "null-aio", "null-co", NULL };

/* Drivers that cannot write (QEMU, block/curl.c). */
static const char *const reading_drivers[] = { "ftp", "ftps", "http", "https", NULL };

/* A block device holds an image as a file does: an overlay only reads what it lies over. */
static const char *const file_drivers[] = { "file", "host_device", NULL };

/* What -drive and -blockdev say of an image that is not true of an overlay over it. */
static const char *const image_keys[] = { "backing", "data-file", "encrypt", "key-secret",
	                                  "offset",  "size",      NULL };

/* Keys of -blockdev that any driver has: QEMU, qapi/block-core.json, BlockdevOptions */
static const char *const node_keys[] = {
	"active",  "auto-read-only", "cache.direct", "cache.no-flush", "detect-zeroes",
	"discard", "force-share",    "node-name",    "read-only",      NULL,
};

static void disk_free(gpointer data)
{
	ExmDisk *disk = data;

	g_free(disk->argument);
	g_free(disk->path);
	g_free(disk->format);
	g_free(disk->obstacle);
	g_free(disk);
}

static ExmDisk *add_disk(GPtrArray *disks, const ExmQemuLine *line, guint i, const char *path)
{
	const ExmQemuWord *word = line->words->pdata[i];
	ExmDisk *disk = g_new0(ExmDisk, 1);

	disk->word = i;
	disk->file_word = i;
	disk->argument = word->word ? g_strconcat(word->word, " ", word->value, NULL)
	                            : g_strdup(word->value);
	disk->path = g_strdup(path ? path : "");
	g_ptr_array_add(disks, disk);
	return disk;
}

/* The first obstacle counts; what the guest cannot write needs no overlay. */
static void G_GNUC_PRINTF(2, 3) obstruct(ExmDisk *disk, const char *format, ...)
{
	g_autofree char *text = NULL;
	va_list arguments;

	if (disk->read_only || disk->obstacle)
		return;
	va_start(arguments, format);
	text = g_strdup_vprintf(format, arguments);
	va_end(arguments);
	disk->obstacle = g_strdup_printf("'%s': %s", disk->argument, text);
}

static void obstruct_by_driver(ExmDisk *disk, const char *driver)
{
	obstruct(disk,
	         "'%s' is no file that an overlay can lie over: use an image file, or add "
	         "'read-only=on'",
	         driver);
}

static bool is_descriptor(const char *path)
{
	return g_str_has_prefix(path, "/dev/fdset/") || g_str_has_prefix(path, "/dev/fd/") ||
	       g_str_has_prefix(path, "/proc/self/fd/");
}

/* Linux, Documentation/admin-guide/devices.txt: /dev/sg0 and on take SCSI commands, not blocks. */
static bool is_scsi_generic(const char *path)
{
	return g_str_has_prefix(path, "/dev/sg") && g_ascii_isdigit(path[strlen("/dev/sg")]);
}

static void check_file(ExmDisk *disk)
{
	if (is_descriptor(disk->path))
		obstruct(disk, "a child does not inherit '%s': write the image's path", disk->path);
	if (is_scsi_generic(disk->path))
		obstruct(disk, "the guest drives '%s' itself: use an image, or leave it out",
		         disk->path);
}

/* QEMU, block.c, path_has_protocol(): a ':' before the first '/' */
static char *protocol_of(const char *path)
{
	const size_t length = strcspn(path, ":/");

	return path[length] == ':' ? g_strndup(path, length) : NULL;
}

/* A path that may begin with the name of a driver. */
static void check_path(ExmDisk *disk)
{
	g_autofree char *protocol = protocol_of(disk->path);
	g_autofree char *whole = NULL;

	if (g_strcmp0(protocol, "file") == 0) {
		whole = g_steal_pointer(&disk->path);
		disk->path = g_strdup(whole + strlen("file:"));
	} else if (protocol) {
		/* QEMU, block/vvfat.c, vvfat_parse_filename() */
		const bool is_read_only_fat = strcmp(protocol, "fat") == 0 &&
		                              !strstr(disk->path, ":rw:");

		disk->read_only = disk->read_only || is_read_only_fat ||
		                  g_strv_contains(reading_drivers, protocol);
		obstruct_by_driver(disk, protocol);
	}
	check_file(disk);
}

/* Whether key is name, or a member of it. */
static bool is_below(const char *key, const char *name)
{
	const size_t length = strlen(name);

	return g_str_has_prefix(key, name) && (!key[length] || key[length] == '.');
}

static void check_keys(ExmDisk *disk, const GPtrArray *keys)
{
	for (guint i = 0; i < keys->len; i++) {
		const ExmQemuKey *key = keys->pdata[i];

		/* "backing": null says that the image has no base, which is true of the image. */
		for (size_t k = 0; image_keys[k] && *key->value; k++)
			if (is_below(key->key, image_keys[k]))
				obstruct(disk, "an overlay cannot have '%s': use an image without it",
				         key->key);
	}
}

static bool has_option(const ExmQemuLine *line, const char *name)
{
	for (guint i = 0; i < line->words->len; i++)
		if (exm_qemu_word_is(line->words->pdata[i], name))
			return true;
	return false;
}

/* QEMU, system/vl.c, drive_enable_snapshot(): -snapshot counts where a drive does not say */
static void check_snapshot(ExmDisk *disk, const ExmQemuLine *line, const GPtrArray *keys)
{
	const bool is_said = keys && exm_qemu_keys_get(keys, "snapshot");

	if (is_said ? exm_qemu_keys_is_on(keys, "snapshot") : has_option(line, "snapshot"))
		obstruct(disk,
		         "'%s' loses what the guest writes: leave it out, each child has an overlay "
		         "of its own",
		         is_said ? "snapshot" : "-snapshot");
}

/* The value of the first of these keys that has one. */
static const char *get_any(const GPtrArray *keys, const char *const *names)
{
	for (; *names; names++) {
		const char *value = exm_qemu_keys_get(keys, *names);

		if (value && *value)
			return value;
	}
	return NULL;
}

static void read_place(const ExmQemuLine *line, guint i, bool read_only, GPtrArray *disks)
{
	const ExmQemuWord *word = line->words->pdata[i];
	ExmDisk *disk;

	if (!*word->value)
		return;
	disk = add_disk(disks, line, i, word->value);
	disk->read_only = read_only;
	check_path(disk);
	check_snapshot(disk, line, NULL);
}

/* QEMU, blockdev.c, drive_new() and blockdev_init() */
static void read_drive(const ExmQemuLine *line, guint i, GPtrArray *disks)
{
	static const char *const paths[] = { "file", "file.filename", "filename", NULL };
	static const char *const drivers[] = { "file.driver", "driver", "format", NULL };
	static const char *const format_keys[] = { "format", "driver", NULL };
	const ExmQemuWord *word = line->words->pdata[i];
	g_autoptr(GPtrArray) keys = exm_qemu_keys_read(word->value, NULL);
	const char *path = get_any(keys, paths);
	const char *driver = path ? exm_qemu_keys_get(keys, "file.driver") : get_any(keys, drivers);
	const char *format = get_any(keys, format_keys);
	ExmDisk *disk;

	if (!path && (!driver || g_strv_contains(empty_drivers, driver)))
		return;
	disk = add_disk(disks, line, i, path);
	disk->format = g_strdup(format && g_strv_contains(file_drivers, format) ? "raw" : format);
	disk->read_only = exm_qemu_keys_is_on(keys, "readonly") ||
	                  exm_qemu_keys_is_on(keys, "read-only") ||
	                  g_strcmp0(exm_qemu_keys_get(keys, "media"), "cdrom") == 0 ||
	                  (driver && g_strv_contains(reading_drivers, driver));
	check_path(disk);
	if (driver && !g_strv_contains(file_drivers, driver))
		obstruct_by_driver(disk, driver);
	check_snapshot(disk, line, keys);
	check_keys(disk, keys);
}

/**
 * struct Node - One -blockdev
 * @word:   its place in the line's words
 * @keys:   of ExmQemuKey
 * @driver: its driver, or ""
 * @name:   its node-name, or ""
 */
typedef struct {
	guint word;
	GPtrArray *keys;
	const char *driver;
	const char *name;
} Node;

static void node_free(gpointer data)
{
	Node *node = data;

	g_ptr_array_unref(node->keys);
	g_free(node);
}

static const char *get_or_empty(const GPtrArray *keys, const char *key)
{
	const char *value = exm_qemu_keys_get(keys, key);

	return value ? value : "";
}

static GPtrArray *read_nodes(const ExmQemuLine *line)
{
	GPtrArray *nodes = g_ptr_array_new_with_free_func(node_free);

	for (guint i = 0; i < line->words->len; i++) {
		const ExmQemuWord *word = line->words->pdata[i];
		Node *node;

		if (!exm_qemu_word_is(word, "blockdev"))
			continue;
		node = g_new0(Node, 1);
		node->word = i;
		node->keys = exm_qemu_keys_read(word->value, "driver");
		node->driver = get_or_empty(node->keys, "driver");
		node->name = get_or_empty(node->keys, "node-name");
		g_ptr_array_add(nodes, node);
	}
	return nodes;
}

static const Node *find_node(const GPtrArray *nodes, const char *name)
{
	for (guint i = 0; i < nodes->len; i++) {
		const Node *node = nodes->pdata[i];

		if (strcmp(node->name, name) == 0)
			return node;
	}
	return NULL;
}

/* How many formats lie over a node. */
static guint count_formats(const GPtrArray *nodes, const Node *below)
{
	guint count = 0;

	for (guint i = 0; i < nodes->len; i++) {
		const Node *node = nodes->pdata[i];

		if (g_strv_contains(formats, node->driver) &&
		    g_strcmp0(exm_qemu_keys_get(node->keys, "file"), below->name) == 0)
			count++;
	}
	return count;
}

static bool has_inner_driver(const Node *node)
{
	for (guint i = 0; i < node->keys->len; i++)
		if (g_str_has_suffix(((const ExmQemuKey *)node->keys->pdata[i])->key, ".driver"))
			return true;
	return false;
}

/* Fills in the file below a format: members of the format's node, or a node of its own. */
static void read_file_of(const Node *node, const GPtrArray *nodes, ExmDisk *disk)
{
	const char *name = exm_qemu_keys_get(node->keys, "file");
	const Node *file = name ? find_node(nodes, name) : NULL;
	const char *driver = file ? file->driver : get_or_empty(node->keys, "file.driver");
	const char *path = file ? exm_qemu_keys_get(file->keys, "filename")
	                        : exm_qemu_keys_get(node->keys, "file.filename");

	if (!disk->format || !g_strv_contains(file_drivers, driver) || !path ||
	    (file && count_formats(nodes, file) > 1)) {
		obstruct(disk,
		         "this is more than a format on a file: write "
		         "'-drive if=none,id=%s,file=PATH,format=%s'",
		         node->name, disk->format ? disk->format : "FORMAT");
		return;
	}
	g_free(disk->path);
	disk->path = g_strdup(path);
	disk->file_word = file ? file->word : disk->word;
	check_keys(disk, node->keys);
}

static bool is_read_only_node(const Node *node)
{
	return exm_qemu_keys_is_on(node->keys, "read-only") ||
	       g_strv_contains(reading_drivers, node->driver) ||
	       (strcmp(node->driver, "vvfat") == 0 && !exm_qemu_keys_is_on(node->keys, "rw"));
}

static void read_node(const ExmQemuLine *line, const Node *node, const GPtrArray *nodes,
                      GPtrArray *disks)
{
	const bool is_format = g_strv_contains(formats, node->driver);
	const bool is_file = g_strv_contains(file_drivers, node->driver);
	const bool is_filter = g_strv_contains(filters, node->driver);
	ExmDisk *disk;

	/* What stands below a format belongs to it; a filter's image is in the node below. */
	if (!*node->driver || g_strv_contains(empty_drivers, node->driver) ||
	    (!is_format && count_formats(nodes, node) > 0) || (is_filter && !has_inner_driver(node)))
		return;
	disk = add_disk(disks, line, node->word, exm_qemu_keys_get(node->keys, "filename"));
	disk->read_only = is_read_only_node(node);
	disk->format = is_format ? g_strdup(node->driver) : is_file ? g_strdup("raw") : NULL;
	if (is_format || is_filter)
		read_file_of(node, nodes, disk);
	else if (!is_file)
		obstruct_by_driver(disk, node->driver);
	check_file(disk);
}

/* The row of places[] that a word is, or -1. */
static int find_place(const ExmQemuWord *word)
{
	for (size_t i = 0; i < G_N_ELEMENTS(places); i++)
		if (places[i].option ? exm_qemu_word_is(word, places[i].option) : !word->option)
			return (int)i;
	return -1;
}

static gint compare_words(gconstpointer a, gconstpointer b)
{
	const ExmDisk *const *one = a;
	const ExmDisk *const *two = b;

	return (*one)->word < (*two)->word ? -1 : (*one)->word > (*two)->word;
}

/**
 * exm_disks_read() - Read which disk images a command line names
 * @line: QEMU's command line; placeholders are left as they are
 *
 * Flash takes an overlay as a disk does, as its size stays that of the image; QEMU writes all of it
 * there when a child first runs (hw/block/pflash_cfi01.c, postload_update_cb(); tried with 7.2.22
 * and 10.0.2).
 *
 * Return: of ExmDisk, in the line's order (transfer full). A drive without a medium is none.
 */
GPtrArray *exm_disks_read(const ExmQemuLine *line)
{
	GPtrArray *disks = g_ptr_array_new_with_free_func(disk_free);
	g_autoptr(GPtrArray) nodes = read_nodes(line);

	for (guint i = 0; i < line->words->len; i++) {
		const ExmQemuWord *word = line->words->pdata[i];
		const int place = find_place(word);

		if (place >= 0)
			read_place(line, i, places[place].read_only, disks);
		else if (exm_qemu_word_is(word, "drive"))
			read_drive(line, i, disks);
	}
	for (guint i = 0; i < nodes->len; i++)
		read_node(line, nodes->pdata[i], nodes, disks);
	g_ptr_array_sort(disks, compare_words);
	return disks;
}

static void append_key(GString *text, const char *outer, const char *key, const char *value)
{
	g_autofree char *escaped = exm_keyval_escape(value);

	g_string_append_printf(text, "%s%s%s=%s", text->len ? "," : "", outer, key, escaped);
}

/* All keys but some, as members of outer. */
static void append_keys(GString *text, const char *outer, const GPtrArray *keys,
                        const char *const *but)
{
	for (guint i = 0; i < keys->len; i++) {
		const ExmQemuKey *key = keys->pdata[i];

		if (!g_strv_contains(but, key->key))
			append_key(text, outer, key->key, key->value);
	}
}

static char *rewrite_place(const char *keys, const char *path, const char *format)
{
	g_autoptr(GString) text = g_string_new(NULL);

	append_key(text, "", "file", path);
	g_string_append_printf(text, ",%s", keys);
	append_key(text, "", "format", format);
	return g_string_free(g_steal_pointer(&text), FALSE);
}

static char *rewrite_drive(const ExmQemuWord *word, const char *path, const char *format)
{
	static const char *const replaced[] = {
		"driver", "file", "file.driver", "file.filename", "filename", "format", NULL
	};
	g_autoptr(GPtrArray) keys = exm_qemu_keys_read(word->value, NULL);
	g_autoptr(GString) text = g_string_new(NULL);

	append_key(text, "", "file", path);
	append_keys(text, "", keys, replaced);
	append_key(text, "", "format", format);
	return g_string_free(g_steal_pointer(&text), FALSE);
}

/* The node of a lone file becomes that of a format, which takes over its name and what any has. */
static void split_keys(GString *text, const GPtrArray *keys)
{
	for (guint i = 0; i < keys->len; i++) {
		const ExmQemuKey *key = keys->pdata[i];

		if (strcmp(key->key, "driver") != 0 && strcmp(key->key, "filename") != 0)
			append_key(text, g_strv_contains(node_keys, key->key) ? "" : "file.",
			           key->key, key->value);
	}
}

static void append_file_node(GString *text, const ExmQemuWord *word)
{
	static const char *const replaced[] = { "driver", "filename", NULL };
	g_autoptr(GPtrArray) keys = exm_qemu_keys_read(word->value, "driver");

	append_keys(text, "file.", keys, replaced);
}

/* Always as a list, which can say what JSON says. */
static char *rewrite_node(const ExmQemuLine *line, const ExmDisk *disk, const char *path,
                          const char *format)
{
	static const char *const replaced[] = { "backing",     "driver",        "file",
		                                "file.driver", "file.filename", NULL };
	const ExmQemuWord *word = line->words->pdata[disk->word];
	g_autoptr(GPtrArray) keys = exm_qemu_keys_read(word->value, "driver");
	g_autoptr(GString) text = g_string_new(NULL);

	append_key(text, "", "driver", format);
	if (g_strv_contains(file_drivers, get_or_empty(keys, "driver")))
		split_keys(text, keys);
	else
		append_keys(text, "", keys, replaced);
	append_key(text, "file.", "driver", "file");
	append_key(text, "file.", "filename", path);
	if (disk->file_word != disk->word)
		append_file_node(text, line->words->pdata[disk->file_word]);
	return g_string_free(g_steal_pointer(&text), FALSE);
}

/**
 * exm_disk_rewrite() - Name another image in place of one that the guest writes to
 * @line:   the command line
 * @disk:   one of its disks
 * @path:   of the other image, absolute: else QEMU could take it for a protocol
 * @format: of the other image: "qcow2"
 * @argv:   of char *, grows by an option and its argument
 *
 * Everything else that the word says (bus, id, cache, read-ahead, throttling) stays. A -blockdev
 * whose file is another's keeps the other's name for that, so that QMP finds both.
 *
 * Return: false where @disk has an obstacle or is read-only; @argv is then as it was.
 */
bool exm_disk_rewrite(const ExmQemuLine *line, const ExmDisk *disk, const char *path,
                      const char *format, GPtrArray *argv)
{
	const ExmQemuWord *word = line->words->pdata[disk->word];
	const int place = find_place(word);
	const bool is_node = exm_qemu_word_is(word, "blockdev");

	if (disk->obstacle || disk->read_only)
		return false;
	g_ptr_array_add(argv, g_strdup(is_node ? "-blockdev" : "-drive"));
	if (place >= 0)
		g_ptr_array_add(argv, rewrite_place(places[place].keys, path, format));
	else if (is_node)
		g_ptr_array_add(argv, rewrite_node(line, disk, path, format));
	else
		g_ptr_array_add(argv, rewrite_drive(word, path, format));
	return true;
}
