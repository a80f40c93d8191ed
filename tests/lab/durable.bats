#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# durable.bats - the disk loses its power, or begins to fail, on ext4, XFS and btrfs: what a verb has
# said is there is there, and a guest whose memory cannot be written is not given up.

# lab: disk=1G timeout=1500

# bats, helper.bash and template.bash set the other variables.
# shellcheck disable=SC2030,SC2031,SC2034,SC2154

load lab

# QEMU is asked once, before anything is timed: that takes longest here.
setup_file() {
	export XDG_CACHE_HOME=$BATS_FILE_TMPDIR/cache
	for _ in 1 2 3 4 5; do
		! "$EXOMEM" probe >/dev/null || break
	done
}

# A file system at $memory on a disk that can be changed while it is used.
use_disk() { # TYPE
	modprobe -a dm_mod dm_flakey
	sectors=$(blockdev --getsz /dev/vdc)
	wipefs -qa /dev/vdc
	dmsetup create --noudevsync changing --table "0 $sectors linear /dev/vdc 0"
	dmsetup mknodes
	"mkfs.$1" -q /dev/mapper/changing
	mount "/dev/mapper/changing" "$memory"
	chmod 700 "$memory"
}

# From now on it is another one, for those too who have it open.
change_disk() { # TABLE
	dmsetup suspend --noudevsync --nolockfs --noflush changing
	dmsetup load changing --table "0 $sectors $1"
	dmsetup resume --noudevsync changing
}

# What was not written to the disk until now never is.
cut_power() {
	change_disk "flakey /dev/vdc 0 0 86400 1 drop_writes"
	umount "$memory"
	change_disk "linear /dev/vdc 0"
	mount /dev/mapper/changing "$memory"
}

fail_disk() {
	change_disk error
}

teardown() {
	for pid in $(ours); do
		kill -CONT "$pid" 2>/dev/null || true
		kill -KILL "$pid" 2>/dev/null || true
	done
	change_disk "linear /dev/vdc 0"
	until umount "$memory"; do sleep 0.2; done
	dmsetup remove --noudevsync changing
}

templates() { # VERB ARGUMENT...
	"$EXOMEM" "$1" --state-dir "$state" --templates "$memory/templates" "${@:2}" 3>&- 4>&-
}

# Fails unless the template is what it was, and a child has the guest's memory.
assert_template() { # NAME
	templates template verify "$1"
	templates clone --detach --name "child-of-$1" "$1"
	assert_filled "child-of-$1" 8M 7
	vm stop --kill "child-of-$1"
}

# Shared memory, private memory, and a fork, each cut at once.
assert_kept_on() { # TYPE
	use_disk "$1"
	boot web -mem-path "$memory,mode=create,anyfs"
	fill web 8M 7
	templates save -q web shared
	cut_power
	assert_template shared
	boot web
	fill web 8M 7
	templates save -q web private
	cut_power
	assert_template private
}

@test "a power cut when save has returned: ext4" {
	assert_kept_on ext4
}

@test "a power cut when save has returned: XFS" {
	assert_kept_on xfs
}

@test "a power cut when save has returned: btrfs" {
	assert_kept_on btrfs
}

# A guest that was handed over and not received yet.
assert_state_kept_on() { # TYPE
	use_disk "$1"
	boot web -mem-path "$memory,mode=create,mmap=shared,anyfs"
	fill web 8M 7
	vm migrate -q --to "$memory/state" web
	cut_power
	vm receive -q "$memory/state"
	assert_filled web 8M 7
}

@test "a power cut when migrate has returned: ext4" {
	assert_state_kept_on ext4
}

@test "a power cut when migrate has returned: XFS" {
	assert_state_kept_on xfs
}

@test "a power cut when migrate has returned: btrfs" {
	assert_state_kept_on btrfs
}

# No verb gives a guest up whose memory cannot be written; and none does later on.
assert_error_told_on() { # TYPE
	local verb
	use_disk "$1"
	for verb in 'save web base' 'fork --keep web base' "migrate --to $T/handover web"; do
		rm -f "$memory"/qemu_back_mem.*
		boot web -mem-path "$memory,mode=create,mmap=shared,anyfs"
		sync
		fill web 8M 7
		fail_disk
		# shellcheck disable=SC2086 # words
		run vm ${verb%% *} -q ${verb#* }
		echo "$verb: $output"
		[ "$status" != 0 ]
		[ "$(vm list -q)" = web ]
		[ "$(status_of web)" = running ]
		assert_empty "$T/templates"
		[ ! -e "$T/handover" ]
		vm stop --kill web
		change_disk "linear /dev/vdc 0"
		umount "$memory"
		"mkfs.$1" -q ${force-} /dev/mapper/changing
		mount /dev/mapper/changing "$memory"
		chmod 700 "$memory"
	done
}

@test "a disk that fails: ext4" {
	force=-F
	assert_error_told_on ext4
}

@test "a disk that fails: XFS" {
	force=-f
	assert_error_told_on xfs
}

@test "a disk that fails: btrfs" {
	force=-f
	assert_error_told_on btrfs
}
