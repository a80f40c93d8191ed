#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# exomem fork: children of a guest that goes on, on file systems with and without reflinks.

# Words are split on purpose; bats, helper.bash and template.bash set the other variables.
# shellcheck disable=SC2030,SC2031,SC2034,SC2086,SC2154

load helper
load template

# Starts a guest on memory without a name, and fills 8 MiB of it with key 7.
boot_parent() { # NAME EXOMEM-RUN-ARGUMENT...
	boot "$1" -mem-path "$memory,anyfs" "${@:2}"
	fill "$1" 8M 7
}

# Nothing is left of the fork itself: no directory of a template, no place of an heir.
assert_tidy() {
	[ -z "$(find "$T/templates" -mindepth 1 2>/dev/null)" ]
	[ -z "$(find "$state" -name '*heir*')" ]
	[ -z "$(find "$memory" -type f)" ]
}

@test "without reflinks a child takes the parent's place: its name, directory, console and log" {
	need_qemu
	boot_parent web
	old=$(pid_of web)
	run vm fork -n 3 web
	[ "$status" = 0 ]
	[ "${lines[0]}" = web-1 ]
	[ "$(printf '%s\n' "${lines[@]:0:3}" | sort | xargs)" = 'web-1 web-2 web-3' ]
	[[ "${lines[-1]}" =~ ^\ \ pause\ +[0-9]+\.[0-9]\ ms$ ]]
	[ "$(vm list -q | xargs)" = 'web web-1 web-2 web-3' ]
	[ "$(pid_of web)" != "$old" ]
	has_ended "$old"
	[ "$(vm logs web | grep -c 'tiny: up')" = 1 ]
	[ "$(vm show web --json | jq -r .name)" = web ]
	for name in web web-1 web-2 web-3; do assert_unharmed "$name"; done
	dirty web 8M 1
	dirty web-2 8M 2
	assert_filled web-1 8M 7
	assert_filled web-3 8M 7
	assert_tidy
	vm stop --kill --all
	[ -z "$(vm list -q)" ]
	assert_no_process
}

@test "the parent keeps who it is; children are told who they are" {
	need_qemu
	boot_parent web
	uuid=$(vm show web --json | jq -r .uuid)
	guid=$(vm qmp web query-vm-generation-id | jq -r .guid)
	vm fork -q -n 2 web
	[ "$(vm show web --json | jq -r .uuid)" = "$uuid" ]
	[ "$(vm qmp web query-vm-generation-id | jq -r .guid)" = "$guid" ]
	for i in 1 2; do
		[ "$(vm qmp "web-$i" query-vm-generation-id | jq -r .guid)" != "$guid" ]
		[[ "$(ask "web-$i" identity '^identity: ')" == *"name=web-$i index=$i "*"parent=web"* ]]
	done
	[ "$(vm show web-1 --json | jq -r '.parent, .template')" = $'web\nnull' ]
}

fork_with_reflinks() {
	boot web -mem-path "$memory,$1anyfs"
	fill web 8M 7
	old=$(pid_of web)
	vm fork -q -n 2 web
	[ "$(pid_of web)" = "$old" ]
	fill web 8M 9
	assert_filled web-1 8M 7
	fill web-1 8M 3
	assert_filled web-2 8M 7
	assert_filled web 8M 9
	vm fork -q web
	assert_filled web-3 8M 9
	assert_unharmed web-2
	[ "$(find "$memory" -type f | wc -l)" = "$2" ]
	[ -z "$(find "$T/templates" -mindepth 1 2>/dev/null)" ]
}

@test "with reflinks on XFS the parent goes on in its own process" {
	need_qemu
	use_xfs 400M
	memory=$reflink
	fork_with_reflinks '' 0
}

@test "with reflinks on btrfs, and a file with a name" {
	need_qemu
	use_btrfs 400M
	memory=$reflink
	fork_with_reflinks mode=create,mmap=shared, 1
}

@test "reserved blocks that a reflink would share: refused where they could not be had again" {
	need_qemu
	use_xfs 400M
	memory=$reflink
	boot web -mem-path "$memory,mode=create,mmap=shared,anyfs"
	boot sparse -mem-path "$memory,mode=temp,mmap=shared,prealloc=off,anyfs"
	fill web 8M 7
	free=$(df --output=avail -B1 "$memory" | tail -1)
	fallocate -l $((free - (40 << 20))) "$memory/full"
	run vm fork -q web
	assert_refused 4 "the blocks of guest 'web' are reserved, and would be shared: when it writes, it needs up to 64 MiB"
	assert_unharmed web
	[ -z "$(find "$T/templates" -mindepth 1 2>/dev/null)" ]
	# One that was promised nothing.
	vm fork -q sparse
	vm fork -q --overcommit web
	assert_filled web-1 8M 7
	forget web-1
	rm "$memory/full"
	vm fork -q web
	assert_filled web-1 8M 7
}

