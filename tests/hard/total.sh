#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# total.sh SEED <SUMMARIES - add up what the verbs of tests/hard have come to: lines
# `# VERB: N faults, N not met, N lost, N hung, N wrongly reported; DONE of ALL cases (SEED=...)`
set -eu
awk -v seed="$1" '
{ faults += $3; lost += $8; hung += $10; wrong += $12; done += $15; all += $17 }
END {
	printf "%d faults: %d lost, %d hung, %d wrongly reported; %d of %d cases done, SEED=%s goes on\n",
		faults, lost, hung, wrong, done, all, seed
}'
