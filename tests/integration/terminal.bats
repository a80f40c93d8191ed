#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# terminal.bats - character devices and monitors: a guest has those of a QEMU without exomem, and exomem's.

# Words are split on purpose ($line); bats and helper.bash set the other variables.
# shellcheck disable=SC2030,SC2031,SC2034,SC2086,SC2154

load helper

base="-accel tcg -m 64 -kernel $GUEST"

teardown() {
	for record in "$state"/*/vm.json; do
		[ ! -e "$record" ] || kill -KILL "$(jq .pid "$record")" 2>/dev/null || true
	done
	for pid in $pids; do
		kill -KILL "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
	rm -rf "$T"
}

setup_lines() {
	need_qemu
	# Nobody's screen: without one, QEMU's default display is VNC.
	unset DISPLAY WAYLAND_DISPLAY
}

# Starts a program whose standard input is the pipe $T/$1.in, and its output $T/$1.out and $T/$1.err.
start_program() { # LABEL PROGRAM [ARGUMENT]...
	local label=$1
	shift
	mkfifo "$T/$label.in"
	exec 9<>"$T/$label.in"
	"$@" <&9 >"$T/$label.out" 2>"$T/$label.err" 3>&- 9>&- &
	pids="$pids $!"
	exec 9>&-
}

# A QEMU without exomem. QMP at $T/qmp is in a file, where it leaves the default monitor alone.
start_by_hand() { # LABEL ARGUMENT...
	local label=$1
	shift
	start_program "$label" "${EXOMEM_QEMU:-qemu-system-x86_64}" $base "$@"
}

start_by_hand_with_qmp() { # LABEL ARGUMENT...
	local label=$1
	shift
	cat >"$T/qmp.conf" <<-END
		[chardev "by-hand"]
		  backend = "socket"
		  path = "$T/qmp"
		  server = "on"
		  wait = "off"
		[mon "by-hand"]
		  chardev = "by-hand"
		  mode = "control"
	END
	start_by_hand "$label" -readconfig "$T/qmp.conf" "$@"
	deadline=$((SECONDS + 20))
	until [ -S "$T/qmp" ]; do
		[ "$SECONDS" -lt "$deadline" ]
		sleep 0.05
	done
}

end_all() {
	for pid in $pids; do
		kill -KILL "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
	pids=''
	rm -f "$T"/*.in "$T/qmp"
}

# Names, kinds and connections of all character devices that are not exomem's or this test's.
others() {
	jq -S 'map(select(.label | test("^(exomem-|by-hand)") | not)) | sort_by(.label)'
}

of_hand() {
	deadline=$((SECONDS + 30))
	until qmp_lines '{"execute":"query-chardev"}' | jq -se 'map(.return? | arrays)[0]' >"$T/answer"; do
		[ "$SECONDS" -lt "$deadline" ]
	done
	others <"$T/answer"
}

of_guest() { # NAME
	"$EXOMEM" qmp --state-dir "$state" "$1" query-chardev 3>&- | others
}

# Of the terminal in standard input, without the name that QEMU gave it.
without_terminal() {
	jq 'map(select(.label | test("^serial0(-base)?$") | not))'
}

# What a person finds at a terminal: the guest's console, the monitor behind Ctrl-A c, and the console again.
# $T/$1.chardevs is what the monitor lists there, but for exomem's own.
walk() { # LABEL
	wait_for "$T/$1.out" 'tick [0-9]'
	say "$1" one
	wait_for "$T/$1.out" '^unknown: one'
	# Stopped, the guest prints nothing between what the monitor prints.
	printf '\001cstop\ninfo chardev\ninfo version\n' >"$T/$1.in"
	wait_for "$T/$1.out" '^[0-9]+\.[0-9]+\.[0-9]+'
	printf 'cont\n\001ctwo\n' >"$T/$1.in"
	wait_for "$T/$1.out" 'unknown: two'
	tr -d '\r' <"$T/$1.out" | grep -aE '^[a-z0-9-]+: filename=' | grep -av ^exomem- | sort >"$T/$1.chardevs"
}

# Monitors on the terminal: with exomem in front, in the foreground, it is what it is without.
compare_terminals() { # ARGUMENT...
	setup_lines
	start_by_hand bare "$@"
	walk bare
	end_all
	start_by_hand_with_qmp hand "$@"
	of_hand >"$T/hand.json"
	end_all
	diff <(cut -d: -f1 "$T/bare.chardevs" | sort) <(jq -r ".[].label" "$T/hand.json" | sort)

	start_program front "$EXOMEM" run --state-dir "$state" --name front $base "$@"
	walk front
	diff "$T/bare.chardevs" "$T/front.chardevs"
	of_guest front | diff "$T/hand.json" -
	diff "$T/bare.err" "$T/front.err"

	"$EXOMEM" run --state-dir "$state" --name back --detach $base "$@" 3>&- >/dev/null
	start_program back "$EXOMEM" console --state-dir "$state" back
	walk back
	grep -v '^serial0' "$T/bare.chardevs" | diff - "$T/back.chardevs"
	of_guest back | diff <(without_terminal <"$T/hand.json") -
	# QEMU's own words, a deprecation say, are in the log of a guest that was started without a terminal.
	run ! grep -a warning "$T/front.err" "$state/back/log"
}

@test "-nographic: console and monitor on the terminal, and no other device" {
	compare_terminals -nographic
}

@test "-serial mon:stdio: console and monitor on the terminal, and no other device" {
	compare_terminals -serial mon:stdio
}

# What is printed; a VNC server takes the next port that is free.
printed() { # FILE...
	cat "$@" | tr -d '\r' | sed -E 's/:59[0-9]{2}$/:59xx/'
}

@test "a line that names no terminal: the same devices, and nothing more is printed" {
	setup_lines
	start_by_hand_with_qmp hand
	of_hand >"$T/hand.json"
	jq -e 'any(.label == "compat_monitor0") and any(.label == "serial0")' "$T/hand.json"
	end_all
	start_program front "$EXOMEM" run --state-dir "$state" --name front $base
	wait_for "$state/front/vm.json" schema
	"$EXOMEM" wait --state-dir "$state" --for running --timeout 30 front 3>&-
	of_guest front | diff "$T/hand.json" -
	printed "$T/hand.out" "$T/hand.err" | diff - <(printed "$T/front.out" "$T/front.err")
	"$EXOMEM" run --state-dir "$state" --name back --detach $base 3>&- >/dev/null
	of_guest back | diff "$T/hand.json" -
	printed "$T/hand.out" "$T/hand.err" | diff - <(printed "$state/back/log")
}

@test "a monitor that the user made elsewhere leaves none for the terminal" {
	setup_lines
	for line in '-serial mon:null' '-monitor null' "$(
		"$EXOMEM" probe --json | jq -r '.objects[] | select(. == "monitor-hmp") |
			"-chardev null,id=n -object \(.),id=m,chardev=n"'
	)"; do
		[ -n "$line" ] || continue
		start_by_hand_with_qmp hand -nographic $line
		of_hand >"$T/hand.json"
		end_all
		"$EXOMEM" run --state-dir "$state" --name back --detach $base -nographic $line 3>&- >/dev/null
		of_guest back | diff <(without_terminal <"$T/hand.json") <(without_terminal)
		"$EXOMEM" qmp --state-dir "$state" back query-chardev 3>&- >"$T/all"
		[ "$(jq 'map(select(.label == "exomem-monitor" or .label == "exomem-console-base")) | length' "$T/all")" = 0 ]
		kill -KILL "$(jq .pid "$state/back/vm.json")"
		"$EXOMEM" stop --state-dir "$state" --kill back 2>/dev/null 3>&- || true
	done
}
