/* SPDX-License-Identifier: GPL-2.0-or-later */
/* run_pmem.c - Persistent memory of a guest: devices, room for them, and steps around them */

#include <string.h>

#include "base/error.h"
#include "base/size.h"
#include "plan/allocation.h"
#include "plan/backend.h"
#include "plan/builder.h"
#include "plan/machine.h"
#include "plan/pmem_device.h"

/* Files have an alignment that lets a guest use large pages, where they are large enough. */
#define FILE_ALIGN (2 * EXM_MIB)

static void warn(const ExmBuilder *builder, char *text)
{
	if (text)
		g_ptr_array_add(builder->plan->warnings, text);
}

static bool check_machine(const ExmBuilder *builder, bool nvdimm, GError **error)
{
	const ExmCaps *caps = builder->facts->caps;
	const ExmGuest *guest = builder->request->guest;
	const ExmMachine *machine = exm_caps_machine(caps, guest->machine);

	/* QEMU itself will say what is wrong with a machine that it does not have. */
	if (machine && !exm_machine_takes_nvdimm(machine, caps->target))
		return exm_throw(error, EXM_ERROR_UNSUPPORTED,
		                 "machine type '%s' of %s has no persistent memory: pc and q35 have it, "
		                 "virt of arm and pseries",
		                 machine->name, caps->target);
	if (nvdimm && g_strcmp0(guest->nvdimm, "off") == 0)
		return exm_throw(error, EXM_ERROR_USAGE,
		                 "'-machine nvdimm=off' and an NVDIMM exclude each other");
	return true;
}

static bool check_node(const ExmBuilder *builder, const ExmPmemOption *option, GError **error)
{
	const GPtrArray *nodes = builder->request->guest->nodes;
	bool found = option->node == 0;

	for (guint i = 0; i < nodes->len; i++)
		found = found || ((const ExmGuestNode *)nodes->pdata[i])->id == option->node;
	return found || exm_throw(error, EXM_ERROR_USAGE,
	                          "the guest has no NUMA node '%" G_GUINT64_FORMAT "'", option->node);
}

static bool is_taken(const ExmGuest *guest, const char *id)
{
	for (guint i = 0; i < guest->own_backends->len; i++)
		if (g_strcmp0(((const ExmOwnBackend *)guest->own_backends->pdata[i])->id, id) == 0)
			return true;
	return false;
}

/* An id that the user's own backends leave free. */
static char *backend_id(const ExmBuilder *builder)
{
	g_autofree char *id = g_strdup_printf("pmem%u", builder->plan->pmem->len - 1);

	while (is_taken(builder->request->guest, id)) {
		char *longer = g_strconcat("exomem-", id, NULL);

		g_free(id);
		id = longer;
	}
	return g_steal_pointer(&id);
}

/* What QEMU's own writes (labels, a stream that comes in) are worth without libpmem. */
static void warn_of_persistence(ExmBuilder *builder, const ExmPmemMedium *medium, bool is_device)
{
	const ExmCaps *caps = builder->facts->caps;

	if (!medium->maps_sync)
		warn(builder,
		     g_strdup_printf("'%s' is not on DAX: what the guest takes for lasting is in "
		                     "the page cache until the kernel writes it, and a power cut "
		                     "loses it",
		                     medium->path));
	else if (!exm_caps_has(caps->file_properties, "pmem"))
		warn(builder,
		     g_strdup_printf("'%s' was built without libpmem: what the guest flushes to '%s' "
		                     "lasts%s, but what QEMU itself writes there, labels say, is lost "
		                     "by a power cut",
		                     caps->path, medium->path,
		                     is_device ? "" : " only once the file system has synced"));
}

