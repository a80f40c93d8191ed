#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# pmem_claims.bats - claims on real namespaces that ndctl disables and recreates: what the kernel and
# libndctl show of them then

# lab: nvdimm=258M timeout=900

# helper.bash reads what is set here; bats and lab.bash set the other variables.
# shellcheck disable=SC2034,SC2154

load lab

# What has to outlive a test is not in $T.
place=/lab/claims

pmem() { # ACTION...
	"$EXOMEM" pmem --config "$place/conf" --claims "$place/claims" "$@"
}

# A guest on its own, with the tiny guest in it. Its first NVDIMM is at 4 GiB.
pmem_run() { # NAME QEMU-ARGUMENT...
	"$EXOMEM" run --state-dir "$place/state" --config "$place/conf" --claims "$place/claims" \
		--name "$1" --detach --pmem SMALL -accel tcg -M q35 -m 64M -nodefaults -display none \
		-kernel "$GUEST" "${@:2}" 3>&-
}

# What a guest finds at the start of its first NVDIMM.
nvdimm_of() { # NAME
	"$EXOMEM" qmp --state-dir "$place/state" "$1" pmemsave \
		"{\"val\": 4294967296, \"size\": 4096, \"filename\": \"$place/found\"}" >/dev/null
	cat "$place/found"
}

stop_guest() { # NAME
	"$EXOMEM" stop --state-dir "$place/state" --kill "$1"
}

# The kernel's name of a namespace, also of one that is disabled.
device_of() { # NAME
	ndctl list --namespaces --idle | jq -r --arg name "$1" '.[] | select(.name == $name) | .dev'
}

setup_file() {
	lab_pmem ns0=32M ns1=32M
	mkdir -p "$place"
	printf '[pmem]\npmem_namespaces = SMALL:ns0\n' >"$place/conf"
	yes lasting | head -c 4096 >"$place/written"
	# The QEMU is asked once; a lab on a busy machine may take longer than exomem waits.
	until XDG_CACHE_HOME=$place/cache "$EXOMEM" probe >"$place/out" 2>&1; do :; done
}

setup() {
	T=$(mktemp -d)
	export XDG_CACHE_HOME=$place/cache
}

teardown() {
	"$EXOMEM" stop --state-dir "$place/state" --kill --all >/dev/null 2>&1 || true
}

@test "a guest writes to its namespace" {
	run -0 pmem_run web -device "loader,file=$place/written,addr=0x100000000,force-raw=on"
	cmp <(nvdimm_of web) "$place/written"
	stop_guest web
}

@test "a disabled namespace is to be enabled, and its guest has its data again" {
	device=$(device_of ns0)
	ndctl disable-namespace "$device"
	run -3 pmem_run web
	assert_refused 3 "namespace 'ns0' is disabled: 'ndctl enable-namespace $device' enables it"
	run -0 pmem allocations
	[[ ${lines[1]} = *disabled ]]
	run -5 pmem release --forget web
	ndctl enable-namespace "$device"
	run -0 pmem_run web
	cmp <(nvdimm_of web) "$place/written"
	stop_guest web
}

@test "a recreated namespace is refused to its guest, and another guest finds zeros" {
	ndctl create-namespace -f -e "$(device_of ns0)" -m devdax -M mem -n ns0
	run -5 pmem_run web
	assert_refused 5 "was recreated with uuid"
	run -3 pmem list --check
	[[ $output = *"BAD  claim   namespace 'ns0' of guest 'web'"* ]]
	run -0 pmem_run other
	cmp <(nvdimm_of other) <(head -c 4096 /dev/zero)
	stop_guest other
	run -0 pmem release --forget web
	run -0 pmem -q allocations
	[ "$output" = other ]
}

@test "a namespace that is gone is refused to its guest, in whose pool is another one" {
	ndctl destroy-namespace -f "$(device_of ns0)"
	printf '[pmem]\npmem_namespaces = SMALL:ns1\n' >"$place/conf"
	run -5 pmem_run other
	assert_refused 5 "namespace 'ns0' of guest 'other'"
	run -0 pmem release --forget other
	run pmem_run web -device nope
	[ "$status" = 1 ]
	run -0 pmem allocations
	[ "$output" = 'no guest has persistent memory' ]
	run -0 pmem_run other
	stop_guest other
}
