#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# demo.sh - boot a guest with 8 GiB of memory on a named sparse file and look at that file; then
# boot a second guest on the same file, which sees what the first one left and cannot change it.
# Needs exomem ($EXOMEM, default: the one on PATH) and the tiny guest ($GUEST).  `make demo` sets both.
# Everything is kept in one new directory, which is removed at the end.
set -eu

die() {
	echo "demo: $*" >&2
	exit 1
}

absolute() { # FILE
	case $1 in /*) echo "$1" ;; *) echo "$PWD/$1" ;; esac
}

exomem=$(command -v "${EXOMEM:-exomem}") || die "no program '${EXOMEM:-exomem}'; try 'make demo'"
exomem=$(absolute "$exomem")
guest=$(absolute "${GUEST:-build/guest/tiny.elf}")
[ -r "$guest" ] || die "no guest '$guest'; try 'make demo'"

dir=$(mktemp -d) pid=''
cleanup() {
	[ -z "$pid" ] || kill -KILL "$pid" 2>/dev/null || true
	rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
cd "$dir"
mkdir memory
cp "$guest" tiny.elf
mkfifo keyboard
export XDG_CACHE_HOME="$dir/cache"

title() {
	printf '\n==> %s\n' "$*"
}

typed() { # COMMAND WORD...
	echo "\$ $*" | fold -s -w 92 | sed -e '2,$s/^/      /' -e '$!s/$/\\/'
}

narrow() {
	sed -E 's/^(.{92}).{3}.*/\1.../'
}

run() { # COMMAND WORD...
	typed "$@"
	"$@" | narrow
}

# Starts exomem behind our back: its serial line ends in a file, what is typed comes from a pipe.
# The pid is exomem's, and QEMU's after it.
start() { # WORD...
	typed exomem "$@"
	: >serial
	"$exomem" "$@" <keyboard >serial 2>errors &
	pid=$!
	exec 3>keyboard
	said=0
}

# Shows what the guest has said since the last time, up to the first line that holds TEXT.
until_said() { # TEXT
	tries=0
	until tail -n +$((said + 1)) serial | grep -qF "$1"; do
		kill -0 "$pid" 2>/dev/null || break
		tries=$((tries + 1))
		[ "$tries" -lt 300 ] || die "the guest has not said '$1' in 30 seconds"
		sleep 0.1
	done
	line=$(tail -n +$((said + 1)) serial | grep -nF "$1" | head -n 1) || {
		cat errors >&2
		die "the guest has ended and never said '$1'"
	}
	line=$((said + ${line%%:*}))
	# What the firmware says before the guest is left out.
	sed -n "$((said + 1)),${line}p" serial | tr -d '\r\033' | sed -n '/^[a-z]/p'
	said=$line
}

say() { # LINE
	echo "> $1"
	echo "$1" >&3
}

power_off() {
	say poweroff
	until_said poweroff
	exec 3>&-
	status=0
	wait "$pid" || status=$?
	pid=''
	echo "(QEMU has ended with status $status)"
}

# The guest fills its memory from 2 MiB on, above itself.
checksum() { # FILE
	echo "\$ dd if=$1 bs=2M skip=1 count=32 | sha256sum"
	sum=$(dd if="$1" bs=2M skip=1 count=32 status=none | sha256sum)
	echo "$sum"
}

file=memory/qemu_back_mem.0+200000000.pc.ram

title 'What exomem would do: its own steps, then the QEMU command line it becomes'
set -- --state-dir state -accel tcg -M q35 -m 8g \
	-mem-path memory,mode=create,mmap=shared,prealloc=off,anyfs \
	-name first -nographic -kernel tiny.elf
typed exomem run --dry-run "$@"
"$exomem" run --dry-run "$@" | narrow

title 'The same for real: a guest with 8 GiB, its memory a named sparse file'
start run "$@"
until_said identity
until_said tick
until_said tick
say 'fill 64M 7'
until_said filled
say 'verify 64M 7'
until_said verified

title 'The file: 8 GiB long, and only what the guest has touched is allocated'
run ls -l memory
run du -h "$file"

title 'exomem has become QEMU: the same pid, and the file is mapped shared (the s in rw-s)'
run ps -o pid=,comm= -p "$pid"
typed grep pc.ram "/proc/$pid/maps"
grep -F pc.ram "/proc/$pid/maps" | sed "s|$dir/||" | tr -s ' '

title 'Power off: the memory stays'
power_off
checksum "$file"
before=$sum

title 'A second guest on the same file, mapped private: it finds the memory of the first'
start run --state-dir state -accel tcg -M q35 -m 8g \
	-mem-path memory,mode=open,mmap=private,prealloc=off,anyfs \
	-name second -nographic -kernel tiny.elf
until_said identity
say 'verify 64M 7'
until_said verified
say 'fill 64M 8'
until_said filled
typed grep pc.ram "/proc/$pid/maps"
grep -F pc.ram "/proc/$pid/maps" | sed "s|$dir/||" | tr -s ' '
power_off

title 'What it wrote was its own copy: the file is as it was'
checksum "$file"
[ "$sum" = "$before" ] || die 'the file has changed'
