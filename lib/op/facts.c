/* SPDX-License-Identifier: GPL-2.0-or-later */
/* facts.c - Read once, at the start of a command, what its plan has to know */

#include "op/facts.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/json.h"
#include "host/balance_note.h"
#include "host/hostinfo.h"
#include "host/place.h"
#include "host/state.h"
#include "host/state_root.h"
#include "host/stream_head.h"
#include "op/admission.h"
#include "op/pmem.h"
#include "op/probe.h"
#include "plan/block.h"

/* One file for each block; a device holds its memory itself. */
static bool look_at_files(const ExmRunRequest *request, ExmRunFacts *facts,
                          ExmFileFacts *(*look)(const char *path, ExmJson *recorded),
                          ExmJson *recorded, GError **error)
{
	g_autoptr(GPtrArray) blocks = NULL;

	if (facts->place->kind == EXM_PLACE_DAX)
		return true;
	blocks = exm_run_blocks(request, facts->caps, facts->place, error);
	if (!blocks)
		return false;
	for (guint i = 0; i < blocks->len; i++) {
		const ExmBlock *block = blocks->pdata[i];

		g_ptr_array_add(facts->files, look(block->path, recorded));
	}
	return true;
}

static ExmFileFacts *look_at_file(const char *path, G_GNUC_UNUSED ExmJson *recorded)
{
	return exm_file_look(path);
}

static bool look_at_incoming(const ExmRunRequest *request, ExmRunFacts *facts,
                             bool (*look)(const ExmIncomingFile *file, ExmJson *recorded,
                                          ExmStreamHead *ret_head, GError **error),
                             ExmJson *recorded, GError **error)
{
	g_autoptr(ExmIncomingFile) file = NULL;

	if (!request->guest->incoming)
		return true;
	facts->incoming = EXM_STREAM_UNSEEN;
	if (!exm_run_incoming_file(request, facts, &file, error))
		return false;
	return !file || look(file, recorded, &facts->incoming, error);
}

static bool look_at_state(const ExmIncomingFile *file, G_GNUC_UNUSED ExmJson *recorded,
                          ExmStreamHead *ret_head, GError **error)
{
	if (exm_stream_head_read(file, ret_head, error))
		return true;
	g_prefix_error(error, "-incoming: ");
	return false;
}

static ExmFileFacts *recall_file(const char *path, ExmJson *recorded)
{
	ExmJson *json = exm_json_member(exm_json_member(recorded, "files"), path);
	ExmFileFacts *file = json ? exm_file_facts_from_json(json, NULL) : NULL;

	if (file)
		return file;
	file = g_new0(ExmFileFacts, 1);
	file->path = g_strdup(path);
	return file;
}

static ExmPlace *recall_place(const char *path, ExmJson *recorded)
{
	ExmJson *json = exm_json_member(exm_json_member(recorded, "places"), path);
	ExmPlace *place = json ? exm_place_from_json(json, NULL) : NULL;

	if (place)
		return place;
	place = g_new0(ExmPlace, 1);
	place->path = g_strdup(path);
	place->kind = EXM_PLACE_MISSING;
	return place;
}

/*
 * The files of --pmem, each with the directory that it is in. What has no file has NULL in its place.
 */
static void look_at_pmem_files(const ExmRunRequest *request, ExmRunFacts *facts, ExmJson *recorded)
{
	for (guint i = 0; i < exm_run_request_pmem(request)->len; i++) {
		const ExmPmemOption *option = exm_run_request_pmem(request)->pdata[i];
		g_autofree char *path = option->file ? g_canonicalize_filename(option->file, NULL)
		                                     : NULL;
		g_autofree char *directory = path ? g_path_get_dirname(path) : NULL;
		ExmPlace *place = NULL;
		ExmFileFacts *file = NULL;

		if (path && recorded) {
			place = recall_place(directory, recorded);
			file = recall_file(path, recorded);
		} else if (path) {
			place = exm_place_look(directory);
			place->maps_sync = exm_place_maps_sync(directory);
			file = exm_file_look(path);
		}
		g_ptr_array_add(facts->pmem_places, place);
		g_ptr_array_add(facts->pmem_files, file);
	}
}

