#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# detach.bats - guests that live on their own: how they start, fail, are killed, and what is left.
#
# SOAK_SECONDS says how long the last test goes on.

# Words are split on purpose ($tiny); bats and helper.bash set the other variables.
# shellcheck disable=SC2016,SC2030,SC2031,SC2034,SC2046,SC2086,SC2091,SC2126,SC2154

load helper

file='qemu_back_mem.0+4000000.pc.ram'
machine='-accel tcg -nodefaults -display none -M q35 -m 64'
tiny="$machine -kernel $GUEST"
doomed="$machine -device no-such-device"

# Living processes of this test: starters, guests and what keeps their logs. A tracer is none.
ours() {
	for pid in $(pgrep -f -- "$state"); do
		case $(cat "/proc/$pid/comm" 2>/dev/null) in '' | strace) ;; *) echo "$pid" ;; esac
	done
}

teardown() {
	for pid in $(ours) $pids; do
		kill -KILL "$pid" 2>/dev/null || true
	done
	if mountpoint -q "$T/run"; then umount -l "$T/run"; fi
	rm -rf "$T"
}

# Starts a detached guest. Descriptor 3 is bats' own, which would wait for the guest to close it.
detach() { # EXOMEM-RUN-ARGUMENT...
	"$EXOMEM" run --detach --state-dir "$state" "$@" 3>&-
}

# A verb on this test's guests.
vm() { # VERB ARGUMENT...
	verb=$1
	shift
	"$EXOMEM" "$verb" --state-dir "$state" "$@" 3>&-
}

pid_of() { # NAME
	jq .pid "$state/$1/vm.json"
}

# A field of /proc/PID/stat, as proc(5) counts them.
stat_field() { # PID NUMBER
	sed 's/.*) //' "/proc/$1/stat" | cut -d' ' -f$(($2 - 2))
}

assert_no_process() {
	deadline=$((SECONDS + 5))
	while [ -n "$(ours)" ]; do
		if [ "$SECONDS" -ge "$deadline" ]; then
			echo 'still running:'
			ps -o pid,ppid,stat,args -p "$(ours | paste -sd,)"
			return 1
		fi
		sleep 0.05
	done
}

# No guest is listed, and none has left a process, a directory or a lock.
assert_nothing_left() {
	assert_no_process
	[ -z "$(vm list -q)" ]
	vm clean >/dev/null
	assert_guests
	[ ! -e "$state" ] || flock -n "$state" true
}

kill_guest() { # NAME
	victim=$(pid_of "$1")
	kill -KILL "$victim"
	wait_ended "$victim"
}

