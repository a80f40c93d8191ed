/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_sandbox.c - lib/plan/sandbox.c */

#include "plan/sandbox.h"

#include "suite.h"

static ExmQemuLine *parse(const char *text)
{
	g_auto(GStrv) words = g_strsplit(text, " ", -1);
	g_autoptr(GError) error = NULL;
	ExmQemuLine *line = exm_qemu_line_parse((const char *const *)words, &error);

	assert_no_error(error);
	return line;
}

/* What is allowed for these words, beyond what is allowed to any QEMU. */
static char *list(const char *text)
{
	g_autoptr(ExmQemuLine) none = parse("-S");
	g_autoptr(ExmQemuLine) line = parse(text);
	g_autoptr(GPtrArray) common = exm_sandbox_paths("/opt/q/bin/qemu", none);
	g_autoptr(GPtrArray) paths = exm_sandbox_paths("/opt/q/bin/qemu", line);
	GString *all = g_string_new(NULL);

	for (guint i = 0; i < paths->len; i++) {
		const ExmAllowed *one = paths->pdata[i];
		bool known = false;

		for (guint k = 0; k < common->len; k++)
			known = known ||
			        strcmp(((const ExmAllowed *)common->pdata[k])->path, one->path) == 0;
		if (!known)
			g_string_append_printf(all, "%s%s %s", all->len ? ", " : "",
			                       exm_access_name(one->access), one->path);
	}
	return g_string_free(all, FALSE);
}

static const struct {
	const char *line;
	const char *paths;
} lines[] = {
	{ "-m 1g -smp 2 -display none -serial stdio", "" },
	{ "-kernel /k -initrd /i -bios /b -L /l -dtb /d",
	  "read /k, read /i, read /b, read /l, read /d" },
	{ "/a.img", "image /a.img" },
	{ "-hda /a.img -cdrom /c.iso", "image /a.img, image-read /c.iso" },
	{ "-drive file=/a,format=raw -drive file=/b,format=qcow2", "write /a, image /b" },
	{ "-drive file=/a,format=raw,readonly=on", "read /a" },
	{ "-drive file=nbd:localhost:1,if=none", "image nbd:localhost:1" },
	{ "-drive file=fat:rw:/dir,format=raw", "read /dir" },
	{ "-blockdev qcow2,node-name=q,file.driver=file,file.filename=/q", "image /q" },
	{ "-blockdev file,node-name=f,filename=/f -blockdev raw,node-name=r,file=f", "write /f" },
	{ "-blockdev file,node-name=f,filename=/f -blockdev qcow2,node-name=q,file=f", "image /f" },
	{ "-blockdev "
	  "{\"driver\":\"quorum\",\"children\":[{\"driver\":\"file\",\"filename\":\"/one\"}]}",
	  "write /one" },
	{ "-blockdev qcow2,node-name=q,file.driver=file,file.filename=/q,backing.driver=file,"
	  "backing.filename=/base",
	  "image /q, read /base" },
	{ "-hda json:{\"driver\":\"file\",\"filename\":\"/j\"}",
	  "image json:{\"driver\":\"file\",\"filename\":\"/j\"}, write /j" },
	{ "-chardev file,id=c,path=/o,input-path=/i,logfile=/l", "read /i, create /o, create /l" },
	{ "-serial file:/o -serial pipe:/p", "create /o, write /p.in, write /p.out, write /p" },
	{ "-qmp unix:/d/q,server=on,wait=off -monitor unix:/e/m", "sockets /d" },
	{ "-chardev socket,id=s,path=/d/s,server=on -chardev socket,id=t,fd=5", "sockets /d" },
	{ "-serial pty", "write /dev/ptmx, write /dev/pts" },
	{ "-vnc unix:/d/v", "sockets /d" },
	{ "-pidfile /p -D /l", "create /p, create /l" },
	{ "-trace enable=x,file=/t,events=/e", "read /e, create /t" },
	{ "-object memory-backend-file,id=m,size=1g,mem-path=/m", "create /m" },
	{ "-object memory-backend-file,id=m,size=1g,mem-path=/m,readonly=on", "read /m" },
	{ "-object {\"qom-type\":\"memory-backend-file\",\"id\":\"m\",\"mem-path\":\"/dev/dax0.0\"}",
	  "read /sys, create /dev/dax0.0" },
	{ "-object secret,id=s,file=/s -object tls-creds-x509,id=t,dir=/t", "read /s, read /t" },
	{ "-fsdev local,id=f,path=/f,security_model=none", "write /f" },
	{ "-virtfs local,path=/f,mount_tag=t,security_model=none,readonly=on", "read /f" },
	{ "-netdev tap,id=n,script=no,downscript=no", "write /dev/net/tun, write /dev/vhost-net" },
	{ "-netdev user,id=n,tftp=/t", "read /t" },
	{ "-device vfio-pci,host=01:00.0", "read /sys, write /dev/vfio" },
	{ "-device virtio-net-pci,romfile=/r -device loader,file=/f", "read /r, read /f" },
	{ "-incoming file:/s", "read /s" },
	{ "-fw_cfg name=opt/x,file=/f -smbios file=/s -acpitable file=/a",
	  "read /f, read /s, read /a" },
	{ "-display egl-headless", "write /dev/dri" },
};

