/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_host.c - lib/plan/host.c, lib/host/hostinfo.c and lib/host/place.c */

#include "plan/host.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/hostinfo.h"
#include "host/place.h"
#include "suite.h"

#define NOBODY 65534

/* A folder of its own for each test. */
static char *folder;

static void make_folder(void)
{
	g_autofree char *made = g_dir_make_tmp("exomem-unit-XXXXXX", NULL);

	ck_assert_ptr_nonnull(made);
	/* Where /tmp itself is a link, a test that follows one of its own would count two. */
	folder = realpath(made, NULL);
	ck_assert_ptr_nonnull(folder);
}

static unsigned int empty_folder(const char *path)
{
	GDir *dir = g_dir_open(path, 0, NULL);
	unsigned int count = 0;
	const char *name;

	ck_assert_ptr_nonnull(dir);
	while ((name = g_dir_read_name(dir))) {
		g_autofree char *inner = g_build_filename(path, name, NULL);

		if (g_rmdir(inner) < 0 && g_unlink(inner) < 0) {
			empty_folder(inner);
			ck_assert_int_eq(g_rmdir(inner), 0);
		}
		count++;
	}
	g_dir_close(dir);
	return count;
}

static void remove_folder(void)
{
	empty_folder(folder);
	ck_assert_int_eq(g_rmdir(folder), 0);
	g_clear_pointer(&folder, g_free);
}

static char *inside(const char *name)
{
	return g_build_filename(folder, name, NULL);
}

static char *make_directory(const char *name, mode_t mode)
{
	char *path = inside(name);

	ck_assert_int_eq(mkdir(path, 0700), 0);
	ck_assert_int_eq(chmod(path, mode), 0);
	return path;
}

static char *make_link(const char *name, const char *target)
{
	char *path = inside(name);

	ck_assert_int_eq(symlink(target, path), 0);
	return path;
}

static char *make_file(const char *name, const char *text)
{
	char *path = inside(name);

	ck_assert(g_file_set_contents(path, text, -1, NULL));
	return path;
}

static ExmJson *parse(const char *text)
{
	g_autoptr(GError) error = NULL;
	ExmJson *json = exm_json_parse(text, strlen(text), &error);

	assert_no_error(error);
	return json;
}

static void assert_json(ExmJson *json, const char *wanted)
{
	g_autoptr(ExmJson) owned = json;
	g_autoptr(ExmJson) other = parse(wanted);

	ck_assert_msg(json_object_equal(owned, other), "%s", json_object_to_json_string(owned));
}

#define HOST_JSON                                                                            \
	"{\"euid\": 1000, \"page-size\": 4096, \"ram-total\": 18446744073709551615,"         \
	" \"ram-available\": 3, \"swap-total\": 4, \"commit-limit\": 5, \"commit-used\": 6," \
	" \"overcommit-memory\": 2, \"nodes\": \"0-1,4\", \"tasks-free\": 6, \"first-fd\": 64, \"landlock\": 7}"

START_TEST(host_there_and_back)
{
	g_autoptr(ExmJson) json = parse(HOST_JSON);
	g_autoptr(GError) error = NULL;
	g_autoptr(ExmHost) host = exm_host_from_json(json, &error);

	assert_no_error(error);
	ck_assert_uint_eq(host->euid, 1000);
	ck_assert_uint_eq(host->page_size, 4096);
	ck_assert_uint_eq(host->ram_total, UINT64_MAX);
	ck_assert_uint_eq(host->ram_available, 3);
	ck_assert_uint_eq(host->swap_total, 4);
	ck_assert_uint_eq(host->commit_limit, 5);
	ck_assert_uint_eq(host->commit_used, 6);
	ck_assert_uint_eq(host->overcommit_memory, 2);
	ck_assert_str_eq(host->nodes, "0-1,4");
	ck_assert_uint_eq(host->first_fd, 64);
	assert_json(exm_host_to_json(host), HOST_JSON);
}
END_TEST

