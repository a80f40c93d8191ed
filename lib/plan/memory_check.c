/* SPDX-License-Identifier: GPL-2.0-or-later */
/* memory_check.c - What QEMU would let through and the user regret */

#include "plan/memory_check.h"

#include <string.h>

#include "base/error.h"
#include "base/size.h"

/**
 * exm_memory_is_shared() - Whether the guest writes the file
 * @in: the situation
 */
bool exm_memory_is_shared(const ExmMemoryInput *in)
{
	return in->option->mapping == EXM_MAPPING_SHARED;
}

/**
 * exm_memory_is_preallocated() - Whether QEMU shall touch each page at start
 * @in: the situation
 */
bool exm_memory_is_preallocated(const ExmMemoryInput *in)
{
	return in->option->prealloc == EXM_SWITCH_ON || in->guest->prealloc;
}

/**
 * exm_memory_is_reserved() - Whether the files' blocks are reserved before QEMU starts
 * @in: the situation
 *
 * Only on a disk: in tmpfs or hugetlbfs a reservation would be the memory itself. A private mapping
 * never writes its file.
 */
bool exm_memory_is_reserved(const ExmMemoryInput *in)
{
	return exm_memory_is_shared(in) && in->option->prealloc != EXM_SWITCH_OFF &&
	       in->place->can_reserve && !in->place->in_memory;
}

/**
 * exm_memory_size() - The memory of all blocks
 * @in: the situation
 *
 * Return: bytes.
 */
uint64_t exm_memory_size(const ExmMemoryInput *in)
{
	uint64_t size = 0;

	for (guint i = 0; i < in->blocks->len; i++)
		size += ((const ExmBlock *)in->blocks->pdata[i])->size;
	return size;
}

static void warn(GPtrArray *warnings, const char *format, ...) G_GNUC_PRINTF(2, 3);

static void warn(GPtrArray *warnings, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	g_ptr_array_add(warnings, g_strdup_vprintf(format, arguments));
	va_end(arguments);
}

static bool is_device(const ExmMemoryInput *in)
{
	return in->place->kind == EXM_PLACE_DAX;
}

static bool check_kind(const ExmMemoryInput *in, G_GNUC_UNUSED GPtrArray *warnings, GError **error)
{
	const ExmPlace *place = in->place;

	switch (place->kind) {
	case EXM_PLACE_DIRECTORY:
	case EXM_PLACE_DAX:
		return true;
	case EXM_PLACE_MISSING:
		return exm_throw(error, EXM_ERROR_USAGE,
		                 "'%s' does not exist: make the directory first", place->path);
	case EXM_PLACE_FILE:
		return exm_throw(error, EXM_ERROR_USAGE,
		                 "'%s' is a plain file: name the directory that memory files go to",
		                 place->path);
	case EXM_PLACE_DANGLING_LINK:
		return exm_throw(error, EXM_ERROR_USAGE, "'%s' is a link to nothing ('%s')",
		                 place->path, place->detail);
	case EXM_PLACE_FOREIGN_LINK:
		return exm_throw(error, EXM_ERROR_USAGE,
		                 "'%s' leads over '%s', a link that belongs to another user",
		                 place->path, place->detail);
	case EXM_PLACE_UNREACHABLE:
		return exm_throw(error, EXM_ERROR_USAGE, "'%s' cannot be reached: %s", place->path,
		                 place->detail);
	case EXM_PLACE_OTHER:
		break;
	}
	return exm_throw(error, EXM_ERROR_USAGE, "'%s' is neither a directory nor a DAX device",
	                 place->path);
}

static bool check_directory(const ExmMemoryInput *in, G_GNUC_UNUSED GPtrArray *warnings,
                            GError **error)
{
	const bool only_reads = in->option->mode == EXM_MODE_OPEN && !exm_memory_is_shared(in);

	if (is_device(in))
		return true;
	if ((in->place->others_write || !only_reads) && !exm_place_check_safe(in->place, error))
		return false;
	if (in->option->mode != EXM_MODE_OPEN && !in->place->writable)
		return exm_throw(error, EXM_ERROR_USAGE, "'%s' is not writable", in->place->path);
	return true;
}

/*
 * A file that has a name may be opened by every host that mounts its file system. Of a private
 * mapping nobody sees what is written, and only a server that gives up hurts.
 */
static bool check_mount(const ExmMemoryInput *in, GPtrArray *warnings, GError **error)
{
	const bool shared = exm_memory_is_shared(in);
	const bool has_name = in->option->mode != EXM_MODE_TEMP;

	return is_device(in) ||
	       exm_place_check_mount(in->place,
	                             shared && has_name ? EXM_MOUNT_NAMED : EXM_MOUNT_UNNAMED,
	                             in->trust_mount || !shared, warnings, error);
}

