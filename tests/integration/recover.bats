#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# recover.bats - every process of a save, fork, migration or clone is killed at once, also those that
# watch the others: the next verb undoes or completes it, and says so in one line.

# Words are split on purpose; bats, helper.bash and template.bash set the other variables.
# shellcheck disable=SC2030,SC2031,SC2034,SC2046,SC2086,SC2154

load helper
load template
load migrate

# The steps of a verb on guest web, by its dry run.
steps_of() { # VERB [ARGUMENT]...
	vm "$1" --dry-run "${@:2}" | awk '/^# steps/ { on = 1 } on && /^$/ { exit } on && /^[a-z]/ { print $1 }' |
		uniq
}

# Starts a verb, and kills all of its processes as soon as it says that it begins a step.
kill_all_at() { # STEP VERB [ARGUMENT]...
	local pids
	stop_at "$1" "$EXOMEM" "$2" --state-dir "$state" --templates "$T/templates" "${@:3}"
	pids=$(exomems "$2 --state-dir $state")
	# None sees the end of another.
	kill -STOP $pids 2>/dev/null || true
	kill -KILL $pids 2>/dev/null || true
	wait "$main" 2>/dev/null || true
	wait_for_exomems "$2 --state-dir $state"
}

# The same right before the Nth step.
kill_all_before() { # N VERB [ARGUMENT]...
	local pids
	stop_before "$1" "$EXOMEM" "$2" --state-dir "$state" --templates "$T/templates" "${@:3}"
	pids=$(exomems "$2 --state-dir $state")
	kill -STOP $pids
	kill -KILL $pids
	wait "$tracer" 2>/dev/null || true
	wait_for_exomems "$2 --state-dir $state"
}

# The next verb, which says what it has done: sets $outcome to "undone" or "completed". What was killed
# may have come to its end before: it is a little further than at the step that it says it begins.
mend() { # VERB-THAT-WAS-KILLED
	outcome=completed
	[ -n "$(find "$state" -name operation)" ] || return 0
	[ ! -e "$state/web/operation" ] || [ "$(vm list -q | grep -x web)" = '' ] ||
		[ "$(vm list --json | jq -r '.[] | select(.name == "web").status')" = interrupted ]
	run -0 --separate-stderr vm clean
	echo "$step: $stderr"
	[ "${#stderr_lines[@]}" = 1 ]
	[[ "$stderr" =~ ^"exomem clean: warning: 'exomem $1' of guest 'web' (pid "[0-9]+") was interrupted; it has been "(undone|completed)$ ]]
	outcome=${BASH_REMATCH[1]}
	[ -z "$(find "$state" -name operation)" ]
	run -0 --separate-stderr vm clean
	[ "$stderr" = '' ]
}

assert_no_template() {
	[ -z "$(find "$T/templates" -mindepth 1 2>/dev/null)" ]
	[ -z "$(find "$memory" -name '*.template')" ]
}

boot_again() { # EXOMEM-RUN-ARGUMENT...
	if [ "$(vm list -q)" != web ]; then
		boot web "$@"
		fill web 8M 7
	fi
}

use_up() { # TEMPLATE
	vm template verify -q "$1"
	vm clone --detach --name heir "$1" >/dev/null
	assert_filled heir 8M 7
	vm stop --kill heir
	vm template remove "$1"
}

save_is_mended() { # EXOMEM-RUN-ARGUMENT...
	need_qemu
	boot_again "$@"
	steps=$(steps_of save web new)
	undone=0 completed=0
	for step in $steps; do
		boot_again "$@"
		kill_all_at "$step" save web new
		mend save
		if [ "$outcome" = undone ]; then
			assert_unharmed web
			assert_no_template
			undone=$((undone + 1))
		else
			[ "$(vm list -q)" = '' ]
			use_up new
			completed=$((completed + 1))
		fi
	done
	[ "$undone" -ge 5 ]
	[ "$completed" -ge 1 ]
}

@test "a save, of memory with a name" {
	save_is_mended -mem-path "$memory,mode=create,mmap=shared,discard=on,anyfs"
	assert_empty "$memory"
}

