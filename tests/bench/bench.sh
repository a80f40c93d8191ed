#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# bench.sh [RUNS] - what starting a guest by exomem costs, against exec of the same QEMU command.
#
# Each figure is a median of RUNS (41) runs.  Where there are two sides they take turns, on the same
# memory file and with everything warm; the ratio is the median of each pair's own ratio.
# Prints a Markdown table with the targets in it and asserts none of them: it fails only where it
# cannot measure.  $EXOMEM is the program, $GUEST the tiny guest (make bench sets both).
set -eu
: "${EXOMEM:?is the program to measure}" "${GUEST:?is the guest to boot}"
runs=${1:-41}
guests=100

dir=$(mktemp -d)
# The state is usually below /run, which is a tmpfs.
state=$(mktemp -d -p /dev/shm 2>/dev/null) || state=$(mktemp -d)
trap 'rm -rf "$dir" "$state"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
export XDG_CACHE_HOME="$dir/cache"
mkdir "$dir/memory"
stopwatch=$dir/stopwatch
"${CC:-cc}" -D_GNU_SOURCE -O2 -o "$stopwatch" "$(dirname "$0")/stopwatch.c"

quoted() { # WORD...
	# shellcheck disable=SC2016 # it is jq's variable
	jq -nr '$ARGS.positional | @sh' --args -- "$@"
}

# The command that all figures are of; quoted, for eval.
exomem() { # SIZE MEMORY-KEYS QEMU-WORD...
	size=$1 keys=$2
	shift 2
	quoted "$EXOMEM" run --state-dir "$state" -accel tcg -M q35 -m "$size" \
		-mem-path "$dir/memory,$keys,anyfs" -name bench -nodefaults -display none \
		-kernel "$GUEST" "$@"
}

# What QEMU gets from exomem for it, quoted too; without exomem's own monitors, whose sockets would
# have to be made first. So what these cost is exomem's.
by_hand() { # like exomem
	words=$(exomem "$@")
	eval "set -- $words"
	shift 2
	"$EXOMEM" run --dry-run --json "$@" | jq -r '.argv as $all |
		[range($all | length) | select($all[.] != "-readconfig" and
			(. == 0 or $all[. - 1] != "-readconfig")) | $all[.]] | @sh'
}

# Times two commands in turns, each of them first in every other pair.
take_turns() { # STOPWATCH-WORDS COMMAND STOPWATCH-WORDS COMMAND
	pair=0
	while [ "$pair" -le "$runs" ]; do
		if [ $((pair % 2)) = 0 ]; then
			left=$(eval "\"$stopwatch\" $1 $2")
			right=$(eval "\"$stopwatch\" $3 $4")
		else
			right=$(eval "\"$stopwatch\" $3 $4")
			left=$(eval "\"$stopwatch\" $1 $2")
		fi
		[ "$pair" = 0 ] || echo "$left $right" # the first only warms things up
		pair=$((pair + 1))
	done >"$dir/pairs"
}

# Of the pairs: a and b are the two times, or CPU times; a_peak and b_peak are peak memory.
median() { # EXPRESSION
	awk "{ a = \$1; b = \$(NF / 2 + 1); a_peak = \$2; b_peak = \$4; print $1 }" "$dir/pairs" |
		sort -g | awk '
		{ value[NR] = $1 }
		END { printf "%.2f", (value[int((NR + 1) / 2)] + value[int(NR / 2) + 1]) / 2 }'
}

milliseconds() { # EXPRESSION
	echo "$(median "($1) / 1000") ms"
}

mebibytes() { # EXPRESSION
	echo "$(median "$1 / 1024") MiB"
}

row() { # FIGURE EXOMEM BY-HAND RATIO TARGET
	printf '| %-42s | %9s | %9s | %5s | %-8s |\n' "$@"
}

