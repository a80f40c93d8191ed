/* SPDX-License-Identifier: GPL-2.0-or-later */
/* save.c - The plan of `exomem save`: what becomes of each file of a guest, and in which order */

#include "plan/save.h"

#include <string.h>

#include "base/error.h"
#include "plan/block.h"
#include "plan/clash.h"
#include "plan/disk.h"
#include "plan/guest.h"
#include "plan/identity.h"

/* The states of a guest that can be saved (QEMU, qapi/run-state.json). */
static const char *const states[] = { "running", "paused", "prelaunch", NULL };

static bool check_state(const ExmSaveFacts *facts, GError **error)
{
	const char *name = facts->vm->name;
	const char *status = exm_json_get_string(facts->status, "status");
	const char *migration = exm_json_get_string(facts->migration, "status");

	if (g_strcmp0(status, "postmigrate") == 0)
		return exm_throw(error, EXM_ERROR_STATE, "guest '%s' was saved or migrated already",
		                 name);
	if (!status || !g_strv_contains(states, status))
		return exm_throw(error, EXM_ERROR_STATE,
		                 "guest '%s' is in state '%s': one that runs or is paused can be "
		                 "saved",
		                 name, status ? status : "unknown");
	if (migration && strcmp(migration, "none") != 0 && strcmp(migration, "failed") != 0 &&
	    strcmp(migration, "cancelled") != 0 && strcmp(migration, "completed") != 0)
		return exm_throw(error, EXM_ERROR_STATE, "guest '%s' is being migrated", name);
	return true;
}

/* Without these lists it is not known what children must not share. */
static bool check_answers(const ExmSaveFacts *facts, GError **error)
{
	ExmJson *reasons = exm_json_member(facts->migration, "blocked-reasons");
	const char *command = NULL;

	if (!json_object_is_type(facts->backends, json_type_array))
		command = "query-memdev";
	else if (!json_object_is_type(facts->disks, json_type_array))
		command = "query-block";
	else if (reasons && !json_object_is_type(reasons, json_type_array))
		command = "query-migrate";
	return !command ||
	       exm_throw(error, EXM_ERROR_SYSTEM,
	                 "QEMU's answer to %s has no list where there must be one", command);
}

/* What could not be written to a file may be gone from memory too, and the kernel says it once. */
static bool check_loss(const ExmSaveFacts *facts, GError **error)
{
	return !facts->vm->memory_error ||
	       exm_throw(error, EXM_ERROR_STATE,
	                 "guest '%s' may have lost memory, which could not be written back: %s; "
	                 "start it anew",
	                 facts->vm->name, facts->vm->memory_error);
}

/* QEMU, qapi/migration.json, MigrationInfo: devices that cannot migrate too, since 6.0 */
static bool check_blockers(const ExmSaveFacts *facts, GError **error)
{
	ExmJson *reasons = exm_json_member(facts->migration, "blocked-reasons");

	if (!reasons || exm_json_length(reasons) == 0)
		return true;
	return exm_throw(error, EXM_ERROR_UNSUPPORTED, "guest '%s' cannot be saved: %s",
	                 facts->vm->name,
	                 json_object_get_string(json_object_array_get_idx(reasons, 0)));
}

/* exomem-run(1), --state-format: the stream of such a guest could not be read back. */
static bool check_stream(const ExmSaveFacts *facts, GError **error)
{
	for (char **word = facts->vm->argv; *word; word++)
		if (strcmp(*word, "migration.send-configuration=off") == 0)
			return exm_throw(error, EXM_ERROR_UNSUPPORTED,
			                 "guest '%s' was loaded from a state without configuration "
			                 "('%s'), and so cannot be saved",
			                 facts->vm->name, *word);
	return true;
}

/*
 * A namespace has one owner, devices cannot be mapped privately (Linux, drivers/dax/device.c), and
 * what virtio-pmem holds is not in the stream (QEMU, hw/virtio/virtio-pmem.c).
 */
static bool check_pmem(const ExmSaveFacts *facts, GError **error)
{
	ExmJson *pmem = facts->vm->pmem;
	const char *title;

	if (!pmem || exm_json_length(pmem) == 0)
		return true;
	title = exm_json_get_string(json_object_array_get_idx(pmem, 0), "title");
	return exm_throw(error, EXM_ERROR_UNSUPPORTED,
	                 "guest '%s' has persistent memory ('%s'), which children cannot have of "
	                 "their own: start it without '--pmem', whose data stay where they are, and "
	                 "save it then",
	                 facts->vm->name, title);
}

