#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# receive_peer.bats - a peer of `exomem receive -` or of `exomem migrate` that is silent, slow, not exomem,
# or hostile: it costs ten seconds at the most and one line, and the guest is where it was.

# bats, helper.bash and template.bash set the other variables.
# shellcheck disable=SC2030,SC2031,SC2034,SC2154

load helper
load template
load migrate

# Seconds: ten for the message that does not come, and some for a busy machine.
limit=14

# Runs `receive -` with standard input from a peer, a function. Sets $rc; messages are in $T/err, answers in
# $T/answers.
receive_from() { # FUNCTION [ARGUMENT]...
	local begin=$SECONDS
	rm -f "$T/in"
	mkfifo "$T/in"
	"$@" >"$T/in" 2>/dev/null 3>&- &
	peer=$!
	rc=0
	# A core or a critical message of GLib would be a status of 128 and more.
	G_DEBUG=fatal-criticals timeout -s KILL 60 "$EXOMEM" receive --state-dir "$T/there" - \
		<"$T/in" >"$T/answers" 2>"$T/err" 3>&- || rc=$?
	took=$((SECONDS - begin))
	kill "$peer" 2>/dev/null || true
	wait "$peer" 2>/dev/null || true
	cat "$T/err" "$T/answers"
}

# The peer was told nothing or one line, and this side's user as well; nothing is left.
assert_ended_with() { # STATUS TEXT
	[ "$rc" = "$1" ]
	[ "$took" -le "$limit" ]
	[ "$(wc -l <"$T/err")" = 1 ]
	grep -qF -- "$2" "$T/err"
	run ! grep -q CRITICAL "$T/err"
	[ ! -e "$T/there" ] || assert_empty_of_guests "$T/there"
}

# --- peers of the destination ---

hang() { sleep 30; }
trickle() { while printf '{' && sleep 1; do :; done; }
half_a_line() { printf '{"ask": "che'; }
half_a_line_and_hang() { half_a_line; hang; }
hello_and_hang() { printf '%s\n' "$@"; hang; }
noise() { head -c 200000 /dev/urandom; }
endless_line() { tr '\0' x </dev/zero; }

@test "a source that is silent, or slow, is waited for ten seconds" {
	receive_from hang
	assert_ended_with 1 'the other host does not answer'
	receive_from trickle
	assert_ended_with 1 'the other host does not finish its message'
	receive_from half_a_line_and_hang
	assert_ended_with 1 'the other host does not finish its message'
}

@test "a silent source does not keep another one out" {
	need_qemu
	boot_movable web
	"$EXOMEM" receive --state-dir "$T/there" - < <(sleep 30) 2>/dev/null 3>&- &
	silent=$!
	move -q web other
	assert_moved web
	kill_all
	kill "$silent" 2>/dev/null || true
}

@test "a source that is not exomem, or ends before its message does" {
	receive_from true
	assert_ended_with 1 'the connection has ended'
	receive_from half_a_line
	assert_ended_with 1 'the connection has ended'
	receive_from printf 'GET / HTTP/1.0\r\n\r\n'
	assert_ended_with 1 "the peer is not exomem: 'GET / HTTP/1.0\x0d'"
	receive_from noise
	assert_ended_with 1 'the peer is not exomem'
	receive_from endless_line
	assert_ended_with 1 'the other host sends too much'
	receive_from printf '[1]\n'
	assert_ended_with 1 "the peer is not exomem: '[1]'"
	receive_from printf '{"ask": "check"}\0{}\n'
	assert_ended_with 1 'the peer is not exomem'
	receive_from printf '{"ask": "\377"}\n'
	assert_ended_with 1 'the peer is not exomem'
}