static bool add_device(ExmBuilder *builder, const ExmPmemMedium *medium,
                       const ExmPmemOption *option, const char *why, bool is_device, GError **error)
{
	const ExmCaps *caps = builder->facts->caps;
	ExmPlanPmem *pmem = exm_plan_add_pmem(builder->plan);
	g_autofree char *id = backend_id(builder);
	const guint number = builder->plan->pmem->len - 1;
	ExmPmemDevice device = {
		.medium = medium,
		.option = option,
		.caps = caps,
		.backend_id = id,
		.prealloc = builder->request->guest->prealloc,
	};

	pmem->id = g_strdup_printf("%s%u", option->virtio ? "virtio-pmem" : "nvdimm", number);
	pmem->title = g_strdup(medium->title);
	pmem->path = g_strdup(medium->path);
	pmem->label_size = option->label_size;
	pmem->node = option->node;
	pmem->is_virtio = option->virtio;
	pmem->why = g_strdup(why);
	device.id = pmem->id;
	if (!check_node(builder, option, error) ||
	    !exm_pmem_medium_sizes(medium, option, caps->target, &pmem->size, &pmem->visible, error))
		return false;
	device.size = pmem->size;
	pmem->backend = exm_pmem_device_backend(&device, error);
	if (!pmem->backend || !exm_pmem_device_print(&device, &pmem->device, error))
		return false;
	warn(builder, exm_pmem_medium_loss(medium, option, pmem->visible));
	warn_of_persistence(builder, medium, is_device);
	return true;
}

static void add_claim(ExmBuilder *builder, const ExmAllocation *allocation, bool ephemeral,
                      guint order)
{
	const ExmNamespace *namespace = allocation->namespace;
	ExmPlanClaim *claim = exm_plan_add_claim(builder->plan);

	claim->namespace = namespace;
	claim->seen = exm_pmem_claim_of(builder->facts->pmem, namespace);
	claim->claim = exm_claim_new();
	claim->claim->uuid = g_strdup(namespace->uuid);
	claim->claim->namespace = g_strdup(exm_namespace_title(namespace));
	claim->claim->size = namespace->size;
	claim->own = allocation->own;
	claim->scrub = allocation->dirty;
	claim->claim->guest = g_strdup(builder->plan->name);
	claim->claim->state_directory = g_strdup(builder->request->state_directory);
	claim->claim->state_id = g_strdup(builder->facts->state_id);
	claim->claim->boot_id = g_strdup(builder->facts->boot_id);
	claim->claim->start = g_strdup(builder->plan->uuid);
	claim->claim->label = g_strdup(allocation->label);
	claim->claim->order = order;
	claim->claim->ephemeral = ephemeral;
	/* As long as the template is there, nobody else shall write its memory. */
	claim->claim->template = g_strdup(claim->seen ? claim->seen->template : NULL);
}

static bool add_namespace(ExmBuilder *builder, const ExmAllocation *allocation,
                          const ExmPmemOption *option, GError **error)
{
	const ExmNamespace *namespace = allocation->namespace;
	const ExmPmemMedium medium = {
		.title = exm_namespace_title(namespace),
		.path = namespace->path,
		.size = namespace->size,
		.align = namespace->align,
		.maps_sync = true,
		.uuid = namespace->uuid,
	};

	add_claim(builder, allocation, option->ephemeral, builder->plan->pmem->len);
	return add_device(builder, &medium, option, allocation->why, true, error);
}

static bool check_old_file(const ExmPmemOption *option, const ExmFileFacts *file, GError **error)
{
	g_autofree char *have = exm_size_print(file->size);
	g_autofree char *want = exm_size_print(option->size);

	if (!file->regular)
		return exm_throw(error, EXM_ERROR_USAGE, "'%s' is not a plain file", file->path);
	if (file->template_name)
		return exm_throw(error, EXM_ERROR_STATE, "'%s' belongs to template '%s'",
		                 file->path, file->template_name);
	if (file->size && option->size && file->size != option->size)
		return exm_throw(error, EXM_ERROR_USAGE, "'%s' has %s, not %s", file->path, have,
		                 want);
	if (!file->readable || (!file->writable && !option->readonly))
		return exm_throw(error, EXM_ERROR_USAGE, "'%s' is not %s", file->path,
		                 file->readable ? "writable" : "readable");
	return true;
}

