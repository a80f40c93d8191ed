/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_template_check.c - lib/plan/template_check.c */

#include "plan/template_check.h"

#include "facts.h"
#include "suite.h"

#define USER 1000

/* The template's files, in the order of exm_template_files(), as they were when it was saved. */
static const struct {
	const char *path;
	const char *facts;
} files[] = {
	{ TEMPLATE, "{'owner': 1000, 'regular': false}" },
	{ TEMPLATE "/manifest.json", "{'owner': 1000}" },
	{ TEMPLATE "/devices", "{'owner': 1000, 'size': 4096}" },
	{ TEMPLATE "/ram", "{'owner': 1000, 'size': 536870912, 'inode': 7, 'mtime': 8}" },
	{ "/srv/a.img", "{'owner': 0, 'size': 2048, 'inode': 9, 'mtime': 10}" },
	{ TEMPLATE "/disk0.qcow2", "{'owner': 1000, 'size': 196608}" },
};

/* A host that has all that the template needs. */
static ExmTemplateFacts *good_facts(const ExmCaps *caps)
{
	ExmTemplateFacts *facts = exm_template_facts_new();

	facts->caps = caps;
	facts->euid = USER;
	facts->kvm = true;
	facts->boot_id = g_strdup("THIS");
	facts->host_cpu = g_strsplit("sse2 avx2 avx512f", " ", -1);
	for (size_t i = 0; i < G_N_ELEMENTS(files); i++)
		g_ptr_array_add(facts->files, facts_file(files[i].path, files[i].facts));
	return facts;
}

static void replace_file(const ExmTemplateFacts *facts, size_t index, const char *changes)
{
	ExmFileFacts **slot = (ExmFileFacts **)&facts->files->pdata[index];

	exm_file_facts_free(*slot);
	*slot = facts_file(files[index].path, changes);
}

/* All problems as one text: code, a blank, the message; a line each. */
static char *problems_of(const ExmTemplate *template, const ExmTemplateFacts *facts,
                         const ExmTemplateLeniency *leniency)
{
	g_autoptr(GPtrArray) problems = g_ptr_array_new_with_free_func((GDestroyNotify)g_error_free);
	g_autoptr(GString) text = g_string_new(NULL);

	exm_template_check(template, facts, leniency, problems);
	for (guint i = 0; i < problems->len; i++) {
		const GError *problem = problems->pdata[i];

		ck_assert(problem->domain == EXM_ERROR);
		g_string_append_printf(text, "%d %s\n", problem->code, problem->message);
	}
	return g_string_free(g_steal_pointer(&text), FALSE);
}

START_TEST(what_has_to_be_looked_at)
{
	g_autoptr(ExmTemplate) template = facts_template(AS_IT_IS);
	g_auto(GStrv) paths = exm_template_files(template);

	ck_assert_uint_eq(g_strv_length(paths), G_N_ELEMENTS(files));
	for (size_t i = 0; i < G_N_ELEMENTS(files); i++)
		ck_assert_str_eq(paths[i], files[i].path);
}
END_TEST

START_TEST(nothing_is_wrong)
{
	g_autoptr(ExmTemplate) template = facts_template(AS_IT_IS);
	g_autoptr(ExmCaps) caps = facts_caps("7.2");
	g_autoptr(ExmTemplateFacts) facts = good_facts(caps);
	const ExmTemplateLeniency strict = { 0 };
	g_autoptr(GError) error = NULL;

	assert_text_and_free(problems_of(template, facts, &strict), "");
	ck_assert(exm_template_check_or_throw(template, facts, &strict, &error));
	assert_no_error(error);
	exm_template_facts_free(NULL);
}
END_TEST

