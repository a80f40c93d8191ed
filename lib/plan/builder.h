/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "plan/detach.h"
#include "plan/memory_check.h"
#include "plan/run.h"

/**
 * struct ExmBuilder - The plan of a run under construction; private to lib/plan
 * @request:    what the user said
 * @facts:      what is so
 * @plan:       what will be done
 * @next_fd:    next descriptor number to hand to QEMU
 * @detachment: what stands in for the terminal of a detached guest
 * @parent_fd:  a QMP monitor for its parent, where it is detached
 * @console_fd: its console's listening socket
 * @monitor_fd: its human monitor's
 * @qmp_fd:     its user's QMP monitor's
 */
typedef struct {
	const ExmRunRequest *request;
	const ExmRunFacts *facts;
	ExmPlan *plan;
	int next_fd;
	ExmDetachment detachment;
	int parent_fd;
	int console_fd;
	int monitor_fd;
	int qmp_fd;
} ExmBuilder;

ExmStep *exm_builder_add_step(ExmBuilder *builder, ExmStepKind kind, const char *path, int fd);
void exm_builder_add_argument(const ExmBuilder *builder, const char *word, const char *value);
bool exm_builder_add_memory(ExmBuilder *builder, const ExmMemoryInput *in, GError **error);
bool exm_builder_admit(ExmBuilder *builder, const ExmMemoryInput *in, GError **error);
bool exm_builder_add_pmem(ExmBuilder *builder, GError **error);
void exm_builder_add_pmem_steps(ExmBuilder *builder);
void exm_builder_add_pmem_arguments(ExmBuilder *builder);
void exm_builder_add_origin(ExmBuilder *builder);
bool exm_builder_child_words(const ExmBuilder *builder, guint index, GPtrArray *words);
void exm_builder_add_child_arguments(ExmBuilder *builder);
bool exm_builder_add_last_steps(ExmBuilder *builder, GError **error);
const char *exm_builder_user(const ExmBuilder *builder);
bool exm_builder_add_user(ExmBuilder *builder, GError **error);
bool exm_builder_add_sandbox(ExmBuilder *builder, GError **error);
bool exm_builder_add_incoming(ExmBuilder *builder, GError **error);
void exm_builder_add_sockets(ExmBuilder *builder);
void exm_builder_add_terminal_steps(ExmBuilder *builder);
void exm_builder_add_terminal_arguments(ExmBuilder *builder);
