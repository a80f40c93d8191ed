#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# durable.bats - what is synced before a manifest names it.

# bats, helper.bash and template.bash set the other variables.
# shellcheck disable=SC2030,SC2031,SC2034,SC2154

load helper
load template

# Its name in a regular expression.
ram=${file//+/[+]}

# Runs a verb, and leaves in $T/calls what it has synced and renamed, by path, in order.
trace() { # VERB ARGUMENT...
	local verb=$1
	shift
	strace -qq -y -s 4096 -e signal=none -e trace=fsync,fdatasync,rename -o "$T/trace" \
		"$EXOMEM" "$verb" --state-dir "$state" "$@" >/dev/null 3>&-
	sed -En 's/^fsync\([0-9]+<(.*)>(\(deleted\))?\) += 0$/sync \1/p; s/^rename\("(.*)", "(.*)"\) += 0$/rename \1 \2/p' \
		"$T/trace" >"$T/calls"
}

# Fails unless each path that matches was synced before the first rename that matches.
assert_synced_before() { # RENAME PATH...
	local commit path at
	commit=$(grep -nE -m 1 -- "^rename $1\$" "$T/calls" | cut -d: -f1)
	[ -n "$commit" ]
	shift
	for path in "$@"; do
		at=$(grep -nE -m 1 -- "^sync $path\$" "$T/calls" | cut -d: -f1)
		if [ -z "$at" ] || [ "$at" -gt "$commit" ]; then
			echo "$path is not synced before line $commit of:"
			cat "$T/calls"
			return 1
		fi
	done
}

@test "save of private memory: all of the template is synced before it has its place" {
	need_strace
	boot web
	fill web 8M 7
	trace save -q web "$T/one/two/new"
	making="$T/one/two/\.new\.[0-9a-f]{4}"
	assert_synced_before "$making $T/one/two/new" "$T" "$T/one" "$making" "$making/$ram" \
		"$making/devices" "$making/manifest.json.{7}"
	[ "$(tail -n 1 "$T/calls")" = "sync $T/one/two" ]
}

@test "save of shared memory and a disk: those are synced too, and the marker" {
	need_strace
	truncate -s 1M "$T/disk"
	boot web -mem-path "$memory,mode=create,anyfs" -drive "file=$T/disk,format=raw,if=virtio"
	trace save -q web "$T/templates/new"
	making="$T/templates/\.new\.[0-9a-f]{4}"
	assert_synced_before "$making $T/templates/new" "$memory/$ram" "$memory/$ram.template.{7}" \
		"$memory" "$T/disk" "$making/disk0.qcow2" "$making"
}

@test "save of memory without a name, in another directory: its name is synced" {
	need_strace
	need_root 'mounts tmpfs'
	mount -t tmpfs -o mode=700 none "$memory"
	boot web -mem-path "$memory"
	trace save -q web "$T/templates/new"
	making="$T/templates/\.new\.[0-9a-f]{4}"
	# The kernel calls a descriptor as the file was called when that was made.
	assert_synced_before "$making $T/templates/new" "$memory/(#[0-9]+|$ram.new-[0-9a-f]{4})" \
		"$memory" "$making"
}

@test "save of a child: its disk and the link to the heir are synced" {
	need_strace
	truncate -s 1M "$T/disk"
	boot web -mem-path "$memory,mode=create,anyfs" -drive "file=$T/disk,format=raw,if=virtio"
	vm save -q web "$T/templates/base"
	"$EXOMEM" clone --state-dir "$state" --detach "$T/templates/base" 3>&- >/dev/null
	trace save -q base-1 "$T/templates/new"
	making="$T/templates/\.new\.[0-9a-f]{4}"
	assert_synced_before "$making $T/templates/new" "$T/templates/base" "$making/disk0-base.qcow2" \
		"$making/disk0.qcow2" "$making"
}

@test "fork --keep: all of the template is synced before its manifest is there" {
	need_strace
	boot web -mem-path "$memory,mode=create,anyfs"
	trace fork -q --keep --name child web "$T/templates/new"
	new=$T/templates/new
	assert_synced_before "$new/manifest.json.{7} $new/manifest.json" "$new" "$new/devices" \
		"$T/templates" "$memory/$ram"
}

# Fails unless the guest runs as before, and nothing of a template is there.
assert_no_template() {
	assert_unharmed web
	assert_empty "$T/templates"
}

# Fails each sync of a save in turn: of none the error is dropped.
@test "save: whichever sync fails, it is an error" {
	need_strace
	boot web
	fill web 8M 7
	mkdir "$T/templates"
	for ((n = 1; n < 30; n++)); do
		run strace -qq -e signal=none -e trace=fsync -e inject=fsync:error=EIO:when=$n \
			-o /dev/null "$EXOMEM" save -q --state-dir "$state" web "$T/templates/new" 3>&-
		[ ! -e "$T/templates/new" ] || break
		echo "sync number $n: $output"
		assert_refused 1 'Input/output error'
		assert_no_template
	done
	echo "sync number $n: $output"
	# Its name is synced last, and the guest has ended.
	[ "$n" -gt 5 ]
	assert_refused 1 "'$T/templates/new' is complete, but may be lost"
	vm template verify "$T/templates/new"
	[ -z "$(vm list -q)" ]
}

@test "memory on a tmpfs: the manifest says which boot it is of, and another one refuses it" {
	need_qemu
	need_root 'mounts tmpfs'
	mount -t tmpfs -o mode=700 none "$memory"
	boot_and_save web
	manifest=$T/templates/web/manifest.json
	[ "$(jq -r '.schema, ."boot-id"' "$manifest")" = "2
$(cat /proc/sys/kernel/random/boot_id)" ]
	vm template verify web
	jq '."boot-id" = "another"' "$manifest" >"$T/manifest"
	cp "$T/manifest" "$manifest"
	run vm template verify web
	[ "$status" = 5 ]
	[[ $output = *'its memory was on a file system that is itself in memory'* ]]
	run vm clone --detach web
	assert_refused 5 "template 'web': its memory was on a file system that is itself in memory"
	vm template remove web
}

# The disk of $reflink as it is at this moment: what is in the page cache alone is gone. A copy during
# which the file system wrote is no moment of it, and is made again.
cut_power() { # TYPE
	until cp --sparse=always "$T/$1.image" "$T/cut.image" && cmp -s "$T/$1.image" "$T/cut.image"; do
		:
	done
	umount "$reflink"
	mv "$T/cut.image" "$T/$1.image"
	# A namespace that others have made meanwhile may still have the old one mounted.
	case $1 in
	xfs) mount -t xfs -o loop,nouuid "$T/$1.image" "$reflink" ;;
	*) mount -t "$1" -o loop "$T/$1.image" "$reflink" ;;
	esac
}

