#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# vm.bats - list, show, wait, stop, qmp and events, on real QEMU.

# Words are split on purpose ($tcg); bats and helper.bash set the other variables.
# shellcheck disable=SC2030,SC2031,SC2034,SC2086,SC2154

load helper

# A verb on this test's guests.
vm() { # VERB ARGUMENT...
	local verb=$1
	shift
	"$EXOMEM" "$verb" --state-dir "$state" "$@"
}

# Starts a tiny guest; $pid is its QEMU.
boot() { # NAME QEMU-ARGUMENT...
	name=$1
	shift
	start "$name" --name "$name" $tcg -M q35 -m 64 -mem-path "$memory,anyfs" -kernel "$GUEST" "$@"
	case " $* " in
	*' -S '*) wait_answer "$name" ;;
	*) wait_for "$T/$name.out" 'tiny: up' ;;
	esac
}

wait_answer() { # NAME
	deadline=$((SECONDS + 10))
	until vm qmp "$1" query-status >/dev/null 2>&1; do
		[ "$SECONDS" -lt "$deadline" ] || return 1
		sleep 0.05
	done
}

# Starts a listener; its output is $T/events, its process $listener.
listen() { # NAME
	rm -f "$T/events"
	"$EXOMEM" events --state-dir "$state" "$1" >"$T/events" 2>"$T/events.err" 3>&- &
	listener=$!
	pids="$pids $listener"
	# The first event may come only when it listens: it is made to come until it is heard.
	deadline=$((SECONDS + 10))
	until [ -s "$T/events" ]; do
		vm qmp "$1" stop >/dev/null
		vm qmp "$1" cont >/dev/null
		[ "$SECONDS" -lt "$deadline" ] || return 1
	done
}

# Milliseconds that a command takes; its status is in $status.
milliseconds() { # COMMAND...
	began=$(date +%s%N)
	status=0
	"$@" >"$T/timed" 2>&1 || status=$?
	echo $((($(date +%s%N) - began) / 1000000))
}

status_of() { # NAME
	vm list --json | jq -r --arg name "$1" '.[] | select(.name == $name).status'
}

@test "list without guests: a header, nothing, an empty array" {
	run vm list
	[ "$status" = 0 ]
	[ "${#lines[@]}" = 1 ]
	[[ "$output" == NAME*STATUS*PID*MEMORY*AGE ]]
	run vm list -q
	[ "$status" = 0 ]
	[ -z "$output" ]
	[ "$(vm list --json | jq -c .)" = '[]' ]
	[ ! -e "$state" ]
}

@test "no such guest: exit 5 from each verb that names one, and other names than guests have are 2" {
	run vm show nobody
	assert_refused 5 "no guest 'nobody'"
	run vm wait nobody
	assert_refused 5 "no guest 'nobody'"
	run vm stop nobody
	assert_refused 5 "no guest 'nobody'"
	run vm qmp nobody query-status
	assert_refused 5 "no guest 'nobody'"
	run vm events nobody
	assert_refused 5 "no guest 'nobody'"
	run vm show ../state
	assert_refused 2 "'../state'"
}

@test "malformed requests: exit 2 and one line" {
	run vm show
	assert_refused 2 'name a guest'
	run vm show a b
	assert_refused 2 "'b' is not expected"
	run vm list a
	assert_refused 2 "'a' is not expected"
	run vm list -q --json
	assert_refused 2 'exclude each other'
	run vm list --watch --json
	assert_refused 2 'exclude each other'
	run vm stop
	assert_refused 2 'name guests'
	run vm stop --all a
	assert_refused 2 "'a' is not expected"
	run vm stop --kill --timeout 1 a
	assert_refused 2 'exclude each other'
	run vm wait --for boot a
	assert_refused 2 "--for: 'boot'"
	run vm qmp a
	assert_refused 2 'name a guest and a command'
	for time in '' -1 1e3 0x10 nan inf 1.2.3 .5 '1 ' 2000001; do
		run vm wait --timeout "$time" a
		assert_refused 2 "--timeout: '$time'"
	done
}

