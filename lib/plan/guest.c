/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest.c - What a QEMU command line says of the guest's memory */

#include "plan/guest.h"

#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "base/keyval.h"
#include "base/size.h"
#include "plan/identity.h"

/* QEMU, hw/core/machine.c, machine_class_init(): mc->default_ram_size */
#define DEFAULT_RAM_SIZE (128 * EXM_MIB)

/* QEMU, hw/core/machine.c, machine_set_mem(): memory sizes are rounded up to this */
#define RAM_ALIGN 8192

/* QEMU, include/sysemu/numa.h: MAX_NODES */
#define NODE_ID_MAX 127

#define BACKEND_PREFIX "memory-backend-"

static void node_free(gpointer data)
{
	ExmGuestNode *node = data;

	g_free(node->memdev);
	g_free(node);
}

static void own_backend_free(gpointer data)
{
	ExmOwnBackend *backend = data;

	g_free(backend->id);
	g_free(backend->text);
	g_free(backend);
}

/**
 * exm_guest_free() - Free what was read of a guest
 * @guest: may be NULL
 */
void exm_guest_free(ExmGuest *guest)
{
	if (!guest)
		return;
	g_ptr_array_unref(guest->nodes);
	g_ptr_array_unref(guest->own_backends);
	g_ptr_array_unref(guest->device_memdevs);
	g_ptr_array_unref(guest->plugged);
	g_free(guest->nvdimm);
	g_free(guest->nvdimm_persistence);

	g_free(guest->machine);
	g_free(guest->memory_backend);
	g_free(guest->memory);
	g_free(guest->name);
	g_free(guest->incoming);
	g_free(guest);
}

/* The value of a key, or of the first part where that has no key ("-M q35", "-m 8g"). */
static const char *get_implied(const GPtrArray *pairs, const char *key)
{
	const char *value = exm_keyval_get(pairs, key);
	const ExmPair *first = pairs->pdata[0];

	return value || first->key ? value : first->value;
}

static void replace(char **field, const char *value)
{
	if (!value)
		return;
	g_free(*field);
	*field = g_strdup(value);
}

static bool parse_ram_size(const char *text, uint64_t *ret_bytes, GError **error)
{
	uint64_t bytes;

	/* QEMU reads it as bytes first (parse_memory_options()), which a fraction cannot be. */
	if (!exm_size_parse(text, 1, &bytes, error) || !exm_size_parse(text, EXM_MIB, &bytes, error))
		return false;
	if (!exm_size_align_up(bytes, RAM_ALIGN, &bytes))
		return exm_throw(error, EXM_ERROR_USAGE, "'%s' is too large for a size", text);
	*ret_bytes = bytes;
	return true;
}

static bool read_size(const ExmQemuWord *word, ExmGuest *guest, GError **error)
{
	g_autoptr(GPtrArray) pairs = exm_keyval_split(word->value);
	const char *size = get_implied(pairs, "size");
	const char *slots = exm_keyval_get(pairs, "slots");
	const char *max_size = exm_keyval_get(pairs, "maxmem");

	/* What is no number QEMU will refuse. */
	if (slots)
		guest->slots = g_ascii_strtoull(slots, NULL, 0);

	if (max_size && !parse_ram_size(max_size, &guest->max_size, error))
		return false;
	if (!size)
		return true;
	guest->ram_size_said = true;
	return parse_ram_size(size, &guest->ram_size, error);
}

static bool read_machine(const ExmQemuWord *word, ExmGuest *guest, G_GNUC_UNUSED GError **error)
{
	g_autoptr(GPtrArray) pairs = exm_keyval_split(word->value);

	replace(&guest->machine, get_implied(pairs, "type"));
	replace(&guest->memory_backend, exm_keyval_get(pairs, "memory-backend"));
	replace(&guest->nvdimm, exm_keyval_get(pairs, "nvdimm"));
	replace(&guest->nvdimm_persistence, exm_keyval_get(pairs, "nvdimm-persistence"));

	return true;
}

static gint compare_nodes(gconstpointer a, gconstpointer b)
{
	const ExmGuestNode *const *one = a;
	const ExmGuestNode *const *two = b;

	return (*one)->id < (*two)->id ? -1 : (*one)->id > (*two)->id;
}

