/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest_memory.c - Where a guest's memory is: its files, and its addresses in QEMU */

#include "host/guest_memory.h"

#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "host/mapping.h"

/* By which of its descriptors QEMU has a file open that has lost this name; NULL for none. */
static char *find_deleted(const ExmVm *vm, const char *path)
{
	g_autofree char *directory = g_strdup_printf("/proc/%d/fd", (int)vm->pid);
	g_autofree char *wanted = g_strconcat(path, " (deleted)", NULL);
	g_autoptr(GDir) dir = g_dir_open(directory, 0, NULL);
	const char *name;

	while (dir && (name = g_dir_read_name(dir))) {
		g_autofree char *link = g_build_filename(directory, name, NULL);
		g_autofree char *target = g_file_read_link(link, NULL);

		if (g_strcmp0(target, wanted) == 0)
			return g_steal_pointer(&link);
	}
	return NULL;
}

/* Whether QEMU has open what has this name now; where that cannot be seen, it has. */
static bool is_open(const ExmVm *vm, const char *path)
{
	g_autofree char *directory = g_strdup_printf("/proc/%d/fd", (int)vm->pid);
	g_autoptr(GDir) dir = g_dir_open(directory, 0, NULL);
	struct stat wanted;
	const char *name;

	if (stat(path, &wanted) < 0)
		return false;
	while (dir && (name = g_dir_read_name(dir))) {
		g_autofree char *link = g_build_filename(directory, name, NULL);
		struct stat file;

		if (stat(link, &file) == 0 && file.st_dev == wanted.st_dev &&
		    file.st_ino == wanted.st_ino)
			return true;
	}
	return !dir;
}

/**
 * exm_guest_memory_lost() - Whether the file of one of a guest's memories has its name no more
 * @vm:     the guest
 * @memory: an item of its record's memory
 *
 * Return: the name that it had (borrowed), where it was deleted or moved, or another file has that
 * name now; NULL where it has it.
 */
const char *exm_guest_memory_lost(const ExmVm *vm, ExmJson *memory)
{
	const char *path = exm_json_get_string(memory, "path");

	return path && !exm_json_get_bool(memory, "unnamed") && !is_open(vm, path) ? path : NULL;
}

/**
 * exm_guest_memory_path() - Where the file of one of a guest's memories can be opened
 * @vm:     the guest
 * @memory: an item of its record's memory
 *
 * Return: where QEMU has it open, which need not have a name (transfer full); NULL for memory
 * without a file.
 */
char *exm_guest_memory_path(const ExmVm *vm, ExmJson *memory)
{
	const char *opened = exm_json_get_string(exm_json_member(memory, "backend"), "mem-path");
	const char *number = opened ? strrchr(opened, '/') : NULL;
	char *found = NULL;

	if (!exm_json_get_string(memory, "path"))
		return NULL;
	if (exm_json_get_bool(memory, "unnamed") && number)
		return g_strdup_printf("/proc/%d/fd%s", (int)vm->pid, number);
	if (exm_guest_memory_lost(vm, memory))
		found = find_deleted(vm, exm_json_get_string(memory, "path"));
	return found ? found : g_strdup(exm_json_get_string(memory, "path"));
}

static size_t count_of(const ExmVm *vm)
{
	return vm->memory ? exm_json_length(vm->memory) : 0;
}

/**
 * exm_guest_memory_is_private() - Whether a guest maps a file that is not its own
 * @vm: the guest
 *
 * Return: true for a child of a template, and for mmap=private: a balloon would punch holes into
 * the file (QEMU's system/physmem.c, ram_block_discard_range()).
 */
bool exm_guest_memory_is_private(const ExmVm *vm)
{
	for (size_t i = 0; i < count_of(vm); i++) {
		ExmJson *memory = json_object_array_get_idx(vm->memory, i);

		if (exm_json_get_string(memory, "path") && !exm_json_get_bool(memory, "shared"))
			return true;
	}
	return false;
}

