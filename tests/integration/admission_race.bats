#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# admission_race.bats - guests come and go from eight processes, and never have more than there is.
#
# EXOMEM_RACE is how many seconds that goes on.

# helper.bash and template.bash set the other variables.
# shellcheck disable=SC2154

load helper
load template
load store

# Starts guests of a random size that has room or has not, and ends them in a random way.
worker() { # NUMBER
	local name n=0 rc
	RANDOM=$((BATS_TEST_NUMBER * 1000 + $1))
	while [ "$SECONDS" -lt "$end" ]; do
		n=$((n + 1)) name=w$1-$n rc=0
		"$EXOMEM" run --detach --state-dir "$state" --config "$T/conf" --name "$name" \
			-accel tcg -nodefaults -display none -M q35 -m $((32 + RANDOM % 200)) \
			>/dev/null 2>"$T/err-$1" 3>&- || rc=$?
		case $rc in
		0) echo started >>"$T/log-$1" ;;
		4)
			echo refused >>"$T/log-$1"
			continue
			;;
		*)
			cat "$T/err-$1" >>"$T/broken"
			return
			;;
		esac
		if [ $((RANDOM % 2)) = 0 ]; then
			vm stop --kill "$name" >/dev/null 2>&1
		else
			kill -KILL "$(pid_of "$name")"
		fi
	done
}

# What all guests have is looked at again and again, by the program and by their own records.
watch_committed() {
	while [ -e "$T/racing" ]; do
		"$EXOMEM" capacity --json --state-dir "$state" --config "$T/conf" |
			jq '.store.committed' >>"$T/committed"
	done
}

@test "eight processes start and end guests: committed stays within capacity, and ends at zero" {
	need_qemu
	end=$((SECONDS + ${EXOMEM_RACE:-8}))
	configure 400
	touch "$T/racing"
	watch_committed &
	watcher=$!
	workers=''
	for i in 1 2 3 4 5 6 7 8; do
		worker "$i" &
		workers="$workers $!"
	done
	# shellcheck disable=SC2086 # one word for each process
	wait $workers
	rm "$T/racing"
	wait "$watcher"
	[ ! -e "$T/broken" ] || { cat "$T/broken" && false; }
	echo "started $(cat "$T"/log-* | grep -c started), refused $(cat "$T"/log-* | grep -c refused)," \
		"looked $(wc -l <"$T/committed") times, most $(sort -n "$T/committed" | tail -n 1)" >&3
	[ "$(cat "$T"/log-* | grep -c started)" -ge 8 ]
	[ "$(sort -n "$T/committed" | tail -n 1)" -le $((400 << 20)) ]
	[ "$(sort -n "$T/committed" | tail -n 1)" -gt 0 ]
	assert_no_process
	[ "$("$EXOMEM" capacity --json --state-dir "$state" --config "$T/conf" | jq .store.committed)" = 0 ]
	vm clean
	assert_holds "$state" .capacity .exomem
	assert_empty "$memory"
	run -1 grep ":$(stat -c %i "$state/.capacity") " /proc/locks
}
