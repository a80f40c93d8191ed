/* SPDX-License-Identifier: GPL-2.0-or-later */
/* clone.c - Which children a clone makes: a request for each, as for a run of its own */

#include "plan/clone.h"

#include <string.h>

#include "base/error.h"
#include "base/size.h"
#include "plan/clash.h"
#include "plan/identity.h"
#include "plan/vm.h"

/* Whoever has the same command line: children of a template, or a parent and all that were forked. */
static bool is_sibling(const ExmCloneFacts *facts, const ExmVm *vm)
{
	const ExmVm *parent = facts->parent;

	if (!parent)
		return g_strcmp0(vm->template_path, facts->template->directory) == 0;
	return g_strv_equal((const char *const *)vm->command, (const char *const *)parent->command);
}

/* How many are started. */
static uint32_t total_of(const ExmCloneRequest *request)
{
	return request->count + (request->heir ? 1 : 0);
}

static bool has_siblings(const ExmCloneFacts *facts)
{
	for (guint i = 0; i < facts->guests->len; i++)
		if (is_sibling(facts, facts->guests->pdata[i]))
			return true;
	return false;
}

/* Where others stand beside it, a child cannot have what there is only one of. */
static bool is_refused(const ExmClash *clash, const ExmCloneRequest *request, bool alone)
{
	switch (clash->kind) {
	case EXM_CLASH_EXCLUSIVE:
		return !alone;
	case EXM_CLASH_MAC:
		return !alone && !request->same_mac;
	case EXM_CLASH_DESCRIPTOR:
	case EXM_CLASH_MEMORY:
	case EXM_CLASH_STATE:
		return true;
	/* Several are detached, and one alone has its own. */
	case EXM_CLASH_TERMINAL:
	case EXM_CLASH_BALLOON:
		break;
	}
	return false;
}

static bool check_clashes(const ExmCloneRequest *request, const ExmCloneFacts *facts,
                          const ExmQemuLine *line, GError **error)
{
	const bool alone = request->count == 1 && !has_siblings(facts);
	g_autoptr(GPtrArray) clashes = exm_clashes_find(line);

	for (guint i = 0; i < clashes->len; i++) {
		const ExmClash *clash = clashes->pdata[i];

		if (is_refused(clash, request, alone))
			return exm_throw(error, EXM_ERROR_STATE, "%s", clash->message);
	}
	return true;
}

static bool check_identity(const ExmCloneRequest *request, const ExmCloneFacts *facts, GError **error)
{
	const ExmTemplate *template = facts->template;

	if ((request->count == 1 && !has_siblings(facts)) || request->identical ||
	    (template->vmgenid && template->identity))
		return true;
	return exm_throw(error, EXM_ERROR_STATE,
	                 "template '%s' has no %s, so its children would not know that they are "
	                 "several: say '--identical' if that is meant",
	                 template->name, template->vmgenid ? "identity" : "vmgenid");
}

/* Children that share a device would write each other's memory. */
static bool check_device(const ExmCloneRequest *request, const ExmCloneFacts *facts, GError **error)
{
	const ExmTemplateMemory *device = exm_template_device(facts->template);

	if (!device || (request->count == 1 && !request->reflink && !request->offered))
		return true;
	return exm_throw(error, EXM_ERROR_UNSUPPORTED,
	                 "the memory of template '%s' is a DAX device, of which there is one: one child "
	                 "can go on in it, and the template is gone then",
	                 facts->template->name);
}

static bool is_huge(const ExmCloneFacts *facts)
{
	return g_strcmp0(facts->place->file_system, "hugetlbfs") == 0;
}

/* Linux, mm/hugetlb.c: a private mapping reserves pages for all that it may come to write. */
static bool check_huge_pages(const ExmCloneRequest *request, const ExmCloneFacts *facts,
                             GError **error)
{
	const uint64_t need = total_of(request) * facts->template->ram_size;
	g_autofree char *size = exm_size_human(need);
	g_autofree char *room = exm_size_human(facts->place->free);

	if (!is_huge(facts) || need <= facts->place->free)
		return true;
	return exm_throw(error, EXM_ERROR_NO_ROOM,
	                 "'%s' is on hugetlbfs, where the children reserve %s of huge pages at once; "
	                 "%s are free",
	                 facts->place->path, size, room);
}

/*
 * What a child's QEMU has at least, whatever its guest does: exomem-clones(7). Its parent and a
 * process for its log come to its three threads.
 */
#define CHILD_MEMORY (16 * EXM_MIB)
#define CHILD_TASKS  5

