/* SPDX-License-Identifier: GPL-2.0-or-later */
/* clone.c - Start children of a template: one in this process's place, or many side by side */

#include "op/clone.h"

#include <string.h>

#include "base/error.h"
#include "host/balance_note.h"
#include "host/hostinfo.h"
#include "host/place.h"
#include "host/state.h"
#include "op/admission.h"
#include "op/children.h"
#include "op/pmem.h"
#include "op/prefetch.h"
#include "op/template.h"
#include "op/waiting.h"

/**
 * struct Clone - A clone and what it stands on
 * @use:      the template
 * @run:      facts of each child's run; the random ones are renewed for each
 * @guests:   of ExmVm, those that live
 * @children: of ExmRunRequest
 */
typedef struct {
	ExmTemplateUse *use;
	ExmRunFacts *run;
	GPtrArray *guests;
	GPtrArray *children;
} Clone;

static void clone_free(Clone *clone)
{
	if (!clone)
		return;
	if (clone->run)
		clone->run->caps = NULL;
	exm_run_facts_free(clone->run);
	if (clone->guests)
		g_ptr_array_unref(clone->guests);
	if (clone->children)
		g_ptr_array_unref(clone->children);
	exm_template_use_free(clone->use);
	g_free(clone);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Clone, clone_free)

/* Nobody else can have written to it since. */
static bool is_kept(const ExmPmem *pmem, const ExmNamespace *namespace, const ExmTemplate *template)
{
	const ExmClaim *claim = exm_pmem_claim_of(pmem, namespace);

	return claim && g_strcmp0(claim->template, template->directory) == 0;
}

/* By its namespace: the kernel may call the device otherwise after a restart. */
static bool find_device(const ExmTemplate *template, ExmRunFacts *facts, GError **error)
{
	ExmTemplateMemory *memory = template->memory->pdata[0];
	const ExmPmemSource source = { .directory = memory->claims };
	const ExmNamespace *namespace;

	facts->pmem = exm_op_pmem_read(&source, error);
	if (!facts->pmem)
		return false;
	namespace = exm_namespaces_find_uuid(facts->pmem->namespaces, memory->namespace);
	if (!namespace || !namespace->path)
		return exm_throw(error, EXM_ERROR_STATE,
		                 "its memory, namespace '%s', is no device of this host now: 'exomem pmem "
		                 "list' shows those",
		                 memory->namespace);
	if (!is_kept(facts->pmem, namespace, template))
		return exm_throw(error, EXM_ERROR_STATE,
		                 "its memory, namespace '%s', was not kept for it: it was released, or "
		                 "the template moved",
		                 exm_namespace_title(namespace));
	g_free(memory->path);
	memory->path = g_strdup(namespace->path);
	facts->place = exm_place_look(namespace->path);
	return true;
}

/* All memory files are in one directory: they were made by one -mem-path. */
static bool read_run_facts(Clone *clone, const ExmCloneRequest *request, const ExmCloneOrder *order,
                           GError **error)
{
	const ExmTemplate *template = clone->use->template;
	const ExmTemplateMemory *first = template->memory->pdata[0];
	g_autofree char *path = exm_template_path(template, first->path);
	g_autofree char *directory = g_path_get_dirname(path);
	ExmRunFacts *facts = exm_run_facts_new();

	clone->run = facts;
	facts->caps = clone->use->caps;
	facts->host = exm_hostinfo_read(error);
	if (!facts->host)
		return false;
	facts->refusal = exm_balance_note_refusal(request->state_directory);
	if (request->store) {
		facts->capacity = exm_op_capacity_read(request->store, request->state_directory,
		                                       NULL, error);
		if (!facts->capacity)
			return false;
	}
	if (first->namespace) {
		exm_facts_read_claimant(facts, request->state_directory);
		if (find_device(template, facts, error))
			return true;
		g_prefix_error(error, "template '%s': ", template->name);
		return false;
	}
	facts->place = exm_place_look(directory);
	if (template->disks->len > 0)
		facts->disk_place = exm_place_look(order->disk_directory ? order->disk_directory
		                                                         : template->directory);
	for (guint i = 0; i < template->memory->len; i++) {
		const ExmTemplateMemory *memory = template->memory->pdata[i];
		g_autofree char *file = exm_template_path(template, memory->path);

		g_ptr_array_add(facts->files, exm_file_look(file));
	}
	return true;
}

