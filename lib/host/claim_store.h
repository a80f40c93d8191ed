/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "plan/claim.h"

bool exm_claim_store_read_all(const char *directory, GPtrArray *claims, GError **error);
bool exm_claim_store_read(const char *directory, const char *uuid, ExmClaim **ret_claim,
                          GError **error);
bool exm_claim_store_write(const char *directory, const ExmClaim *claim, GError **error);
bool exm_claim_store_replace(const char *directory, const ExmClaim *expected, ExmClaim *claim,
                             bool *ret_replaced, GError **error);
bool exm_claim_store_remove(const char *directory, const char *uuid, GError **error);
