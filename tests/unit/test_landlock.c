/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_landlock.c - lib/host/landlock.c and image.c; each restriction is in a process of its own */

#include "host/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "host/image.h"
#include "plan/sandbox.h"
#include "suite.h"

/* The exit status of a process that could not be restricted. */
#define UNRESTRICTED 255

static char *folder;

static char *path_of(const char *name)
{
	return g_build_filename(folder, name, NULL);
}

static void write_file(const char *name, const void *bytes, gssize length)
{
	g_autofree char *path = path_of(name);

	ck_assert(g_file_set_contents(path, bytes, length, NULL));
}

static void make_folder(void)
{
	g_autofree char *directory = NULL;

	folder = g_dir_make_tmp("exomem-unit-XXXXXX", NULL);
	ck_assert_ptr_nonnull(folder);
	directory = path_of("directory");
	ck_assert_int_eq(g_mkdir(directory, 0700), 0);
	write_file("one", "1", 1);
	write_file("two", "2", 1);
	write_file("directory/inner", "3", 1);
}

static void remove_folder(void)
{
	g_autofree char *command = g_strdup_printf("rm -rf '%s'", folder);

	ck_assert(g_spawn_command_line_sync(command, NULL, NULL, NULL, NULL));
	g_clear_pointer(&folder, g_free);
}

static int try_open(const char *path, int flags)
{
	exm_autofd int fd = open(path, flags | O_CLOEXEC, 0600);

	return fd >= 0 ? 0 : errno;
}

static int try_bind(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	exm_autofd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	g_strlcpy(address.sun_path, path, sizeof(address.sun_path));
	return bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0 ? 0 : errno;
}

/* What a process does that may have one path, and the errno of it. */
typedef enum { TO_READ, TO_WRITE, TO_CREATE, TO_REMOVE, TO_BIND, TO_TRUNCATE, TO_KILL } Try;

static int attempt(Try what, const char *path)
{
	switch (what) {
	case TO_READ:
		return try_open(path, O_RDONLY);
	case TO_WRITE:
		return try_open(path, O_WRONLY);
	case TO_CREATE:
		return try_open(path, O_WRONLY | O_CREAT | O_EXCL);
	case TO_REMOVE:
		return unlink(path) == 0 ? 0 : errno;
	case TO_BIND:
		return try_bind(path);
	case TO_TRUNCATE:
		return truncate(path, 0) == 0 ? 0 : errno;
	case TO_KILL:
		return kill(getppid(), 0) == 0 ? 0 : errno;
	}
	return UNRESTRICTED;
}

static const struct {
	ExmAccess access;
	const char *allowed;
	Try what;
	const char *path;
	int reason;
	uint64_t version;
} tries[] = {
	{ EXM_ACCESS_READ, "one", TO_READ, "one", 0, 1 },
	{ EXM_ACCESS_READ, "one", TO_WRITE, "one", EACCES, 1 },
	{ EXM_ACCESS_READ, "one", TO_READ, "two", EACCES, 1 },
	{ EXM_ACCESS_READ, "one", TO_WRITE, "two", EACCES, 1 },
	{ EXM_ACCESS_READ, "one", TO_TRUNCATE, "two", EACCES, 3 },
	{ EXM_ACCESS_READ, "one", TO_CREATE, "three", EACCES, 1 },
	{ EXM_ACCESS_READ, "one", TO_REMOVE, "one", EACCES, 1 },
	{ EXM_ACCESS_READ, "directory", TO_READ, "directory/inner", 0, 1 },
	{ EXM_ACCESS_READ, "directory", TO_READ, "directory/../one", EACCES, 1 },
	{ EXM_ACCESS_WRITE, "one", TO_WRITE, "one", 0, 1 },
	{ EXM_ACCESS_WRITE, "one", TO_TRUNCATE, "one", 0, 1 },
	{ EXM_ACCESS_WRITE, "one", TO_WRITE, "two", EACCES, 1 },
	{ EXM_ACCESS_WRITE, "three", TO_CREATE, "three", EACCES, 1 },
	{ EXM_ACCESS_WRITE, "directory", TO_CREATE, "directory/three", 0, 1 },
	{ EXM_ACCESS_CREATE, "three", TO_WRITE, "three", 0, 1 },
	{ EXM_ACCESS_CREATE, "three", TO_REMOVE, "three", EACCES, 1 },
	{ EXM_ACCESS_SOCKETS, "directory", TO_BIND, "directory/socket", 0, 1 },
	{ EXM_ACCESS_SOCKETS, "directory", TO_BIND, "socket", EACCES, 1 },
	{ EXM_ACCESS_SOCKETS, "directory", TO_READ, "directory/inner", EACCES, 1 },
	{ EXM_ACCESS_SOCKETS, "directory", TO_CREATE, "directory/three", EACCES, 1 },
	{ EXM_ACCESS_READ, "missing", TO_READ, "one", EACCES, 1 },
	{ EXM_ACCESS_READ, "one", TO_KILL, "one", EPERM, 6 },
};

