/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

/**
 * typedef ExmTextSink - Called for each piece of a text
 * @text:   the piece, of any bytes
 * @length: of it
 * @error:  what went wrong
 *
 * Return: false to get no more, with an error.
 */
typedef bool (*ExmTextSink)(const char *text, size_t length, GError **error);

/**
 * struct ExmLogsRequest - Which log, and how much of it
 * @state_directory: where guests' directories are
 * @name:            the guest's
 * @follow:          go on until the guest ends
 * @reader:          a descriptor: when the reader behind it has gone, nobody follows any more
 * @ended:           called after the log of a guest that has ended, with a line that says how
 */
typedef struct {
	const char *state_directory;
	const char *name;
	bool follow;
	int reader;
	void (*ended)(const char *text);
} ExmLogsRequest;

bool exm_op_logs(const ExmLogsRequest *request, ExmTextSink sink, GError **error);