static bool check_caps(const ExmSaveFacts *facts, GError **error)
{
	/* QEMU, qapi/migration.json: since 4.0 */
	if (exm_caps_has(facts->caps->migration_capabilities, "x-ignore-shared"))
		return true;
	return exm_throw(error, EXM_ERROR_UNSUPPORTED,
	                 "saving needs QEMU 4.0 ('x-ignore-shared'); '%s' is %s", facts->caps->path,
	                 facts->caps->version);
}

static bool is_memory_of(const ExmTemplateMemory *memory, const ExmFileFacts *file)
{
	return g_strcmp0(memory->path, file->path) == 0 ||
	       (memory->inode && memory->inode == file->inode);
}

/**
 * exm_save_replaces() - Check whether a migration of a running guest may replace a state on disk
 * @handover: the guest of that state, as its manifest has it
 * @vm:       the guest that is migrated; it holds the locks of its memory
 * @files:    of ExmFileFacts, one for each block of its memory
 *
 * A state can be loaded as long as its memory is as it was saved. The guest runs on that memory, so
 * this state can never be loaded again. The file alone does not prove that: another host may have
 * one with the same path or number.
 */
bool exm_save_replaces(const ExmTemplate *handover, const ExmVm *vm, const GPtrArray *files)
{
	if (g_strcmp0(handover->uuid, vm->uuid) != 0 || handover->memory->len != files->len)
		return false;
	for (guint i = 0; i < files->len; i++) {
		ExmJson *memory = json_object_array_get_idx(vm->memory, i);

		if (!exm_json_get_bool(memory, "shared") ||
		    !is_memory_of(handover->memory->pdata[i], files->pdata[i]))
			return false;
	}
	return files->len > 0;
}

static bool check_target(const ExmSaveRequest *request, const ExmSaveFacts *facts, GError **error)
{
	const bool replaces = facts->handover &&
	                      exm_save_replaces(facts->handover, facts->vm, facts->memory);

	if (facts->target->exists && request->moves && !replaces)
		return exm_throw(error, EXM_ERROR_STATE,
		                 "'%s' exists: it may hold the state of a guest that was handed "
		                 "over; 'exomem receive' resumes that one, or remove it",
		                 request->directory);
	if (facts->target->exists && !replaces)
		return exm_throw(error, EXM_ERROR_STATE,
		                 "'%s' exists: name another template, or remove it by 'exomem "
		                 "template remove'",
		                 request->directory);
	if (facts->place->kind != EXM_PLACE_DIRECTORY)
		return exm_throw(error, EXM_ERROR_USAGE, "'%s' is not a directory",
		                 facts->place->path);
	if (!facts->place->writable)
		return exm_throw(error, EXM_ERROR_USAGE, "'%s' is not writable", facts->place->path);
	return exm_place_check_safe(facts->place, error);
}

/* Refuses what no child could have; warns of what several could not have. */
static bool check_clashes(const ExmQemuLine *line, GPtrArray *warnings, GError **error)
{
	g_autoptr(GPtrArray) clashes = exm_clashes_find(line);

	for (guint i = 0; i < clashes->len; i++) {
		const ExmClash *clash = clashes->pdata[i];

		switch (clash->kind) {
		case EXM_CLASH_DESCRIPTOR:
		case EXM_CLASH_MEMORY:
		case EXM_CLASH_STATE:
			return exm_throw(error, EXM_ERROR_UNSUPPORTED, "%s", clash->message);
		case EXM_CLASH_EXCLUSIVE:
		case EXM_CLASH_MAC:
		case EXM_CLASH_BALLOON:
			g_ptr_array_add(warnings, g_strdup(clash->message));
			break;
		case EXM_CLASH_TERMINAL:
			break;
		}
	}
	return true;
}

static ExmJson *find_backend(const ExmSaveFacts *facts, const char *id)
{
	for (size_t i = 0; i < exm_json_length(facts->backends); i++) {
		ExmJson *backend = json_object_array_get_idx(facts->backends, i);

		if (g_strcmp0(exm_json_get_string(backend, "id"), id) == 0)
			return backend;
	}
	return NULL;
}

