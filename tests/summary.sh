#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# summary.sh PREFIX... - sum up the TAP files PREFIX.tap and PREFIX-*.tap.
# Lists what failed and what was skipped, and why, what was unsteady (it failed, and passed alone) with its
# first failure, and the ten files that took longest; the last line has the counts.  A suite that left
# no result, or ran no test, or fewer than it planned, is a failure; so is a skip whose reason names a word of
# $EXOMEM_MUST (EXOMEM_MUST="qemu linux": what this machine is known to have).
set -eu
for prefix in "$@"; do
	for file in "$prefix"-*.unsteady; do
		[ -e "$file" ] || continue
		echo "unsteady: $(basename "$file" .unsteady)"
		awk '/^not ok/ { n++ } n == 1 && (/^not ok/ || /^#/) { print "         " $0 }' "$file" |
			head -n 12
	done
done
for prefix in "$@"; do
	found=0
	for file in "$prefix".tap "$prefix"-*.tap; do
		[ -e "$file" ] || continue
		found=1
		echo "# file $file"
		# Whatever a file holds, its last line ends.
		cat "$file" && echo
	done
	[ "$found" = 1 ] || printf '# file %s\n# missing\n' "$prefix"
done | awk -v must="${EXOMEM_MUST:-}" '
function finish() {
	if (suite != "" && !lost && (planned != ran || ran == 0))
		failure(suite ": " ran + 0 " of " planned + 0 " tests ran")
	planned = ran = lost = shown = 0
}
function failure(text) {
	failed++
	print "FAILED   " text
}
function required(reason,    i) {
	for (i = 1; i <= words; i++)
		if (tolower(" " reason " ") ~ "[^a-z0-9_-]" word[i] "[^a-z0-9_-]")
			return 1
	return 0
}
BEGIN { words = split(tolower(must), word, " ") }
/^# file / {
	finish()
	suite = $3
	sub(/^.*build\//, "", suite); sub(/results\//, "", suite); sub(/\.tap$/, "", suite)
	next
}
/^# missing$/ { lost = 1; failure(suite ": left no result"); next }
/^1\.\.[0-9]+/ { planned = substr($1, 4) + 0; shown = 0; next }
/^(not )?ok / {
	ran++
	shown = 0
	text = $0
	sub(/^(not )?ok [0-9]* *(- )?/, "", text)
	if ($1 == "not") {
		failure(suite ": " text)
		shown = 8
	} else if (match(text, /# *[Ss][Kk][Ii][Pp]/)) {
		reason = substr(text, RSTART + RLENGTH)
		sub(/^[^ ]* */, "", reason)
		text = suite ": " substr(text, 1, RSTART - 1) "(" reason ")"
		if (required(reason)) {
			failure(text ": may not be skipped here")
		} else {
			skipped++
			print "skipped  " text
		}
	} else {
		passed++
	}
	next
}
/^# seconds / { seconds[suite] = $3; next }
/^#/ && shown > 0 { print "         " $0; shown--; next }
# The ten slowest files, where there are as many.
function print_slowest(    i, name, most) {
	for (i = 0; i < 10; i++) {
		most = ""
		for (name in seconds)
			if (most == "" || seconds[name] + 0 > seconds[most] + 0)
				most = name
		if (most == "")
			return
		print "slow     " most ": " seconds[most] " s"
		delete seconds[most]
	}
}
END {
	finish()
	print_slowest()
	printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped
	exit failed > 0
}'