START_TEST(paths_of_a_line)
{
	g_autofree char *paths = list(lines[_i].line);

	ck_assert_str_eq(paths, lines[_i].paths);
}
END_TEST

START_TEST(a_qemu_elsewhere_has_its_own_libraries)
{
	g_autoptr(ExmQemuLine) line = parse("-S");
	g_autoptr(GPtrArray) paths = exm_sandbox_paths("/opt/q/bin/qemu", line);
	const ExmAllowed *program = paths->pdata[paths->len - 4];
	const ExmAllowed *last = paths->pdata[paths->len - 1];

	ck_assert_str_eq(program->path, "/opt/q/bin/qemu");
	ck_assert_int_eq(program->access, EXM_ACCESS_EXECUTE);
	ck_assert_str_eq(last->path, "/opt/q/share");
}
END_TEST

/* A line, and what its conflict says; NULL for none. */
static const struct {
	const char *line;
	const char *text;
} conflicts[] = {
	{ "-m 1g -netdev user,id=n", NULL },
	{ "-netdev tap,id=n,ifname=t,script=no,downscript=no", NULL },
	{ "-netdev tap,id=n,script=,downscript=", NULL },
	{ "-netdev tap,id=n,fd=5", NULL },
	{ "-readconfig /own.conf", NULL },
	{ "-run-with async-teardown=on", NULL },
	{ "-incoming fd:5", NULL },
	{ "-netdev tap,id=n,script=no", "'-netdev tap,id=n,script=no': " },
	{ "-net tap", "'-net tap': " },
	{ "-nic tap,br=br0,script=no,downscript=no", "add 'script=no,downscript=no'" },
	{ "-netdev {\"type\":\"bridge\",\"id\":\"n\"}", "can start no program" },
	{ "-nic bridge", "can start no program" },
	{ "-netdev passt,id=n", "can start no program" },
	{ "-nic user,smb=/s", "leave 'smb' out" },
	{ "-netdev user,id=n,guestfwd=tcp:10.0.2.1:80-cmd:cat", "forward to a socket" },
	{ "-readconfig /other.conf", "write its options on the command line" },
	{ "-runas nobody", "cannot change its user" },
	{ "-run-with user=nobody", "leave 'user' out" },
	{ "-incoming exec:cat", "use 'file:' or 'fd:'" },
	{ "-snapshot", "can make no temporary file" },
	{ "-drive file=/a,snapshot=on", "can make no temporary file" },
	{ "-display spice-app", "use '-spice'" },
};

START_TEST(what_would_fail_is_named)
{
	g_autoptr(ExmQemuLine) line = parse(conflicts[_i].line);
	g_autofree char *message = exm_sandbox_conflict(line, "/own.conf");

	if (!conflicts[_i].text) {
		ck_assert_ptr_null(message);
		return;
	}
	ck_assert_ptr_nonnull(message);
	ck_assert_msg(strstr(message, conflicts[_i].text), "%s", message);
}
END_TEST

/** sandbox_suite() - Tests of lib/plan/sandbox.c */
Suite *sandbox_suite(void)
{
	Suite *suite = suite_create("sandbox");
	TCase *tests = tcase_create("sandbox");

	tcase_add_loop_test(tests, paths_of_a_line, 0, G_N_ELEMENTS(lines));
	tcase_add_test(tests, a_qemu_elsewhere_has_its_own_libraries);
	tcase_add_loop_test(tests, what_would_fail_is_named, 0, G_N_ELEMENTS(conflicts));
	suite_add_tcase(suite, tests);
	return suite;
}
