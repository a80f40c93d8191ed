#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# kill.bats - exomem killed, and system calls failing, at each step of a start.

# Words are split on purpose ($tcg); bats and helper.bash set the other variables.
# shellcheck disable=SC2030,SC2031,SC2034,SC2086,SC2154

load helper

# System calls that change something outside the process, or come between two that do.
calls='mkdir mkdirat openat flock fcntl fchmod ftruncate fallocate linkat bind listen write rename unlinkat
	close execve'
file='qemu_back_mem.0+4000000.pc.ram'

# A start that reaches QEMU, which then finds fault with its command line and ends.
doomed='-accel tcg -M q35 -m 64 -display none -device no-such-device'

# How often the program makes each call before it becomes QEMU: lines "CALL COUNT".
count_calls() { # MEMORY-OPTION
	strace -qq -e signal=none -o "$T/trace" "$EXOMEM" run --state-dir "$state" --name count $doomed \
		-mem-path "$1" >/dev/null 2>&1 || true
	# The second execve() is the start of QEMU.
	awk '/^execve/ && ++seen == 2 { print; exit } { print }' "$T/trace" >"$T/own"
	for call in $calls; do
		echo "$call $(grep -c "^$call(" "$T/own" || true)"
	done
}

# Kills the program as it enters a call for the Nth time.
kill_at() { # CALL N MEMORY-OPTION
	strace -qq -o /dev/null -e "trace=$1" -e signal=none -e "inject=$1:signal=KILL:when=$2" \
		"$EXOMEM" run --state-dir "$state" --name victim $doomed -mem-path "$3" >/dev/null 2>&1 ||
		true
}

# A next start, which sweeps.
start_next() {
	exomem_run --name next $doomed >/dev/null 2>&1 || true
}

assert_nothing_runs() {
	run ! pgrep -f -- "-name victim"
}

# Kills at every call; the memory folder must hold nothing, or what $3 says (a complete file).
kill_everywhere() { # MEMORY-OPTION CHECK-FUNCTION
	count_calls "$1" >"$T/counts"
	rm -rf "${memory:?}"/*
	kills=0
	while read -r call count; do
		for ((n = 1; n <= count; n++)); do
			kill_at "$call" "$n" "$1"
			kills=$((kills + 1))
			"$2" || {
				echo "after SIGKILL at $call number $n"
				return 1
			}
		done
	done <"$T/counts"
	assert_nothing_runs
	start_next
	assert_guests next
	echo "# killed $kills times" >&3
	[ "$kills" -gt 50 ]
}

no_file() {
	assert_empty "$memory"
}

# Nothing, or the whole file with nobody's lock on it.
no_file_or_whole() {
	[ -e "$memory/$file" ] || {
		no_file
		return
	}
	assert_holds "$memory" "$file"
	[ "$(stat -c '%s %a' "$memory/$file")" = '67108864 600' ]
	flock -n "$memory/$file" true
	rm "$memory/$file"
}

@test "SIGKILL at each call of a start with mode=temp leaves no file, process or lock" {
	need_strace
	kill_everywhere "$memory,anyfs" no_file
}

@test "SIGKILL at each call of a start with mode=create leaves no half file" {
	need_strace
	kill_everywhere "$memory,mode=create,anyfs" no_file_or_whole
}

@test "SIGKILL at each call of a start with mode=open leaves the file as it was" {
	need_strace
	head -c 67108864 /dev/urandom >"$T/original"
	install -m 600 "$T/original" "$memory/$file"
	count_calls "$memory,mode=open,mmap=private,anyfs" >"$T/counts"
	while read -r call count; do
		case $call in openat | flock | write | execve) ;; *) continue ;; esac
		for ((n = 1; n <= count; n++)); do
			kill_at "$call" "$n" "$memory,mode=open,mmap=private,anyfs"
		done
	done <"$T/counts"
	cmp "$T/original" "$memory/$file"
	flock -n "$memory/$file" true
	assert_nothing_runs
}

@test "a system call that fails is undone: nothing is left, and the error names the step" {
	need_strace
	exomem_run --name warm $doomed >/dev/null 2>&1 || true
	start_next
	for failure in flock:EIO:2:1 ftruncate:EFBIG:1:1 fallocate:ENOSPC:1:4 fallocate:EIO:1:1 \
		linkat:EEXIST:1:5 linkat:EIO:1:1 rename:EIO:1:1 execve:EACCES:1:3; do
		IFS=: read -r call errno when wanted <<<"$failure"
		rm -rf "$state"
		run strace -qq -o /dev/null -e "trace=$call" -e "inject=$call:error=$errno:when=$when" \
			"$EXOMEM" run --state-dir "$state" $doomed -mem-path "$memory,mode=create,anyfs"
		echo "$failure: $status $output"
		assert_refused "$wanted" ': '
		assert_empty "$memory"
		assert_guests
	done
}

@test "no room found out only while reserving: mode=temp still falls back" {
	need_strace
	run strace -qq -o /dev/null -e trace=fallocate -e inject=fallocate:error=EDQUOT:when=1+ \
		"$EXOMEM" run --state-dir "$state" $doomed -mem-path "$memory,anyfs"
	[[ "$output" == *'guest memory is anonymous'* ]]
	[[ "$output" == *no-such-device* ]]
	assert_empty "$memory"
}

@test "a probe dies with the exomem that asked" {
	need_qemu
	printf '#!/bin/sh\nexec sleep 1000\n' >"$T/slow-qemu"
	chmod +x "$T/slow-qemu"
	"$EXOMEM" probe --qemu "$T/slow-qemu" >/dev/null 2>&1 3>&- &
	pid=$!
	deadline=$((SECONDS + 30))
	until child=$(pgrep -x -P "$pid" sleep); do
		[ "$SECONDS" -lt "$deadline" ]
		sleep 0.02
	done
	kill -KILL "$pid"
	wait_gone "$child"
}
