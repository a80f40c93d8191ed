/* SPDX-License-Identifier: GPL-2.0-or-later */
/* error.c - The one error domain, and which exit status a failure has */

#include "base/error.h"

#include <errno.h>
#include <stdarg.h>

/**
 * exm_error_quark() - The error domain of exomem; EXM_ERROR is short for it
 *
 * Return: the quark of the domain
 */
GQuark exm_error_quark(void)
{
	return g_quark_from_static_string("exm-error-quark");
}

/**
 * exm_throw() - Set an error, in one line with the return that follows
 * @error:  where to put it; may be NULL
 * @code:   why exomem refuses
 * @format: printf format of the message
 *
 * Return: false, always
 */
bool exm_throw(GError **error, ExmErrorCode code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	g_propagate_error(error, g_error_new_valist(EXM_ERROR, (int)code, format, args));
	va_end(args);
	return false;
}

static ExmErrorCode code_of_errno(int errnum)
{
	if (errnum == ENOSPC || errnum == EDQUOT || errnum == ENOMEM)
		return EXM_ERROR_NO_ROOM;
	return EXM_ERROR_SYSTEM;
}

/**
 * exm_throw_errno() - Set the error of a failed system call
 * @error:  where to put it; may be NULL
 * @errnum: its errno; lack of space or memory becomes EXM_ERROR_NO_ROOM, all else EXM_ERROR_SYSTEM
 * @format: printf format of what failed; ": " and the text of @errnum follow it
 *
 * Return: false, always
 */
bool exm_throw_errno(GError **error, int errnum, const char *format, ...)
{
	g_autofree char *what = NULL;
	va_list args;

	va_start(args, format);
	what = g_strdup_vprintf(format, args);
	va_end(args);
	return exm_throw(error, code_of_errno(errnum), "%s: %s", what, g_strerror(errnum));
}

/**
 * exm_error_exit_status() - The exit status that tells a failure
 * @error: the error, or NULL where there was none
 *
 * Return: 0 without an error, the code of an exomem error, 1 for an error of another domain
 */
int exm_error_exit_status(const GError *error)
{
	if (error == NULL)
		return 0;
	return error->domain == EXM_ERROR ? error->code : EXM_ERROR_SYSTEM;
}
