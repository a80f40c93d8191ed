#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# prefetch.bats - run by prefetch.sh in the lab.  It asserts nothing but that guests have their memory.
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
		on_templates prefetch replay --json child >"$T/replayed" &
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

# cold: each page by demand; replayed: with the recording; warm: all of it is there.
measure() { # WAY COMMAND ANSWER
	exomem1 stop --state-dir "$state" --kill --all >/dev/null 2>&1 || true
	[ "$1" = warm ] || forget_pages
	on_templates clone --detach --paused --name child web >/dev/null
	time_answer "$@"
}

# Microseconds of a clone, whose child runs at its end.
time_clone() { # OPTION...
	local begun
	exomem1 stop --state-dir "$state" --kill --all >/dev/null 2>&1 || true
	forget_pages
	begun=$(now_us)
	on_templates clone --detach --name child "$@" web >/dev/null
	echo $(($(now_us) - begun))
}

record() { # COMMAND ANSWER
	exomem1 stop --state-dir "$state" --kill --all >/dev/null 2>&1 || true
	forget_pages
	on_templates clone --detach --name child web >/dev/null
	at_host 1 ask child "$1" "$2" >/dev/null
	on_templates prefetch record --anew --json child
}

ms() {
	awk -v us="$1" 'BEGIN { printf "%.0f ms", us / 1000 }'
}

ratio() {
	awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", a / b }'
}

table() { # WHAT COMMAND ANSWER
	local what=$1 way delay run recording bytes extents
	shift
	lab_delay 0
	recording=$(record "$@")
	bytes=$(jq .recorded <<<"$recording") extents=$(jq .extents <<<"$recording")
	for delay in 1ms 10ms; do
		lab_delay "$delay"
		rm -f "$T"/times-*
		for ((run = 0; run < runs; run++)); do
			for way in cold replayed warm; do
				measure "$way" "$@" >>"$T/times-$way"
			done
			time_clone >>"$T/times-alone"
			time_clone --prefetch >>"$T/times-beside"
		done
		for way in cold replayed warm alone beside; do
			declare "$way=$(median <"$T/times-$way")"
		done
		# shellcheck disable=SC2154
		printf '# | %s | %s | %.1f MiB in %d | %s | %s | %s | %s | %s | %s | %s |\n' "$what" \
			"$delay" "$(awk -v b="$bytes" 'BEGIN { print b / 1048576 }')" "$extents" \
			"$(ms "$cold")" "$(ms "$replayed")" "$(ratio "$cold" "$replayed")" \
			"$(ms "$warm")" "$(ms "$alone")" "$(ms "$beside")" \
			"$(ratio "$beside" "$alone")" >&3
	done
}

@test "the table" {
	state=$T/state1
	at_host 1 boot web -mem-path /mnt/shared,mode=create,mmap=shared,anyfs
	at_host 1 fill web 48M 7
	on_templates save -q web
	# shellcheck disable=SC2016 # for the shell on the host
	on-host 1 sh -c 'echo "# | read_ahead_kb is $(cat /sys/class/bdi/$(mountpoint -d /mnt)/read_ahead_kb)"' >&3
	echo '# | working set | delay | recording | by demand | with it | ratio | warm | clone | --prefetch | ratio |' >&3
	echo '# |---|---|---|---|---|---|---|---|---|---|' >&3
	table '1000 scattered pages' 'pick 48M 1000 7' '^picked 1000 pages key 7'
	table '16 MiB in order' 'verify 16M 7' '^verified 16 MiB key 7'
}
