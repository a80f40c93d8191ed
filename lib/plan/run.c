/* SPDX-License-Identifier: GPL-2.0-or-later */
/* run.c - The plan of `exomem run`: a request and facts become steps and QEMU's command line */

#include "plan/run.h"

#include <string.h>

#include "base/error.h"
#include "base/keyval.h"
#include "plan/backend.h"
#include "plan/block.h"
#include "plan/builder.h"
#include "plan/identity.h"
#include "plan/machine.h"

/* The name that a guest will have; the random one may stand in for a name the user left open. */
static char *name_of(const ExmRunRequest *request, const ExmRunFacts *facts)
{
	const char *name = request->name ? request->name : request->guest->name;

	return name ? g_strdup(name) : g_strdup_printf("vm-%s", facts->random);
}

/* An argument of QEMU's with the guest's identity in it, before that is settled. */
static char *expand(const ExmRunRequest *request, const ExmRunFacts *facts, const char *text,
                    GError **error)
{
	g_autofree char *name = name_of(request, facts);
	g_autofree char *directory = g_build_filename(request->state_directory, name, NULL);
	const ExmIdentity identity = {
		.name = name,
		.index = request->index,
		.uuid = facts->uuid,
		.directory = directory,
	};

	return exm_identity_expand(&identity, text, error);
}

/**
 * exm_run_memory_path() - Where the memory of a request shall be
 * @request: with -mem-path
 * @facts:   with the random ones
 * @error:   USAGE for a placeholder that is none
 *
 * Return: the path of -mem-path with its placeholders replaced (transfer full), or NULL.
 */
char *exm_run_memory_path(const ExmRunRequest *request, const ExmRunFacts *facts, GError **error)
{
	char *path;

	/* What the configuration names is a path as it stands. */
	if (!request->guest->memory)
		return g_strdup(request->memory->path);
	path = expand(request, facts, request->memory->path, error);
	if (!path)
		g_prefix_error(error, "-mem-path: ");
	return path;
}

/**
 * exm_run_incoming_file() - In which file the state of a request is, so that it can be looked at
 * @request:  with -incoming
 * @facts:    with the random ones
 * @ret_file: (transfer full): the file, or NULL where it is in none or not surely in one
 * @error:    USAGE for a placeholder that is none
 */
bool exm_run_incoming_file(const ExmRunRequest *request, const ExmRunFacts *facts,
                           ExmIncomingFile **ret_file, GError **error)
{
	g_autofree char *source = expand(request, facts, request->guest->incoming, error);

	if (!source) {
		g_prefix_error(error, "-incoming: ");
		return false;
	}
	*ret_file = exm_incoming_file_new(source);
	return true;
}

/**
 * exm_run_blocks() - The memory blocks of a request, so that their files can be looked at
 * @request: with -mem-path
 * @caps:    of the QEMU that will run the guest
 * @place:   of the path of -mem-path
 * @error:   see exm_blocks_new()
 *
 * Return: of ExmBlock (transfer full), or NULL.
 */
GPtrArray *exm_run_blocks(const ExmRunRequest *request, const ExmCaps *caps, const ExmPlace *place,
                          GError **error)
{
	g_autoptr(GPtrArray) blocks = exm_blocks_new(request->guest, caps, error);

	if (!blocks)
		return NULL;
	if (!request->template)
		exm_blocks_place(blocks, place->path, place->kind == EXM_PLACE_DAX);
	else if (!exm_blocks_place_child(blocks, request->template, error))
		return NULL;
	return g_steal_pointer(&blocks);
}

/* What is longest in a guest's directory, and what a socket's address holds (unix(7)). */
#define LONGEST_SOCKET  "monitor.sock"
#define SOCKET_PATH_MAX 107

static bool check_directory(const char *directory, GError **error)
{
	if (strlen(directory) + 1 + strlen(LONGEST_SOCKET) <= SOCKET_PATH_MAX)
		return true;
	return exm_throw(error, EXM_ERROR_USAGE,
	                 "'%s' is too long for a socket in it: name a shorter directory by --state-dir",
	                 directory);
}

