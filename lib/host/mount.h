/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "plan/mount.h"

ExmMount *exm_mount_look(const char *path);