#define PLACE_JSON                                                                                       \
	"{\"path\": \"/mem\", \"kind\": \"directory\", \"detail\": \"why\", \"writable\": true,"         \
	" \"others-write\": false, \"shared-sticky\": true, \"distrust\": \"who\", \"closed\": true,"    \
	" \"file-system\": \"hugetlbfs\","                                                               \
	" \"in-memory\": true, \"page-size\": 2097152, \"free\": 7, \"device\": 8, \"can-punch\": true," \
	" \"can-reserve\": false, \"unnamed-files\": true, \"maps-sync\": true}"

START_TEST(place_there_and_back)
{
	g_autoptr(ExmJson) json = parse(PLACE_JSON);
	g_autoptr(GError) error = NULL;
	g_autoptr(ExmPlace) place = exm_place_from_json(json, &error);

	assert_no_error(error);
	ck_assert_str_eq(place->path, "/mem");
	ck_assert_int_eq(place->kind, EXM_PLACE_DIRECTORY);
	ck_assert_str_eq(place->detail, "why");
	ck_assert(place->writable && place->shared_sticky && place->in_memory);
	ck_assert(place->can_punch && place->unnamed_files);
	ck_assert(!place->others_write && !place->can_reserve);
	ck_assert_str_eq(place->file_system, "hugetlbfs");
	ck_assert_uint_eq(place->page_size, 2097152);
	ck_assert_uint_eq(place->free, 7);
	assert_json(exm_place_to_json(place), PLACE_JSON);
}
END_TEST

START_TEST(every_kind_there_and_back)
{
	static const char *const names[] = {
		"missing",       "directory",    "dax",   "file",
		"dangling-link", "foreign-link", "other", "unreachable",
	};
	g_autoptr(ExmPlace) place = g_new0(ExmPlace, 1);
	g_autoptr(ExmPlace) back = NULL;
	g_autoptr(ExmJson) json = NULL;
	g_autoptr(GError) error = NULL;

	place->path = g_strdup("/x");
	place->kind = (ExmPlaceKind)_i;
	json = exm_place_to_json(place);
	ck_assert_str_eq(exm_json_get_string(json, "kind"), names[_i]);
	ck_assert_ptr_null(exm_json_member(json, "detail"));
	back = exm_place_from_json(json, &error);
	assert_no_error(error);
	ck_assert_int_eq(back->kind, _i);
	ck_assert_ptr_null(back->detail);
}
END_TEST

#define FILE_JSON                                                                                \
	"{\"path\": \"/mem/f\", \"exists\": true, \"regular\": true, \"owner\": 8, \"size\": 9," \
	" \"allocated\": 10, \"device\": 11, \"inode\": 12, \"mtime\": 13,"                      \
	" \"others-write\": true, \"mode\": 432, \"links\": 2,"                                  \
	" \"readable\": true, \"writable\": false, \"template\": \"web\"}"

START_TEST(file_there_and_back)
{
	g_autoptr(ExmJson) json = parse(FILE_JSON);
	g_autoptr(ExmJson) short_json = parse("{\"path\": \"/mem/f\", \"exists\": false}");
	g_autoptr(GError) error = NULL;
	g_autoptr(ExmFileFacts) file = exm_file_facts_from_json(json, &error);
	g_autoptr(ExmFileFacts) missing = exm_file_facts_from_json(short_json, &error);

	assert_no_error(error);
	ck_assert_str_eq(file->path, "/mem/f");
	ck_assert(file->exists && file->regular && file->readable && !file->writable);
	ck_assert_uint_eq(file->owner, 8);
	ck_assert_uint_eq(file->size, 9);
	ck_assert_uint_eq(file->allocated, 10);
	ck_assert_str_eq(file->template_name, "web");
	assert_json(exm_file_facts_to_json(file), FILE_JSON);
	ck_assert(!missing->exists && missing->size == 0 && !missing->template_name);
}
END_TEST

