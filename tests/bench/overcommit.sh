#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# overcommit.sh - four guests of 512 MiB in a control group with 1 GiB of memory: with their memory in
# files on a disk, as exomem has it, and with anonymous memory and a swap file on the same disk.
#
# Each guest fills all its memory and verifies it; what is told are seconds for all four together.
# Needs root, for the group and the swap file.  $EXOMEM is the program, $GUEST the tiny guest.
set -eu
: "${EXOMEM:?is the program to measure}" "${GUEST:?is the guest to boot}"
dir=$(mktemp -d -p "${TMPDIR:-/var/tmp}")
state=$dir/state memory=$dir/memory
mkdir -m 700 "$memory"
export XDG_CACHE_HOME=$dir/cache
here=$(dirname "$0")
# shellcheck source=tests/integration/store.bash
. "$here/../integration/store.bash"
group=$(new_group 1024)

finish() {
	"$EXOMEM" stop --state-dir "$state" --kill --all >/dev/null 2>&1 || :
	swapoff "$dir/swap" 2>/dev/null || :
	for _ in $(seq 100); do ! rmdir "$group" 2>/dev/null || break; sleep 0.1; done
	rm -rf "$dir"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

start() { # NAME OPTION...
	(
		echo "$BASHPID" >"$group/cgroup.procs"
		exec "$EXOMEM" run --detach --state-dir "$state" --config "$dir/conf" --name "$1" "${@:2}" \
			-accel tcg -nodefaults -display none -M q35 -m 512 -kernel "$GUEST" -serial stdio
	) >/dev/null
	until grep -q 'tiny: up' "$state/$1/log"; do sleep 0.05; done
}

# Says a line to a guest's console, and waits for the answer.
say() { # NAME TEXT ANSWER
	local rc=0
	coproc "$EXOMEM" console --state-dir "$state" "$1" 2>&1
	local console=$COPROC_PID
	echo "$2" >&"${COPROC[1]}"
	timeout 900 grep -q -m 1 -aE -- "$3" <&"${COPROC[0]}" || rc=$?
	kill "$console" 2>/dev/null || :
	wait "$console" 2>/dev/null || :
	return "$rc"
}

all() { # VERB ANSWER
	local name size
	for name in a b c d; do
		size=$(sed -n 's/^tiny: up, \([0-9]*\) MiB of memory.*/\1M/p' "$state/$name/log" | head -n 1)
		say "$name" "$1 $size 7" "^$2 "
	done
}

seconds() { # COMMAND...
	local before
	before=$(date +%s%N)
	"$@" >&2
	# shellcheck disable=SC2001 # two digits behind the point
	echo "$((($(date +%s%N) - before) / 10000000))" | sed 's/..$/.&/'
}

measure() { # LABEL OPTION...
	local name
	for name in a b c d; do start "$name" "${@:2}"; done
	printf '| %-34s | %8s | %8s |\n' "$1" "$(seconds all fill filled)" "$(seconds all verify verified)"
	"$EXOMEM" stop --state-dir "$state" --kill --all >/dev/null
	"$EXOMEM" list --state-dir "$state" >/dev/null
}

T=$dir
configure 4096 'allow_other_backing = yes'
printf '| %-34s | %8s | %8s |\n| :--- | ---: | ---: |\n' '4 x 512 MiB in 1 GiB of memory' 'fill, s' 'verify, s'
measure 'files on the disk (exomem)'
fallocate -l 3G "$dir/swap"
chmod 600 "$dir/swap"
mkswap -q "$dir/swap" >/dev/null
swapon "$dir/swap"
measure 'anonymous memory, swap file' --memory-backing off
