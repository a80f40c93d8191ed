/* SPDX-License-Identifier: GPL-2.0-or-later */
/* migrate.c - The plan of `exomem migrate`: a guest leaves its memory where it is, and this host */

#include "plan/migrate.h"

#include <string.h>

#include "base/error.h"
#include "plan/identity.h"
#include "plan/prefetch.h"

/**
 * exm_migrate_request_free() - Free a request
 * @request: may be NULL
 */
void exm_migrate_request_free(ExmMigrateRequest *request)
{
	if (!request)
		return;
	g_free(request->freeze.name);
	g_free(request->freeze.directory);
	g_free(request->destination);
	g_free(request);
}

/**
 * exm_handover_directory() - Where a guest's state goes by default
 * @vm:    the guest
 * @error: UNSUPPORTED where its memory is in no file that another host could open
 *
 * Beside its memory, because that is where both hosts look.
 *
 * Return: "/mnt/mem/web.handover" (transfer full), or NULL.
 */
char *exm_handover_directory(const ExmVm *vm, GError **error)
{
	ExmJson *first = exm_json_length(vm->memory) > 0 ? json_object_array_get_idx(vm->memory, 0)
	                                                 : NULL;
	const char *path = exm_json_get_string(first, "path");
	g_autofree char *directory = NULL;
	g_autofree char *name = g_strconcat(vm->name, EXM_HANDOVER_SUFFIX, NULL);

	if (!path || exm_json_get_bool(first, "unnamed") || !exm_json_get_bool(first, "shared")) {
		exm_throw(error, EXM_ERROR_UNSUPPORTED,
		          "the memory of guest '%s' is in no file that another host could open: start "
		          "it with '-mem-path DIR,mode=create,mmap=shared'",
		          vm->name);
		return NULL;
	}
	directory = g_path_get_dirname(path);
	return g_build_filename(directory, name, NULL);
}

/* What is private, or has no name, could not be opened by anybody else. */
static bool check_memory(const ExmSavePlan *plan, GError **error)
{
	g_autofree char *directory = exm_handover_directory(plan->vm, error);

	if (!directory)
		return false;
	if (exm_template_device(plan->template))
		return exm_throw(
			error, EXM_ERROR_UNSUPPORTED,
			"the memory of guest '%s' is a device of this host ('%s'), which no "
			"other one has",
			plan->vm->name,
			exm_json_get_string(json_object_array_get_idx(plan->vm->memory, 0), "path"));
	for (guint i = 0; i < plan->memory->len; i++)
		if (((const ExmSaveFile *)plan->memory->pdata[i])->how != EXM_SAVE_KEEP)
			return exm_throw(
				error, EXM_ERROR_UNSUPPORTED,
				"memory '%s' of guest '%s' is in no file that another host "
				"could open",
				((const ExmTemplateMemory *)plan->template->memory->pdata[i])->id,
				plan->vm->name);
	return true;
}

/* A child's overlay without a name is open here, and can be opened nowhere else. */
static bool check_disks(const ExmVm *vm, GError **error)
{
	const size_t count = vm->disks ? exm_json_length(vm->disks) : 0;

	for (size_t i = 0; i < count; i++) {
		ExmJson *disk = json_object_array_get_idx(vm->disks, i);

		if (!exm_json_get_string(disk, "path"))
			return exm_throw(error, EXM_ERROR_UNSUPPORTED,
			                 "guest '%s' writes to an overlay without a name over '%s', "
			                 "which no other host could open: 'exomem save' gives it one",
			                 vm->name, exm_json_get_string(disk, "backing"));
	}
	if (count > 0)
		return exm_throw(error, EXM_ERROR_UNSUPPORTED,
		                 "guest '%s' writes to overlays that its command line does not name: "
		                 "'exomem save' it, and clone that elsewhere",
		                 vm->name);
	return true;
}

/* As it stands in the argument that QEMU was given. */
static char *find_blob(const ExmVm *vm)
{
	static const char prefix[] = "name=" EXM_IDENTITY_FW_CFG ",string=";

	for (char **word = vm->argv; *word; word++)
		if (g_str_has_prefix(*word, prefix))
			return g_strdup(*word + strlen(prefix));
	return NULL;
}

