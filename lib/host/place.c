/* SPDX-License-Identifier: GPL-2.0-or-later */
/* place.c - Look at the directory, device or file that memory shall live in */

#include "host/place.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/size.h"
#include "host/hostinfo.h"
#include "host/mount.h"
#include "host/safe_open.h"

/* Not in linux/magic.h. */
#define BCACHEFS_MAGIC 0xca451a4e
#define EXFAT_MAGIC    0x2011bab0
#define GFS2_MAGIC     0x01161970
#define NTFS3_MAGIC    0x7366746e
#define VMHGFS_MAGIC   0xbacbacbc
#define XFS_MAGIC      0x58465342
#define ZFS_MAGIC      0x2fc12fc1

/* The kernel follows no more links than this on one path (MAXSYMLINKS, include/linux/namei.h). */
#define LINKS_MAX 40

/* Longest name of a template, or path to one, that is read from a marker. */
#define MARKER_MAX PATH_MAX

#define DEVDAX_ALIGN (2 * EXM_MIB)

/**
 * struct FileSystem - A kind of file system
 * @magic:     of statfs(2)
 * @name:      what mount(8) calls it; ext2 and ext3 share ext4's magic
 * @in_memory: its blocks are memory
 * @punches:   the driver takes FALLOC_FL_PUNCH_HOLE; used where it is not tried out
 * @reserves:  the driver takes fallocate(2) without flags; likewise
 * @is_known:  nothing has to be tried out: each Linux since 3.11 makes unnamed files there too
 */
typedef struct {
	uint32_t magic;
	const char *name;
	bool in_memory;
	bool punches;
	bool reserves;
	bool is_known;
} FileSystem;

static const FileSystem file_systems[] = {
	{ TMPFS_MAGIC, "tmpfs", true, true, true, true },
	{ RAMFS_MAGIC, "ramfs", true, false, false, false },
	{ HUGETLBFS_MAGIC, "hugetlbfs", true, true, false, false },
	{ EXT4_SUPER_MAGIC, "ext4", false, true, true, true },
	{ XFS_MAGIC, "xfs", false, true, true, true },
	{ BTRFS_SUPER_MAGIC, "btrfs", false, true, true, true },
	{ F2FS_SUPER_MAGIC, "f2fs", false, true, true, false },
	{ BCACHEFS_MAGIC, "bcachefs", false, true, true, false },
	{ ZFS_MAGIC, "zfs", false, true, false, false },
	{ OVERLAYFS_SUPER_MAGIC, "overlay", false, true, true, false },
	{ NFS_SUPER_MAGIC, "nfs", false, false, false, false },
	{ CEPH_SUPER_MAGIC, "ceph", false, true, false, false },
	{ GFS2_MAGIC, "gfs2", false, true, true, false },
	{ OCFS2_SUPER_MAGIC, "ocfs2", false, true, true, false },
	{ FUSE_SUPER_MAGIC, "fuse", false, false, false, false },
	{ V9FS_MAGIC, "9p", false, false, false, false },
	{ CIFS_SUPER_MAGIC, "cifs", false, false, false, false },
	{ SMB2_SUPER_MAGIC, "cifs", false, false, false, false },
	{ SMB_SUPER_MAGIC, "smbfs", false, false, false, false },
	{ AFS_SUPER_MAGIC, "afs", false, false, false, false },
	{ MSDOS_SUPER_MAGIC, "vfat", false, false, false, false },
	{ EXFAT_MAGIC, "exfat", false, false, false, false },
	{ NTFS3_MAGIC, "ntfs3", false, false, false, false },
	{ VMHGFS_MAGIC, "vmhgfs", false, false, false, false },
	{ SQUASHFS_MAGIC, "squashfs", false, false, false, false },
	{ ISOFS_SUPER_MAGIC, "iso9660", false, false, false, false },
	{ PROC_SUPER_MAGIC, "proc", false, false, false, false },
	{ SYSFS_MAGIC, "sysfs", false, false, false, false },
};

static void place_settle(ExmPlace *place, ExmPlaceKind kind, const char *detail)
{
	place->kind = kind;
	g_free(place->detail);
	place->detail = g_strdup(detail);
}

