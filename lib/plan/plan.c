/* SPDX-License-Identifier: GPL-2.0-or-later */
/* plan.c - A plan, and its three printed forms */

#include "plan/plan.h"

#include <string.h>

#include "base/quote.h"
#include "base/size.h"

#include "plan/backend.h"
#include "plan/sandbox.h"

static void memory_free(gpointer data)
{
	ExmPlanMemory *memory = data;

	exm_json_put(memory->backend);
	g_free(memory->id);
	g_free(memory->path);
	g_free(memory->namespace);
	g_free(memory);
}

static void disk_free(gpointer data)
{
	ExmPlanDisk *disk = data;

	g_free(disk->path);
	g_free(disk->directory);
	g_free(disk->backing);
	g_free(disk);
}

static void pmem_free(gpointer data)
{
	ExmPlanPmem *pmem = data;

	exm_json_put(pmem->backend);
	g_free(pmem->id);
	g_free(pmem->title);
	g_free(pmem->path);
	g_free(pmem->why);
	g_free(pmem->device);
	g_free(pmem);
}

static void claim_free(gpointer data)
{
	ExmPlanClaim *claim = data;

	exm_claim_free(claim->claim);
	g_free(claim);
}

static void step_destroy(gpointer data)
{
	exm_step_free(data);
}

/**
 * exm_plan_new() - A plan that does nothing yet
 *
 * Return: the plan (transfer full).
 */
ExmPlan *exm_plan_new(void)
{
	ExmPlan *plan = g_new0(ExmPlan, 1);

	plan->memory = g_ptr_array_new_with_free_func(memory_free);
	plan->disks = g_ptr_array_new_with_free_func(disk_free);
	plan->pmem = g_ptr_array_new_with_free_func(pmem_free);
	plan->claims = g_ptr_array_new_with_free_func(claim_free);
	plan->argv = g_ptr_array_new_with_free_func(g_free);
	plan->steps = g_ptr_array_new_with_free_func(step_destroy);
	plan->warnings = g_ptr_array_new_with_free_func(g_free);
	return plan;
}

/**
 * exm_plan_free() - Free a plan
 * @plan: may be NULL
 */
void exm_plan_free(ExmPlan *plan)
{
	if (!plan)
		return;
	g_ptr_array_unref(plan->memory);
	g_ptr_array_unref(plan->disks);
	g_ptr_array_unref(plan->pmem);
	g_ptr_array_unref(plan->claims);

	g_ptr_array_unref(plan->argv);
	g_ptr_array_unref(plan->steps);
	g_ptr_array_unref(plan->warnings);
	exm_commitment_free(plan->commitment);
	if (plan->sandbox)
		g_ptr_array_unref(plan->sandbox);
	g_free(plan->name);
	g_free(plan->directory);
	g_free(plan->uuid);
	g_free(plan->generation_id);
	g_free(plan->qemu);
	g_free(plan->qemu_version);
	g_strfreev(plan->command);
	g_free(plan->configuration);
	g_free(plan->run_as);
	g_free(plan->monitors);
	g_free(plan);
}

/**
 * exm_plan_add_memory() - Add a block of memory to a plan
 * @plan: the plan
 *
 * Return: the block, empty (borrowed).
 */
ExmPlanMemory *exm_plan_add_memory(ExmPlan *plan)
{
	ExmPlanMemory *memory = g_new0(ExmPlanMemory, 1);

	g_ptr_array_add(plan->memory, memory);
	return memory;
}

/**
 * exm_plan_add_disk() - Add an overlay to a plan
 * @plan: the plan
 *
 * Return: the overlay, empty (borrowed).
 */
ExmPlanDisk *exm_plan_add_disk(ExmPlan *plan)
{
	ExmPlanDisk *disk = g_new0(ExmPlanDisk, 1);

	g_ptr_array_add(plan->disks, disk);
	return disk;
}

/**
 * exm_plan_add_pmem() - Add a device of persistent memory to a plan
 * @plan: the plan
 *
 * Return: the device, empty (borrowed).
 */
ExmPlanPmem *exm_plan_add_pmem(ExmPlan *plan)
{
	ExmPlanPmem *pmem = g_new0(ExmPlanPmem, 1);

	g_ptr_array_add(plan->pmem, pmem);
	return pmem;
}

/**
 * exm_plan_add_claim() - Add a claim to a plan
 * @plan: the plan
 *
 * Return: the claim, empty (borrowed).
 */
