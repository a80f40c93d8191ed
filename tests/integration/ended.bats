#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# ended.bats - how a detached guest ended, and its last log, are known until they are cleaned.

# Words are split on purpose ($tiny); bats and helper.bash set the other variables.
# shellcheck disable=SC2016,SC2034,SC2086,SC2154

load helper

machine='-accel tcg -nodefaults -display none -M q35 -m 64'
tiny="$machine -kernel $GUEST -serial stdio"

teardown() {
	for record in "$state"/*/vm.json; do
		[ -e "$record" ] || continue
		kill -KILL "$(jq .pid "$record")" 2>/dev/null || true
	done
	if mountpoint -q "$memory"; then umount "$memory"; fi
	rm -rf "$T"
}

vm() { # VERB ARGUMENT...
	verb=$1
	shift
	"$EXOMEM" "$verb" --state-dir "$state" "$@" 3>&-
}

# Starts a guest that says hello on its console; $pid is its QEMU.
begin() { # NAME EXOMEM-RUN-ARGUMENT...
	name=$1
	shift
	vm run --detach --name "$name" "$@"
	pid=$(jq .pid "$state/$name/vm.json")
}

# Says a line to a guest's console.
tell() { # NAME TEXT
	echo "$2" | socat - "UNIX-CONNECT:$state/$1/console.sock" >/dev/null 2>&1 3>&- || true
}

# A member of the guest that ended last.
ended() { # MEMBER
	vm list --all --json | jq -r "map(select(.status == \"ended\"))[-1].\"$1\""
}

# Fails unless wait and list tell of the guest web's end in these words.
assert_ended() { # EXIT-STATUS REASON HOW
	run vm wait web
	if [ "$1" = 0 ]; then
		[ "$status $output" = "0 $3" ]
	else
		assert_refused "$1" "guest 'web' has ended: $3"
	fi
	[ "$(ended reason)" = "$2" ]
	[ "$(ended how)" = "$3" ]
	[ "$2" = unknown ] || [ "$(ended exit-status)" = "$1" ]
	[[ "$(vm list --all)" == *"$3"* ]]
}

@test "a guest that was killed: why, and its last log, before and after its name is taken again" {
	need_qemu
	begin web $tiny
	wait_for "$state/web/log" 'tiny: up'
	"$EXOMEM" wait --state-dir "$state" web >"$T/out" 2>"$T/err" 3>&- &
	waiter=$!
	wait_watching "$waiter"
	kill -KILL "$pid"
	rc=0
	wait "$waiter" || rc=$?
	[ "$rc" = 137 ]
	[ "$(cat "$T/err")" = "exomem wait: guest 'web' has ended: killed by SIGKILL" ]
	[ ! -s "$T/out" ]
	assert_ended 137 killed 'killed by SIGKILL'
	[ -z "$(vm list -q)" ]
	run -0 --separate-stderr vm logs web
	[[ "$output" == *"tiny: up"* ]]
	[[ "$stderr" == *"guest 'web' ended at "*': killed by SIGKILL' ]]
	begin web $machine -S
	assert_holds "$state" .exomem .ended web
	assert_holds "$state"/.ended/*-web .exomem vm.json log ended.json
	[ "$(ended reason)" = killed ]
	[[ "$(vm logs web)" != *"tiny: up"* ]]
	vm stop --kill web
	[ "$(ended how)" = "killed by SIGKILL: by 'exomem stop'" ]
	[ "$(vm list --all --json | jq length)" = 2 ]
	[ "$(vm clean)" = web ]
	assert_holds "$state" .exomem
	run vm logs web
	assert_refused 5 "no guest 'web'"
	run vm wait web
	assert_refused 5 "no guest 'web'"
}

@test "logs -f prints to the end and says how it ended" {
	need_qemu
	begin web $tiny
	wait_for "$state/web/log" 'tiny: up'
	timeout 60 "$EXOMEM" logs -f --state-dir "$state" web >"$T/out" 2>"$T/err" 3>&- &
	wait_for "$T/out" 'tiny: up'
	kill -KILL "$pid"
	wait $!
	grep -qE "^exomem logs: warning: guest 'web' ended at .*: killed by SIGKILL$" "$T/err"
	run -0 --separate-stderr timeout 20 "$EXOMEM" logs -f --state-dir "$state" web 3>&-
	[[ "$output" == *"tiny: up"* && "$stderr" == *'killed by SIGKILL' ]]
}

@test "the guest powers itself off" {
	need_qemu
	begin web $tiny
	wait_for "$state/web/log" 'tiny: up'
	tell web poweroff
	wait_gone "$pid" 30
	assert_ended 0 powered-off 'powered off'
}

@test "QEMU is told to quit: by exomem stop, through QMP, by SIGTERM" {
	need_qemu
	begin web $machine -S
	vm stop --timeout 1 web
	assert_ended 0 quit quit
	begin web $machine -S
	vm qmp web quit
	wait_gone "$pid"
	assert_ended 0 quit quit
	begin web $machine -S
	kill -TERM "$pid"
	wait_gone "$pid"
	[ "$(ended reason)" = terminated ]
	run -0 vm wait web
	[[ "$output" == 'terminated: '*'terminating on signal 15 from pid '* ]]
}

@test "a QEMU that does not start: all it wrote is kept" {
	need_qemu
	run vm run --detach --name web $machine -device nope
	assert_refused 1 "'nope' is not a valid device model name"
	run vm wait web
	assert_refused 1 "guest 'web' has ended: exit status 1: "
	[[ "$output" == *"'nope' is not a valid device model name" ]]
	run -0 --separate-stderr vm logs web
	[[ "$output" == *"'nope' is not a valid device model name" ]]
}

@test "a crash: the signal's name" {
	need_qemu
	begin web $machine -S
	kill -SEGV "$pid"
	wait_gone "$pid"
	assert_ended 139 killed 'killed by SIGSEGV'
}

@test "SIGBUS: a memory file that was truncated" {
	need_qemu
	begin web -mem-path "$memory",anyfs,mode=create $tiny
	wait_for "$state/web/log" 'tiny: up'
	file=$(jq -r '.memory[0].path' "$state/web/vm.json")
	truncate -s 4096 "$file"
	tell web 'fill 32M 7'
	wait_gone "$pid" 30
	assert_ended 135 memory-error "killed by SIGBUS: '$file' was truncated to 4096 of 67108864 bytes"
}

@test "SIGBUS: the file system of the memory is full" {
	need_qemu
	need_root 'only root can mount'
	mount -t tmpfs -o size=16M,mode=700 none "$memory"
	begin web -mem-path "$memory",mode=create,prealloc=off $tiny
	wait_for "$state/web/log" 'tiny: up'
	file=$(jq -r '.memory[0].path' "$state/web/vm.json")
	dd if=/dev/zero of="$memory/filler" bs=4k 2>/dev/null || true
	tell web 'fill 32M 7'
	wait_gone "$pid" 30
	assert_ended 135 memory-error "killed by SIGBUS: the file system of '$file' is full"
}

@test "the process that records the end is killed: the guest lives on, and its end is not known" {
	need_qemu
	begin web $machine -S
	kill -KILL "$(ps -o ppid= -p "$pid" | tr -d ' ')"
	[ "$(vm qmp web query-status | jq -r .status)" = prelaunch ]
	vm qmp web quit
	wait_gone "$pid"
	assert_ended 1 unknown 'reason not known: the process that records it was killed'
}

@test "a guest in the foreground is listed, and its shell knows the rest" {
	need_qemu
	start web --name web $machine -S
	wait_for "$state/web/vm.json" '}'
	vm wait --for running --timeout 0.1 web || true
	kill -KILL "$pid"
	wait_gone "$pid"
	[ "$(ended how)" = 'reason not known: it ran in the foreground' ]
	run vm wait web
	assert_refused 5 "no guest 'web'"
}

@test "fifty records are kept, and for a week" {
	need_qemu
	begin web $machine -S
	vm stop --kill web
	kept=$(echo "$state"/.ended/*-web)
	week=$(printf '%016d' $((($(date +%s) - 7 * 24 * 3600 - 60) * 1000000)))
	cp -a "$kept" "$state/.ended/$week-old"
	for i in $(seq 60); do cp -a "$kept" "$kept$i"; done
	mkdir "$state/.ended/notes"
	begin web $machine -S
	vm stop --kill web
	[ ! -e "$state/.ended/$week-old" ]
	[ "$(find "$state/.ended" -name '*-web*' | wc -l)" -le 51 ]
	[ -d "$state/.ended/notes" ]
	vm clean >/dev/null
	assert_holds "$state/.ended" .exomem notes
}

@test "the ends of a template's child, of a fork's and of a guest that was received" {
	need_qemu
	templates=$T/templates
	begin web -mem-path "$memory,anyfs" $tiny
	wait_for "$state/web/log" 'tiny: up'
	vm fork -q --templates "$templates" web >/dev/null
	vm save -q --templates "$templates" web >/dev/null
	vm clone --templates "$templates" --detach --name child web >/dev/null
	for name in web-1 child; do
		kill -KILL "$(jq .pid "$state/$name/vm.json")"
		run vm wait "$name"
		assert_refused 137 "guest '$name' has ended: killed by SIGKILL"
	done
	begin moved -mem-path "$memory,anyfs,mode=create,mmap=shared" $tiny
	wait_for "$state/moved/log" 'tiny: up'
	vm migrate -q moved --to "$T/there" >/dev/null
	[ "$(vm wait moved)" = migrated ]
	vm receive -q "$T/there" >/dev/null
	pid=$(jq .pid "$state/moved/vm.json")
	tell moved poweroff
	wait_gone "$pid" 30
	[ "$(vm wait moved)" = 'powered off' ]
}

@test "children that are attended to: each one's exit status, also by a signal" {
	need_qemu
	templates=$T/templates
	begin web -mem-path "$memory,anyfs" $tiny
	wait_for "$state/web/log" 'tiny: up'
	vm save -q --templates "$templates" web >/dev/null
	"$EXOMEM" clone --state-dir "$state" --templates "$templates" -n 2 --attach web \
		>"$T/out" 2>"$T/err" 3>&- &
	attached=$!
	for name in web-1 web-2; do
		wait_for "$state/$name/vm.json" '"pid"'
		vm wait --for running --timeout 60 "$name"
	done
	tell web-2 poweroff
	kill -KILL "$(jq .pid "$state/web-1/vm.json")"
	rc=0
	wait "$attached" || rc=$?
	cat "$T/err"
	[ "$rc" = 137 ]
	run vm wait web-1
	assert_refused 137 'killed by SIGKILL'
	[ "$(vm wait web-2)" = 'powered off' ]
}