static const struct {
	const char *json;
	int code;
	const char *part;
} damaged_places[] = {
	{ "[]", EXM_ERROR_SYSTEM, "recorded place is not an object" },
	{ "{\"kind\": \"file\"}", EXM_ERROR_SYSTEM, "'path' is missing" },
	{ "{\"path\": null, \"kind\": \"file\"}", EXM_ERROR_SYSTEM, "'path' is missing" },
	{ "{\"path\": \"/x\"}", EXM_ERROR_SYSTEM, "'kind' is missing" },
	{ "{\"path\": \"/x\", \"kind\": 1}", EXM_ERROR_SYSTEM, "'kind'" },
	{ "{\"path\": \"/x\", \"kind\": \"flie\"}", EXM_ERROR_USAGE, "'flie'" },
	{ "{\"path\": 5, \"kind\": \"file\"}", EXM_ERROR_SYSTEM, "'path'" },
	{ "{\"path\": \"/x\", \"kind\": \"file\", \"free\": -1}", EXM_ERROR_SYSTEM, "'free'" },
	{ "{\"path\": \"/x\", \"kind\": \"file\", \"free\": \"1\"}", EXM_ERROR_SYSTEM, "'free'" },
	{ "{\"path\": \"/x\", \"kind\": \"file\", \"free\": 1.5}", EXM_ERROR_SYSTEM, "'free'" },
	{ "{\"path\": \"/x\", \"kind\": \"file\", \"writable\": 1}", EXM_ERROR_SYSTEM, "'writable'" },
	{ "{\"path\": \"/x\", \"kind\": \"file\", \"writeable\": true}", EXM_ERROR_SYSTEM,
	  "'writeable' is not known" },
};

START_TEST(damaged_place_is_refused)
{
	g_autoptr(ExmJson) json = parse(damaged_places[_i].json);
	g_autoptr(GError) error = NULL;

	ck_assert_ptr_null(exm_place_from_json(json, &error));
	assert_error(error, damaged_places[_i].code, damaged_places[_i].part);
}
END_TEST

START_TEST(damaged_host_and_file_are_refused)
{
	g_autoptr(ExmJson) json = parse("{\"path\": \"/x\"}");
	g_autoptr(GError) host_error = NULL;
	g_autoptr(GError) file_error = NULL;

	ck_assert_ptr_null(exm_host_from_json(json, &host_error));
	assert_error(host_error, EXM_ERROR_SYSTEM, "recorded host: 'path' is not known");
	ck_assert_ptr_null(exm_file_facts_from_json(json, &file_error));
	assert_error(file_error, EXM_ERROR_SYSTEM, "recorded file: 'exists' is missing");
}
END_TEST

START_TEST(nothing_is_freed)
{
	exm_host_free(NULL);
	exm_place_free(NULL);
	exm_file_facts_free(NULL);
}
END_TEST

START_TEST(hostinfo_says_what_the_kernel_says)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(ExmHost) host = exm_hostinfo_read(&error);

	assert_no_error(error);
	ck_assert_uint_eq(host->euid, geteuid());
	ck_assert_uint_eq(host->page_size, (uint64_t)sysconf(_SC_PAGESIZE));
	/* MemTotal is what sysconf counts in pages. */
	ck_assert_uint_eq(host->ram_total, (uint64_t)sysconf(_SC_PHYS_PAGES) * host->page_size);
	ck_assert_uint_gt(host->ram_available, 0);
	ck_assert_uint_le(host->ram_available, host->ram_total);
	ck_assert_uint_gt(host->commit_limit, 0);
	ck_assert_uint_gt(host->commit_used, 0);
	ck_assert_uint_le(host->overcommit_memory, 2);
	ck_assert(g_ascii_isdigit(host->nodes[0]));
	ck_assert_ptr_null(strchr(host->nodes, '\n'));
	ck_assert_uint_gt(exm_hostinfo_memory_left(), 0);
}
END_TEST

