# SPDX-License-Identifier: GPL-2.0-or-later
# migrate.bash - what the tests of migrations share: a second state directory of this machine stands for
# another host.

# Tests use what is set here, and bats and helper.bash set the other variables.
# shellcheck disable=SC2034,SC2154

# "Another host": a command that leaves out the host's name and runs the rest here.
elsewhere() {
	printf '#!/bin/sh\nunset EXOMEM_DEBUG\nshift\nexec "$@"\n' >"$T/rsh"
	chmod +x "$T/rsh"
}

# Moves a guest to the second state directory.
move() { # EXOMEM-MIGRATE-ARGUMENT...
	vm migrate --rsh "$T/rsh" --remote "$EXOMEM" --remote-state-dir "$T/there" "$@"
}

# What follows is done on the other host.
there() { # FUNCTION [ARGUMENT]...
	local state=$T/there
	"$@"
}

# What follows is done on one of them; the lab has other hosts (tests/lab/moves.bash).
on_side() { # source|destination FUNCTION [ARGUMENT]...
	case $1 in
	source) "${@:2}" ;;
	destination) there "${@:2}" ;;
	esac
}

kill_all() {
	vm stop --kill --all >/dev/null 2>&1 || true
	there vm stop --kill --all >/dev/null 2>&1 || true
}

# A guest with 8 MiB filled, whose memory another host could open.
boot_movable() { # NAME EXOMEM-RUN-ARGUMENT...
	elsewhere
	boot "$1" -mem-path "$memory,mode=create,mmap=shared,anyfs" "${@:2}"
	fill "$1" 8M 7
}

# Fails unless a state directory has just these guests, and none that was on its way.
# Records of guests that have ended do not count.
assert_empty_of_guests() { # DIRECTORY [NAME]...
	local wanted=''
	[ $# -lt 2 ] || wanted=$(printf '%s\n' "${@:2}" | sort)
	[ "$(find "$1" -mindepth 1 -maxdepth 1 -type d -not -name .ended -printf '%f\n' | sort)" = "$wanted" ]
}

assert_memory_alone() {
	[ "$(find "$memory" -mindepth 1 -not -name 'qemu_back_mem.*')" = '' ]
}

# Fails unless the guest runs here with what it had, and nothing is left of the attempt.
assert_stayed() { # NAME
	assert_unharmed "$1"
	[ "$(there vm list -q)" = '' ]
	assert_memory_alone
}

# Fails unless the guest runs there with what it had, and only there.
assert_moved() { # NAME
	there assert_unharmed "$1"
	[ "$(vm list -q)" = '' ]
	assert_memory_alone
}

# --- what goes wrong on the way ---
#
# $state, $there and $served are where guests' directories and their memory are.

# Starts a migration of guest web, and stops it by this function.
start_move() { # FUNCTION STEP [EXOMEM-MIGRATE-ARGUMENT]...
	"$1" "$2" "$EXOMEM" migrate --state-dir "$state" --rsh "$T/rsh" --remote "$EXOMEM" \
		--remote-state-dir "$T/there" -q "${@:3}" web other
}

# As soon as it says that it begins a step.
move_until() { # STEP EXOMEM-MIGRATE-ARGUMENT...
	start_move stop_at "$@"
}

# To its end, and that of all who watch over it.
go_on_moving() {
	go_on "(migrate|receive) --state-dir $T/"
}

# Whose processes a fault meets.
whose() { # WHOM
	case $1 in
	exomem) echo "$main" ;;
	receiver) exomems "receive --state-dir $T/.* -$" ;;
	both) whose exomem && whose receiver ;;
	# With the processes that watch over them.
	all) exomems "(migrate|receive) --state-dir $T/" ;;
	all-and-qemus)
		whose all
		whose new-qemu || true
		whose old-qemu || true
		;;
	new-qemu) pgrep -f -- "readconfig $there/" ;;
	old-qemu) pgrep -f -- "readconfig $state/web/" ;;
	esac
}

kill_whom() { # WHOM
	local pids
	pids=$(whose "$1")
	[ -n "$pids" ] || return 1
	# None sees the end of another.
	# shellcheck disable=SC2086 # one word each
	kill -STOP $pids 2>/dev/null || true
	# shellcheck disable=SC2086
	kill -KILL $pids 2>/dev/null || true
}

# As a terminal that is closed, or timeout(1), does.
kill_receivers_group() {
	local pid group=''
	for pid in $(whose receiver); do
		# What watches over it has a session of its own.
		[ "$(ps -o sid= -p "$pid" | xargs)" = "$pid" ] || group=$(ps -o pgid= -p "$pid" | xargs)
	done
	[ -n "$group" ] && [ "$group" != "$(ps -o pgid= -p $$ | xargs)" ] || return 1
	kill -KILL -- "-$group" 2>/dev/null || true
}

runs() { # source|destination
	[ "$(on_side "$1" vm list -q 2>/dev/null)" = web ] &&
		[ "$(on_side "$1" status_of web 2>/dev/null)" = running ]
}

# How many of the two hosts run it, once both have come to rest.
count_running() {
	local count=0
	if runs source; then count=$((count + 1)); fi
	if runs destination; then count=$((count + 1)); fi
	echo "$count"
}

# The command that is printed, on either host by turns: it resumes the guest, or says that the guest
# has run since.
resume() {
	local side=source
	if [ $((resumed % 2)) = 0 ]; then side=destination; fi
	run on_side "$side" vm receive -q "$memory/web.handover"
	if [ "$status" = 0 ]; then
		resumed=$((resumed + 1))
	else
		echo "$output"
		assert_refused 5 "'"
		case $output in *'was changed after it was saved'*) has_run=yes ;; esac
	fi
}

# The migration once more, from where the guest is now.
move_again() { # source|destination
	case $1 in
	source) move -q web other ;;
	destination)
		there vm migrate -q --rsh "$T/rsh" --remote "$EXOMEM" --remote-state-dir "$state" web back
		;;
	esac
}

# What the killed one has left on either host does not stand in the way of the next migration.
assert_can_move_again() {
	local from=destination to=source
	if runs source; then from=source to=destination; fi
	move_again "$from"
	on_side "$to" assert_filled web 8M 7
	[ "$(count_running)" = 1 ]
}

# Counts in $resumed and $lost.
assert_one_guest() { # VICTIM STEP
	local count has_run=no
	count=$(count_running)
	echo "$1 at $2: $count run"
	[ "$count" -le 1 ]
	if [ -e "$served/web.handover" ]; then
		# One that runs, or has run, cannot be resumed a second time.
		resume
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
		return
	elif runs source; then
		on_side source assert_filled web 8M 7
	else
		on_side destination assert_filled web 8M 7
	fi
	if [ -e "$served/web.handover" ] ||
		[[ ' rehearse prepare send-state take-over clean-up ' = *" $2 "* ]]; then
		assert_can_move_again
	fi
	[ ! -e "$served/web.handover" ]
}