static bool is_recorded(const ExmVm *vm, const char *id)
{
	for (size_t i = 0; i < exm_json_length(vm->memory); i++)
		if (g_strcmp0(exm_json_get_string(json_object_array_get_idx(vm->memory, i), "id"),
		              id) == 0)
			return true;
	return false;
}

/*
 * What is shared is not in the stream (QEMU, migration/ram.c, ramblock_is_ignored(): until 8.0 that
 * goes for memory without a file too), so children would have none of it.
 */
static bool check_backends(const ExmSaveFacts *facts, GError **error)
{
	for (size_t i = 0; i < exm_json_length(facts->backends); i++) {
		ExmJson *backend = json_object_array_get_idx(facts->backends, i);
		const char *id = exm_json_get_string(backend, "id");

		if (id && exm_json_get_bool(backend, "share") && !is_recorded(facts->vm, id))
			return exm_throw(error, EXM_ERROR_UNSUPPORTED,
			                 "memory backend '%s' is shared, and its content would not "
			                 "be saved: start the guest with '-mem-path' in its place, "
			                 "or with 'share=off'",
			                 id);
	}
	return true;
}

static void file_free(gpointer data)
{
	ExmSaveFile *file = data;

	g_free(file->source);
	g_free(file->node);
	g_free(file->directory);
	g_free(file->path);
	g_free(file->inner);
	g_free(file->outer);
	g_free(file->backend);
	g_free(file);
}

/* "/proc/self/fd/12" of QEMU's own command line, or -1. */
static int fd_of(const char *path)
{
	static const char prefix[] = "/proc/self/fd/";

	return path && g_str_has_prefix(path, prefix)
	               ? (int)g_ascii_strtoll(path + strlen(prefix), NULL, 10)
	               : -1;
}

static void place_inside(const ExmSavePlan *plan, ExmSaveFile *file, const char *name)
{
	file->inner = g_strdup(name);
	file->path = g_build_filename(plan->temporary, name, NULL);
}

/**
 * exm_save_place_file() - Choose where a file shall be that has no name yet
 * @plan:      the plan under construction
 * @facts:     what is so
 * @file:      gets its paths
 * @device:    number of the file system that its blocks are on
 * @directory: a directory there
 * @name:      what it is called
 *
 * It goes into the template's directory, or where its blocks are if that is on another file system.
 */
void exm_save_place_file(const ExmSavePlan *plan, const ExmSaveFacts *facts, ExmSaveFile *file,
                         uint64_t device, const char *directory, const char *name)
{
	if (device == facts->device) {
		place_inside(plan, file, name);
		return;
	}
	file->outer = g_strdup_printf("%s/%s.%s-%s", directory, name, plan->template->name,
	                              facts->random);
	file->path = g_strdup(file->outer);
}

/* A device stays where it is, and what is remembered of its namespace keeps others away from it. */
static bool plan_device(const ExmSavePlan *plan, ExmJson *memory, ExmTemplateMemory *block,
                        GError **error)
{
	const char *path = exm_json_get_string(memory, "path");

	block->namespace = g_strdup(exm_json_get_string(memory, "namespace"));
	block->claims = g_strdup(exm_json_get_string(memory, "claims"));
	if (!block->namespace || !block->claims)
		return exm_throw(error, EXM_ERROR_UNSUPPORTED,
		                 "'%s' is neither a file nor the device of a namespace of persistent "
		                 "memory",
		                 path);
	return !plan->checksum ||
	       exm_throw(error, EXM_ERROR_UNSUPPORTED,
	                 "'%s' is a device, of which no checksum is made: leave '--checksum' out",
	                 path);
}

