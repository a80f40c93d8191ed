#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# clone_linux.bats - twenty clones of one Linux guest with two disks.
#
# They are started once, and each test looks at one thing. What they do is in $T/script, which the
# guest gets as a fw_cfg file, so that nothing has to be typed while it is saved.

# helper.bash sets the other variables.
# shellcheck disable=SC2034,SC2154

load helper

children=20

# Shared by all tests of this file.
use_folder() {
	T=$BATS_FILE_TMPDIR
	state=$T/state
	memory=$T/memory
	export XDG_CACHE_HOME=$T/cache XDG_RUNTIME_DIR=$T
	pids=''
}

setup() {
	use_folder
}

teardown() {
	:
}

# A verb on this file's guests. Descriptors 3 and 4 are bats' own, which would wait for a guest to
# close them.
vm() { # VERB ARGUMENT...
	verb=$1
	shift
	"$EXOMEM" "$verb" --state-dir "$state" "$@" 3>&- 4>&-
}

# What a guest has said, in whole lines.
said() { # NAME
	sed -n 's/\r$//p' "$state/$1/log"
}

# One that waits for a change of its identity, and then shows what it has and writes its name to its
# disks. The first 4 MiB of both and of a file in memory are the same data.
write_script() {
	cat >"$T/script" <<'SCRIPT'
at=/sys/firmware/qemu_fw_cfg/by_name/opt/exomem/identity/raw

owner() { # DISK
	dd if="/dev/$1" bs=512 count=1 2>/dev/null | tr -cd 'a-z0-9-'
}

forget_disks() {
	sync
	echo 3 >/proc/sys/vm/drop_caches
}

# Behind the first MiB is what nobody writes.
show() { # DISK
	echo "$1 owner $(owner "$1") rest $(dd if="/dev/$1" bs=1M skip=1 count=3 2>/dev/null | md5sum)"
}

become() { # NAME
	echo "identity $identity"
	echo "memory $(md5sum </tmp/data)"
	forget_disks
	show vda
	show vdb
	for disk in vda vdb; do
		printf '%-512s' "$1" | dd of="/dev/$disk" bs=512 conv=fsync 2>/dev/null
	done
	echo "became $1"
}

mkdir /tmp
mount -t tmpfs none /tmp
head -c 4194304 /dev/urandom >/tmp/data
printf '%-512s' none | dd of=/tmp/data conv=notrunc 2>/dev/null
for disk in vda vdb; do
	dd if=/tmp/data of="/dev/$disk" bs=1M conv=fsync 2>/dev/null
done
became=none
while sleep 1; do
	random=$(hexdump -n 8 -e '8/1 "%02x"' /dev/urandom)
	read -r identity <"$at"
	name=${identity#name=}
	name=${name%% *}
	if [ "$name" != "$became" ]; then
		echo "first $random"
		become "$name"
		became=$name
	else
		forget_disks
		echo "tick vda=$(owner vda) vdb=$(owner vdb)"
	fi
done
SCRIPT
}

boot() {
	kernel=$LINUX/vmlinux
	[ -e "$kernel" ] || kernel=$LINUX/vmlinuz
	truncate -s 8M "$T/raw.img"
	qemu-img create -q -f qcow2 "$T/disk.qcow2" 8M
	vm run --detach --name parent -accel tcg -nodefaults -display none -M q35 -m 128 \
		-serial stdio -kernel "$kernel" -initrd "$LINUX/initrd.gz" \
		-append 'console=ttyS0 quiet panic=-1 mitigations=off' \
		-mem-path "$memory,anyfs" -fw_cfg "name=opt/test/script,file=$T/script" \
		-drive "file=$T/disk.qcow2,format=qcow2,if=virtio" \
		-drive "file=$T/raw.img,format=raw,if=virtio"
	wait_for "$state/parent/log" 'linux# ' 100
	{
		echo 'sh /sys/firmware/qemu_fw_cfg/by_name/opt/test/script/raw'
		wait_for "$state/parent/log" 'became parent' 60
	} > >(socat - "UNIX-CONNECT:$state/parent/console.sock" >/dev/null)
}

count_ticks() { # NAME
	said "$1" | grep -c '^tick vda=.* vdb=' || true
}

# Right behind a tick there is a second in which nothing is read.
wait_tick() { # NAME
	before=$(count_ticks "$1")
	deadline=$((SECONDS + 30))
	until [ "$(count_ticks "$1")" -gt "$before" ]; do
		[ "$SECONDS" -lt "$deadline" ] || return 1
		sleep 0.1
	done
}

sums() {
	(cd "$T" && sha256sum disk.qcow2 raw.img base/*)
}

setup_file() {
	need_linux
	use_folder
	mkdir "$memory"
	write_script
	boot
	wait_tick parent
	said parent >"$T/parent"
	vm save parent "$T/base"
	sums >"$T/sums"
	vm clone -n "$children" --name child "$T/base" >"$T/names"
	while read -r name; do
		wait_for "$state/$name/log" "became $name" 100
	done <"$T/names"
	# From here on all have written.
	while read -r name; do
		wait_tick "$name"
		said "$name" >"$T/$name"
	done <"$T/names"
}

teardown_file() {
	use_folder
	"$EXOMEM" stop --state-dir "$state" --kill --all || true
}

# The words behind one that all children said once, each with its name before it.
all_said() { # WORD
	while read -r name; do
		sed -n "s/^$1 /$name /p" "$T/$name"
	done <"$T/names"
}

# Fails unless there are as many lines as children, and no two are the same but for the name.
assert_all_different() { # FILE
	cat "$1"
	[ "$(wc -l <"$1")" = "$children" ]
	[ "$(cut -d' ' -f2- "$1" | sort -u | wc -l)" = "$children" ]
}

# What the parent had in memory, as a checksum.
parent_sum() {
	sed -n 's/^memory //p' "$T/parent"
}

@test "twenty clones have twenty identities, and know whose they are" {
	[ "$(sort -u "$T/names" | wc -l)" = "$children" ]
	all_said identity >"$T/identities"
	assert_all_different "$T/identities"
	sed -E 's/.* (uuid=[^ ]*) .*/x \1/' "$T/identities" >"$T/uuids"
	assert_all_different "$T/uuids"
	while read -r name identity; do
		[[ "$identity" == "name=$name index=${name#child-} uuid="*" parent=parent template=base" ]]
	done <"$T/identities"
}

@test "twenty clones read twenty different numbers from /dev/urandom at first" {
	all_said first >"$T/random"
	assert_all_different "$T/random"
	run ! grep -f <(sed -n 's/^first //p' "$T/parent") "$T/random"
}

@test "twenty clones have their parent's memory" {
	all_said memory >"$T/memories"
	cat "$T/memories"
	[ "$(wc -l <"$T/memories")" = "$children" ]
	[ "$(cut -d' ' -f2- "$T/memories" | sort -u)" = "$(parent_sum)" ]
}

@test "twenty clones have their parent's disks, and see nothing that others write" {
	rest=$(sed -n 's/^vda .* rest //p' "$T/parent")
	for disk in vda vdb; do
		all_said "$disk" >"$T/$disk"
		cat "$T/$disk"
		[ "$(wc -l <"$T/$disk")" = "$children" ]
		[ "$(cut -d' ' -f2- "$T/$disk" | sort -u)" = "owner parent rest $rest" ]
	done
	while read -r name; do
		[ "$(sed -n 's/^tick //p' "$T/$name" | sort -u)" = "vda=$name vdb=$name" ]
	done <"$T/names"
}

@test "the parent's disks and the template are as they were" {
	sums | diff "$T/sums" -
	"$EXOMEM" template verify "$T/base"
}

@test "a clone of a saved clone has its disks and its memory" {
	wait_tick child-7
	vm save child-7 "$T/second"
	vm clone -n 2 --name grandchild "$T/second"
	rest=$(sed -n 's/^vda .* rest //p' "$T/parent")
	for name in grandchild-1 grandchild-2; do
		wait_for "$state/$name/log" "became $name" 60
		wait_tick "$name"
		said "$name" >"$T/$name"
		cat "$T/$name"
		grep -qE "^identity name=$name .* parent=child-7 template=second\$" "$T/$name"
		[ "$(sed -n 's/^memory //p' "$T/$name")" = "$(parent_sum)" ]
		for disk in vda vdb; do
			grep -qFx "$disk owner child-7 rest $rest" "$T/$name"
		done
		[ "$(sed -n 's/^tick //p' "$T/$name" | sort -u)" = "vda=$name vdb=$name" ]
	done
	[ "$(sed -n 's/^first //p' "$T"/grandchild-? | sort -u | wc -l)" = 2 ]
	[ "$(vm show --json child-8 | jq -r .status)" = running ]
	sums | diff "$T/sums" -
}

@test "a template is held by its children, then by a template whose disks stand on its own" {
	run vm template remove "$T/second"
	assert_refused 5 "in use by 'grandchild-1', 'grandchild-2'"
	vm stop --kill --all
	run vm template remove "$T/base"
	assert_refused 5 "'$T/second'"
	"$EXOMEM" template verify "$T/base"
	"$EXOMEM" template verify "$T/second"
	vm template remove "$T/second"
	vm template remove "$T/base"
	[ ! -e "$T/base" ]
	[ ! -e "$T/second" ]
	[ -e "$T/disk.qcow2" ]
	[ -e "$T/raw.img" ]
	assert_empty "$memory"
	assert_empty "$state"
}
