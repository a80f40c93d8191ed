/* SPDX-License-Identifier: GPL-2.0-or-later */
/* page_map.c - Which pages of its memory a guest has touched, and which are its own */

#include "host/page_map.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"

/* Linux, Documentation/admin-guide/mm/pagemap.rst. */
#define PAGE_PRESENT (UINT64_C(1) << 63)
#define PAGE_SWAPPED (UINT64_C(1) << 62)
#define PAGE_OF_FILE (UINT64_C(1) << 61)

#define AT_ONCE 4096

/* What is done with a page: its entry, and the byte of the file, or of the mapping without one. */
typedef void (*Visit)(uint64_t entry, uint64_t at, void *user);

static void visit_pages(int fd, const ExmMapsLine *mapping, Visit visit, void *user)
{
	const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	const uint64_t pages = (mapping->end - mapping->start) / page;
	g_autofree uint64_t *entries = g_new(uint64_t, AT_ONCE);

	for (uint64_t done = 0; done < pages;) {
		const size_t wanted = MIN(AT_ONCE, pages - done) * sizeof(uint64_t);
		const off_t at = (off_t)((mapping->start / page + done) * sizeof(uint64_t));
		const ssize_t got = pread(fd, entries, wanted, at);

		if (got < (ssize_t)sizeof(uint64_t))
			return;
		for (size_t i = 0; i < (size_t)got / sizeof(uint64_t); i++, done++)
			visit(entries[i], mapping->offset + done * page, user);
	}
}

static bool visit_file(pid_t pid, const ExmMappedFile *file, Visit visit, void *user, GError **error)
{
	g_autofree char *maps_path = g_strdup_printf("/proc/%d/maps", (int)pid);
	g_autofree char *path = g_strdup_printf("/proc/%d/pagemap", (int)pid);
	exm_autofd int fd = open(path, O_RDONLY | O_CLOEXEC);
	g_autofree char *text = NULL;
	g_auto(GStrv) lines = NULL;
	ExmMapsLine mapping;

	if (fd < 0)
		return exm_throw_errno(error, errno, "open '%s'", path);
	if (!exm_file_read(maps_path, &text, NULL, error))
		return false;
	lines = g_strsplit(text, "\n", -1);
	for (char **line = lines; *line; line++)
		if (exm_maps_line_parse(*line, &mapping) && exm_maps_line_is_of(&mapping, file))
			visit_pages(fd, &mapping, visit, user);
	return true;
}

/* Pages that are counted into cells. */
typedef struct {
	ExmStripCell *cells;
	uint64_t cell_size;
	uint64_t offset;
} Counter;

static void count(uint64_t entry, uint64_t at, void *user)
{
	const Counter *counter = user;
	const uint64_t index = (counter->offset + at) / counter->cell_size;
	ExmStripCell *cell = &counter->cells[MIN(index, EXM_STRIP_CELLS - 1)];

	if ((entry & PAGE_PRESENT) && (entry & PAGE_OF_FILE))
		cell->shared++;
	else if (entry & (PAGE_PRESENT | PAGE_SWAPPED))
		cell->copied++;
	cell->pages++;
}

/**
 * exm_page_map_read() - Which pages of a block of memory a guest has touched
 * @pid:    of its QEMU
 * @span:   the block
 * @memory: bytes of all of its memory
 * @cells:  EXM_STRIP_CELLS of them; grow
 * @error:  SYSTEM where it is gone or another user's
 */
bool exm_page_map_read(pid_t pid, const ExmPageSpan *span, uint64_t memory, ExmStripCell *cells,
                       GError **error)
{
	Counter counter = {
		.cells = cells,
		.cell_size = MAX(memory / EXM_STRIP_CELLS, (uint64_t)sysconf(_SC_PAGESIZE)),
		.offset = span->offset,
	};

	return visit_file(pid, &span->file, count, &counter, error);
}

static void note(uint64_t entry, uint64_t at, void *user)
{
	if (entry & (PAGE_PRESENT | PAGE_SWAPPED))
		exm_extents_add(user, at, at + (uint64_t)sysconf(_SC_PAGESIZE));
}

/**
 * exm_page_map_touched() - Which pages of a file a process has touched
 * @pid:   the process
 * @file:  the file
 * @error: SYSTEM where it is gone or another user's
 *
 * A page of its own began as the file's, and counts. While the file is in the page cache, the kernel
 * maps up to 15 neighbours of each page that is read (Linux, mm/memory.c, do_fault_around()).
 *
 * Return: a set of ExmExtent (transfer full), or NULL. QEMU maps a file once and in order.
 */
GArray *exm_page_map_touched(pid_t pid, const ExmMappedFile *file, GError **error)
{
	g_autoptr(GArray) extents = exm_extents_new();

	return visit_file(pid, file, note, extents, error) ? g_steal_pointer(&extents) : NULL;
}
