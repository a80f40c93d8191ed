/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

#include "plan/qemu_line.h"

/**
 * enum ExmClashKind - Why two guests cannot both have an argument
 * @EXM_CLASH_EXCLUSIVE:  it names something that can be had once; a placeholder cures it
 * @EXM_CLASH_TERMINAL:   the terminal, which one child that is not detached can have; a detached
 *                        guest has sockets in its place (plan/detach.c)
 * @EXM_CLASH_DESCRIPTOR: an inherited descriptor, which a later start does not have
 * @EXM_CLASH_MAC:        the guest's Ethernet address leaves the host's process, and a child has
 *                        its parent's
 * @EXM_CLASH_MEMORY:     another process, or a file, is to share memory that is private to a child
 * @EXM_CLASH_STATE:      the state of a device is not in the stream, and QEMU does not say so
 * @EXM_CLASH_BALLOON:    a balloon, which cannot give memory of a child back: works, with a warning
 */
typedef enum {
	EXM_CLASH_EXCLUSIVE,
	EXM_CLASH_TERMINAL,
	EXM_CLASH_DESCRIPTOR,
	EXM_CLASH_MAC,
	EXM_CLASH_MEMORY,
	EXM_CLASH_STATE,
	EXM_CLASH_BALLOON,
} ExmClashKind;

/**
 * struct ExmClash - One thing of a command line that two guests cannot both have
 * @kind:     why
 * @argument: the option and its value: "-netdev user,id=n0,hostfwd=tcp::2222-:22"
 * @message:  one line: what clashes, and what to write instead
 */
typedef struct {
	ExmClashKind kind;
	char *argument;
	char *message;
} ExmClash;

GPtrArray *exm_clashes_find(const ExmQemuLine *line);
