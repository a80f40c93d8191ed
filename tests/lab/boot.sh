#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# boot.sh DIR [WORD]... - boot the lab; becomes QEMU
#
# Nothing that the lab writes to its root is kept. DIR keeps its other disks from one boot to the
# next, and what it says. Words:
#	mem=SIZE        memory, 2G
#	cpus=N          processors, 2
#	numa=N          NUMA nodes that share both, 1
#	disk=SIZE       a disk, /dev/vdc
#	systemd         with systemd as process 1
#	nvdimm=SIZE     an NVDIMM with a label area of 2 MiB: a multiple of 16 MiB and those 2
#	run=FILE        tests of tests/lab to run: DIR/tap gets their results, DIR/console the rest;
#	                without it there is a shell on this terminal (leave it with `exit`, or ^A x)
#	phase=N         those of this phase
#	tags=TAGS       those with these tags of bats
# $LAB is what build.sh has made, $EXOMEM the program, $GUEST the tiny guest.

set -eu

fail() {
	echo "boot.sh: $1" >&2
	exit 2
}

# What changes often: unpacked into /lab at each boot.
pack_files() {
	tar -cf "$dir/files.tar" -C "$(dirname "$EXOMEM")" exomem -C "$(dirname "$GUEST")" tiny.elf \
		-C "$here/../.." tests/lab tests/integration tests/bench
}

# A file of this size that stays when it is there.
keep() { # NAME SIZE
	[ -e "$dir/$1" ] || truncate -s "$2" "$dir/$1"
}

mebibytes() { # SIZE
	case $1 in
	*[!0-9MG]* | [MG]* | '') fail "'$1' is not a size, such as 512M or 2G" ;;
	*G) echo $((${1%G} * 1024)) ;;
	*) echo "${1%M}" ;;
	esac
}

# Memory and processors, dealt out to the nodes. Sets $nodes.
deal_nodes() {
	nodes=''
	node=0
	while [ "$node" -lt "$numa" ]; do
		cpu=$((cpus * node / numa))
		nodes="$nodes -object memory-backend-ram,id=node$node,size=$((memory / numa))M
			-numa node,nodeid=$node,memdev=node$node,cpus=$cpu-$((cpus * (node + 1) / numa - 1))"
		node=$((node + 1))
	done
}

[ $# -ge 1 ] || fail 'usage: boot.sh DIR [WORD]...'
here=$(cd "$(dirname "$0")" && pwd)
dir=$1
shift
mem=2G cpus=2 numa=1 disk='' nvdimm='' run='' phase='' tags='' systemd=''
for word in "$@"; do
	case $word in
	mem=*) mem=${word#*=} ;;
	cpus=*) cpus=${word#*=} ;;
	numa=*) numa=${word#*=} ;;
	disk=*) disk=${word#*=} ;;
	systemd) systemd=yes ;;
	nvdimm=*) nvdimm=${word#*=} ;;
	run=*) run=${word#*=} ;;
	phase=*) phase=${word#*=} ;;
	tags=*) tags=${word#*=} ;;
	*) fail "'$word' is none of mem=, cpus=, numa=, disk=, systemd, nvdimm=, run=, phase=, tags=" ;;
	esac
done
[ -e "$LAB/root.img" ] || fail "no lab at '$LAB'; make it by \`make lab-root\`"
memory=$(mebibytes "$mem")
mkdir -p "$dir"
pack_files
deal_nodes

set -- -accel tcg,thread=multi -cpu max -nodefaults -nographic -no-reboot -M q35,nvdimm=on \
	-m "${memory}M,slots=4,maxmem=$((memory + 8192))M" -smp "$cpus" \
	-kernel "$LAB/vmlinuz" -initrd "$LAB/initrd.gz" \
	-drive "file=$LAB/root.img,format=raw,if=virtio,snapshot=on,cache=unsafe" \
	-drive "file=$dir/files.tar,format=raw,if=virtio,read-only=on"
append='console=ttyS0 quiet no_timer_check panic=-1 psi=1 mitigations=off'
if [ -n "$disk" ]; then
	keep disk "$disk"
	set -- "$@" -drive "file=$dir/disk,format=raw,if=virtio"
fi
if [ -n "$nvdimm" ]; then
	keep nvdimm "$nvdimm"
	set -- "$@" -device nvdimm,memdev=nvdimm,label-size=2M \
		-object "memory-backend-file,id=nvdimm,share=on,mem-path=$dir/nvdimm,size=$nvdimm"
fi
if [ -n "$run" ]; then
	set -- "$@" -serial "file:$dir/console" -serial "file:$dir/tap"
	append="$append lab.run=$run lab.phase=$phase lab.tags=$tags"
else
	set -- "$@" -serial mon:stdio
fi
[ -z "$systemd" ] || append="$append lab.systemd=yes"
# What is written to the root is in a file there.
export TMPDIR="$dir"
# shellcheck disable=SC2086 # words
exec qemu-system-x86_64 "$@" $nodes -append "$append"
