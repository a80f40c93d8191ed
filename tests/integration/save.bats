#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# save.bats - what a save leaves, what it refuses, and the guest that goes on then.

# Words are split on purpose; bats, helper.bash and template.bash set the other variables.
# shellcheck disable=SC2012,SC2013,SC2016,SC2030,SC2031,SC2034,SC2086,SC2154

load helper
load template

boot_filled() { # NAME EXOMEM-RUN-ARGUMENT...
	boot "$@"
	fill "$1" 8M 7
}

boot_shared() { # NAME EXOMEM-RUN-ARGUMENT...
	boot_filled "$@" -mem-path "$memory,mode=create,anyfs"
}

# Listens to a guest's events, into $T/events.
listen() { # NAME
	rm -f "$T/events"
	"$EXOMEM" events --state-dir "$state" "$1" >"$T/events" 2>/dev/null 3>&- &
	pids="$pids $!"
	# It listens when it has heard something.
	until [ -s "$T/events" ]; do
		vm qmp "$1" stop >/dev/null
		vm qmp "$1" cont >/dev/null
	done
	wait_for "$T/events" RESUME
}

# How often the guest was stopped since then: the first thing heard may be that it goes on.
stops() {
	grep -c '"STOP"' "$T/events" || true
}

# Fails unless the save is refused, the guest runs as before, and nothing of a template is left.
assert_no_save() { # STATUS TEXT GUEST [EXOMEM-SAVE-ARGUMENT...]
	local wanted=$1 text=$2
	shift 2
	run --separate-stderr vm save "$@"
	[ -z "$output" ]
	output=$stderr
	assert_refused "$wanted" "$text"
	assert_unharmed "$1"
	assert_empty "$T/templates"
}

# --- what there is to see ---

@test "a saved guest has gone, and its template stands" {
	need_qemu
	boot_shared web
	pid=$(pid_of web)
	run vm save web
	[ "$status" = 0 ]
	[ "${lines[0]}" = "$T/templates/web" ]
	[[ "$output" == *'stays where it is'*'devices '*' KiB'*'pause '*' ms'* ]]
	[ "${#lines[@]}" = 4 ]
	has_ended "$pid"
	[ -z "$(vm list -q)" ]
	assert_guests
	assert_holds "$T/templates" web
	assert_holds "$T/templates/web" devices manifest.json
	[ "$(stat -c %a "$T/templates/web" "$T/templates/web"/* | xargs)" = '700 600 600' ]
	assert_holds "$memory" "$file" "$file.template"
	assert_no_process
}

@test "--json and --quiet: for programs" {
	need_qemu
	boot_shared one
	vm save --json one >"$T/json"
	[ "$(jq -c '[.template, .whole, .written]' "$T/json")" = "[\"$T/templates/one\",false,0]" ]
	[ "$(jq '.["devices-size"]' "$T/json")" = "$(stat -c %s "$T/templates/one/devices")" ]
	boot_filled two
	vm save --json two >"$T/json"
	[ "$(jq -c '[.whole, .written >= 8388608]' "$T/json")" = '[true,true]' ]
	boot_filled three
	run vm save -q three "$T/other/place"
	[ "$status $output" = "0 $T/other/place" ]
	assert_holds "$T/other" place
	vm clone --detach "$T/other/place"
	assert_filled place-1 8M 7
}

@test "what was not written is a hole in what is written out" {
	need_qemu
	boot_filled web
	vm save -q web
	[ "$(stat -c %s "$T/templates/web/$file")" = 67108864 ]
	# In blocks of 512 bytes: more than 8 MiB, less than 16.
	[ "$(stat -c %b "$T/templates/web/$file")" -ge 16384 ]
	[ "$(stat -c %b "$T/templates/web/$file")" -lt 32768 ]
}

@test "--dry-run: nothing is done" {
	need_qemu
	boot_shared web
	run vm save --dry-run web
	[ "$status" = 0 ]
	[ "${#lines[@]}" -ge 5 ]
	vm save --dry-run --json web | jq -e '.steps | length >= 5'
	assert_unharmed web
	assert_empty "$T/templates"
	assert_holds "$memory" "$file"
}

@test "memory that was to be discarded stays" {
	need_qemu
	boot_filled web -mem-path "$memory,mode=create,discard=on,anyfs"
	vm save -q web
	[ "$(stat -c %b "$memory/$file")" -ge 16384 ]
	vm list
	vm clone --detach web
	assert_filled web-1 8M 7
}

@test "nobody can map a template's memory shared, or make it anew" {
	need_qemu
	boot_shared web
	vm save -q web
	before=$(sha256sum "$memory/$file")
	for mode in mode=open,mmap=shared mode=create; do
		run "$EXOMEM" run --state-dir "$state" $tiny -mem-path "$memory,$mode,anyfs" 3>&- </dev/null
		[ "$status" != 0 ]
		[ "$(wc -l <<<"$output")" = 1 ]
		[[ "$output" == *template* ]]
	done
	[ "$(sha256sum "$memory/$file")" = "$before" ]
	assert_guests
}

