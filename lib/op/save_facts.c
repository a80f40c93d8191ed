/* SPDX-License-Identifier: GPL-2.0-or-later */
/* save_facts.c - Read what the plan of a save has to know, without the guest noticing */

#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "host/control.h"
#include "host/guest_memory.h"
#include "host/hostinfo.h"
#include "host/place.h"
#include "host/smaps.h"
#include "host/state.h"
#include "host/template_store.h"
#include "op/probe.h"
#include "op/save.h"

/* An idle QEMU answers within a millisecond. */
#define ANSWER_MS 5000

static bool ask(const ExmVm *vm, ExmSaveFacts *facts, GError **error)
{
	const struct {
		const char *command;
		ExmJson **answer;
	} questions[] = {
		{ "query-status", &facts->status },   { "query-migrate", &facts->migration },
		{ "query-memdev", &facts->backends }, { "query-block", &facts->disks },
		{ "query-kvm", &facts->kvm },
	};
	g_autoptr(ExmQmp) qmp = exm_control_open(vm, EXM_VM_CONTROL, ANSWER_MS, error);

	for (size_t i = 0; qmp && i < G_N_ELEMENTS(questions); i++) {
		*questions[i].answer = exm_qmp_execute(qmp, questions[i].command, NULL, error);
		if (!*questions[i].answer) {
			g_prefix_error(error, "guest '%s': ", vm->name);
			return false;
		}
	}
	return qmp;
}

/* The file behind a descriptor of QEMU's; it need not have a name. */
static ExmFileFacts *look_at_descriptor(const ExmVm *vm, int fd)
{
	g_autofree char *path = g_strdup_printf("/proc/%d/fd/%d", (int)vm->pid, fd);

	return exm_file_look_through(path);
}

static void look_at_memory(ExmSaveFacts *facts)
{
	for (size_t i = 0; i < exm_json_length(facts->vm->memory); i++) {
		ExmJson *memory = json_object_array_get_idx(facts->vm->memory, i);
		const char *path = exm_json_get_string(memory, "path");
		const char *opened = exm_json_get_string(exm_json_member(memory, "backend"),
		                                         "mem-path");
		const char *number = opened ? strrchr(opened, '/') : NULL;
		ExmFileFacts *file;

		if (exm_json_get_bool(memory, "unnamed") && number)
			file = look_at_descriptor(facts->vm,
			                          (int)g_ascii_strtoll(number + 1, NULL, 10));
		else
			file = exm_file_look(path ? path : "/");
		if (exm_guest_memory_lost(facts->vm, memory))
			file->exists = false;
		g_ptr_array_add(facts->memory, file);
	}
}

static bool look_at_images(ExmSaveFacts *facts, GError **error)
{
	g_autoptr(GPtrArray) images = exm_save_images(facts->vm, error);

	if (!images)
		return false;
	for (guint i = 0; i < images->len; i++) {
		const ExmSaveImage *image = images->pdata[i];
		g_autofree char *path = g_canonicalize_filename(image->path,
		                                                facts->vm->working_directory);

		g_ptr_array_add(facts->images, image->fd < 0
		                                       ? exm_file_look(path)
		                                       : look_at_descriptor(facts->vm, image->fd));
	}
	return true;
}

/* The directory that the template shall be in, or the nearest one above it that is there. */
static void look_at_place(const char *directory, ExmSaveFacts *facts)
{
	g_autofree char *parent = g_path_get_dirname(directory);
	struct stat info;

	while (stat(parent, &info) < 0 && strcmp(parent, "/") != 0) {
		char *above = g_path_get_dirname(parent);

		g_free(parent);
		parent = above;
	}
	facts->device = info.st_dev;
	facts->place = exm_place_look(parent);
	facts->target = exm_file_look(directory);
}

/* A template is never replaced: it has no UUID. */
static void look_at_handover(const ExmSaveRequest *request, ExmSaveFacts *facts)
{
	if (request->moves && facts->target->exists)
		facts->handover = exm_template_store_read_own(request->directory, NULL);
}

/* The kernel does not tell guest memory from QEMU's own, where both are anonymous. */
static uint64_t read_qemu_memory(const ExmVm *vm)
{
	const size_t count = exm_json_length(vm->memory);

	for (size_t i = 0; i < count; i++)
		if (!exm_json_get_bool(json_object_array_get_idx(vm->memory, i), "shared"))
			return 0;
	return count ? exm_process_anonymous((pid_t)vm->pid) : 0;
}

/**
 * exm_save_facts_read() - Read what the plan of a save has to know
 * @request:         what the user said
 * @guest:           name of the guest
 * @state_directory: where guests' directories are
 * @sources:         where facts are to be had
 * @error:           STATE where there is no such guest; SYSTEM where it does not answer
 *
 * Return: the facts (transfer full), or NULL.
 */
ExmSaveFacts *exm_save_facts_read(const ExmSaveRequest *request, const char *guest,
                                  const char *state_directory, const ExmSources *sources,
                                  GError **error)
{
	g_autoptr(ExmSaveFacts) facts = exm_save_facts_new();

	facts->vm = exm_state_find(state_directory, guest, error);
	if (!facts->vm || !ask(facts->vm, facts, error))
		return NULL;
	facts->caps = exm_op_probe(facts->vm->qemu, sources->cache_directory, false, NULL, error);
	if (!facts->caps)
		return NULL;
	if (facts->vm->template_path)
		facts->template = exm_template_store_read(facts->vm->template_path, NULL);
	facts->qemu_memory = read_qemu_memory(facts->vm);
	look_at_memory(facts);
	if (!look_at_images(facts, error))
		return NULL;
	look_at_place(request->directory, facts);
	look_at_handover(request, facts);
	facts->host_cpu = exm_hostinfo_cpu_flags();
	facts->now = (uint64_t)(g_get_real_time() / G_USEC_PER_SEC);
	facts->random = g_strdup_printf("%04x", g_random_int_range(0, 0x10000));
	return g_steal_pointer(&facts);
}