static int run(guint index, bool restricted)
{
	g_autofree char *allowed_path = path_of(tries[index].allowed);
	g_autofree char *path = path_of(tries[index].path);
	g_autoptr(GPtrArray) allowed = g_ptr_array_new();
	ExmAllowed one = { allowed_path, tries[index].access };
	const pid_t pid = fork();
	int status;

	ck_assert_int_ge(pid, 0);
	g_ptr_array_add(allowed, &one);
	if (pid == 0)
		_exit(restricted && !exm_landlock_restrict("/", allowed, NULL)
		              ? UNRESTRICTED
		              : attempt(tries[index].what, path));
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

START_TEST(a_process_has_what_it_was_allowed)
{
	if (exm_landlock_version() < tries[_i].version)
		return;
	ck_assert_int_eq(run((guint)_i, true), tries[_i].reason);
	if (tries[_i].reason != 0)
		ck_assert_int_eq(run((guint)_i, false), 0);
}
END_TEST

START_TEST(a_script_is_no_program)
{
	g_autofree char *script = path_of("script");
	g_autoptr(GPtrArray) allowed = g_ptr_array_new();
	g_autoptr(GError) error = NULL;

	write_file("script", "#!/bin/sh\n", -1);
	ck_assert(!exm_landlock_restrict(script, allowed, &error));
	assert_error(error, EXM_ERROR_UNSUPPORTED, "is a script");
}
END_TEST

/* A header of version 3 and 104 bytes, and behind it extensions and the name of the backing file. */
typedef struct {
	char magic[4];
	uint32_t version;
	uint64_t backing;
	uint32_t length;
	char rest[80];
	uint32_t header_size;
	char behind[200];
} Header;

static Header header_new(const char *format, const char *backing)
{
	Header header = { .magic = "QFI\xfb", .version = GUINT32_TO_BE(3) };
	const uint32_t type = GUINT32_TO_BE(0xe2792aca);
	const uint32_t length = GUINT32_TO_BE((uint32_t)strlen(format));

	header.header_size = GUINT32_TO_BE(104);
	header.backing = GUINT64_TO_BE(204);
	header.length = GUINT32_TO_BE((uint32_t)strlen(backing));
	memcpy(header.behind, &type, sizeof(type));
	memcpy(header.behind + 4, &length, sizeof(length));
	memcpy(header.behind + 8, format, strlen(format));
	memcpy(header.behind + 100, backing, strlen(backing));
	return header;
}

static void assert_image(const void *bytes, size_t length, const char *backing, const char *format)
{
	g_autofree char *path = path_of("image");
	g_autofree char *wanted = backing ? path_of(backing) : NULL;
	g_autoptr(ExmImage) image = NULL;

	write_file("image", bytes, (gssize)length);
	image = exm_image_read(path);
	ck_assert_pstr_eq(image->backing, wanted);
	ck_assert_pstr_eq(image->format, format);
	ck_assert_ptr_null(image->data);
}

START_TEST(an_image_names_what_is_below)
{
	const Header header = header_new("raw", "base.raw");
	Header other = header;

	ck_assert_uint_eq(G_STRUCT_OFFSET(Header, behind), 104);
	assert_image(&header, sizeof(header), "base.raw", "raw");
	assert_image(&header, 204, NULL, "raw");
	assert_image(&header, 50, NULL, NULL);
	other.backing = 0;
	assert_image(&other, sizeof(other), NULL, "raw");
	other.backing = UINT64_MAX;
	assert_image(&other, sizeof(other), NULL, "raw");
	other = header;
	other.length = UINT32_MAX;
	assert_image(&other, sizeof(other), NULL, "raw");
	memset(other.behind, 0xff, sizeof(other.behind));
	assert_image(&other, sizeof(other), NULL, NULL);
	other.magic[0] = 'q';
	assert_image(&other, sizeof(other), NULL, NULL);
}
END_TEST

/** landlock_suite() - Tests of lib/host/landlock.c and image.c */
Suite *landlock_suite(void)
{
	Suite *suite = suite_create("landlock");
	TCase *tests = tcase_create("landlock");

	tcase_add_checked_fixture(tests, make_folder, remove_folder);
	tcase_add_loop_test(tests, a_process_has_what_it_was_allowed, 0, G_N_ELEMENTS(tries));
	tcase_add_test(tests, a_script_is_no_program);
	tcase_add_test(tests, an_image_names_what_is_below);
	suite_add_tcase(suite, tests);
	return suite;
}