static bool check_new_file(const ExmPmemOption *option, const ExmPlace *place,
                           const ExmFileFacts *file, GError **error)
{
	g_autofree char *need = exm_size_human(option->size);
	g_autofree char *room = exm_size_human(place->free);

	if (!option->size)
		return exm_throw(error, EXM_ERROR_USAGE, "'%s' is %s: say its 'size'", file->path,
		                 file->exists ? "empty" : "not there");
	if (option->readonly)
		return exm_throw(error, EXM_ERROR_USAGE, "'%s' is %s: nothing to read", file->path,
		                 file->exists ? "empty" : "not there");
	if (!file->exists && !place->writable)
		return exm_throw(error, EXM_ERROR_USAGE, "'%s' is not writable", place->path);
	return option->size <= place->free ||
	       exm_throw(error, EXM_ERROR_NO_ROOM, "does not fit: needs %s, '%s' has %s free", need,
	                 place->path, room);
}

static bool check_file(const ExmPmemOption *option, const ExmPlace *place, const ExmFileFacts *file,
                       uint64_t user, GError **error)
{
	if (place->kind != EXM_PLACE_DIRECTORY)
		return exm_throw(error, EXM_ERROR_USAGE, "'%s' is not a directory", place->path);
	if ((place->others_write || !option->readonly) && !exm_place_check_safe(place, error))
		return false;
	if (file->exists && !check_old_file(option, file, error))
		return false;
	if (file->exists && !exm_file_check_access(file, place, user, !option->readonly, error))
		return false;
	if (!file->size && !check_new_file(option, place, file, error))
		return false;
	if ((file->size ? file->size : option->size) % place->page_size != 0)
		return exm_throw(error, EXM_ERROR_USAGE,
		                 "'%s' must be a whole number of pages of its file system",
		                 file->path);
	return true;
}

static void add_file_steps(ExmBuilder *builder, const ExmPmemOption *option, const ExmPlace *place,
                           const ExmFileFacts *file)
{
	const int fd = builder->next_fd++;
	ExmStep *step = exm_builder_add_step(
		builder, file->exists ? EXM_STEP_OPEN_FILE : EXM_STEP_CREATE_FILE, file->path, fd);

	step->writable = file->exists && !option->readonly;
	step->bytes = file->size;
	exm_builder_add_step(builder, EXM_STEP_LOCK_FILE, file->path, fd)->shared = option->readonly;
	if (file->size)
		return;
	exm_builder_add_step(builder, EXM_STEP_SIZE_FILE, file->path, fd)->bytes = option->size;
	if (place->can_reserve && !place->in_memory)
		exm_builder_add_step(builder, EXM_STEP_RESERVE_BLOCKS, file->path, fd)->bytes =
			option->size;
}

static bool add_file(ExmBuilder *builder, guint index, GError **error)
{
	const ExmPmemOption *option = exm_run_request_pmem(builder->request)->pdata[index];
	const ExmFileFacts *file = builder->facts->pmem_files->pdata[index];
	const ExmPlace *place = builder->facts->pmem_places->pdata[index];
	const uint64_t size = file->size ? file->size : option->size;
	const ExmPmemMedium medium = {
		.title = file->path,
		.path = file->path,
		.size = size,
		.align = MAX(size >= FILE_ALIGN ? FILE_ALIGN : 0, place->page_size),
		.maps_sync = place->maps_sync,
	};

	if (!check_file(option, place, file, builder->facts->host->euid, error) ||
	    !exm_place_check_mount(place, option->readonly ? EXM_MOUNT_UNNAMED : EXM_MOUNT_NAMED,
	                           builder->request->trust_mount, builder->plan->warnings, error))
		return false;
	add_file_steps(builder, option, place, file);
	return add_device(builder, &medium, option, NULL, false, error);
}

