#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# exomem prefetch: what a guest touches is recorded, and is read before the next one.

# Words are split on purpose ($tiny); helper.bash and template.bash set the other variables.
# shellcheck disable=SC2030,SC2031,SC2034,SC2086,SC2154

load helper
load template

mib=1048576

prefetch() { # ARGUMENT...
	"$EXOMEM" prefetch --state-dir "$state" --templates "$T/templates" "$@" 3>&-
}

# A template of 16 MiB that are not zero, and a child of it that has read the first 8 of them.
record_eight() {
	boot web -mem-path "$memory,mode=create,anyfs"
	fill web 16M 7
	vm save -q web
	vm clone --detach web
	assert_filled web-1 8M 7
	prefetch record -q web-1
}

# The kernel maps up to 64 KiB around a page that is read, so what was not is asked for at a distance.
# Bytes of the recording between two addresses, in MiB.
recorded_within() { # FROM TO [RECORDING]
	jq --argjson from $(($1 * mib)) --argjson to $(($2 * mib)) '
		[.memory[0].extents as $e | range(0; $e | length; 2) |
			[([$e[.], $from] | max), ([$e[.] + $e[. + 1], $to] | min)] |
			select(.[0] < .[1]) | .[1] - .[0]] | add // 0' \
		"${3:-$T/templates/web/prefetch.json}"
}

# Drops the memory file from the page cache, where nobody maps it.
forget_pages() {
	sync "$memory/$file"
	dd of="$memory/$file" oflag=nocache conv=notrunc,fdatasync count=0 status=none
	[ "$(cached)" = 0 ]
}

cached() {
	fincore --bytes --noheadings --output RES "$memory/$file" | tr -d ' '
}

wait_for_cached() { # BYTES
	local deadline=$((SECONDS + 30))
	until [ "$(cached)" -ge "$1" ]; do
		[ "$SECONDS" -lt "$deadline" ]
		sleep 0.1
	done
}

# What was started in the background, with its errors in $T/err.
assert_ended() { # PID STATUS TEXT
	local rc=0
	wait "$1" || rc=$?
	[ "$rc" = "$2" ]
	grep -q "$3" "$T/err"
}

on_ext4() {
	use_file_system ext4 300M
	memory=$reflink
}

@test "a recording holds the pages that the child has read, and no others of its parent's" {
	need_qemu
	record_eight
	[ "$(recorded_within 2 10)" = $((8 * mib)) ]
	[ "$(recorded_within 11 18)" = 0 ]
	[ "$(jq -c '[.schema, .runs, ."page-size", (.memory | length)]' \
		"$T/templates/web/prefetch.json")" = "[1,1,$(getconf PAGESIZE),1]" ]
}

@test "a page that the child has written belongs to it too" {
	need_qemu
	boot_and_save web
	vm clone --detach web
	dirty web-1 4M 3
	prefetch record -q web-1
	[ "$(recorded_within 2 6)" = $((4 * mib)) ]
}

@test "replay brings exactly the recorded pages into the page cache, and once they are there, none" {
	need_qemu
	on_ext4
	record_eight
	before=$(sha256sum "$memory/$file" "$T/templates/web/"[dm]*)
	vm stop --kill web-1
	forget_pages
	replayed=$(prefetch replay --json web)
	echo "$replayed"
	[ "$(cached)" = "$(jq .recorded <<<"$replayed")" ]
	[ "$(jq .cached <<<"$replayed")" = 0 ]
	[ "$(prefetch show --json web | jq .cached)" = "$(cached)" ]
	[ "$(prefetch replay --json web | jq .read)" = 0 ]
	[ "$(sha256sum "$memory/$file" "$T/templates/web/"[dm]*)" = "$before" ]
	vm clone --detach web
	assert_filled web-1 16M 7
}

@test "replay reads no more than --limit, and no faster than --rate" {
	need_qemu
	on_ext4
	record_eight
	vm stop --kill web-1
	forget_pages
	[ "$(prefetch replay --json --limit 3M web | jq .read)" = $((3 * mib)) ]
	[ "$(cached)" = $((3 * mib)) ]
	forget_pages
	# A timer never ends early: 8 MiB less the last pieces.
	[ "$(prefetch replay --json --rate 8M web | jq .\"time-us\")" -ge 900000 ]
}

