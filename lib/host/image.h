/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

/**
 * struct ExmImage - Which other files an image names in its header
 * @backing: the file below it, or NULL
 * @format:  of that, or NULL where the header does not say
 * @data:    the file with its data, or NULL
 */
typedef struct {
	char *backing;
	char *format;
	char *data;
} ExmImage;

ExmImage *exm_image_read(const char *path);
void exm_image_free(ExmImage *image);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ExmImage, exm_image_free)
