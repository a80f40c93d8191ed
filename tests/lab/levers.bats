#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# levers.bats - what only a host of its own has for overcommitted memory: control groups of version 2,
# swap, pressure, KSM, a RAM disk, and nobody else who takes memory.

# lab: disk=1G timeout=900

# Functions of helper.bash and template.bash read what is set here, and bats and lab.bash set the other
# variables; words are split on purpose ($tiny).
# shellcheck disable=SC2030,SC2031,SC2034,SC2086,SC2154

load lab
load ../integration/store

setup_file() {
	export BATS_TEST_TIMEOUT=600
	fallocate -l 256M /lab/swap
	chmod 600 /lab/swap
	mkswap /lab/swap >/dev/null
	swapon /lab/swap
}

usage_of() { # MEMBER OF THE SUM
	vm usage --json | jq ".$1"
}

# Whether a number is another one, give or take a tenth.
is_about() { # NUMBER NUMBER
	echo "$1 and $2"
	[ $(($1 * 10)) -ge $(($2 * 9)) ] && [ $(($1 * 10)) -le $(($2 * 11)) ]
}

@test "--cow-budget is memory.high of a group of the child's own, which goes with it" {
	boot_and_save web
	vm clone --detach --cow-budget 48M web
	group=$(cat "$state/web-1/cgroup")
	[[ $group = /sys/fs/cgroup/exomem.web-1.* ]]
	[ "$(cat "$group/memory.high")" = $((48 << 20)) ]
	[ "$(cat "$group/cgroup.procs")" = "$(pid_of web-1)" ]
	fill web-1 40M 9
	fill web-1 32M 8
	[ "$(cat "$group/memory.current")" -le $((53 << 20)) ]
	[ "$(awk '$1 == "high" { print $2 }' "$group/memory.events")" -gt 0 ]
	# What did not fit is in swap, and comes back.
	[ "$(usage_of swapped)" -gt 0 ]
	assert_filled web-1 32M 8
	vm stop --kill web-1
	vm list -q
	[ ! -e "$group" ]
}

@test "pressure is read, of the host and of a group" {
	boot_and_save web
	vm clone --detach --cow-budget 32M web
	group=$(cat "$state/web-1/cgroup")
	fill web-1 40M 9
	cat >"$T/policy" <<-'POLICY'
		[policy]
		interval = 1
		hysteresis = 1%
		[state pressed]
		pressure = 1%
		levers = reclaim
	POLICY
	run -0 vm balance --once --dry-run --cgroup "$group" --policy "$T/policy" --record "$T/sample"
	echo "$output"
	cat "$T/sample"
	[[ $output = *'state pressed (stalled '* ]]
	jq -e '.["has-pressure"] and .pressure > 0' "$T/sample"
	vm balance --once --dry-run --record "$T/host"
	jq -e '.["has-pressure"]' "$T/host"
	vm stop --kill web-1
}

# A guest in the foreground, so that nobody shares its group.
run_in_group() { # NAME
	group=/sys/fs/cgroup/$1
	grep -qw memory /sys/fs/cgroup/cgroup.subtree_control ||
		echo +memory >/sys/fs/cgroup/cgroup.subtree_control
	mkdir "$group"
	mkfifo "$T/$1.in"
	exec 9<>"$T/$1.in"
	(
		echo "$BASHPID" >"$group/cgroup.procs"
		exec "$EXOMEM" run --state-dir "$state" --name "$1" $tiny "${@:2}" <&9 >"$T/$1.out" \
			2>"$T/$1.err" 3>&- 4>&- 9>&-
	) &
	pids="$pids $!"
	wait_for "$T/$1.out" 'tiny: up' 60
	say "$1" 'fill 40M 7'
	wait_for "$T/$1.out" 'filled .* key 7' 60
}