@test "replay for a guest ends when the guest is killed" {
	need_qemu
	on_ext4
	record_eight
	vm stop --kill web-1
	forget_pages
	vm clone --detach --paused web
	prefetch replay --json --rate 64K web-1 >"$T/replayed" &
	replay=$!
	until [ "$(cached)" -gt 0 ]; do sleep 0.05; done
	vm stop --kill web-1
	wait "$replay"
	cat "$T/replayed"
	[ "$(jq .gone "$T/replayed")" = true ]
	[ "$(jq .read "$T/replayed")" -lt $((8 * mib)) ]
}

@test "replay that is interrupted ends" {
	need_qemu
	on_ext4
	record_eight
	vm stop --kill web-1
	forget_pages
	# Not by a function: its process would be killed. A job of a script ignores SIGINT.
	"$EXOMEM" prefetch replay --state-dir "$state" --templates "$T/templates" --rate 64K web \
		2>"$T/err" 3>&- &
	replay=$!
	until [ "$(cached)" -gt 0 ]; do sleep 0.05; done
	kill -TERM "$replay"
	assert_ended "$replay" 1 'interrupted'
}

@test "of several recordings is kept what all have; --anew begins again" {
	need_qemu
	record_eight
	vm clone --detach --name second web
	assert_filled second 4M 7
	prefetch record -q second
	[ "$(recorded_within 2 6)" = $((4 * mib)) ]
	[ "$(recorded_within 7 18)" = 0 ]
	[ "$(jq .runs "$T/templates/web/prefetch.json")" = 2 ]
	prefetch record --anew -q web-1
	[ "$(recorded_within 2 10)" = $((8 * mib)) ]
	[ "$(jq .runs "$T/templates/web/prefetch.json")" = 1 ]
}

@test "record waits for --seconds, and says so of a guest that ends before" {
	need_qemu
	boot_and_save web
	vm clone --detach web
	prefetch record -q --seconds 2 web-1 &
	recorder=$!
	assert_filled web-1 8M 7
	wait "$recorder"
	[ "$(recorded_within 2 10)" = $((8 * mib)) ]
	vm clone --detach --name second web
	prefetch record --anew --seconds 1000 second 2>"$T/err" &
	recorder=$!
	wait_watching "$recorder"
	vm stop --kill second
	assert_ended "$recorder" 5 "guest 'second' has ended"
}

@test "show tells what of a recording a child has used, and what not" {
	need_qemu
	record_eight
	vm clone --detach --name second web
	assert_filled second 16M 7
	shown=$(prefetch show --json second)
	echo "$shown"
	[ "$(jq '.touched - .hit' <<<"$shown")" -ge $((8 * mib)) ]
	[ "$(jq '.hit + .waste - .recorded' <<<"$shown")" = 0 ]
	[ "$(jq .hit <<<"$shown")" -ge $((8 * mib)) ]
	[ "$(jq -r .guest <<<"$shown")" = second ]
	prefetch show second | grep -E '^hit .*% of that$'
	vm stop --kill second web-1
	[ "$(prefetch show --json web | jq 'has("hit")')" = false ]
}

@test "a recording of other memory is refused, and a clone goes without it" {
	need_qemu
	record_eight
	mkdir "$memory/other"
	boot other -mem-path "$memory/other,mode=create,anyfs"
	vm save -q other
	cp "$T/templates/web/prefetch.json" "$T/templates/other/"
	run prefetch replay other
	assert_refused 5 'other memory'
	run prefetch show other
	assert_refused 5 'other memory'
	run --separate-stderr vm clone --detach --prefetch other
	[ "$status" = 0 ]
	[[ "$stderr" == *'nothing is read before'*'other memory'* ]]
	run prefetch record other-1
	assert_refused 5 '--anew'
	prefetch record --anew -q other-1
	prefetch show other
}

