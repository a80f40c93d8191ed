/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mount.c - Whether a file on a mount can be mapped shared: by one host, or by several in turn */

#include "plan/mount.h"

#include <string.h>

#include "base/error.h"

/**
 * exm_mount_free() - Free what is known of a mount
 * @mount: may be NULL
 */
void exm_mount_free(ExmMount *mount)
{
	if (!mount)
		return;
	g_free(mount->path);
	g_free(mount->type);
	g_strfreev(mount->options);
	g_free(mount);
}

#define ONE_HOST                                                                      \
	"a file system of one host, which another host that mounts it too destroys: " \
	"use NFS 4.2"

#define LOCAL_LOCKS                                                                  \
	"a lock may not be seen outside of this mount, so that two hosts could run " \
	"one guest: use NFS 4.2, or a file system of this host"

/**
 * struct Type - A file system whose locks and shared mappings are known
 * @name:   as /proc/self/mountinfo has it
 * @allows: the most that it is good for
 * @why:    why it is not good for more, and what is
 */
typedef struct {
	const char *name;
	ExmMountUse allows;
	const char *why;
} Type;

/*
 * All that is not here is as "", good for a file that nobody else opens. On one host, the kernel
 * has one page cache and one table of locks for a file, but for those of a FUSE or network file
 * system that others change from elsewhere.
 *
 * ceph: flock(2) goes to the metadata server (Linux, fs/ceph/locks.c, ceph_flock()); of mmap(2):
 * "host A's page is not coherently invalidated" (Ceph, "Differences from POSIX").
 *
 * cifs: flock(2) is a mandatory byte-range lock of the server, or local with nobrl; what was read
 * stays until a lease is taken back (Linux, fs/smb/client/file.c, cifs_flock(); mount.cifs(8)).
 *
 * 9p: QEMU's server grants every lock (QEMU, hw/9pfs/9p.c, v9fs_lock()).
 *
 * FUSE: a lock is the kernel's own unless the server has asked for it (Linux, fs/fuse/file.c,
 * fuse_file_flock()), which virtiofsd does with --remote-locks alone and sshfs never. fuseblk and
 * fuse-overlayfs have nobody behind them on other hosts.
 *
 * gfs2, ocfs2: locks and pages go by the cluster's lock manager (Linux, fs/gfs2/file.c,
 * gfs2_flock(), gfs2_page_mkwrite(); fs/ocfs2/locks.c, ocfs2_flock(); fs/ocfs2/mmap.c).
 *
 * nfs: who opens a file, or takes its lock, sees what was synced before (Linux, fs/nfs/file.c,
 * do_setlk(); nfs(5), "Data and metadata coherence").
 *
 * overlay: its files and locks are its own, not those of another overlay on the same layers (Linux,
 * Documentation/filesystems/overlayfs.rst).
 */
static const Type types[] = {
	{ "bcachefs", EXM_MOUNT_HANDOVER, ONE_HOST },
	{ "btrfs", EXM_MOUNT_HANDOVER, ONE_HOST },
	{ "ceph", EXM_MOUNT_NAMED,
	  "a host may go on with pages that it has mapped after another one has written them: use NFS "
	  "4.2" },
	{ "devtmpfs", EXM_MOUNT_HANDOVER, ONE_HOST },
	{ "exfat", EXM_MOUNT_HANDOVER, ONE_HOST },
	{ "ext2", EXM_MOUNT_HANDOVER, ONE_HOST },
	{ "ext3", EXM_MOUNT_HANDOVER, ONE_HOST },
	{ "ext4", EXM_MOUNT_HANDOVER, ONE_HOST },
	{ "f2fs", EXM_MOUNT_HANDOVER, ONE_HOST },
	{ "fuse.fuse-overlayfs", EXM_MOUNT_HANDOVER, ONE_HOST },
	{ "fuseblk", EXM_MOUNT_HANDOVER, ONE_HOST },
	{ "gfs2", EXM_MOUNT_OTHER_HOST, NULL },
	{ "hugetlbfs", EXM_MOUNT_HANDOVER, ONE_HOST },
	{ "jfs", EXM_MOUNT_HANDOVER, ONE_HOST },
	{ "nfs", EXM_MOUNT_OTHER_HOST, NULL },
	{ "nfs4", EXM_MOUNT_OTHER_HOST, NULL },
	{ "nilfs2", EXM_MOUNT_HANDOVER, ONE_HOST },
	{ "ntfs3", EXM_MOUNT_HANDOVER, ONE_HOST },
	{ "ocfs2", EXM_MOUNT_OTHER_HOST, NULL },
	{ "overlay", EXM_MOUNT_HANDOVER, ONE_HOST },
	{ "ramfs", EXM_MOUNT_HANDOVER, ONE_HOST },
	{ "rootfs", EXM_MOUNT_HANDOVER, ONE_HOST },
	{ "tmpfs", EXM_MOUNT_HANDOVER, ONE_HOST },
	{ "vfat", EXM_MOUNT_HANDOVER, ONE_HOST },
	{ "xfs", EXM_MOUNT_HANDOVER, ONE_HOST },
	{ "zfs", EXM_MOUNT_HANDOVER, ONE_HOST },
	{ "fuse.sshfs", EXM_MOUNT_UNNAMED,
	  "it shows another host's changes late, and has no locks between hosts: share the directory "
	  "by NFS 4.2" },
	{ "", EXM_MOUNT_UNNAMED, LOCAL_LOCKS },
};

