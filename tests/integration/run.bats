#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# run.bats - guests booted on memory files, on real QEMU.

# Words are split on purpose ($tcg); bats and helper.bash set the other variables.
# shellcheck disable=SC2030,SC2031,SC2034,SC2086,SC2154

load helper

file1g='qemu_back_mem.0+40000000.pc.ram'

# The mapping's letter in /proc/PID/maps: s for shared, p for private.
mapping_of() { # PID FILE
	grep -F " $2" "/proc/$1/maps" | awk '{ print substr($2, 4) }' | sort -u
}

@test "mode=create,mmap=shared: the process becomes QEMU and maps the named file shared" {
	need_qemu
	start parent $tcg -M q35 -m 1g -mem-path "$memory,mode=create,mmap=shared,anyfs" -kernel "$GUEST"
	wait_for "$T/parent.out" 'tiny: up'
	[[ "$(readlink "/proc/$pid/exe")" == *qemu-system* ]]
	assert_holds "$memory" "$file1g"
	[ "$(mapping_of "$pid" "$memory/$file1g")" = s ]
	[ "$(stat -c '%a %s' "$memory/$file1g")" = '600 1073741824' ]
	# Reserved: all blocks are there.
	[ "$(stat -c '%b' "$memory/$file1g")" -ge $((1073741824 / 512)) ]
	[ ! -s "$T/parent.err" ]
	say parent poweroff
	wait_gone "$pid"
	wait "$pid"
}

@test "mode=open,mmap=private: mapped private, and the file's bytes stay" {
	need_qemu
	start parent $tcg -M q35 -m 64 -mem-path "$memory,mode=create,mmap=shared,anyfs" -kernel "$GUEST"
	wait_for "$T/parent.out" 'tiny: up'
	say parent 'fill 32M 7'
	wait_for "$T/parent.out" '^filled'
	say parent poweroff
	wait_gone "$pid"
	file="$memory/qemu_back_mem.0+4000000.pc.ram"
	before=$(sha256sum "$file")
	start child $tcg -M q35 -m 64 -mem-path "$memory,mode=open,mmap=private,anyfs" -kernel "$GUEST"
	wait_for "$T/child.out" 'tiny: up'
	[ "$(mapping_of "$pid" "$file")" = p ]
	say child 'fill 32M 8'
	wait_for "$T/child.out" '^filled'
	[ "$(sha256sum "$file")" = "$before" ]
	say child poweroff
	wait_gone "$pid"
	[ "$(sha256sum "$file")" = "$before" ]
	assert_holds "$memory" qemu_back_mem.0+4000000.pc.ram
}

@test "mode=temp: the file has no name, and is discarded with the guest" {
	need_qemu
	start temp $tcg -M q35 -m 1g -mem-path "$memory,anyfs" -kernel "$GUEST"
	wait_for "$T/temp.out" 'tiny: up'
	assert_empty "$memory"
	grep -qE "rw-s .* $memory/#[0-9]+ \(deleted\)" "/proc/$pid/maps"
	say temp poweroff
	wait_gone "$pid"
	assert_empty "$memory"
}

@test "two NUMA nodes: two files whose offsets add up, and a guest with all of it" {
	need_qemu
	start numa $tcg -M q35 -m 384 -smp 2 -numa node,cpus=0,mem=128M -numa node,cpus=1,mem=256 \
		-mem-path "$memory,mode=create,mmap=shared,anyfs" -kernel "$GUEST"
	wait_for "$T/numa.out" 'tiny: up'
	assert_holds "$memory" qemu_back_mem.0+8000000.ram-node0 qemu_back_mem.8000000+10000000.ram-node1
	say numa 'fill 300M 3'
	wait_for "$T/numa.out" '^filled'
	say numa 'verify 300M 3'
	wait_for "$T/numa.out" '^verified'
}

@test "the guest reads its identity" {
	need_qemu
	start id --name web-1 $tcg -M q35 -m 64 -mem-path "$memory,anyfs" -kernel "$GUEST"
	wait_for "$T/id.out" 'tiny: up'
	wait_for "$T/id.out" 'name=web-1 index=0 uuid=[0-9a-f-]{36} parent='
}

@test "--no-identity adds nothing" {
	need_qemu
	start id --no-identity $tcg -M q35 -m 64 -mem-path "$memory,anyfs" -kernel "$GUEST"
	wait_for "$T/id.out" 'identity: none'
	run ! grep -qa vmgenid "/proc/$pid/cmdline"
}

