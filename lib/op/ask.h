/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "base/json.h"
#include "host/listener.h"
#include "plan/vm.h"

/**
 * struct ExmQuestion - One command for the QEMU of one guest
 * @vm:       the guest (borrowed)
 * @command:  a QMP command (borrowed); NULL to leave it in peace
 * @arguments: of it (owned), or NULL
 * @answer:   what it returned; NULL where it did not, or refused
 * @done:     it answered, refused or hung up: nothing more will come
 * @listener: while it is asked
 */
typedef struct {
	const ExmVm *vm;
	const char *command;
	ExmJson *arguments;
	ExmJson *answer;
	bool done;
	ExmListener *listener;
} ExmQuestion;

GPtrArray *exm_questions_new(const GPtrArray *vms, const char *command);
void exm_questions_ask(GPtrArray *questions, int deadline_ms);
