/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_probe.c - lib/host/probe.c and lib/host/probe_cache.c, against binaries that are no QEMU */

#include "host/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "host/probe_cache.h"
#include "suite.h"

#define PATIENCE_MS 20000

/* A folder of its own for each test, with a program and a cache in it. */
static char *folder;
static char *program;
static char *cache;

static void make_folder(void)
{
	g_autofree char *made = g_dir_make_tmp("exomem-unit-XXXXXX", NULL);

	folder = realpath(made, NULL);
	ck_assert_ptr_nonnull(folder);
	program = g_build_filename(folder, "qemu", NULL);
	cache = g_build_filename(folder, "cache", "below", NULL);
}

static void remove_all(const char *path)
{
	g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
	const char *name;

	while (dir && (name = g_dir_read_name(dir))) {
		g_autofree char *inner = g_build_filename(path, name, NULL);

		if (g_unlink(inner) < 0)
			remove_all(inner);
	}
	ck_assert_int_eq(g_rmdir(path), 0);
}

static void remove_folder(void)
{
	remove_all(folder);
	g_clear_pointer(&cache, g_free);
	g_clear_pointer(&program, g_free);
	g_clear_pointer(&folder, g_free);
}

static void write_program(const char *text)
{
	g_autofree char *script = g_strconcat("#!/bin/sh\n", text, "\n", NULL);

	ck_assert(exm_file_write_atomic(program, script, strlen(script), 0700, NULL));
}

/* The script is refused with this text, and nothing of it runs on. */
static void assert_refused(const char *script, int deadline_ms, const char *part)
{
	g_autoptr(GError) error = NULL;

	write_program(script);
	ck_assert_ptr_null(exm_probe_ask(program, deadline_ms, &error));
	assert_error(error, EXM_ERROR_UNSUPPORTED, part);
	assert_error(error, EXM_ERROR_UNSUPPORTED, program);
	ck_assert_ptr_null(strchr(error->message, '\n'));
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
	ck_assert_int_eq(errno, ECHILD);
}

static const struct {
	const char *script;
	const char *part;
} endings[] = {
	{ "exit 1", "does not start as QEMU does: exit status 1" },
	{ "exit 0", "does not start as QEMU does: exit status 0" },
	{ "kill -SEGV $$", "does not start as QEMU does: killed by signal 11" },
	{ "echo warning >&2; echo 'no such library' >&2; exit 127", "does: no such library" },
	{ "echo usage: me", "does: usage: me" },
	{ "printf 'a\\033[1m\\tb\\r\\n\\n'", "does: a [1m b" },
	{ "printf '\\377\\376'", "does: \357\277\275" },
	{ "exec 3>&-; sleep 1000", "did not answer as QEMU does: QEMU hung up" },
	{ "echo junk >&3; sleep 1000", "did not answer as QEMU does: 'junk' is not QMP" },
	{ "echo '{}' >&3; sleep 1000", "did not answer as QEMU does: the first message" },
	{ "echo '{\"QMP\": {}}' >&3; exit 2", "does not start as QEMU does: exit status 2" },
};

START_TEST(binaries_that_are_no_qemu)
{
	assert_refused(endings[_i].script, PATIENCE_MS, endings[_i].part);
}
END_TEST

static const char *const silent[] = {
	"exec sleep 1000",
	"sleep 1000 & sleep 1000",
	"trap '' TERM HUP INT; while :; do sleep 1; done",
	"while :; do echo babble; done",
	"while :; do cat <&3 >/dev/null; sleep 1; done",
};

START_TEST(binaries_that_never_answer)
{
	assert_refused(silent[_i], 200, "did not answer as QEMU does within 0.2 s");
}
END_TEST

START_TEST(file_that_is_no_program)
{
	g_autoptr(GError) error = NULL;

	ck_assert(exm_file_write_atomic(program, "\177ELFjunk", 8, 0700, NULL));
	ck_assert_ptr_null(exm_probe_ask(program, PATIENCE_MS, &error));
	assert_error(error, EXM_ERROR_UNSUPPORTED, "cannot execute");
}
END_TEST