# Fails unless the template is what it was, and a child has the guest's memory.
assert_kept() { # NAME
	run "$EXOMEM" template --templates "$reflink/templates" verify "$1"
	echo "$output"
	[ "$status" = 0 ]
	vm clone --detach --name "of-$1" "$reflink/templates/$1" >/dev/null
	assert_filled "of-$1" 8M 7
	vm stop --kill "of-$1"
}

# A power cut as soon as each verb has returned.
assert_kept_on() { # TYPE SIZE
	need_qemu
	use_file_system "$1" "$2"
	boot web -mem-path "$reflink,mode=create,anyfs,prealloc=off"
	fill web 8M 7
	"$EXOMEM" save -q --state-dir "$state" web "$reflink/templates/shared"
	cut_power "$1"
	assert_kept shared
	boot web
	fill web 8M 7
	"$EXOMEM" save -q --state-dir "$state" web "$reflink/templates/private"
	cut_power "$1"
	assert_kept private
	mkdir "$reflink/moving"
	boot web -mem-path "$reflink/moving,mode=create,mmap=shared,anyfs,prealloc=off"
	fill web 8M 7
	vm migrate -q --to "$reflink/moving/state" web
	cut_power "$1"
	vm receive -q "$reflink/moving/state"
	assert_filled web 8M 7
}

@test "a power cut on ext4" {
	assert_kept_on ext4 400M
}

@test "a power cut on XFS" {
	assert_kept_on xfs 400M
}

@test "a power cut on btrfs" {
	assert_kept_on btrfs 400M
}
