#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# fork_many.bats - one guest is forked fifty times; its memory is right each time, and each child's.

# helper.bash and template.bash set the other variables.
# shellcheck disable=SC2034,SC2154

load helper
load template

fork_fifty_times() {
	boot web -mem-path "$memory,anyfs"
	for i in $(seq 50); do
		fill web 4M "$i"
		vm fork -q --name child web
		assert_filled child 4M "$i"
		assert_filled web 4M "$i"
		fill child 4M 99
		assert_filled web 4M "$i"
		vm stop --kill child
	done
	vm stop --kill --all
	[ -z "$(find "$memory" -type f)" ]
	assert_no_process
}

@test "fifty forks on tmpfs" {
	need_qemu
	mount -t tmpfs none "$memory"
	fork_fifty_times
}

@test "fifty forks on XFS" {
	need_qemu
	use_xfs 400M
	memory=$reflink
	fork_fifty_times
}

@test "fifty forks on btrfs" {
	need_qemu
	use_btrfs 400M
	memory=$reflink
	fork_fifty_times
}
