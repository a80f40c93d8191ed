/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

#include "host/qmp.h"
#include "plan/vm.h"

ExmQmp *exm_control_open(const ExmVm *vm, const char *socket_name, int deadline_ms, GError **error);
ExmQmp *exm_control_begin(const ExmVm *vm, const char *socket_name, int deadline_ms, GError **error);
char *exm_control_status(const ExmVm *vm, int deadline_ms, GError **error);
bool exm_control_listen(const char *path, int fd_number, int *ret_fd, GError **error);
bool exm_control_check(const ExmVm *vm, GError **error);
int exm_control_connect(const ExmVm *vm, const char *socket_name, int patience_ms, GError **error);
