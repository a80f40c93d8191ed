/* SPDX-License-Identifier: GPL-2.0-or-later */
/* logs.c - What a detached guest's QEMU and its console have written */

#include "op/logs.h"

#include <poll.h>

#include "base/error.h"
#include "host/control.h"
#include "host/log_reader.h"
#include "host/state.h"

/* Between two looks for something new. */
#define PAUSE_MS 100

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

/**
 * exm_op_logs() - Read a guest's log
 * @request: which, and how much of it
 * @sink:    called for each piece
 * @error:   of @sink; STATE where there is no such guest, or it has no log
 */
bool exm_op_logs(const ExmLogsRequest *request, ExmTextSink sink, GError **error)
{
	g_autoptr(ExmVm) vm = exm_state_find(request->state_directory, request->name, error);
	g_autofree char *path = vm ? g_build_filename(vm->directory, EXM_VM_LOG, NULL) : NULL;
	g_autofree char *block = g_malloc(BLOCK_SIZE);
	g_autoptr(ExmLogReader) reader = NULL;
	bool more;

	if (!vm)
		return false;
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
