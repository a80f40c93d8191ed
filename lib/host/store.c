/* SPDX-License-Identifier: GPL-2.0-or-later */
/* store.c - Look at the directory that guests' memory files go to */

#include "host/store.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/quota.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/size.h"
#include "host/hostinfo.h"
#include "host/place.h"

/* Linux 5.14; older headers have it not. */
#ifndef SYS_quotactl_fd
#define SYS_quotactl_fd 443
#endif

static uint64_t read_number(const char *path)
{
	g_autofree char *text = NULL;

	return exm_file_read(path, &text, NULL, NULL) ? g_ascii_strtoull(text, NULL, 10) : 0;
}

/* Linux, mm/page-writeback.c, domain_dirty_limits(): bytes where they are said, else a share. */
static uint64_t dirty_limit(void)
{
	const uint64_t bytes = read_number("/proc/sys/vm/dirty_bytes");
	const uint64_t share = read_number("/proc/sys/vm/dirty_ratio");

	return bytes ? bytes : exm_hostinfo_memory_left() / 100 * share;
}

static bool is_mount_point(const char *directory)
{
	g_autofree char *above = g_build_filename(directory, "..", NULL);
	struct stat here;
	struct stat there;

	return stat(directory, &here) == 0 && stat(above, &there) == 0 &&
	       (here.st_dev != there.st_dev || here.st_ino == there.st_ino);
}

static void look_at_quota(int fd, ExmStore *store)
{
	struct dqblk quota = { 0 };

	if (syscall(SYS_quotactl_fd, fd, QCMD((unsigned int)Q_GETQUOTA, USRQUOTA), geteuid(),
	            &quota) < 0 ||
	    quota.dqb_bhardlimit == 0)
		return;
	/* Limits count KiB, the use bytes (quotactl(2)). */
	store->quota = true;
	store->quota_left = quota.dqb_bhardlimit * EXM_KIB -
	                    MIN(quota.dqb_bhardlimit * EXM_KIB, quota.dqb_curspace);
}

static bool is_sparse(const char *path)
{
	struct stat info;

	return stat(path, &info) == 0 && (uint64_t)info.st_blocks * 512 < (uint64_t)info.st_size;
}

/* LVM's thin volumes stand on a pool whose id says so (lib/activate/dev_manager.c). */
static bool is_on_pool(const char *block)
{
	g_autofree char *slaves = g_build_filename(block, "slaves", NULL);
	g_autoptr(GDir) directory = g_dir_open(slaves, 0, NULL);
	const char *name;

	while (directory && (name = g_dir_read_name(directory))) {
		g_autofree char *path = g_build_filename(slaves, name, "dm", "uuid", NULL);
		g_autofree char *id = NULL;

		if (exm_file_read(path, &id, NULL, NULL) && g_str_has_suffix(g_strchomp(id), "-tpool"))
			return true;
	}
	return false;
}

static char *find_thinness(dev_t device)
{
	g_autofree char *block = g_strdup_printf("/sys/dev/block/%u:%u", major(device),
	                                         minor(device));
	g_autofree char *loop = g_build_filename(block, "loop", "backing_file", NULL);
	g_autofree char *image = NULL;

	if (exm_file_read(loop, &image, NULL, NULL) && is_sparse(g_strchomp(image)))
		return g_strdup_printf("sparse image '%s'", image);
	return is_on_pool(block) ? g_strdup("LVM thin pool") : NULL;
}

/* Both ways, on a file without a name. */
static bool maps_coherently(const char *directory)
{
	exm_autofd int fd = open(directory, O_TMPFILE | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
	const size_t size = (size_t)sysconf(_SC_PAGESIZE);
	bool coherent = false;
	char read_back = 0;
	char *memory;

	/* What cannot be tried is not held against it. */
	if (fd < 0 || ftruncate(fd, (off_t)size) < 0)
		return true;
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		return false;
	memory[0] = 1;
	if (pread(fd, &read_back, 1, 0) == 1 && read_back == 1 && pwrite(fd, "\2", 1, 1) == 1)
		coherent = memory[1] == 2;
	munmap(memory, size);
	return coherent;
}

/**
 * exm_store_look() - Look at the directory that guests' memory files go to
 * @directory: it, which need not be there
 *
 * Return: the facts (transfer full).
 */
ExmStore *exm_store_look(const char *directory)
{
	ExmStore *store = g_new0(ExmStore, 1);
	exm_autofd int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct statvfs space;
	struct stat info;

	if (fd < 0 || fstat(fd, &info) < 0 || fstatvfs(fd, &space) < 0)
		return store;
	store->device = info.st_dev;
	store->is_mount = is_mount_point(directory);
	store->read_only = space.f_flag & ST_RDONLY;
	store->size = (uint64_t)space.f_blocks * space.f_frsize;
	store->inodes_free = space.f_favail;
	store->endless = space.f_files == 0;
	look_at_quota(fd, store);
	store->thin = find_thinness(info.st_dev);
	store->coherent = maps_coherently(directory);
	store->reflink = exm_place_can_reflink(directory);
	store->dirty_limit = dirty_limit();
	return store;
}
