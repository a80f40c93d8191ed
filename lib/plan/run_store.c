/* SPDX-License-Identifier: GPL-2.0-or-later */
/* run_store.c - Guests' memory in the store that is configured, and what it takes of the host */

#include <string.h>

#include "base/error.h"
#include "base/keyval.h"
#include "base/size.h"
#include "plan/builder.h"

static bool has_own_backend(const ExmGuest *guest)
{
	for (guint i = 0; i < guest->nodes->len; i++)
		if (((const ExmGuestNode *)guest->nodes->pdata[i])->memdev)
			return true;
	return guest->memory_backend;
}

static bool refuse_other(const ExmMemoryConfig *store, const char *what, GError **error)
{
	return store->other_backing ||
	       exm_throw(error, EXM_ERROR_USAGE,
	                 "%s: on this host file_backed_memory is on, and all guests' memory counts "
	                 "against '%s'; 'allow_other_backing = yes' in the configuration allows it",
	                 what, store->directory);
}

/**
 * exm_run_request_use_store() - Put a guest's memory into the store, where nobody says otherwise
 * @request: with what is configured
 * @error:   USAGE where the guest has other memory and the configuration does not allow it
 *
 * As Nova has it for every guest (nova/virt/libvirt/driver.py, _get_memory_backing()): a file,
 * mapped shared, allocated at once, discarded at the end.
 */
bool exm_run_request_use_store(ExmRunRequest *request, GError **error)
{
	g_autofree char *path = NULL;
	g_autofree char *text = NULL;

	if (!request->store)
		return request->backing != EXM_SWITCH_ON ||
		       exm_throw(error, EXM_ERROR_USAGE,
		                 "--memory-backing: file_backed_memory is not configured");
	if (request->guest->is_question)
		return true;
	if (request->backing == EXM_SWITCH_OFF)
		return refuse_other(request->store, "'--memory-backing off'", error);
	if (has_own_backend(request->guest))
		return refuse_other(request->store, "a memory backend of one's own", error);
	if (request->memory) {
		/* Memory without a file would be another kind. */
		request->memory->no_fallback |= !request->store->other_backing;
		return true;
	}
	path = exm_keyval_escape(request->store->directory);
	text = g_strdup_printf("%s,mode=temp,mmap=shared,nofallback,anyfs", path);
	request->memory = exm_memory_option_parse(text, error);
	return request->memory;
}

/* nova/virt/libvirt/driver.py: a page size and file backing raise MemoryPagesUnsupported. */
static bool check_kind(const ExmMemoryConfig *store, const ExmMemoryInput *in, GError **error)
{
	const bool is_larger = store->capacity > in->host->ram_total;

	if (g_strcmp0(in->place->file_system, "hugetlbfs") == 0)
		return exm_throw(error, EXM_ERROR_UNSUPPORTED,
		                 "'%s' is on hugetlbfs: huge pages and file_backed_memory exclude "
		                 "each other",
		                 in->place->path);
	if (in->guest->lock_memory && is_larger)
		return exm_throw(error, EXM_ERROR_UNSUPPORTED,
		                 "'-overcommit mem-lock=on' would hold in memory what "
		                 "file_backed_memory, larger than that, is to keep in files");
	return true;
}

static void add_block(ExmCommitment *commitment, const ExmMemoryInput *in, guint index,
                      uint64_t store_device)
{
	const ExmFileFacts *file = in->files->len ? in->files->pdata[index] : NULL;
	const bool is_there = file && file->exists && in->option->mode != EXM_MODE_TEMP;
	const ExmMemoryUse use = {
		.size = ((const ExmBlock *)in->blocks->pdata[index])->size,
		.in_file = true,
		.shared = exm_memory_is_shared(in),
		.in_ram = in->place->in_memory,
		.device = in->place->device,
		.inode = is_there ? file->inode : 0,
	};

	exm_commitment_add(commitment, &use, store_device);
}

static ExmCommitment *commitment_of(const ExmBuilder *builder, const ExmMemoryInput *in)
{
	const ExmPlan *plan = builder->plan;
	ExmCommitment *commitment = exm_commitment_new(plan->name, plan->cow_budget);
	const ExmMemoryUse anonymous = { .size = plan->ram_size };

	for (guint i = 0; in && i < in->blocks->len; i++)
		add_block(commitment, in, i, builder->facts->capacity->store_device);
	if (!in && plan->ram_size)
		exm_commitment_add(commitment, &anonymous, builder->facts->capacity->store_device);
	return commitment;
}

static uint64_t sum_of(const ExmCommitment *commitment)
{
	uint64_t bytes = 0;

	for (guint i = 0; i < commitment->charges->len; i++)
		bytes += ((const ExmCharge *)commitment->charges->pdata[i])->bytes;
	return bytes;
}

/* When all files are there, so that one which others map counts once, and none has blocks yet. */
static void insert_step(const ExmBuilder *builder)
{
	GPtrArray *steps = builder->plan->steps;
	ExmStep *step = exm_step_new(EXM_STEP_ADMIT, builder->request->store->host_directory, -1);
	guint index = 0;

	while (index < steps->len &&
	       ((const ExmStep *)steps->pdata[index])->kind != EXM_STEP_RESERVE_BLOCKS)
		index++;
	step->bytes = sum_of(builder->plan->commitment);
	g_ptr_array_insert(steps, (gint)index, step);
}

/* The lever "refuse" of a policy: there is no arithmetic, but the host's state. */
static bool check_refusal(const ExmBuilder *builder, GError **error)
{
	const char *refusal = builder->facts->refusal;

	if (!refusal)
		return true;
	if (!builder->plan->overcommit)
		return exm_throw(error, EXM_ERROR_NO_ROOM,
		                 "%s; '--overcommit' starts it all the same", refusal);
	g_ptr_array_add(builder->plan->warnings, g_strdup(refusal));
	return true;
}

/**
 * exm_builder_admit() - Make sure that the guest fits beside all others
 * @builder: the plan under construction, with its memory
 * @in:      the situation, or NULL where the user leaves memory to QEMU
 * @error:   NO_ROOM, with the arithmetic; UNSUPPORTED
 *
 * Others may be faster: a step looks again, when nobody else can.
 */
bool exm_builder_admit(ExmBuilder *builder, const ExmMemoryInput *in, GError **error)
{
	const ExmMemoryConfig *store = builder->request->store;
	const ExmCapacityFacts *facts = builder->facts->capacity;
	ExmPlan *plan = builder->plan;
	g_autoptr(GError) reason = NULL;

	if (!check_refusal(builder, error))
		return false;
	if (!store || !facts)
		return true;
	if (in && !check_kind(store, in, error))
		return false;
	plan->commitment = commitment_of(builder, in);
	if (!exm_capacity_admit(store, facts, plan->commitment, &reason)) {
		if (!plan->overcommit)
			return exm_throw(error, EXM_ERROR_NO_ROOM,
			                 "%s; '--overcommit' starts it all the same",
			                 reason->message);
		g_ptr_array_add(plan->warnings, g_strdup_printf("does not fit: %s", reason->message));
	}
	if (facts->unseen)
		g_ptr_array_add(plan->warnings,
		                g_strdup_printf("'%s' cannot be looked into: only guests of '%s' are "
		                                "counted",
		                                facts->unseen, builder->request->state_directory));
	insert_step(builder);
	return true;
}
