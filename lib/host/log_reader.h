/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

/* A reader of a log that a log keeper writes, which follows it from file to file. */
typedef struct ExmLogReader ExmLogReader;

ExmLogReader *exm_log_reader_new(const char *path, GError **error);
void exm_log_reader_free(ExmLogReader *reader);
bool exm_log_reader_skip(ExmLogReader *reader, size_t rest);
bool exm_log_reader_read(ExmLogReader *reader, char *block, size_t size, size_t *ret_length,
                         GError **error);
bool exm_log_reader_at_end(const ExmLogReader *reader);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ExmLogReader, exm_log_reader_free)
