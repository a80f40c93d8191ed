/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "op/act.h"
#include "op/facts.h"
#include "plan/template.h"
#include "plan/template_check.h"

/**
 * typedef ExmProgress - Tell the user how far long work is
 * @what: "checksum"
 * @done: bytes
 * @all:  bytes
 */
typedef void (*ExmProgress)(const char *what, uint64_t done, uint64_t all);

/**
 * struct ExmTemplateUse - A template, and all that is needed to use it
 * @template: the template
 * @caps:     of the QEMU that will run its children
 * @facts:    what is so; borrows @caps
 */
typedef struct {
	ExmTemplate *template;
	ExmCaps *caps;
	ExmTemplateFacts *facts;
} ExmTemplateUse;

bool exm_op_template_check_trust(const ExmTemplate *template, const ExmSources *sources,
                                 const char *trust, GError **error);
ExmTemplateUse *exm_op_template_open(const char *directory, const ExmSources *sources,
                                     const char *trust, GError **error);
void exm_op_template_look(const ExmTemplate *template, GPtrArray *files);
void exm_template_use_free(ExmTemplateUse *use);
ExmTemplate *exm_op_template_read(const char *directory, GError **error);
GPtrArray *exm_op_template_list(const char *root);
bool exm_op_template_verify(const char *directory, const ExmSources *sources, bool deep,
                            ExmProgress progress, GPtrArray *problems, GError **error);
bool exm_op_template_remove(const char *directory, const char *state_directory, bool force,
                            ExmWarn warn, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ExmTemplateUse, exm_template_use_free)
