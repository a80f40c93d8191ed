#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# migrate.sh [RUNS] - what handing a guest over costs, beside what QEMU's own migrations cost.
#
# An idle guest whose memory is touched to three fifths goes back and forth between two state directories of
# this machine, its memory in a file of tmpfs and then of a disk; and the same guest with anonymous
# memory between two QEMUs over a UNIX socket, by pre-copy and by post-copy, with no limit of bandwidth.
# Each figure is a median of RUNS (7).  It fails only where it cannot measure.  $EXOMEM is the program,
# $GUEST the tiny guest; $SIZES may name other sizes, in MiB.
set -eu
: "${EXOMEM:?is the program to measure}" "${GUEST:?is the guest to boot}"
runs=${1:-7}
sizes=${SIZES:-256 1024 4096 8192}
qemu=${EXOMEM_QEMU:-qemu-system-x86_64}
dir=$(mktemp -d)
fast=$(mktemp -d -p /dev/shm)
export XDG_CACHE_HOME="$dir/cache"

finish() {
	for side in one two; do
		"$EXOMEM" stop --state-dir "$fast/$side" --kill --all >/dev/null 2>&1 || :
	done
	pkill -KILL -f -- "unix:$dir/" || :
	rm -rf "$dir" "$fast"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

printf '#!/bin/sh\nshift\nexec "$@"\n' >"$dir/rsh"
chmod +x "$dir/rsh"

median() { # FILE
	sort -g "$1" | awk '{ value[NR] = $1 }
		END { printf "%.1f", (value[int((NR + 1) / 2)] + value[int(NR / 2) + 1]) / 2 }'
}

now_ms() {
	awk '{ printf "%d", $1 * 1000 }' /proc/uptime
}

wait_for() { # COMMAND...
	tries=0
	until "$@" >/dev/null 2>&1; do
		tries=$((tries + 1))
		[ "$tries" -lt 6000 ] || { echo "migrate.sh: '$*' does not come true" >&2; exit 1; }
		sleep 0.02
	done
}

touched() { # MEBIBYTES
	echo $(($1 * 3 / 5))
}

# --- by exomem ---

start() { # MEBIBYTES DIRECTORY
	mkdir "$2/memory"
	"$EXOMEM" run --state-dir "$fast/one" --detach --name web -accel tcg -M q35 -m "$1" \
		-nodefaults -display none -kernel "$GUEST" -serial stdio \
		-mem-path "$2/memory,mode=create,mmap=shared,anyfs" >/dev/null
	wait_for grep -q 'tiny: up' "$fast/one/web/log"
	{
		printf 'tick off\nfill %dM 7\n' "$(touched "$1")"
		wait_for grep -q '^filled' "$fast/one/web/log"
	} | socat - "UNIX-CONNECT:$fast/one/web/console.sock" >/dev/null
}

move() { # FROM TO
	"$EXOMEM" migrate --json --state-dir "$fast/$1" --rsh "$dir/rsh" --remote "$EXOMEM" \
		--remote-state-dir "$fast/$2" web other >"$dir/moved"
	jq '."pause-us" / 1000' "$dir/moved" >>"$dir/pauses"
	jq '[.steps[]."time-us"] | add / 1000' "$dir/moved" >>"$dir/totals"
	jq -r '.steps[] | "\(.step) \(."time-us" / 1000)"' "$dir/moved" >>"$dir/steps"
}

by_exomem() { # MEBIBYTES DIRECTORY
	start "$1" "$2"
	rm -f "$dir/pauses" "$dir/totals" "$dir/steps"
	run=0
	while [ "$run" -lt "$runs" ]; do
		move one two
		move two one
		run=$((run + 2))
	done
	"$EXOMEM" stop --state-dir "$fast/one" --kill web >/dev/null
	rm -rf "$2/memory"
}

# --- by QEMU ---

start_qemu() { # NAME MEBIBYTES QEMU-WORD...
	name=$1 size=$2
	shift 2
	"$qemu" -accel tcg -M q35 -m "$size" -nodefaults -display none -kernel "$GUEST" -daemonize \
		-serial "unix:$dir/$name.serial,server=on,wait=off" \
		-qmp "unix:$dir/$name.qmp,server=on,wait=off" -pidfile "$dir/$name.pid" "$@"
}

ask() { # NAME COMMAND...
	name=$1
	shift
	{
		echo '{"execute": "qmp_capabilities"}'
		printf '%s\n' "$@"
	} | socat -t 2 - "UNIX-CONNECT:$dir/$name.qmp" | jq -c 'select(.return or .error)' | tail -n 1
}

has_completed() { # NAME
	ask "$1" '{"execute": "query-migrate"}' >"$dir/answer"
	jq -e '.return.status == "completed"' "$dir/answer"
}

capability() { # NAME
	echo '{"execute": "migrate-set-capabilities", "arguments": {"capabilities":
		[{"capability": "postcopy-ram", "state": '"$1"'}]}}' | tr -d '\n'
}

