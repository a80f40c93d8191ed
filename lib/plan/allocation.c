/* SPDX-License-Identifier: GPL-2.0-or-later */
/* allocation.c - Which namespaces of persistent memory a guest gets: all it asked for, or none */

#include "plan/allocation.h"

#include <string.h>

#include "base/error.h"
#include "base/size.h"

static void allocation_free(gpointer data)
{
	ExmAllocation *allocation = data;

	g_free(allocation->why);
	g_free(allocation);
}

static bool is_chosen(const GPtrArray *chosen, const ExmNamespace *namespace)
{
	for (guint i = 0; i < chosen->len; i++)
		if (((const ExmAllocation *)chosen->pdata[i])->namespace == namespace)
			return true;
	return false;
}

static ExmAllocation *choose(GPtrArray *chosen, const ExmNamespace *namespace, const char *label,
                             ExmPmemState state)
{
	ExmAllocation *allocation = g_new0(ExmAllocation, 1);

	allocation->namespace = namespace;
	allocation->label = label;
	allocation->dirty = state == EXM_PMEM_DIRTY;
	allocation->own = state == EXM_PMEM_OWN;
	g_ptr_array_add(chosen, allocation);
	return allocation;
}

/* What a saved guest's devices know of its memory must stay so until it goes on. */
static bool check_template(const ExmAllocationInput *in, const ExmNamespace *namespace, GError **error)
{
	const ExmClaim *claim = exm_pmem_claim_of(in->pmem, namespace);

	return !claim->template || g_strcmp0(claim->template, in->claimant->template) == 0 ||
	       exm_pmem_throw_saved(claim, namespace, error);
}

/* The guest's data may end where it thinks that they go on. */
static bool check_size(const ExmAllocationInput *in, const ExmNamespace *namespace, GError **error)
{
	const ExmClaim *claim = exm_pmem_claim_of(in->pmem, namespace);
	g_autofree char *now = exm_size_print(namespace->size);
	g_autofree char *then = exm_size_print(claim->size);

	return claim->size == namespace->size ||
	       exm_throw(error, EXM_ERROR_STATE,
	                 "namespace '%s' has %s now, and had %s when guest '%s' got it: give it that "
	                 "size again, or wipe it by 'exomem pmem release %s'",
	                 exm_namespace_title(namespace), now, then, claim->guest,
	                 exm_namespace_title(namespace));
}

/* The guest's namespace among those of a label that comes first in it and is not in use again yet. */
static const ExmNamespace *find_own(const ExmAllocationInput *in, const GPtrArray *own,
                                    const GPtrArray *chosen)
{
	const ExmNamespace *found = NULL;
	uint64_t first = G_MAXUINT64;

	for (guint i = 0; i < own->len; i++) {
		const ExmNamespace *namespace = own->pdata[i];
		const ExmClaim *claim = exm_pmem_claim_of(in->pmem, namespace);
		g_autofree char *reason = NULL;

		if (!claim || is_chosen(chosen, namespace) ||
		    exm_pmem_state(in->pmem, namespace, in->claimant, &reason) != EXM_PMEM_OWN)
			continue;
		if (claim->order < first) {
			found = namespace;
			first = claim->order;
		}
	}
	return found;
}

static bool is_near(const ExmAllocationInput *in, const ExmNamespace *namespace)
{
	return in->on_node && namespace->on_node && namespace->node == in->node;
}

/* Whether a namespace is what the guest wants rather than the best so far. */
static bool is_better(const ExmAllocationInput *in, const ExmNamespace *one, bool one_dirty,
                      const ExmNamespace *best, bool best_dirty)
{
	if (is_near(in, one) != is_near(in, best))
		return is_near(in, one);
	if (one->size != best->size)
		return one->size < best->size;
	if (one_dirty != best_dirty)
		return best_dirty;
	return strcmp(exm_namespace_title(one), exm_namespace_title(best)) < 0;
}