#define NO_LOCK \
	"a lock is not seen by the other host, and both could run the guest: mount it without"
#define NOT_HARD \
	"a server that is slow for a moment would be a bus error in the guest: mount it 'hard'"

/*
 * nfs(5), and Linux, fs/nfs/super.c, fs/smb/client/cifsfs.c, fs/gfs2/super.c and fs/ocfs2/super.c,
 * which print these options. What is refused would lose memory or let two hosts run one guest.
 */
static const struct {
	const char *type;
	const char *option;
	ExmMountUse from;
	bool refused;
	const char *why;
} rows[] = {
	{ "nfs", "soft", EXM_MOUNT_UNNAMED, true, NOT_HARD },
	{ "nfs", "softerr", EXM_MOUNT_UNNAMED, true, NOT_HARD },
	{ "cifs", "soft", EXM_MOUNT_UNNAMED, true, NOT_HARD },
	{ "smb3", "soft", EXM_MOUNT_UNNAMED, true, NOT_HARD },
	{ "nfs", "local_lock=all", EXM_MOUNT_NAMED, true, NO_LOCK },
	{ "nfs", "local_lock=flock", EXM_MOUNT_NAMED, true, NO_LOCK },
	{ "nfs", "nolock", EXM_MOUNT_NAMED, true, NO_LOCK },
	{ "gfs2", "localflocks", EXM_MOUNT_NAMED, true, NO_LOCK },
	{ "ocfs2", "localflocks", EXM_MOUNT_NAMED, true, NO_LOCK },
	{ "nfs", "nocto", EXM_MOUNT_HANDOVER, true,
	  "the other host would go on with what it had read before: mount it without" },
	{ "nfs", "vers=3", EXM_MOUNT_HANDOVER, false,
	  "locks go by another protocol, which a server may have off, and no memory can be given "
	  "back to it by punching holes: 'vers=4.2' has both" },
};

static const Type *type_of(const ExmMount *mount)
{
	const Type *type = types;

	while (*type->name && strcmp(type->name, mount->type) != 0)
		type++;
	return type;
}

/* "nfs" stands for "nfs4" too. */
static bool is_type(const ExmMount *mount, const char *type)
{
	return strcmp(mount->type, type) == 0 ||
	       (strcmp(type, "nfs") == 0 && strcmp(mount->type, "nfs4") == 0);
}

static bool has_option(const ExmMount *mount, const char *option)
{
	return mount->options && g_strv_contains((const char *const *)mount->options, option);
}

/**
 * exm_mount_identifies_files() - Whether a file is known again by its inode number and time
 * @mount: where the file is
 *
 * sshfs makes numbers up as files come along (libfuse, lib/fuse.c, without use_ino), and shows whole
 * seconds of the server's, late (tried: a file that had just been synced had another time a moment on).
 */
bool exm_mount_identifies_files(const ExmMount *mount)
{
	return strcmp(mount->type, "fuse.sshfs") != 0;
}

/* What would be an error is a warning where the user knows better. */
static bool refuse(const ExmMount *mount, const char *what, const char *why, GPtrArray *warnings,
                   bool trust, GError **error)
{
	g_autofree char *text = g_strdup_printf("'%s' is mounted '%s': %s", mount->path, what, why);

	if (!trust)
		return exm_throw(error, EXM_ERROR_UNSUPPORTED,
		                 "%s; '--trust-mount' takes it as it is", text);
	g_ptr_array_add(warnings, g_steal_pointer(&text));
	return true;
}

/**
 * exm_mount_check() - Whether a file on a mount can be mapped shared
 * @mount:    of this host
 * @use:      what the mapping needs of it
 * @trust:    warn of what would be refused
 * @warnings: of char *, grows by what is lost
 * @error:    UNSUPPORTED for what would lose memory, or run a guest twice
 *
 * Only file systems whose locks and mappings are known pass; the table is in exomem-memory(5) too.
 */
bool exm_mount_check(const ExmMount *mount, ExmMountUse use, bool trust, GPtrArray *warnings,
                     GError **error)
{
	const Type *type = type_of(mount);
	const char *said = NULL;

	if (use > type->allows && !refuse(mount, mount->type, type->why, warnings, trust, error))
		return false;
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		/* "nolock" is printed as "local_lock=all" too. */
		if (use < rows[i].from || !is_type(mount, rows[i].type) ||
		    !has_option(mount, rows[i].option) || g_strcmp0(rows[i].why, said) == 0)
			continue;
		said = rows[i].why;
		if (!refuse(mount, rows[i].option, rows[i].why, warnings, trust || !rows[i].refused,
		            error))
			return false;
	}
	return true;
}