/* The directory of a template that is trusted is trusted too. */
static bool check_disk_place(const ExmPlace *place, const ExmCloneOrder *order, GError **error)
{
	if (!place)
		return true;
	if (place->kind == EXM_PLACE_DIRECTORY && place->writable)
		return (order->trust && !order->disk_directory) || exm_place_check_safe(place, error);
	return exm_throw(error, EXM_ERROR_USAGE,
	                 "'%s' is not a directory that overlays can be made in: name one by '--disks'",
	                 place->path);
}

/* The template and all that is so, before it is decided which children there will be. */
static Clone *clone_open(const ExmCloneRequest *request, const ExmCloneOrder *order,
                         const ExmSources *sources, GError **error)
{
	g_autoptr(Clone) clone = g_new0(Clone, 1);
	ExmTemplateLeniency leniency = { .other_qemu = sources->qemu };

	clone->use = exm_op_template_open(order->directory, sources, order->trust, error);
	if (!clone->use)
		return NULL;
	leniency.trust = exm_template_is_trusted(clone->use->template, order->trust);
	if (!exm_template_check_or_throw(clone->use->template, clone->use->facts, &leniency, error) ||
	    !read_run_facts(clone, request, order, error) ||
	    !check_disk_place(clone->run->disk_place, order, error) ||
	    !exm_state_list(request->state_directory, &clone->guests, error))
		return NULL;
	return g_steal_pointer(&clone);
}

static bool choose_children(Clone *clone, const ExmCloneRequest *request, GError **error)
{
	const ExmCloneFacts facts = {
		.template = clone->use->template,
		.caps = clone->use->caps,
		.host = clone->run->host,
		.place = clone->run->place,
		.guests = clone->guests,
	};

	if (clone->children)
		g_ptr_array_unref(clone->children);
	clone->children = exm_clone_children(request, &facts, error);
	return clone->children;
}

static ExmPlan *plan_child(const Clone *clone, guint index, GError **error)
{
	exm_facts_renew(clone->run);
	return exm_run_plan(clone->children->pdata[index], clone->run, error);
}

/* Where there is nothing that could be read before them, they start all the same. */
static char *find_recording(const Clone *clone, const ExmCloneOrder *order, ExmWarn warn,
                            bool *ret_scattered)
{
	const ExmTemplate *template = clone->use->template;
	g_autoptr(GError) reason = NULL;
	g_autoptr(ExmPrefetch)
		recording = order->prefetch ? exm_prefetch_read_beside(template, &reason) : NULL;
	g_autofree char *warning =
		reason ? g_strconcat("nothing is read before the guest: ", reason->message, NULL)
		       : NULL;

	if (warning)
		warn(warning);
	*ret_scattered = recording && exm_prefetch_is_scattered(recording);
	return recording ? exm_template_path(template, EXM_TEMPLATE_PREFETCH) : NULL;
}

/**
 * exm_op_plan_clone() - Plan a clone and stop there
 * @request: what the user said
 * @order:   how children are made
 * @sources: where facts are to be had
 * @show:    called with the plan of the first child
 * @warn:    called for each warning that is of none
 * @error:   any code; nothing was done
 */
bool exm_op_plan_clone(const ExmCloneRequest *request, const ExmCloneOrder *order,
                       const ExmSources *sources, ExmPlanned show, ExmWarn warn, GError **error)
{
	g_autoptr(Clone) clone = clone_open(request, order, sources, error);
	ExmCloneRequest whole = *request;
	g_autofree char *recording = clone ? find_recording(clone, order, warn, &whole.exact_reads)
	                                   : NULL;
	g_autoptr(ExmPlan) plan = NULL;

	whole.prefetch = recording;
	plan = clone && choose_children(clone, &whole, error) ? plan_child(clone, 0, error) : NULL;
	if (!plan)
		return false;
	show(plan);
	return true;
}