@test "list: names in order, status, process, memory, age; the same as JSON; names alone" {
	need_qemu
	boot web
	web=$pid
	boot db -S
	run vm list
	[ "${#lines[@]}" = 3 ]
	[[ "${lines[1]}" =~ ^db\ +prelaunch\ +$pid\ +64\ MiB\ +[0-9]+s$ ]]
	[[ "${lines[2]}" =~ ^web\ +running\ +$web\ +64\ MiB\ +[0-9]+s$ ]]
	[ "$(vm list -q | xargs)" = 'db web' ]
	vm list --json >"$T/json"
	[ "$(jq -c 'map([.name, .status, .pid, .memory, .detached])' "$T/json")" = \
		"[[\"db\",\"prelaunch\",$pid,67108864,false],[\"web\",\"running\",$web,67108864,false]]" ]
	[ "$(jq -r '.[1].directory' "$T/json")" = "$state/web" ]
	[ "$(jq '.[1].created' "$T/json")" -le "$(date +%s)" ]
	vm qmp web stop
	[ "$(status_of web)" = paused ]
}

@test "list: the memory of a guest whose memory is none of ours" {
	need_qemu
	start plain --name plain $tcg -M q35 -m 96 -kernel "$GUEST"
	start own --name own $tcg -object memory-backend-ram,id=ram,size=80M \
		-M q35,memory-backend=ram -kernel "$GUEST"
	wait_answer plain
	wait_answer own
	[ "$(vm list --json | jq -c 'map([.name, .memory])')" = \
		'[["own",83886080],["plain",100663296]]' ]
	# Only QEMU knows that size.
	kill -STOP "$pid"
	run vm list
	[[ "${lines[1]}" =~ ^own\ +no\ answer\ +$pid\ +-\ +[0-9]+s$ ]]
}

@test "list: a hung guest has no answer, and holds up nobody for long" {
	need_qemu
	boot hung
	kill -STOP "$pid"
	boot well
	[ "$(milliseconds vm list)" -lt 1500 ]
	[ "$(status_of hung)" = 'no answer' ]
	[ "$(status_of well)" = running ]
	# Those who asked in vain have filled its queue: that is still no answer, not an error.
	for _ in 1 2 3 4; do
		[ "$(status_of hung)" = 'no answer' ]
	done
	[ "$(vm list -q | xargs)" = 'hung well' ]
	run vm show hung
	[ "$status" = 0 ]
	[[ "$output" == *'no answer'* ]]
}

@test "list: a guest that was killed is gone; its directory goes by clean" {
	need_qemu
	boot victim
	kill -KILL "$pid"
	wait "$pid" || true
	[ -z "$(vm list -q)" ]
	assert_guests victim
	[ "$(vm clean)" = victim ]
	assert_guests
}

@test "many at once all get their answer" {
	need_qemu
	boot web
	askers=''
	for i in 1 2 3 4 5 6 7 8; do
		(
			for _ in 1 2 3 4 5 6 7 8 9 10; do
				vm list || echo "exit $?"
				vm qmp web query-status >/dev/null || echo "exit $?"
			done >"$T/asked.$i" 2>&1
		) 3>&- &
		askers="$askers $!"
	done
	# Not `wait` alone: that would wait for the guest.
	wait $askers
	[ "$(cat "$T"/asked.* | grep -c running)" = 80 ]
	run ! grep -h exit "$T"/asked.*
}

@test "list --watch prints each second until interrupted" {
	need_qemu
	boot web
	run timeout -s INT 2.5 "$EXOMEM" list --state-dir "$state" --watch
	[ "$(grep -c ^NAME <<<"$output")" = 3 ]
	[ "$(grep -c '^web .*running' <<<"$output")" = 3 ]
	[[ "$output" != *$'\033'* ]]
}

@test "a full disk and a closed output are no success" {
	need_qemu
	boot web
	for words in 'list' 'list --json' 'list -q' 'list --watch' 'show web' 'show --json web' \
		'qmp web query-status'; do
		rc=0
		vm $words >/dev/full 2>"$T/err" || rc=$?
		[ "$rc" = 4 ]
		[ "$(wc -l <"$T/err")" = 1 ]
		rc=0
		vm $words >&- 2>"$T/err" || rc=$?
		echo "$words: $rc $(cat "$T/err")"
		[ "$rc" = 1 ]
		[ "$(wc -l <"$T/err")" = 1 ]
	done
}

