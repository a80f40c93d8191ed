/* SPDX-License-Identifier: GPL-2.0-or-later */
/* block.c - Which blocks a guest's memory consists of, and what their files are called */

#include "plan/block.h"

#include <string.h>

#include "base/error.h"
#include "base/size.h"

/* QEMU until 5.1, hw/core/numa.c, numa_default_auto_assign_ram(): nodes are multiples of 8 MiB */
#define NODE_ALIGN (8 * EXM_MIB)

static void block_free(gpointer data)
{
	ExmBlock *block = data;

	g_free(block->id);
	g_free(block->file_name);
	g_free(block->path);
	g_free(block);
}

/**
 * exm_block_file_name() - What the file of a block is called
 * @offset: bytes from the start of the guest's memory
 * @size:   bytes
 * @id:     of the block's backend
 *
 * Return: "qemu_back_mem.0+20000000.pc.ram" (transfer full).
 */
char *exm_block_file_name(uint64_t offset, uint64_t size, const char *id)
{
	char *name = g_strdup_printf(EXM_BLOCK_PREFIX "%" G_GINT64_MODIFIER "x+%" G_GINT64_MODIFIER
	                                              "x.%s",
	                             offset, size, id);

	/* QEMU writes a region's name into a file name so too (system/physmem.c, file_ram_open()). */
	return g_strdelimit(name, "/", '_');
}

static void add_block(GPtrArray *blocks, const char *id, uint64_t offset, uint64_t size,
                      const ExmGuestNode *node)
{
	ExmBlock *block = g_new0(ExmBlock, 1);

	block->id = g_strdup(id);
	block->offset = offset;
	block->size = size;
	block->node = node;
	block->file_name = exm_block_file_name(offset, size, id);
	g_ptr_array_add(blocks, block);
}

static bool throw_both(GError **error, const ExmGuest *guest, const char *what, const char *text)
{
	return exm_throw(error, EXM_ERROR_USAGE,
	                 "'-mem-path %s' and '%s%s' both say where memory is: leave one out",
	                 guest->memory, what, text);
}

static bool is_of_device(const ExmGuest *guest, const char *id)
{
	for (guint i = 0; id && i < guest->device_memdevs->len; i++)
		if (strcmp(id, guest->device_memdevs->pdata[i]) == 0)
			return true;
	return false;
}

/* A backend that a device uses (an NVDIMM, a DIMM) is no rival: it is not main memory. */
static bool check_own_backends(const ExmGuest *guest, GError **error)
{
	if (guest->memory_backend)
		return throw_both(error, guest, "-machine memory-backend=", guest->memory_backend);
	for (guint i = 0; i < guest->nodes->len; i++) {
		const ExmGuestNode *node = guest->nodes->pdata[i];

		if (node->memdev)
			return throw_both(error, guest, "-numa node,memdev=", node->memdev);
	}
	for (guint i = 0; i < guest->own_backends->len; i++) {
		const ExmOwnBackend *backend = guest->own_backends->pdata[i];

		if (!is_of_device(guest, backend->id))
			return throw_both(error, guest, "-object ", backend->text);
	}
	return true;
}

static const ExmMachine *find_machine(const ExmGuest *guest, const ExmCaps *caps, GError **error)
{
	const ExmMachine *machine = exm_caps_machine(caps, guest->machine);

	if (!machine && guest->machine)
		exm_throw(error, EXM_ERROR_UNSUPPORTED, "'%s' is not a machine of '%s' (QEMU %s)",
		          guest->machine, caps->path, caps->version);
	else if (!machine)
		exm_throw(error, EXM_ERROR_UNSUPPORTED,
		          "'%s' has no default machine: name one by -M", caps->path);
	else if (!machine->ram_id)
		exm_throw(error, EXM_ERROR_UNSUPPORTED,
		          "machine '%s' takes no memory backend: leave -mem-path out", machine->name);
	else
		return machine;
	return NULL;
}

static uint64_t sum_of_nodes(const ExmGuest *guest)
{
	uint64_t sum = 0;

	for (guint i = 0; i < guest->nodes->len; i++)
		sum += ((const ExmGuestNode *)guest->nodes->pdata[i])->size;
	return sum;
}

