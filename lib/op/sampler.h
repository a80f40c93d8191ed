/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "plan/sample.h"
#include "plan/vm.h"

/* Looks at the host and all its guests, again and again, and knows their balloons. */
typedef struct ExmSampler ExmSampler;

ExmSampler *exm_sampler_new(const char *state_directory, const char *group, uint64_t interval);
void exm_sampler_free(ExmSampler *sampler);
ExmSample *exm_sampler_take(ExmSampler *sampler, GError **error);
const GPtrArray *exm_sampler_guests(const ExmSampler *sampler);
const ExmVm *exm_sampler_find(const ExmSampler *sampler, const char *name);
void exm_sampler_stop_polling(ExmSampler *sampler);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ExmSampler, exm_sampler_free)
