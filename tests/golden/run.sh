#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# run.sh [TOPIC[/NAME]]... - run the golden cases: what exomem prints, to the byte.
#
# TOPIC/NAME.cmd holds exomem's arguments, one a line; TOPIC/NAME.out its stdout and stderr and a
# last line `exit N`.  Lines at the top of a .cmd that start with # are comments; two count:
#   # facts: a.json b.json   run the case once for each of ../data/facts/FILE; the word @FACTS@ in
#                            an argument becomes that file's path.  Where the answers differ,
#                            NAME.b.out goes before NAME.out.
#   # env: NAME=VALUE ...    added to the environment, which else has only PATH, HOME and LC_ALL
# Cases run in tests/golden.  UPDATE=1 rewrites the .out files: read the diff before committing it.
# $TAP is where the results go.
set -eu
TAP=${TAP:-/dev/null}
cd "$(dirname "$0")"
case $EXOMEM in /*) ;; *) EXOMEM=$OLDPWD/$EXOMEM ;; esac
case $TAP in /*) ;; *) TAP=$OLDPWD/$TAP ;; esac
tmp=$(mktemp)
trap 'rm -f "$tmp"' EXIT
count=0 failed=0
exec 3>"$TAP"

result() { # ok|"not ok" NAME [OUTPUT]
	count=$((count + 1))
	echo "$1 $count - $2" >&3
	if [ "$1" != ok ]; then
		failed=$((failed + 1))
		printf '%s\n%s\n' "FAILED $2" "$3"
		printf '%s\n' "$3" | sed 's/^/# /' >&3
	fi
}

# Runs $EXOMEM with the case's environment ($envs) and the arguments given, into $tmp.
run_exomem() {
	rc=0
	# shellcheck disable=SC2086 # one word for each variable
	env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/nonexistent LC_ALL=C.UTF-8 $envs \
		"$EXOMEM" "$@" >"$tmp" 2>&1 </dev/null || rc=$?
	echo "exit $rc" >>"$tmp"
}

# The first facts file writes NAME.out; another one its own file, only where it differs.
update() { # CASE FACTSBASE FIRST
	if [ "$3" = 1 ]; then
		cp "$tmp" "$1.out"
		rm -f "$1.$2.out"
	elif cmp -s "$1.out" "$tmp"; then
		rm -f "$1.$2.out"
	else
		cp "$tmp" "$1.$2.out"
	fi
}

compare() { # CASE FACTSBASE
	expected=$1.out
	[ ! -e "$1.$2.out" ] || expected=$1.$2.out
	title=$1${2:+ ($2)}
	if [ ! -e "$expected" ]; then
		result 'not ok' "$title" "$expected is missing (UPDATE=1 writes it)"
	elif cmp -s "$expected" "$tmp"; then
		result ok "$title"
	else
		result 'not ok' "$title" "$(diff -u "$expected" "$tmp" | tail -n +3)"
	fi
}

# Sets $facts, $envs and $args (the arguments, one a line) from a .cmd file.
read_case() { # FILE
	facts='' envs='' args='' top=1
	while IFS= read -r line || [ -n "$line" ]; do
		case $top$line in
		'1# facts: '*) facts=${line#'# facts: '} ;;
		'1# env: '*) envs="$envs ${line#'# env: '}" ;;
		'1#'*) ;;
		*)
			top=0
			args="$args$line
"
			;;
		esac
	done <"$1"
}

run_case() { # CASE FACTS|- FIRST
	path=$1 file=${2#-} first=$3
	set --
	while IFS= read -r line; do
		while :; do
			case $line in
			*@FACTS@*) line=${line%%@FACTS@*}../data/facts/$file${line#*@FACTS@} ;;
			*) break ;;
			esac
		done
		set -- "$@" "$line"
	done <<ARGS
${args%
}
ARGS
	[ -n "$args" ] || set --
	run_exomem "$@"
	[ "${UPDATE:-0}" != 1 ] || update "$path" "${file%.json}" "$first"
	compare "$path" "${file%.json}"
}

wanted() { # CASE PATTERN...
	path=$1
	shift
	[ $# -gt 0 ] || return 0
	for pattern in "$@"; do
		case $path in "$pattern" | "$pattern"/*) return 0 ;; esac
	done
	return 1
}

for cmd in */*.cmd; do
	[ -e "$cmd" ] || continue
	name=${cmd%.cmd}
	wanted "$name" "$@" || continue
	read_case "$cmd"
	first=1
	for fact in ${facts:--}; do
		if [ "$fact" != - ] && [ ! -e "../data/facts/$fact" ]; then
			result 'not ok' "$name" "no facts file '$fact'"
			continue
		fi
		run_case "$name" "$fact" "$first"
		first=0
	done
done

# An answer nobody asks for any more: no .cmd of that name, nor of what is left of any of its dots.
for out in */*.out; do
	[ -e "$out" ] || continue
	name=${out%.out}
	wanted "$name" "$@" || continue
	while [ ! -e "$name.cmd" ]; do
		case ${name##*/} in
		*.*) name=${name%.*} ;;
		*)
			result 'not ok' "$out" "it has no .cmd file"
			break
			;;
		esac
	done
done
echo "1..$count" >&3
echo "golden${*:+ $*}: $((count - failed)) passed, $failed failed"
[ "$failed" = 0 ]