static bool plan_block(ExmSavePlan *plan, const ExmSaveFacts *facts, guint index, GError **error)
{
	ExmJson *memory = json_object_array_get_idx(plan->vm->memory, index);
	ExmJson *backend = exm_json_member(memory, "backend");
	const ExmFileFacts *current = facts->memory->pdata[index];
	const char *path = exm_json_get_string(memory, "path");
	const char *id = exm_json_get_string(memory, "id");
	ExmTemplateMemory *block = exm_template_add_memory(plan->template);
	ExmSaveFile *file = exm_save_add_file(plan->memory);
	g_autofree char *name = NULL;

	block->id = g_strdup(id);
	block->offset = exm_json_get_uint(memory, "offset");
	block->size = exm_json_get_uint(memory, "size");
	name = exm_block_file_name(block->offset, block->size, block->id);
	file->fd = fd_of(exm_json_get_string(backend, "mem-path"));
	if (exm_json_get_bool(backend, "discard-data"))
		file->backend = g_strdup(id);
	file->how = !exm_json_get_bool(memory, "shared")   ? EXM_SAVE_WRITE
	            : exm_json_get_bool(memory, "unnamed") ? EXM_SAVE_LINK
	                                                   : EXM_SAVE_KEEP;
	if (file->how == EXM_SAVE_KEEP && !current->exists)
		return exm_throw(error, EXM_ERROR_STATE,
		                 "'%s' was deleted, moved or replaced: guest '%s' goes on until it "
		                 "ends, and its memory has no name that others could find it by",
		                 path, plan->vm->name);
	if (file->how == EXM_SAVE_KEEP && !current->regular &&
	    !plan_device(plan, memory, block, error))
		return false;
	if (file->how == EXM_SAVE_KEEP) {
		file->path = g_strdup(path);
		file->outer = g_strdup(path);
	} else if (file->how == EXM_SAVE_WRITE) {
		place_inside(plan, file, name);
	} else {
		exm_save_place_file(plan, facts, file, current->device, path, name);
	}
	return true;
}

/* A guest whose memory exomem left to QEMU has one private block of the machine's own name. */
static bool plan_default_block(ExmSavePlan *plan, const ExmSaveFacts *facts, GError **error)
{
	const ExmMachine *machine = exm_caps_machine(facts->caps, plan->template->machine);
	ExmJson *backend = machine && machine->ram_id ? find_backend(facts, machine->ram_id) : NULL;
	ExmTemplateMemory *block;
	ExmSaveFile *file;
	g_autofree char *name = NULL;

	if (!backend)
		return exm_throw(error, EXM_ERROR_UNSUPPORTED,
		                 "the memory of guest '%s' is in an -object of its own: start it with "
		                 "'-mem-path' in its place",
		                 plan->vm->name);
	block = exm_template_add_memory(plan->template);
	file = exm_save_add_file(plan->memory);
	block->id = g_strdup(machine->ram_id);
	block->size = exm_json_get_uint(backend, "size");
	name = exm_block_file_name(0, block->size, block->id);
	file->how = EXM_SAVE_WRITE;
	place_inside(plan, file, name);
	return true;
}

static bool plan_memory(ExmSavePlan *plan, const ExmSaveFacts *facts, GError **error)
{
	const size_t count = exm_json_length(plan->vm->memory);

	if (count == 0 && !plan_default_block(plan, facts, error))
		return false;
	for (size_t i = 0; i < count; i++)
		if (!plan_block(plan, facts, (guint)i, error))
			return false;
	plan->whole = ((const ExmSaveFile *)plan->memory->pdata[0])->how == EXM_SAVE_WRITE;
	return true;
}

/*
 * By which name QEMU has an image. One that stands on another file than its header names, as an
 * overlay of a fork does on a disk with a relative path, is called "json:{...}" by it (block.c,
 * bdrv_refresh_filename()).
 */
static char *image_name(ExmJson *inserted)
{
	static const char prefix[] = "json:";
	const char *name = exm_json_get_string(exm_json_member(inserted, "image"), "filename");
	const char *text = name && g_str_has_prefix(name, prefix) ? name + strlen(prefix) : NULL;
	g_autoptr(ExmJson) json = text ? exm_json_parse_plain(text, strlen(text), NULL) : NULL;
	ExmJson *file = exm_json_member(json, "backing") ? exm_json_member(json, "file") : NULL;
	const char *inner = exm_json_get_string(file, "filename");

	return g_strdup(inner ? inner : name);
}

static ExmJson *find_inserted(const ExmSaveFacts *facts, const char *path)
{
	for (size_t i = 0; i < exm_json_length(facts->disks); i++) {
		ExmJson *inserted = exm_json_member(json_object_array_get_idx(facts->disks, i),
		                                    "inserted");
		g_autofree char *name = image_name(inserted);

		if (g_strcmp0(name, path) == 0)
			return inserted;
	}
	return NULL;
}

