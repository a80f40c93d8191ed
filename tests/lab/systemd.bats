#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# systemd.bats - a host whose control groups are systemd's: a child's limit is a scope, of root's and of
# another user's, or a group of a unit that has Delegate=.

# lab: systemd timeout=900

# Functions of helper.bash and template.bash read what is set here, and bats and lab.bash set the other
# variables.
# shellcheck disable=SC2030,SC2031,SC2034,SC2154

load lab

setup_file() {
	export BATS_TEST_TIMEOUT=300
	systemctl is-system-running --wait || true
}

limit_of() { # UNIT
	systemctl "${@:2}" show -P MemoryHigh "$1"
}

# A scope goes when its last process has ended.
assert_gone() { # GROUP
	for _ in $(seq 100); do
		[ -e "$1" ] || return 0
		sleep 0.1
	done
	echo "'$1' is still there"
	return 1
}

@test "--cow-budget is MemoryHigh= of a scope, which goes with the child" {
	boot_and_save web
	vm clone --detach --cow-budget 48M web
	group=$(cat "$state/web-1/cgroup")
	[[ $group = /sys/fs/cgroup/system.slice/exomem.web-1.*.scope ]]
	[ "$(limit_of "${group##*/}")" = $((48 << 20)) ]
	[ "$(cat "$group/memory.high")" = $((48 << 20)) ]
	[ "$(cat "$group/cgroup.procs")" = "$(pid_of web-1)" ]
	vm stop --kill web-1
	assert_gone "$group"
	[ -z "$(systemctl list-units --all --no-legend 'exomem.*')" ]
}

@test "nothing below /sys/fs/cgroup is written to or made" {
	boot_and_save web
	# As a grandchild: it stays with the processes that do.
	strace -D -f -qq -b execve -e trace=execve,openat,mkdir,mkdirat,rmdir,unlinkat -o "$T/calls" -- \
		"$EXOMEM" clone --state-dir "$state" --templates "$T/templates" --detach --cow-budget 48M web \
		3>&- 4>&-
	vm stop --kill web-1
	grep -q 'busctl' "$T/calls"
	run grep -E '/sys/fs/cgroup.*(O_WRONLY|O_RDWR|mkdir)|(mkdir|rmdir|unlink).*/sys/fs/cgroup' "$T/calls"
	[ "$status" = 1 ]
}

@test "a child that is killed because memory ran out says in which scope" {
	boot_and_save web
	vm clone --detach --cow-budget 48M web
	group=$(cat "$state/web-1/cgroup")
	pid=$(pid_of web-1)
	# Less than it has: the kernel can free nothing and kills (cgroups v2, memory.max).
	systemctl set-property --runtime "${group##*/}" MemoryHigh=infinity MemoryMax=4M
	wait_gone "$pid" 60
	run vm wait web-1
	assert_refused 137 "guest 'web-1' has ended: killed by SIGKILL: out of memory: "
}

@test "a unit that has Delegate= gets the group beside its own" {
	boot_and_save web
	cat >"$T/service" <<-'SERVICE'
		#!/bin/bash
		own=/sys/fs/cgroup$(sed -n 's/^0:://p' /proc/self/cgroup)
		mkdir "$own/main" && echo $$ >"$own/main/cgroup.procs" || exit
		"$EXOMEM" clone --state-dir "$state" --templates "$T/templates" --detach --cow-budget 48M web
		cat "$state/web-1/cgroup"
		"$EXOMEM" stop --kill --state-dir "$state" web-1
	SERVICE
	chmod +x "$T/service"
	run -0 systemd-run --quiet --wait --pipe --unit delegated -p Delegate=yes -E EXOMEM="$EXOMEM" \
		-E T="$T" -E state="$state" "$T/service"
	echo "$output"
	[[ $output = *'/sys/fs/cgroup/system.slice/delegated.service/exomem.web-1.'* ]]
	[[ $output != *.scope ]]
}

@test "a user's scope is one of the user's own manager" {
	loginctl enable-linger user
	until [ -S /run/user/1000/bus ]; do sleep 0.5; done
	boot_and_save web
	vm stop --kill web 2>/dev/null || true
	mkdir -p "$T/user"
	chmod -R a+rX "$T"
	chown -R user:user "$T"
	cat >"$T/session" <<-'SESSION'
		#!/bin/bash
		export XDG_RUNTIME_DIR=/run/user/1000
		"$EXOMEM" clone --state-dir "$T/user/state" --templates "$T/templates" --detach \
			--cow-budget 48M web || exit
		group=$(cat "$T/user/state/web-1/cgroup")
		echo "$group"
		systemctl --user show -P MemoryHigh "${group##*/}"
		cat "$group/memory.high"
		"$EXOMEM" stop --kill --state-dir "$T/user/state" web-1
	SESSION
	chmod +x "$T/session"
	run -0 runuser -u user -- env EXOMEM="$EXOMEM" T="$T" "$T/session"
	echo "$output"
	[[ ${lines[1]} = /sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/*/exomem.web-1.*.scope ]]
	[ "${lines[2]}" = $((48 << 20)) ]
	[ "${lines[3]}" = $((48 << 20)) ]
	assert_gone "${lines[1]}"
}

@test "without a bus the child is refused, with the reason, and nothing is left" {
	boot_and_save web
	systemctl stop dbus.socket dbus.service
	run vm clone --detach --cow-budget 48M web
	systemctl start dbus.socket
	assert_refused 3 "': Failed to connect to bus: "
	[ -z "$(vm list -q)" ]
	[ ! -e "$state/web-1" ]
}