static bool choose_name(ExmBuilder *builder, GError **error)
{
	const ExmRunRequest *request = builder->request;
	ExmPlan *plan = builder->plan;

	plan->name = name_of(request, builder->facts);
	if (!exm_name_check(plan->name, error)) {
		if (!request->name)
			g_prefix_error(error, "-name: ");
		return false;
	}
	plan->directory = g_build_filename(request->state_directory,
	                                   request->place ? request->place : plan->name, NULL);
	plan->uuid = g_strdup(builder->facts->uuid);
	plan->generation_id = g_strdup(builder->facts->generation_id);
	if (!check_directory(plan->directory, error))
		return false;
	exm_builder_add_step(builder, EXM_STEP_CLAIM_NAME, plan->directory, builder->next_fd++);
	return true;
}

/* The user's -numa node with our backend in place of its size. */
static char *rewrite_node(const char *text, const char *id)
{
	g_autoptr(GPtrArray) pairs = exm_keyval_split(text);
	g_autoptr(GString) node = g_string_new(NULL);

	for (guint i = 0; i < pairs->len; i++) {
		const ExmPair *pair = pairs->pdata[i];
		g_autofree char *value = exm_keyval_escape(pair->value);

		if (g_strcmp0(pair->key, "mem") == 0)
			continue;
		if (pair->key)
			g_string_append_printf(node, "%s=%s,", pair->key, value);
		else
			g_string_append_printf(node, "%s,", value);
	}
	g_string_append_printf(node, "memdev=%s", id);
	return g_string_free(g_steal_pointer(&node), FALSE);
}

static const ExmBlock *find_node_block(const GPtrArray *blocks, guint word)
{
	for (guint i = 0; blocks && i < blocks->len; i++) {
		const ExmBlock *block = blocks->pdata[i];

		if (block->node && block->node->word == word)
			return block;
	}
	return NULL;
}

/* What a child has in place of a word; not there where it has the word itself. */
static bool add_child_words(const ExmBuilder *builder, const ExmIdentity *identity, guint index,
                            bool *ret_there, GError **error)
{
	g_autoptr(GPtrArray) words = g_ptr_array_new_with_free_func(g_free);

	*ret_there = builder->request->template && exm_builder_child_words(builder, index, words);
	for (guint i = 0; i < words->len; i++) {
		char *expanded = exm_identity_expand(identity, words->pdata[i], error);

		if (!expanded)
			return false;
		g_ptr_array_add(builder->plan->argv, expanded);
	}
	return true;
}

static bool add_user_word(ExmBuilder *builder, const ExmIdentity *identity, const GPtrArray *blocks,
                          guint index, GError **error)
{
	const ExmQemuWord *word = builder->request->line->words->pdata[index];
	const ExmBlock *block = find_node_block(blocks, index);
	const bool detach = builder->request->detach;
	g_autofree char *value = detach ? exm_detach_value(word, builder->console_fd) : NULL;
	char *expanded;
	bool replaced;

	if (!add_child_words(builder, identity, index, &replaced, error))
		return false;
	if (replaced)
		return true;
	/* A guest that QEMU itself would put into the background is ours to put there. */
	if (exm_qemu_word_is(word, "mem-path") || (detach && exm_qemu_word_is(word, "daemonize")))
		return true;
	if (word->word)
		g_ptr_array_add(builder->plan->argv, g_strdup(word->word));
	if (!word->value)
		return true;
	if (!value)
		value = block ? rewrite_node(word->value, block->id) : g_strdup(word->value);
	expanded = exm_identity_expand(identity, value, error);
	if (!expanded) {
		g_prefix_error(error, "%s: ", word->word ? word->word : "disk image");
		return false;
	}
	g_ptr_array_add(builder->plan->argv, expanded);
	return true;
}

static ExmIdentity identity_of(const ExmBuilder *builder)
{
	const ExmPlan *plan = builder->plan;
	const ExmTemplate *template = builder->request->template;

	return (ExmIdentity){
		.name = plan->name,
		.index = plan->index,
		.uuid = plan->uuid,
		.parent = template ? template->parent : NULL,
		.origin = template ? template->name : NULL,
		.directory = plan->directory,
	};
}

