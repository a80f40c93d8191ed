/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "plan/store.h"

ExmStore *exm_store_look(const char *directory);
