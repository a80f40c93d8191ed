/* SPDX-License-Identifier: GPL-2.0-or-later */
/* finding.c - What came out of checks: for people, for programs, and as an error */

#include "plan/finding.h"

static const char *const severity_names[] = {
	[EXM_SEVERITY_OK] = "ok",
	[EXM_SEVERITY_WARNING] = "warning",
	[EXM_SEVERITY_FATAL] = "fatal",
};

const ExmEnumTable exm_severities = { "severity", severity_names, G_N_ELEMENTS(severity_names) };

static void finding_free(gpointer data)
{
	ExmFinding *finding = data;

	g_free(finding->text);
	g_free(finding);
}

/**
 * exm_findings_new() - Findings that are still to be made
 *
 * Return: an empty list of ExmFinding (transfer full).
 */
GPtrArray *exm_findings_new(void)
{
	return g_ptr_array_new_with_free_func(finding_free);
}

/**
 * exm_findings_add() - Add what came out of a check
 * @findings: of ExmFinding
 * @severity: what it means
 * @code:     the error that a fatal one is
 * @name:     of the check (static)
 * @format:   one line, as printf(3) takes it
 */
void exm_findings_add(GPtrArray *findings, ExmSeverity severity, ExmErrorCode code,
                      const char *name, const char *format, ...)
{
	ExmFinding *finding = g_new0(ExmFinding, 1);
	va_list arguments;

	va_start(arguments, format);
	finding->severity = severity;
	finding->code = code;
	finding->name = name;
	finding->text = g_strdup_vprintf(format, arguments);
	va_end(arguments);
	g_ptr_array_add(findings, finding);
}

/**
 * exm_findings_throw() - The first finding that no guest can be started with
 * @findings: of ExmFinding
 * @error:    its code and text
 *
 * Return: true where there is none.
 */
bool exm_findings_throw(const GPtrArray *findings, GError **error)
{
	for (guint i = 0; i < findings->len; i++) {
		const ExmFinding *finding = findings->pdata[i];

		if (finding->severity == EXM_SEVERITY_FATAL)
			return exm_throw(error, finding->code, "%s", finding->text);
	}
	return true;
}

/**
 * exm_findings_to_json() - Findings for a program
 * @findings: of ExmFinding
 *
 * Return: an array of objects (transfer full), described in exomem-capacity(1).
 */
ExmJson *exm_findings_to_json(const GPtrArray *findings)
{
	ExmJson *array = json_object_new_array();

	for (guint i = 0; i < findings->len; i++) {
		const ExmFinding *finding = findings->pdata[i];
		ExmJson *item = json_object_new_object();

		exm_json_set_string(item, "name", finding->name);
		exm_json_set_string(item, "severity",
		                    exm_enum_name(&exm_severities, (int)finding->severity));
		exm_json_set_string(item, "text", finding->text);
		json_object_array_add(array, item);
	}
	return array;
}