static char *explain(const ExmAllocationInput *in, const ExmNamespace *namespace, bool dirty,
                     guint count)
{
	g_autofree char *place = is_near(in, namespace)
	                                 ? g_strdup_printf("on node %" G_GUINT64_FORMAT
	                                                   " as the guest's memory, ",
	                                                   namespace->node)
	                                 : g_strdup("");
	const char *scrub = dirty ? ", after a scrub" : "";

	if (count == 1)
		return g_strdup_printf("%sthe only one free%s", place, scrub);
	return g_strdup_printf("%sthe smallest and first by name of %u free%s", place, count, scrub);
}

/* What became of each namespace of a label that cannot be had. */
static char *list_taken(const ExmAllocationInput *in, const GPtrArray *own, const GPtrArray *chosen)
{
	g_autoptr(GString) list = g_string_new(NULL);

	for (guint i = 0; i < own->len; i++) {
		const ExmNamespace *namespace = own->pdata[i];
		g_autofree char *reason = NULL;

		exm_pmem_state(in->pmem, namespace, in->claimant, &reason);
		if (is_chosen(chosen, namespace))
			continue;
		g_string_append_printf(list, "%s'%s': %s", list->len ? "; " : "",
		                       exm_namespace_title(namespace), reason);
	}
	return g_string_free(g_steal_pointer(&list), FALSE);
}

static guint count_wanted(const GPtrArray *wanted, const char *label)
{
	guint count = 0;

	for (guint i = 0; i < wanted->len; i++)
		count += strcmp(wanted->pdata[i], label) == 0;
	return count;
}

static bool throw_exhausted(const ExmAllocationInput *in, const ExmPoolLabel *label,
                            const GPtrArray *wanted, const GPtrArray *own, const GPtrArray *chosen,
                            GError **error)
{
	g_autofree char *taken = list_taken(in, own, chosen);
	guint free = 0;

	for (guint i = 0; i < chosen->len; i++)
		free += g_strcmp0(((const ExmAllocation *)chosen->pdata[i])->label, label->label) ==
		        0;
	return exm_throw(error, EXM_ERROR_NO_ROOM, "label '%s': %u wanted, %u free of %u%s%s",
	                 label->label, count_wanted(wanted, label->label), free, own->len,
	                 *taken ? ": " : "", taken);
}

static bool choose_labelled(const ExmAllocationInput *in, const ExmPoolLabel *label,
                            const GPtrArray *wanted, GPtrArray *chosen, GError **error)
{
	g_autoptr(GPtrArray) own = exm_pool_label_namespaces(label, in->pmem->namespaces);
	const ExmNamespace *best = find_own(in, own, chosen);
	bool best_dirty = false;
	guint count = 0;

	if (best) {
		choose(chosen, best, label->label, EXM_PMEM_OWN)->why = g_strdup("its own");
		return check_template(in, best, error) && check_size(in, best, error);
	}
	for (guint i = 0; i < own->len; i++) {
		const ExmNamespace *namespace = own->pdata[i];
		g_autofree char *reason = NULL;
		const ExmPmemState state = exm_pmem_state(in->pmem, namespace, in->claimant, &reason);
		const bool dirty = state == EXM_PMEM_DIRTY;

		g_assert(namespace);
		if (is_chosen(chosen, namespace) || (state != EXM_PMEM_FREE && !dirty))
			continue;
		if (++count == 1 || is_better(in, namespace, dirty, best, best_dirty)) {
			best = namespace;
			best_dirty = dirty;
		}
	}
	if (count == 0)
		return throw_exhausted(in, label, wanted, own, chosen, error);
	choose(chosen, best, label->label, best_dirty ? EXM_PMEM_DIRTY : EXM_PMEM_FREE)->why =
		explain(in, best, best_dirty, count);
	return true;
}

