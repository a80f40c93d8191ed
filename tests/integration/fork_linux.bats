#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# fork_linux.bats - forks of one Linux guest with two disks, which goes on: first a child takes its
# place, then, on a file system with reflinks, it goes on itself.

# Words are split on purpose; helper.bash sets the other variables.
# shellcheck disable=SC2013,SC2034,SC2154

load helper
load linux

children=8

setup() {
	use_folder
}

teardown() {
	:
}

collect() { # FILE-OF-NAMES
	while read -r name; do
		wait_for "$state/$name/log" "became $name" 100
	done <"$1"
	while read -r name; do
		wait_tick "$name"
		said "$name" >"$T/$name"
	done <"$1"
}

setup_file() {
	need_linux
	use_folder
	mkdir "$memory"
	write_script
	boot
	wait_tick parent
	said parent >"$T/parent"
	vm fork --templates "$T/templates" -n "$children" --name child parent >"$T/forked"
	grep '^child-' "$T/forked" >"$T/names"
	collect "$T/names"
}

teardown_file() {
	use_folder
	"$EXOMEM" stop --state-dir "$state" --kill --all || true
	if mountpoint -q "$T/reflink"; then umount "$T/reflink"; fi
}

@test "children have an identity, random numbers and a disk of their own, and their parent's memory" {
	all_said identity >"$T/identities"
	assert_all_different "$T/identities"
	all_said first >"$T/random"
	assert_all_different "$T/random"
	run ! grep -f <(sed -n 's/^first //p' "$T/parent") "$T/random"
	all_said memory >"$T/memories"
	[ "$(wc -l <"$T/memories")" = "$children" ]
	[ "$(cut -d' ' -f2- "$T/memories" | sort -u)" = "$(parent_sum)" ]
	rest=$(sed -n 's/^vda .* rest //p' "$T/parent")
	for disk in vda vdb; do
		all_said "$disk" >"$T/$disk"
		[ "$(cut -d' ' -f2- "$T/$disk" | sort -u)" = "owner parent rest $rest" ]
	done
	while read -r name; do
		[ "$(sed -n '/^became /,$ s/^tick //p' "$T/$name" | sort -u)" = "vda=$name vdb=$name" ]
	done <"$T/names"
}

@test "the parent goes on, has not become another, and writes where the fork said" {
	said parent >"$T/later"
	[ "$(grep -c '^became' "$T/later")" = 1 ]
	before=$(count_ticks parent)
	wait_tick parent
	[ "$(said parent | sed -n 's/^tick //p' | tail -n 3 | sort -u)" = 'vda=parent vdb=parent' ]
	[ "$(grep -c '^  disk ' "$T/forked")" = 2 ]
	for disk in $(sed -n 's/^  disk  *//p' "$T/forked"); do [ -s "$disk" ]; done
	[ "$(vm show --json parent | jq -r '.disks[].path' | xargs)" = \
		"$(sed -n 's/^  disk  *//p' "$T/forked" | xargs)" ]
	# What is below is as it was at the fork, for children that are still to read it.
	qemu-img info -U --output json "$(sed -n 's/^  disk  *//p' "$T/forked" | head -n 1)" |
		jq -e --arg base "$T/disk.qcow2" '."backing-filename" == $base'
}

@test "a fork of a child, and a second one of the parent" {
	wait_tick child-3
	# Its disks are overlays without names, which only a template can give one.
	run vm fork --templates "$T/templates" child-3
	assert_refused 3 "'--keep'"
	wait_tick child-3
	vm fork -q --keep --templates "$T/templates" --name grandchild child-3 third
	wait_tick parent
	vm fork -q --templates "$T/templates" --name second parent
	printf '%s\n' grandchild second >"$T/both"
	collect "$T/both"
	for name in grandchild second; do
		[ "$(sed -n 's/^memory //p' "$T/$name")" = "$(parent_sum)" ]
		[ "$(sed -n '/^became /,$ s/^tick //p' "$T/$name" | sort -u)" = "vda=$name vdb=$name" ]
	done
	grep -qE '^vda owner child-3 rest ' "$T/grandchild"
	grep -qE '^vda owner parent rest ' "$T/second"
	wait_tick child-3
	[ "$(said child-3 | sed -n 's/^tick //p' | tail -n 2 | sort -u)" = 'vda=child-3 vdb=child-3' ]
	vm stop --kill --all
}

@test "with reflinks the parent's own process goes on, on overlays" {
	vm stop --kill --all
	mkdir -p "$T/reflink"
	truncate -s 900M "$T/xfs"
	mkfs.xfs -q "$T/xfs"
	mount -o loop "$T/xfs" "$T/reflink"
	memory=$T/reflink
	rm -f "$T/disk.qcow2"*
	boot
	wait_tick parent
	said parent >"$T/parent"
	pid=$(jq .pid "$state/parent/vm.json")
	vm fork --templates "$T/templates" -n 2 --name twin parent >"$T/forked"
	[ "$(jq .pid "$state/parent/vm.json")" = "$pid" ]
	grep '^twin-' "$T/forked" >"$T/twins"
	collect "$T/twins"
	while read -r name; do
		[ "$(sed -n 's/^memory //p' "$T/$name")" = "$(parent_sum)" ]
		grep -qE '^vda owner parent rest ' "$T/$name"
		[ "$(sed -n '/^became /,$ s/^tick //p' "$T/$name" | sort -u)" = "vda=$name vdb=$name" ]
	done <"$T/twins"
	wait_tick parent
	[ "$(said parent | sed -n 's/^tick //p' | tail -n 2 | sort -u)" = 'vda=parent vdb=parent' ]
	vm qmp parent query-block | jq -r '.[].inserted.file | select(.)' >"$T/open"
	diff <(sed -n 's/^  disk  *//p' "$T/forked" | sort) <(sort "$T/open")
}

@test "a child boots anew: it has its kernel, which it shares with the others" {
	[ -e "$LINUX/vmlinux" ] || skip 'no uncompressed kernel, which QEMU would map'
	vm qmp twin-1 system_reset
	wait_for "$state/twin-1/log" 'linux# ' 100
	said twin-1 | grep -q '^linux: identity name=twin-1 '
	[ "$(vm show --json twin-2 | jq -r .status)" = running ]
}