# A guest whose state is on disk, and what a source would say of it.
hand_over() {
	need_qemu
	boot_movable web
	vm migrate -q --to "$memory/web.handover" web
	printf token >"$memory/web.handover/token"
	jq -c --arg dir "$memory/web.handover" '{protocol: 2, version: "1", ask: "check", turn: 1,
		guest: ., directory: $dir, token: "token", "boot-id": ""}' \
		"$memory/web.handover/manifest.json" | sed 's/"boot-id":""/"boot-id":"'"$(
		cat /proc/sys/kernel/random/boot_id)"'"/' >"$T/hello"
}

# jq 1.6 rounds what does not fit in a double, as times do.
with() { # JQ-FILTER
	jq -c "$1" "$T/hello" | restore_numbers
}

restore_numbers() {
	local mtime inode
	mtime=$(sed -nE 's/.*"mtime": ?([0-9]+),?.*/\1/p' "$memory/web.handover/manifest.json" | head -n 1)
	sed -E "s/\"mtime\":${mtime:0:15}[0-9]*/\"mtime\":$mtime/"
}

# The source says this and hears the answers; it ends when there are that many, or the other one has ended.
say_all() { # LINE...
	local line count=0
	for line; do
		printf '%s\n' "$line"
		count=$((count + 1))
		until [ "$(wc -l <"$T/answers")" -ge "$count" ]; do sleep 0.02; done
	done
}

# Whatever is wrong in its first message is refused with a reason, and there is no guest.
assert_hello_refused() { # JQ-FILTER TEXT
	receive_from say_all "$(with "$1")"
	echo "$1: exit $rc"
	[ "$rc" -le 5 ]
	[ "$took" -le "$limit" ]
	[ "$(wc -l <"$T/answers")" = 1 ]
	[ "$(wc -l <"$T/err")" -le 1 ]
	run ! grep -q CRITICAL "$T/err"
	run -0 jq -e -r .error "$T/answers"
	[[ "$output" == *"$2"* ]]
	assert_empty_of_guests "$T/there"
}

assert_all_refused() { # JQ-FILTER...
	hand_over
	mkdir "$T/there"
	receive_from say_all "$(with .)"
	run -0 jq -e '.error == null and .protocol == 2' "$T/answers"
	for filter; do
		assert_hello_refused "$filter" ''
	done
}

@test "a first message that says of a guest what is none" {
	assert_all_refused 'del(.guest)' '.guest = 1' '.guest = []' '.guest = null' 'del(.guest.name)' \
		'.guest.name = 7' '.guest.name = "../x"' '.guest.name = ""' '.guest.name = "a\nb"' \
		'.guest.schema = 3' '.guest.schema = -1' '.guest.index = 4294967296' '.guest.uuid = "x"' \
		'del(.guest.uuid)' '.guest["generation-id"] = "x,y=z"' '.guest.machine = "x"' \
		'.guest.disks = [1]' '.guest.disks = null' '.guest["working-directory"] = "."'
}

@test "a first message with memory that no guest has" {
	assert_all_refused '.guest.memory = []' '.guest.memory = {}' '.guest.memory[0] = 1' \
		'.guest.memory[0].size = -1' '.guest.memory[0].size = 0' '.guest.memory[0].size = "1"' \
		'.guest.memory[0].size = 1.5' '.guest.memory[0].path = "../x"' \
		'.guest.memory[0].path += "/../x"' '.guest.memory[0].path = "x"' \
		'.guest.memory[0].path = "/dev/zero"' '.guest.memory[0].path = "/"' \
		'.guest.memory += [.guest.memory[0]]' '.guest.memory[0].id = "x"' \
		'.guest["ram-size"] = 0' '.guest["ram-size"] = 1e30' '.guest["ram-size"] = 1' \
		'.guest["ram-size"] = -1'
}

@test "a first message with a command line or a QEMU that cannot be run" {
	assert_all_refused '.guest.command = {}' '.guest.command = [1]' \
		'.guest.command += ["-mem-path"]' '.guest.command += ["-no-such-option"]' \
		'.guest.qemu = "/nowhere"' '.guest.qemu = ""' \
		'.guest.qemu = "x"' '.guest["qemu-version"] = ""' '.guest["qemu-version"] = "a.b"' \
		'.guest["qemu-version"] = "99.9"'
}

