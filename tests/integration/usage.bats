#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# exomem usage against what the kernel says of the same processes.

# helper.bash and template.bash set the other variables.
# shellcheck disable=SC2030,SC2031,SC2154

load helper
load template
load store

# The sum of a line of smaps_rollup over all guests, in bytes.
rollup() { # LINE
	for pid in $(jq .pid "$state"/*/vm.json); do cat "/proc/$pid/smaps_rollup"; done |
		awk -v line="$1:" '$1 == line { sum += $2 } END { printf "%.0f\n", sum * 1024 }'
}

# Bytes of anonymous pages that are mapped from the template's memory.
anonymous_of_memory() {
	for pid in $(jq .pid "$state"/*/vm.json); do cat "/proc/$pid/smaps"; done |
		awk -v file="$file" 'index($0, file) { ours = 1 } /^[0-9a-f]+-/ && !index($0, file) { ours = 0 }
			ours && $1 == "Anonymous:" { sum += $2 } END { printf "%.0f\n", sum * 1024 }'
}

# Children that rest, so that their memory does, each of which has written 1 MiB.
make_children() { # COUNT
	boot_and_save web
	vm clone --detach -n "$1" web >"$T/names"
	while read -r name; do
		dirty "$name" 1M 3
		vm qmp "$name" stop >/dev/null
	done <"$T/names"
}

# A QEMU whose guest was just stopped gives a little back for a while. Its share of libraries (Pss)
# changes with whoever else maps them, exomem for one: that cannot be compared.
read_usage() {
	local before='' now=''
	until [ -n "$now" ] && [ "$now" = "$before" ]; do
		before=$now
		sleep 0.5
		usage=$(vm usage --json)
		now=$(jq -c '[.guests[] | .rss, .copied]' <<<"$usage")
	done
}

check_sums() { # COUNT
	make_children "$1"
	read_usage
	# The kernel may take a page of one of them at any time: then what is said lies in between.
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		before=$(rollup Rss)
		usage=$(vm usage --json)
		after=$(rollup Rss)
		[ "$before" != "$after" ] || break
	done
	said=$(jq '[.guests[].rss] | add' <<<"$usage")
	echo "$before $said $after" "$usage"
	[ "$(jq '.guests | length' <<<"$usage")" = "$1" ]
	[ "$said" -ge $((before < after ? before : after)) ]
	[ "$said" -le $((before > after ? before : after)) ]
	[ "$(jq .copied <<<"$usage")" = "$(anonymous_of_memory)" ]
	[ "$(jq .copied <<<"$usage")" -ge $(($1 * 1048576)) ]
	[ "$(jq .files <<<"$usage")" -le $((64 << 20)) ]
	[ "$(jq '.all - .files - .copied - .qemu' <<<"$usage")" = 0 ]
}

@test "one child: what is said is what smaps_rollup says" {
	need_qemu
	check_sums 1
}

@test "ten children: what is said is what smaps_rollup says" {
	need_qemu
	check_sums 10
}

@test "fifty children: what is said is what smaps_rollup says" {
	need_qemu
	check_sums 50
	[ "$(jq .alone <<<"$usage")" -gt "$(jq '.copied + .qemu' <<<"$usage")" ]
}

@test "a file's blocks and dirty pages are those of the file" {
	need_qemu
	use_file_system ext4 200M
	memory=$reflink
	boot web -mem-path "$memory,mode=create,anyfs"
	fill web 16M 7
	[ "$(vm usage --json | jq .blocks)" = $(($(stat -c %b "$memory/$file") * 512)) ]
	vm qmp web stop
	sync -f "$memory"
	[ "$(vm usage --json | jq .dirty)" = 0 ]
}

@test "--map tells what a child has copied from what it shares" {
	need_qemu
	boot_and_save web
	vm clone --detach web
	dirty web-1 4M 3
	map=$(vm usage --map web-1)
	echo "$map"
	# 64 MiB are 256 cells: 4 MiB from 2 MiB on are copied, and what lies behind is not.
	[[ $(head -n 1 <<<"$map") = *'████████████████'* ]]
	[ "$(sed -n 2,3p <<<"$map" | grep -c '█')" = 0 ]
	vm usage --svg "$T/map.svg" web-1
	grep -q '<svg xmlns' "$T/map.svg"
	[ "$(grep -c '#c0504d' "$T/map.svg")" -ge 16 ]
	run vm usage --map gone
	assert_refused 5 'gone'
}

@test "--watch prints again and again, and --map does not" {
	need_qemu
	boot web -mem-path "$memory,anyfs"
	vm usage --watch >"$T/watched" &
	watcher=$!
	deadline=$((SECONDS + 20))
	until [ "$(grep -c '^NAME' "$T/watched")" -ge 2 ]; do
		[ "$SECONDS" -lt "$deadline" ]
		sleep 0.1
	done
	kill "$watcher"
	run vm usage --watch --map web
	assert_refused 2 'exclude each other'
}