static bool read_node(const ExmQemuWord *word, ExmGuest *guest, GError **error)
{
	g_autoptr(GPtrArray) pairs = exm_keyval_split(word->value);
	const char *id = exm_keyval_get(pairs, "nodeid");
	const char *size = exm_keyval_get(pairs, "mem");
	ExmGuestNode *node;
	guint64 number;

	if (g_strcmp0(get_implied(pairs, "type"), "node") != 0)
		return true;
	node = g_new0(ExmGuestNode, 1);
	g_ptr_array_add(guest->nodes, node);
	/* QEMU, hw/core/numa.c, parse_numa_node(): by default the number of nodes so far */
	node->id = guest->nodes->len - 1;
	node->memdev = g_strdup(exm_keyval_get(pairs, "memdev"));
	if (id) {
		if (!g_ascii_string_to_unsigned(id, 10, 0, NODE_ID_MAX, &number, NULL))
			return exm_throw(error, EXM_ERROR_USAGE, "'%s' is not a node number", id);
		node->id = number;
	}
	return !size || parse_ram_size(size, &node->size, error);
}

static const char *json_or_pair(ExmJson *json, const GPtrArray *pairs, const char *key)
{
	return json ? exm_json_get_string(json, key) : exm_keyval_get(pairs, key);
}

/* -object and -device take JSON too (since QEMU 6.0 and 6.2). */
static ExmJson *parse_if_json(const char *text)
{
	return text[0] == '{' ? exm_json_parse_plain(text, strlen(text), NULL) : NULL;
}

/* 0 where it is not said, or not as we read it. */
static uint64_t backend_size(ExmJson *json, const GPtrArray *pairs)
{
	const char *text = exm_keyval_get(pairs, "size");
	uint64_t size = 0;

	if (json)
		return exm_json_get_uint(json, "size");
	return text && exm_size_parse(text, 1, &size, NULL) ? size : 0;
}

static bool read_object(const ExmQemuWord *word, ExmGuest *guest, G_GNUC_UNUSED GError **error)
{
	g_autoptr(ExmJson) json = parse_if_json(word->value);
	g_autoptr(GPtrArray) pairs = exm_keyval_split(word->value);
	const char *type = json ? exm_json_get_string(json, "qom-type")
	                        : get_implied(pairs, "qom-type");
	ExmOwnBackend *backend;

	if (!type || !g_str_has_prefix(type, BACKEND_PREFIX))
		return true;
	backend = g_new0(ExmOwnBackend, 1);
	backend->id = g_strdup(json_or_pair(json, pairs, "id"));
	backend->text = g_strdup(word->value);
	backend->size = backend_size(json, pairs);

	g_ptr_array_add(guest->own_backends, backend);
	return true;
}

/* QEMU, hw/mem/memory-device.c: what has a place beyond main memory; DIMMs take a slot too. */
static void count_memory_device(ExmGuest *guest, const char *driver, const char *memdev)
{
	static const char *const dimms[] = { "pc-dimm", "nvdimm", NULL };
	static const char *const others[] = { "virtio-mem-pci", "virtio-pmem-pci", NULL };
	const bool is_dimm = driver && g_strv_contains(dimms, driver);

	guest->dimms += is_dimm;
	if (memdev && (is_dimm || (driver && g_strv_contains(others, driver))))
		g_ptr_array_add(guest->plugged, g_strdup(memdev));
}

static bool read_device(const ExmQemuWord *word, ExmGuest *guest, G_GNUC_UNUSED GError **error)
{
	g_autoptr(ExmJson) json = parse_if_json(word->value);
	g_autoptr(GPtrArray) pairs = exm_keyval_split(word->value);
	const char *driver = json ? exm_json_get_string(json, "driver")
	                          : get_implied(pairs, "driver");
	const char *memdev = json_or_pair(json, pairs, "memdev");

	if (g_strcmp0(driver, "vmgenid") == 0)
		guest->has_vmgenid = true;
	if (memdev)
		g_ptr_array_add(guest->device_memdevs, g_strdup(memdev));
	count_memory_device(guest, driver, memdev);
	return true;
}

static bool read_fw_cfg(const ExmQemuWord *word, ExmGuest *guest, G_GNUC_UNUSED GError **error)
{
	g_autoptr(GPtrArray) pairs = exm_keyval_split(word->value);

	if (g_strcmp0(get_implied(pairs, "name"), EXM_IDENTITY_FW_CFG) == 0)
		guest->has_identity = true;
	return true;
}

static bool read_name(const ExmQemuWord *word, ExmGuest *guest, G_GNUC_UNUSED GError **error)
{
	g_autoptr(GPtrArray) pairs = exm_keyval_split(word->value);

	replace(&guest->name, get_implied(pairs, "guest"));
	return true;
}

static bool read_overcommit(const ExmQemuWord *word, ExmGuest *guest, G_GNUC_UNUSED GError **error)
{
	g_autoptr(GPtrArray) pairs = exm_keyval_split(word->value);
	const char *lock = exm_keyval_get(pairs, "mem-lock");

	if (lock)
		guest->lock_memory = strcmp(lock, "on") == 0;
	return true;
}

