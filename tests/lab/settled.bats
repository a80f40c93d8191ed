#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# settled.bats - what the kernel has less when guests are there: figures that hold only where nobody else
# takes memory.

# lab: mem=3G timeout=1500

# Functions of helper.bash and template.bash read what is set here, and bats and lab.bash set the other
# variables.
# shellcheck disable=SC2030,SC2031,SC2034,SC2154

load lab

setup_file() {
	# A QEMU's start takes seconds here.
	export BATS_TEST_TIMEOUT=1400
}

# What was freed is given back, and counted.
settle() {
	sync
	echo 3 >/proc/sys/vm/drop_caches
	sleep 3
}

# Bytes; the middle one of nine.
available() {
	for _ in 1 2 3 4 5 6 7 8 9; do
		awk '$1 == "MemAvailable:" { print $2 * 1024 }' /proc/meminfo
		sleep 0.3
	done | sort -n | sed -n 5p
}

@test "what usage says of fifty children is what the kernel has less, give or take a tenth" {
	boot_and_save web
	# QEMU itself and its libraries are in memory from here on.
	vm clone --detach --paused --name warm web
	settle
	before=$(available)
	vm clone --paused -n 50 --name child web >"$T/names"
	settle
	after=$(available)
	[ "$(wc -l <"$T/names")" = 50 ]
	said=$(vm usage --json |
		jq '[.guests[] | select(.name | startswith("child")) | .copied + .qemu] | add')
	grep -E '^(MemAvailable|PageTables|Slab|SUnreclaim|KernelStack|AnonPages|Mapped)' /proc/meminfo
	fall=$((before - after))
	echo "# $((fall >> 10)) KiB less, $((said >> 10)) KiB said" >&3
	[ $((said * 10)) -ge $((fall * 9)) ] && [ $((said * 10)) -le $((fall * 11)) ]
}
