/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "plan/vm.h"

bool exm_pidfd_open(const ExmVm *vm, int *ret_fd, GError **error);
bool exm_pidfd_kill(int fd, GError **error);
bool exm_pidfd_terminate(int fd, GError **error);
bool exm_pidfd_end(const ExmVm *vm, int timeout_ms, GError **error);
bool exm_pidfds_wait(int *fds, size_t count, int timeout_ms);
