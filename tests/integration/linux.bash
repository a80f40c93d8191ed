# SPDX-License-Identifier: GPL-2.0-or-later
# linux.bash - a Linux guest with two disks that looks at what it has when it becomes another.
#
# It is started once in a file, and each test looks at one thing. What it does is in $T/script, which
# the guest gets as a fw_cfg file, so that nothing has to be typed while it is saved. Names of children
# are in $T/names, and what each said in $T/NAME. Loaded behind helper.bash.

# bats and helper.bash set the other variables.
# shellcheck disable=SC2034,SC2154

# Shared by all tests of this file.
use_folder() {
	T=$BATS_FILE_TMPDIR
	state=$T/state
	memory=$T/memory
	export XDG_CACHE_HOME=$T/cache XDG_RUNTIME_DIR=$T
	pids=''
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
		-append 'console=ttyS0 quiet no_timer_check panic=-1 mitigations=off' \
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