static bool wants_namespaces(const ExmRunRequest *request)
{
	for (guint i = 0; i < exm_run_request_pmem(request)->len; i++)
		if (((const ExmPmemOption *)exm_run_request_pmem(request)->pdata[i])->sources->len)
			return true;
	return false;
}

/**
 * exm_facts_read_claimant() - Read what tells a guest from those of other state directories
 * @facts:           with persistent memory; they get the ids of the state directory and of the boot
 * @state_directory: of the guest
 */
void exm_facts_read_claimant(ExmRunFacts *facts, const char *state_directory)
{
	facts->state_id = exm_state_root_id(state_directory);
	facts->boot_id = exm_state_boot_id();
}

static bool recall_claimant(ExmRunFacts *facts, const char *const *paths, GError **error)
{
	g_autoptr(ExmJson) recorded = exm_facts_recorded(paths, error);

	if (!recorded)
		return false;
	facts->state_id = g_strdup(exm_json_get_string(recorded, "state-id"));
	facts->boot_id = g_strdup(exm_json_get_string(recorded, "boot-id"));
	return true;
}

/*
 * A device as main memory is remembered too where it is a namespace; it need not be one, and where
 * libndctl is not installed it is none that anybody gave out.
 */
static bool look_at_pmem(const ExmRunRequest *request, const ExmSources *sources,
                         ExmRunFacts *facts, GError **error)
{
	const ExmPmemSource source = { sources->pool, request->claims_directory, sources->recorded };
	const bool is_device = facts->place && facts->place->kind == EXM_PLACE_DAX;

	if (!wants_namespaces(request) && !(is_device && request->claims_directory))
		return true;
	facts->pmem = exm_op_pmem_read(&source, error);
	if (!facts->pmem && !wants_namespaces(request) &&
	    g_error_matches(*error, EXM_ERROR, EXM_ERROR_UNSUPPORTED)) {
		g_clear_error(error);
		return true;
	}
	if (!facts->pmem)
		return false;
	if (sources->recorded)
		return recall_claimant(facts, sources->recorded, error);
	exm_facts_read_claimant(facts, request->state_directory);
	return true;
}

/**
 * exm_facts_renew() - Draw anew what each run has of its own
 * @facts: get another uuid, generation id and random digits
 */
void exm_facts_renew(ExmRunFacts *facts)
{
	g_free(facts->uuid);
	g_free(facts->generation_id);
	g_free(facts->random);
	facts->uuid = g_uuid_string_random();
	facts->generation_id = g_uuid_string_random();
	facts->random = g_strdup_printf("%04x", g_random_int_range(0, 0x10000));
}

static bool look_at_capacity(const ExmRunRequest *request, ExmRunFacts *facts, ExmJson *recorded,
                             GError **error)
{
	if (!request->store)
		return true;
	facts->capacity = exm_op_capacity_read(request->store, request->state_directory, recorded,
	                                       error);
	return facts->capacity;
}

static bool read_machine(const ExmRunRequest *request, const ExmSources *sources,
                         ExmRunFacts *facts, GError **error)
{
	g_autofree char *path = NULL;

	exm_facts_renew(facts);
	facts->caps = exm_op_probe(sources->qemu, sources->cache_directory, false, NULL, error);
	facts->host = facts->caps ? exm_hostinfo_read(error) : NULL;
	if (!facts->host)
		return false;
	if (request->guest->is_question)
		return true;
	facts->refusal = exm_balance_note_refusal(request->state_directory);
	if (!look_at_incoming(request, facts, look_at_state, NULL, error) ||
	    !look_at_capacity(request, facts, NULL, error))
		return false;
	look_at_pmem_files(request, facts, NULL);
	if (!request->memory)
		return true;
	path = exm_run_memory_path(request, facts, error);
	if (!path)
		return false;
	facts->place = exm_place_look(path);
	return look_at_files(request, facts, look_at_file, NULL, error);
}

