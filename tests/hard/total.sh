#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# total.sh SEED <SUMMARIES - add up what the verbs of tests/hard have come to: lines
# `# VERB: N faults, N kills, N not met, N lost, N hung, N wrongly reported; DONE of ALL cases (SEED=...)`
set -eu
awk -v seed="$1" '
{ faults += $3; kills += $5; lost += $10; hung += $12; wrong += $14; done += $17; all += $19 }
END {
	printf "%d faults and %d kills: %d lost, %d hung, %d wrongly reported; ", faults, kills, lost, hung, wrong
	printf "%d of %d cases done, SEED=%s goes on\n", done, all, seed
}'
