/* SPDX-License-Identifier: GPL-2.0-or-later */
/* balloon.c - Set a guest's balloon, and wait until it is there */

#include "op/balloon.h"

#include <string.h>

#include "base/error.h"
#include "host/control.h"
#include "host/guest_memory.h"
#include "host/pressure.h"
#include "host/smaps.h"
#include "host/state.h"
#include "plan/balloon.h"

/* How long QEMU may take to answer, and how often it is asked how far the balloon is. */
#define ANSWER_MS 10000
#define PAUSE_US  50000UL

static const char *const containers[] = { "/machine/peripheral", "/machine/peripheral-anon" };

static ExmJson *path_and(const char *path, const char *property)
{
	ExmJson *json = json_object_new_object();

	exm_json_set_string(json, "path", path);
	if (property)
		exm_json_set_string(json, "property", property);
	return json;
}

static char *find_device(ExmQmp *qmp)
{
	char *path = NULL;

	for (size_t i = 0; !path && i < G_N_ELEMENTS(containers); i++) {
		g_autoptr(ExmJson)
			list = exm_qmp_execute(qmp, "qom-list", path_and(containers[i], NULL), NULL);

		path = list ? exm_balloon_find(list, containers[i]) : NULL;
	}
	return path;
}

static bool ask_actual(ExmQmp *qmp, const char *name, uint64_t *ret_actual, GError **error)
{
	g_autoptr(GError) problem = NULL;
	g_autoptr(ExmJson) answer = exm_qmp_execute(qmp, "query-balloon", NULL, &problem);

	if (!answer)
		return exm_throw(error, EXM_ERROR_STATE,
		                 "guest '%s' has no balloon to move (-device virtio-balloon): %s",
		                 name, problem->message);
	*ret_actual = exm_json_get_uint(answer, "actual");
	return true;
}

/* The guest tells when it is asked to; what it told before is good enough here. */
static void ask_device(ExmQmp *qmp, ExmBallooned *result)
{
	g_autofree char *path = find_device(qmp);
	g_autoptr(ExmJson) stats = NULL;
	g_autoptr(ExmJson) reporting = NULL;

	if (!path)
		return;
	stats = exm_qmp_execute(qmp, "qom-get", path_and(path, "guest-stats"), NULL);
	reporting = exm_qmp_execute(qmp, "qom-get", path_and(path, "free-page-reporting"), NULL);
	if (stats)
		exm_balloon_read_statistics(stats, (uint64_t)(g_get_real_time() / G_USEC_PER_SEC),
		                            &result->guest);
	result->reporting = reporting && json_object_get_boolean(reporting);
}

static bool wait_for_target(ExmQmp *qmp, const char *name, int timeout_ms, ExmBallooned *result,
                            GError **error)
{
	const gint64 deadline = g_get_monotonic_time() + (gint64)timeout_ms * 1000;

	for (;;) {
		/* QEMU may answer late while it gives page after page back. */
		exm_qmp_set_deadline(qmp, MAX(timeout_ms, ANSWER_MS));
		if (!ask_actual(qmp, name, &result->after, error))
			return false;
		if (result->after == result->target || g_get_monotonic_time() >= deadline)
			return true;
		g_usleep(PAUSE_US);
	}
}

/* What the guest's files have in memory, else all that QEMU has. */
static uint64_t held_by(const ExmVm *vm)
{
	ExmGuestSample process = { 0 };
	uint64_t bytes = 0;

	for (size_t i = 0; vm->memory && i < exm_json_length(vm->memory); i++) {
		g_autofree char *path = exm_guest_memory_path(
			vm, json_object_array_get_idx(vm->memory, i));

		bytes += path ? exm_file_use(path).resident : 0;
	}
	if (bytes == 0)
		exm_process_read((pid_t)vm->pid, &process);
	return bytes + process.resident;
}

static bool check_guest(const ExmVm *vm, GError **error)
{
	if (!exm_guest_memory_is_private(vm))
		return true;
	if (!vm->parent)
		return exm_throw(error, EXM_ERROR_STATE,
		                 "guest '%s' maps its memory file with 'mmap=private': its balloon would "
		                 "punch holes into the file; 'exomem reclaim %s' does not",
		                 vm->name, vm->name);
	return exm_throw(error, EXM_ERROR_STATE,
	                 "guest '%s' is a child of '%s': its balloon would punch holes into the memory "
	                 "file that its siblings map too; 'exomem reclaim %s' does not",
	                 vm->name, vm->parent, vm->name);
}

static ExmJson *value_of(uint64_t bytes)
{
	ExmJson *json = json_object_new_object();

	exm_json_set_uint(json, "value", bytes);
	return json;
}

static bool move(const ExmVm *vm, ExmQmp *qmp, const char *word, int timeout_ms,
                 ExmBallooned *result, GError **error)
{
	const uint64_t held = held_by(vm);
	g_autoptr(ExmJson) answer = NULL;

	if (!ask_actual(qmp, vm->name, &result->before, error))
		return false;
	result->memory = MAX(vm->ram_size, result->before);
	ask_device(qmp, result);
	result->target = result->after = result->before;
	if (!word)
		return true;
	if (!exm_balloon_target(word, result->before, result->memory, &result->target, error))
		return false;
	answer = exm_qmp_execute(qmp, "balloon", value_of(result->target), error);
	if (!answer || !wait_for_target(qmp, vm->name, timeout_ms, result, error))
		return false;
	result->freed = (int64_t)(held - held_by(vm));
	return true;
}

/**
 * exm_op_balloon() - Move a guest's balloon, or look at it
 * @state_directory: where guests' directories are
 * @name:            the guest's
 * @word:            what it shall leave, as exm_balloon_target() reads it; NULL to look only
 * @timeout_ms:      for it to come there
 * @ret_result:      what it did; it need not have come there
 * @error:           STATE where there is no such guest or balloon, or it is a child; USAGE
 */
bool exm_op_balloon(const char *state_directory, const char *name, const char *word, int timeout_ms,
                    ExmBallooned *ret_result, GError **error)
{
	g_autoptr(ExmVm) vm = exm_state_find(state_directory, name, error);
	g_autoptr(ExmQmp) qmp = NULL;
	ExmBallooned result = { 0 };

	if (!vm || (word && !check_guest(vm, error)))
		return false;
	qmp = exm_control_open(vm, EXM_VM_CONTROL, MAX(timeout_ms, ANSWER_MS), error);
	if (!qmp || !move(vm, qmp, word, timeout_ms, &result, error))
		return false;
	*ret_result = result;
	return true;
}