START_TEST(memory_that_a_boot_has_ended)
{
	g_autoptr(ExmTemplate) now = facts_template("{'boot-id': 'THIS'}");
	g_autoptr(ExmTemplate) before = facts_template("{'boot-id': 'OTHER'}");
	g_autoptr(ExmCaps) caps = facts_caps("7.2");
	g_autoptr(ExmTemplateFacts) facts = good_facts(caps);
	const ExmTemplateLeniency strict = { 0 };

	assert_text_and_free(problems_of(now, facts, &strict), "");
	/* That its file is missing would say no more. */
	replace_file(facts, 3, "{'exists': false}");
	assert_text_and_free(problems_of(before, facts, &strict),
	                     "5 its memory was on a file system that is itself in memory, and the "
	                     "host has been started again since: remove it by 'exomem template "
	                     "remove'\n");
}
END_TEST

#define CHECK_FIRST \
	": check the template with 'exomem template show', then pass '--trust' its SHA-256\n"
#define OTHERS(path)  "5 others can write to '" path "'" CHECK_FIRST
#define FOREIGN(path) "5 '" path "' belongs to another user" CHECK_FIRST

/* One file that is otherwise, and what is said of it. */
static const struct {
	size_t file;
	const char *facts;
	const char *problem;
} changed[] = {
	{ 0, "{'owner': 0, 'regular': false}", "" },
	{ 0, "{'owner': 1001, 'regular': false}", FOREIGN(TEMPLATE) },
	{ 0, "{'owner': 1000, 'regular': false, 'others-write': true}", OTHERS(TEMPLATE) },
	{ 1, "{'owner': 1001}", FOREIGN(TEMPLATE "/manifest.json") },
	{ 1, "{'owner': 0, 'others-write': true}", OTHERS(TEMPLATE "/manifest.json") },
	{ 2, "{'owner': 1000, 'size': 4096, 'others-write': true}", OTHERS(TEMPLATE "/devices") },
	{ 2, "{'exists': false}", "5 '" TEMPLATE "/devices' is missing\n" },
	{ 2, "{'owner': 1000, 'size': 4095}",
	  "5 '" TEMPLATE "/devices' has 4095 bytes, but had 4096 when it was saved\n" },
	{ 2, "{'owner': 1000, 'size': 4096, 'inode': 1, 'mtime': 1}", "" },
	{ 3, "{'exists': false, 'owner': 1001, 'others-write': true}",
	  "5 '" TEMPLATE "/ram' is missing\n" },
	{ 3, "{'owner': 1000, 'regular': false}", "5 '" TEMPLATE "/ram' is missing\n" },
	{ 3, "{'owner': 1000, 'readable': false, 'size': 536870912, 'inode': 7, 'mtime': 8}",
	  "5 '" TEMPLATE "/ram' is not readable\n" },
	{ 3, "{'owner': 1000, 'writable': false, 'size': 536870912, 'inode': 7, 'mtime': 8}", "" },
	{ 3, "{'owner': 1000, 'size': 0, 'inode': 7, 'mtime': 8}",
	  "5 '" TEMPLATE "/ram' has 0 bytes, but had 536870912 when it was saved\n" },
	{ 3, "{'owner': 1000, 'size': 536870912, 'inode': 70, 'mtime': 80}",
	  "5 '" TEMPLATE "/ram' is another file than was saved: it was copied or replaced\n" },
	{ 3, "{'owner': 1000, 'size': 536870912, 'inode': 7, 'mtime': 9}",
	  "5 '" TEMPLATE "/ram' was changed after it was saved\n" },
	{ 4, "{'exists': false}", "5 '/srv/a.img' is missing\n" },
	{ 4, "{'size': 4096, 'inode': 9, 'mtime': 10}",
	  "5 '/srv/a.img' has 4096 bytes, but had 2048 when it was saved\n" },
	{ 4, "{'size': 2048, 'inode': 8, 'mtime': 10}",
	  "5 '/srv/a.img' is another file than was saved: it was copied or replaced\n" },
	{ 4, "{'size': 2048, 'inode': 9, 'mtime': 11}",
	  "5 '/srv/a.img' was changed after it was saved\n" },
	{ 5, "{'exists': false}", "5 '" TEMPLATE "/disk0.qcow2' is missing\n" },
	{ 5, "{'owner': 1000, 'size': 1, 'inode': 2, 'mtime': 3}", "" },
};