@test "a first message without what belongs in one" {
	assert_all_refused 'del(.directory)' '.directory = 1' '.directory = ""' '.directory = "x"' \
		'.directory += "/../web.handover"' '.directory = "/nowhere"' '.directory = "/dev"' \
		'del(.token)' '.token = 1' '.token = ""' '.token = "x"' '.protocol = "2"' \
		'.protocol = -1' '.protocol = 1e3' 'del(.ask)' '.ask = 1' '.ask = "prepare"' \
		'.ask = "look"' '.turn = 2' '.turn = "1"' '.data = -1' '.data = "1"' '.data = 1e99' \
		'.data = 99999999999'
	# The first line of what somebody else wrote may be long, and drive a terminal.
	assert_hello_refused '.ask = "\u001b[2J"' 'cannot be asked'
	grep -qF '\x1b[2J' "$T/err"
}

@test "what is said twice in one message is refused" {
	hand_over
	mkdir "$T/there"
	receive_from say_all "$(with . | sed 's/"token":"token"/"token":"token","token":"token"/')"
	grep -qF 'twice' "$T/err" "$T/answers"
	receive_from say_all "$(with . | sed 's/"name":"web"/"name":"web","name":"other"/')"
	grep -qF 'twice' "$T/err" "$T/answers"
}

@test "a token that is a FIFO or has no end costs nothing" {
	hand_over
	mkdir "$T/there"
	rm "$memory/web.handover/token"
	mkfifo "$memory/web.handover/token"
	assert_hello_refused . 'is not the directory'
	rm "$memory/web.handover/token"
	ln -s /dev/zero "$memory/web.handover/token"
	assert_hello_refused . 'is not the directory'
}

@test "nothing that is named in the first message is run before the token is found" {
	hand_over
	mkdir "$T/there"
	printf '#!/bin/sh\ntouch %s\n' "$T/ran" >"$T/evil"
	chmod +x "$T/evil"
	assert_hello_refused ".token = \"x\" | .guest.qemu = \"$T/evil\"" 'is not the directory'
	[ ! -e "$T/ran" ]
}

ask_line() { # TURN VERB [JQ-FILTER]
	with ".turn = $1 | .ask = \"$2\" | del(.protocol, .version, .token, .[\"boot-id\"]) | ${3-.}"
}

# A question with the state behind it.
ask_state() { # TURN VERB
	local size sum
	size=$(stat -c %s "$memory/web.handover/devices")
	sum=$(sha256sum <"$memory/web.handover/devices" | cut -d' ' -f1)
	printf '{"ask":"%s","turn":%d,"data":%d,"sha256":"%s"}\n' "$2" "$1" "$size" "$sum"
	cat "$memory/web.handover/devices"
}

# As say_all, but an argument that begins with @ has the state behind it.
play() { # LINE|@VERB...
	local word count=0
	for word; do
		count=$((count + 1))
		case $word in
		@*) ask_state "$count" "${word#@}" ;;
		*) printf '%s\n' "$word" ;;
		esac
		until [ "$(wc -l <"$T/answers")" -ge "$count" ]; do sleep 0.02; done
	done
}

@test "the questions of a source, in their order: the guest is taken over" {
	hand_over
	receive_from play "$(with .)" "$(ask_line 2 prepare)" @state "$(ask_line 4 take-over)" \
		"$(ask_line 5 look)"
	[ "$rc" = 0 ]
	run ! grep -q '"error"' "$T/answers"
	there assert_unharmed web
	assert_memory_alone
	kill_all
}

