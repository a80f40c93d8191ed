#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# docs.sh EXOMEM - the program's own table of verbs and options, its help and its man pages agree.
#
# `exomem __options` prints a line `VERB` for each verb and a line `VERB --option` for each option.
# The options of exomem without a verb are not in that table: its help is compared with exomem.1.
set -eu
EXOMEM=$1
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
bad=0

complain() {
	echo "docs: $*" >&2
	bad=1
}

# Long options that are documented with an .It line of their own in a man page.
man_options() {
	grep '^\.It ' "$1" | grep -oE 'Fl -[a-z][a-z0-9-]*' | sed 's/^Fl -/--/' | sort -u
}

# Long options that stand at the head of a line of the help text.
help_options() {
	grep -oE '^ +(-[A-Za-z0-9], )?--[a-z][a-z0-9-]*' "$1" | grep -oE -e '--[a-z0-9-]+' | sort -u
}

# Says which lines of the sorted files A and B are in one of them only.
same() { # A NAME-OF-A B NAME-OF-B SUBJECT
	for word in $(comm -23 "$1" "$3"); do
		complain "$5: $word is in $2 and not in $4"
	done
	for word in $(comm -13 "$1" "$3"); do
		complain "$5: $word is in $4 and not in $2"
	done
}

check_help() { # SUBJECT FILE ARGUMENT...
	subject=$1 file=$2
	shift 2
	"$EXOMEM" "$@" >"$file" 2>"$tmp/stderr" || complain "$subject: '$*' exits $?"
	[ -s "$file" ] || complain "$subject: '$*' prints nothing on stdout"
	[ ! -s "$tmp/stderr" ] || complain "$subject: '$*' speaks on stderr"
	long=$(expand "$file" | awk 'length > 80 { print NR; exit }')
	[ -z "$long" ] || complain "$subject: '$*' is wider than 80 columns in line $long"
}

check_unknown_option() { # SUBJECT ARGUMENT...
	subject=$1
	shift
	rc=0
	"$EXOMEM" "$@" --no-such-option >"$tmp/stdout" 2>"$tmp/stderr" || rc=$?
	[ "$rc" = 2 ] || complain "$subject: an unknown option exits $rc, not 2"
	[ ! -s "$tmp/stdout" ] || complain "$subject: an unknown option prints on stdout"
	[ "$(wc -l <"$tmp/stderr")" = 1 ] ||
		complain "$subject: an unknown option is not one line on stderr"
}

check_subject() { # SUBJECT PAGE: its options are in $tmp/table
	if [ ! -e "$2" ]; then
		complain "$1: no $2"
		return
	fi
	man_options "$2" >"$tmp/man" || true
	same "$tmp/table" 'the program' "$tmp/man" "$2" "$1"
	help_options "$tmp/help" >"$tmp/options" || true
	same "$tmp/table" 'the program' "$tmp/options" 'its help' "$1"
}

"$EXOMEM" __options >"$tmp/all"
check_help exomem "$tmp/help" --help
check_help exomem "$tmp/help2" help
cmp -s "$tmp/help" "$tmp/help2" || complain "exomem: 'help' and '--help' differ"
check_unknown_option exomem
help_options "$tmp/help" >"$tmp/table"
check_subject exomem man/exomem.1
cp "$tmp/help" "$tmp/main-help"

verbs=$(awk 'NF == 1' "$tmp/all")
[ -n "$verbs" ] || complain "'exomem __options' names no verb"
for verb in $verbs; do
	grep -qE "^ +$verb( |\$)" "$tmp/main-help" ||
		complain "exomem: its help does not name $verb"
	grep -qsE "^\.(It|Nm|Xr|Ic|Cm).*\b$verb\b" man/exomem.1 ||
		complain "man/exomem.1 does not name $verb"
	sed -n "s/^$verb \(--[a-z0-9-]*\)\$/\1/p" "$tmp/all" | sort -u >"$tmp/table"
	check_help "$verb" "$tmp/help" "$verb" --help
	check_help "$verb" "$tmp/help2" help "$verb"
	cmp -s "$tmp/help" "$tmp/help2" || complain "$verb: 'help $verb' and '$verb --help' differ"
	check_unknown_option "$verb" "$verb"
	# `help` alone has nothing that would fill a page.
	[ "$verb" = help ] || check_subject "$verb" "man/exomem-$verb.1"
done
for page in man/exomem-*.1; do
	[ -e "$page" ] || continue
	verb=${page#man/exomem-}
	echo "$verbs" | grep -qx -e "${verb%.1}" || complain "$page: the program has no such verb"
done
exit "$bad"
