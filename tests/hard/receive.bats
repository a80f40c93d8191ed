#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# receive.bats - a guest that is taken from its state on disk, with a system call that fails.

# bats and hard.bash set the other variables.
# shellcheck disable=SC2011,SC2034,SC2086,SC2154,SC2206

load hard

prepare() {
	[ ! -e "$memory/state" ] || return 0
	if [ "$(vm list -q 2>/dev/null)" != web ]; then
		start_over
		boot_movable web
	fi
	vm migrate -q --to "$memory/state" web
}

set_command() {
	command=("$EXOMEM" receive --state-dir "$state" -q "$memory/state")
}

check_done() {
	check_processes
	[ "$(status_of web 2>/dev/null)" = running ] || complain lost 'done, and it does not run'
	[ ! -e "$memory/state/manifest.json" ] || complain lost 'the state can be resumed a second time'
	[ ! -e "$memory/state" ] || grep -q 'state. was received and cannot be removed' "$T/err" ||
		complain lost 'the state is left'
	rm -rf "$memory/state"
	check_filled web
}

# It was loaded and could not be resumed, and the error says by which command it can.
check_paused() {
	grep -q "'exomem qmp web cont' resumes it" "$T/err" || complain wrong 'failed, and it is here'
	vm qmp web cont >/dev/null || complain lost 'it cannot be resumed'
	check_filled web
	rm -rf "$memory/state"
}

# Then it can be received yet, and is right.
check_failed() {
	if [ "$(vm list -q)" = web ]; then
		check_paused
		return
	fi
	check_processes
	check_unchanged
	vm receive -q "$memory/state" >/dev/null 2>"$T/answer" ||
		complain lost "it cannot be received any more: $(cat "$T/answer")"
	check_filled web
}

check_killed() {
	[ "$(vm list -q)" = web ] || {
		check_failed
		return
	}
	# It runs: a state that is older than its memory is of no use.
	if [ -e "$memory/state" ]; then
		vm stop --kill web >/dev/null 2>&1
		vm receive -q "$memory/state" >/dev/null 2>&1 && check_filled web
		rm -rf "$memory/state"
		vm stop --kill --all >/dev/null 2>&1
	else
		check_done
	fi
}

@test "receive, with each system call failing" {
	fault_sweep receive
}
