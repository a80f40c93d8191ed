#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# prefetch.bats - a recording and its replay, with a system call that fails.

# bats and hard.bash set the other variables.
# shellcheck disable=SC2011,SC2034,SC2086,SC2154,SC2206

load hard

prepare() {
	[ "$(vm list -q 2>/dev/null)" != web-1 ] || [ ! -e "$T/templates/web" ] || return 0
	start_over
	boot_and_save web
	vm clone --detach web >/dev/null
	assert_filled web-1 8M 7 || return 1
	[ "$part" = record ] || vm prefetch record --templates "$T/templates" -q web-1 >/dev/null
	sha256sum "$T/templates/web"/[dm]* "$memory/$file" >"$T/sums"
}

set_command() {
	local what=web
	[ "$part" = replay ] || what=web-1
	command=("$EXOMEM" prefetch "$part" --state-dir "$state" --templates "$T/templates" -q "$what")
}

check_template() {
	check_processes
	[ "$(status_of web-1 2>/dev/null)" = running ] || complain lost 'the child does not run'
	sha256sum --quiet -c "$T/sums" >/dev/null 2>&1 || complain lost 'the template has changed'
	vm template verify web >/dev/null 2>"$T/answer" || complain lost "$(cat "$T/answer")"
}

check_done() {
	check_template
	vm prefetch show --json --templates "$T/templates" web | jq -e '.recorded > 0' >/dev/null ||
		complain lost 'no recording'
	[ "$part" = replay ] || rm "$T/templates/web/prefetch.json"
}

# A recording that is there is whole, even where it may not outlive a power cut.
check_failed() {
	check_template
	if [ "$part" = record ] && vm prefetch show --templates "$T/templates" web >/dev/null 2>&1; then
		rm "$T/templates/web/prefetch.json"
	fi
	check_unchanged
}

# Whatever is left goes with the template.
check_killed() {
	check_template
	vm stop --kill web-1 >/dev/null
	vm template remove web 2>"$T/answer" || complain lost "$(cat "$T/answer")"
	assert_empty "$T/templates" >"$T/answer" || complain lost "$(cat "$T/answer")"
}

@test "prefetch record, with each system call failing" {
	part=record
	fault_sweep prefetch-record
}

@test "prefetch replay, with each system call failing" {
	part=replay
	fault_sweep prefetch-replay
}
