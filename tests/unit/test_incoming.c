/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_incoming.c - lib/plan/incoming.c and lib/plan/run_incoming.c */

#include "plan/incoming.h"

#include <glib/gstdio.h>

#include "plan/run.h"
#include "suite.h"

static const struct {
	const char *source;
	const char *name;
} files[] = {
	{ "exec:cat devices", "devices" },
	{ "exec:  cat\t devices ", "devices" },
	{ "exec:cat /var/tmp/devices", "/var/tmp/devices" },
	{ "exec:cat <devices", "devices" },
	{ "exec:cat < devices", "devices" },
	{ "exec:cat<devices", "devices" },
	{ "exec:cat 'my devices'", "my devices" },
	{ "exec:cat \"my devices\"", "my devices" },
	{ "exec:cat <\"it's\"", "it's" },
	{ "exec:cat my' 'dev\"ic\"es", "my devices" },
	{ "exec:cat dev=ices,50%@!", "dev=ices,50%@!" },
	{ "file:devices", "devices" },
	{ "file:/my devices", "/my devices" },
	{ "file:devices,offset=0", "devices" },
	{ "file:devices,offset=4096", "devices,offset=4096" },
	{ "file:devices,offset=4K", "devices,offset=4096" },
	{ "file:devices,offset=0x200", "devices,offset=512" },
	{ "file:/dev/shm/devices", "/dev/shm/devices" },
	{ "fd:0", "fd:0" },
	{ "fd:17", "fd:17" },
};

static const char *const others[] = {
	"",
	"defer",
	"tcp:0:4444",
	"unix:/run/socket",
	"exec:",
	"exec:cat",
	"exec:cat ",
	"exec:cat -",
	"exec:cat -n devices",
	"exec:cat one two",
	"exec:cat <one two",
	"exec:cat <<one",
	"exec:cat <&3",
	"exec:cat 0<devices",
	"exec:cat one <two",
	"exec:cat devices | tee copy",
	"exec:cat devices; sleep 1",
	"exec:cat devices && true",
	"exec:cat devices 2>/dev/null",
	"exec:cat devices # as it was",
	"exec:cat $STATE",
	"exec:cat \"$STATE\"",
	"exec:cat `pick`",
	"exec:cat dev*",
	"exec:cat device?",
	"exec:cat [d]evices",
	"exec:cat {d,e}vices",
	"exec:cat ~/devices",
	"exec:cat my\\ devices",
	"exec:cat 'devices",
	"exec:cat one\ncat two",
	"exec:catch devices",
	"exec:zcat devices",
	"exec:gzip -dc devices",
	"exec:LC_ALL=C cat devices",
	"exec:cat /dev/stdin",
	"exec:cat /dev/fd/3",
	"exec:cat /proc/self/fd/3",
	"file:/dev/fdset/1",
	"file:/dev/fdset/1,offset=512",
	"file:devices,offset=",
	"file:devices,offset=many",
	"fd:",
	"fd:state",
	"fd:-1",
	"fd:99999999999",
	"{\"channel-type\": \"main\", \"addr\": {\"transport\": \"file\", \"filename\": \"devices\"}}",
};

START_TEST(understood)
{
	g_autoptr(ExmIncomingFile) file = exm_incoming_file_new(files[_i].source);

	ck_assert_msg(file != NULL, "%s", files[_i].source);
	ck_assert_int_eq(file->path == NULL, g_str_has_prefix(files[_i].source, "fd:"));
	assert_text_and_free(exm_incoming_file_print(file), files[_i].name);
}
END_TEST

START_TEST(not_understood)
{
	g_autoptr(ExmIncomingFile) file = exm_incoming_file_new(others[_i]);

	ck_assert_msg(file == NULL, "%s", others[_i]);
}
END_TEST

static void assert_shell_reads(const char *folder, char *command, const char *name)
{
	g_autofree char *path = g_build_filename(folder, name, NULL);
	char shell[] = "sh", option[] = "-c";
	char *argv[] = { shell, option, command, NULL };
	g_autofree char *output = NULL;
	int status;

	ck_assert(g_file_set_contents(path, name, -1, NULL));
	ck_assert(g_spawn_sync(folder, argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &output, NULL,
	                       &status, NULL));
	ck_assert_int_eq(status, 0);
	ck_assert_str_eq(output, name);
	ck_assert_int_eq(g_unlink(path), 0);
}

