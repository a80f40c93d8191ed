/* SPDX-License-Identifier: GPL-2.0-or-later */
/* policy_shipped.c - The policies that come with exomem */

#include <string.h>

#include "plan/policy.h"

/*
 * Pressure below a fifth free, a twentieth a round, a fifth left free in a guest, 64 to 1250 pages of
 * KSM: oVirt's MoM and ksmtuned. Soft, hard and low at 64, 32 and 16 % of that, and a tax of three
 * quarters: VMware ESXi. A cheap lever comes before a dear one, and one that always works last.
 */
static const char default_text[] =
	"# The cheap levers first, small steps.\n"
	"[policy]\n"
	"interval = 10\n"
	"step = 5%\n"
	"hysteresis = 2%\n"
	"window = 6\n"
	"idle = 50%\n"
	"idle-tax = 75%\n"
	"guest-free = 20%\n"
	"statistics-age = 60\n"
	"pages-min = 64\n"
	"pages-max = 1250\n"
	"\n"
	"[state clear]\n"
	"free = 20%\n"
	"levers = drop-cache ksm\n"
	"\n"
	"[state soft]\n"
	"free = 12.8%\n"
	"pressure = 10%\n"
	"levers = drop-cache ksm balloon-idle balloon\n"
	"\n"
	"[state hard]\n"
	"free = 6.4%\n"
	"pressure = 25%\n"
	"levers = drop-cache ksm balloon-idle balloon reclaim-idle reclaim pause\n"
	"\n"
	"[state low]\n"
	"free = 3.2%\n"
	"pressure = 50%\n"
	"levers = drop-cache ksm balloon-idle balloon reclaim-idle reclaim pause refuse migrate\n"
	"\n"
	"[guest *]\n"
	"shares = 1000\n"
	"floor = 25%\n"
	"ceiling = 100%\n"
	"pause = yes\n";

/*
 * Proxmox begins at a fifth free too; here idle memory is taken long before. A guest that begins to
 * work fills memory as fast as it can write, so that steps are large and rounds short.
 */
static const char density_text[] =
	"# As many guests as fit: idle memory is taken early, and given back fast.\n"
	"[policy]\n"
	"interval = 1\n"
	"step = 50%\n"
	"hysteresis = 2%\n"
	"window = 4\n"
	"idle = 40%\n"
	"idle-tax = 90%\n"
	"guest-free = 15%\n"
	"statistics-age = 20\n"
	"pages-min = 64\n"
	"pages-max = 1250\n"
	"\n"
	"[state shared]\n"
	"free = 60%\n"
	"levers = drop-cache ksm balloon-idle\n"
	"\n"
	"[state soft]\n"
	"free = 15%\n"
	"levers = drop-cache ksm balloon-idle balloon\n"
	"\n"
	"[state hard]\n"
	"free = 8%\n"
	"pressure = 60%\n"
	"levers = drop-cache ksm balloon-idle balloon reclaim-idle reclaim pause\n"
	"\n"
	"[state low]\n"
	"free = 3%\n"
	"pressure = 80%\n"
	"levers = drop-cache ksm balloon-idle balloon reclaim-idle reclaim pause refuse migrate\n"
	"\n"
	"[guest *]\n"
	"shares = 1000\n"
	"floor = 15%\n"
	"ceiling = 100%\n"
	"pause = yes\n";

/* Nothing scans, refaults or waits for a disk before memory is really short. */
static const char latency_text[] =
	"# Guests that must answer: no scanning and no pause; refuse and move early.\n"
	"[policy]\n"
	"interval = 10\n"
	"step = 2%\n"
	"hysteresis = 3%\n"
	"window = 12\n"
	"idle = 70%\n"
	"idle-tax = 50%\n"
	"guest-free = 30%\n"
	"statistics-age = 60\n"
	"\n"
	"[state soft]\n"
	"free = 20%\n"
	"pressure = 2%\n"
	"levers = drop-cache balloon-idle\n"
	"\n"
	"[state hard]\n"
	"free = 10%\n"
	"pressure = 5%\n"
	"levers = drop-cache balloon-idle refuse migrate\n"
	"\n"
	"[state low]\n"
	"free = 4%\n"
	"pressure = 20%\n"
	"levers = drop-cache balloon-idle balloon reclaim-idle reclaim refuse migrate\n"
	"\n"
	"[guest *]\n"
	"shares = 1000\n"
	"floor = 50%\n"
	"ceiling = 100%\n"
	"pause = no\n";

static const struct {
	const char *name;
	const char *text;
} shipped[] = {
	{ "default", default_text },
	{ "density", density_text },
	{ "latency", latency_text },
};

/**
 * exm_policy_shipped() - A policy that comes with exomem
 * @name: default, density or latency
 *
 * Return: its text (borrowed), or NULL where there is none of that name.
 */
const char *exm_policy_shipped(const char *name)
{
	for (size_t i = 0; i < G_N_ELEMENTS(shipped); i++)
		if (strcmp(shipped[i].name, name) == 0)
			return shipped[i].text;
	return NULL;
}
