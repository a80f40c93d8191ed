#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# balance.bats - exomem balance with real guests: what it does, what it leaves, and how it ends.

# helper.bash and template.bash set the other variables.
# shellcheck disable=SC2034,SC2154

load helper
load template

# In whatever state the host is, this policy finds it short of memory.
write_policy() {
	cat >"$T/policy" <<'POLICY'
[policy]
interval = 1
step = 20%
hysteresis = 1%
window = 2
idle = 10%

[state plump]
free = 99%
levers = drop-cache balloon-idle reclaim-idle refuse migrate
POLICY
}

balance() { # ARGUMENT...
	vm balance --policy "$T/policy" --templates "$T/none" "$@"
}

# The program itself, not a function around it, so that $pid is its own.
start_balance() { # ARGUMENT...
	"$EXOMEM" balance --state-dir "$state" --policy "$T/policy" --templates "$T/none" "$@" \
		>"$T/out" 3>&- &
	pid=$!
	pids="$pids $pid"
}

@test "dry run: it says what it would do, and does nothing" {
	need_qemu
	write_policy
	boot web -mem-path "$memory,anyfs" -device virtio-balloon-pci
	run balance --once --dry-run
	echo "$output"
	[ "$status" = 0 ]
	[[ "$output" == *"state plump ("*"refuse new guests: there is no room"* ]]
	[ ! -e "$state/.balance.json" ]
}

@test "a guest without an answering balloon is reclaimed, and others are told the state" {
	need_qemu
	need_root 'pushes memory of another process out'
	write_policy
	boot web -mem-path "$memory,anyfs"
	fill web 32M 7
	start_balance --json --watch 1 --record "$T/samples"
	wait_for "$T/out" '"action":"reclaim"'
	[ "$(jq -r .state "$state/.balance.json")" = plump ]
	[ "$(jq .refuses "$state/.balance.json")" = true ]
	run balance --once
	assert_refused 5 "is at work here already (pid $pid)"
	kill -TERM "$pid"
	wait "$pid"
	[ ! -e "$state/.balance.json" ]
	jq -s . "$T/out" >/dev/null
	# What was recorded says the same again.
	vm balance --json --policy "$T/policy" --replay "$T/samples" >"$T/again" || true
	say web 'verify 32M 7'
}

@test "a guest that hangs does not hold up the others, and one that vanishes is forgotten" {
	need_qemu
	need_root 'pushes memory of another process out'
	write_policy
	boot web -mem-path "$memory,anyfs"
	boot hung -mem-path "$memory,anyfs,mode=temp"
	kill -STOP "$(jq .pid "$state/hung/vm.json")"
	start_balance --watch 1
	wait_for "$T/out" 'note hung: QEMU does not answer'
	wait_for "$T/out" 'note web: it has no balloon to use'
	kill -KILL "$(jq .pid "$state/hung/vm.json")"
	kill -CONT "$(jq .pid "$state/hung/vm.json")" 2>/dev/null || true
	rounds=$(tail -n 1 "$T/out" | cut -d' ' -f1)
	wait_for "$T/out" "^$((rounds + 2)) "
	kill -INT "$pid"
	wait "$pid"
}

@test "KSM is set as it was at the end" {
	need_qemu
	need_root 'sets KSM'
	[ -w /sys/kernel/mm/ksm/run ] || skip 'no KSM in this kernel'
	before=$(cat /sys/kernel/mm/ksm/{run,pages_to_scan,sleep_millisecs})
	write_policy
	sed -i 's/^levers.*/levers = ksm/' "$T/policy"
	start_balance --watch 1
	wait_for "$T/out" 'ksm 600 pages'
	[ "$(cat /sys/kernel/mm/ksm/run)" = 1 ]
	[ "$(cat /sys/kernel/mm/ksm/pages_to_scan)" -ge 300 ]
	kill -TERM "$pid"
	wait "$pid"
	[ "$(cat /sys/kernel/mm/ksm/{run,pages_to_scan,sleep_millisecs})" = "$before" ]
}

@test "a group that is none, and options that exclude each other, are refused" {
	write_policy
	run balance --once --cgroup "$T"
	assert_refused 5 'is not a memory control group'
	run balance --once --watch 3
	assert_refused 2 'exclude each other'
	run balance --once --replay x
	assert_refused 2 "'--once' does not go with it"
}
