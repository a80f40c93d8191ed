/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_operation.c - lib/plan/operation.c */

#include "plan/operation.h"

#include "suite.h"

#define GUEST                                                                              \
	"{'schema': 1, 'name': 'web', 'uuid': 'U', 'generation-id': 'G', 'boot-id': 'B', " \
	"'qemu': '/q', 'qemu-version': '7.2.22', 'working-directory': '/', 'pid': 42, "    \
	"'start-time': 77, 'ram-size': 5, 'created': 1, 'detached': true, 'index': 0, "    \
	"'command': [], 'argv': ['/q'], 'memory': [], 'sandbox': false}"

#define MEMORY(path, more) "{'how': 'link', 'fd': 12, 'path': '" path "', " more " 'word': 0}"

#define DISK "{'how': 'keep', 'fd': 0, 'node': '#block1', 'path': '/d', 'outer': '/d', 'word': 3}"

/* How an operation is written where three of its members are these. */
#define OPERATION(overlays, memory, steps)                                                  \
	"{'operation': 'fork', 'pid': 7, 'guest': " GUEST ", 'guest-directory': '/s/web', " \
	"'directory': '/t/new', 'temporary': '/t/.new.1a2b', 'running': true, "             \
	"'protect': false, 'way': 'replace', 'paused': true, 'overlays': [" overlays "], "  \
	"'memory': [" memory "], 'disks': [" DISK "], 'steps': [" steps "], 'children': ["  \
	"{'name': 'web-1', 'directory': '/s/web-1', 'uuid': 'V'}]}"

#define STEP(kind, path) "{'step': '" kind "', 'path': '" path "'}"

#define WHOLE                                                                                        \
	OPERATION("'/d.web-1a2b.qcow2'",                                                             \
	          MEMORY("/t/.new.1a2b/ram", "'inner': 'ram', 'backend': 'pc.ram',") ", " MEMORY(    \
			  "/m/ram2", "'outer': '/m/ram2', 'namespace': 'N', 'claims': '/c',"),       \
	          STEP("make-template", "/t/.new.1a2b") ", " STEP("link-file", "/m/ram2") ", " STEP( \
			  "mark-file", "/t/.new.1a2b/ram") ", " STEP("move-disk",                    \
	                                                             "/d.web-1a2b.qcow2"))

static ExmJson *parse(const char *text)
{
	g_autofree char *quoted = g_strdelimit(g_strdup(text), "'", '"');
	g_autoptr(GError) error = NULL;
	ExmJson *json = exm_json_parse(quoted, strlen(quoted), &error);

	assert_no_error(error);
	return json;
}

START_TEST(there_and_back)
{
	g_autoptr(ExmJson) wanted = parse(WHOLE);
	g_autoptr(GError) error = NULL;
	g_autoptr(ExmOperation) operation = exm_operation_from_json(wanted, &error);
	g_autoptr(ExmJson) json = NULL;

	assert_no_error(error);
	json = exm_operation_to_json(operation);
	ck_assert(json_object_equal(json, wanted));
	ck_assert_str_eq(exm_operation_name(operation->kind), "fork");
}
END_TEST

/* What is undone by the plan that was read is what is described by the one that was planned. */
START_TEST(the_plan)
{
	g_autoptr(ExmJson) wanted = parse(WHOLE);
	g_autoptr(ExmOperation) operation = exm_operation_from_json(wanted, NULL);
	g_autoptr(ExmVm) vm = exm_vm_from_json(operation->guest, operation->guest_directory, NULL);
	g_autoptr(ExmSavePlan) plan = exm_operation_plan(operation, vm);
	g_autoptr(GPtrArray) children = exm_operation_children(operation);
	g_autoptr(ExmOperation) again = exm_operation_new(EXM_OPERATION_FORK, plan);
	g_autoptr(GPtrArray) overlays = g_ptr_array_new();
	ExmForkPlan fork = { .way = EXM_FORK_SUCCEED, .paused = true, .overlays = overlays };
	const ExmSaveFile *file = plan->memory->pdata[1];
	g_autoptr(ExmJson) json = NULL;

	ck_assert_int_eq(file->fd, 12);
	ck_assert_int_eq(((const ExmSaveFile *)plan->disks->pdata[0])->fd, -1);
	ck_assert_str_eq(((const ExmTemplateMemory *)plan->template->memory->pdata[1])->path,
	                 "/m/ram2");
	g_ptr_array_add(overlays, operation->overlays[0]);
	g_ptr_array_add(overlays, NULL);
	exm_operation_add_fork(again, &fork, children);
	again->pid = 7;
	json = exm_operation_to_json(again);
	ck_assert(json_object_equal(json, wanted));
}
END_TEST

static const char *const broken[] = {
	"{}",
	"[]",
	OPERATION("", "1", ""),
	OPERATION("", "", STEP("stand-on-head", "/t")),
	OPERATION("", "", STEP("mark-file", "/t")),
	OPERATION("", "", STEP("link-file", "/t")),
	OPERATION("", "", STEP("move-disk", "/t")),
	OPERATION("'/t', '/u'", "", ""),
};

START_TEST(what_is_not_whole)
{
	g_autoptr(ExmJson) json = parse(broken[_i]);
	g_autoptr(GError) error = NULL;

	ck_assert_ptr_null(exm_operation_from_json(json, &error));
	ck_assert_ptr_nonnull(error);
}
END_TEST

Suite *operation_suite(void)
{
	TCase *tcase = tcase_create("operation");
	Suite *suite = suite_create("operation");

	tcase_add_test(tcase, there_and_back);
	tcase_add_test(tcase, the_plan);
	tcase_add_loop_test(tcase, what_is_not_whole, 0, G_N_ELEMENTS(broken));
	suite_add_tcase(suite, tcase);
	return suite;
}
