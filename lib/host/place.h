/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "plan/host.h"

ExmPlace *exm_place_look(const char *path);
ExmFileFacts *exm_file_look(const char *path);
ExmFileFacts *exm_file_look_through(const char *path);
char *exm_place_file_system(const char *path);
bool exm_place_is_memory(const char *path);
bool exm_place_can_reflink(const char *path);
bool exm_place_is_dax(dev_t device);
bool exm_place_maps_sync(const char *directory);
