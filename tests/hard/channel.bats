#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# channel.bats - a migration of which one message is changed, cut, lost, repeated or late on its way.

# bats and hard.bash set the other variables; words are split on purpose.
# shellcheck disable=SC2034,SC2086,SC2154

load hard
load migration

# Which of them a direction is given (meddle.pl).
actions() { # KIND
	echo flip drop twice late stale noise half end
}

prepare() {
	prepare_source
}

meddler() { # REPORT KIND [K HOW]
	printf 'perl %q %q %s %s %s' "$BATS_TEST_DIRNAME/meddle.pl" "$1" "$2" "$SEED" "${*:3}"
}

run_fault() { # REPORT SECONDS count|KIND K HOW
	local to_there=cat to_here=cat begin=$SECONDS rc=0
	: >"$1"
	case $3 in
	count) to_there=$(meddler "$1" question) to_here=$(meddler "$1" answer) ;;
	question) to_there=$(meddler "$1" "${@:3}") ;;
	answer) to_here=$(meddler "$1" "${@:3}") ;;
	esac
	printf '#!/bin/bash\nshift\n%s | "$@" 2>%q | %s\n' "$to_there" "$T/there.err" "$to_here" >"$T/rsh"
	# A process that GLib complains in, or that gets a signal, has a status that is none of exomem's.
	G_DEBUG=fatal-criticals timeout -s KILL $((3 * limit)) "$EXOMEM" migrate --state-dir "$state" \
		--rsh "$T/rsh" --timeout 3 --remote "$EXOMEM" --remote-state-dir "$T/there" -q web other \
		>"$T/out" 2>"$T/err" </dev/null 3>&- 4>&- 8>&- || rc=$?
	[ $((SECONDS - begin)) -le "$limit" ] || echo late >>"$1"
	return "$rc"
}

# The destination says at most one line, and that with a reason.
check_destination() {
	[ "$(wc -l <"$T/there.err")" -le 1 ] ||
		complain wrong "the destination's messages: $(head -n 3 "$T/there.err")"
	! grep -qvE '^exomem receive: .*[a-z]' "$T/there.err" ||
		complain wrong "the destination's message: $(cat "$T/there.err")"
}

check_done() {
	runs destination || complain lost 'done, and it does not run there'
	check_destination
	check_one_owner
}

check_failed() {
	runs source || grep -qE 'resumes it|was taken over' "$T/err" ||
		complain wrong 'failed, and not where it was'
	check_destination
	check_one_owner
}

check_killed() {
	complain hung 'the source does not end'
}

@test "migrate and receive, with a message that does not arrive as it was sent" {
	fault_sweep channel
}