static uint64_t number_in(const char *path)
{
	g_autofree char *text = NULL;

	ck_assert(g_file_get_contents(path, &text, NULL, NULL));
	return g_ascii_strtoull(text, NULL, 10);
}

/* Fewer than the kernel allows in all: this process is one of them. */
START_TEST(tasks_that_can_be_started)
{
	g_autoptr(ExmHost) host = exm_hostinfo_read(NULL);

	ck_assert_uint_gt(host->tasks_free, 0);
	ck_assert_uint_lt(host->tasks_free, number_in("/proc/sys/kernel/pid_max"));
	ck_assert_uint_lt(host->tasks_free, number_in("/proc/sys/kernel/threads-max"));
}
END_TEST

/* It holds for all but root. */
START_TEST(tasks_of_a_limited_user)
{
	const bool root = geteuid() == 0;
	g_autoptr(ExmHost) limited = NULL;
	g_autoptr(ExmHost) unlimited = NULL;
	struct rlimit before, lower;

	ck_assert_int_eq(getrlimit(RLIMIT_NPROC, &before), 0);
	lower = (struct rlimit){ .rlim_cur = 7, .rlim_max = before.rlim_max };
	ck_assert_int_eq(setrlimit(RLIMIT_NPROC, &lower), 0);
	unlimited = exm_hostinfo_read(NULL);
	ck_assert(!root || seteuid(NOBODY) == 0);
	limited = exm_hostinfo_read(NULL);
	ck_assert(!root || seteuid(0) == 0);
	ck_assert_int_eq(setrlimit(RLIMIT_NPROC, &before), 0);
	ck_assert_uint_eq(limited->tasks_free, 7);
	ck_assert(!root || unlimited->tasks_free > 7);
}
END_TEST

START_TEST(first_fd_is_above_all_in_use)
{
	g_autoptr(ExmHost) before = exm_hostinfo_read(NULL);
	g_autoptr(ExmHost) during = NULL;
	g_autoptr(ExmHost) after = NULL;
	int fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 300);

	ck_assert_uint_ge(before->first_fd, 64);
	ck_assert_int_ge(fd, 300);
	during = exm_hostinfo_read(NULL);
	/* valgrind has descriptors of its own near the limit. */
	ck_assert_uint_eq(during->first_fd, MAX(before->first_fd, (uint64_t)fd + 1));
	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(fcntl((int)during->first_fd + i, F_GETFD), -1);
	close(fd);
	after = exm_hostinfo_read(NULL);
	ck_assert_uint_eq(after->first_fd, before->first_fd);
}
END_TEST

static void assert_kind(const char *path, ExmPlaceKind kind, const char *detail)
{
	g_autoptr(ExmPlace) place = exm_place_look(path);

	ck_assert_msg(place->kind == kind, "%s: kind %d instead of %d", path, place->kind, kind);
	ck_assert_msg(g_strcmp0(place->detail, detail) == 0, "%s: '%s' instead of '%s'", path,
	              place->detail, detail);
	ck_assert_str_eq(place->path, path);
}

START_TEST(a_directory_is_a_place)
{
	g_autoptr(ExmPlace) place = exm_place_look(folder);

	ck_assert_int_eq(place->kind, EXM_PLACE_DIRECTORY);
	ck_assert_ptr_null(place->detail);
	ck_assert(place->writable && !place->others_write && !place->shared_sticky);
	ck_assert_ptr_nonnull(place->file_system);
	ck_assert_uint_eq(place->page_size, (uint64_t)sysconf(_SC_PAGESIZE));
	ck_assert_uint_gt(place->free, 0);
	/* The trials left nothing. */
	ck_assert_uint_eq(empty_folder(folder), 0);
}
END_TEST

