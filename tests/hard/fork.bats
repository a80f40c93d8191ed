#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# fork.bats - two children of a running guest, with a system call that fails.

# bats and hard.bash set the other variables.
# shellcheck disable=SC2011,SC2034,SC2086,SC2154,SC2206

load hard

# Path of the guest's disk, where it has one.
disk=''

# An overlay more for each fork of a guest with a disk.
many_overlays() {
	[ "$(find "$T" -maxdepth 1 -name 'disk.*' | wc -l)" -gt 20 ]
}

prepare() {
	! is_fit web || many_overlays || return 0
	start_over
	rm -f "$T"/disk.*
	[ -z "$disk" ] || qemu-img create -q -f qcow2 "$disk" 1M
	boot web -mem-path "$memory,anyfs" ${disk:+-drive "file=$disk,format=qcow2,if=virtio"}
	fill web 8M 7
}

set_command() {
	command=("$EXOMEM" fork --state-dir "$state" --templates "$T/templates" -n 2 -q web)
}

# The parent goes on, and those of its children that run have its memory.
check_family() {
	local name
	check_processes
	for name in $(vm list -q); do
		[ "$(status_of "$name" 2>/dev/null)" = running ] || complain lost "$name does not run"
		check_filled "$name"
	done
	[ "$(vm list -q | grep -cx web)" = 1 ] || complain lost 'the parent has gone'
	vm list -q | grep -vx web | xargs -r "$EXOMEM" stop --kill --state-dir "$state" >/dev/null 2>&1
	vm clean >/dev/null
	[ "$(ls "$state")" = web ] || complain lost "left in the state directory: $(ls "$state" | xargs)"
	[ -z "$(find "$T/templates" -mindepth 1 2>/dev/null)" ] || complain lost 'half a template is left'
}

check_done() {
	[ "$(vm list -q | grep -vcx web)" = 2 ] || complain lost "children: $(vm list -q | xargs)"
	check_family
}

check_failed() {
	[ "$(sort "$T/out")" = "$(vm list -q | grep -vx web)" ] ||
		complain wrong "printed $(xargs <"$T/out"), and there are $(vm list -q | xargs)"
	check_family
}

# What the next fork needs is there: the record says which disk the guest writes to.
check_forks_again() {
	vm fork -q --name again web >/dev/null 2>"$T/answer" ||
		complain lost "cannot be forked any more: $(cat "$T/answer")"
	check_family
}

check_killed() {
	check_family
	[ -z "$disk" ] || check_forks_again
}

# Children that run have its memory, and none waits for ever.
check_guest_killed() {
	local name
	vm clean >/dev/null
	check_processes
	for name in $(vm list -q); do
		[ "$(status_of "$name" 2>/dev/null)" = running ] || complain lost "$name does not run"
		check_filled "$name"
	done
	vm stop --kill --all >/dev/null 2>&1
	vm clean >/dev/null
	[ -z "$(ls "$state")" ] || complain lost "left in the state directory: $(ls "$state" | xargs)"
	[ -z "$(find "$T/templates" -mindepth 1 2>/dev/null)" ] || complain lost 'half a template is left'
}

@test "fork -n 2, with each system call failing" {
	fault_sweep fork
}

@test "fork -n 2 with reflinks, with each system call failing" {
	need_qemu
	use_xfs 400M
	memory=$reflink
	fault_sweep fork-reflink
}

@test "fork -n 2 of a guest with a disk, with each system call failing" {
	disk=$T/disk.qcow2
	fault_sweep fork-disk
}

@test "fork -n 2 of a guest with a disk with reflinks, with each system call failing" {
	need_qemu
	use_xfs 400M
	memory=$reflink
	disk=$T/disk.qcow2
	fault_sweep fork-disk-reflink
}
