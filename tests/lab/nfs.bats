#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# nfs.bats - the lab's hosts and its file server are what they seem: machines that share nothing but a
# directory.

# bats file_tags=short
# lab: timeout=600

# Words are split on purpose ($tiny); bats and lab.bash set the other variables.
# shellcheck disable=SC2034,SC2086,SC2154

load lab

setup_file() {
	export BATS_TEST_TIMEOUT=300
	lab_hosts 2
	lab_nfs /srv/nfs
	lab_mount_nfs 1 /mnt
	lab_mount_nfs 2 /mnt
}

# Holds a lock on a host until it is told to let go: $locker is its process.
hold() { # HOST FILE
	on-host "$1" flock "$2" sleep 1000 3>&- 4>&- &
	locker=$!
	while on-host "$1" flock -n "$2" true; do sleep 0.1; done
}

@test "two hosts are two NFS 4.2 clients" {
	for host in 1 2; do
		[ "$(on-host $host hostname)" = host$host ]
		on-host $host grep -E ' /mnt nfs4 .*vers=4\.2.*local_lock=none' /proc/mounts
	done
	[ "$(grep -h ^name: /proc/fs/nfsd/clients/*/info | sort -u | wc -l)" = 2 ]
	[ "$(on-host 1 on-host 2 hostname)" = host2 ]
	# Two file systems, so no page is in a cache of both.
	[ "$(on-host 1 stat -c %d /mnt)" != "$(on-host 2 stat -c %d /mnt)" ]
}

@test "what one host writes is on the server when it closes the file, and not before" {
	echo before >/srv/nfs/file
	mkfifo "$T/go"
	# A program that keeps the file open; its exit and its children's would close it.
	on-host 1 gawk -v go="$T/go" 'BEGIN {
		print "after" >>"/mnt/file"
		fflush()
		print "written" >go
		close(go)
		getline <go
	}' 3>&- 4>&- &
	[ "$(head -n 1 "$T/go")" = written ]
	[ "$(on-host 2 cat /mnt/file)" = before ]
	echo close >"$T/go"
	wait $!
	[ "$(on-host 2 tail -n 1 /mnt/file)" = after ]
}

@test "a lock that one host holds is refused to the other, until it is given back" {
	touch /srv/nfs/lock
	hold 1 /mnt/lock
	run -9 on-host 2 flock -n -E 9 /mnt/lock true
	# flock has left the lock to its child.
	pkill -P "$locker"
	on-host 2 timeout 20 flock /mnt/lock true
}

@test "a lock by NFS 3 is a lock for NFS 4 too" {
	touch /srv/nfs/old
	lab_mount_nfs 2 /mnt3 vers=3
	hold 2 /mnt3/old
	run -9 on-host 1 flock -n -E 9 /mnt/old true
}

@test "a client waits for a server that is away" {
	rpc.nfsd 0
	run on-host 1 timeout -s KILL 3 touch /mnt/here
	rpc.nfsd 4
	lab_end_grace
	[ "$status" = 137 ]
	on-host 1 timeout -s KILL 60 touch /mnt/here
}

@test "a guest runs on memory that is a file of the server, mapped shared" {
	mkdir /srv/nfs/memory
	at_host 1 boot web -mem-path /mnt/memory,mode=create,mmap=shared,anyfs
	at_host 1 fill web 8M 7
	at_host 1 assert_filled web 8M 7
	grep -q "rw-s.* /mnt/memory/$file" "/proc/$(at_host 1 pid_of web)/maps"
	# It holds its lock on the other host too.
	run -5 exomem2 run --state-dir "$T/state2" $tiny \
		-mem-path /mnt/memory,mode=open,mmap=shared,anyfs
	[[ "$output" == *"$file"* ]]
}

@test "a server with root_squash: memory of root is nobody's, and root opens it again" {
	mkdir /srv/squashed
	chown 65534:65534 /srv/squashed
	exportfs -o rw,fsid=2,root_squash,no_subtree_check,insecure 10.0.0.0/24:/srv/squashed
	on-host 1 mkdir /squashed
	on-host 1 mount -t nfs -o vers=4.2 10.0.0.254:/srv/squashed /squashed
	for mode in create open; do
		exomem1 run --detach --state-dir "$T/state1" --name $mode $tiny -S \
			-mem-path "/squashed,mode=$mode,mmap=shared,anyfs" 3>&- 4>&-
		[ "$(stat -c %u:%a "/srv/squashed/$file")" = 65534:600 ]
		exomem1 stop --state-dir "$T/state1" --kill $mode
	done
	# But a directory of another user is theirs on NFS, too.
	mkdir /srv/nfs/theirs
	chown 54321 /srv/nfs/theirs
	run -2 exomem1 run --state-dir "$T/state1" $tiny -mem-path /mnt/theirs,mode=create,mmap=shared,anyfs
	[[ "$output" == *"'/mnt/theirs' belongs to another user"* ]]
}

