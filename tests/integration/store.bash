# SPDX-License-Identifier: GPL-2.0-or-later
# store.bash - a store for guests' memory: a configuration, and what is used of it.
#
# Loaded behind helper.bash, which sets the other variables.

# shellcheck disable=SC2154

# Makes $T/conf the configuration: so many MiB in $memory, counted over $state.
configure() { # MIB LINE...
	{
		printf '[memory]\nfile_backed_memory = %s\nmemory_backing_dir = %s\nhost_state_dir = %s\n' \
			"$1" "$memory" "$state"
		[ $# -lt 2 ] || printf '%s\n' "${@:2}"
	} >"$T/conf"
	chmod 0600 "$T/conf"
}

# KiB that are used on the file system of the store.
blocks_used() {
	df --output=used "$memory" | tail -n 1
}

# A control group below this process's own that has so many MiB of memory; prints its path.
new_group() { # MIB
	local own group
	own=$(awk -F: '$2 ~ /(^|,)memory(,|$)/ { print $3 }' /proc/self/cgroup)
	if [ -n "$own" ]; then
		group=/sys/fs/cgroup/memory$own/exomem-test.$$
		mkdir "$group" && echo $(($1 << 20)) >"$group/memory.limit_in_bytes" || return 1
	else
		group=/sys/fs/cgroup/exomem-test.$$
		mkdir "$group" && echo $(($1 << 20)) >"$group/memory.max" || return 1
	fi
	echo "$group"
}

group_peak() { # GROUP
	cat "$1/memory.max_usage_in_bytes" 2>/dev/null || cat "$1/memory.peak"
}
