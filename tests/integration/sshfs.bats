#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# sshfs.bats - what other hosts do with guests' memory, over sshfs: one directory, mounted twice.
#
# sftp-server is started by itself and not by ssh, so that no other host is wanted.  Each mount has a
# page cache of its own, as two hosts have.

# helper.bash and template.bash set the other variables.
# shellcheck disable=SC2034,SC2086,SC2154

load helper
load template
load migrate

server=/usr/lib/openssh/sftp-server

mount_served() { # DIRECTORY
	sshfs -o "ssh_command=$T/ssh" "server:$T/served" "$1" 3>&- || skip 'no FUSE here'
}

use_sshfs() {
	need_qemu
	need_root 'mounts sshfs'
	command -v sshfs >/dev/null || skip 'no sshfs here'
	printf '#!/bin/sh\nexec %s\n' "$server" >"$T/ssh"
	chmod +x "$T/ssh"
	mkdir "$T/served"
	mount_served "$memory"
	# Where helper.bash unmounts.
	mkdir "$reflink"
	mount_served "$reflink"
	# Its locks are this host's alone.
	run_options=--trust-mount
}

@test "memory with a name is not mapped shared on sshfs, and other memory is" {
	use_sshfs
	run vm run --detach $tiny -mem-path "$memory,mode=create,mmap=shared,anyfs"
	assert_refused 3 "'$memory' is mounted 'fuse.sshfs'"
	assert_empty "$T/served"
	run vm run --detach --trust-mount --name web $tiny -mem-path "$memory,mode=create,anyfs"
	[ "$status" = 0 ]
	[[ "$output" == *"warning: '$memory' is mounted 'fuse.sshfs'"* ]]
	forget web
	run_options=
	boot web -mem-path "$memory,mode=open,mmap=private,anyfs"
	boot alone -mem-path "$memory,anyfs"
	kill_all
}

# By another host, which has the directory below the same path.
clone_elsewhere() { # EXOMEM-CLONE-ARGUMENT...
	# shellcheck disable=SC2016 # they are for the shell inside
	unshare --mount sh -c 'umount "$1" && sshfs -o "ssh_command=$2/ssh" "server:$2/served" "$1" &&
		shift 2 && exec "$@"' sh "$memory" "$T" "$EXOMEM" clone --state-dir "$T/there" \
		--templates "$memory/templates" --detach "$@" 3>&-
}

# It was tried: a host that a guest came back to found pages in its cache of when it had left.
@test "a guest is not handed over over sshfs, and runs on" {
	use_sshfs
	boot_movable web
	run move -q --path-map "$memory=$reflink" web other
	assert_refused 3 "is mounted 'fuse.sshfs'"
	assert_stayed web
	run vm migrate -q --to "$memory/web.handover" web
	assert_refused 3 "is mounted 'fuse.sshfs'"
	assert_stayed web
	kill_all
}

@test "a template on sshfs: children on both hosts, with a recording, and it stays as it was" {
	use_sshfs
	boot web -mem-path "$memory,mode=create,anyfs"
	fill web 16M 7
	vm save -q --templates "$memory/templates" web
	vm clone --detach --templates "$memory/templates" web
	assert_filled web-1 16M 7
	vm prefetch record -q --templates "$memory/templates" web-1
	before=$(cd "$T/served" && sha256sum qemu_back_mem.* templates/web/*)
	umount "$reflink"
	clone_elsewhere --prefetch -n 5 web
	vm clone --detach --prefetch -n 5 --templates "$memory/templates" web
	for i in 1 2 3 4 5; do
		fill "web-$((i + 1))" 8M "$i"
		there fill "web-$i" 8M "$((i + 5))"
	done
	for i in 1 2 3 4 5; do
		assert_filled "web-$((i + 1))" 8M "$i"
		there assert_filled "web-$i" 8M "$((i + 5))"
	done
	[ "$(cd "$T/served" && sha256sum qemu_back_mem.* templates/web/*)" = "$before" ]
	kill_all
	truncate -s -1M "$T/served"/qemu_back_mem.*.ram
	run clone_elsewhere web
	assert_refused 5 'bytes, but had'
}

# Numbers and times of files there are not the server's: a marker and the size say which file it is.
@test "a template on sshfs is removed whole, and a file of another size is left" {
	use_sshfs
	boot web -mem-path "$memory,mode=create,anyfs"
	vm save -q --templates "$memory/templates" web
	vm template remove --templates "$memory/templates" web
	[ -z "$(find "$T/served" -mindepth 1 -not -name templates)" ]
	boot web -mem-path "$memory,mode=create,anyfs"
	vm save -q --templates "$memory/templates" web
	truncate -s -1M "$memory"/qemu_back_mem.*.ram
	run -0 vm template remove --templates "$memory/templates" web
	[[ "$output" == *"ram' stays: it is not the file that was saved"* ]]
	[ -e "$(echo "$T/served"/qemu_back_mem.*.ram)" ]
	assert_empty "$T/served/templates"
}
