/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "base/json.h"
#include "plan/end.h"

void exm_output_set_verb(const char *name);
void exm_output_error(const GError *error);
void exm_output_warning(const char *warning);
void exm_output_progress(const char *what, uint64_t done, uint64_t all);
void exm_output_json(ExmJson *json);
bool exm_output_finish(GError **error);
void exm_output_end(ExmJson *json, const ExmEnd *end);
