/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fork.c - Start children of a running guest, which goes on */

#include "op/fork.h"

#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "host/balance_note.h"
#include "host/hostinfo.h"
#include "host/place.h"
#include "host/state.h"
#include "op/admission.h"
#include "op/forking.h"
#include "op/save.h"

/**
 * exm_fork_prepared_free() - Free what was decided
 * @prepared: may be NULL
 */
void exm_fork_prepared_free(ExmForkPrepared *prepared)
{
	if (!prepared)
		return;
	if (prepared->children)
		g_ptr_array_unref(prepared->children);
	exm_fork_plan_free(prepared->plan);
	exm_fork_facts_free(prepared->facts);
	g_free(prepared);
}

/* Where the guest's own memory is; the template's directory where that is in no file. */
static char *memory_directory(const ExmSaveFacts *facts)
{
	ExmJson *first = exm_json_length(facts->vm->memory) > 0
	                         ? json_object_array_get_idx(facts->vm->memory, 0)
	                         : NULL;
	const char *path = exm_json_get_string(first, "path");

	if (!path)
		return g_strdup(facts->place->path);
	return exm_json_get_bool(first, "unnamed") ? g_strdup(path) : g_path_get_dirname(path);
}

static ExmForkFacts *read_facts(const ExmForkRequest *request, const char *guest,
                                const ExmSources *sources, GError **error)
{
	g_autoptr(ExmForkFacts) facts = exm_fork_facts_new();
	g_autofree char *directory = NULL;
	struct stat status = { 0 };

	facts->freeze = exm_save_facts_read(&request->freeze, guest, request->clone.state_directory,
	                                    sources, error);
	facts->host = facts->freeze ? exm_hostinfo_read(error) : NULL;
	if (!facts->host || !exm_state_list(request->clone.state_directory, &facts->guests, error))
		return NULL;
	directory = memory_directory(facts->freeze);
	facts->place = exm_place_look(directory);
	stat(directory, &status);
	facts->device = status.st_dev;
	facts->reflink = exm_place_can_reflink(directory);
	return g_steal_pointer(&facts);
}

static void plan_free(gpointer plan)
{
	exm_plan_free(plan);
}

/* The guest itself goes on in its heir: with its own identity. */
static void set_identity(ExmRunFacts *facts, const ExmForkPlan *plan, const ExmRunRequest *child)
{
	const ExmVm *vm = plan->freeze->vm;

	exm_facts_renew(facts);
	if (child != exm_fork_heir(plan))
		return;
	g_free(facts->uuid);
	g_free(facts->generation_id);
	facts->uuid = g_strdup(vm->uuid);
	facts->generation_id = g_strdup(vm->generation_id);
}

static bool plan_children(ExmForkPrepared *prepared, const ExmForkRequest *request,
                          const ExmCloneOrder *order, GError **error)
{
	const ExmForkPlan *plan = prepared->plan;
	const ExmTemplate *template = plan->freeze->template;
	const ExmForkFacts *facts = prepared->facts;
	g_autofree char *overlays = g_path_get_dirname(template->directory);
	ExmRunFacts run = {
		.caps = facts->freeze->caps,
		.host = facts->host,
		.place = facts->place,
		.files = plan->files,
	};
	const ExmMemoryConfig *store = request->clone.store;
	bool done;

	/* The template's own directory is not there yet. */
	if (store)
		run.capacity = exm_op_capacity_read(store, request->clone.state_directory, NULL,
		                                    error);
	done = !store || run.capacity;
	run.refusal = exm_balance_note_refusal(request->clone.state_directory);
	run.disk_place = exm_place_look(order->disk_directory ? order->disk_directory : overlays);
	done = done && exm_place_check_safe(run.disk_place, error);
	prepared->children = g_ptr_array_new_with_free_func(plan_free);
	for (guint i = 0; done && i < plan->children->len; i++) {
		const ExmRunRequest *child = plan->children->pdata[i];
		ExmPlan *planned;

		set_identity(&run, plan, child);
		planned = exm_run_plan(child, &run, error);
		done = planned;
		if (planned)
			g_ptr_array_add(prepared->children, planned);
	}
	done = done && exm_op_admit_all(prepared->children, run.capacity, error);
	exm_place_free(run.disk_place);
	exm_capacity_facts_free(run.capacity);
	g_free(run.refusal);
	g_free(run.uuid);
	g_free(run.generation_id);
	g_free(run.random);
	return done;
}

/**
 * exm_op_fork_prepare() - Decide all that a fork will do
 * @request: what the user said
 * @guest:   name of the guest
 * @order:   how children are made
 * @sources: where facts are to be had
 * @error:   any code; nothing has been done, and the guest has not noticed
 *
 * Return: what was decided (transfer full), or NULL.
 */
ExmForkPrepared *exm_op_fork_prepare(const ExmForkRequest *request, const char *guest,
                                     const ExmCloneOrder *order, const ExmSources *sources,
                                     GError **error)
{
	g_autoptr(ExmForkPrepared) prepared = g_new0(ExmForkPrepared, 1);

	prepared->facts = read_facts(request, guest, sources, error);
	prepared->plan = prepared->facts ? exm_fork_plan(request, prepared->facts, error) : NULL;
	if (!prepared->plan || !plan_children(prepared, request, order, error))
		return NULL;
	return g_steal_pointer(&prepared);
}

/* How a fork is done, undone and completed. */
const ExmFreezeKind exm_fork_kind = {
	.operation = EXM_OPERATION_FORK,
	.deed = exm_fork_deed,
	.is_done = exm_fork_is_done,
	.finish = exm_fork_finish,
};

/**
 * exm_op_fork() - Start children of a running guest, which goes on
 * @prepared:        what is to be done
 * @state_directory: where guests' directories are
 * @order:           how children are made
 * @audience:        who is told how far it is
 * @ret_forked:      what it has cost, as far as it came
 * @error:           of the step that failed; before the first child runs, the guest goes on as if
 *                   nothing had been tried
 */
bool exm_op_fork(const ExmForkPrepared *prepared, const char *state_directory,
                 const ExmCloneOrder *order, const ExmForkAudience *audience, ExmForked *ret_forked,
                 GError **error)
{
	g_autoptr(GByteArray) state = g_byte_array_new();
	ExmForked forked = { 0 };
	ExmSaved saved = { 0 };
	ExmForking fork = {
		.plan = prepared->plan,
		.children = prepared->children,
		.order = order,
		.cloned = audience->cloned,
		.forked = &forked,
		.first = { .writer = -1 },
		.heir = { .writer = -1 },
	};
	ExmFreeze freeze = {
		.kind = &exm_fork_kind,
		.plan = prepared->plan->freeze,
		.state_directory = state_directory,
		.progress = audience->progress,
		.saved = &saved,
		.devices = -1,
		.folder = -1,
		.record = -1,
		.state = state,
		.fork = &fork,
	};
	bool done;

	fork.paused = prepared->plan->paused;
	done = exm_freeze_run(&freeze, error);
	exm_expectant_clear(&fork.first);
	exm_expectant_clear(&fork.heir);
	if (freeze.writers)
		g_ptr_array_unref(freeze.writers);
	forked.devices_size = saved.devices_size;
	forked.written = saved.written;
	*ret_forked = forked;
	if (!fork.failure)
		return done;
	if (done)
		g_propagate_error(error, fork.failure);
	else
		g_error_free(fork.failure);
	return false;
}
