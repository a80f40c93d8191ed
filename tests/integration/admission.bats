#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# admission.bats - guests' memory in the store that is configured, and who is let in.

# helper.bash and template.bash set the other variables.
# shellcheck disable=SC2030,SC2031,SC2154

load helper
load template
load store

# The tiny guest with 128 MiB, on its own, with memory where it is configured.
guest() { # NAME ARGUMENT...
	"$EXOMEM" run --detach --state-dir "$state" --config "$T/conf" --name "$1" \
		-accel tcg -nodefaults -display none -M q35 -m 128 -kernel "$GUEST" -serial stdio \
		"${@:2}" 3>&-
}

@test "a guest without -mem-path has its memory in the store, reserved, and gone at its end" {
	need_qemu
	configure 256
	guest a
	wait_for "$state/a/log" 'tiny: up'
	[ "$(jq -r '.memory[0].path' "$state/a/vm.json")" = "$memory" ]
	jq -e '.memory[0].shared and .memory[0].backend["discard-data"]' "$state/a/vm.json"
	grep -q "$memory.*deleted" "/proc/$(pid_of a)/maps"
	opened=$(jq -r '.memory[0].backend["mem-path"]' "$state/a/vm.json")
	[ "$(stat -Lc %b "/proc/$(pid_of a)/fd/${opened##*/}")" -ge $((128 << 11)) ]
	vm stop --kill a
	assert_empty "$memory"
}

@test "what does not fit is refused with the arithmetic, and a death makes room" {
	need_qemu
	configure 320 'reserved_host_memory_mb = 32'
	guest a
	guest b
	run guest c
	assert_refused 4 'needs 128 MiB; configured 320, reserved 32, committed 256 (2 guests), free 32'
	[ ! -e "$state/c" ]
	kill -KILL "$(pid_of a)"
	wait_gone "$(pid_of a)"
	guest c
}

@test "--overcommit lets it in, warns, and is remembered" {
	need_qemu
	configure 128
	guest a
	run -0 "$EXOMEM" run --detach --state-dir "$state" --config "$T/conf" --name b --overcommit \
		-accel tcg -nodefaults -display none -m 128
	[[ $output = *'warning: does not fit: needs 128 MiB; configured 128,'* ]]
	grep -q "uid $(id -u): guest 'b': needs 128 MiB" "$state/.overcommit"
	jq -e .overcommit "$state/b/commitment"
}

@test "of eight that race for room for three, three get it" {
	need_qemu
	configure 400
	for i in 1 2 3 4 5 6 7 8; do
		guest "g$i" >"$T/$i.out" 2>&1 &
		racers="${racers-} $!"
	done
	won=0
	for racer in $racers; do
		rc=0
		wait "$racer" || rc=$?
		case $rc in
		0) won=$((won + 1)) ;;
		4) ;;
		*) cat "$T"/*.out && false ;;
		esac
	done
	[ "$won" = 3 ]
	[ "$(vm list -q | wc -l)" = 3 ]
}

@test "guests of another state directory count where the host's links to it" {
	need_qemu
	configure 200 "host_state_dir = $T/host"
	guest a
	state=$T/other
	run guest b
	assert_refused 4 'committed 128 (1 guest), free 72'
	vm list
	state=$T/state
	vm stop --kill a
	state=$T/other
	guest b
	vm stop --kill b
}

@test "who counts guests removes no link that leads nowhere, who starts one does" {
	need_qemu
	configure 600 "host_state_dir = $T/host"
	guest a
	stale=$T/host/.guests-0123456789abcdef
	ln -s "$T/gone" "$stale"
	"$EXOMEM" capacity --state-dir "$state" --config "$T/conf"
	[ -L "$stale" ]
	guest b
	[ ! -L "$stale" ]
}

@test "a guest whose directory was removed while it runs counts" {
	need_qemu
	configure 200
	guest a
	rm -r "$state"
	run guest b
	assert_refused 4 'committed 128 (1 guest), free 72'
	[ "$("$EXOMEM" capacity --state-dir "$state" --config "$T/conf" --json | jq .store.committed)" = \
		$((128 << 20)) ]
	vm stop a
	guest b
}

@test "a guest that was started before the configuration counts too" {
	need_qemu
	"$EXOMEM" run --detach --state-dir "$state" --name old -accel tcg -nodefaults -display none \
		-m 128 -mem-path "$memory,anyfs" 3>&-
	configure 200
	run guest b
	assert_refused 4 'committed 128 (1 guest), free 72'
}

@test "children count with all they may copy, and their file once; --cow-budget counts instead" {
	need_qemu
	need_root 'makes control groups'
	boot_and_save web
	total=$(awk '/^MemTotal/ { print int($2 / 1024) }' /proc/meminfo)
	# Leaves 200 MiB of the host's memory.
	configure 1000000 "reserved_host_memory_mb = $((total - 200))"
	vm clone --detach --config "$T/conf" -n 2 web
	run vm clone --detach --config "$T/conf" -n 2 web
	assert_refused 4 "guest 'web-4', 2 of 2: needs 64 MiB of RAM; the host has $total"
	[[ $output = *'committed 192 (3 guests), free 8' ]]
	[ "$(vm list -q | wc -l)" = 2 ]
	vm clone --detach --config "$T/conf" -n 2 --cow-budget 36M web
	jq -e '.budget == 37748736' "$state/web-4/commitment"
	[ "$(jq -s '[.[].charges[] | select(.inode > 0).inode] | unique | length' "$state"/web-*/commitment)" = 1 ]
	group=$(cat "$state/web-4/cgroup")
	[ -d "$group" ]
	vm stop --kill --all
	[ ! -e "$group" ]
}

