#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# balance.bats - exomem balance with real guests: what it does, what it leaves, and how it ends.

# helper.bash and template.bash set the other variables.
# shellcheck disable=SC2030,SC2031,SC2034,SC2154

load helper
load template
load migrate
load store

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

use_levers() { # LEVER...
	write_policy
	sed -i "s/^levers.*/levers = $*/" "$T/policy"
}

@test "while it refuses, no guest is started but by --overcommit; what a dead one said is over" {
	need_qemu
	use_levers refuse
	for name in base other web; do
		memory=$T/memory-$name
		mkdir "$memory"
		boot_movable "$name"
	done
	vm save -q base >/dev/null
	vm migrate -q --to "$T/handed-over" other
	start_balance --watch 1
	wait_for "$state/.balance.json" '"refuses": ?true'
	vm clean
	[ -e "$state/.balance.json" ]
	word="'exomem balance' (pid $pid) lets no new guest in: state plump; '--overcommit' "
	# shellcheck disable=SC2086 # words
	run vm run --detach --name late $tiny
	assert_refused 4 "exomem run: $word"
	run vm clone --detach base
	assert_refused 4 "exomem clone: $word"
	run vm fork -q --keep web
	assert_refused 4 "exomem fork: $word"
	run vm receive "$T/handed-over"
	assert_refused 4 "exomem receive: $word"
	assert_unharmed web
	run_options=--overcommit boot late
	run -0 --separate-stderr vm receive --overcommit "$T/handed-over"
	[[ $stderr = *'warning: '*'lets no new guest in'* ]]
	assert_unharmed other
	kill -KILL "$pid"
	wait "$pid" || true
	[ -e "$state/.balance.json" ]
	boot later
	vm clean >/dev/null
	[ ! -e "$state/.balance.json" ]
}

@test "a guest is moved away by the command that is given" {
	need_qemu
	use_levers migrate
	boot_movable web
	by="$EXOMEM migrate -q --state-dir $state --rsh $T/rsh --remote $EXOMEM --remote-state-dir $T/there"
	start_balance --migrate-to other --migrate-by "$by" --watch 1
	wait_for "$T/out" 'web has moved to other'
	grep -q "migrate web: of all guests it holds most; $by web other" "$T/out"
	kill -TERM "$pid"
	wait "$pid"
	assert_moved web
	kill_all
}

@test "a guest that cannot be moved stays, and it is said why" {
	need_qemu
	use_levers migrate
	boot_movable web
	mkdir "$T/bin"
	printf '#!/bin/sh\nexit 7\n' >"$T/bin/ssh"
	chmod +x "$T/bin/ssh"
	PATH=$T/bin:$PATH run -0 balance --once --json --migrate-to other
	[ "$(jq -r 'select(.action == "moved").guest' <<<"$output")" = web ]
	[[ $(jq -r 'select(.action == "moved").problem' <<<"$output") = \
		"exomem migrate: check: "*" has ended with status 7" ]]
	assert_stayed web
	run balance --once --migrate-to other --migrate-by "$T/nothing"
	assert_refused 2 "there is no program '$T/nothing'"
	run balance --once --migrate-by x
	assert_refused 2 'goes with'
	kill_all
}

@test "an idle guest is paused to disk, and woken when there is room" {
	need_qemu
	need_root 'makes control groups, and pushes memory of another process out'
	use_levers pause
	sed -i 's/^free.*/free = 60%/' "$T/policy"
	group=$(new_group 256) || lacks memory-group 'no control group limits memory'
	# Somebody who holds half of what the group has.
	mkfifo "$T/data"
	(
		echo "$BASHPID" >"$group/cgroup.procs"
		exec tail -c 128M <"$T/data"
	) >/dev/null 3>&- &
	hog=$!
	pids="$pids $hog"
	exec 9>"$T/data"
	head -c 128M /dev/zero >&9
	boot web -mem-path "$memory,mode=create,mmap=shared,anyfs"
	fill web 8M 7
	start_balance --cgroup "$group" --watch 1
	wait_for "$T/out" 'pause web' 60
	[ "$(status_of web)" = paused ]
	kill -KILL "$hog"
	exec 9>&-
	wait_for "$T/out" 'wake web' 60
	[ "$(status_of web)" = running ]
	kill -TERM "$pid"
	wait "$pid"
	rmdir "$group"
	assert_unharmed web
}

@test "--restore wakes whom it has paused; without it they stay asleep" {
	need_qemu
	need_root 'pushes memory of another process out'
	use_levers pause
	boot web -mem-path "$memory,mode=create,mmap=shared,anyfs"
	fill web 8M 7
	start_balance --watch 1 --restore
	wait_for "$T/out" 'pause web.*freed' 60
	[ "$(status_of web)" = paused ]
	kill -TERM "$pid"
	wait "$pid"
	assert_unharmed web
	start_balance --watch 1
	wait_for "$T/out" 'pause web.*freed' 60
	kill -INT "$pid"
	wait "$pid"
	[ "$(status_of web)" = paused ]
	vm wake web
	assert_unharmed web
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
