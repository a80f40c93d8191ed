#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# migrate_kill.bats - whoever is killed at whichever step of a migration: one guest runs, or none and its
# state is on disk, from which one command resumes it. Never two.

# Words are split on purpose; bats, helper.bash and template.bash set the other variables.
# shellcheck disable=SC2034,SC2046,SC2086,SC2154

load helper
load template
load migrate

# Starts a migration, and stops it as soon as it says that it begins a step.
move_until() { # STEP
	local line
	rm -f "$T/trace"
	mkfifo "$T/trace"
	EXOMEM_DEBUG=act "$EXOMEM" migrate --state-dir "$state" --rsh "$T/rsh" --remote "$EXOMEM" \
		--remote-state-dir "$T/there" -q web other >"$T/out" 2>"$T/trace" 3>&- </dev/null &
	main=$!
	exec 7<"$T/trace"
	while read -r line <&7; do
		case $line in *" $1 "*)
			kill -STOP "$main" 2>/dev/null || true
			break
			;;
		esac
	done
	cat <&7 >"$T/err" 3>&- 7>&- &
	exec 7<&-
}

# Lets it go on, to its end and that of whoever watches it.
go_on() {
	kill -CONT "$main" 2>/dev/null || true
	wait "$main" 2>/dev/null || true
	deadline=$((SECONDS + 30))
	while pgrep -f -- "(migrate|receive) --state-dir $T/" >/dev/null; do
		# One that leads a guest's log is none of them.
		[ -n "$(movers)" ] || break
		[ "$SECONDS" -lt "$deadline" ] || {
			ps -ef
			return 1
		}
		sleep 0.05
	done
}

# Who speaks of the guest's move; not those that keep the log of one that has moved.
movers() {
	for pid in $(pgrep -f -- "(migrate|receive) --state-dir $T/"); do
		case $(cat "/proc/$pid/comm" 2>/dev/null) in exomem) echo "$pid" ;; esac
	done
}

kill_whom() { # exomem|guard|receiver|connection|new-qemu|old-qemu
	local pids=''
	case $1 in
	exomem) pids=$main ;;
	both) pids="$(pgrep -P "$main" -f "migrate --state-dir") $main" ;;
	receiver) pids=$(pgrep -f -- "receive --state-dir $T/there -$") ;;
	new-qemu) pids=$(pgrep -f -- "readconfig $T/there/") ;;
	old-qemu) pids=$(pgrep -f -- "readconfig $state/web/") ;;
	esac
	[ -n "$pids" ] || return 1
	kill -KILL $pids 2>/dev/null || true
}

runs() { # STATE-DIRECTORY
	local state=$1
	[ "$(vm list -q 2>/dev/null)" = web ] && [ "$(status_of web 2>/dev/null)" = running ]
}

# How many of the two hosts run it, once both have come to rest.
count_running() {
	local count=0
	if runs "$state"; then count=$((count + 1)); fi
	if runs "$T/there"; then count=$((count + 1)); fi
	echo "$count"
}

# The command that is printed: it resumes the guest, or says that the guest has run since.
resume() { # STATE-DIRECTORY
	local state=$1
	run vm receive -q "$memory/web.handover"
	if [ "$status" = 0 ]; then
		resumed=$((resumed + 1))
	else
		echo "$output"
		assert_refused 5 "'"
		case $output in *'was changed after it was saved') has_run=yes ;; esac
		rm -r "$memory/web.handover"
	fi
}

assert_one_guest() { # VICTIM STEP
	local count has_run=no
	count=$(count_running)
	echo "$1 killed at $2: $count run"
	[ "$count" -le 1 ]
	if [ -e "$memory/web.handover" ]; then
		# One that runs, or has run, cannot be resumed a second time.
		where=$state
		if [ $((resumed % 2)) = 0 ]; then where=$T/there; fi
		resume "$where"
		[ "$count" = 0 ] || [ "$status" = 5 ]
		count=$(count_running)
	fi
	if [ "$count" = 0 ]; then
		# A guest that is killed before its state is on disk is gone, as any; and so is one that
		# ran there when it was killed, or whose state was removed because it did.
		case $1 in
		old-qemu) ;;
		new-qemu) [ "$has_run" = yes ] || [ "$2" = clean-up ] ;;
		*) false ;;
		esac
		lost=$((lost + 1))
	elif runs "$state"; then
		assert_filled web 8M 7
	else
		there assert_filled web 8M 7
	fi
	[ ! -e "$memory/web.handover" ]
}

start_anew() {
	kill_all
	find "$memory" -mindepth 1 -delete
	boot web -mem-path "$memory,mode=create,mmap=shared,anyfs"
	fill web 8M 7
}

steps="write-token check rehearse keep-memory sync-memory prepare save-devices freeze-guest \
flush-memory write-manifest send-state commit release-guest take-over clean-up"

kill_at_each_step() { # VICTIM
	need_qemu
	elsewhere
	hits=0 resumed=0 lost=0
	for step in $steps; do
		start_anew
		move_until "$step"
		if kill_whom "$1"; then hits=$((hits + 1)); fi
		go_on
		assert_one_guest "$1" "$step"
	done
	kill_all
	echo "# $1: $hits killed, $resumed resumed from disk, $lost gone" >&3
}

@test "exomem is killed at each step" {
	kill_at_each_step exomem
	[ "$hits" = 15 ]
	[ "$lost" = 0 ]
}

@test "the destination's exomem is killed at each step" {
	kill_at_each_step receiver
	[ "$hits" -ge 12 ]
	[ "$lost" = 0 ]
}

@test "the destination's QEMU is killed at each step" {
	kill_at_each_step new-qemu
	[ "$hits" -ge 7 ]
}

@test "the guest's QEMU is killed at each step" {
	kill_at_each_step old-qemu
	[ "$hits" -ge 10 ]
	[ "$lost" -ge 4 ]
}

@test "Ctrl-C at each step" {
	need_qemu
	elsewhere
	hits=0 resumed=0 lost=0
	for step in check rehearse prepare save-devices flush-memory commit take-over; do
		start_anew
		move_until "$step"
		kill -INT "$main"
		go_on
		assert_one_guest Ctrl-C "$step"
	done
	[ "$lost" = 0 ]
	kill_all
}

@test "no room for the state: the guest runs on" {
	need_qemu
	need_root 'mounts tmpfs'
	elsewhere
	mount -t tmpfs -o size=66M none "$memory"
	boot web -mem-path "$memory,mode=create,mmap=shared,anyfs,prealloc=off"
	fill web 8M 7
	head -c 70M /dev/zero >"$memory/filler" 2>/dev/null || true
	run move -q web other
	[ "$status" != 0 ]
	rm "$memory/filler"
	assert_stayed web
	run move -q web other
	assert_moved web
	kill_all
}
