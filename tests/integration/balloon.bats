#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# balloon.bats - each lever alone: balloon, reclaim and pause of a Linux guest, measured by usage.
#
# The guest is started once; its memory is a file on a disk.

# Some words are for the guest's shell; helper.bash and linux.bash set the other variables.
# shellcheck disable=SC2016,SC2034,SC2154

load helper
load linux

setup() {
	use_folder
}

teardown() {
	:
}

# Its kernel has written to most of its memory (init_on_free), so that most of it can be freed.
boot_linux() { # NAME RUN-ARGUMENT...
	name=$1
	shift
	kernel=$LINUX/vmlinux
	[ -e "$kernel" ] || kernel=$LINUX/vmlinuz
	vm run --detach --name "$name" -accel tcg -nodefaults -display none -M q35 -m 384 \
		-serial stdio -kernel "$kernel" -initrd "$LINUX/initrd.gz" \
		-append 'console=ttyS0 quiet no_timer_check panic=-1 mitigations=off init_on_free=1' "$@"
	wait_for "$state/$name/log" 'linux# ' 600
}

# Says a line to the shell of a guest, and waits for what it prints at last.
shell() { # NAME COMMAND
	before=$(grep -ac '^done-' "$state/$1/log" || true)
	echo "$2; echo done-\$?" | socat -t 1 - "UNIX-CONNECT:$state/$1/console.sock" >/dev/null
	deadline=$((SECONDS + 300))
	until [ "$(grep -ac '^done-' "$state/$1/log")" -gt "$before" ]; do
		[ "$SECONDS" -lt "$deadline" ] || return 1
		sleep 0.2
	done
}

sums_of_data() {
	grep -aoE '^[0-9a-f]{32}  -' "$state/lin/log"
}

# Two more checksums of the data, one of which began after now.
wait_sums() {
	before=$(sums_of_data | wc -l)
	deadline=$((SECONDS + 300))
	until [ "$(sums_of_data | wc -l)" -ge $((before + 2)) ]; do
		[ "$SECONDS" -lt "$deadline" ] || return 1
		sleep 0.2
	done
}

# On a busy host QEMU frees memory of a file slowly, and answers nothing meanwhile.
setup_file() {
	need_linux
	export BATS_TEST_TIMEOUT=900
	use_folder
	mkdir "$memory"
	boot_linux lin -mem-path "$memory,anyfs" -device virtio-balloon-pci,deflate-on-oom=on
	shell lin 'mkdir /tmp; mount -t tmpfs -o size=95% none /tmp; head -c 3000000 /dev/urandom >/tmp/data'
	# A balloon takes first what the guest has never touched, so it has to have touched most. How much
	# a kernel leaves it differs: of 384 MiB Linux 6.12 keeps 160, 6.1 half of that.
	shell lin 'set -- $(grep MemAvailable /proc/meminfo)
		dd if=/dev/zero of=/tmp/fill bs=1M count=$(($2 / 1024 - 32)); rm /tmp/fill'
	echo 'while sleep 1; do md5sum </tmp/data; done' |
		socat -t 1 - "UNIX-CONNECT:$state/lin/console.sock" >/dev/null
	wait_sums
}

teardown_file() {
	use_folder
	"$EXOMEM" stop --state-dir "$state" --kill --all || true
}

wait_until() { # COMMAND...
	deadline=$((SECONDS + 300))
	until "$@"; do
		[ "$SECONDS" -lt "$deadline" ] || return 1
		sleep 0.2
	done
}

has_balloon() { # MIB
	[[ "$(vm balloon lin 2>&1)" == "$1 MiB of 384 MiB"* ]]
}

is_smaller() {
	after=$(vm balloon --json lin | jq .after)
	[ "${after:-$((384 << 20))}" -lt $((384 << 20)) ]
}

has_status() { # STATUS
	[ "$(vm show --json lin | jq -r .status)" = "$1" ]
}

files() {
	vm usage --json | jq .files
}

# Whether a number is another one, give or take a tenth.
is_about() { # NUMBER NUMBER
	echo "$1 and $2"
	[ $(($1 * 10)) -ge $(($2 * 9)) ] && [ $(($1 * 10)) -le $(($2 * 11)) ]
}

