/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fork.c - The plan of `exomem fork`: how a guest goes on beside children of its own */

#include "plan/fork.h"

#include <string.h>

#include "base/enumtab.h"
#include "base/error.h"
#include "base/size.h"
#include "plan/block.h"
#include "plan/clash.h"

static const char *const way_names[] = {
	[EXM_FORK_REFLINK] = "reflink",
	[EXM_FORK_WRITE] = "write",
	[EXM_FORK_SUCCEED] = "succeed",
};

static const ExmEnumTable ways = { "way", way_names, G_N_ELEMENTS(way_names) };

/**
 * exm_fork_facts_new() - Facts that are still to be filled in
 *
 * Return: the facts (transfer full).
 */
ExmForkFacts *exm_fork_facts_new(void)
{
	return g_new0(ExmForkFacts, 1);
}

/**
 * exm_fork_facts_free() - Free facts
 * @facts: may be NULL
 */
void exm_fork_facts_free(ExmForkFacts *facts)
{
	if (!facts)
		return;
	exm_save_facts_free(facts->freeze);
	exm_host_free(facts->host);
	exm_place_free(facts->place);
	if (facts->guests)
		g_ptr_array_unref(facts->guests);
	g_free(facts);
}

static bool check_parent(const ExmForkFacts *facts, GError **error)
{
	const char *name = facts->freeze->vm->name;
	const char *status = exm_json_get_string(facts->freeze->status, "status");

	if (exm_json_get_bool(facts->freeze->status, "running"))
		return true;
	return exm_throw(error, EXM_ERROR_STATE,
	                 "guest '%s' does not run, but is in state '%s': let it go on first, or "
	                 "freeze it by 'exomem save' and start children by 'exomem clone'",
	                 name, status ? status : "unknown");
}

static bool is_named(const ExmVm *vm, guint index)
{
	ExmJson *memory = json_object_array_get_idx(vm->memory, index);

	return exm_json_get_string(memory, "path") && !exm_json_get_bool(memory, "unnamed");
}

static bool choose_way(ExmForkPlan *plan, const ExmForkFacts *facts, GError **error)
{
	const ExmVm *vm = plan->freeze->vm;
	const ExmTemplateMemory *device = exm_template_device(plan->freeze->template);

	if (device)
		return exm_throw(
			error, EXM_ERROR_UNSUPPORTED,
			"the memory of guest '%s' is a DAX device, of which children can have "
			"no copy: 'exomem save' and one 'exomem clone' let it rest and go on",
			vm->name);
	plan->way = plan->freeze->whole ? EXM_FORK_WRITE
	            : facts->reflink    ? EXM_FORK_REFLINK
	                                : EXM_FORK_SUCCEED;
	if (plan->way != EXM_FORK_SUCCEED)
		return true;
	if (!vm->detached)
		return exm_throw(error, EXM_ERROR_UNSUPPORTED,
		                 "guest '%s' shares its memory with '%s', which has no reflinks, so a "
		                 "child would have to take its place, but it is in the foreground: "
		                 "start it with '--detach', or with memory on XFS or btrfs",
		                 vm->name, facts->place->path);
	if (!plan->keep && is_named(vm, 0))
		return exm_throw(error, EXM_ERROR_UNSUPPORTED,
		                 "the memory of guest '%s' is a file with a name, which its children "
		                 "would need: say '--keep' to make it a template's, or start the guest "
		                 "with 'mode=temp', or with memory on XFS or btrfs",
		                 vm->name);
	return true;
}

/* Bytes of the guest's files whose blocks are all there, as a reservation leaves them. */
static uint64_t reserved_bytes(const ExmForkFacts *facts)
{
	ExmJson *memory = facts->freeze->vm->memory;
	uint64_t reserved = 0;

	for (guint i = 0; i < facts->freeze->memory->len; i++) {
		const ExmFileFacts *file = facts->freeze->memory->pdata[i];

		if (exm_json_get_bool(json_object_array_get_idx(memory, i), "shared") &&
		    file->exists && file->allocated >= file->size)
			reserved += file->size;
	}
	return reserved;
}

/*
 * After a reflink the guest's next write to each block needs a new one, reserved or not (Linux,
 * fs/xfs/xfs_reflink.c), and where there is none left the kernel sends SIGBUS.
 */
