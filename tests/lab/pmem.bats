#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# pmem.bats - the lab's NVDIMM: named namespaces as device DAX, a nested QEMU on one, and what is on
# it when the power was cut.

# bats file_tags=short
# lab: nvdimm=258M numa=2 phases=2

# bats and lab.bash set the other variables.
# shellcheck disable=SC2154

load lab

# One member of a namespace, by its name.
namespace() { # NAME MEMBER
	ndctl list --namespaces --device-dax | jq -r --arg name "$1" ".[] | select(.name == \$name) | $2"
}

@test "phase 1: two NUMA nodes share the memory" {
	[ "$(cat /sys/devices/system/node/online)" = 0-1 ]
	grep -q 'MemTotal: *[1-9]' /sys/devices/system/node/node1/meminfo
}

@test "phase 1: two named device-DAX namespaces" {
	lab_pmem ns0=96M ns1=96M
	for name in ns0 ns1; do
		[ "$(namespace "$name" .mode)" = devdax ]
		[ "$(namespace "$name" .daxregion.align)" = 2097152 ]
		[ -c "/dev/$(namespace "$name" .daxregion.devices[0].chardev)" ]
	done
	[ "$(namespace ns0 .daxregion.devices[0].size)" -ge $((90 << 20)) ]
	[ ! -e /dev/dax0.2 ]
}

# Starts a guest that has its NVDIMM on the first namespace and its memory on the second.
start_guest() {
	[ -c /dev/dax0.0 ] && [ -c /dev/dax0.1 ]
	start guest -accel tcg -nodefaults -display none -kernel "$GUEST" -serial stdio \
		-M q35,nvdimm=on,memory-backend=memory -m 64,slots=2,maxmem=1G \
		-object memory-backend-file,id=memory,share=on,mem-path=/dev/dax0.1,size=64M,align=2M \
		-object memory-backend-file,id=nv,share=on,mem-path=/dev/dax0.0,size=92M,align=2M \
		-device nvdimm,memdev=nv,label-size=2M
	wait_for "$T/guest.out" 'tiny: up'
}

@test "phase 1: a guest runs on both" {
	start_guest
	grep -q 'rw-s.* /dev/dax0.0' "/proc/$pid/maps"
	grep -q 'rw-s.* /dev/dax0.1' "/proc/$pid/maps"
}

@test "phase 1: the power is cut when a guest has filled its memory" {
	start_guest
	say guest 'fill 32M 7'
	wait_for "$T/guest.out" '^filled'
	lab_cut_power
}

@test "phase 2: the namespaces are there again, and the memory is as it was" {
	lab_nvdimm
	[ "$(namespace ns1 .daxregion.devices[0].chardev)" = dax0.1 ]
	start_guest
	say guest 'verify 32M 7'
	wait_for "$T/guest.out" '^verified'
}