static void place_settle_errno(ExmPlace *place, int errnum)
{
	if (errnum == ENOENT)
		place_settle(place, EXM_PLACE_MISSING, NULL);
	else
		place_settle(place, EXM_PLACE_UNREACHABLE, g_strerror(errnum));
}

/* The working directory is joined as text: taking ".." out would lead elsewhere behind a link. */
static char *make_absolute(const char *path)
{
	g_autofree char *directory = NULL;

	if (*path == '/')
		return g_strdup(path);
	directory = getcwd(NULL, 0);
	return g_strdup_printf("%s/%s", directory ? directory : "", path);
}

/* Where a link leads, as text; NULL where it cannot be read. */
static char *link_target(const char *link)
{
	g_autofree char *target = g_malloc0(PATH_MAX + 1);
	g_autofree char *directory = NULL;

	if (readlink(link, target, PATH_MAX) < 0)
		return NULL;
	if (target[0] == '/')
		return g_steal_pointer(&target);
	directory = g_path_get_dirname(link);
	return g_strdup_printf("%s/%s", directory, target);
}

/* Settles a place whose way leads over a link that cannot be followed; else remembers its target. */
static bool look_at_link(ExmPlace *place, const char *link, uid_t owner, GPtrArray *paths)
{
	g_autofree char *target = NULL;
	struct stat info;

	if (owner != 0 && owner != geteuid()) {
		place_settle(place, EXM_PLACE_FOREIGN_LINK, link);
		return false;
	}
	if (stat(link, &info) < 0) {
		if (errno == ENOENT)
			place_settle(place, EXM_PLACE_DANGLING_LINK, link);
		else
			place_settle_errno(place, errno);
		return false;
	}
	target = link_target(link);
	if (target && !g_ptr_array_find_with_equal_func(paths, target, g_str_equal, NULL))
		g_ptr_array_add(paths, g_steal_pointer(&target));
	return true;
}

/* Look at "/a", "/a/b", … of "/a/b/…", and add to the paths where links among them lead. */
static bool walk(ExmPlace *place, const char *path, GPtrArray *paths)
{
	const char *end = path;

	while (*(end += strspn(end, "/"))) {
		g_autofree char *prefix = NULL;
		struct stat info;

		end += strcspn(end, "/");
		prefix = g_strndup(path, (gsize)(end - path));
		if (lstat(prefix, &info) < 0) {
			place_settle_errno(place, errno);
			return false;
		}
		if (S_ISLNK(info.st_mode) && !look_at_link(place, prefix, info.st_uid, paths))
			return false;
	}
	return true;
}

/* Whether the path can be walked to its end, over no foreign link; else the place is settled. */
static bool walk_all(ExmPlace *place)
{
	g_autoptr(GPtrArray) paths = g_ptr_array_new_with_free_func(g_free);

	g_ptr_array_add(paths, g_strdup(place->path));
	if (!walk(place, place->path, paths))
		return false;
	for (guint i = 1; i < paths->len; i++) {
		/* A link in /proc/PID/fd leads on though its text may be no path: not an error. */
		if (!walk(place, paths->pdata[i], paths) && place->kind == EXM_PLACE_FOREIGN_LINK)
			return false;
		if (i > LINKS_MAX) {
			place_settle_errno(place, ELOOP);
			return false;
		}
	}
	return true;
}

/* First line of /sys/dev/char/MAJOR:MINOR/NAME as a number, or 0. */
static uint64_t device_number(dev_t device, const char *name)
{
	g_autofree char *path = g_strdup_printf("/sys/dev/char/%u:%u/%s", major(device),
	                                        minor(device), name);
	g_autofree char *text = NULL;

	return exm_file_read(path, &text, NULL, NULL) ? g_ascii_strtoull(text, NULL, 10) : 0;
}

/**
 * exm_place_is_dax() - Whether a device is one of direct access
 * @device: its number
 */