/* The kernel would kill a child at once, or stop it for good. */
static bool check_budget(const ExmCloneRequest *request, const ExmCloneFacts *facts, GError **error)
{
	const uint64_t need = MAX(CHILD_MEMORY, facts->template->qemu_memory);
	g_autofree char *budget = exm_size_human(request->cow_budget);
	g_autofree char *alone = exm_size_human(need);

	return request->cow_budget == 0 || request->cow_budget > need ||
	       exm_throw(error, EXM_ERROR_NO_ROOM,
	                 "'--cow-budget' of %s is too small: QEMU alone needs %s, and the pages that a "
	                 "child copies come on top",
	                 budget, alone);
}

static bool check_room(const ExmCloneRequest *request, const ExmCloneFacts *facts, GError **error)
{
	const ExmHost *host = facts->host;
	const uint32_t count = total_of(request);
	const uint64_t memory = count * CHILD_MEMORY;
	const uint64_t tasks = (uint64_t)count * CHILD_TASKS;
	g_autofree char *need = exm_size_human(memory);
	g_autofree char *room = exm_size_human(host->ram_available + host->swap_total);

	if (memory > host->ram_available + host->swap_total)
		return exm_throw(error, EXM_ERROR_NO_ROOM,
		                 "%" G_GUINT32_FORMAT " children need at least %s beside what they "
		                 "share, 16 MiB each; %s of memory and swap are free",
		                 count, need, room);
	return host->tasks_free == 0 || tasks <= host->tasks_free ||
	       exm_throw(error, EXM_ERROR_NO_ROOM,
	                 "%" G_GUINT32_FORMAT " children need at least %" G_GUINT64_FORMAT
	                 " processes and threads, 5 each; %" G_GUINT64_FORMAT " more can be started",
	                 count, tasks, host->tasks_free);
}

static bool is_used(const ExmCloneFacts *facts, uint32_t index)
{
	for (guint i = 0; i < facts->guests->len; i++) {
		const ExmVm *vm = facts->guests->pdata[i];

		if (is_sibling(facts, vm) && vm->index == index)
			return true;
	}
	return false;
}

static const ExmVm *find_guest(const ExmCloneFacts *facts, const char *name)
{
	for (guint i = 0; i < facts->guests->len; i++) {
		const ExmVm *vm = facts->guests->pdata[i];

		if (strcmp(vm->name, name) == 0)
			return vm;
	}
	return NULL;
}

/* The children write to private memory, so what their parent said of its file is moot. */
static ExmMemoryOption *memory_of_child(const ExmCloneRequest *request, const ExmCloneFacts *facts,
                                        const char *said, GError **error)
{
	ExmMemoryOption *option = exm_memory_option_parse(said ? said : "/", error);

	if (!option)
		return NULL;
	g_free(option->path);
	option->path = g_strdup(facts->place->path);
	/* A guest that rests goes on as it was. */
	if (exm_template_device(facts->template))
		return option;
	option->mode = request->reflink ? EXM_MODE_TEMP : EXM_MODE_OPEN;
	option->mapping = request->reflink ? EXM_MAPPING_SHARED : EXM_MAPPING_PRIVATE;
	option->no_fallback = true;
	option->any_fs = true;
	option->discard = EXM_SWITCH_UNSET;
	option->pmem = EXM_SWITCH_UNSET;
	option->prealloc = request->reflink ? EXM_SWITCH_OFF : EXM_SWITCH_UNSET;
	option->prealloc_threads = 0;
	option->offset = 0;
	/*
	 * Children promise far more memory than they will ever copy: that is what they are for. A
	 * huge page that was not reserved would end the guest when there is none.
	 */
	option->reserve = EXM_SWITCH_UNSET;
	if (!request->reflink && !is_huge(facts) && facts->host->overcommit_memory == 0 &&
	    exm_caps_has(facts->caps->file_properties, "reserve"))
		option->reserve = EXM_SWITCH_OFF;
	return option;
}

static bool is_sandboxed(const ExmCloneRequest *request, const ExmTemplate *template)
{
	return request->sandbox || (template->sandbox && !request->no_sandbox);
}

/**
 * exm_clone_shape() - What children are like, as far as the user can choose
 * @request: what the user said
 *
 * Return: words (transfer full), the same for children that can stand in for each other.
 */
char *exm_clone_shape(const ExmCloneRequest *request)
{
	g_autofree char *budget = request->cow_budget ? g_strdup_printf(" budget %" G_GUINT64_FORMAT,
	                                                                request->cow_budget)
	                                              : g_strdup("");

	return g_strdup_printf("%s%s%s%s%s%s%s", request->reflink ? "reflink " : "private ",
	                       request->no_kernel ? "no-kernel " : "kernel ",
	                       request->merge ? "merge" : "no-merge", budget,
	                       request->sandbox      ? " sandbox"
	                       : request->no_sandbox ? " no-sandbox"
	                                             : "",
	                       request->run_as ? " as " : "", request->run_as ? request->run_as : "");
}