/* What a shell reads is the file that was found: each holds its own name. */
START_TEST(as_a_shell_reads_it)
{
	g_autofree char *folder = g_dir_make_tmp("exomem-unit-XXXXXX", NULL);

	for (size_t i = 0; i < G_N_ELEMENTS(files); i++) {
		g_autofree char *command = NULL;

		if (!g_str_has_prefix(files[i].source, "exec:") || files[i].name[0] == '/')
			continue;
		command = g_strdup(files[i].source + strlen("exec:"));
		assert_shell_reads(folder, command, files[i].name);
	}
	ck_assert_int_eq(g_rmdir(folder), 0);
}
END_TEST

/* The plan of a guest of one QEMU version that begins with a state of this kind. */
static ExmPlan *plan_of(int major, ExmStreamHead head, GError **error)
{
	static const char *const argv[] = { "-m", "64", "-incoming", "exec:cat state", NULL };
	g_autoptr(ExmRunRequest) request = exm_run_request_new(argv, error);
	g_autoptr(ExmRunFacts) facts = exm_run_facts_new();

	ck_assert_ptr_nonnull(request);
	request->state_directory = g_strdup("/run/exomem");
	facts->caps = exm_caps_new();
	facts->caps->path = g_strdup("/usr/bin/qemu");
	facts->caps->version = g_strdup_printf("%d.0.0", major);
	facts->caps->major = major;
	facts->host = g_new0(ExmHost, 1);
	facts->uuid = g_strdup("11111111-2222-4333-8444-555555555555");
	facts->random = g_strdup("1a2b");
	facts->incoming = head;
	return exm_run_plan(request, facts, error);
}

static bool has_word(const ExmPlan *plan, const char *word)
{
	return g_strv_contains((const char *const *)plan->argv->pdata, word);
}

START_TEST(ignore_shared_from_11_on)
{
	g_autoptr(GError) old = NULL;
	g_autoptr(GError) error = NULL;
	g_autoptr(ExmPlan) refused = plan_of(10, EXM_STREAM_IGNORE_SHARED, &old);
	g_autoptr(ExmPlan) plan = plan_of(11, EXM_STREAM_IGNORE_SHARED, &error);

	ck_assert_ptr_null(refused);
	assert_error(old, EXM_ERROR_UNSUPPORTED, "'state' leaves shared memory out");
	assert_no_error(error);
	ck_assert(!has_word(plan, "migration.send-configuration=off"));
	ck_assert(has_word(plan, "migration.x-ignore-shared=on"));
	ck_assert_uint_eq(plan->warnings->len, 1);
}
END_TEST

START_TEST(configuration)
{
	static const struct {
		ExmStreamHead head;
		bool off;
		guint warnings;
	} cases[] = {
		{ EXM_STREAM_UNSEEN, false, 0 },
		{ EXM_STREAM_CONFIGURED, false, 0 },
		{ EXM_STREAM_UNCONFIGURED, true, 0 },
		{ EXM_STREAM_DEVICES, true, 1 },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;
		g_autoptr(ExmPlan) plan = plan_of(10, cases[i].head, &error);

		assert_no_error(error);
		ck_assert_int_eq(has_word(plan, "migration.send-configuration=off"), cases[i].off);
		ck_assert_uint_eq(plan->warnings->len, cases[i].warnings);
	}
}
END_TEST

Suite *incoming_suite(void)
{
	Suite *suite = suite_create("incoming");
	TCase *tests = tcase_create("incoming");

	tcase_add_loop_test(tests, understood, 0, G_N_ELEMENTS(files));
	tcase_add_loop_test(tests, not_understood, 0, G_N_ELEMENTS(others));
	tcase_add_test(tests, as_a_shell_reads_it);
	tcase_add_test(tests, ignore_shared_from_11_on);
	tcase_add_test(tests, configuration);
	suite_add_tcase(suite, tests);
	return suite;
}
