#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# same_name.bats - a guest ends while a verb works on it, and another one gets its name: the verb is told
# apart by the process, and does nothing to the other one.

# Words are split on purpose; bats, helper.bash and template.bash set the other variables.
# shellcheck disable=SC2086,SC2154

load helper
load template

# The memory of either is a file of its own.
start() { # KEY
	boot web -mem-path "$memory/$1,mode=$mode,anyfs"
	fill web 8M "$1"
}

# A verb is stopped at each of its steps; it goes on when another guest has the name.
exchange_at_each_step() { # EXOMEM-ARGUMENT...
	local step steps
	need_qemu
	mkdir "$memory/7" "$memory/8"
	start 7
	steps=$("$EXOMEM" "$1" --state-dir "$state" --dry-run --json "${@:2}" | jq -r '.steps[].step' | uniq)
	# Behind this one the name is the successor's.
	steps=$(sed '/^take-place$/q' <<<"$steps")
	[ "$(wc -w <<<"$steps")" -gt 5 ]
	for step in $steps; do
		[ -e "$state/web" ] || start 7
		pid=$(pid_of web)
		stop_at "$step" "$EXOMEM" "$1" --state-dir "$state" "${@:2}"
		kill -KILL "$pid" 2>/dev/null || true
		wait_gone "$pid"
		# It may have come a little further: the successor has the name already.
		if [ "$step" = take-place ] && vm list -q | grep -qx web; then
			go_on "$1 --state-dir $T/"
			break
		fi
		# Or it is stopped with the lock that a start takes.
		if flock -n "$state" true; then start 8; fi
		go_on "$1 --state-dir $T/"
		[ -e "$state/web" ] || start 8
		echo "$step: exit $rc: $(grep -v '^exomem: ' "$T/err" | tail -n 2)"
		[ "$(status_of web)" = running ]
		assert_filled web 8M 8
		[[ "$(jq -r '.memory[0].path' "$state/web/vm.json")" = "$memory/8"* ]]
		vm stop --kill --all >/dev/null
		rm -rf "$T/templates" "${memory:?}"/*/*
	done
}

@test "save" {
	mode=create
	exchange_at_each_step save web "$T/templates/base"
}

@test "fork" {
	mode=temp
	exchange_at_each_step fork -n 1 web
}
