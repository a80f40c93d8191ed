/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pmem.c - The persistent memory of a host: what is free, and what Nova would report of it */

#include "plan/pmem.h"

#include "base/error.h"

static void namespace_free(gpointer namespace)
{
	exm_namespace_free(namespace);
}

static void claim_free(gpointer claim)
{
	exm_claim_free(claim);
}

/**
 * exm_pmem_new() - A host without persistent memory
 *
 * Return: it (transfer full); its pool is NULL until it is set.
 */
ExmPmem *exm_pmem_new(void)
{
	ExmPmem *pmem = g_new0(ExmPmem, 1);

	pmem->namespaces = g_ptr_array_new_with_free_func(namespace_free);
	pmem->claims = g_ptr_array_new_with_free_func(claim_free);
	return pmem;
}

/**
 * exm_pmem_free() - Free what is known of persistent memory
 * @pmem: may be NULL
 */
void exm_pmem_free(ExmPmem *pmem)
{
	if (!pmem)
		return;
	g_ptr_array_unref(pmem->namespaces);
	g_ptr_array_unref(pmem->claims);
	exm_pool_free(pmem->pool);
	g_free(pmem);
}

static bool read_namespaces(ExmPmem *pmem, ExmJson *array, GError **error)
{
	for (size_t i = 0; array && i < exm_json_length(array); i++) {
		ExmNamespace *namespace = exm_namespace_from_json(
			json_object_array_get_idx(array, i), error);

		if (!namespace)
			return false;
		g_ptr_array_add(pmem->namespaces, namespace);
	}
	exm_namespaces_sort(pmem->namespaces);
	return true;
}

static bool read_claims(ExmPmem *pmem, ExmJson *array, GError **error)
{
	for (size_t i = 0; array && i < exm_json_length(array); i++) {
		ExmClaim *claim = exm_claim_from_json(json_object_array_get_idx(array, i), error);

		if (!claim)
			return false;
		g_ptr_array_add(pmem->claims, claim);
	}
	return true;
}

/**
 * exm_pmem_from_json() - Recorded persistent memory, for tests
 * @json:  an object with "namespaces", "claims" and "pmem-namespaces"
 * @error: SYSTEM where it cannot be read; USAGE for the pool
 *
 * Return: it (transfer full), or NULL.
 */
ExmPmem *exm_pmem_from_json(ExmJson *json, GError **error)
{
	g_autoptr(ExmPmem) pmem = exm_pmem_new();

	if (!read_namespaces(pmem, exm_json_member(json, "namespaces"), error) ||
	    !read_claims(pmem, exm_json_member(json, "claims"), error))
		return NULL;
	pmem->pool = exm_pool_parse(exm_json_get_string(json, "pmem-namespaces"), error);
	return pmem->pool ? g_steal_pointer(&pmem) : NULL;
}

/**
 * exm_pmem_claim_of() - What is remembered of a namespace
 * @pmem:      persistent memory
 * @namespace: a namespace
 *
 * Return: the claim (borrowed), or NULL where it is free and clean.
 */
const ExmClaim *exm_pmem_claim_of(const ExmPmem *pmem, const ExmNamespace *namespace)
{
	for (guint i = 0; namespace->uuid && i < pmem->claims->len; i++) {
		const ExmClaim *claim = pmem->claims->pdata[i];

		if (g_str_equal(claim->uuid, namespace->uuid))
			return claim;
	}
	return NULL;
}

static char *describe_user(const ExmNamespace *namespace, const ExmClaim *claim)
{
	if (claim && claim->guest && namespace->locked_by)
		return g_strdup_printf("guest '%s' runs on it", claim->guest);
	if (namespace->locked_by)
		return g_strdup_printf("pid %" G_GUINT64_FORMAT " holds it", namespace->locked_by);
	if (namespace->used_by)
		return g_strdup(namespace->used_by);
	return g_strdup(namespace->no_access);
}

