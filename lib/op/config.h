/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

#include "plan/config.h"

/**
 * struct ExmConfigSource - Where the configuration is
 * @chosen: the only file to read, or NULL
 * @files:  NULL-terminated; where @chosen is NULL, read in this order, each with the directory of
 *          more beside it; none of them has to be there
 */
typedef struct {
	const char *chosen;
	const char *const *files;
} ExmConfigSource;

ExmConfig *exm_op_config_read(const ExmConfigSource *source, GError **error);
