#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# migrate_linux.bats - a Linux that computes and talks goes from host to host: two network namespaces of
# this machine, each with a tap on a bridge, and a third that joins them.

# bats and helper.bash set the other variables.
# shellcheck disable=SC2034,SC2154

load helper
load template
load migrate

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

# The guest says over one TCP connection that it lives, and sums the same memory over and over.
write_script() {
	cat >"$T/script" <<'SCRIPT'
ip link set eth0 up
ip address add 10.77.0.50/24 dev eth0
mkdir /tmp
mount -t tmpfs none /tmp
head -c 4194304 /dev/urandom >/tmp/data
first=$(md5sum </tmp/data)
{
	beat=0
	while :; do
		beat=$((beat + 1))
		echo "beat $beat"
		usleep 10000
	done
} | nc 10.77.0.254 7000 &
echo ready
sums=0
while :; do
	[ "$(md5sum </tmp/data)" = "$first" ] || echo "memory was lost"
	sums=$((sums + 1))
	echo "sum $sums"
done
SCRIPT
}

# Writes a line for each beat: when it was heard, and which it was.
listen() {
	net switch socat -u TCP-LISTEN:7000,reuseaddr STDOUT 2>"$T/listen.err" | while read -r _ beat; do
		echo "$EPOCHREALTIME $beat"
	done >"$T/beats"
	echo over >"$T/over"
}

beats() {
	wc -l <"$T/beats"
}

wait_beats() { # COUNT
	local wanted=$(($(beats) + $1)) deadline=$((SECONDS + 60))
	until [ "$(beats)" -ge "$wanted" ]; do
		[ "$SECONDS" -lt "$deadline" ] || return 1
		sleep 0.1
	done
}

# The longest time between two beats behind the first N, in milliseconds.
longest_gap() { # N
	awk -v from="$1" 'NR > from { if (last && $1 - last > gap) gap = $1 - last }
		NR >= from { last = $1 }
		END { printf "%d\n", gap * 1000 }' "$T/beats"
}

hand_over() { # FROM TO
	net "$1" "$EXOMEM" migrate --json --state-dir "$T/state$1" --rsh "$T/rsh$2" --remote "$EXOMEM" \
		--remote-state-dir "$T/state$2" linux "host$2" 3>&-
}

@test "a Linux guest goes there and back five times, with its memory and its connection" {
	need_linux
	need_root 'makes network namespaces'
	make_hosts
	write_script
	kernel=$LINUX/vmlinux
	[ -e "$kernel" ] || kernel=$LINUX/vmlinuz
	listen 3>&- &
	pids=$!
	net 1 "$EXOMEM" run --detach --state-dir "$T/state1" --name linux -accel tcg -nodefaults \
		-display none -M q35 -m 256 -mem-path "$memory,mode=create,mmap=shared,anyfs" \
		-kernel "$kernel" -initrd "$LINUX/initrd.gz" -serial stdio \
		-append 'console=ttyS0 quiet panic=-1 mitigations=off exomem.script' \
		-fw_cfg "name=opt/test/script,file=$T/script" \
		-netdev tap,id=n,ifname=tap0,script=no,downscript=no \
		-device virtio-net-pci,netdev=n,romfile= 3>&-
	wait_for "$T/state1/linux/log" '^ready'
	wait_beats 50
	for hop in 1 2 3 4 5 6 7 8 9 10; do
		from=$((2 - hop % 2)) to=$((1 + hop % 2))
		before=$(beats)
		hand_over "$from" "$to" >"$T/json"
		wait_beats 50
		echo "# hop $hop: pause $(jq '."pause-us" / 1000 | floor' "$T/json") ms," \
			"largest gap $(longest_gap "$before") ms" >&3
	done
	wait_for "$T/state1/linux/log" '^sum '
	run -1 grep -qa lost "$T/state1/linux/log"
	[ ! -e "$T/over" ]
	# None was lost, and none came twice.
	awk '$2 != NR { exit 1 }' "$T/beats"
	for host in 1 2; do
		"$EXOMEM" stop --kill --all --state-dir "$T/state$host" >/dev/null
	done
}