# A zombie that nobody reaps has ended too, once the last of its threads is one: they share its locks.
wait_ended() { # PID
	deadline=$((SECONDS + 10))
	until ! grep -qv ') Z ' "/proc/$1"/task/*/stat 2>/dev/null; do
		[ "$SECONDS" -lt "$deadline" ] || return 1
		sleep 0.02
	done
}

# Sends lines to a socket in a guest's directory and prints what comes back, once it matches.
talk() { # NAME SOCKET PATTERN LINE...
	local socket=$state/$1/$2 pattern=$3
	shift 3
	ask_socket "$socket" 1 "$pattern" "$@"
}

# A QEMU that is asked what it can do by exomem like any other, but sleeps where it should run.
make_sleeper() {
	cat >"$T/sleeper" <<-END
		#!/bin/sh
		case " \$* " in *' -readconfig '*) exec sleep 1000 ;; esac
		exec ${EXOMEM_QEMU:-qemu-system-x86_64} "\$@"
	END
	chmod +x "$T/sleeper"
	"$EXOMEM" probe --qemu "$T/sleeper" >/dev/null
}

# --- a start ---

@test "the name is printed when the guest runs and answers" {
	need_qemu
	run --separate-stderr detach --name web $tiny -serial stdio
	[ "$status" = 0 ]
	[ "$output" = web ]
	[ -z "$stderr" ]
	[ "$(vm qmp web query-status | jq -r .status)" = running ]
	[ "$(vm list --json | jq -c 'map([.name, .detached])')" = '[["web",true]]' ]
	assert_holds "$state/web" .exomem lock vm.json control.conf control.sock events.sock console.sock log
	[ "$(stat -c %a "$state" "$state/web" | xargs)" = '700 700' ]
	[ "$(stat -c %a "$state"/web/{lock,vm.json,control.conf,log} | xargs)" = '600 600 600 600' ]
	vm stop --kill web
	assert_nothing_left
}

@test "without --name it gets a name, and QEMU's own -name is one" {
	need_qemu
	run detach $tiny
	[[ "$status $output" =~ ^0\ vm-[0-9a-f]{4}$ ]]
	run detach $tiny -name guest=db
	[ "$status $output" = '0 db' ]
	[ "$(vm list -q | wc -l)" = 2 ]
}

@test "QEMU's own -daemonize is taken over" {
	need_qemu
	run "$EXOMEM" run --state-dir "$state" --name web $tiny -serial stdio -daemonize 3>&-
	[ "$status $output" = '0 web' ]
	[ -S "$state/web/console.sock" ]
	run ! jq -e '.argv | index("-daemonize")' "$state/web/vm.json"
	jq -e '.command | index("-daemonize")' "$state/web/vm.json"
}

@test "a guest that waits (-S) is detached too" {
	need_qemu
	run detach --name web $tiny -S
	[ "$status $output" = '0 web' ]
	[ "$(vm list --json | jq -r '.[0].status')" = prelaunch ]
}

@test "started on a terminal: none is kept, and its end is not the guest's" {
	need_qemu
	# script(1) gives a terminal, and ends the session on it. Its shell has a name to start by.
	export EXOMEM state tiny
	script -qec '"$EXOMEM" run --detach --state-dir "$state" --name web $tiny -serial stdio; tty' \
		"$T/typescript" >/dev/null </dev/null 3>&-
	grep -q '/dev/pts/' "$T/typescript"
	pid=$(pid_of web)
	[ "$(stat_field "$pid" 7)" = 0 ]     # tty_nr
	[ "$(stat_field "$pid" 6)" = "$pid" ] # session
	[ "$(readlink "/proc/$pid/fd/0")" = /dev/null ]
	# Nor by what keeps its log.
	for process in $(ours); do
		run ! grep -l /dev/pts <(readlink /proc/"$process"/fd/*)
		[ "$(stat_field "$process" 7)" = 0 ]
	done
	[ "$(vm qmp web query-status | jq -r .status)" = running ]
}

@test "the starter's standard streams may be closed" {
	need_qemu
	detach --name one $tiny -serial stdio <&- >"$T/out"
	[ "$(readlink "/proc/$(pid_of one)/fd/0")" = /dev/null ]
	[ "$(readlink "/proc/$(pid_of one)/fd/1")" = "$(readlink "/proc/$(pid_of one)/fd/2")" ]
	detach --name two $tiny -serial stdio <&- 2>&- >"$T/out"
	[ "$(cat "$T/out")" = two ]
	wait_for "$state/two/log" 'tiny: up'
	wait_for "$state/one/log" 'tiny: up'
}

@test "a name that cannot be printed is an error that says so, and the guest is listed" {
	need_qemu
	rc=0
	detach --name full $tiny >/dev/full 2>"$T/err" || rc=$?
	[ "$rc" = 4 ]
	[ "$(wc -l <"$T/err")" = 1 ]
	rc=0
	detach --name closed $tiny >&- 2>"$T/err" || rc=$?
	[ "$rc" = 1 ]
	[ "$(wc -l <"$T/err")" = 1 ]
	[ "$(vm list -q | xargs)" = 'closed full' ]
}

@test "a shell's \$(...) and pipe get their end of file: the guest holds neither" {
	need_qemu
	name=$(timeout 20 "$EXOMEM" run --detach --state-dir "$state" $tiny 2>&1 3>&-)
	[ "$(vm list -q)" = "$name" ]
}

@test "what the shell has open, the guest has not: but what its command line names" {
	need_qemu
	detach --name web $tiny 9>"$T/held" 19>"$T/other"
	detach --name named $tiny -add-fd fd=9,set=2 \
		-chardev file,id=c,path=/dev/fdset/2 9>"$T/held" 19>"$T/other"
	for name in web named; do
		for process in $(pid_of $name) $(pgrep -x exomem-log); do
			[ -z "$(find "/proc/$process/fd" -lname "$T/other" 2>/dev/null)" ]
		done
	done
	[ -z "$(find "/proc/$(pid_of web)/fd" -lname "$T/held")" ]
	[ -n "$(find "/proc/$(pid_of named)/fd" -lname "$T/held")" ]
}

@test "a caller that ignores SIGCHLD: QEMU's words all the same, and QEMU does not ignore it" {
	need_qemu
	run env --ignore-signal=CHLD "$EXOMEM" run --detach --state-dir "$state" $doomed 3>&-
	assert_refused 1 "'no-such-device' is not a valid device model name"
	env --ignore-signal=CHLD "$EXOMEM" run --detach --state-dir "$state" --name web $tiny 3>&-
	[ $((0x$(sed -n 's/^SigIgn:\t//p' "/proc/$(pid_of web)/status") >> 16 & 1)) = 0 ]
}

@test "warnings are printed by the starter" {
	need_qemu
	run --separate-stderr detach --name web $tiny -mem-path "$memory"
	[ "$status $output" = '0 web' ]
	[[ "$stderr" == *'exomem run: '*"'$memory'"* ]]
	[ "$(wc -l <<<"$stderr")" = 1 ]
	[ ! -s "$state/web/log" ]
}

# --- what was the terminal ---

@test "-nographic: console and monitor share a socket, and the log has what the console said" {
	need_qemu
	detach --name web -accel tcg -nodefaults -nographic -M q35 -m 64 -kernel "$GUEST" -serial mon:stdio
	wait_for "$state/web/log" 'tiny: up'
	talk web console.sock "identity: name=" identity >"$T/said"
	grep -q 'identity: name=web ' "$T/said"
	grep -q 'identity: name=web ' "$state/web/log"
	# Control-a c
	talk web console.sock 'VM status' $'\x01c' 'info status' >"$T/said"
	grep -q 'VM status: running' "$T/said"
	vm stop --kill web
	detach --name plain -accel tcg -nographic -M q35 -m 64 -kernel "$GUEST"
	wait_for "$state/plain/log" 'tiny: up'
	talk plain console.sock 'VM status' $'\x01c' 'info status' >"$T/said"
	grep -q 'VM status: running' "$T/said"
}

@test "-monitor stdio and -qmp stdio become sockets" {
	need_qemu
	detach --name one $tiny -monitor stdio
	talk one monitor.sock 'VM status' 'info status' >"$T/said"
	grep -q 'VM status: running' "$T/said"
	detach --name two $tiny -qmp stdio
	talk two qmp.sock '"name": *"two"' '{"execute":"qmp_capabilities"}' '{"execute":"query-name"}' >"$T/said"
	[ "$(jq -r 'select(.return.name).return.name' "$T/said")" = two ]
	# It is the user's alone: exomem has monitors of its own.
	[ "$(vm qmp two query-status | jq -r .status)" = running ]
}

@test "what draws on a terminal is refused, and nothing is made" {
	need_qemu
	run detach -accel tcg -M q35 -display curses
	assert_refused 2 'needs a terminal'
	assert_guests
}

# --- a start that fails ---

@test "QEMU's failure: its own words, exit 1, and nothing is left" {
	need_qemu
	for option in anyfs mode=create,anyfs mode=create,prealloc=off,anyfs; do
		run --separate-stderr detach --name web $doomed -mem-path "$memory,$option"
		[ "$status" = 1 ]
		[ -z "$output" ]
		[[ "$stderr" == "exomem run: "*"no-such-device"* ]]
		assert_empty "$memory"
		assert_guests
	done
	assert_nothing_left
}

@test "QEMU's failure: a file that was there before stays as it was" {
	need_qemu
	head -c 67108864 /dev/urandom >"$T/original"
	install -m 600 "$T/original" "$memory/$file"
	for option in mode=open,mmap=shared mode=open,mmap=private mode=create; do
		run detach --name web $doomed -mem-path "$memory,$option,anyfs"
		[ "$status" = 1 ]
		[[ "$output" == *no-such-device* ]]
		cmp "$T/original" "$memory/$file"
	done
	assert_nothing_left
}

@test "a QEMU that is killed while it starts: exit 1, and nothing is left" {
	need_qemu
	make_sleeper
	detach --qemu "$T/sleeper" --name web $tiny -mem-path "$memory,mode=create,anyfs" 2>"$T/err" &
	starter=$!
	wait_for "$state/web/vm.json" '"pid"'
	until grep -qa sleep "/proc/$(pid_of web)/comm"; do sleep 0.02; done
	kill -KILL "$(pid_of web)"
	rc=0
	wait "$starter" || rc=$?
	cat "$T/err"
	[ "$rc" = 1 ]
	[ "$(wc -l <"$T/err")" = 1 ]
	grep -q 'killed by SIGKILL$' "$T/err"
	assert_empty "$memory"
	assert_nothing_left
}

@test "a step's failure is named by the starter, and what was done is undone" {
	need_qemu
	detach --name web $tiny -mem-path "$memory,mode=create,anyfs"
	run detach --name web $tiny
	assert_refused 5 "name 'web' is taken (pid $(pid_of web))"
	run detach --name other $tiny -mem-path "$memory,mode=create,anyfs"
	assert_refused 5 "is in use by guest 'web' (pid $(pid_of web))"
	assert_guests web
	assert_holds "$memory" "$file"
	[ "$(vm qmp web query-status | jq -r .status)" = running ]
}

@test "a starter that was held up takes away nothing of a later guest with that name" {
	need_qemu
	make_sleeper
	"$EXOMEM" run --detach --state-dir "$state" --qemu "$T/sleeper" --name web $tiny \
		-mem-path "$memory,mode=create,anyfs" >"$T/out" 2>"$T/err" 3>&- &
	starter=$!
	pids="$pids $starter"
	wait_for "$state/web/vm.json" '"pid"'
	until grep -qa sleep "/proc/$(pid_of web)/comm"; do sleep 0.02; done
	kill -STOP "$starter"
	kill_guest web
	[ -z "$(vm list -q)" ]
	detach --name web $tiny -mem-path "$memory,mode=create,anyfs"
	kill -CONT "$starter"
	rc=0
	wait "$starter" || rc=$?
	[ "$rc" = 1 ]
	[ "$(vm list -q)" = web ]
	assert_holds "$memory" "$file"
	[ "$(vm qmp web query-status | jq -r .status)" = running ]
}

@test "two starts of one name in the same instant: one wins" {
	need_qemu
	for round in 1 2 3 4 5 6; do
		starters=''
		for i in 1 2 3; do
			detach --name web $tiny >"$T/out.$i" 2>"$T/err.$i" &
			starters="$starters $!"
		done
		won=0
		for starter in $starters; do
			rc=0
			wait "$starter" || rc=$?
			[ "$rc" = 0 ] || [ "$rc" = 5 ]
			[ "$rc" = 5 ] || won=$((won + 1))
		done
		cat "$T"/out.* "$T"/err.*
		[ "$won" = 1 ]
		[ "$(cat "$T"/out.*)" = web ]
		[ "$(grep -h "name 'web' is taken" "$T"/err.* | wc -l)" = 2 ]
		[ "$(vm list -q)" = web ]
		[ "$(pgrep -cf -- '-name guest=web .*'"$state")" = 1 ]
		vm stop --kill web
	done
	assert_nothing_left
}

# --- the log ---

@test "the log is capped at 1 MiB and keeps the last part" {
	need_qemu
	detach --name web $tiny -serial stdio
	wait_for "$state/web/log" 'tiny: up'
	# QEMU says what it runs: megabytes a second.
	vm qmp web human-monitor-command '{"command-line": "log exec,nochain"}' >/dev/null
	talk web console.sock ^filled 'fill 16M 7' >/dev/null &
	filler=$!
	shrunk=0 last=0
	deadline=$((SECONDS + 20))
	while [ "$shrunk" -lt 3 ]; do
		size=$(stat -c %s "$state/web/log")
		[ "$size" -le 1048576 ] || return 1
		[ "$size" -ge "$last" ] || shrunk=$((shrunk + 1))
		last=$size
		[ "$SECONDS" -lt "$deadline" ] || break
	done
	[ "$shrunk" -ge 3 ]
	vm qmp web human-monitor-command '{"command-line": "log none"}' >/dev/null
	wait "$filler"
	talk web console.sock 'unknown: last-words' last-words >/dev/null
	wait_for "$state/web/log" 'unknown: last-words'
	tail -n 5 "$state/web/log" | grep -q 'unknown: last-words'
	[ "$(stat -c %s "$state/web/log")" -le 1048576 ]
	run ! grep -qa 'tiny: up' "$state/web/log"
	assert_holds "$state/web" .exomem lock vm.json control.conf control.sock events.sock console.sock log
}

@test "a guest goes on without the process that keeps its log" {
	need_qemu
	detach --name web $tiny -serial stdio
	wait_for "$state/web/log" 'tiny: up'
	for keeper in $(ours); do
		[ "$(cat "/proc/$keeper/comm")" != exomem-log ] || kill -KILL "$keeper"
	done
	talk web console.sock "identity: name=" identity >"$T/said"
	grep -q 'identity: name=web ' "$T/said"
	[ "$(vm qmp web query-status | jq -r .status)" = running ]
}

# --- death ---

@test "a killed guest is gone from the next list, and by clean or the next start its leftovers" {
	need_qemu
	detach --name web $tiny -mem-path "$memory,anyfs" -serial stdio
	detach --name db $tiny
	kill_guest web
	run ! vm show web
	[ "$(vm list -q)" = db ]
	# Who only looks removes nothing.
	assert_guests db web
	[ "$(vm clean --dry-run)" = web ]
	assert_guests db web
	[ "$(vm clean)" = web ]
	assert_guests db
	assert_empty "$memory"
	kill_guest db
	detach --name web $tiny
	assert_guests web
}

@test "a killed guest's memory that was to be discarded is punched by the next command" {
	need_qemu
	detach --name web $tiny -mem-path "$memory,mode=create,discard=on,anyfs" -serial stdio
	wait_for "$state/web/log" 'tiny: up'
	talk web console.sock ^filled 'fill 16M 7' >/dev/null
	kill_guest web
	[ "$(stat -c %b "$memory/$file")" -ge 32768 ]
	[ "$(vm clean)" = web ]
	[ "$(stat -c '%b %s' "$memory/$file")" = '0 67108864' ]
}

@test "a killed guest's memory that was to be discarded stays where somebody else has it now" {
	need_qemu
	detach --name web $tiny -mem-path "$memory,mode=create,discard=on,anyfs" -serial stdio
	wait_for "$state/web/log" 'tiny: up'
	talk web console.sock ^filled 'fill 16M 7' >/dev/null
	kill_guest web
	sum=$(sha256sum <"$memory/$file")
	flock -s "$memory/$file" "$EXOMEM" clean --state-dir "$state"
	[ "$(sha256sum <"$memory/$file")" = "$sum" ]
	assert_guests
}

@test "another file at the path of a killed guest's memory is not punched" {
	need_qemu
	detach --name web $tiny -mem-path "$memory,mode=create,discard=on,anyfs" -serial stdio
	wait_for "$state/web/log" 'tiny: up'
	kill_guest web
	mv "$memory/$file" "$T/moved"
	tr '\0' x </dev/zero | head -c 64M >"$memory/$file"
	sum=$(sha256sum <"$memory/$file")
	[ "$(vm clean)" = web ]
	[ "$(sha256sum <"$memory/$file")" = "$sum" ]
}

@test "a guest that ends by itself leaves nothing behind the next command" {
	need_qemu
	detach --name web $tiny -serial stdio
	wait_for "$state/web/log" 'tiny: up'
	pid=$(pid_of web)
	talk web console.sock poweroff poweroff >/dev/null || true
	wait_ended "$pid"
	assert_nothing_left
}

# --- kills at each step ---

victim() {
	echo "$EXOMEM run --detach --state-dir $state --name victim $tiny -mem-path $memory,mode=create,anyfs"
}

answers() { # NAME
	vm qmp "$1" query-status >/dev/null 2>&1
}

# Waits until the victim either runs or has left no process.
settle() {
	deadline=$((SECONDS + 10))
	until answers victim || [ -z "$(ours)" ]; do
		if [ "$SECONDS" -ge "$deadline" ]; then
			echo 'neither a guest nor nothing:'
			ps -o pid,ppid,stat,args -p "$(ours | paste -sd,)"
			return 1
		fi
		sleep 0.02
	done
}

# Either a guest that `list` shows, or nothing but perhaps a whole memory file that nobody has.
check_settled() {
	settle
	if answers victim; then
		[ "$(vm list -q)" = victim ] || return 1
		lived=$((lived + 1))
		kill_guest victim
	fi
	assert_nothing_left || return 1
	[ -z "$(ls -A "$memory")" ] || {
		assert_holds "$memory" "$file" || return 1
		[ "$(stat -c '%s %a' "$memory/$file")" = '67108864 600' ] || return 1
		flock -n "$memory/$file" true || return 1
		rm "$memory/$file"
	}
}

# Numbers the lines "CALL(..." of a trace: "CALL N", where it is the Nth CALL.
number_calls() {
	sed -n 's/^\([a-z0-9_]*\)(.*/\1/p' | awk '{ print $1, ++n[$1] }'
}

