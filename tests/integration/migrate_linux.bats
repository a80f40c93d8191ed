#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# migrate_linux.bats - a Linux that computes and talks goes from host to host: two network namespaces of
# this machine, each with a tap on a bridge, and a third that joins them.

# bats and helper.bash set the other variables.
# shellcheck disable=SC2034,SC2154

load helper
load template
load beating_linux

setup_file() {
	export nets=exomem-$$
}

teardown_file() {
	for host in switch 1 2; do
		ip netns delete "$nets-$host" 2>/dev/null || true
	done
}

net() { # NAMESPACE COMMAND...
	ip netns exec "$nets-$1" "${@:2}"
}

# Hosts 1 and 2, and the switch between them, which has 10.77.0.254.
make_hosts() {
	local host
	ip netns add "$nets-switch" || skip 'no network namespaces here'
	net switch ip link add br0 type bridge || skip 'no bridges here'
	net switch ip address add 10.77.0.254/24 dev br0
	net switch ip link set br0 up
	for host in 1 2; do
		ip netns add "$nets-$host"
		net "$host" ip link add br0 type bridge
		net "$host" ip link set br0 up
		net "$host" ip tuntap add tap0 mode tap || skip 'no taps here'
		net "$host" ip link set tap0 master br0 up
		net "$host" ip link add eth0 type veth peer name "to$host" netns "$nets-switch"
		net "$host" ip link set eth0 master br0 up
		net switch ip link set "to$host" master br0 up
		printf '#!/bin/sh\nshift\nexec ip netns exec %s "$@"\n' "$nets-$host" >"$T/rsh$host"
		chmod +x "$T/rsh$host"
	done
}

hand_over() { # FROM TO
	net "$1" "$EXOMEM" migrate --json --state-dir "$T/state$1" --rsh "$T/rsh$2" --remote "$EXOMEM" \
		--remote-state-dir "$T/state$2" linux "host$2" 3>&-
}

@test "a Linux guest goes there and back five times, with its memory and its connection" {
	need_linux
	need_root 'makes network namespaces'
	make_hosts
	write_script 10.77.0.50 10.77.0.254 10000
	listen ip netns exec "$nets-switch" 3>&- &
	pids=$!
	linux_words 256
	net 1 "$EXOMEM" run "${words[@]}" 3>&-
	wait_for "$T/state1/linux/log" '^ready'
	for hop in 1 2 3 4 5 6 7 8 9 10; do
		hop "$hop" 50 hand_over $((2 - hop % 2)) $((1 + hop % 2))
	done
	assert_beats
	for host in 1 2; do
		"$EXOMEM" stop --kill --all --state-dir "$T/state$host" >/dev/null
	done
}