@test "the QEMU that waits for the guest ends when its state or its guest is another" {
	hand_over
	mkdir "$T/there"
	waits=("$(with .)" "$(ask_line 2 set-up-rehearsal)" @rehearse "$(ask_line 4 prepare)")
	assert_question_refused 'another guest' "${waits[@]}" @state \
		"$(ask_line 6 take-over '.guest.memory[0].path = "/etc/passwd"')"
	assert_question_refused 'changed on the way' "${waits[@]}" \
		"$(printf '{"ask":"state","turn":5,"data":1,"sha256":"%064d"}\nx' 0)"
	# Nor may it be had a second time.
	receive_from play "${waits[@]}" @state "$(ask_line 6 take-over)" "$(ask_line 7 take-over)"
	grep -q 'cannot be asked' "$T/err"
	there assert_unharmed web
	assert_memory_alone
	kill_all
}

# The last question is refused with one line, and no guest is left there; its state is.
assert_question_refused() { # TEXT LINE|@VERB...
	cp -a "$memory/web.handover" "$T/copy"
	receive_from play "${@:2}"
	echo "wanted: $1; exit $rc"
	[ "$rc" -le 5 ]
	[ "$took" -le "$limit" ]
	[ "$(wc -l <"$T/err")" -le 1 ]
	run ! grep -q CRITICAL "$T/err"
	grep -qF -- "$1" <(tail -n 1 "$T/answers")
	assert_empty_of_guests "$T/there"
	diff -r "$memory/web.handover" "$T/copy"
	rm -r "$T/copy"
}

@test "questions out of their order are refused, and leave no guest" {
	hand_over
	hello=$(with .)
	assert_question_refused 'cannot be asked' "$hello" "$(with '.turn = 2')"
	assert_question_refused 'cannot be asked' "$hello" "$(ask_line 2 take-over)"
	assert_question_refused 'cannot be asked' "$hello" "$(ask_line 2 look)"
	assert_question_refused 'cannot be asked' "$hello" @state
	assert_question_refused 'cannot be asked' "$hello" @rehearse
	assert_question_refused 'cannot be asked' "$hello" "$(ask_line 2 prepare)" "$(ask_line 3 prepare)"
	assert_question_refused 'cannot be asked' "$hello" "$(ask_line 2 prepare)" \
		"$(ask_line 3 set-up-rehearsal)"
	assert_question_refused 'cannot be asked' "$hello" "$(ask_line 2 prepare)" \
		"$(ask_line 3 take-over)"
	assert_question_refused 'turn' "$hello" "$(ask_line 3 prepare)"
	# One that was refused is the last.
	receive_from play "$(with '.token = "x"')" "$(ask_line 2 prepare)"
	[ "$rc" = 0 ]
	[ "$(wc -l <"$T/answers")" = 1 ]
}

@test "a state that is not what it should be, or another guest than was checked, is not taken over" {
	hand_over
	hello=$(with .)
	prepare=$(ask_line 2 prepare)
	assert_question_refused 'comes with no data' "$hello" "$prepare" '{"ask":"state","turn":3}'
	assert_question_refused 'another guest' "$hello" "$prepare" @state \
		"$(ask_line 4 take-over '.guest.name = "other"')"
	assert_question_refused 'another guest' "$hello" "$prepare" @state \
		"$(ask_line 4 take-over '.guest.uuid = "00000000-0000-4000-8000-000000000000"')"
	assert_question_refused 'twice' "$hello" "$prepare" @state \
		"$(ask_line 4 take-over '.guest.memory += [.guest.memory[0]]')"
	assert_question_refused 'another guest' "$hello" "$prepare" @state "$(ask_line 4 take-over \
		'.guest.memory += [.guest.memory[0] | .id = "x"]')"
	assert_question_refused 'another guest' "$hello" "$prepare" @state \
		"$(ask_line 4 take-over '.guest.memory[0].path = "/etc/passwd"')"
	assert_question_refused 'is not whole' "$hello" "$prepare" @state \
		"$(ask_line 4 take-over 'del(.guest)')"
	# What came is not what was sent.
	assert_question_refused 'changed on the way' "$hello" "$prepare" \
		"$(printf '{"ask":"state","turn":3,"data":1,"sha256":"%064d"}\nx' 0)"
}

