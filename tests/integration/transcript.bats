#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# transcript.bats - children of a state that xen-save-devices-state has saved, and of other states.

# Words are split on purpose ($tcg); bats and helper.bash set the other variables.
# shellcheck disable=SC2030,SC2031,SC2034,SC2086,SC2154

load helper

file='qemu_back_mem.0+4000000.pc.ram'
private='mode=open,mmap=private,anyfs'
save_devices='{"execute":"xen-save-devices-state","arguments":{"filename":"devices"}}'

# A guest whose devices other than the serial line are the machine's defaults.
tiny() { # LABEL MEMORY-OPTION [OPTION]..., and $options of exomem
	label=$1 option=$2
	shift 2
	start "$label" ${options-} -accel tcg -display none -serial stdio -m 64 -kernel "$GUEST" \
		-mem-path "$memory,$option" "$@"
}

# What a guest's memory sums up to: its whole line, which another follows.
sum_of() { # LABEL
	say "$1" 'sum 60M'
	say "$1" next
	wait_for "$T/$1.out" '^unknown: next'
	grep -a '^sum 60 MiB is' "$T/$1.out"
}

qmp_socket() {
	echo "unix:$T/qmp,server=on,wait=off"
}

# A guest in $T that has filled its memory; $sum is what that sums up to. It is stopped.
make_parent() { # MEMORY-OPTION
	need_qemu
	cd "$T" || return
	tiny parent "$1" -qmp "$(qmp_socket)"
	wait_for "$T/parent.out" 'tick 1'
	say parent 'fill 60M 7'
	wait_for "$T/parent.out" '^filled'
	sum=$(sum_of parent)
	qmp_lines '{"execute":"stop"}' >"$T/qmp.log"
}

# Makes the guest behind $T/qmp run, which was stopped when it was saved.
resume() {
	deadline=$((SECONDS + 20))
	until qmp_lines '{"execute":"cont"}' '{"execute":"query-status"}' 2>/dev/null |
		grep -q '"running": true'; do
		[ "$SECONDS" -lt "$deadline" ]
	done
}

# Saves memory and devices of the guest behind $T/qmp, and ends it.
migrate_and_quit() {
	qmp_lines '{"execute":"migrate","arguments":{"uri":"exec:cat >devices"}}' >"$T/qmp.log"
	deadline=$((SECONDS + 20))
	until qmp_lines '{"execute":"query-migrate"}' | grep -q '"status": "completed"'; do
		[ "$SECONDS" -lt "$deadline" ]
	done
	qmp_lines '{"execute":"quit"}' >"$T/qmp.log"
	wait_gone "$pid"
}

# Makes $T/devices and the memory that goes with it.
make_transcript() {
	make_parent mode=create,mmap=shared,anyfs
	qmp_lines "$save_devices" '{"execute":"quit"}' >"$T/qmp.log"
	wait_gone "$pid"
	[ -s devices ]
}

# A child has gone on from its parent's tick and finds the parent's memory.
assert_is_child() { # LABEL
	wait_for "$T/$1.out" '^tick [2-9]'
	run ! grep -qa 'tiny: up' "$T/$1.out"
	[ "$(sum_of "$1")" = "$sum" ]
}

is_told_of_format() { # PID
	tr '\0' '\n' <"/proc/$1/cmdline" | grep -qx migration.send-configuration=off
}

@test "examples/transcript.sh: the script as a user would run it, which leaves nothing" {
	need_qemu
	run -0 timeout 100 "$BATS_TEST_DIRNAME/../../examples/transcript.sh" 2 64m "$T"
	[[ "$output" == *"child2> verify 32M 7: verified 32 MiB key 7"* ]]
	[[ "$output" == *"child2> verify 4M 102: verified 4 MiB key 102"* ]]
	[[ "$output" == *"is in use by guest 'child"* ]]
	[[ "$output" == *"The memory of the parent is as it was, after 2 children"* ]]
	assert_holds "$T" memory
}

@test "children find their parent's memory, part ways, and keep writers out" {
	make_transcript
	before=$(sha256sum "$memory/$file")
	for child in 1 2 3; do
		tiny "child$child" "$private" -incoming 'exec:cat devices'
	done
	for child in 1 2 3; do
		assert_is_child "child$child"
		[ ! -s "$T/child$child.err" ]
		say "child$child" "fill 32M $child"
		wait_for "$T/child$child.out" "^filled 32 MiB key $child"
	done
	run exomem_run -m 64 -mem-path "$memory,mode=open,mmap=shared,anyfs"
	assert_refused 5 'is in use by guest'
	for child in 1 2 3; do
		say "child$child" "verify 32M $child"
		wait_for "$T/child$child.out" "^verified 32 MiB key $child"
	done
	for pid in $pids; do
		kill -KILL "$pid" || true
		wait "$pid" || true
	done
	[ "$(sha256sum "$memory/$file")" = "$before" ]
	# Now one may write it: the parent goes on.
	tiny again mode=open,mmap=shared,anyfs -incoming 'exec:cat devices'
	assert_is_child again
	say again 'fill 32M 8'
	wait_for "$T/again.out" '^filled'
	[ "$(sha256sum "$memory/$file")" != "$before" ]
}

