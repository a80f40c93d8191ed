#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# migrate_linux.bats - a Linux that computes and talks goes from host to host, and notices only that the
# clock has jumped.

# lab: timeout=3400 mem=3G

# bats, lab.bash and moves.bash set the other variables.
# shellcheck disable=SC2030,SC2031,SC2034,SC2154

load lab
load moves
load ../integration/beating_linux

setup_file() {
	export BATS_TEST_TIMEOUT=3000
	two_hosts
	for host in 1 2; do
		lab_tap "$host"
	done
}

# A bridge that joins the host's network and tap0, for a guest.
lab_tap() { # HOST
	on-host "$1" ip link add br0 type bridge
	on-host "$1" ip tuntap add tap0 mode tap
	on-host "$1" ip link set tap0 master br0 up
	on-host "$1" ip address del "10.0.0.$1/24" dev eth0
	on-host "$1" ip link set eth0 master br0
	on-host "$1" ip address add "10.0.0.$1/24" dev br0
	on-host "$1" ip link set br0 up
}

@test "a Linux guest goes there and back five times, with its memory and its connection" {
	use_server
	write_script 10.0.0.50 10.0.0.254 100000
	listen 3>&- 4>&- &
	linux_words 192
	exomem1 run "${words[@]}" 3>&- 4>&-
	wait_for "$T/state1/linux/log" '^ready' 1000
	for hop in 1 2 3 4 5 6 7 8 9 10; do
		hop "$hop" 10 hand_over --json linux
	done
	[ "$here" = 1 ]
	assert_beats
}
