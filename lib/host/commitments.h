/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "plan/capacity.h"

/**
 * struct ExmCommitmentPlaces - Where it is to be found who has what
 * @host: state directory over which the host's guests are counted
 * @own:  state directory of this command, perhaps the same
 */
typedef struct {
	const char *host;
	const char *own;
} ExmCommitmentPlaces;

bool exm_commitments_lock(const ExmCommitmentPlaces *places, int *ret_fd, GError **error);
GPtrArray *exm_commitments_directories(const ExmCommitmentPlaces *places, char **ret_unseen,
                                       GError **error);
bool exm_commitments_read(const ExmCommitmentPlaces *places, const char *except,
                          ExmCapacityFacts *facts, GError **error);
bool exm_commitments_write(const ExmCommitmentPlaces *places, const char *directory,
                           const ExmCommitment *commitment, GError **error);
bool exm_commitments_move(const char *from, const char *to, GError **error);
void exm_commitments_log(const ExmCommitmentPlaces *places, const char *text);
