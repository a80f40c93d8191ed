/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "base/json.h"

/* Two exomems that hand a guest over: lines of JSON, and bytes behind some of them. */
typedef struct ExmConversation ExmConversation;

ExmConversation *exm_conversation_new(int input, int output);
ExmConversation *exm_conversation_start(char *const *argv, GError **error);
void exm_conversation_free(ExmConversation *conversation);
bool exm_conversation_say(ExmConversation *conversation, int timeout_ms, ExmJson *message,
                          GBytes *data, GError **error);
bool exm_conversation_hear(ExmConversation *conversation, int timeout_ms, ExmJson **ret_message,
                           GBytes **ret_data, GError **error);
bool exm_conversation_has_ended(const ExmConversation *conversation);
bool exm_conversation_ask(ExmConversation *conversation, int timeout_ms, ExmJson *question,
                          GBytes *data, ExmJson **ret_answer, GError **error);
bool exm_conversation_answer(ExmConversation *conversation, int timeout_ms, ExmJson *answer,
                             const GError *refusal, GError **error);
void exm_conversation_introduce(ExmJson *message, const char *version);
bool exm_conversation_check_source(ExmJson *message, const char *version, GError **error);
bool exm_conversation_check_destination(ExmJson *answer, const char *version, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ExmConversation, exm_conversation_free)
