/* SPDX-License-Identifier: GPL-2.0-or-later */
/* budget.c - A control group that holds one guest to so much memory */

#include "host/budget.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/trace.h"

#define MOUNTS      "/sys/fs/cgroup"
#define NAME_PREFIX "exomem."

static bool put(const char *group, const char *file, const char *text)
{
	g_autofree char *path = g_build_filename(group, file, NULL);
	exm_autofd int fd = open(path, O_WRONLY | O_CLOEXEC);
	const ssize_t length = (ssize_t)strlen(text);

	if (fd >= 0 && write(fd, text, (size_t)length) == length)
		return true;
	exm_trace("budget", "write '%s' to '%s': %s", text, path, g_strerror(errno));
	return false;
}

static bool names_memory(const char *group, const char *file)
{
	g_autofree char *path = g_build_filename(group, file, NULL);
	g_autofree char *text = NULL;
	g_auto(GStrv) words = NULL;

	if (!exm_file_read(path, &text, NULL, NULL))
		return false;
	words = g_strsplit(g_strchomp(text), " ", -1);
	return g_strv_contains((const char *const *)words, "memory");
}

/* The path of this process's group in a hierarchy: "0::/a" or "4:memory:/a" (cgroups(7)). */
static char *own_group(bool unified)
{
	g_autofree char *text = NULL;
	g_auto(GStrv) lines = NULL;

	if (!exm_file_read("/proc/self/cgroup", &text, NULL, NULL))
		return NULL;
	lines = g_strsplit(text, "\n", -1);
	for (char **line = lines; *line; line++) {
		g_auto(GStrv) parts = g_strsplit(*line, ":", 3);
		g_auto(GStrv) controllers = NULL;

		if (g_strv_length(parts) < 3)
			continue;
		controllers = g_strsplit(parts[1], ",", -1);
		if (unified ? !*parts[1]
		            : g_strv_contains((const char *const *)controllers, "memory"))
			return g_strdup(parts[2]);
	}
	return NULL;
}

static bool fill(const char *group, const char *limit, uint64_t bytes)
{
	g_autofree char *size = g_strdup_printf("%" G_GUINT64_FORMAT, bytes);
	g_autofree char *pid = g_strdup_printf("%d", (int)getpid());

	return put(group, limit, size) && put(group, "cgroup.procs", pid);
}

static char *make_below(const char *above, const char *name, const char *limit, uint64_t bytes)
{
	g_autofree char *group = g_build_filename(above, name, NULL);

	if (mkdir(group, 0755) < 0)
		return NULL;
	if (fill(group, limit, bytes))
		return g_steal_pointer(&group);
	rmdir(group);
	return NULL;
}

/* A group with processes in it can hand memory on to no group below, so that goes beside it. */
static char *make_unified(const char *name, uint64_t bytes)
{
	g_autofree char *own = own_group(true);
	g_autofree char *beside = own ? g_path_get_dirname(own) : NULL;
	const char *const places[] = { beside, "/" };

	for (size_t i = 0; own && i < G_N_ELEMENTS(places); i++) {
		g_autofree char *above = g_build_filename(MOUNTS, places[i], NULL);
		char *group;

		if (!names_memory(above, "cgroup.controllers"))
			continue;
		if (!names_memory(above, "cgroup.subtree_control") &&
		    !put(above, "cgroup.subtree_control", "+memory"))
			continue;
		group = make_below(above, name, "memory.high", bytes);
		if (group)
			return group;
	}
	return NULL;
}

static char *make_old(const char *name, uint64_t bytes)
{
	g_autofree char *own = own_group(false);
	g_autofree char *above = own ? g_build_filename(MOUNTS, "memory", own, NULL) : NULL;

	return above ? make_below(above, name, "memory.limit_in_bytes", bytes) : NULL;
}

/**
 * exm_budget_enter() - Move this process to a control group of its own that limits its memory
 * @guest:  name of the guest that it becomes
 * @bytes:  how much; by memory.high (cgroups v2), which slows it down, or by memory.limit_in_bytes
 *          (v1), at which the kernel ends it
 * @record: file that will say which group it is
 * @error:  UNSUPPORTED where there is none to be had
 */
bool exm_budget_enter(const char *guest, uint64_t bytes, const char *record, GError **error)
{
	g_autofree char *name = g_strdup_printf(NAME_PREFIX "%s.%d", guest, (int)getpid());
	g_autofree char *group = make_unified(name, bytes);

	if (!group)
		group = make_old(name, bytes);
	if (!group)
		return exm_throw(error, EXM_ERROR_UNSUPPORTED,
		                 "this user can make no control group that limits memory below '" MOUNTS
		                 "': leave '--cow-budget' out");
	return exm_file_write_atomic(record, group, strlen(group), 0600, error);
}

/**
 * exm_budget_remove() - Remove the control group of a guest that is dead
 * @record: file that says which
 */
void exm_budget_remove(const char *record)
{
	g_autofree char *group = NULL;
	g_autofree char *name = NULL;

	if (!exm_file_read(record, &group, NULL, NULL))
		return;
	name = g_path_get_basename(group);
	if (g_str_has_prefix(group, MOUNTS "/") && g_str_has_prefix(name, NAME_PREFIX))
		rmdir(group);
}

/**
 * exm_budget_leave() - Go back to the group above, and remove that which was entered
 * @record: file that says which
 */
void exm_budget_leave(const char *record)
{
	g_autofree char *pid = g_strdup_printf("%d", (int)getpid());
	g_autofree char *group = NULL;
	g_autofree char *above = NULL;

	if (!exm_file_read(record, &group, NULL, NULL))
		return;
	above = g_path_get_dirname(group);
	put(above, "cgroup.procs", pid);
	exm_budget_remove(record);
}
