/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "plan/template.h"

bool exm_template_store_begin(const char *temporary, GError **error);
bool exm_template_store_write_manifest(const char *temporary, const ExmTemplate *template,
                                       GError **error);
bool exm_template_store_commit(const char *temporary, const char *directory, GError **error);
bool exm_template_store_remove_files(const char *directory, GError **error);
bool exm_template_store_remove_directory(const char *directory, GError **error);
bool exm_template_store_remove_empty(const char *directory);
bool exm_template_store_abandon(const char *temporary);
bool exm_template_store_hide(const char *directory, GError **error);
void exm_template_store_unhide(const char *directory);
bool exm_template_store_has(const char *directory);
ExmTemplate *exm_template_store_read_own(const char *directory, GError **error);
ExmTemplate *exm_template_store_read(const char *directory, GError **error);
char **exm_template_store_list(const char *root);
bool exm_template_store_heir(const char *directory, char **ret_heir, GError **error);
bool exm_template_store_mark(const char *memory_file, const char *name, GError **error);
bool exm_template_store_unmark(const char *memory_file, GError **error);