static char *name_of_child(const ExmCloneRequest *request, const ExmCloneFacts *facts, uint32_t index)
{
	const char *prefix = request->name ? request->name : facts->template->name;

	if (request->count == 1 && request->name)
		return g_strdup(prefix);
	/* What it has is remembered by its name. */
	if (exm_template_device(facts->template))
		return g_strdup(facts->template->parent);
	return g_strdup_printf("%s-%" G_GUINT32_FORMAT, prefix, index);
}

static ExmRunRequest *child_new(const ExmCloneRequest *request, const ExmCloneFacts *facts,
                                const char *name, uint32_t index, GError **error)
{
	const ExmTemplate *template = facts->template;
	const ExmTemplateMemory *device = exm_template_device(template);
	g_autoptr(ExmRunRequest) child = g_new0(ExmRunRequest, 1);

	child->line = exm_qemu_line_parse((const char *const *)template->command, error);
	child->guest = child->line ? exm_guest_read(child->line, error) : NULL;
	if (!child->guest)
		return NULL;
	child->name = g_strdup(name);
	child->memory = memory_of_child(request, facts, child->guest->memory, error);
	if (!child->memory || !exm_name_check(child->name, error))
		return NULL;
	/* What of the parent's words a child leaves out must not count either: run_child.c. */
	child->guest->prealloc = false;
	child->guest->ram_size = template->ram_size;
	child->state_directory = g_strdup(request->state_directory);
	child->detach = request->detach;
	child->identity = true;
	child->template = template;
	child->index = index;
	child->paused = request->paused;
	child->no_kernel = request->no_kernel;
	child->merge = request->merge;
	child->waiting = request->waiting;
	child->shape = request->offered ? exm_clone_shape(request) : NULL;
	child->inheritance = facts->inheritance;
	child->claims_directory = g_strdup(device ? device->claims : NULL);
	child->store = request->store;
	child->overcommit = request->overcommit;
	child->cow_budget = request->cow_budget;
	child->sandbox = is_sandboxed(request, template);
	child->run_as = g_strdup(request->run_as);
	return g_steal_pointer(&child);
}

static void child_free(gpointer child)
{
	exm_run_request_free(child);
}

static bool add_child(const ExmCloneRequest *request, const ExmCloneFacts *facts, uint32_t index,
                      GPtrArray *children, GError **error)
{
	const bool heir = children->len == request->count;
	g_autofree char *name = heir ? g_strdup(facts->parent->name)
	                             : name_of_child(request, facts, index);
	g_autoptr(ExmRunRequest) child = child_new(request, facts, name, index, error);
	const ExmVm *taken = heir ? NULL : find_guest(facts, name);

	if (!child)
		return false;
	if (taken)
		return exm_throw(error, EXM_ERROR_STATE, "name '%s' is taken (pid %d)", name,
		                 (int)taken->pid);
	/* What is read before the first is read before them all. */
	child->prefetch = children->len == 0 ? request->prefetch : NULL;
	child->exact_reads = request->exact_reads;
	/* The guest that is forked stays as it was. */
	if (heir)
		child->sandbox = facts->template->sandbox;
	g_ptr_array_add(children, g_steal_pointer(&child));
	return true;
}

/**
 * exm_clone_children() - Decide which children a clone makes
 * @request: what the user said
 * @facts:   what is so
 * @error:   STATE where two of them could not live side by side, or a name is taken
 *
 * Each gets the smallest index that no living child of the template has, from 1 on; a guest that
 * goes on in a device has 0, as it had. The last one is that which takes a guest's place, where
 * there is such a one.
 *
 * Return: of ExmRunRequest (transfer full), which borrow the template; or NULL.
 */
GPtrArray *exm_clone_children(const ExmCloneRequest *request, const ExmCloneFacts *facts,
                              GError **error)
{
	g_autoptr(GPtrArray) children = g_ptr_array_new_with_free_func(child_free);
	const uint32_t first = exm_template_device(facts->template) ? 0 : 1;
	g_autoptr(ExmQemuLine)
		line = exm_qemu_line_parse((const char *const *)facts->template->command, error);

	if (!line || !check_clashes(request, facts, line, error) ||
	    !check_identity(request, facts, error) || !check_device(request, facts, error) ||
	    !check_huge_pages(request, facts, error) || !check_budget(request, facts, error) ||
	    !check_room(request, facts, error))
		return NULL;
	for (uint32_t index = first; children->len < total_of(request); index++)
		if (!is_used(facts, index) && !add_child(request, facts, index, children, error))
			return NULL;
	return g_steal_pointer(&children);
}
