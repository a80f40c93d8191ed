/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* In each directory that exomem made; described in exomem-state(5). */
#define EXM_MARKER ".exomem"

typedef enum { EXM_MARKER_STATE, EXM_MARKER_GUEST, EXM_MARKER_ENDED } ExmMarkerKind;

bool exm_marker_can_be_made(int directory);
bool exm_marker_make(int directory, ExmMarkerKind kind, const char *within, GError **error);
char *exm_marker_read(int directory, ExmMarkerKind kind, char **ret_within);
