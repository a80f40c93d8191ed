/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

/**
 * enum ExmClashForm - What a value names that can be had once
 * @EXM_CLASH_PORT:      a port of the host
 * @EXM_CLASH_PORTS:     "HOST[:GUEST]" as passt has it
 * @EXM_CLASH_ADDRESS:   "[HOST]:PORT"
 * @EXM_CLASH_FORWARD:   "[tcp|udp]:[HOST]:PORT-[GUEST]:PORT" or "unix:PATH-[GUEST]:PORT"
 * @EXM_CLASH_DISPLAY:   "[HOST]:DISPLAY" or "unix:PATH" of VNC
 * @EXM_CLASH_WEBSOCKET: its second port: "on", "[HOST:]PORT" or "unix:PATH"
 * @EXM_CLASH_PATH:      a file or socket that QEMU makes
 * @EXM_CLASH_LOG:       such a file, in whose name "%d" is QEMU's process
 * @EXM_CLASH_NUMBERED:  a name that ends in a number: tap0, 0000:03:00.1
 * @EXM_CLASH_NUMBER:    a number
 */
typedef enum {
	EXM_CLASH_PORT,
	EXM_CLASH_PORTS,
	EXM_CLASH_ADDRESS,
	EXM_CLASH_FORWARD,
	EXM_CLASH_DISPLAY,
	EXM_CLASH_WEBSOCKET,
	EXM_CLASH_PATH,
	EXM_CLASH_LOG,
	EXM_CLASH_NUMBERED,
	EXM_CLASH_NUMBER,
} ExmClashForm;

char *exm_clash_cure(ExmClashForm form, const char *value, char **ret_thing);
