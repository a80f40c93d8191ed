# SPDX-License-Identifier: GPL-2.0-or-later
# beating_linux.bash - a Linux guest that says over one TCP connection that it lives, while it sums the
# same memory over and over.
#
# Loaded behind helper.bash, or behind the lab's moves.bash; $T is the test's folder.

# bats and helper.bash set the other variables.
# shellcheck disable=SC2034,SC2054,SC2154

# What it does, in $T/script, which it gets as a fw_cfg file.
write_script() { # ITS-ADDRESS LISTENER-ADDRESS MICROSECONDS-BETWEEN-BEATS
	cat >"$T/script" <<'SCRIPT'
ip link set eth0 up
ip address add ITS-ADDRESS/24 dev eth0
mkdir /tmp
mount -t tmpfs none /tmp
head -c 4194304 /dev/urandom >/tmp/data
first=$(md5sum </tmp/data)
beat LISTENER-ADDRESS 7000 MICROSECONDS &
echo ready
sums=0
while :; do
	[ "$(md5sum </tmp/data)" = "$first" ] || echo "memory was lost"
	sums=$((sums + 1))
	echo "sum $sums"
done
SCRIPT
	sed -i "s/ITS-ADDRESS/$1/; s/LISTENER-ADDRESS/$2/; s/MICROSECONDS/$3/" "$T/script"
}

# The words that start it as guest linux, with memory in $memory and tap0 for its network.
linux_words() { # MEMORY
	local kernel=$LINUX/vmlinux
	[ -e "$kernel" ] || kernel=$LINUX/vmlinuz
	words=(--detach --state-dir "$T/state1" --name linux -accel tcg -nodefaults -display none
		-M q35 -m "$1" -mem-path "$memory,mode=create,mmap=shared,anyfs" -kernel "$kernel"
		-initrd "$LINUX/initrd.gz" -serial stdio
		-append 'console=ttyS0 quiet no_timer_check panic=-1 mitigations=off exomem.script'
		-fw_cfg "name=opt/test/script,file=$T/script"
		-netdev tap,id=n,ifname=tap0,script=no,downscript=no
		-device virtio-net-pci,netdev=n,romfile=)
}

# Writes a line for each beat: when it was heard, and which it was. It becomes socat, to be started in the
# background and killed: of a connection to a guest that was killed socat does not hear the end.
listen() { # [COMMAND-BEFORE-SOCAT...]
	exec "$@" socat -u TCP-LISTEN:7000,reuseaddr STDOUT 2>"$T/listen.err" > >(note_beats)
}

note_beats() {
	while read -r _ beat; do
		echo "$EPOCHREALTIME $beat"
	done >"$T/beats"
	echo over >"$T/over"
}

beats() {
	wc -l <"$T/beats"
}

wait_beats() { # COUNT SECONDS
	local wanted=$(($(beats) + $1)) deadline=$((SECONDS + $2))
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

# Does one hop, and tells how long the guest stood still: as exomem says, and by its beats, with what
# passes between two of them anyway.
hop() { # NUMBER BEATS COMMAND...
	local before still
	before=$(beats)
	wait_beats "$2" 300
	still=$(longest_gap "$before")
	before=$(beats)
	"${@:3}" >"$T/json"
	wait_beats "$2" 300
	echo "# hop $1: pause $(in_ms pause-us), rehearsal $(in_ms rehearsal-us), longest gap" \
		"$(longest_gap "$before") ms, without a hop $still ms" >&3
}

in_ms() { # MEMBER
	jq -r --arg member "$1" '"\(.[$member] / 1000 | floor) ms"' "$T/json"
}

# Fails unless it computes on host 1, its memory is right, its connection is there, and no beat was lost or
# came twice.
assert_beats() {
	wait_for "$T/state1/linux/log" '^sum '
	cat "$T"/state?/linux/log >"$T/said"
	run -1 grep -qa lost "$T/said"
	[ ! -e "$T/over" ]
	awk '$2 != NR { exit 1 }' "$T/beats"
}