/* The same guest over there: a clone is another one, this is not. */
static void describe_guest(const ExmSavePlan *plan)
{
	const ExmVm *vm = plan->vm;
	ExmTemplate *template = plan->template;

	g_free(template->parent);
	template->parent = g_strdup(vm->parent ? vm->parent : vm->name);
	template->uuid = g_strdup(vm->uuid);
	template->generation_id = g_strdup(vm->generation_id);
	template->blob = find_blob(vm);
	template->index = vm->index;
	template->resting = !plan->running;
	/* As far as it is known before; what is missing belongs to what is still to come. */
	template->devices_sha256 = g_strdup("");
	for (guint i = 0; i < plan->memory->len; i++) {
		const ExmSaveFile *file = plan->memory->pdata[i];
		ExmTemplateMemory *block = template->memory->pdata[i];

		block->path = g_strdup(file->outer);
	}
}

/*
 * Before "save-devices" the guest notices nothing but the moment of a rehearsal. Until "commit"
 * whatever fails lets it go on; behind it this host never runs it again, and the state on disk is
 * what there is.
 */
static void add_steps(const ExmSavePlan *plan, const ExmMigrateRequest *request, bool replaces)
{
	const char *destination = request->destination;
	const char *name = plan->vm->name;
	const char *directory = request->freeze.directory;
	g_autofree char *token = g_build_filename(plan->temporary, EXM_TEMPLATE_TOKEN, NULL);
	g_autofree char *devices = g_build_filename(plan->temporary, EXM_TEMPLATE_DEVICES, NULL);
	g_autofree char *manifest = g_build_filename(plan->temporary, EXM_TEMPLATE_MANIFEST, NULL);
	g_autofree char *recording = g_build_filename(plan->temporary, EXM_TEMPLATE_PREFETCH, NULL);

	if (replaces)
		exm_save_add_step(plan, EXM_STEP_REMOVE_HANDOVER, directory);
	exm_save_add_step(plan, EXM_STEP_MAKE_TEMPLATE, plan->temporary);
	if (destination) {
		exm_save_add_step(plan, EXM_STEP_WRITE_TOKEN, token);
		exm_save_add_step(plan, EXM_STEP_CHECK, destination);
	}
	/* QEMU takes the state of a guest that rests once: it is then one that has moved. */
	if (destination && request->rehearse && plan->running)
		exm_save_add_step(plan, EXM_STEP_REHEARSE, destination);
	/* Before the destination prepares itself, because it looks for it then. */
	if (request->prefetch)
		exm_save_add_step(plan, EXM_STEP_RECORD_PAGES, recording);
	exm_save_add_step(plan, EXM_STEP_KEEP_MEMORY, name);
	exm_save_add_step(plan, EXM_STEP_SYNC_MEMORY, name);
	if (destination)
		exm_save_add_step(plan, EXM_STEP_PREPARE, destination);
	exm_save_add_step(plan, EXM_STEP_SAVE_DEVICES, devices);
	exm_save_add_step(plan, EXM_STEP_FREEZE_GUEST, name);
	exm_save_add_step(plan, EXM_STEP_FLUSH_MEMORY, name);
	exm_save_add_step(plan, EXM_STEP_WRITE_MANIFEST, manifest);
	if (destination)
		exm_save_add_step(plan, EXM_STEP_SEND_STATE, destination);
	exm_save_add_step(plan, EXM_STEP_COMMIT, directory);
	exm_save_add_step(plan, EXM_STEP_RELEASE_GUEST, name);
	if (destination) {
		exm_save_add_step(plan, EXM_STEP_TAKE_OVER, destination);
		exm_save_add_step(plan, EXM_STEP_CLEAN_UP, directory);
	}
}

/**
 * exm_migrate_plan() - Decide all that a migration will do on this host
 * @request: what the user said
 * @facts:   what is so
 * @error:   any code; nothing has been done, and the guest has not noticed
 *
 * Return: the plan (transfer full), which borrows the guest of the facts; or NULL.
 */
ExmSavePlan *exm_migrate_plan(const ExmMigrateRequest *request, const ExmSaveFacts *facts,
                              GError **error)
{
	g_autoptr(ExmSavePlan) plan = NULL;

	if (!check_disks(facts->vm, error))
		return NULL;
	plan = exm_save_plan_begin(&request->freeze, facts, error);
	if (!plan || !check_memory(plan, error))
		return NULL;
	describe_guest(plan);
	/* It rests when it is loaded, and is told to go on when nothing can go wrong any more. */
	plan->template->paused = true;
	add_steps(plan, request, facts->target->exists);
	return g_steal_pointer(&plan);
}
