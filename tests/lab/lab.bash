# SPDX-License-Identifier: GPL-2.0-or-later
# lab.bash - what tests inside the lab share: hosts, a file server, a disk, persistent memory.
#
# A lab serves one file of tests and is thrown away: nothing here cleans up after itself. What the
# tests on the machine share (boot, fill, vm, wait_for, assert_refused) is there too.

# Tests use what is set here, and bats sets the other variables.
# shellcheck disable=SC2034,SC2154

# By hand, `. lab.bash` gives its own functions.
if [ -n "${BATS_VERSION-}" ]; then
	load ../integration/helper
	load ../integration/template
fi

# --- hosts ---
#
# A host has its own network, name, mounts and /run. The rest of the files it shares with the lab, and
# process numbers.
#
#	lab_hosts 2                 host1 (10.0.0.1) and host2 on a bridge; the lab itself is 10.0.0.254
#	on-host 1 hostname          a program there
#	at_host 1 boot web ...      a function of helper.bash or template.bash, with the exomem there and
#	                            the guests in $T/state1
#	lab_delay 5ms               what a host sends is so much later, and so is each answer to it
#	lab_cut_host 1              it is gone at once, and says nothing to anybody

lab_hosts() { # COUNT
	local host
	mkdir -p /lab/hosts
	ip link add lab0 type bridge
	ip address add 10.0.0.254/24 dev lab0
	ip link set lab0 up
	for ((host = 1; host <= $1; host++)); do
		lab_host "$host"
	done
}

lab_host() { # NUMBER
	local name=host$1 holder
	mkdir "/lab/cgroup/$name"
	# shellcheck disable=SC2016 # its variables
	unshare --mount --net --uts bash -c '
		mount -t tmpfs -o mode=755 tmpfs /run
		mkdir /run/rpcbind
		mount -t sysfs sysfs /sys
		mount -t cgroup2 cgroup2 /sys/fs/cgroup
		ip link set lo up
		hostname "$0"
		exec sleep infinity
	' "$name" </dev/null >/dev/null 2>&1 3>&- 4>&- &
	holder=$!
	disown # its end is no news
	echo "$holder" >"/lab/hosts/$1"
	until [ "$(on-host "$1" hostname)" = "$name" ]; do sleep 0.1; done
	echo "$holder" >"/lab/cgroup/$name/cgroup.procs"
	ip link add "$name" type veth peer name eth0 netns "$holder"
	ip link set "$name" master lab0 up
	on-host "$1" ip address add "10.0.0.$1/24" dev eth0
	on-host "$1" ip link set eth0 up
	printf '#!/bin/sh\nexec on-host %s %s "$@"\n' "$1" "$EXOMEM" >"/usr/local/bin/exomem$1"
	chmod +x "/usr/local/bin/exomem$1"
}

at_host() { # NUMBER FUNCTION [ARGUMENT]...
	local EXOMEM=exomem$1 state=$T/state$1
	"${@:2}"
}

lab_delay() { # TIME
	local record
	for record in /lab/hosts/*; do
		on-host "${record##*/}" tc qdisc replace dev eth0 root netem delay "$1"
	done
}

lab_cut_host() { # NUMBER
	ip link set "host$1" down
	echo 1 >"/lab/cgroup/host$1/cgroup.kill"
}

# --- a shell on another host ---
#
#	lab_ssh                     `ssh host2 hostname` works on every host and in the lab, for root
#	lab_ssh_needs_password 2    no longer there

lab_ssh() {
	local record host
	mkdir -p /root
	mkdir -m 700 /root/.ssh
	ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519
	cp /root/.ssh/id_ed25519.pub /root/.ssh/authorized_keys
	ssh-keygen -q -t ed25519 -N '' -f /lab/host_key
	printf '%s\n' 'StrictHostKeyChecking no' 'LogLevel ERROR' >/root/.ssh/config
	for record in /lab/hosts/*; do
		host=${record##*/}
		echo "10.0.0.$host host$host" >>/etc/hosts
		lab_sshd "$host"
	done
}

