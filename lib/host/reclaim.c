/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reclaim.c - Push pages of a guest out of memory, without its help */

#include "host/reclaim.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/size.h"
#include "host/guest_memory.h"
#include "host/pidfd.h"
#include "host/state.h"

/* So much is written back and pushed out at once. */
#define WINDOW       (4 * EXM_MIB)
#define WINDOW_PAGES (WINDOW / 4096)

/* So much a control group is told to reclaim at once. */
#define BITE EXM_MIB

/* Bit 63 of an entry of /proc/PID/pagemap (Linux, Documentation/admin-guide/mm/pagemap.rst). */
#define PRESENT (UINT64_C(1) << 63)

/**
 * struct Sweep - One pass over a guest's memory
 * @vm:      the guest
 * @process: descriptor of its QEMU
 * @pagemap: of its QEMU
 * @page:    bytes of a page
 * @wanted:  bytes to free
 * @freed:   bytes so far
 */
typedef struct {
	const ExmVm *vm;
	int process;
	int pagemap;
	uint64_t page;
	uint64_t wanted;
	uint64_t freed;
} Sweep;

/* A byte for each page of a piece of a file, as mincore(2) has it; QEMU need not map it now. */
static bool look_at_file(const char *path, uint64_t offset, uint64_t length, unsigned char *present)
{
	exm_autofd int fd = open(path, O_RDONLY | O_CLOEXEC);
	void *mapping = fd < 0 ? MAP_FAILED
	                       : mmap(NULL, length, PROT_READ, MAP_SHARED, fd, (off_t)offset);
	bool good;

	if (mapping == MAP_FAILED)
		return false;
	good = mincore(mapping, length, present) == 0;
	munmap(mapping, length);
	return good;
}

/* The same for a piece of a process's memory. */
static bool look_at_process(const Sweep *sweep, uint64_t start, uint64_t pages, unsigned char *present)
{
	uint64_t entries[WINDOW_PAGES];
	const ssize_t length = (ssize_t)(pages * sizeof(*entries));

	if (pread(sweep->pagemap, entries, (size_t)length,
	          (off_t)(start / sweep->page * sizeof(*entries))) != length)
		return false;
	for (uint64_t i = 0; i < pages; i++)
		present[i] = (entries[i] & PRESENT) != 0;
	return true;
}

/* Pages of a piece that are in memory, up to @most; @ret_length is where that many were found. */
static uint64_t count_present(const Sweep *sweep, const ExmGuestRange *range, uint64_t offset,
                              uint64_t length, uint64_t most, uint64_t *ret_length)
{
	unsigned char present[WINDOW_PAGES];
	const uint64_t pages = length / sweep->page;
	uint64_t count = 0;
	uint64_t i;

	if (range->file ? !look_at_file(range->file, range->offset + offset, length, present)
	                : !look_at_process(sweep, range->start + offset, pages, present))
		return 0;
	for (i = 0; i < pages && count < most; i++)
		count += present[i] & 1;
	if (ret_length)
		*ret_length = i * sweep->page;
	return count;
}

/*
 * A page that is not on its disk cannot be dropped: one that could not be written there would come
 * back as what the disk has. Whoever asks after us is not told of that by the kernel.
 */
static bool write_back(const ExmVm *vm, const char *path, uint64_t offset, uint64_t length,
                       GError **error)
{
	exm_autofd int fd = open(path, O_RDWR | O_CLOEXEC);
	g_autofree char *reason = NULL;

	if (fd < 0 || sync_file_range(fd, (off_t)offset, (off_t)length,
	                              SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
	                                      SYNC_FILE_RANGE_WAIT_AFTER) == 0)
		return true;
	reason = g_strdup_printf("cannot sync '%s': %s", path, g_strerror(errno));
	exm_state_record_loss(vm, reason);
	return exm_throw(error, EXM_ERROR_SYSTEM, "%s", reason);
}

/* What nobody maps any more may still be cached. */
static void drop(const char *path, uint64_t offset, uint64_t length)
{
	exm_autofd int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd >= 0)
		posix_fadvise(fd, (off_t)offset, (off_t)length, POSIX_FADV_DONTNEED);
}

