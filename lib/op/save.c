/* SPDX-License-Identifier: GPL-2.0-or-later */
/* save.c - Freeze a guest into a template; until that is whole, the guest can go on */

#include "op/save.h"

#include <errno.h>
#include <unistd.h>

#include "host/state.h"
#include "op/freeze.h"

/* Whether the template has its place; only the rename can say whether it came to that. */
static bool is_committed(const ExmFreeze *freeze, guint begun)
{
	for (guint i = 0; i < begun; i++) {
		const ExmStep *step = freeze->plan->steps->pdata[i];

		if (step->kind == EXM_STEP_COMMIT)
			return access(freeze->plan->temporary, F_OK) < 0 && errno == ENOENT;
	}
	return false;
}

/* The template is whole: the guest ends. */
static bool finish(const ExmFreeze *freeze, G_GNUC_UNUSED guint begun)
{
	exm_freeze_protect_memory(freeze->plan);
	if (!exm_freeze_end_guest(freeze->plan->vm, NULL))
		return false;
	exm_state_sweep(freeze->state_directory);
	return true;
}

/* How a save is done, undone and completed. */
const ExmFreezeKind exm_save_kind = {
	.operation = EXM_OPERATION_SAVE,
	.deed = exm_save_deed,
	.is_done = is_committed,
	.finish = finish,
};

/**
 * exm_op_save() - Freeze a guest into a template
 * @plan:            what is to be done
 * @state_directory: where guests' directories are
 * @warn:            called for each warning, when the template is there
 * @progress:        called while memory is written or read
 * @ret_saved:       what it has cost
 * @error:           of the step that failed; the guest goes on as if nothing had been tried
 */
bool exm_op_save(const ExmSavePlan *plan, const char *state_directory, ExmWarn warn,
                 ExmProgress progress, ExmSaved *ret_saved, GError **error)
{
	ExmSaved saved = { .running = plan->running, .whole = plan->whole };
	ExmFreeze freeze = {
		.kind = &exm_save_kind,
		.plan = plan,
		.state_directory = state_directory,
		.progress = progress,
		.saved = &saved,
		.devices = -1,
		.folder = -1,
		.record = -1,
	};
	const bool done = exm_freeze_run(&freeze, error);

	if (freeze.writers)
		g_ptr_array_unref(freeze.writers);
	for (guint i = 0; done && i < plan->warnings->len; i++)
		warn(plan->warnings->pdata[i]);
	if (done)
		*ret_saved = saved;
	return done;
}
