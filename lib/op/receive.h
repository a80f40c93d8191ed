/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "op/act.h"
#include "op/facts.h"
#include "plan/receive.h"

bool exm_op_receive(const ExmReceiveRequest *request, const char *directory,
                    const ExmSources *sources, ExmWarn warn, char **ret_name, GError **error);
bool exm_op_receive_serve(const ExmReceiveRequest *request, const ExmSources *sources,
                          const char *version, int input, int output, GError **error);
