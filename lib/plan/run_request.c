/* SPDX-License-Identifier: GPL-2.0-or-later */
/* run_request.c - What `exomem run` was asked, and the facts that its plan needs */

#include "plan/run.h"

static void pmem_option_destroy(gpointer data)
{
	exm_pmem_option_free(data);
}

/**
 * exm_run_request_new() - Read the QEMU command line of a request
 * @qemu_argv: NULL-terminated, without the program's name
 * @error:     USAGE
 *
 * Return: the request (transfer full) with identity on and neither name nor state directory; or
 * NULL.
 */
ExmRunRequest *exm_run_request_new(const char *const *qemu_argv, GError **error)
{
	g_autoptr(ExmRunRequest) request = g_new0(ExmRunRequest, 1);

	request->identity = true;

	request->line = exm_qemu_line_parse(qemu_argv, error);
	if (!request->line)
		return NULL;
	request->guest = exm_guest_read(request->line, error);
	if (!request->guest)
		return NULL;
	if (!request->guest->memory)
		return g_steal_pointer(&request);
	request->memory = exm_memory_option_parse(request->guest->memory, error);
	if (!request->memory) {
		g_prefix_error(error, "-mem-path: ");
		return NULL;
	}
	return g_steal_pointer(&request);
}

/**
 * exm_run_request_free() - Free a request
 * @request: may be NULL
 */
void exm_run_request_free(ExmRunRequest *request)
{
	if (!request)
		return;
	exm_qemu_line_free(request->line);
	exm_guest_free(request->guest);
	exm_memory_option_free(request->memory);
	g_free(request->name);
	g_free(request->state_directory);
	g_free(request->shape);
	g_free(request->place);
	if (request->pmem)
		g_ptr_array_unref(request->pmem);
	g_free(request->claims_directory);
	g_free(request->run_as);
	g_free(request);
}

/**
 * exm_run_request_add_pmem() - Ask for persistent memory
 * @request: the request
 * @text:    the argument of --pmem
 * @error:   USAGE
 */
bool exm_run_request_add_pmem(ExmRunRequest *request, const char *text, GError **error)
{
	ExmPmemOption *option = exm_pmem_option_parse(text, error);

	if (!option) {
		g_prefix_error(error, "--pmem: ");
		return false;
	}
	if (!request->pmem)
		request->pmem = g_ptr_array_new_with_free_func(pmem_option_destroy);
	g_ptr_array_add(request->pmem, option);
	return true;
}

/**
 * exm_run_request_pmem() - The persistent memory that is asked for
 * @request: the request
 *
 * Return: of ExmPmemOption (borrowed); empty for none.
 */
const GPtrArray *exm_run_request_pmem(const ExmRunRequest *request)
{
	static const GPtrArray none;

	return request->pmem ? request->pmem : &none;
}

static void file_facts_destroy(gpointer data)
{
	exm_file_facts_free(data);
}

static void place_destroy(gpointer data)
{
	exm_place_free(data);
}

/**
 * exm_run_facts_new() - Facts that are still to be filled in
 *
 * Return: the facts (transfer full), without files.
 */
ExmRunFacts *exm_run_facts_new(void)
{
	ExmRunFacts *facts = g_new0(ExmRunFacts, 1);

	facts->files = g_ptr_array_new_with_free_func(file_facts_destroy);
	facts->pmem_files = g_ptr_array_new_with_free_func(file_facts_destroy);
	facts->pmem_places = g_ptr_array_new_with_free_func(place_destroy);

	return facts;
}

/**
 * exm_run_facts_free() - Free facts
 * @facts: may be NULL
 */
void exm_run_facts_free(ExmRunFacts *facts)
{
	if (!facts)
		return;
	exm_caps_free(facts->caps);
	exm_host_free(facts->host);
	exm_place_free(facts->place);
	exm_place_free(facts->disk_place);
	g_ptr_array_unref(facts->files);
	exm_capacity_facts_free(facts->capacity);
	g_free(facts->refusal);
	exm_pmem_free(facts->pmem);
	g_free(facts->state_id);
	g_free(facts->boot_id);
	g_ptr_array_unref(facts->pmem_files);
	g_ptr_array_unref(facts->pmem_places);

	g_free(facts->uuid);
	g_free(facts->generation_id);
	g_free(facts->random);
	g_free(facts);
}