@test "reclaim by memory.reclaim frees what it says, and the guest reads it back" {
	run_in_group web -mem-path "$memory,mode=create,anyfs"
	vm qmp web stop
	sync
	before=$(usage_of files)
	charged=$(cat "$group/memory.current")
	answer=$(vm reclaim --json web 24M)
	echo "$answer"
	[ "$(jq .group <<<"$answer")" = true ]
	is_about "$(jq .freed <<<"$answer")" $((24 << 20))
	# The kernel chooses in all of the group: QEMU's own program and libraries are in it too.
	is_about $((charged - $(cat "$group/memory.current"))) "$(jq .freed <<<"$answer")"
	[ "$(usage_of files)" -lt "$before" ]
	vm qmp web cont
	say web 'verify 40M 7'
	wait_for "$T/web.out" '^verified .* key 7' 60
	vm stop --kill web
}

@test "an anonymous guest is reclaimed to swap, and has it again" {
	boot web
	fill web 32M 7
	vm qmp web stop
	[ "$(usage_of swapped)" = 0 ]
	answer=$(vm reclaim --json web 24M)
	echo "$answer"
	[ "$(jq -r .to <<<"$answer")" = swap ]
	is_about "$(jq .freed <<<"$answer")" $((24 << 20))
	is_about "$(usage_of swapped)" "$(jq .freed <<<"$answer")"
	vm qmp web cont
	assert_filled web 32M 7
}

@test "KSM merges what children wrote, as much as it says" {
	[ -w /sys/kernel/mm/ksm/run ]
	boot_and_save web
	vm clone --detach -n 3 web
	for child in web-1 web-2 web-3; do fill "$child" 16M 9; done
	cat >"$T/policy" <<-'POLICY'
		[policy]
		interval = 1
		hysteresis = 1%
		pages-min = 20000
		pages-max = 20000
		[state always]
		free = 99%
		levers = ksm
	POLICY
	"$EXOMEM" balance --state-dir "$state" --policy "$T/policy" --watch 5 >"$T/out" 3>&- 4>&- &
	pid=$!
	pids="$pids $pid"
	until [ "$(cat /sys/kernel/mm/ksm/pages_sharing)" -ge $((2 * 16 * 256 * 9 / 10)) ]; do sleep 1; done
	vm usage
	[ "$(usage_of merged)" -ge $((3 * 16 * 9 / 10 << 20)) ]
	for child in web-1 web-2 web-3; do assert_filled "$child" 16M 9; done
	kill -TERM "$pid"
	wait "$pid"
	[ "$(cat /sys/kernel/mm/ksm/run)" = 0 ]
}

@test "a RAM disk, the settings, and a guest that uses memory in files on it" {
	modprobe brd rd_nr=1 rd_size=204800
	mkfs.ext4 -q /dev/ram0
	mount /dev/ram0 "$memory"
	chmod 700 "$memory"
	configure 128
	before=$(blocks_used)
	vm run --detach --config "$T/conf" --name web $tiny
	wait_for "$state/web/log" 'tiny: up' 60
	grep -q "$memory/.*deleted" "/proc/$(pid_of web)/maps"
	is_about $(($(blocks_used) - before)) $((64 << 10))
	fill web 32M 7
	assert_filled web 32M 7
	vm capacity --config "$T/conf" --json | jq -e '.store.committed == 67108864'
	run vm run --detach --config "$T/conf" --name large ${tiny/-m 64/-m 100}
	assert_refused 4 'needs 100 MiB; configured 128, reserved 0, committed 64 (1 guest), free 64'
	vm stop --kill web
	vm list -q
	is_about "$(blocks_used)" "$before"
	# A store that was mounted read-only since says so, and is as before when it is not.
	mount -o remount,ro "$memory"
	run vm run --detach --config "$T/conf" --name web $tiny
	assert_refused 2 "memory_backing_dir: '$memory' is not writable"
	mount -o remount,rw "$memory"
	vm run --detach --config "$T/conf" --name web $tiny
	vm stop --kill web
	until umount "$memory"; do sleep 0.1; done
}
