/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

#include "plan/caps.h"

char *exm_probe_resolve(const char *name, GError **error);
ExmCaps *exm_probe_ask(const char *binary, int deadline_ms, GError **error);
