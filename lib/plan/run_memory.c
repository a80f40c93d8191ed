/* SPDX-License-Identifier: GPL-2.0-or-later */
/* run_memory.c - Steps around the files that guest memory lives in */

#include "plan/backend.h"
#include "plan/builder.h"

/* Steps for a file that is made: without a name until it is whole, where the file system can. */
static void plan_new_file(ExmBuilder *builder, const ExmMemoryInput *in, const ExmBlock *block, int fd)
{
	const bool temporary = in->option->mode == EXM_MODE_TEMP;
	const bool unnamed = in->place->unnamed_files;
	g_autofree char *path = temporary ? g_strdup_printf("%s.%s", block->path,
	                                                    builder->facts->random)
	                                  : g_strdup(block->path);

	if (unnamed)
		exm_builder_add_step(builder, EXM_STEP_CREATE_UNNAMED, in->place->path, fd);
	else
		exm_builder_add_step(builder, EXM_STEP_CREATE_FILE, path, fd);
	if (temporary && !unnamed)
		exm_builder_add_step(builder, EXM_STEP_REMOVE_NAME, path, fd);
	exm_builder_add_step(builder, EXM_STEP_LOCK_FILE,
	                     builder->request->template ? in->place->path : block->path, fd)
		->shared = !exm_memory_is_shared(in);
	if (builder->request->template)
		exm_builder_add_step(builder, EXM_STEP_CLONE_FILE, block->path, fd);
	else
		exm_builder_add_step(builder, EXM_STEP_SIZE_FILE, block->path, fd)->bytes = block->size;
	if (exm_memory_is_reserved(in))
		exm_builder_add_step(builder, EXM_STEP_RESERVE_BLOCKS, block->path, fd)->bytes =
			block->size;
	if (!temporary && unnamed)
		exm_builder_add_step(builder, EXM_STEP_NAME_FILE, block->path, fd);
}

static void plan_old_file(ExmBuilder *builder, const ExmMemoryInput *in, const ExmBlock *block,
                          int fd, const ExmFileFacts *file)
{
	const bool shared = exm_memory_is_shared(in);
	const uint64_t allocated = file ? file->allocated : block->size;
	ExmStep *step = exm_builder_add_step(builder, EXM_STEP_OPEN_FILE, block->path, fd);

	step->writable = shared || (file && file->size == 0);
	step->bytes = file ? file->size : 0;
	/* A guest that is handed over is locked when it is taken over, and not before. */
	if (!builder->request->template || !builder->request->template->uuid)
		exm_builder_add_step(builder, EXM_STEP_LOCK_FILE, block->path, fd)->shared = !shared;
	if (file && file->size == 0)
		exm_builder_add_step(builder, EXM_STEP_SIZE_FILE, block->path, fd)->bytes = block->size;
	if (exm_memory_is_reserved(in) && allocated < block->size)
		exm_builder_add_step(builder, EXM_STEP_RESERVE_BLOCKS, block->path, fd)->bytes =
			block->size;
}

static bool plan_file_block(ExmBuilder *builder, const ExmMemoryInput *in, guint index, GError **error)
{
	const ExmBlock *block = in->blocks->pdata[index];
	const ExmFileFacts *file = in->files->len ? in->files->pdata[index] : NULL;
	const bool temporary = in->option->mode == EXM_MODE_TEMP;
	const ExmInheritance *inheritance = builder->request->inheritance;
	const bool unnamed = temporary || inheritance;
	const int fd = inheritance ? inheritance->memory_fd + (int)index : builder->next_fd++;
	g_autofree char *path = unnamed ? g_strdup_printf("/proc/self/fd/%d", fd)
	                                : g_strdup(block->path);
	ExmPlanMemory *memory = exm_plan_add_memory(builder->plan);

	if (inheritance)
		exm_builder_add_step(builder, EXM_STEP_INHERIT, block->path, fd);
	else if (!temporary && (!file || file->exists))
		plan_old_file(builder, in, block, fd, file);
	else
		plan_new_file(builder, in, block, fd);
	memory->id = g_strdup(block->id);
	memory->offset = block->offset;
	memory->size = block->size;
	memory->path = g_strdup(unnamed ? in->place->path : block->path);
	memory->unnamed = unnamed;
	memory->shared = exm_memory_is_shared(in);
	memory->fd = fd;
	memory->backend = exm_backend_new_file(in, block, path, error);
	return memory->backend;
}

static bool plan_anonymous_block(ExmBuilder *builder, const ExmMemoryInput *in, guint index,
                                 GError **error)
{
	const ExmBlock *block = in->blocks->pdata[index];
	ExmPlanMemory *memory = exm_plan_add_memory(builder->plan);

	memory->id = g_strdup(block->id);
	memory->offset = block->offset;
	memory->size = block->size;
	memory->fd = -1;
	memory->backend = exm_backend_new_anonymous(in, block, error);
	return memory->backend;
}

/**
 * exm_builder_add_memory() - Add the steps and backends of the guest's memory to the plan
 * @builder: the plan under construction
 * @in:      the situation
 * @error:   see exm_memory_check() and exm_backend_new_file()
 */
bool exm_builder_add_memory(ExmBuilder *builder, const ExmMemoryInput *in, GError **error)
{
	bool anonymous;

	if (!exm_memory_check(in, builder->plan->warnings, &anonymous, error))
		return false;
	for (guint i = 0; i < in->blocks->len; i++) {
		const bool done = anonymous ? plan_anonymous_block(builder, in, i, error)
		                            : plan_file_block(builder, in, i, error);

		if (!done)
			return false;
	}
	return true;
}