START_TEST(shared_memory_is_tmpfs)
{
	g_autoptr(ExmPlace) place = exm_place_look("/dev/shm");

	ck_assert_int_eq(place->kind, EXM_PLACE_DIRECTORY);
	ck_assert_str_eq(place->file_system, "tmpfs");
	ck_assert(place->in_memory && place->can_punch && place->can_reserve);
	ck_assert(place->unnamed_files && place->shared_sticky && !place->others_write);
	/* Memory may come and go between the two looks, but not as much again. */
	ck_assert_uint_le(place->free, 2 * exm_hostinfo_memory_left());
}
END_TEST

START_TEST(reflinks_are_tried)
{
	g_autofree char *file_system = exm_place_file_system(folder);
	g_autofree char *missing = inside("missing");
	const bool can = exm_place_can_reflink(folder);

	/* XFS can be made without them. */
	ck_assert(!can || g_str_equal(file_system, "btrfs") || g_str_equal(file_system, "xfs") ||
	          g_str_equal(file_system, "overlay") || g_str_equal(file_system, "bcachefs"));
	ck_assert(can || !g_str_equal(file_system, "btrfs"));
	ck_assert(!exm_place_can_reflink("/dev/shm"));
	ck_assert(!exm_place_can_reflink("/proc"));
	ck_assert(!exm_place_can_reflink(missing));
	/* The trials left nothing. */
	ck_assert_uint_eq(empty_folder(folder), 0);
}
END_TEST

START_TEST(proc_can_hold_nothing)
{
	g_autoptr(ExmPlace) place = exm_place_look("/proc");

	ck_assert_int_eq(place->kind, EXM_PLACE_DIRECTORY);
	ck_assert_str_eq(place->file_system, "proc");
	ck_assert(!place->can_punch && !place->can_reserve && !place->unnamed_files);
}
END_TEST

static const struct {
	mode_t mode;
	bool others_write;
	bool shared_sticky;
} modes[] = {
	{ 0700, false, false }, { 0755, false, false }, { 01755, false, false },
	{ 0702, true, false },  { 0777, true, false },  { 01777, false, true },
	{ 0775, true, false },  { 03770, false, true }, { 02750, false, false },
};

START_TEST(who_may_write)
{
	g_autofree char *path = make_directory("d", 0700);
	g_autoptr(ExmPlace) place = NULL;
	struct stat info;

	/* A group that is not the owner's own, if there is one to be had. */
	if (geteuid() == 0)
		ck_assert_int_eq(chown(path, 0, NOBODY), 0);
	ck_assert_int_eq(chmod(path, modes[_i].mode), 0);
	ck_assert_int_eq(stat(path, &info), 0);
	place = exm_place_look(path);
	ck_assert_int_eq(place->kind, EXM_PLACE_DIRECTORY);
	if (info.st_gid == info.st_uid && !(modes[_i].mode & S_IWOTH)) {
		ck_assert(!place->others_write && !place->shared_sticky);
		return;
	}
	ck_assert_int_eq(place->others_write, modes[_i].others_write);
	ck_assert_int_eq(place->shared_sticky, modes[_i].shared_sticky);
}
END_TEST

START_TEST(the_owners_own_group_may_write)
{
	g_autofree char *path = make_directory("d", 0700);
	g_autoptr(ExmPlace) place = NULL;

	/* Who has no group of that number may not give it to a directory. */
	if (chown(path, (uid_t)-1, geteuid()) < 0)
		return;
	ck_assert_int_eq(chmod(path, 0770), 0);
	place = exm_place_look(path);
	ck_assert(!place->others_write && !place->shared_sticky);
}
END_TEST

START_TEST(no_directory)
{
	g_autofree char *missing = inside("missing");
	g_autofree char *below = inside("missing/below");
	g_autofree char *file = make_file("file", "text");
	g_autofree char *under_file = inside("file/below");
	g_autofree char *fifo = inside("fifo");
	g_autofree char *name = g_strnfill(300, 'x');
	g_autofree char *long_name = inside(name);

	ck_assert_int_eq(mkfifo(fifo, 0600), 0);
	assert_kind(missing, EXM_PLACE_MISSING, NULL);
	assert_kind(below, EXM_PLACE_MISSING, NULL);
	assert_kind(file, EXM_PLACE_FILE, NULL);
	assert_kind(under_file, EXM_PLACE_UNREACHABLE, g_strerror(ENOTDIR));
	assert_kind(fifo, EXM_PLACE_OTHER, NULL);
	assert_kind("/dev/null", EXM_PLACE_OTHER, NULL);
	assert_kind(long_name, EXM_PLACE_UNREACHABLE, g_strerror(ENAMETOOLONG));
}
END_TEST

