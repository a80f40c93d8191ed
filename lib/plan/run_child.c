/* SPDX-License-Identifier: GPL-2.0-or-later */
/* run_child.c - What a child of a template has in place of its parent's words */

#include "base/error.h"
#include "plan/builder.h"
#include "plan/disk.h"
#include "plan/io_uring.h"
#include "plan/vm.h"

/* Options that have had their effect on the parent, or that a child has otherwise. */
static const char *const left_out[] = {
	"S", "daemonize", "incoming", "loadvm", "mem-path", "mem-prealloc",
};

/* What fw_cfg keeps a copy of in every process, for a reboot (QEMU, hw/i386/x86.c, x86_load_linux()). */
static const char *const kernel_options[] = { "append", "dtb", "initrd", "kernel" };

static bool is_one_of(const ExmQemuWord *word, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (exm_qemu_word_is(word, names[i]))
			return true;
	return false;
}

static bool is_left_out(const ExmRunRequest *request, const ExmQemuWord *word)
{
	return is_one_of(word, left_out, G_N_ELEMENTS(left_out)) ||
	       (request->no_kernel && is_one_of(word, kernel_options, G_N_ELEMENTS(kernel_options)));
}

static const ExmPlanDisk *find_overlay(const ExmPlan *plan, guint word)
{
	for (guint i = 0; i < plan->disks->len; i++) {
		const ExmPlanDisk *disk = plan->disks->pdata[i];

		if (disk->word == word)
			return disk;
	}
	return NULL;
}

static bool append_disk(const ExmBuilder *builder, const ExmDisk *disk, GPtrArray *words)
{
	const ExmPlanDisk *overlay = find_overlay(builder->plan, disk->word);
	g_autofree char *path = !overlay        ? NULL
	                        : overlay->path ? g_strdup(overlay->path)
	                                        : g_strdup_printf("/proc/self/fd/%d", overlay->fd);

	return overlay && exm_disk_rewrite(builder->request->line, disk, path, "qcow2", words);
}

/**
 * exm_builder_child_words() - A word of the parent's as a child has it
 * @builder: the plan under construction, with the child's overlays
 * @index:   place of the word
 * @words:   of char *, gets what stands in for it, perhaps nothing
 *
 * Return: false where the child has the word as the parent had it.
 */
bool exm_builder_child_words(const ExmBuilder *builder, guint index, GPtrArray *words)
{
	const ExmQemuWord *word = builder->request->line->words->pdata[index];
	g_autoptr(GPtrArray) disks = exm_disks_read(builder->request->line);

	if (is_left_out(builder->request, word))
		return true;
	for (guint i = 0; i < disks->len; i++) {
		const ExmDisk *disk = disks->pdata[i];

		if (disk->word == index && append_disk(builder, disk, words))
			return true;
		/* The word that named the image's file went into the one that names its format. */
		if (disk->file_word == index && find_overlay(builder->plan, disk->word))
			return true;
	}
	return false;
}

static void add_overlay(ExmBuilder *builder, const ExmTemplateDisk *disk, ExmPlanDisk *planned)
{
	const ExmTemplate *template = builder->request->template;
	const ExmPlace *place = builder->facts->disk_place;
	g_autofree char *overlay = exm_template_path(template, disk->overlay);
	g_autofree char *file = g_strdup_printf("%s-%s.%s", builder->plan->name, disk->overlay,
	                                        builder->facts->random);
	g_autofree char *path = g_build_filename(place->path, file, NULL);

	planned->fd = builder->next_fd++;
	planned->directory = g_strdup(place->path);
	if (place->unnamed_files) {
		exm_builder_add_step(builder, EXM_STEP_CREATE_UNNAMED, place->path, planned->fd);
	} else {
		exm_builder_add_step(builder, EXM_STEP_CREATE_FILE, path, planned->fd);
		exm_builder_add_step(builder, EXM_STEP_REMOVE_NAME, path, planned->fd);
	}
	exm_builder_add_step(builder, EXM_STEP_COPY_OVERLAY, overlay, planned->fd);
}

static void add_disk(ExmBuilder *builder, guint index)
{
	const ExmRunRequest *request = builder->request;
	const ExmTemplateDisk *disk = request->template->disks->pdata[index];
	ExmPlanDisk *planned = exm_plan_add_disk(builder->plan);

	planned->word = (guint)disk->word;
	planned->fd = -1;
	planned->backing = exm_template_path(request->template, disk->path);
	if (request->overlays)
		planned->path = g_strdup(request->overlays[index]);
	else
		add_overlay(builder, disk, planned);
}

/**
 * exm_builder_add_origin() - Add the steps by which a child takes hold of its template
 * @builder: the plan under construction
 *
 * The lock keeps the template from being removed as long as the child lives. Overlays without names
 * go with the child, unless it is saved.
 */
void exm_builder_add_origin(ExmBuilder *builder)
{
	const ExmTemplate *template = builder->request->template;
	g_autofree char *devices = NULL;
	int fd;

	/* One that is handed over is no child: it has its own disks, and nobody to outlive. */
	if (!template || template->uuid)
		return;
	devices = exm_template_path(template, EXM_TEMPLATE_DEVICES);
	if (builder->request->inheritance) {
		exm_builder_add_step(builder, EXM_STEP_INHERIT, devices,
		                     builder->request->inheritance->devices_fd);
	} else {
		fd = builder->next_fd++;
		exm_builder_add_step(builder, EXM_STEP_OPEN_FILE, devices, fd)->bytes =
			template->devices_size;
		exm_builder_add_step(builder, EXM_STEP_LOCK_FILE, devices, fd)->shared = true;
	}
	for (guint i = 0; i < template->disks->len; i++)
		add_disk(builder, i);
}

