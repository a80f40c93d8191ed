/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdint.h>

/**
 * ExmChecksumProgress - Is told how far a checksum is, some hundred times for each GiB
 * @done: bytes that are in the checksum
 * @all:  bytes of the file
 * @user: what was given with the function
 */
typedef void (*ExmChecksumProgress)(uint64_t done, uint64_t all, void *user);

char *exm_checksum_file(const char *path, ExmChecksumProgress progress, void *user, GError **error);