@test "SIGKILL of the starter at each call: a guest that is listed, or nothing" {
	need_strace
	strace -qq -e signal=none -o "$T/trace" $(victim) >/dev/null 3>&-
	kill_guest victim
	vm clean
	rm "$memory/$file"
	# All before is reading: the pipe is the first thing that the starter makes.
	number_calls <"$T/trace" | sed -n '/^pipe2 /,$p' | grep -v exit_group >"$T/calls"
	kills=0 lived=0
	while read -r call n; do
		strace -qq -o /dev/null -e "trace=$call" -e signal=none -e "inject=$call:signal=KILL:when=$n" \
			$(victim) >/dev/null 2>&1 3>&- </dev/null || true
		kills=$((kills + 1))
		check_settled || {
			echo "after SIGKILL at $call number $n"
			return 1
		}
	done <"$T/calls"
	echo "# killed $kills times, $lived guests lived" >&3
	[ "$kills" -gt 15 ]
	[ "$lived" -gt 10 ]
}

# Follows all processes of a start, until the guest is killed.
trace_all() { # STRACE-ARGUMENT...
	strace -f -qq -e signal=none "$@" $(victim) >/dev/null 2>&1 3>&- </dev/null &
	tracer=$!
	pids="$pids $tracer"
}

# System calls of a guest's process before it is QEMU, that change something outside of it.
child_calls='mkdir,mkdirat,flock,fchmod,ftruncate,fallocate,linkat,socket,bind,listen,rename,write,pipe2,
	clone,wait4,dup2,setsid,fcntl,execve,close_range,prctl,chdir'
