/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "base/enumtab.h"
#include "base/error.h"
#include "base/json.h"

/**
 * enum ExmSeverity - What a finding means
 * @EXM_SEVERITY_OK:      all is well
 * @EXM_SEVERITY_WARNING: it works, but not as the operator may think
 * @EXM_SEVERITY_FATAL:   no guest can be started so
 */
typedef enum {
	EXM_SEVERITY_OK,
	EXM_SEVERITY_WARNING,
	EXM_SEVERITY_FATAL,
} ExmSeverity;

/**
 * struct ExmFinding - What came out of one check
 * @severity: what it means
 * @code:     the error that a fatal one is
 * @name:     of the check (static)
 * @text:     one line
 */
typedef struct {
	ExmSeverity severity;
	ExmErrorCode code;
	const char *name;
	char *text;
} ExmFinding;

extern const ExmEnumTable exm_severities;

GPtrArray *exm_findings_new(void);
void exm_findings_add(GPtrArray *findings, ExmSeverity severity, ExmErrorCode code,
                      const char *name, const char *format, ...) G_GNUC_PRINTF(5, 6);
bool exm_findings_throw(const GPtrArray *findings, GError **error);
ExmJson *exm_findings_to_json(const GPtrArray *findings);
