#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# migrate_linux.bats - a Linux that computes and talks goes from host to host, and notices only that the
# clock has jumped.

# lab: timeout=3400 mem=3G

# bats, lab.bash and moves.bash set the other variables.
# shellcheck disable=SC2030,SC2031,SC2034,SC2154

load lab
load moves

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

# The guest says over one TCP connection that it lives, and sums the same memory over and over.
write_script() {
	cat >"$T/script" <<'SCRIPT'
ip link set eth0 up
ip address add 10.0.0.50/24 dev eth0
mkdir /tmp
mount -t tmpfs none /tmp
head -c 4194304 /dev/urandom >/tmp/data
first=$(md5sum </tmp/data)
{
	beat=0
	while :; do
		beat=$((beat + 1))
		echo "beat $beat"
		usleep 100000
	done
} | nc 10.0.0.254 7000 &
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
	socat -u TCP-LISTEN:7000,reuseaddr STDOUT 2>"$T/listen.err" | while read -r _ beat; do
		echo "$EPOCHREALTIME $beat"
	done >"$T/beats"
	echo over >"$T/over"
}

beats() {
	wc -l <"$T/beats"
}

wait_beats() { # COUNT
	local wanted=$(($(beats) + $1)) deadline=$((SECONDS + 300))
	until [ "$(beats)" -ge "$wanted" ]; do
		[ "$SECONDS" -lt "$deadline" ] || return 1
		sleep 0.2
	done
}

# The longest time between two beats behind the first N, in milliseconds.
longest_gap() { # N
	awk -v from="$1" 'NR > from { if (last && $1 - last > gap) gap = $1 - last }
		NR >= from { last = $1 }
		END { printf "%d\n", gap * 1000 }' "$T/beats"
}

said() {
	cat "$T"/state?/linux/log | tr -d '\r'
}

@test "a Linux guest goes there and back five times, with its memory and its connection" {
	use_server
	write_script
	listen 3>&- 4>&- &
	exomem1 run --detach --state-dir "$T/state1" --name linux -accel tcg -nodefaults \
		-display none -M q35 -m 192 -mem-path "$memory,mode=create,mmap=shared,anyfs" \
		-kernel "$LINUX/vmlinux" -initrd "$LINUX/initrd.gz" -serial stdio \
		-append 'console=ttyS0 quiet panic=-1 mitigations=off exomem.script' \
		-fw_cfg "name=opt/test/script,file=$T/script" \
		-netdev tap,id=n,ifname=tap0,script=no,downscript=no \
		-device virtio-net-pci,netdev=n,romfile= 3>&- 4>&-
	wait_for "$T/state1/linux/log" '^ready' 1000
	wait_beats 10
	for hop in 1 2 3 4 5 6 7 8 9 10; do
		before=$(beats)
		hand_over --json linux >"$T/json"
		wait_beats 10
		echo "# hop $hop: pause $(jq '."pause-us" / 1000 | floor' "$T/json") ms," \
			"largest gap $(longest_gap "$before") ms" >&3
	done
	[ "$here" = 1 ]
	wait_for "$T/state1/linux/log" '^sum '
	run -1 grep -q lost <(said)
	[ ! -e "$T/over" ]
	# None was lost, and none came twice.
	awk '$2 != NR { exit 1 }' "$T/beats"
}