START_TEST(path_longer_than_the_kernel_takes)
{
	g_autoptr(GString) path = g_string_new(NULL);
	g_autoptr(ExmPlace) place = NULL;

	while (path->len < 5000)
		g_string_append(path, "/.");
	place = exm_place_look(path->str);
	ck_assert_int_eq(place->kind, EXM_PLACE_UNREACHABLE);
	ck_assert_str_eq(place->detail, g_strerror(ENAMETOOLONG));
}
END_TEST

START_TEST(own_links_are_followed)
{
	g_autofree char *directory = make_directory("d", 0700);
	g_autofree char *absolute = make_link("absolute", directory);
	g_autofree char *relative = make_link("relative", "d");
	g_autofree char *twice = make_link("twice", "relative/../absolute");
	g_autofree char *through = inside("twice/file");
	g_autofree char *slash = inside("twice//");
	g_autofree char *behind = inside("twice/missing");

	g_free(make_file("d/file", "text"));
	assert_kind(absolute, EXM_PLACE_DIRECTORY, NULL);
	assert_kind(relative, EXM_PLACE_DIRECTORY, NULL);
	assert_kind(twice, EXM_PLACE_DIRECTORY, NULL);
	assert_kind(slash, EXM_PLACE_DIRECTORY, NULL);
	assert_kind(through, EXM_PLACE_FILE, NULL);
	assert_kind(behind, EXM_PLACE_MISSING, NULL);
}
END_TEST

START_TEST(links_to_nothing)
{
	g_autofree char *dangling = make_link("dangling", "nothing");
	g_autofree char *below = inside("dangling/below");
	g_autofree char *second = make_link("second", "dangling");
	g_autofree char *loop = make_link("loop", "loop");

	assert_kind(dangling, EXM_PLACE_DANGLING_LINK, dangling);
	assert_kind(below, EXM_PLACE_DANGLING_LINK, dangling);
	assert_kind(second, EXM_PLACE_DANGLING_LINK, second);
	assert_kind(loop, EXM_PLACE_UNREACHABLE, g_strerror(ELOOP));
}
END_TEST

/* What is open may have no name any more: its link in /proc leads on all the same. */
START_TEST(link_of_the_kernel)
{
	g_autofree char *directory = make_directory("d", 0700);
	int fd = open(directory, O_PATH | O_CLOEXEC);
	g_autofree char *link = g_strdup_printf("/proc/self/fd/%d", fd);

	assert_kind(link, EXM_PLACE_DIRECTORY, NULL);
	ck_assert_int_eq(g_rmdir(directory), 0);
	assert_kind(link, EXM_PLACE_DIRECTORY, NULL);
	close(fd);
}
END_TEST

/* Only root can make a link of another user. */
START_TEST(foreign_links_are_not_followed)
{
	g_autofree char *planted = make_link("planted", "d");
	g_autofree char *below = inside("planted/below");
	g_autofree char *own = make_link("own", "planted");
	g_autofree char *absolute = make_link("absolute", planted);
	g_autofree char *nowhere = make_link("nowhere", "nothing");

	g_free(make_directory("d", 0700));
	if (geteuid() != 0)
		return;
	ck_assert_int_eq(lchown(planted, NOBODY, NOBODY), 0);
	ck_assert_int_eq(lchown(nowhere, NOBODY, NOBODY), 0);
	assert_kind(planted, EXM_PLACE_FOREIGN_LINK, planted);
	assert_kind(below, EXM_PLACE_FOREIGN_LINK, planted);
	assert_kind(own, EXM_PLACE_FOREIGN_LINK, planted);
	assert_kind(absolute, EXM_PLACE_FOREIGN_LINK, planted);
	assert_kind(nowhere, EXM_PLACE_FOREIGN_LINK, nowhere);
}
END_TEST