ExmPlanClaim *exm_plan_add_claim(ExmPlan *plan)
{
	ExmPlanClaim *claim = g_new0(ExmPlanClaim, 1);

	g_ptr_array_add(plan->claims, claim);
	return claim;
}

/**
 * exm_plan_find_claim() - The claim that a step is about
 * @plan: the plan
 * @path: of the step: the namespace's device
 *
 * Return: the claim (borrowed), or NULL.
 */
const ExmPlanClaim *exm_plan_find_claim(const ExmPlan *plan, const char *path)
{
	for (guint i = 0; i < plan->claims->len; i++) {
		const ExmPlanClaim *claim = plan->claims->pdata[i];

		if (strcmp(claim->namespace->path, path) == 0)
			return claim;
	}
	return NULL;
}

/* What the guest will see. */
static void append_pmem(const ExmPlanPmem *pmem, GString *text)
{
	g_autofree char *path = exm_quote_word(pmem->path);
	g_autofree char *visible = exm_size_human(pmem->visible);
	g_autofree char *labels = exm_size_human(pmem->label_size);

	g_string_append_printf(text, "%-14s  %s", pmem->id, path);
	if (strcmp(pmem->title, pmem->path) != 0)
		g_string_append_printf(text, " (%s)", pmem->title);
	g_string_append_printf(text, ": the guest sees %" G_GUINT64_FORMAT " bytes (%s)",
	                       pmem->visible, visible);
	if (!pmem->is_virtio)
		g_string_append_printf(text, " on node %" G_GUINT64_FORMAT, pmem->node);
	if (pmem->label_size)
		g_string_append_printf(text, ", and %s of labels", labels);
	g_string_append_printf(text, "%s%s\n", pmem->why ? "; " : "", pmem->why ? pmem->why : "");
}

static void append_sandbox(const ExmPlan *plan, GString *text)
{
	if (plan->sandbox)
		g_string_append(text, "# sandbox\n");
	for (guint i = 0; plan->sandbox && i < plan->sandbox->len; i++) {
		const ExmAllowed *allowed = plan->sandbox->pdata[i];
		g_autofree char *path = exm_quote_word(allowed->path);

		g_string_append_printf(text, "%-14s  %s\n", exm_access_name(allowed->access), path);
	}
}

/**
 * exm_plan_to_text() - A plan for a person: its steps, then QEMU's words one a line
 * @plan: the plan
 *
 * Return: lines of text (transfer full); words are quoted as a shell wants them.
 */
char *exm_plan_to_text(const ExmPlan *plan)
{
	g_autofree char *steps = exm_steps_to_text(plan->steps);
	g_autoptr(GString) text = g_string_new(steps);

	if (plan->pmem->len)
		g_string_append(text, "# persistent memory\n");
	for (guint i = 0; i < plan->pmem->len; i++)
		append_pmem(plan->pmem->pdata[i], text);
	append_sandbox(plan, text);
	g_string_append(text, "# command\n");
	for (guint i = 0; plan->argv->pdata[i]; i++) {
		g_autofree char *word = exm_quote_word(plan->argv->pdata[i]);

		g_string_append_printf(text, "%s\n", word);
	}
	return g_string_free(g_steal_pointer(&text), FALSE);
}

/**
 * exm_plan_memory_to_json() - Where a plan puts the guest's memory
 * @plan: the plan
 *
 * Return: an array of objects (transfer full), described in exomem-run(1).
 */
ExmJson *exm_plan_memory_to_json(const ExmPlan *plan)
{
	ExmJson *array = json_object_new_array();

	for (guint i = 0; i < plan->memory->len; i++) {
		const ExmPlanMemory *memory = plan->memory->pdata[i];
		ExmJson *item = json_object_new_object();

		exm_json_set_string(item, "id", memory->id);
		exm_json_set_uint(item, "offset", memory->offset);
		exm_json_set_uint(item, "size", memory->size);
		if (memory->path)
			exm_json_set_string(item, "path", memory->path);
		exm_json_set_bool(item, "unnamed", memory->unnamed);
		exm_json_set_bool(item, "shared", memory->shared);
		json_object_object_add(item, "backend", json_object_get(memory->backend));
		if (memory->namespace) {
			exm_json_set_string(item, "namespace", memory->namespace);
			exm_json_set_string(item, "claims", memory->claims);
		}
		json_object_array_add(array, item);
	}
	return array;
}

