/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vm.c - The record of a guest, as a value and as JSON */

#include "plan/vm.h"

#include <string.h>

#include "base/error.h"
#include "plan/identity.h"

/* Counts up when a member changes its meaning. */
#define SCHEMA 1

/* The members that are texts and numbers, so that reading and writing cannot differ. */
static const struct {
	const char *name;
	size_t offset;
} texts[] = {
	{ "name", G_STRUCT_OFFSET(ExmVm, name) },
	{ "uuid", G_STRUCT_OFFSET(ExmVm, uuid) },
	{ "generation-id", G_STRUCT_OFFSET(ExmVm, generation_id) },
	{ "boot-id", G_STRUCT_OFFSET(ExmVm, boot_id) },
	{ "qemu", G_STRUCT_OFFSET(ExmVm, qemu) },
	{ "qemu-version", G_STRUCT_OFFSET(ExmVm, qemu_version) },
	{ "working-directory", G_STRUCT_OFFSET(ExmVm, working_directory) },
};

static const struct {
	const char *name;
	size_t offset;
} numbers[] = {
	{ "pid", G_STRUCT_OFFSET(ExmVm, pid) },
	{ "start-time", G_STRUCT_OFFSET(ExmVm, start_time) },
	{ "ram-size", G_STRUCT_OFFSET(ExmVm, ram_size) },
	{ "created", G_STRUCT_OFFSET(ExmVm, created) },
};

static char *const *text_at(const ExmVm *vm, size_t offset)
{
	return (char *const *)((const char *)vm + offset);
}

static const uint64_t *number_at(const ExmVm *vm, size_t offset)
{
	return (const uint64_t *)((const char *)vm + offset);
}

/**
 * exm_vm_free() - Free a guest's record
 * @vm: may be NULL
 */
void exm_vm_free(ExmVm *vm)
{
	if (!vm)
		return;
	for (size_t i = 0; i < G_N_ELEMENTS(texts); i++)
		g_free(*text_at(vm, texts[i].offset));
	g_free(vm->directory);
	g_strfreev(vm->command);
	g_strfreev(vm->argv);
	exm_json_put(vm->memory);
	g_free(vm);
}

/**
 * exm_vm_to_json() - Write a guest's record as JSON
 * @vm: the record
 *
 * Return: an object (transfer full), described in exomem-state(5).
 */
ExmJson *exm_vm_to_json(const ExmVm *vm)
{
	ExmJson *json = json_object_new_object();

	exm_json_set_uint(json, "schema", SCHEMA);
	for (size_t i = 0; i < G_N_ELEMENTS(texts); i++)
		exm_json_set_string(json, texts[i].name, *text_at(vm, texts[i].offset));
	for (size_t i = 0; i < G_N_ELEMENTS(numbers); i++)
		exm_json_set_uint(json, numbers[i].name, *number_at(vm, numbers[i].offset));
	exm_json_set_bool(json, "detached", vm->detached);
	exm_json_set_strv(json, "command", (const char *const *)vm->command);
	exm_json_set_strv(json, "argv", (const char *const *)vm->argv);
	json_object_object_add(json, "memory", json_object_get(vm->memory));
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
	g_autoptr(ExmVm) vm = g_new0(ExmVm, 1);
	ExmJson *memory = exm_json_member(json, "memory");
	bool whole = exm_json_get_uint(json, "schema") == SCHEMA;

	for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
		char *text = g_strdup(exm_json_get_string(json, texts[i].name));

		G_STRUCT_MEMBER(char *, vm, texts[i].offset) = text;
		whole = whole && text;
	}
	for (size_t i = 0; i < G_N_ELEMENTS(numbers); i++)
		G_STRUCT_MEMBER(uint64_t, vm,
		                numbers[i].offset) = exm_json_get_uint(json, numbers[i].name);
	vm->detached = exm_json_get_bool(json, "detached");
	vm->command = exm_json_get_strv(json, "command");
	vm->argv = exm_json_get_strv(json, "argv");
	vm->memory = json_object_get(memory);
	vm->directory = g_strdup(directory);
	if (!whole || vm->pid == 0 || vm->pid > G_MAXINT32 || !vm->command || !vm->argv ||
	    !json_object_is_type(memory, json_type_array) || !exm_name_check(vm->name, NULL)) {
		exm_throw(error, EXM_ERROR_STATE, "the record in '%s' is not whole", directory);
		return NULL;
	}
	return g_steal_pointer(&vm);
}
