#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# planner.sh BUILD [GUESTS] - how long the planner of `exomem balance` takes for a round of 1000 guests
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
# shellcheck disable=SC2046 # several words
"${CC:-cc}" -D_GNU_SOURCE -O2 -Ilib $(pkg-config --cflags glib-2.0 json-c) -o "$dir/planner" \
	"$(dirname "$0")/planner.c" "$1/libexomem.a" $(pkg-config --libs glib-2.0 json-c)
echo '| a round of the planner | time | target |'
echo '|---|---|---|'
echo "| ${2:-1000} guests | $("$dir/planner" "${2:-1000}") | <= 10 ms |"
