/* SPDX-License-Identifier: GPL-2.0-or-later */
/* list.c - Guests of this user, and what they are doing */

#include "op/list.h"

#include <fcntl.h>

#include "base/fd.h"
#include "host/incoming.h"
#include "host/state.h"
#include "op/ask.h"
#include "op/operation.h"

/* An idle QEMU answers within a millisecond. */
#define DEADLINE_MS 500

/**
 * exm_listed_free() - Free what is known of a guest
 * @listed: may be NULL
 */
void exm_listed_free(ExmListed *listed)
{
	if (!listed)
		return;
	exm_vm_free(listed->vm);
	exm_end_free(listed->end);
	g_free(listed->status);
	g_free(listed);
}

static void listed_free(gpointer listed)
{
	exm_listed_free(listed);
}

static bool is_abandoned(const ExmVm *vm)
{
	exm_autofd int directory = open(vm->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return directory >= 0 && exm_incoming_is_abandoned(directory);
}

/* QEMU, qapi/run-state.json: "inmigrate" is a child that has not got its device state. */
static const char *status_of(const ExmVm *vm, ExmJson *answer)
{
	const char *status = exm_json_get_string(answer, "status");

	if (exm_operation_is_interrupted(vm))
		return "interrupted";
	if (g_strcmp0(status, "inmigrate") == 0 && is_abandoned(vm))
		return "abandoned";
	return vm->parent && g_strcmp0(status, "inmigrate") == 0 ? "waiting" : status;
}

static void ask_status(const GPtrArray *vms, const GPtrArray *all_listed)
{
	g_autoptr(GPtrArray) questions = exm_questions_new(vms, "query-status");

	exm_questions_ask(questions, DEADLINE_MS);
	for (guint i = 0; i < vms->len; i++) {
		const ExmQuestion *question = questions->pdata[i];
		ExmListed *listed = all_listed->pdata[i];

		listed->status = g_strdup(status_of(listed->vm, question->answer));
	}
}

/* The record does not say where a backend of the user's own is all of the memory. */
static void ask_memory(const GPtrArray *vms, const GPtrArray *all_listed)
{
	g_autoptr(GPtrArray) questions = exm_questions_new(vms, "query-memory-size-summary");

	for (guint i = 0; i < vms->len; i++) {
		const ExmListed *listed = all_listed->pdata[i];
		ExmQuestion *question = questions->pdata[i];

		if (listed->memory || !listed->status)
			question->command = NULL;
	}
	exm_questions_ask(questions, DEADLINE_MS);
	for (guint i = 0; i < vms->len; i++) {
		const ExmQuestion *question = questions->pdata[i];
		ExmListed *listed = all_listed->pdata[i];

		if (question->answer)
			listed->memory = exm_json_get_uint(question->answer, "base-memory");
	}
}

/* Takes the guests over, which have to be freed with the result alone. */
static GPtrArray *look_at(const GPtrArray *vms, bool ask)
{
	GPtrArray *all_listed = g_ptr_array_new_with_free_func(listed_free);

	for (guint i = 0; i < vms->len; i++) {
		ExmListed *listed = g_new0(ExmListed, 1);

		listed->vm = vms->pdata[i];
		listed->memory = listed->vm->ram_size;
		g_ptr_array_add(all_listed, listed);
	}
	if (ask) {
		ask_status(vms, all_listed);
		ask_memory(vms, all_listed);
	}
	return all_listed;
}

/**
 * exm_op_list() - Find all guests of this user
 * @state_directory: where guests' directories are
 * @ask:             ask the QEMUs too, not only the records
 * @ret_listed:      of ExmListed, by name (transfer full)
 * @error:           STATE or SYSTEM: the state directory will not do
 */
bool exm_op_list(const char *state_directory, bool ask, GPtrArray **ret_listed, GError **error)
{
	g_autoptr(GPtrArray) vms = NULL;

	if (!exm_state_list(state_directory, &vms, error))
		return false;
	g_ptr_array_set_free_func(vms, NULL);
	*ret_listed = look_at(vms, ask);
	return true;
}

static ExmListed *list_ended(ExmEnded *ended)
{
	ExmListed *listed = g_new0(ExmListed, 1);

	listed->vm = g_steal_pointer(&ended->vm);
	listed->end = g_steal_pointer(&ended->end);
	listed->memory = listed->vm->ram_size;
	exm_ended_free(ended);
	return listed;
}

/**
 * exm_op_list_ended() - Find all guests of this user that have ended
 * @state_directory: where guests' directories are
 * @all_listed:      of ExmListed; grows by them, the oldest first
 * @error:           STATE or SYSTEM: the state directory is not valid
 */
bool exm_op_list_ended(const char *state_directory, GPtrArray *all_listed, GError **error)
{
	g_autoptr(GPtrArray) all_ended = NULL;

	if (!exm_state_list_ended(state_directory, &all_ended, error))
		return false;
	while (all_ended->len > 0)
		g_ptr_array_add(all_listed, list_ended(g_ptr_array_steal_index(all_ended, 0)));
	return true;
}

/**
 * exm_op_show() - Find a guest, and ask its QEMU
 * @state_directory: where guests' directories are
 * @name:            the guest's
 * @error:           STATE where there is no such guest
 *
 * Return: the guest (transfer full), or NULL.
 */
ExmListed *exm_op_show(const char *state_directory, const char *name, GError **error)
{
	g_autoptr(GPtrArray) vms = g_ptr_array_new();
	g_autoptr(GPtrArray) all_listed = NULL;
	ExmVm *vm = exm_state_find(state_directory, name, error);

	if (!vm)
		return NULL;
	g_ptr_array_add(vms, vm);
	all_listed = look_at(vms, true);
	return g_ptr_array_steal_index(all_listed, 0);
}

/**
 * exm_status_text() - A guest's status for people and programs
 * @listed: a guest whose QEMU was asked
 *
 * Return: QEMU's word, "no directory", "no answer", or "ended".
 */
const char *exm_status_text(const ExmListed *listed)
{
	if (listed->end)
		return "ended";
	if (listed->vm->lost)
		return "no directory";
	return listed->status ? listed->status : "no answer";
}

/**
 * exm_op_sockets() - Which sockets a guest has
 * @vm: the guest
 *
 * Return: names of files in its directory (transfer full).
 */
char **exm_op_sockets(const ExmVm *vm)
{
	static const char *const names[] = { EXM_VM_CONTROL, EXM_VM_EVENTS, EXM_VM_CONSOLE,
		                             EXM_VM_MONITOR, EXM_VM_QMP };
	g_autoptr(GStrvBuilder) found = g_strv_builder_new();

	for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
		g_autofree char *path = g_build_filename(vm->directory, names[i], NULL);

		if (g_file_test(path, G_FILE_TEST_EXISTS))
			g_strv_builder_add(found, names[i]);
	}
	return g_strv_builder_end(found);
}