static void plan_image(ExmSavePlan *plan, const ExmSaveFacts *facts, const ExmSaveImage *image,
                       guint index, ExmJson *inserted)
{
	const ExmFileFacts *current = facts->images->pdata[index];
	const guint number = plan->template->disks->len;
	ExmTemplateDisk *disk = exm_template_add_disk(plan->template);
	ExmSaveFile *file = exm_save_add_file(plan->disks);

	disk->word = image->word;
	disk->format = g_strdup(exm_json_get_string(inserted, "drv"));
	disk->size = exm_json_get_uint(exm_json_member(inserted, "image"), "virtual-size");
	disk->overlay = g_strdup_printf("disk%u.qcow2", number);
	file->node = g_strdup(exm_json_get_string(inserted, "node-name"));
	file->fd = image->fd;
	if (image->fd < 0) {
		file->how = EXM_SAVE_KEEP;
		file->outer = g_canonicalize_filename(image->path, plan->vm->working_directory);
		file->path = g_strdup(file->outer);
	} else {
		g_autofree char *name = g_strdup_printf("disk%u-base.qcow2", number);

		file->how = EXM_SAVE_LINK;
		file->directory = g_strdup(image->directory);
		disk->own = true;
		exm_save_place_file(plan, facts, file, current->device, image->directory, name);
	}
}

/* Each disk that the guest may write to must be one that children get an overlay of. */
static bool check_all_found(const ExmSaveFacts *facts, const GPtrArray *images, GError **error)
{
	for (size_t i = 0; i < exm_json_length(facts->disks); i++) {
		ExmJson *device = json_object_array_get_idx(facts->disks, i);
		ExmJson *inserted = exm_json_member(device, "inserted");
		g_autofree char *path = image_name(inserted);
		bool found = false;

		for (guint j = 0; j < images->len; j++)
			found = found ||
			        g_strcmp0(((ExmSaveImage *)images->pdata[j])->path, path) == 0;
		if (inserted && !exm_json_get_bool(inserted, "ro") && !found)
			return exm_throw(error, EXM_ERROR_UNSUPPORTED,
			                 "no overlay can be put on disk '%s': name its image by "
			                 "'-drive file=...,format=...'",
			                 path ? path : exm_json_get_string(device, "device"));
	}
	return true;
}

/* QEMU, qobject/json-parser.c, parse_string() */
static bool check_utf8(const char *path, GError **error)
{
	return !path || g_utf8_validate(path, -1, NULL) ||
	       exm_throw(error, EXM_ERROR_UNSUPPORTED,
	                 "'%s' is not UTF-8, and QMP, by which QEMU has to be told where disks and "
	                 "overlays are, has no other text: rename it",
	                 path);
}

/* What QEMU calls an image is not its path where that is not UTF-8, so none would be found. */
static bool check_images(const GPtrArray *images, GError **error)
{
	for (guint i = 0; i < images->len; i++)
		if (!check_utf8(((const ExmSaveImage *)images->pdata[i])->path, error))
			return false;
	return true;
}

/* Includes the overlays in the template, and those that a forked guest continues on. */
static bool check_paths(const ExmSavePlan *plan, GError **error)
{
	for (guint i = 0; i < plan->disks->len; i++) {
		const ExmSaveFile *file = plan->disks->pdata[i];

		if (!check_utf8(plan->temporary, error) || !check_utf8(file->path, error) ||
		    !check_utf8(file->directory, error))
			return false;
	}
	return true;
}

static bool plan_disks(ExmSavePlan *plan, const ExmSaveFacts *facts, GError **error)
{
	g_autoptr(GPtrArray) images = NULL;

	/* The one child of such a template goes on with the guest's own, and with all it had alone. */
	if (exm_template_device(plan->template)) {
		g_ptr_array_set_size(plan->warnings, 0);
		return true;
	}
	images = exm_save_images(plan->vm, error);
	if (!images || !check_images(images, error) || !check_all_found(facts, images, error))
		return false;
	for (guint i = 0; i < images->len; i++) {
		const ExmSaveImage *image = images->pdata[i];
		ExmJson *inserted = find_inserted(facts, image->path);

		/* Taken out of its drive, or QEMU itself found it to be read-only. */
		if (!inserted || exm_json_get_bool(inserted, "ro"))
			continue;
		if (!exm_json_get_string(inserted, "drv"))
			return exm_throw(error, EXM_ERROR_SYSTEM,
			                 "QEMU does not say which format disk '%s' has", image->path);
		plan_image(plan, facts, image, i, inserted);
	}
	return check_paths(plan, error);
}

