#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# sandbox.bats - what a sandboxed QEMU can open, and what it cannot.

# Words are split on purpose; bats, helper.bash and template.bash set the other variables.
# shellcheck disable=SC2030,SC2031,SC2034,SC2086,SC2154

load helper
load template

setup_sandbox() {
	need_qemu
	"$EXOMEM" run --dry-run --sandbox --state-dir "$state" -m 64 >/dev/null 2>&1 ||
		lacks landlock 'the kernel has no Landlock'
	[ -z "${EXOMEM_QEMU-}" ] || unwrap_qemu
	run_options=--sandbox
	echo secret >"$T/secret"
	mkdir "$T/out"
}

add_file() { # NAME PATH READ-ONLY
	vm qmp "$1" blockdev-add "{\"driver\": \"file\", \"node-name\": \"extra\", \"filename\": \"$2\",
		\"read-only\": $3}"
}

# Tells a guest's QEMU to open files that are not its own, one by one, and prints what it could do.
escape() { # NAME
	! add_file "$1" "$T/secret" true >/dev/null 2>&1 || echo read
	! add_file "$1" "$memory/../secret" false >/dev/null 2>&1 || echo write
	! vm qmp "$1" pmemsave "{\"val\": 0, \"size\": 4096, \"filename\": \"$T/out/pmemsave\"}" \
		>/dev/null 2>&1 || echo pmemsave
	! vm qmp "$1" dump-guest-memory "{\"paging\": false, \"protocol\": \"file:$T/out/dump\"}" \
		>/dev/null 2>&1 || echo dump
	! vm qmp "$1" screendump "{\"filename\": \"$T/out/screen\"}" >/dev/null 2>&1 || echo screendump
	! vm qmp "$1" chardev-add "{\"id\": \"extra\", \"backend\": {\"type\": \"file\",
		\"data\": {\"out\": \"$T/out/chardev\"}}}" >/dev/null 2>&1 || echo chardev
	! vm qmp "$1" chardev-add "{\"id\": \"socket\", \"backend\": {\"type\": \"socket\", \"data\": {\"addr\":
		{\"type\": \"unix\", \"data\": {\"path\": \"$T/out/socket\"}}, \"server\": true, \"wait\": false}}}" \
		>/dev/null 2>&1 || echo socket
}

assert_confined() { # NAME
	[ "$(escape "$1")" = '' ]
	assert_empty "$T/out"
	[ "$(jq .sandbox "$state/$1/vm.json")" = true ]
	[ "$(status_of "$1")" = running ]
}

# Has a guest's QEMU start a program, which makes a file.
start_program() { # NAME
	vm qmp "$1" migrate "{\"uri\": \"exec:touch $T/out/started; cat >/dev/null\"}" >/dev/null 2>&1 || true
}

@test "a sandboxed QEMU opens no other file, and starts no program" {
	setup_sandbox
	boot web -device VGA -mem-path "$memory,mode=create,anyfs"
	assert_confined web
	fill web 8M 7
	assert_filled web 8M 7
	# Some versions of QEMU are killed for it, and others are refused.
	start_program web
	sleep 1
	assert_empty "$T/out"
	[ "$(cat "$T/secret")" = secret ]
}

@test "without --sandbox all of that is done" {
	setup_sandbox
	run_options=''
	boot web -device VGA -mem-path "$memory,mode=create,anyfs"
	[ "$(jq .sandbox "$state/web/vm.json")" = false ]
	escape web >"$T/done"
	# The node of the first is still there.
	[ "$(paste -sd' ' "$T/done")" = 'read pmemsave dump screendump chardev socket' ]
	vm qmp web blockdev-del '{"node-name": "extra"}' >/dev/null
	add_file web "$T/secret" false
	start_program web
	wait_for_file "$T/out/started"
}

wait_for_file() { # PATH
	local deadline=$((SECONDS + 20))
	until [ -e "$1" ]; do
		[ "$SECONDS" -lt "$deadline" ] || return 1
		sleep 0.05
	done
}

@test "the filter of QEMU itself denies what there is to deny, but for a line that has its own" {
	setup_sandbox
	boot web -mem-path "$memory,mode=create,anyfs"
	jq -r '.argv[]' "$state/web/vm.json" |
		grep -qx 'on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny'
	vm stop --kill web
	boot own -mem-path "$memory,mode=create,anyfs" -sandbox on,spawn=allow
	[ "$(jq -r '.argv[]' "$state/own/vm.json" | grep -cxe '-sandbox')" = 1 ]
	# What it starts may open no more than it, not even a shell.
	start_program own
	sleep 1
	assert_empty "$T/out"
}

@test "a sandboxed guest is saved, and its children are sandboxed too" {
	setup_sandbox
	boot_and_save web -device VGA
	[ "$(jq .sandbox "$T/templates/web/manifest.json")" = true ]
	vm clone -n 2 web
	assert_confined web-1
	assert_confined web-2
	assert_filled web-1 8M 7
	# Nor is the template's directory a child's.
	run add_file web-1 "$T/templates/web/manifest.json" true
	[ "$status" = 1 ]
	[[ "$output" == *'Permission denied'* ]]
	vm clone --detach --no-sandbox --name free web
	[ "$(jq .sandbox "$state/free/vm.json")" = false ]
	add_file free "$T/secret" true
	vm save -q web-1
	vm clone --detach --name grandchild web-1
	assert_confined grandchild
	assert_filled grandchild 8M 7
	vm stop --kill --all
	vm template verify web
}

@test "children that wait are sandboxed as others are" {
	setup_sandbox
	boot_and_save web -device VGA
	vm clone --warm 1 web
	vm clone --detach web >"$T/name"
	assert_confined "$(cat "$T/name")"
	vm clone --warm 1 --no-sandbox web
	vm clone --detach web >"$T/name"
	assert_confined "$(cat "$T/name")"
}

@test "--sandbox for the children of a guest that had it not" {
	setup_sandbox
	run_options=''
	boot_and_save web -device VGA
	[ "$(jq .sandbox "$T/templates/web/manifest.json")" = false ]
	vm clone --detach web
	[ "$(jq .sandbox "$state/web-1/vm.json")" = false ]
	vm clone --detach --sandbox web
	assert_confined web-2
	run vm clone --sandbox --no-sandbox web
	assert_refused 2 "'--sandbox' and '--no-sandbox' exclude each other"
	run vm fork --sandbox --no-sandbox web
	assert_refused 2 "'--sandbox' and '--no-sandbox' exclude each other"
}

assert_forked() { # MEMORY-DIRECTORY
	boot web -device VGA -mem-path "$1,mode=temp,mmap=shared,anyfs"
	fill web 8M 7
	vm fork -q --name child web
	assert_confined child
	assert_confined web
	assert_filled child 8M 7
	assert_filled web 8M 7
	vm fork -q --no-sandbox --name free web
	[ "$(jq .sandbox "$state/free/vm.json")" = false ]
	[ "$(jq .sandbox "$state/web/vm.json")" = true ]
	vm stop --kill --all
	assert_no_process
}

@test "a sandboxed guest is forked, a child takes its place, and all of them stop" {
	setup_sandbox
	need_root 'mounts tmpfs'
	mount -t tmpfs -o mode=700 tmpfs "$memory"
	assert_forked "$memory"
}

@test "a sandboxed guest is forked where files share blocks" {
	setup_sandbox
	use_xfs 512M
	assert_forked "$reflink"
}

@test "a sandboxed guest whose disk would have to move is not forked, and not harmed" {
	setup_sandbox
	use_xfs 512M
	truncate -s 16M "$T/disk.raw"
	boot web -device VGA -mem-path "$reflink,mode=temp,mmap=shared,anyfs" \
		-drive "if=none,id=d,file=$T/disk.raw,format=raw"
	fill web 8M 7
	run vm fork web
	assert_refused 3 "guest 'web' is sandboxed, and its QEMU may not open the overlay that its disk '$T/disk.raw' would get"
	assert_unharmed web
	assert_holds "$T" disk.raw memory out reflink secret state xfs.image
	vm save -q web
	vm clone --detach --name child web
	assert_confined child
	assert_filled child 8M 7
}

@test "a sandboxed guest that is migrated is sandboxed where it goes on" {
	setup_sandbox
	boot web -device VGA -mem-path "$memory,mode=create,anyfs"
	fill web 8M 7
	vm migrate -q --to "$T/state.handover" web
	vm receive -q "$T/state.handover"
	assert_confined web
	assert_filled web 8M 7
}

@test "memory without a name, and huge pages" {
	setup_sandbox
	boot web -device VGA -mem-path "$memory,anyfs"
	fill web 8M 7
	assert_confined web
	vm save -q web
	vm clone --detach --name child web
	assert_confined child
	assert_filled child 8M 7
	vm stop --kill child
	need_root 'mounts hugetlbfs'
	saved_pages=$(cat /proc/sys/vm/nr_hugepages)
	echo $((saved_pages + 32)) >/proc/sys/vm/nr_hugepages
	mkdir "$T/huge"
	mount -t hugetlbfs none "$T/huge"
	boot huge -device VGA -mem-path "$T/huge,mode=create" || rc=1
	[ -n "${rc-}" ] || assert_confined huge
	vm stop --kill huge || true
	umount "$T/huge"
	echo "$saved_pages" >/proc/sys/vm/nr_hugepages
	[ -z "${rc-}" ] || skip 'no huge pages'
}

@test "disks: the image and those that it names, and those for reading only" {
	setup_sandbox
	mkdir "$T/disks"
	truncate -s 16M "$T/disks/base.raw"
	qemu-img create -q -f qcow2 -b base.raw -F raw "$T/disks/middle.qcow2"
	qemu-img create -q -f qcow2 -b middle.qcow2 -F qcow2 "$T/disks/top.qcow2"
	qemu-img create -q -f qcow2 -o data_file="$T/disks/data.raw" "$T/disks/outer.qcow2" 16M
	# A guest wrote this into its raw disk.
	qemu-img create -q -f qcow2 -u -b "$T/secret" -F raw "$T/disks/liar.raw" 16M
	truncate -s 16M "$T/disks/liar.raw"
	qemu-img create -q -f qcow2 -b liar.raw -F raw "$T/disks/over.qcow2"
	boot web -mem-path "$memory,mode=create,anyfs" -hda "$T/disks/top.qcow2" \
		-drive "if=none,id=o,file=$T/disks/over.qcow2" \
		-drive "if=none,id=d,file=$T/disks/outer.qcow2" \
		-blockdev "driver=raw,node-name=r,file.driver=file,file.filename=$T/disks/liar.raw" \
		-drive "if=none,id=c,readonly=on,file=$T/disks/middle.qcow2" 2>"$T/err"
	vm qmp web human-monitor-command '{"command-line": "qemu-io d \"write -P 5 0 1M\""}' >/dev/null
	wait_for "$state/web/log" 'wrote 1048576/1048576'
	run add_file web "$T/disks/base.raw" false
	[[ "$output" == *'Permission denied'* ]]
	run add_file web "$T/secret" true
	[[ "$output" == *'Permission denied'* ]]
	fill web 8M 7
	vm save -q web
	vm clone --detach --name child web
	assert_filled child 8M 7
	vm qmp child human-monitor-command '{"command-line": "qemu-io d \"write -P 6 0 1M\""}' >/dev/null
	wait_for "$state/child/log" 'wrote 1048576/1048576'
	for image in base.raw middle.qcow2 top.qcow2 data.raw; do
		run add_file child "$T/disks/$image" false
		[[ "$output" == *'Permission denied'* ]]
	done
}

@test "logs, sockets and a file of the process id: what the command line names can be made" {
	setup_sandbox
	mkdir "$T/sockets"
	vm run --sandbox --detach --name web $tiny -mem-path "$memory,mode=create,anyfs" \
		-pidfile "$T/pid" -D "$T/qemu.log" -chardev "file,id=c,path=$T/serial.log" \
		-device isa-serial,chardev=c -qmp "unix:$T/sockets/qmp,server=on,wait=off" \
		-chardev "socket,id=s,path=@{dir}/extra.sock,server=on,wait=off" >/dev/null
	wait_for "$state/web/log" 'tiny: up'
	[ "$(cat "$T/pid")" = "$(pid_of web)" ]
	[ -e "$T/serial.log" ] && [ -e "$T/qemu.log" ] && [ -S "$T/sockets/qmp" ] && [ -S "$state/web/extra.sock" ]
	# It can make and remove names there, and neither write nor read files.
	echo secret >"$T/sockets/secret"
	run add_file web "$T/sockets/secret" true
	[[ "$output" == *'Permission denied'* ]]
	ln -sf "$T/sockets/qmp" "$T/qmp"
	qmp_lines '{"execute":"query-status"}' | grep -q '"status": "running"'
}

@test "what a sandbox would make fail is named before the start" {
	setup_sandbox
	local option argument text
	while IFS='|' read -r option argument text; do
		run vm run --sandbox --detach --name web $tiny $option $argument
		assert_refused 2 "$text"
		[[ "$output" == *"'$option"* ]]
		assert_guests
	done <<-'END'
		-netdev|bridge,id=n|can start no program
		-netdev|tap,id=n|add 'script=no,downscript=no'
		-nic|tap,script=no|add 'script=no,downscript=no'
		-netdev|user,id=n,smb=/tmp|leave 'smb' out
		-netdev|user,id=n,guestfwd=tcp:10.0.2.100:80-cmd:cat|can start no program
		-runas|nobody|cannot change its user
		-snapshot||can make no temporary file
		-drive|file=/tmp/x,snapshot=on|can make no temporary file
		-readconfig|/tmp/x.conf|write its options on the command line
	END
}

@test "a script in place of QEMU is refused" {
	setup_sandbox
	printf '#!/bin/sh\nexec %s "$@"\n' "$(command -v "${EXOMEM_QEMU:-qemu-system-x86_64}")" >"$T/qemu"
	chmod +x "$T/qemu"
	run vm run --sandbox --qemu "$T/qemu" --detach --name web $tiny
	assert_refused 3 "'$T/qemu' is a script"
	assert_guests
}