# --- peers of the source ---

# "Another host" whose exomem is this program, a shell command.
peer_is() { # SHELL-COMMAND
	printf '#!/bin/bash\n%s\n' "$1" >"$T/rsh"
}

# The migration ends with one line, and the guest runs on.
assert_not_moved() { # TEXT
	local begin=$SECONDS
	run --separate-stderr move -q --timeout 5 web other
	echo "exit $status after $((SECONDS - begin)) s: $stderr"
	[ "$status" = 1 ]
	[ $((SECONDS - begin)) -le "$limit" ]
	[ "${#stderr_lines[@]}" = 1 ]
	[[ "$stderr" == *"$1"* ]]
	assert_stayed web
}

@test "a destination that is silent, slow or not exomem" {
	need_qemu
	boot_movable web
	peer_is 'sleep 60'
	assert_not_moved 'check: the other host does not answer'
	peer_is 'cat >/dev/null & while printf "{"; do sleep 1; done'
	assert_not_moved 'check: the other host does not finish its message'
	peer_is 'read -r line; printf "HTTP/1.0 400 Bad Request\r\n\r\n"'
	assert_not_moved "check: the peer is not exomem: 'HTTP/1.0 400 Bad Request\\x0d'"
	peer_is 'read -r line; head -c 100000 /dev/urandom'
	assert_not_moved 'check: '
	peer_is 'read -r line; tr "\0" x </dev/zero'
	assert_not_moved 'check: the other host sends too much'
	peer_is 'read -r line; printf "{\"prot"'
	assert_not_moved 'check: the connection has ended'
	peer_is 'exit 0'
	assert_not_moved 'check: '
	kill_all
}

# A destination that answers all, and has no guest.
liar() { # ANSWER-TO-CHECK ANSWER-TO-THE-REST
	peer_is "IFS= read -r line; printf '%s\\n' '$1'; turn=1
while IFS= read -r line; do turn=\$((turn + 1)); printf '%s\\n' \"${2//\"/\\\"}\"; done"
}

@test "a destination whose answers are wrong" {
	need_qemu
	boot_movable web
	liar '{"protocol":2,"version":"1","turn":7}' '{}'
	assert_not_moved 'check: the message of the other host is not that of turn'
	liar '{"protocol":2,"version":"1"}' '{}'
	assert_not_moved 'check: the message of the other host is not that of turn'
	liar '{"protocol":2,"version":"1","turn":1}' '{}'
	assert_not_moved 'check: the other host does not say what time it is'
	liar "{\"protocol\":2,\"version\":\"1\",\"turn\":1,\"warnings\":[],\"now\":$(date +%s)000000}" '{}'
	assert_not_moved 'rehearse: the message of the other host is not that of turn'
	liar '{"protocol":2,"version":"1","turn":1,"data":5}' 'hello{}'
	assert_not_moved 'check: '
	liar '{"protocol":2,"version":"1","turn":1,"warnings":7}' '{}'
	assert_not_moved 'check: '
	liar '{"protocol":2,"version":"1","turn":1,"now":"x"}' '{}'
	assert_not_moved 'check: '
	liar '{"error":7,"turn":1}' '{}'
	assert_not_moved 'check: '
	liar '{"error":"a\nb \u001b[2J","code":99,"turn":1}' '{}'
	assert_not_moved 'check: a\x0ab \x1b[2J'
	kill_all
}

@test "a destination that answers twice does not answer the next question" {
	need_qemu
	boot_movable web
	cat >"$T/rsh" <<-'RSH'
		#!/bin/bash
		shift
		"$@" | while IFS= read -r line; do printf '%s\n%s\n' "$line" "$line"; done
	RSH
	assert_not_moved 'rehearse: the message of the other host is not that of turn'
	kill_all
}