static bool recall_state(const ExmIncomingFile *file, ExmJson *recorded, ExmStreamHead *ret_head,
                         GError **error)
{
	g_autofree char *name = exm_incoming_file_print(file);
	const char *head = exm_json_get_string(exm_json_member(recorded, "states"), name);
	int value = EXM_STREAM_MISSING;

	if (head && !exm_enum_parse(&exm_stream_heads, head, &value, error))
		return false;
	*ret_head = (ExmStreamHead)value;
	return true;
}

/**
 * exm_facts_recorded() - Read recorded facts
 * @paths: of the files, NULL-terminated
 * @error: SYSTEM
 *
 * Members of several files become members of one object; a later file's count.
 *
 * Return: the object (transfer full), or NULL.
 */
ExmJson *exm_facts_recorded(const char *const *paths, GError **error)
{
	g_autoptr(ExmJson) all = json_object_new_object();

	for (; *paths; paths++) {
		g_autofree char *text = NULL;
		g_autoptr(ExmJson) json = NULL;
		size_t length;

		if (!exm_file_read(*paths, &text, &length, error))
			return NULL;
		json = exm_json_parse(text, length, error);
		if (!json) {
			g_prefix_error(error, "'%s': ", *paths);
			return NULL;
		}
		json_object_object_foreach(json, name, value)
			json_object_object_add(all, name, json_object_get(value));
	}
	return g_steal_pointer(&all);
}

static bool recall_machine(const ExmRunRequest *request, const ExmSources *sources,
                           ExmRunFacts *facts, GError **error)
{
	g_autoptr(ExmJson) recorded = exm_facts_recorded(sources->recorded, error);
	g_autofree char *path = NULL;

	if (!recorded)
		return false;
	facts->uuid = g_strdup(exm_json_get_string(recorded, "uuid"));
	facts->generation_id = g_strdup(exm_json_get_string(recorded, "generation-id"));
	facts->random = g_strdup(exm_json_get_string(recorded, "random"));
	facts->refusal = g_strdup(exm_json_get_string(recorded, "refusal"));
	facts->caps = exm_caps_from_json(exm_json_member(recorded, "qemu"), error);
	if (!facts->caps)
		return false;
	facts->host = exm_host_from_json(exm_json_member(recorded, "host"), error);
	if (!facts->host)
		return false;
	if (request->guest->is_question)
		return true;
	if (!look_at_incoming(request, facts, recall_state, recorded, error) ||
	    !look_at_capacity(request, facts, recorded, error))
		return false;
	look_at_pmem_files(request, facts, recorded);
	if (!request->memory)
		return true;
	path = exm_run_memory_path(request, facts, error);
	if (!path)
		return false;
	facts->place = recall_place(path, recorded);
	return look_at_files(request, facts, recall_file, recorded, error);
}

/**
 * exm_facts_for_run() - What the plan of a run has to know
 * @request: what the user said
 * @sources: where to look
 * @error:   UNSUPPORTED for a QEMU that is none; what exm_run_blocks() throws
 *
 * Return: the facts (transfer full), or NULL.
 */
ExmRunFacts *exm_facts_for_run(const ExmRunRequest *request, const ExmSources *sources, GError **error)
{
	g_autoptr(ExmRunFacts) facts = exm_run_facts_new();
	const bool done = sources->recorded ? recall_machine(request, sources, facts, error)
	                                    : read_machine(request, sources, facts, error);

	if (!done || (!request->guest->is_question && !look_at_pmem(request, sources, facts, error)))
		return NULL;
	return g_steal_pointer(&facts);
}
