#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# clone.bats - three children of a template, with a system call that fails.

# bats and hard.bash set the other variables.
# shellcheck disable=SC2034,SC2046,SC2154

load hard

prepare() {
	[ -e "$T/templates/base" ] && return
	start_over
	boot web -mem-path "$memory,mode=create,anyfs"
	fill web 8M 7
	vm save -q web base >/dev/null
	vm clean >/dev/null
	sha256sum "$T/templates/base"/* "$memory/$file" >"$T/sums"
}

set_command() {
	command=("$EXOMEM" clone --state-dir "$state" --templates "$T/templates" --detach -n 3 base)
}

# Those that run are right, and can be stopped; the template is what it was.
check_children() {
	local name
	check_processes
	for name in $(vm list -q); do
		[ "$(status_of "$name" 2>/dev/null)" = running ] || complain lost "$name does not run"
		check_filled "$name"
	done
	vm stop --kill --all >/dev/null 2>&1 || true
	sha256sum --quiet -c "$T/sums" >/dev/null 2>&1 || complain lost 'the template has changed'
	vm template verify base >/dev/null 2>"$T/answer" || complain lost "$(cat "$T/answer")"
	for name in "$T/templates/base/devices" "$memory/$file"; do
		flock -n "$name" true || complain lost "$name is locked"
	done
	check_unchanged
}

check_done() {
	[ "$(vm list -q | wc -l)" = 3 ] || complain lost "$(vm list -q | wc -l) children of 3"
	check_children
}

check_failed() {
	[ "$(sort "$T/out")" = "$(vm list -q)" ] ||
		complain wrong "printed $(xargs <"$T/out"), and there are $(vm list -q | xargs)"
	check_children
}

check_killed() {
	check_children
}

@test "clone -n 3, with each system call failing" {
	fault_sweep clone
}