/* A guest of the same name is told apart by its state directory. */
static char *describe_owner(const ExmClaim *claim, const ExmClaimant *claimant)
{
	g_autofree char *place = NULL;

	if (claimant && g_strcmp0(claim->guest, claimant->guest) == 0)
		place = g_strdup_printf(" of state directory '%s'", claim->state_directory);
	return g_strdup_printf("guest '%s'%s has it, also while it does not run", claim->guest,
	                       place ? place : "");
}

/**
 * exm_pmem_state() - What a namespace is to a guest
 * @pmem:       persistent memory
 * @namespace:  a namespace that exm_namespace_check() lets pass
 * @claimant:   the guest, or NULL for one that has nothing
 * @ret_reason: (transfer full): why it cannot be had, in a few words; NULL where it can
 *
 * A claim of a guest that has ended keeps its namespace, for its data; only an ephemeral one ends
 * with the guest. What nothing is remembered of may hold anybody's data.
 */
ExmPmemState exm_pmem_state(const ExmPmem *pmem, const ExmNamespace *namespace,
                            const ExmClaimant *claimant, char **ret_reason)
{
	const ExmClaim *claim = exm_pmem_claim_of(pmem, namespace);

	*ret_reason = describe_user(namespace, claim);
	if (*ret_reason)
		return EXM_PMEM_TAKEN;
	if (!claim || exm_claim_waits(claim))
		return EXM_PMEM_DIRTY;
	if (exm_claim_is_clean(claim))
		return claim->size == namespace->size ? EXM_PMEM_FREE : EXM_PMEM_DIRTY;
	if (claimant && exm_claim_is_of(claim, claimant))
		return EXM_PMEM_OWN;
	if (exm_pmem_is_unused(pmem, claim))
		return EXM_PMEM_DIRTY;
	*ret_reason = describe_owner(claim, claimant);
	return EXM_PMEM_TAKEN;
}

/**
 * exm_pmem_is_unused() - Check whether a claim is of a start whose guest was never seen to run
 * @pmem:  persistent memory
 * @claim: a claim
 *
 * Whether that guest has left data all the same is to be looked up in the namespace.
 */
bool exm_pmem_is_unused(const ExmPmem *pmem, const ExmClaim *claim)
{
	const ExmNamespace *namespace = exm_namespaces_find_uuid(pmem->namespaces, claim->uuid);

	return claim->start && !claim->template && !(namespace && namespace->locked_by);
}

static bool throw_lost(const ExmClaim *claim, const char *reason, GError **error)
{
	return exm_throw(error, EXM_ERROR_STATE,
	                 "namespace '%s' of guest '%s' (uuid %s) %s 'exomem pmem release --forget %s' "
	                 "drops the claim",
	                 claim->namespace, claim->guest ? claim->guest : "-", claim->uuid, reason,
	                 claim->namespace);
}

/**
 * exm_pmem_check_claim() - Find the namespace of a claim, as a guest can have it
 * @pmem:          persistent memory
 * @claim:         a claim
 * @ret_namespace: the namespace (borrowed)
 * @error:         STATE where it is gone: not on this host, or recreated; UNSUPPORTED where it is
 * here and is no device, as a disabled one
 *
 * A disabled namespace has not the uuid that it has as a device, which is in the header of its data
 * (Linux, drivers/nvdimm/pfn_devs.c, nd_pfn_validate()); its name tells which it is.
 */
bool exm_pmem_check_claim(const ExmPmem *pmem, const ExmClaim *claim, ExmNamespace **ret_namespace,
                          GError **error)
{
	ExmNamespace *found = exm_namespaces_find_uuid(pmem->namespaces, claim->uuid);
	g_autofree char *reason = NULL;

	if (!found)
		exm_namespaces_find(pmem->namespaces, claim->namespace, &found, NULL);
	if (!found)
		return throw_lost(claim, "is not on this host: bring it back, or", error);
	if (g_strcmp0(found->uuid, claim->uuid) != 0 && !found->disabled) {
		reason = g_strdup_printf("was recreated with uuid %s, without the guest's data:",
		                         found->uuid ? found->uuid : "none");
		return throw_lost(claim, reason, error);
	}
	if (!exm_namespace_check(found, error))
		return false;
	*ret_namespace = found;
	return true;
}