START_TEST(a_file_is_otherwise)
{
	g_autoptr(ExmTemplate) template = facts_template(AS_IT_IS);
	g_autoptr(ExmCaps) caps = facts_caps("7.2");
	g_autoptr(ExmTemplateFacts) facts = good_facts(caps);
	const ExmTemplateLeniency strict = { 0 };

	replace_file(facts, changed[_i].file, changed[_i].facts);
	assert_text_and_free(problems_of(template, facts, &strict), changed[_i].problem);
}
END_TEST

START_TEST(a_file_that_was_not_looked_at)
{
	g_autoptr(ExmTemplate) template = facts_template(AS_IT_IS);
	g_autoptr(ExmCaps) caps = facts_caps("7.2");
	g_autoptr(ExmTemplateFacts) facts = good_facts(caps);
	const ExmTemplateLeniency strict = { 0 };

	g_ptr_array_remove_index(facts->files, 3);
	assert_text_and_free(problems_of(template, facts, &strict),
	                     "5 '" TEMPLATE "/ram' is missing\n");
}
END_TEST

/* Another QEMU or processor than the template was saved on: what the manifest then says. */
static const struct {
	const char *caps;
	const char *manifest;
	bool other_qemu;
	const char *problem;
} hosts[] = {
	{ "10.0", AS_IT_IS, false,
	  "3 saved by QEMU 7.2.22, but '/usr/bin/qemu-system-x86_64' is 10.0.2: say '--qemu "
	  "/usr/bin/qemu-system-x86_64' to try it\n" },
	{ "10.0", AS_IT_IS, true, "" },
	{ "7.2", "{'qemu-version': '7.2.2'}", false,
	  "3 saved by QEMU 7.2.2, but '/usr/bin/qemu-system-x86_64' is 7.2.22: say '--qemu "
	  "/usr/bin/qemu-system-x86_64' to try it\n" },
	{ "10.0", "{'machine': 'pc-q35-1.4'}", true,
	  "3 saved on 'pc-q35-1.4', which is not a machine of '/usr/bin/qemu-system-x86_64' (QEMU "
	  "10.0.2)\n" },
	{ "7.2", "{'machine': 'pc-q35-7.3'}", false,
	  "3 saved on 'pc-q35-7.3', which is not a machine of '/usr/bin/qemu-system-x86_64' (QEMU "
	  "7.2.22)\n" },
	{ "7.2", "{'host-cpu': ['avx2', 'amx', 'la57']}", false,
	  "3 saved on 'pc-q35-7.2' with +amx +la57: this host lacks it\n" },
	{ "7.2", "{'host-cpu': []}", false, "" },
	{ "7.2", "{'host-cpu': null, 'accelerator': 'tcg'}", false, "" },
};

START_TEST(another_host)
{
	g_autoptr(ExmTemplate) template = facts_template(hosts[_i].manifest);
	g_autoptr(ExmCaps) caps = facts_caps(hosts[_i].caps);
	g_autoptr(ExmTemplateFacts) facts = good_facts(caps);
	const ExmTemplateLeniency leniency = { .other_qemu = hosts[_i].other_qemu };

	assert_text_and_free(problems_of(template, facts, &leniency), hosts[_i].problem);
}
END_TEST

/* The host's processor, with and without /dev/kvm. */
static const struct {
	const char *flags;
	bool kvm;
	const char *accelerator;
	const char *problem;
} processors[] = {
	{ "sse2 avx2", true, "{}", "3 saved on 'pc-q35-7.2' with +avx512f: this host lacks it\n" },
	{ "avx512f avx2x", true, "{}", "3 saved on 'pc-q35-7.2' with +avx2: this host lacks it\n" },
	{ "avx2 avx512f", false, "{}", "3 saved under KVM, which this host has not\n" },
	{ "avx2", false, "{'accelerator': 'tcg', 'host-cpu': null}", "" },
	{ NULL, true, "{}", "3 saved on 'pc-q35-7.2' with +avx2 +avx512f: this host lacks it\n" },
};