START_TEST(relative_path_is_made_absolute)
{
	g_autofree char *wanted = inside("d/../d");
	g_autofree char *before = getcwd(NULL, 0);
	g_autoptr(ExmPlace) place = NULL;

	g_free(make_directory("d", 0700));
	ck_assert_int_eq(chdir(folder), 0);
	place = exm_place_look("d/../d");
	ck_assert_int_eq(chdir(before), 0);
	ck_assert_str_eq(place->path, wanted);
	ck_assert_int_eq(place->kind, EXM_PLACE_DIRECTORY);
}
END_TEST

/* Root may do everything, so it looks as nobody. */
START_TEST(unwritable_directory)
{
	g_autofree char *directory = make_directory("d", 0555);
	g_autofree char *hidden = make_directory("hidden", 0700);
	g_autofree char *below = inside("hidden/below");
	g_autoptr(ExmPlace) place = NULL;
	const bool root = geteuid() == 0;

	ck_assert_int_eq(chmod(folder, 0755), 0);
	ck_assert_int_eq(chmod(hidden, 0), 0);
	ck_assert(!root || seteuid(NOBODY) == 0);
	place = exm_place_look(directory);
	assert_kind(below, EXM_PLACE_UNREACHABLE, g_strerror(EACCES));
	ck_assert(!root || seteuid(0) == 0);
	ck_assert_int_eq(place->kind, EXM_PLACE_DIRECTORY);
	ck_assert(!place->writable);
	ck_assert_int_eq(chmod(hidden, 0700), 0);
}
END_TEST

START_TEST(file_facts)
{
	g_autofree char *path = make_file("file", "0123456789");
	g_autoptr(ExmFileFacts) file = exm_file_look(path);

	ck_assert_str_eq(file->path, path);
	ck_assert(file->exists && file->regular && file->readable && file->writable);
	ck_assert_uint_eq(file->owner, geteuid());
	ck_assert_uint_eq(file->size, 10);
	ck_assert_ptr_null(file->template_name);
}
END_TEST

START_TEST(file_facts_of_a_sparse_file)
{
	g_autofree char *path = make_file("file", "");
	g_autoptr(ExmFileFacts) sparse = NULL;
	g_autoptr(ExmFileFacts) filled = NULL;
	int fd = open(path, O_RDWR | O_CLOEXEC);

	ck_assert_int_eq(ftruncate(fd, 1 << 20), 0);
	sparse = exm_file_look(path);
	ck_assert_int_eq(posix_fallocate(fd, 0, 1 << 20), 0);
	close(fd);
	filled = exm_file_look(path);
	ck_assert_uint_eq(sparse->size, 1 << 20);
	ck_assert_uint_eq(sparse->allocated, 0);
	ck_assert_uint_eq(filled->size, 1 << 20);
	ck_assert_uint_ge(filled->allocated, 1 << 20);
}
END_TEST

START_TEST(file_facts_of_what_is_no_file)
{
	g_autofree char *missing = inside("missing");
	g_autofree char *link = make_link("link", "missing");
	g_autofree char *directory = make_directory("d", 0700);
	g_autoptr(ExmFileFacts) no_file = exm_file_look(missing);
	g_autoptr(ExmFileFacts) a_link = exm_file_look(link);
	g_autoptr(ExmFileFacts) a_directory = exm_file_look(directory);

	ck_assert(!no_file->exists && !no_file->regular);
	ck_assert(a_link->exists && !a_link->regular && a_link->size == 0);
	ck_assert(a_directory->exists && !a_directory->regular);
}
END_TEST

