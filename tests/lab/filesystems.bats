#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# filesystems.bats - guests and templates with their memory on the lab's disk: ext4, XFS and btrfs.

# lab: disk=1G

# bats and lab.bash set the other variables.
# shellcheck disable=SC2154

load lab

# Saves a guest whose memory is on a new file system of this type, and compares two children with it.
assert_shared_on() { # TYPE
	local before
	lab_disk "$1" "$memory"
	boot_and_save web
	[ "$(stat -f -c %T "$memory")" != tmpfs ]
	before=$(sha256sum "$memory/$file")
	vm clone --detach -n 2 web
	for child in web-1 web-2; do
		assert_filled "$child" 8M 7
		fill "$child" 8M 8
	done
	[ "$(sha256sum "$memory/$file")" = "$before" ]
	vm template verify web
	[ "$(findmnt -n -o FSTYPE "$memory")" = "$1" ]
}

@test "a template's memory on ext4" {
	assert_shared_on ext4
}

@test "a template's memory on XFS, whose files share blocks" {
	assert_shared_on xfs
	cp --reflink=always "$memory/$file" "$memory/copy"
}

@test "a template's memory on btrfs, whose files share blocks" {
	assert_shared_on btrfs
	cp --reflink=always "$memory/$file" "$memory/copy"
}