@test "show: the record, the status and the sockets" {
	need_qemu
	boot web -append 'two words'
	vm show web >"$T/shown"
	for line in 'name +web' 'status +running' "pid +$pid" 'detached +no' "directory +$state/web" \
		'sockets +control.sock events.sock' 'memory +64 MiB' "working directory +$PWD" \
		"memory block +64 MiB at 0, shared: a file without name in $memory" \
		"command .* -m 64 .* -append 'two words'"; do
		grep -qE "^$line\$" "$T/shown" || {
			echo "no '$line' in:"
			cat "$T/shown"
			return 1
		}
	done
	vm show --json web >"$T/json"
	[ "$(jq -r '[.name, .status, .pid, ."memory-size", .memory[0].size] | @csv' "$T/json")" = \
		"\"web\",\"running\",$pid,67108864,67108864" ]
	jq -e --slurpfile record "$state/web/vm.json" '. as $all | $record[0] | to_entries |
		all(.value == $all[.key])' "$T/json"
}

@test "wait: returns when the guest ends" {
	need_qemu
	boot web
	"$EXOMEM" wait --state-dir "$state" web 3>&- &
	waiter=$!
	pids="$pids $waiter"
	run vm wait --timeout 0.3 web
	assert_refused 1 "guest 'web' has not ended after 0.3 s"
	kill -0 "$waiter"
	say web poweroff
	wait "$waiter"
	run vm wait web
	assert_refused 5 "no guest 'web'"
}

@test "wait: a hung guest that is killed has ended too" {
	need_qemu
	boot web
	kill -STOP "$pid"
	run vm wait --for running --timeout 1 web
	assert_refused 1 "guest 'web' does not run after 1 s"
	"$EXOMEM" wait --state-dir "$state" web 3>&- &
	waiter=$!
	pids="$pids $waiter"
	wait_watching "$waiter"
	kill -KILL "$pid"
	wait "$waiter"
}

@test "wait --for running: returns when a paused guest goes on, and fails when it ends" {
	need_qemu
	boot web -S
	run vm wait --for running --timeout 0.3 web
	assert_refused 1 "guest 'web' does not run after 0.3 s"
	"$EXOMEM" wait --state-dir "$state" --for running web 3>&- &
	waiter=$!
	pids="$pids $waiter"
	wait_watching "$waiter"
	kill -0 "$waiter"
	vm qmp web cont
	wait "$waiter"
	vm wait --for running --timeout 0.5 web
	vm qmp web stop
	"$EXOMEM" wait --state-dir "$state" --for running web 2>"$T/err" 3>&- &
	waiter=$!
	pids="$pids $waiter"
	wait_watching "$waiter"
	kill -KILL "$pid"
	rc=0
	wait "$waiter" || rc=$?
	[ "$rc" = 5 ]
	grep -qF "guest 'web' has ended" "$T/err"
}

@test "stop: the power button first, and success when the guest powers itself off" {
	need_qemu
	boot web
	listen web
	"$EXOMEM" stop --state-dir "$state" web >"$T/stopped" 2>&1 3>&- &
	stopper=$!
	pids="$pids $stopper"
	wait_for "$T/events" '"POWERDOWN"'
	kill -0 "$stopper"
	# The tiny guest does not look at its button: somebody tells it.
	say web poweroff
	wait "$stopper"
	wait "$listener"
	[ ! -s "$T/stopped" ]
	[ "$(jq -r 'select(.event == "POWERDOWN").event' "$T/events" | wc -l)" = 1 ]
	[ "$(jq -r 'select(.event == "SHUTDOWN").data.reason' "$T/events")" = guest-shutdown ]
	wait "$pid"
	assert_guests
}

