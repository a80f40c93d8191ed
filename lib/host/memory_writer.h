/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Writes pages of guest memory to a memory file in large pieces, and leaves holes for zeros. */
typedef struct ExmMemoryWriter ExmMemoryWriter;

ExmMemoryWriter *exm_memory_writer_new(int fd, const char *path, uint64_t size);
void exm_memory_writer_free(ExmMemoryWriter *writer);
bool exm_memory_writer_put(ExmMemoryWriter *writer, uint64_t offset, const void *data,
                           size_t length, GError **error);
bool exm_memory_writer_flush(ExmMemoryWriter *writer, GError **error);
bool exm_memory_writer_sync(ExmMemoryWriter *writer, GError **error);
uint64_t exm_memory_writer_written(const ExmMemoryWriter *writer);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ExmMemoryWriter, exm_memory_writer_free)
