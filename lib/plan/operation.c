/* SPDX-License-Identifier: GPL-2.0-or-later */
/* operation.c - What it takes to undo or complete a save, fork or migration that was killed, as JSON */

#include "plan/operation.h"

#include <string.h>

#include "base/enumtab.h"
#include "base/error.h"
#include "base/record.h"

static const char *const kind_names[] = {
	[EXM_OPERATION_SAVE] = "save",
	[EXM_OPERATION_FORK] = "fork",
	[EXM_OPERATION_MIGRATE] = "migrate",
};

static const ExmEnumTable kinds = { "operation", kind_names, G_N_ELEMENTS(kind_names) };

static const char *const how_names[] = {
	[EXM_SAVE_KEEP] = "keep",
	[EXM_SAVE_LINK] = "link",
	[EXM_SAVE_WRITE] = "write",
	[EXM_SAVE_CLONE] = "clone",
};

static const ExmEnumTable hows = { "how", how_names, G_N_ELEMENTS(how_names) };

static const char *const way_names[] = {
	[EXM_FORK_REFLINK] = "reflink",
	[EXM_FORK_WRITE] = "write",
	[EXM_FORK_SUCCEED] = "replace",
};

static const ExmEnumTable ways = { "way", way_names, G_N_ELEMENTS(way_names) };

static const ExmField file_fields[] = {
	{ .name = "how",
	  .type = EXM_FIELD_ENUM,
	  .offset = G_STRUCT_OFFSET(ExmOperationFile, how),
	  .required = true,
	  .names = &hows },
	EXM_FIELD(ExmOperationFile, "fd", UINT, fd, true),
	EXM_FIELD(ExmOperationFile, "node", STRING, node, false),
	EXM_FIELD(ExmOperationFile, "path", STRING, path, true),
	EXM_FIELD(ExmOperationFile, "inner", STRING, inner, false),
	EXM_FIELD(ExmOperationFile, "outer", STRING, outer, false),
	EXM_FIELD(ExmOperationFile, "backend", STRING, backend, false),
	EXM_FIELD(ExmOperationFile, "word", UINT, word, true),
	EXM_FIELD(ExmOperationFile, "namespace", STRING, namespace, false),
	EXM_FIELD(ExmOperationFile, "claims", STRING, claims, false),
};

static const ExmLayout file_layout = {
	"file", sizeof(ExmOperationFile), file_fields, G_N_ELEMENTS(file_fields), false,
};

static const ExmField step_fields[] = {
	{ .name = "step",
	  .type = EXM_FIELD_ENUM,
	  .offset = G_STRUCT_OFFSET(ExmOperationStep, kind),
	  .required = true,
	  .names = &exm_step_kinds },
	EXM_FIELD(ExmOperationStep, "path", STRING, path, true),
};

static const ExmLayout step_layout = {
	"step", sizeof(ExmOperationStep), step_fields, G_N_ELEMENTS(step_fields), false,
};

static const ExmField child_fields[] = {
	EXM_FIELD(ExmOperationChild, "name", STRING, name, true),
	EXM_FIELD(ExmOperationChild, "directory", STRING, directory, true),
	EXM_FIELD(ExmOperationChild, "uuid", STRING, uuid, true),
};

static const ExmLayout child_layout = {
	"child", sizeof(ExmOperationChild), child_fields, G_N_ELEMENTS(child_fields), false,
};

static const ExmField fields[] = {
	{ .name = "operation",
	  .type = EXM_FIELD_ENUM,
	  .offset = G_STRUCT_OFFSET(ExmOperation, kind),
	  .required = true,
	  .names = &kinds },
	EXM_FIELD(ExmOperation, "pid", UINT, pid, true),
	EXM_FIELD(ExmOperation, "guest", JSON, guest, true),
	EXM_FIELD(ExmOperation, "guest-directory", STRING, guest_directory, true),
	EXM_FIELD(ExmOperation, "directory", STRING, directory, true),
	EXM_FIELD(ExmOperation, "temporary", STRING, temporary, true),
	EXM_FIELD(ExmOperation, "running", BOOL, running, true),
	EXM_FIELD(ExmOperation, "protect", BOOL, protect, true),
	{ .name = "way",
	  .type = EXM_FIELD_ENUM,
	  .offset = G_STRUCT_OFFSET(ExmOperation, way),
	  .required = true,
	  .names = &ways },
	EXM_FIELD(ExmOperation, "paused", BOOL, paused, true),
	EXM_FIELD(ExmOperation, "overlays", STRV, overlays, false),
	{ .name = "memory",
	  .type = EXM_FIELD_LIST,
	  .offset = G_STRUCT_OFFSET(ExmOperation, memory),
	  .required = true,
	  .items = &file_layout },
	{ .name = "disks",
	  .type = EXM_FIELD_LIST,
	  .offset = G_STRUCT_OFFSET(ExmOperation, disks),
	  .required = true,
	  .items = &file_layout },
	{ .name = "steps",
	  .type = EXM_FIELD_LIST,
	  .offset = G_STRUCT_OFFSET(ExmOperation, steps),
	  .required = true,
	  .items = &step_layout },
	{ .name = "children",
	  .type = EXM_FIELD_LIST,
	  .offset = G_STRUCT_OFFSET(ExmOperation, children),
	  .required = true,
	  .items = &child_layout },
};

