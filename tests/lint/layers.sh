#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# layers.sh - who may include and call what; see lib/README.
set -eu
bad=0

# Prints FILE:LINE:TEXT of every line of the files that matches, comments taken out.
code_lines() { # REGEX FILE...
	regex=$1
	shift
	for file in "$@"; do
		[ -e "$file" ] || continue
		sed -E 's#/\*.*\*/##; s#^[[:space:]]*(/\*|\*([[:space:]/]|$)).*##' "$file" |
			grep -nE "$regex" | sed "s#^#$file:#" || true
	done
}

refuse() { # WHY LINES
	[ -n "$2" ] || return 0
	printf '%s\n  %s\n' "$2" "$1" >&2
	bad=1
}

# A layer may include itself and what stands left of it here.
allowed=''
for layer in base plan host op; do
	allowed="$allowed${allowed:+|}$layer"
	refuse "lib/$layer includes only: $allowed" \
		"$(code_lines '#include "' lib/$layer/*.[ch] |
			grep -vE "#include \"($allowed)/" || true)"
done
# The verbs parse and print; what touches the host goes through lib/op.
refuse 'cmd includes only its own headers, op, plan and base' \
	"$(code_lines '#include "' cmd/*.[ch] |
		grep -vE '#include "((op|plan|base)/|[^/"]+")' || true)"
refuse 'our headers are included with quotes' \
	"$(code_lines '#include <(base|plan|host|op|cmd)/' lib/*/*.[ch] cmd/*.[ch])"

# The plan is a function of its arguments: no file, environment, clock, pid or chance.
headers='unistd|fcntl|time|dirent|sys/(stat|time|random|mman|file|wait)|gio/gio|glib/gstdio'
refuse 'lib/plan is pure' "$(code_lines "#include <($headers)\.h>" lib/plan/*.[ch])"
files='open|openat|creat|fopen|fdopen|opendir|f?stat|lstat|access|readlink|realpath|mkstemp'
files="$files|unlink|g_(open|stat|access|file|dir|mkstemp|mkdtemp|mkdir|unlink)(_[a-z_]*)?"
world='(secure_)?getenv|g_getenv|g_get_(environ|user|home|tmp|current_dir|host|prgname)[a-z_]*'
world="$world|getp?pid|get[eg]*[ug]id|sysconf|uname|gethostname|isatty|g_find_program_in_path"
clock='time|gettimeofday|clock(_gettime)?|localtime(_r)?|g_get_(real|monotonic|current)_time'
clock="$clock|g_date_time_new_now[a-z_]*|g_timer_[a-z]+"
chance='s?rand(_r|om)?|[dlm]rand48|getrandom|getentropy|g_rand(om)?_[a-z_]+'
chance="$chance|g_uuid_string_random"
refuse 'lib/plan is pure' \
	"$(code_lines "\\b($files|$world|$clock|$chance)\(" lib/plan/*.[ch])"

refuse 'only lib/host/child_process.c forks' \
	"$(code_lines '\b(v?fork|posix_spawnp?|popen|daemon)\(' lib/*/*.[ch] cmd/*.[ch] |
		grep -v '^lib/host/child_process\.c:' || true)"

printers='printf|puts|putchar|perror|g_print|g_printerr'
environment='(secure_)?getenv|g_[gs]etenv|g_get_environ|setenv'
refuse 'only cmd prints, exits and reads the environment' \
	"$(code_lines "\\b($printers|$environment|exit)\(" lib/*/*.[ch])"
exit "$bad"