# --- what is refused before the guest notices ---

@test "words and names that cannot be" {
	need_qemu
	boot_shared web
	run vm save
	assert_refused 2 'name a guest'
	run vm save web one two
	assert_refused 2 "'two' is one word too many"
	for name in 'a b' .hidden '' 'a/b c' -x 'a,b' "$(printf %0100d 1)"; do
		run vm save -- web "$name"
		[ "$status" = 2 ]
		[ "$(wc -l <<<"$output")" = 1 ]
	done
	run vm save none
	assert_refused 5 "'none'"
	assert_no_save 2 exclude web --json --quiet
}

@test "a guest that exomem did not start" {
	need_qemu
	"${EXOMEM_QEMU:-qemu-system-x86_64}" -accel tcg -nodefaults -display none -M q35 -m 64 -name web \
		-kernel "$GUEST" -serial "file:$T/serial" 3>&- &
	pid=$!
	pids="$pids $pid"
	wait_for "$T/serial" 'tiny: up'
	run vm save web
	assert_refused 5 "'web'"
	kill -0 "$pid"
	assert_empty "$T/templates"
}

@test "a template of that name exists" {
	need_qemu
	boot_shared old
	vm save -q old web
	boot_filled web
	before=$(sha256sum "$T/templates/web"/*)
	run vm save web
	assert_refused 5 "'$T/templates/web' exists"
	[ "$(sha256sum "$T/templates/web"/*)" = "$before" ]
	# So does a file.
	: >"$T/file"
	run vm save web "$T/file"
	assert_refused 5 "'$T/file' exists"
	run vm save web "$T/file/web"
	[ "$status" = 2 ]
	[ "$(wc -l <<<"$output")" = 1 ]
	assert_unharmed web
	assert_holds "$T/templates" web
	vm save -q web other
}

@test "a place that cannot be written to" {
	need_qemu
	need_root 'mounts tmpfs'
	boot_filled web
	mkdir "$reflink"
	mount -t tmpfs -o ro tmpfs "$reflink"
	assert_no_save 2 "'$reflink' is not writable" web "$reflink/web"
	assert_no_save 2 "is not writable" web "$reflink/deep/er/web"
}

@test "a place that is too small" {
	need_qemu
	need_root 'mounts tmpfs'
	boot_filled whole
	boot_shared kept
	mkdir "$reflink"
	mount -t tmpfs -o mode=700,size=4M tmpfs "$reflink"
	# Memory does not fit; then not even the devices do.
	assert_no_save 4 "'$reflink" whole "$reflink/web"
	assert_empty "$reflink"
	mount -o remount,size=64K "$reflink"
	assert_no_save 4 '' kept "$reflink/web"
	assert_no_save 4 '' whole "$reflink/web"
	assert_empty "$reflink"
	assert_holds "$memory" "$file"
	# Nothing has been spoilt.
	mount -o remount,size=100M "$reflink"
	vm save -q kept "$reflink/kept"
	vm save -q whole "$reflink/whole"
	vm clone --detach --name one "$reflink/kept"
	vm clone --detach --name two "$reflink/whole"
	assert_filled one 8M 7
	assert_filled two 8M 7
	vm stop --kill one two
}

@test "a device that cannot migrate is named, and the guest is not stopped" {
	need_qemu
	for start in boot_filled boot_shared; do
		"$start" web -device qemu-xhci -device usb-uas
		vm qmp web query-migrate >/dev/null
		listen web
		before=$(stops)
		assert_no_save 3 usb-uas web
		[ "$(stops)" = "$before" ]
		vm stop --kill web
		vm list -q
		rm -f "$memory/$file"
	done
}

@test "what no child could have: a descriptor, memory of others" {
	need_qemu
	exec 5</dev/null
	boot_shared web -add-fd fd=5,set=1
	exec 5<&-
	assert_no_save 3 'fd=5' web
	vm stop --kill web
	rm "$memory/$file"
	truncate -s 16M "$T/own"
	slots='-m 64,slots=2,maxmem=1G'
	for words in \
		"memory-backend-file,id=own,size=16M,share=on,mem-path=$T/own pc-dimm" \
		"memory-backend-memfd,id=own,size=16M pc-dimm" \
		"memory-backend-ram,id=own,size=16M,share=on pc-dimm" \
		"memory-backend-file,id=own,size=16M,share=off,mem-path=$T/own virtio-pmem-pci"; do
		boot web $slots -object "${words% *}" -device "${words#* },memdev=own"
		fill web 8M 7
		assert_no_save 3 "${words##*[ ,]}" web || assert_no_save 3 "memory-backend" web
		vm stop --kill web
		vm list -q
	done
}

@test "a private backend of the guest's own goes along" {
	need_qemu
	boot_filled web -m 64,slots=2,maxmem=1G -object memory-backend-ram,id=own,size=16M,share=off \
		-device pc-dimm,memdev=own
	vm save -q web
	vm clone --detach web
	assert_filled web-1 8M 7
}

# --- a QEMU that does not go along ---

@test "a QEMU that hangs: refused in time, and the guest goes on afterwards" {
	need_qemu
	boot_shared web
	pid=$(pid_of web)
	kill -STOP "$pid"
	run timeout 30 "$EXOMEM" save --state-dir "$state" --templates "$T/templates" web 3>&-
	assert_refused 1 "'web'"
	assert_empty "$T/templates"
	kill -CONT "$pid"
	assert_unharmed web
	vm save -q web
}

@test "a guest that is being migrated" {
	need_qemu
	boot_filled web
	vm qmp web migrate-set-parameters '{"max-bandwidth": 4096}'
	socat -u "UNIX-LISTEN:$T/stream" OPEN:/dev/null 3>&- &
	pids="$pids $!"
	until [ -S "$T/stream" ]; do sleep 0.02; done
	vm qmp web migrate "{\"uri\": \"unix:$T/stream\"}"
	assert_no_save 5 'is being migrated' web
	[ "$(vm qmp web query-migrate | jq -r .status)" = active ]
	vm qmp web migrate_cancel
	until [ "$(vm qmp web query-migrate | jq -r .status)" = cancelled ]; do sleep 0.05; done
	vm save -q web
	vm clone --detach web
	assert_filled web-1 8M 7
}

@test "a guest that was migrated away" {
	need_qemu
	boot_filled web
	vm qmp web migrate '{"uri": "exec:cat >/dev/null"}'
	until [ "$(status_of web)" = postmigrate ]; do sleep 0.05; done
	run vm save web
	assert_refused 5 "guest 'web' was saved or migrated already"
	assert_empty "$T/templates"
}

# --- two saves ---

@test "saved twice at once: one template, and no harm" {
	need_qemu
	for round in 1 2 3; do
		boot_shared web
		vm save -q web "one$round" >"$T/out.1" 2>"$T/err.1" &
		first=$!
		vm save -q web "two$round" >"$T/out.2" 2>"$T/err.2" &
		second=$!
		rc1=0 rc2=0
		wait "$first" || rc1=$?
		wait "$second" || rc2=$?
		cat "$T"/err.*
		[ $((!rc1 + !rc2)) = 1 ]
		[ "$(cat "$T"/err.* | wc -l)" = 1 ]
		[ "$(ls -A "$T/templates" | wc -l)" = 1 ]
		template=$(cat "$T"/out.*)
		vm template verify "$template"
		vm clone --detach "$template"
		assert_filled "${template##*/}-1" 8M 7
		vm stop --kill --all
		vm list -q
		vm template remove "$template"
		assert_empty "$T/templates"
		assert_empty "$memory"
	done
	assert_no_process
}

