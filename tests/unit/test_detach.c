/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_detach.c - lib/plan/detach.c */

#include "plan/detach.h"

#include "suite.h"

/* The words of a command line, split at spaces. */
static GPtrArray *argv_of(const char *line)
{
	g_auto(GStrv) words = g_strsplit(line, " ", -1);
	GPtrArray *argv = g_ptr_array_new_with_free_func(g_free);

	for (guint i = 0; words[i]; i++)
		g_ptr_array_add(argv, g_strdup(words[i]));
	g_ptr_array_add(argv, NULL);
	return argv;
}

static char *named(const char *line)
{
	g_autoptr(GPtrArray) argv = argv_of(line);
	g_autoptr(GArray) fds = exm_detach_named_fds(argv);
	g_autoptr(GString) text = g_string_new(NULL);

	for (guint i = 0; i < fds->len; i++)
		g_string_append_printf(text, "%s%d", i ? " " : "", g_array_index(fds, int, i));
	return g_string_free(g_steal_pointer(&text), FALSE);
}

START_TEST(descriptors_that_an_argument_names)
{
	static const struct {
		const char *line;
		const char *fds;
	} cases[] = {
		{ "-m 64 -nographic", "" },
		{ "-netdev tap,id=n,fd=9", "9" },
		{ "-netdev tap,id=n,fds=9:10,vhostfds=11:12", "9 10 11 12" },
		{ "-add-fd fd=3,set=1 -drive file=/dev/fdset/1", "3" },
		{ "-device vmgenid,guid=353af5fd-9ec3-49c6-b5af-929f30ebba17", "" },
		{ "-incoming fd:7", "7" },
		{ "-netdev stream,id=n,addr.type=fd,addr.str=15", "15" },
		{ "-kernel /proc/self/fd/4", "4" },
		{ "-netdev {\"type\":\"tap\",\"id\":\"n\",\"fd\":\"9\"}", "9" },
		{ "-chardev socket,id=c,fd=99999999999999999999", "" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
		assert_text_and_free(named(cases[i].line), cases[i].fds);
}
END_TEST

START_TEST(a_configuration_file_of_the_user)
{
	static const struct {
		const char *line;
		bool has;
	} cases[] = {
		{ "-m 64", false },
		{ "-readconfig own", false },
		{ "-readconfig own -readconfig other", true },
		{ "--readconfig other", true },
		{ "-readconfig", false },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GPtrArray) argv = argv_of(cases[i].line);

		ck_assert_int_eq(exm_detach_has_config(argv, "own"), cases[i].has);
	}
}
END_TEST

Suite *detach_suite(void)
{
	Suite *suite = suite_create("detach");
	TCase *tcase = tcase_create("detach");

	tcase_add_test(tcase, descriptors_that_an_argument_names);
	tcase_add_test(tcase, a_configuration_file_of_the_user);
	suite_add_tcase(suite, tcase);
	return suite;
}