static bool push_out(Sweep *sweep, const ExmGuestRange *range, uint64_t offset, uint64_t length,
                     GError **error)
{
	const uint64_t missing = (sweep->wanted - sweep->freed) / sweep->page + 1;
	struct iovec piece = { .iov_base = GSIZE_TO_POINTER(range->start + offset) };
	uint64_t reach;
	const uint64_t before = count_present(sweep, range, offset, length, missing, &reach);
	uint64_t after;

	if (before == 0)
		return true;
	piece.iov_len = reach;
	if (range->file && !write_back(sweep->vm, range->file, range->offset + offset, reach, error))
		return false;
	if (syscall(SYS_process_madvise, sweep->process, &piece, 1UL, MADV_PAGEOUT, 0U) < 0)
		return exm_throw_errno(error, errno, "push memory of guest '%s' out%s",
		                       sweep->vm->name, errno == EPERM ? " (that is root's)" : "");
	if (range->file)
		drop(range->file, range->offset + offset, reach);
	after = count_present(sweep, range, offset, reach, G_MAXUINT64, NULL);
	sweep->freed += before > after ? (before - after) * sweep->page : 0;
	return true;
}

static uint64_t length_of(const GPtrArray *ranges)
{
	uint64_t length = 0;

	for (guint i = 0; i < ranges->len; i++)
		length += ((const ExmGuestRange *)ranges->pdata[i])->length;
	return length;
}

/* The piece at a place of the whole memory. */
static const ExmGuestRange *range_at(const GPtrArray *ranges, uint64_t place, uint64_t *ret_offset)
{
	for (guint i = 0; i < ranges->len; i++) {
		const ExmGuestRange *range = ranges->pdata[i];

		if (place < range->length) {
			*ret_offset = place;
			return range;
		}
		place -= range->length;
	}
	g_assert_not_reached();
}

/* Once around, from the hand on, until enough is freed. */
static bool go_around(Sweep *sweep, const GPtrArray *ranges, uint64_t *hand, GError **error)
{
	const uint64_t all = length_of(ranges);
	uint64_t place = *hand < all ? *hand / WINDOW * WINDOW : 0;

	for (uint64_t done = 0; done < all && sweep->freed < sweep->wanted;) {
		uint64_t offset;
		const ExmGuestRange *range = range_at(ranges, place, &offset);
		const uint64_t length = MIN(WINDOW, range->length - offset);

		if (!push_out(sweep, range, offset, length, error))
			return false;
		done += length;
		place = (place + length) % all;
	}
	*hand = place;
	return true;
}

static uint64_t read_hand(const char *path)
{
	g_autofree char *text = NULL;

	return exm_file_read(path, &text, NULL, NULL) ? g_ascii_strtoull(text, NULL, 10) : 0;
}

static void write_hand(const char *path, uint64_t hand)
{
	g_autofree char *text = g_strdup_printf("%" G_GUINT64_FORMAT "\n", hand);

	/* Without it the next one begins at the front: no harm. */
	exm_file_write_atomic(path, text, strlen(text), 0600, NULL);
}

static int open_pagemap(const ExmVm *vm, GError **error)
{
	g_autofree char *path = g_strdup_printf("/proc/%d/pagemap", (int)vm->pid);
	const int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		exm_throw_errno(error, errno, "look at the memory of guest '%s'", vm->name);
	return fd;
}

/**
 * exm_reclaim() - Push pages of a guest out: to its memory file, or to swap
 * @vm:        the guest
 * @bytes:     how much at most
 * @ret_freed: how much has left memory
 * @error:     SYSTEM where the kernel refuses; UNSUPPORTED where the memory is not found
 *
 * A hand goes around the guest's memory, as that of a clock: what is pushed out is what was left
 * alone longest. Pages of a file are written back first, so that no swap is needed. MADV_PAGEOUT of
 * another process is Linux 5.10 (mm/madvise.c); pages that others map too stay.
 */
