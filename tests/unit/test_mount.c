/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_mount.c - lib/plan/mount.c: which mounts are good for which shared mappings */

#include "plan/mount.h"

#include "suite.h"

/* The most that each mount is good for; -1 for nothing. The table of exomem-memory(5) says the same. */
static const struct {
	const char *type;
	const char *options;
	int allows;
	const char *reason;
} rows[] = {
	{ "ext4", "rw,relatime", EXM_MOUNT_HANDOVER, "'ext4': a file system of one host" },
	{ "xfs", "rw", EXM_MOUNT_HANDOVER, "one host" },
	{ "btrfs", "rw,subvol=/a", EXM_MOUNT_HANDOVER, "one host" },
	{ "tmpfs", "rw", EXM_MOUNT_HANDOVER, "one host" },
	{ "hugetlbfs", "rw", EXM_MOUNT_HANDOVER, "one host" },
	{ "overlay", "rw,lowerdir=/l,upperdir=/u", EXM_MOUNT_HANDOVER, "one host" },
	{ "rootfs", "rw", EXM_MOUNT_HANDOVER, "one host" },
	{ "fuseblk", "rw", EXM_MOUNT_HANDOVER, "one host" },
	{ "fuse.fuse-overlayfs", "rw", EXM_MOUNT_HANDOVER, "one host" },
	{ "nfs4", "rw,hard,vers=4.2,local_lock=none", EXM_MOUNT_OTHER_HOST, NULL },
	{ "nfs", "rw,hard,vers=3,local_lock=none", EXM_MOUNT_OTHER_HOST, NULL },
	{ "nfs", "rw,hard,vers=3,local_lock=posix", EXM_MOUNT_OTHER_HOST, NULL },
	{ "nfs4", "rw,hard,nocto,local_lock=none", EXM_MOUNT_NAMED, "'nocto'" },
	{ "nfs", "rw,hard,vers=3,nolock,local_lock=all", EXM_MOUNT_UNNAMED, "'local_lock=all'" },
	{ "nfs", "rw,hard,vers=3,local_lock=flock", EXM_MOUNT_UNNAMED, "'local_lock=flock'" },
	{ "nfs4", "rw,soft,vers=4.2,local_lock=none", -1, "'soft'" },
	{ "nfs4", "rw,softerr,vers=4.2,local_lock=none", -1, "'softerr'" },
	{ "gfs2", "rw", EXM_MOUNT_OTHER_HOST, NULL },
	{ "gfs2", "rw,localflocks", EXM_MOUNT_UNNAMED, "'localflocks'" },
	{ "ocfs2", "rw", EXM_MOUNT_OTHER_HOST, NULL },
	{ "ocfs2", "rw,localflocks", EXM_MOUNT_UNNAMED, "'localflocks'" },
	{ "ceph", "rw", EXM_MOUNT_NAMED, "'ceph'" },
	{ "cifs", "rw,hard", EXM_MOUNT_UNNAMED, "'cifs'" },
	{ "cifs", "rw,soft", -1, "'/mem' is mounted '" },
	{ "9p", "rw,cache=mmap", EXM_MOUNT_UNNAMED, "'9p'" },
	{ "virtiofs", "rw", EXM_MOUNT_UNNAMED, "'virtiofs'" },
	{ "fuse.sshfs", "rw", EXM_MOUNT_UNNAMED, "'fuse.sshfs'" },
	{ "fuse.glusterfs", "rw", EXM_MOUNT_UNNAMED, "'fuse.glusterfs'" },
	{ "fuse", "rw", EXM_MOUNT_UNNAMED, "'fuse'" },
	{ "afs", "rw", EXM_MOUNT_UNNAMED, "'afs'" },
	{ "of-tomorrow", "rw", EXM_MOUNT_UNNAMED, "'of-tomorrow'" },
};

static ExmMount *new_mount(const char *type, const char *options)
{
	ExmMount *mount = g_new0(ExmMount, 1);

	mount->path = g_strdup("/mem");
	mount->type = g_strdup(type);
	mount->options = options ? g_strsplit(options, ",", -1) : NULL;
	return mount;
}

static void check(int row, int use, bool trust)
{
	g_autoptr(ExmMount) mount = new_mount(rows[row].type, rows[row].options);
	const bool good = use <= rows[row].allows;
	g_autoptr(GPtrArray) warnings = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GError) error = NULL;

	ck_assert_msg(exm_mount_check(mount, (ExmMountUse)use, trust, warnings, &error) ==
	                      (good || trust),
	              "%s %s for %d", rows[row].type, rows[row].options, use);
	if (good || trust)
		assert_no_error(error);
	else
		assert_error(error, EXM_ERROR_UNSUPPORTED, rows[row].reason);
	if (!good && trust)
		ck_assert_uint_ge(warnings->len, 1);
	if (!good && !trust)
		ck_assert_ptr_nonnull(strstr(error->message, "; '--trust-mount' takes it as it is"));
}

START_TEST(each_mount_for_each_use)
{
	for (int use = EXM_MOUNT_UNNAMED; use <= EXM_MOUNT_OTHER_HOST; use++) {
		check(_i, use, false);
		check(_i, use, true);
	}
}
END_TEST

START_TEST(nfs_3_is_warned_of_where_a_guest_is_handed_over)
{
	g_autoptr(ExmMount) mount = new_mount("nfs", "hard,vers=3,local_lock=none");
	g_autoptr(GPtrArray) warnings = g_ptr_array_new_with_free_func(g_free);

	ck_assert(exm_mount_check(mount, EXM_MOUNT_NAMED, false, warnings, NULL));
	ck_assert_uint_eq(warnings->len, 0);
	ck_assert(exm_mount_check(mount, EXM_MOUNT_HANDOVER, false, warnings, NULL));
	ck_assert_uint_eq(warnings->len, 1);
	ck_assert_ptr_nonnull(strstr(warnings->pdata[0], "'vers=3'"));
}
END_TEST

/* Where the kernel does not list the mount. */
START_TEST(options_need_not_be_known)
{
	g_autoptr(ExmMount) mount = new_mount("ext4", NULL);

	ck_assert(exm_mount_check(mount, EXM_MOUNT_NAMED, false, NULL, NULL));
}
END_TEST

/** mount_suite() - Tests of lib/plan/mount.c */
Suite *mount_suite(void)
{
	Suite *suite = suite_create("mount");
	TCase *tests = tcase_create("mount");

	tcase_add_loop_test(tests, each_mount_for_each_use, 0, G_N_ELEMENTS(rows));
	tcase_add_test(tests, nfs_3_is_warned_of_where_a_guest_is_handed_over);
	tcase_add_test(tests, options_need_not_be_known);
	suite_add_tcase(suite, tests);
	return suite;
}