@test "a save, of memory without a name" {
	save_is_mended -mem-path "$memory,anyfs"
	assert_empty "$memory"
}

@test "a save, of private memory and a disk" {
	need_qemu
	qemu-img create -q -f qcow2 "$T/disk.qcow2" 1M
	save_is_mended -m 64 -drive "file=$T/disk.qcow2,format=qcow2,if=virtio"
}

@test "any verb that changes guests mends, and none that asks" {
	need_qemu
	boot web -mem-path "$memory,anyfs"
	fill web 8M 7
	for verb in 'save web new' 'fork --name other web' 'stop --kill other' 'balloon web 64M' 'run --detach --name new'; do
		kill_all_before 5 save web new
		for asks in 'list' 'show web' 'usage' 'save --dry-run web new' 'clean --dry-run'; do
			run --separate-stderr vm $asks
			[[ "$stderr" != *'was killed'* ]]
		done
		[ "$(vm list --json | jq -r '.[].status')" = interrupted ]
		# shellcheck disable=SC2248
		case $verb in run*) set -- $verb $tiny ;; *) set -- $verb ;; esac
		run --separate-stderr vm "$@"
		[[ "$stderr" = *"'exomem save' of guest 'web' (pid "*') was interrupted; it has been undone'* ]]
		case $verb in
		save*)
			use_up new
			boot_again -mem-path "$memory,anyfs"
			;;
		*) assert_unharmed web ;;
		esac
		vm list -q | grep -vx web | xargs -r "$EXOMEM" stop --kill --state-dir "$state"
	done
}

@test "two operations on one guest at a time: the second is told of the first" {
	need_qemu
	boot web -mem-path "$memory,anyfs"
	fill web 8M 7
	stop_at make-template "$EXOMEM" save --state-dir "$state" --templates "$T/templates" web new
	run "$EXOMEM" qmp --state-dir "$state" --timeout 1 web query-status
	run vm save web other
	[ "$status" != 0 ]
	go_on "save --state-dir $state"
	[ "$rc" = 0 ]
	use_up new
}

fork_is_mended() { # EXOMEM-RUN-ARGUMENT...
	boot_again "$@"
	steps=$(steps_of fork -n 2 web)
	undone=0 completed=0
	for step in $steps; do
		boot_again "$@"
		# The way may have changed: one whose memory is private by now is written.
		steps_of fork -n 2 web | grep -qx "$step" || continue
		kill_all_at "$step" fork -n 2 web
		mend fork
		case $outcome in
		undone)
			undone=$((undone + 1))
			[ "$(vm list -q)" = web ]
			;;
		completed) completed=$((completed + 1)) ;;
		esac
		assert_unharmed web
		for name in $(vm list -q | grep -vx web); do assert_unharmed "$name"; done
		for disk in $(vm qmp web query-named-block-nodes | jq -r '.[].file'); do
			[[ "$disk" == json:* || -e "$disk" ]]
		done
		[ -z "$(find "$T/templates" -mindepth 1 -not -name 'disk*' -type f 2>/dev/null)" ]
		vm list -q | grep -vx web | xargs -r "$EXOMEM" stop --kill --state-dir "$state"
	done
	[ "$undone" -ge 4 ]
	[ "$completed" -ge 1 ]
	vm stop --kill --all
	assert_no_process
	assert_guests
}

@test "a fork, of which a child takes the guest's place" {
	need_qemu
	fork_is_mended -mem-path "$memory,anyfs"
}

@test "a fork, with reflinks and a disk" {
	need_qemu
	use_xfs 400M
	memory=$reflink
	qemu-img create -q -f qcow2 "$T/disk.qcow2" 1M
	fork_is_mended -mem-path "$memory,anyfs" -drive "file=$T/disk.qcow2,format=qcow2,if=virtio"
}