static bool read_memory(const ExmQemuWord *word, ExmGuest *guest, GError **error)
{
	if (guest->memory)
		return exm_throw(error, EXM_ERROR_USAGE, "given twice: '%s' and '%s'",
		                 guest->memory, word->value);
	guest->memory = g_strdup(word->value);
	return true;
}

static bool read_prealloc(G_GNUC_UNUSED const ExmQemuWord *word, ExmGuest *guest,
                          G_GNUC_UNUSED GError **error)
{
	guest->prealloc = true;
	return true;
}

static bool read_incoming(const ExmQemuWord *word, ExmGuest *guest, G_GNUC_UNUSED GError **error)
{
	replace(&guest->incoming, word->value);
	return true;
}

static bool read_question(G_GNUC_UNUSED const ExmQemuWord *word, ExmGuest *guest,
                          G_GNUC_UNUSED GError **error)
{
	guest->is_question = true;
	return true;
}

static bool read_daemonize(G_GNUC_UNUSED const ExmQemuWord *word, ExmGuest *guest,
                           G_GNUC_UNUSED GError **error)
{
	guest->daemonize = true;
	return true;
}

/* The options whose meaning exomem knows. */
static const struct {
	const char *name;
	bool (*read)(const ExmQemuWord *word, ExmGuest *guest, GError **error);
} readers[] = {
	{ "audio-help", read_question },
	{ "daemonize", read_daemonize },
	{ "device", read_device },
	{ "fw_cfg", read_fw_cfg },
	{ "help", read_question },
	{ "incoming", read_incoming },
	{ "m", read_size },
	{ "machine", read_machine },
	{ "mem-path", read_memory },
	{ "mem-prealloc", read_prealloc },
	{ "name", read_name },
	{ "numa", read_node },
	{ "object", read_object },
	{ "overcommit", read_overcommit },
	{ "version", read_question },
};

/* The options that QEMU asks its own lists with: is_help_option() of util/qemu-option.c */
static const char *const help_takers[] = {
	"accel",  "audio", "audiodev", "chardev", "cpu",   "d",   "device",   "display", "machine",
	"netdev", "nic",   "object",   "soundhw", "trace", "vga", "watchdog", NULL,
};

/* "-M help", "-device virtio-net-pci,help", "-cpu ?" */
static bool asks_for_help(const ExmQemuWord *word)
{
	g_autoptr(GPtrArray) pairs = NULL;

	if (!word->option || !g_strv_contains(help_takers, exm_qemu_option_canonical(word->option)))
		return false;
	pairs = exm_keyval_split(word->value);
	for (guint i = 0; i < pairs->len; i++) {
		const ExmPair *pair = pairs->pdata[i];

		if (!pair->key && (strcmp(pair->value, "help") == 0 || strcmp(pair->value, "?") == 0))
			return true;
	}
	return false;
}

static bool read_word(const ExmQemuWord *word, ExmGuest *guest, GError **error)
{
	if (asks_for_help(word))
		guest->is_question = true;
	for (size_t i = 0; i < G_N_ELEMENTS(readers); i++) {
		if (!exm_qemu_word_is(word, readers[i].name))
			continue;
		if (!readers[i].read(word, guest, error)) {
			g_prefix_error(error, "%s: ", word->word);
			return false;
		}
	}
	return true;
}

/**
 * exm_guest_read() - Read from a command line what the plan has to know of the guest
 * @line:  a QEMU command line
 * @error: USAGE for a size or node number that is none, or a second -mem-path
 *
 * Options that QEMU merges (-machine, -m, -name) are merged here: the last word on a key counts.
 *
 * Return: the guest (transfer full), or NULL.
 */
ExmGuest *exm_guest_read(const ExmQemuLine *line, GError **error)
{
	g_autoptr(ExmGuest) guest = g_new0(ExmGuest, 1);

	guest->nodes = g_ptr_array_new_with_free_func(node_free);
	guest->own_backends = g_ptr_array_new_with_free_func(own_backend_free);
	guest->device_memdevs = g_ptr_array_new_with_free_func(g_free);
	guest->plugged = g_ptr_array_new_with_free_func(g_free);

	guest->ram_size = DEFAULT_RAM_SIZE;
	for (guint i = 0; i < line->words->len; i++) {
		const guint nodes = guest->nodes->len;

		if (!read_word(line->words->pdata[i], guest, error))
			return NULL;
		if (guest->nodes->len > nodes)
			((ExmGuestNode *)guest->nodes->pdata[nodes])->word = i;
	}
	g_ptr_array_sort(guest->nodes, compare_nodes);
	return g_steal_pointer(&guest);
}
