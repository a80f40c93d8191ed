#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# run.sh FILE - run the tests of a FILE.bats of tests/lab, in a lab of their own; prints TAP
#
# FILE says what it needs: lines `# lab: WORD...` with words of boot.sh and these.
#	phases=N        its tests are called `phase 1: ...` to `phase N: ...`; each phase is a boot, on
#	                the disk and the NVDIMM of the one before. A phase but the last may end by
#	                lab_cut_power, in its last test, which has passed then
#	timeout=S       a phase takes no longer, 240 s
# $TAGS, if set, leaves out the tests without these tags of bats.
# A lab that ends in another way, or not at all, is a test that failed. $PREFIX-NAME.console keeps what
# it said; $LAB, $EXOMEM and $GUEST are as boot.sh wants them.

set -eu

# TAP of one phase, with its tests numbered on; what the lab did not run is a failure. Prints `= N`
# last: how many tests there have been.
renumber() { # TAP FIRST STATUS PHASE
	awk -v n="$2" -v status="$3" -v phase="$4" '
	/^1\.\.[0-9]+/ { planned = substr($1, 4) + 0; next }
	/^# power cut/ { cut = 1; next }
	/^(not )?ok / {
		ran++
		text = $0
		sub(/^(not )?ok [0-9]*/, "", text)
		print ($1 == "not" ? "not ok " : "ok ") ++n text
		next
	}
	{ print ($0 ~ /^#/ ? "" : "# ") $0 }
	END {
		if (cut && planned == ran + 1 && status == 0)
			print "ok " ++n " phase " phase " ended when its power was cut"
		else if (status != 0 || !planned || planned != ran)
			print "not ok " ++n " the lab ran " ran + 0 " of " planned + 0 " tests" \
				(phase == "" ? "" : " of phase " phase) \
				(status == 124 ? " and was too slow" : " and ended with " status)
		print "= " n
	}' "$1"
}

[ $# -eq 1 ] || {
	echo 'usage: run.sh FILE' >&2
	exit 2
}
here=$(cd "$(dirname "$0")" && pwd)
name=$(basename "$1" .bats)
phases=1 timeout=240 words=''
needs=$(sed -n 's/^# lab: //p' "$1")
for word in $needs; do
	case $word in
	phases=*) phases=${word#*=} ;;
	timeout=*) timeout=${word#*=} ;;
	*) words="$words $word" ;;
	esac
done
dir=$(mktemp -d "$LAB/run-$name.XXXXXX")
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' HUP INT TERM

: >"$PREFIX-$name.console"
tests=0
phase=1
while [ "$phase" -le "$phases" ]; do
	label=$phase
	[ "$phases" -gt 1 ] || label=''
	: >"$dir/tap"
	: >"$dir/console"
	status=0
	# shellcheck disable=SC2086 # words
	timeout --foreground -k 5 "$timeout" "$here/boot.sh" "$dir" $words "run=$name.bats" \
		"tags=${TAGS-}" "phase=$label" </dev/null >"$dir/qemu" 2>&1 || status=$?
	cat "$dir/console" "$dir/qemu" >>"$PREFIX-$name.console"
	renumber "$dir/tap" "$tests" "$status" "$label" >>"$dir/result"
	tests=$(sed -n 's/^= //p' "$dir/result")
	sed -i '/^= /d' "$dir/result"
	phase=$((phase + 1))
done
cat "$dir/result"
if grep -q '^not ok' "$dir/result"; then
	tail -n 40 "$PREFIX-$name.console" | tr -cd '[:print:]\n\t' | sed 's/^/# console: /'
fi
echo "1..$tests"
! grep -q '^not ok' "$dir/result"
