#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# capacity.bats - exomem capacity, and what is left of guests' memory in the store.

# helper.bash and template.bash set the other variables.
# shellcheck disable=SC2030,SC2031,SC2034,SC2154

load helper
load template
load store

# The last test fills 2 GiB of memory through a disk.
setup_file() {
	export BATS_TEST_TIMEOUT=600
}

capacity() { # ARGUMENT...
	"$EXOMEM" capacity --state-dir "$state" --config "$T/conf" "$@"
}

guest() { # NAME ARGUMENT...
	"$EXOMEM" run --detach --state-dir "$state" --config "$T/conf" --name "$1" \
		-accel tcg -nodefaults -display none -M q35 -m 128 -kernel "$GUEST" -serial stdio \
		"${@:2}" 3>&-
	wait_for "$state/$1/log" 'tiny: up'
}

# The operator document: a file system of its own for guests' memory, the settings, and a guest.
follow_document() { # FILE-SYSTEM
	configure 600
	capacity
	capacity --json >"$T/before"
	[ "$(jq -r '.checks[] | select(.name == "mount").severity' "$T/before")" = ok ]
	jq -e --arg type "$1" '.checks[] | select(.name == "directory").text | endswith($type)' "$T/before"
	jq -e '.inventory == {total: 600, max_unit: 600, min_unit: 1, step_size: 1,
		allocation_ratio: 1.0, reserved: 0}' "$T/before"
	used=$(blocks_used)
	guest a
	fill a 64M 7
	grep "$memory/" "/proc/$(pid_of a)/maps"
	[ $(($(blocks_used) - used)) -ge $((64 << 10)) ]
	capacity --json >"$T/after"
	jq -e '.store.committed == 134217728 and .used == 134217728 and .store.guests == 1' "$T/after"
	assert_filled a 64M 7
	vm qmp a quit
	wait_gone "$(jq .pid "$state/a/vm.json" 2>/dev/null || echo 0)" || true
	until [ "$(vm list -q | wc -l)" = 0 ]; do sleep 0.05; done
	[ $(($(blocks_used) - used)) -lt 1024 ]
}

# What can be filled of a guest's memory: all but what firmware and the guest itself have.
most_of() { # NAME
	sed -n 's/^tiny: up, \([0-9]*\) MiB of memory.*/\1M/p' "$state/$1/log" | head -n 1
}

@test "the operator document's steps on an ext4 of its own" {
	need_qemu
	use_file_system ext4 800M
	memory=$reflink
	follow_document ext4
}

@test "the specification's test: a RAM disk, the settings, and a guest's memory in files on it" {
	need_qemu
	need_root 'mounts'
	mount -t tmpfs -o size=800M,mode=0700 none "$memory" || lacks mount 'cannot mount'
	follow_document tmpfs
}

@test "--fits counts down with each guest, and is right" {
	need_qemu
	configure 300
	[ "$(capacity --json --fits 128 | jq .fits.guests)" = 2 ]
	guest a
	[ "$(capacity --json --fits 128 | jq .fits.guests)" = 1 ]
	guest b
	[ "$(capacity --json --fits 128 | jq .fits.guests)" = 0 ]
	run guest c
	[ "$status" != 0 ]
}

@test "used follows the balloon, committed does not" {
	need_linux
	configure 600
	"$EXOMEM" run --detach --state-dir "$state" --config "$T/conf" --name a -accel tcg -nodefaults \
		-display none -m 256 -kernel "$LINUX/vmlinuz" -initrd "$LINUX/initrd.gz" \
		-append 'console=ttyS0 quiet no_timer_check' -serial stdio -device virtio-balloon 3>&-
	vm qmp a balloon '{"value": 201326592}'
	deadline=$((SECONDS + 90))
	until [ "$(capacity --json | jq .used)" = 201326592 ]; do
		[ "$SECONDS" -lt "$deadline" ]
		sleep 0.2
	done
	[ "$(capacity --json | jq .store.committed)" = 268435456 ]
}

@test "--leaks lists what no guest holds, and what a template does" {
	need_qemu
	configure 600
	[ -z "$(capacity --leaks)" ]
	guest a -mem-path "$memory,mode=create,anyfs"
	[ -z "$(capacity --leaks)" ]
	kill -KILL "$(pid_of a)"
	wait_gone "$(pid_of a)"
	vm clean
	[ "$(capacity --leaks --json | jq -r '.[0] | [.path, .template] | @csv')" \
		= "\"$memory/qemu_back_mem.0+8000000.pc.ram\",false" ]
	[[ $(capacity --leaks) = *"nobody's"* ]]
}

@test "after SIGKILL the next exomem gives back what was to be discarded" {
	need_qemu
	configure 600
	guest temporary
	guest named -mem-path "$memory,mode=create,discard=on,anyfs"
	fill named 32M 7
	named=$(pid_of named) temporary=$(pid_of temporary)
	kill -KILL "$named" "$temporary"
	wait_gone "$named" && wait_gone "$temporary"
	# The kernel has taken away the one, but not the other.
	file=$memory/qemu_back_mem.0+8000000.pc.ram
	assert_holds "$memory" "${file##*/}"
	[ "$(stat -c %b "$file")" -ge $((128 << 11)) ]
	vm clean
	[ "$(stat -c %b "$file")" -lt 16 ]
	[ "$(stat -c %s "$file")" = $((128 << 20)) ]
}

@test "a state directory of another boot holds no one's memory" {
	need_qemu
	configure 300
	guest b
	cp "$state/b/.exomem" "$T/marker"
	vm stop --kill b
	mkdir "$state/old"
	cp "$T/marker" "$state/old/.exomem"
	: >"$state/old/lock"
	echo '{"guest": "old", "charges": [{"account": "store", "bytes": 268435456}]}' >"$state/old/commitment"
	[ "$(capacity --json | jq .store.committed)" = 0 ]
	guest a
	[ ! -e "$state/old" ]
}

@test "four guests of 512 MiB in a group with 1 GiB of memory verify all that they have" {
	need_qemu
	need_root 'makes control groups'
	# Filling one guest writes memory of another to the disk, which other tests use too.
	ask_seconds=200
	use_file_system ext4 2500M
	memory=$reflink
	configure 2048
	group=$(new_group 1024) || lacks memory-group 'no control group limits memory'
	for name in a b c d; do
		(
			echo "$BASHPID" >"$group/cgroup.procs"
			exec "$EXOMEM" run --detach --state-dir "$state" --config "$T/conf" --name "$name" \
				-accel tcg -nodefaults -display none -M q35 -m 512 -kernel "$GUEST" \
				-serial stdio 3>&-
		)
		wait_for "$state/$name/log" 'tiny: up'
	done
	for name in a b c d; do fill "$name" "$(most_of "$name")" 7; done
	for name in a b c d; do assert_filled "$name" "$(most_of "$name")" 7; done
	[ "$(group_peak "$group")" -le $((1 << 30)) ]
	for name in a b c d; do vm stop --kill "$name"; done
	rmdir "$group"
}