static const char *cpu_of(const ExmQemuLine *line)
{
	const char *cpu = NULL;

	for (guint i = 0; i < line->words->len; i++) {
		const ExmQemuWord *word = line->words->pdata[i];

		if (exm_qemu_word_is(word, "cpu"))
			cpu = word->value;
	}
	return cpu;
}

static char **lineage_of(const ExmTemplate *template)
{
	g_autoptr(GStrvBuilder) names = g_strv_builder_new();

	for (char **name = template ? template->lineage : NULL; name && *name; name++)
		g_strv_builder_add(names, *name);
	if (template)
		g_strv_builder_add(names, template->name);
	return g_strv_builder_end(names);
}

/* What the command line says that QEMU was really given. */
static ExmGuest *given_to_qemu(const ExmVm *vm, GError **error)
{
	g_autoptr(ExmQemuLine) line = exm_qemu_line_parse((const char *const *)vm->argv + 1, error);

	return line ? exm_guest_read(line, error) : NULL;
}

static bool describe(ExmSavePlan *plan, const ExmSaveRequest *request, const ExmSaveFacts *facts,
                     const ExmQemuLine *line, GError **error)
{
	g_autoptr(ExmGuest) guest = exm_guest_read(line, error);
	const ExmMachine *machine = guest ? exm_caps_machine(facts->caps, guest->machine) : NULL;
	const bool kvm = exm_json_get_bool(facts->kvm, "enabled");
	ExmTemplate *template = plan->template;
	g_autoptr(ExmGuest) given = guest ? given_to_qemu(plan->vm, error) : NULL;

	if (!given)
		return false;
	if (!machine)
		return exm_throw(error, EXM_ERROR_STATE,
		                 "'%s' is not the QEMU any more that guest '%s' runs in",
		                 facts->caps->path, plan->vm->name);
	template->name = g_strdup(request->name);
	template->created = facts->now;
	template->parent = g_strdup(plan->vm->name);
	template->lineage = lineage_of(facts->template);
	template->qemu = g_strdup(plan->vm->qemu);
	template->qemu_version = g_strdup(plan->vm->qemu_version);
	template->qemu_memory = facts->qemu_memory;
	/* A child has its machine's versioned name from its own template. */
	template->machine = g_strdup(facts->template ? facts->template->machine : machine->name);
	template->cpu = g_strdup(cpu_of(line));
	template->accelerator = g_strdup(kvm ? "kvm" : "tcg");
	template->host_cpu = kvm ? g_strdupv(facts->host_cpu) : NULL;
	template->working_directory = g_strdup(plan->vm->working_directory);
	template->command = g_strdupv(plan->vm->command);
	template->vmgenid = given->has_vmgenid;
	template->identity = given->has_identity;
	template->sandbox = plan->vm->sandbox;
	template->run_as = g_strdup(plan->vm->run_as);
	return true;
}

/**
 * exm_save_add_step() - Add a step to a plan
 * @plan: the plan under construction
 * @kind: what it does
 * @path: to what
 *
 * Return: the step (borrowed).
 */
ExmStep *exm_save_add_step(const ExmSavePlan *plan, ExmStepKind kind, const char *path)
{
	ExmStep *step = exm_step_new(kind, path, -1);

	g_ptr_array_add(plan->steps, step);
	return step;
}

/**
 * exm_save_add_file_steps() - Add a step for each file of a kind
 * @plan:  the plan under construction
 * @files: of ExmSaveFile
 * @kind:  what the step does
 * @how:   which files
 */
void exm_save_add_file_steps(const ExmSavePlan *plan, const GPtrArray *files, ExmStepKind kind,
                             ExmSaveHow how)
{
	for (guint i = 0; i < files->len; i++) {
		const ExmSaveFile *file = files->pdata[i];

		if (file->how == how)
			exm_save_add_step(plan, kind, file->path);
	}
}

