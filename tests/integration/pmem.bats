#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# pmem.bats - exomem pmem, with the real libndctl and libdaxctl on a made-up /sys

load helper
load pmem

example=(
	'0 ns0 1 16 2097152 0 devdax mem yes'
	'1 ns1 2 16 2097152 0 devdax mem yes'
	'2 ns2 3 16 2097152 1 devdax mem yes'
	'3 ns3 4 64 2097152 1 devdax mem yes'
)

# The document's example: three of one kind and a large one.
use_example() {
	need_namespaces
	make_world "${example[@]}"
	printf '[libvirt]\npmem_namespaces = 6GB:ns0|ns1|ns2,LARGE:ns3\n' >"$T/conf"
	chmod 0644 "$T/conf"
}

field() { # NAME MEMBER: of one namespace
	jq -r --arg name "$1" ".namespaces[] | select(.name == \$name) | .$2" <<<"$output"
}

@test "a host without persistent memory has none" {
	printf '' >"$T/conf"
	run -0 "$EXOMEM" pmem --config "$T/conf" --claims "$T/claims" list
	[ "$output" = 'no persistent memory on this host' ]
	run -0 "$EXOMEM" pmem --config "$T/conf" --claims "$T/claims" --json list
	[ "$(jq -c .namespaces <<<"$output")" = '[]' ]
}

@test "list reads name, identity, size, alignment, node, map and device" {
	use_example
	run -0 pmem --json list
	[ "$(field ns3 size)" = 67108864 ]
	[ "$(field ns3 align)" = 2097152 ]
	[ "$(field ns3 '"numa-node"')" = 1 ]
	[ "$(field ns3 map)" = mem ]
	[ "$(field ns3 mode)" = devdax ]
	[ "$(field ns3 path)" = /dev/dax3.0 ]
	[ "$(field ns3 uuid)" = 00000004-0000-4000-8000-000000000004 ]
	[ "$(field ns3 '"persistence-domain"')" = memory_controller ]
	[ "$(field ns3 label)" = LARGE ]
	run -0 pmem -q list
	[ "${lines[*]}" = 'ns0 ns1 ns2 ns3' ]
}

@test "ndctl itself reads the same" {
	use_example
	command -v ndctl >/dev/null || lacks ndctl 'no ndctl is installed'
	run -0 "$T/fake" ndctl list -X
	[ "$(jq -r '[.[] | .name + " " + (.size | tostring)] | sort | join(",")' <<<"$output")" = \
		"ns0 16777216,ns1 16777216,ns2 16777216,ns3 67108864" ]
}

@test "inventory is what Nova would report" {
	use_example
	run -0 pmem inventory
	[[ ${lines[1]} =~ ^CUSTOM_PMEM_NAMESPACE_6GB\ +1.0\ +3\ +0\ +1\ +1\ +3\ +0$ ]]
	[[ ${lines[2]} =~ ^CUSTOM_PMEM_NAMESPACE_LARGE\ +1.0\ +1\ +0\ +1\ +1\ +1\ +0$ ]]
}

@test "odd namespaces are listed, and refused in a pool" {
	need_namespaces
	printf '' >"$T/conf"
	make_world '0 ram 1 16 2097152 0 system-ram mem yes' '1 off 2 16 2097152 0 disabled mem yes' \
		'2 fs 3 16 2097152 0 fsdax mem yes' '3 big 4 1024 1073741824 0 devdax dev yes' \
		'4 - 5 16 2097152 0 devdax mem no' '5 twin 6 16 2097152 0 devdax mem yes' \
		'6 twin 7 16 2097152 0 devdax mem yes' '7 raw 8 16 2097152 0 raw mem yes' \
		'8 asleep 9 16 2097152 0 disabled-raw mem yes'
	run -0 pmem --json list
	[ "$(field ram mode)" = system-ram ]
	[ "$(field off disabled)" = true ]
	[ "$(field fs mode)" = fsdax ]
	[ "$(field raw mode)" = raw ]
	[ "$(field big align)" = 1073741824 ]
	[ "$(field big map)" = dev ]
	[ "$(jq -r '.namespaces[] | select(.dev == "namespace4.0") | .name, .uuid' <<<"$output")" = \
		$'null\n00000005-0000-4000-8000-000000000005' ]
	run -3 pmem --pool A:ram inventory
	[[ $output = *"'ram' is memory of this host"* ]]
	run -3 pmem --pool A:off inventory
	[[ $output = *"'off' is disabled"* ]]
	# Without its driver it looks as if it had to be created anew.
	run -3 pmem --pool A:asleep inventory
	assert_refused 3 "'asleep' is disabled: 'ndctl enable-namespace namespace8.0' enables it"
	run -3 pmem --pool A:fs inventory
	[[ $output = *'in mode fsdax'* ]]
	run -2 pmem --pool A:twin inventory
	[[ $output = *"both called 'twin'"* ]]
	run -0 pmem --pool 'A:namespace4.0|00000006-0000-4000-8000-000000000006' inventory
}

