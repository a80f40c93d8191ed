#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# clone.bats - children of a template, with the tiny guest.

# Words are split on purpose; bats, helper.bash and template.bash set the other variables.
# shellcheck disable=SC2012,SC2013,SC2016,SC2030,SC2031,SC2034,SC2046,SC2086,SC2154

load helper
load template

# --- the child goes on where the parent stopped ---

# Saves a guest that was booted with these words, and compares a child with it.
assert_continues() { # SIZE EXOMEM-RUN-ARGUMENT...
	local size=$1 wanted
	shift
	boot web "$@"
	fill web "$size" 7
	wanted=$(sum web "$size")
	# Its directory goes, and the log with it.
	ln "$state/web/log" "$T/log"
	vm save web
	[ ! -e "$state/web" ]
	vm clone --detach --name child web
	[ "$(sum child "$size")" = "$wanted" ]
	assert_filled child "$size" 7
	run ! grep -a 'tiny: up' "$state/child/log"
}

# The child's first second comes after the parent's last one.
assert_ticks_on() {
	local last first
	last=$(grep -aE '^tick [0-9]+$' "$T/log" | tail -n 1)
	[ -n "$last" ] || last='tick 0'
	wait_for "$state/child/log" '^tick [0-9]+$'
	first=$(grep -aE '^tick [0-9]+$' "$state/child/log" | head -n 1)
	[ "${first#tick }" = $((${last#tick } + 1)) ]
}


@test "a child goes on where its parent stopped: mode=create" {
	need_qemu
	assert_continues 16M -mem-path "$memory,mode=create,anyfs"
	assert_ticks_on
	assert_holds "$memory" "$file" "$file.template"
}

@test "a child goes on where its parent stopped: mode=temp" {
	need_qemu
	assert_continues 16M -mem-path "$memory,mode=temp,mmap=shared,anyfs"
	assert_empty "$memory"
	assert_holds "$T/templates/web" devices manifest.json "$file" "$file.template"
}

@test "a child goes on where its parent stopped: a guest without -mem-path" {
	need_qemu
	assert_continues 16M
	assert_ticks_on
	assert_holds "$T/templates/web" devices manifest.json "$file" "$file.template"
}

@test "a child goes on where its parent stopped: a private mapping of a file" {
	need_qemu
	truncate -s 64M "$memory/$file"
	assert_continues 16M -mem-path "$memory,mode=open,mmap=private,anyfs"
	# The file it came from is as it was.
	[ "$(stat -c %b "$memory/$file")" = 0 ]
}

@test "a child goes on where its parent stopped: two NUMA nodes" {
	need_qemu
	assert_continues 48M -smp 2 -numa node,cpus=0,mem=32M -numa node,cpus=1,mem=32M \
		-mem-path "$memory,mode=create,anyfs"
	[ "$(jq '.memory | length' "$T/templates/web/manifest.json")" = 2 ]
}

@test "two children diverge, and neither sees the other's writes" {
	need_qemu
	boot_and_save web
	vm clone -n 2 web
	fill web-1 8M 11
	assert_filled web-2 8M 7
	fill web-2 4M 12
	assert_filled web-1 8M 11
	assert_filled web-2 4M 12
	vm clone --name third --detach web
	assert_filled third 8M 7
}

# --- children of children ---

# Saves a child over and over; each has its parent's memory and some of its own. WHOLE says whether
# memory has to be written out for that.
assert_generations() { # WHOLE EXOMEM-CLONE-OPTION...
	local whole=$1 parent=web generation child wanted
	shift
	vm save -q web
	for generation in 1 2 3; do
		child=child$generation
		vm clone --detach --name "$child" "$@" "$parent"
		assert_filled "$child" 8M $((6 + generation))
		fill "$child" 8M $((7 + generation))
		wanted=$(sum "$child" 32M)
		[ "$(vm save --json "$child" | jq .whole)" = "$whole" ]
		parent=$child
	done
	vm clone --detach --name last "$@" child3
	[ "$(sum last 32M)" = "$wanted" ]
	[ "$(jq -c .lineage "$T/templates/child3/manifest.json")" = '["web","child1","child2"]' ]
	# All of them are still what they were.
	vm clone --detach --name again "$@" child1
	assert_filled again 8M 8
	vm clone --detach --name first "$@" web
	assert_filled first 8M 7
}

@test "a clone of a saved clone of a saved clone" {
	need_qemu
	boot web -mem-path "$memory,mode=create,anyfs"
	fill web 32M 5
	fill web 8M 7
	assert_generations true
}

@test "a clone of a saved clone of a saved clone, with reflinks on XFS" {
	need_qemu
	use_xfs 512M
	boot web -mem-path "$reflink,mode=create,anyfs"
	fill web 32M 5
	fill web 8M 7
	assert_generations false --memory reflink
}

@test "a clone of a saved clone of a saved clone, with reflinks on btrfs" {
	need_qemu
	use_btrfs 512M
	boot web -mem-path "$reflink,mode=create,anyfs"
	fill web 32M 5
	fill web 8M 7
	assert_generations false --memory reflink
}

@test "--memory reflink, where files cannot share blocks" {
	need_qemu
	need_root 'mounts tmpfs'
	mount -t tmpfs -o mode=700 tmpfs "$memory"
	boot_and_save web
	run vm clone --detach --memory reflink web
	assert_refused 3 "$memory"
	assert_holds "$memory" "$file" "$file.template"
	assert_guests
	vm clone --detach web
	assert_filled web-1 8M 7
	vm stop --kill web-1
}

# --- nothing that a child does reaches its template ---

balloon='-device virtio-balloon-pci,id=balloon,free-page-reporting=on'

# The number of descriptors in one of the device's queues: 128 or 32; 1024 in QEMU 10.0.13.
queue_length() { # NAME QUEUE
	vm qmp "$1" x-query-virtio-queue-status \
		"{\"path\": \"/machine/peripheral/balloon/virtio-backend\", \"queue\": $2}" | jq '."vring-num"'
}

# Writes a queue of virtio before 1.0, with one available buffer, to a guest's memory file, in place of
# the guest's driver.
write_queue() { # NAME QUEUE PLACE ADDRESS SIZE FLAGS
	perl -e 'my ($file, $length, $place, @buffer) = @ARGV;
		open(my $memory, "+<", $file) or die "$file: $!";
		seek($memory, $place, 0);
		print $memory pack("a32768", pack("a" . 16 * $length, pack("Q< L< S< S<", @buffer, 0)) .
			pack("S<3", 0, 1, 0));' \
		"$memory/$file" "$(queue_length "$1" "$2")" "$3" "$4" "$5" "$6"
}

# The queues are at 48 MiB. The balloon takes the pages from 2 to 6 MiB; those from 6 to 10 MiB are
# reported free.
write_queues() { # NAME
	write_queue "$1" 0 $((0x3000000)) $((0x3010000)) 4096 0
	write_queue "$1" 3 $((0x3008000)) $((0x600000)) $((0x400000)) 2
	perl -e 'print pack("L<*", 512 .. 1535)' |
		dd of="$memory/$file" bs=4096 seek=$((0x3010)) conv=notrunc status=none
}

hmp() { # NAME COMMAND
	vm qmp "$1" human-monitor-command "$(jq -nc --arg line "$2" '{"command-line": $line}')" | jq -r .
}

# Does what a driver does (Linux, include/uapi/linux/virtio_pci.h, legacy): it makes the device a bus
# master, says where the rings are, that it is ready, and that something waits in them.
inflate() { # NAME
	local slot port line
	read -r slot port <<<"$(vm qmp "$1" query-pci | jq -r '.[0].devices[] |
		select(.qdev_id == "balloon") | "\(.slot) \(.regions[] | select(.bar == 0).address)"')"
	# Thousands of holes are punched before QEMU answers.
	while read -r line; do
		vm qmp --timeout 100 "$1" human-monitor-command "{\"command-line\": \"o /$line\"}" >/dev/null
	done <<-END
		w 0xcf8 $((0x80000004 | slot << 11))
		h 0xcfc 7
		b $((port + 18)) 3
		h $((port + 14)) 0
		w $((port + 8)) 0x3000
		h $((port + 14)) 3
		w $((port + 8)) 0x3008
		b $((port + 18)) 7
		h $((port + 16)) 0
		h $((port + 16)) 3
	END
}

# How many of a queue's buffers the device has used (QEMU, hw/virtio/virtio.c, virtio_queue_update_rings()).
used() { # NAME QUEUE PLACE
	local length
	length=$(queue_length "$1" "$2")
	# Versions differ in how they print the address before it.
	hmp "$1" "xp /1hx $(($3 + (18 * length + 4 + 4095) / 4096 * 4096 + 2))" | tr -d '\r' | sed -n 's/.*: //p'
}

assert_inflated() { # NAME
	[ "$(used "$1" 0 $((0x3000000)))" = 0x0001 ] && [ "$(used "$1" 3 $((0x3008000)))" = 0x0001 ]
}

@test "what a balloon takes is given back by a guest that shares its memory" {
	need_qemu
	# Each hole is a transaction on a disk, where other tests have theirs synced meanwhile.
	mount -t tmpfs none "$memory" || skip 'only root can mount a tmpfs'
	boot web -mem-path "$memory,mode=create,anyfs" $balloon
	fill web 8M 7
	write_queues web
	before=$(stat -c %b "$memory/$file")
	inflate web
	assert_inflated web
	# 8 MiB in blocks of 512 bytes.
	[ "$(stat -c %b "$memory/$file")" -le $((before - 16384)) ]
}

# Fails unless a balloon in a guest leaves the memory file as it is.
assert_no_holes() { # NAME
	local before
	# What is not on the disk yet may get more blocks there.
	sync "$memory/$file"
	before=$(sha256sum <"$memory/$file"; stat -c '%i %b %s %Y' "$memory/$file")
	inflate "$1"
	assert_inflated "$1"
	[ "$(sha256sum <"$memory/$file"; stat -c '%i %b %s %Y' "$memory/$file")" = "$before" ]
}

# A guest whose memory file is there when it has ended, with what its successor's balloon will find.
leave_memory() {
	boot web -mem-path "$memory,mode=create,anyfs" $balloon
	fill web 8M 7
	write_queues web
}

@test "run with mmap=private: a balloon changes the file neither with mode=open nor with mode=create" {
	need_qemu
	leave_memory
	forget web
	boot opened -mem-path "$memory,mode=open,mmap=private,anyfs" $balloon
	boot sibling -mem-path "$memory,mode=create,mmap=private,anyfs" $balloon
	assert_no_holes opened
	assert_no_holes sibling
	# With mode=temp the file is nobody else's, and its balloon gives memory back.
	boot alone -mem-path "$memory,mmap=private,anyfs" $balloon
	grep -q '^Seccomp:[[:space:]]*0$' "/proc/$(pid_of alone)/status"
	run vm balloon opened 32M
	assert_refused 5 "guest 'opened' maps its memory file with 'mmap=private': its balloon would punch holes"
}

@test "receive --private: a balloon changes neither the file nor the state" {
	need_qemu
	leave_memory
	vm migrate -q --to "$T/state.handover" web
	before=$(sha256sum "$T/state.handover"/*)
	vm receive -q --private "$T/state.handover"
	assert_no_holes web
	[ "$(sha256sum "$T/state.handover"/*)" = "$before" ]
	vm stop --kill web
	vm receive -q --private "$T/state.handover"
	assert_filled web 8M 7
}

@test "fork: a balloon in a child, or in the parent, changes nothing that the others map" {
	need_qemu
	leave_memory
	vm fork -q --keep --name child web kept
	# Its place was taken by a child, where files do not share blocks.
	[ "$(jq '.memory[0].shared' "$state/web/vm.json")" = false ] || skip 'files share blocks here'
	assert_no_holes child
	assert_no_holes web
	assert_filled child 8M 7
	assert_filled web 8M 7
}

@test "20 children run, write, give memory away and are killed: the template is what it was" {
	need_qemu
	boot web -mem-path "$memory,mode=create,anyfs" $balloon
	fill web 8M 7
	write_queues web
	vm save -q web 2>"$T/err" >/dev/null
	[ "$(grep -c "virtio-balloon" "$T/err")" -ge 1 ]
	before=$(sha256sum "$memory/$file" "$T/templates/web/devices" "$T/templates/web/manifest.json")
	# What is not on the disk yet may get more blocks there.
	sync "$memory/$file" "$T/templates/web/devices"
	stat=$(stat -c '%i %b %s %Y %a' "$memory/$file" "$T/templates/web/devices")
	vm clone -n 20 web >"$T/names"
	[ "$(wc -l <"$T/names")" = 20 ]
	for i in $(seq 20); do
		dirty "web-$i" 8M $((100 + i))
		hmp "web-$i" 'balloon 32' >/dev/null
		inflate "web-$i"
	done
	assert_inflated web-1
	kill -KILL $(pid_of web-1)
	vm stop --kill --all
	[ "$(sha256sum "$memory/$file" "$T/templates/web/devices" "$T/templates/web/manifest.json")" = "$before" ]
	[ "$(stat -c '%i %b %s %Y %a' "$memory/$file" "$T/templates/web/devices")" = "$stat" ]
	vm template verify web
	vm clone --detach --name last web
	assert_filled last 8M 7
}

# Whether a seccomp filter is installed in a guest's QEMU.
is_filtered() { # NAME
	grep -q '^Seccomp:[[:space:]]*2$' "/proc/$(pid_of "$1")/status"
}

# What QEMU answers to a block device that asks for this kind of I/O.
add_disk() { # NAME AIO
	vm qmp "$1" blockdev-add "{\"driver\": \"file\", \"node-name\": \"extra\", \"aio\": \"$2\",
		\"filename\": \"$T/extra.img\", \"cache\": {\"direct\": false}}"
}

# Blocks that the overlay of a child's disk has: it has no name.
overlay_blocks() { # NAME
	stat -L -c %b "/proc/$(pid_of "$1")/fd/$(find "/proc/$(pid_of "$1")/fd" -lname "$T/templates/web/*deleted*" \
		-printf '%f\n' | head -n 1)"
}

@test "balloon, virtio-mem, an iothread and a disk that grows in children: the template is what it was" {
	need_qemu
	qemu-img create -q -f qcow2 "$T/disk.qcow2" 64M
	truncate -s 1M "$T/extra.img"
	boot web -m 64,maxmem=192M -mem-path "$memory,mode=create,anyfs" $balloon \
		-object memory-backend-ram,id=more,size=128M \
		-device virtio-mem-pci,id=vm0,memdev=more,requested-size=128M \
		-object iothread,id=loop -drive "if=none,id=d,file=$T/disk.qcow2,aio=threads" \
		-device virtio-blk-pci,drive=d,iothread=loop
	fill web 8M 7
	write_queues web
	run add_disk web io_uring
	ring=$status
	vm qmp web blockdev-del '{"node-name": "extra"}' || true
	vm save -q web >/dev/null 2>&1
	before=$(sha256sum "$memory/$file" "$T/templates/web"/*)
	vm clone -n 2 web
	inflate web-1
	assert_inflated web-1
	hmp web-1 'qom-set /machine/peripheral/vm0 requested-size 0' >/dev/null
	blocks=$(overlay_blocks web-1)
	hmp web-1 'qemu-io d "write -P 5 0 16M"' >/dev/null
	wait_for "$state/web-1/log" 'wrote 16777216/16777216'
	hmp web-1 'qemu-io d "discard 0 8M"' >/dev/null
	[ "$(overlay_blocks web-1)" -ge $((blocks + 16384)) ]
	# Unplugs all of virtio-mem.
	vm qmp web-2 system_reset
	wait_for "$state/web-2/log" 'tiny: up'
	if is_filtered web-1; then
		run add_disk web-1 io_uring
		[ "$status" != 0 ]
		[[ "$output" == *io_uring* ]]
	else
		run add_disk web-1 io_uring
		[ "$status" = "$ring" ]
	fi
	[ "$(qemu_major)" -ge 9 ] || is_filtered web-1
	add_disk web-2 threads
	vm stop --kill --all
	[ "$(sha256sum "$memory/$file" "$T/templates/web"/*)" = "$before" ]
	vm template verify web
	vm clone --detach --name last web
	assert_filled last 8M 7
}

@test "aio=io_uring beside memory that the filter guards is refused before anything starts" {
	need_qemu
	local why='io_uring would get around the system call filter'
	truncate -s 1M "$T/disk.img"
	truncate -s 64M "$memory/$file"
	local drive="file=$T/disk.img,format=raw,if=none,aio=io_uring"
	local node="{\"driver\":\"file\",\"filename\":\"$T/disk.img\",\"node-name\":\"f\",\"aio\":\"io_uring\"}"
	for words in "-drive $drive" "-blockdev $node"; do
		run vm run --detach --name web $tiny -mem-path "$memory,mode=create,mmap=private,anyfs" \
			"${words%% *}" "${words#* }"
		assert_refused 3 "$why that keeps QEMU from changing '$memory/$file': use 'aio=threads' or 'aio=native'"
		[[ "$output" == *"'$words'"* ]]
		assert_guests
	done
	assert_holds "$memory" "$file"
	rm "$memory/$file"
	boot web -mem-path "$memory,mode=create,anyfs" -drive "$drive" ||
		skip 'the kernel has no io_uring'
	fill web 8M 7
	vm save -q web >/dev/null
	run vm clone --detach web
	if [ "$(qemu_major)" -ge 9 ]; then
		[ "$status" = 0 ]
		assert_filled web-1 8M 7
	else
		assert_refused 3 "'-drive $drive': $why"
		[[ "$output" == *'or QEMU 8.2 or later'* ]]
		assert_guests
	fi
	vm template verify web
}

# --- one child and several ---

# What isa-debug-exit is told, its guest's QEMU ends with: twice that and one.
exits='-device isa-debug-exit,iobase=0x501,iosize=1'

# QEMU is gone before it can answer.
end_with() { # NAME NUMBER
	vm qmp "$1" human-monitor-command "{\"command-line\": \"o /b 0x501 $2\"}" >/dev/null 2>&1 || true
}

# Starts a clone in the background; $pid is the process. The file is emptied first: otherwise wait_lines
# could count the output of the previous clone.
clone_behind() { # EXOMEM-CLONE-ARGUMENT...
	: >"$T/out"
	"$EXOMEM" clone --state-dir "$state" --templates "$T/templates" "$@" \
		>"$T/out" 2>"$T/err" </dev/null 3>&- &
	pid=$!
	pids="$pids $pid"
}

names() {
	vm list -q | xargs
}

# Waits until so many lines have been printed.
wait_lines() { # FILE NUMBER
	deadline=$((SECONDS + 20))
	until [ "$(wc -l <"$1")" -ge "$2" ]; do
		if [ "$SECONDS" -ge "$deadline" ]; then
			cat "$1"
			return 1
		fi
		sleep 0.02
	done
}

@test "one child in the foreground is QEMU itself: its terminal, its pid, its exit status" {
	need_qemu
	boot_and_save web $exits
	clone_behind web
	wait_for "$T/out" '^tick'
	[ "$(pid_of web-1)" = "$pid" ]
	[[ "$(readlink "/proc/$pid/exe")" == *qemu-system-x86_64 ]]
	[ "$(ps -o comm= --ppid "$pid")" = '' ]
	end_with web-1 3
	rc=0
	wait "$pid" || rc=$?
	[ "$rc" = 7 ]
	[ -z "$(names)" ]
	[ "$(vm clean | xargs)" = 'web-1 web' ]
	assert_guests
}

@test "detached children: names as they run, indices, and those that are free again" {
	need_qemu
	boot_and_save web
	run vm clone --detach web
	[ "$status $output" = '0 web-1' ]
	run vm clone -n 3 web
	[ "$status" = 0 ]
	[ "$(sort <<<"$output" | xargs)" = 'web-2 web-3 web-4' ]
	for i in 1 2 3 4; do
		[[ "$(ask "web-$i" identity '^identity')" == *"name=web-$i index=$i "*"parent=web template=web"* ]]
	done
	forget web-2
	run vm clone -n 2 --name db web
	[ "$status" = 0 ]
	[ "$(sort <<<"$output" | xargs)" = 'db-2 db-5' ]
	run vm clone --detach --name single web
	[ "$status $output" = '0 single' ]
	[[ "$(ask single identity '^identity')" == *"name=single index=6 "* ]]
	# Each is somebody else.
	for name in $(names); do ask "$name" identity '^identity' | grep -oE 'uuid=[^ ]+'; done >"$T/uuids"
	[ "$(sort -u "$T/uuids" | wc -l)" = 6 ]
}

@test "--paused: a child waits for 'cont'" {
	need_qemu
	boot_and_save web
	vm clone -n 2 --paused web
	for name in web-1 web-2; do
		[ "$(vm qmp "$name" query-status | jq .running)" = false ]
		[ ! -s "$state/$name/log" ]
	done
	vm qmp web-1 cont
	assert_filled web-1 8M 7
	[ "$(status_of web-1)" = running ]
	[ "$(vm qmp web-2 query-status | jq .running)" = false ]
}

@test "a parent that was saved paused: its child runs, unless it shall not" {
	need_qemu
	boot web -mem-path "$memory,mode=create,anyfs"
	fill web 8M 7
	vm qmp web stop
	vm save -q web >/dev/null
	vm clone --detach web
	[ "$(status_of web-1)" = running ]
	assert_filled web-1 8M 7
	vm clone --detach --paused web
	[ "$(vm qmp web-2 query-status | jq .running)" = false ]
	vm qmp web-2 cont
	assert_filled web-2 8M 7
}

@test "a parent that never ran is saved and cloned" {
	need_qemu
	"$EXOMEM" run --detach --state-dir "$state" --name web $tiny -S -mem-path "$memory,mode=create,anyfs" 3>&-
	vm save -q web >/dev/null
	vm clone --detach web
	wait_for "$state/web-1/log" 'tiny: up'
}

# --- --attach ---

@test "--attach: stays until the last has ended, and ends as the worst" {
	need_qemu
	boot_and_save web $exits
	clone_behind --attach -n 3 web
	wait_lines "$T/out" 3
	end_with web-2 4
	end_with web-1 1
	until [ "$(names)" = web-3 ]; do sleep 0.05; done
	kill -0 "$pid"
	vm stop --kill web-3 >/dev/null
	rc=0
	wait "$pid" || rc=$?
	[ "$rc" = 137 ] # as a shell has it: 128 + SIGKILL
	grep -q "child 'web-3'" "$T/err"
	assert_guests
	assert_no_process
}

@test "--attach: 0 where all ended well, and 9 where one did so" {
	need_qemu
	boot_and_save web $exits
	clone_behind --attach -n 2 web
	wait_lines "$T/out" 2
	vm qmp web-1 quit >/dev/null
	vm qmp web-2 quit >/dev/null
	wait "$pid"
	[ ! -s "$T/err" ]
	clone_behind --attach -n 2 web
	wait_lines "$T/out" 2
	end_with web-2 4
	vm qmp web-1 quit >/dev/null
	rc=0
	wait "$pid" || rc=$?
	[ "$rc" = 9 ]
	[ "$(cat "$T/err")" = "exomem clone: child 'web-2' ended with status 9" ]
}

@test "--attach: a signal is handed on" {
	need_qemu
	boot_and_save web
	for signal in TERM INT HUP; do
		clone_behind --attach -n 2 web
		wait_lines "$T/out" 2
		kill -"$signal" "$pid"
		# QEMU ends by itself.
		wait "$pid"
		assert_guests
	done
	assert_no_process
}

@test "--attach: a child that has ended before exomem comes to know it" {
	need_qemu
	boot_and_save web
	clone_behind --attach -n 1 web
	until pgrep -P "$pid" >/dev/null; do :; done
	kill -STOP "$pid"
	until [ "$(vm qmp web-1 query-status 2>/dev/null | jq -r .status)" = running ]; do sleep 0.05; done
	kill -KILL "$(jq .pid "$state/web-1/vm.json")"
	until [ -z "$(names)" ]; do sleep 0.05; done
	kill -CONT "$pid"
	rc=0
	wait "$pid" || rc=$?
	[ "$rc" = 137 ]
	[ "$(cat "$T/err")" = "exomem clone: child 'web-1' ended with status 137" ]
	assert_guests
}

@test "--attach --any: until the first has ended; the others live" {
	need_qemu
	boot_and_save web $exits
	clone_behind --attach --any -n 3 web
	wait_lines "$T/out" 3
	end_with web-2 2
	rc=0
	wait "$pid" || rc=$?
	[ "$rc" = 5 ]
	[ "$(names)" = 'web-1 web-3' ]
	assert_filled web-1 8M 7
	assert_filled web-3 8M 7
}

# --- two at once ---

@test "two clones at once: each name is one child's" {
	need_qemu
	boot_and_save web
	for i in 1 2; do
		vm clone -n 4 web >"$T/out.$i" 2>"$T/err.$i" &
		starters="${starters-} $!"
	done
	for starter in $starters; do
		rc=0
		wait "$starter" || rc=$?
		[[ "$rc" = [05] ]]
	done
	cat "$T"/err.*
	cat "$T"/out.* >"$T/out"
	[ "$(wc -l <"$T/out")" -ge 4 ]
	assert_whole
	for name in $(names); do assert_filled "$name" 8M 7; done
}

# --- one of them fails ---

# Its monitor's directory is missing for child 2.
boot_with_obstacle() {
	mkdir "$T/0" "$T/1" "$T/3"
	boot_and_save web -monitor "unix:$T/@{index}/monitor,server=on,wait=off"
}

@test "one of three fails: the others run, and QEMU's own words are shown" {
	need_qemu
	boot_with_obstacle
	run --separate-stderr vm clone -n 3 web
	[ "$status" = 1 ]
	[ "$(sort <<<"$output" | xargs)" = 'web-1 web-3' ]
	[[ "$stderr" == "exomem clone: child 'web-2': "*"$T/2/monitor"* ]]
	[ "$(wc -l <<<"$stderr")" = 1 ]
	[ "$(names)" = 'web-1 web-3' ]
	assert_guests web-1 web-3
	assert_filled web-3 8M 7
}

@test "in the foreground: a QEMU that ends at its start leaves its name and its template at once" {
	need_qemu
	mkdir "$T/sub"
	boot web -chardev "socket,id=sub,path=$T/sub/sub.sock,server=on,wait=off"
	vm save web >"$T/out" 2>&1
	rm -r "$T/sub"
	run -1 vm clone --name child web
	[[ "$output" == *"$T/sub/sub.sock"* ]]
	deadline=$((SECONDS + 10))
	while [ -n "$(ours)" ]; do
		[ "$SECONDS" -lt "$deadline" ]
		sleep 0.05
	done
	mkdir "$T/sub"
	vm clone --detach --name child web
	vm stop --kill child
	vm template remove web
}

@test "--all-or-none: one of three fails, and none is left" {
	need_qemu
	boot_with_obstacle
	for jobs in 1 3; do
		run --separate-stderr vm clone -n 3 --all-or-none --jobs "$jobs" web
		[ "$status" = 1 ]
		[[ "$stderr" == "exomem clone: child 'web-2': "*"$T/2/monitor"* ]]
		assert_no_process
		assert_guests
	done
	mkdir "$T/2"
	vm clone -n 3 --all-or-none web
	[ "$(names)" = 'web-1 web-2 web-3' ]
}

# What was printed runs, and nothing else is there.
assert_whole() {
	local name
	sort "$T/out" >"$T/printed"
	vm list -q | sort | cmp - "$T/printed"
	assert_guests $(cat "$T/out")
	for name in $(cat "$T/out"); do
		[ "$(status_of "$name")" = running ]
	done
	[ "$(pgrep -cf -- "-name guest=web-.*$T")" = "$(wc -l <"$T/out")" ]
}

@test "interrupted in the middle of 20: what was printed runs, and nothing is half made" {
	need_qemu
	boot_and_save web
	for after in 1 3; do
		clone_behind -n 20 --jobs 2 web
		wait_lines "$T/out" "$after"
		kill -INT "$pid"
		rc=0
		wait "$pid" || rc=$?
		[ "$rc" = 1 ]
		[ "$(wc -l <"$T/err")" = 1 ]
		grep -qE '[0-9]+ of 20 children run: interrupted' "$T/err"
		[ "$(wc -l <"$T/out")" -lt 20 ]
		assert_whole
		vm stop --kill --all
	done
	assert_no_process
	assert_guests
}

@test "interrupted in the middle of 20, all or none: none" {
	need_qemu
	boot_and_save web
	clone_behind -n 20 --all-or-none web
	wait_lines "$T/out" 2
	kill -INT "$pid"
	rc=0
	wait "$pid" || rc=$?
	[ "$rc" = 1 ]
	assert_no_process
	assert_guests
}

# Waits until no child is half made: each QEMU is a guest that runs.
settle() {
	local deadline=$((SECONDS + 20)) half pid name
	while :; do
		half=''
		for pid in $(pgrep -f -- "-name guest=web-.*$T"); do
			name=$(tr '\0' '\n' <"/proc/$pid/cmdline" 2>/dev/null | sed -n 's/^guest=//p')
			has_ended "$pid" || [ "$(status_of "$name" 2>&1)" = running ] || half="$half $name"
		done
		[ -n "$half" ] || return 0
		if [ "$SECONDS" -ge "$deadline" ]; then
			echo "half made: $half"
			for name in $half; do vm qmp "$name" query-status 2>&1 || true; done
			return 1
		fi
		sleep 0.05
	done
}

@test "killed in the middle of 20: what is left runs, is listed and can be stopped" {
	need_qemu
	boot_and_save web
	for after in 1 4; do
		clone_behind -n 20 --jobs 3 web
		wait_lines "$T/out" "$after"
		kill -KILL "$pid"
		wait "$pid" || true
		settle
		for name in $(cat "$T/out"); do assert_filled "$name" 8M 7; done
		for name in $(names); do [ "$(status_of "$name")" = running ]; done
		vm stop --kill --all
		assert_no_process
		[ -z "$(names)" ]
		assert_guests
	done
	vm template remove web
	assert_empty "$memory"
}

# A QEMU that is asked what it can do by exomem like any other, but sleeps where it should run.
make_sleeper() {
	cat >"$T/sleeper" <<-END
		#!/bin/sh
		case " \$* " in *' -readconfig '*) exec sleep 1000 ;; esac
		exec ${EXOMEM_QEMU:-qemu-system-x86_64} "\$@"
	END
	chmod +x "$T/sleeper"
	"$EXOMEM" probe --qemu "$T/sleeper" >/dev/null
}

@test "--timeout: children that do not come to run are taken back" {
	need_qemu
	boot_and_save web
	make_sleeper
	run timeout 20 "$EXOMEM" clone --state-dir "$state" --templates "$T/templates" --timeout 0.5 -n 3 \
		--qemu "$T/sleeper" web 3>&-
	assert_refused 1 'time is up'
	run ! pgrep -f "sleep 1000.*$T"
	assert_no_process
	[ -z "$(names)" ]
	assert_guests
	vm clone --timeout 30 -n 2 web
}

@test "--jobs 1: one after the other" {
	need_qemu
	boot_and_save web
	[ "$(vm clone -n 5 --jobs 1 web | xargs)" = 'web-1 web-2 web-3 web-4 web-5' ]
}

# --- what is refused before anything starts ---

assert_no_clone() { # STATUS TEXT [EXOMEM-CLONE-ARGUMENT...]
	local wanted=$1 text=$2
	shift 2
	run vm clone --detach "$@"
	assert_refused "$wanted" "$text"
	assert_no_process
	[ -z "$(names)" ]
}

assert_clones() { # [EXOMEM-CLONE-ARGUMENT...]
	vm clone --detach --name good "$@" web
	assert_filled good 8M 7
	forget good
}

@test "numbers, names and words that cannot be" {
	need_qemu
	boot_and_save web
	assert_no_clone 2 "'0' is not a number from 1" -n 0 web
	assert_no_clone 2 "'1000001' is not a number from 1" -n 1000001 web
	assert_no_clone 2 "'x' is not a number from 1" -n x web
	assert_no_clone 2 "'0' is not a number from 1" --jobs 0 web
	assert_no_clone 2 "'soon'" --timeout soon web
	assert_no_clone 2 "'shared'" --memory shared web
	assert_no_clone 2 "'--any' goes with '--attach'" --any web
	assert_no_clone 2 "exclude each other" --attach web
	assert_no_clone 2 'name a template'
	assert_no_clone 2 "'other' is one word too many" web other
	assert_no_clone 2 "'a b'" --name 'a b' web
	assert_no_clone 5 "no template '$T/templates/none'" none
	assert_no_clone 5 "no template '$T/none'" "$T/none"
}

@test "a template with a file that is missing, shortened, changed or another" {
	need_qemu
	boot_and_save web
	for path in "$memory/$file" "$T/templates/web/devices"; do
		mv "$path" "$T/original"
		assert_no_clone 5 "'$path' is missing" web
		ln -s "$T/original" "$path"
		assert_no_clone 5 "'$path' is missing" --trust "$(manifest_sum "$T/templates/web")" web
		rm "$path"
		mkdir "$path"
		assert_no_clone 5 "'$path' is missing" web
		rmdir "$path"
		cp --sparse=always "$T/original" "$path"
		truncate -s -4096 "$path"
		assert_no_clone 5 "'$path' has $(stat -c %s "$path") bytes, but had " web
		truncate -s +8192 "$path"
		assert_no_clone 5 "'$path' has $(stat -c %s "$path") bytes, but had " web
		mv -f "$T/original" "$path"
	done
	cp -p --sparse=always "$memory/$file" "$T/copy"
	mv "$memory/$file" "$T/original"
	mv "$T/copy" "$memory/$file"
	assert_no_clone 5 "'$memory/$file' is another file than was saved" web
	mv -f "$T/original" "$memory/$file"
	touch -r "$memory/$file" "$T/stamp"
	touch "$memory/$file"
	assert_no_clone 5 "'$memory/$file' was changed after it was saved" web
	touch -r "$T/stamp" "$memory/$file"
	assert_clones
}

@test "device state with one byte that differs" {
	need_qemu
	boot_and_save web
	cp "$T/templates/web/devices" "$T/original"
	printf '\377' | dd of="$T/templates/web/devices" bs=1 seek=100000 conv=notrunc status=none
	run ! cmp -s "$T/original" "$T/templates/web/devices"
	assert_no_clone 5 "'$T/templates/web/devices' is not what was saved: its checksum differs" web
	# In the foreground too.
	clone_behind web
	rc=0
	wait "$pid" || rc=$?
	[ "$rc" != 0 ]
	[ "$(wc -l <"$T/err")" = 1 ]
	grep -q 'its checksum differs' "$T/err"
	[ -z "$(names)" ]
	vm clean
	assert_guests
	cp "$T/original" "$T/templates/web/devices"
	assert_clones
}

@test "a manifest that is newer, cut, or none" {
	need_qemu
	boot_and_save web
	manifest=$T/templates/web/manifest.json
	cp "$manifest" "$T/original"
	jq '.schema = 99' "$T/original" >"$manifest"
	assert_no_clone 5 'was saved by a newer exomem (schema 99; ' web
	for size in 0 1 100 $(($(stat -c %s "$T/original") / 2)); do
		head -c "$size" "$T/original" >"$manifest"
		assert_no_clone 5 "the manifest of template '$T/templates/web' is not whole" web
	done
	for junk in '[]' 'null' '{}' 'hello' '{"schema": "one"}' "$(head -c 300 /dev/urandom | tr -d '\0')"; do
		printf '%s' "$junk" >"$manifest"
		assert_no_clone 5 "the manifest of template '$T/templates/web' is not whole" web
	done
	for change in 'del(.command)' 'del(.memory)' '.memory = []' '.memory[0].path = "../../etc/passwd"' \
		'.memory[0].size = 0' '.memory[0].inode = "x"' '.command = "x"' '.name = "../x"' \
		'.disks = [1]' '.["ram-size"] = -1'; do
		jq "$change" "$T/original" >"$manifest"
		assert_no_clone 5 "the manifest of template '$T/templates/web' is not whole" web
	done
	rm "$manifest"
	mkdir "$manifest"
	run vm clone --detach web
	[ "$status" != 0 ]
	[ "$(wc -l <<<"$output")" = 1 ]
	rmdir "$manifest"
	assert_no_clone 5 "no template '$T/templates/web'" web
	cp "$T/original" "$manifest"
	assert_clones
}

@test "a template of another QEMU, machine or accelerator" {
	need_qemu
	boot_and_save web
	manifest=$T/templates/web/manifest.json
	cp "$manifest" "$T/original"
	# Not by jq, which rounds large numbers.
	sed 's/"qemu-version": "[^"]*"/"qemu-version": "6.1.0"/' "$T/original" >"$manifest"
	assert_no_clone 3 "saved by QEMU 6.1.0, but " web
	[[ "$output" == *"say '--qemu "* ]]
	sed 's/"machine": "[^"]*"/"machine": "pc-q35-99.0"/' "$T/original" >"$manifest"
	assert_no_clone 3 "saved on 'pc-q35-99.0', which is not a machine of " web
	sed "s|\"qemu\": \"[^\"]*\"|\"qemu\": \"$T/none\"|" "$T/original" >"$manifest"
	assert_no_clone 3 "'$T/none'" web
	sed 's/"accelerator": "tcg"/"accelerator": "kvm", "host-cpu": ["nosuchflag"]/' "$T/original" >"$manifest"
	run vm clone --detach web
	[ "$status" = 3 ]
	run vm template verify web
	[ "$status" = 3 ]
	[[ "$output" == *'+nosuchflag: this host lacks it'* ]]
	cp "$T/original" "$manifest"
	assert_clones
}

@test "another QEMU's child: it works, or is refused in one line" {
	need_two_qemus
	other=$newer
	[ "${EXOMEM_QEMU-}" != "$newer" ] || other=$older
	boot_and_save web
	# Asked for that QEMU, the version is not held against it, but the machine type is.
	run vm template verify --qemu "$other" web
	[ "$status" = 0 ] || [[ "$output" == *'is not a machine of'* ]]
	run vm clone --detach --qemu "$other" web
	if [ "$status" = 0 ]; then
		assert_filled web-1 8M 7
		[ "$(jq -r .qemu "$state/web-1/vm.json")" -ef "$other" ]
		forget web-1
	else
		[ "$(wc -l <<<"$output")" = 1 ]
		assert_no_process
		assert_guests
	fi
	vm template verify web
	assert_clones
}

@test "a template that another user owns, or could have written" {
	need_qemu
	need_root 'gives files away'
	boot_and_save web
	for path in "$T/templates/web" "$T/templates/web/manifest.json" "$T/templates/web/devices" "$memory/$file"; do
		chown 65534 "$path"
		assert_no_clone 5 "'$path' belongs to another user" web
		[[ "$output" == *"'exomem template show'"*"'--trust'"* ]]
		assert_clones --trust "$(manifest_sum "$T/templates/web")"
		chown 0 "$path"
		mode=$(stat -c %a "$path")
		for bit in g+w o+w; do
			chmod "$bit" "$path"
			assert_no_clone 5 "others can write to '$path'" web
			chmod "$mode" "$path"
		done
	done
	chmod g+w "$T/templates/web"
	assert_clones --trust "$(manifest_sum "$T/templates/web")"
}

@test "a name that is taken among several" {
	need_qemu
	boot_and_save web
	"$EXOMEM" run --detach --state-dir "$state" --name db-2 $tiny 3>&-
	run vm clone -n 3 --name db web
	assert_refused 5 "name 'db-2' is taken (pid $(pid_of db-2))"
	run vm clone --detach --name db-2 web
	assert_refused 5 "name 'db-2' is taken (pid $(pid_of db-2))"
	assert_guests db-2
	vm clone -n 2 web
	[ "$(names)" = 'db-2 web-1 web-2' ]
}

@test "what children cannot all have: a forwarded port" {
	need_qemu
	port=$((20000 + RANDOM % 10000))
	boot web -mem-path "$memory,mode=create,anyfs" -nic "user,hostfwd=tcp:127.0.0.1:$port-:22"
	run --separate-stderr vm save -q web >/dev/null
	[ "$status" = 0 ]
	[[ "$stderr" == *"hostfwd=tcp:127.0.0.1:$port-:22"*"@{index+$port}"* ]]
	assert_no_clone 5 "hostfwd=tcp:127.0.0.1:@{index+$port}-:22" -n 2 web
	[[ "$output" == *"'-nic user,hostfwd=tcp:127.0.0.1:$port-:22'"* ]]
	# One alone can have it.
	vm clone --detach web
	run vm clone --detach web
	assert_refused 5 "@{index+$port}"
	[ "$(names)" = web-1 ]
	forget web-1
	vm clone --detach web
}

@test "what children cannot all have: an own one for each" {
	need_qemu
	port=$((20000 + RANDOM % 10000))
	boot web -mem-path "$memory,mode=create,anyfs" -nic "user,hostfwd=tcp:127.0.0.1:@{index+$port}-:22" \
		-serial "file:$T/second-@{name}" -pidfile "$T/@{name}.pid"
	run --separate-stderr vm save -q web >/dev/null
	[ "$status" = 0 ]
	[ -z "$stderr" ]
	vm clone -n 2 web
	[ "$(cat "$T/web-1.pid" "$T/web-2.pid")" = "$(pid_of web-1; pid_of web-2)" ]
	[ -e "$T/second-web-1" ]
	[ -e "$T/second-web-2" ]
}

@test "what children cannot all have: a network address" {
	need_qemu
	boot web -mem-path "$memory,mode=create,anyfs" -device virtio-net-pci,netdev=lan -netdev \
		"dgram,id=lan,local.type=unix,local.path=$T/lan-@{name},remote.type=unix,remote.path=$T/hub"
	vm save -q web 2>"$T/err"
	grep -q -- '--same-mac' "$T/err"
	assert_no_clone 5 "'--same-mac'" -n 2 web
	vm clone --same-mac -n 2 web
	[ "$(names)" = 'web-1 web-2' ]
}

@test "children that would not know that they are several" {
	need_qemu
	run_options=--no-identity
	boot_and_save web
	assert_no_clone 5 "say '--identical'" -n 2 web
	vm clone --identical -n 2 web
	assert_filled web-1 8M 7
	assert_filled web-2 8M 7
}

@test "--dry-run starts nothing, and what it prints is what is done" {
	need_qemu
	boot_and_save web
	run vm clone --dry-run web
	[ "$status" = 0 ]
	[ -n "$output" ]
	vm clone -n 3 --dry-run --json web | jq -e '.argv | index("-incoming")'
	assert_no_process
	[ -z "$(names)" ]
}

# --- disks ---

disk_io() { # NAME COMMAND
	hmp "$1" "qemu-io disk \"$2\"" >/dev/null
}

# Fails unless the first 64 KiB of the guest's disk are this byte. QEMU prints that, and its buffer
# is full only after more of the kind.
assert_disk() { # NAME BYTE
	local size
	size=$(stat -c %s "$state/$1/log")
	disk_io "$1" "read -P $2 0 64k"
	for _ in 1 2 3; do disk_io "$1" help; done
	tail -c "+$((size + 1))" "$state/$1/log" >"$T/said"
	until grep -qaE '^(read 65536/65536|Pattern)' "$T/said"; do
		sleep 0.05
		tail -c "+$((size + 1))" "$state/$1/log" >"$T/said"
	done
	if grep -a '^Pattern verification' "$T/said"; then
		echo "the disk of $1 is not all $2"
		return 1
	fi
}

@test "each child writes to a disk of its own, and so do its children" {
	need_qemu
	truncate -s 16M "$T/disk.raw"
	boot web -mem-path "$memory,mode=create,anyfs" -drive "file=$T/disk.raw,format=raw,if=none,id=disk" \
		-device virtio-blk-pci,drive=disk
	disk_io web 'write -P 1 0 64k' >/dev/null
	assert_disk web 1
	vm save -q web >/dev/null
	before=$(sha256sum "$T/disk.raw" "$T/templates/web/"*)
	vm clone -n 3 web
	for i in 1 2 3; do
		assert_disk "web-$i" 1
		disk_io "web-$i" "write -P $((10 + i)) 0 64k" >/dev/null
	done
	for i in 1 2 3; do assert_disk "web-$i" $((10 + i)); done
	[ "$(sha256sum "$T/disk.raw" "$T/templates/web/"*)" = "$before" ]
	fill web-2 8M 9
	vm save -q web-2 >/dev/null
	vm clone -n 2 web-2
	assert_filled web-2-1 8M 9
	assert_disk web-2-1 12
	disk_io web-2-1 'write -P 21 0 64k' >/dev/null
	assert_disk web-2-2 12
	assert_disk web-1 11
	vm stop --kill --all
	[ "$(sha256sum "$T/disk.raw" "$T/templates/web/"[dm]*)" = "$before" ]
	# What disks stand on stays as long as they do.
	run vm template remove web
	assert_refused 5 "remove that one first"
	vm template remove web-2
	vm template remove web
	assert_empty "$T/templates"
	assert_empty "$memory"
	[ "$(sha256sum "$T/disk.raw")" = "$(head -n 1 <<<"$before")" ]
}
