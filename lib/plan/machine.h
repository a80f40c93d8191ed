/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "plan/caps.h"

bool exm_machine_takes_vmgenid(const ExmMachine *machine);
bool exm_machine_has_fw_cfg(const ExmMachine *machine);
bool exm_machine_takes_nvdimm(const ExmMachine *machine, const char *target);
