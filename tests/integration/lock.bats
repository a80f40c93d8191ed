#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# lock.bats - one guest writes a memory file, or many read it; one guest has a name.

# Words are split on purpose ($tcg); bats and helper.bash set the other variables.
# shellcheck disable=SC2030,SC2031,SC2034,SC2086,SC2154

load helper

file='qemu_back_mem.0+4000000.pc.ram'

guest() { # LABEL MEMORY-OPTION [OPTION]...
	label=$1 option=$2
	shift 2
	start "$label" "$@" $tcg -M q35 -m 64 -mem-path "$memory,$option,anyfs" -kernel "$GUEST"
	wait_for "$T/$label.out" 'tiny: up'
}

@test "a second guest on a shared file is refused, and told pid and name of the first" {
	need_qemu
	guest one mode=create,mmap=shared --name first
	for mapping in shared private; do
		run exomem_run -m 64 -mem-path "$memory,mode=open,mmap=$mapping,anyfs"
		assert_refused 5 "'$memory/$file' is in use by guest 'first' (pid $pid)"
	done
	kill -KILL "$pid"
	wait "$pid" || true
	# The kernel has dropped the lock with the process.
	guest two mode=open,mmap=shared
}

@test "private readers share a file, and keep a writer out" {
	need_qemu
	guest maker mode=create,mmap=shared
	say maker poweroff
	wait_gone "$pid"
	guest reader1 mode=open,mmap=private
	guest reader2 mode=open,mmap=private
	run exomem_run -m 64 -mem-path "$memory,mode=open,mmap=shared,anyfs"
	assert_refused 5 'is in use by guest'
}

@test "a name is taken once, and free again when its guest is gone" {
	need_qemu
	guest one mode=temp --name web
	run exomem_run --name web -m 64
	assert_refused 5 "name 'web' is taken (pid $pid)"
	run exomem_run -name guest=web -m 64
	assert_refused 5 "name 'web' is taken"
	kill -KILL "$pid"
	wait "$pid" || true
	guest two mode=temp --name web
	assert_guests web
}

@test "of eight starts with one name in the same instant one gets it" {
	need_qemu
	for i in 1 2 3 4 5 6 7 8; do
		"$EXOMEM" run --state-dir "$state" --name web -accel tcg -M q35 -m 64 -display none \
			-serial null >"$T/$i.log" 2>&1 3>&- &
		pids="$pids $!"
	done
	deadline=$((SECONDS + 20))
	until [ "$(cat "$T"/?.log | grep -c "name 'web' is taken")" = 7 ]; do
		[ "$SECONDS" -lt "$deadline" ]
		sleep 0.1
	done
	assert_guests web
}

@test "the record names the process that became QEMU" {
	need_qemu
	guest one mode=create --name web
	[ "$(jq -r '.pid' "$state/web/vm.json")" = "$pid" ]
	[ "$(jq -r '.memory[0].path' "$state/web/vm.json")" = "$memory/$file" ]
	[ "$(jq -r '."start-time"' "$state/web/vm.json")" = "$(cut -d' ' -f22 "/proc/$pid/stat")" ]
	[ "$(stat -c %a "$state" "$state/web" "$state/web/vm.json" | xargs)" = '700 700 600' ]
}

@test "a state directory of somebody else, or open to others, is refused" {
	need_qemu
	mkdir -m 0777 "$T/open"
	run "$EXOMEM" run --state-dir "$T/open" -m 64
	assert_refused 5 'must be yours alone'
	ln -s "$T" "$T/link"
	run "$EXOMEM" run --state-dir "$T/link" -m 64
	[ "$status" = 1 ]
	assert_empty "$T/open"
}
