#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# clone --warm: children that are started and wait for whoever takes them.

# helper.bash and template.bash set the other variables.
# shellcheck disable=SC2154

load helper
load template

waiting() {
	vm list --json | jq -r '.[] | select(.status == "waiting") | .name' | xargs
}

@test "children wait, are taken before others are started, and are replaced" {
	need_qemu
	boot_and_save web
	run vm clone --warm 3 web
	[ "$status" = 0 ]
	[ "$(printf '%s\n' "${lines[@]}" | sort | xargs)" = 'web-1 web-2 web-3' ]
	[ "$(waiting)" = 'web-1 web-2 web-3' ]
	pid=$(pid_of web-1)
	run vm clone --detach web
	[ "$output" = web-1 ]
	[ "$(pid_of web-1)" = "$pid" ]
	assert_unharmed web-1
	[[ "$(ask web-1 identity '^identity: ')" == *"name=web-1 index=1 "* ]]
	[ "$(waiting)" = 'web-2 web-3' ]
	# Two that wait, one that does not, and two that wait from then on.
	run vm clone -n 3 --warm 2 web
	[ "${lines[0]}" = web-2 ]
	[ "${lines[1]}" = web-3 ]
	[ "${lines[2]}" = web-4 ]
	[ "${#lines[@]}" = 3 ]
	[ "$(waiting)" = 'web-5 web-6' ]
	for i in 1 2 3 4; do assert_unharmed "web-$i"; done
	fill web-2 8M 9
	assert_unharmed web-3
	# There are enough.
	run vm clone --warm 2 web
	[ "$output" = '' ]
	vm stop --timeout 5 web-5 web-6
	[ "$(waiting)" = '' ]
}

@test "one that waits holds no memory of the guest" {
	need_qemu
	boot_and_save web
	vm clone --warm 1 web
	[ "$(vm usage --json web-1 | jq '.guests[0].copied')" = 0 ]
	[ "$(grep -A 3 "$file" "/proc/$(pid_of web-1)/smaps" |
		awk '/^Rss/ { s += $2 } END { print s + 0 }')" -le 1024 ]
}

@test "who wants another child than those that wait gets another" {
	need_qemu
	boot_and_save web
	vm clone --warm 1 web
	[ "$(vm clone --detach --no-kernel web)" = web-2 ]
	[ "$(vm clone --detach --name own web)" = own ]
	[ "$(waiting)" = web-1 ]
	[ "$(vm clone --detach --paused web)" = web-1 ]
	[ "$(status_of web-1)" = paused ]
	vm qmp web-1 cont
	assert_unharmed web-1
}

@test "of two who want the one that waits, one gets it" {
	need_qemu
	boot_and_save web
	vm clone --warm 1 web
	vm clone --detach web >"$T/one" &
	one=$!
	vm clone --detach web >"$T/two" &
	two=$!
	wait "$one"
	wait "$two"
	[ "$(sort "$T/one" "$T/two" | xargs)" = 'web-1 web-2' ]
	assert_unharmed web-1
	assert_unharmed web-2
}

@test "a child that was killed while it waited is not taken" {
	need_qemu
	boot_and_save web
	vm clone --warm 2 web
	kill -KILL "$(pid_of web-1)"
	[ "$(vm clone --detach web)" = web-2 ]
	assert_unharmed web-2
}

@test "template remove refuses while one waits, and --force ends those alone" {
	need_qemu
	boot_and_save web
	vm clone --warm 2 web
	vm clone --detach web
	run vm template remove web
	[ "$status" = 5 ]
	[[ "$output" == *"'web-1', 'web-2'"* ]]
	run vm template remove --force web
	[ "$status" = 5 ]
	[[ "$output" == *"in use by 'web-1'" ]]
	assert_unharmed web-1
	vm stop --kill web-1
	vm clone --warm 1 web
	vm template remove --force web
	[ -z "$(vm list -q)" ]
	assert_no_process
}

@test "words that do not go together" {
	run vm clone --warm 2 --name x web
	[ "$status" = 2 ]
	run vm clone --warm 0 web
	[ "$status" = 2 ]
	run vm clone --warm x web
	[ "$status" = 2 ]
}