/* Answers as a QEMU does that has nothing of what is asked for. */
static const char least[] =
	"echo '{\"QMP\": {\"version\": {\"qemu\": {\"major\": 1}}}}' >&3; id=0\n"
	"while read -r line <&3; do id=$((id + 1)); case $line in\n"
	"*query-target*) value='{\"arch\": \"avr\"}' ;;\n"
	"*query-*|*memory-backend-*) value='[]' ;;\n"
	"*list-properties*|*migrate*)\n"
	"	echo \"{\\\"error\\\": {\\\"desc\\\": \\\"no\\\"}, \\\"id\\\": $id}\" >&3; continue ;;\n"
	"*) value='{}' ;;\n"
	"esac; echo \"{\\\"return\\\": $value, \\\"id\\\": $id}\" >&3; done";

/* What prints the lists ends at their NULL. */
START_TEST(what_is_missing_is_an_empty_list)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(ExmCaps) caps = NULL;

	write_program(least);
	caps = exm_probe_ask(program, PATIENCE_MS, &error);
	assert_no_error(error);
	ck_assert_str_eq(caps->target, "avr");
	ck_assert_uint_eq(g_strv_length(caps->accelerators), 0);
	ck_assert_uint_eq(g_strv_length(caps->file_properties), 0);
	ck_assert_uint_eq(g_strv_length(caps->ram_properties), 0);
	ck_assert_uint_eq(g_strv_length(caps->migration_capabilities), 0);
	ck_assert_uint_eq(g_strv_length(caps->devices), 0);
	ck_assert_uint_eq(g_strv_length(caps->objects), 0);
}
END_TEST

static void assert_unresolved(const char *name, const char *part)
{
	g_autoptr(GError) error = NULL;

	ck_assert_ptr_null(exm_probe_resolve(name, &error));
	assert_error(error, EXM_ERROR_UNSUPPORTED, part);
	assert_error(error, EXM_ERROR_UNSUPPORTED, name);
}

START_TEST(names_that_lead_nowhere)
{
	g_autofree char *plain = g_build_filename(folder, "plain", NULL);

	ck_assert(exm_file_write_atomic(plain, "x", 1, 0600, NULL));
	assert_unresolved("/nonexistent/qemu", g_strerror(ENOENT));
	assert_unresolved("no-such-qemu-anywhere", "on PATH");
	assert_unresolved(folder, "cannot be executed");
	assert_unresolved(plain, "cannot be executed");
	assert_unresolved("", "''");
}
END_TEST

START_TEST(names_become_paths_without_links)
{
	g_autofree char *link = g_build_filename(folder, "link", NULL);
	g_autofree char *shell = realpath("/bin/sh", NULL);
	g_autofree char *resolved = NULL;
	g_autofree char *found = NULL;

	write_program("exit 0");
	ck_assert_int_eq(symlink("qemu", link), 0);
	resolved = exm_probe_resolve(link, NULL);
	ck_assert_str_eq(resolved, program);
	found = exm_probe_resolve("sh", NULL);
	ck_assert_str_eq(found, shell);
}
END_TEST

static ExmCaps *some_caps(const char *version)
{
	g_autofree char *text = g_strdup_printf(
		"{\"path\": \"%s\", \"version\": \"%s\", \"package\": \"\", \"target\": \"t\","
		" \"accelerators\": [], \"file-properties\": [], \"ram-properties\": [],"
		" \"migration-capabilities\": [], \"transports\": [], \"devices\": [],"
		" \"objects\": [], \"machines\": []}",
		program, version);
	g_autoptr(ExmJson) json = exm_json_parse(text, strlen(text), NULL);
	ExmCaps *caps = exm_caps_from_json(json, NULL);

	ck_assert_ptr_nonnull(caps);
	return caps;
}