/* The device that is the guest's main memory, where it is a namespace; else NULL. */
static const ExmNamespace *main_memory(const ExmBuilder *builder)
{
	const ExmRunFacts *facts = builder->facts;

	if (!facts->pmem || !facts->place || facts->place->kind != EXM_PLACE_DAX)
		return NULL;
	return exm_namespaces_find_path(facts->pmem->namespaces, facts->place->path);
}

/* All that is asked for by label, name or device, in the guest's order; main memory comes last. */
static GPtrArray *list_wanted(const ExmBuilder *builder)
{
	GPtrArray *wanted = g_ptr_array_new();
	const ExmNamespace *memory = main_memory(builder);

	for (guint i = 0; i < exm_run_request_pmem(builder->request)->len; i++) {
		const ExmPmemOption *option = exm_run_request_pmem(builder->request)->pdata[i];

		for (guint j = 0; j < option->sources->len; j++)
			g_ptr_array_add(wanted, option->sources->pdata[j]);
	}
	if (memory)
		g_ptr_array_add(wanted, memory->path);
	return wanted;
}

/* The one node that the user binds the guest's memory to. */
static bool memory_node(const ExmRunRequest *request, uint64_t *ret_node)
{
	const GArray *nodes = request->memory ? request->memory->host_nodes : NULL;

	if (!nodes || nodes->len != 1)
		return false;
	*ret_node = g_array_index(nodes, guint, 0);
	return true;
}

static bool choose(const ExmBuilder *builder, GPtrArray **ret_allocations, GError **error)
{
	g_autoptr(GPtrArray) wanted = list_wanted(builder);
	const ExmPmem *pmem = builder->facts->pmem;
	const ExmTemplate *template = builder->request->template;
	const ExmClaimant claimant = {
		.guest = builder->plan->name,
		.state_directory = builder->request->state_directory,
		.state_id = builder->facts->state_id,
		.boot_id = builder->facts->boot_id,
		.template = template ? template->directory : NULL,
	};
	ExmAllocationInput in = {
		.pmem = pmem,
		.claimant = &claimant,
	};

	if (wanted->len == 0) {
		*ret_allocations = g_ptr_array_new();
		return true;
	}
	in.on_node = memory_node(builder->request, &in.node);
	if (!exm_allocations_check_claims(&in, wanted, error) ||
	    !exm_pool_check(pmem->pool, pmem->namespaces, error))
		return false;
	*ret_allocations = exm_allocations_choose(&in, wanted, error);
	return *ret_allocations;
}

static void add_main_memory(ExmBuilder *builder, const ExmAllocation *allocation)
{
	ExmPlanMemory *memory = builder->plan->memory->pdata[0];

	add_claim(builder, allocation, false, builder->plan->pmem->len);
	memory->namespace = g_strdup(allocation->namespace->uuid);
	memory->claims = builder->request->claims_directory;
}

static bool add_devices(ExmBuilder *builder, const GPtrArray *allocations, GError **error)
{
	guint next = 0;

	for (guint i = 0; i < exm_run_request_pmem(builder->request)->len; i++) {
		const ExmPmemOption *option = exm_run_request_pmem(builder->request)->pdata[i];

		if (option->file && !add_file(builder, i, error))
			return false;
		for (guint j = 0; j < option->sources->len; j++)
			if (!add_namespace(builder, allocations->pdata[next++], option, error))
				return false;
	}
	if (next < allocations->len)
		add_main_memory(builder, allocations->pdata[next]);
	return true;
}

/* The descriptor by which the plan holds the lock of a device, or -1. */
static int find_lock(const ExmPlan *plan, const char *path)
{
	for (guint i = 0; i < plan->steps->len; i++) {
		const ExmStep *step = plan->steps->pdata[i];

		if (step->kind == EXM_STEP_LOCK_FILE && strcmp(step->path, path) == 0)
			return step->fd;
	}
	return -1;
}

