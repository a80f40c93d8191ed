#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# migrate_kill.bats - whoever is killed at whichever step of a migration: one guest runs, or none and its
# state is on disk, from which one command resumes it. Never two.

# Words are split on purpose; bats, helper.bash and template.bash set the other variables.
# shellcheck disable=SC2030,SC2031,SC2034,SC2046,SC2086,SC2154

load helper
load template
load migrate

setup_two_hosts() {
	need_qemu
	elsewhere
	served=$memory
	there=$T/there
	hits=0 resumed=0 lost=0
}

start_anew() {
	kill_all
	find "$memory" -mindepth 1 -delete
	boot web -mem-path "$memory,mode=create,mmap=shared,anyfs"
	fill web 8M 7
}

steps="write-token check rehearse keep-memory sync-memory prepare save-devices freeze-guest \
flush-memory write-manifest send-state commit release-guest take-over clean-up"

kill_at_each_step() { # VICTIM
	setup_two_hosts
	for step in $steps; do
		start_anew
		move_until "$step"
		if kill_whom "$1"; then hits=$((hits + 1)); fi
		go_on_moving
		assert_one_guest "$1" "$step"
	done
	kill_all
	echo "# $1: $hits killed, $resumed resumed from disk, $lost gone" >&3
}

@test "exomem is killed at each step" {
	kill_at_each_step exomem
	[ "$hits" = 15 ]
	[ "$lost" = 0 ]
}

@test "the destination's exomem is killed at each step" {
	kill_at_each_step receiver
	[ "$hits" -ge 12 ]
	[ "$lost" = 0 ]
}

@test "both are killed at each step" {
	kill_at_each_step both
	[ "$hits" = 15 ]
	[ "$lost" = 0 ]
}

@test "the destination's process group is killed at each step" {
	setup_two_hosts
	for step in $steps; do
		start_anew
		move_until "$step"
		if kill_receivers_group; then hits=$((hits + 1)); fi
		go_on_moving
		assert_one_guest receiver "$step"
	done
	kill_all
	[ "$hits" -ge 12 ]
	[ "$lost" = 0 ]
}

# Nobody is left who could end the QEMU that waits there. Prints what it is there.
kill_all_at() { # STEP [VICTIM]
	move_until "$1"
	kill_whom "${2-all}"
	wait "$main" 2>/dev/null || true
	wait_for_exomems "(migrate|receive) --state-dir $T/"
	there vm list
}

# The last message waits on its way, until this end of it is gone.
hold_take_over() {
	cat >"$T/rsh" <<-'RSH'
		#!/bin/bash
		shift
		perl -e 'while (sysread(STDIN, $text, 65536)) {
			if ($text =~ /"take-over"/) { while (sysread(STDIN, $text, 65536)) { } exit }
			syswrite(STDOUT, $text)
		}' | "$@"
	RSH
}

# Its name is free, and nothing is left.
assert_name_is_free() {
	there boot web
	there vm stop --kill web
	assert_empty_of_guests "$there"
}

@test "all who took part are killed at once: the next verb ends the QEMU that waits" {
	setup_two_hosts
	mkdir "$T/there"
	for step in save-devices freeze-guest flush-memory; do
		start_anew
		kill_all_at "$step"
		[ "$(there vm list --json | jq -r '.[].status')" = abandoned ]
		case $step in
		save-devices)
			run -0 there vm clean
			printf "%s\n" "${lines[@]}" | grep -qx web
			;;
		freeze-guest) there vm stop web ;;
		flush-memory)
			# A migration of the same guest, or another's.
			kill -CONT "$(pid_of web)"
			vm qmp web cont >/dev/null
			move_again source
			there assert_filled web 8M 7
			there vm stop --kill web
			;;
		esac
		assert_name_is_free
	done
	kill_all
}

@test "all are killed at once after the commit: receive says what it ended, and resumes the guest" {
	setup_two_hosts
	mkdir "$T/there"
	start_anew
	hold_take_over
	kill_all_at take-over
	[ "$(there vm list --json | jq -r '.[].status')" = abandoned ]
	run -0 --separate-stderr there vm receive -q "$memory/web.handover"
	[ "$stderr" = "exomem receive: warning: a QEMU that waited here for the state of 'web' was \
ended: its migration was killed" ]
	there assert_filled web 8M 7
	assert_memory_alone
	kill_all
}

