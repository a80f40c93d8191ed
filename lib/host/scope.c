/* SPDX-License-Identifier: GPL-2.0-or-later */
/* scope.c - A scope of systemd, which limits the memory of this process */

#include "host/scope.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "host/spawn.h"

/* How long systemd may take to answer. */
#define PATIENCE_MS 25000

/**
 * exm_scope_is_needed() - Whether systemd owns the control groups of this host (sd_booted(3))
 *
 * It then makes them, and others stay out of all that it has not delegated to them
 * (https://systemd.io/CGROUP_DELEGATION).
 */
bool exm_scope_is_needed(void)
{
	return g_file_test("/run/systemd/system", G_FILE_TEST_IS_DIR);
}

/* The last line that busctl wrote (transfer full), or NULL. */
static char *read_answer(int output)
{
	g_autofree char *text = NULL;
	char *last;

	if (!exm_fd_read_all(output, &text, NULL, NULL) || !*g_strchomp(text))
		return NULL;
	last = strrchr(text, '\n');
	return g_strdup(last ? last + 1 : text);
}

static bool call(const char *const *argv, const char *unit, GError **error)
{
	g_autoptr(ExmProcess) process = NULL;
	g_autofree char *answer = NULL;
	exm_autofd int output = -1;
	ExmSpawn spawn = {
		.argv = argv,
		.search_path = true,
		.input = -1,
		.own_group = true,
		.die_with_us = true,
	};
	int status;

	/* A file, so that nobody has to read while it runs. */
	output = memfd_create("exomem-busctl", MFD_CLOEXEC);
	if (output < 0)
		return exm_throw_errno(error, errno, "cannot make a file in memory");
	spawn.output = spawn.errors = output;
	process = exm_process_start(&spawn, error);
	if (!process)
		return false;
	if (!exm_process_wait(process, PATIENCE_MS, &status))
		return exm_throw(error, EXM_ERROR_SYSTEM,
		                 "cannot start scope '%s': systemd has not answered within %d s; "
		                 "omit '--cow-budget' to start without a limit",
		                 unit, PATIENCE_MS / 1000);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return true;
	answer = lseek(output, 0, SEEK_SET) < 0 ? NULL : read_answer(output);
	return exm_throw(error, EXM_ERROR_UNSUPPORTED,
	                 "cannot start scope '%s': %s; omit '--cow-budget' to start without a limit",
	                 unit, answer ? answer : "busctl gives no reason");
}

/**
 * exm_scope_enter() - Move this process to a new scope that has MemoryHigh=
 * @unit:  its name
 * @bytes: the limit
 * @error: UNSUPPORTED where systemd refuses
 *
 * It is asked of the manager of the system by root, and by other users of their own. When this
 * returns the process may not have been moved yet. The scope goes when its last process has ended.
 */
bool exm_scope_enter(const char *unit, uint64_t bytes, GError **error)
{
	g_autofree char *size = g_strdup_printf("%" G_GUINT64_FORMAT, bytes);
	g_autofree char *pid = g_strdup_printf("%d", (int)getpid());
	const char *const argv[] = {
		"busctl",
		geteuid() == 0 ? "--system" : "--user",
		"call",
		"org.freedesktop.systemd1",
		"/org/freedesktop/systemd1",
		"org.freedesktop.systemd1.Manager",
		"StartTransientUnit",
		/* Name and mode, properties, and no further units (org.freedesktop.systemd1(5)). */
		"ssa(sv)a(sa(sv))",
		unit,
		"fail",
		"3",
		"PIDs",
		"au",
		"1",
		pid,
		"MemoryHigh",
		"t",
		size,
		"CollectMode",
		"s",
		"inactive-or-failed",
		"0",
		NULL,
	};

	return call(argv, unit, error);
}