@test "children of a fork: their memory file has no name, and counts once" {
	need_qemu
	boot web -mem-path "$memory,anyfs"
	fill web 8M 7
	vm fork -q -n 3 web
	dirty web-1 1M 3
	usage=$(vm usage --json)
	[ "$(jq '.guests[] | select(.name == "web-1") | .copied' <<<"$usage")" -ge 1048576 ]
	[ "$(jq '.guests[] | select(.name == "web-2") | .copied' <<<"$usage")" -lt 1048576 ]
	[ "$(jq .files <<<"$usage")" -ge $((8 << 20)) ]
	[ "$(jq .files <<<"$usage")" -le $((64 << 20)) ]
}

@test "a memory file that was deleted under its guest counts until it ends, and that is said" {
	need_qemu
	boot web -mem-path "$memory,mode=create,mmap=shared,anyfs"
	fill web 8M 7
	before=$(vm usage --json | jq .files)
	rm "$memory/$file"
	run -0 --separate-stderr vm usage
	[ "$stderr" = "exomem usage: warning: guest 'web': memory file '$memory/$file' was deleted, moved \
or replaced: nobody else finds it" ]
	usage=$(vm usage --json)
	[ "$(jq -r '.guests[0].lost' <<<"$usage")" = "$memory/$file" ]
	[ "$(jq .files <<<"$usage")" -ge "$before" ]
	[ "$(jq '.guests[0].mapped' <<<"$usage")" -ge $((8 << 20)) ]
	vm usage --map web | grep -q '▒'
	configure 1024
	[ "$(vm capacity --json --config "$T/conf" | jq .store.committed)" = $((64 << 20)) ]
	for verb in save fork "migrate --to $T/x"; do
		# shellcheck disable=SC2086 # words
		run vm $verb web
		assert_refused 5 "'$memory/$file' was deleted, moved or replaced: guest 'web' goes on until it ends"
	done
	assert_unharmed web
	vm stop --kill web
	[ "$(vm list -q)" = '' ]
	assert_empty "$memory"
}

# Two empty tmpfs give their files the same inode numbers.
@test "a file of another file system with the same inode number is not taken for the guest's memory" {
	need_qemu
	need_root 'mounts tmpfs'
	mkdir "$reflink"
	mount -t tmpfs none "$memory" || skip 'cannot mount tmpfs here'
	mount -t tmpfs none "$reflink"
	boot web -mem-path "$memory,mode=create,prealloc=off,anyfs" \
		-m slots=1,maxmem=512M -device pc-dimm,memdev=spare \
		-object "memory-backend-file,id=spare,mem-path=$reflink/spare,size=32M,share=on,prealloc=on"
	[ "$(stat -c %i "$memory/$file")" = "$(stat -c %i "$reflink/spare")" ]
	[ "$(stat -c %d "$memory/$file")" != "$(stat -c %d "$reflink/spare")" ]
	mapped=$(vm usage --json | jq '.guests[0].mapped')
	[ "$mapped" -gt 0 ]
	[ "$mapped" -lt $((32 << 20)) ]
	[ "$(vm usage --map web | grep -o '▒' | wc -l)" -lt 128 ]
}

assert_mapped() { # NAME
	[ "$(vm usage --json "$1" | jq '.guests[0].mapped')" -ge $((8 << 20)) ]
	vm usage --map "$1" | grep -q '▒'
	vm reclaim "$1" 1M
}

# The kernel shows other device numbers in /proc/PID/maps than stat(2) does.
@test "memory in a subvolume of btrfs is found in QEMU" {
	need_qemu
	use_btrfs 200M
	command -v btrfs >/dev/null || skip 'no btrfs here'
	btrfs -q subvolume create "$reflink/sub"
	boot web -mem-path "$reflink/sub,mode=create,anyfs"
	fill web 8M 7
	[ "$(stat -c %d "$reflink/sub/$file")" != "$(stat -c %d "$reflink")" ]
	assert_mapped web
}

@test "memory on overlayfs, whose layers are on another file system, is found in QEMU" {
	need_qemu
	need_root 'mounts overlayfs'
	mkdir "$reflink"
	mount -t tmpfs none "$reflink" || skip 'cannot mount tmpfs here'
	mkdir "$reflink/lower" "$reflink/upper" "$reflink/work" "$T/lower"
	mount -t overlay -o "lowerdir=$T/lower:$reflink/lower,upperdir=$reflink/upper,workdir=$reflink/work" \
		none "$memory" || skip 'cannot mount overlayfs here'
	boot web -mem-path "$memory,mode=create,anyfs"
	fill web 8M 7
	assert_mapped web
}