@test "a balloon frees what it says, and returns it" {
	before=$(files)
	mapped=$(vm usage --json | jq '.guests[0].mapped')
	answer=$(vm balloon --json --timeout 300 lin -128M)
	echo "$answer"
	freed=$((before - $(files)))
	is_about "$(jq .freed <<<"$answer")" "$freed"
	# A page cache of large folios keeps what QEMU has no page of any more, and then it is said so.
	[ $((mapped - $(vm usage --json | jq '.guests[0].mapped'))) -ge $((16 << 20)) ]
	[ "$(jq .after <<<"$answer")" = $((256 << 20)) ]
	wait_until has_balloon 256
	answer=$(vm balloon --json --timeout 300 lin 384M)
	[ "$(jq .after <<<"$answer")" = $((384 << 20)) ]
}

@test "balance --restore gives back what it has taken by the balloon" {
	cat >"$T/policy" <<-POLICY
		[policy]
		interval = 1
		step = 20%
		hysteresis = 1%
		window = 2
		[state plump]
		free = 99%
		levers = balloon
	POLICY
	"$EXOMEM" balance --state-dir "$state" --policy "$T/policy" --templates "$T/none" --watch 1 \
		--restore >"$T/balanced" 3>&- &
	balancer=$!
	wait_for "$T/balanced" 'balloon lin 384→' 300
	wait_until is_smaller
	kill -TERM "$balancer"
	wait "$balancer"
	wait_until has_balloon 384
	wait_sums
}

@test "reclaim frees what it says, without swap, and the guest reads it back" {
	need_root 'pushes memory of another process out'
	# One that rests, or it would read some of it back at once.
	vm qmp lin stop >/dev/null
	before=$(files)
	answer=$(vm reclaim --json lin 48M)
	echo "$answer"
	is_about "$(jq .freed <<<"$answer")" $((48 << 20))
	is_about $((before - $(files))) $((48 << 20))
	[ "$(jq -r .to <<<"$answer")" = file ]
	vm qmp lin cont >/dev/null
	wait_sums
	[ "$(sums_of_data | sort -u | wc -l)" = 1 ]
}

@test "a guest that is paused to disk holds nothing, and is what it was when it is woken" {
	need_root 'pushes memory of another process out'
	vm reclaim --pause lin
	[ "$(files)" -lt $((2 << 20)) ]
	wait_until has_status paused
	run vm reclaim --pause lin
	assert_refused 5 "guest 'lin' does not run"
	vm wake lin
	run vm wake lin
	assert_refused 5 "was not put to sleep"
	wait_sums
	[ "$(sums_of_data | sort -u | wc -l)" = 1 ]
}

@test "a console wakes a guest that was paused to disk" {
	need_root 'pushes memory of another process out'
	vm reclaim --pause lin
	echo | vm console lin >/dev/null
	wait_until has_status running
}

@test "no balloon, too much and nothing are refused, and nothing is changed" {
	boot_linux bare -mem-path "$memory,anyfs"
	run vm balloon bare 100M
	assert_refused 5 "guest 'bare' has no balloon to move"
	vm stop --kill bare
	run vm balloon lin 1G
	assert_refused 2 "'1G' is more than the guest's 384 MiB"
	run vm balloon lin -384M
	assert_refused 2 "leaves the guest nothing"
	wait_until has_balloon 384
}

@test "memory without a file or swap cannot be pushed out, and that is said" {
	[ "$(tail -n +2 /proc/swaps | wc -l)" = 0 ] || skip 'this host has swap'
	boot_linux anon -mem-path "$memory,anyfs,mode=temp" -device virtio-balloon-pci
	vm stop --kill anon
	boot_linux anon
	run vm reclaim anon 16M
	assert_refused 3 'is in no file of its own on a disk, and there is no free swap'
	run vm reclaim --pause anon
	assert_refused 3 'is in no file of its own on a disk'
	vm stop --kill anon
}

@test "the balloon of a child is refused, with the reason" {
	vm save lin "$T/base" >/dev/null
	vm clone --detach -n 1 --name child "$T/base"
	run vm balloon child 128M
	assert_refused 5 "guest 'child' is a child of 'lin': its balloon would punch holes"
}
