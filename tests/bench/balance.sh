#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# balance.sh [SECONDS [TURN]] - what `exomem balance` is worth: six Linux guests of 512 MiB in 2 GiB.
#
# The same six guests, of which two work at a time for so many seconds (30), run twice for so long (300):
# with swap alone, and with `exomem balance --policy density` beside them.  Prints the work done, and
# fails where a guest was lost or a checksum with it.  It needs root, a memory control group (version 1 or
# 2) and a place for a swap file of 3 GiB.  $EXOMEM is the program, $LINUX the folder of the Linux guest.
set -eu
: "${EXOMEM:?is the program to measure}" "${LINUX:?is the folder of the guest}"
seconds=${1:-300}
turn=${2:-30}
guests='1 2 3 4 5 6'
dir=$(mktemp -d)
state=$dir/state
export XDG_CACHE_HOME="$dir/cache"
swap=$dir/swap
pages=$(cat /sys/kernel/mm/ksm/run 2>/dev/null || echo 0)

stop_all() {
	[ -z "${balancer-}" ] || kill -TERM "$balancer" 2>/dev/null || :
	[ -z "${balancer-}" ] || wait "$balancer" 2>/dev/null || :
	balancer=
	"$EXOMEM" stop --state-dir "$state" --kill --all >/dev/null 2>&1 || :
}
finish() {
	stop_all
	swapoff "$swap" 2>/dev/null || :
	rmdir "$group" 2>/dev/null || :
	rm -rf "$dir"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# A group of 2 GiB, of whichever version has the memory controller.
make_group() {
	if [ -e /sys/fs/cgroup/memory/memory.limit_in_bytes ]; then
		group=/sys/fs/cgroup/memory/exomem-bench-$$
		limit=memory.limit_in_bytes
	else
		group=/sys/fs/cgroup/exomem-bench-$$
		limit=memory.max
		echo +memory >/sys/fs/cgroup/cgroup.subtree_control
	fi
	mkdir "$group"
	echo 2G >"$group/$limit"
}

make_swap() {
	dd if=/dev/zero of="$swap" bs=1M count=3072 status=none
	chmod 600 "$swap"
	mkswap -q "$swap" >/dev/null
	swapon "$swap"
}

# A third of the guests works at a time, on 320 MB that it then frees.
write_script() {
	cat >"$dir/script" <<'SCRIPT'
read -r turn </proc/cmdline
turn=${turn##*turn=}
turn=${turn%% *}
mkdir /tmp
mount -t tmpfs -o size=90% none /tmp
head -c 4000000 /dev/urandom >/tmp/data
sum=$(md5sum </tmp/data)
now() {
	read -r up _ </proc/uptime
	up=${up%%.*}
}
# Not zeros: Linux swaps those without writing them.
for i in 1 2 3 4 5 6 7 8; do cat /tmp/data; done >/tmp/block
echo "ready"
units=0
while :; do
	now
	if [ $((up / TURN % 3)) != "$turn" ]; then
		sleep 0.3
		continue
	fi
	while [ $((up / TURN % 3)) = "$turn" ]; do
		for i in 1 2 3 4 5 6 7 8 9 10; do
			dd if=/tmp/block of=/tmp/work.$i bs=1M conv=notrunc 2>/dev/null
			units=$((units + 1))
			echo "unit $units"
		done
		cat /tmp/data >/tmp/work.0
		now
	done
	cmp -s /tmp/work.0 /tmp/data || echo LOST
	rm /tmp/work.*
	[ "$(md5sum </tmp/data)" = "$sum" ] || echo LOST
	echo checked
done
SCRIPT
	sed -i "s/TURN/$turn/" "$dir/script"
}

boot() { # NUMBER
	kernel=$LINUX/vmlinux
	[ -e "$kernel" ] || kernel=$LINUX/vmlinuz
	# shellcheck disable=SC2016 # it is for the shell inside
	sh -c 'echo $$ >"$1/cgroup.procs"; shift; exec "$@"' sh "$group" \
		"$EXOMEM" run --state-dir "$state" --detach --name "g$1" -accel tcg,tb-size=32 \
		-nodefaults -display none -M q35 -m 512 -serial stdio -kernel "$kernel" \
		-initrd "$LINUX/initrd.gz" \
		-append "console=ttyS0 quiet no_timer_check panic=-1 mitigations=off turn=$(($1 % 3))" \
		-device virtio-balloon-pci,deflate-on-oom=on \
		-fw_cfg "name=opt/bench/script,file=$dir/script" >/dev/null
}

wait_for() { # NUMBER TEXT
	tries=0
	until grep -qa "$2" "$state/g$1/log"; do
		tries=$((tries + 1))
		[ "$tries" -lt 1200 ] || { echo "g$1: no '$2'" >&2; exit 1; }
		sleep 0.1
	done
}

boot_all() {
	for number in $guests; do boot "$number"; done
	for number in $guests; do
		wait_for "$number" 'linux# '
		echo 'sh /sys/firmware/qemu_fw_cfg/by_name/opt/bench/script/raw' |
			socat -t 1 - "UNIX-CONNECT:$state/g$number/console.sock" >/dev/null
	done
	for number in $guests; do wait_for "$number" '^ready'; done
}

units() {
	for number in $guests; do
		grep -a '^unit' "$state/g$number/log" | tail -n 1 | tr -cd '0-9\n'
	done | awk '{ sum += $1 } END { print sum + 0 }'
}

# Nobody is killed, and nobody has lost anything.
check_all() {
	for number in $guests; do
		[ -e "$state/g$number/vm.json" ] || { echo "g$number was lost" >&2; exit 1; }
		kill -0 "$(jq .pid "$state/g$number/vm.json")" || { echo "g$number died" >&2; exit 1; }
		grep -qa '^checked' "$state/g$number/log" || { echo "g$number checked nothing" >&2; exit 1; }
		! grep -qa '^LOST' "$state/g$number/log" || { echo "g$number lost data" >&2; exit 1; }
		! grep -qa 'Out of memory' "$state/g$number/log" || { echo "g$number killed" >&2; exit 1; }
	done
}

measure() { # EXOMEM-BALANCE-ARGUMENT...
	boot_all
	if [ $# -gt 0 ]; then
		"$EXOMEM" balance --state-dir "$state" --cgroup "$group" "$@" >"$dir/decisions" 2>&1 &
		balancer=$!
	fi
	before=$(units)
	read -r _ in_before <<-IN
		$(grep '^pswpin ' /proc/vmstat)
	IN
	sleep "$seconds"
	work=$(($(units) - before))
	read -r _ in_after <<-IN
		$(grep '^pswpin ' /proc/vmstat)
	IN
	swapped=$(((in_after - in_before) / 256))
	check_all
	own='-'
	if [ -n "${balancer-}" ]; then
		own=$(awk -v hz="$(getconf CLK_TCK)" -v s="$seconds" \
			'{ printf "%.2f %%", ($14 + $15) / hz / s * 100 }' "/proc/$balancer/stat")
	fi
	stop_all
}

make_group
make_swap
write_script
measure
plain=$work plain_swapped=$swapped
measure --policy density
echo "| six guests of 512 MiB in 2 GiB, $seconds s, turns of $turn s | swap alone | balance | ratio | target |"
echo '|---|---|---|---|---|'
echo "| work done, in blocks of 32 MB | $plain | $work |" \
	"$(awk -v a="$work" -v b="$plain" 'BEGIN { printf "%.2f", a / (b ? b : 1) }') | >= 1.2 |"
echo "| read back from swap, MiB | $plain_swapped | $swapped | | |"
echo "| processor time of balance | - | $own | | |"
[ "$pages" = "$(cat /sys/kernel/mm/ksm/run 2>/dev/null || echo 0)" ]
[ -z "${KEEP-}" ] || cp "$dir/decisions" "$KEEP"
