/* SPDX-License-Identifier: GPL-2.0-or-later */
/* save_facts.c - What the plan of a save has to know, and its printed forms */

#include <string.h>

#include "base/error.h"
#include "plan/disk.h"
#include "plan/identity.h"
#include "plan/save.h"

/**
 * exm_save_request_free() - Free a request
 * @request: may be NULL
 */
void exm_save_request_free(ExmSaveRequest *request)
{
	if (!request)
		return;
	g_free(request->name);
	g_free(request->directory);
	g_free(request);
}

static void file_facts_destroy(gpointer data)
{
	exm_file_facts_free(data);
}

/**
 * exm_save_facts_new() - Facts that are still to be filled in
 *
 * Return: the facts (transfer full), without files.
 */
ExmSaveFacts *exm_save_facts_new(void)
{
	ExmSaveFacts *facts = g_new0(ExmSaveFacts, 1);

	facts->memory = g_ptr_array_new_with_free_func(file_facts_destroy);
	facts->images = g_ptr_array_new_with_free_func(file_facts_destroy);
	return facts;
}

/**
 * exm_save_facts_free() - Free facts
 * @facts: may be NULL
 */
void exm_save_facts_free(ExmSaveFacts *facts)
{
	if (!facts)
		return;
	exm_vm_free(facts->vm);
	exm_caps_free(facts->caps);
	exm_template_free(facts->template);
	exm_json_put(facts->status);
	exm_json_put(facts->migration);
	exm_json_put(facts->backends);
	exm_json_put(facts->disks);
	exm_json_put(facts->kvm);
	exm_file_facts_free(facts->target);
	exm_template_free(facts->handover);
	exm_place_free(facts->place);
	g_ptr_array_unref(facts->memory);
	g_ptr_array_unref(facts->images);
	g_strfreev(facts->host_cpu);
	g_free(facts->random);
	g_free(facts);
}

static void image_free(gpointer data)
{
	ExmSaveImage *image = data;

	g_free(image->path);
	g_free(image->directory);
	g_free(image);
}

static bool add_image(const ExmVm *vm, const ExmDisk *disk, GPtrArray *images, GError **error)
{
	const ExmIdentity identity = {
		.name = vm->name,
		.index = (uint32_t)vm->index,
		.uuid = vm->uuid,
		.directory = vm->directory,
	};
	ExmJson *overlay = exm_vm_disk(vm, disk->word);
	const char *named = exm_json_get_string(overlay, "path");
	const bool unnamed = overlay && !named;
	g_autofree char *path = named ? g_strdup(named)
	                              : exm_identity_expand(&identity, disk->path, error);
	ExmSaveImage *image;

	if (!path)
		return false;
	if (!overlay && disk->obstacle)
		return exm_throw(error, EXM_ERROR_UNSUPPORTED, "%s", disk->obstacle);
	image = g_new0(ExmSaveImage, 1);
	g_ptr_array_add(images, image);
	image->word = disk->word;
	image->fd = unnamed ? (int)exm_json_get_uint(overlay, "fd") : -1;
	image->directory = g_strdup(exm_json_get_string(overlay, "directory"));
	image->path = unnamed ? g_strdup_printf("/proc/self/fd/%d", image->fd)
	                      : g_steal_pointer(&path);
	return true;
}

/**
 * exm_save_images() - The disks that a guest may write to
 * @vm:    the guest
 * @error: UNSUPPORTED where no overlay can be put on one of them
 *
 * Return: of ExmSaveImage (transfer full), in the order of the command line; or NULL.
 */
GPtrArray *exm_save_images(const ExmVm *vm, GError **error)
{
	g_autoptr(ExmQemuLine) line = exm_qemu_line_parse((const char *const *)vm->command, error);
	g_autoptr(GPtrArray) images = g_ptr_array_new_with_free_func(image_free);
	g_autoptr(GPtrArray) disks = line ? exm_disks_read(line) : NULL;

	if (!disks)
		return NULL;
	for (guint i = 0; i < disks->len; i++) {
		const ExmDisk *disk = disks->pdata[i];

		if (!disk->read_only && !add_image(vm, disk, images, error))
			return NULL;
	}
	return g_steal_pointer(&images);
}

/**
 * exm_save_plan_free() - Free a plan
 * @plan: may be NULL
 */
void exm_save_plan_free(ExmSavePlan *plan)
{
	if (!plan)
		return;
	exm_template_free(plan->template);
	g_free(plan->temporary);
	g_ptr_array_unref(plan->memory);
	g_ptr_array_unref(plan->disks);
	g_ptr_array_unref(plan->steps);
	g_ptr_array_unref(plan->warnings);
	g_free(plan);
}

/**
 * exm_save_plan_to_text() - A plan for a person
 * @plan: the plan
 *
 * Return: its steps, one a line (transfer full).
 */
char *exm_save_plan_to_text(const ExmSavePlan *plan)
{
	return exm_steps_to_text(plan->steps);
}

/**
 * exm_save_plan_to_json() - A plan for a program
 * @plan: the plan
 *
 * Return: an object (transfer full), described in exomem-save(1).
 */
ExmJson *exm_save_plan_to_json(const ExmSavePlan *plan)
{
	ExmJson *json = json_object_new_object();

	exm_json_set_uint(json, "schema", 1);
	exm_json_set_string(json, "name", plan->vm->name);
	exm_json_set_string(json, "template", plan->template->directory);
	exm_json_set_bool(json, "whole", plan->whole);
	json_object_object_add(json, "steps", exm_steps_to_json(plan->steps));
	return json;
}