@test "QEMU's exit status, help and version are passed on" {
	need_qemu
	run exomem_run -version
	[ "$status" = 0 ]
	[[ "$output" == 'QEMU emulator version'* ]]
	run exomem_run -M help
	[ "$status" = 0 ]
	[[ "$output" == *q35* ]]
	run exomem_run -M q35 -device no-such-device -display none
	[ "$status" = 1 ]
	[[ "$output" == *no-such-device* ]]
}

@test "signals reach QEMU: SIGTERM ends the guest" {
	need_qemu
	start sig $tcg -M q35 -m 64 -mem-path "$memory,mode=create,anyfs" -kernel "$GUEST"
	wait_for "$T/sig.out" 'tiny: up'
	kill -TERM "$pid"
	wait_gone "$pid"
}

@test "the user's descriptors, environment and working directory are QEMU's" {
	need_qemu
	cd "$T"
	FRUIT=pear start env $tcg -M q35 -m 64 -mem-path "$memory,anyfs" -kernel "$GUEST"
	wait_for "$T/env.out" 'tiny: up'
	tr '\0' '\n' <"/proc/$pid/environ" | grep -qx FRUIT=pear
	[ "$(readlink "/proc/$pid/cwd")" = "$(readlink -f "$T")" ]
	run exomem_run -M none -add-fd fd=7,set=1 -display none -S -help 7</dev/null
	[ "$status" = 0 ]
}

@test "no memory option: the guest runs on QEMU's own memory" {
	need_qemu
	start plain $tcg -M q35 -m 64 -kernel "$GUEST"
	wait_for "$T/plain.out" 'tiny: up'
	wait_for "$T/plain.out" 'name=vm-[0-9a-f]{4}'
}

@test "microvm, pc and q35 boot on a named file" {
	need_qemu
	for machine in microvm pc q35; do
		mkdir "$memory/$machine"
		start "$machine" $tcg -M "$machine" -m 64 -mem-path "$memory/$machine,mode=create,anyfs" \
			-kernel "$GUEST"
		wait_for "$T/$machine.out" 'tiny: up'
	done
	assert_holds "$memory/microvm" qemu_back_mem.0+4000000.microvm.ram
	assert_holds "$memory/pc" qemu_back_mem.0+4000000.pc.ram
}

@test "hugetlbfs: memory on huge pages, and no warning" {
	need_qemu
	need_root 'mounting hugetlbfs takes root'
	saved_pages=$(cat /proc/sys/vm/nr_hugepages)
	wanted=$((saved_pages + 40))
	echo "$wanted" >/proc/sys/vm/nr_hugepages 2>/dev/null || lacks hugepages 'no huge pages here'
	[ "$(cat /proc/sys/vm/nr_hugepages)" -ge "$wanted" ] || lacks hugepages 'too few huge pages'
	mount -t hugetlbfs -o mode=0700 none "$memory" || lacks hugepages 'no hugetlbfs here'
	start huge $tcg -M q35 -m 64 -mem-path "$memory" -kernel "$GUEST"
	wait_for "$T/huge.out" 'tiny: up'
	grep -q "rw-s.* $memory" "/proc/$pid/maps"
	[ ! -s "$T/huge.err" ]
}

# A guest with its memory on $reflink, which holds its file with all blocks afterwards.
assert_runs_on_reflink() {
	start here $tcg -M q35 -m 64 -mem-path "$reflink,mode=create,mmap=shared,anyfs" -kernel "$GUEST"
	wait_for "$T/here.out" 'tiny: up'
	say here poweroff
	wait_gone "$pid"
	assert_holds "$reflink" qemu_back_mem.0+4000000.pc.ram
	[ "$(stat -c '%b' "$reflink"/qemu_back_mem.*)" -ge $((64 * 2048)) ]
	[ ! -s "$T/here.err" ]
}

@test "memory on XFS" {
	need_qemu
	use_xfs 320M
	assert_runs_on_reflink
}

@test "memory on btrfs" {
	need_qemu
	use_btrfs 320M
	assert_runs_on_reflink
}

