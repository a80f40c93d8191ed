/* SPDX-License-Identifier: GPL-2.0-or-later */
/* recover.c - Undo or complete saves, forks and migrations of which every process was killed */

#include "op/recover.h"

#include <fcntl.h>

#include "base/fd.h"
#include "host/incoming.h"
#include "host/pidfd.h"
#include "host/state.h"
#include "host/template_store.h"
#include "op/forking.h"
#include "op/load.h"
#include "op/moving.h"
#include "op/operation.h"

static const ExmFreezeKind *const kinds[] = {
	[EXM_OPERATION_SAVE] = &exm_save_kind,
	[EXM_OPERATION_FORK] = &exm_fork_kind,
	[EXM_OPERATION_MIGRATE] = &exm_migrate_kind,
};

static void warn_of(const ExmVm *vm, const ExmOperation *operation, ExmWarn warn, const char *end)
{
	g_autofree char *text = g_strdup_printf(
		"'exomem %s' of guest '%s' (pid %d) was interrupted%s",
		exm_operation_name(operation->kind), vm->name, (int)operation->pid, end);

	warn(text);
}

/* Keep the record while something is left to undo: the next command tries again. */
static void resolve(ExmFreeze *freeze, const ExmOperation *operation, ExmWarn warn)
{
	const ExmVm *vm = freeze->plan->vm;
	g_autofree char *status = NULL;
	g_autofree char *end = NULL;

	switch (exm_freeze_resolve(freeze, exm_operation_begun(freeze), &status)) {
	case EXM_FREEZE_COMPLETED:
		/* Where the guest is after a migration has been said by that. */
		if (!freeze->move)
			warn_of(vm, operation, warn, "; it has been completed");
		break;
	case EXM_FREEZE_UNDONE:
		warn_of(vm, operation, warn, "; it has been undone");
		break;
	case EXM_FREEZE_UNRESOLVED:
		end = status ? g_strdup_printf(", and the guest does not run again: QEMU's status is "
		                               "'%s'",
		                               status)
		             : g_strdup("; some changes could not be undone: the next command "
		                        "tries again");
		warn_of(vm, operation, warn, end);
		return;
	}
	exm_operation_end(freeze);
}

static void ignore_child(G_GNUC_UNUSED const char *name)
{
}

/**
 * struct Recovery - An operation that is undone or completed
 * @freeze: the operation, with its record
 * @plan:   of a fork
 * @forked: what it has cost, which nobody is told
 * @fork:   what its step handlers share
 * @order:  of a migration
 * @moved:  what it has cost, which nobody is told
 * @move:   what its step handlers share
 */
typedef struct {
	ExmFreeze freeze;
	ExmForkPlan plan;
	ExmForked forked;
	ExmForking fork;
	ExmMigrateOrder order;
	ExmMoved moved;
	ExmMoving move;
} Recovery;

static void recover_fork(Recovery *recovery, const ExmOperation *operation, ExmWarn warn)
{
	g_autoptr(GPtrArray) overlays = g_ptr_array_new();
	g_autoptr(GPtrArray) children = exm_operation_children(operation);

	recovery->plan = (ExmForkPlan){
		.way = operation->way,
		.paused = operation->paused,
		.overlays = overlays,
	};
	recovery->fork = (ExmForking){
		.plan = &recovery->plan,
		.children = children,
		.paused = operation->paused,
		.cloned = ignore_child,
		.forked = &recovery->forked,
		.first = { .writer = -1 },
		.heir = { .writer = -1 },
	};

	for (char **path = operation->overlays; path && *path; path++)
		g_ptr_array_add(overlays, *path);
	g_ptr_array_add(overlays, NULL);
	recovery->freeze.fork = &recovery->fork;
	resolve(&recovery->freeze, operation, warn);
}

/* Whether the guest has run elsewhere is told by the times in the manifest. */
static void read_handover(ExmTemplate *template)
{
	g_autoptr(ExmTemplate) written = exm_template_store_read_own(template->directory, NULL);

	for (guint i = 0; written && i < MIN(written->memory->len, template->memory->len); i++)
		((ExmTemplateMemory *)template->memory->pdata[i])->mtime =
			((const ExmTemplateMemory *)written->memory->pdata[i])->mtime;
}

