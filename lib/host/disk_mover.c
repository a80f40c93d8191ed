/* SPDX-License-Identifier: GPL-2.0-or-later */
/* disk_mover.c - Let a running QEMU write a disk to an overlay, or to the image below again */

#include "host/disk_mover.h"

#include <string.h>

#include "base/json.h"

/* By this name QEMU knows the job that brings an overlay back into the image below. */
#define JOB_NAME "exomem-back"

/* How long that may take, and how often it is asked for. */
#define JOB_PATIENCE_US 10000000L
#define JOB_PAUSE_US    1000UL

static bool add_node(ExmQmp *qmp, const char *overlay, const char *overlay_node, GError **error)
{
	ExmJson *arguments = json_object_new_object();
	ExmJson *file = json_object_new_object();
	g_autoptr(ExmJson) answer = NULL;

	exm_json_set_string(file, "driver", "file");
	exm_json_set_string(file, "filename", overlay);
	exm_json_set_string(arguments, "driver", "qcow2");
	exm_json_set_string(arguments, "node-name", overlay_node);
	json_object_object_add(arguments, "file", file);
	/* What the image says is below it is open already, as the node that it is put on. */
	json_object_object_add(arguments, "backing", NULL);
	answer = exm_qmp_execute(qmp, "blockdev-add", arguments, error);
	return answer;
}

static void remove_node(ExmQmp *qmp, const char *node)
{
	ExmJson *arguments = json_object_new_object();

	exm_json_set_string(arguments, "node-name", node);
	exm_json_put(exm_qmp_execute(qmp, "blockdev-del", arguments, NULL));
}

/**
 * exm_disk_move() - Let a disk be written to an overlay from now on
 * @qmp:          the conversation with the guest's QEMU
 * @node:         QEMU's name of what the guest writes to
 * @overlay:      an empty qcow2 image on top of it
 * @overlay_node: how QEMU shall call that
 * @error:        SYSTEM; the guest writes to what it wrote to
 */
bool exm_disk_move(ExmQmp *qmp, const char *node, const char *overlay, const char *overlay_node,
                   GError **error)
{
	ExmJson *arguments;
	g_autoptr(ExmJson) answer = NULL;

	if (!add_node(qmp, overlay, overlay_node, error))
		return false;
	arguments = json_object_new_object();
	exm_json_set_string(arguments, "node", node);
	exm_json_set_string(arguments, "overlay", overlay_node);
	answer = exm_qmp_execute(qmp, "blockdev-snapshot", arguments, error);
	if (!answer)
		remove_node(qmp, overlay_node);
	return answer;
}

/**
 * exm_disk_is_moved() - Whether a QEMU knows an overlay
 * @qmp:          the conversation with the guest's QEMU
 * @overlay_node: how QEMU calls it
 */
bool exm_disk_is_moved(ExmQmp *qmp, const char *overlay_node)
{
	g_autoptr(ExmJson) nodes = exm_qmp_execute(qmp, "query-named-block-nodes", NULL, NULL);

	for (size_t i = 0; nodes && i < exm_json_length(nodes); i++) {
		ExmJson *node = json_object_array_get_idx(nodes, i);

		if (g_strcmp0(exm_json_get_string(node, "node-name"), overlay_node) == 0)
			return true;
	}
	return false;
}

/* "ready", "concluded", …; NULL where there is no such job (any more). (transfer full) */
static char *job_status(ExmQmp *qmp)
{
	g_autoptr(ExmJson) jobs = exm_qmp_execute(qmp, "query-jobs", NULL, NULL);

	for (size_t i = 0; jobs && i < exm_json_length(jobs); i++) {
		ExmJson *job = json_object_array_get_idx(jobs, i);

		if (g_strcmp0(exm_json_get_string(job, "id"), JOB_NAME) == 0)
			return g_strdup(exm_json_get_string(job, "status"));
	}
	return NULL;
}

static void complete_job(ExmQmp *qmp)
{
	ExmJson *arguments = json_object_new_object();

	exm_json_set_string(arguments, "id", JOB_NAME);
	exm_json_put(exm_qmp_execute(qmp, "job-complete", arguments, NULL));
}

/**
 * exm_disk_move_back() - Bring what an overlay holds into the image below, and write there again
 * @qmp:          the conversation with the guest's QEMU; the guest may run
 * @overlay_node: how QEMU calls the overlay; nothing happens where it does not know it
 * @node:         how it calls the image below, of which others may stand on those further below
 */
void exm_disk_move_back(ExmQmp *qmp, const char *overlay_node, const char *node)
{
	const gint64 deadline = g_get_monotonic_time() + JOB_PATIENCE_US;
	ExmJson *arguments = json_object_new_object();
	g_autoptr(ExmJson) answer = NULL;

	exm_json_set_string(arguments, "job-id", JOB_NAME);
	exm_json_set_string(arguments, "device", overlay_node);
	/* Without it QEMU writes into the deepest image of all (qapi/block-core.json, block-commit). */
	exm_json_set_string(arguments, "base-node", node);
	answer = exm_qmp_execute(qmp, "block-commit", arguments, NULL);
	while (answer && g_get_monotonic_time() < deadline) {
		g_autofree char *status = job_status(qmp);

		if (!status)
			break;
		if (strcmp(status, "ready") == 0)
			complete_job(qmp);
		g_usleep(JOB_PAUSE_US);
	}
	remove_node(qmp, overlay_node);
}
