#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# migrate_faults.bats - whatever goes wrong at whichever step of a migration between two hosts, on either
# of them, between them or at the file server: one guest runs, or none and its state is on the server,
# from which one command resumes it. Never two.

# lab: disk=512M timeout=3400

# bats, lab.bash, migrate.bash and moves.bash set the other variables.
# shellcheck disable=SC2030,SC2031,SC2034,SC2154

load lab
load ../integration/migrate
load moves

# One of each of the seven things that a migration does: check, rehearse, prepare, pause, commit,
# take over, clean up.
steps='check rehearse prepare flush-memory commit take-over clean-up'

setup_file() {
	export BATS_TEST_TIMEOUT=1200
	lab_disk ext4 /srv/nfs
	two_hosts
}

start_anew() {
	at_host 1 vm stop --kill --all >/dev/null 2>&1 || true
	at_host 2 vm stop --kill --all >/dev/null 2>&1 || true
	[ -z "${served-}" ] || rm -rf "$served"
	use_server
	state=$T/state1 there=$T/state2
	boot_movable web
}

# A fault as soon as a step begins, and its end when the migration has ended or $seconds are over.
fail_at_each_step() { # FAULT [EXOMEM-MIGRATE-ARGUMENT]...
	hits=0 resumed=0 lost=0
	for step in $steps; do
		start_anew
		move_until "$step" "${@:2}"
		if "begin_$1"; then hits=$((hits + 1)); fi
		kill -CONT "$main" 2>/dev/null || true
		"end_$1"
		go_on_moving
		wait_until_clear
		assert_one_guest "$victim" "$step"
	done
	echo "# $1: $hits times, $resumed resumed from disk, $lost gone" >&3
}

# Until both hosts can say what runs there.
wait_until_clear() {
	local host
	for host in 1 2; do
		timeout 60 "exomem$host" list -q --state-dir "$T/state$host" >"$T/list"
	done
}

begin_death() { kill_whom "$victim"; }
end_death() { :; }

@test "exomem is killed" {
	victim=exomem
	fail_at_each_step death
	[ "$hits" = 7 ]
	[ "$lost" = 0 ]
}

@test "the destination's exomem is killed" {
	victim=receiver
	fail_at_each_step death
	[ "$hits" -ge 6 ]
	[ "$lost" = 0 ]
}

@test "both are killed" {
	victim=both
	fail_at_each_step death
	[ "$hits" = 7 ]
	[ "$lost" = 0 ]
}

@test "the destination's QEMU is killed" {
	victim=new-qemu
	fail_at_each_step death
	[ "$hits" -ge 2 ]
}

@test "the guest's QEMU is killed" {
	victim=old-qemu
	fail_at_each_step death
	[ "$hits" -ge 5 ]
}

# The destination hears nothing more, and neither does the server hear of it; it comes back when the
# source has given up.
begin_silence() { ip link set host2 down; }
end_silence() {
	wait "$main" || true
	ip link set host2 up
}

@test "packets to and from the destination are dropped" {
	victim=silence
	fail_at_each_step silence --timeout 15
	[ "$hits" = 7 ]
	[ "$lost" = 0 ]
}

# For less than a lease.
begin_loss() { ip link set host1 down; }
end_loss() {
	sleep 4
	ip link set host1 up
}

@test "packets to and from the source are dropped for a while" {
	victim=loss
	fail_at_each_step loss --timeout 60
	[ "$hits" = 7 ]
	[ "$lost" = 0 ]
}

# When it is back it gives its clients the time to claim their locks again.
begin_absence() { rpc.nfsd 0; }
end_absence() {
	sleep 3
	rpc.nfsd 4
}

@test "the server stops, and starts again" {
	victim=absence
	fail_at_each_step absence --timeout 90
	[ "$hits" = 7 ]
	[ "$lost" = 0 ]
}

begin_full_disk() { ! head -c 1G /dev/zero 2>/dev/null >/srv/nfs/filler; }
end_full_disk() {
	wait "$main" || true
	rm /srv/nfs/filler
}

@test "the server's disk is full" {
	victim=full_disk
	fail_at_each_step full_disk
	[ "$hits" = 7 ]
	[ "$lost" = 0 ]
}