# Both hosts are this one: each mends what it has.
@test "a migration" {
	need_qemu
	elsewhere
	served=$memory there=$T/there resumed=0
	mkdir "$there"
	undone=0 moved=0
	# From the one behind check to the last, clean-up; that before release-guest is commit.
	for step in {4..16}; do
		kill_all
		find "$memory" -mindepth 1 -delete
		boot web -mem-path "$memory,mode=create,mmap=shared,anyfs"
		fill web 8M 7
		start_move stop_before "$step"
		kill_whom all
		wait "$tracer" 2>/dev/null || true
		wait_for_exomems "(migrate|receive) --state-dir $T/"
		run -0 --separate-stderr there vm clean
		run -0 --separate-stderr vm clean
		echo "$step: $stderr"
		[ "${#stderr_lines[@]}" = 1 ]
		if [ "$(there vm list -q)" = web ]; then
			[[ "$stderr" = *"was taken over by 'other'"* ]]
			[ "$(vm list -q)" = '' ]
			there assert_unharmed web
			moved=$((moved + 1))
		elif [ -e "$memory/web.handover" ]; then
			[[ "$stderr" = *"'exomem receive $memory/web.handover' resumes it"* ]]
			[ "$(vm list -q)" = '' ]
			resume
			[ "$status" = 0 ]
			moved=$((moved + 1))
			on_side "$side" assert_filled web 8M 7
		else
			[[ "$stderr" = *"'exomem migrate' of guest 'web' (pid "*') was interrupted; it has been undone' ]]
			assert_unharmed web
			undone=$((undone + 1))
		fi
	done
	kill_all
	[ "$undone" = 10 ]
	[ "$moved" = 3 ]
}

# A verb under whose processes a system call fails, and whatever removes fails too.
without_removal() { # CALL VERB [ARGUMENT]...
	run -4 --separate-stderr strace -f -qq -o /dev/null -e "trace=$1,unlink,unlinkat,rmdir" \
		-e "inject=$1:error=ENOSPC" -e inject=unlink,unlinkat,rmdir:error=EIO \
		"$EXOMEM" "$2" --state-dir "$state" --templates "$T/templates" "${@:3}"
	echo "$stderr"
	[ "${#stderr_lines[@]}" = 1 ]
	[[ "$stderr" = "exomem $2: "*'No space left on device'*"; some changes could not be undone: 'exomem clean' tries again" ]]
	[ -e "$state/web/operation" ]
	[ "$(vm list --json | jq -r '.[].status')" = interrupted ]
}

@test "what failed and could not be removed goes with the next command" {
	need_strace
	boot web -mem-path "$memory,anyfs"
	fill web 8M 7
	step=rename
	for verb in 'save web new' 'fork --name other web'; do
		without_removal rename $verb
		[ -n "$(find "$T/templates" "$memory" -name '.*.*')" ]
		mend "${verb%% *}"
		[ "$outcome" = undone ]
		assert_no_template
		[ "$(vm list -q)" = web ]
		assert_unharmed web
	done
	# The children run by then, and whoever pauses one does not want it ended.
	strace -f -qq -o /dev/null -e trace=unlink,unlinkat,rmdir -e inject=unlink,unlinkat,rmdir:error=EIO \
		"$EXOMEM" fork --state-dir "$state" --templates "$T/templates" --name other web >"$T/forked" 3>&- &
	tracer=$!
	wait_for "$T/forked" '^other$'
	wait_for_exomems "fork --state-dir $state"
	kill "$tracer"
	[ -n "$(find "$T/templates" -name '.*.*')" ]
	vm qmp other stop >/dev/null
	mend fork
	[ "$outcome" = completed ]
	assert_no_template
	[ "$(status_of other)" = paused ]
	assert_unharmed web
	vm save -q web new
	use_up new
}

@test "an operation that was killed, and the guest ended too: what it left is removed" {
	need_qemu
	for step in make-template link-file save-devices write-manifest; do
		boot web -mem-path "$memory,anyfs"
		fill web 8M 7
		old=$(pid_of web)
		kill_all_before "$(steps_of save web new | grep -nx "$step" | cut -d: -f1)" save web new
		kill -KILL "$old"
		wait_gone "$old"
		run -0 --separate-stderr vm clean
		[ "$(vm list -q)" = '' ]
		assert_no_template
		assert_empty "$memory"
	done
}