static const struct {
	const char *marker;
	const char *name;
} markers[] = {
	{ "web", "web" }, { "web\n", "web" }, { "web-1.2\nsecond line\n", "web-1.2" },
	{ "", "?" },      { "\nweb\n", "?" },
};

START_TEST(marker_names_the_template)
{
	g_autofree char *path = make_file("file", "text");
	g_autoptr(ExmFileFacts) file = NULL;

	g_free(make_file("file" EXM_TEMPLATE_MARKER, markers[_i].marker));
	file = exm_file_look(path);
	ck_assert_str_eq(file->template_name, markers[_i].name);
}
END_TEST

/* A marker that cannot be read protects the file as well, and none can hold us up. */
START_TEST(marker_that_is_no_file)
{
	g_autofree char *linked = make_file("linked", "text");
	g_autofree char *piped = make_file("piped", "text");
	g_autofree char *fifo = inside("piped" EXM_TEMPLATE_MARKER);
	g_autoptr(ExmFileFacts) by_link = NULL;
	g_autoptr(ExmFileFacts) by_fifo = NULL;

	g_free(make_link("linked" EXM_TEMPLATE_MARKER, "nothing"));
	ck_assert_int_eq(mkfifo(fifo, 0600), 0);
	by_link = exm_file_look(linked);
	by_fifo = exm_file_look(piped);
	ck_assert_str_eq(by_link->template_name, "?");
	ck_assert_str_eq(by_fifo->template_name, "?");
}
END_TEST

static void add_place_tests(TCase *tcase)
{
	tcase_add_test(tcase, a_directory_is_a_place);
	tcase_add_test(tcase, shared_memory_is_tmpfs);
	tcase_add_test(tcase, reflinks_are_tried);
	tcase_add_test(tcase, proc_can_hold_nothing);
	tcase_add_loop_test(tcase, who_may_write, 0, G_N_ELEMENTS(modes));
	tcase_add_test(tcase, the_owners_own_group_may_write);
	tcase_add_test(tcase, no_directory);
	tcase_add_test(tcase, path_longer_than_the_kernel_takes);
	tcase_add_test(tcase, own_links_are_followed);
	tcase_add_test(tcase, links_to_nothing);
	tcase_add_test(tcase, link_of_the_kernel);
	tcase_add_test(tcase, foreign_links_are_not_followed);
	tcase_add_test(tcase, relative_path_is_made_absolute);
	tcase_add_test(tcase, unwritable_directory);
	tcase_add_test(tcase, file_facts);
	tcase_add_test(tcase, file_facts_of_a_sparse_file);
	tcase_add_test(tcase, file_facts_of_what_is_no_file);
	tcase_add_loop_test(tcase, marker_names_the_template, 0, G_N_ELEMENTS(markers));
	tcase_add_test(tcase, marker_that_is_no_file);
}

Suite *host_suite(void)
{
	Suite *suite = suite_create("host");
	TCase *tcase = tcase_create("host");

	tcase_add_checked_fixture(tcase, make_folder, remove_folder);
	tcase_add_test(tcase, host_there_and_back);
	tcase_add_test(tcase, place_there_and_back);
	tcase_add_loop_test(tcase, every_kind_there_and_back, 0, EXM_PLACE_UNREACHABLE + 1);
	tcase_add_test(tcase, file_there_and_back);
	tcase_add_loop_test(tcase, damaged_place_is_refused, 0, G_N_ELEMENTS(damaged_places));
	tcase_add_test(tcase, damaged_host_and_file_are_refused);
	tcase_add_test(tcase, nothing_is_freed);
	tcase_add_test(tcase, hostinfo_says_what_the_kernel_says);
	tcase_add_test(tcase, tasks_that_can_be_started);
	tcase_add_test(tcase, tasks_of_a_limited_user);
	tcase_add_test(tcase, first_fd_is_above_all_in_use);
	add_place_tests(tcase);
	suite_add_tcase(suite, tcase);
	return suite;
}
