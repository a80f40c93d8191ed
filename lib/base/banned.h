/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Functions that invite mistakes; the Makefile includes this file before every source.
 * clang takes a second declaration of a fortified function badly, so only gcc checks.
 */
#if defined(__GNUC__) && !defined(__clang__)

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXM_BANNED(instead) __attribute__((deprecated("use " instead)))

EXM_BANNED("g_strdup() or g_strlcpy()") char *strcpy(char *to, const char *from);
EXM_BANNED("GString or g_strlcat()") char *strcat(char *to, const char *from);
EXM_BANNED("g_strdup_printf()") int sprintf(char *to, const char *format, ...);
EXM_BANNED("g_strdup_vprintf()") int vsprintf(char *to, const char *format, va_list args);
EXM_BANNED("g_strsplit()") char *strtok(char *text, const char *delimiters);
EXM_BANNED("g_ascii_string_to_signed()") int atoi(const char *text);
EXM_BANNED("g_ascii_string_to_signed()") long atol(const char *text);
EXM_BANNED("exm_process_start()") int system(const char *command);
EXM_BANNED("g_mkstemp_full()") char *mktemp(char *name);
EXM_BANNED("g_mkstemp_full()") char *tmpnam(char name[L_tmpnam]);

#undef EXM_BANNED

#endif