# Loading writes to the memory, so that the state cannot be loaded a second time.
@test "a receive, alone or with its watcher: a guest that was given its state is not lost" {
	need_strace
	boot web -mem-path "$memory,mode=create,mmap=shared,anyfs"
	fill web 8M 7
	vm migrate -q --to "$memory/state" web
	strace -qq -o "$T/trace" -e trace=recvfrom -e signal=none "$EXOMEM" receive --state-dir "$state" -q \
		"$memory/state" >/dev/null 3>&- 4>&-
	last=$(wc -l <"$T/trace")
	killed=0
	for whom in exomem all; do
		# It depends on the time that QEMU takes how many there are.
		for ((n = last > 7 ? last - 7 : 1; n <= last; n++)); do
			[ -e "$memory/state" ] || vm migrate -q --to "$memory/state" web
			if stop_in recvfrom "$n" "$EXOMEM" receive --state-dir "$state" -q "$memory/state"; then
				killed=$((killed + 1))
				# QEMU has the time to load what it was given.
				sleep 0.3
				kill -KILL $(if [ "$whom" = all ]; then exomems "receive --state-dir $state"; else echo "$main"; fi)
			fi
			wait "$tracer" 2>/dev/null || true
			wait_for_exomems "receive --state-dir $state"
			vm clean >/dev/null 2>&1
			[ "$(vm list -q)" = web ] || vm receive -q "$memory/state"
			assert_unharmed web
			rm -rf "$memory/state"
		done
	done
	[ "$killed" -ge 8 ]
}

# A QEMU that starts when it is told to.
slow_qemu() {
	cat >"$T/qemu" <<-QEMU
		#!/bin/sh
		case "\$*" in *defer*)
			touch "$T/started"
			until [ -e "$T/go" ]; do sleep 0.02; done
			;;
		esac
		exec ${EXOMEM_QEMU:-qemu-system-x86_64} "\$@"
	QEMU
	chmod +x "$T/qemu"
}

@test "a clone: no child is left that waits for its state" {
	need_qemu
	slow_qemu
	EXOMEM_QEMU=$T/qemu boot web -mem-path "$memory,anyfs"
	fill web 8M 7
	vm save -q web base
	for arguments in '--detach' '--detach -n 3' ''; do
		rm -f "$T/started" "$T/go"
		"$EXOMEM" clone --state-dir "$state" --templates "$T/templates" --name child $arguments base \
			>/dev/null 2>&1 3>&- </dev/null &
		main=$!
		until [ -e "$T/started" ]; do sleep 0.02; done
		pids=$(exomems "clone --state-dir $state")
		kill -STOP $pids
		kill -KILL $pids
		touch "$T/go"
		# It may end by itself, or wait.
		deadline=$((SECONDS + 10))
		until [ -z "$(vm list -q)" ]; do
			[ "$SECONDS" -lt "$deadline" ]
			case $(vm list --json | jq -r '.[].status' | sort -u) in
			*waiting*) false ;;
			esac
			vm clean >/dev/null
			sleep 0.1
		done
		wait "$main" 2>/dev/null || true
		assert_no_process
	done
}

@test "a record that is not whole is named, and nothing is done" {
	need_qemu
	boot web -mem-path "$memory,anyfs"
	fill web 8M 7
	vm qmp web stop >/dev/null
	for text in '' '0000000003' '0000000003
{"operation": "save"}'; do
		printf '%s' "$text" >"$state/web/operation"
		run -0 --separate-stderr vm clean
		[[ "$stderr" = "exomem clean: warning: '$state/web/operation' is not whole: "* ]]
		[ "${#stderr_lines[@]}" = 1 ]
		[ "$(status_of web)" = paused ]
	done
	run vm save web new
	[ "$status" = 5 ]
	[[ "$output" = *"an operation on guest 'web' was interrupted and cannot be undone; remove '$state/web/operation' to go on without that" ]]
	rm "$state/web/operation"
	vm save -q web new
}
