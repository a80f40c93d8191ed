/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_vm.c - lib/plan/vm.c */

#include "plan/vm.h"

#include "suite.h"

#define DIRECTORY "/run/exomem/web"

#define VM_JSON                                                                                  \
	"{\"schema\": 1, \"name\": \"web\", \"uuid\": \"U\", \"generation-id\": \"G\","          \
	" \"boot-id\": \"B\", \"qemu\": \"/usr/bin/q\", \"qemu-version\": \"7.2.22\","           \
	" \"working-directory\": \"/root\", \"pid\": 42, \"start-time\": 77,"                    \
	" \"ram-size\": 5, \"created\": 18446744073709551615, \"detached\": true, \"index\": 0," \
	" \"command\": [\"-S\"], \"argv\": [\"/usr/bin/q\", \"-m\", \"64\"],"                    \
	" \"memory\": [{\"name\": \"pc.ram\", \"size\": 67108864}], \"sandbox\": true}"

static ExmJson *vm_json(void)
{
	g_autoptr(GError) error = NULL;
	ExmJson *json = exm_json_parse(VM_JSON, strlen(VM_JSON), &error);

	assert_no_error(error);
	return json;
}

START_TEST(there_and_back)
{
	g_autoptr(ExmJson) wanted = vm_json();
	g_autoptr(GError) error = NULL;
	g_autoptr(ExmVm) vm = exm_vm_from_json(wanted, DIRECTORY, &error);
	g_autoptr(ExmJson) json = NULL;

	assert_no_error(error);
	ck_assert_str_eq(vm->name, "web");
	ck_assert_str_eq(vm->directory, DIRECTORY);
	ck_assert_uint_eq(vm->pid, 42);
	ck_assert_uint_eq(vm->start_time, 77);
	ck_assert_uint_eq(vm->ram_size, 5);
	ck_assert_uint_eq(vm->created, UINT64_MAX);
	ck_assert(vm->detached);
	ck_assert_str_eq(vm->command[0], "-S");
	ck_assert_ptr_null(vm->command[1]);
	ck_assert_str_eq(vm->argv[2], "64");
	json = exm_vm_to_json(vm);
	ck_assert_msg(json_object_equal(json, wanted), "%s", json_object_to_json_string(json));
}
END_TEST

static ExmVm *reread(const ExmVm *vm)
{
	g_autoptr(ExmJson) json = exm_vm_to_json(vm);
	g_autofree char *text = exm_json_print(json, true);
	g_autoptr(ExmJson) again = exm_json_parse(text, strlen(text), NULL);

	ck_assert(g_utf8_validate(text, -1, NULL));
	return exm_vm_from_json(again, DIRECTORY, NULL);
}

/* Whatever the bytes of a command line and of paths are. */
START_TEST(bytes_come_back)
{
	g_autoptr(ExmJson) json = vm_json();
	const char *const words[] = { "-append", "caf\xe9", "caf\xc3\xa9", "\xff", NULL };
	ExmJson *memory = json_object_array_get_idx(exm_json_member(json, "memory"), 0);
	g_autoptr(ExmVm) vm = NULL;
	g_autoptr(ExmVm) again = NULL;

	exm_json_set_strv(json, "argv", words);
	exm_json_set_string(json, "working-directory", "/caf\xe9");
	exm_json_set_string(memory, "path", "/mem/\xff");
	vm = exm_vm_from_json(json, DIRECTORY, NULL);
	again = reread(vm);
	ck_assert(g_strv_equal(words, (const char *const *)again->argv));
	ck_assert_str_eq(again->working_directory, "/caf\xe9");
	memory = json_object_array_get_idx(again->memory, 0);
	ck_assert_str_eq(exm_json_get_string(memory, "path"), "/mem/\xff");
}
END_TEST

/* The memory of a record that was read must outlive what it was read from. */
START_TEST(stands_alone)
{
	ExmJson *json = vm_json();
	g_autoptr(ExmVm) vm = exm_vm_from_json(json, DIRECTORY, NULL);
	ExmJson *first;

	exm_json_put(json);
	first = json_object_array_get_idx(vm->memory, 0);
	ck_assert_uint_eq(exm_json_get_uint(first, "size"), 67108864);
	ck_assert_str_eq(vm->qemu, "/usr/bin/q");
}
END_TEST

static const char *const required[] = {
	"schema", "name",         "uuid",    "generation-id",     "boot-id",
	"qemu",   "qemu-version", "command", "working-directory", "pid",
	"argv",   "memory",
};

static void assert_not_whole(ExmJson *json)
{
	g_autoptr(GError) error = NULL;

	ck_assert_ptr_null(exm_vm_from_json(json, DIRECTORY, &error));
	assert_error(error, EXM_ERROR_STATE, "the record in '" DIRECTORY "' is not whole");
}

START_TEST(a_missing_member)
{
	g_autoptr(ExmJson) json = vm_json();

	json_object_object_del(json, required[_i]);
	assert_not_whole(json);
}
END_TEST

START_TEST(a_member_of_another_type)
{
	g_autoptr(ExmJson) json = vm_json();

	json_object_object_add(json, required[_i], json_object_new_boolean(true));
	assert_not_whole(json);
}
END_TEST

static const struct {
	const char *name;
	const char *value;
} wrong[] = {
	{ "schema", "2" },       { "pid", "0" },          { "pid", "-1" },
	{ "pid", "2147483648" }, { "name", "\"\"" },      { "name", "\"../web\"" },
	{ "argv", "[1]" },       { "command", "[null]" }, { "memory", "null" },
	{ "memory", "{}" },      { "name", "\"a b\"" },
};

START_TEST(a_member_of_another_value)
{
	g_autoptr(ExmJson) json = vm_json();

	json_object_object_add(json, wrong[_i].name, json_tokener_parse(wrong[_i].value));
	assert_not_whole(json);
}
END_TEST

START_TEST(something_else)
{
	g_autoptr(ExmJson) array = json_object_new_array();

	assert_not_whole(NULL);
	assert_not_whole(array);
}
END_TEST

Suite *vm_suite(void)
{
	Suite *suite = suite_create("vm");
	TCase *tcase = tcase_create("vm");

	tcase_add_test(tcase, there_and_back);
	tcase_add_test(tcase, bytes_come_back);
	tcase_add_test(tcase, stands_alone);
	tcase_add_loop_test(tcase, a_missing_member, 0, G_N_ELEMENTS(required));
	tcase_add_loop_test(tcase, a_member_of_another_type, 0, G_N_ELEMENTS(required));
	tcase_add_loop_test(tcase, a_member_of_another_value, 0, G_N_ELEMENTS(wrong));
	tcase_add_test(tcase, something_else);
	suite_add_tcase(suite, tcase);
	return suite;
}
