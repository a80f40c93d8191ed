#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# write_back.bats - memory that cannot be written to its file: no verb gives such a guest up.

# bats, helper.bash and template.bash set the other variables.
# shellcheck disable=SC2030,SC2031,SC2034,SC2154

load helper
load template
load migrate

# A loop device lets go of its file a moment after the file system is unmounted.
teardown() {
	for pid in $(ours) $pids; do
		kill -KILL "$pid" 2>/dev/null || true
	done
	rm -f "$reflink/filler"
	for place in "$memory" "$reflink"; do
		for ((n = 0; n < 300; n++)); do
			mountpoint -q "$place" || break
			umount "$place" 2>/dev/null || sleep 0.1
		done
	done
	rm -rf "$T"
}

# An ext4 at $memory that has room, on a disk that has none once fill_disk is called: what is written to
# the files is taken, and lost when it is written back.
use_thin_disk() {
	need_root 'mounts ext4'
	mkdir "$reflink"
	mount -t tmpfs -o size=32M none "$reflink"
	truncate -s 256M "$reflink/image"
	PATH=$PATH:/usr/sbin:/sbin mkfs.ext4 -q -O ^has_journal -m 0 "$reflink/image"
	mount -o loop "$reflink/image" "$memory" || lacks ext4 'cannot mount ext4 from a file here'
	chmod 0700 "$memory"
}

# Room is left for what exomem writes, but not for memory.
fill_disk() {
	sync -f "$memory"
	head -c 32M /dev/zero >"$reflink/filler" 2>/dev/null || true
	truncate -s -1M "$reflink/filler"
}

# A guest with 8 MiB that are in memory alone, and for which the disk has no room.
boot_doomed() {
	need_qemu
	use_thin_disk
	elsewhere
	boot web -mem-path "$memory,mode=create,mmap=shared,anyfs,prealloc=off"
	fill_disk
	fill web 8M 7
}

# Fails unless a verb was refused because of the disk, and what it has begun is undone.
assert_told() { # STATUS-OF-GUEST
	echo "$output"
	[ "$status" = 1 ] || [ "$status" = 4 ]
	[[ "$output" =~ cannot\ sync\ .*:\ (Input/output\ error|No\ space\ left\ on\ device)$ ]]
	[ "$(vm list -q)" = web ]
	[ "$(status_of web)" = "$1" ]
	assert_empty "$T/templates"
	[ ! -e "$T/handover" ]
	[ -z "$(find "$memory" -mindepth 1 -not -name 'qemu_back_mem.*' -not -name lost+found)" ]
	jq -r '."memory-error"' "$state/web/vm.json" | grep -q '^cannot sync '
}

# Fails unless each verb refuses the guest from now on: the kernel does not report the error again.
assert_refused_from_now_on() {
	local verb
	[ "$(status_of web)" = running ] || vm qmp web cont >/dev/null
	for verb in 'save web base' 'fork --keep web base' "migrate --to $T/handover web"; do
		# shellcheck disable=SC2086 # words
		run vm ${verb%% *} -q ${verb#* }
		assert_refused 5 "guest 'web' may have lost memory"
	done
	[ "$(vm list -q)" = web ]
}

@test "migrate of a guest that is paused" {
	boot_doomed
	vm qmp web stop >/dev/null
	run vm migrate -q --to "$T/handover" web
	assert_told paused
	assert_refused_from_now_on
}

@test "migrate of a guest that runs, to another host" {
	boot_doomed
	run move -q web other
	assert_told running
	[ -z "$(there vm list -q)" ]
	assert_refused_from_now_on
}

@test "save" {
	boot_doomed
	run vm save -q web base
	assert_told running
	assert_refused_from_now_on
}

@test "fork" {
	boot_doomed
	run vm fork -q --keep web base
	assert_told running
	assert_refused_from_now_on
}

@test "an error that another program was told of is told to QEMU's own descriptor" {
	boot_doomed
	run sync "$memory/$file"
	[ "$status" != 0 ]
	# The disk takes all from now on, but not what it has not taken before.
	rm "$reflink/filler"
	for _ in 1 2 3 4; do
		sync "$memory/$file" || continue
		break
	done
	sync "$memory/$file"
	vm qmp web stop >/dev/null
	run vm migrate -q --to "$T/handover" web
	assert_told paused
}

@test "reclaim: a page that cannot be written is not dropped" {
	boot_doomed
	run vm reclaim web 64M
	assert_told running
	assert_filled web 8M 7
	assert_refused_from_now_on
}