compare_output() { # FIGURE TEXT QEMU-WORD...
	figure=$1 text=$(quoted output "$2")
	shift 2
	set -- 8g mode=open,mmap=shared "$@"
	ours=$(exomem "$@")
	theirs=$(by_hand "$@")
	take_turns "$text" "$ours" "$text" "$theirs"
	row "$figure" "$(milliseconds a)" "$(milliseconds b)" "$(median 'a / b')" '<= 1.05'
}

# Up to the stop when QEMU's image is in place: by hand that is the first exec, else the second.
compare_exec() {
	set -- 8g mode=open,mmap=shared
	ours=$(exomem "$@")
	theirs=$(by_hand "$@")
	take_turns 'exec 2' "$ours" 'exec 1' "$theirs"
	row 'CPU time until QEMU is loaded' "$(milliseconds a)" "$(milliseconds b)" '' ''
	row "- of that, exomem's own" "$(milliseconds 'a - b')" '' '' '<= 3 ms'
	row 'peak memory until then' "$(mebibytes a_peak)" '' '' '<= 8 MiB'
}

# Each run creates its file and sizes it.  The ratio is to the row above.
compare_sizes() {
	# shellcheck disable=SC2016 # for eval
	forget='; rm -f "$dir"/memory/*'
	large=$(exomem 64g mode=create,mmap=shared,prealloc=off)$forget
	small=$(exomem 64m mode=create,mmap=shared,prealloc=off)$forget
	take_turns 'exec 2' "$large" 'exec 2' "$small"
	row 'CPU time until QEMU is loaded, new 64 MiB' "$(milliseconds b)" '' '' ''
	row '- the same with 64 GiB' "$(milliseconds a)" '' "$(median 'a / b')" '1'
	row 'peak memory until then, 64 MiB' "$(mebibytes b_peak)" '' '' ''
	row '- the same with 64 GiB' "$(mebibytes a_peak)" '' "$(median 'a_peak / b_peak')" '1'
}

# A guest that lives on its own, until exomem returns; by hand, until QEMU answers query-status.
compare_detach() {
	set -- 8g mode=open,mmap=shared
	theirs=$(by_hand "$@" -qmp stdio)
	ours=$(exomem "$@" | sed "s/ 'run' / 'run' '--detach' /")
	# shellcheck disable=SC2016 # for eval
	ours="$ours; \"\$EXOMEM\" stop --state-dir \"\$state\" --kill bench"
	take_turns end "$ours" 'qmp "\"running\""' "$theirs"
	row 'run --detach until it returns' "$(milliseconds a)" "$(milliseconds b)" \
		"$(median 'a / b')" '<= 1.1'
}

# Paused guests without devices, so that their start takes seconds and not minutes.
time_list() {
	number=0
	while [ "$number" -lt "$guests" ]; do
		"$EXOMEM" run --detach --state-dir "$state" --name "guest-$number" -accel tcg -M q35 \
			-m 16 -nodefaults -display none -S >/dev/null
		number=$((number + 1))
	done
	list=$(quoted "$EXOMEM" list --state-dir "$state")
	take_turns end "$list" end "$list"
	"$EXOMEM" stop --state-dir "$state" --kill --all
	row "list of $guests guests" "$(milliseconds a)" '' '' '<= 30 ms'
}

printf '%s\nq35, 8 GiB, TCG, %s processors; memory file on %s, state on %s; medians of %s runs\n\n' \
	"$("${EXOMEM_QEMU:-qemu-system-x86_64}" -version | head -n 1)" "$(nproc)" \
	"$(stat -f -c %T "$dir")" "$(stat -f -c %T "$state")" "$runs"
row '' exomem 'by hand' ratio target
row :--- ---: ---: ---: :---

# The memory file of the comparisons
eval "\"$stopwatch\" exec 2 $(exomem 8g mode=create,mmap=shared,prealloc=off)" >/dev/null
compare_output 'start to QMP greeting' '"QMP"' -qmp stdio
compare_output 'start to first guest output' 'tiny: up' -serial stdio
compare_detach
compare_exec
rm "$dir"/memory/*
compare_sizes
time_list