@test "all are killed at once, and both QEMUs: nothing is left after clean" {
	setup_two_hosts
	mkdir "$T/there"
	for step in rehearse prepare flush-memory take-over; do
		start_anew
		[ "$step" != take-over ] || hold_take_over
		kill_all_at "$step" all-and-qemus
		vm clean >/dev/null
		there vm clean >/dev/null
		assert_empty_of_guests "$there"
		[ "$(vm list -q)" = '' ]
		# The state is whole or not there.
		if [ -e "$memory/web.handover" ]; then
			vm receive -q "$memory/web.handover"
			assert_filled web 8M 7
		else
			[ "$step" != take-over ]
		fi
	done
	kill_all
}

@test "killed when the guest has been taken over: the destination removes the state" {
	setup_two_hosts
	start_anew
	move_until clean-up
	kill_whom exomem
	go_on_moving
	there assert_filled web 8M 7
	assert_memory_alone
	kill_all
}

@test "killed after the commit: the process that watches says how the guest is resumed" {
	setup_two_hosts
	start_anew
	hold_take_over
	move_until take-over
	kill_whom exomem
	go_on_moving
	[ "$(count_running)" = 0 ]
	wait_for "$T/err" "warning: guest 'web' has stopped here, and unless 'other' has taken it over \
'exomem receive $memory/web.handover' resumes it"
	vm receive -q "$memory/web.handover"
	assert_filled web 8M 7
	assert_memory_alone
	kill_all
}

@test "a destination that is killed when it has taken the guest over: that is what is said, and it moves on" {
	setup_two_hosts
	start_anew
	move_until clean-up
	kill_whom receiver
	go_on_moving
	[ "$rc" = 1 ]
	wait_for "$T/err" "guest 'web' was taken over by 'other', where 'exomem show web' says"
	run ! grep -q 'has stopped here' "$T/err"
	run vm receive -q "$memory/web.handover"
	assert_refused 5 'was changed after it was saved'
	run there vm receive -q "$memory/web.handover"
	assert_refused 5 "was changed after it was saved; guest 'web' runs here (pid "
	there vm migrate --dry-run web back | grep -q "remove-handover *'*$memory/web.handover"
	move_again destination
	assert_filled web 8M 7
	assert_memory_alone
	kill_all
}

# A way on which the answer to this question is lost.
lose_answer_to() { # TURN
	cat >"$T/rsh" <<-RSH
		#!/bin/bash
		shift
		"\$@" | while IFS= read -r line; do
			case \$line in *'"turn":$1'[,}]*) touch "$T/lost"; continue ;; esac
			printf '%s\n' "\$line"
		done
	RSH
}

@test "the guest runs there, and the answer that says so is lost: that is what is said" {
	setup_two_hosts
	start_anew
	# check, set-up-rehearsal, rehearse, prepare, state, take-over
	lose_answer_to 6
	run --separate-stderr move -q --timeout 2 web other
	[ "$status" = 1 ]
	[ "${#stderr_lines[@]}" = 1 ]
	[[ "$stderr" = *"; guest 'web' was taken over by 'other', where 'exomem show web' says"* ]]
	there assert_filled web 8M 7
	assert_memory_alone
	kill_all
}

@test "the guest runs there, and its exomem was killed before it said so: that is what is said" {
	setup_two_hosts
	start_anew
	lose_answer_to 6
	move -q --timeout 3 web other >"$T/out" 2>"$T/err" 3>&- &
	mover=$!
	until [ -e "$T/lost" ]; do sleep 0.01; done
	# The state is left, and the memory tells that the guest has run.
	kill -KILL $(whose receiver)
	there assert_filled web 8M 7
	rc=0
	wait "$mover" || rc=$?
	[ "$rc" = 1 ]
	[ "$(wc -l <"$T/err")" = 1 ]
	[ -e "$memory/web.handover" ]
	grep -q "guest 'web' was taken over by 'other', where 'exomem show web' says" "$T/err"
	kill_all
}

@test "the guest ran there and has ended, and no answer comes: that is what is said" {
	setup_two_hosts
	start_anew
	lose_answer_to 6
	move -q --timeout 3 web other >"$T/out" 2>"$T/err" 3>&- &
	mover=$!
	until [ -e "$T/lost" ]; do sleep 0.01; done
	kill -KILL "$(whose new-qemu)"
	rc=0
	wait "$mover" || rc=$?
	[ "$rc" = 1 ]
	[ "$(wc -l <"$T/err")" = 1 ]
	if [ -e "$memory/web.handover" ]; then
		# It may have been killed before its first instruction, and is resumed then.
		run vm receive -q "$memory/web.handover"
		[ "$status" = 0 ] && grep -q "'exomem receive .*' resumes it" "$T/err" ||
			grep -q "was taken over by 'other'" "$T/err"
	else
		grep -q "was taken over by 'other'" "$T/err"
	fi
	kill_all
}