@test "a fork of a fork of a fork, with a host port for each" {
	need_qemu
	boot_parent web -netdev "user,id=n,hostfwd=tcp::@{index+22300}-:22" -device e1000,netdev=n
	vm fork -q web
	fill web-1 8M 11
	vm fork -q web-1 --name second
	assert_filled second 8M 11
	assert_unharmed web
	fill second 8M 12
	vm fork -q -n 2 second --name third
	dirty second 8M 1
	for name in $(vm list -q | grep third); do assert_filled "$name" 8M 12; done
	[ "$(vm list -q | grep -c third)" = 2 ]
	assert_filled web-1 8M 11
	fill web 8M 13
	vm fork -q web --name fourth
	assert_filled fourth 8M 13
	assert_tidy
}

# The guest's record says which file it writes.
disk_of() { # NAME
	jq -r '.disks[0].path' "$state/$1/vm.json"
}

@test "a disk with a relative path: each fork puts an overlay on it, and it can be brought back" {
	need_qemu
	use_xfs 400M
	memory=$reflink
	cd "$T"
	qemu-img create -q -f qcow2 disk.qcow2 1M
	boot_parent web -drive file=disk.qcow2,format=qcow2,if=virtio
	cd /
	vm fork -q web
	one=$(disk_of web)
	[[ "$one" =~ ^"$T/disk.qcow2.web-"[0-9a-f]{4}".qcow2"$ ]]
	vm fork --json web >"$T/forked"
	two=$(disk_of web)
	[ "$(jq -r '.disks[0]' "$T/forked")" = "$two" ]
	[ "$one" != "$two" ]
	[ "$(qemu-img info -U --output=json "$two" | jq -r '."full-backing-filename"')" = "$one" ]
	for name in web web-1 web-2; do assert_unharmed "$name"; done
	vm save -q web base
	forget web-1 web-2
	vm template remove base
	qemu-img commit -q -b "$T/disk.qcow2" "$two"
	rm "$one" "$two"
	qemu-img check -q "$T/disk.qcow2"
}

@test "with a disk and without reflinks the one that takes the place has the disk" {
	need_qemu
	qemu-img create -q -f qcow2 "$T/disk.qcow2" 1M
	boot_parent web -drive "file=$T/disk.qcow2,format=qcow2,if=virtio"
	vm fork -q web
	[[ "$(disk_of web)" == "$T/disk.qcow2.web-"* ]]
	[ "$(disk_of web-1)" = null ]
	for name in web web-1; do assert_unharmed "$name"; done
	vm fork -q web
	assert_unharmed web
}

@test "--keep where templates are on the file system of the memory" {
	need_qemu
	boot_parent web
	[ "$(stat -c %d "$memory")" = "$(stat -c %d "$T")" ]
	vm fork -q --keep web base
	vm template verify base
	vm clone --detach --name late base
	for name in web base-1 late; do assert_unharmed "$name"; done
	vm stop --kill --all
	vm template remove base
	[ -z "$(find "$T/templates" "$memory" -mindepth 1)" ]
}

@test "--keep leaves a template, in each of the three ways" {
	need_qemu
	boot web -mem-path "$memory,mode=create,mmap=shared,anyfs"
	fill web 8M 7
	run vm fork -q web
	[ "$status" = 3 ]
	[[ "$output" == *"'--keep'"* ]]
	vm fork -q --keep web base
	# A child of its own by now, whose memory is private.
	vm fork -q --keep web again
	[ "$(vm template list -q | xargs)" = 'again base' ]
	vm template verify base
	vm template verify again
	run vm template remove base
	[ "$status" = 5 ]
	vm clone --detach --name late base
	vm clone --detach --name later again
	for name in $(vm list -q); do assert_filled "$name" 8M 7; done
	dirty web 8M 1
	assert_filled late 8M 7
	vm stop --kill --all
	vm template remove base
	vm template remove again
	[ -z "$(find "$T/templates" "$memory" -mindepth 1)" ]
}

@test "--keep with reflinks" {
	need_qemu
	use_xfs 400M
	memory=$reflink
	boot_parent web
	vm fork -q --keep web base
	dirty web 8M 1
	vm clone --detach --name late base
	assert_filled late 8M 7
	assert_filled web-1 8M 7 || assert_filled base-1 8M 7
	vm stop --kill --all
	vm template remove base
	[ -z "$(find "$memory" -type f)" ]
}

@test "--paused: children wait for 'cont', the parent does not" {
	need_qemu
	boot_parent web
	vm fork -q --paused -n 2 web
	[ "$(status_of web)" = running ]
	[ "$(status_of web-1)" = paused ]
	[ "$(status_of web-2)" = paused ]
	vm qmp web-2 cont
	assert_unharmed web-2
}