static void recover_migration(Recovery *recovery, const ExmOperation *operation, ExmWarn warn)
{
	ExmFreeze *freeze = &recovery->freeze;
	exm_autofd int process = -1;

	if (!exm_pidfd_open(freeze->plan->vm, &process, NULL))
		return;
	recovery->order = (ExmMigrateOrder){ .warn = warn };
	recovery->move = (ExmMoving){
		.order = &recovery->order,
		.moved = &recovery->moved,
		.process = process,
	};
	read_handover(freeze->plan->template);
	freeze->move = &recovery->move;
	resolve(freeze, operation, warn);
}

static void warn_of_damage(const char *state_directory, const char *name, ExmWarn warn)
{
	g_autofree char *text = g_strdup_printf(
		"'%s/%s/" EXM_VM_OPERATION "' is not whole: what was killed cannot be undone. Resume "
		"the guest with 'exomem qmp %s cont' if its memory is no template's, then remove the "
		"file",
		state_directory, name, name);

	warn(text);
}

static void recover(const char *state_directory, const char *name, Recovery *recovery, ExmWarn warn)
{
	ExmFreeze *freeze = &recovery->freeze;
	g_autoptr(ExmOperation) operation = exm_operation_read(freeze->record);
	g_autoptr(ExmVm)
		vm = operation ? exm_vm_from_json(operation->guest, operation->guest_directory, NULL)
	                       : NULL;
	g_autoptr(ExmSavePlan) plan = vm ? exm_operation_plan(operation, vm) : NULL;

	if (!plan) {
		warn_of_damage(state_directory, name, warn);
		return;
	}
	freeze->plan = plan;
	freeze->kind = kinds[operation->kind];
	freeze->state_directory = state_directory;
	freeze->devices = -1;
	if (exm_operation_begun(freeze) == 0)
		exm_operation_end(freeze);
	else if (operation->kind == EXM_OPERATION_FORK)
		recover_fork(recovery, operation, warn);
	else if (operation->kind == EXM_OPERATION_MIGRATE)
		recover_migration(recovery, operation, warn);
	else
		resolve(freeze, operation, warn);
}

/* A guest that was given its state by a process that was killed then. */
static void complete_load(const char *state_directory, const char *name, int folder, ExmWarn warn)
{
	const char *then = exm_incoming_then(folder);
	g_autoptr(ExmVm) vm = then && exm_incoming_is_abandoned(folder)
	                              ? exm_state_find(state_directory, name, NULL)
	                              : NULL;
	g_autofree char *text = NULL;

	if (!vm || !exm_load_complete(vm, then))
		return;
	text = g_strdup_printf("the process that was to resume guest '%s' was killed; the guest has "
	                       "been resumed",
	                       name);
	warn(text);
}

/**
 * exm_op_recover() - Undo or complete saves, forks and migrations that were killed
 * @state_directory: where guests' directories are
 * @warn:            called for each of them, with what was done
 *
 * A guest that was loaded and not resumed is resumed.
 *
 * That is for the next verb to do where the process that watched was killed too: the guest may be
 * paused, or run no more although its template is complete.
 */
void exm_op_recover(const char *state_directory, ExmWarn warn)
{
	g_auto(GStrv) names = exm_state_names(state_directory);

	for (char **name = names; *name; name++) {
		g_autofree char *directory = g_build_filename(state_directory, *name, NULL);
		exm_autofd int folder = open(directory,
		                             O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		exm_autofd int fd = folder < 0 ? -1 : exm_operation_open(folder);
		Recovery recovery = { .freeze = { .folder = -1, .record = -1 } };

		if (folder >= 0)
			complete_load(state_directory, *name, folder, warn);
		if (fd < 0)
			continue;
		recovery.freeze.folder = g_steal_fd(&folder);
		recovery.freeze.record = g_steal_fd(&fd);
		recover(state_directory, *name, &recovery, warn);
		exm_fd_clear(&recovery.freeze.folder);
		exm_fd_clear(&recovery.freeze.record);
	}
}
