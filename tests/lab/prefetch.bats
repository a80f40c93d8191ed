#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# prefetch.bats - what one host's guest has touched is read on another, over NFS with delay.

# lab: timeout=600

# bats and lab.bash set the other variables.
# shellcheck disable=SC2154

load lab

mib=1048576

setup_file() {
	lab_hosts 2
	lab_nfs /srv/nfs
	lab_mount_nfs 1 /mnt
	lab_mount_nfs 2 /mnt
	lab_delay 2ms
}

on_templates() { # HOST VERB ARGUMENT...
	"exomem$1" "$2" --state-dir "$T/state$1" --templates /mnt/templates "${@:3}" 3>&- 4>&-
}

prefetch() { # HOST ARGUMENT...
	on_templates "$1" prefetch "${@:2}"
}

# Drops a file from the page cache of a host; the server keeps its own.
forget_pages() { # HOST FILE
	on-host "$1" dd of="$2" oflag=nocache conv=notrunc,fdatasync count=0 status=none
}

cached() { # HOST TEMPLATE|GUEST
	prefetch "$1" show --json "$2" | jq .cached
}

wait_until_cached() { # HOST TEMPLATE|GUEST BYTES
	deadline=$((SECONDS + 60))
	until [ "$(cached "$1" "$2")" -ge "$3" ]; do
		[ "$SECONDS" -lt "$deadline" ]
		sleep 0.2
	done
}

@test "what a child has touched on one host is read on another for a child that rests" {
	mkdir -p /srv/nfs/shared /srv/nfs/templates
	at_host 1 boot web -mem-path /mnt/shared,mode=create,mmap=shared,anyfs
	at_host 1 fill web 16M 7
	on_templates 1 save -q web
	memory=/mnt/shared/$file
	forget_pages 1 "$memory"
	on_templates 1 clone --detach web
	at_host 1 assert_filled web-1 4M 7
	# Scattered: by demand each of them is a round trip.
	at_host 1 ask web-1 'pick 16M 100 7' '^picked 100 pages key 7'
	recorded=$(prefetch 1 record --json web-1 | jq .recorded)
	[ "$recorded" -ge $((4 * mib)) ]
	forget_pages 2 "$memory"
	[ "$(cached 2 web)" = 0 ]
	on_templates 2 clone --detach --paused --prefetch --name other web
	wait_until_cached 2 web "$recorded"
	exomem2 qmp --state-dir "$T/state2" other cont
	at_host 2 assert_filled other 16M 7
	at_host 2 assert_filled other 4M 7
	[ "$(prefetch 2 show --json other | jq '.hit >= 4194304 and .hit + .waste == .recorded')" = true ]
}

@test "a guest that moves has its pages read by the host that it comes to" {
	mkdir -p /srv/nfs/memory
	at_host 1 boot mover -mem-path /mnt/memory,mode=create,mmap=shared,anyfs
	at_host 1 fill mover 8M 7
	exomem1 migrate --state-dir "$T/state1" --rsh on-host --remote "$EXOMEM" \
		--remote-state-dir "$T/state2" --prefetch mover 2
	deadline=$((SECONDS + 60))
	until [ "$(exomem2 usage --state-dir "$T/state2" --json | jq .files)" -ge $((8 * mib)) ]; do
		[ "$SECONDS" -lt "$deadline" ]
		sleep 0.2
	done
	at_host 2 assert_filled mover 8M 7
}
