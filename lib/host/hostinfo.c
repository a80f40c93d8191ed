/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hostinfo.c - Read what the host has from /proc and /sys */

#include "host/hostinfo.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/size.h"
#include "host/landlock.h"

/* Below it are the descriptors that a shell or a service manager may hand to the guest. */
#define LOWEST_FIRST_FD 64

/* Bytes that /proc/meminfo tells in the line "NAME:   N kB"; 0 where there is no such line. */
static uint64_t meminfo_get(const char *meminfo, const char *name)
{
	size_t length = strlen(name);

	for (const char *line = meminfo; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, name, length) == 0 && line[length] == ':')
			return g_ascii_strtoull(line + length + 1, NULL, 10) * EXM_KIB;
	}
	return 0;
}

/* A small file's text without the newline at its end, or the default where it cannot be read. */
static char *read_line(const char *path, const char *otherwise)
{
	g_autofree char *text = NULL;

	if (!exm_file_read(path, &text, NULL, NULL))
		return g_strdup(otherwise);
	return g_strchomp(g_steal_pointer(&text));
}

static bool read_first_fd(uint64_t *ret_first_fd, GError **error)
{
	DIR *directory = opendir("/proc/self/fd");
	const struct dirent *entry;
	uint64_t first = LOWEST_FIRST_FD;

	if (!directory)
		return exm_throw_errno(error, errno, "cannot list '/proc/self/fd'");
	while ((entry = readdir(directory))) {
		uint64_t fd = g_ascii_strtoull(entry->d_name, NULL, 10);

		if (fd >= first && fd != (uint64_t)dirfd(directory))
			first = fd + 1;
	}
	closedir(directory);
	*ret_first_fd = first;
	return true;
}

static uint64_t read_number(const char *path, uint64_t otherwise)
{
	g_autofree char *line = read_line(path, "");

	/* "max" of a control group is no number. */
	return g_ascii_isdigit(*line) ? g_ascii_strtoull(line, NULL, 10) : otherwise;
}

/* "0.07 0.17 0.11 1/389 20431": 389 processes and threads (proc(5)). */
static uint64_t count_tasks(void)
{
	g_autofree char *line = read_line("/proc/loadavg", "");
	const char *slash = strchr(line, '/');

	return slash ? g_ascii_strtoull(slash + 1, NULL, 10) : 0;
}

static uint64_t left_of(uint64_t limit, uint64_t used)
{
	return limit > used ? limit - used : 0;
}

/* What is left in the control group that this process is in; Linux, kernel/cgroup/pids.c. */
static uint64_t tasks_of_group(void)
{
	g_autofree char *text = NULL;
	g_auto(GStrv) lines = NULL;
	uint64_t least = G_MAXUINT64;

	if (!exm_file_read("/proc/self/cgroup", &text, NULL, NULL))
		return least;
	lines = g_strsplit(text, "\n", -1);
	for (char **line = lines; *line; line++) {
		const bool unified = g_str_has_prefix(*line, "0::");
		const char *group = unified ? *line + strlen("0::") : strstr(*line, ":pids:");
		g_autofree char *root = NULL;
		g_autofree char *limit = NULL;
		g_autofree char *used = NULL;

		if (!group)
			continue;
		group += unified ? 0 : strlen(":pids:");
		root = g_strdup_printf("/sys/fs/cgroup%s%s", unified ? "" : "/pids", group);
		limit = g_build_filename(root, "pids.max", NULL);
		used = g_build_filename(root, "pids.current", NULL);
		least = MIN(least, left_of(read_number(limit, G_MAXUINT64), read_number(used, 0)));
	}
	return least;
}

static uint64_t tasks_free(void)
{
	const uint64_t tasks = count_tasks();
	struct rlimit own;
	uint64_t least = tasks_of_group();

	least = MIN(least, left_of(read_number("/proc/sys/kernel/threads-max", G_MAXUINT64), tasks));
	least = MIN(least, left_of(read_number("/proc/sys/kernel/pid_max", G_MAXUINT64), tasks));
	/* Linux, kernel/fork.c: root is not held to it. */
	if (geteuid() != 0 && getrlimit(RLIMIT_NPROC, &own) == 0)
		least = MIN(least, own.rlim_cur);
	return least;
}

/**
 * exm_hostinfo_read() - Read what the host has
 * @error: SYSTEM where /proc cannot be read
 *
 * Return: the facts (transfer full), or NULL.
 */
ExmHost *exm_hostinfo_read(GError **error)
{
	g_autoptr(ExmHost) host = g_new0(ExmHost, 1);
	g_autofree char *meminfo = NULL;
	g_autofree char *overcommit = NULL;

	if (!exm_file_read("/proc/meminfo", &meminfo, NULL, error) ||
	    !read_first_fd(&host->first_fd, error))
		return NULL;
	overcommit = read_line("/proc/sys/vm/overcommit_memory", "0");
	host->euid = geteuid();
	host->page_size = (uint64_t)sysconf(_SC_PAGESIZE);
	host->ram_total = meminfo_get(meminfo, "MemTotal");
	host->ram_available = meminfo_get(meminfo, "MemAvailable");
	host->swap_total = meminfo_get(meminfo, "SwapTotal");
	host->commit_limit = meminfo_get(meminfo, "CommitLimit");
	host->commit_used = meminfo_get(meminfo, "Committed_AS");
	host->overcommit_memory = g_ascii_strtoull(overcommit, NULL, 10);
	host->tasks_free = tasks_free();
	host->nodes = read_line("/sys/devices/system/node/online", "0");
	host->landlock = exm_landlock_version();
	return g_steal_pointer(&host);
}

/**
 * exm_hostinfo_memory_left() - Bytes that files in memory can still take, swap included
 *
 * Return: bytes; 0 where /proc cannot be read.
 */
uint64_t exm_hostinfo_memory_left(void)
{
	g_autofree char *meminfo = NULL;

	if (!exm_file_read("/proc/meminfo", &meminfo, NULL, NULL))
		return 0;
	return meminfo_get(meminfo, "MemAvailable") + meminfo_get(meminfo, "SwapFree");
}

/**
 * exm_hostinfo_cpu_flags() - What the host's processor can do
 *
 * Return: the kernel's names of its features (transfer full), of /proc/cpuinfo; perhaps none.
 */
char **exm_hostinfo_cpu_flags(void)
{
	g_autofree char *text = NULL;
	g_autofree char *line = NULL;
	const char *flags;

	if (!exm_file_read("/proc/cpuinfo", &text, NULL, NULL))
		return g_new0(char *, 1);
	flags = strstr(text, "\nflags");
	flags = flags ? strchr(flags, ':') : NULL;
	if (!flags)
		return g_new0(char *, 1);
	line = g_strndup(flags + 1, strcspn(flags + 1, "\n"));
	return g_strsplit(g_strstrip(line), " ", -1);
}