bool exm_reclaim(const ExmVm *vm, uint64_t bytes, uint64_t *ret_freed, GError **error)
{
	g_autoptr(GPtrArray) ranges = exm_guest_memory_ranges(vm, error);
	g_autofree char *path = g_build_filename(vm->directory, EXM_VM_RECLAIM, NULL);
	exm_autofd int process = -1;
	exm_autofd int pagemap = ranges ? open_pagemap(vm, error) : -1;
	Sweep sweep = { .vm = vm, .page = (uint64_t)sysconf(_SC_PAGESIZE), .wanted = bytes };
	uint64_t hand = read_hand(path);

	if (pagemap < 0 || !exm_pidfd_open(vm, &process, error))
		return false;
	if (process < 0)
		return exm_throw(error, EXM_ERROR_STATE, "guest '%s' has ended", vm->name);
	sweep.process = process;
	sweep.pagemap = pagemap;
	if (!go_around(&sweep, ranges, &hand, error))
		return false;
	write_hand(path, hand);
	*ret_freed = sweep.freed;
	return true;
}

/* The guest's control group of version 2, if it has one to itself that can be told to reclaim. */
static char *find_group(const ExmVm *vm)
{
	static const char *const roots[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };
	g_autofree char *path = g_strdup_printf("/proc/%d/cgroup", (int)vm->pid);
	g_autofree char *pid = g_strdup_printf("%d\n", (int)vm->pid);
	g_autofree char *text = NULL;
	char *unified = exm_file_read(path, &text, NULL, NULL) ? strstr(text, "0::") : NULL;

	if (!unified)
		return NULL;
	unified += strlen("0::");
	unified[strcspn(unified, "\n")] = '\0';
	for (size_t i = 0; i < G_N_ELEMENTS(roots); i++) {
		g_autofree char *group = g_build_filename(roots[i], unified, NULL);
		g_autofree char *lever = g_build_filename(group, "memory.reclaim", NULL);
		g_autofree char *members = g_build_filename(group, "cgroup.procs", NULL);
		g_autofree char *procs = NULL;

		if (access(lever, W_OK) == 0 && exm_file_read(members, &procs, NULL, NULL) &&
		    strcmp(procs, pid) == 0)
			return g_steal_pointer(&group);
	}
	return NULL;
}

static uint64_t memory_of_group(const char *group)
{
	g_autofree char *path = g_build_filename(group, "memory.current", NULL);
	g_autofree char *text = NULL;

	return exm_file_read(path, &text, NULL, NULL) ? g_ascii_strtoull(text, NULL, 10) : 0;
}

static bool bite(int fd, uint64_t bytes, bool *ret_more, GError **error)
{
	g_autofree char *text = g_strdup_printf("%" G_GUINT64_FORMAT, bytes);

	*ret_more = write(fd, text, strlen(text)) >= 0;
	return *ret_more || errno == EAGAIN || exm_throw_errno(error, errno, "reclaim memory");
}

/**
 * exm_reclaim_group() - Let the kernel push the coldest pages of a guest's control group out
 * @vm:        the guest
 * @bytes:     how much
 * @ret_there: the guest has such a group to itself; nothing was done where it has not
 * @ret_freed: how much has left memory
 * @error:     SYSTEM where the kernel refuses
 *
 * memory.reclaim is Linux 5.19; it fails with EAGAIN where it found less, and before 6.9 took twice
 * as much as it was told where that was much (mm/memcontrol.c, memory_reclaim()).
 */
bool exm_reclaim_group(const ExmVm *vm, uint64_t bytes, bool *ret_there, uint64_t *ret_freed,
                       GError **error)
{
	g_autofree char *group = find_group(vm);
	g_autofree char *path = group ? g_build_filename(group, "memory.reclaim", NULL) : NULL;
	const uint64_t before = group ? memory_of_group(group) : 0;
	exm_autofd int fd = path ? open(path, O_WRONLY | O_CLOEXEC) : -1;
	bool more = true;

	*ret_there = group != NULL;
	*ret_freed = 0;
	if (!group)
		return true;
	if (fd < 0)
		return exm_throw_errno(error, errno, "open '%s'", path);
	for (uint64_t told = 0; more && told < bytes && *ret_freed < bytes; told += BITE) {
		uint64_t after;

		if (!bite(fd, MIN(BITE, bytes - *ret_freed), &more, error))
			return false;
		after = memory_of_group(group);
		*ret_freed = before > after ? before - after : 0;
	}
	return true;
}
