/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vm.c - The record of a guest, as a value and as JSON */

#include "plan/vm.h"

#include <string.h>

#include "base/error.h"
#include "base/record.h"
#include "plan/identity.h"

/* Counts up when a member changes its meaning. */
#define SCHEMA 1

static const ExmField fields[] = {
	EXM_FIELD(ExmVm, "schema", UINT, schema, true),
	EXM_FIELD(ExmVm, "name", STRING, name, true),
	EXM_FIELD(ExmVm, "uuid", STRING, uuid, true),
	EXM_FIELD(ExmVm, "generation-id", STRING, generation_id, true),
	EXM_FIELD(ExmVm, "boot-id", STRING, boot_id, true),
	EXM_FIELD(ExmVm, "qemu", STRING, qemu, true),
	EXM_FIELD(ExmVm, "qemu-version", STRING, qemu_version, true),
	EXM_FIELD(ExmVm, "working-directory", STRING, working_directory, true),
	EXM_FIELD(ExmVm, "pid", UINT, pid, true),
	EXM_FIELD(ExmVm, "start-time", UINT, start_time, true),
	EXM_FIELD(ExmVm, "ram-size", UINT, ram_size, true),
	EXM_FIELD(ExmVm, "created", UINT, created, true),
	EXM_FIELD(ExmVm, "detached", BOOL, detached, true),
	EXM_FIELD(ExmVm, "template", STRING, template_path, false),
	EXM_FIELD(ExmVm, "parent", STRING, parent, false),
	EXM_FIELD(ExmVm, "index", UINT, index, false),
	EXM_FIELD(ExmVm, "command", STRV, command, true),
	EXM_FIELD(ExmVm, "argv", STRV, argv, true),
	EXM_FIELD(ExmVm, "memory", JSON, memory, true),
	EXM_FIELD(ExmVm, "pmem", JSON, pmem, false),
	EXM_FIELD(ExmVm, "disks", JSON, disks, false),
	EXM_FIELD(ExmVm, "sandbox", BOOL, sandbox, false),
	EXM_FIELD(ExmVm, "run-as", STRING, run_as, false),
	EXM_FIELD(ExmVm, "memory-error", STRING, memory_error, false),
};

static const ExmLayout layout = { "record", sizeof(ExmVm), fields, G_N_ELEMENTS(fields), true };

/* All that exomem and QEMU at its word ever make in a guest's directory, but for its marker. */
static const char *const files[] = {
	EXM_VM_LOCK,    EXM_VM_RECORD, EXM_VM_CONTROL,  EXM_VM_EVENTS,    EXM_VM_CONSOLE,
	EXM_VM_MONITOR, EXM_VM_QMP,    EXM_VM_WAITING,  EXM_VM_CGROUP,    EXM_VM_COMMITMENT,
	EXM_VM_LOG,     EXM_VM_CONF,   EXM_VM_ASLEEP,   EXM_VM_RECLAIM,   EXM_VM_CONSOLE_LOCK,
	EXM_VM_ENDED,   EXM_VM_ENDING, EXM_VM_INCOMING, EXM_VM_OPERATION,
};

/* What stays of them when a guest has ended. */
static const char *const kept[] = { EXM_VM_RECORD, EXM_VM_LOG, EXM_VM_LOG ".new", EXM_VM_ENDED,
	                            EXM_VM_ENDED ".new" };

/* What a file is called before it takes its place: by mkstemp(3), or the log's own way. */
static bool is_before_its_place(const char *end)
{
	size_t length = strlen(end);

	if (strcmp(end, ".new") == 0)
		return true;
	if (length != strlen(".XXXXXX") || end[0] != '.')
		return false;
	while (length > 1 && g_ascii_isalnum(end[length - 1]))
		length--;
	return length == 1;
}

/**
 * exm_vm_makes_file() - Whether a file of a guest's directory can be one that exomem made there
 * @name: of the file
 *
 * What it cannot have made is never removed.
 */
bool exm_vm_makes_file(const char *name)
{
	for (size_t i = 0; i < G_N_ELEMENTS(files); i++) {
		const char *end = g_str_has_prefix(name, files[i]) ? name + strlen(files[i]) : NULL;

		if (end && (*end == '\0' || is_before_its_place(end)))
			return true;
	}
	return false;
}

/**
 * exm_vm_keeps_file() - Whether a file of a guest's directory stays when the guest has ended
 * @name: of the file
 */
bool exm_vm_keeps_file(const char *name)
{
	for (size_t i = 0; i < G_N_ELEMENTS(kept); i++)
		if (strcmp(name, kept[i]) == 0)
			return true;
	return false;
}

/**
 * exm_vm_free() - Free a guest's record
 * @vm: may be NULL
 */
void exm_vm_free(ExmVm *vm)
{
	if (!vm)
		return;
	g_free(vm->directory);
	exm_record_free(&layout, vm);
}

static void vm_destroy(gpointer vm)
{
	exm_vm_free(vm);
}

/**
 * exm_vm_disk() - The overlay that a guest has in place of a disk of its command line
 * @vm:   the guest
 * @word: place of the disk in the words of the command line
 *
 * Return: what its record says of it (borrowed), or NULL where it has none.
 */
ExmJson *exm_vm_disk(const ExmVm *vm, uint64_t word)
{
	for (size_t i = 0; i < exm_json_length(vm->disks); i++) {
		ExmJson *disk = json_object_array_get_idx(vm->disks, i);

		if (exm_json_get_uint(disk, "word") == word)
			return disk;
	}
	return NULL;
}

/**
 * exm_vms_new() - Make an empty list of guests
 *
 * Return: of ExmVm, which are freed with it (transfer full).
 */
GPtrArray *exm_vms_new(void)
{
	return g_ptr_array_new_with_free_func(vm_destroy);
}

/**
 * exm_vm_to_json() - Write a guest's record as JSON
 * @vm: the record
 *
 * Return: an object (transfer full), described in exomem-state(5).
 */
ExmJson *exm_vm_to_json(const ExmVm *vm)
{
	ExmJson *json = exm_record_to_json(&layout, vm);

	exm_json_set_uint(json, "schema", SCHEMA);
	return json;
}

/**
 * exm_vm_from_json() - Read a guest's record back
 * @json:      what exm_vm_to_json() wrote
 * @directory: where it was found
 * @error:     STATE where it is not whole, or of a schema that is not known
 *
 * Return: the record (transfer full), or NULL.
 */
ExmVm *exm_vm_from_json(ExmJson *json, const char *directory, GError **error)
{
	g_autoptr(ExmVm) vm = exm_record_from_json(&layout, json, NULL);

	if (!vm || vm->schema != SCHEMA || vm->pid == 0 || vm->pid > G_MAXINT32 ||
	    !json_object_is_type(vm->memory, json_type_array) || !exm_name_check(vm->name, NULL)) {
		exm_throw(error, EXM_ERROR_STATE, "the record in '%s' is not whole", directory);
		return NULL;
	}
	vm->directory = g_strdup(directory);
	return g_steal_pointer(&vm);
}
