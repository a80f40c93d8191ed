#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# state.bats - what cannot be found out about guests is an error, and what a signal or a limit stops
# leaves nothing.

# Words are split on purpose; bats, helper.bash and template.bash set the other variables.
# shellcheck disable=SC2086,SC2154

load helper
load template

setup_file() {
	need_qemu
}

# Descriptors that bats has open.
without_bats=$(printf '%s>&- ' 3 4 5 6 7 8 9)

@test "a guest whose record is broken is found by the copy in its lock" {
	boot web
	echo '{' >"$state/web/vm.json"
	[ "$(vm list -q)" = web ]
	[ "$(status_of web)" = running ]
	vm usage web
	vm stop --kill web
	[ -z "$(vm list -q)" ]
}

@test "a guest of which nothing can be read is an error, and the others can be used" {
	boot web
	boot other
	pid=$(pid_of web)
	echo '{' >"$state/web/vm.json"
	echo '{' >"$state/web/lock"
	for verb in 'list' 'list --json' 'usage' 'stop --kill --all' 'show web' 'stop --kill web'; do
		run vm $verb
		assert_refused 5 "the record of guest 'web' is not whole: 'kill $pid' ends it"
	done
	kill -0 "$pid"
	[ "$(status_of other)" = running ]
	vm stop --kill other
	kill "$pid"
	until has_ended "$pid"; do sleep 0.02; done
	[ -z "$(vm list -q)" ]
}

@test "too few descriptors are an error, and not an empty list" {
	boot web
	for limit in 4 5 6 7; do
		run bash -c "exec $without_bats; ulimit -n $limit; exec '$EXOMEM' list -q --state-dir '$state'"
		[ "$output" = web ] || assert_refused 1 'Too many open files'
	done
}

@test "a guest whose process cannot be looked at is not said to have ended" {
	need_strace
	boot web
	pid=$(pid_of web)
	for verb in 'stop --kill' 'stop'; do
		run strace -f -qq -o /dev/null -P "/proc/$pid/stat" -e trace=openat -e inject=openat:error=EACCES \
			"$EXOMEM" $verb --state-dir "$state" web
		output=$(grep -v '^strace: ' <<<"$output")
		assert_refused 1 "cannot open '/proc/$pid/stat': Permission denied"
	done
	[ "$(status_of web)" = running ]
}

@test "usage counts those that live, though one ends meanwhile" {
	need_strace
	boot web
	boot other
	pid=$(pid_of other)
	strace -f -qq -o "$T/trace" -P "/proc/$pid/smaps" -e trace=openat -e inject=openat:delay_enter=3s \
		"$EXOMEM" usage --json --state-dir "$state" >"$T/usage" 2>"$T/err" 3>&- &
	usage=$!
	# strace writes down the call when it returns: what it waits for is seen in the tracee.
	until pgrep -P "$usage" >/dev/null; do sleep 0.02; done
	sleep 1
	kill -KILL "$pid"
	wait "$usage"
	[ "$(jq -r '.guests[].name' "$T/usage")" = web ]
}

assert_no_guest() {
	[ -z "$(find "$state" -mindepth 1 -maxdepth 1 -not -name '.*')" ]
}

# Sends a signal after so many milliseconds, to it alone.
interrupt_after() { # MILLISECONDS SIGNAL COMMAND...
	local pid rc=0
	"${@:3}" >"$T/out" 2>&1 </dev/null 3>&- &
	pid=$!
	sleep "$(printf '0.%03d' "$1")"
	kill "-$2" "$pid" 2>/dev/null || true
	wait "$pid" || rc=$?
	echo "$1 ms, $2: exit $rc: $(cat "$T/out")"
	return "$rc"
}

# SIGINT, which a background process of a shell ignores, is one of them (interrupt.c).
@test "a start that is interrupted leaves neither a guest nor a file" {
	for milliseconds in 5 10 15 20 25 30 40 50 60 80 100 130 160 200; do
		for signal in TERM HUP; do
			run interrupt_after $milliseconds $signal "$EXOMEM" run --detach --state-dir "$state" --name web \
				$tiny -mem-path "$memory,mode=create,anyfs"
			echo "$output"
			if [ "$status" = 0 ]; then
				vm stop --kill web
				rm "$memory/$file"
			else
				# Where QEMU had answered already it is a guest.
				[ -z "$(vm list -q)" ] || forget web
				assert_empty "$memory"
				assert_no_guest
			fi
		done
	done
}

@test "a limit on the size of files is an error with a name" {
	run bash -c "ulimit -f 1000; exec '$EXOMEM' run --detach --state-dir '$state' $tiny \
		-mem-path '$memory,mode=create,anyfs' 3>&-"
	assert_refused 1 "set the size of '$memory/$file': File too large"
	assert_empty "$memory"
	assert_no_guest
	boot web -mem-path "$memory,mode=create,anyfs"
	fill web 8M 7
	for limit in 1 4 16; do
		run bash -c "ulimit -f $limit; exec '$EXOMEM' save --state-dir '$state' --templates '$T/templates' web"
		assert_refused 1 'File too large'
		assert_unharmed web
		assert_empty "$T/templates"
	done
}

@test "a save that is killed while it marks the memory leaves no part of a mark beside it" {
	need_strace
	boot web -mem-path "$memory,mode=create,anyfs"
	fill web 8M 7
	strace -f -qq -o "$T/trace" -e trace=rename -e inject=rename:signal=SIGKILL:when=1 \
		"$EXOMEM" save --state-dir "$state" --templates "$T/templates" web 3>&- || true
	grep -F "$file.template" "$T/trace"
	for _ in $(seq 200); do
		[ "$(ls "$memory")" != "$file" ] || break
		sleep 0.05
	done
	[ "$(ls "$memory")" = "$file" ]
	assert_unharmed web
}

@test "a monitor that many talk to at once is waited for" {
	boot web
	pids=''
	for i in $(seq 60); do
		vm qmp web query-status >"$T/answer.$i" 2>&1 3>&- &
		pids+=" $!"
	done
	for pid in $pids; do wait "$pid"; done
	[ "$(cat "$T"/answer.* | jq -r .status | sort | uniq -c | xargs)" = '60 running' ]
}