/* Nodes without sizes share the memory evenly; the last one takes what is left over. */
static bool add_even_nodes(GPtrArray *blocks, const ExmGuest *guest, GError **error)
{
	const uint64_t share = guest->ram_size / guest->nodes->len & ~(NODE_ALIGN - 1);
	uint64_t offset = 0;

	if (share == 0)
		return exm_throw(error, EXM_ERROR_USAGE,
		                 "-m is too small for %u NUMA nodes: each needs %" G_GUINT64_FORMAT
		                 " MiB at least",
		                 guest->nodes->len, NODE_ALIGN / EXM_MIB);
	for (guint i = 0; i < guest->nodes->len; i++) {
		const ExmGuestNode *node = guest->nodes->pdata[i];
		const bool last = i == guest->nodes->len - 1;
		const uint64_t size = last ? guest->ram_size - offset : share;
		g_autofree char *id = g_strdup_printf("ram-node%" G_GUINT64_FORMAT, node->id);

		add_block(blocks, id, offset, size, node);
		offset += size;
	}
	return true;
}

static bool add_nodes(GPtrArray *blocks, const ExmGuest *guest, GError **error)
{
	const uint64_t sum = sum_of_nodes(guest);
	uint64_t offset = 0;

	if (sum == 0)
		return add_even_nodes(blocks, guest, error);
	if (sum != guest->ram_size) {
		g_autofree char *nodes = exm_size_print(sum);
		g_autofree char *all = exm_size_print(guest->ram_size);

		return exm_throw(
			error, EXM_ERROR_USAGE,
			"the NUMA nodes have '%s' together, but the guest has '%s': say '-m %s'",
			nodes, all, nodes);
	}
	for (guint i = 0; i < guest->nodes->len; i++) {
		const ExmGuestNode *node = guest->nodes->pdata[i];
		g_autofree char *id = g_strdup_printf("ram-node%" G_GUINT64_FORMAT, node->id);

		/* A node may have processors and no memory. */
		if (node->size == 0)
			continue;
		add_block(blocks, id, offset, node->size, node);
		offset += node->size;
	}
	return true;
}

/**
 * exm_blocks_new() - Divide a guest's memory into blocks
 * @guest: what the command line says of the guest
 * @caps:  of the QEMU that will run it
 * @error: USAGE where the user has placed the memory himself, or sizes do not add up; UNSUPPORTED
 *         where this QEMU has no such machine
 *
 * One block for all memory, called as the machine itself calls it, so that a migration stream also
 * loads into a guest that was started without exomem; or one for each NUMA node that has memory.
 *
 * Return: of ExmBlock (transfer full), without paths; or NULL.
 */
GPtrArray *exm_blocks_new(const ExmGuest *guest, const ExmCaps *caps, GError **error)
{
	g_autoptr(GPtrArray) blocks = g_ptr_array_new_with_free_func(block_free);
	const ExmMachine *machine;

	if (!check_own_backends(guest, error))
		return NULL;
	machine = find_machine(guest, caps, error);
	if (!machine)
		return NULL;
	if (guest->nodes->len == 0)
		add_block(blocks, machine->ram_id, 0, guest->ram_size, NULL);
	else if (!add_nodes(blocks, guest, error))
		return NULL;
	return g_steal_pointer(&blocks);
}

/**
 * exm_blocks_place() - Give blocks their paths
 * @blocks:    of ExmBlock
 * @path:      directory, or device
 * @is_device: the path is a device and holds the memory itself
 */
void exm_blocks_place(GPtrArray *blocks, const char *path, bool is_device)
{
	for (guint i = 0; i < blocks->len; i++) {
		ExmBlock *block = blocks->pdata[i];

		g_free(block->path);
		block->path = is_device ? g_strdup(path)
		                        : g_build_filename(path, block->file_name, NULL);
	}
}

/**
 * exm_blocks_place_child() - Give blocks the paths that they have in a template
 * @blocks:   of ExmBlock, of the template's own command line
 * @template: the template
 * @error:    STATE where it has not these blocks
 */
bool exm_blocks_place_child(GPtrArray *blocks, const ExmTemplate *template, GError **error)
{
	for (guint i = 0; i < blocks->len; i++) {
		ExmBlock *block = blocks->pdata[i];
		const ExmTemplateMemory *memory = exm_template_memory(template, block->id);

		if (!memory || memory->size != block->size)
			return exm_throw(error, EXM_ERROR_STATE,
			                 "template '%s' has no memory '%s' of %" G_GUINT64_FORMAT
			                 " bytes",
			                 template->directory, block->id, block->size);
		g_free(block->path);
		block->path = exm_template_path(template, memory->path);
	}
	return true;
}
