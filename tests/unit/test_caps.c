/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_caps.c - lib/plan/caps.c */

#include "plan/caps.h"

#include "suite.h"

#define CAPS_JSON                                                                                 \
	"{\"schema\": 1, \"path\": \"/usr/bin/q\", \"version\": \"7.2.22\", \"package\": \"\","   \
	" \"target\": \"x86_64\","                                                                \
	" \"gates\": {\"file-backing\": true, \"discard\": true, \"vpmem\": true},"               \
	" \"accelerators\": [\"kvm\", \"tcg\"], \"file-properties\": [\"share\"],"                \
	" \"ram-properties\": [], \"migration-capabilities\": [\"events\"],"                      \
	" \"transports\": [\"fd\"], \"devices\": [\"vmgenid\"], \"objects\": [],"                 \
	" \"machines\": [{\"name\": \"pc-q35-7.2\", \"alias\": \"q35\", \"ram-id\": \"pc.ram\"}," \
	" {\"name\": \"pc-i440fx-7.2\", \"ram-id\": \"pc.ram\", \"default\": true},"              \
	" {\"name\": \"x-remote\"}]}"

static ExmJson *parse(const char *text)
{
	g_autoptr(GError) error = NULL;
	ExmJson *json = exm_json_parse(text, strlen(text), &error);

	assert_no_error(error);
	return json;
}

static ExmCaps *read_caps(void)
{
	g_autoptr(ExmJson) json = parse(CAPS_JSON);
	g_autoptr(GError) error = NULL;
	ExmCaps *caps = exm_caps_from_json(json, &error);

	assert_no_error(error);
	return caps;
}

START_TEST(there_and_back)
{
	g_autoptr(ExmCaps) caps = read_caps();
	g_autoptr(ExmJson) wanted = parse(CAPS_JSON);
	g_autoptr(ExmJson) json = exm_caps_to_json(caps);

	ck_assert_msg(json_object_equal(json, wanted), "%s", json_object_to_json_string(json));
	ck_assert_str_eq(caps->path, "/usr/bin/q");
	ck_assert_str_eq(caps->target, "x86_64");
	ck_assert_int_eq(caps->major, 7);
	ck_assert_int_eq(caps->minor, 2);
	ck_assert_int_eq(caps->micro, 22);
	ck_assert_uint_eq(caps->machines->len, 3);
}
END_TEST

START_TEST(machines_by_name_alias_and_default)
{
	g_autoptr(ExmCaps) caps = read_caps();

	ck_assert_str_eq(exm_caps_machine(caps, "pc-q35-7.2")->alias, "q35");
	ck_assert_str_eq(exm_caps_machine(caps, "q35")->name, "pc-q35-7.2");
	ck_assert_str_eq(exm_caps_machine(caps, NULL)->name, "pc-i440fx-7.2");
	ck_assert_ptr_null(exm_caps_machine(caps, "x-remote")->ram_id);
	ck_assert_ptr_null(exm_caps_machine(caps, "q3"));
	ck_assert_ptr_null(exm_caps_machine(caps, ""));
}
END_TEST

START_TEST(names_in_a_list)
{
	g_autoptr(ExmCaps) caps = read_caps();

	ck_assert(exm_caps_has(caps->accelerators, "tcg"));
	ck_assert(!exm_caps_has(caps->accelerators, "tc"));
	ck_assert(!exm_caps_has(caps->ram_properties, "share"));
	ck_assert(!exm_caps_has(NULL, "share"));
}
END_TEST

START_TEST(versions_are_compared_as_numbers)
{
	g_autoptr(ExmCaps) caps = read_caps();

	ck_assert(exm_caps_at_least(caps, 7, 2));
	ck_assert(exm_caps_at_least(caps, 6, 9));
	ck_assert(!exm_caps_at_least(caps, 7, 10));
	ck_assert(!exm_caps_at_least(caps, 8, 0));
}
END_TEST