/**
 * exm_pmem_is_gone() - Check whether the namespace of a claim is not on this host any more
 * @pmem:  persistent memory
 * @claim: a claim
 */
bool exm_pmem_is_gone(const ExmPmem *pmem, const ExmClaim *claim)
{
	ExmNamespace *namespace;
	g_autoptr(GError) reason = NULL;

	return !exm_pmem_check_claim(pmem, claim, &namespace, &reason) &&
	       g_error_matches(reason, EXM_ERROR, EXM_ERROR_STATE);
}

/**
 * exm_pmem_throw_saved() - Refuse to change what a saved guest goes on in
 * @claim:     with a template
 * @namespace: of it
 * @error:     STATE
 *
 * Return: false.
 */
bool exm_pmem_throw_saved(const ExmClaim *claim, const ExmNamespace *namespace, GError **error)
{
	return exm_throw(error, EXM_ERROR_STATE,
	                 "namespace '%s' is the memory of template '%s': 'exomem clone' goes on in it, "
	                 "'exomem template remove' gives it up",
	                 exm_namespace_title(namespace), claim->template);
}

/* Given to a guest, or in the hands of another process; waiting for a scrub that somebody began. */
static void count_label(const ExmPmem *pmem, const GPtrArray *own, uint64_t *used, uint64_t *reserved)
{
	for (guint i = 0; i < own->len; i++) {
		const ExmNamespace *namespace = own->pdata[i];
		const ExmClaim *claim = exm_pmem_claim_of(pmem, namespace);

		if (namespace->locked_by || namespace->used_by ||
		    (claim && claim->guest && !exm_claim_waits(claim) &&
		     !exm_pmem_is_unused(pmem, claim)))
			(*used)++;
		else if (claim && exm_claim_waits(claim))
			(*reserved)++;
	}
}

/**
 * exm_pmem_inventory() - What Nova would report to placement of each label
 * @pmem: persistent memory, with a pool that exm_pool_check() lets pass
 *
 * nova/virt/libvirt/driver.py, _update_provider_tree_for_vpmems(): as many units as namespaces, one
 * by one, nothing reserved and no overcommit. What waits to be scrubbed we do reserve, because
 * nobody can have it now.
 *
 * Return: an array of objects (transfer full), described in exomem-pmem(1).
 */
ExmJson *exm_pmem_inventory(const ExmPmem *pmem)
{
	ExmJson *array = json_object_new_array();

	for (guint i = 0; i < pmem->pool->labels->len; i++) {
		const ExmPoolLabel *label = pmem->pool->labels->pdata[i];
		g_autoptr(GPtrArray) own = exm_pool_label_namespaces(label, pmem->namespaces);
		ExmJson *item = json_object_new_object();
		uint64_t used = 0, reserved = 0;

		count_label(pmem, own, &used, &reserved);
		exm_json_set_string(item, "resource_class", label->resource_class);
		exm_json_set_string(item, "label", label->label);
		json_object_object_add(item, "allocation_ratio",
		                       json_object_new_double_s(1.0, "1.0"));
		exm_json_set_uint(item, "max_unit", own->len);
		exm_json_set_uint(item, "reserved", reserved);
		exm_json_set_uint(item, "step_size", 1);
		exm_json_set_uint(item, "min_unit", 1);
		exm_json_set_uint(item, "total", own->len);
		exm_json_set_uint(item, "used", used);
		json_object_array_add(array, item);
	}
	return array;
}
