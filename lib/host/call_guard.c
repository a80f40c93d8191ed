/* SPDX-License-Identifier: GPL-2.0-or-later */
/* call_guard.c - System calls that a QEMU makes by habit, and that a child must not make */

#include "host/call_guard.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"

/* Calls by another entry, i386's say, have other numbers; the filter lets them pass. */
#if defined(__x86_64__)
#define NATIVE_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE_ARCH AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define NATIVE_ARCH AUDIT_ARCH_RISCV64
#elif defined(__powerpc64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define NATIVE_ARCH AUDIT_ARCH_PPC64LE
#elif defined(__s390x__)
#define NATIVE_ARCH AUDIT_ARCH_S390X
#else
#error "which AUDIT_ARCH_* of linux/audit.h is this?"
#endif

/* The kernel takes these arguments, counted from 0, for 32 bits: the others do not count. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define ARGUMENT_OFFSET(n) offsetof(struct seccomp_data, args[n])
#else
#define ARGUMENT_OFFSET(n) (offsetof(struct seccomp_data, args[n]) + sizeof(uint32_t))
#endif

/* All modes but this: most change what a file holds, and one of a later Linux may. */
#define CHANGING_MODES (UINT32_MAX ^ FALLOC_FL_KEEP_SIZE)

/* A filter begins so, and ends with PASS. A jump skips N instructions where its test is true, and M
 * where it is false. */
#define ONLY_NATIVE_CALLS                                                        \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)), \
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NATIVE_ARCH, 1, 0), PASS

#define PASS BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

/* The call is not made: the caller gets ANSWER, an errno or 0. */
#define ANSWER(call, answer)                                                   \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)), \
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),               \
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (answer))

/* The same where TEST and VALUE are true of the call's ARGUMENT. */
#define ANSWER_IF(call, argument, test, value, answer)                         \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)), \
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 3),               \
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ARGUMENT_OFFSET(argument)), \
		BPF_JUMP(BPF_JMP | (test) | BPF_K, value, 0, 1),               \
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (answer))

static struct sock_filter no_changes[] = {
	ONLY_NATIVE_CALLS,
	ANSWER_IF(SYS_fallocate, 1, BPF_JSET, CHANGING_MODES, EOPNOTSUPP),
	ANSWER_IF(SYS_madvise, 2, BPF_JEQ, MADV_REMOVE, EOPNOTSUPP),
	ANSWER(SYS_truncate, EPERM),
	ANSWER(SYS_io_uring_setup, EPERM),
	PASS,
};

/* It is only a wish, so it is answered as if it had been done. */
static struct sock_filter no_huge_pages[] = {
	ONLY_NATIVE_CALLS,
	ANSWER_IF(SYS_madvise, 2, BPF_JEQ, MADV_HUGEPAGE, 0),
	PASS,
};

/*
 * Linux before 5.16 takes whoever installs a filter for a sandbox of foreign code, and slows it
 * down against speculative stores (arch/x86/kernel/cpu/bugs.c), unless SPEC_ALLOW says it is none.
 */
static bool install(const struct sock_fprog *filter)
{
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW,
	               filter) == 0;
}

/* Without CAP_SYS_ADMIN the kernel wants no_new_privs first. */
static bool install_somehow(const struct sock_fprog *filter)
{
	return install(filter) ||
	       (errno == EACCES && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && install(filter));
}

/**
 * exm_hole_guard_install() - Deny the system calls by which QEMU may change a file that it maps private
 * @error: UNSUPPORTED where the kernel has no seccomp filters, SYSTEM otherwise
 *
 * QEMU before 8.2 opens such a file for writing, and discards its pages when the guest's balloon
 * inflates or reports free pages, when virtio-mem unplugs, and before post-copy (softmmu/physmem.c,
 * ram_block_discard_range()). QEMU 8.2 and later need no filter where they are given the file with
 * readonly=on,rom=off.
 *
 *   fallocate       Reservations (no mode, or FALLOC_FL_KEEP_SIZE) pass; each other mode gets
 *                   EOPNOTSUPP. QEMU then leaves the page as it is and prints a line for each.
 *                   The filter does not tell images of disks from memory: there QEMU takes
 *                   EOPNOTSUPP as from a file system that cannot, writes zeros itself and frees no
 *                   blocks (block/file-posix.c). Success without the effect would corrupt them.
 *   madvise         MADV_REMOVE gets EOPNOTSUPP, as from a file system that cannot. The kernel
 *                   refuses it for a private mapping already (mm/madvise.c, madvise_remove()), and
 *                   QEMU uses it for shared memory without a file only; a second mapping of the
 *                   file that a library makes would be shared.
 *   truncate        EPERM. QEMU does not call it.
 *   ftruncate       Passes: disk images grow by it, and a filter sees a number, not the file behind
 *                   it. QEMU sets the size of a memory file only where the file is empty
 *                   (softmmu/physmem.c, file_ram_alloc(), truncate).
 *   io_uring_setup  EPERM, which the kernel gives too where io_uring is disabled (sysctl
 *                   kernel.io_uring_disabled). A ring can do each of the above (IORING_OP_FALLOCATE,
 *                   IORING_OP_MADVISE, IORING_OP_FTRUNCATE), and no filter sees what is written to
 *                   it. Event loops of iothreads then use ppoll or epoll (util/aio-posix.c,
 *                   aio_context_setup()); disks with aio=io_uring fail, so exm_io_uring_find()
 *                   is asked before the start.
 *
 * The filter stays across exec, in all that this thread starts from now on, and cannot be removed.
 * It is against mistakes and not against malice: a QEMU that is taken over by its guest can
 * write(2) to the file. Calls by another entry (i386, x32) pass, none of which QEMU uses.
 *
 * Without CAP_SYS_ADMIN the kernel wants no_new_privs first, and only then is it set: setuid
 * programs that QEMU starts, such as qemu-bridge-helper, then run without their privilege.
 */
bool exm_hole_guard_install(GError **error)
{
	const struct sock_fprog filter = { G_N_ELEMENTS(no_changes), no_changes };

	if (install_somehow(&filter))
		return true;
	if (errno == ENOSYS || errno == EINVAL)
		return exm_throw(error, EXM_ERROR_UNSUPPORTED,
		                 "this kernel has no seccomp filters, without which QEMU before 8.2 "
		                 "may punch holes into a file that it maps private: use a newer "
		                 "QEMU");
	return exm_throw_errno(error, errno, "install the system call filter");
}

/**
 * exm_huge_page_guard_install() - Let no madvise(2) of this process ask for huge pages
 * @error: UNSUPPORTED where the kernel has no seccomp filters, SYSTEM otherwise
 *
 * QEMU asks for them for all of a guest's memory (softmmu/physmem.c, ram_block_add()). In a file
 * that is not in the page cache the kernel then reads 2 MiB around each page that is missing
 * (Linux, mm/filemap.c, do_sync_mmap_readahead(), VM_HUGEPAGE), which over a network is a thousand
 * times what a guest wanted whose other pages are read ahead by a recording.
 *
 * Such a madvise(2) is answered by 0. The filter stays as that of exm_hole_guard_install() does.
 */
bool exm_huge_page_guard_install(GError **error)
{
	const struct sock_fprog filter = { G_N_ELEMENTS(no_huge_pages), no_huge_pages };

	if (install_somehow(&filter))
		return true;
	if (errno == ENOSYS || errno == EINVAL)
		return exm_throw(error, EXM_ERROR_UNSUPPORTED,
		                 "this kernel has no seccomp filters, which '--prefetch' wants");
	return exm_throw_errno(error, errno, "forbid huge pages");
}
