/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "command.h"
#include "plan/config.h"
#include "plan/memory_config.h"

/*
 * GOption writes through untyped pointers: a bool in place of a gboolean would lose its neighbours.
 * These macros take the address only of a variable of the right type.
 */
#define EXM_CHECK_TYPE(pointer, type) (1 ? (pointer) : (type)NULL)

#define EXM_OPTION_FLAG(name, variable, help)                                                   \
	{                                                                                       \
		name, 0, 0, G_OPTION_ARG_NONE, EXM_CHECK_TYPE(variable, gboolean *), help, NULL \
	}
#define EXM_OPTION_TEXT(name, variable, help, argument)                                              \
	{                                                                                            \
		name, 0, 0, G_OPTION_ARG_FILENAME, EXM_CHECK_TYPE(variable, char **), help, argument \
	}
#define EXM_OPTION_SHORT_FLAG(name, letter, variable, help)                                          \
	{                                                                                            \
		name, letter, 0, G_OPTION_ARG_NONE, EXM_CHECK_TYPE(variable, gboolean *), help, NULL \
	}
#define EXM_OPTION_SHORT_TEXT(name, letter, variable, help, argument)                            \
	{                                                                                        \
		name, letter, 0, G_OPTION_ARG_FILENAME, EXM_CHECK_TYPE(variable, char **), help, \
			argument                                                                 \
	}
#define EXM_OPTION_LIST(name, variable, help, argument)                                            \
	{                                                                                          \
		name, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, EXM_CHECK_TYPE(variable, char ***), help, \
			argument                                                                   \
	}
#define EXM_OPTION_HIDDEN_LIST(name, variable)                              \
	{                                                                   \
		name, 0, G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_FILENAME_ARRAY, \
			EXM_CHECK_TYPE(variable, char ***), NULL, NULL      \
	}
#define EXM_OPTION_END \
	{              \
		NULL   \
	}

bool exm_options_parse(const ExmCommand *command, char **words, char ***ret_rest, GError **error);
bool exm_option_takes_argument(const GOptionEntry *option);
const char *exm_default_qemu(void);
char *exm_cache_directory(void);
char *exm_claims_directory(const char *chosen);
ExmConfig *exm_config_load(const char *chosen, const char *const *recorded, GError **error);
ExmMemoryConfig *exm_store_read(const ExmConfig *config, GError **error);
bool exm_store_load(const ExmConfig *config, ExmMemoryConfig **ret_store, GError **error);
char *exm_templates_directory(const char *chosen);
bool exm_template_directory(const char *root, const char *word, char **ret_directory, GError **error);
bool exm_state_directory(const char *chosen, char **ret_directory, GError **error);
bool exm_state_directory_for_change(const char *chosen, bool dry_run, char **ret_directory,
                                    GError **error);