/* Linux, drivers/dax/device.c, check_vma(): private mappings fail, and so do unaligned ones. */
static bool check_device(const ExmMemoryInput *in, G_GNUC_UNUSED GPtrArray *warnings, GError **error)
{
	const char *path = in->place->path;
	const uint64_t end = in->option->offset + exm_memory_size(in);

	if (!is_device(in))
		return !in->option->offset ||
		       exm_throw(error, EXM_ERROR_USAGE,
		                 "'offset' is for DAX devices; '%s' is none", path);
	if (in->option->mode != EXM_MODE_OPEN)
		return exm_throw(error, EXM_ERROR_USAGE, "'%s' is a device: say 'mode=open'", path);
	if (!exm_memory_is_shared(in))
		return exm_throw(error, EXM_ERROR_UNSUPPORTED,
		                 "'%s' is a DAX device, which the kernel maps shared only: say "
		                 "'mmap=shared'",
		                 path);
	if (in->blocks->len > 1)
		return exm_throw(error, EXM_ERROR_UNSUPPORTED,
		                 "'%s' is one device, but the guest has %u NUMA nodes: give each an "
		                 "-object of its own",
		                 path, in->blocks->len);
	if (end < in->option->offset || end > in->place->free) {
		g_autofree char *size = exm_size_human(in->place->free);

		return exm_throw(error, EXM_ERROR_NO_ROOM, "'%s' holds only %s", path, size);
	}
	return in->place->writable || exm_throw(error, EXM_ERROR_USAGE, "'%s' is not writable", path);
}

/* QEMU, system/physmem.c, file_ram_alloc(): blocks are whole pages of the file system. */
static bool check_pages(const ExmMemoryInput *in, G_GNUC_UNUSED GPtrArray *warnings, GError **error)
{
	for (guint i = 0; i < in->blocks->len; i++) {
		const ExmBlock *block = in->blocks->pdata[i];
		g_autofree char *size = exm_size_print(block->size);
		g_autofree char *page = exm_size_human(in->place->page_size);

		if (block->size % in->place->page_size != 0)
			return exm_throw(error, EXM_ERROR_USAGE,
			                 "'%s' is not a multiple of the pages of '%s', which are %s",
			                 size, in->place->path, page);
	}
	return true;
}

/* What is wrong with one file, or NULL. */
static char *describe_mismatch(const ExmMemoryInput *in, const ExmFileFacts *file,
                               const ExmBlock *block)
{
	const bool may_be_empty = in->option->mode == EXM_MODE_CREATE;
	const char *name = block->file_name;

	if (!file->exists)
		return g_strdup_printf("'%s' is not there", name);
	if (!file->regular)
		return g_strdup_printf("'%s' is not a plain file", name);
	if (file->size != block->size && !(may_be_empty && file->size == 0))
		return g_strdup_printf("'%s' has %" G_GUINT64_FORMAT " bytes, not %" G_GUINT64_FORMAT,
		                       name, file->size, block->size);
	return NULL;
}

static bool check_presence(const ExmMemoryInput *in, G_GNUC_UNUSED GPtrArray *warnings, GError **error)
{
	g_autoptr(GPtrArray) wrong = g_ptr_array_new_with_free_func(g_free);
	g_autofree char *list = NULL;

	for (guint i = 0; i < in->files->len; i++) {
		const ExmFileFacts *file = in->files->pdata[i];
		char *text;

		if (!file->exists && in->option->mode != EXM_MODE_OPEN)
			continue;
		text = describe_mismatch(in, file, in->blocks->pdata[i]);
		if (text)
			g_ptr_array_add(wrong, text);
	}
	if (wrong->len == 0)
		return true;
	g_ptr_array_add(wrong, NULL);
	list = g_strjoinv("; ", (char **)wrong->pdata);
	return exm_throw(error, EXM_ERROR_STATE, "in '%s' %s", in->place->path, list);
}

static bool check_file(const ExmMemoryInput *in, const ExmFileFacts *file, GError **error)
{
	const bool shared = exm_memory_is_shared(in);

	if (file->template_name && shared)
		return exm_throw(error, EXM_ERROR_STATE,
		                 "'%s' belongs to template '%s' and must not change: say "
		                 "'mmap=private'",
		                 file->path, file->template_name);
	if (!exm_file_check_access(file, in->place, in->host->euid,
	                           shared || in->option->mode == EXM_MODE_CREATE, error))
		return false;
	if (shared && !file->writable)
		return exm_throw(error, EXM_ERROR_USAGE, "'%s' is not writable", file->path);
	if (!file->readable)
		return exm_throw(error, EXM_ERROR_USAGE, "'%s' is not readable", file->path);
	/* QEMU, system/physmem.c until 8.1: opened read-write even for a private mapping */
	if (!shared && !file->writable && !exm_caps_has(in->caps->file_properties, "rom"))
		return exm_throw(error, EXM_ERROR_UNSUPPORTED,
		                 "'%s' can only be read, and mapping such a file needs QEMU 8.2; this is "
		                 "%s",
		                 file->path, in->caps->version);
	return true;
}

