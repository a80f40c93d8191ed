#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# migrate.bats - a guest is handed over by its memory file, to a second state directory of this machine,
# which stands for another host.

# helper.bash and template.bash set the other variables.
# shellcheck disable=SC2034,SC2154

load helper
load template
load migrate
load store

@test "a guest moves, with its memory, name, uuid and identity" {
	need_qemu
	boot_movable web
	vm show --json web | jq -S '{name, uuid, "generation-id", index}' >"$T/before"
	identity=$(ask web identity '^identity:')
	run -0 --separate-stderr move web other
	[ "$stderr" = '' ]
	assert_moved web
	there vm show --json web | jq -S '{name, uuid, "generation-id", index}' | diff "$T/before" -
	[ "$(there ask web identity '^identity:')" = "$identity" ]
	there vm stop --kill --all
}

@test "each step is named and timed" {
	need_qemu
	boot_movable web
	move --json web other >"$T/json"
	[ "$(jq -r '.steps | map(.step) | join(" ")' "$T/json")" = "make-template write-token check \
rehearse keep-memory sync-memory prepare save-devices freeze-guest flush-memory write-manifest \
send-state commit release-guest take-over clean-up" ]
	jq -e '.["pause-us"] > 0 and .["rehearsal-us"] > 0 and (.steps | all(.["time-us"] >= 0))' "$T/json"
	kill_all
}

@test "there and back, ten times" {
	need_qemu
	boot_movable web
	for i in $(seq 5); do
		move -q web other
		there fill web 8M "$i"
		there vm migrate -q --rsh "$T/rsh" --remote "$EXOMEM" --remote-state-dir "$state" web back
		assert_filled web 8M "$i"
	done
	kill_all
	assert_no_process
}

@test "by hand: the state is left, and received once" {
	need_qemu
	boot_movable web
	run -0 vm migrate --to "$memory/state" web
	[[ "${lines[-1]}" == "'exomem receive $memory/state' resumes it" ]]
	[ "$(vm list -q)" = '' ]
	cp -a "$memory/state" "$T/copy"
	[ "$(there vm receive "$memory/state")" = web ]
	assert_moved web
	# What it was is over: its memory has changed since.
	run there vm receive "$T/copy"
	assert_refused 5 'was changed after it was saved'
	there assert_unharmed web
	kill_all
}

@test "by hand: a state that cannot be removed is named, and not received again" {
	need_strace
	boot_movable web
	vm migrate -q --to "$memory/state" web
	# Not its children: strace would wait for their end.
	strace -qq -o /dev/null -e trace=unlink,unlinkat,rmdir -e inject=unlink,unlinkat,rmdir:error=EIO \
		"$EXOMEM" receive --state-dir "$state" "$memory/state" 2>"$T/err"
	[ "$(cat "$T/err")" = "exomem receive: warning: '$memory/state' was received and cannot be removed: remove it" ]
	assert_unharmed web
	vm stop --kill web
	run vm receive "$memory/state"
	assert_refused 5 'holds no guest that was handed over'
}

@test "by hand, on tmpfs: it is received once" {
	need_qemu
	need_root 'mounts tmpfs'
	mount -t tmpfs none "$memory"
	boot_movable web
	vm migrate -q --to "$memory/state" web
	cp -a "$memory/state" "$T/copy"
	vm receive -q "$memory/state"
	vm stop --kill web
	run vm receive "$T/copy"
	assert_refused 5 'was changed after it was saved'
}

@test "a guest that rests, rests there too; --paused" {
	need_qemu
	boot_movable web
	vm qmp web stop >/dev/null
	move -q web other
	[ "$(there status_of web)" = paused ]
	there vm qmp web cont >/dev/null
	assert_moved web
	there vm migrate -q --to "$memory/state" web
	vm receive -q --paused "$memory/state"
	[ "$(status_of web)" = paused ]
	kill_all
}

@test "--private: its files stay as they are, and it can be taken again" {
	need_qemu
	boot_movable web
	move -q --private web other
	there assert_unharmed web
	sum=$(sha256sum <"$memory"/qemu_back_mem.*)
	there fill web 8M 9
	there assert_filled web 8M 9
	[ "$(sha256sum <"$memory"/qemu_back_mem.*)" = "$sum" ]
	there vm stop --kill web
	vm receive -q "$memory/web.handover"
	assert_filled web 8M 7
	kill_all
}

