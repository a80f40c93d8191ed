#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# bench.sh [RUNS] - what starting, cloning and saving a guest by exomem costs, against the same QEMU
# commands by hand.
#
# Each figure is a median of RUNS (41) runs.  Where there are two sides they take turns, on the same
# memory file and with everything warm; the ratio is the median of each pair's own ratio.
# Prints a Markdown table with the targets in it and asserts none of them: it fails only where it
# cannot measure.  $EXOMEM is the program, $GUEST the tiny guest (make bench sets both).
set -eu
: "${EXOMEM:?is the program to measure}" "${GUEST:?is the guest to boot}"
runs=${1:-41}
saves=$(((runs + 7) / 8)) # of each kind: guests of many GiB have to be filled for each
guests=100

dir=$(mktemp -d)
# The state is usually below /run, which is a tmpfs; so is what is saved here.
fast=$(mktemp -d -p /dev/shm 2>/dev/null) || fast=$(mktemp -d)
state=$fast/state
finish() {
	"$EXOMEM" stop --state-dir "$state" --kill --all >/dev/null 2>&1 || :
	pkill -KILL -f -- "mem-path=$fast/" || :
	for kind in xfs btrfs; do umount "$dir/$kind" 2>/dev/null || :; done
	rm -rf "$dir" "$fast"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
export XDG_CACHE_HOME="$dir/cache"
mkdir "$fast/memory"
mkdir -m 700 "$dir/memory" "$state"
qemu=${EXOMEM_QEMU:-qemu-system-x86_64}
stopwatch=$dir/stopwatch
hand=$dir/hand
for tool in stopwatch hand; do
	"${CC:-cc}" -D_GNU_SOURCE -O2 -o "$dir/$tool" "$(dirname "$0")/$tool.c"
done

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

# Runs two commands in turns, each of them first in every other pair, and keeps what they print.
alternate() { # TIMES COMMAND COMMAND
	pair=0
	while [ "$pair" -le "$1" ]; do
		if [ $((pair % 2)) = 0 ]; then
			left=$(eval "$2")
			right=$(eval "$3")
		else
			right=$(eval "$3")
			left=$(eval "$2")
		fi
		[ "$pair" = 0 ] || echo "$left $right" # the first only warms things up
		pair=$((pair + 1))
	done >"$dir/pairs"
}

take_turns() { # STOPWATCH-WORDS COMMAND STOPWATCH-WORDS COMMAND
	alternate "$runs" "\"$stopwatch\" $1 $2" "\"$stopwatch\" $3 $4"
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

# --- clone and save ---

at_least() { # MAJOR MINOR
	"$qemu" -version | awk -v major="$1" -v minor="$2" 'NR == 1 {
		split($4, is, ".")
		exit !(is[1] > major || (is[1] == major && is[2] >= minor)) }'
}

in_state() { # VERB WORD...
	verb=$1
	shift
	"$EXOMEM" "$verb" --state-dir "$state" "$@"
}

with_templates() { # VERB WORD...
	verb=$1
	shift
	in_state "$verb" --templates "$fast/templates" "$@"
}

# A guest on a terminal that can be typed on; it is up when this returns.
start_guest() { # NAME SIZE QEMU-WORD...
	guest=$1 size=$2
	shift 2
	in_state run --detach -accel tcg -M q35 -m "$size" -name "$guest" -nodefaults -display none \
		-chardev "socket,id=tty,path=@{dir}/tty,server=on,wait=off,logfile=@{dir}/tty.log" \
		-serial chardev:tty -kernel "$GUEST" "$@" >/dev/null 2>"$dir/warnings" || {
		cat "$dir/warnings" >&2
		return 1
	}
	until grep -q 'tiny: up' "$state/$guest/tty.log"; do sleep 0.01; done
}

type_line() { # NAME LINE ANSWER
	"$hand" type "$state/$1/tty" "$2" "$3"
}

forget_template() { # NAME
	with_templates template remove "$1"
}

# Up to RESUME, which QEMU itself times; by hand, all is said to QEMU before it starts.
compare_clone() {
	start_guest parent 8g -mem-path "$dir/memory,mode=create,mmap=shared,prealloc=off,anyfs"
	with_templates save -q parent base >/dev/null
	ours=$(quoted "$EXOMEM" clone --state-dir "$state" --templates "$fast/templates" --name child)
	theirs=$("$EXOMEM" clone --state-dir "$state" --templates "$fast/templates" --name child \
		--dry-run --json base | jq -r '.argv as $all |
		[range($all | length) | select($all[.] != "-readconfig" and
			(. == 0 or $all[. - 1] != "-readconfig")) | $all[.]] | @sh')
	# The directory in which its terminal's socket is, which exomem makes.
	theirs="mkdir -p -m 700 \"\$state/child\"; \"\$hand\" load \"\$fast/templates/base/devices\" $theirs \
		-chardev socket,id=hand,fd=3 -mon hand,mode=control"
	# shellcheck disable=SC2016 # for eval
	watch='"$hand" watch' socket='"$state/child/events.sock"'
	# shellcheck disable=SC2016
	end='; in_state stop --kill child'
	alternate "$runs" "$watch become $socket $ours base 2>/dev/null" "$theirs 2>/dev/null"
	row 'clone until RESUME' "$(milliseconds a)" "$(milliseconds b)" "$(median 'a / b')" '<= 1.05'
	alternate "$runs" "$watch start $socket $ours --detach base 2>/dev/null | grep -v child" \
		"$theirs 2>/dev/null"
	row 'clone --detach until RESUME' "$(milliseconds a)" "$(milliseconds b)" \
		"$(median 'a / b')" '<= 1.05'
	alternate "$runs" "\"\$stopwatch\" end $ours --detach base$end" "$theirs 2>/dev/null"
	row '- until it returns' "$(milliseconds a)" "$(milliseconds b)" "$(median 'a / b')" ''
	forget_template base
}

# Nearly all memory of a guest is touched.
start_touched() { # MEBIBYTES
	start_guest full "${1}m" -mem-path "$fast/memory,mode=create,mmap=shared,prealloc=off,anyfs"
	type_line full "dirty $(($1 - 16))M 1" dirtied
}

pause_by_exomem() { # MEBIBYTES
	start_touched "$1"
	with_templates save --json full touched 2>/dev/null | jq '.["pause-us"]'
	forget_template touched
}

pause_by_hand() { # MEBIBYTES
	start_touched "$1"
	"$hand" save "$before_save" "$state/full/control.sock" "$fast/devices"
	in_state stop --kill full
	rm -f "$fast"/memory/*
}

# QEMU before 9.0 is stopped first; then it is the longer part of what is timed.
compare_pause() {
	before_save=stop
	at_least 9 0 && before_save=run
	for mebibytes in 256 2048 12288; do
		name="pause of save, $mebibytes MiB touched"
		if [ "$(free_mebibytes "$fast")" -lt $((mebibytes + 1024)) ]; then
			row "$name" '' '' '' 'no room'
			continue
		fi
		alternate "$saves" "pause_by_exomem $mebibytes" "pause_by_hand $mebibytes"
		row "$name" "$(milliseconds a)" "$(milliseconds b)" "$(median 'a / b')" '<= 1.2'
	done
}

free_mebibytes() { # DIRECTORY
	df -BM --output=avail "$1" | tail -n 1 | tr -dc 0-9
}

# A child, and a guest in anonymous memory; each has written to 384 of its 1024 MiB.
start_child() {
	with_templates clone --detach --name private origin >/dev/null 2>&1
	type_line private 'fill 384M 8' filled
}

start_anonymous() {
	start_guest private 1g
	type_line private 'fill 384M 8' filled
}

whole_by_exomem() { # START
	"$1"
	"$stopwatch" end "$EXOMEM" save --state-dir "$state" --templates "$fast/templates" private whole
	forget_template whole
}

whole_by_hand() { # START
	"$1"
	"$hand" full "$state/private/control.sock" "$to_file$fast/whole"
	rm -f "$fast/whole"
}

compare_whole() {
	to_file='exec:cat >'
	at_least 8 2 && to_file=file:
	start_guest parent 1g -mem-path "$fast/memory,mode=create,mmap=shared,prealloc=off,anyfs"
	type_line parent 'fill 512M 7' filled
	with_templates save -q parent origin >/dev/null 2>&1
	for kind in child anonymous; do
		alternate "$saves" "whole_by_exomem start_$kind" "whole_by_hand start_$kind"
		row "save with all memory, $kind" "$(milliseconds a)" "$(milliseconds b)" \
			"$(median 'a / b')" '<= 1.0'
	done
	forget_template origin
}

# --- fork and the pool ---

# Pauses of the parent, and times from its last instruction until its first child runs.
time_fork() { # MEBIBYTES DIRECTORY QEMU-WORD...
	mebibytes=$1 place=$2
	shift 2
	start_guest full "${mebibytes}m" -mem-path "$place,prealloc=off,anyfs" "$@"
	type_line full "dirty $((mebibytes - 16))M 1" dirtied
	with_templates fork --json full | jq -r '"\(."pause-us") \(."child-us")"'
	in_state stop --kill --all
	rm -f "$dir"/*.full-*.qcow2
}

# The parent's own pause stands in the first column.
row_of_fork() { # FIGURE MEBIBYTES DIRECTORY QEMU-WORD...
	figure=$1
	shift
	if [ "$(free_mebibytes "$2")" -lt $(($1 + 1024)) ]; then
		row "$figure" '' '' '' 'no room'
		return
	fi
	times=0
	while [ "$times" -lt "$saves" ]; do
		time_fork "$@"
		times=$((times + 1))
	done >"$dir/pairs"
	row "fork: pause of the parent, $figure" "$(milliseconds a)" '' '' '<= 10 ms'
	row '- until its first child runs' "$(milliseconds b)" '' '' '<= 10 ms'
}

# A file system in a file, where this user may mount one.
mount_image() { # KIND
	mkdir -p "$dir/$1"
	truncate -s 6G "$dir/$1.image"
	"mkfs.$1" -q "$dir/$1.image" && mount -o loop "$dir/$1.image" "$dir/$1"
} 2>/dev/null

compare_fork() {
	for mebibytes in 256 2048 12288; do
		row_of_fork "$mebibytes MiB" "$mebibytes" "$fast/memory"
	done
	for kind in xfs btrfs; do
		if mount_image "$kind"; then
			row_of_fork "256 MiB on $kind" 256 "$dir/$kind"
			row_of_fork "2048 MiB on $kind" 2048 "$dir/$kind"
		else
			row "fork on $kind" '' '' '' 'no mount'
		fi
	done
	qemu-img create -q -f qcow2 "$dir/disk.qcow2" 1G
	set -- -drive "file=$dir/disk.qcow2,format=qcow2,if=virtio"
	row_of_fork '256 MiB, a disk' 256 "$fast/memory" "$@"
	if mountpoint -q "$dir/xfs"; then
		row_of_fork '256 MiB on xfs, a disk' 256 "$dir/xfs" "$@"
	fi
}

# What somebody outside sees of a guest that says something each 10 ms.
time_heartbeat() { # DIRECTORY
	start_guest full 256m -mem-path "$1,prealloc=off,anyfs"
	type_line full 'beat on' 'beat on'
	"$hand" gap "$state/full/tty.log" 2 >"$dir/gap" &
	watcher=$!
	sleep 1
	pause=$(with_templates fork --json full | jq '."pause-us"')
	wait "$watcher"
	in_state stop --kill --all
	echo "$(cat "$dir/gap") $pause"
}

compare_heartbeat() {
	times=0
	while [ "$times" -lt "$saves" ]; do
		time_heartbeat "$dir/xfs"
		times=$((times + 1))
	done >"$dir/pairs"
	row 'gap in a heartbeat each 10 ms, fork on xfs' "$(milliseconds a)" '' '' ''
	row '- the pause that was printed' "$(milliseconds b)" '' '' ''
}

compare_warm() {
	start_guest parent 8g -mem-path "$fast/memory,prealloc=off,anyfs"
	with_templates save -q parent base >/dev/null
	times=0
	while [ "$times" -lt "$runs" ]; do
		with_templates clone --warm 1 base >/dev/null 2>&1
		"$hand" watch start "$state/base-1/events.sock" "$EXOMEM" clone --detach \
			--state-dir "$state" --templates "$fast/templates" base 2>/dev/null |
			grep -v base
		times=$((times + 1))
	done | sed 's/.*/& &/' >"$dir/pairs"
	in_state stop --kill --all
	forget_template base
	row 'clone of one that waits, until RESUME' "$(milliseconds a)" '' '' '<= 15 ms'
}

available() {
	awk '$1 == "MemAvailable:" { printf "%.0f", $2 * 1024 }' /proc/meminfo
}

# What the kernel has less when the children are there, and what usage says of them.
compare_usage() {
	start_guest parent 1g -mem-path "$fast/memory,prealloc=off,anyfs"
	with_templates save -q parent base >/dev/null
	sleep 2 # the kernel's sums lag behind
	before=$(available)
	with_templates clone -n 50 base >/dev/null 2>&1
	sleep 1
	after=$(available)
	echo "$((before - after)) $(in_state usage --json | jq '.copied + .qemu')" >"$dir/pairs"
	in_state stop --kill --all
	forget_template base
	row "fall of MemAvailable for 50 children" "$(median 'a / 1048576') MiB" '' '' ''
	row "- what usage says of them" "$(median 'b / 1048576') MiB" '' "$(median 'b / a')" '0.9 to 1.1'
}

start_linux() { # NAME
	kernel=$LINUX/vmlinux
	[ -e "$kernel" ] || kernel=$LINUX/vmlinuz
	in_state run --detach -accel tcg -M q35 -m 8g -name "$1" -nodefaults -display none \
		-serial stdio -kernel "$kernel" -initrd "$LINUX/initrd.gz" \
		-append 'console=ttyS0 quiet no_timer_check mitigations=off' \
		-mem-path "$fast/memory,prealloc=off,anyfs" >/dev/null
	until grep -q 'linux# ' "$state/$1/log"; do sleep 0.1; done
	sleep 3 # it is idle now
}

# What QEMU and the guest's own pages take, beyond what the children share.
mebibytes_each() { # COUNT
	in_state usage --json | jq -r --argjson count "$1" \
		'(.copied + .qemu) / $count / 1048576 * 10 | round / 10 | "\(.) MiB"'
}

hundred_by_exomem() { # FORK-OPTION...
	start_linux parent
	"$stopwatch" end "$EXOMEM" fork -q -n "$guests" --name child "$@" --state-dir "$state" \
		--templates "$fast/templates" parent 2>/dev/null | awk 'NR == 1 { print $1 }'
	mebibytes_each "$guests" >"$dir/each"
	in_state stop --kill --all
}

# Saved before, which is not timed; two are started at a time.
hundred_by_hand() { # CLONE-OPTION...
	start_linux parent
	with_templates save -q parent base >/dev/null 2>&1
	with_templates clone --name child --detach --dry-run --json "$@" base | jq -r '.argv as $all |
		[range($all | length) | select($all[.] != "-readconfig" and
			(. == 0 or $all[. - 1] != "-readconfig")) | $all[.]] |
		map(select(test("^(chardev:|socket,id=exomem|-serial$|-chardev$)") | not)) | @sh' \
		>"$dir/command"
	printf '%s %s -serial null -chardev socket,id=hand,fd=3 -mon hand,mode=control %s\n' \
		"exec '$hand' leave '$fast/templates/base/devices'" "$(cat "$dir/command")" \
		'>/dev/null 2>&1' >"$dir/one"
	"$stopwatch" end sh -c "seq $guests | xargs -P 2 -I{} sh '$dir/one'" | awk '{ print $1 }'
	pkill -KILL -f -- "mem-path=$fast/" || :
	sleep 2
	forget_template base
}

compare_hundred() {
	[ -e "$LINUX/initrd.gz" ] || return 0
	for option in '' --no-kernel; do
		for _ in 1 2 3; do
			echo "$(hundred_by_exomem $option) $(hundred_by_hand $option)"
		done >"$dir/pairs"
		row "fork into $guests Linux guests of 8 GiB $option" "$(milliseconds a)" \
			"$(milliseconds b)" "$(median 'a / b')" '<= 1.05'
		row '- memory of each beyond what they share' "$(cat "$dir/each")" '' '' '<= 20 MiB'
	done
}

# Both zero one mapping that was touched before, in turns; so the ratio is one of speeds.
compare_scrub() {
	# shellcheck disable=SC2046 # the compiler's words
	"${CC:-cc}" -D_GNU_SOURCE -O2 -o "$dir/scrub" -I"$(dirname "$0")/../../lib" \
		"$(dirname "$0")/scrub.c" "$(dirname "$EXOMEM")/libexomem.a" \
		$(pkg-config --cflags --libs glib-2.0 json-c)
	"$dir/scrub" "$fast/scrub" 256 "$runs" >"$dir/pairs"
	rm -f "$fast/scrub"
	row 'scrub of 256 MiB, by hand with memset' "$(milliseconds a)" "$(milliseconds b)" \
		"$(median 'b / a')" '>= 0.9'
}

printf '%s\nq35, 8 GiB, TCG, %s processors; memory file on %s, state on %s; medians of %s runs\n\n' \
	"$("$qemu" -version | head -n 1)" "$(nproc)" \
	"$(stat -f -c %T "$dir")" "$(stat -f -c %T "$state")" "$runs"
row '' exomem 'by hand' ratio target
row :--- ---: ---: ---: :---

# The groups of figures, or those that are named in $BENCH.
wanted() { # GROUP
	case " ${BENCH:-run clone save fork pool hundred scrub} " in
	*" $1 "*) return 0 ;;
	esac
	return 1
}

if wanted run; then
	# The memory file of the comparisons
	eval "\"$stopwatch\" exec 2 $(exomem 8g mode=create,mmap=shared,prealloc=off)" >/dev/null
	compare_output 'start to QMP greeting' '"QMP"' -qmp stdio
	compare_output 'start to first guest output' 'tiny: up' -serial stdio
	compare_detach
	compare_exec
	rm "$dir"/memory/*
	compare_sizes
	time_list
	rm -rf "${state:?}"/*
fi
if wanted clone; then compare_clone; fi
if wanted save; then
	compare_pause
	compare_whole
fi
if wanted fork; then
	compare_fork
	if mountpoint -q "$dir/xfs"; then compare_heartbeat; fi
fi
if wanted pool; then
	compare_warm
	compare_usage
fi
if wanted hundred; then compare_hundred; fi
if wanted scrub; then compare_scrub; fi
