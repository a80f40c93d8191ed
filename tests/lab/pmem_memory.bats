#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# pmem_memory.bats - a guest whose main memory is a real namespace: it is saved in place, the power is
# cut, and it goes on in the same memory

# lab: nvdimm=258M disk=64M phases=2 timeout=420

# Functions of helper.bash and template.bash read what is set here, and bats sets the other variables.
# shellcheck disable=SC2034,SC2154

load lab

# What outlives a test is not in $T; what outlives the power is on the disk.
setup() {
	T=/lab/T
	state=$T/state
	memory=$T/memory
	pids=''
	export XDG_CACHE_HOME=$T/cache
	mkdir -p "$T" /disk
}

teardown() {
	:
}

vm() { # VERB ARGUMENT...
	local verb=$1
	shift
	case $verb in
	save | clone | fork | template) set -- --templates /disk/templates "$@" ;;
	pmem) set -- --claims /disk/claims --pool '' "$@" ;;
	esac
	case $verb in
	pmem) ;;
	*) set -- --state-dir "$state" "$@" ;;
	esac
	"$EXOMEM" "$verb" "$@" 3>&- 4>&-
}

# A guest whose memory is the second namespace.
run_guest() { # NAME
	vm run --detach --name "$1" --claims /disk/claims -accel tcg -nodefaults -display none -M q35 \
		-m 64 -kernel "$GUEST" -serial stdio -mem-path /dev/dax0.1,mode=open,mmap=shared
}

@test "phase 1: a guest on a device" {
	lab_disk ext4 /disk
	lab_pmem ns0=96M ns1=96M
	"$EXOMEM" probe >"$T/out"
	run_guest web
	wait_for "$state/web/log" 'tiny: up' 100
	run -0 vm pmem -q allocations
	[ "$output" = web ]
	fill web 32M 7
}

@test "phase 1: it is neither forked nor summed up" {
	run -3 vm fork web
	[[ $output = *'is a DAX device'* ]]
	run -3 vm save --checksum web base
	[[ $output = *"'/dev/dax0.1' is a device"* ]]
	[ "$(status_of web)" = running ]
}

@test "phase 1: it is saved in place" {
	run vm save web base
	echo "$output"
	[ "$status" = 0 ]
	[[ $output = *'stays where it is'* ]]
	[ "$(jq -r '.memory[0].path, .memory[0].claims' /disk/templates/base/manifest.json)" = \
		$'/dev/dax0.1\n/disk/claims' ]
	[ "$(jq -r '.memory[0].namespace' /disk/templates/base/manifest.json)" = \
		"$(ndctl list -X | jq -r '.[] | select(.name == "ns1") | .uuid')" ]
	[ -c /dev/dax0.1 ]
	[ "$(stat -c %a /dev/dax0.1)" = 600 ]
	run -0 vm list -q
	[ -z "$output" ]
	run -0 vm template verify base
}

@test "phase 1: nobody writes its memory, and it has one child" {
	run -5 run_guest web
	[[ $output = *"'ns1' is the memory of template '/disk/templates/base'"* ]]
	run -5 run_guest other
	run -5 vm pmem release web
	[[ $output = *"'exomem template remove'"* ]]
	run -5 vm pmem release ns1
	run -3 vm clone -n 2 base
	[[ $output = *'one child'* ]]
	run -3 vm clone --warm 1 base
	run -3 vm clone --memory reflink base
	sync
	lab_cut_power
}

@test "phase 2: the guest goes on where it was, and the template is gone" {
	mount /dev/vdc /disk
	lab_nvdimm
	run -0 vm template list -q
	[ "$output" = base ]
	run -5 run_guest web
	run vm clone --detach base
	echo "$output"
	[ "$status" = 0 ] && [ "$output" = web ]
	assert_filled web 32M 7
	grep -q 'rw-s.* /dev/dax0.1' "/proc/$(pid_of web)/maps"
	run -0 vm template list -q
	[ -z "$output" ]
	run -5 vm clone --detach base
	[[ $output = *'no template'* ]]
}

@test "phase 2: a guest that goes on is saved again, and goes on again in the foreground" {
	fill web 32M 9
	vm save -q web again
	"$EXOMEM" clone --state-dir "$state" --templates /disk/templates again </dev/null \
		>"$T/out" 2>&1 3>&- 4>&- &
	pid=$!
	until [ "$(vm list -q)" = web ] && [ "$(status_of web)" = running ]; do
		kill -0 "$pid"
		sleep 0.1
	done
	run -0 vm template list -q
	[ -z "$output" ]
	vm stop --kill web
	wait "$pid" || true
}

@test "phase 2: a template that is removed gives its memory up; a release wipes it" {
	run -0 run_guest web
	wait_for "$state/web/log" 'tiny: up' 100
	fill web 32M 5
	vm save -q web base
	run -5 vm pmem release web
	run -0 vm template remove base
	[ -c /dev/dax0.1 ]
	run -0 vm pmem release web
	[[ $output = *'zeroed and verified' ]]
}