@test "paths that are called otherwise there" {
	need_qemu
	boot_movable web
	ln -s "$memory" "$T/mnt"
	run move --path-map "$memory=$T/nothing" web other
	[ "$status" = 5 ]
	[[ "$output" == *"exomem migrate: check: '$T/nothing/"*"--path-map"* ]]
	assert_stayed web
	mkdir "$T/bound"
	mount --bind "$memory" "$T/bound"
	move -q --path-map "$memory=$T/bound" web other
	[ "$(there vm show --json web | jq -r '.memory[0].path')" = "$T/bound/qemu_back_mem.0+4000000.pc.ram" ]
	assert_moved web
	kill_all
	umount -l "$T/bound"
}

@test "NUMA nodes: each has its file" {
	need_qemu
	boot_movable web -m 64 -smp 2 -numa node,mem=32M -numa node,mem=32M
	move -q web other
	assert_moved web
	kill_all
}

@test "a disk goes along: it is used by one at a time" {
	need_qemu
	truncate -s 16M "$T/disk.raw"
	boot_movable web -drive "file=$T/disk.raw,format=raw,if=virtio"
	move -q web other
	assert_moved web
	kill_all
}

@test "what cannot move is refused in one line, and runs on" {
	need_qemu
	elsewhere
	boot temp -mem-path "$memory,anyfs"
	run move temp other
	assert_refused 3 "in no file that another host could open"
	boot none
	run move none other
	assert_refused 3 "in no file that another host could open"
	vm stop --kill --all
	boot_movable web
	run move nobody other
	assert_refused 5 "no guest 'nobody'"
	run vm migrate web
	assert_refused 2 "name a host behind 'web'"
	run vm migrate --timeout soon nobody other
	assert_refused 2 "--timeout: 'soon'"
	run vm migrate --to "$memory/x" web other
	assert_refused 2 "'other' and '--to' exclude each other"
	mkdir "$memory/taken"
	run vm migrate --to "$memory/taken" web
	assert_refused 5 "'$memory/taken' exists"
	rmdir "$memory/taken"
	run vm receive "$memory"
	assert_refused 5 "'$memory' holds no guest that was handed over"
	run vm receive --path-map mem "$memory"
	assert_refused 2 "--path-map: 'mem'"
	assert_stayed web
	kill_all
}

@test "a destination that cannot take it says why, and the guest runs on" {
	need_qemu
	boot_movable web
	run move -q --remote false web other
	[ "$status" = 1 ]
	[[ "${lines[-1]}" == "exomem migrate: check: '$T/rsh' has ended with status 1" ]]
	assert_stayed web
	run move -q --remote 'echo hello' web other
	[[ "${lines[-1]}" == "exomem migrate: check: the peer is not exomem: 'hello"* ]]
	assert_stayed web
	run move -q --qemu /bin/true web other
	[ "$status" = 3 ]
	assert_stayed web
	there boot web
	run move -q web other
	[ "$status" = 5 ]
	[[ "${lines[-1]}" == "exomem migrate: check: name 'web' is taken (pid "* ]]
	there vm stop --kill web
	assert_stayed web
	kill_all
}

@test "two at once: one moves it, the other is told" {
	need_qemu
	boot_movable web
	move -q web other >"$T/one" 2>&1 3>&- &
	one=$!
	rc=0
	move -q web other >"$T/two" 2>&1 || rc=$?
	wait "$one" && [ "$rc" != 0 ] || [ "$rc" = 0 ]
	assert_moved web
	kill_all
}

@test "a template is no guest, and is not received" {
	need_qemu
	boot_and_save web
	run vm receive "$T/templates/web"
	assert_refused 5 "is a template"
}

@test "a destination without room refuses it with the arithmetic, and it runs on; --overcommit" {
	need_qemu
	boot_movable web
	there configure 32
	run move -q --remote-config "$T/conf" web other
	assert_refused 4 "check: needs 64 MiB; configured 32, reserved 0, committed 0 (0 guests), free 32; \
'--overcommit' starts it all the same"
	assert_stayed web
	assert_empty_of_guests "$T/there"
	run -0 --separate-stderr move -q --overcommit --remote-config "$T/conf" web other
	[[ $stderr = *'warning: does not fit: needs 64 MiB; configured 32,'* ]]
	assert_moved web
	grep -q "guest 'web': needs 64 MiB" "$T/there/.overcommit"
	jq -e .overcommit "$T/there/web/commitment"
	kill_all
}