static const ExmLayout layout = {
	"operation", sizeof(ExmOperation), fields, G_N_ELEMENTS(fields), false,
};

/**
 * exm_operation_name() - The verb of an operation
 * @kind: the operation
 *
 * Return: "save" (static).
 */
const char *exm_operation_name(ExmOperationKind kind)
{
	return exm_enum_name(&kinds, (int)kind);
}

static ExmOperationFile *add_file(GPtrArray *files, const ExmSaveFile *from)
{
	ExmOperationFile *file = exm_record_new(&file_layout);

	file->how = from->how;
	file->fd = (uint64_t)MAX(from->fd, 0);
	file->node = g_strdup(from->node);
	file->path = g_strdup(from->path);
	file->inner = g_strdup(from->inner);
	file->outer = g_strdup(from->outer);
	file->backend = g_strdup(from->backend);
	g_ptr_array_add(files, file);
	return file;
}

static void add_steps(const ExmOperation *operation, const GPtrArray *steps)
{
	for (guint i = 0; i < steps->len; i++) {
		const ExmStep *from = steps->pdata[i];
		ExmOperationStep *step = exm_record_new(&step_layout);

		step->kind = from->kind;
		step->path = g_strdup(from->path);
		g_ptr_array_add(operation->steps, step);
	}
}

/**
 * exm_operation_new() - Describe an operation that is about to begin
 * @kind: save, fork or migrate
 * @plan: what it will do
 *
 * Return: the operation (transfer full), of process 0.
 */
ExmOperation *exm_operation_new(ExmOperationKind kind, const ExmSavePlan *plan)
{
	ExmOperation *operation = exm_record_new(&layout);
	const ExmTemplate *template = plan->template;

	operation->kind = kind;
	operation->guest = exm_vm_to_json(plan->vm);
	operation->guest_directory = g_strdup(plan->vm->directory);
	operation->directory = g_strdup(template->directory);
	operation->temporary = g_strdup(plan->temporary);
	operation->running = plan->running;
	operation->protect = plan->protect;
	for (guint i = 0; i < plan->memory->len; i++) {
		const ExmTemplateMemory *block = template->memory->pdata[i];
		ExmOperationFile *file = add_file(operation->memory, plan->memory->pdata[i]);

		file->namespace = g_strdup(block->namespace);
		file->claims = g_strdup(block->claims);
	}
	for (guint i = 0; i < plan->disks->len; i++)
		add_file(operation->disks, plan->disks->pdata[i])->word =
			((const ExmTemplateDisk *)template->disks->pdata[i])->word;
	add_steps(operation, plan->steps);
	return operation;
}

/**
 * exm_operation_add_fork() - Add what only a fork has
 * @operation: of which the plan's "freeze" is described already
 * @plan:      what the fork will do
 * @children:  of ExmPlan
 */
void exm_operation_add_fork(ExmOperation *operation, const ExmForkPlan *plan,
                            const GPtrArray *children)
{
	operation->way = plan->way;
	operation->paused = plan->paused;
	operation->overlays = g_strdupv((char **)plan->overlays->pdata);
	for (guint i = 0; i < children->len; i++) {
		const ExmPlan *from = children->pdata[i];
		ExmOperationChild *child = exm_record_new(&child_layout);

		child->name = g_strdup(from->name);
		child->directory = g_strdup(from->directory);
		child->uuid = g_strdup(from->uuid);
		g_ptr_array_add(operation->children, child);
	}
}

/**
 * exm_operation_free() - Free the description of an operation
 * @operation: may be NULL
 */
void exm_operation_free(ExmOperation *operation)
{
	if (operation)
		exm_record_free(&layout, operation);
}

/**
 * exm_operation_to_json() - Write the description of an operation as JSON
 * @operation: the operation
 *
 * Return: an object (transfer full), described in exomem-state(5).
 */
ExmJson *exm_operation_to_json(const ExmOperation *operation)
{
	return exm_record_to_json(&layout, operation);
}