static bool add_user_words(ExmBuilder *builder, const GPtrArray *blocks, GError **error)
{
	const ExmIdentity identity = identity_of(builder);

	for (guint i = 0; i < builder->request->line->words->len; i++)
		if (!add_user_word(builder, &identity, blocks, i, error))
			return false;
	return true;
}

static void add_memory_arguments(ExmBuilder *builder)
{
	const GPtrArray *memory = builder->plan->memory;

	for (guint i = 0; i < memory->len; i++) {
		const ExmPlanMemory *block = memory->pdata[i];
		g_autofree char *object = exm_backend_print(block->backend);

		exm_builder_add_argument(builder, "-object", object);
	}
	if (memory->len && builder->request->guest->nodes->len == 0) {
		const ExmPlanMemory *block = memory->pdata[0];
		g_autofree char *machine = g_strdup_printf("memory-backend=%s", block->id);

		/* QEMU merges all -machine options, so the user's own stays as it is. */
		exm_builder_add_argument(builder, "-machine", machine);
	}
}

static void add_identity(ExmBuilder *builder)
{
	const ExmRunFacts *facts = builder->facts;
	const ExmGuest *guest = builder->request->guest;
	const ExmMachine *machine = exm_caps_machine(facts->caps, guest->machine);
	const ExmIdentity identity = identity_of(builder);
	const ExmTemplate *template = builder->request->template;
	g_autofree char *blob = template && template->blob ? g_strdup(template->blob)
	                                                   : exm_identity_print(&identity);
	g_autofree char *device = g_strdup_printf("vmgenid,guid=%s", facts->generation_id);
	g_autofree char *file = g_strdup_printf("name=%s,string=%s", EXM_IDENTITY_FW_CFG, blob);

	/* QEMU itself will say what is wrong with a machine that it does not have. */
	if (!machine || !builder->request->identity)
		return;
	/* A child can only have what its parent had. */
	if (!guest->has_vmgenid && (!template || template->vmgenid) &&
	    exm_caps_has(facts->caps->devices, "vmgenid") && exm_machine_takes_vmgenid(machine))
		exm_builder_add_argument(builder, "-device", device);
	if (!guest->has_identity && (!template || template->identity) &&
	    exm_machine_has_fw_cfg(machine))
		exm_builder_add_argument(builder, "-fw_cfg", file);
}

/* Who asks for persistent memory: an option, or a device that is main memory. */
static const char *origin_of_pmem(const ExmRunRequest *request)
{
	if (exm_run_request_pmem(request)->len > 0)
		return "--pmem";
	return request->template ? "memory" : "-mem-path";
}

/* Who said where memory goes. */
static const char *memory_source(const ExmRunRequest *request)
{
	if (request->template)
		return "memory";
	return request->guest->memory ? "-mem-path" : "memory_backing_dir";
}

static bool plan_guest(ExmBuilder *builder, const ExmMemoryInput *in, GError **error)
{
	const ExmRunRequest *request = builder->request;
	g_autofree char *guest_name = NULL;

	if (!choose_name(builder, error))
		return false;
	/* QEMU merges all -name options, and the last word on a key counts. */
	guest_name = g_strdup_printf("guest=%s", builder->plan->name);
	if (request->detach && !exm_detachment_new(request->line, &builder->detachment, error))
		return false;
	exm_builder_add_origin(builder);
	if (in && !exm_builder_add_memory(builder, in, error)) {
		g_prefix_error(error, "%s: ", memory_source(request));
		return false;
	}
	if (!exm_builder_admit(builder, in, error))
		return false;
	if (!exm_builder_add_pmem(builder, error)) {
		g_prefix_error(error, "%s: ", origin_of_pmem(request));
		return false;
	}
	exm_builder_add_sockets(builder);
	if (!add_user_words(builder, in ? in->blocks : NULL, error))
		return false;
	if (request->name)
		exm_builder_add_argument(builder, "-name", guest_name);
	add_memory_arguments(builder);
	exm_builder_add_pmem_arguments(builder);

	if (!exm_builder_add_incoming(builder, error))
		return false;
	add_identity(builder);
	exm_builder_add_child_arguments(builder);
	exm_builder_add_terminal_arguments(builder);
	exm_builder_add_step(builder, EXM_STEP_RECORD_GUEST, builder->plan->directory, -1);
	exm_builder_add_terminal_steps(builder);
	exm_builder_add_pmem_steps(builder);
	return exm_builder_add_last_steps(builder, error) &&
	       exm_builder_add_sandbox(builder, error) && exm_builder_add_user(builder, error);
}

