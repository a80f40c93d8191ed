/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>

#include "host/qmp.h"

#define GREETING                                                                         \
	"{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 1, \"minor\": 2, \"major\": 7}," \
	" \"package\": \"P\"}, \"capabilities\": [\"oob\"]}}\r\n"
#define AGREED "{\"return\": {}, \"id\": 1}\r\n"

/* Long enough for valgrind, short enough for whoever waits for a failure. */
#define PATIENCE_MS 10000

/**
 * struct Line - One thing that the other end does
 * @wait_for: first it waits until this has been received; NULL for no wait
 * @send:     then it sends this
 * @chunk:    so many bytes at a time, with a pause behind each; 0 for all at once
 * @repeat:   so often
 */
typedef struct {
	const char *wait_for;
	const char *send;
	size_t chunk;
	int repeat;
} Line;

/**
 * struct Peer - The other end
 * @lines:   what it does, closed by an empty one
 * @stays:   it hangs up only after we did
 * @fd:      its socket
 * @ours:    our socket
 * @heard:   all that was received
 * @thread:  it runs there
 */
typedef struct {
	const Line *lines;
	bool stays;
	int fd;
	int ours;
	GString *heard;
	GThread *thread;
} Peer;

Peer *peer_start(const Line *lines, bool stays);
ExmQmp *peer_begin(const Peer *peer);
void peer_end(Peer *peer);
void peer_end_having_heard(Peer *peer, const char *wanted);