@test "the guest ran there and has ended: that is what is said" {
	setup_two_hosts
	start_anew
	move_until clean-up
	kill_whom new-qemu
	go_on_moving
	[ "$rc" = 1 ]
	wait_for "$T/err" "clean-up: .*; guest 'web' was taken over by 'other', where it ran and has ended: \
'exomem logs web' there may say why"
	run ! grep -q 'resumes it' "$T/err"
	kill_all
}

@test "the state of another guest is not replaced" {
	setup_two_hosts
	start_anew
	vm migrate -q --to "$memory/web.handover" web
	boot web -m 128 -mem-path "$memory,mode=create,mmap=shared,anyfs"
	run move -q web other
	assert_refused 5 "'$memory/web.handover' exists"
	# Nor where it claims the same UUID.
	jq --arg uuid "$(vm show --json web | jq -r .uuid)" '.uuid = $uuid' \
		"$memory/web.handover/manifest.json" >"$T/manifest"
	cp "$memory/web.handover/manifest.json" "$T/whole"
	cp "$T/manifest" "$memory/web.handover/manifest.json"
	run move -q web other
	assert_refused 5 "'$memory/web.handover' exists"
	cp "$T/whole" "$memory/web.handover/manifest.json"
	vm stop --kill web
	vm receive -q "$memory/web.handover"
	assert_filled web 8M 7
	kill_all
}

@test "the destination's QEMU is killed at each step" {
	kill_at_each_step new-qemu
	[ "$hits" -ge 7 ]
}

@test "the guest's QEMU is killed at each step" {
	kill_at_each_step old-qemu
	# What follows on the freeze may be over before anybody is killed.
	[ "$hits" -ge 7 ]
	[ "$lost" -ge 4 ]
}

@test "Ctrl-C at each step" {
	setup_two_hosts
	for step in check rehearse prepare save-devices flush-memory commit take-over; do
		start_anew
		move_until "$step"
		kill -INT "$main"
		go_on_moving
		assert_one_guest Ctrl-C "$step"
	done
	[ "$lost" = 0 ]
	kill_all
}

# The destination's exomem is stopped.
fall_silent_at() { # STEP
	start_anew
	move_until "$1" --timeout 2
	receiver=$(whose receiver | xargs)
	kill -STOP $receiver
	kill -CONT "$main"
	rc=0
	wait "$main" || rc=$?
	[ "$rc" = 1 ]
	# What it says comes through another process.
	wait_for "$T/err" 'the other host does not answer'
}

@test "a destination that falls silent: the guest runs on" {
	setup_two_hosts
	for step in rehearse prepare save-devices flush-memory; do
		fall_silent_at "$step"
		# It may have come to the take-over before it was stopped.
		grep -qE 'resumes it|was taken over' "$T/err" || assert_filled web 8M 7
		kill -CONT $receiver 2>/dev/null || true
		go_on_moving
		assert_one_guest silence "$step"
	done
	kill_all
}

@test "a word that comes when the guest was resumed elsewhere takes nothing" {
	setup_two_hosts
	start_anew
	# A way on which that word is held up, and which stays when this end of it is gone.
	cat >"$T/rsh" <<-'RSH'
		#!/bin/bash
		shift
		perl -e 'while (sysread(STDIN, $text, 65536)) {
			if ($text =~ /"take-over"/) { sleep 1 until -e $ARGV[0] }
			syswrite(STDOUT, $text)
		}' "${0%/*}/go" | "$@"
	RSH
	rc=0
	move -q --timeout 2 web other 2>"$T/err" || rc=$?
	[ "$rc" = 1 ]
	grep -q "'exomem receive $memory/web.handover' resumes it" "$T/err"
	vm receive -q "$memory/web.handover"
	assert_filled web 8M 7
	vm stop --kill web
	touch "$T/go"
	wait_for_exomems "receive --state-dir $T/there -$"
	[ "$(count_running)" = 0 ]
	[ "$(there vm list -q)" = '' ]
}

@test "no room for the state: the guest runs on" {
	need_qemu
	need_root 'mounts tmpfs'
	elsewhere
	mount -t tmpfs -o size=66M none "$memory"
	boot web -mem-path "$memory,mode=create,mmap=shared,anyfs,prealloc=off"
	fill web 8M 7
	head -c 70M /dev/zero >"$memory/filler" 2>/dev/null || true
	run move -q web other
	[ "$status" != 0 ]
	rm "$memory/filler"
	assert_stayed web
	run move -q web other
	assert_moved web
	kill_all
}