@test "a fork that does not fit leaves the guest as it was" {
	need_qemu
	boot web -mem-path "$memory,anyfs"
	fill web 8M 7
	total=$(awk '/^MemTotal/ { print int($2 / 1024) }' /proc/meminfo)
	configure 1000000 "reserved_host_memory_mb = $((total - 100))"
	run vm fork -q --config "$T/conf" -n 2 web
	assert_refused 4 "guest 'web-2', 2 of "
	configure 100
	assert_unharmed web
	vm fork -q --config "$T/conf" -n 2 web
	assert_unharmed web
}

@test "--cow-budget is a limit of the kernel's, and goes with the child" {
	need_qemu
	need_root 'makes control groups'
	boot_and_save web
	vm clone --detach --cow-budget 100M web || lacks memory-group 'no control group limits memory'
	group=$(cat "$state/web-1/cgroup")
	grep -qx "$(pid_of web-1)" "$group/cgroup.procs"
	[ "$(cat "$group/memory.limit_in_bytes" "$group/memory.high" 2>/dev/null)" = $((100 << 20)) ]
	dirty web-1 32M 3
	vm stop --kill web-1
	[ ! -e "$group" ]
}

@test "a --cow-budget below what QEMU alone needs is refused; a child that outgrows its own says so" {
	need_qemu
	need_root 'makes control groups'
	boot_and_save web
	need=$(jq '."qemu-memory"' "$T/templates/web/manifest.json")
	[ "$need" -gt 10000000 ]
	run vm clone --detach --cow-budget "$((need / 1024 - 4))K" web
	assert_refused 4 'is too small: QEMU alone needs 1'
	[ -z "$(vm list -q)" ]
	vm clone --detach --cow-budget "$((need / 1024 + 16384))K" web ||
		lacks memory-group 'no control group limits memory'
	group=$(cat "$state/web-1/cgroup")
	[ -e "$group/memory.limit_in_bytes" ] || echo $((need + (16 << 20))) >"$group/memory.max"
	pid=$(pid_of web-1)
	echo 'fill 40M 3' | socat - "UNIX-CONNECT:$state/web-1/console.sock" >/dev/null 2>&1 3>&- || true
	wait_gone "$pid" 60
	run vm wait web-1
	assert_refused 137 "guest 'web-1' has ended: killed by SIGKILL: out of memory: control group '$group' "
}

@test "memory of another kind is refused, unless the configuration allows it" {
	need_qemu
	configure 256
	run "$EXOMEM" run --state-dir "$state" --config "$T/conf" --memory-backing off -m 64
	assert_refused 2 'allow_other_backing'
	configure 256 'allow_other_backing = yes'
	"$EXOMEM" run --detach --state-dir "$state" --config "$T/conf" --memory-backing off --name a \
		-accel tcg -nodefaults -display none -m 64 3>&-
	[ "$(jq '.charges[0].account' "$state/a/commitment")" = '"ram"' ]
}

@test "a store that vanished, or is mounted read-only, is an error that says so" {
	need_qemu
	configure 256
	rmdir "$memory"
	run guest a
	assert_refused 2 "memory_backing_dir: '$memory' does not exist"
	mkdir "$memory"
	need_root 'mounts'
	mount -t tmpfs -o ro,size=300M none "$memory" || lacks mount 'cannot mount'
	run guest a
	assert_refused 2 "memory_backing_dir: '$memory' is not writable"
}