@test "a guest in the foreground is refused, unless its memory can be reflinked" {
	need_qemu
	"$EXOMEM" run --state-dir "$state" --name web ${tiny/-serial stdio/-serial "file:$T/out"} \
		-mem-path "$memory,anyfs" 3>&- </dev/null >/dev/null 2>&1 &
	pids="$pids $!"
	wait_for "$T/out" 'tiny: up'
	run vm fork web
	[ "$status" != 0 ]
	[ "${#lines[@]}" = 1 ]
	vm qmp web quit
	use_xfs 400M
	"$EXOMEM" run --state-dir "$state" --name web ${tiny/-serial stdio/-serial "file:$T/@{name}"} \
		-mem-path "$reflink,anyfs" 3>&- </dev/null >/dev/null 2>&1 &
	pids="$pids $!"
	wait_for "$T/web" 'tiny: up'
	vm fork -q web
	[ "$(status_of web)" = running ]
	[ "$(status_of web-1)" = running ]
}

@test "what cannot be forked is refused in one line, and runs on" {
	need_qemu
	boot_parent web -netdev user,id=n,hostfwd=tcp::22022-:22 -device e1000,netdev=n
	check() { # STATUS TEXT ARGUMENT...
		local wanted=$1 text=$2
		shift 2
		run vm fork "$@"
		echo "$*: $status: $output"
		[ "$status" = "$wanted" ]
		[ "${#lines[@]}" = 1 ]
		[[ "$output" == *"$text"* ]]
	}
	check 5 "hostfwd=tcp::@{index+22022}-:22" web
	check 5 "no guest 'none'" none
	check 2 "'0'" -n 0 web
	check 2 "'--keep'" web base
	boot db -mem-path "$memory,anyfs" -chardev "socket,id=c,path=$T/@{name},server=on,wait=off"
	check 5 "'@{index}' or '@{dir}'" db
	vm stop --kill db
	boot db -mem-path "$memory,anyfs" -chardev "socket,id=c,path=@{dir}/c,server=on,wait=off"
	check 4 'need at least' -n 4000 db
	check 5 "name 'web' is taken" --name web db
	vm qmp db stop
	check 5 "state 'paused'" db
	vm qmp db cont
	vm fork -q db
	[ -S "$state/db/c" ]
	[ -S "$state/db-1/c" ]
	assert_unharmed web
	vm stop --kill db db-1
	assert_tidy
}

@test "a child that cannot start: the parent runs on as if nothing had been tried" {
	need_qemu
	boot_parent web -netdev "user,id=n,hostfwd=tcp::@{index+22100}-:22" -device e1000,netdev=n
	old=$(pid_of web)
	socat TCP-LISTEN:22102,bind=0.0.0.0 /dev/null 3>&- &
	other=$!
	pids="$pids $other"
	run vm fork --same-mac -n 3 web
	echo "$output"
	[ "$status" = 1 ]
	[[ "$output" == *"22102"* ]]
	[ "$(pid_of web)" = "$old" ]
	[ "$(vm list -q)" = web ]
	assert_unharmed web
	assert_tidy
	kill "$other"
	wait "$other" || true
	vm fork -q --same-mac -n 1 web
	[ "$(vm list -q | xargs)" = 'web web-1' ]
	assert_unharmed web
}

@test "a name that is taken is left to whom it belongs" {
	need_qemu
	mkdir "$T/disks"
	qemu-img create -q -f qcow2 "$T/disks/disk.qcow2" 1M
	boot_parent web -drive "file=$T/disks/disk.qcow2,format=qcow2,if=virtio"
	# Whichever of them it would choose.
	printf "$T/disks/disk.qcow2.web-%04x.qcow2\n" {0..65535} | xargs touch
	run vm fork -q web
	[ "$status" = 1 ]
	[[ "$output" == *"File exists"* ]]
	[ "$(find "$T/disks" -type f | wc -l)" = 65537 ]
	assert_unharmed web
	assert_tidy
}

@test "a template that another fork has begun meanwhile is left to it" {
	need_qemu
	boot_parent web
	mkfifo "$T/full"
	exec 7<>"$T/full"
	head -c 64k /dev/zero >&7
	# It waits to say that it begins with its first step: nobody reads that.
	EXOMEM_DEBUG=act "$EXOMEM" fork --state-dir "$state" --templates "$T/templates" --keep web base \
		2>&7 3>&- 7>&- </dev/null &
	pids="$pids $!"
	main=$!
	deadline=$((SECONDS + 20))
	until pgrep -P "$main" -x exomem >/dev/null; do
		[ "$SECONDS" -lt "$deadline" ]
		sleep 0.05
	done
	mkdir -p "$T/templates/base"
	touch "$T/templates/base/of-another"
	tr -d '\0' <"$T/full" >"$T/err" 3>&- 7>&- &
	reader=$!
	exec 7>&-
	rc=0
	wait "$main" || rc=$?
	wait "$reader"
	[ "$rc" = 1 ]
	grep -q 'File exists' "$T/err"
	[ -e "$T/templates/base/of-another" ]
	assert_unharmed web
}
