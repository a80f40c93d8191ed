#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# A fork, its guard, its parent and its children killed at each of its steps: the parent runs, once,
# and what is left can be listed and stopped.

# Words are split on purpose; bats, helper.bash and template.bash set the other variables.
# shellcheck disable=SC2030,SC2031,SC2034,SC2046,SC2086,SC2154

load helper
load template

# Starts a fork, and stops it as soon as it says that it begins a step.
fork_until() { # STEP FORK-ARGUMENT...
	stop_at "$1" "$EXOMEM" fork --state-dir "$state" --templates "$T/templates" "${@:2}"
}

go_on_forking() {
	go_on "fork --state-dir $state"
}

# The guest runs, is there once, and has its memory.
assert_one_parent() {
	deadline=$((SECONDS + 20))
	until [ "$(vm list -q | grep -cx web)" = 1 ] && [ "$(status_of web 2>/dev/null)" = running ]; do
		[ "$SECONDS" -lt "$deadline" ] || {
			vm list
			return 1
		}
		sleep 0.05
	done
	assert_filled web 8M 7
	# The file that it writes to has its name.
	for disk in $(vm qmp web query-named-block-nodes | jq -r '.[].file'); do
		[[ "$disk" == json:* || -e "$disk" ]]
	done
	[ "$(find "$state" -maxdepth 1 -name '*heir*' | wc -l)" = 0 ]
}

# Children that are left run, and have the memory too.
assert_children_run() {
	for name in $(vm list -q | grep -vx web); do
		[ "$(status_of "$name")" = running ]
		assert_filled "$name" 8M 7
	done
	[ -z "$(find "$T/templates" -mindepth 1 2>/dev/null)" ]
}

kill_fork_at_each_step() { # WHOM EXOMEM-RUN-ARGUMENT...
	boot web -mem-path "$memory,anyfs" "${@:2}"
	fill web 8M 7
	vm fork --dry-run web | sed -n '/^# steps/,/^$/p' | awk '/^[a-z]/ { print $1 }' >"$T/steps"
	[ "$(wc -l <"$T/steps")" -ge 7 ]
	ran=0
	while read -r step; do
		# The way may have changed: one whose memory is private by now is written.
		[ "$(vm fork --dry-run web | grep -c "^$step ")" -ge 1 ] || continue
		fork_until "$step" -n 2 web
		case $1 in
		exomem) kill -KILL "$main" 2>/dev/null || true ;;
		guard) kill -KILL $(pgrep -P "$main" -x exomem) 2>/dev/null || true ;;
		child) kill -KILL "$(jq .pid "$state"/web-*/vm.json 2>/dev/null | head -n 1)" 2>/dev/null || true ;;
		esac
		go_on_forking
		ran=$((ran + 1))
		assert_one_parent || {
			echo "after SIGKILL of $1 at $step"
			return 1
		}
		assert_children_run || {
			echo "children after SIGKILL of $1 at $step"
			vm list
			return 1
		}
		vm list -q | grep -vx web | xargs -r "$EXOMEM" stop --kill --state-dir "$state"
	done <"$T/steps"
	[ "$ran" -ge 6 ]
	vm stop --kill --all
	assert_no_process
}

@test "SIGKILL of exomem at each step, without reflinks" {
	need_qemu
	kill_fork_at_each_step exomem
}

@test "SIGKILL of exomem at each step, with reflinks" {
	need_qemu
	use_xfs 400M
	memory=$reflink
	kill_fork_at_each_step exomem
}

@test "SIGKILL of exomem at each step, with a disk and without reflinks" {
	need_qemu
	qemu-img create -q -f qcow2 "$T/disk.qcow2" 1M
	kill_fork_at_each_step exomem -drive "file=$T/disk.qcow2,format=qcow2,if=virtio"
}

@test "SIGKILL of exomem at each step, with a disk and with reflinks" {
	need_qemu
	use_xfs 400M
	memory=$reflink
	qemu-img create -q -f qcow2 "$T/disk.qcow2" 1M
	kill_fork_at_each_step exomem -drive "file=$T/disk.qcow2,format=qcow2,if=virtio"
}

@test "SIGKILL of the process that watches, at each step" {
	need_qemu
	use_xfs 400M
	memory=$reflink
	kill_fork_at_each_step guard
}

@test "SIGKILL of a child at each step" {
	need_qemu
	use_btrfs 400M
	memory=$reflink
	kill_fork_at_each_step child
}