@test "the state is seen in every kind of file, and a descriptor stays where it stands" {
	make_transcript
	mv devices 'all devices'
	head -c 4096 /dev/zero >shifted
	cat 'all devices' >>shifted
	tiny redirect "$private" -incoming 'exec:cat <"all devices"'
	assert_is_child redirect
	tiny quoted "$private" -incoming "exec:cat 'all devices'"
	assert_is_child quoted
	exec 7<shifted
	dd bs=4096 count=1 of=/dev/null <&7 2>/dev/null
	if [ "$(qemu_major)" -lt 11 ]; then
		tiny descriptor "$private" -incoming fd:7
		assert_is_child descriptor
	else
		run exomem_run -m 64 -mem-path "$memory,$private" -incoming fd:7
		assert_refused 3 "'fd:7' is a plain file"
	fi
	exec 7<&-
	run -0 "$EXOMEM" probe --json
	jq -e '.transports | index("file")' <<<"$output" || return 0
	tiny file "$private" -incoming 'file:all devices'
	assert_is_child file
	tiny offset "$private" -incoming file:shifted,offset=4K
	assert_is_child offset
}

@test "placeholders name each child's state and disk; a detached child finds its file, too" {
	make_transcript
	command -v qemu-img >/dev/null || lacks qemu 'no qemu-img is installed'
	mv devices child-1.devices
	ln child-1.devices child-2.devices
	for i in 1 2; do
		qemu-img create -q -f qcow2 "child-$i.qcow2" 64M
		exomem_run --name "child-$i" --detach -accel tcg -display none -serial stdio -m 64 \
			-kernel "$GUEST" -mem-path "$memory,$private" \
			-incoming 'exec:cat @{name}.devices' -drive 'file=@{name}.qcow2,if=none' 3>&-
		pids="$pids $(jq .pid "$state/child-$i/vm.json")"
		wait_for "$state/child-$i/log" '^tick [2-9]'
	done
}

@test "a state that is missing, empty or none is refused before anything is made" {
	need_qemu
	cd "$T"
	: >empty
	echo 'no state' >text
	run exomem_run -m 64 -mem-path "$memory,mode=create,anyfs" -incoming 'exec:cat devices'
	assert_refused 5 "-incoming: 'devices' does not exist"
	run exomem_run -m 64 -mem-path "$memory,mode=create,anyfs" -incoming 'exec:cat empty'
	assert_refused 5 "-incoming: 'empty' is empty"
	run exomem_run -m 64 -mem-path "$memory,mode=create,anyfs" -incoming 'file:text'
	assert_refused 5 "-incoming: 'text' is no migration stream"
	run exomem_run -m 64 -mem-path "$memory,mode=create,anyfs" -incoming 'fd:0' <text
	assert_refused 5 "-incoming: 'fd:0' is no migration stream"
	assert_guests
	assert_empty "$memory"
}

@test "--state-format says what cannot be seen" {
	make_transcript
	tiny blind "$private" -incoming 'exec:dd if=devices status=none'
	wait_for "$T/blind.err" 'Configuration section missing'
	options=--state-format=xen
	tiny told "$private" -incoming 'exec:dd if=devices status=none'
	assert_is_child told
	run exomem_run --state-format=qemu -m 64 -mem-path "$memory,$private" \
		-incoming 'exec:cat devices'
	assert_refused 2 "'devices' has no configuration section"
}

@test "a whole state of QEMU loads as ever, and so does one of a child, which has no configuration" {
	make_parent mode=temp,anyfs
	migrate_and_quit
	tiny first mode=temp,anyfs -incoming 'exec:cat devices' -qmp "$(qmp_socket)"
	resume
	assert_is_child first
	run ! is_told_of_format "$pid"
	kill -KILL "$pid"
	rm parent.in devices
	make_transcript
	tiny second "$private" -incoming 'exec:cat devices' -qmp "$(qmp_socket)"
	assert_is_child second
	is_told_of_format "$pid"
	migrate_and_quit
	tiny third mode=temp,anyfs -incoming 'exec:cat devices'
	assert_is_child third
	is_told_of_format "$pid"
}

