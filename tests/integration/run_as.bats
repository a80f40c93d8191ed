#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# run_as.bats - guests of root that run as another user: their files are root's.

# Words are split on purpose; bats, helper.bash and template.bash set the other variables.
# shellcheck disable=SC2030,SC2031,SC2034,SC2086,SC2154

load helper
load template
load migrate

need_users() {
	need_qemu
	need_root 'starts guests as another user'
	nobody=$(id -u nobody) daemon=$(id -u daemon)
}

# The four user ids of a guest's QEMU, and of its groups, each once.
ids_of() { # NAME
	sed -n 's/^[UG]id:\t//p' "/proc/$(pid_of "$1")/status" | tr '\t' '\n' | sort -u | xargs
}

assert_runs_as() { # NAME USER
	[ "$(ids_of "$1")" = "$(printf '%s\n' "$(id -u "$2")" "$(id -g "$2")" | sort -u | xargs)" ]
	[ "$(sed -n 's/^Groups:\t//p' "/proc/$(pid_of "$1")/status" | xargs)" = "$(id -G "$2")" ]
	[ "$(vm show --json "$1" | jq -r '."run-as"')" = "$2" ]
}

# Nothing of a guest or template can be opened by the user.
assert_all_is_roots() {
	[ -z "$(find "$T" -not -user root)" ]
	[ -z "$(find "$state" "$memory" -not -type l -not -type s -perm /077)" ]
}

@test "run --run-as: QEMU is that user's, and the files are root's" {
	need_users
	chmod 0700 "$memory"
	run_options='--run-as nobody' boot web -mem-path "$memory,mode=create,mmap=shared,anyfs"
	assert_runs_as web nobody
	assert_all_is_roots
	fill web 8M 7
	assert_unharmed web
	vm stop --kill web
	assert_no_process
}

@test "a template of such a guest is root's, and its children run as the same user, or as another" {
	need_users
	chmod 0700 "$memory"
	run_options='--run-as nobody' boot web -mem-path "$memory,mode=create,mmap=shared,anyfs"
	fill web 8M 7
	vm save -q web base
	assert_all_is_roots
	vm clone --detach -n 2 base >/dev/null
	assert_runs_as base-1 nobody
	assert_filled base-1 8M 7
	assert_filled base-2 8M 7
	vm clone --detach --run-as daemon --name other base >/dev/null
	assert_runs_as other daemon
	assert_filled other 8M 7
	vm template verify base
	assert_all_is_roots
}

@test "a guest with a disk is forked: it writes to its overlay as its user" {
	need_users
	use_xfs 400M
	memory=$reflink
	chmod 0755 "$T"
	mkdir -m 0755 "$T/disks"
	qemu-img create -q -f qcow2 "$T/disks/disk.qcow2" 1M
	run_options='--run-as nobody' boot web -mem-path "$memory,anyfs" \
		-drive "file=$T/disks/disk.qcow2,format=qcow2,if=virtio,id=d0"
	fill web 8M 7
	vm fork -q -n 2 web
	assert_runs_as web nobody
	assert_runs_as web-1 nobody
	[ "$(find "$T/disks" -name '*.web-*' -printf '%u\n')" = nobody ]
	for guest in web web-1 web-2; do
		answer=$(vm qmp "$guest" human-monitor-command \
			'{"command-line": "qemu-io d0 \"write -P 9 0 64k\""}')
		[[ "$answer" != *'Permission denied'* ]]
		assert_unharmed "$guest"
	done
}

@test "a directory of a disk that the user may not search: the fork is undone, with QEMU's words" {
	need_users
	use_xfs 400M
	memory=$reflink
	mkdir -m 0700 "$T/disks"
	qemu-img create -q -f qcow2 "$T/disks/disk.qcow2" 1M
	run_options='--run-as nobody' boot web -mem-path "$memory,anyfs" \
		-drive "file=$T/disks/disk.qcow2,format=qcow2,if=virtio"
	fill web 8M 7
	run vm fork -q web
	[ "$status" = 1 ]
	[[ "$output" = *'Permission denied'* ]]
	[ "$(printf '%s\n' "$output" | wc -l)" = 1 ]
	assert_unharmed web
	[ "$(ls "$T/disks")" = disk.qcow2 ]
}

@test "a guest without reflinks is forked, and migrates: as the same user" {
	need_users
	run_options='--run-as nobody' boot web -mem-path "$memory,anyfs"
	fill web 8M 7
	vm fork -q web
	assert_runs_as web nobody
	assert_unharmed web
	vm stop --kill --all
	elsewhere
	run_options='--run-as nobody' boot_movable web
	move -q web other
	assert_moved web
	there assert_runs_as web nobody
	kill_all
}

@test "with --sandbox" {
	# Not nobody: systemd knows that one where /etc/passwd cannot be read.
	need_users
	[ -z "${EXOMEM_QEMU-}" ] || unwrap_qemu
	run_options='--run-as daemon --sandbox' boot web -mem-path "$memory,anyfs"
	assert_runs_as web daemon
	fill web 8M 7
	vm save -q web base
	vm clone --detach base >/dev/null
	assert_runs_as base-1 daemon
	assert_filled base-1 8M 7
}

@test "what cannot be is refused, and nothing is left" {
	need_users
	for words in '--run-as nobody -runas daemon' '--run-as nobody -run-with user=daemon'; do
		run "$EXOMEM" run --detach --state-dir "$state" $words $tiny
		assert_refused 2 'exclude each other'
	done
	run "$EXOMEM" run --detach --state-dir "$state" --run-as no-such-user $tiny -mem-path "$memory,mode=create,anyfs"
	[ "$status" = 1 ]
	[[ "$output" = *no-such-user* ]]
	assert_guests
	assert_empty "$memory"
	chmod 0777 "$T"
	# Where these were built, that user may have no business.
	cp "$EXOMEM" "$T/exomem"
	unset EXOMEM_QEMU
	run setpriv --reuid "$daemon" --regid "$(id -g daemon)" --clear-groups \
		env "XDG_RUNTIME_DIR=$T" "XDG_CACHE_HOME=$T/own-cache" "$T/exomem" run --dry-run --state-dir "$T/own" --run-as nobody $tiny
	assert_refused 3 "'--run-as nobody': only root can start a guest as another user"
}
