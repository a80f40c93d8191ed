#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# clone_linux.bats - twenty clones of one Linux guest with two disks.
#
# They are started once, and each test looks at one thing.

# helper.bash sets the other variables.
# shellcheck disable=SC2034,SC2154

load helper
load linux

children=20

setup() {
	use_folder
}

teardown() {
	:
}

sums() {
	(cd "$T" && sha256sum disk.qcow2 raw.img base/*)
}

setup_file() {
	need_linux
	use_folder
	mkdir "$memory"
	write_script
	boot
	wait_tick parent
	said parent >"$T/parent"
	vm save parent "$T/base"
	sums >"$T/sums"
	vm clone -n "$children" --name child "$T/base" >"$T/names"
	while read -r name; do
		wait_for "$state/$name/log" "became $name" 100
	done <"$T/names"
	# From here on all have written.
	while read -r name; do
		wait_tick "$name"
		said "$name" >"$T/$name"
	done <"$T/names"
}

teardown_file() {
	use_folder
	"$EXOMEM" stop --state-dir "$state" --kill --all || true
}

@test "twenty clones have twenty identities, and know whose they are" {
	[ "$(sort -u "$T/names" | wc -l)" = "$children" ]
	all_said identity >"$T/identities"
	assert_all_different "$T/identities"
	sed -E 's/.* (uuid=[^ ]*) .*/x \1/' "$T/identities" >"$T/uuids"
	assert_all_different "$T/uuids"
	while read -r name identity; do
		[[ "$identity" == "name=$name index=${name#child-} uuid="*" parent=parent template=base" ]]
	done <"$T/identities"
}

@test "twenty clones read twenty different numbers from /dev/urandom at first" {
	all_said first >"$T/random"
	assert_all_different "$T/random"
	run ! grep -f <(sed -n 's/^first //p' "$T/parent") "$T/random"
}

@test "twenty clones have their parent's memory" {
	all_said memory >"$T/memories"
	cat "$T/memories"
	[ "$(wc -l <"$T/memories")" = "$children" ]
	[ "$(cut -d' ' -f2- "$T/memories" | sort -u)" = "$(parent_sum)" ]
}

@test "twenty clones have their parent's disks, and see nothing that others write" {
	rest=$(sed -n 's/^vda .* rest //p' "$T/parent")
	for disk in vda vdb; do
		all_said "$disk" >"$T/$disk"
		cat "$T/$disk"
		[ "$(wc -l <"$T/$disk")" = "$children" ]
		[ "$(cut -d' ' -f2- "$T/$disk" | sort -u)" = "owner parent rest $rest" ]
	done
	while read -r name; do
		[ "$(sed -n '/^became /,$ s/^tick //p' "$T/$name" | sort -u)" = "vda=$name vdb=$name" ]
	done <"$T/names"
}

@test "the parent's disks and the template are as they were" {
	sums | diff "$T/sums" -
	"$EXOMEM" template verify "$T/base"
}

@test "a clone of a saved clone has its disks and its memory" {
	wait_tick child-7
	vm save child-7 "$T/second"
	vm clone -n 2 --name grandchild "$T/second"
	rest=$(sed -n 's/^vda .* rest //p' "$T/parent")
	for name in grandchild-1 grandchild-2; do
		wait_for "$state/$name/log" "became $name" 60
		wait_tick "$name"
		said "$name" >"$T/$name"
		cat "$T/$name"
		grep -qE "^identity name=$name .* parent=child-7 template=second\$" "$T/$name"
		[ "$(sed -n 's/^memory //p' "$T/$name")" = "$(parent_sum)" ]
		for disk in vda vdb; do
			grep -qFx "$disk owner child-7 rest $rest" "$T/$name"
		done
		[ "$(sed -n '/^became /,$ s/^tick //p' "$T/$name" | sort -u)" = "vda=$name vdb=$name" ]
	done
	[ "$(sed -n 's/^first //p' "$T"/grandchild-? | sort -u | wc -l)" = 2 ]
	[ "$(vm show --json child-8 | jq -r .status)" = running ]
	sums | diff "$T/sums" -
}

@test "a template is held by its children, then by a template whose disks stand on its own" {
	run vm template remove "$T/second"
	assert_refused 5 "in use by 'grandchild-1', 'grandchild-2'"
	vm stop --kill --all
	run vm template remove "$T/base"
	assert_refused 5 "'$T/second'"
	"$EXOMEM" template verify "$T/base"
	"$EXOMEM" template verify "$T/second"
	vm template remove "$T/second"
	vm template remove "$T/base"
	[ ! -e "$T/base" ]
	[ ! -e "$T/second" ]
	[ -e "$T/disk.qcow2" ]
	[ -e "$T/raw.img" ]
	assert_empty "$memory"
	assert_guests
}
