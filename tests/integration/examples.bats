#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# examples.bats - the scripts of examples, run as a user would, and what they say when something fails.

# bats and helper.bash set the other variables.
# shellcheck disable=SC2154

load helper

examples=$BATS_TEST_DIRNAME/../../examples

# Makes $T/exomem, a script that examples run as exomem; $real is the program.
stand_in() { # and its lines on standard input
	{
		printf '#!/bin/bash\nreal=%q\n' "$EXOMEM"
		cat
	} >"$T/exomem"
	chmod 755 "$T/exomem"
}

# Fails unless the last `run --separate-stderr` ended with this and nothing else on stderr.
assert_says() { # TEXT
	[ "$stderr" = "$1" ] || {
		echo "wanted: $1"
		echo "got: $stderr"
		return 1
	}
}

@test "demo.sh: a guest's last line counts, although the guest has ended when it is read" {
	need_qemu
	stand_in <<-'EXOMEM'
		exec "$real" "$@" > >(
			while IFS= read -r line; do
				[[ "$line" != poweroff* ]] || sleep 1
				printf '%s\n' "$line"
			done
		)
	EXOMEM
	EXOMEM=$T/exomem TMPDIR=$T run -0 timeout 100 "$examples/demo.sh"
	[[ "$output" == *'> poweroff'*'==> What it wrote went to copies'* ]]
	assert_holds "$T" exomem memory
}

@test "demo.sh: a guest that ends too early is one clear line, also when something is typed to it" {
	need_qemu
	stand_in <<-'EXOMEM'
		[[ "$*" != *--dry-run* ]] || exec "$real" "$@"
		printf 'SeaBIOS\ntick 1\r\ntick 2\r\n'
		exit 7
	EXOMEM
	EXOMEM=$T/exomem TMPDIR=$T run -1 --separate-stderr timeout 100 "$examples/demo.sh"
	[[ "$output" == *$'\ntick 1\ntick 2\n> fill 64M 7' ]]
	assert_says "demo: QEMU has ended with status 7, and the guest never said 'filled'"
	assert_holds "$T" exomem memory
}

@test "transcript.sh: a guest that ends too early is one clear line" {
	need_qemu
	# The second child is killed at the end.
	stand_in <<-'EXOMEM'
		[[ "$*" != *child1* ]] || exit 7
		exec "$real" "$@"
	EXOMEM
	EXOMEM=$T/exomem run -1 --separate-stderr timeout 100 "$examples/transcript.sh" 2 64m "$T"
	assert_says "transcript: child1 has ended and never said 'tick'"
	assert_holds "$T" exomem memory
	stand_in <<-'EXOMEM'
		echo 'no such thing' >&2
		exit 7
	EXOMEM
	EXOMEM=$T/exomem run -1 --separate-stderr timeout 100 "$examples/transcript.sh" 2 64m "$T"
	assert_says "no such thing
transcript: parent has ended and never said 'tick 1'"
	assert_holds "$T" exomem memory
}
