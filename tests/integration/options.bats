#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# options.bats - our table of QEMU's options against the installed QEMU itself.

# Words are split on purpose ($tcg); bats and helper.bash set the other variables.
# shellcheck disable=SC2030,SC2031,SC2034,SC2086,SC2154

load helper

qemu=${EXOMEM_QEMU:-qemu-system-x86_64}

# Lines "NAME 0|1" out of the table in the source: whether an option takes an argument.
table() {
	sed -nE 's/^\t\{ "([^"]+)", (true|false), .*/\1 \2/p' \
		"$BATS_TEST_DIRNAME/../../lib/plan/qemu_option.c" | sed 's/true$/1/; s/false$/0/'
}

# Names that -help lists, without dashes.
listed() {
	"$qemu" -help | grep -oE '^-[^ ]+( or -[a-z]+)?' | sed 's/ or /\n/; s/\//\n/g' |
		sed -E 's/^--?//' | sort -u
}

@test "every option that -help lists is in the table" {
	need_qemu
	table | cut -d' ' -f1 | sort >"$T/known"
	listed >"$T/listed"
	[ "$(wc -l <"$T/listed")" -gt 90 ]
	run -0 comm -23 "$T/listed" "$T/known"
	echo "not in the table: $output"
	[ -z "$output" ]
}

# QEMU looks at its whole line for form before it acts. Of two words that are no options, an option
# that takes an argument swallows the first, so that QEMU complains about the second.
@test "whether it takes an argument is as QEMU has it" {
	need_qemu
	checked=0
	while read -r name takes; do
		answer=$(timeout 10 "$qemu" "-$name" -first-word -second-word 2>&1 </dev/null | head -1)
		case $answer in
		*"-$name: invalid option"*) continue ;; # not in this QEMU
		*"-first-word: invalid option"*) found=0 ;;
		*"-second-word: invalid option"*) found=1 ;;
		*) found="no way to say how many ($answer)" ;;
		esac
		if [ "$found" != "$takes" ]; then
			echo "-$name takes $found arguments, the table says $takes"
			return 1
		fi
		checked=$((checked + 1))
	done < <(table)
	echo "# $checked options" >&3
	[ "$checked" -gt 90 ]
}

@test "an argument that looks like an option is never mistaken for one" {
	need_qemu
	run -0 "$EXOMEM" run --dry-run --json --state-dir "$state" -M q35 -m 64 -append '-m 3' \
		-mem-path "$memory,mode=create,anyfs"
	[ "$(jq '.memory[0].size' <<<"$output")" = 67108864 ]
	[ "$(jq -r '.argv | index("-m 3") != null' <<<"$output")" = true ]
}