@test "stop: quits a guest that does not react in time" {
	need_qemu
	boot web
	listen web
	took=$(milliseconds vm stop --timeout 1 web)
	[ "$took" -ge 1000 ]
	[ "$took" -lt 5000 ]
	assert_guests
	wait "$listener"
	[ "$(jq -r 'select(.event == "POWERDOWN" or .event == "SHUTDOWN") |
		.event + (.data.reason // "")' "$T/events" | xargs)" = 'POWERDOWN SHUTDOWNhost-qmp-quit' ]
	# QEMU's own exit status: it was told, not killed.
	wait "$pid"
}

@test "stop: a guest that cannot react quits at once" {
	need_qemu
	boot paused
	vm qmp paused stop
	boot prelaunch -S
	boot off -no-shutdown
	say off poweroff
	deadline=$((SECONDS + 10))
	until [ "$(status_of off)" = shutdown ]; do
		[ "$SECONDS" -lt "$deadline" ]
		sleep 0.05
	done
	took=$(milliseconds vm stop paused prelaunch off)
	echo "took $took ms"
	[ "$took" -lt 5000 ]
	[ ! -s "$T/timed" ]
	assert_guests
}

@test "stop: kills a hung guest when time is up" {
	need_qemu
	boot web
	kill -STOP "$pid"
	took=$(milliseconds vm stop --timeout 1 web)
	echo "took $took ms"
	[ "$took" -ge 1000 ]
	[ "$took" -lt 6000 ]
	rc=0
	wait "$pid" || rc=$?
	[ "$rc" = 137 ]
	assert_guests
}

@test "stop: several side by side, and the names of those that are not there" {
	need_qemu
	boot one
	boot two
	boot three
	# Stderr apart: stdout is for programs.
	began=$SECONDS
	rc=0
	vm stop --timeout 1 one nobody two nothing >"$T/out" 2>"$T/err" || rc=$?
	[ "$rc" = 5 ]
	[ "$(xargs <"$T/out")" = 'nobody nothing' ]
	[ "$(wc -l <"$T/err")" = 1 ]
	grep -qF "no guest 'nobody'" "$T/err"
	[ $((SECONDS - began)) -lt 4 ]
	assert_guests three
}

@test "stop --kill and --all" {
	need_qemu
	boot one
	one=$pid
	boot two
	kill -STOP "$one"
	took=$(milliseconds vm stop --kill --all)
	echo "took $took ms"
	[ "$took" -lt 2000 ]
	for pid in "$one" "$pid"; do
		rc=0
		wait "$pid" || rc=$?
		[ "$rc" = 137 ]
	done
	assert_guests
	run vm stop --all
	[ "$status" = 0 ]
	[ -z "$output" ]
}

@test "stop: a process that has the guest's number, but began at another time, is spared" {
	need_qemu
	boot web
	sleep 1000 3>&- &
	bystander=$!
	pids="$pids $bystander"
	jq --argjson pid "$bystander" '.pid = $pid' "$state/web/vm.json" >"$T/vm.json"
	cat "$T/vm.json" >"$state/web/vm.json"
	vm stop --kill web
	kill -0 "$bystander"
	kill -0 "$pid"
}

@test "qmp: prints what the command returns, and passes arguments on" {
	need_qemu
	boot web
	[ "$(vm qmp web query-status | jq -r .status)" = running ]
	[ "$(vm qmp web stop | jq -c .)" = '{}' ]
	[ "$(vm qmp web human-monitor-command '{"command-line": "info status"}' | jq -r .)" = \
		$'VM status: paused\r' ]
	# The longest answer there is.
	[ "$(vm qmp web query-qmp-schema | jq length)" -gt 1000 ]
}

@test "qmp: QEMU's refusal is 1, arguments that are no JSON object are 2" {
	need_qemu
	boot web
	run vm qmp web no-such-command
	assert_refused 1 'The command no-such-command has not been found'
	run vm qmp web eject '{"no-such": 1}'
	assert_refused 1 "Parameter 'no-such' is unexpected"
	for json in '' '{' '{"a": }' '{} {}' 'null' 'query'; do
		run vm qmp web query-status "$json"
		assert_refused 2 'arguments: '
	done
	for json in '[1]' '1' '"a"' 'true'; do
		run vm qmp web query-status "$json"
		assert_refused 2 "arguments are a JSON object, and '$json' is none"
	done
	run vm qmp web query-status '{}' more
	assert_refused 2 "'more' is not expected"
}

@test "qmp: a hung QEMU is an error in bounded time" {
	need_qemu
	boot web
	kill -STOP "$pid"
	took=$(milliseconds vm qmp web query-status)
	echo "took $took ms"
	[ "$took" -lt 4000 ]
	run vm qmp --timeout 0.5 web query-status
	assert_refused 1 'in time'
	# Those who asked in vain fill its queue.
	for _ in 1 2 3; do
		run vm qmp --timeout 0.2 web query-status
		[ "$status" = 1 ]
		[ "${#lines[@]}" = 1 ]
	done
	kill -CONT "$pid"
	wait_answer web
}

@test "events: one line each, at once, until the guest ends" {
	need_qemu
	boot web
	listen web
	vm qmp web stop
	wait_for "$T/events" '"STOP"'
	vm stop --timeout 0 web
	wait "$listener"
	[ ! -s "$T/events.err" ]
	[ "$(jq -c .event "$T/events" | wc -l)" = "$(wc -l <"$T/events")" ]
	[ "$(tail -n 1 "$T/events" | jq -r .event)" = SHUTDOWN ]
}

@test "events: ends with a guest that is killed, and hears of a hung one's end" {
	need_qemu
	boot web
	listen web
	kill -STOP "$pid"
	kill -KILL "$pid"
	wait "$listener"
}

@test "events: a second listener is refused in bounded time, and the first goes on" {
	need_qemu
	boot web
	listen web
	for _ in 1 2 3 4; do
		run timeout 10 "$EXOMEM" events --state-dir "$state" web
		[ "$status" = 5 ]
		[ "${#lines[@]}" = 1 ]
	done
	kill -0 "$listener"
	before=$(wc -l <"$T/events")
	vm qmp web stop
	vm qmp web cont
	wait_for "$T/events" '"RESUME"'
	[ "$(wc -l <"$T/events")" -gt "$before" ]
	kill -TERM "$listener"
	wait "$listener" || true
	listen web
}

@test "events: of a hung guest is an error in bounded time" {
	need_qemu
	boot web
	kill -STOP "$pid"
	run timeout 10 "$EXOMEM" events --state-dir "$state" web
	assert_refused 1 "QEMU of guest 'web' did not answer in time"
}

@test "events: ends when nobody reads, and when the disk is full" {
	need_qemu
	boot web
	# Without a further event it would be written to the broken pipe for ever.
	"$EXOMEM" events --state-dir "$state" web 3>&- > >(head -n 1 >"$T/first") &
	listener=$!
	pids="$pids $listener"
	deadline=$((SECONDS + 10))
	until [ -s "$T/first" ]; do
		vm qmp web stop
		vm qmp web cont
		[ "$SECONDS" -lt "$deadline" ]
	done
	wait "$listener" || true
	"$EXOMEM" events --state-dir "$state" web 3>&- >/dev/full 2>"$T/err" &
	listener=$!
	pids="$pids $listener"
	deadline=$((SECONDS + 10))
	while kill -0 "$listener" 2>/dev/null; do
		vm qmp web stop
		vm qmp web cont
		[ "$SECONDS" -lt "$deadline" ]
	done
	rc=0
	wait "$listener" || rc=$?
	[ "$rc" = 4 ]
	[ "$(wc -l <"$T/err")" = 1 ]
	rc=0
	vm events web >&- 2>"$T/err" || rc=$?
	[ "$rc" = 1 ]
	[ "$(wc -l <"$T/err")" = 1 ]
}

@test "detached guests are found and stopped like others" {
	need_qemu
	for name in one two; do
		exomem_run --detach --name "$name" -accel tcg -M q35 -m 64 -mem-path "$memory,anyfs" \
			-nographic -kernel "$GUEST" 3>&-
	done
	[ "$(vm list --json | jq -c 'map([.name, .status, .detached])')" = \
		'[["one","running",true],["two","running",true]]' ]
	vm stop --timeout 0 one
	[ "$(vm list -q)" = two ]
	vm stop --all --kill
	assert_guests
}