child_calls=${child_calls//[[:space:]]/}

@test "SIGKILL at each call of the process that becomes QEMU, and of those that keep its log" {
	need_strace
	# A file for each process: in one file their lines would break each other up.
	trace_all -ff -o "$T/trace" -e "trace=$child_calls"
	# If the guest is killed before exomem exits, the start has failed and the memory file is removed.
	deadline=$((SECONDS + 30))
	until answers victim && ! pgrep -P "$tracer"; do
		[ "$SECONDS" -lt "$deadline" ]
		sleep 0.02
	done
	kill_guest victim
	wait "$tracer" || true
	vm clean
	rm "$memory/$file"
	starter=$(grep -l "^execve(\"$EXOMEM\"" "$T"/trace.*)
	child=$(grep -l '^execve(' "$T"/trace.* | grep -vxF "$starter" | head -n 1)
	# Counted for each process by itself: where the starter makes as many of a call before, that
	# kill would only meet the starter.
	sed '/^clone/q' "$starter" | number_calls >"$T/before"
	sed '/^execve/q' "$child" | number_calls >"$T/made"
	for keeper in "$T"/trace.*; do
		[ "$keeper" != "$starter" ] && [ "$keeper" != "$child" ] || continue
		grep -E '^(setsid|close_range|prctl)' "$keeper" || true
	done | number_calls | sed '3q' >>"$T/made"
	sort -u "$T/made" | grep -vxFf "$T/before" >"$T/calls"
	kills=0 lived=0
	while read -r call n; do
		trace_all -o /dev/null -e "trace=$call" -e "inject=$call:signal=KILL:when=$n"
		wait_started
		check_settled || {
			echo "after SIGKILL at $call number $n"
			return 1
		}
		wait "$tracer" || true
		kills=$((kills + 1))
	done <"$T/calls"
	echo "# killed $kills times, $lived guests lived" >&3
	[ "$kills" -gt 30 ]
}

# Waits until a start that runs in the background has come to its end, or to its guest.
wait_started() {
	deadline=$((SECONDS + 10))
	while [ -d "/proc/$tracer" ] && ! answers victim && [ "$SECONDS" -lt "$deadline" ]; do
		sleep 0.02
	done
}

@test "SIGKILL of starter and guest together, at any time of a start" {
	need_qemu
	kills=0 lived=0
	for ((pause = 0; pause < 300; pause += 15)); do
		$(victim) >/dev/null 2>&1 3>&- </dev/null &
		starter=$!
		sleep "0.$(printf %03d "$pause")"
		for pid in $(ours); do
			case $(cat "/proc/$pid/comm" 2>/dev/null) in
			exomem-log) ;;
			*) kill -KILL "$pid" 2>/dev/null || true ;;
			esac
		done
		wait "$starter" 2>/dev/null || true
		check_settled || {
			echo "after SIGKILL of both after $pause ms"
			return 1
		}
		kills=$((kills + 1))
	done
}

