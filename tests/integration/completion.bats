#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# completion.bats - completion in real shells.

# Words are split on purpose, or meant for other shells; bats and helper.bash set the other variables.
# shellcheck disable=SC2016,SC2030,SC2031,SC2034,SC2086,SC2154

load helper
load pmem

need_shell() {
	command -v "$1" >/dev/null || lacks "$1" "$1 is not installed"
	mkdir "$T/bin" "$T/home"
	ln -s "$EXOMEM" "$T/bin/exomem"
	"$EXOMEM" completion "$1" >"$T/script"
	cd "$T" || return
	touch a-file
}

teardown() {
	[ -z "${world-}" ] || kill -KILL "$world"
	for record in "$state"/*/vm.json; do
		[ -e "$record" ] || continue
		pid=$(jq .pid "$record")
		kill -KILL "$pid" 2>/dev/null && wait_gone "$pid"
	done
	rm -rf "$T"
}

start_guests() { # NAME...
	need_qemu
	for guest; do
		exomem_run --detach --name "$guest" -accel tcg -m 64 -nodefaults -display none -S 3>&-
	done
}

# The templates base and base2; of the guests, other is left.
start_templates() {
	start_guests web web2 other
	"$EXOMEM" save -q --state-dir state --templates templates web base
	"$EXOMEM" save -q --state-dir state --templates templates web2 base2
}

# What bash offers, one a line. Words are split as readline splits them.
in_bash() { # WORD...
	env -i PATH="$T/bin:$PATH" bash --norc --noprofile -c '
		. ./script
		set -- "$@"
		COMP_WORDS=() COMP_CWORD=0
		for word; do
			while [[ $word == *[=:]* && $word != [=:] ]]; do
				head=${word%%[=:]*}
				[[ -z $head ]] || COMP_WORDS+=("$head")
				word=${word#"$head"}
				COMP_WORDS+=("${word:0:1}")
				word=${word:1}
				[[ -n $word ]] || continue 2
			done
			COMP_WORDS+=("$word")
		done
		COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
		_exomem exomem "${COMP_WORDS[COMP_CWORD]}" x
		printf "%s\n" "${COMPREPLY[@]}"' bash exomem "$@"
}

in_fish() { # LINE
	env -i PATH="$T/bin:$PATH" HOME="$T/home" TERM=dumb fish --no-config -c \
		'source ./script; complete -C $argv[1]' "$1" | cut -f 1
}

# What stands on the line in zsh after a tab. An empty variable splits READY and TABBED where they are
# typed, so that the terminal's echo of the command does not match.
in_zsh() { # LINE
	env -i PATH="$T/bin:$PATH" HOME="$T/home" TERM=dumb zsh -f -c '
		zmodload zsh/zpty
		zpty shell zsh -f
		zpty -w shell "PS1=; unsetopt prompt_cr zle_bracketed_paste; LISTMAX=1000"
		zpty -w shell "autoload -Uz compinit; compinit -u; source ./script"
		zpty -w shell "tab() { zle complete-word; zle -R; print -rn -- TAB\${nil}BED; }; zle -N tab; bindkey ^I tab"
		zpty -w shell "zstyle :completion:\* list-prompt \"\"; print -r -- RE\${nil}ADY"
		zpty -m -r shell output "*READY*"
		zpty -w -n shell "$1"$'"'\\t'"'
		zpty -m -r shell output "*TABBED*"
		print -r -- "$output"' zsh "$1"
}

@test "bash: verbs, options and values" {
	need_shell bash
	[ "$(in_bash st)" = stop ]
	[ "$(in_bash cons)" = console ]
	[[ "$(in_bash '')" == *run*list*help* ]]
	[ "$(in_bash run --dr)" = --dry-run ]
	[ "$(in_bash help pro)" = probe ]
	[ "$(in_bash completion z)" = zsh ]
	[ "$(in_bash wait --for '')" = $'exit\nrunning' ]
	# bash replaces what stands behind the = only.
	[ "$(in_bash wait --for=r)" = running ]
	[ "$(in_bash wait --for=)" = $'exit\nrunning' ]
	[ -z "$(in_bash no-such-verb '')" ]
}

@test "bash: options of QEMU where QEMU's words are, and files for their arguments" {
	need_shell bash
	[[ "$(in_bash run -mem-)" == '-mem-path'$'\n''-mem-prealloc' ]]
	[ "$(in_bash run --name web -m 64 -nogr)" = -nographic ]
	[ "$(in_bash run --name=web -nogr)" = -nographic ]
	[ "$(in_bash run -serial mon:stdio -nogr)" = -nographic ]
	[ "$(in_bash run -- --nogr)" = --nographic ]
	# Behind QEMU's first word, exomem's own options are over.
	[ -z "$(in_bash run -nographic --dry)" ]
	[ -z "$(in_bash run -kernel '')" ]
	[ -z "$(in_bash run -kernel -nogr)" ]
	[ -z "$(in_bash run --qemu '')" ]
	env -i bash --norc --noprofile -c '. ./script; complete -p exomem' | grep -F -- '-o default'
}

@test "bash: names of guests, live" {
	need_shell bash
	start_guests web web2 other
	for verb in show wait stop console logs qmp events save fork; do
		[ "$(in_bash $verb --state-dir state w)" = $'web\nweb2' ]
		[ "$(in_bash $verb --state-dir=state o)" = other ]
	done
	[ "$(in_bash stop --state-dir state web o)" = other ]
	[ -z "$(in_bash show --state-dir state web o)" ]
	[ -z "$(in_bash list --state-dir state w)" ]
	"$EXOMEM" stop --kill --state-dir state web
	[ "$(in_bash show --state-dir state w)" = web2 ]
}

@test "bash: what can be done with templates, and kinds of memory" {
	need_shell bash
	[ "$(in_bash template '')" = $'list\nremove\nshow\nverify' ]
	[ "$(in_bash template v)" = verify ]
	[ "$(in_bash template --de)" = --deep ]
	[ "$(in_bash clone --memory '')" = $'private\nreflink' ]
	[ "$(in_bash clone --memory r)" = reflink ]
	[ "$(in_bash clone --memory=r)" = reflink ]
	[ -z "$(in_bash clone --templates none '')" ]
}

@test "bash: names of templates" {
	need_shell bash
	start_templates
	[ "$(in_bash clone --templates templates '')" = $'base\nbase2' ]
	[ "$(in_bash clone --templates=templates base2)" = base2 ]
	[ "$(in_bash clone --templates templates --name web b)" = $'base\nbase2' ]
	[ -z "$(in_bash clone --templates templates base b)" ]
	for action in show verify remove; do
		[ "$(in_bash template --templates templates $action b)" = $'base\nbase2' ]
		[ -z "$(in_bash template --templates templates $action base b)" ]
	done
	# Of what is saved next, the guest is known, and the name is new.
	[ "$(in_bash save --state-dir state --templates templates '')" = other ]
	[ -z "$(in_bash save --state-dir state --templates templates other b)" ]
	[ -z "$(in_bash fork --state-dir state --templates templates --keep other b)" ]
	"$EXOMEM" template --state-dir state --templates templates remove base
	[ "$(in_bash clone --templates templates b)" = base2 ]
}

# Three namespaces: one waits for a scrub, one is guest db's, and one nobody's.
use_pmem() {
	need_namespaces
	make_world '0 ns0 1 16 2097152 0 devdax mem yes' '1 ns1 2 16 2097152 0 devdax mem yes' \
		'2 big 3 32 2097152 0 devdax mem yes' '3 fs 4 16 2097152 0 fsdax mem yes'
	printf '[pmem]\npmem_namespaces = 6GB:ns0|ns1,LARGE:big\n' >"$T/conf"
	mkdir "$T/claims"
	printf '{"schema":1,"uuid":"%s","namespace":"ns0","size":16777216,"dirty":true}' \
		"$(uuid_of 1)" >"$T/claims/$(uuid_of 1).json"
	printf '{"schema":1,"uuid":"%s","namespace":"ns1","size":16777216,"guest":"db"}' \
		"$(uuid_of 2)" >"$T/claims/$(uuid_of 2).json"
	# The world is made once, and entered by each exomem.
	"$T/fake" sleep 1000 3>&- &
	world=$!
	until [ "$(cat "/proc/$world/comm")" = sleep ]; do sleep 0.02; done
	rm "$T/bin/exomem"
	cat >"$T/bin/exomem" <<-EXOMEM
		#!/bin/sh
		exec nsenter -t $world -m sh -c 'cd "\$0" && exec "\$@"' "\$PWD" "$EXOMEM" "\$@"
	EXOMEM
	chmod +x "$T/bin/exomem"
}

@test "bash: labels, namespaces, and who has them" {
	need_shell bash
	use_pmem
	[ "$(in_bash pmem --claims claims --config conf release '')" = $'db\nns0\nns1' ]
	[ "$(in_bash pmem --claims claims --config conf release d)" = db ]
	[ "$(in_bash pmem --claims claims --config conf scrub '')" = $'big\nns0' ]
	[ -z "$(in_bash pmem --claims claims --config conf scrub ns0 '')" ]
	[ -z "$(in_bash pmem --claims claims --config conf list '')" ]
	[ "$(in_bash run --config conf --pmem '')" = $'6GB\nLARGE\nbig\nns0\nns1' ]
	[ "$(in_bash run --config conf --pmem L)" = LARGE ]
	[ "$(in_bash run --config conf --pmem 6GB,L)" = 6GB,LARGE ]
	[ "$(in_bash run --config conf --pmem=6GB,eph)" = 6GB,ephemeral ]
	# Errors are for those who have finished their line.
	echo nonsense >conf
	[ "$(in_bash run --config conf --pmem n)" = $'ns0\nns1' ]
}

@test "fish: labels and guests with persistent memory" {
	need_shell fish
	use_pmem
	[ "$(in_fish 'exomem run --config conf --pmem 6GB,L')" = 6GB,LARGE ]
	[ "$(in_fish 'exomem pmem --claims claims --config conf release d')" = db ]
}

@test "zsh: labels and guests with persistent memory" {
	need_shell zsh
	use_pmem
	[[ "$(in_zsh 'exomem run --config conf --pmem 6GB,L')" == *'--pmem 6GB,LARGE '* ]]
	[[ "$(in_zsh 'exomem pmem --claims claims --config conf release d')" == *'release db '* ]]
}

@test "fish" {
	need_shell fish
	start_templates
	start_guests web web2
	[ "$(in_fish 'exomem st')" = stop ]
	[ "$(in_fish 'exomem run --dr')" = --dry-run ]
	[ "$(in_fish 'exomem run -m 64 -nogr')" = -nographic ]
	[ "$(in_fish 'exomem wait --for ')" = $'exit\nrunning' ]
	[ "$(in_fish 'exomem wait --for=r')" = --for=running ]
	[ "$(in_fish 'exomem stop --state-dir state w')" = $'web\nweb2' ]
	[ "$(in_fish 'exomem clone --memory r')" = reflink ]
	[ "$(in_fish 'exomem clone --templates templates b')" = $'base\nbase2' ]
	[ "$(in_fish 'exomem template v')" = verify ]
	[ "$(in_fish 'exomem run -kernel a-f')" = a-file ]
}

@test "zsh" {
	need_shell zsh
	start_templates
	start_guests web web2
	[[ "$(in_zsh 'exomem consol')" == *'exomem console '* ]]
	[[ "$(in_zsh 'exomem run --dr')" == *'exomem run --dry-run '* ]]
	[[ "$(in_zsh 'exomem run -m 64 -nogr')" == *'exomem run -m 64 -nographic '* ]]
	[[ "$(in_zsh 'exomem wait --for=r')" == *'exomem wait --for=running '* ]]
	[[ "$(in_zsh 'exomem stop --state-dir state ot')" == *'exomem stop --state-dir state other '* ]]
	[[ "$(in_zsh 'exomem run -kernel a-f')" == *'exomem run -kernel a-file '* ]]
	[[ "$(in_zsh 'exomem clone --memory r')" == *'exomem clone --memory reflink '* ]]
	[[ "$(in_zsh 'exomem clone --templates templates base2')" == *'templates base2 '* ]]
	[[ "$(in_zsh 'exomem template v')" == *'exomem template verify '* ]]
	# Several are listed, and what they are.
	list=$(in_zsh 'exomem s')
	[[ "$list" == *'show '*'-- all that is known'*'stop '*'-- power guests off'* ]]
}

@test "zsh: as a file of \$fpath" {
	need_shell zsh
	mkdir functions
	mv script functions/_exomem
	echo 'fpath=($PWD/functions $fpath); compinit -u' >script
	[[ "$(in_zsh 'exomem consol')" == *'exomem console '* ]]
}

@test "shells are asked for by name" {
	run "$EXOMEM" completion
	assert_refused 2 'name a shell: bash, fish or zsh'
	run "$EXOMEM" completion tcsh
	assert_refused 2 "'tcsh'"
	run "$EXOMEM" completion bash zsh
	assert_refused 2 "'zsh' is not expected"
}

@test "a state directory that is not ours is no reason to say anything" {
	mkdir -m 777 "$T/open"
	run "$EXOMEM" __complete -- show --state-dir "$T/open" ''
	[ "$status" = 0 ]
	[ -z "$output" ]
	run "$EXOMEM" __complete -- show --state-dir '' ''
	[ "$status" = 0 ]
	[ -z "$output" ]
}
