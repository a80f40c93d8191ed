#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# probe.bats - exomem probe against the installed QEMU, and against what is none.

# Words are split on purpose ($tcg); bats and helper.bash set the other variables.
# shellcheck disable=SC2030,SC2031,SC2034,SC2086,SC2154

load helper

# The file's setup() with a cache of this test's own, and a QEMU that counts how often it starts.
eval "common_$(declare -f setup)"
setup() {
	common_setup
	command -v "${EXOMEM_QEMU:-qemu-system-x86_64}" >/dev/null || lacks_qemu
	real=$(command -v "${EXOMEM_QEMU:-qemu-system-x86_64}")
	unset EXOMEM_QEMU
	export XDG_CACHE_HOME=$T/cache
	qemu=$T/qemu
	make_program "$qemu" "echo x >>'$T/starts'; exec '$real' \"\$@\""
}

make_program() { # PATH SHELL-TEXT
	printf '#!/bin/sh\n%s\n' "$2" >"$1"
	chmod 755 "$1"
}

probe() {
	"$EXOMEM" probe --qemu "$qemu" "$@"
}

starts() { # NUMBER: so often has the QEMU been started
	count=$([ ! -e "$T/starts" ] || wc -l <"$T/starts")
	[ "${count:-0}" = "$1" ] || {
		echo "${count:-0} starts, not $1"
		return 1
	}
}

# A dead orphan may have to wait for an init that reaps it; it counts as gone.
is_gone() { # PID
	case $(ps -o stat= -p "$1") in
	'' | Z*) ;;
	*) return 1 ;;
	esac
}

wait_dead() { # PID
	for _ in $(seq 100); do
		if is_gone "$1"; then return 0; fi
		sleep 0.05
	done
	return 1
}

# Runs a probe of a program that is no QEMU. It may write ids of processes to $T/pids: none may live.
refuse() { # TEXT SHELL-TEXT
	make_program "$T/no-qemu" "echo \$\$ >>'$T/pids'; $2"
	run "$EXOMEM" probe --qemu "$T/no-qemu"
	assert_refused 3 "$1" || return 1
	while read -r id; do
		is_gone "$id" || {
			echo "process $id was left"
			return 1
		}
	done <"$T/pids"
	assert_empty "$T/cache"
}

# Sorted words of a JSON list of the answer.
words() { # JQ-PATH
	jq -r "$1[]" "$T/json" | sort
}

@test "the table names the binary, its properties, its machines and the gates" {
	run --separate-stderr probe
	[ "$status" = 0 ]
	[ -z "$stderr" ]
	[[ "$output" == *"binary         $qemu"* ]]
	[[ "$output" == *discard-data* && "$output" == *x-ignore-shared* ]]
	grep -qE '^ +pc-q35-[0-9.]+ +q35 +pc.ram$' <<<"$output"
	grep -qE '\(default\)$' <<<"$output"
	grep -qx 'file backing needs QEMU 2.6: met' <<<"$output"
	grep -qx 'discard needs QEMU 2.10: met' <<<"$output"
	grep -qx 'vPMEM needs QEMU 3.1: met' <<<"$output"
	[ "$(awk 'length > 80' <<<"$output")" = '' ]
	[ "$(grep -c '[[:space:]]$' <<<"$output")" = 0 ]
}

@test "the answer is what QEMU says of itself" {
	probe --json >"$T/json"
	version=$("$real" --version | sed -nE 's/^QEMU emulator version ([0-9.]+).*/\1/p')
	[ "$(jq -r .version "$T/json")" = "$version" ]
	[ "$(words .accelerators)" = "$("$real" -accel help | sed 1d | sort)" ]
	[ "$(jq -r '.machines[].name' "$T/json" | sort)" = \
		"$("$real" -M help | sed -n '2,$s/ .*//p' | grep -vxF -f <(jq -r '.machines[].alias // empty' "$T/json") | sort)" ]
	"$real" -object memory-backend-file,help | sed -nE 's/^ +([a-z-]+)=.*/\1/p' | sort >"$T/help"
	[ -s "$T/help" ]
	[ -z "$(comm -23 "$T/help" <(words '."file-properties"'))" ]
	[ -z "$(comm -13 <(words '."file-properties"') <(words '."ram-properties"'))" ]
	default=$("$real" -M help | sed -nE 's/^([^ ]+) .*\(default\)$/\1/p')
	[ "$(jq -r '.machines[] | select(.default).name' "$T/json")" = "$default" ]
	[ "$(jq -r '.machines[] | select(.alias == "q35")."ram-id"' "$T/json")" = pc.ram ]
	"$real" -device help 2>/dev/null | sed -nE 's/^name "([^"]+)".*/\1/p' | sort >"$T/help"
	[ -z "$(comm -23 <(words .devices) "$T/help")" ]
	[ "$(words .devices | wc -l)" = 5 ]
	[ "$(words .objects)" = "$("$real" -object help | grep -xo ' *monitor-hmp' | tr -d ' ')" ]
	[ "$(jq -c .gates "$T/json")" = '{"file-backing":true,"discard":true,"vpmem":true}' ]
}