bool exm_place_is_dax(dev_t device)
{
	g_autofree char *path = g_strdup_printf("/sys/dev/char/%u:%u/subsystem", major(device),
	                                        minor(device));
	char target[PATH_MAX] = "";

	/* "…/bus/dax", or "…/class/dax" with CONFIG_DEV_DAX_PMEM_COMPAT (drivers/dax/bus.c) */
	return readlink(path, target, sizeof(target) - 1) > 0 && g_str_has_suffix(target, "/dax");
}

static void look_at_dax(ExmPlace *place, dev_t device)
{
	const uint64_t align = device_number(device, "align");

	place->kind = EXM_PLACE_DAX;
	place->file_system = g_strdup("devdax");
	place->writable = faccessat(AT_FDCWD, place->path, R_OK | W_OK, AT_EACCESS) == 0;
	place->page_size = align ? align : DEVDAX_ALIGN;
	place->free = device_number(device, "size");
}

static uint64_t huge_page_count(uint64_t page_size, const char *name)
{
	g_autofree char *path = g_strdup_printf("/sys/kernel/mm/hugepages/hugepages-%" G_GUINT64_FORMAT
	                                        "kB/%s",
	                                        page_size / EXM_KIB, name);
	g_autofree char *text = NULL;

	return exm_file_read(path, &text, NULL, NULL) ? g_ascii_strtoull(text, NULL, 10) : 0;
}

