/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pressure.c - How much memory the host, a control group or a process has, and who waits for it */

#include "host/pressure.h"

#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/size.h"

/* Bytes of a line "NAME: N kB" or "NAME N"; 0 where there is none. */
static uint64_t value_of(const char *text, const char *name, uint64_t unit)
{
	const size_t length = strlen(name);

	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, name, length) == 0 && strchr(": \t", line[length]))
			return g_ascii_strtoull(line + length + 1, NULL, 10) * unit;
	}
	return 0;
}

static uint64_t less(uint64_t from, uint64_t what)
{
	return from > what ? from - what : 0;
}

/*
 * MemAvailable counts pages of mapped files as available: those are guests' memory here. So only
 * what is cached and mapped by nobody counts.
 */
static bool read_host(ExmSample *sample, GError **error)
{
	g_autofree char *text = NULL;
	uint64_t shared;
	uint64_t mapped;
	uint64_t cached;

	if (!exm_file_read("/proc/meminfo", &text, NULL, error))
		return false;
	shared = value_of(text, "Shmem", EXM_KIB);
	mapped = less(value_of(text, "Mapped", EXM_KIB), shared);
	cached = value_of(text, "Cached", EXM_KIB) + value_of(text, "Buffers", EXM_KIB);
	sample->total = value_of(text, "MemTotal", EXM_KIB);
	sample->available = value_of(text, "MemFree", EXM_KIB) + less(cached, shared + mapped) +
	                    value_of(text, "SReclaimable", EXM_KIB) / 2;
	sample->swap_free = value_of(text, "SwapFree", EXM_KIB);
	return true;
}

static bool read_of_group(const char *group, const char *name, char **ret_text)
{
	g_autofree char *path = g_build_filename(group, name, NULL);

	return exm_file_read(path, ret_text, NULL, NULL);
}

/* "max", or a number beyond the host's memory, is no limit. */
static uint64_t limit_of(const char *text, uint64_t otherwise)
{
	return g_ascii_isdigit(*text) ? MIN(g_ascii_strtoull(text, NULL, 10), otherwise) : otherwise;
}

/* Version 2, else version 1 (Linux, Documentation/admin-guide/cgroup-v{2,1}). */
static bool read_group(const char *group, ExmSample *sample, GError **error)
{
	g_autofree char *limit = NULL;
	g_autofree char *used = NULL;
	g_autofree char *stat = NULL;
	const bool second = read_of_group(group, "memory.max", &limit);
	uint64_t cached;

	if ((!second && !read_of_group(group, "memory.limit_in_bytes", &limit)) ||
	    !read_of_group(group, second ? "memory.current" : "memory.usage_in_bytes", &used) ||
	    !read_of_group(group, "memory.stat", &stat))
		return exm_throw(error, EXM_ERROR_STATE, "'%s' is not a memory control group", group);
	cached = less(value_of(stat, second ? "file" : "total_cache", 1),
	              value_of(stat, second ? "file_mapped" : "total_mapped_file", 1));
	cached = less(cached, value_of(stat, second ? "shmem" : "total_shmem", 1));
	sample->total = limit_of(limit, sample->total);
	sample->available = MIN(sample->available,
	                        less(sample->total, g_ascii_strtoull(used, NULL, 10)) + cached);
	return true;
}

/* "some avg10=1.23 avg60=..." (Linux, Documentation/accounting/psi.rst). */
static void read_stall(const char *group, ExmSample *sample)
{
	g_autofree char *text = NULL;
	const char *value;

	if (!(group && read_of_group(group, "memory.pressure", &text)) &&
	    !exm_file_read("/proc/pressure/memory", &text, NULL, NULL))
		return;
	value = strstr(text, "some avg10=");
	if (!value)
		return;
	sample->has_pressure = true;
	sample->pressure = (uint64_t)(g_ascii_strtod(value + strlen("some avg10="), NULL) * 100);
}

/**
 * exm_pressure_read() - How much memory there is, and who waits for it
 * @group:  directory of a control group whose limit counts, or NULL for the whole host
 * @sample: gets total, available, swap_free and pressure
 * @error:  SYSTEM; STATE where @group is none
 */
bool exm_pressure_read(const char *group, ExmSample *sample, GError **error)
{
	if (!read_host(sample, error) || (group && !read_group(group, sample, error)))
		return false;
	read_stall(group, sample);
	return true;
}

/* The fields of /proc/PID/stat behind the program's name, which may have spaces (proc(5)). */
static bool read_times(pid_t pid, ExmGuestSample *guest)
{
	g_autofree char *path = g_strdup_printf("/proc/%d/stat", (int)pid);
	g_autofree char *text = NULL;
	const char *behind = exm_file_read(path, &text, NULL, NULL) ? strrchr(text, ')') : NULL;
	g_auto(GStrv) fields = behind ? g_strsplit(behind + 2, " ", -1) : NULL;
	const uint64_t tick = (uint64_t)sysconf(_SC_CLK_TCK);

	if (!fields || g_strv_length(fields) < 13)
		return false;
	guest->faults = g_ascii_strtoull(fields[9], NULL, 10);
	guest->cpu = (g_ascii_strtoull(fields[11], NULL, 10) +
	              g_ascii_strtoull(fields[12], NULL, 10)) *
	             1000 / tick;
	return true;
}

/**
 * exm_process_read() - What a process has in memory, and what it did
 * @pid:   the process
 * @guest: gets resident, swapped, faults and cpu
 *
 * Only what the kernel counts anyway is read: no page table is walked.
 *
 * Return: false where it is gone.
 */
bool exm_process_read(pid_t pid, ExmGuestSample *guest)
{
	g_autofree char *path = g_strdup_printf("/proc/%d/status", (int)pid);
	g_autofree char *text = NULL;

	if (!exm_file_read(path, &text, NULL, NULL) || !read_times(pid, guest))
		return false;
	guest->resident = value_of(text, "VmRSS", EXM_KIB);
	guest->swapped = value_of(text, "VmSwap", EXM_KIB);
	return true;
}