@test "SIGINT, SIGTERM and SIGHUP of a starter: a guest that is listed, or nothing" {
	need_qemu
	kills=0 lived=0
	for signal in INT TERM HUP; do
		for pause in 02 05 08 11 14 20; do
			# Through a shell that lets SIGINT be: one in the background ignores it.
			setsid env --default-signal=INT $(victim) >/dev/null 2>&1 3>&- </dev/null &
			starter=$!
			sleep "0.$pause"
			kill "-$signal" -- "-$starter" 2>/dev/null || true
			wait "$starter" 2>/dev/null || true
			check_settled || {
				echo "after SIG$signal after 0.$pause s"
				return 1
			}
		done
	done
}

# --- the state directory ---

@test "a record that is half written: its copy is shown, or an error; the name stays taken" {
	need_qemu
	detach --name web $tiny
	detach --name db $tiny
	whole=$(cat "$state/web/vm.json")
	pid=$(pid_of web)
	for length in 0 1 100 $((${#whole} - 1)); do
		printf '%s' "${whole:0:length}" >"$state/web/vm.json"
		[ "$(vm list -q | xargs)" = 'db web' ]
		[ "$(vm show --json web | jq .pid)" = "$pid" ]
		cp "$state/web/lock" "$T/lock"
		printf '%s' "${whole:0:length}" >"$state/web/lock"
		for verb in list 'show web'; do
			run vm $verb
			assert_refused 5 "the record of guest 'web' is not whole: 'kill $pid' ends it"
		done
		[ "$(vm show --json db | jq -r .name)" = db ]
		run detach --name web $tiny
		assert_refused 5 "name 'web' is taken (pid $pid)"
		cat "$T/lock" >"$state/web/lock"
	done
	printf '%s' "$whole" >"$state/web/vm.json"
	[ "$(vm list -q | xargs)" = 'db web' ]
}

@test "a record of another schema: an error that says so, swept when the guest is dead" {
	need_qemu
	detach --name web $tiny
	pid=$(pid_of web)
	sed -i 's/"schema": *1/"schema": 99/' "$state/web/vm.json"
	run vm show web
	assert_refused 5 "'$state/web'"
	run vm stop web
	assert_refused 5 "'$state/web'"
	run detach --name web $tiny
	assert_refused 5 "name 'web' is taken (pid $pid)"
	kill -KILL "$pid"
	wait_ended "$pid"
	assert_nothing_left
}

@test "a directory that was left half made is swept" {
	need_qemu
	detach --name web $tiny
	mkdir -m 700 "$state"/{empty,unfinished,marked,locked,recorded}
	touch "$state/unfinished/.exomem"
	for name in marked locked recorded; do cp "$state/web/.exomem" "$state/$name"; done
	touch "$state/locked/lock"
	cp "$state/web/vm.json" "$state/web/lock" "$state/recorded"
	touch "$state/recorded/"{log.new,vm.json.XYZABC}
	[ "$(vm list -q)" = web ]
	vm clean
	assert_guests web
	[ "$(vm qmp web query-status | jq -r .status)" = running ]
}

@test "a directory that was removed under a running guest: it is listed, keeps its name, and is stopped" {
	need_qemu
	detach --name web $tiny -mem-path "$memory,mode=create,anyfs" -serial stdio
	pid=$(pid_of web)
	vm show --json web | jq '{uuid, pid, command}' >"$T/before"
	rm -r "$state/web"
	[ "$(vm list -q)" = web ]
	[ "$(vm list --json | jq -r '.[].status')" = 'no directory' ]
	vm show --json web | jq '{uuid, pid, command}' | diff "$T/before" -
	for verb in 'qmp web query-status' 'console web' 'logs web'; do
		run vm $verb </dev/null
		assert_refused 1 "the directory of guest 'web' was removed while it runs, with its sockets; "
	done
	run detach --name web $tiny
	assert_refused 5 "name 'web' is taken (pid $pid): the directory of that guest was removed while it runs"
	# Its memory is locked all the same.
	run detach --name other $tiny -mem-path "$memory,mode=create,anyfs"
	assert_refused 5 "is in use by guest 'web' (pid $pid)"
	assert_guests
	vm clean
	vm stop web
	wait_ended "$pid"
	[ -z "$(vm list -q)" ]
	detach --name web $tiny
	[ "$(vm qmp web query-status | jq -r .status)" = running ]
}

@test "the whole state directory removed under running guests, and made again" {
	need_qemu
	detach --name web $tiny -serial stdio
	detach --name db $tiny
	pids="$(pid_of web) $(pid_of db)"
	rm -r "$state"
	[ "$(vm list -q | xargs)" = 'db web' ]
	[ ! -e "$state" ]
	detach --name new $tiny
	[ "$(vm list -q | xargs)" = 'db new web' ]
	# Of another state directory they are not.
	[ -z "$("$EXOMEM" list -q --state-dir "$T/elsewhere")" ]
	vm stop --kill db
	[ "$(vm list -q | xargs)" = 'new web' ]
	vm stop --timeout 0 --all
	for pid in $pids; do wait_ended "$pid"; done
	[ -z "$(vm list -q)" ]
}

@test "a runtime directory that was emptied and unmounted, as at a logout, loses no guest" {
	need_qemu
	need_root 'mounts tmpfs'
	mkdir "$T/run"
	mount -t tmpfs none "$T/run"
	state=$T/run/exomem
	detach --name web $tiny
	detach --name db $tiny
	web=$(pid_of web) db=$(pid_of db)
	rm -r "$state/web"
	umount -l "$T/run"
	mount -t tmpfs none "$T/run"
	[ "$(vm list -q | xargs)" = 'db web' ]
	vm stop --all
	umount "$T/run"
	wait_ended "$web"
	wait_ended "$db"
}

@test "a state directory that is not ours alone, a file, a link, or too long a path" {
	need_qemu
	mkdir -m 777 "$T/open"
	ln -s "$T" "$T/link"
	touch "$T/plain"
	for directory in "$T/open" "$T/link" "$T/plain"; do
		run "$EXOMEM" run --detach --state-dir "$directory" $tiny 3>&-
		[[ "$status" =~ [125] ]]
		[ "${#lines[@]}" = 1 ]
		[[ "$output" == *"'$directory'"* ]]
	done
	assert_empty "$T/open"
	long=$T/$(printf 'n%.0s' {1..100})
	run "$EXOMEM" run --detach --state-dir "$long" $tiny 3>&-
	[[ "$status" =~ [25] ]]
	[ "${#lines[@]}" = 1 ]
	[ ! -e "$long" ]
}

@test "a state directory of another user" {
	need_qemu
	need_root 'only root can give a directory away'
	mkdir -m 700 "$T/theirs"
	chown 65534 "$T/theirs"
	run "$EXOMEM" run --detach --state-dir "$T/theirs" $tiny 3>&-
	assert_refused 5 "'$T/theirs'"
	run "$EXOMEM" list --state-dir "$T/theirs"
	assert_refused 5 "'$T/theirs'"
	assert_empty "$T/theirs"
}

@test "one who asks for a guest while it claims its name does not take its lock away" {
	need_strace
	# The start's second lock is its name's; the other one is made to hold on to it.
	strace -f -qq -o /dev/null -e trace=flock -e inject=flock:delay_enter=700000:when=2 \
		$(victim) >/dev/null 2>"$T/err" 3>&- &
	tracer=$!
	pids="$pids $tracer"
	wait_for_file "$state/victim/lock"
	strace -qq -o /dev/null -e trace=flock -e inject=flock:delay_exit=1500000 \
		"$EXOMEM" show --state-dir "$state" victim >/dev/null 2>&1 3>&- || true
	deadline=$((SECONDS + 10))
	until answers victim || [ ! -d "/proc/$tracer" ] || [ "$SECONDS" -ge "$deadline" ]; do
		sleep 0.05
	done
	# Refused with an error would do as well as a guest; a guest that nobody knows of would not.
	if [ -n "$(ours)" ]; then
		[ "$(vm list -q)" = victim ]
		run ! flock -n "$state/victim/lock" true
	fi
}

wait_for_file() { # PATH
	deadline=$((SECONDS + 10))
	until [ -e "$1" ]; do
		[ "$SECONDS" -lt "$deadline" ] || return 1
		sleep 0.01
	done
}

# --- many ---

# Holds some guests, and for some time stops one of them and starts another.
worker() { # NUMBER SHARE END
	names=()
	started=0
	while [ "${#names[@]}" -lt "$2" ] || [ "$SECONDS" -lt "$3" ]; do
		if [ "${#names[@]}" -ge "$2" ]; then
			case $((started % 3)) in
			0) vm stop --kill "${names[0]}" ;;
			1) vm stop --timeout 0 "${names[0]}" ;;
			2) kill_guest "${names[0]}" ;;
			esac || echo "stop ${names[0]}: $?" >>"$T/bad"
			names=("${names[@]:1}")
		fi
		name=(--name "w$1-$started")
		[ $((started % 2)) = 0 ] || name=()
		# A name that is drawn may be taken.
		if out=$(detach "${name[@]}" $tiny -mem-path "$memory,prealloc=off,anyfs" -serial stdio 2>&1); then
			names+=("$out")
		elif [[ "$out" != *"name 'vm-"*"is taken"* ]]; then
			echo "start: $out" >>"$T/bad"
		fi
		started=$((started + 1))
	done
	printf '%s\n' "${names[@]}" >"$T/held.$1"
	echo "$started" >"$T/started.$1"
}