/**
 * exm_save_add_overlay_steps() - Add a step for the empty overlay of each disk
 * @plan: the plan under construction
 */
void exm_save_add_overlay_steps(const ExmSavePlan *plan)
{
	for (guint i = 0; i < plan->template->disks->len; i++) {
		const ExmTemplateDisk *disk = plan->template->disks->pdata[i];
		g_autofree char *overlay = g_build_filename(plan->temporary, disk->overlay, NULL);

		exm_save_add_step(plan, EXM_STEP_MAKE_OVERLAY, overlay);
	}
}

/* A template whose disks stand on those of another is told to that. */
static void add_heir_step(const ExmSavePlan *plan, const char *random)
{
	g_autofree char *name = g_strconcat(EXM_TEMPLATE_HEIR, plan->template->name, ".", random,
	                                    NULL);
	g_autofree char *link = NULL;

	if (plan->disks->len == 0 || !plan->vm->template_path)
		return;
	link = g_build_filename(plan->vm->template_path, name, NULL);
	exm_save_add_step(plan, EXM_STEP_LINK_HEIR, link);
}

/**
 * exm_save_add_manifest_steps() - Add the steps that make a directory a template
 * @plan:   the plan under construction
 * @random: four hexadecimal digits
 */
void exm_save_add_manifest_steps(const ExmSavePlan *plan, const char *random)
{
	g_autofree char *manifest = g_build_filename(plan->temporary, EXM_TEMPLATE_MANIFEST, NULL);

	exm_save_add_step(plan, EXM_STEP_FLUSH_MEMORY, plan->vm->name);
	for (guint i = 0; i < plan->memory->len; i++) {
		const ExmSaveFile *file = plan->memory->pdata[i];

		if (plan->checksum)
			exm_save_add_step(plan, EXM_STEP_CHECKSUM_FILE, file->path);
		exm_save_add_step(plan, EXM_STEP_MARK_FILE, file->path);
	}
	add_heir_step(plan, random);
	exm_save_add_step(plan, EXM_STEP_WRITE_MANIFEST, manifest);
}

/*
 * Nothing that the guest would notice before "save-devices"; behind it the guest rests, and
 * whatever fails lets it go on. "commit" decides: before it there is a guest, after it a template.
 */
static void add_steps(const ExmSavePlan *plan, const char *directory, const char *random)
{
	g_autofree char *devices = g_build_filename(plan->temporary, EXM_TEMPLATE_DEVICES, NULL);

	exm_save_add_step(plan, EXM_STEP_MAKE_TEMPLATE, plan->temporary);
	exm_save_add_overlay_steps(plan);
	exm_save_add_step(plan, EXM_STEP_KEEP_MEMORY, plan->vm->name);
	exm_save_add_file_steps(plan, plan->memory, EXM_STEP_WRITE_MEMORY, EXM_SAVE_WRITE);
	/* Most of it before the guest rests: what is private is still to be written. */
	if (!plan->whole && !exm_template_device(plan->template))
		exm_save_add_step(plan, EXM_STEP_SYNC_MEMORY, plan->vm->name);
	exm_save_add_step(plan, EXM_STEP_SAVE_DEVICES, devices);
	exm_save_add_file_steps(plan, plan->memory, EXM_STEP_LINK_FILE, EXM_SAVE_LINK);
	exm_save_add_file_steps(plan, plan->disks, EXM_STEP_LINK_FILE, EXM_SAVE_LINK);
	exm_save_add_manifest_steps(plan, random);
	exm_save_add_step(plan, EXM_STEP_COMMIT, directory);
	exm_save_add_step(plan, EXM_STEP_END_GUEST, plan->vm->name);
}

static void step_destroy(gpointer step)
{
	exm_step_free(step);
}

/**
 * exm_save_plan_new() - Make a plan that does nothing yet
 * @vm:        the guest, which the plan borrows
 * @directory: of the template
 * @temporary: directory in which the template is put together
 *
 * Return: the plan (transfer full).
 */
