#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# config.bats - exomem config

load helper

put() { # FILE LINE...
	mkdir -p "$(dirname "$1")"
	printf '%s\n' "${@:2}" >"$1"
	chmod 0644 "$1"
}

@test "config show names the file and group of each value" {
	put "$T/home/exomem/exomem.conf" '[pmem]' 'pmem_namespaces = A:a'
	put "$T/home/exomem/exomem.conf.d/1.conf" '[libvirt]' 'pmem_namespaces = B:b'
	run -0 env XDG_CONFIG_HOME="$T/home" "$EXOMEM" config show
	[ "${lines[0]}" = '[pmem] pmem_namespaces = B:b' ]
	[ "${lines[1]}" = "    from $T/home/exomem/exomem.conf.d/1.conf [libvirt]" ]
	run -0 env XDG_CONFIG_HOME="$T/home" "$EXOMEM" config --json show
	[ "$(jq -r '.values[] | select(.name == "pmem_namespaces") | .["from-group"]' <<<"$output")" = libvirt ]
}

@test "--config reads one file alone, which must be there" {
	put "$T/home/exomem/exomem.conf" '[pmem]' 'pmem_namespaces = A:a'
	put "$T/mine" '[pmem]' 'pmem_namespaces = B:b'
	run -0 env XDG_CONFIG_HOME="$T/home" "$EXOMEM" config show --config "$T/mine"
	[ "${lines[0]}" = '[pmem] pmem_namespaces = B:b' ]
	run -1 "$EXOMEM" config show --config "$T/gone"
	[[ $output = *"open '$T/gone'"* ]]
}

@test "an unknown key is warned about; a file that others can write to is refused" {
	put "$T/mine" '[pmem]' 'pmem_namespace = B:b'
	run -0 env XDG_CONFIG_HOME="$T/home" "$EXOMEM" config show --config "$T/mine"
	[[ $output = *"did you mean 'pmem_namespaces'?"* ]]
	chmod 0666 "$T/mine"
	run -2 "$EXOMEM" config show --config "$T/mine"
	[[ $output = *'chmod go-w it'* ]]
}