# BATS_TEST_TIMEOUT has to be larger than SOAK_SECONDS by a minute.
@test "50 guests, started and stopped by 8 processes at once" {
	need_qemu
	"$EXOMEM" probe >/dev/null
	end=$((SECONDS + ${SOAK_SECONDS:-15}))
	workers=''
	for i in 1 2 3 4 5 6 7 8; do
		# 7 + 7 + 6 * 6 = 50
		worker "$i" $((i <= 2 ? 7 : 6)) "$end" >"$T/worker.$i" 2>&1 3>&- &
		workers="$workers $!"
	done
	wait $workers
	cat "$T"/worker.*
	[ ! -e "$T/bad" ] || {
		cat "$T/bad"
		return 1
	}
	echo "# $(cat "$T"/started.* | paste -sd+ | bc) guests started" >&3
	vm list -q | sort >"$T/listed"
	[ "$(wc -l <"$T/listed")" = 50 ]
	[ "$(uniq "$T/listed" | wc -l)" = 50 ]
	sort "$T"/held.* | cmp - "$T/listed"
	[ "$(vm list --json | jq 'map(.pid) | unique | length')" = 50 ]
	[ "$(vm list --json | jq -c 'map(.status) | unique')" = '["running"]' ]
	workers=''
	for i in 1 2 3 4 5 6 7 8; do
		vm stop --kill $(cat "$T/held.$i") 3>&- &
		workers="$workers $!"
	done
	for worker in $workers; do
		wait "$worker"
	done
	assert_nothing_left
	assert_empty "$memory"
	run ! grep -F "$(stat -c :%i "$state") " /proc/locks
}

# A start whose own calls to QEMU fail: those of this process, and not of QEMU.
start_failing() { # CALL ERROR WHEN
	run strace -qq -o /dev/null -e "trace=$1" -e "inject=$1:error=$2:when=$3" "$EXOMEM" run --detach \
		--state-dir "$state" --name web -accel tcg -M q35 -m 64 -nodefaults -display none -S \
		-mem-path "$memory,mode=create,anyfs" 3>&-
}

@test "QEMU runs, and cannot be asked: it is asked again, or nothing is left" {
	need_strace
	"$EXOMEM" probe >/dev/null
	for failure in 'sendmsg ENOMEM 2' 'connect ENOMEM 1' 'recvfrom EIO 1'; do
		start_failing $failure
		echo "$failure: $output"
		[ "$status $output" = '0 web' ]
		"$EXOMEM" stop --kill --state-dir "$state" web
		rm "$memory"/*
	done
	start_failing sendmsg ENOMEM 1+
	assert_refused 4 'Cannot allocate memory'
	assert_guests
	assert_empty "$memory"
	run ! pgrep -f -- "$state/web"
}