static uint64_t minus(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

/* Bytes of huge pages that nobody has or is promised, and those the kernel may still make. */
static uint64_t huge_pages_free(const struct statvfs *space)
{
	const uint64_t size = space->f_bsize;
	uint64_t pages = minus(huge_page_count(size, "free_hugepages"),
	                       huge_page_count(size, "resv_hugepages"));

	pages += minus(huge_page_count(size, "nr_overcommit_hugepages"),
	               huge_page_count(size, "surplus_hugepages"));
	/* 0 or -1 blocks: mounted without a size (fs/hugetlbfs/inode.c, hugetlbfs_statfs). */
	if ((int64_t)space->f_blocks > 0)
		pages = MIN(pages, space->f_bavail);
	return pages * size;
}

static uint64_t space_free(const FileSystem *type, const struct statvfs *space)
{
	const bool unlimited = space->f_blocks == 0;
	const uint64_t free = (uint64_t)space->f_bavail * space->f_frsize;
	uint64_t memory;

	if (type && type->magic == HUGETLBFS_MAGIC)
		return huge_pages_free(space);
	if (type && type->in_memory) {
		memory = exm_hostinfo_memory_left();
		return unlimited ? memory : MIN(free, memory);
	}
	/* A FUSE or 9p server that does not tell must not look full. */
	return unlimited ? G_MAXINT64 : free;
}

/* Whether NFS is mounted with 4.2, the first version with ALLOCATE (RFC 7862). */
static bool nfs_is_42(const ExmPlace *place)
{
	return place->mount_options &&
	       g_strv_contains((const char *const *)place->mount_options, "vers=4.2");
}

static void look_at_mount(ExmPlace *place)
{
	g_autoptr(ExmMount) mount = exm_mount_look(place->path);

	if (!mount)
		return;
	place->mount_point = g_steal_pointer(&mount->path);
	place->mount_type = g_steal_pointer(&mount->type);
	place->mount_options = g_steal_pointer(&mount->options);
}

/* A full disk refuses too, but would do it. */
static bool file_can(int fd, int mode)
{
	return fallocate(fd, mode, 0, 4096) == 0 || errno == ENOSPC || errno == EDQUOT;
}

static void trust_abilities(ExmPlace *place, const FileSystem *type)
{
	place->unnamed_files = true;
	place->can_punch = type->punches;
	place->can_reserve = type->reserves;
}

/* Tried on an unnamed file, because what a driver can depends on the kernel and the server. */
static void try_abilities(ExmPlace *place, const FileSystem *type)
{
	exm_autofd int fd = open(place->path, O_TMPFILE | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
	const bool huge = type && type->magic == HUGETLBFS_MAGIC;
	const bool nfs = type && type->magic == NFS_SUPER_MAGIC;

	place->unnamed_files = fd >= 0;
	/* A trial on hugetlbfs would take a huge page away from somebody. */
	if (fd >= 0 && !huge && ftruncate(fd, 4096) == 0) {
		place->can_reserve = file_can(fd, 0);
		place->can_punch = file_can(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE);
		return;
	}
	place->can_punch = nfs ? nfs_is_42(place) : type && type->punches;
	place->can_reserve = nfs ? nfs_is_42(place) : type && type->reserves;
}

static const FileSystem *file_system_of(const char *path)
{
	struct statfs info;

	if (statfs(path, &info) < 0)
		return NULL;
	for (size_t i = 0; i < G_N_ELEMENTS(file_systems); i++)
		if (file_systems[i].magic == (uint32_t)info.f_type)
			return &file_systems[i];
	return NULL;
}

/**
 * exm_place_file_system() - What mount(8) calls the file system of a path
 * @path: of a file or directory; links are followed
 *
 * Return: "ext4", its magic number where we do not know it, or "unknown" (transfer full).
 */
char *exm_place_file_system(const char *path)
{
	const FileSystem *type = file_system_of(path);
	struct statfs info;

	if (type)
		return g_strdup(type->name);
	if (statfs(path, &info) < 0)
		return g_strdup("unknown");
	return g_strdup_printf("0x%x", (unsigned int)info.f_type);
}

/**
 * exm_place_is_memory() - Whether the blocks of a file are memory
 * @path: of a file or directory; links are followed
 */
bool exm_place_is_memory(const char *path)
{
	const FileSystem *type = file_system_of(path);

	return type && type->in_memory;
}

static void look_at_directory(ExmPlace *place, const struct stat *info)
{
	const FileSystem *type = file_system_of(place->path);
	const bool sticky = info->st_mode & S_ISVTX;
	struct statvfs space = { 0 };

	place->kind = EXM_PLACE_DIRECTORY;
	place->device = info->st_dev;
	place->writable = faccessat(AT_FDCWD, place->path, W_OK | X_OK, AT_EACCESS) == 0;
	place->others_write = exm_safe_others_may_write(info) && !sticky;
	place->shared_sticky = exm_safe_others_may_write(info) && sticky;
	place->closed = exm_safe_look(place->path, &place->distrust);
	place->file_system = exm_place_file_system(place->path);
	look_at_mount(place);
	place->in_memory = type && type->in_memory;
	place->page_size = (uint64_t)sysconf(_SC_PAGESIZE);
	if (statvfs(place->path, &space) == 0)
		place->free = space_free(type, &space);
	if (type && type->magic == HUGETLBFS_MAGIC)
		place->page_size = space.f_bsize;
	/* A trial costs as much as all other looks together. */
	if (type && type->is_known)
		trust_abilities(place, type);
	else
		try_abilities(place, type);
}

/**
 * exm_place_look() - Look at what stands at the path of a memory option
 * @path: as the user wrote it
 *
 * Never fails: what is wrong with the place is in its kind and detail. A link of a user who is
 * neither root nor this one ends the look, wherever on the way it is, also behind another link.
 *
 * Return: the facts (transfer full).
 */
ExmPlace *exm_place_look(const char *path)
{
	g_autoptr(ExmPlace) place = g_new0(ExmPlace, 1);
	struct stat info;

	place->path = make_absolute(path);
	if (!walk_all(place))
		return g_steal_pointer(&place);
	place_settle(place, EXM_PLACE_OTHER, NULL);
	if (stat(place->path, &info) < 0)
		place_settle_errno(place, errno);
	else if (S_ISDIR(info.st_mode))
		look_at_directory(place, &info);
	else if (S_ISREG(info.st_mode))
		place->kind = EXM_PLACE_FILE;
	else if (S_ISCHR(info.st_mode) && exm_place_is_dax(info.st_rdev))
		look_at_dax(place, info.st_rdev);
	return g_steal_pointer(&place);
}

/* Somebody else can put a file beside a memory file in a sticky directory, and it says nothing. */
static bool is_foreign(const struct stat *marker, const struct stat *file)
{
	return !exm_safe_is_ours(marker) && !(file && marker->st_uid == file->st_uid);
}

/* What the marker says, or "?" where there is one that does not say it; NULL without a marker. */
static char *read_marker(const char *path, const struct stat *file)
{
	g_autofree char *marker = g_strconcat(path, EXM_TEMPLATE_MARKER, NULL);
	/* A pipe or link must neither hold us up nor be followed. */
	exm_autofd int fd = open(marker, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	g_autofree char *text = g_malloc0(MARKER_MAX + 1);
	struct stat info;

	if (fd < 0 && (errno == ENOENT || errno == ENAMETOOLONG))
		return NULL;
	if ((fd < 0 ? lstat(marker, &info) : fstat(fd, &info)) == 0 && is_foreign(&info, file))
		return NULL;
	if (fd < 0 || read(fd, text, MARKER_MAX) < 0)
		return g_strdup("?");
	text[strcspn(text, "\n")] = '\0';
	g_strstrip(text);
	return *text ? g_steal_pointer(&text) : g_strdup("?");
}

static bool may(const char *path, int mode)
{
	return faccessat(AT_FDCWD, path, mode, AT_EACCESS) == 0;
}

static ExmFileFacts *look(const char *path, int (*status_of)(const char *, struct stat *))
{
	ExmFileFacts *file = g_new0(ExmFileFacts, 1);
	struct stat info;

	file->path = g_strdup(path);
	file->exists = status_of(path, &info) == 0;
	file->template_name = read_marker(path, file->exists ? &info : NULL);
	if (!file->exists)
		return file;
	file->regular = S_ISREG(info.st_mode);
	file->owner = info.st_uid;
	file->device = info.st_dev;
	file->inode = info.st_ino;
	file->mtime = (uint64_t)info.st_mtim.tv_sec * G_GUINT64_CONSTANT(1000000000) +
	              (uint64_t)info.st_mtim.tv_nsec;
	file->others_write = info.st_mode & (S_IWGRP | S_IWOTH);
	file->mode = info.st_mode & ALLPERMS;
	file->links = info.st_nlink;
	if (!file->regular)
		return file;
	file->size = (uint64_t)info.st_size;
	file->allocated = (uint64_t)info.st_blocks * 512;
	file->readable = may(path, R_OK);
	file->writable = may(path, W_OK);
	return file;
}

/**
 * exm_file_look() - Look at a memory file, which may not be there yet
 * @path: absolute
 *
 * No link at the path's end is followed.
 *
 * Return: the facts (transfer full).
 */
ExmFileFacts *exm_file_look(const char *path)
{
	return look(path, lstat);
}

/**
 * exm_file_look_through() - Look at a file, also through a link: a disk image, or /proc/PID/fd/N
 * @path: absolute
 *
 * Return: the facts (transfer full).
 */
ExmFileFacts *exm_file_look_through(const char *path)
{
	return look(path, stat);
}

/* As much as a file system gives out at once. */
#define TRIAL_SIZE 65536

/**
 * exm_place_can_reflink() - Whether files in a directory can share blocks, by trying it
 * @path: the directory
 *
 * What is tried has no name, and is gone at once.
 */
bool exm_place_can_reflink(const char *path)
{
	static const char block[TRIAL_SIZE] = { 1 };
	exm_autofd int from = open(path, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	exm_autofd int to = open(path, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	return from >= 0 && to >= 0 && write(from, block, sizeof(block)) == sizeof(block) &&
	       ioctl(to, FICLONE, from) == 0;
}

/**
 * exm_place_maps_sync() - Whether what is written to a mapping of a file lasts without a sync
 * @directory: where the file is or will be
 *
 * Tried on an unnamed file: only MAP_SHARED_VALIDATE says no where there is no DAX (mmap(2)).
 */
bool exm_place_maps_sync(const char *directory)
{
	exm_autofd int fd = open(directory, O_TMPFILE | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
	const size_t size = 2 * EXM_MIB;
	void *memory;

	if (fd < 0 || ftruncate(fd, (off_t)size) < 0)
		return false;
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED_VALIDATE | MAP_SYNC, fd, 0);
	if (memory == MAP_FAILED)
		return false;
	munmap(memory, size);
	return true;
}
