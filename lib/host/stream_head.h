/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "plan/incoming.h"
#include "plan/stream_head.h"

bool exm_stream_head_read(const ExmIncomingFile *file, ExmStreamHead *ret_head, GError **error);