START_TEST(gates_of_an_old_binary)
{
	static const struct {
		int major, minor;
		bool met[3];
	} cases[] = {
		{ 2, 5, { false, false, false } }, { 2, 6, { true, false, false } },
		{ 2, 9, { true, false, false } },  { 2, 10, { true, true, false } },
		{ 3, 0, { true, true, false } },   { 3, 1, { true, true, true } },
		{ 10, 0, { true, true, true } },
	};
	g_autoptr(ExmCaps) caps = exm_caps_new();
	size_t count;
	const ExmGate *gates = exm_caps_gates(&count);

	ck_assert_uint_eq(count, 3);
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(ExmJson) json = NULL;
		ExmJson *told;

		caps->major = cases[i].major;
		caps->minor = cases[i].minor;
		json = exm_caps_to_json(caps);
		told = exm_json_member(json, "gates");
		for (size_t j = 0; j < count; j++)
			ck_assert_msg(exm_json_get_bool(told, gates[j].key) == cases[i].met[j],
			              "%s of %d.%d", gates[j].name, caps->major, caps->minor);
	}
}
END_TEST

/* One member each, with what it is replaced by; NULL takes it out. */
static const struct {
	const char *member;
	const char *json;
} damages[] = {
	{ "path", NULL },
	{ "path", "1" },
	{ "version", NULL },
	{ "version", "\"7.2\"" },
	{ "version", "\"7.2.x\"" },
	{ "version", "\"7.2.-1\"" },
	{ "version", "\"7.2.99999999999\"" },
	{ "version", "[7, 2, 1]" },
	{ "package", NULL },
	{ "target", NULL },
	{ "accelerators", NULL },
	{ "file-properties", "\"share\"" },
	{ "ram-properties", "[1]" },
	{ "migration-capabilities", "{}" },
	{ "transports", NULL },
	{ "devices", NULL },
	{ "objects", NULL },
	{ "machines", NULL },
	{ "machines", "{}" },
	{ "machines", "[{}]" },
	{ "machines", "[{\"name\": 1}]" },
	{ "machines", "[\"pc\"]" },
};

START_TEST(damaged_caps_are_refused)
{
	g_autoptr(ExmJson) json = parse(CAPS_JSON);
	g_autoptr(GError) error = NULL;

	json_object_object_del(json, damages[_i].member);
	if (damages[_i].json)
		json_object_object_add(json, damages[_i].member, parse(damages[_i].json));
	ck_assert_ptr_null(exm_caps_from_json(json, &error));
	assert_error(error, EXM_ERROR_SYSTEM, "incomplete");
}
END_TEST

START_TEST(no_object_is_no_caps)
{
	g_autoptr(ExmJson) json = parse("[]");
	g_autoptr(GError) error = NULL;
	g_autoptr(GError) null_error = NULL;

	ck_assert_ptr_null(exm_caps_from_json(json, &error));
	assert_error(error, EXM_ERROR_SYSTEM, "incomplete");
	ck_assert_ptr_null(exm_caps_from_json(NULL, &null_error));
	assert_error(null_error, EXM_ERROR_SYSTEM, "incomplete");
	exm_caps_free(NULL);
	exm_machine_free(NULL);
}
END_TEST

Suite *caps_suite(void)
{
	Suite *suite = suite_create("caps");
	TCase *tcase = tcase_create("caps");

	tcase_add_test(tcase, there_and_back);
	tcase_add_test(tcase, machines_by_name_alias_and_default);
	tcase_add_test(tcase, names_in_a_list);
	tcase_add_test(tcase, versions_are_compared_as_numbers);
	tcase_add_test(tcase, gates_of_an_old_binary);
	tcase_add_loop_test(tcase, damaged_caps_are_refused, 0, G_N_ELEMENTS(damages));
	tcase_add_test(tcase, no_object_is_no_caps);
	suite_add_tcase(suite, tcase);
	return suite;
}
