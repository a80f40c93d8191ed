#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# template_remove.bats - a template that is removed, with a system call that fails.

# bats and hard.bash set the other variables.
# shellcheck disable=SC2011,SC2034,SC2086,SC2154,SC2206

load hard

# A guest that has run for no time is as good as any.
prepare() {
	[ ! -e "$T/templates/base" ] || return 0
	start_over
	"$EXOMEM" run --detach --state-dir "$state" --name web $tiny -m 8 -mem-path "$memory,mode=create,anyfs" \
		3>&- >/dev/null
	vm save -q web base >/dev/null
}

set_command() {
	command=("$EXOMEM" template remove --state-dir "$state" --templates "$T/templates" base)
}

check_done() {
	assert_empty "$memory" >"$T/answer" || complain lost "$(cat "$T/answer")"
	assert_empty "$T/templates" >"$T/answer" || complain lost "$(cat "$T/answer")"
}

# A template that is there is whole; one that has begun to go can be removed.
check_failed() {
	if vm template verify base >/dev/null 2>&1; then
		snapshot | diff "$T/before" - >"$T/changed" || complain lost "$(cat "$T/changed")"
		return
	fi
	[ -z "$(vm template list -q)" ] || [ -e "$T/templates/base" ] || complain lost 'listed and gone'
	check_removable
}

check_removable() {
	[ ! -e "$T/templates/base" ] || vm template remove base >/dev/null 2>"$T/answer" ||
		complain lost "cannot be removed any more: $(cat "$T/answer")"
	vm clean >/dev/null 2>&1
	assert_empty "$memory" >"$T/answer" || complain lost "$(cat "$T/answer")"
	assert_empty "$T/templates" >"$T/answer" || complain lost "$(cat "$T/answer")"
}

check_killed() {
	check_failed
}

@test "template remove, with each system call failing" {
	fault_sweep template-remove
}
