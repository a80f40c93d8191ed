/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_call_guard.c - lib/host/call_guard.c; each guard is installed in a process of its own */

#include "host/call_guard.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "suite.h"

#define NOBODY     65534
#define PAGE       4096
#define HOLE       (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE)
#define ZERO_PAGES 0x80 /* FALLOC_FL_WRITE_ZEROES since Linux 6.17 */

/* The exit status of a process whose guard could not be installed. */
#define UNGUARDED 255

/* What the process does, and exits with. */
typedef int (*Deed)(int argument);

static int run(bool guarded, Deed deed, int argument)
{
	const pid_t pid = fork();
	int status;

	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		_exit(guarded && !exm_hole_guard_install(NULL) ? UNGUARDED : deed(argument));
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int change_memory(int mode)
{
	exm_autofd int fd = memfd_create("memory", MFD_CLOEXEC);

	if (ftruncate(fd, PAGE) < 0 || pwrite(fd, "x", 1, 0) != 1)
		return UNGUARDED;
	return fallocate(fd, mode, 0, PAGE) == 0 ? 0 : errno;
}

START_TEST(holes_are_refused)
{
	ck_assert_int_eq(run(false, change_memory, HOLE), 0);
	ck_assert_int_eq(run(true, change_memory, HOLE), EOPNOTSUPP);
}
END_TEST

START_TEST(reservations_pass)
{
	ck_assert_int_eq(run(true, change_memory, 0), 0);
	ck_assert_int_eq(run(true, change_memory, FALLOC_FL_KEEP_SIZE), 0);
}
END_TEST

static const struct {
	int mode;
	bool passes;
} modes[] = {
	{ 0, true },
	{ FALLOC_FL_KEEP_SIZE, true },
	{ HOLE, false },
	{ FALLOC_FL_PUNCH_HOLE, false },
	{ FALLOC_FL_ZERO_RANGE, false },
	{ FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, false },
	{ FALLOC_FL_COLLAPSE_RANGE, false },
	{ FALLOC_FL_INSERT_RANGE, false },
	{ ZERO_PAGES, false },
	{ INT_MIN, false },
};

static int change_nothing(int mode)
{
	return fallocate(-1, mode, 0, PAGE) == 0 ? 0 : errno;
}

/* Without a file, so that no file system has a say: the kernel would refuse the descriptor. */
START_TEST(every_mode)
{
	ck_assert_int_eq(run(true, change_nothing, modes[_i].mode),
	                 modes[_i].passes ? EBADF : EOPNOTSUPP);
}
END_TEST

static int execute_fallocate(int fd)
{
	g_autofree char *file = g_strdup_printf("/proc/self/fd/%d", fd);

	dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
	execlp("fallocate", "fallocate", "-p", "-o", "0", "-l", "4096", file, NULL);
	return UNGUARDED;
}

START_TEST(guard_outlives_exec)
{
	exm_autofd int fd = memfd_create("memory", 0);
	char byte = 0;

	ck_assert_int_eq(pwrite(fd, "x", 1, 0), 1);
	ck_assert_int_eq(run(true, execute_fallocate, fd), EXIT_FAILURE);
	ck_assert_int_eq(pread(fd, &byte, 1, 0), 1);
	ck_assert_int_eq(byte, 'x');
	ck_assert_int_eq(run(false, execute_fallocate, fd), EXIT_SUCCESS);
	ck_assert_int_eq(pread(fd, &byte, 1, 0), 1);
	ck_assert_int_eq(byte, 0);
}
END_TEST

static int discard_private_memory(int advice)
{
	exm_autofd int fd = memfd_create("memory", MFD_CLOEXEC);
	char *memory;

	if (ftruncate(fd, PAGE) < 0)
		return UNGUARDED;
	memory = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	return madvise(memory, PAGE, advice) == 0 ? 0 : errno;
}

/* The kernel refuses this way to punch a hole for a private mapping itself. */
START_TEST(private_memory_cannot_be_removed)
{
	ck_assert_int_eq(run(false, discard_private_memory, MADV_REMOVE), EACCES);
	ck_assert_int_eq(run(true, discard_private_memory, MADV_DONTNEED), 0);
}
END_TEST

static int discard_shared_memory(int advice)
{
	exm_autofd int fd = memfd_create("memory", MFD_CLOEXEC);
	char *memory;

	if (ftruncate(fd, PAGE) < 0)
		return UNGUARDED;
	memory = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return madvise(memory, PAGE, advice) == 0 ? 0 : errno;
}

START_TEST(shared_memory_is_not_removed)
{
	ck_assert_int_eq(run(false, discard_shared_memory, MADV_REMOVE), 0);
	ck_assert_int_eq(run(true, discard_shared_memory, MADV_REMOVE), EOPNOTSUPP);
	ck_assert_int_eq(run(true, discard_shared_memory, MADV_DONTNEED), 0);
}
END_TEST

static int truncate_by_path(int size)
{
	exm_autofd int fd = memfd_create("memory", MFD_CLOEXEC);
	g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", fd);

	return truncate(path, size) == 0 ? 0 : errno;
}

/* As a disk image that grows. */
static int truncate_by_descriptor(int size)
{
	exm_autofd int fd = memfd_create("disk", MFD_CLOEXEC);

	return ftruncate(fd, size) == 0 ? 0 : errno;
}

START_TEST(files_grow_by_descriptor_only)
{
	ck_assert_int_eq(run(false, truncate_by_path, PAGE), 0);
	ck_assert_int_eq(run(true, truncate_by_path, PAGE), EPERM);
	ck_assert_int_eq(run(true, truncate_by_descriptor, PAGE), 0);
}
END_TEST

/* Without parameters, which the kernel copies before anything else. */
static int set_up_ring(int entries)
{
	return syscall(SYS_io_uring_setup, entries, NULL) >= 0 ? 0 : errno;
}

START_TEST(there_are_no_rings)
{
	/* It may be disabled for all processes (sysctl kernel.io_uring_disabled). */
	if (run(false, set_up_ring, 1) != EPERM)
		ck_assert_int_eq(run(false, set_up_ring, 1), EFAULT);
	ck_assert_int_eq(run(true, set_up_ring, 1), EPERM);
}
END_TEST

static int ask_no_new_privs(int user)
{
	(void)user;
	return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
}

static int guard_as_nobody(int user)
{
	if (setresuid((uid_t)user, (uid_t)user, (uid_t)user) < 0 || !exm_hole_guard_install(NULL) ||
	    change_nothing(HOLE) != EOPNOTSUPP)
		return UNGUARDED;
	return ask_no_new_privs(user);
}

START_TEST(privileges_can_be_gained_where_the_kernel_lets_them)
{
	const bool root = geteuid() == 0;

	ck_assert_int_eq(run(true, ask_no_new_privs, 0), root ? 0 : 1);
	ck_assert_int_eq(run(false, guard_as_nobody, root ? NOBODY : (int)geteuid()), 1);
}
END_TEST

/* An advice that is none is refused, wherever it is not answered before. */
static int advise(int advice)
{
	return madvise((void *)1, PAGE, advice) == 0 ? 0 : errno;
}

static int advise_guarded(int advice)
{
	return exm_huge_page_guard_install(NULL) ? advise(advice) : UNGUARDED;
}

START_TEST(huge_pages_are_not_asked_for)
{
	ck_assert_int_eq(run(false, advise, MADV_HUGEPAGE), EINVAL);
	ck_assert_int_eq(run(false, advise_guarded, MADV_HUGEPAGE), 0);
	ck_assert_int_eq(run(false, advise_guarded, MADV_DONTNEED), EINVAL);
	ck_assert_int_eq(run(true, advise_guarded, MADV_HUGEPAGE), 0);
}
END_TEST

/* valgrind 3.19 does not. */
static bool seccomp_is_known(void)
{
	const uint32_t action = SECCOMP_RET_ERRNO;

	return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

/** call_guard_suite() - Tests of lib/host/call_guard.c */
Suite *call_guard_suite(void)
{
	Suite *suite = suite_create("call_guard");
	TCase *tests = tcase_create("call_guard");

	suite_add_tcase(suite, tests);
	if (!seccomp_is_known())
		return suite;
	tcase_add_test(tests, holes_are_refused);
	tcase_add_test(tests, reservations_pass);
	tcase_add_loop_test(tests, every_mode, 0, G_N_ELEMENTS(modes));
	tcase_add_test(tests, guard_outlives_exec);
	tcase_add_test(tests, private_memory_cannot_be_removed);
	tcase_add_test(tests, shared_memory_is_not_removed);
	tcase_add_test(tests, files_grow_by_descriptor_only);
	tcase_add_test(tests, there_are_no_rings);
	tcase_add_test(tests, privileges_can_be_gained_where_the_kernel_lets_them);
	tcase_add_test(tests, huge_pages_are_not_asked_for);
	return suite;
}