/**
 * exm_builder_add_child_arguments() - Add what only a child says to QEMU
 * @builder: the plan under construction
 *
 * Its memory is what the stream leaves out, which only QMP can say (the capability x-ignore-shared
 * has no -global before QEMU 11), so the stream is named by QMP too.
 */
void exm_builder_add_child_arguments(ExmBuilder *builder)
{
	const ExmRunRequest *request = builder->request;

	if (!request->template)
		return;
	/* QEMU merges all -machine options: an alias ("q35") becomes what it stood for at the save. */
	exm_builder_add_argument(builder, "-machine", request->template->machine);
	exm_builder_add_argument(builder, "-incoming", "defer");
	/* Where the child is the last, the template goes before it runs. */
	if (request->paused || exm_template_device(request->template))
		g_ptr_array_add(builder->plan->argv, g_strdup("-S"));
	/* A firmware that finds no kernel would hang: the guest ends instead. */
	if (request->no_kernel)
		g_ptr_array_add(builder->plan->argv, g_strdup("-no-reboot"));
}

/*
 * Whether QEMU could punch holes into a file that others rely on. It does so, into a file that it
 * maps privately too, when a balloon takes pages or reports them free, unless it has opened the
 * file read-only: from 8.2 on, with mode=open (QEMU, system/physmem.c, ram_block_discard_range()).
 * A file without a name that this run makes is empty, and nobody else can open it.
 */
static bool needs_guard(const ExmBuilder *builder, const ExmPlanMemory *memory)
{
	const bool is_its_own = memory->unnamed && !builder->request->inheritance;

	return memory->path && !memory->shared && !is_its_own &&
	       !exm_json_get_bool(memory->backend, "readonly");
}

static const ExmPlanMemory *find_memory_to_guard(const ExmBuilder *builder)
{
	for (guint i = 0; i < builder->plan->memory->len; i++) {
		const ExmPlanMemory *memory = builder->plan->memory->pdata[i];

		if (needs_guard(builder, memory))
			return memory;
	}
	return NULL;
}

/* With mode=create a newer QEMU needs the filter too. */
static const char *other_way(const ExmRunRequest *request)
{
	return request->memory->mode == EXM_MODE_OPEN ? "QEMU 8.2 or later"
	                                              : "'mode=open' and QEMU 8.2";
}

static bool add_guard_step(ExmBuilder *builder, GError **error)
{
	const ExmRunRequest *request = builder->request;
	const ExmPlanMemory *memory = find_memory_to_guard(builder);
	g_autofree char *ring = memory ? exm_io_uring_find(request->line) : NULL;

	if (!memory)
		return true;
	if (ring)
		return exm_throw(error, EXM_ERROR_UNSUPPORTED,
		                 "'%s': io_uring would get around the system call filter that keeps "
		                 "QEMU from changing '%s': use 'aio=threads' or 'aio=native', or %s",
		                 ring, memory->path, other_way(request));
	exm_builder_add_step(builder, EXM_STEP_GUARD_MEMORY,
	                     request->template ? request->template->directory : memory->path, -1);
	return true;
}

static void add_limit_step(ExmBuilder *builder)
{
	g_autofree char *path = g_build_filename(builder->plan->directory, EXM_VM_CGROUP, NULL);

	exm_builder_add_step(builder, EXM_STEP_LIMIT_MEMORY, path, -1)->bytes =
		builder->request->cow_budget;
}

static void add_offer_step(ExmBuilder *builder)
{
	g_autofree char *path = g_build_filename(builder->plan->directory, EXM_VM_WAITING, NULL);

	exm_builder_add_step(builder, EXM_STEP_OFFER_CHILD, path, -1);
}

static void add_origin_steps(ExmBuilder *builder)
{
	const ExmRunRequest *request = builder->request;

	/* First, so that what is read is not charged to the child. */
	if (!request->waiting && request->prefetch)
		exm_builder_add_step(builder, EXM_STEP_PREFETCH, request->prefetch, -1);
	if (request->cow_budget)
		add_limit_step(builder);
	if (request->merge)
		exm_builder_add_step(builder, EXM_STEP_MERGE_PAGES, builder->plan->qemu, -1);
}

static void add_loading_steps(ExmBuilder *builder)
{
	const ExmRunRequest *request = builder->request;
	const ExmTemplate *template = request->template;
	g_autofree char *devices = exm_template_path(template, EXM_TEMPLATE_DEVICES);

	if (request->exact_reads)
		exm_builder_add_step(builder, EXM_STEP_READ_EXACTLY, template->directory, -1);
	exm_builder_add_step(builder, EXM_STEP_ENTER_DIRECTORY, template->working_directory, -1);
	if (request->shape)
		add_offer_step(builder);
	if (!request->waiting)
		exm_builder_add_step(builder, EXM_STEP_LOAD_DEVICES, devices, -1);
}

/**
 * exm_builder_add_last_steps() - Add the last steps before a guest becomes QEMU
 * @builder: the plan under construction
 * @error:   UNSUPPORTED for a disk that the filter of private memory leaves without I/O
 *
 * All but the guard of private memory are a child's.
 */
bool exm_builder_add_last_steps(ExmBuilder *builder, GError **error)
{
	if (builder->request->template)
		add_origin_steps(builder);
	if (!add_guard_step(builder, error))
		return false;
	if (builder->request->template)
		add_loading_steps(builder);
	return true;
}
