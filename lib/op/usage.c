/* SPDX-License-Identifier: GPL-2.0-or-later */
/* usage.c - Who holds what memory */

#include "op/usage.h"

#include "base/error.h"
#include "host/guest_memory.h"
#include "host/page_map.h"
#include "host/place.h"
#include "host/state.h"

/**
 * struct Ledger - Usage as it is added up
 * @usages: of ExmUsage
 * @seen:   device and inode of each memory file that has been counted
 * @sum:    of all
 */
typedef struct {
	GPtrArray *usages;
	GHashTable *seen;
	ExmUsageSum *sum;
} Ledger;

static void usage_free(gpointer data)
{
	ExmUsage *usage = data;

	exm_vm_free(usage->vm);
	g_free(usage->lost);
	g_free(usage);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ExmUsage, usage_free)

static void count_file(const Ledger *ledger, const ExmFileFacts *file)
{
	ExmFileUse use;

	if (!g_hash_table_add(ledger->seen, g_strdup_printf("%" G_GUINT64_FORMAT ":%" G_GUINT64_FORMAT,
	                                                    file->device, file->inode)))
		return;
	use = exm_file_use(file->path);
	ledger->sum->files += use.resident;
	ledger->sum->dirty += use.dirty;
	ledger->sum->blocks += use.blocks;
}

static GArray *files_of(const Ledger *ledger, const ExmVm *vm)
{
	GArray *files = g_array_new(FALSE, FALSE, sizeof(ExmMappedFile));

	for (size_t i = 0; i < exm_json_length(vm->memory); i++) {
		ExmJson *memory = json_object_array_get_idx(vm->memory, i);
		g_autofree char *path = exm_guest_memory_path(vm, memory);
		ExmMappedFile mapped = { 0 };

		if (path) {
			g_autoptr(ExmFileFacts) file = exm_file_look_through(path);

			mapped = exm_mapped_file_look(path);
			count_file(ledger, file);
		} else {
			mapped.size = exm_json_get_uint(memory, "size");
		}
		g_array_append_val(files, mapped);
	}
	return files;
}

static char *find_lost(const ExmVm *vm)
{
	for (size_t i = 0; i < exm_json_length(vm->memory); i++) {
		const char *path = exm_guest_memory_lost(vm,
		                                         json_object_array_get_idx(vm->memory, i));

		if (path)
			return g_strdup(path);
	}
	return NULL;
}

/* Takes the guest over; one that has ended meanwhile does not count where all were asked for. */
static bool add_guest(const Ledger *ledger, ExmVm *vm, bool may_be_gone, GError **error)
{
	g_autoptr(ExmUsage) usage = g_new0(ExmUsage, 1);
	g_autoptr(GError) reason = NULL;
	g_autoptr(GArray) files = files_of(ledger, vm);

	usage->vm = vm;
	usage->lost = find_lost(vm);
	exm_smaps_read((pid_t)vm->pid, (const ExmMappedFile *)(const void *)files->data, files->len,
	               &usage->smaps, &reason);
	/* Its number may be another process's by now. */
	if (!exm_state_is_alive(vm))
		return may_be_gone ||
		       exm_throw(error, EXM_ERROR_STATE, "guest '%s' has ended", vm->name);
	if (reason) {
		g_propagate_prefixed_error(error, g_steal_pointer(&reason), "guest '%s': ", vm->name);
		return false;
	}
	ledger->sum->copied += usage->smaps.copied;
	ledger->sum->swapped += usage->smaps.swapped;
	ledger->sum->qemu += usage->smaps.rest;
	ledger->sum->merged += usage->smaps.merged;
	ledger->sum->alone += usage->smaps.mapped + usage->smaps.copied + usage->smaps.rest;
	g_ptr_array_add(ledger->usages, g_steal_pointer(&usage));
	return true;
}

static GPtrArray *find_guests(const char *state_directory, const char *const *names, GError **error)
{
	g_autoptr(GPtrArray) vms = NULL;

	if (!names[0])
		return exm_state_list(state_directory, &vms, error) ? g_steal_pointer(&vms) : NULL;
	vms = exm_vms_new();
	for (; *names; names++) {
		ExmVm *vm = exm_state_find(state_directory, *names, error);

		if (!vm)
			return NULL;
		g_ptr_array_add(vms, vm);
	}
	return g_steal_pointer(&vms);
}

/**
 * exm_op_usage() - What guests have in memory
 * @state_directory: where guests' directories are
 * @names:           of the guests, NULL-terminated; none for all
 * @ret_usages:      of ExmUsage (transfer full)
 * @ret_sum:         what they have together
 * @error:           STATE where there is no such guest
 */
bool exm_op_usage(const char *state_directory, const char *const *names, GPtrArray **ret_usages,
                  ExmUsageSum *ret_sum, GError **error)
{
	g_autoptr(GPtrArray) vms = find_guests(state_directory, names, error);
	g_autoptr(GPtrArray) usages = g_ptr_array_new_with_free_func(usage_free);
	g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	ExmUsageSum sum = { 0 };
	const Ledger ledger = { usages, seen, &sum };

	if (!vms)
		return false;
	while (vms->len > 0)
		if (!add_guest(&ledger, g_ptr_array_steal_index(vms, 0), !names[0], error))
			return false;
	*ret_usages = g_steal_pointer(&usages);
	*ret_sum = sum;
	return true;
}

/**
 * exm_op_usage_map() - Which pages of its memory a guest has touched
 * @state_directory: where guests' directories are
 * @name:            the guest's
 * @cells:           EXM_STRIP_CELLS of them, empty
 * @ret_size:        bytes of its memory
 * @error:           STATE where there is no such guest, or its memory is not exomem's
 */
bool exm_op_usage_map(const char *state_directory, const char *name, ExmStripCell *cells,
                      uint64_t *ret_size, GError **error)
{
	g_autoptr(ExmVm) vm = exm_state_find(state_directory, name, error);

	if (!vm)
		return false;
	if (exm_json_length(vm->memory) == 0)
		return exm_throw(error, EXM_ERROR_STATE, "guest '%s' has no -mem-path", name);
	for (size_t i = 0; i < exm_json_length(vm->memory); i++) {
		ExmJson *memory = json_object_array_get_idx(vm->memory, i);
		g_autofree char *path = exm_guest_memory_path(vm, memory);
		const ExmMappedFile anonymous = { .size = exm_json_get_uint(memory, "size") };
		const ExmPageSpan span = {
			.file = path ? exm_mapped_file_look(path) : anonymous,
			.offset = exm_json_get_uint(memory, "offset"),
		};

		if (!exm_page_map_read((pid_t)vm->pid, &span, vm->ram_size, cells, error))
			return false;
	}
	*ret_size = vm->ram_size;
	return true;
}