/**
 * exm_plan_pmem_to_json() - The persistent memory of a guest
 * @plan: the plan
 *
 * Return: an array of objects (transfer full), described in exomem-run(1).
 */
ExmJson *exm_plan_pmem_to_json(const ExmPlan *plan)
{
	ExmJson *array = json_object_new_array();

	for (guint i = 0; i < plan->pmem->len; i++) {
		const ExmPlanPmem *pmem = plan->pmem->pdata[i];
		ExmJson *item = json_object_new_object();

		exm_json_set_string(item, "id", pmem->id);
		exm_json_set_string(item, "title", pmem->title);
		exm_json_set_string(item, "path", pmem->path);
		exm_json_set_uint(item, "size", pmem->size);
		exm_json_set_uint(item, "label-size", pmem->label_size);
		exm_json_set_uint(item, "visible", pmem->visible);
		exm_json_set_uint(item, "node", pmem->node);
		exm_json_set_bool(item, "virtio", pmem->is_virtio);
		if (pmem->why)
			exm_json_set_string(item, "why", pmem->why);
		json_object_object_add(item, "backend", json_object_get(pmem->backend));
		json_object_array_add(array, item);
	}
	return array;
}

/**
 * exm_plan_disks_to_json() - The overlays of a child
 * @plan: the plan
 *
 * Return: an array of objects (transfer full), described in exomem-clone(1).
 */
ExmJson *exm_plan_disks_to_json(const ExmPlan *plan)
{
	ExmJson *array = json_object_new_array();

	for (guint i = 0; i < plan->disks->len; i++) {
		const ExmPlanDisk *disk = plan->disks->pdata[i];
		ExmJson *item = json_object_new_object();

		exm_json_set_uint(item, "word", disk->word);
		if (disk->path) {
			exm_json_set_string(item, "path", disk->path);
		} else {
			exm_json_set_uint(item, "fd", (uint64_t)disk->fd);
			exm_json_set_string(item, "directory", disk->directory);
		}
		exm_json_set_string(item, "backing", disk->backing);
		json_object_array_add(array, item);
	}
	return array;
}

static ExmJson *sandbox_to_json(const ExmPlan *plan)
{
	ExmJson *array = json_object_new_array();

	for (guint i = 0; i < plan->sandbox->len; i++) {
		const ExmAllowed *allowed = plan->sandbox->pdata[i];
		ExmJson *item = json_object_new_object();

		exm_json_set_string(item, "path", allowed->path);
		exm_json_set_string(item, "access", exm_access_name(allowed->access));
		json_object_array_add(array, item);
	}
	return array;
}

/**
 * exm_plan_to_json() - A plan for a program
 * @plan: the plan
 *
 * Return: an object (transfer full), described in exomem-run(1).
 */
ExmJson *exm_plan_to_json(const ExmPlan *plan)
{
	ExmJson *json = json_object_new_object();

	exm_json_set_uint(json, "schema", 1);
	if (plan->name) {
		exm_json_set_string(json, "name", plan->name);
		exm_json_set_string(json, "uuid", plan->uuid);
	}
	json_object_object_add(json, "memory", exm_plan_memory_to_json(plan));
	if (plan->pmem->len)
		json_object_object_add(json, "pmem", exm_plan_pmem_to_json(plan));
	if (plan->template) {
		exm_json_set_string(json, "template", plan->template->directory);
		exm_json_set_uint(json, "index", plan->index);
		json_object_object_add(json, "disks", exm_plan_disks_to_json(plan));
	}
	if (plan->sandbox)
		json_object_object_add(json, "sandbox", sandbox_to_json(plan));
	json_object_object_add(json, "steps", exm_steps_to_json(plan->steps));
	exm_json_set_strv(json, "argv", (const char *const *)plan->argv->pdata);
	return json;
}

static bool names_memory(const ExmPlan *plan, const char *path)
{
	for (guint i = 0; i < plan->memory->len; i++) {
		const ExmPlanMemory *memory = plan->memory->pdata[i];

		if (!memory->unnamed && g_strcmp0(memory->path, path) == 0)
			return true;
	}
	for (guint i = 0; i < plan->pmem->len; i++)
		if (strcmp(((const ExmPlanPmem *)plan->pmem->pdata[i])->path, path) == 0)
			return true;
	return false;
}

