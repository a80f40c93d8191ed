#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# prefetch_nfs.bats - run by prefetch_nfs.sh in the lab.  It asserts nothing but that guests have their memory.
#
# A child rests on a host whose page cache has nothing of the template; the server has all of it.  It
# is told to go on, and its command waits on its serial line: until the answer comes, it has read its
# working set.  With a recording, `exomem prefetch replay` is started in the same moment, and is not
# waited for; its own start counts.

# bats and lab.bash set the other variables.
# shellcheck disable=SC2034,SC2154

load ../lab/lab

runs=3

setup_file() {
	export BATS_TEST_TIMEOUT=2500
	lab_hosts 1
	lab_nfs /srv/nfs
	lab_mount_nfs 1 /mnt
	mkdir -p /srv/nfs/shared /srv/nfs/templates
}

on_templates() { # VERB ARGUMENT...
	exomem1 "$1" --state-dir "$state" --templates /mnt/templates "${@:2}" 3>&- 4>&-
}

forget_pages() {
	on-host 1 dd of="/mnt/shared/$file" oflag=nocache conv=notrunc,fdatasync count=0 status=none
}

now_us() {
	echo "${EPOCHREALTIME/./}"
}

median() {
	sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}

# Microseconds from `cont` to the answer.
time_answer() { # WAY COMMAND ANSWER
	local begun answer replay=
	coproc socat - "UNIX-CONNECT:$state/child/console.sock"
	local serial_in=${COPROC[1]} serial_out=${COPROC[0]} serial=$COPROC_PID
	mkfifo "$T/qmp.in"
	socat - "UNIX-CONNECT:$state/child/control.sock" <"$T/qmp.in" >"$T/qmp.out" 3>&- 4>&- &
	exec 8>"$T/qmp.in"
	echo '{"execute": "qmp_capabilities"}' >&8
	echo "$2" >&"$serial_in"
	sleep 1
	begun=$(now_us)
	if [ "$1" = replayed ]; then
		on_templates prefetch replay -q child &
		replay=$!
	fi
	echo '{"execute": "cont"}' >&8
	answer=$(timeout 300 grep -m 1 -aE -- "$3" <&"$serial_out")
	echo $(($(now_us) - begun))
	[ -n "$answer" ]
	[ -z "$replay" ] || wait "$replay"
	exec 8>&-
	kill "$serial"
	rm "$T/qmp.in"
}

stop_all() {
	exomem1 stop --state-dir "$state" --kill --all >/dev/null 2>&1 || true
}

# By demand and cold, with one of two recordings and cold, or with all of it there.
measure() { # cold|exact|default|warm COMMAND ANSWER
	local way=cold
	stop_all
	[ "$1" = warm ] || forget_pages
	on_templates clone --detach --paused --name child web >/dev/null
	if [ -e "$T/$1.json" ]; then
		way=replayed
		on-host 1 cp "$T/$1.json" /mnt/templates/web/prefetch.json
	fi
	time_answer "$way" "${@:2}"
}

# So much is mapped around a page that is read (Linux, mm/memory.c); 64 KiB by default.
record() { # NAME BYTES COMMAND ANSWER
	stop_all
	echo "$2" >/sys/kernel/debug/fault_around_bytes
	on_templates clone --detach --name child web >/dev/null
	at_host 1 ask child "$3" "$4" >/dev/null
	on_templates prefetch record --anew -q child
	on-host 1 cp /mnt/templates/web/prefetch.json "$T/$1.json"
	echo 65536 >/sys/kernel/debug/fault_around_bytes
}

size_of() { # NAME
	jq -r '[.memory[].extents as $e | range(1; $e | length; 2) | $e[.]] |
		"\(add / 104857.6 | round / 10) MiB in \(length)"' "$T/$1.json"
}

ms() {
	awk -v us="$1" 'BEGIN { printf "%.0f ms", us / 1000 }'
}

ratio() {
	awk -v a="$1" -v b="$2" 'BEGIN { printf "%.1f", a / b }'
}

row() { # WHAT DELAY
	local way
	for way in cold exact default warm; do
		declare "$way=$(median <"$T/times-$way")"
	done
	# shellcheck disable=SC2154 # declared above
	printf '# | %s | %s | %s | %s, %s, %s | %s, %s, %s | %s |\n' "$1" "$2" "$(ms "$cold")" \
		"$(size_of exact)" "$(ms "$exact")" "$(ratio "$cold" "$exact")" \
		"$(size_of default)" "$(ms "$default")" "$(ratio "$cold" "$default")" \
		"$(ms "$warm")" >&3
}

table() { # WHAT COMMAND ANSWER
	local what=$1 way delay run
	shift
	lab_delay 0
	record exact 4096 "$@"
	record default 65536 "$@"
	for delay in 1ms 10ms; do
		lab_delay "$delay"
		rm -f "$T"/times-*
		for ((run = 0; run < runs; run++)); do
			for way in cold exact default warm; do
				measure "$way" "$@" >>"$T/times-$way"
			done
		done
		row "$what" "$delay"
	done
}

@test "the table" {
	state=$T/state1
	at_host 1 boot web -m 128 -mem-path /mnt/shared,mode=create,mmap=shared,anyfs
	file=$(cd /srv/nfs/shared && echo qemu_back_mem.*)
	at_host 1 fill web 96M 7
	on_templates save -q web
	echo '# | working set | delay | by demand | recorded page by page | recorded by default | warm |' >&3
	echo '# |---|---|---|---|---|---|' >&3
	table '150 pages of 96 MiB' 'pick 96M 150 7' '^picked 150 pages key 7'
	table '8 MiB in order' 'verify 8M 7' '^verified 8 MiB key 7'
}