@test "what is private counts against the destination's memory" {
	need_qemu
	boot_movable web
	total=$(awk '/^MemTotal/ { print int($2 / 1024) }' /proc/meminfo)
	there configure 1000000 "reserved_host_memory_mb = $((total - 32))"
	run move -q --private --remote-config "$T/conf" web other
	assert_refused 4 "check: needs 64 MiB of RAM; the host has $total"
	assert_unharmed web
	move -q --remote-config "$T/conf" web other
	assert_moved web
	kill_all
}

@test "between two state directories of one host its file counts once" {
	need_qemu
	boot_movable web
	configure 64
	move -q --remote-config "$T/conf" web other
	assert_moved web
	[ "$(jq '.charges[].bytes' "$T/there/web/commitment")" = $((64 << 20)) ]
	assert_empty_of_guests "$T/there" web
	there vm migrate -q --rsh "$T/rsh" --remote "$EXOMEM" --remote-state-dir "$state" \
		--remote-config "$T/conf" web back
	assert_unharmed web
	kill_all
}

@test "by hand: what does not fit is refused, and received where it does" {
	need_qemu
	boot_movable web
	vm migrate -q --to "$memory/state" web
	there configure 32
	run there vm receive --config "$T/conf" "$memory/state"
	assert_refused 4 'needs 64 MiB; configured 32'
	assert_empty_of_guests "$T/there"
	there configure 64
	there vm receive -q --config "$T/conf" "$memory/state"
	assert_moved web
	[ "$(jq '.charges[].bytes' "$T/there/web/commitment")" = $((64 << 20)) ]
	kill_all
}

# The way there ends behind the first word, "check", until somebody writes to the gate.
gate() {
	mkfifo "$T/gate"
	cat >"$T/rsh" <<-RSH
		#!/bin/bash
		unset EXOMEM_DEBUG
		shift
		{
			IFS= read -r line
			printf '%s\n' "\$line"
			read -t 60 -r _ <>"$T/gate"
			cat
		} | "\$@"
	RSH
}

# One more guest of 64 MiB in the store, on the other host.
boot_late() {
	# shellcheck disable=SC2086 # words
	there vm run --detach --config "$T/conf" --name late $tiny -mem-path "$memory,anyfs"
}

@test "from the check on it counts there, until it runs or is given up" {
	need_qemu
	boot_movable web
	there configure 100
	gate
	move -q --no-rehearsal --remote-config "$T/conf" web other 3>&- &
	mover=$!
	until [ -e "$T/there/web.arrival/commitment" ]; do sleep 0.05; done
	[ "$(there vm list -q)" = '' ]
	run boot_late
	assert_refused 4 'needs 64 MiB; configured 100, reserved 0, committed 64 (1 guest), free 36'
	echo >"$T/gate"
	wait "$mover"
	assert_moved web
	run boot_late
	assert_refused 4 'committed 64 (1 guest), free 36'
	there vm stop --kill web
	boot_late
	kill_all
}

@test "one who promised to take it and is killed holds no room" {
	need_qemu
	boot_movable web
	there configure 100
	gate
	# It may be killed before it has answered, and the gate is no end of the way there.
	move -q --no-rehearsal --timeout 10 --remote-config "$T/conf" web other >"$T/moved" 2>&1 3>&- &
	mover=$!
	until [ -e "$T/there/web.arrival/commitment" ]; do sleep 0.05; done
	kill -KILL "$(pgrep -f "^$EXOMEM receive.*$T/there")"
	echo >"$T/gate"
	rc=0
	wait "$mover" || rc=$?
	[ "$rc" != 0 ]
	assert_unharmed web
	boot_late
	kill_all
}

@test "a device that QEMU cannot move: refused in its words, and the guest runs on" {
	need_qemu
	boot_movable web -device qemu-xhci -device usb-uas
	run move -q web other
	[ "$status" != 0 ]
	[[ "$output" == *"usb-uas"* ]]
	assert_stayed web
}

@test "an older QEMU there, or none: refused, and the guest runs on" {
	need_two_qemus
	EXOMEM_QEMU=$newer boot_movable web
	run move -q --qemu "$older" web other
	assert_refused 3 "and '$older' is older"
	assert_stayed web
	run move -q --qemu /nowhere web other
	assert_refused 3 "QEMU binary '/nowhere'"
	assert_stayed web
	kill_all
}

