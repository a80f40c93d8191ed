/* SPDX-License-Identifier: GPL-2.0-or-later */
/* complete_pmem.c - Names of persistent memory for shells: labels, namespaces, and who has them */

#include "complete_pmem.h"

#include <glib.h>
#include <string.h>

#include "op/config.h"
#include "op/pmem.h"
#include "options.h"

/* What can stand behind the labels and namespaces of --pmem; exomem-run(1) */
static const char *const behind[] = {
	"ephemeral", "label-size=", "node=", "readonly", "unarmed", "uuid=", "virtio",
};

/* Who types does not want to read errors. */
static ExmPmem *read_pmem(const ExmCompletePmem *wanted)
{
	g_autofree char *directory = exm_claims_directory(wanted->claims);
	g_autoptr(ExmConfig) config = wanted->pool ? NULL
	                                           : exm_config_load(wanted->config, NULL, NULL);
	const ExmPmemSource source = {
		.pool = config ? exm_config_get(config, "pmem", "pmem_namespaces") : wanted->pool,
		.directory = directory,
	};

	return exm_op_pmem_read(&source, NULL);
}

/* One guest may have several. */
static bool is_first_of_guest(const GPtrArray *claims, guint index)
{
	const ExmClaim *claim = claims->pdata[index];

	for (guint i = 0; i < index; i++)
		if (g_strcmp0(((const ExmClaim *)claims->pdata[i])->guest, claim->guest) == 0)
			return false;
	return true;
}

static bool is_claimed(const ExmPmem *pmem, const ExmNamespace *namespace)
{
	const ExmClaim *claim = exm_pmem_claim_of(pmem, namespace);

	return claim && !exm_claim_is_clean(claim);
}

/**
 * exm_complete_pmem_release() - Who and what can be released
 * @wanted: where to look, and whom to tell
 */
void exm_complete_pmem_release(const ExmCompletePmem *wanted)
{
	g_autoptr(ExmPmem) pmem = read_pmem(wanted);

	for (guint i = 0; pmem && i < pmem->claims->len; i++) {
		const ExmClaim *claim = pmem->claims->pdata[i];

		if (claim->guest && is_first_of_guest(pmem->claims, i))
			wanted->offer(claim->guest, "guest", wanted->user);
	}
	for (guint i = 0; pmem && i < pmem->namespaces->len; i++)
		if (is_claimed(pmem, pmem->namespaces->pdata[i]))
			wanted->offer(exm_namespace_title(pmem->namespaces->pdata[i]), "namespace",
			              wanted->user);
}

/**
 * exm_complete_pmem_scrub() - What can be scrubbed
 * @wanted: where to look, and whom to tell
 */
void exm_complete_pmem_scrub(const ExmCompletePmem *wanted)
{
	g_autoptr(ExmPmem) pmem = read_pmem(wanted);

	for (guint i = 0; pmem && i < pmem->namespaces->len; i++) {
		const ExmNamespace *namespace = pmem->namespaces->pdata[i];
		g_autofree char *reason = NULL;

		if (exm_namespace_check(namespace, NULL) &&
		    exm_pmem_state(pmem, namespace, NULL, &reason) != EXM_PMEM_TAKEN)
			wanted->offer(exm_namespace_title(namespace), "namespace", wanted->user);
	}
}

static void offer_behind(const ExmCompletePmem *wanted, const char *head, const char *word,
                         const char *description)
{
	g_autofree char *whole = g_strconcat(head, word, NULL);

	wanted->offer(whole, description, wanted->user);
}

/**
 * exm_complete_pmem_spec() - What the argument of --pmem can become
 * @wanted: where to look, and whom to tell
 * @typed:  what there is of it: the words before the last comma stay
 */
void exm_complete_pmem_spec(const ExmCompletePmem *wanted, const char *typed)
{
	g_autoptr(ExmPmem) pmem = read_pmem(wanted);
	const char *comma = strrchr(typed, ',');
	g_autofree char *head = g_strndup(typed, comma ? (gsize)(comma + 1 - typed) : 0);

	for (guint i = 0; pmem && i < pmem->pool->labels->len; i++) {
		const ExmPoolLabel *label = pmem->pool->labels->pdata[i];

		offer_behind(wanted, head, label->label, label->resource_class);
	}
	for (guint i = 0; pmem && i < pmem->namespaces->len; i++)
		if (exm_namespace_check(pmem->namespaces->pdata[i], NULL))
			offer_behind(wanted, head, exm_namespace_title(pmem->namespaces->pdata[i]),
			             "namespace");
	for (size_t i = 0; comma && i < G_N_ELEMENTS(behind); i++)
		offer_behind(wanted, head, behind[i], "");
}
