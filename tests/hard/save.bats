#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# save.bats - a save with a system call that fails.

# bats and hard.bash set the other variables.
# shellcheck disable=SC2011,SC2034,SC2086,SC2154,SC2206

load hard

prepare() {
	! is_fit web || return 0
	start_over
	boot web -mem-path "$memory,mode=create,anyfs"
	fill web 8M 7
}

set_command() {
	command=("$EXOMEM" save --state-dir "$state" --templates "$T/templates" -q web)
}

# The template is whole, and a child has the memory; then nothing is left of either.
check_done() {
	check_processes
	vm template verify web >/dev/null 2>"$T/answer" || complain lost "template: $(cat "$T/answer")"
	if vm clone --detach web >/dev/null 2>"$T/answer"; then
		check_filled web-1
		vm stop --kill web-1 >/dev/null 2>&1
	else
		complain lost "clone: $(cat "$T/answer")"
	fi
	vm template remove web >/dev/null 2>"$T/answer" || complain wrong "remove: $(cat "$T/answer")"
	vm clean >/dev/null
	assert_empty "$memory" >"$T/answer" || complain lost "$(cat "$T/answer")"
	assert_empty "$T/templates" >"$T/answer" || complain lost "$(cat "$T/answer")"
}

check_failed() {
	if [ -e "$T/templates/web" ]; then
		grep -qE 'end-guest|is complete, but may be lost in a crash' "$T/err" ||
			complain wrong 'failed, and the template is there'
		vm stop --kill --all >/dev/null 2>&1
		check_done
		return
	fi
	check_processes
	[ "$(status_of web 2>/dev/null)" = running ] || complain lost 'the guest does not run'
	check_filled web
	check_unchanged
}

check_killed() {
	if [ -e "$T/templates/web" ]; then check_done; else check_failed; fi
}

# The template is whole, or nothing is left but memory with a name, which is the user's.
check_guest_killed() {
	if [ -e "$T/templates/web" ]; then
		check_done
		return
	fi
	vm clean >/dev/null
	check_processes
	[ "$(vm list -q)" = '' ] || complain lost "guests: $(vm list -q | xargs)"
	[ -z "$(find "$T/templates" -mindepth 1 2>/dev/null)" ] || complain lost 'half a template is left'
	[ -z "$(find "$memory" -mindepth 1 -not -name "$file")" ] ||
		complain lost "left beside the memory: $(ls -A "$memory" | xargs)"
	rm -f "$memory/$file"
}

@test "save, with each system call failing" {
	fault_sweep save
}