@test "SIGKILL of the parent at each step: no child is left waiting, and nothing else" {
	need_qemu
	for step in make-template hold-devices start-children save-devices; do
		boot web -mem-path "$memory,anyfs"
		fill web 8M 7
		old=$(pid_of web)
		fork_until "$step" -n 2 web
		kill -KILL "$old"
		go_on_forking
		for name in $(vm list -q); do [ "$(status_of "$name")" = running ]; done
		[ -z "$(find "$T/templates" -mindepth 1 2>/dev/null)" ]
		vm stop --kill --all
		assert_no_process
	done
}

@test "Ctrl-C while children start: the parent has not noticed" {
	need_qemu
	boot web -mem-path "$memory,anyfs"
	fill web 8M 7
	old=$(pid_of web)
	fork_until start-children -n 20 web
	kill -INT "$main"
	go_on_forking
	[ "$rc" != 0 ]
	[ "$(vm list -q)" = web ]
	[ "$(pid_of web)" = "$old" ]
	assert_unharmed web
}

@test "two forks of one parent at once" {
	need_qemu
	boot web -mem-path "$memory,anyfs"
	fill web 8M 7
	vm fork -q -n 3 web >"$T/one" 2>"$T/first" &
	one=$!
	vm fork -q -n 3 web --name other >"$T/two" 2>"$T/second" &
	two=$!
	wait "$one" || true
	wait "$two" || true
	[ "$(vm list -q | grep -cx web)" = 1 ]
	assert_unharmed web
	assert_children_run
	[ "$(vm list -q | grep -vx web | sort)" = "$(sort "$T/one" "$T/two")" ]
	[ "$(vm list -q | wc -l)" -ge 4 ]
}

# Starts a fork that comes no further than to say which child runs: nobody reads that.
fork_until_children_run() { # FORK-ARGUMENT...
	mkfifo "$T/full"
	exec 7<>"$T/full"
	head -c 64k /dev/zero >&7
	EXOMEM_DEBUG=act "$EXOMEM" fork --state-dir "$state" --templates "$T/templates" "$@" \
		>&7 2>"$T/trace" 3>&- 7>&- </dev/null &
	main=$!
	exec 7>&-
	wait_for "$T/trace" ' load-children '
}

# By QEMU itself: the tiny guest has no driver.
write_disk() { # NAME DEVICE BYTE
	vm qmp "$1" human-monitor-command \
		"{\"command-line\": \"qemu-io $2 \\\"write -P $3 0 64k\\\"\"}" >/dev/null
}

@test "SIGKILL of a second fork: the disk goes back to the overlay of the first, and not into the image below" {
	need_qemu
	use_xfs 400M
	memory=$reflink
	qemu-img create -q -f qcow2 "$T/disk.qcow2" 1M
	boot web -mem-path "$memory,anyfs" -drive "file=$T/disk.qcow2,format=qcow2,if=virtio,id=d0"
	fill web 8M 7
	vm fork -q web
	write_disk web d0 9
	before=$(sha256sum <"$T/disk.qcow2")
	overlay=$(jq -r '.disks[0].path' "$state/web/vm.json")
	[[ "$overlay" == "$T/disk.qcow2.web-"* ]]
	for step in move-disk save-devices clone-memory resume-guest; do
		number=$(vm fork --dry-run --name other web | sed -n '/^# steps/,/^$/p' |
			grep '^[a-z]' | grep -n -m 1 "^$step " | cut -d: -f1)
		stop_before "$number" "$EXOMEM" fork --state-dir "$state" --templates "$T/templates" \
			--name other web
		kill -KILL "$main"
		wait "$tracer" || true
		wait_for_exomems "fork --state-dir $state"
		assert_one_parent
		[ "$(sha256sum <"$T/disk.qcow2")" = "$before" ]
		[ "$(jq -r '.disks[0].path' "$state/web/vm.json")" = "$overlay" ]
	done
	vm fork -q --name third web
	assert_filled third 8M 7
}

@test "SIGKILL of exomem with --keep: what the disks of guests stand on keeps its name" {
	need_qemu
	truncate -s 1M "$T/disk.raw"
	boot web -mem-path "$memory,mode=create,anyfs" -drive "file=$T/disk.raw,format=raw,if=virtio"
	fill web 8M 7
	vm save -q web base >/dev/null
	vm clone --detach --name web base
	fork_until_children_run --keep --name child web twin
	deadline=$((SECONDS + 20))
	until [ "$(status_of child)" = running ]; do
		[ "$SECONDS" -lt "$deadline" ]
		sleep 0.05
	done
	kill -KILL "$main"
	go_on_forking
	[ ! -e "$T/templates/twin/manifest.json" ]
	qemu-img info -U --backing-chain "$(jq -r '.disks[0].path' "$state/web/vm.json")"
	vm fork -q -n 2 web
	vm fork -q --keep child more
	for name in $(vm list -q); do assert_unharmed "$name"; done
	[ "$(vm list -q | wc -l)" = 5 ]
}
