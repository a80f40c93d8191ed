/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_state.c - lib/host/state.c: what of it real guests seldom meet */

#include "host/state.h"

#include <glib/gstdio.h>

#include "base/fd.h"
#include "facts.h"
#include "host/marker.h"
#include "suite.h"

/* A state directory of its own for each test. */
static char *folder;

static void make_folder(void)
{
	folder = g_dir_make_tmp("exomem-unit-XXXXXX", NULL);
	ck_assert_ptr_nonnull(folder);
}

static void remove_folder(void)
{
	g_autofree char *marker = g_build_filename(folder, EXM_MARKER, NULL);

	/* Nobody holds the locks any more. */
	exm_state_clean(folder, false, NULL, NULL);
	g_unlink(marker);
	ck_assert_int_eq(g_rmdir(folder), 0);
	g_clear_pointer(&folder, g_free);
}

/* A guest that lives as long as this descriptor; its directory need not be named after it. */
static int start_guest(const char *name, int number, const char *changes)
{
	g_autoptr(ExmVm) vm = facts_guest(changes);
	g_autoptr(GError) error = NULL;
	int fd = -1;

	g_free(vm->directory);
	vm->directory = g_build_filename(folder, name, NULL);
	ck_assert(exm_state_claim(vm->directory, number, &fd, &error));
	assert_no_error(error);
	ck_assert(exm_state_record(vm, &error));
	assert_no_error(error);
	return fd;
}

/* "NAME:PID" of each guest that lives, by name. */
static char *list_guests(void)
{
	g_autoptr(GString) text = g_string_new(NULL);
	g_autoptr(GPtrArray) vms = NULL;

	ck_assert(exm_state_list(folder, &vms, NULL));
	for (guint i = 0; i < vms->len; i++) {
		const ExmVm *vm = vms->pdata[i];
		g_autofree char *directory = g_build_filename(folder, vm->name, NULL);

		ck_assert_str_eq(vm->directory, directory);
		g_string_append_printf(text, "%s%s:%d", i ? " " : "", vm->name, (int)vm->pid);
	}
	return g_string_free(g_steal_pointer(&text), FALSE);
}

#define OLD "{'pid': 42}"
#define NEW "{'pid': 43}"

/* One that waits to be another has its name in its record, and is known by its directory. */
START_TEST(heir_takes_the_place)
{
	g_autoptr(GError) error = NULL;
	exm_autofd int old = start_guest("web", 600, OLD);
	G_GNUC_UNUSED exm_autofd int heir = start_guest("web.heir-1a2b", 601, NEW);
	g_autoptr(ExmVm) guest = facts_guest(OLD);
	g_autoptr(ExmVm) found = NULL;

	assert_text_and_free(list_guests(), "web:42 web.heir-1a2b:43");
	ck_assert(exm_state_exchange(folder, "web.heir-1a2b", guest, &error));
	assert_no_error(error);
	assert_text_and_free(list_guests(), "web:43 web.heir-1a2b:42");
	found = exm_state_find(folder, "web", &error);
	assert_no_error(error);
	ck_assert_uint_eq(found->pid, 43);
	/* The locks have gone along: the end of the old one takes its directory, and no other. */
	exm_fd_clear(&old);
	exm_state_sweep(folder);
	assert_text_and_free(list_guests(), "web:43");
}
END_TEST

START_TEST(no_exchange_with_nobody)
{
	g_autoptr(GError) error = NULL;
	G_GNUC_UNUSED exm_autofd int old = start_guest("web", 600, OLD);
	g_autoptr(ExmVm) guest = facts_guest(OLD);

	ck_assert(!exm_state_exchange(folder, "heir", guest, &error));
	assert_error(error, EXM_ERROR_SYSTEM, "exchange 'heir' and 'web' in '");
	assert_text_and_free(list_guests(), "web:42");
}
END_TEST

/* Another process than that which was forked, or the same number in another life. */
START_TEST(no_exchange_with_another_of_that_name)
{
	static const char *const gone[] = { "{'pid': 41}", "{'pid': 42, 'start-time': 1}" };
	g_autoptr(GError) error = NULL;
	G_GNUC_UNUSED exm_autofd int old = start_guest("web", 600, OLD);
	G_GNUC_UNUSED exm_autofd int heir = start_guest("web.heir-1a2b", 601, NEW);
	g_autoptr(ExmVm) guest = facts_guest(gone[_i]);

	ck_assert(!exm_state_exchange(folder, "web.heir-1a2b", guest, &error));
	assert_error(error, EXM_ERROR_STATE, "has ended, and another one has its name (pid 42)");
	assert_text_and_free(list_guests(), "web:42 web.heir-1a2b:43");
}
END_TEST

/* The lock has a copy of the record, by which a guest is found that has lost its directory. */
START_TEST(the_copy_of_a_shorter_record_is_whole)
{
	g_autoptr(GError) error = NULL;
	G_GNUC_UNUSED exm_autofd int guest = start_guest("web", 600,
	                                                 "{'memory-error': 'a long reason'}");
	g_autofree char *lock = g_build_filename(folder, "web", EXM_VM_LOCK, NULL);
	g_autoptr(ExmVm) vm = exm_state_find(folder, "web", &error);
	g_autoptr(ExmJson) copy = NULL;
	g_autofree char *text = NULL;
	size_t length;

	assert_no_error(error);
	g_free(g_steal_pointer(&vm->memory_error));
	ck_assert(exm_state_record(vm, &error));
	ck_assert(exm_file_read(lock, &text, &length, &error));
	assert_no_error(error);
	copy = exm_json_parse(text, length, &error);
	assert_no_error(error);
	ck_assert_str_eq(exm_json_get_string(copy, "name"), "web");
}
END_TEST

