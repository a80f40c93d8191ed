/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ndctl_loader.c - libndctl and libdaxctl, loaded when they are needed
 *
 * With their eight libraries of their own (libkmod, libcrypto and more) they would make each start
 * of the program two milliseconds longer, which is more than all that it takes now; and a host
 * without persistent memory need not have them. Types are those of their headers all the same.
 */

#include "host/ndctl_loader.h"

#include <dlfcn.h>
#include <string.h>

#include "base/error.h"

/* Their names have been these since ndctl 53 (2016). */
#define NDCTL_LIBRARY  "libndctl.so.6"
#define DAXCTL_LIBRARY "libdaxctl.so.1"

/* A function's address in a member of the table; ISO C has no conversion from void *. */
static bool find(void *library, const char *name, void *member, GError **error)
{
	void *address = dlsym(library, name);

	if (!address)
		return exm_throw(error, EXM_ERROR_UNSUPPORTED,
		                 "the installed libndctl has no '%s': ndctl 66 is needed", name);
	memcpy(member, &address, sizeof(address));
	return true;
}

static void *open_library(const char *name, GError **error)
{
	void *library = dlopen(name, RTLD_NOW | RTLD_LOCAL);

	if (!library)
		exm_throw(error, EXM_ERROR_UNSUPPORTED,
		          "'%s' is needed for persistent memory: install libndctl and libdaxctl",
		          name);
	return library;
}

static bool fill(ExmNdctl *ndctl, GError **error)
{
	void *daxctl_library = open_library(DAXCTL_LIBRARY, error);
	void *ndctl_library = daxctl_library ? open_library(NDCTL_LIBRARY, error) : NULL;

	if (!ndctl_library)
		return false;
#define FIND_NDCTL(name)                                              \
	if (!find(ndctl_library, #name, (void *)&ndctl->name, error)) \
		return false;
#define FIND_DAXCTL(name)                                              \
	if (!find(daxctl_library, #name, (void *)&ndctl->name, error)) \
		return false;
	EXM_NDCTL_FUNCTIONS(FIND_NDCTL)
	EXM_DAXCTL_FUNCTIONS(FIND_DAXCTL)
#undef FIND_NDCTL
#undef FIND_DAXCTL
	return true;
}

/**
 * exm_ndctl_load() - The functions of libndctl and libdaxctl
 * @error: UNSUPPORTED where they are not installed, or too old
 *
 * Return: the functions (static), or NULL.
 */
const ExmNdctl *exm_ndctl_load(GError **error)
{
	static ExmNdctl ndctl;
	static bool loaded;

	if (!loaded)
		loaded = fill(&ndctl, error);
	return loaded ? &ndctl : NULL;
}
