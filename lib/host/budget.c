/* SPDX-License-Identifier: GPL-2.0-or-later */
/* budget.c - A control group that holds one guest to so much memory */

#include "host/budget.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/size.h"
#include "base/trace.h"
#include "host/scope.h"

#define MOUNTS      "/sys/fs/cgroup"
#define NAME_PREFIX "exomem."

/* Milliseconds that systemd may take to move a process, and between two looks whether it has. */
#define SCOPE_PATIENCE_MS 10000
#define SCOPE_PAUSE_MS    2

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

/* The path of a process's group in a hierarchy: "0::/a" or "4:memory:/a" (cgroups(7)). */
static char *group_of(pid_t process, bool unified)
{
	g_autofree char *path = g_strdup_printf("/proc/%d/cgroup", (int)process);
	g_autofree char *text = NULL;
	g_auto(GStrv) lines = NULL;

	if (!exm_file_read(path, &text, NULL, NULL))
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

static bool has_mark(const char *group, const char *mark)
{
	char value;

	return getxattr(group, mark, &value, sizeof(value)) == 1 && value == '1';
}

static bool is_unit(const char *group)
{
	return g_str_has_suffix(group, ".service") || g_str_has_suffix(group, EXM_SCOPE_SUFFIX);
}

/*
 * Whether systemd has left the groups below @above to the programs of the unit that @own is in: it
 * marks the unit's group (systemd.resource-control(5), Delegate=). What is above that unit is
 * another's, such as the user's own manager.
 */
static bool is_left_to_unit(const char *own, const char *above)
{
	g_autofree char *group = g_strdup(above);

	if (is_unit(own))
		return false;
	while (strcmp(group, "/") != 0) {
		g_autofree char *path = g_build_filename(MOUNTS, group, NULL);
		char *next;

		if (has_mark(path, "user.delegate") || has_mark(path, "trusted.delegate"))
			return true;
		if (is_unit(group))
			return false;
		next = g_path_get_dirname(group);
		g_free(group);
		group = next;
	}
	return false;
}

/* As the kernel has it: who may write to a group has had it delegated (cgroups(7)). */
static bool is_own(const char *group)
{
	struct stat info;

	return geteuid() != 0 && stat(group, &info) == 0 && info.st_uid == geteuid();
}

static bool is_delegated(const char *own, const char *above)
{
	g_autofree char *path = g_build_filename(MOUNTS, above, NULL);

	return exm_scope_is_needed() ? is_left_to_unit(own, above) : is_own(path);
}

/* Only what is delegated is told to limit memory below it; where somebody else has, that serves. */
static char *make_in(const char *place, bool delegated, const char *name, uint64_t bytes)
{
	g_autofree char *above = g_build_filename(MOUNTS, place, NULL);

	if (!names_memory(above, "cgroup.subtree_control") &&
	    (!delegated || !put(above, "cgroup.subtree_control", "+memory")))
		return NULL;
	return make_below(above, name, "memory.high", bytes);
}

/* A group with processes in it can hand memory on to no group below, so that goes beside it. */
static char *make_unified(const char *name, uint64_t bytes)
{
	g_autofree char *own = group_of(getpid(), true);
	g_autofree char *beside = own ? g_path_get_dirname(own) : NULL;
	const bool delegated = own && is_delegated(own, beside);
	char *group;

	if (!own || (exm_scope_is_needed() && !delegated))
		return NULL;
	group = make_in(beside, delegated, name, bytes);
	return group || exm_scope_is_needed() ? group : make_in("/", false, name, bytes);
}

static char *make_old(const char *name, uint64_t bytes)
{
	g_autofree char *own = group_of(getpid(), false);
	g_autofree char *above = own ? g_build_filename(MOUNTS, "memory", own, NULL) : NULL;

	return above ? make_below(above, name, "memory.limit_in_bytes", bytes) : NULL;
}

/* The group of a scope, once systemd has moved this process there. */
static char *await_scope(const char *unit)
{
	for (int waited = 0; waited < SCOPE_PATIENCE_MS; waited += SCOPE_PAUSE_MS) {
		g_autofree char *group = group_of(getpid(), true);
		g_autofree char *name = group ? g_path_get_basename(group) : NULL;

		if (g_strcmp0(name, unit) == 0)
			return g_build_filename(MOUNTS, group, NULL);
		g_usleep(SCOPE_PAUSE_MS * 1000UL);
	}
	return NULL;
}

static char *make_scope(const char *name, uint64_t bytes, GError **error)
{
	g_autofree char *unit = g_strconcat(name, EXM_SCOPE_SUFFIX, NULL);
	g_autofree char *group = NULL;
	g_autofree char *limit = NULL;

	if (!exm_scope_enter(unit, bytes, error))
		return NULL;
	group = await_scope(unit);
	if (!group) {
		exm_throw(error, EXM_ERROR_SYSTEM,
		          "systemd has not moved this process to scope '%s' within %d s", unit,
		          SCOPE_PATIENCE_MS / 1000);
		return NULL;
	}
	limit = g_build_filename(group, "memory.high", NULL);
	if (access(limit, F_OK) < 0) {
		exm_throw(error, EXM_ERROR_UNSUPPORTED,
		          "cannot limit memory by '%s': %s; omit '--cow-budget' to start without a "
		          "limit",
		          limit, g_strerror(errno));
		return NULL;
	}
	return g_steal_pointer(&group);
}

static char *make_without_systemd(const char *name, uint64_t bytes, GError **error)
{
	char *group = make_old(name, bytes);

	if (!group)
		exm_throw(error, EXM_ERROR_UNSUPPORTED,
		          "this user can make no control group that limits memory below '" MOUNTS
		          "': leave '--cow-budget' out");
	return group;
}

/**
 * exm_budget_enter() - Move this process to a control group of its own that limits its memory
 * @guest:  name of the guest that it becomes
 * @bytes:  how much; by memory.high (cgroups v2), which slows it down, or by memory.limit_in_bytes
 *          (v1), at which the kernel ends it
 * @record: file that will say which group it is
 * @error:  UNSUPPORTED where there is none to be had
 *
 * Under systemd it is a group of what is delegated to this process's unit, else a scope.
 */
bool exm_budget_enter(const char *guest, uint64_t bytes, const char *record, GError **error)
{
	g_autofree char *name = g_strdup_printf(NAME_PREFIX "%s.%d", guest, (int)getpid());
	g_autofree char *group = make_unified(name, bytes);

	if (!group)
		group = exm_scope_is_needed() ? make_scope(name, bytes, error)
		                              : make_without_systemd(name, bytes, error);
	return group && exm_file_write_atomic(record, group, strlen(group), 0600, error);
}

/* A scope is systemd's, which removes it. */
static bool is_removed_here(const char *group)
{
	g_autofree char *name = g_path_get_basename(group);

	return g_str_has_prefix(group, MOUNTS "/") && g_str_has_prefix(name, NAME_PREFIX) &&
	       !g_str_has_suffix(name, EXM_SCOPE_SUFFIX);
}

/**
 * exm_budget_remove() - Remove the control group of a guest that is dead
 * @record: file that says which
 */
void exm_budget_remove(const char *record)
{
	g_autofree char *group = NULL;

	if (exm_file_read(record, &group, NULL, NULL) && is_removed_here(group))
		rmdir(group);
}

/**
 * exm_budget_leave() - Go back to the group above, and remove that which was entered
 * @record: file that says which; a scope of systemd's goes when this process ends
 */
void exm_budget_leave(const char *record)
{
	g_autofree char *pid = g_strdup_printf("%d", (int)getpid());
	g_autofree char *group = NULL;
	g_autofree char *above = NULL;

	if (!exm_file_read(record, &group, NULL, NULL) || !is_removed_here(group))
		return;
	above = g_path_get_dirname(group);
	put(above, "cgroup.procs", pid);
	exm_budget_remove(record);
}

static char *find_events(const char *group)
{
	static const char *const files[] = { "memory.events", "memory.oom_control" };

	for (size_t i = 0; i < G_N_ELEMENTS(files); i++) {
		char *path = g_build_filename(group, files[i], NULL);

		if (access(path, R_OK) == 0)
			return path;
		g_free(path);
	}
	return NULL;
}

/**
 * exm_budget_own_events() - Where the kernel counts what it killed in a guest's own group
 * @record: descriptor of the file that says which group
 *
 * Return: as exm_budget_events().
 */
char *exm_budget_own_events(int record)
{
	g_autofree char *group = NULL;

	return exm_fd_read_all(record, &group, NULL, NULL) ? find_events(group) : NULL;
}

/**
 * exm_budget_events() - Where the kernel counts what it killed because memory ran out
 * @process: any process
 *
 * Return: memory.events of its control group, or memory.oom_control of cgroups v1 (transfer full);
 * NULL where the group has neither.
 */
char *exm_budget_events(pid_t process)
{
	g_autofree char *unified = group_of(process, true);
	g_autofree char *old = group_of(process, false);
	g_autofree char *first = unified ? g_build_filename(MOUNTS, unified, NULL) : NULL;
	g_autofree char *second = old ? g_build_filename(MOUNTS, "memory", old, NULL) : NULL;
	char *path = first ? find_events(first) : NULL;

	return path || !second ? path : find_events(second);
}

/**
 * exm_budget_kills() - How many processes of a control group the kernel killed because memory ran out
 * @events:    descriptor of exm_budget_events()
 * @ret_kills: their number
 *
 * Return: false where the group is gone, or its kernel does not count.
 */
bool exm_budget_kills(int events, uint64_t *ret_kills)
{
	g_autofree char *text = NULL;
	g_auto(GStrv) lines = NULL;

	if (lseek(events, 0, SEEK_SET) < 0 || !exm_fd_read_all(events, &text, NULL, NULL))
		return false;
	lines = g_strsplit(text, "\n", -1);
	for (char **line = lines; *line; line++)
		if (g_str_has_prefix(*line, "oom_kill ")) {
			*ret_kills = g_ascii_strtoull(*line + strlen("oom_kill "), NULL, 10);
			return true;
		}
	return false;
}

static bool read_limit(const char *group, const char *file, uint64_t *ret_bytes)
{
	g_autofree char *path = g_build_filename(group, file, NULL);
	g_autofree char *text = NULL;

	return exm_file_read(path, &text, NULL, NULL) &&
	       g_ascii_string_to_unsigned(g_strchomp(text), 10, 0, G_MAXINT64, ret_bytes, NULL);
}

/**
 * exm_budget_describe() - Say in which control group memory ran out
 * @events: path of exm_budget_events()
 *
 * Return: one line, with the group's limit where it has one (transfer full).
 */
char *exm_budget_describe(const char *events)
{
	g_autofree char *group = g_path_get_dirname(events);
	uint64_t bytes;

	if ((read_limit(group, "memory.max", &bytes) ||
	     read_limit(group, "memory.limit_in_bytes", &bytes)) &&
	    bytes < G_MAXINT64 / 2) {
		g_autofree char *size = exm_size_human(bytes);

		return g_strdup_printf("control group '%s' has a limit of %s", group, size);
	}
	return g_strdup_printf("counted by '%s'", events);
}