static ExmProbeKey *key_now(void)
{
	g_autoptr(GError) error = NULL;
	ExmProbeKey *key = exm_probe_key_read(program, &error);

	assert_no_error(error);
	return key;
}

static void store(const char *version)
{
	g_autoptr(ExmProbeKey) key = key_now();
	g_autoptr(ExmCaps) caps = some_caps(version);
	g_autoptr(GError) error = NULL;

	ck_assert(exm_probe_cache_store(cache, key, caps, &error));
	assert_no_error(error);
}

static void assert_cached(const char *version)
{
	g_autoptr(ExmProbeKey) key = key_now();
	g_autoptr(ExmCaps) caps = exm_probe_cache_load(cache, key);

	ck_assert_str_eq(caps ? caps->version : "nothing", version ? version : "nothing");
}

/* The one file in the cache. */
static char *cache_file(void)
{
	g_autoptr(GDir) dir = g_dir_open(cache, 0, NULL);
	char *path = g_build_filename(cache, g_dir_read_name(dir), NULL);

	ck_assert_ptr_null(g_dir_read_name(dir));
	return path;
}

START_TEST(cache_keeps_what_it_was_given)
{
	g_autofree char *file = NULL;
	struct stat info;

	write_program("exit 0");
	assert_cached(NULL);
	store("1.2.3");
	assert_cached("1.2.3");
	store("4.5.6");
	assert_cached("4.5.6");
	file = cache_file();
	ck_assert_int_eq(stat(file, &info), 0);
	ck_assert_uint_eq(info.st_mode & 07777, 0600);
	ck_assert_int_eq(stat(cache, &info), 0);
	ck_assert_uint_eq(info.st_mode & 07777, 0700);
}
END_TEST

START_TEST(cache_forgets_a_binary_that_changed)
{
	write_program("exit 0");
	store("1.2.3");
	/* Another inode, the same text. */
	write_program("exit 0");
	assert_cached(NULL);
	store("1.2.4");
	/* Only its ctime changes. */
	ck_assert_int_eq(chmod(program, 0755), 0);
	assert_cached(NULL);
}
END_TEST

/* Each part of the key counts for itself. */
START_TEST(cache_compares_all_of_the_key)
{
	g_autoptr(ExmProbeKey) key = NULL;
	uint64_t *parts[5];

	write_program("exit 0");
	store("1.2.3");
	key = key_now();
	parts[0] = &key->device;
	parts[1] = &key->inode;
	parts[2] = &key->size;
	parts[3] = &key->mtime_ns;
	parts[4] = &key->ctime_ns;
	for (size_t i = 0; i < G_N_ELEMENTS(parts); i++) {
		*parts[i] += 1;
		ck_assert_ptr_null(exm_probe_cache_load(cache, key));
		*parts[i] -= 1;
	}
	assert_cached("1.2.3");
}
END_TEST

static const char *const damages[] = {
	"", "{", "[]", "{}", "{\"key\": {}}", "junk", "{\"key\": null, \"caps\": null}",
};

START_TEST(cache_ignores_damage)
{
	g_autofree char *file = NULL;

	write_program("exit 0");
	store("1.2.3");
	file = cache_file();
	ck_assert(g_file_set_contents(file, damages[_i], -1, NULL));
	assert_cached(NULL);
	store("1.2.4");
	assert_cached("1.2.4");
}
END_TEST

START_TEST(cache_ignores_half_a_file)
{
	g_autofree char *file = NULL;
	struct stat info;

	write_program("exit 0");
	store("1.2.3");
	file = cache_file();
	ck_assert_int_eq(stat(file, &info), 0);
	for (off_t size = info.st_size - 1; size > 0; size -= 7) {
		ck_assert_int_eq(truncate(file, size), 0);
		assert_cached(NULL);
	}
}
END_TEST