static void plan_free(gpointer plan)
{
	exm_plan_free(plan);
}

static bool start_children(Clone *clone, const ExmCloneRequest *request, const ExmCloneOrder *order,
                           ExmWarn warn, ExmCloned cloned, GError **error)
{
	g_autoptr(GPtrArray) plans = g_ptr_array_new_with_free_func(plan_free);

	if (request->count == 0)
		return true;
	if (!choose_children(clone, request, error))
		return false;
	for (guint i = 0; i < clone->children->len; i++) {
		ExmPlan *plan = plan_child(clone, i, error);

		if (!plan)
			return false;
		g_ptr_array_add(plans, plan);
	}
	if (!exm_op_admit_all(plans, clone->run->capacity, error))
		return false;
	if (!request->detach)
		return exm_act(plans->pdata[0], request->state_directory, 0, warn, error);
	return exm_children_start(plans, request->state_directory, order, cloned, error);
}

static bool take_waiting(const Clone *clone, ExmCloneRequest *request, const ExmCloneOrder *order,
                         ExmCloned cloned, GError **error)
{
	g_autoptr(GError) problem = NULL;
	guint count = 0;

	if (order->take_waiting)
		count = exm_waiting_run(clone->guests, clone->use->template, request, cloned,
		                        &problem);
	request->count -= count;
	if (count > 0 && request->prefetch) {
		exm_prefetch_follow_children(clone->use->template, request->state_directory);
		request->prefetch = NULL;
	}
	if (!problem)
		return true;
	g_propagate_error(error, g_steal_pointer(&problem));
	return false;
}

/* Leaves as many children waiting as are wanted. */
static bool offer_more(Clone *clone, const ExmCloneRequest *request, const ExmCloneOrder *order,
                       ExmWarn warn, ExmCloned cloned, GError **error)
{
	g_autofree char *shape = exm_clone_shape(request);
	ExmCloneRequest more = *request;
	ExmCloneOrder unattended = *order;
	guint there;

	if (order->warm == 0)
		return true;
	g_ptr_array_unref(g_steal_pointer(&clone->guests));
	if (!exm_state_list(request->state_directory, &clone->guests, error))
		return false;
	there = exm_waiting_count(clone->guests, clone->use->template, shape);
	more.count = order->warm > there ? order->warm - there : 0;
	more.name = NULL;
	more.detach = true;
	/* They run when they are taken, and not before. */
	more.paused = true;
	more.waiting = true;
	more.offered = true;
	unattended.attach = false;
	return start_children(clone, &more, &unattended, warn, cloned, error);
}

static void say_nothing(G_GNUC_UNUSED const char *name)
{
}

/**
 * exm_op_clone() - Start children of a template
 * @request:    what the user said
 * @order:      how
 * @sources:    where facts are to be had
 * @warn:       called for each warning
 * @cloned:     called for each child that runs and lives on its own; where no child shall run, for
 *              each that waits
 * @error:      of the first that failed; of children that were attended to, the worst one's exit
 *              status
 *
 * A child in the foreground is this process: there is no return then.
 */
bool exm_op_clone(const ExmCloneRequest *request, const ExmCloneOrder *order,
                  const ExmSources *sources, ExmWarn warn, ExmCloned cloned, GError **error)
{
	g_autoptr(Clone) clone = clone_open(request, order, sources, error);
	ExmCloneRequest rest = *request;
	g_autofree char *recording = clone ? find_recording(clone, order, warn, &rest.exact_reads)
	                                   : NULL;

	rest.prefetch = recording;
	return clone && take_waiting(clone, &rest, order, cloned, error) &&
	       start_children(clone, &rest, order, warn, cloned, error) &&
	       offer_more(clone, request, order, warn, request->count > 0 ? say_nothing : cloned,
	                  error);
}
