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

# It runs there, or its state is whole, or it is gone with all that it had but its memory.
check_guest_killed() {
	served=$memory
	check_processes
	if runs destination || [ -e "$memory/web.handover" ]; then
		check_one_owner
		return
	fi
	vm clean >/dev/null
	there vm clean >/dev/null
	[ -z "$(vm list -q)$(there vm list -q)" ] || complain lost 'a guest is left'
	[ -z "$(find "$memory" -mindepth 1 -not -name 'qemu_back_mem.*')" ] ||
		complain lost "left beside the memory: $(ls -A "$memory" | xargs)"
	find "$memory" -mindepth 1 -delete
}

@test "migrate, with each system call of the source failing" {
	fault_sweep migrate
}
