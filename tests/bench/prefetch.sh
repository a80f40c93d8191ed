#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# prefetch.sh [RUNS] - what a recording saves a child whose template is at the end of a long line.
#
# The template is below sshfs, whose sftp-server is reached by slow-line instead of by ssh: so there is
# no other host, and as much delay as wanted.  A child is started and asked over its serial line for its
# working set; nothing of it is in the page cache, but for the column "warm".  Each figure is a median of
# RUNS (7).  It fails only where it cannot measure.  $EXOMEM is the program, $GUEST the tiny guest; it
# needs root and FUSE.
set -euo pipefail
: "${EXOMEM:?is the program to measure}" "${GUEST:?is the guest to boot}"
runs=${1:-7}
here=$(cd "$(dirname "$0")" && pwd)
server=/usr/lib/openssh/sftp-server
dir=$(mktemp -d)
state=$dir/state
far=$dir/far
export XDG_CACHE_HOME="$dir/cache"

finish() {
	"$EXOMEM" stop --state-dir "$state" --kill --all >/dev/null 2>&1 || :
	! mountpoint -q "$far" || fusermount3 -u -z "$far"
	rm -rf "$dir"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
mkdir "$dir/near" "$far"
# shellcheck disable=SC2046 # flags are words
"${CC:-cc}" -D_GNU_SOURCE -O2 -o "$dir/slow-line" "$here/slow-line.c" \
	$(pkg-config --cflags --libs glib-2.0)

vm() { # VERB ARGUMENT...
	"$EXOMEM" "$1" --state-dir "$state" "${@:2}"
}

# Half of the delay on each way.
mount_far() { # MILLISECONDS
	! mountpoint -q "$far" || fusermount3 -u "$far"
	printf '#!/bin/sh\nexec %s %s %s\n' "$dir/slow-line" "$(($1 * 500))" "$server" >"$dir/ssh"
	chmod +x "$dir/ssh"
	sshfs -o "ssh_command=$dir/ssh,kernel_cache" "far:$dir/near" "$far"
}

ask() { # GUEST COMMAND ANSWER
	local answer line
	coproc socat - "UNIX-CONNECT:$state/$1/console.sock"
	line=$COPROC_PID
	echo "$2" >&"${COPROC[1]}"
	answer=$(timeout 60 grep -m 1 -aE -- "$3" <&"${COPROC[0]}")
	[ -n "$answer" ]
	kill "$line"
	wait "$line" 2>/dev/null || :
}

make_template() {
	vm run --detach --name web -accel tcg -M q35 -m 512 -nodefaults -display none -serial stdio \
		-kernel "$GUEST" -mem-path "$far,mode=create,mmap=shared,anyfs" >/dev/null
	ask web 'fill 400M 7' '^filled 400 MiB'
	vm save -q --templates "$far/templates" web >/dev/null
	memory=$(echo "$far"/qemu_back_mem.*.ram)
}

forget_pages() {
	dd of="$memory" oflag=nocache conv=notrunc,fdatasync count=0 status=none
}

# Appends the milliseconds that the start took, and those from there to the answer.
measure() { # WAY COMMAND ANSWER
	local begun started
	local options=()
	vm stop --kill --all >/dev/null 2>&1 || :
	if [ "$1" = warm ]; then cat "$memory" >/dev/null; else forget_pages; fi
	[ "$1" != recorded ] || options=(--prefetch)
	begun=${EPOCHREALTIME/./}
	vm clone --detach "${options[@]}" --name child --templates "$far/templates" web >/dev/null
	started=${EPOCHREALTIME/./}
	ask child "$2" "$3"
	echo "$((started - begun)) $((${EPOCHREALTIME/./} - started))" >>"$dir/$1"
}

median() { # WAY FIELD
	sort -n -k "$2,$2" "$dir/$1" | awk -v field="$2" '{ value[NR] = $field }
		END { printf "%.0f", value[int((NR + 1) / 2)] / 1000 }'
}

# The median of each pair's own ratio: the starts of one pair have the same weather.
starts_ratio() {
	paste -d ' ' "$dir/recorded" "$dir/demand" | awk '{ print $1 / $3 }' | sort -n |
		awk '{ value[NR] = $1 } END { printf "%.2f", value[int((NR + 1) / 2)] }'
}

row() { # WHAT MILLISECONDS COMMAND ANSWER
	local run way size
	local what=$1 delay=$2
	shift 2
	rm -f "$dir/demand" "$dir/recorded" "$dir/warm"
	measure warm "$@"
	vm prefetch record --anew -q --templates "$far/templates" child
	size=$(jq -r '[.memory[].extents as $e | range(1; $e | length; 2) | $e[.]] |
		"\(add / 104857.6 | round / 10) MiB in \(length)"' "$far/templates/web/prefetch.json")
	for ((run = 0; run < runs; run++)); do
		for way in demand recorded warm; do
			measure "$way" "$@"
		done
	done
	echo "| $what | $delay ms | $(median demand 2) | $(median recorded 2) |" \
		"$(awk -v a="$(median demand 2)" -v b="$(median recorded 2)" \
			'BEGIN { printf "%.1f", a / b }') | $(median warm 2) | $size |" \
		"$(median demand 1) | $(median recorded 1) | $(starts_ratio) |"
}

mount_far 0
make_template
echo '| working set | delay | by demand, ms | with a recording, ms | times | warm, ms | recording, extents | start, ms | with --prefetch, ms | ratio |'
echo '|---|---|---|---|---|---|---|---|---|---|'
for delay in 1 10; do
	vm stop --kill --all >/dev/null 2>&1 || :
	mount_far "$delay"
	row '100 pages of 400 MiB' "$delay" 'pick 400M 100 7' '^picked 100 pages key 7'
	row '300 pages of 400 MiB' "$delay" 'pick 400M 300 7' '^picked 300 pages key 7'
	row '1000 pages of 400 MiB' "$delay" 'pick 400M 1000 7' '^picked 1000 pages key 7'
	row '64 MiB in order' "$delay" 'verify 64M 7' '^verified 64 MiB key 7'
done
