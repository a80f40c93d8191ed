#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# migrate.bats - guests move by ssh between two hosts that share nothing but a directory of an NFS server.

# lab: timeout=1800

# bats, lab.bash and moves.bash set the other variables; words are split on purpose ($tiny).
# shellcheck disable=SC2030,SC2031,SC2034,SC2086,SC2154

load lab
load moves

setup_file() {
	export BATS_TEST_TIMEOUT=500
	two_hosts
}

@test "a guest moves ten times between two hosts, by NFS 4.2" {
	use_server
	boot_movable web
	for hop in 1 2 3 4 5 6 7 8 9 10; do
		at_host "$here" fill web 8M "$hop"
		hand_over web
		at_host "$here" assert_filled web 8M "$hop"
	done
	[ "$here" = 1 ]
	assert_here web 10
}

# bats test_tags=short
@test "a network that takes its time: 5 ms each way" {
	use_server
	boot_movable web
	lab_delay 5ms
	hand_over --json web >"$T/json"
	lab_delay 0
	# At least one answer was waited for.
	[ "$(jq '."round-trip-us"' "$T/json")" -ge 10000 ]
	assert_here web
}

# bats test_tags=short
@test "its lock goes with it" {
	use_server
	boot_movable web
	hand_over web
	run -5 exomem1 run --state-dir "$T/state1" $tiny \
		-mem-path "$memory,mode=open,mmap=shared,anyfs"
	[[ "$output" == *"in use"* ]]
	at_host 2 vm stop --kill web
	exomem1 run --state-dir "$T/state1" --detach --name next $tiny \
		-mem-path "$memory,mode=open,mmap=shared,anyfs" 3>&- 4>&-
}

@test "what one host has read before, it reads anew" {
	use_server
	boot_movable web
	on-host 2 cat "$memory/$file" >/dev/null
	hand_over web
	at_host 2 fill web 8M 2
	on-host 1 cat "$memory/$file" >/dev/null
	hand_over web
	assert_here web 2
}

@test "another name of the directory there" {
	use_server
	lab_mount_nfs 2 /other
	boot_movable web
	hand_over --path-map /mnt=/other web
	assert_here web
	exomem2 show --json --state-dir "$T/state2" web >"$T/json"
	[[ "$(jq -r '.memory[0].path' "$T/json")" == /other/* ]]
}

@test "NFS 3: with a warning of what is lost" {
	use_server
	lab_mount_nfs 1 /mnt3 vers=3
	lab_mount_nfs 2 /mnt3 vers=3
	memory=/mnt3/${served##*/}
	boot_movable web
	hand_over web 2>"$T/warnings"
	grep -q 'vers=3' "$T/warnings"
	assert_here web
}

@test "mounts that lose data, or a guest, are refused at the destination" {
	use_server
	boot_movable web
	for options in soft nolock,vers=3 local_lock=all,vers=3 nocto; do
		lab_mount_nfs 2 "/mnt-$options" "$options"
		run hand_over --path-map "/mnt=/mnt-$options" web
		echo "$output"
		[ "$status" = 3 ]
		on-host 2 umount "/mnt-$options"
	done
	assert_here web
}

@test "mounts that lose data, or a guest, are refused at the source" {
	use_server
	lab_mount_nfs 1 /soft soft
	memory=/soft/${served##*/}
	run_options=--trust-mount boot_movable web
	run -3 hand_over web
	[[ "$output" == *"soft"* ]]
	assert_here web
}

@test "--private: the guest lives on there, its files stay, and another takes them" {
	use_server
	boot_movable web
	hand_over --private web
	sum=$(sha256sum <"$served/$file")
	at_host 2 fill web 8M 9
	at_host 2 assert_filled web 8M 9
	[ "$(sha256sum <"$served/$file")" = "$sum" ]
	at_host 2 vm stop --kill web
	exomem1 receive -q --state-dir "$T/state1" "$memory/web.handover" 3>&- 4>&-
	at_host 1 assert_filled web 8M 7
}

# bats test_tags=short
@test "by hand: received once, on whichever host" {
	use_server
	boot_movable web
	exomem1 migrate -q --state-dir "$T/state1" --to "$memory/state" web
	on-host 1 cp -a "$memory/state" "$T/copy"
	exomem2 receive -q --state-dir "$T/state2" "$memory/state" 3>&- 4>&-
	here=2
	assert_here web
	at_host 2 vm stop --kill web
	run -5 exomem1 receive --state-dir "$T/state1" "$T/copy"
	[[ "$output" == *'was changed after it was saved'* ]]
}

@test "a template on the server has five children on each host, and stays as it was" {
	use_server
	mkdir "$served/templates"
	boot_movable parent
	exomem1 save -q --state-dir "$T/state1" --templates "$memory/templates" parent
	sum=$(sha256sum <"$served/$file")
	for host in 1 2; do
		"exomem$host" clone --state-dir "$T/state$host" --templates "$memory/templates" -n 5 \
			--name "host$host-" parent 3>&- 4>&- >/dev/null &
		starters="${starters-} $!"
	done
	for starter in $starters; do wait "$starter"; done
	for host in 1 2; do
		children=$("exomem$host" list -q --state-dir "$T/state$host")
		[ "$(wc -w <<<"$children")" = 5 ]
		for child in $children; do
			at_host "$host" assert_filled "$child" 8M 7
			at_host "$host" fill "$child" 8M 9
			at_host "$host" assert_filled "$child" 8M 9
		done
	done
	[ "$(sha256sum <"$served/$file")" = "$sum" ]
}

@test "two hosts ask for one guest's state at the same time: one gets it" {
	use_server
	boot_movable web
	exomem1 migrate -q --state-dir "$T/state1" --to "$memory/state" web
	for host in 1 2; do
		"exomem$host" receive -q --state-dir "$T/state$host" "$memory/state" 3>&- 4>&- \
			>"$T/out$host" 2>&1 &
		starters="${starters-} $!"
	done
	got=0
	for starter in $starters; do
		if wait "$starter"; then got=$((got + 1)); fi
	done
	cat "$T"/out?
	[ "$got" = 1 ]
	[ "$(exomem1 list -q --state-dir "$T/state1"; exomem2 list -q --state-dir "$T/state2")" = web ]
	[ "$(exomem1 list -q --state-dir "$T/state1")" = web ] || here=2
	assert_here web
}

@test "ssh that asks for a password is refused at once, and the guest runs on" {
	use_server
	boot_movable web
	lab_ssh_needs_password 2
	run hand_over web
	[ "$status" = 1 ]
	[[ "$output" == *"'ssh' has ended with status 255"* ]]
	assert_here web
}