@test "list needs no rights; what cannot be opened says so" {
	use_example
	run -0 pmem -q list
	chmod 0600 "$T"/devices/*
	chmod 0755 "$T" "$T/devices"
	cp "$EXOMEM" "$T/exomem"
	run -0 "$T/fake" setpriv --reuid 65534 --regid 65534 --clear-groups \
		"$T/exomem" pmem --json --claims "$T/claims" --config "$T/conf" list
	[ "$(field ns0 name)" = ns0 ]
	[[ "$(field ns0 '"no-access"')" = *'Permission denied'* ]]
}

@test "a device that another program has open is not free" {
	use_example
	# shellcheck disable=SC2016 # the script expands it
	printf '#!/bin/sh\nexec 7<>/dev/dax0.0\nsleep 60 &\n"$@"\nrc=$?\nkill $!\nexit $rc\n' >"$T/hold"
	chmod +x "$T/hold"
	run -0 "$T/fake" "$T/hold" "$EXOMEM" pmem --json --claims "$T/claims" --config "$T/conf" list
	[[ "$(field ns0 '"used-by"')" = *'has it open'* ]]
	[ "$(field ns1 '"used-by"')" = null ]
	run -5 "$T/fake" "$T/hold" "$EXOMEM" pmem --claims "$T/claims" --config "$T/conf" scrub ns0
	[[ $output = *'has it open'* ]]
}

# A container's /dev/dax0.0 may be any device.
@test "another device of the same path, in another mount namespace, is not this one" {
	use_example
	truncate -s 16M "$T/other"
	# shellcheck disable=SC2016 # the script expands it
	printf '#!/bin/sh\nset -e\nmount --bind "%s" /dev/dax0.0\nexec 7<>/dev/dax0.0\necho >"%s"\nexec sleep 60\n' \
		"$T/other" "$T/held" >"$T/hold"
	chmod +x "$T/hold"
	"$T/fake" "$T/hold" 3>&- &
	pid=$!
	pids="$pids $pid"
	wait_for "$T/held" '^$'
	[ "$(readlink "/proc/$pid/fd/7")" = /dev/dax0.0 ] ||
		lacks mounts 'in a chroot a file of another mount namespace has another path'
	run -0 pmem --json list
	kill "$pid"
	[ "$(field ns0 '"used-by"')" = null ]
}

@test "list --check prints a row for each thing that is needed" {
	use_example
	run -3 pmem list --check
	[[ $output = *'ok   kernel'* ]]
	[[ $output = *"BAD  module  device_dax"* ]]
	[[ $output = *'ok   ndctl'* ]]
	[[ $output = *'ok   pool'* ]]
}

@test "scrub wipes all of a device, and only a device" {
	use_example
	tr '\0' 'x' </dev/zero | head -c 16M >"$T/devices/1"
	run -0 pmem scrub ns0
	[ "$output" = 'ns0: 16 MiB zeroed and verified' ]
	cmp -n 16777216 "$T/devices/1" /dev/zero
	[ "$(jq -c '[.guest, .dirty, .namespace]' "$T/claims"/*)" = '[null,false,"ns0"]' ]
	run -0 pmem allocations
	[ "$output" = 'no guest has persistent memory' ]
	run -2 pmem scrub ns9
	[ ! -e "$T/claims/ns9" ]
}

@test "a scrub that was interrupted is remembered and finished" {
	use_example
	tr '\0' 'x' </dev/zero | head -c 16M >"$T/devices/1"
	mkdir "$T/claims"
	printf '{"schema":1,"uuid":"%s","namespace":"ns0","size":16777216,"dirty":true,"scrubbed":4194304}' \
		"$(uuid_of 1)" >"$T/claims/$(uuid_of 1).json"
	run -0 pmem inventory
	[[ ${lines[1]} =~ ^CUSTOM_PMEM_NAMESPACE_6GB\ +1.0\ +3\ +1\ +1\ +1\ +3\ +0$ ]]
	# What it had done is trusted, but looked at.
	run -1 pmem scrub
	[[ $output = *'is not zero after 0 bytes'* ]]
	run -0 pmem allocations
	[[ $output = *'to be scrubbed'* ]]
	# And so the next one begins anew.
	run -0 pmem scrub
	[ "$output" = 'ns0: 16 MiB zeroed and verified' ]
	cmp -n 16777216 "$T/devices/1" /dev/zero
	run -0 pmem allocations
	[ "$output" = 'no guest has persistent memory' ]
}

@test "a scrub goes on where it was interrupted" {
	use_example
	mkdir "$T/claims"
	printf '{"schema":1,"uuid":"%s","namespace":"ns0","size":16777216,"dirty":true,"scrubbed":4194304}' \
		"$(uuid_of 1)" >"$T/claims/$(uuid_of 1).json"
	run -0 pmem scrub
	[ "$output" = 'ns0: 12 MiB zeroed and verified' ]
}

# A device that is shorter than it says: what is touched behind its end is SIGBUS, as a lost page is.
@test "a broken medium is one line, and nobody gets it" {
	mkdir -p "$T/devices"
	truncate -s 8M "$T/devices/1"
	use_example
	run -1 pmem scrub ns0
	assert_refused 1 "'/dev/dax0.0' cannot be read or written at byte 8388608: is the medium broken?"
	run -0 pmem allocations
	[[ $output = *'to be scrubbed'* ]]
	run -0 pmem inventory
	[[ ${lines[1]} =~ ^CUSTOM_PMEM_NAMESPACE_6GB\ +1.0\ +3\ +1\ +1\ +1\ +3\ +0$ ]]
	run -1 pmem scrub
	assert_refused 1 'is the medium broken?'
	# It was mended: now it is as new.
	truncate -s 16M "$T/devices/1"
	run -0 pmem scrub
	run -0 pmem allocations
	[ "$output" = 'no guest has persistent memory' ]
}
