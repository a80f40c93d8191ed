/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_reach.c - lib/plan/reach.c */

#include "plan/reach.h"

#include "suite.h"

static char *find(const char *text)
{
	g_auto(GStrv) words = g_strsplit(text, " ", -1);
	g_auto(GStrv) lines = exm_reach_find((const char *const *)words);

	return g_strjoinv("\n", lines);
}

static const struct {
	const char *what;
	const char *line;
} cases[] = {
	{ "starts a program", "-netdev tap,id=n0,script=/tmp/up,downscript=no" },
	{ "starts a program", "-netdev tap,id=n0,script=no,downscript=/tmp/down" },
	{ "starts a program", "-netdev tap,id=n0,script=no,downscript=no,helper=/tmp/helper" },
	{ "starts a program", "-netdev bridge,id=n0,helper=/tmp/helper" },
	{ "starts a program", "-nic user,smb=/home" },
	{ "starts a program", "-netdev user,id=n0,guestfwd=tcp:10.0.2.9:80-cmd:/tmp/x" },
	{ "starts a program", "-netdev {\"type\":\"tap\",\"id\":\"n0\",\"script\":\"/tmp/up\"}" },
	{ "starts a program", "-incoming exec:/tmp/x" },
	{ "starts a program", "-netdev passt,id=n0" },
	{ "loads code", "-plugin /tmp/x.so" },
	{ "takes options from a file", "-readconfig /tmp/x" },
	{ "writes to a file", "-serial file:/root/.bashrc" },
	{ "writes to a file", "-chardev file,id=c0,path=/root/x" },
	{ "writes to a file", "-chardev null,id=c0,logfile=/root/x" },
	{ "writes to a file", "-debugcon pipe:/tmp/x" },
	{ "writes to a file", "-D /tmp/x" },
	{ "writes to a file", "-pidfile /tmp/x" },
	{ "writes to a file", "-trace file=/tmp/x" },
	{ "writes to a file", "-object filter-dump,id=f0,netdev=n0,file=/tmp/x" },
	{ "gives the guest what a file holds", "-fw_cfg opt/x,file=/etc/shadow" },
	{ "gives the guest a directory of the host",
	  "-virtfs local,path=/,mount_tag=x,security_model=none" },
	{ "gives the guest a directory of the host", "-netdev user,id=n0,tftp=/etc" },
	{ "gives the guest a device of the host", "-device vfio-pci,host=01:00.0" },
	{ "reaches a program by a socket", "-chardev socket,id=c0,path=/tmp/x" },
	{ "reaches the network", "-gdb tcp::1234" },
	{ "reaches the network", "-s" },
	{ "reaches the network", "-chardev socket,id=c0,host=192.0.2.1,port=80" },
	{ "reaches the network", "-netdev user,id=n0" },
	{ "reaches the network", "-netdev tap,id=n0,script=no,downscript=no" },
	{ "reaches the network", "-display vnc=:1" },
	{ "reaches the network", "-drive file=https://example.org/disk.img,if=virtio" },
	{ "reaches the network", "-blockdev nbd,node-name=d0,server.type=inet" },
};

static const char *const harmless[] = {
	"-m 64",
	"-nic none",
	"-net nic",
	"-serial stdio",
	"-vnc none",
	"-chardev null,id=c0",
	"-device virtio-balloon",
	"-object rng-random,id=r0",
	"-drive file=disk.qcow2,if=virtio",
	"-kernel vmlinuz",
};

START_TEST(test_reaching)
{
	g_autofree char *found = find(cases[_i].line);
	g_autofree char *wanted = g_strdup_printf("%s: %s", cases[_i].what, cases[_i].line);

	ck_assert_str_eq(found, wanted);
}
END_TEST

START_TEST(test_harmless)
{
	g_autofree char *found = find(harmless[_i]);

	ck_assert_str_eq(found, "");
}
END_TEST

START_TEST(test_several_and_unreadable)
{
	g_autofree char *found = find("-m 64 -s -D /tmp/x -nographic");
	g_autofree char *unreadable = find("-m 64 -nosuch");

	ck_assert_str_eq(found, "reaches the network: -s\nwrites to a file: -D /tmp/x");
	ck_assert_ptr_nonnull(strstr(unreadable, "-nosuch"));
}
END_TEST

Suite *reach_suite(void)
{
	Suite *suite = suite_create("reach");
	TCase *tcase = tcase_create("reach");

	tcase_add_loop_test(tcase, test_reaching, 0, G_N_ELEMENTS(cases));
	tcase_add_loop_test(tcase, test_harmless, 0, G_N_ELEMENTS(harmless));
	tcase_add_test(tcase, test_several_and_unreadable);
	suite_add_tcase(suite, tcase);
	return suite;
}