/* "-M help" and its like: QEMU answers and ends; there is no guest to make room for. */
static void plan_question(ExmBuilder *builder)
{
	const GPtrArray *words = builder->request->line->words;

	for (guint i = 0; i < words->len; i++)
		if (!exm_qemu_word_is(words->pdata[i], "mem-path"))
			exm_qemu_word_append(words->pdata[i], builder->plan->argv);
}

static bool plan_memory_and_guest(ExmBuilder *builder, GError **error)
{
	const ExmRunRequest *request = builder->request;
	const ExmRunFacts *facts = builder->facts;
	g_autoptr(GPtrArray) blocks = NULL;
	ExmMemoryInput in;

	if (!request->memory)
		return plan_guest(builder, NULL, error);
	blocks = exm_run_blocks(request, facts->caps, facts->place, error);
	if (!blocks)
		return false;
	in = (ExmMemoryInput){
		.guest = request->guest,
		.option = request->memory,
		.blocks = blocks,
		.caps = facts->caps,
		.host = facts->host,
		.place = facts->place,
		.files = facts->files,
		.trust_mount = request->trust_mount,
	};
	return plan_guest(builder, &in, error);
}

/* Without -m, a backend of the user's own says how large memory is. */
static uint64_t ram_size_of(const ExmGuest *guest)
{
	return guest->ram_size_said || !guest->memory_backend ? guest->ram_size : 0;
}

static char **words_of(const ExmQemuLine *line)
{
	GPtrArray *words = g_ptr_array_new();

	for (guint i = 0; i < line->words->len; i++)
		exm_qemu_word_append(line->words->pdata[i], words);
	g_ptr_array_add(words, NULL);
	return (char **)g_ptr_array_free(words, FALSE);
}

/* Behind what it inherits a guest's own descriptors begin. */
static int first_fd(const ExmRunRequest *request, const ExmRunFacts *facts)
{
	const ExmInheritance *inheritance = request->inheritance;
	const int first = (int)facts->host->first_fd;

	if (!inheritance)
		return first;
	return MAX(MAX(first, inheritance->devices_fd + 1),
	           inheritance->memory_fd + (int)request->template->memory->len);
}

/**
 * exm_run_plan() - Decide all that `exomem run` will do
 * @request: what the user said
 * @facts:   what is so; with a place and one entry in files for each block of exm_run_blocks()
 *           where the request has -mem-path
 * @error:   any code; nothing has been done
 *
 * Return: the plan (transfer full), or NULL.
 */
ExmPlan *exm_run_plan(const ExmRunRequest *request, const ExmRunFacts *facts, GError **error)
{
	g_autoptr(ExmPlan) plan = exm_plan_new();
	ExmBuilder builder = {
		.request = request,
		.facts = facts,
		.plan = plan,
		.next_fd = first_fd(request, facts),
		.console_fd = -1,
	};

	plan->qemu = g_strdup(facts->caps->path);
	plan->qemu_version = g_strdup(facts->caps->version);
	plan->command = words_of(request->line);
	plan->detach = request->detach && !request->guest->is_question;
	g_ptr_array_add(plan->argv, g_strdup(plan->qemu));
	plan->ram_size = ram_size_of(request->guest);
	plan->index = request->index;
	plan->paused = request->paused;
	plan->waiting = request->waiting;
	plan->shape = request->shape;
	plan->template = request->template;
	plan->store = request->store;
	plan->overcommit = request->overcommit;
	plan->cow_budget = request->cow_budget;
	plan->kept = request->template && !request->template->uuid &&
	             (!request->inheritance || request->inheritance->kept);
	if (request->guest->is_question)
		plan_question(&builder);
	else if (!plan_memory_and_guest(&builder, error))
		return NULL;
	g_ptr_array_add(plan->argv, NULL);
	exm_builder_add_step(&builder, EXM_STEP_EXEC, plan->qemu, -1);
	return g_steal_pointer(&plan);
}
