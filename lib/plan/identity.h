/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* The fw_cfg file in which a guest finds who it is. */
#define EXM_IDENTITY_FW_CFG "opt/exomem/identity"

/* Its size in bytes: fixed, because a child must have what its parent had. */
#define EXM_IDENTITY_SIZE 384

/**
 * struct ExmIdentity - Who a guest is
 * @name:      name of the guest
 * @index:     which child of its parent; 0 for a guest without one
 * @uuid:      fresh for each guest
 * @parent:    name of the guest that its template was, or NULL
 * @origin:    name of its template, or NULL
 * @directory: the guest's state directory
 */
typedef struct {
	const char *name;
	uint32_t index;
	const char *uuid;
	const char *parent;
	const char *origin;
	const char *directory;
} ExmIdentity;

bool exm_name_check(const char *name, GError **error);
char *exm_identity_print(const ExmIdentity *identity);
bool exm_identity_is_wanted(const char *text);
char *exm_identity_expand(const ExmIdentity *identity, const char *text, GError **error);