static bool choose_named(const ExmAllocationInput *in, const ExmNamespace *namespace,
                         GPtrArray *chosen, GError **error)
{
	const char *title = exm_namespace_title(namespace);
	g_autofree char *reason = NULL;
	ExmPmemState state;

	if (is_chosen(chosen, namespace))
		return exm_throw(error, EXM_ERROR_USAGE, "namespace '%s' is wanted twice", title);
	if (!exm_namespace_check(namespace, error))
		return false;
	state = exm_pmem_state(in->pmem, namespace, in->claimant, &reason);
	if (state == EXM_PMEM_TAKEN)
		return exm_throw(error, EXM_ERROR_STATE, "namespace '%s' cannot be had: %s", title,
		                 reason);
	if (state == EXM_PMEM_OWN &&
	    (!check_template(in, namespace, error) || !check_size(in, namespace, error)))
		return false;
	choose(chosen, namespace, NULL, state)->why = g_strdup(state == EXM_PMEM_OWN ? "its own"
	                                                       : state == EXM_PMEM_DIRTY
	                                                               ? "named, after a scrub"
	                                                               : "named");
	return true;
}

/* A name that is none was probably meant to be a label. */
static bool prefix_label(const ExmPool *pool, const char *word, GError **error)
{
	g_autofree const char **labels = g_new0(const char *, pool->labels->len + 1);
	const char *near;

	for (guint i = 0; i < pool->labels->len; i++)
		labels[i] = ((const ExmPoolLabel *)pool->labels->pdata[i])->label;
	near = exm_nearest(word, labels, pool->labels->len);
	g_prefix_error(error, "'%s' is no label of pmem_namespaces%s%s%s, and ", word,
	               near ? " (did you mean '" : "", near ? near : "", near ? "'?)" : "");
	return false;
}

static bool find_named(const ExmAllocationInput *in, const char *word, ExmNamespace **ret_namespace,
                       GError **error)
{
	const GPtrArray *namespaces = in->pmem->namespaces;

	if (*word != '/') {
		if (exm_namespaces_find(namespaces, word, ret_namespace, error))
			return true;
		return prefix_label(in->pmem->pool, word, error);
	}
	*ret_namespace = exm_namespaces_find_path(namespaces, word);
	return *ret_namespace ||
	       exm_throw(error, EXM_ERROR_USAGE,
	                 "'%s' is not the device of a namespace of this host: 'exomem pmem list' "
	                 "shows those; a file is named by 'file:PATH'",
	                 word);
}

static bool is_named(const ExmAllocationInput *in, const ExmNamespace *namespace,
                     const GPtrArray *wanted)
{
	for (guint i = 0; i < wanted->len; i++) {
		const char *word = wanted->pdata[i];
		ExmNamespace *named = NULL;

		if (exm_pool_find(in->pmem->pool, word))
			continue;
		if (*word == '/')
			named = exm_namespaces_find_path(in->pmem->namespaces, word);
		else
			exm_namespaces_find(in->pmem->namespaces, word, &named, NULL);
		if (named == namespace)
			return true;
	}
	return false;
}

/* What came by a label is under it still, or the guest names it. A child has no pool. */
static bool check_label(const ExmAllocationInput *in, const ExmClaim *claim,
                        const ExmNamespace *namespace, const GPtrArray *wanted, GError **error)
{
	const ExmPmem *pmem = in->pmem;
	const ExmPoolLabel *label = exm_pool_label_of(pmem->pool, pmem->namespaces, namespace);
	const char *title = exm_namespace_title(namespace);

	if (!claim->label || in->claimant->template ||
	    (label && strcmp(label->label, claim->label) == 0) || is_named(in, namespace, wanted))
		return true;
	return exm_throw(error, EXM_ERROR_STATE,
	                 "namespace '%s' of guest '%s' is not under label '%s' of pmem_namespaces any "
	                 "more: put it back there, ask for it by '--pmem %s', or wipe it by 'exomem "
	                 "pmem release %s'",
	                 title, claim->guest, claim->label, title, title);
}

