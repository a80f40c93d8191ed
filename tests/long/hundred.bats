#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# hundred.bats - one Linux guest is forked into a hundred children by one command; each has its parent's
# memory, an identity and random numbers of its own, and writes 16 MiB that no other sees.

# helper.bash and linux.bash set the other variables.
# shellcheck disable=SC2034,SC2154

load ../integration/helper
load ../integration/linux

children=100

setup() {
	use_folder
}

teardown() {
	:
}

# One that waits for a change of its identity, and then shows what it has, writes, and looks again.
write_own_script() {
	cat >"$T/script" <<'SCRIPT'
at=/sys/firmware/qemu_fw_cfg/by_name/opt/exomem/identity/raw
mkdir /tmp
mount -t tmpfs none /tmp
head -c 4194304 /dev/urandom >/tmp/data
became=none
while sleep 1; do
	random=$(hexdump -n 8 -e '8/1 "%02x"' /dev/urandom)
	read -r identity <"$at"
	name=${identity#name=}
	name=${name%% *}
	[ "$name" != "$became" ] || continue
	became=$name
	echo "first $random"
	echo "identity $identity"
	echo "memory $(md5sum </tmp/data)"
	{
		echo "$name"
		cat /tmp/data /tmp/data /tmp/data /tmp/data
	} >/tmp/own
	own=$(md5sum </tmp/own)
	echo "own $own"
	sleep 20
	[ "$(md5sum </tmp/own)" != "$own" ] || echo "kept $own"
	echo "again $(md5sum </tmp/data)"
	echo "became $name"
	# A hundred that look each second would leave no time for one.
	case $name in child-*) exec sleep 100000 ;; esac
done
SCRIPT
}

setup_file() {
	need_linux
	use_folder
	mkdir "$memory"
	write_own_script
	boot
	said parent >"$T/parent"
	vm fork --templates "$T/templates" -n "$children" --name child parent >"$T/forked"
	grep '^child-' "$T/forked" >"$T/names"
	while read -r name; do
		wait_for "$state/$name/log" "became $name" 600
		said "$name" >"$T/$name"
	done <"$T/names"
}

teardown_file() {
	use_folder
	"$EXOMEM" stop --state-dir "$state" --kill --all || true
}

@test "a hundred identities, and a hundred different first reads of /dev/urandom" {
	[ "$(wc -l <"$T/names")" = "$children" ]
	all_said identity >"$T/identities"
	assert_all_different "$T/identities"
	all_said first >"$T/random"
	assert_all_different "$T/random"
	run ! grep -f <(sed -n 's/^first //p' "$T/parent") "$T/random"
}

@test "a hundred times the parent's memory, before and after each has written 16 MiB of its own" {
	for word in memory again; do
		all_said "$word" >"$T/sums"
		[ "$(wc -l <"$T/sums")" = "$children" ]
		[ "$(cut -d' ' -f2- "$T/sums" | sort -u)" = "$(parent_sum)" ]
	done
	all_said own >"$T/owns"
	assert_all_different "$T/owns"
	# While the others wrote.
	all_said kept | diff "$T/owns" -
}

@test "they are all there, and the parent has not become another" {
	[ "$(vm list --json | jq '[.[] | select(.status == "running")] | length')" = $((children + 1)) ]
	[ "$(said parent | grep -c '^became')" = 1 ]
	vm usage --json | jq -e --argjson count "$children" '.copied >= $count * 16777216'
}