@test "a state without shared memory is refused before QEMU 11 and loaded from QEMU 11 on" {
	make_parent mode=create,mmap=shared,anyfs
	qmp_lines '{"execute":"migrate-set-capabilities","arguments":{"capabilities":
		[{"capability":"x-ignore-shared","state":true}]}}' >"$T/qmp.log"
	migrate_and_quit
	[ "$(stat -c %s devices)" -lt 40000000 ]
	if [ "$(qemu_major)" -lt 11 ]; then
		run exomem_run -m 64 -mem-path "$memory,$private" -incoming 'exec:cat devices'
		assert_refused 3 "use 'exomem clone'"
	else
		tiny child "$private" -incoming 'exec:cat devices' -qmp "$(qmp_socket)"
		resume
		assert_is_child child
	fi
	tiny blind "$private" -incoming 'exec:dd if=devices status=none'
	wait_for "$T/blind.err" 'Capability x-ignore-shared is off, but received capability is on'
	wait_gone "$pid"
}

# A Linux whose memory and disk images are in $T; its prompt is "linux# ".
linux() { # LABEL MEMORY-OPTION IMAGE [OPTION]...
	label=$1 option=$2 image=$3
	shift 3
	start "$label" --name "$label" -accel tcg -display none -serial stdio -m 256 \
		-mem-path "$memory,$option,anyfs" -drive "file=$image,if=virtio" \
		-kernel "$LINUX/vmlinuz" -initrd "$LINUX/initrd.gz" \
		-append 'console=ttyS0 quiet no_timer_check panic=-1 mitigations=off' "$@"
}

# Says a command to a Linux; $answer is its one line of output. The quotes are not in the answer.
ask() { # LABEL COMMAND
	asked=$((${asked-0} + 1))
	say "$1" "echo answer''$asked: \$($2)"
	wait_for "$T/$1.out" "^answer$asked: .*"$'\r' 60
	answer=$(grep -a "^answer$asked: " "$T/$1.out" | tr -d '\r' | cut -d' ' -f2-)
}

# Writes a text to the disk of a Linux.
write_disk() { # LABEL TEXT
	ask "$1" "echo $2 | dd of=/dev/vda bs=512 conv=sync,fsync 2>/dev/null; echo written"
	[ "$answer" = written ]
}

# What the disk itself holds, and not the page cache in the guest's memory.
read_disk() { # LABEL
	ask "$1" 'echo 3 >/proc/sys/vm/drop_caches; head -n 1 /dev/vda'
}

@test "Linux with a qcow2 disk: children have overlays, or -snapshot; one image is not for two" {
	need_linux
	command -v qemu-img >/dev/null || lacks qemu 'no qemu-img is installed'
	cd "$T"
	qemu-img create -q -f qcow2 disk.qcow2 16M
	linux parent mode=create,mmap=shared disk.qcow2 -qmp "$(qmp_socket)"
	wait_for parent.out 'linux# ' 80
	write_disk parent of-parent
	ask parent 'dd if=/dev/urandom of=/ballast bs=1M count=16 2>/dev/null; md5sum /ballast'
	ballast=$answer
	[[ "$ballast" == *' /ballast' ]]
	qmp_lines '{"execute":"stop"}' "$save_devices" '{"execute":"quit"}' >qmp.log
	wait_gone "$pid"
	disk=$(sha256sum disk.qcow2)

	for child in child1 child2; do
		qemu-img create -q -b disk.qcow2 -F qcow2 -f qcow2 "$child.qcow2"
		linux "$child" mode=open,mmap=private "$child.qcow2" -incoming 'exec:cat devices'
	done
	for child in snapshot1 snapshot2; do
		linux "$child" mode=open,mmap=private disk.qcow2 -snapshot -incoming 'exec:cat devices'
	done
	for child in child1 child2 snapshot1 snapshot2; do
		# What is typed before the state is loaded goes to a serial line that it replaces.
		wait_for "$state/$child/vm.json" schema
		"$EXOMEM" wait --state-dir "$state" --for running --timeout 30 "$child"
		ask "$child" 'md5sum /ballast'
		[ "$answer" = "$ballast" ]
		read_disk "$child"
		[ "$answer" = of-parent ]
		write_disk "$child" "of-$child"
	done
	for child in child1 child2 snapshot1 snapshot2; do
		read_disk "$child"
		[ "$answer" = "of-$child" ]
	done

	# Without either, QEMU loads the state and then does not let the guest run.
	linux writer mode=open,mmap=private disk.qcow2 -incoming 'exec:cat devices' \
		-qmp "$(qmp_socket)"
	wait_for writer.err 'Failed to get "write" lock'
	qmp_lines '{"execute":"query-status"}' | grep '"running": false'
	[ "$(sha256sum disk.qcow2)" = "$disk" ]
}
