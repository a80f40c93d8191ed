/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "base/json.h"

/**
 * typedef ExmEventSink - Called for each event of a guest
 * @event: as QEMU sent it (borrowed)
 * @error: what went wrong
 *
 * Return: false to hear no more, with an error.
 */
typedef bool (*ExmEventSink)(ExmJson *event, GError **error);

ExmJson *exm_op_qmp(const char *state_directory, const char *name, const char *command,
                    ExmJson *arguments, int timeout_ms, GError **error);
bool exm_op_events(const char *state_directory, const char *name, ExmEventSink sink, int reader,
                   GError **error);