static bool check_room(const ExmForkPlan *plan, const ExmForkRequest *request,
                       const ExmForkFacts *facts, GError **error)
{
	const uint64_t reserved = reserved_bytes(facts);
	g_autofree char *need = exm_size_human(reserved);
	g_autofree char *free = exm_size_human(facts->place->free);

	if (plan->way != EXM_FORK_REFLINK || request->clone.overcommit ||
	    reserved <= facts->place->free)
		return true;
	return exm_throw(error, EXM_ERROR_NO_ROOM,
	                 "the blocks of guest '%s' are reserved, and would be shared: when it writes, "
	                 "it needs up to %s again, and '%s' has %s free; '--overcommit' forks it all "
	                 "the same",
	                 plan->freeze->vm->name, need, facts->place->path, free);
}

/* The guest's words with what it and its heir have in common. */
static ExmQemuLine *heirs_line(const ExmVm *vm, GError **error)
{
	g_autoptr(GPtrArray) words = g_ptr_array_new_with_free_func(g_free);

	for (char **word = vm->command; *word; word++) {
		g_autoptr(GString) text = g_string_new(*word);

		g_string_replace(text, "@{name}", vm->name, 0);
		g_string_replace(text, "@{uuid}", vm->uuid, 0);
		g_ptr_array_add(words, g_string_free(g_steal_pointer(&text), FALSE));
	}
	g_ptr_array_add(words, NULL);
	return exm_qemu_line_parse((const char *const *)words->pdata, error);
}

/* The heir is started while the guest still has all that there is one of. */
static bool check_heir(const ExmForkPlan *plan, GError **error)
{
	const ExmVm *vm = plan->freeze->vm;
	g_autoptr(ExmQemuLine) line = heirs_line(vm, error);
	g_autoptr(GPtrArray) clashes = line ? exm_clashes_find(line) : NULL;

	for (guint i = 0; clashes && i < clashes->len; i++) {
		const ExmClash *clash = clashes->pdata[i];

		if (clash->kind == EXM_CLASH_EXCLUSIVE)
			return exm_throw(
				error, EXM_ERROR_STATE,
				"'%s' can be had once, and the child that would take the place "
				"of guest '%s' has its name: write '@{index}' or '@{dir}' in it, "
				"or start the guest with memory on XFS or btrfs",
				clash->argument, vm->name);
	}
	return clashes;
}

/* Where the children's memory files will be: beside the guest's, or in the template. */
static void place_memory(ExmForkPlan *plan, const ExmForkFacts *facts)
{
	const ExmTemplate *template = plan->freeze->template;

	for (guint i = 0; i < plan->freeze->memory->len; i++) {
		ExmSaveFile *file = plan->freeze->memory->pdata[i];
		ExmTemplateMemory *block = template->memory->pdata[i];
		g_autofree char *name = exm_block_file_name(block->offset, block->size, block->id);

		file->source = file->fd >= 0 ? g_strdup_printf("/proc/%" G_GUINT64_FORMAT "/fd/%d",
		                                               plan->freeze->vm->pid, file->fd)
		                             : g_strdup(file->path);
		if (plan->way == EXM_FORK_REFLINK)
			file->how = EXM_SAVE_CLONE;
		if (plan->way != EXM_FORK_SUCCEED) {
			g_free(g_steal_pointer(&file->path));
			g_free(g_steal_pointer(&file->inner));
			g_free(g_steal_pointer(&file->outer));
			exm_save_place_file(plan->freeze, facts->freeze, file, facts->device,
			                    facts->place->path, name);
		}
		block->path = g_strdup(file->inner ? file->inner : file->outer);
	}
}

/* What the children will find there. */
static void describe_files(ExmForkPlan *plan, const ExmForkFacts *facts)
{
	for (guint i = 0; i < plan->freeze->memory->len; i++) {
		const ExmTemplateMemory *block = plan->freeze->template->memory->pdata[i];
		const ExmSaveFile *saved = plan->freeze->memory->pdata[i];
		ExmFileFacts *file = g_new0(ExmFileFacts, 1);

		file->path = g_strdup(saved->path);
		file->exists = true;
		file->regular = true;
		file->readable = true;
		file->writable = true;
		file->owner = facts->host->euid;
		file->size = block->size;
		file->allocated = block->size;
		g_ptr_array_add(plan->files, file);
	}
}

/*
 * What the name of the guest's own overlay begins with: the image's path, without what an earlier
 * fork has put behind it. A clone's is where its overlay is, which goes with a template it holds.
 */
static char *stem_of(const ExmSaveFile *file, const ExmTemplateDisk *disk, const char *guest)
{
	const char *path = file->path;
	g_autofree char *mark = g_strdup_printf(".%s-", guest);
	const char *behind = g_strrstr(path, mark);
	const size_t digits = behind ? strspn(behind + strlen(mark), "0123456789abcdef") : 0;

	if (file->directory)
		return g_build_filename(file->directory, disk->overlay, NULL);
	if (digits == 4 && strcmp(behind + strlen(mark) + digits, ".qcow2") == 0)
		return g_strndup(path, (gsize)(behind - path));
	return g_strdup(path);
}