static ExmOut out_of_file(const char *path)
{
	struct statfs info;
	struct stat file;

	if (stat(path, &file) < 0 || !S_ISREG(file.st_mode) || statfs(path, &info) < 0 ||
	    info.f_type == HUGETLBFS_MAGIC)
		return EXM_OUT_NOWHERE;
	return info.f_type == TMPFS_MAGIC || info.f_type == RAMFS_MAGIC ? EXM_OUT_SWAP : EXM_OUT_FILE;
}

/**
 * exm_guest_memory_out() - Where a guest's pages go when they are pushed out
 * @vm: the guest
 *
 * Return: to its file where all of its memory is in files of its own on a disk; to swap where some
 * is not; nowhere for huge pages and devices.
 */
ExmOut exm_guest_memory_out(const ExmVm *vm)
{
	ExmOut all = count_of(vm) ? EXM_OUT_FILE : EXM_OUT_SWAP;

	for (size_t i = 0; i < count_of(vm); i++) {
		ExmJson *memory = json_object_array_get_idx(vm->memory, i);
		g_autofree char *path = exm_guest_memory_path(vm, memory);
		ExmOut out = path ? out_of_file(path) : EXM_OUT_SWAP;

		if (out == EXM_OUT_NOWHERE)
			return out;
		if (out == EXM_OUT_FILE && !exm_json_get_bool(memory, "shared"))
			out = EXM_OUT_SWAP;
		all = MAX(all, out);
	}
	return all;
}

static void range_free(gpointer data)
{
	ExmGuestRange *range = data;

	g_free(range->file);
	g_free(range);
}

static void add_ranges(GPtrArray *ranges, char **lines, uint64_t size, const char *path)
{
	const ExmMappedFile file = path ? exm_mapped_file_look(path)
	                                : (ExmMappedFile){ .size = size };
	ExmMapsLine mapping;

	for (; *lines; lines++) {
		ExmGuestRange range;

		if (!exm_maps_line_parse(*lines, &mapping) || !exm_maps_line_is_of(&mapping, &file))
			continue;
		range = (ExmGuestRange){
			.start = mapping.start,
			.length = mapping.end - mapping.start,
			.offset = mapping.offset,
			.file = path && mapping.shared ? g_strdup(path) : NULL,
		};
		g_ptr_array_add(ranges, g_memdup2(&range, sizeof(range)));
	}
}

/**
 * exm_guest_memory_ranges() - A guest's memory in its QEMU
 * @vm:    the guest
 * @error: SYSTEM where QEMU is gone or another user's; UNSUPPORTED where the memory is not found
 *
 * Return: of ExmGuestRange (transfer full), or NULL.
 */
GPtrArray *exm_guest_memory_ranges(const ExmVm *vm, GError **error)
{
	g_autofree char *maps = g_strdup_printf("/proc/%d/maps", (int)vm->pid);
	g_autoptr(GPtrArray) ranges = g_ptr_array_new_with_free_func(range_free);
	g_autofree char *text = NULL;
	g_auto(GStrv) lines = NULL;

	if (!exm_file_read(maps, &text, NULL, error))
		return NULL;
	lines = g_strsplit(text, "\n", -1);
	for (size_t i = 0; i < count_of(vm); i++) {
		ExmJson *memory = json_object_array_get_idx(vm->memory, i);
		g_autofree char *path = exm_guest_memory_path(vm, memory);

		add_ranges(ranges, lines, exm_json_get_uint(memory, "size"), path);
	}
	if (ranges->len == 0)
		add_ranges(ranges, lines, vm->ram_size, NULL);
	if (ranges->len > 0)
		return g_steal_pointer(&ranges);
	exm_throw(error, EXM_ERROR_UNSUPPORTED, "the memory of guest '%s' is not found in its QEMU",
	          vm->name);
	return NULL;
}
