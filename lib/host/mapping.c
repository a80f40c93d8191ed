/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mapping.c - Mappings of a process, and of which file each one is */

#include "host/mapping.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/fd.h"

/* "START-END MODE OFFSET DEVICE INODE PATH" (proc(5)). */
enum { FIELD_MODE = 1, FIELD_OFFSET = 2, FIELD_DEVICE = 3, FIELD_INODE = 4, FIELD_COUNT = 5 };

/**
 * exm_maps_line_parse() - Read a line of /proc/PID/maps
 * @line:        the line; a line of smaps that begins a mapping is the same
 * @ret_mapping: the mapping
 *
 * Return: false for any other line.
 */
bool exm_maps_line_parse(const char *line, ExmMapsLine *ret_mapping)
{
	const bool is_address = g_ascii_isxdigit(*line) && !g_ascii_isupper(*line);
	g_auto(GStrv) fields = is_address ? g_strsplit(line, " ", FIELD_COUNT + 1) : NULL;
	const char *minus = fields ? strchr(fields[0], '-') : NULL;
	unsigned number;
	char *colon;

	if (!minus || g_strv_length(fields) < FIELD_COUNT)
		return false;
	ret_mapping->start = g_ascii_strtoull(fields[0], NULL, 16);
	ret_mapping->end = g_ascii_strtoull(minus + 1, NULL, 16);
	ret_mapping->offset = g_ascii_strtoull(fields[FIELD_OFFSET], NULL, 16);
	ret_mapping->shared = strchr(fields[FIELD_MODE], 's') != NULL;
	number = (unsigned)g_ascii_strtoull(fields[FIELD_DEVICE], &colon, 16);
	ret_mapping->device = makedev(number,
	                              *colon ? (unsigned)g_ascii_strtoull(colon + 1, NULL, 16) : 0);
	ret_mapping->inode = g_ascii_strtoull(fields[FIELD_INODE], NULL, 10);
	return true;
}

/**
 * exm_maps_line_is_of() - Whether a mapping is of a file
 * @mapping: the mapping
 * @file:    the file, or memory without one, which QEMU maps in one piece of exactly its size
 */
bool exm_maps_line_is_of(const ExmMapsLine *mapping, const ExmMappedFile *file)
{
	if (mapping->inode)
		return mapping->inode == file->inode && mapping->device == file->device;
	return file->size && mapping->end - mapping->start == file->size;
}

/* The line of /proc/self/maps in which an address is. */
static bool find_own(uint64_t address, ExmMapsLine *ret_mapping)
{
	g_autofree char *text = NULL;
	g_auto(GStrv) lines = NULL;

	if (!exm_file_read("/proc/self/maps", &text, NULL, NULL))
		return false;
	lines = g_strsplit(text, "\n", -1);
	for (char **line = lines; *line; line++)
		if (exm_maps_line_parse(*line, ret_mapping) && ret_mapping->start <= address &&
		    address < ret_mapping->end)
			return true;
	return false;
}

/**
 * exm_mapped_file_look() - How the kernel prints a file in /proc/PID/maps
 * @path: of the file, or /proc/PID/fd/N; links are followed
 *
 * The device and inode there are those of the file system that holds the file's pages (Linux,
 * fs/proc/task_mmu.c, show_map_vma(): file_inode()), and stat(2) may tell others: btrfs has a device
 * for each subvolume (fs/btrfs/inode.c, btrfs_getattr()), overlayfs its own
 * (fs/overlayfs/inode.c, ovl_getattr()). So the rule is: two mappings are of one file where the
 * kernel prints the same for both. To see what it prints, a page of the file is mapped here, without
 * touching it. /proc/PID/map_files would tell as well, but to privileged processes only
 * (fs/proc/base.c, proc_map_files_get_link()).
 *
 * Return: the file; what stat(2) tells where it cannot be mapped, as a DAX device of large pages; no
 * file where it is not there.
 */
ExmMappedFile exm_mapped_file_look(const char *path)
{
	exm_autofd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ExmMappedFile file = { 0 };
	ExmMapsLine mapping;
	struct stat info;
	size_t length;
	void *page;

	if (stat(path, &info) < 0)
		return file;
	file.device = info.st_dev;
	file.inode = info.st_ino;
	/* hugetlbfs maps whole huge pages only, and has their size here. */
	length = MAX((size_t)sysconf(_SC_PAGESIZE), (size_t)info.st_blksize);
	page = fd < 0 ? MAP_FAILED : mmap(NULL, length, PROT_NONE, MAP_SHARED | MAP_NORESERVE, fd, 0);
	if (page == MAP_FAILED)
		return file;
	if (find_own((uintptr_t)page, &mapping)) {
		file.device = mapping.device;
		file.inode = mapping.inode;
	}
	munmap(page, length);
	return file;
}