/* Its overlay is made after the guest's QEMU was restricted to the files that it had. */
static bool check_sandbox(const ExmForkPlan *plan, const ExmVm *vm, GError **error)
{
	const GPtrArray *disks = plan->freeze->disks;

	if (!vm->sandbox || disks->len == 0 || plan->way == EXM_FORK_SUCCEED)
		return true;
	return exm_throw(error, EXM_ERROR_UNSUPPORTED,
	                 "guest '%s' is sandboxed, and its QEMU may not open the overlay that its disk "
	                 "'%s' would get: save it and clone the template",
	                 vm->name, ((const ExmSaveFile *)disks->pdata[0])->path);
}

static bool plan_disks(ExmForkPlan *plan, const ExmForkFacts *facts, GError **error)
{
	const ExmVm *vm = plan->freeze->vm;

	if (!check_sandbox(plan, vm, error))
		return false;
	for (guint i = 0; i < plan->freeze->disks->len; i++) {
		const ExmSaveFile *file = plan->freeze->disks->pdata[i];
		ExmTemplateDisk *disk = plan->freeze->template->disks->pdata[i];
		g_autofree char *stem = stem_of(file, disk, vm->name);

		if (file->how == EXM_SAVE_LINK && !plan->keep)
			return exm_throw(error, EXM_ERROR_UNSUPPORTED,
			                 "guest '%s' writes to an overlay without a name, which its "
			                 "children would need: say '--keep' to make it a template's",
			                 vm->name);
		disk->path = g_strdup(file->inner ? file->inner : file->outer);
		g_ptr_array_add(plan->overlays, g_strdup_printf("%s.%s-%s.qcow2", stem, vm->name,
		                                                facts->freeze->random));
	}
	g_ptr_array_add(plan->overlays, NULL);
	return true;
}

/* The child that takes the guest's place: like the others, but with its disks and all that it had. */
static void prepare_heir(const ExmForkPlan *plan, const char *random)
{
	ExmRunRequest *heir = plan->children->pdata[plan->children->len - 1];

	heir->place = g_strdup_printf("%.48s.heir-%s", heir->name, random);
	heir->overlays = (const char *const *)plan->overlays->pdata;
	heir->no_kernel = false;
}

static bool plan_children(ExmForkPlan *plan, const ExmForkRequest *request,
                          const ExmForkFacts *facts, GError **error)
{
	ExmCloneRequest clone = request->clone;
	const ExmCloneFacts clone_facts = {
		.template = plan->freeze->template,
		.caps = facts->freeze->caps,
		.host = facts->host,
		.place = facts->place,
		.guests = facts->guests,
		.parent = plan->freeze->vm,
		.inheritance = &plan->inheritance,
	};

	clone.detach = true;
	clone.waiting = true;
	clone.heir = plan->way == EXM_FORK_SUCCEED;
	/* They run when all is settled, and not before: whatever the state says. */
	clone.paused = true;
	plan->inheritance = (ExmInheritance){
		.devices_fd = (int)facts->host->first_fd,
		.memory_fd = (int)facts->host->first_fd + 1,
		.kept = plan->keep,
	};
	plan->children = exm_clone_children(&clone, &clone_facts, error);
	if (!plan->children)
		return false;
	if (clone.heir && !check_heir(plan, error))
		return false;
	if (clone.heir)
		prepare_heir(plan, facts->freeze->random);
	return true;
}

static void add_memory_steps(const ExmForkPlan *plan)
{
	const ExmSavePlan *freeze = plan->freeze;
	const ExmStepKind kind = plan->way == EXM_FORK_SUCCEED ? EXM_STEP_LEND_MEMORY
	                                                       : EXM_STEP_MAKE_MEMORY;

	for (guint i = 0; i < freeze->memory->len; i++) {
		const ExmSaveFile *file = freeze->memory->pdata[i];
		const ExmTemplateMemory *block = freeze->template->memory->pdata[i];
		ExmStep *step = exm_save_add_step(freeze, kind, file->path);

		step->fd = plan->inheritance.memory_fd + (int)i;
		step->bytes = block->size;
	}
}

static void add_disk_steps(const ExmForkPlan *plan, ExmStepKind kind)
{
	for (guint i = 0; plan->overlays->pdata[i]; i++)
		exm_save_add_step(plan->freeze, kind, plan->overlays->pdata[i]);
}