/* Of a guest of the same name in a state directory that was at the same path in this boot. */
static bool check_state_directory(const ExmAllocationInput *in, const ExmClaim *claim, GError **error)
{
	return g_strcmp0(claim->guest, in->claimant->guest) != 0 ||
	       g_strcmp0(claim->state_directory, in->claimant->state_directory) != 0 ||
	       exm_throw(error, EXM_ERROR_STATE,
	                 "namespace '%s' is of guest '%s' of an earlier state directory '%s': 'exomem "
	                 "pmem adopt %s' gives it to this guest, 'exomem pmem release %s' wipes it",
	                 claim->namespace, claim->guest, claim->state_directory, claim->guest,
	                 claim->namespace);
}

/**
 * exm_allocations_check_claims() - Refuse a guest that cannot have again what it had
 * @in:     the situation
 * @wanted: as for exm_allocations_choose()
 * @error:  STATE or UNSUPPORTED, with the claim, what is wrong with its namespace, and what to do
 *
 * In place of its data such a guest would get another namespace, an empty one, and take that for
 * its own. A claim of a start whose guest never ran, and one on what is wiped, hold nothing.
 */
bool exm_allocations_check_claims(const ExmAllocationInput *in, const GPtrArray *wanted,
                                  GError **error)
{
	for (guint i = 0; i < in->pmem->claims->len; i++) {
		const ExmClaim *claim = in->pmem->claims->pdata[i];
		ExmNamespace *namespace;

		if (exm_claim_waits(claim) || exm_pmem_is_unused(in->pmem, claim))
			continue;
		if (!exm_claim_is_of(claim, in->claimant)) {
			if (!check_state_directory(in, claim, error))
				return false;
			continue;
		}
		if (!exm_pmem_check_claim(in->pmem, claim, &namespace, error) ||
		    !check_label(in, claim, namespace, wanted, error))
			return false;
	}
	return true;
}

/**
 * exm_allocations_choose() - Choose namespaces for a guest
 * @in:     the situation
 * @wanted: of char *: labels, or names, uuids or devices of namespaces, in the guest's order
 * @error:  NO_ROOM where a label has no more; STATE where a named one is in use, or one changed its
 *          size; USAGE and UNSUPPORTED where one is none
 *
 * What is named is set aside first. For a label a guest gets those again that it had; then those
 * on the node of its memory come first, then the smallest, then those that need no scrub, then by
 * name.
 *
 * Return: of ExmAllocation (transfer full), in the order of @wanted; or NULL.
 */
GPtrArray *exm_allocations_choose(const ExmAllocationInput *in, const GPtrArray *wanted,
                                  GError **error)
{
	g_autoptr(GPtrArray) chosen = g_ptr_array_new_with_free_func(allocation_free);
	g_autoptr(GPtrArray) sorted = g_ptr_array_new_with_free_func(allocation_free);
	g_autoptr(GArray) places = g_array_new(FALSE, FALSE, sizeof(guint));

	for (guint pass = 0; pass < 2; pass++) {
		for (guint i = 0; i < wanted->len; i++) {
			const ExmPoolLabel *label = exm_pool_find(in->pmem->pool, wanted->pdata[i]);
			ExmNamespace *namespace;

			if ((pass == 0) == (label != NULL))
				continue;
			if (label ? !choose_labelled(in, label, wanted, chosen, error)
			          : !find_named(in, wanted->pdata[i], &namespace, error) ||
			                    !choose_named(in, namespace, chosen, error))
				return NULL;
			g_array_append_val(places, i);
		}
	}
	g_ptr_array_set_size(sorted, (gint)chosen->len);
	for (guint i = 0; i < chosen->len; i++)
		sorted->pdata[g_array_index(places, guint, i)] = g_steal_pointer(&chosen->pdata[i]);
	g_ptr_array_set_free_func(chosen, NULL);
	return g_steal_pointer(&sorted);
}