@test "a template on the server has children on both hosts" {
	mkdir /srv/nfs/shared /srv/nfs/templates
	at_host 1 boot parent -mem-path /mnt/shared,mode=create,mmap=shared,anyfs
	at_host 1 fill parent 8M 7
	exomem1 save --state-dir "$T/state1" --templates /mnt/templates parent
	for host in 1 2; do
		"exomem$host" clone --state-dir "$T/state$host" --templates /mnt/templates \
			--detach --name "child$host" parent 3>&- 4>&-
		at_host $host assert_filled "child$host" 8M 7
	done
}

# What is refused is refused to each host by itself: neither sees the other's lock.
@test "two hosts do not both run on one file where their locks are their own; --trust-mount takes it" {
	mkdir /srv/nfs/local
	for options in nolock,vers=3 local_lock=flock,vers=3; do
		for host in 1 2; do
			lab_mount_nfs $host /local "$options"
			run -3 "exomem$host" run --detach --state-dir "$T/state$host" $tiny \
				-mem-path /local/local,mode=create,mmap=shared,anyfs 3>&- 4>&-
			[[ "$output" == *"'/local' is mounted '"*"lock"*"both could run the guest"* ]]
			on-host $host umount /local
		done
	done
	[ -z "$(ls /srv/nfs/local)" ]
	lab_mount_nfs 1 /local nolock,vers=3
	# Its file has no name, so that nobody else opens it.
	at_host 1 boot unnamed -mem-path /local/local,anyfs
	run -0 exomem1 run --detach --trust-mount --state-dir "$T/state1" --name trusted $tiny \
		-mem-path /local/local,mode=create,mmap=shared,anyfs 3>&- 4>&-
	[[ "$output" == *"warning: '/local' is mounted 'local_lock=all'"* ]]
}

@test "a server that gives up is refused to memory that is mapped shared, and warned of for private" {
	mkdir /srv/nfs/soft
	lab_mount_nfs 1 /soft soft
	for mode in temp create; do
		run -3 exomem1 run --detach --state-dir "$T/state1" $tiny \
			-mem-path "/soft/soft,mode=$mode,anyfs" 3>&- 4>&-
		[[ "$output" == *"'/soft' is mounted 'soft'"*"bus error"* ]]
	done
	[ -z "$(ls /srv/nfs/soft)" ]
	on-host 1 truncate -s 64M "/soft/soft/$file"
	run -0 exomem1 run --detach --state-dir "$T/state1" --name soft $tiny \
		-mem-path /soft/soft,mode=open,mmap=private,anyfs 3>&- 4>&-
	[[ "$output" == *"warning: '/soft' is mounted 'soft'"* ]]
}

@test "the delay of a host is in what it sends" {
	lab_delay 50ms
	on-host 1 ping -q -c 5 10.0.0.254 | tee "$T/server"
	on-host 1 ping -q -c 5 10.0.0.2 | tee "$T/host"
	lab_delay 0
	# rtt min/avg/max/mdev = 50.1/...: one delay on the way to the server, two to a host and back.
	awk -F '[/ ]' '/^rtt/ { exit !($7 >= 50 && $7 < 100) }' "$T/server"
	awk -F '[/ ]' '/^rtt/ { exit !($7 >= 100) }' "$T/host"
}

@test "a host whose power was cut loses its lock when its lease has run out" {
	touch /srv/nfs/orphan
	# Open on both, so that the server delegates it to neither and has nothing to recall.
	on-host 1 bash -c 'exec 5<>/mnt/orphan; sleep 1000' 3>&- 4>&- &
	hold 2 /mnt/orphan
	lab_cut_host 2
	run -9 on-host 1 flock -n -E 9 /mnt/orphan true
	on-host 1 timeout 60 flock /mnt/orphan true
}
