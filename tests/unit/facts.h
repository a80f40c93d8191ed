/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "base/json.h"
#include "plan/caps.h"
#include "plan/host.h"
#include "plan/template.h"

/* Where the template of facts_template() is. */
#define TEMPLATES "/templates"
#define TEMPLATE  TEMPLATES "/web"

/* What is changed in no way. */
#define AS_IT_IS "{}"

ExmJson *facts_json(const char *text);
ExmJson *facts_changed(const char *text, const char *changes);
ExmCaps *facts_caps(const char *version);
ExmFileFacts *facts_file(const char *path, const char *changes);
ExmTemplate *facts_template(const char *changes);
char *facts_step_names(const GPtrArray *steps);
