#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# tidy.sh DIR FILE FLAG... - clang-tidy of one file, unless it found nothing in the same text before
#
# DIR keeps an empty file for each text without findings. The text is all that clang-tidy reads: the file
# with its comments and all that it includes, the flags, .clang-tidy and its own version.

set -eu
dir=$1 file=$2
shift 2
key=$({
	clang-tidy --version
	cat .clang-tidy
	printf '%s\n' "$file" "$@"
	cc -E -C "$@" "$file"
} | sha256sum | cut -d' ' -f1)
if [ -e "$dir/$key" ]; then
	touch "$dir/$key"
	exit 0
fi
# It counts warnings in system headers aloud, so it is heard only when it fails.
output=$(clang-tidy --quiet "$file" -- "$@" 2>&1) || {
	printf '%s\n' "$output"
	exit 1
}
mkdir -p "$dir"
: >"$dir/$key"
