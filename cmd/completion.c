/* SPDX-License-Identifier: GPL-2.0-or-later */
/* completion.c - exomem completion: what makes a shell complete our command lines */

#include <stdio.h>

#include "base/enumtab.h"
#include "base/error.h"
#include "command.h"
#include "options.h"
#include "words.h"

enum { BASH, FISH, ZSH };

static const char *const shell_names[] = { "bash", "fish", "zsh" };
static const ExmEnumTable shells = { "shell", shell_names, G_N_ELEMENTS(shell_names) };

/*
 * bash splits words at = and : too (COMP_WORDBREAKS), and replaces only the part that it has split
 * off. The script joins the parts, and takes away from the answers what bash leaves as it is.
 */
static const char bash_script[] =
	"# bash completion for exomem\n"
	"_exomem()\n"
	"{\n"
	"	local words=() part last='' kept answer\n"
	"	for part in \"${COMP_WORDS[@]:1:COMP_CWORD}\"; do\n"
	"		if [[ ${#words[@]} -gt 0 && ( $part == [=:]* || $last == *[=:] ) ]]; then\n"
	"			words[-1]+=$part\n"
	"		else\n"
	"			words+=(\"$part\")\n"
	"		fi\n"
	"		last=$part\n"
	"	done\n"
	"	[[ $last == [=:]* ]] && last=''\n"
	"	kept=${words[-1]%\"$last\"}\n"
	"	COMPREPLY=()\n"
	"	while IFS=$'\\t' read -r answer _; do\n"
	"		COMPREPLY+=(\"${answer#\"$kept\"}\")\n"
	"	done < <(\"$1\" __complete -- \"${words[@]}\" 2>/dev/null)\n"
	"}\n"
	"complete -o default -F _exomem exomem\n";

static const char zsh_script[] =
	"#compdef exomem\n"
	"# zsh completion for exomem\n"
	"_exomem()\n"
	"{\n"
	"	local -a answers\n"
	"	local before=(\"${(@Q)words[2,CURRENT-1]}\")\n"
	"	answers=(\"${(@f)$(\"${(Q)words[1]}\" __complete -- \"$before[@]\" \"$PREFIX\" 2>/dev/null)}\")\n"
	"	if [[ -z $answers[1] ]]; then\n"
	"		_files\n"
	"	else\n"
	"		answers=(\"${(@)answers/$'\\t'/:}\")\n"
	"		_describe exomem answers\n"
	"	fi\n"
	"}\n"
	"if [[ $funcstack[1] == _exomem ]]; then\n"
	"	_exomem \"$@\"\n"
	"else\n"
	"	compdef _exomem exomem\n"
	"fi\n";

static const char fish_script[] =
	"# fish completion for exomem\n"
	"function __exomem_complete\n"
	"	set -l words (commandline -opc)\n"
	"	set -l typed (commandline -ct)\n"
	"	set -l answers ($words[1] __complete -- $words[2..-1] \"$typed\" 2>/dev/null)\n"
	"	if set -q answers[1]\n"
	"		printf '%s\\n' $answers\n"
	"	else\n"
	"		__fish_complete_path \"$typed\"\n"
	"	end\n"
	"end\n"
	"complete -c exomem -f -a '(__exomem_complete)'\n";

static const char *const scripts[] = {
	[BASH] = bash_script,
	[FISH] = fish_script,
	[ZSH] = zsh_script,
};

static bool print_script(const char *const *words, GError **error)
{
	int shell;

	if (!words[0])
		return exm_throw(error, EXM_ERROR_USAGE, "name a shell: bash, fish or zsh");
	if (!exm_enum_parse(&shells, words[0], &shell, error) || !exm_words_none(words + 1, error))
		return false;
	printf("%s", scripts[shell]);
	return true;
}

static const GOptionEntry no_options[] = { EXM_OPTION_END };

const ExmCommand exm_command_completion = {
	.name = "completion",
	.summary = "print what makes a shell complete exomem's words",
	.usage = "bash|fish|zsh",
	.options = no_options,
	.run = print_script,
};