# From the one that has it to a new one.
move_by_qemu() { # FROM TO MEBIBYTES pre|post
	post=false
	[ "$4" = pre ] || post=true
	start_qemu "$2" "$3" -incoming defer
	ask "$2" "$(capability "$post")" \
		"{\"execute\": \"migrate-incoming\", \"arguments\": {\"uri\": \"unix:$dir/way\"}}" \
		>/dev/null
	set -- "$1" "$2" "$post" "$(now_ms)"
	ask "$1" "$(capability "$post")" \
		'{"execute": "migrate-set-parameters", "arguments": {"max-bandwidth": 100000000000}}' \
		"{\"execute\": \"migrate\", \"arguments\": {\"uri\": \"unix:$dir/way\"}}" >/dev/null
	[ "$post" = false ] || ask "$1" '{"execute": "migrate-start-postcopy"}' >/dev/null
	wait_for has_completed "$1"
	jq '.return."total-time"' "$dir/answer" >>"$dir/totals"
	jq '.return.downtime' "$dir/answer" >>"$dir/pauses"
	ask "$1" '{"execute": "quit"}' >/dev/null
	wait_for test ! -e "$dir/$1.pid"
}

by_qemu() { # MEBIBYTES pre|post
	start_qemu one "$1"
	# shellcheck disable=SC2094 # what it has said is waited for
	{
		wait_for grep -q 'tiny: up' "$dir/serial"
		printf 'tick off\nfill %dM 7\n' "$(touched "$1")"
		wait_for grep -q '^filled' "$dir/serial"
	} | socat - "UNIX-CONNECT:$dir/one.serial" >"$dir/serial"
	rm -f "$dir/pauses" "$dir/totals"
	run=0
	while [ "$run" -lt "$runs" ]; do
		move_by_qemu one two "$1" "$2"
		move_by_qemu two one "$1" "$2"
		run=$((run + 2))
	done
	ask one '{"execute": "quit"}' >/dev/null
	wait_for test ! -e "$dir/one.pid"
}

# --- the tables ---

cell() {
	printf ' %s / %s |' "$(median "$dir/pauses")" "$(median "$dir/totals")"
}

echo '| a guest moves: pause / all, ms | exomem, tmpfs | exomem, disk | QEMU pre-copy | QEMU post-copy |'
echo '|---|---|---|---|---|'
for size in $sizes; do
	printf '| %s MiB, of which %s touched |' "$size" "$(touched "$size")"
	by_exomem "$size" "$fast"
	cell
	by_exomem "$size" "$dir"
	cell
	cp "$dir/steps" "$dir/phases"
	by_qemu "$size" pre
	cell
	by_qemu "$size" post
	cell
	echo
done
echo
echo "| step of the last one's, on the disk | ms |"
echo '|---|---|'
awk '!seen[$1]++ { print $1 }' "$dir/phases" | while read -r step; do
	awk -v step="$step" '$1 == step { print $2 }' "$dir/phases" >"$dir/step"
	echo "| $step | $(median "$dir/step") |"
done