static bool has_path(const GPtrArray *files, const char *path)
{
	for (guint i = 0; i < files->len; i++)
		if (strcmp(((const ExmOperationFile *)files->pdata[i])->path, path) == 0)
			return true;
	return false;
}

/* Undoing these steps needs the file that they are about. */
static bool check_step(const ExmOperation *operation, const ExmOperationStep *step)
{
	const bool in_memory = has_path(operation->memory, step->path);

	if (step->kind == EXM_STEP_MARK_FILE)
		return in_memory;
	if (step->kind == EXM_STEP_LINK_FILE)
		return in_memory || has_path(operation->disks, step->path);
	return step->kind != EXM_STEP_MOVE_DISK ||
	       (operation->overlays &&
	        g_strv_contains((const char *const *)operation->overlays, step->path));
}

static bool check_members(const ExmOperation *operation)
{
	const guint overlays = operation->overlays ? g_strv_length(operation->overlays) : 0;
	bool good = overlays <= operation->disks->len;

	for (guint i = 0; i < operation->steps->len; i++)
		good = good && check_step(operation, operation->steps->pdata[i]);
	return good;
}

/**
 * exm_operation_from_json() - Read the description of an operation
 * @json:  what exm_operation_to_json() wrote
 * @error: SYSTEM where it is not whole
 *
 * Return: the operation (transfer full), or NULL.
 */
ExmOperation *exm_operation_from_json(ExmJson *json, GError **error)
{
	g_autoptr(ExmOperation) operation = exm_record_from_json(&layout, json, error);

	if (!operation)
		return NULL;
	if (check_members(operation))
		return g_steal_pointer(&operation);
	exm_throw(error, EXM_ERROR_SYSTEM, "a step is about a file that the record does not have");
	return NULL;
}

static ExmSaveFile *restore_file(GPtrArray *files, const ExmOperationFile *from)
{
	ExmSaveFile *file = exm_save_add_file(files);

	file->how = from->how;
	file->fd = from->fd ? (int)from->fd : -1;
	file->node = g_strdup(from->node);
	file->path = g_strdup(from->path);
	file->inner = g_strdup(from->inner);
	file->outer = g_strdup(from->outer);
	file->backend = g_strdup(from->backend);
	return file;
}

/**
 * exm_operation_plan() - The plan of an operation, for undoing and completing alone
 * @operation: the operation
 * @vm:        its guest
 *
 * The plan's template knows of memory only the path, namespace and claims, and of disks only the
 * path and the argument.
 *
 * Return: the plan (transfer full), which borrows the guest.
 */
ExmSavePlan *exm_operation_plan(const ExmOperation *operation, const ExmVm *vm)
{
	ExmSavePlan *plan = exm_save_plan_new(vm, operation->directory, operation->temporary);

	plan->running = operation->running;
	plan->protect = operation->protect;
	for (guint i = 0; i < operation->memory->len; i++) {
		const ExmOperationFile *from = operation->memory->pdata[i];
		const ExmSaveFile *file = restore_file(plan->memory, from);
		ExmTemplateMemory *block = exm_template_add_memory(plan->template);

		block->path = g_strdup(file->inner ? file->inner : file->outer);
		block->namespace = g_strdup(from->namespace);
		block->claims = g_strdup(from->claims);
	}
	for (guint i = 0; i < operation->disks->len; i++) {
		const ExmOperationFile *from = operation->disks->pdata[i];
		const ExmSaveFile *file = restore_file(plan->disks, from);
		ExmTemplateDisk *disk = exm_template_add_disk(plan->template);

		disk->path = g_strdup(file->inner ? file->inner : file->outer);
		disk->word = from->word;
	}
	for (guint i = 0; i < operation->steps->len; i++) {
		const ExmOperationStep *from = operation->steps->pdata[i];

		exm_save_add_step(plan, from->kind, from->path);
	}
	return plan;
}

static void plan_free(gpointer plan)
{
	exm_plan_free(plan);
}

/**
 * exm_operation_children() - The children of a fork, for ending them
 * @operation: the operation
 *
 * Return: of ExmPlan, with name, directory and UUID alone (transfer full).
 */
GPtrArray *exm_operation_children(const ExmOperation *operation)
{
	GPtrArray *plans = g_ptr_array_new_with_free_func(plan_free);

	for (guint i = 0; i < operation->children->len; i++) {
		const ExmOperationChild *from = operation->children->pdata[i];
		ExmPlan *plan = exm_plan_new();

		plan->name = g_strdup(from->name);
		plan->directory = g_strdup(from->directory);
		plan->uuid = g_strdup(from->uuid);
		g_ptr_array_add(plans, plan);
	}
	return plans;
}