/* The key is right, and the answer is of another schema. */
START_TEST(cache_ignores_other_schemas)
{
	g_autofree char *file = NULL;
	g_autofree char *text = NULL;
	char *schema;

	write_program("exit 0");
	store("1.2.3");
	file = cache_file();
	ck_assert(exm_file_read(file, &text, NULL, NULL));
	schema = strstr(text, "\"schema\":");
	ck_assert_ptr_nonnull(schema);
	schema[strlen("\"schema\":")] = '9';
	ck_assert(g_file_set_contents(file, text, -1, NULL));
	assert_cached(NULL);
}
END_TEST

START_TEST(cache_takes_no_link_and_no_pipe)
{
	g_autofree char *file = NULL;
	g_autofree char *moved = NULL;

	write_program("exit 0");
	store("1.2.3");
	file = cache_file();
	moved = g_strconcat(file, ".moved", NULL);
	ck_assert_int_eq(rename(file, moved), 0);
	ck_assert_int_eq(symlink(moved, file), 0);
	assert_cached(NULL);
	ck_assert_int_eq(unlink(file), 0);
	ck_assert_int_eq(mkfifo(file, 0600), 0);
	assert_cached(NULL);
}
END_TEST

START_TEST(cache_of_another_user)
{
	g_autofree char *file = NULL;

	if (geteuid() != 0)
		return;
	write_program("exit 0");
	store("1.2.3");
	file = cache_file();
	ck_assert_int_eq(chown(file, 65534, 65534), 0);
	assert_cached(NULL);
}
END_TEST

START_TEST(cache_that_cannot_be_written)
{
	g_autofree char *below_a_file = g_build_filename(program, "cache", NULL);
	g_autoptr(ExmProbeKey) key = NULL;
	g_autoptr(ExmCaps) caps = NULL;
	g_autoptr(GError) error = NULL;

	write_program("exit 0");
	key = key_now();
	caps = some_caps("1.2.3");
	ck_assert(!exm_probe_cache_store(below_a_file, key, caps, &error));
	assert_error(error, EXM_ERROR_SYSTEM, below_a_file);
	ck_assert_ptr_null(exm_probe_cache_load(below_a_file, key));
}
END_TEST

START_TEST(key_of_nothing)
{
	g_autoptr(GError) error = NULL;

	ck_assert_ptr_null(exm_probe_key_read(program, &error));
	assert_error(error, EXM_ERROR_SYSTEM, program);
	exm_probe_key_free(NULL);
}
END_TEST

Suite *probe_suite(void)
{
	Suite *suite = suite_create("probe");
	TCase *tcase = tcase_create("probe");

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, make_folder, remove_folder);
	tcase_add_loop_test(tcase, binaries_that_are_no_qemu, 0, G_N_ELEMENTS(endings));
	tcase_add_loop_test(tcase, binaries_that_never_answer, 0, G_N_ELEMENTS(silent));
	tcase_add_test(tcase, file_that_is_no_program);
	tcase_add_test(tcase, what_is_missing_is_an_empty_list);
	tcase_add_test(tcase, names_that_lead_nowhere);
	tcase_add_test(tcase, names_become_paths_without_links);
	tcase_add_test(tcase, cache_keeps_what_it_was_given);
	tcase_add_test(tcase, cache_forgets_a_binary_that_changed);
	tcase_add_test(tcase, cache_compares_all_of_the_key);
	tcase_add_loop_test(tcase, cache_ignores_damage, 0, G_N_ELEMENTS(damages));
	tcase_add_test(tcase, cache_ignores_half_a_file);
	tcase_add_test(tcase, cache_ignores_other_schemas);
	tcase_add_test(tcase, cache_takes_no_link_and_no_pipe);
	tcase_add_test(tcase, cache_of_another_user);
	tcase_add_test(tcase, cache_that_cannot_be_written);
	tcase_add_test(tcase, key_of_nothing);
	suite_add_tcase(suite, tcase);
	return suite;
}
