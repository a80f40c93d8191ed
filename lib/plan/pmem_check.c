/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pmem_check.c - What persistent memory for guests needs, row by row */

#include "plan/pmem_check.h"

/* Nova, doc/source/admin/virtual-persistent-memory.rst, "Dependencies" */
const char *const exm_pmem_modules[] = { "dax_pmem", "nd_pmem", "device_dax", "nd_btt", NULL };

enum { KERNEL_MAJOR = 4, KERNEL_MINOR = 18, QEMU_MAJOR = 3, QEMU_MINOR = 1 };

/**
 * exm_pmem_host_free() - Free what the gates are held against
 * @host: may be NULL
 */
void exm_pmem_host_free(ExmPmemHost *host)
{
	if (!host)
		return;
	g_free(host->kernel);
	g_strfreev(host->modules);
	g_free(host->ndctl);
	g_free(host->qemu_version);
	g_free(host);
}

static void gate_free(gpointer data)
{
	ExmPmemGate *gate = data;

	g_free(gate->text);
	g_free(gate);
}

static void add(GPtrArray *gates, const char *name, bool ok, char *text)
{
	ExmPmemGate *gate = g_new0(ExmPmemGate, 1);

	gate->name = name;
	gate->ok = ok;
	gate->text = text;
	g_ptr_array_add(gates, gate);
}

static bool at_least(const char *version, guint64 major, guint64 minor)
{
	char *end;
	const guint64 one = g_ascii_strtoull(version, &end, 10);
	const guint64 two = *end == '.' ? g_ascii_strtoull(end + 1, NULL, 10) : 0;

	return one > major || (one == major && two >= minor);
}

static void add_software(GPtrArray *gates, const ExmPmemHost *host)
{
	const char *qemu = host->qemu_version;

	add(gates, "kernel", at_least(host->kernel, KERNEL_MAJOR, KERNEL_MINOR),
	    g_strdup_printf("%s, and 4.18 is needed", host->kernel));
	for (size_t i = 0; exm_pmem_modules[i]; i++) {
		const bool there = g_strv_contains((const char *const *)host->modules,
		                                   exm_pmem_modules[i]);

		add(gates, "module", there,
		    there ? g_strdup_printf("%s is there", exm_pmem_modules[i])
		          : g_strdup_printf("%s is not loaded: 'modprobe %s'", exm_pmem_modules[i],
		                            exm_pmem_modules[i]));
	}
	/* Nova runs ndctl 62; what we call of its library came with 66. */
	add(gates, "ndctl", !host->ndctl,
	    host->ndctl ? g_strdup(host->ndctl) : g_strdup("libndctl is there, of 66 or later"));
	add(gates, "qemu", qemu && at_least(qemu, QEMU_MAJOR, QEMU_MINOR),
	    qemu ? g_strdup_printf("%s, and 3.1 is needed", qemu) : g_strdup("there is no QEMU"));
}

static void add_namespaces(GPtrArray *gates, const ExmPmem *pmem)
{
	for (guint i = 0; i < pmem->namespaces->len; i++) {
		const ExmNamespace *namespace = pmem->namespaces->pdata[i];
		const ExmPoolLabel *label = exm_pool_label_of(pmem->pool, pmem->namespaces,
		                                              namespace);
		const char *reason = namespace->used_by ? namespace->used_by : namespace->no_access;

		/* What is under no label may be anybody's. */
		if (label && reason)
			add(gates, "use", false,
			    g_strdup_printf("'%s' cannot be given out: %s",
			                    exm_namespace_title(namespace), reason));
		if (label && g_strcmp0(namespace->health, "ok") != 0 && namespace->health)
			add(gates, "health", false,
			    g_strdup_printf("'%s' is in %s health", exm_namespace_title(namespace),
			                    namespace->health));
	}
}

static void add_claims(GPtrArray *gates, const ExmPmem *pmem)
{
	for (guint i = 0; i < pmem->claims->len; i++) {
		const ExmClaim *claim = pmem->claims->pdata[i];
		g_autoptr(GError) problem = NULL;
		ExmNamespace *namespace;

		if (!exm_claim_is_clean(claim) &&
		    !exm_pmem_check_claim(pmem, claim, &namespace, &problem))
			add(gates, "claim", false, g_strdup(problem->message));
	}
}

/**
 * exm_pmem_gates() - What is there of all that persistent memory for guests needs
 * @host: what there is beside it
 * @pmem: persistent memory, with a pool
 *
 * Return: of ExmPmemGate (transfer full): software first, then what is wrong with the pool, then
 * claims whose namespaces no guest can have.
 */
GPtrArray *exm_pmem_gates(const ExmPmemHost *host, const ExmPmem *pmem)
{
	GPtrArray *gates = g_ptr_array_new_with_free_func(gate_free);
	g_autoptr(GPtrArray) problems = exm_pool_problems(pmem->pool, pmem->namespaces);

	add_software(gates, host);
	if (pmem->pool->labels->len == 0)
		add(gates, "pool", true, g_strdup("pmem_namespaces is not set"));
	else if (problems->len == 0)
		add(gates, "pool", true, g_strdup("each namespace of pmem_namespaces can be used"));
	for (guint i = 0; i < problems->len; i++)
		add(gates, "pool", false, g_strdup(((const GError *)problems->pdata[i])->message));
	add_namespaces(gates, pmem);
	add_claims(gates, pmem);
	return gates;
}
