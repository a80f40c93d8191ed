#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# migrate.bats - a migration with a system call of the source that fails.

# bats and hard.bash set the other variables.
# shellcheck disable=SC2011,SC2034,SC2086,SC2154,SC2206

load hard
load migration

prepare() {
	prepare_source
}

set_command() {
	command=("$EXOMEM" migrate --state-dir "$state" --rsh "$T/rsh" --remote "$EXOMEM"
		--remote-state-dir "$T/there" -q web other)
}

check_done() {
	runs destination || complain lost 'done, and it does not run there'
	check_one_owner
}

check_failed() {
	runs source || grep -q 'resumes it' "$T/err" || complain wrong 'failed, and not where it was'
	check_one_owner
}

check_killed() {
	check_one_owner
}

@test "migrate, with each system call of the source failing" {
	fault_sweep migrate
}