static bool is_made(const ExmPlan *plan, const char *path)
{
	for (guint i = 0; i < plan->steps->len; i++) {
		const ExmStep *step = plan->steps->pdata[i];

		if ((step->kind == EXM_STEP_NAME_FILE || step->kind == EXM_STEP_CREATE_FILE) &&
		    strcmp(step->path, path) == 0)
			return true;
	}
	return false;
}

/* flock(1) with --no-fork does what exomem does: QEMU inherits the locked descriptor. */
static void append_shell_step(const ExmPlan *plan, const ExmStep *step, GString *before, GString *exec)
{
	g_autofree char *path = exm_quote_word(step->path);

	if (!names_memory(plan, step->path))
		return;
	if (step->kind == EXM_STEP_LOCK_FILE) {
		if (is_made(plan, step->path))
			g_string_append_printf(before, ": >%s && ", path);
		g_string_append_printf(exec, "flock -n%s -F %s ", step->shared ? " -s" : "", path);
	}
	if (step->kind == EXM_STEP_SIZE_FILE)
		g_string_append_printf(before, "truncate -s %" G_GUINT64_FORMAT " %s && ",
		                       step->bytes, path);
	if (step->kind == EXM_STEP_RESERVE_BLOCKS)
		g_string_append_printf(before, "fallocate -l %" G_GUINT64_FORMAT " %s && ",
		                       step->bytes, path);
}

/* A file without a name cannot be made by a shell; given its directory, QEMU makes one itself. */
static char *shell_word(const ExmPlan *plan, const char *word)
{
	for (guint i = 0; i < plan->memory->len; i++) {
		const ExmPlanMemory *memory = plan->memory->pdata[i];
		g_autofree char *object = exm_backend_print(memory->backend);
		g_autoptr(ExmJson) copy = NULL;

		if (!memory->unnamed || strcmp(object, word) != 0)
			continue;
		json_object_deep_copy(memory->backend, &copy, NULL);
		exm_json_set_string(copy, "mem-path", memory->path);
		return exm_backend_print(copy);
	}
	return g_strdup(word);
}

/* exomem's own monitors want its directory, which a command without exomem has not. */
static bool is_for_exomem(const ExmPlan *plan, guint index)
{
	const char *path = plan->configuration;

	return path && (g_strcmp0(plan->argv->pdata[index], path) == 0 ||
	                g_strcmp0(plan->argv->pdata[index + 1], path) == 0);
}

/**
 * exm_plan_shell_loss() - What a plan lacks as a shell command
 * @plan: the plan
 *
 * Return: a warning (transfer full), or NULL.
 */
char *exm_plan_shell_loss(const ExmPlan *plan)
{
	for (guint i = 0; i < plan->steps->len; i++) {
		const ExmStep *step = plan->steps->pdata[i];

		if (step->kind == EXM_STEP_GUARD_MEMORY)
			return g_strdup_printf("'--shell': nothing in the command keeps QEMU from "
			                       "punching holes into '%s' when a balloon takes pages",
			                       step->path);
	}
	if (plan->sandbox)
		return g_strdup("'--shell': nothing in the command keeps QEMU from opening files "
		                "that '--sandbox' does not allow");
	return NULL;
}

/**
 * exm_plan_to_shell() - A plan as one command that can be pasted into a shell
 * @plan: the plan
 *
 * It needs truncate(1), fallocate(1) and flock(1), and does without exomem: no name is claimed. It
 * never cuts a file that came into being since the plan was made (set -C).
 *
 * Return: one line (transfer full).
 */
char *exm_plan_to_shell(const ExmPlan *plan)
{
	g_autoptr(GString) before = g_string_new(NULL);
	g_autoptr(GString) exec = g_string_new(NULL);
	g_autoptr(GPtrArray) words = g_ptr_array_new_with_free_func(g_free);
	g_autofree char *command = NULL;

	for (guint i = 0; i < plan->steps->len; i++)
		append_shell_step(plan, plan->steps->pdata[i], before, exec);
	for (guint i = 0; plan->argv->pdata[i]; i++)
		if (!is_for_exomem(plan, i))
			g_ptr_array_add(words, shell_word(plan, plan->argv->pdata[i]));
	g_ptr_array_add(words, NULL);
	command = exm_quote_argv((const char *const *)words->pdata);
	if (before->len == 0)
		return g_strdup_printf("%s%s", exec->str, command);
	return g_strdup_printf("(umask 077 && set -C && %sexec %s%s)", before->str, exec->str,
	                       command);
}