START_TEST(the_first_loss_is_written_down)
{
	g_autoptr(GError) error = NULL;
	G_GNUC_UNUSED exm_autofd int guest = start_guest("web", 600, OLD);
	g_autoptr(ExmVm) before = exm_state_find(folder, "web", &error);
	g_autoptr(ExmVm) after = NULL;

	assert_no_error(error);
	ck_assert_ptr_null(before->memory_error);
	exm_state_record_loss(before, "one");
	exm_state_record_loss(before, "two");
	after = exm_state_find(folder, "web", &error);
	assert_no_error(error);
	ck_assert_str_eq(after->memory_error, "one");
	ck_assert_uint_eq(after->pid, 42);
}
END_TEST

/* A name, and whether exomem can have made such a file in a guest's directory. */
static const struct {
	const char *name;
	bool made;
} names[] = {
	{ "lock", true },
	{ "vm.json", true },
	{ "vm.json.XYZ012", true },
	{ "log.new", true },
	{ "control.sock", true },
	{ "vm.json.", false },
	{ "vm.json.XYZ01", false },
	{ "vm.json.XYZ0123", false },
	{ "vm.json.XYZ/12", false },
	{ "vm.jsonXYZ012", false },
	{ "lock2", false },
	{ "id_rsa", false },
	{ "", false },
	{ ".exomem", false },
	{ "log.old", false },
};

START_TEST(names_of_own_files)
{
	ck_assert_msg(exm_vm_makes_file(names[_i].name) == names[_i].made, "%s", names[_i].name);
}
END_TEST

/* Empties the marker of the state directory, or removes it. */
static void spoil_marker(const char *text)
{
	g_autofree char *marker = g_build_filename(folder, EXM_MARKER, NULL);

	ck_assert_int_eq(g_unlink(marker), 0);
	ck_assert(!text || g_file_set_contents(marker, text, -1, NULL));
}

static void assert_refused_as_foreign(void)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GError) other = NULL;
	g_autoptr(GPtrArray) vms = NULL;

	ck_assert(!exm_state_list(folder, &vms, &error));
	assert_error(error, EXM_ERROR_STATE, "was not made by exomem");
	ck_assert(!exm_state_clean(folder, false, NULL, &other));
	assert_error(other, EXM_ERROR_STATE, "was not made by exomem");
}

START_TEST(state_directory_without_its_marker)
{
	static const char *const texts[] = {
		NULL,
		"",
		"exomem\n",
		"exomem state 1\n",
		"exomem guest 11111111-1111-4111-8111-111111111111\n",
		"nobody state 11111111-1111-4111-8111-111111111111\n",
	};
	g_autofree char *lock = g_build_filename(folder, "web", "lock", NULL);
	exm_autofd int guest = start_guest("web", 600, OLD);
	g_autofree char *marker = g_build_filename(folder, EXM_MARKER, NULL);
	g_autofree char *right = NULL;

	ck_assert(g_file_get_contents(marker, &right, NULL, NULL));
	exm_fd_clear(&guest);
	for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
		spoil_marker(texts[i]);
		assert_refused_as_foreign();
		ck_assert(g_file_test(lock, G_FILE_TEST_EXISTS));
		ck_assert(g_file_set_contents(marker, right, -1, NULL));
	}
}
END_TEST

/* One who was killed while it made the marker leaves an empty one, and nothing else. */
START_TEST(marker_that_was_not_finished)
{
	g_autofree char *marker = g_build_filename(folder, EXM_MARKER, NULL);
	G_GNUC_UNUSED exm_autofd int guest = -1;

	ck_assert(g_file_set_contents(marker, "", 0, NULL));
	assert_text_and_free(list_guests(), "");
	guest = start_guest("web", 600, OLD);
	assert_text_and_free(list_guests(), "web:42");
}
END_TEST

/** state_suite() - Tests of lib/host/state.c */
Suite *state_suite(void)
{
	Suite *suite = suite_create("state");
	TCase *tests = tcase_create("state");

	tcase_add_checked_fixture(tests, make_folder, remove_folder);
	tcase_add_test(tests, heir_takes_the_place);
	tcase_add_test(tests, no_exchange_with_nobody);
	tcase_add_loop_test(tests, no_exchange_with_another_of_that_name, 0, 2);
	tcase_add_test(tests, the_copy_of_a_shorter_record_is_whole);
	tcase_add_test(tests, the_first_loss_is_written_down);
	tcase_add_loop_test(tests, names_of_own_files, 0, G_N_ELEMENTS(names));
	tcase_add_test(tests, state_directory_without_its_marker);
	tcase_add_test(tests, marker_that_was_not_finished);
	suite_add_tcase(suite, tests);
	return suite;
}
