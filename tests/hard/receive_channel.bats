#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# receive_channel.bats - a migration with a system call of the destination that fails.

# bats and hard.bash set the other variables.
# shellcheck disable=SC2011,SC2034,SC2086,SC2154,SC2206

load hard
load migration

prepare() {
	prepare_source
}

# It is the other end of the channel that is traced.
run_fault() { # REPORT SECONDS ACTION...
	printf '#!/bin/sh\nshift\nexec %s "$@"\n' "'$FAULT' $*" >"$T/rsh"
	timeout -s KILL $((3 * limit)) "$EXOMEM" migrate --state-dir "$state" --rsh "$T/rsh" \
		--remote "$EXOMEM" --remote-state-dir "$T/there" -q web other >"$T/out" 2>"$T/err" \
		</dev/null 3>&- 4>&- 8>&-
}

# The receiver, which removes it, was killed; the verb was not.
state_may_stay() {
	case $action in kill | group | all) ;; *) false ;; esac
}

check_done() {
	runs destination || complain lost 'done, and it does not run there'
	check_one_owner
}

check_failed() {
	runs source || grep -qE "resumes it|was taken over by 'other'" "$T/err" ||
		complain wrong 'failed, and not where it was'
	check_one_owner
}

check_killed() {
	complain hung 'the source does not end'
}

@test "migrate, with each system call of the destination failing" {
	fault_sweep receive-channel
}
