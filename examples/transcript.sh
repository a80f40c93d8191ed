#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# transcript.sh [CHILDREN [SIZE [DIRECTORY]]] - the transcript that came with the patch "Exogenous
# memory management via -mem-path" of 2012, with `exomem run` in place of `qemu`: a parent whose
# memory is in a file, its devices saved by xen-save-devices-state, and children that share that
# memory, each with a disk of its own on top of the parent's.
# Defaults: 3 children of 256m below $TMPDIR; there, everything is kept in one new directory, which
# is removed at the end.  Needs qemu-img, exomem ($EXOMEM, default: the one on PATH) and the tiny
# guest ($GUEST), which tells what it finds in its memory.
set -eu

die() {
	echo "transcript: $*" >&2
	exit 1
}

absolute() { # FILE
	case $1 in /*) echo "$1" ;; *) echo "$PWD/$1" ;; esac
}

children=${1:-3} size=${2:-256m} place=${3:-${TMPDIR:-/tmp}}
exomem=$(command -v "${EXOMEM:-exomem}") || die "no program '${EXOMEM:-exomem}'"
exomem=$(absolute "$exomem")
guest=$(absolute "${GUEST:-build/guest/tiny.elf}")
[ -r "$guest" ] || die "no guest '$guest'; try 'make guest'"
command -v qemu-img >/dev/null || die "no program 'qemu-img'; install it (Debian: qemu-utils)"

dir=$(mktemp -d "$place/transcript.XXXXXX") pids=''
cleanup() {
	# Waited for, because bash would say that it was killed.
	for pid in $pids; do
		{ kill -KILL "$pid" && wait "$pid"; } 2>/dev/null || true
	done
	cd /
	rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 141' PIPE
trap 'exit 143' TERM
cd "$dir"
mkdir mem
cp "$guest" tiny.elf
export XDG_CACHE_HOME="$dir/cache"

# A command as one would type it.
typed() { # COMMAND WORD...
	line='$'
	for word; do
		case $word in
		*' '*) line="$line \"$word\"" ;;
		*) line="$line $word" ;;
		esac
	done
	echo "$line"
}

run() { # COMMAND WORD...
	typed "$@"
	"$@"
}

# Starts a guest whose serial line is the pipes NAME.in and NAME.out. The pid is exomem's, and QEMU's
# after it, and it has NAME.out open from the start: this pipe ends when it does.
declare -A output
start() { # NAME STANDARD-INPUT WORD...
	local name=$1 input=$2 fd
	shift 2
	mkfifo "$name.in" "$name.out"
	typed exomem run "$@" '&'
	"$exomem" run --state-dir state --name "$name" "$@" -serial "pipe:$name" -display none \
		-accel tcg -kernel tiny.elf 9>"$name.out" <"$input" >"$name.qmp" &
	pid=$!
	pids="$pids $pid"
	exec {fd}<"$name.out"
	output[$name]=$fd
}

# Reads what a guest says up to a line with this text.
until_said() { # NAME TEXT
	local line='' status=0 deadline=$((SECONDS + 60))
	until [[ "$line" == *"$2"* ]]; do
		IFS= read -r -t $((deadline - SECONDS + 1)) line <&"${output[$1]}" || status=$?
		if [ "$status" -gt 128 ] || [ "$SECONDS" -gt "$deadline" ]; then
			die "$1 has not said '$2' in a minute"
		elif [ "$status" -ne 0 ]; then
			die "$1 has ended and never said '$2'"
		fi
	done
}

# Opened for reading and writing, so that nothing waits for a guest that has ended.
say() { # NAME LINE ANSWER
	echo "$2" 1<>"$1.in"
	until_said "$1" "$3"
	echo "$1> $2: $3"
}

qmp() { # COMMAND
	echo "$1"
	echo "$1" >&3
}

# KiB of a process's memory that it shares with nobody.
own_memory() { # PID
	awk '/qemu_back_mem/ { inside = 1 } inside && /^Private_Dirty/ { print $2; exit }' \
		"/proc/$1/smaps"
}

echo '(All guests also get: -serial pipe:NAME -display none -accel tcg -kernel tiny.elf)'
run qemu-img create -q -f qcow2 disk.qcow2 1g
mkfifo qmp
start parent qmp -mem-path mem,mode=create,mmap=shared,anyfs -m "$size" -qmp stdio disk.qcow2
exec 3<>qmp
until_said parent 'tick 1'
say parent 'fill 32M 7' 'filled 32 MiB key 7'

echo "(in the parent's QMP shell)"
qmp '{"execute": "qmp_capabilities"}'
qmp '{"execute": "stop"}'
qmp '{"execute": "xen-save-devices-state", "arguments": {"filename": "devices"}}'
qmp '{"execute": "quit"}'
wait "$pid" || die "the parent has ended with status $?: $(cat parent.qmp)"
pids=''
exec 3>&-
run ls -lh devices
run ls -lh mem
before=$(sha256sum mem/*)

for i in $(seq "$children"); do
	run qemu-img create -q -b disk.qcow2 -F qcow2 -f qcow2 "child$i.qcow2"
	start "child$i" /dev/null -mem-path mem,mode=open,mmap=private,anyfs \
		-incoming "exec:cat devices" -m "$size" "child$i.qcow2"
done
for i in $(seq "$children"); do
	until_said "child$i" tick
	say "child$i" 'verify 32M 7' 'verified 32 MiB key 7'
	say "child$i" "fill 4M $((100 + i))" "filled 4 MiB key $((100 + i))"
done
i=0
for pid in $pids; do
	i=$((i + 1))
	say "child$i" "verify 4M $((100 + i))" "verified 4 MiB key $((100 + i))"
	echo "child$i has copied $(own_memory "$pid") KiB of $size"
done

echo 'Nobody may write the memory of all of them:'
set -- -mem-path mem,mode=open,mmap=shared,anyfs -m "$size"
typed exomem run "$@"
if "$exomem" run --state-dir state "$@" -display none 2>&1; then
	die 'a second writer was let in'
fi
for i in $(seq "$children"); do
	say "child$i" poweroff poweroff
done
for pid in $pids; do
	wait "$pid" || die "a child has ended with status $?"
done
[ "$(sha256sum mem/*)" = "$before" ] || die 'the memory has changed'
echo "The memory of the parent is as it was, after $children children"
