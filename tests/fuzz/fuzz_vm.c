/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_vm.c - A guest's record that is read is written and read again as the same */

#include "plan/vm.h"

#include <string.h>

#include "fuzz.h"
#include "plan/identity.h"

static void check_same(const ExmVm *one, const ExmVm *other)
{
	g_assert_cmpstr(one->name, ==, other->name);
	g_assert_cmpstr(one->directory, ==, other->directory);
	g_assert_cmpuint(one->pid, ==, other->pid);
	g_assert_cmpuint(one->start_time, ==, other->start_time);
	g_assert_cmpstr(one->boot_id, ==, other->boot_id);
	g_assert_cmpuint(one->created, ==, other->created);
	g_assert_cmpuint(one->ram_size, ==, other->ram_size);
	g_assert_cmpint(one->detached, ==, other->detached);
	g_assert_cmpstr(one->qemu, ==, other->qemu);
	g_assert_cmpstr(one->qemu_version, ==, other->qemu_version);
	g_assert_cmpstr(one->uuid, ==, other->uuid);
	g_assert_cmpstr(one->generation_id, ==, other->generation_id);
	g_assert_cmpstr(one->working_directory, ==, other->working_directory);
	g_assert_true(g_strv_equal((const char *const *)one->command,
	                           (const char *const *)other->command));
	g_assert_true(g_strv_equal((const char *const *)one->argv, (const char *const *)other->argv));
}

static void check_record(const ExmVm *vm)
{
	g_autofree char *text = json_text_and_put(exm_vm_to_json(vm));
	g_autofree char *text_again = NULL;
	g_autoptr(ExmJson) json = json_of(text);
	g_autoptr(GError) error = NULL;
	g_autoptr(ExmVm) again = exm_vm_from_json(json, vm->directory, &error);

	g_assert_no_error(error);
	check_same(vm, again);
	/* The memory, too. */
	text_again = json_text_and_put(exm_vm_to_json(again));
	g_assert_cmpstr(text, ==, text_again);
}

/* What the rest of the program takes for granted. */
static void check_sense(const ExmVm *vm)
{
	g_assert_true(exm_name_check(vm->name, NULL));
	g_assert_cmpstr(vm->directory, ==, "/run/exomem/x");
	g_assert_cmpuint(vm->pid, >, 0);
	g_assert_nonnull(vm->argv);
	g_assert_nonnull(vm->command);
	g_assert_nonnull(vm->qemu);
	g_assert_true(json_object_is_type(vm->memory, json_type_array));
}

/**
 * LLVMFuzzerTestOneInput() - Read vm.json
 * @data: its text
 * @size: length of that
 *
 * Return: 0
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autoptr(ExmJson) json = exm_json_parse((const char *)data, size, NULL);
	g_autoptr(GError) error = NULL;
	g_autoptr(ExmVm) vm = NULL;

	if (!json)
		return 0;
	vm = exm_vm_from_json(json, "/run/exomem/x", &error);
	if (!vm) {
		assert_rejected(error);
		return 0;
	}
	g_assert_no_error(error);
	check_sense(vm);
	check_record(vm);
	return 0;
}
