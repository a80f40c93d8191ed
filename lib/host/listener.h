/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "base/json.h"
#include "plan/vm.h"

/* A conversation over QMP in which nothing waits: for many guests at once, or for events. */
typedef struct ExmListener ExmListener;

ExmListener *exm_listener_new(const ExmVm *vm, const char *socket_name, const char *command,
                              ExmJson *arguments, GError **error);
void exm_listener_free(ExmListener *listener);
int exm_listener_fd(const ExmListener *listener);
bool exm_listener_receive(ExmListener *listener);
ExmJson *exm_listener_next(ExmListener *listener);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ExmListener, exm_listener_free)