@test "no room: mode=temp falls back to anonymous memory with a warning" {
	need_qemu
	need_root 'mounting a small tmpfs takes root'
	mount -t tmpfs -o size=16m,mode=0700 none "$memory"
	start full $tcg -M q35 -m 64 -mem-path "$memory,anyfs" -kernel "$GUEST"
	wait_for "$T/full.out" 'tiny: up'
	[ "$(wc -l <"$T/full.err")" = 1 ]
	grep -q 'guest memory is anonymous: it needs 64 MiB' "$T/full.err"
	run ! grep -q "$memory" "/proc/$pid/maps"
}

@test "the Linux guest boots on a named file, and again from it" {
	need_linux
	append='console=ttyS0 quiet no_timer_check exomem.exit'
	run -0 timeout 100 "$EXOMEM" run --state-dir "$state" --name lx -accel tcg -M q35 -m 1g \
		-mem-path "$memory,mode=create,mmap=shared,anyfs" -kernel "$LINUX/vmlinuz" \
		-initrd "$LINUX/initrd.gz" -append "$append" -nographic -no-reboot
	[[ "$output" == *'linux: up'* ]]
	[[ "$output" == *'name=lx index=0'* ]]
	assert_holds "$memory" "$file1g"
	before=$(sha256sum "$memory/$file1g")
	run -0 timeout 100 "$EXOMEM" run --state-dir "$state" -accel tcg -M q35 -m 1g \
		-mem-path "$memory,mode=open,mmap=private,anyfs" -kernel "$LINUX/vmlinuz" \
		-initrd "$LINUX/initrd.gz" -append "$append" -nographic -no-reboot
	[[ "$output" == *'linux: up'* ]]
	[ "$(sha256sum "$memory/$file1g")" = "$before" ]
}

@test "--dry-run --shell prints a command that boots the guest without exomem" {
	need_qemu
	command=$(exomem_run --dry-run --shell $tcg -M q35 -m 64 \
		-mem-path "$memory,mode=create,mmap=shared,anyfs" -kernel "$GUEST")
	assert_empty "$memory"
	assert_guests
	mkfifo "$T/shell.in"
	sh -c "$command" <>"$T/shell.in" >"$T/shell.out" 2>&1 3>&- &
	pid=$!
	pids=$pid
	wait_for "$T/shell.out" 'tiny: up'
	assert_holds "$memory" qemu_back_mem.0+4000000.pc.ram
	# The same lock holds as if exomem had started it.
	run exomem_run -M q35 -m 64 -mem-path "$memory,mode=open,mmap=shared,anyfs"
	assert_refused 5 'is in use by pid'
	say shell poweroff
	wait_gone "$pid"
}

@test "a stream saved by hand from one guest loads into another on the same file" {
	need_qemu
	start parent $tcg -M q35 -m 64 -mem-path "$memory,mode=create,mmap=shared,anyfs" \
		-kernel "$GUEST" -qmp "unix:$T/qmp,server=on,wait=off"
	wait_for "$T/parent.out" '^tick 2'
	say parent 'fill 16M 9'
	wait_for "$T/parent.out" '^filled'
	qmp_lines '{"execute":"migrate-set-capabilities","arguments":{"capabilities":[{"capability":"x-ignore-shared","state":true}]}}' \
		"{\"execute\":\"migrate\",\"arguments\":{\"uri\":\"exec:cat >$T/devices\"}}"
	deadline=$((SECONDS + 20))
	until qmp_lines '{"execute":"query-migrate"}' | grep -q '"completed"'; do
		[ "$SECONDS" -lt "$deadline" ]
		sleep 0.2
	done
	qmp_lines '{"execute":"quit"}'
	wait_gone "$pid"
	rm -f "$T/qmp"
	start child $tcg -M q35 -m 64 -mem-path "$memory,mode=open,mmap=private,anyfs" \
		-kernel "$GUEST" -incoming defer -qmp "unix:$T/qmp,server=on,wait=off"
	deadline=$((SECONDS + 20))
	until [ -S "$T/qmp" ]; do
		[ "$SECONDS" -lt "$deadline" ]
		sleep 0.1
	done
	qmp_lines '{"execute":"migrate-set-capabilities","arguments":{"capabilities":[{"capability":"x-ignore-shared","state":true}]}}' \
		"{\"execute\":\"migrate-incoming\",\"arguments\":{\"uri\":\"exec:cat $T/devices\"}}"
	wait_for "$T/child.out" '^tick'
	say child 'verify 16M 9'
	wait_for "$T/child.out" '^verified'
}