START_TEST(another_processor)
{
	g_autoptr(ExmTemplate) template = facts_template(processors[_i].accelerator);
	g_autoptr(ExmCaps) caps = facts_caps("7.2");
	g_autoptr(ExmTemplateFacts) facts = good_facts(caps);
	const ExmTemplateLeniency strict = { 0 };

	g_clear_pointer(&facts->host_cpu, g_strfreev);
	if (processors[_i].flags)
		facts->host_cpu = g_strsplit(processors[_i].flags, " ", -1);
	facts->kvm = processors[_i].kvm;
	assert_text_and_free(problems_of(template, facts, &strict), processors[_i].problem);
}
END_TEST

/* Whose template it is says who could have changed it; --trust asks for no more than that. */
START_TEST(trust_is_for_the_owner_alone)
{
	g_autoptr(ExmTemplate) template = facts_template(AS_IT_IS);
	g_autoptr(ExmCaps) caps = facts_caps("7.2");
	g_autoptr(ExmTemplateFacts) facts = good_facts(caps);
	const ExmTemplateLeniency trust = { .trust = true };

	replace_file(facts, 1, "{'owner': 1001, 'others-write': true}");
	assert_text_and_free(problems_of(template, facts, &trust), "");
	replace_file(facts, 2, "{'owner': 1001, 'size': 1}");
	assert_text_and_free(problems_of(template, facts, &trust),
	                     "5 '" TEMPLATE
	                     "/devices' has 1 bytes, but had 4096 when it was saved\n");
}
END_TEST

/* All that is wrong is listed; the first of it is thrown. */
START_TEST(several_things_are_wrong)
{
	g_autoptr(ExmTemplate) template = facts_template(AS_IT_IS);
	g_autoptr(ExmCaps) caps = facts_caps("10.0");
	g_autoptr(ExmTemplateFacts) facts = good_facts(caps);
	const ExmTemplateLeniency strict = { 0 };
	g_autoptr(GError) error = NULL;
	g_autofree char *text = NULL;
	g_auto(GStrv) lines = NULL;

	replace_file(facts, 3, "{'owner': 1001, 'exists': false}");
	replace_file(facts, 5, "{'exists': false}");
	facts->kvm = false;
	g_clear_pointer(&facts->host_cpu, g_strfreev);
	text = problems_of(template, facts, &strict);
	lines = g_strsplit(text, "\n", -1);
	ck_assert_uint_eq(g_strv_length(lines), 5 + 1);
	ck_assert(!exm_template_check_or_throw(template, facts, &strict, &error));
	assert_error(error, EXM_ERROR_STATE, "template 'web': '" TEMPLATE "/ram' is missing");
}
END_TEST

Suite *template_check_suite(void)
{
	Suite *suite = suite_create("template_check");
	TCase *tcase = tcase_create("template_check");

	tcase_add_test(tcase, what_has_to_be_looked_at);
	tcase_add_test(tcase, nothing_is_wrong);
	tcase_add_test(tcase, memory_that_a_boot_has_ended);
	tcase_add_loop_test(tcase, a_file_is_otherwise, 0, G_N_ELEMENTS(changed));
	tcase_add_test(tcase, a_file_that_was_not_looked_at);
	tcase_add_loop_test(tcase, another_host, 0, G_N_ELEMENTS(hosts));
	tcase_add_loop_test(tcase, another_processor, 0, G_N_ELEMENTS(processors));
	tcase_add_test(tcase, trust_is_for_the_owner_alone);
	tcase_add_test(tcase, several_things_are_wrong);
	suite_add_tcase(suite, tcase);
	return suite;
}