lab_sshd() { # HOST [OPTION]...
	on-host "$1" mkdir -p /run/sshd
	on-host "$1" /usr/sbin/sshd -f /dev/null -h /lab/host_key -o UsePAM=no -o UseDNS=no \
		-o PidFile=/run/sshd.pid "${@:2}" 3>&- 4>&-
}

lab_ssh_needs_password() { # HOST
	kill "$(on-host "$1" cat /run/sshd.pid)"
	lab_sshd "$1" -o PubkeyAuthentication=no
}

# --- a file server ---
#
#	lab_nfs DIR                 the lab exports DIR to its hosts, by NFS 3 to 4.2
#	lab_mount_nfs 1 DIR [OPT]   mounts it at DIR on a host; without options by 4.2
#	rpc.nfsd 0                  the server goes away; `rpc.nfsd 4` and lab_end_grace: it is back
#
# A client that is silent for 10 s has lost its locks, instead of Linux's 90.

lab_nfs() { # DIR
	modprobe -a nfsd nfsv4 nfsv3
	mkdir -p "$1"
	mount -t nfsd nfsd /proc/fs/nfsd
	mkdir -p /run/rpcbind /run/rpc_pipefs
	mount -t rpc_pipefs rpc_pipefs /run/rpc_pipefs
	echo 10 >/proc/fs/nfsd/nfsv4leasetime
	echo 10 >/proc/fs/nfsd/nfsv4gracetime
	echo 1 >/proc/sys/fs/nfs/nlm_grace_period # of NFS 3, yet locks of 4 wait for it too
	# Without the descriptors of bats, which would wait for these.
	rpcbind -w 3>&- 4>&-
	echo "$1" >/lab/exported
	exportfs -o rw,fsid=1,no_root_squash,no_subtree_check,insecure "10.0.0.0/24:$1"
	rpc.mountd 3>&- 4>&-
	rpc.statd 3>&- 4>&-
	rpc.nfsd 4
	lab_end_grace
}

# The server no longer waits for clients that had locks before it started.
lab_end_grace() {
	echo Y >/proc/fs/nfsd/v4_end_grace
}

lab_mount_nfs() { # HOST DIR [OPTIONS]
	local options=${3:-vers=4.2}
	case ,$options, in
	*,vers=3,*) # its locks are a matter between programs
		on-host "$1" rpcinfo -p >/dev/null 2>&1 || {
			on-host "$1" rpcbind -w 3>&- 4>&-
			on-host "$1" rpc.statd 3>&- 4>&-
		}
		;;
	esac
	on-host "$1" mkdir -p "$2"
	on-host "$1" mount -t nfs -o "$options" "10.0.0.254:$(</lab/exported)" "$2"
}

# --- disks ---

# Makes a file system on the lab's disk (`# lab: disk=SIZE`) and mounts it at DIR.
lab_disk() { # TYPE DIR
	wipefs -qa /dev/vdc
	"mkfs.$1" -q /dev/vdc
	mkdir -p "$2"
	mount -t "$1" /dev/vdc "$2"
}

# The drivers of NVDIMMs (`# lab: nvdimm=SIZE`); namespaces of an earlier phase are there again.
lab_nvdimm() {
	modprobe -a nfit nd_pmem dax_pmem device_dax
}

# Empties the NVDIMM and makes device-DAX namespaces: the first is /dev/dax0.0.
lab_pmem() { # NAME=SIZE...
	local namespace
	lab_nvdimm
	ndctl disable-region all
	ndctl init-labels -f all
	ndctl enable-region all
	for namespace in "$@"; do
		ndctl create-namespace -r region0 -m devdax -M mem -a 2M \
			-n "${namespace%%=*}" -s "${namespace#*=}"
	done
}

# --- power ---

# Cuts the lab's power: nothing is written back, nothing unmounted. Only the last test of a phase may,
# and it has passed then: the disk and the NVDIMM are there again in the next phase.
lab_cut_power() {
	echo '# power cut' >/dev/ttyS1
	echo b >/proc/sysrq-trigger
	sleep 60
	return 1
}
