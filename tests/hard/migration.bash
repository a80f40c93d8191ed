# SPDX-License-Identifier: GPL-2.0-or-later
# migration.bash - what is right after a migration in which a system call failed.

# bats and hard.bash set the other variables.
# shellcheck disable=SC2011,SC2034,SC2086,SC2154,SC2206

# A movable guest on the source.
prepare_source() {
	! is_fit web || return 0
	start_over
	served=$memory
	boot_movable web
}

# Whether a state that cannot be received any more may be left: the verb was killed.
state_may_stay() {
	[ "$rc" = 137 ]
}

# One of the two hosts runs it, with its memory; or none, and its state is there, which resumes it.
check_one_owner() {
	local count
	served=$memory
	check_processes
	count=$(count_running)
	[ "$count" -le 1 ] || complain lost 'it runs on both hosts'
	if [ "$count" = 0 ]; then
		[ ! -s "$T/err" ] || grep -q 'resumes it' "$T/err" ||
			complain wrong 'it runs nowhere, and nothing says how to resume it'
		vm receive -q "$memory/web.handover" 2>"$T/answer" ||
			complain lost "it runs nowhere: $(cat "$T/answer")"
	elif [ -e "$memory/web.handover" ]; then
		# What cannot be resumed any more has to say so.
		vm receive -q "$memory/web.handover" 2>"$T/answer" && complain lost 'a second owner'
		rm -rf "$memory/web.handover"
		state_may_stay || complain lost 'the state is left behind'
	fi
	if runs destination; then
		there check_filled web
		there vm stop --kill --all >/dev/null 2>&1 || true
		find "$memory" -mindepth 1 -delete
	elif runs source; then
		check_filled web
	fi
	vm clean >/dev/null
	there vm clean >/dev/null
	[ -z "$(find "$memory" -mindepth 1 -not -name 'qemu_back_mem.*')" ] ||
		complain lost "left beside the memory: $(ls -A "$memory" | xargs)"
	[ -z "$(find "$T/there" -mindepth 1 -maxdepth 1 -not -name .exomem 2>/dev/null)" ] ||
		complain lost "left on the destination: $(ls -A "$T/there" | xargs)"
}
