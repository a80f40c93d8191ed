/* SPDX-License-Identifier: GPL-2.0-or-later */
/* smaps.c - What a process has in memory, mapping by mapping */

#include "host/smaps.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/size.h"
#include "host/page_cache.h"

/**
 * struct Held - What a process has in memory of one mapping of /proc/PID/smaps (proc(5))
 * @chosen:    it is of one of the files in question
 * @rss:       bytes in memory
 * @pss:       the same, shared pages in part
 * @anonymous: bytes of pages that no file has
 * @swap:      bytes in swap
 * @merged:    bytes of pages that are merged with equal ones
 */
typedef struct {
	bool chosen;
	uint64_t rss;
	uint64_t pss;
	uint64_t anonymous;
	uint64_t swap;
	uint64_t merged;
} Held;

static const struct {
	const char *name;
	size_t offset;
} values[] = {
	{ "Rss:", G_STRUCT_OFFSET(Held, rss) },
	{ "Pss:", G_STRUCT_OFFSET(Held, pss) },
	{ "Anonymous:", G_STRUCT_OFFSET(Held, anonymous) },
	{ "Swap:", G_STRUCT_OFFSET(Held, swap) },
	{ "KSM:", G_STRUCT_OFFSET(Held, merged) },
};

static bool is_chosen(const ExmMapsLine *mapping, const ExmMappedFile *files, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (exm_maps_line_is_of(mapping, &files[i]))
			return true;
	return false;
}

static void add_mapping(const Held *held, ExmSmaps *smaps)
{
	smaps->rss += held->rss;
	smaps->pss += held->pss;
	smaps->merged += held->merged;
	smaps->swapped += held->swap;
	if (!held->chosen) {
		smaps->rest += held->pss;
		return;
	}
	smaps->mapped += held->rss - held->anonymous;
	smaps->copied += held->anonymous;
}

static void read_value(const char *line, Held *held)
{
	for (size_t i = 0; i < G_N_ELEMENTS(values); i++)
		if (g_str_has_prefix(line, values[i].name))
			G_STRUCT_MEMBER(uint64_t, held, values[i].offset) =
				g_ascii_strtoull(line + strlen(values[i].name), NULL, 10) * EXM_KIB;
}

/* Of a whole process, by a kernel whose smaps do not tell it (before Linux 6.8, fs/proc/task_mmu.c). */
static uint64_t read_merged(pid_t pid)
{
	g_autofree char *path = g_strdup_printf("/proc/%d/ksm_merging_pages", (int)pid);
	g_autofree char *text = NULL;

	if (!exm_file_read(path, &text, NULL, NULL))
		return 0;
	return g_ascii_strtoull(text, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE);
}

/**
 * exm_smaps_read() - What a process has in memory
 * @pid:       the process
 * @files:     whose mappings are told apart: a guest's memory
 * @count:     of them
 * @ret_smaps: what it has
 * @error:     SYSTEM where it is gone or another user's
 *
 * A page in a private mapping of a file is the process's own exactly if it is anonymous: the kernel
 * counts as it walks the page tables (Linux, fs/proc/task_mmu.c, smap_gather_stats()).
 */
bool exm_smaps_read(pid_t pid, const ExmMappedFile *files, size_t count, ExmSmaps *ret_smaps,
                    GError **error)
{
	g_autofree char *path = g_strdup_printf("/proc/%d/smaps", (int)pid);
	g_autofree char *text = NULL;
	ExmSmaps smaps = { 0 };
	Held held = { 0 };
	ExmMapsLine mapping;

	if (!exm_file_read(path, &text, NULL, error))
		return false;
	for (char *line = text, *next; *line; line = next) {
		next = line + strcspn(line, "\n");
		if (*next)
			*next++ = '\0';
		if (exm_maps_line_parse(line, &mapping)) {
			add_mapping(&held, &smaps);
			held = (Held){ .chosen = is_chosen(&mapping, files, count) };
		} else {
			read_value(line, &held);
		}
	}
	add_mapping(&held, &smaps);
	if (smaps.merged == 0)
		smaps.merged = read_merged(pid);
	*ret_smaps = smaps;
	return true;
}

/**
 * exm_process_anonymous() - How much anonymous memory a process has
 * @pid: the process
 *
 * From the kernel's counters, without a walk through the page tables.
 *
 * Return: bytes; 0 where it is gone.
 */
uint64_t exm_process_anonymous(pid_t pid)
{
	g_autofree char *path = g_strdup_printf("/proc/%d/status", (int)pid);
	g_autofree char *text = NULL;
	const char *line;

	if (!exm_file_read(path, &text, NULL, NULL))
		return 0;
	line = strstr(text, "\nRssAnon:");
	return line ? g_ascii_strtoull(line + strlen("\nRssAnon:"), NULL, 10) * EXM_KIB : 0;
}

/* Linux 6.5, include/uapi/linux/mman.h; older headers have it not. */
#ifndef SYS_cachestat
#define SYS_cachestat 451
#endif

static uint64_t count_dirty(int fd)
{
	/* To the end of the file. */
	uint64_t range[2] = { 0, 0 };
	/* In the page cache, dirty, being written, evicted, evicted lately. */
	uint64_t pages[5] = { 0 };

	if (syscall(SYS_cachestat, fd, range, pages, 0) < 0)
		return 0;
	return (pages[1] + pages[2]) * (uint64_t)sysconf(_SC_PAGESIZE);
}

/**
 * exm_file_use() - What a memory file takes, whoever maps it
 * @path: the file, or /proc/PID/fd/N
 *
 * Return: what is in the page cache (mincore(2)), dirty there, and on the file system; nothing
 * where it cannot be opened.
 */
ExmFileUse exm_file_use(const char *path)
{
	exm_autofd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	g_autoptr(GArray) resident = NULL;
	ExmFileUse use = { 0 };
	struct stat info;

	if (fd < 0 || fstat(fd, &info) < 0 || !S_ISREG(info.st_mode))
		return use;
	resident = exm_page_cache_look(fd, (uint64_t)info.st_size);
	use.resident = exm_extents_bytes(resident);
	use.dirty = count_dirty(fd);
	use.blocks = (uint64_t)info.st_blocks * 512;
	return use;
}