@test "clone --prefetch: the pages are there though the children rest" {
	need_qemu
	on_ext4
	record_eight
	vm stop --kill web-1
	recorded=$(prefetch show --json web | jq .recorded)
	for count in 1 3; do
		forget_pages
		vm clone --detach --paused --prefetch -n $count web
		wait_for_cached "$recorded"
		vm stop --kill --all
	done
	assert_no_process
}

@test "clone --prefetch of children that wait, and of one in the foreground" {
	need_qemu
	on_ext4
	record_eight
	vm stop --kill web-1
	recorded=$(prefetch show --json web | jq .recorded)
	vm clone --warm 1 web
	forget_cold() { # pages that a mapping holds stay
		dd of="$memory/$file" oflag=nocache conv=notrunc,fdatasync count=0 status=none
	}
	forget_cold
	vm clone --detach --prefetch web
	wait_for_cached "$recorded"
	vm stop --kill --all
	forget_pages
	"$EXOMEM" clone --state-dir "$state" --templates "$T/templates" --paused --prefetch web \
		</dev/null >"$T/out" 2>&1 3>&- &
	pids=$!
	wait_for_cached "$recorded"
	vm stop --kill --all
}

@test "clone --prefetch without a recording says so, and starts" {
	need_qemu
	boot_and_save web
	run --separate-stderr vm clone --detach --prefetch web
	[ "$status" = 0 ]
	[ "$output" = web-1 ]
	[[ "$stderr" == *"there is no recording"*"prefetch record"* ]]
	run prefetch replay web-1
	assert_refused 5 'there is no recording'
	run vm clone --prefetch --memory reflink web
	assert_refused 2 'reflink'
}

@test "migrate --prefetch: what the guest has touched goes with its state, and is read there" {
	need_qemu
	on_ext4
	boot web -mem-path "$memory,mode=create,mmap=shared,anyfs"
	fill web 8M 7
	vm migrate -q --prefetch --to "$memory/web.handover" web
	[ "$(recorded_within 2 10 "$memory/web.handover/prefetch.json")" = $((8 * mib)) ]
	[ "$(recorded_within 11 47 "$memory/web.handover/prefetch.json")" = 0 ]
	forget_pages
	vm receive -q --paused "$memory/web.handover"
	wait_for_cached $((8 * mib))
	vm qmp web cont
	assert_filled web 8M 7
}

@test "migrate --prefetch prefers what was recorded of the guest" {
	need_qemu
	boot web -mem-path "$memory,mode=create,mmap=shared,anyfs"
	fill web 4M 7
	prefetch record -q web
	fill web 16M 7
	vm migrate -q --prefetch --to "$memory/web.handover" web
	[ "$(recorded_within 2 6 "$memory/web.handover/prefetch.json")" = $((4 * mib)) ]
	[ "$(recorded_within 7 18 "$memory/web.handover/prefetch.json")" = 0 ]
}

@test "bad input is refused in one line" {
	need_qemu
	record_eight
	boot bare
	while IFS='|' read -r code text words; do
		# shellcheck disable=SC2086 # words
		run prefetch $words
		assert_refused "$code" "$text"
	done <<-'END'
		2|say 'record', 'replay' or 'show'|
		2|did you mean 'record'|recor web-1
		2|name a guest|record
		2|name a template or a guest|replay
		2|'more' is not expected|replay web more
		2|'--limit' goes with 'replay'|record --limit 1M web-1
		2|'--seconds' goes with 'record'|show --seconds 1 web
		2|--limit: |replay --limit lots web
		2|--rate: '0' must|replay --rate 0 web
		2|--seconds: |record --seconds soon web-1
		2|exclude each other|replay --json --quiet web
		5|no guest 'web'|record web
		5|no guest and no template 'gone'|replay gone
		3|in no file|record bare
	END
	truncate -s 100 "$T/templates/web/prefetch.json"
	run prefetch replay web
	assert_refused 5 'prefetch.json'
	echo '{"schema": 2}' >"$T/templates/web/prefetch.json"
	run prefetch replay web
	assert_refused 5 'newer exomem'
	vm clone --detach --prefetch --name third web
}