static void add_claim_steps(ExmBuilder *builder, const ExmPlanClaim *claim)
{
	const char *path = claim->namespace->path;
	int fd = find_lock(builder->plan, path);

	if (fd < 0) {
		ExmStep *step;

		fd = builder->next_fd++;
		step = exm_builder_add_step(builder, EXM_STEP_OPEN_FILE, path, fd);
		step->writable = true;
		step->bytes = claim->namespace->size;
		exm_builder_add_step(builder, EXM_STEP_LOCK_FILE, path, fd);
	}
	if (claim->scrub)
		exm_builder_add_step(builder, EXM_STEP_SCRUB, path, fd)->bytes = claim->namespace->size;
	exm_builder_add_step(builder, EXM_STEP_CLAIM_NAMESPACE, path, fd);
}

static gint compare_claims(gconstpointer a, gconstpointer b)
{
	const ExmPlanClaim *one = *(ExmPlanClaim *const *)a;
	const ExmPlanClaim *two = *(ExmPlanClaim *const *)b;

	return strcmp(one->claim->uuid, two->claim->uuid);
}

static bool has_nvdimm(const GPtrArray *options)
{
	for (guint i = 0; i < options->len; i++)
		if (!((const ExmPmemOption *)options->pdata[i])->virtio)
			return true;
	return false;
}

static uint64_t own_device_bytes(const ExmGuest *guest)
{
	uint64_t bytes = 0;

	for (guint i = 0; i < guest->own_backends->len; i++) {
		const ExmOwnBackend *backend = guest->own_backends->pdata[i];

		if (backend->id &&
		    g_ptr_array_find_with_equal_func(guest->plugged, backend->id, g_str_equal, NULL))
			bytes += backend->size;
	}
	return bytes;
}

/* Slots and bytes beyond main memory that the guest needs. */
static void count_room(const ExmBuilder *builder, uint64_t *slots, uint64_t *bytes)
{
	const ExmGuest *guest = builder->request->guest;

	*slots = guest->dimms;
	*bytes = guest->ram_size + own_device_bytes(guest);
	for (guint i = 0; i < builder->plan->pmem->len; i++) {
		const ExmPlanPmem *pmem = builder->plan->pmem->pdata[i];

		*slots += !pmem->is_virtio;
		*bytes += pmem->size;
	}
}

/* QEMU, hw/mem/memory-device.c: memory_device_get_free_slot() and memory_device_check_addable() */
static bool check_room(const ExmBuilder *builder, GError **error)
{
	const ExmGuest *guest = builder->request->guest;
	g_autofree char *wanted = NULL;
	uint64_t slots, bytes;

	count_room(builder, &slots, &bytes);
	wanted = exm_size_print(bytes);
	if (guest->slots && guest->slots < slots)
		return exm_throw(error, EXM_ERROR_USAGE,
		                 "'slots=%" G_GUINT64_FORMAT
		                 "' of -m is too few: %" G_GUINT64_FORMAT " are needed",
		                 guest->slots, slots);
	if (guest->max_size && guest->max_size < bytes)
		return exm_throw(error, EXM_ERROR_USAGE,
		                 "'maxmem' of -m is too small: memory and devices need 'maxmem=%s'",
		                 wanted);
	return true;
}

/**
 * exm_builder_add_pmem() - Add persistent memory and the steps around it to the plan
 * @builder: the plan under construction, with the guest's name and memory
 * @error:   what exm_allocations_check_claims(), exm_pool_check(), exm_allocations_choose(),
 * exm_pmem_medium_sizes() and exm_pmem_device_print() throw; UNSUPPORTED for a machine without
 * persistent memory; USAGE and NO_ROOM for a file
 *
 * Locks are taken in one order by all, so that two guests that want the same cannot keep each other
 * from both getting any.
 */