/* Before the guest rests: all that takes long. */
static void add_steps_before(const ExmForkPlan *plan, const char *devices)
{
	const ExmSavePlan *freeze = plan->freeze;

	exm_save_add_step(freeze, EXM_STEP_MAKE_TEMPLATE, freeze->temporary);
	exm_save_add_file_steps(freeze, freeze->disks, EXM_STEP_LINK_FILE, EXM_SAVE_LINK);
	exm_save_add_overlay_steps(freeze);
	add_disk_steps(plan, EXM_STEP_MAKE_OVERLAY);
	exm_save_add_step(freeze, EXM_STEP_HOLD_DEVICES, devices)->fd = plan->inheritance.devices_fd;
	add_memory_steps(plan);
	exm_save_add_step(freeze, EXM_STEP_START_CHILDREN, freeze->vm->name);
	if (plan->way != EXM_FORK_WRITE)
		exm_save_add_step(freeze, EXM_STEP_SYNC_MEMORY, freeze->vm->name);
	if (plan->way == EXM_FORK_SUCCEED)
		exm_save_add_step(freeze, EXM_STEP_KEEP_MEMORY, freeze->vm->name);
}

/* While it rests; the last of these decides, and whatever fails before lets it go on. */
static void add_steps_between(const ExmForkPlan *plan, const char *devices)
{
	const ExmSavePlan *freeze = plan->freeze;

	if (plan->way != EXM_FORK_SUCCEED)
		add_disk_steps(plan, EXM_STEP_MOVE_DISK);
	exm_save_add_step(freeze, EXM_STEP_SAVE_DEVICES, devices);
	exm_save_add_file_steps(freeze, freeze->memory, EXM_STEP_CLONE_MEMORY, EXM_SAVE_CLONE);
	exm_save_add_step(freeze,
	                  plan->way == EXM_FORK_SUCCEED ? EXM_STEP_TAKE_PLACE : EXM_STEP_RESUME_GUEST,
	                  freeze->vm->name);
}

static void add_steps_behind(const ExmForkPlan *plan, const char *random)
{
	const ExmSavePlan *freeze = plan->freeze;

	exm_save_add_step(freeze, EXM_STEP_LOAD_CHILDREN, freeze->vm->name);
	if (plan->keep) {
		exm_save_add_file_steps(freeze, freeze->memory, EXM_STEP_LINK_FILE, EXM_SAVE_LINK);
		exm_save_add_manifest_steps(freeze, random);
	} else {
		exm_save_add_step(freeze, EXM_STEP_DROP_TEMPLATE, freeze->temporary);
	}
	if (plan->way == EXM_FORK_SUCCEED)
		exm_save_add_step(freeze, EXM_STEP_END_GUEST, freeze->vm->name);
}

static void add_loss(ExmForkPlan *plan, const char *format, ...) G_GNUC_PRINTF(2, 3);

static void add_loss(ExmForkPlan *plan, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	g_ptr_array_add(plan->losses, g_strdup_vprintf(format, arguments));
	va_end(arguments);
}

static void describe_losses(ExmForkPlan *plan)
{
	const char *name = plan->freeze->vm->name;

	for (guint i = 0; plan->overlays->pdata[i]; i++)
		add_loss(plan, "'%s' writes to '%s' from then on; '%s' stays as it was", name,
		         (const char *)plan->overlays->pdata[i],
		         ((const ExmSaveFile *)plan->freeze->disks->pdata[i])->path);
	if (plan->way == EXM_FORK_WRITE)
		add_loss(plan, "'%s' rests while its memory is written", name);
	if (plan->way != EXM_FORK_SUCCEED)
		return;
	add_loss(plan,
	         "'%s' goes on in another process: connections of its user network and of its "
	         "monitors and console end",
	         name);
	add_loss(plan, "'%s' has index %u from then on, where a placeholder says so", name,
	         exm_fork_heir(plan)->index);
}

static void file_facts_destroy(gpointer file)
{
	exm_file_facts_free(file);
}

static ExmForkPlan *plan_new(const ExmForkRequest *request, const ExmForkFacts *facts, GError **error)
{
	ExmForkPlan *plan = g_new0(ExmForkPlan, 1);
	ExmSaveRequest freeze = request->freeze;

	plan->keep = request->keep;
	plan->paused = request->clone.paused;
	plan->files = g_ptr_array_new_with_free_func(file_facts_destroy);
	plan->overlays = g_ptr_array_new_with_free_func(g_free);
	plan->losses = g_ptr_array_new_with_free_func(g_free);
	/* The children's files are in the directory before it is a template: it cannot be moved. */
	freeze.in_place = true;
	plan->freeze = exm_save_plan_begin(&freeze, facts->freeze, error);
	/* What save warns of, children are refused for, unless the user knows better. */
	if (plan->freeze)
		g_ptr_array_set_size(plan->freeze->warnings, 0);
	return plan;
}

