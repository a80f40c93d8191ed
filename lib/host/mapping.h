/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/**
 * struct ExmMapsLine - One mapping of a process, from a line of /proc/PID/maps or smaps
 * @start:  its first address
 * @end:    the address after its last
 * @offset: bytes from the start of the file
 * @shared: what is written goes to the file
 * @device: number of the file's file system, as the kernel prints it there
 * @inode:  number of the file, as the kernel prints it there; 0 without a file
 */
typedef struct {
	uint64_t start;
	uint64_t end;
	uint64_t offset;
	bool shared;
	uint64_t device;
	uint64_t inode;
} ExmMapsLine;

/**
 * struct ExmMappedFile - A file whose mappings are told apart from all others
 * @device: as ExmMapsLine has it
 * @inode:  as ExmMapsLine has it; 0 for no file
 * @size:   bytes of a mapping without a file that counts as well; 0 for none
 */
typedef struct {
	uint64_t device;
	uint64_t inode;
	uint64_t size;
} ExmMappedFile;

bool exm_maps_line_parse(const char *line, ExmMapsLine *ret_mapping);
bool exm_maps_line_is_of(const ExmMapsLine *mapping, const ExmMappedFile *file);
ExmMappedFile exm_mapped_file_look(const char *path);
