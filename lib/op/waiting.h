/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "op/clone.h"
#include "plan/template.h"

guint exm_waiting_count(const GPtrArray *guests, const ExmTemplate *template, const char *shape);
guint exm_waiting_run(const GPtrArray *guests, const ExmTemplate *template,
                      const ExmCloneRequest *request, ExmCloned cloned, GError **error);