static bool check_files(const ExmMemoryInput *in, G_GNUC_UNUSED GPtrArray *warnings, GError **error)
{
	for (guint i = 0; i < in->files->len; i++) {
		const ExmFileFacts *file = in->files->pdata[i];

		if (file->exists && in->option->mode != EXM_MODE_TEMP && !check_file(in, file, error))
			return false;
	}
	return true;
}

static bool check_discard(const ExmMemoryInput *in, GPtrArray *warnings, GError **error)
{
	if (in->option->discard != EXM_SWITCH_ON)
		return true;
	if (!in->place->can_punch)
		return exm_throw(error, EXM_ERROR_UNSUPPORTED,
		                 "'%s' on '%s' cannot punch holes: leave 'discard=on' out",
		                 in->place->file_system, in->place->path);
	/* Linux, mm/madvise.c, madvise_remove(): EINVAL on locked memory; QEMU ignores it */
	if (in->guest->lock_memory)
		warn(warnings, "'discard=on' has no effect with '-overcommit mem-lock=on'");
	return true;
}

static bool check_preallocation(const ExmMemoryInput *in, G_GNUC_UNUSED GPtrArray *warnings,
                                GError **error)
{
	if (!in->guest->prealloc)
		return true;
	if (!exm_memory_is_shared(in))
		return exm_throw(error, EXM_ERROR_USAGE,
		                 "'-mem-prealloc' would copy a private mapping whole: leave it out or map "
		                 "with 'mmap=shared'");
	if (in->option->prealloc == EXM_SWITCH_OFF)
		return exm_throw(error, EXM_ERROR_USAGE,
		                 "'-mem-prealloc' and 'prealloc=off' exclude each other");
	return true;
}

static bool is_online(const GArray *online, guint node)
{
	for (guint i = 0; i < online->len; i++)
		if (g_array_index(online, guint, i) == node)
			return true;
	return false;
}

static bool check_nodes(const ExmMemoryInput *in, GPtrArray *warnings, GError **error)
{
	const GArray *wanted = in->option->host_nodes;
	g_autoptr(GArray) online = NULL;

	if (!wanted)
		return true;
	if (!exm_node_list_parse(in->host->nodes, &online, error))
		return false;
	for (guint i = 0; i < wanted->len; i++)
		if (!is_online(online, g_array_index(wanted, guint, i)))
			return exm_throw(error, EXM_ERROR_UNSUPPORTED,
			                 "this host has no NUMA node '%u'; it has %s",
			                 g_array_index(wanted, guint, i), in->host->nodes);
	/* Linux, mm/mempolicy.c: a policy of a mapping counts for shmem and anonymous pages alone */
	if (!in->place->in_memory && !is_device(in))
		warn(warnings, "'host-nodes' does not bind the page cache of '%s'",
		     in->place->file_system);
	return true;
}

static bool check_locked(const ExmMemoryInput *in, GPtrArray *warnings, GError **error)
{
	const bool shared = exm_memory_is_shared(in);
	const uint64_t limit = shared ? in->host->ram_total : in->host->ram_available;
	g_autofree char *size = exm_size_human(exm_memory_size(in));
	g_autofree char *room = exm_size_human(limit);

	if (!in->guest->lock_memory || is_device(in))
		return true;
	if (exm_memory_size(in) > limit)
		return exm_throw(error, EXM_ERROR_NO_ROOM,
		                 "'-overcommit mem-lock=on' would hold %s in memory, which has %s",
		                 size, room);
	if (!shared)
		warn(warnings, "'-overcommit mem-lock=on' copies the private mapping whole: %s",
		     size);
	return true;
}

/* Linux, mm/util.c, __vm_enough_memory(): what it refuses for a private writable mapping */
static bool check_promise(const ExmMemoryInput *in, G_GNUC_UNUSED GPtrArray *warnings, GError **error)
{
	const ExmHost *host = in->host;
	const uint64_t need = exm_memory_size(in);
	const uint64_t all = host->ram_total + host->swap_total;
	const uint64_t promised = host->commit_used + need;
	g_autofree char *size = exm_size_human(need);
	g_autofree char *limit = exm_size_human(host->overcommit_memory == 2 ? host->commit_limit
	                                                                     : all);
	g_autofree char *used = exm_size_human(host->commit_used);

	if (exm_memory_is_shared(in))
		return true;
	/* QEMU, util/mmap-alloc.c, map_noreserve_effective() */
	if (host->overcommit_memory == 2 && in->option->reserve == EXM_SWITCH_OFF)
		return exm_throw(error, EXM_ERROR_UNSUPPORTED,
		                 "'reserve=off' cannot be had while vm.overcommit_memory is 2");
	if (host->overcommit_memory == 2 && promised > host->commit_limit)
		return exm_throw(
			error, EXM_ERROR_NO_ROOM,
			"a private mapping of %s is too much: vm.overcommit_memory is 2, and of %s "
			"%s are promised already",
			size, limit, used);
	if (host->overcommit_memory == 0 && in->option->reserve != EXM_SWITCH_OFF && need > all)
		return exm_throw(error, EXM_ERROR_NO_ROOM,
		                 "a private mapping of %s is larger than memory and swap (%s): add "
		                 "'reserve=off'",
		                 size, limit);
	return true;
}

