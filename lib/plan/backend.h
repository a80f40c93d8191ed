/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "base/json.h"
#include "plan/memory_check.h"

ExmJson *exm_backend_new_file(const ExmMemoryInput *in, const ExmBlock *block, const char *path,
                              GError **error);
ExmJson *exm_backend_new_anonymous(const ExmMemoryInput *in, const ExmBlock *block, GError **error);
char *exm_backend_print(ExmJson *backend);
