/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_pmem_check.c - lib/plan/pmem_check.c */

#include "plan/pmem_check.h"

#include "facts.h"
#include "suite.h"

#define NAMESPACE(name, more)                                                                   \
	"{'dev': 'namespace0.0', 'name': '" name "', 'uuid': '00000001-0000-4000-8000-"         \
	"00000000000" name "', 'mode': 'devdax', 'size': 1073741824, 'align': 2097152, 'path':" \
	" '/dev/dax0.0'" more "}"

#define CLAIM(digit, name, more)                                           \
	"{'schema': 1, 'uuid': '00000001-0000-4000-8000-00000000000" digit \
	"', 'namespace': '" name "', 'size': 1073741824" more "}"

#define WEB ", 'guest': 'web'"

#define MODULES "dax_pmem nd_pmem device_dax nd_btt"

/**
 * struct Case - What there is, and what is wrong with it
 * @kernel:     its release
 * @modules:    those that are there
 * @ndctl:      why libndctl is not, or NULL
 * @qemu:       its version, or NULL
 * @namespaces: JSON
 * @claims:     JSON, or NULL for none
 * @bad:        "NAME: TEXT" of the rows that are not well, with semicolons between
 */
typedef struct {
	const char *kernel;
	const char *modules;
	const char *ndctl;
	const char *qemu;
	const char *namespaces;
	const char *claims;
	const char *bad;
} Case;

#define GOOD   .kernel = "6.1.0-56-amd64", .modules = MODULES, .qemu = "7.2.22"
#define USABLE NAMESPACE("1", "") ", " NAMESPACE("2", "")

static const Case cases[] = {
	{ GOOD, .namespaces = USABLE, .bad = "" },
	{ .kernel = "4.18", .modules = MODULES, .qemu = "3.1.0", .namespaces = USABLE, .bad = "" },
	{ .kernel = "4.17.19",
	  .modules = MODULES,
	  .qemu = "3.0.1",
	  .namespaces = USABLE,
	  .bad = "kernel: 4.17.19, and 4.18 is needed; qemu: 3.0.1, and 3.1 is needed" },
	{ .kernel = "5.0",
	  .modules = "dax_pmem nd_pmem device_dax",
	  .namespaces = USABLE,
	  .bad = "module: nd_btt is not loaded: 'modprobe nd_btt'; qemu: there is no QEMU" },
	{ GOOD, .ndctl = "libndctl is not installed", .namespaces = USABLE,
	  .bad = "ndctl: libndctl is not installed" },
	/* Health, of what is in the pool; one that does not tell is well. */
	{ GOOD,
	  .namespaces = NAMESPACE("1", ", 'health': 'ok'") ", " NAMESPACE("2", ", 'health': 'fatal'"),
	  .bad = "health: '2' is in fatal health" },
	{ GOOD,
	  .namespaces = NAMESPACE("1", ", 'health': 'non-critical'") ", " NAMESPACE(
		  "2", "") ", " NAMESPACE("3",
	                                  ", 'health': 'critical', 'used-by': 'pid 7 has it open'"),
	  .bad = "health: '1' is in non-critical health" },
	/* In other hands. */
	{ GOOD,
	  .namespaces = NAMESPACE("1", ", 'used-by': 'mounted on /mnt'") ", " NAMESPACE(
		  "2", ", 'no-access': 'Permission denied'"),
	  .bad = "use: '1' cannot be given out: mounted on /mnt; use: '2' cannot be given out: "
	         "Permission denied" },
	/* Claims on what is gone, recreated or disabled; a clean one claims nothing. */
	{ GOOD, .namespaces = USABLE, .claims = CLAIM("1", "1", WEB) ", " CLAIM("3", "3", ""),
	  .bad = "" },
	{ GOOD, .namespaces = USABLE, .claims = CLAIM("3", "3", WEB),
	  .bad = "claim: namespace '3' of guest 'web' (uuid 00000001-0000-4000-8000-000000000003) is "
	         "not on this host: bring it back, or 'exomem pmem release --forget 3' drops the "
	         "claim" },
	{ GOOD, .namespaces = USABLE, .claims = CLAIM("3", "1", WEB),
	  .bad = "claim: namespace '1' of guest 'web' (uuid 00000001-0000-4000-8000-000000000003) was "
	         "recreated with uuid 00000001-0000-4000-8000-000000000001, without the guest's data: "
	         "'exomem pmem release --forget 1' drops the claim" },
	{ GOOD, .namespaces = USABLE ", " NAMESPACE("3", ", 'disabled': true"),
	  .claims = CLAIM("4", "3", WEB),
	  .bad = "claim: namespace '3' is disabled: 'ndctl enable-namespace namespace0.0' enables it" },
	{ GOOD, .namespaces = NAMESPACE("1", ""),
	  .bad = "pool: pmem_namespaces: label 'A': namespace '2' is not on this host" },
};

static char *print_bad(const GPtrArray *gates)
{
	g_autoptr(GString) text = g_string_new(NULL);

	for (guint i = 0; i < gates->len; i++) {
		const ExmPmemGate *gate = gates->pdata[i];

		if (!gate->ok)
			g_string_append_printf(text, "%s%s: %s", text->len ? "; " : "", gate->name,
			                       gate->text);
	}
	return g_string_free(g_steal_pointer(&text), FALSE);
}

START_TEST(rows)
{
	const Case *now = &cases[_i];
	g_autofree char *text = g_strdup_printf(
		"{'namespaces': [%s], 'claims': [%s], 'pmem-namespaces': 'A:1|2'}", now->namespaces,
		now->claims ? now->claims : "");
	g_autoptr(ExmJson) json = facts_json(text);
	g_autoptr(GError) error = NULL;
	g_autoptr(ExmPmem) pmem = exm_pmem_from_json(json, &error);
	ExmPmemHost *host = g_new0(ExmPmemHost, 1);
	g_autoptr(GPtrArray) gates = NULL;

	assert_no_error(error);
	host->kernel = g_strdup(now->kernel);
	host->modules = g_strsplit(now->modules, " ", -1);
	host->ndctl = g_strdup(now->ndctl);
	host->qemu_version = g_strdup(now->qemu);
	gates = exm_pmem_gates(host, pmem);
	assert_text_and_free(print_bad(gates), now->bad);
	exm_pmem_host_free(host);
}
END_TEST

Suite *pmem_check_suite(void)
{
	Suite *suite = suite_create("pmem_check");
	TCase *tcase = tcase_create("pmem_check");

	tcase_add_loop_test(tcase, rows, 0, G_N_ELEMENTS(cases));
	suite_add_tcase(suite, tcase);
	return suite;
}
