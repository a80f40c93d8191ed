#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# console.bats - console and logs of detached guests, by hand in a terminal (tmux) and in pipes.

# Words are split on purpose ($tcg), or typed as they are into other shells; bats and helper.bash
# set the other variables.
# shellcheck disable=SC1003,SC2016,SC2030,SC2031,SC2034,SC2086,SC2153,SC2154

load helper

setup_console() {
	need_qemu
	command -v tmux >/dev/null || lacks tmux 'tmux is not installed'
	mkdir "$T/bin"
	ln -s "$EXOMEM" "$T/bin/exomem"
}

teardown() {
	[ ! -e "$T/tmux" ] || tmux -S "$T/tmux" kill-server || true
	for record in "$state"/*/vm.json; do
		[ -e "$record" ] || continue
		pid=$(jq .pid "$record")
		kill -KILL "$pid" 2>/dev/null && wait_gone "$pid"
	done
	for pid in $pids; do
		kill -KILL "$pid" 2>/dev/null || true
	done
	rm -rf "$T"
}

close_terminal() {
	tmux -S "$T/tmux" kill-server
	rm -f "$T/tmux"
}

# A terminal of 80 columns with a shell in it, in $T.
open_terminal() {
	tmux -S "$T/tmux" -f /dev/null new-session -d -x 80 -y 50 -c "$T" \
		env -i PATH="$T/bin:$PATH" XDG_CACHE_HOME="$XDG_CACHE_HOME" TERM=screen HOME="$T" HISTFILE= \
		EXOMEM_QEMU="${EXOMEM_QEMU-}" bash --norc --noprofile
	type_line "PS1='\$ '; clear"
}

press() { # KEY...
	tmux -S "$T/tmux" send-keys "$@"
}

type_line() { # TEXT
	press -l -- "$1"
	press Enter
}

screen() {
	tmux -S "$T/tmux" capture-pane -p -S - | sed -e :a -e '/^\n*$/{$d;N;ba' -e '}'
}

# Waits until a line of the screen matches.
until_screen() { # PATTERN [SECONDS]
	deadline=$((SECONDS + ${2:-30}))
	until screen | grep -qE -- "$1"; do
		if [ "$SECONDS" -ge "$deadline" ]; then
			echo "no '$1' on the screen:"
			screen
			return 1
		fi
		sleep 0.05
	done
}

# The process that keeps a guest's log.
keeper_of() { # NAME
	for pid in $(pgrep -x exomem-log); do
		[ -z "$(find -L "/proc/$pid/fd" -samefile "$state/$1/log" 2>/dev/null)" ] || echo "$pid"
	done
}

start_tiny() { # NAME WORD...
	guest=$1
	shift
	exomem_run --detach --name "$guest" -accel tcg -m 64 -nodefaults -display none -serial stdio \
		-kernel "$GUEST" "$@" 3>&-
	wait_for "$state/$guest/log" 'tiny: up'
}

console_pid() {
	pgrep -x -P "$(tmux -S "$T/tmux" display-message -p '#{pane_pid}')" exomem
}

# A console in the terminal, to a guest that ticks; the terminal's modes before are in $T/before.
open_console() { # NAME
	open_terminal
	type_line 'stty -g >before; echo ready'
	until_screen '^ready'
	type_line "exomem console --state-dir state $1"
	until_screen "Console of guest '$1'; Ctrl-\] leaves it."
	until_screen 'tick [0-9]+'
}

# The shell has the terminal again, and its modes are what they were.
assert_restored() {
	until_screen '^\$$'
	type_line 'stty -g >after; cmp before after && echo same modes'
	until_screen '^same modes'
}

@test "a person's walk: run --detach, list, console, qmp, stop" {
	setup_console
	need_linux
	cp "$LINUX/vmlinuz" "$LINUX/initrd.gz" "$T"
	open_terminal
	# What a person would set once, for a state directory of their own.
	type_line 'exo() { verb=$1; shift; exomem $verb --state-dir state "$@"; }; clear'
	type_line 'exo run --detach --name web -accel tcg -m 256 -nographic -kernel vmlinuz \'
	type_line '-initrd initrd.gz -append "console=ttyS0 quiet no_timer_check"'
	until_screen '^web$'
	type_line 'exo list'
	until_screen '^web +running'
	wait_for "$state/web/log" 'linux# ' 100
	type_line 'exo console web'
	until_screen 'Ctrl-\] leaves it'
	type_line 'echo hello-$((40+2))'
	until_screen '^hello-42$'
	press 'C-]'
	until_screen 'Left the console'
	type_line 'exo qmp web query-status'
	until_screen '"status": "running"'
	# Its busybox has nobody who hears the power button.
	type_line 'exo stop --kill web; exo list; echo "$?"'
	until_screen '^0$'
	# What the firmware and Linux say, and what is different each time, is left out.
	screen | sed -n '/-initrd/,$p' | sed -E \
		-e '/^SeaBIOS/,/^linux#$/d' -e 's/ +[0-9]+ +256 MiB +[0-9]+s/ PID 256 MiB AGE/' \
		-e '/^$/d' -e '/singlestep/d' >"$T/screen"
	diff -u - "$T/screen" <<'SCREEN'
> -initrd initrd.gz -append "console=ttyS0 quiet no_timer_check"
web
$ exo list
NAME  STATUS              PID     MEMORY    AGE
web   running PID 256 MiB AGE
$ exo console web
Console of guest 'web'; Ctrl-] leaves it.
echo hello-$((40+2))
hello-42
linux#
Left the console of guest 'web', which goes on.
$ exo qmp web query-status
{
  "status": "running",
  "running": true
}
$ exo stop --kill web; exo list; echo "$?"
NAME  STATUS              PID     MEMORY    AGE
0
$
SCREEN
	assert_guests
}

@test "console: the key leaves it, the guest goes on, and the terminal is as it was" {
	setup_console
	start_tiny web
	open_console web
	press 'C-]'
	until_screen "Left the console of guest 'web', which goes on."
	assert_restored
	[ -e "$state/web/vm.json" ]
	kill -0 "$(jq .pid "$state/web/vm.json")"
}

@test "console: another key leaves it, and Ctrl-] goes to the guest" {
	setup_console
	start_tiny web
	open_terminal
	type_line 'stty -g >before; exomem console --state-dir state --detach-key ^a web'
	until_screen "Console of guest 'web'; Ctrl-A leaves it."
	press -l 'one'
	press 'C-]'
	press -l 'two'
	press Enter
	until_screen 'unknown: one.*two'
	press C-a
	until_screen 'Left the console'
	assert_restored
}

@test "console: Ctrl-C and Ctrl-Z are typed into the guest" {
	setup_console
	start_tiny web
	open_console web
	press C-c C-z 'C-\'
	type_line 'x'
	until_screen 'unknown:'
	[ -n "$(console_pid)" ]
	press 'C-]'
	assert_restored
}

@test "console: it begins with what the log holds, without what a terminal would obey" {
	setup_console
	start_tiny web
	wait_for "$state/web/log" 'tick 1'
	# exomem-log would write the guest's next tick over the line that is added here.
	keeper=$(keeper_of web)
	pids="$pids $keeper"
	kill -STOP "$keeper"
	printf '\033[6n\033[2Jred \033[31mhot\033[m\n' >>"$state/web/log"
	open_console web
	until_screen '^tiny: up'
	until_screen '^red hot'
	kill -CONT "$keeper"
	type_line 'identity'
	until_screen 'identity: name=web'
	# An answer to the question where the cursor is would have been typed before it.
	run ! grep -a 'unknown' "$state/web/log"
	press 'C-]'
	assert_restored
}

@test "console: signals leave the terminal as it was" {
	setup_console
	start_tiny web
	for signal in INT TERM HUP QUIT; do
		open_console web
		kill "-$signal" "$(console_pid)"
		type_line 'echo "status $?"'
		until_screen "^status $((128 + $(kill -l $signal)))"
		assert_restored
		close_terminal
	done
}

@test "console: SIGTSTP gives the terminal back, and fg takes it again" {
	setup_console
	start_tiny web
	open_console web
	for i in 1 2; do
		kill -TSTP "$(console_pid)"
		until_screen 'Stopped'
		assert_restored
		type_line 'clear; rm after; fg'
		until_screen '^tick'
		# Raw again: a Ctrl-C is the guest's.
		press C-c
		type_line "y$i"
		until_screen "unknown.*y$i"
	done
	press 'C-]'
	until_screen 'Left the console'
	assert_restored
}

@test "console: it ends with the guest and says so" {
	setup_console
	start_tiny web
	open_console web
	type_line 'poweroff'
	until_screen "Guest 'web' has ended."
	assert_restored
}

@test "console: it can be left when QEMU is stopped" {
	setup_console
	start_tiny web
	kill -STOP "$(jq .pid "$state/web/vm.json")"
	open_terminal
	type_line 'stty -g >before; exomem console --state-dir state web'
	until_screen 'Ctrl-\] leaves it'
	press -l 'nobody reads this'
	press 'C-]'
	until_screen 'Left the console'
	assert_restored
	kill -KILL "$(jq .pid "$state/web/vm.json")"
}

@test "console: a second one is refused and told who is there" {
	setup_console
	start_tiny web
	open_console web
	holder=$(console_pid)
	run "$EXOMEM" console --state-dir "$state" web
	assert_refused 5 "the console of guest 'web' is in use (pid $holder)"
	# Killed, it holds nothing any more.
	kill -KILL "$holder"
	wait_gone "$holder"
	echo identity | "$EXOMEM" console --state-dir "$state" web >"$T/answer"
	grep -a 'identity: name=web' "$T/answer"
}

@test "console: input from a pipe is typed to its end, and the answer comes out" {
	setup_console
	start_tiny web
	say_and_wait() {
		printf '%s\n' "$@" | "$EXOMEM" console --state-dir "$state" web
	}
	say_and_wait 'tick off' >/dev/null
	run --separate-stderr say_and_wait identity 'fill 1M 7' 'verify 1M 7'
	[ "$status" = 0 ]
	[ -z "$stderr" ]
	[[ "$output" == *'identity: name=web'*'filled 1 MiB'*'verified 1 MiB'* ]]
	[[ "$output" != *'tiny: up'* ]]
	# The key means nothing there.
	run --separate-stderr say_and_wait $'a\x1db'
	[[ "$output" == *'unknown: a'* ]]
}

@test "console: a guest that never falls silent does not keep a pipe for ever" {
	setup_console
	start_tiny web
	SECONDS=0
	"$EXOMEM" console --state-dir "$state" web </dev/null >"$T/answer"
	[ "$SECONDS" -le 15 ]
}

@test "console: a guest that ends in a pipe is no error" {
	setup_console
	start_tiny web
	run --separate-stderr bash -c 'echo poweroff | "$0" console --state-dir "$1" web' \
		"$EXOMEM" "$state"
	[ "$status" = 0 ]
	[[ "$stderr" == *"Guest 'web' has ended."* ]]
}

@test "console: output that cannot be written is one error" {
	setup_console
	start_tiny web
	run bash -c 'sleep 5 | "$0" console --state-dir "$1" web >/dev/full' "$EXOMEM" "$state"
	assert_refused 4 'write standard output: No space left on device'
	run bash -c '"$0" console --state-dir "$1" web >&-' "$EXOMEM" "$state"
	assert_refused 1 'write standard output: Bad file descriptor'
	run bash -c '"$0" console --state-dir "$1" web <&-' "$EXOMEM" "$state"
	assert_refused 1 'read standard input: Bad file descriptor'
}

@test "console: no guest, no console, no key" {
	setup_console
	run "$EXOMEM" console --state-dir "$state" nobody
	assert_refused 5 "no guest 'nobody'"
	run "$EXOMEM" console --state-dir "$state"
	assert_refused 2 'name a guest'
	exomem_run --detach --name mute -accel tcg -m 64 -display none -S 3>&-
	run "$EXOMEM" console --state-dir "$state" mute
	assert_refused 5 "guest 'mute' has no console: start it with -nographic or -serial stdio"
	run "$EXOMEM" console --state-dir "$state" --detach-key x mute
	assert_refused 2 "--detach-key: 'x' is not a key"
	start fore $tcg --name fore -m 64 -kernel "$GUEST"
	wait_for "$T/fore.out" 'tiny: up'
	run "$EXOMEM" console --state-dir "$state" fore
	assert_refused 5 "guest 'fore' was not started by --detach"
	run "$EXOMEM" logs --state-dir "$state" fore
	assert_refused 5 "guest 'fore' was not started by --detach"
}

@test "logs: what the guest has written; --follow until it ends" {
	setup_console
	start_tiny web
	wait_for "$state/web/log" 'tick 1'
	"$EXOMEM" logs --state-dir "$state" web >"$T/logs"
	grep -aq 'tiny: up' "$T/logs"
	"$EXOMEM" logs --state-dir "$state" -f web >"$T/followed" 3>&- &
	follower=$!
	pids=$follower
	wait_for "$T/followed" 'tick 2'
	echo poweroff | "$EXOMEM" console --state-dir "$state" web >/dev/null 2>&1
	wait_gone "$follower"
	wait "$follower"
	[ "$(grep -ac 'tiny: up' "$T/followed")" = 1 ]
	[[ "$(tail -n 1 "$T/followed")" == poweroff* ]]
}

@test "logs: --follow ends with its reader, and by SIGINT" {
	setup_console
	start_tiny web
	run timeout 20 bash -c '"$0" logs --state-dir "$1" --follow web | head -n 1' "$EXOMEM" "$state"
	[ "$status" = 0 ]
	# A background command of a script would ignore SIGINT.
	run timeout -s INT -k 5 2 "$EXOMEM" logs --state-dir "$state" --follow web
	[ "$status" = 124 ]
	run "$EXOMEM" logs --state-dir "$state" nobody
	assert_refused 5 "no guest 'nobody'"
	run bash -c '"$0" logs --state-dir "$1" web >/dev/full' "$EXOMEM" "$state"
	assert_refused 4 'write standard output'
}

@test "logs: it is bounded, whatever the guest writes, and its mode is 0600" {
	setup_console
	start_tiny web
	[ "$(stat -c %a "$state/web/log")" = 600 ]
	"$EXOMEM" logs --state-dir "$state" -f web >"$T/followed" 3>&- &
	pids=$!
	{
		echo 'tick off'
		for ((i = 0; i < 11000; i++)); do
			echo help
		done
		echo 'sum 4096'
		wait_for "$state/web/log" 'sum 4 KiB' 100
	} | "$EXOMEM" console --state-dir "$state" web >"$T/said"
	[ "$(stat -c %s "$state/web/log")" -le 1048576 ]
	assert_holds "$state/web" .exomem console.lock console.sock control.conf control.sock events.sock \
		lock log vm.json
	wait_for "$T/followed" 'sum 4 KiB'
	# It followed across the files: what it saw last is the newest one, byte for byte.
	[ "$(stat -c %s "$T/followed")" -gt 1200000 ]
	tail -c "$(stat -c %s "$state/web/log")" "$T/followed" | cmp - "$state/web/log"
	# And the console has each line; QEMU itself doubles characters in a log now and then.
	[ "$(grep -ac '^commands: help.*poweroff' "$T/said")" = 11000 ]
}
