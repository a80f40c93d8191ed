#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# run.bats - a start with a system call that fails.

# bats and hard.bash set the other variables.
# shellcheck disable=SC2011,SC2034,SC2086,SC2154,SC2206

load hard

prepare() {
	[ -z "$(ls "$memory")" ]
}

set_command() {
	command=("$EXOMEM" run --detach --state-dir "$state" --name web -mem-path
		"$memory,mode=create,anyfs" $tiny)
}

check_done() {
	check_processes
	[ "$(vm list -q)" = web ] || complain lost 'done, but the guest is not listed'
	if wait_for "$state/web/log" 'tiny: up' "$limit" >/dev/null; then
		fill web 8M 7
		check_filled web
	else
		complain lost 'the guest does not come up'
	fi
	vm stop --kill web >/dev/null 2>&1 || complain wrong 'it cannot be stopped'
	remove_memory
}

# A file of mode=create stays when its guest ends; nobody holds it.
remove_memory() {
	[ -e "$memory/$file" ] || return 0
	[ "$(stat -c '%s %a' "$memory/$file")" = '67108864 600' ] || complain lost 'half a memory file'
	flock -n "$memory/$file" true || complain lost 'the memory file is locked'
	rm "$memory/$file"
	check_unchanged
}

check_failed() {
	check_processes
	[ -z "$(vm list -q)" ] || complain lost 'failed, but the guest is listed'
	check_unchanged
}

check_killed() {
	if [ "$(vm list -q)" = web ]; then check_done; else
		check_processes
		remove_memory
		check_unchanged
	fi
}

@test "run --detach, with each system call failing" {
	fault_sweep run
}