/**
 * exm_fork_plan() - Decide all that a fork will do
 * @request: what the user said
 * @facts:   what is so
 * @error:   any code; nothing has been done, and the guest has not noticed
 *
 * Return: the plan (transfer full), which borrows the guest of the facts; or NULL.
 */
ExmForkPlan *exm_fork_plan(const ExmForkRequest *request, const ExmForkFacts *facts, GError **error)
{
	g_autoptr(ExmForkPlan) plan = NULL;
	g_autofree char *devices = NULL;

	if (!check_parent(facts, error))
		return NULL;
	plan = plan_new(request, facts, error);
	if (!plan->freeze || !choose_way(plan, facts, error) ||
	    !check_room(plan, request, facts, error) || !plan_disks(plan, facts, error))
		return NULL;
	place_memory(plan, facts);
	describe_files(plan, facts);
	if (!plan_children(plan, request, facts, error))
		return NULL;
	/* A disk moves while the guest rests. */
	if (plan->freeze->disks->len > 0) {
		plan->freeze->stop = true;
		plan->freeze->template->paused = true;
	}
	devices = g_build_filename(plan->freeze->temporary, EXM_TEMPLATE_DEVICES, NULL);
	add_steps_before(plan, devices);
	add_steps_between(plan, devices);
	add_steps_behind(plan, facts->freeze->random);
	describe_losses(plan);
	return g_steal_pointer(&plan);
}

/**
 * exm_fork_plan_free() - Free a plan
 * @plan: may be NULL
 */
void exm_fork_plan_free(ExmForkPlan *plan)
{
	if (!plan)
		return;
	if (plan->children)
		g_ptr_array_unref(plan->children);
	exm_save_plan_free(plan->freeze);
	g_ptr_array_unref(plan->files);
	g_ptr_array_unref(plan->overlays);
	g_ptr_array_unref(plan->losses);
	g_free(plan);
}

/**
 * exm_fork_heir() - The child that takes the guest's place
 * @plan: the plan
 *
 * Return: its request (borrowed), or NULL where the guest itself goes on.
 */
const ExmRunRequest *exm_fork_heir(const ExmForkPlan *plan)
{
	return plan->way == EXM_FORK_SUCCEED ? plan->children->pdata[plan->children->len - 1] : NULL;
}

/**
 * exm_fork_plan_to_text() - A plan for a person
 * @plan: the plan
 *
 * Return: what the guest loses, then the steps, one a line (transfer full).
 */
char *exm_fork_plan_to_text(const ExmForkPlan *plan)
{
	g_autofree char *steps = exm_steps_to_text(plan->freeze->steps);
	g_autoptr(GString) text = g_string_new(NULL);

	g_string_append_printf(text, "# way\n%s\n", exm_enum_name(&ways, (int)plan->way));
	if (plan->losses->len > 0)
		g_string_append(text, "# what the guest loses\n");
	for (guint i = 0; i < plan->losses->len; i++)
		g_string_append_printf(text, "%s\n", (const char *)plan->losses->pdata[i]);
	g_string_append(text, steps);
	return g_string_free(g_steal_pointer(&text), FALSE);
}

/**
 * exm_fork_plan_to_json() - A plan for a program
 * @plan: the plan
 *
 * Return: an object (transfer full), described in exomem-fork(1).
 */
ExmJson *exm_fork_plan_to_json(const ExmForkPlan *plan)
{
	ExmJson *json = json_object_new_object();
	ExmJson *names = json_object_new_array();
	ExmJson *losses = json_object_new_array();

	exm_json_set_uint(json, "schema", 1);
	exm_json_set_string(json, "name", plan->freeze->vm->name);
	exm_json_set_string(json, "way", exm_enum_name(&ways, (int)plan->way));
	if (plan->keep)
		exm_json_set_string(json, "template", plan->freeze->template->directory);
	for (guint i = 0; i < plan->children->len; i++) {
		const ExmRunRequest *child = plan->children->pdata[i];

		if (child != exm_fork_heir(plan))
			json_object_array_add(names, json_object_new_string(child->name));
	}
	json_object_object_add(json, "children", names);
	for (guint i = 0; i < plan->losses->len; i++)
		json_object_array_add(losses, json_object_new_string(plan->losses->pdata[i]));
	json_object_object_add(json, "losses", losses);
	json_object_object_add(json, "steps", exm_steps_to_json(plan->freeze->steps));
	return json;
}
