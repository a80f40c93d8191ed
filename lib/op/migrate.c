/* SPDX-License-Identifier: GPL-2.0-or-later */
/* migrate.c - Hand a guest over to another host, with its memory left where it is */

#include "op/migrate.h"

#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "host/mount.h"
#include "host/pidfd.h"
#include "host/place.h"
#include "host/state.h"
#include "op/moving.h"
#include "op/save.h"

/* How long a destination may take, after the channel has ended, to remove the state of a guest. */
#define FINISH_US 1500000
#define PAUSE_US  20000

/**
 * exm_migrate_facts_read() - Read what the plan of a migration has to know
 * @request:         what the user said; gets the default directory where he named none
 * @guest:           name of the guest
 * @state_directory: where guests' directories are
 * @sources:         where facts are to be had
 * @error:           STATE where there is no such guest; UNSUPPORTED where its memory is in no file;
 *                   SYSTEM where it does not answer
 *
 * Return: the facts (transfer full), or NULL.
 */
ExmSaveFacts *exm_migrate_facts_read(ExmMigrateRequest *request, const char *guest,
                                     const char *state_directory, const ExmSources *sources,
                                     GError **error)
{
	g_autoptr(ExmVm) vm = exm_state_find(state_directory, guest, error);

	if (!vm)
		return NULL;
	if (!request->freeze.directory)
		request->freeze.directory = exm_handover_directory(vm, error);
	if (!request->freeze.directory)
		return NULL;
	g_free(request->freeze.name);
	request->freeze.name = g_strdup(vm->name);
	return exm_save_facts_read(&request->freeze, guest, state_directory, sources, error);
}

/* Whether the state has its place; only the rename can say whether it came to that. */
static bool is_committed(const ExmFreeze *freeze, guint begun)
{
	for (guint i = 0; i < begun; i++)
		if (((const ExmStep *)freeze->plan->steps->pdata[i])->kind == EXM_STEP_COMMIT)
			return access(freeze->plan->temporary, F_OK) < 0 && errno == ENOENT;
	return false;
}

static void stepped(const ExmFreeze *freeze, const ExmStep *step, uint64_t time_us)
{
	freeze->move->order->stepped(exm_step_name(step), time_us);
}

/* How a migration is done, undone and completed. */
const ExmFreezeKind exm_migrate_kind = {
	.operation = EXM_OPERATION_MIGRATE,
	.deed = exm_migrate_deed,
	.is_done = is_committed,
	.finish = exm_migrate_finish,
	.stepped = stepped,
};

/* Whether the destination is another host is for it to say. */
static bool check_mount(const ExmSavePlan *plan, const ExmMigrateOrder *order, GError **error)
{
	const ExmSaveFile *first = plan->memory->pdata[0];
	g_autoptr(ExmMount) mount = exm_mount_look(first->path);
	g_autoptr(GPtrArray) warnings = g_ptr_array_new_with_free_func(g_free);

	if (mount && !exm_mount_check(mount, EXM_MOUNT_HANDOVER, order->trust_mount, warnings, error))
		return false;
	for (guint i = 0; i < warnings->len; i++)
		order->warn(warnings->pdata[i]);
	return true;
}

static const char *destination_of(const ExmSavePlan *plan)
{
	for (guint i = 0; i < plan->steps->len; i++) {
		const ExmStep *step = plan->steps->pdata[i];

		if (step->kind == EXM_STEP_TAKE_OVER)
			return step->path;
	}
	return NULL;
}

/* Whether a memory file is not any more what the manifest says: the guest has run since. */
static bool has_changed(const ExmSavePlan *plan)
{
	for (guint i = 0; i < plan->memory->len; i++) {
		const ExmTemplateMemory *block = plan->template->memory->pdata[i];
		g_autofree char *path = exm_template_path(plan->template, block->path);
		ExmFileFacts *file = exm_file_look(path);
		const bool changed = file->exists && block->mtime && file->mtime != block->mtime;

		exm_file_facts_free(file);
		if (changed)
			return true;
	}
	return false;
}

/*
 * The destination removes the state when the guest has run for a moment, also where the channel
 * has ended; a guest that did not last so long has written to its memory.
 */
static bool has_run_there(const ExmSavePlan *plan)
{
	const gint64 deadline = g_get_monotonic_time() + FINISH_US;
	bool found = false;

	while (!found && g_get_monotonic_time() < deadline) {
		found = access(plan->template->directory, F_OK) < 0 || has_changed(plan);
		if (!found)
			g_usleep(PAUSE_US);
	}
	return found;
}

/**
 * exm_migrate_way_out() - Say where a guest is whose migration failed after the commit
 * @plan: of the migration
 * @move: what is known of it
 *
 * Only the destination removes the state, once it has the guest.
 *
 * Return: half a sentence (transfer full).
 */
char *exm_migrate_way_out(const ExmSavePlan *plan, const ExmMoving *move)
{
	const char *destination = destination_of(plan);
	const char *name = plan->vm->name;

	if (!destination)
		return g_strdup_printf(
			"guest '%s' has stopped here, and 'exomem receive %s' resumes it", name,
			plan->template->directory);
	if (move->has_ended)
		return g_strdup_printf("guest '%s' was taken over by '%s', where it ran and has "
		                       "ended: 'exomem logs %s' there may say why",
		                       name, destination, name);
	if (move->is_taken || has_run_there(plan))
		return g_strdup_printf("guest '%s' was taken over by '%s', where 'exomem show %s' "
		                       "says whether it runs",
		                       name, destination, name);
	return g_strdup_printf("guest '%s' has stopped here, and unless '%s' has taken it over "
	                       "'exomem receive %s' resumes it, on either host",
	                       name, destination, plan->template->directory);
}

static void tell_way_out(const ExmSavePlan *plan, const ExmMoving *move, GError **error)
{
	g_autofree char *way_out = exm_migrate_way_out(plan, move);
	g_autofree char *message = g_strdup((*error)->message);

	g_clear_error(error);
	exm_throw(error, EXM_ERROR_SYSTEM, "%s; %s", message, way_out);
}

/**
 * exm_op_migrate() - Hand a guest over to another host, with its memory left where it is
 * @plan:            what is to be done
 * @state_directory: where guests' directories are
 * @order:           how the destination is reached, and who is told
 * @ret_moved:       what it has cost
 * @error:           of the step that failed. Before "commit" the guest goes on as if nothing had
 * been tried; behind it, the error says how it is resumed
 */
bool exm_op_migrate(const ExmSavePlan *plan, const char *state_directory,
                    const ExmMigrateOrder *order, ExmMoved *ret_moved, GError **error)
{
	g_autoptr(GByteArray) state = g_byte_array_new();
	g_autofree char *token = g_uuid_string_random();
	exm_autofd int process = -1;
	ExmSaved saved = { .running = plan->running };
	ExmMoving move = { .order = order, .token = token, .moved = ret_moved };
	ExmFreeze freeze = {
		.kind = &exm_migrate_kind,
		.plan = plan,
		.state_directory = state_directory,
		.progress = order->progress,
		.saved = &saved,
		.devices = -1,
		.folder = -1,
		.record = -1,
		.state = state,
		.move = &move,
	};
	bool done;

	*ret_moved = (ExmMoved){ 0 };
	move.leader = getpid();
	if (!check_mount(plan, order, error) || !exm_pidfd_open(plan->vm, &process, error))
		return false;
	move.process = process;
	done = exm_freeze_run(&freeze, error);
	exm_conversation_free(move.peer);
	ret_moved->devices_size = state->len;
	if (!done && move.has_left)
		tell_way_out(plan, &move, error);
	return done;
}