bool exm_builder_add_pmem(ExmBuilder *builder, GError **error)
{
	const GPtrArray *options = exm_run_request_pmem(builder->request);
	g_autoptr(GPtrArray) allocations = NULL;

	if (options->len && !check_machine(builder, has_nvdimm(options), error))
		return false;
	if (!choose(builder, &allocations, error) || !add_devices(builder, allocations, error))
		return false;
	if (builder->plan->pmem->len && !check_room(builder, error))
		return false;
	builder->plan->claims_directory = builder->request->claims_directory;
	g_ptr_array_sort(builder->plan->claims, compare_claims);
	for (guint i = 0; i < builder->plan->claims->len; i++)
		add_claim_steps(builder, builder->plan->claims->pdata[i]);
	return true;
}

/**
 * exm_builder_add_pmem_steps() - Add the step that makes claims last once the guest runs
 * @builder: the plan under construction, with the guest's sockets
 */
void exm_builder_add_pmem_steps(ExmBuilder *builder)
{
	if (builder->plan->claims->len > 0)
		exm_builder_add_step(builder, EXM_STEP_CONFIRM_CLAIMS,
		                     builder->plan->claims_directory, -1);
}

/* What a platform guarantees for all devices together; NULL where one does not say. */
static const char *persistence(const ExmBuilder *builder)
{
	const char *weakest = NULL;

	for (guint i = 0; i < builder->plan->pmem->len; i++) {
		const ExmPlanPmem *pmem = builder->plan->pmem->pdata[i];
		const ExmPlanClaim *claim = exm_plan_find_claim(builder->plan, pmem->path);
		const char *one = claim ? claim->namespace->persistence : NULL;

		if (pmem->is_virtio)
			continue;
		if (!one)
			return NULL;
		if (strcmp(one, "memory_controller") == 0)
			weakest = "mem-ctrl";
		else if (!weakest)
			weakest = "cpu";
	}
	return weakest;
}

static void add_machine_argument(ExmBuilder *builder)
{
	const ExmGuest *guest = builder->request->guest;
	const char *domain = guest->nvdimm_persistence ? NULL : persistence(builder);
	g_autofree char *machine = g_strdup_printf(
		"nvdimm=on%s%s", domain ? ",nvdimm-persistence=" : "", domain ? domain : "");

	if (has_nvdimm(exm_run_request_pmem(builder->request)))
		exm_builder_add_argument(builder, "-machine", machine);
}

/* QEMU merges all -m, so the user's own stays as it is. */
static void add_room_argument(ExmBuilder *builder)
{
	const ExmGuest *guest = builder->request->guest;
	g_autoptr(GString) text = g_string_new(NULL);
	uint64_t slots, bytes;

	count_room(builder, &slots, &bytes);
	if (!guest->slots && slots)
		g_string_append_printf(text, "slots=%" G_GUINT64_FORMAT, slots);
	if (!guest->max_size)
		g_string_append_printf(text, "%smaxmem=%" G_GUINT64_FORMAT "B",
		                       text->len ? "," : "", bytes);
	if (text->len)
		exm_builder_add_argument(builder, "-m", text->str);
}

/**
 * exm_builder_add_pmem_arguments() - Add the words for persistent memory to QEMU's command line
 * @builder: the plan under construction
 *
 * A guest without NUMA nodes gets one from QEMU itself as soon as it has slots or devices of memory
 * (auto_enable_numa_with_memhp and auto_enable_numa_with_memdev of its machine types, since 2.11).
 */
void exm_builder_add_pmem_arguments(ExmBuilder *builder)
{
	const GPtrArray *devices = builder->plan->pmem;

	if (devices->len == 0)
		return;
	add_machine_argument(builder);
	add_room_argument(builder);
	for (guint i = 0; i < devices->len; i++) {
		const ExmPlanPmem *pmem = devices->pdata[i];
		g_autofree char *object = exm_backend_print(pmem->backend);

		exm_builder_add_argument(builder, "-object", object);
		exm_builder_add_argument(builder, "-device", pmem->device);
	}
}