@test "two guests saved under one name at once: one of them lives on" {
	need_qemu
	boot_filled one
	boot_filled two
	vm save -q one web >"$T/out" 2>"$T/err.1" &
	first=$!
	vm save -q two web >>"$T/out" 2>"$T/err.2" &
	second=$!
	rc1=0 rc2=0
	wait "$first" || rc1=$?
	wait "$second" || rc2=$?
	cat "$T"/err.*
	[ $((!rc1 + !rc2)) = 1 ]
	assert_holds "$T/templates" web
	left=$(vm list -q)
	if [ "$rc1" = 0 ]; then [ "$left" = two ]; else [ "$left" = one ]; fi
	assert_unharmed "$left"
	vm clone --detach web
	assert_filled web-1 8M 7
}

# --- the one that saves is killed ---

@test "interrupted or killed while memory is written: the guest goes on" {
	need_qemu
	boot_filled web -m 1G
	fill web 256M 5
	fill web 8M 7
	for signal in INT TERM KILL; do
		# A shell has its background ignore SIGINT.
		env --default-signal=INT "$EXOMEM" save --state-dir "$state" --templates "$T/templates" web \
			>"$T/out" 2>"$T/err" 3>&- &
		saver=$!
		pids="$pids $saver"
		until [ -n "$(find "$T/templates" -name 'qemu_back_mem*' -size +8192k 2>/dev/null)" ] ||
			! kill -0 "$saver" 2>/dev/null; do :; done
		kill -"$signal" "$saver"
		rc=0
		wait "$saver" || rc=$?
		[ "$rc" != 0 ]
		# What it began is undone by another process.
		deadline=$((SECONDS + 10))
		until [ -z "$(ls -A "$T/templates")" ] || [ "$SECONDS" -ge "$deadline" ]; do sleep 0.05; done
		assert_empty "$T/templates"
		assert_unharmed web
	done
	vm save -q web
	vm clone --detach web
	assert_filled web-1 8M 7
}
