/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

#include "plan/config.h"

/**
 * struct ExmConfigSource - Where the configuration is
 * @chosen: the only file to read, or NULL
 * @files:  NULL-terminated; where @chosen is NULL, read in this order, each with the directory of
 *          more beside it; none of them has to be there
 * @recorded: files of recorded facts that stand in for all of these, or NULL
 */
typedef struct {
	const char *chosen;
	const char *const *files;
	const char *const *recorded;
} ExmConfigSource;

ExmConfig *exm_op_config_read(const ExmConfigSource *source, GError **error);