@test "transports: file exactly where migrate takes channels" {
	probe --json >"$T/json"
	printf '%s\n' '{"execute":"qmp_capabilities"}' '{"execute":"query-qmp-schema"}' '{"execute":"quit"}' |
		"$real" -machine none -nodefaults -display none -qmp stdio >"$T/schema"
	channels=$(jq -s '[.[] | .return? | arrays][0] as $all |
		($all[] | select(.name == "migrate" and ."meta-type" == "command")."arg-type") as $type |
		$all[] | select(.name == $type).members | any(.name == "channels")' "$T/schema")
	[ "$(jq '.transports | any(. == "file")' "$T/json")" = "$channels" ]
	[ "$(words .transports | grep -vx file | xargs)" = 'exec fd tcp unix' ]
}

@test "the second probe starts no QEMU and says the same" {
	probe --json >"$T/json"
	starts 1
	probe --json | cmp - "$T/json"
	starts 1
	[ "$(stat -c %a "$T/cache/exomem")" = 700 ]
	probe | grep -qx 'answer         recorded earlier'
	probe --refresh | grep -qx 'answer         asked just now'
	starts 2
}

@test "a link to the binary has the binary's answer" {
	probe --json >"$T/json"
	ln -s qemu "$T/link"
	"$EXOMEM" probe --qemu "$T/link" --json | cmp - "$T/json"
	starts 1
}

@test "a binary that changed is asked again" {
	probe >/dev/null
	touch "$qemu"
	probe >/dev/null
	starts 2
	cp "$qemu" "$T/new"
	mv "$T/new" "$qemu"
	probe >/dev/null
	starts 3
	# Its old mtime does not hide the change.
	touch -r "$qemu" "$T/time"
	echo '# more' >>"$qemu"
	touch -r "$T/time" "$qemu"
	probe >/dev/null
	starts 4
	probe >/dev/null
	starts 4
}

@test "a damaged cache is as good as none" {
	probe --json >"$T/json"
	file=$(echo "$T"/cache/exomem/*)
	for damage in '' junk '{}' "$(head -c 500 "$file")" "$(sed 's/"mtime-ns":[0-9]/&9/' "$file")"; do
		printf %s "$damage" >"$file"
		: >"$T/starts"
		run --separate-stderr probe --json
		[ "$status" = 0 ]
		[ -z "$stderr" ]
		printf '%s\n' "$output" | cmp - "$T/json"
		starts 1
	done
	probe >/dev/null
	starts 1
}

@test "a cache that cannot be written is no error" {
	echo plain >"$T/cache"
	run --separate-stderr probe
	[ "$status" = 0 ]
	[ -z "$stderr" ]
	[ "$(cat "$T/cache")" = plain ]
	probe >/dev/null
	starts 2
}

@test "EXOMEM_QEMU and PATH name the binary, --qemu before both" {
	mkdir "$T/bin"
	ln -s "$qemu" "$T/bin/some-qemu"
	EXOMEM_QEMU=some-qemu PATH=$T/bin:$PATH "$EXOMEM" probe | grep -qx "binary         $qemu"
	EXOMEM_QEMU=/nonexistent "$EXOMEM" probe --qemu "$qemu" | grep -qx "binary         $qemu"
}

@test "no such binary" {
	for binary in /nonexistent/qemu no-such-qemu "$T" /etc/passwd ''; do
		run "$EXOMEM" probe --qemu "$binary"
		assert_refused 3 "'$binary'"
	done
}

@test "binaries that are no QEMU" {
	run "$EXOMEM" probe --qemu /bin/false
	assert_refused 3 'exit status 1'
	run "$EXOMEM" probe --qemu /bin/cat
	assert_refused 3 'does not start as QEMU does'
	refuse 'does not start as QEMU does: exit status 0' 'exit 0'
	refuse 'does not start as QEMU does: lib.so: no such file' 'echo lib.so: no such file >&2; exit 127'
	refuse 'killed by signal 11' 'kill -SEGV $$'
	refuse "'junk' is not QMP" 'echo junk >&3; sleep 1000'
	refuse 'the first message is not' 'echo "{}" >&3; sleep 1000'
	refuse 'hung up' "exec 3>&-; sleep 1000 & echo \$! >>'$T/pids'; wait"
}

@test "a QEMU that dies at start speaks itself" {
	make_program "$qemu" "exec '$real' \"\$@\" -device no-such-device"
	run probe
	assert_refused 3 "'no-such-device' is not a valid device model name"
}

@test "a binary that never answers is given up and killed, with all that it started" {
	SECONDS=0
	refuse 'did not answer as QEMU does within 10 s' \
		"sleep 1000 & echo \$! >>'$T/pids'; while :; do echo babble; done"
	[ "$SECONDS" -ge 9 ]
	[ "$SECONDS" -le 20 ]
}

@test "a probe that is killed leaves no process" {
	make_program "$qemu" "echo \$\$ >'$T/pids'; exec sleep 1000"
	"$EXOMEM" probe --qemu "$qemu" 3>&- &
	probe=$!
	wait_for "$T/pids" '^[0-9]+$'
	kill -KILL "$probe"
	wait "$probe" || true
	wait_dead "$(cat "$T/pids")"
}

@test "words that do not belong" {
	run "$EXOMEM" probe qemu-system-x86_64
	assert_refused 2 "'qemu-system-x86_64'"
	run "$EXOMEM" probe --jsn
	assert_refused 2 'jsn'
}
