# SPDX-License-Identifier: GPL-2.0-or-later
# pmem.bash - a made-up /sys and /dev that the real libndctl and libdaxctl read, without any hardware.
#
# What runs in it sees namespaces of persistent memory whose devices are plain files. They are kept in
# $T/devices, so that what one run writes the next one finds.

# shellcheck disable=SC2154 # of helper.bash

need_namespaces() {
	need_root 'makes a mount namespace'
	unshare -m true || lacks unshare 'cannot make a mount namespace here'
}

# Writes $T/fake, a script that runs its arguments in the made-up world of $T/world.
# A line of $T/world: INDEX NAME UUID-DIGIT SIZE-MIB ALIGN NODE MODE MAP LABELLED
make_world() { # LINE...
	printf '%s\n' "$@" >"$T/world"
	mkdir -p "$T/devices" "$T/fake.root"
	cat >"$T/fake" <<FAKE
#!/bin/bash
T=$T
source "$BATS_TEST_DIRNAME/pmem.bash"
enter_world "\$@"
FAKE
	chmod +x "$T/fake"
}

put() { # FILE TEXT
	mkdir -p "${1%/*}"
	printf '%s\n' "$2" >"$1"
}

uuid_of() { # DIGIT
	printf '%08x-0000-4000-8000-%012x' "$1" "$1"
}

# A region of its own for each namespace, so that each may be on another node.
make_namespace() { # BUS INDEX NAME DIGIT MIB ALIGN NODE MODE MAP LABELLED
	local region=$1/region$2 size=$(($5 * 1048576)) type=5
	[ "${10}" = yes ] || type=4
	put "$region/size" "$size"
	put "$region/mappings" 0
	put "$region/read_only" 0
	put "$region/modalias" nd:t2
	put "$region/numa_node" "$7"
	put "$region/target_node" "$7"
	put "$region/align" 0x1000000
	put "$region/nstype" "$type"
	put "$region/set_cookie" 0x1
	put "$region/available_size" 0
	put "$region/persistence_domain" memory_controller
	ln -s /sys/bus/nd/drivers/nd_region "$region/driver"
	local ns=$region/namespace$2.0 mode=dax
	case $8 in fsdax) mode=memory ;; raw | disabled-raw) mode=raw ;; esac
	put "$ns/nstype" "$type"
	put "$ns/size" "$size"
	put "$ns/resource" 0x100000000
	put "$ns/force_raw" 0
	put "$ns/numa_node" "$7"
	put "$ns/target_node" "$7"
	put "$ns/holder_class" "$([ $mode = dax ] && echo dax)"
	put "$ns/sector_size" ''
	put "$ns/alt_name" "$([ "$3" = - ] || echo "$3")"
	put "$ns/uuid" "$(uuid_of $((0x1000 + $4)))"
	put "$ns/modalias" "nd:t$type"
	put "$ns/mode" "$mode"
	put "$ns/holder" "$([ $mode = dax ] && echo "dax$2.0")"
	[[ $8 = disabled* ]] || ln -s /sys/bus/nd/drivers/nd_pmem "$ns/driver"
	[ $mode != dax ] || make_dax "$region" "$@"
}

make_dax() { # REGION BUS INDEX NAME DIGIT MIB ALIGN NODE MODE MAP LABELLED
	local dax=$1/dax$3.0 size=$(($6 * 1048576)) driver=device_dax map=ram
	[ "${10}" = mem ] || map=pmem
	put "$dax/modalias" nd:t7
	put "$dax/uuid" "$(uuid_of "$5")"
	put "$dax/mode" "$map"
	put "$dax/align" "$7"
	put "$dax/resource" 0x100000000
	put "$dax/size" "$size"
	put "$dax/supported_alignments" "4096 2097152 1073741824"
	[ "$9" != disabled ] || return 0
	[ "$9" != system-ram ] || driver=kmem
	ln -s /sys/bus/nd/drivers/dax_pmem "$dax/driver"
	for name in id:$3 size:$size align:$7 available_size:0; do
		put "$dax/dax_region/${name%%:*}" "${name#*:}"
	done
	put "$dax/dax$3.0/size" "$size"
	put "$dax/dax$3.0/align" "$7"
	put "$dax/dax$3.0/target_node" "$8"
	put "$dax/dax$3.0/resource" 0x100000000
	ln -s "/sys/bus/dax/drivers/$driver" "$dax/dax$3.0/driver"
	# Only the blocks that are written take room.
	[ -e "$T/devices/$5" ] || truncate -s "$size" "$T/devices/$5"
	touch "/dev/dax$3.0"
	mount --bind "$T/devices/$5" "/dev/dax$3.0"
}

make_bus() {
	local bus=/sys/devices/platform/e820_pmem/ndbus0
	put "$bus/commands" ''
	put "$bus/provider" e820
	put "$bus/wait_probe" 1
	put "$bus/ndctl0/dev" 250:0
	mkdir -p /sys/class/nd /sys/dev/char/0:0 /sys/bus/nd/drivers/{nd_region,nd_pmem,dax_pmem} \
		/sys/bus/dax/drivers/{device_dax,kmem}
	ln -s "$bus/ndctl0" /sys/class/nd/ndctl0
	ln -s "$bus" "$bus/ndctl0/device"
	ln -s "$bus/ndctl0" /sys/dev/char/250:0
	ln -s /sys/bus/dax /sys/dev/char/0:0/subsystem
	while read -r line; do
		# shellcheck disable=SC2086 # the fields of a line
		make_namespace "$bus" $line
	done <"$T/world"
}

# /dev keeps what every program needs; /sys is all made up.
enter_world() { # COMMAND...
	# shellcheck disable=SC2016 # the inner shell expands it
	exec unshare -m bash -euc '
		source "$1"
		T=$2
		shift 2
		mount --make-rprivate /
		mount -t tmpfs fake "$T/fake.root"
		for name in null zero full random urandom tty; do
			touch "$T/fake.root/$name"
			mount --bind "/dev/$name" "$T/fake.root/$name"
		done
		mkdir "$T/fake.root/shm"
		mount --rbind "$T/fake.root" /dev
		mount -t tmpfs fake /sys
		make_bus
		exec "$@"' fake "${BASH_SOURCE[0]}" "$T" "$@"
}

# exomem in the made-up world, remembering in this test's folder.
pmem() { # ACTION...
	"$T/fake" "$EXOMEM" pmem --claims "$T/claims" --config "$T/conf" "$@"
}
