#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# balance.bats - a round of balance with a system call that fails.

# bats and hard.bash set the other variables.
# shellcheck disable=SC2011,SC2034,SC2086,SC2154,SC2206

load hard

prepare() {
	cat >"$T/policy" <<-'POLICY'
		[policy]
		interval = 1
		step = 20%
		hysteresis = 1%
		window = 2
		idle = 10%

		[state plump]
		free = 99%
		levers = drop-cache balloon-idle reclaim-idle refuse
	POLICY
	[ "$(vm list -q 2>/dev/null)" != web ] || return 0
	start_over
	boot web -mem-path "$memory,anyfs"
	fill web 8M 7
}

set_command() {
	command=("$EXOMEM" balance --once --state-dir "$state" --policy "$T/policy" --templates "$T/none")
}

check_done() {
	check_processes
	[ "$(status_of web 2>/dev/null)" = running ] || complain lost 'the guest does not run'
	check_filled web
	check_unchanged
}

check_failed() {
	check_done
}

# What it has said to others is over with it.
check_killed() {
	vm balance --once --policy "$T/policy" --templates "$T/none" >/dev/null 2>"$T/answer" ||
		complain lost "no further round: $(cat "$T/answer")"
	check_done
}

@test "balance --once, with each system call failing" {
	fault_sweep balance
}
