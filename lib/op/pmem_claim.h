/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "plan/plan.h"

bool exm_pmem_claim_make(const ExmPlan *plan, const ExmPlanClaim *claim, GError **error);
void exm_pmem_claim_undo(const ExmPlan *plan, const ExmPlanClaim *claim);
void exm_pmem_claims_confirm(const ExmPlan *plan);
bool exm_pmem_claims_confirm_later(const ExmPlan *plan, GError **error);
void exm_pmem_claims_abandon(const ExmPlan *plan);
