#!/bin/bash
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
	# Waited for, because bash would say that it was killed.
	[ -z "$pid" ] || { kill -KILL "$pid" && wait "$pid"; } 2>/dev/null || true
	rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 141' PIPE
trap 'exit 143' TERM
cd "$dir"
mkdir memory
cp "$guest" tiny.elf
mkfifo keyboard serial
export XDG_CACHE_HOME="$dir/cache"

title() {
	printf '\n==> %s\n' "$*"
}

# A command as one would type it: a new line before an option that would not fit.
typed() { # COMMAND WORD...
	for word; do echo "$word"; done | awk '
		function put(part) {
			if (column + length(part) > 88) {
				printf " \\\n     "
				column = 5
			}
			printf " %s", part
			column += length(part) + 1
		}
		/^-/ && part { put(part); part = "" }
		{ part = part ? part " " $0 : $0 }
		BEGIN { printf "$"; column = 1 }
		END { put(part); print "" }'
}

narrow() {
	sed -E 's/^(.{92}).{3}.*/\1.../'
}

run() { # COMMAND WORD...
	typed "$@"
	"$@"
}

# The serial line is two pipes: what is typed, and what the guest says.
# The pid is exomem's, and QEMU's after it.
start() { # WORD...
	typed exomem run "$@"
	"$exomem" run "$@" <keyboard >serial &
	pid=$!
	# For reading and writing, because writing to a guest that has ended would end this script too.
	exec 3<>keyboard 4<serial
}

# Prints the guest's lines up to one with this text, without what the firmware says before it.
until_said() { # TEXT
	local line='' status=0 deadline=$((SECONDS + 60))
	until [[ "$line" == *"$1"* ]]; do
		# The pipe ends when QEMU has ended and all that it wrote has been read.
		IFS= read -r -t $((deadline - SECONDS + 1)) line <&4 || status=$?
		if [ "$status" -gt 128 ] || [ "$SECONDS" -gt "$deadline" ]; then
			die "the guest has not said '$1' in a minute"
		elif [ "$status" -ne 0 ]; then
			wait "$pid" && status=0 || status=$?
			die "QEMU has ended with status $status, and the guest never said '$1'"
		fi
		line=${line//[$'\r\033']/}
		line=${line%"${line##*[! ]}"}
		case $line in
		*SeaBIOS* | *iPXE* | Booting* | '') ;;
		*) echo "$line" ;;
		esac
	done
}

say() { # LINE [ANSWER]
	echo "> $1"
	echo "$1" >&3
	until_said "${2:-$1}"
}

show_mapping() {
	typed grep pc.ram "/proc/$pid/maps"
	grep -F pc.ram "/proc/$pid/maps" | sed "s|$dir/||" | tr -s ' '
}

power_off() {
	local status=0
	say poweroff
	wait "$pid" || status=$?
	pid=''
	exec 3>&- 4<&-
	[ "$status" = 0 ] || die "QEMU has ended with status $status"
}

# Of what the guest fills: that starts above the guest itself, at 2 MiB.
checksum() { # FILE
	echo "\$ dd if=$1 bs=2M skip=1 count=32 | sha256sum"
	sum=$(dd if="$1" bs=2M skip=1 count=32 status=none | sha256sum)
	echo "$sum"
}

file=memory/qemu_back_mem.0+200000000.pc.ram
set -- --state-dir state -accel tcg -M q35 -m 8g \
	-mem-path memory,mode=create,mmap=shared,prealloc=off,anyfs \
	-name first -nographic -kernel tiny.elf

title 'What exomem is going to do: its own steps, then the QEMU command line it becomes'
typed exomem run --dry-run "$@"
"$exomem" run --dry-run "$@" >plan
narrow <plan

title 'A guest with 8 GiB of memory in a named sparse file ("> " is typed at its serial line)'
start "$@"
until_said 'tick 2'
say 'fill 64M 7' filled
say 'verify 64M 7' verified

title 'exomem has become QEMU, by exec: the same pid; the file is mapped shared (rw-s)'
run ps -o pid,comm -p "$pid"
show_mapping

title 'The file: 8 GiB long, and only what was touched is allocated'
run ls -l memory
run du -h memory

title 'Power off: the memory stays where it is'
power_off
checksum "$file"
before=$sum

title 'A second guest on the same file, mapped private (rw-p): it sees what the first one left'
start --state-dir state -accel tcg -M q35 -m 8g \
	-mem-path memory,mode=open,mmap=private,reserve=off,anyfs \
	-name second -nographic -kernel tiny.elf
until_said 'tick 1'
show_mapping
say 'verify 64M 7' verified
say 'fill 64M 8' filled
power_off

title 'What it wrote went to copies of its own: the file is as it was'
checksum "$file"
[ "$sum" = "$before" ] || die 'the file has changed'
