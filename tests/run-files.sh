#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# run-files.sh PREFIX SECONDS COMMAND FILE... - run test files next to each other
#
# COMMAND (words) gets one FILE as its last argument and prints TAP, which PREFIX-NAME.tap gets, with a last
# line `# seconds N`. A file that takes longer than SECONDS is killed, and has failed. $BATS_JOBS files
# run at a time (3).
#
# A file that failed is run once more when all others have ended, alone. If it passes then, it is
# unsteady: what it said first is kept in PREFIX-NAME.unsteady, for summary.sh.

set -eu

# shellcheck disable=SC2016 # the inner shell's variables
run_one='
	tap=$PREFIX-$(basename "$0" .bats).tap
	start=$(date +%s)
	rc=0
	timeout --foreground -k 30 "$LIMIT" $COMMAND "$0" >"$tap" 2>&1 || rc=$?
	case $rc in 124 | 137) echo "not ok 0 the file ends within $LIMIT s" >>"$tap" ;; esac
	echo "# seconds $(($(date +%s) - start))" >>"$tap"
	echo "$0"
	cat "$tap"
	[ "$rc" = 0 ] || echo "$0" >>"$PREFIX.failed"'

# Runs the files named by its input, this many at a time.
side_by_side() { # JOBS
	xargs -P "$1" -I{} sh -c "$run_one" {}
}

[ $# -ge 4 ] || {
	echo 'usage: run-files.sh PREFIX SECONDS COMMAND FILE...' >&2
	exit 2
}
export PREFIX="$1" LIMIT="$2" COMMAND="$3"
shift 3
rm -f "$PREFIX.failed" "$PREFIX"-*.tap "$PREFIX"-*.unsteady
printf '%s\n' "$@" | side_by_side "${BATS_JOBS:-3}"

[ -e "$PREFIX.failed" ] || exit 0
mv "$PREFIX.failed" "$PREFIX.again"
while read -r file; do
	tap=$PREFIX-$(basename "$file" .bats)
	mv "$tap.tap" "$tap.first"
	echo "once more, alone: $file"
	echo "$file" | side_by_side 1
	if grep -qxF "$file" "$PREFIX.failed" 2>/dev/null; then
		rm "$tap.first"
	else
		mv "$tap.first" "$tap.unsteady"
	fi
done <"$PREFIX.again"
rm "$PREFIX.again"
[ ! -e "$PREFIX.failed" ]