ExmSavePlan *exm_save_plan_new(const ExmVm *vm, const char *directory, const char *temporary)
{
	ExmSavePlan *plan = g_new0(ExmSavePlan, 1);

	plan->vm = vm;
	plan->template = exm_template_new();
	plan->template->directory = g_strdup(directory);
	plan->temporary = g_strdup(temporary);
	plan->memory = g_ptr_array_new_with_free_func(file_free);
	plan->disks = g_ptr_array_new_with_free_func(file_free);
	plan->steps = g_ptr_array_new_with_free_func(step_destroy);
	plan->warnings = g_ptr_array_new_with_free_func(g_free);
	return plan;
}

/**
 * exm_save_add_file() - Add a file of the guest to a plan
 * @files: memory or disks of the plan
 *
 * Return: the file, empty (borrowed).
 */
ExmSaveFile *exm_save_add_file(GPtrArray *files)
{
	ExmSaveFile *file = g_new0(ExmSaveFile, 1);

	file->fd = -1;
	g_ptr_array_add(files, file);
	return file;
}

static ExmSavePlan *plan_new(const ExmSaveRequest *request, const ExmSaveFacts *facts)
{
	g_autofree char *parent = g_path_get_dirname(request->directory);
	g_autofree char *name = g_strdup_printf(".%s.%s", request->name, facts->random);
	g_autofree char *temporary = request->in_place ? g_strdup(request->directory)
	                                               : g_build_filename(parent, name, NULL);
	ExmSavePlan *plan = exm_save_plan_new(facts->vm, request->directory, temporary);

	plan->running = exm_json_get_bool(facts->status, "running");
	plan->checksum = request->checksum;
	plan->protect = exm_caps_has(facts->caps->file_properties, "rom");
	return plan;
}

/*
 * Memory in the stream has to hold still: until QEMU 9.0 writes of a guest under TCG could be
 * missed while it was copied (03bfc2188f, "physmem: Fix migration dirty bitmap coherency with TCG
 * memory access"), and the guest is to end anyway. Small blocks, of firmware and video, always are.
 */
static bool needs_stop(const ExmSavePlan *plan, const ExmCaps *caps)
{
	return plan->whole || !exm_caps_at_least(caps, 9, 0);
}

/**
 * exm_save_plan_begin() - Decide what becomes of each file of a guest that is frozen
 * @request: what the user said; without a name of the template, none is to stay
 * @facts:   what is so
 * @error:   any code; nothing has been done, and the guest has not noticed
 *
 * Return: a plan without steps (transfer full), which borrows the guest of the facts; or NULL.
 */
ExmSavePlan *exm_save_plan_begin(const ExmSaveRequest *request, const ExmSaveFacts *facts,
                                 GError **error)
{
	g_autoptr(ExmSavePlan) plan = plan_new(request, facts);
	g_autoptr(ExmQemuLine)
		line = exm_qemu_line_parse((const char *const *)facts->vm->command, error);

	if (!line || !check_state(facts, error) || !check_answers(facts, error) ||
	    !check_loss(facts, error) || !check_blockers(facts, error) ||
	    !check_stream(facts, error) || !check_pmem(facts, error) || !check_caps(facts, error) ||
	    !check_target(request, facts, error) ||
	    (!request->moves && !check_clashes(line, plan->warnings, error)) ||
	    !check_backends(facts, error) || !describe(plan, request, facts, line, error) ||
	    !plan_memory(plan, facts, error) || (!request->moves && !plan_disks(plan, facts, error)))
		return NULL;
	plan->stop = plan->running && needs_stop(plan, facts->caps);
	plan->template->paused = !plan->running || plan->stop;
	for (guint i = 0; i < plan->template->memory->len; i++)
		plan->template->ram_size +=
			((const ExmTemplateMemory *)plan->template->memory->pdata[i])->size;
	return g_steal_pointer(&plan);
}

/**
 * exm_save_plan() - Decide all that a save will do
 * @request: what the user said
 * @facts:   what is so
 * @error:   any code; nothing has been done, and the guest has not noticed
 *
 * Return: the plan (transfer full), which borrows the guest of the facts; or NULL.
 */
ExmSavePlan *exm_save_plan(const ExmSaveRequest *request, const ExmSaveFacts *facts, GError **error)
{
	ExmSavePlan *plan = exm_save_plan_begin(request, facts, error);

	if (plan)
		add_steps(plan, request->directory, facts->random);
	return plan;
}