/* A stream that leaves memory out (x-ignore-shared) counts on what the file holds. */
static void warn_of_incoming(const ExmMemoryInput *in, GPtrArray *warnings)
{
	for (guint i = 0; in->guest->incoming && i < in->files->len; i++) {
		const ExmFileFacts *file = in->files->pdata[i];

		if (in->option->mode == EXM_MODE_CREATE && !file->exists)
			warn(warnings, "'-incoming' finds empty memory: '%s' is made new",
			     file->path);
	}
}

static void warn_of_file_system(const ExmMemoryInput *in, GPtrArray *warnings)
{
	if (!in->option->any_fs && !is_device(in) && strcmp(in->place->file_system, "hugetlbfs") != 0)
		warn(warnings, "'%s' is not on hugetlbfs but on %s ('anyfs' says that this is meant)",
		     in->place->path, in->place->file_system);
}

/* Bytes that the files still lack. */
static uint64_t missing_bytes(const ExmMemoryInput *in)
{
	uint64_t missing = 0;

	for (guint i = 0; i < in->files->len; i++) {
		const ExmBlock *block = in->blocks->pdata[i];
		const ExmFileFacts *file = in->files->pdata[i];
		const bool counts = file->exists && in->option->mode != EXM_MODE_TEMP;
		const uint64_t present = counts ? MIN(file->allocated, block->size) : 0;

		missing += block->size - present;
	}
	return missing;
}

/* Sparse memory and memory that is never written to the file need no room. */
static bool needs_room(const ExmMemoryInput *in)
{
	return exm_memory_is_shared(in) && in->option->prealloc != EXM_SWITCH_OFF && !is_device(in);
}

static bool may_fall_back(const ExmMemoryInput *in)
{
	return in->option->mode == EXM_MODE_TEMP && !in->option->no_fallback &&
	       in->option->pmem != EXM_SWITCH_ON;
}

static bool check_room(const ExmMemoryInput *in, GPtrArray *warnings, bool *ret_anonymous,
                       GError **error)
{
	const uint64_t need = missing_bytes(in);
	g_autofree char *size = exm_size_human(need);
	g_autofree char *room = exm_size_human(in->place->free);

	if (!needs_room(in) || need <= in->place->free)
		return true;
	if (!may_fall_back(in))
		return exm_throw(error, EXM_ERROR_NO_ROOM,
		                 "does not fit: needs %s, '%s' has %s free; 'prealloc=off' makes the file "
		                 "sparse, unchecked",
		                 size, in->place->path, room);
	warn(warnings, "guest memory is anonymous: it needs %s, and '%s' has %s free", size,
	     in->place->path, room);
	*ret_anonymous = true;
	return true;
}

/* In the order in which a user wants to hear of them: the path first, its contents, then sizes. */
static bool (*const checks[])(const ExmMemoryInput *, GPtrArray *, GError **) = {
	check_kind,          check_directory, check_device, check_pages,
	check_presence,      check_files,     check_mount,  check_discard,
	check_preallocation, check_nodes,     check_locked, check_promise,
};

/**
 * exm_memory_check() - Refuse or warn about what would go wrong later
 * @in:            the situation
 * @warnings:      of char *, grows
 * @ret_anonymous: set where the memory must be anonymous, because there is no room for the file
 * @error:         USAGE, UNSUPPORTED, NO_ROOM or STATE; the codes are explained in exomem-memory(5)
 */
bool exm_memory_check(const ExmMemoryInput *in, GPtrArray *warnings, bool *ret_anonymous,
                      GError **error)
{
	bool anonymous = false;

	for (size_t i = 0; i < G_N_ELEMENTS(checks); i++)
		if (!checks[i](in, warnings, error))
			return false;
	if (!check_room(in, warnings, &anonymous, error))
		return false;
	warn_of_incoming(in, warnings);
	if (!anonymous)
		warn_of_file_system(in, warnings);
	*ret_anonymous = anonymous;
	return true;
}
