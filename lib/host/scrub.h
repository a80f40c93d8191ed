/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * struct ExmScrub - What is to be scrubbed
 * @fd:    the device, open for reading and writing
 * @path:  its name, for messages
 * @size:  bytes
 * @align: bytes, a power of two: mappings begin and end there
 */
typedef struct {
	int fd;
	const char *path;
	uint64_t size;
	uint64_t align;
} ExmScrub;

/**
 * typedef ExmScrubTell - Told how far a scrub is
 * @done:  bytes from the start; what is before it has reached the medium
 * @user:  as it was given
 * @error: set where the scrub must end here
 */
typedef bool (*ExmScrubTell)(uint64_t done, void *user, GError **error);

bool exm_scrub_open(const char *path, int *ret_fd, GError **error);
bool exm_scrub_zero(const ExmScrub *scrub, uint64_t from, ExmScrubTell tell, void *user,
                    GError **error);
bool exm_scrub_verify(const ExmScrub *scrub, ExmScrubTell tell, void *user, GError **error);
void exm_scrub_fill(void *memory, size_t size);
bool exm_scrub_is_zero(const void *memory, size_t size);
