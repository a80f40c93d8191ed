/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_rehearsal.c - lib/plan/rehearsal.c */

#include "plan/rehearsal.h"

#include "suite.h"

/* Words of a guest, and those of one that is only tried. */
static const struct {
	const char *line;
	const char *tried;
} tries[] = {
	{ "-m 1g -smp 2", "-m 1g -smp 2" },
	{ "-netdev user,id=n,hostfwd=tcp::22-:22", "-netdev hubport,hubid=0,id=n" },
	{ "-netdev vhost-user,id=n,chardev=c,queues=2", "-netdev hubport,hubid=0,id=n" },
	{ "-netdev tap,id=n,ifname=tap0,script=no,vhost=on",
	  "-netdev tap,script=no,downscript=no,id=n" },
	{ "-netdev type=tap,id=n,fds=3:4,queues=2,vnet_hdr=on",
	  "-netdev tap,script=no,downscript=no,queues=2,vnet_hdr=on,id=n" },
	{ "-netdev bridge,id=n,br=br0,helper=/h", "-netdev tap,script=no,downscript=no,id=n" },
	{ "-nic tap,model=virtio,mac=52:54:00:00:00:01,br=br0",
	  "-nic tap,script=no,downscript=no,model=virtio,mac=52:54:00:00:00:01" },
	{ "-nic none", "-nic none" },
	{ "-net nic -net tap", "-net nic" },
	{ "-chardev socket,id=c,path=/s,server=on", "-chardev null,id=c" },
	{ "-serial stdio -monitor stdio -s", "-serial null" },
	{ "-display gtk -vnc :0", "-display none" },
	{ "-pidfile /p -D /l -m 1g", "-m 1g" },
	{ "-audiodev pa,id=a,server=/s", "-audiodev none,id=a" },
	{ "-hda a.img", "-drive file=null-co://,index=0,media=disk,format=raw" },
};

START_TEST(nothing_is_behind_the_devices)
{
	g_auto(GStrv) words = g_strsplit(tries[_i].line, " ", -1);
	g_autoptr(GError) error = NULL;
	g_auto(GStrv) tried = exm_rehearsal_words((const char *const *)words, &error);
	g_autofree char *line = tried ? g_strjoinv(" ", tried) : NULL;

	assert_no_error(error);
	ck_assert_str_eq(line, tries[_i].tried);
}
END_TEST

START_TEST(flash_cannot_be_tried)
{
	static const char *const words[] = { "-drive", "if=pflash,file=vars.fd,format=raw", NULL };
	g_autoptr(GError) error = NULL;

	ck_assert_ptr_null(exm_rehearsal_words(words, &error));
	assert_error(error, EXM_ERROR_UNSUPPORTED, "--no-rehearsal");
}
END_TEST

Suite *rehearsal_suite(void)
{
	Suite *suite = suite_create("rehearsal");
	TCase *tests = tcase_create("rehearsal");

	tcase_add_loop_test(tests, nothing_is_behind_the_devices, 0, G_N_ELEMENTS(tries));
	tcase_add_test(tests, flash_cannot_be_tried);
	suite_add_tcase(suite, tests);
	return suite;
}