@test "a state that the QEMU there cannot load: its words, and the guest runs on" {
	need_qemu
	boot_movable web -device virtio-rng-pci
	cat >"$T/other-qemu" <<-END
		#!/bin/bash
		exec ${EXOMEM_QEMU:-qemu-system-x86_64} "\${@/virtio-rng-pci/isa-debug-exit}"
	END
	chmod +x "$T/other-qemu"
	run move -q --qemu "$T/other-qemu" web other
	echo "$output"
	assert_refused 1 'rehearse: QEMU could not load the state: '
	[[ "$output" == *virtio-rng* ]]
	assert_stayed web
	kill_all
}

# QEMU may take 10 s for an answer; what is done between two questions does not count.
@test "a destination that takes its time is waited for" {
	need_qemu
	boot_movable web
	sed -i 's/^shift$/sleep 11; shift/' "$T/rsh"
	move -q web other
	assert_moved web
	kill_all
}

@test "a destination whose clock is wrong: warned of, and the guest moves" {
	need_qemu
	boot_movable web
	# What the time is there is said in microseconds since 1970; here it is a day ago.
	cat >"$T/rsh" <<-'END'
		#!/bin/bash
		"${@:2}" | while IFS= read -r line; do
			if [[ $line =~ (.*\"now\":\ ?)([0-9]+)([0-9]{6}.*) ]]; then
				line=${BASH_REMATCH[1]}$((BASH_REMATCH[2] - 86400))${BASH_REMATCH[3]}
			fi
			printf '%s\n' "$line"
		done
	END
	run -0 --separate-stderr move web other
	[[ "$stderr" == *'warning: the clocks of the two hosts differ by seconds' ]]
	assert_moved web
	kill_all
}

@test "memory that was moved or replaced is not what the other host would open" {
	need_qemu
	boot_movable web
	mv "$memory/$file" "$memory/$file.old"
	run move -q web other
	echo "$output"
	[ "$status" = 5 ]
	cp "$memory/$file.old" "$memory/$file"
	run move -q web other
	echo "$output"
	[ "$status" = 5 ]
	mv "$memory/$file.old" "$memory/$file"
	move -q web other
	assert_moved web
}

# --- who is at the other end ---

# "Another host", whose channel has the first message of one side changed by a command of sed -E.
elsewhere_with() { # source|destination COMMAND
	cat >"$T/first" <<-END
		#!/bin/sh
		IFS= read -r line
		printf '%s\\n' "\$line" | sed -E '$2'
		exec cat
	END
	case $1 in
	source) printf '#!/bin/sh\nshift\n%s | "$@"\n' "$T/first" >"$T/rsh" ;;
	destination) printf '#!/bin/sh\nshift\n"$@" | %s\n' "$T/first" >"$T/rsh" ;;
	esac
	chmod +x "$T/rsh" "$T/first"
}

@test "two releases that do not know each other's protocol: each is named, and the guest runs on" {
	need_qemu
	boot_movable web
	own="exomem $("$EXOMEM" --version | sed 's/^exomem //') (protocol 2)"
	unnamed='s/"protocol": ?2, ?"version": ?"[^"]*", ?//'
	later='s/"protocol": ?2, ?"version": ?"[^"]*"/"protocol":3,"version":"9.1"/'
	elsewhere_with source "$unnamed"
	run move -q web other
	assert_refused 3 "the source has an older exomem without a protocol version, and the destination $own"
	elsewhere_with destination "$unnamed"
	run move -q web other
	assert_refused 3 "the source has $own, and the destination an older exomem without a protocol version"
	elsewhere_with source "$later"
	run move -q web other
	assert_refused 3 "the source has exomem 9.1 (protocol 3), and the destination $own: install one release"
	elsewhere_with destination "$later"
	run move -q web other
	assert_refused 3 "the source has $own, and the destination exomem 9.1 (protocol 3): install one release"
	assert_stayed web
}

@test "a file system of one host is for one kernel: refused where the source has another; --trust-mount" {
	need_qemu
	boot_movable web
	elsewhere_with source 's/"boot-id": ?"[^"]*"/"boot-id":"another"/'
	run move -q web other
	assert_refused 3 "a file system of one host"
	assert_stayed web
	run move -q --trust-mount web other
	[ "$status" = 0 ]
	[[ "$output" == *"warning: "*"a file system of one host"* ]]
	assert_moved web
	there vm stop --kill --all
}
