/* SPDX-License-Identifier: GPL-2.0-or-later */
/* logs.c - What a detached guest's QEMU and its console have written */

#include "op/logs.h"

#include <poll.h>

#include "base/error.h"
#include "base/fd.h"
#include "host/control.h"
#include "host/log_reader.h"
#include "host/pidfd.h"
#include "host/state.h"

/* Between two looks for something new. */
#define PAUSE_MS 100

/* How long a QEMU that has closed its log may take to end. */
#define END_MS 10000

#define BLOCK_SIZE 65536

static bool pass_on(ExmLogReader *reader, char *block, ExmTextSink sink, GError **error)
{
	size_t length;

	while (exm_log_reader_read(reader, block, BLOCK_SIZE, &length, error)) {
		if (length == 0)
			return true;
		if (!sink(block, length, error))
			return false;
	}
	return false;
}

static bool has_gone(int fd)
{
	struct pollfd polled = { .fd = fd };

	return poll(&polled, 1, PAUSE_MS) > 0;
}

static bool print_log(const ExmLogsRequest *request, const ExmVm *vm, ExmTextSink sink, GError **error)
{
	g_autofree char *path = g_build_filename(vm->directory, EXM_VM_LOG, NULL);
	g_autofree char *block = g_malloc(BLOCK_SIZE);
	g_autoptr(ExmLogReader) reader = NULL;
	bool more;

	if (!vm->detached)
		return exm_throw(error, EXM_ERROR_STATE,
		                 "guest '%s' was not started by --detach, so it has no log",
		                 vm->name);
	reader = exm_control_check(vm, error) ? exm_log_reader_new(path, error) : NULL;
	if (!reader)
		return false;
	do {
		more = request->follow && !exm_log_reader_at_end(reader);
		if (!pass_on(reader, block, sink, error))
			return false;
	} while (more && !has_gone(request->reader));
	return true;
}

static void tell_end(const ExmLogsRequest *request, const ExmEnded *ended)
{
	g_autoptr(GDateTime) time = g_date_time_new_from_unix_local((gint64)ended->end->time);
	g_autofree char *when = time ? g_date_time_format(time, "%Y-%m-%d %H:%M:%S %z") : NULL;
	g_autofree char *how = exm_end_text(ended->end);
	g_autofree char *text = g_strdup_printf("guest '%s' ended at %s: %s", ended->vm->name,
	                                        when ? when : "?", how);

	request->ended(text);
}

/* Until the guest has ended, or whoever reads what is printed. */
static bool follow(const ExmLogsRequest *request, const ExmVm *vm, ExmTextSink sink, GError **error)
{
	g_autoptr(ExmEnded) ended = NULL;
	exm_autofd int process = -1;

	if (!print_log(request, vm, sink, error))
		return false;
	if (!request->follow || has_gone(request->reader))
		return true;
	/* QEMU closes its log a moment before its lock. */
	if (!exm_pidfd_open(vm, &process, NULL) || !exm_pidfds_wait(&process, 1, END_MS))
		return true;
	ended = exm_state_find_ended(request->state_directory, request->name, vm->uuid);
	if (ended)
		tell_end(request, ended);
	return true;
}

/**
 * exm_op_logs() - Read a guest's log
 * @request: which, and how much of it
 * @sink:    called for each piece
 * @error:   of @sink; STATE where there is no such guest, or it has no log
 *
 * Where no such guest runs it is the log of the one that ended last.
 */
bool exm_op_logs(const ExmLogsRequest *request, ExmTextSink sink, GError **error)
{
	g_autoptr(GError) missing = NULL;
	g_autoptr(ExmVm) vm = exm_state_find(request->state_directory, request->name, &missing);
	g_autoptr(ExmEnded) ended = NULL;

	if (vm)
		return follow(request, vm, sink, error);
	if (g_error_matches(missing, EXM_ERROR, EXM_ERROR_STATE))
		ended = exm_state_find_ended(request->state_directory, request->name, NULL);
	if (!ended || !ended->vm->detached) {
		g_propagate_error(error, g_steal_pointer(&missing));
		return false;
	}
	if (!print_log(request, ended->vm, sink, error))
		return false;
	tell_end(request, ended);
	return true;
}
