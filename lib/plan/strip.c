/* SPDX-License-Identifier: GPL-2.0-or-later */
/* strip.c - A guest's physical memory as a strip, for a terminal or as SVG */

#include "plan/strip.h"

#include <inttypes.h>

#include "base/size.h"

#define LINE 64

/* Of the picture. */
#define CELL_WIDTH 3
#define HEIGHT     48

enum { UNTOUCHED, SHARED, COPIED };

static const struct {
	const char *name;
	const char *block;
	const char *escape; /* ECMA-48 */
	const char *colour; /* CSS */
} kinds[] = {
	[UNTOUCHED] = { "untouched", "\u2591", "\033[2m", "#dddddd" },
	[SHARED] = { "shared", "\u2592", "\033[32m", "#4c9a5f" },
	[COPIED] = { "copied", "\u2588", "\033[31m", "#c0504d" },
};

/* One page that was copied is worth seeing. */
static int kind_of(const ExmStripCell *cell)
{
	if (cell->copied)
		return COPIED;
	return cell->shared ? SHARED : UNTOUCHED;
}

static void add_block(GString *text, int kind, bool colour)
{
	if (colour)
		g_string_append_printf(text, "%s%s\033[0m", kinds[kind].escape, kinds[kind].block);
	else
		g_string_append(text, kinds[kind].block);
}

/**
 * exm_strip_to_text() - Draw memory with block characters
 * @cells:  EXM_STRIP_CELLS of them
 * @size:   bytes of the memory
 * @colour: in colours
 *
 * Return: lines (transfer full), each with its address, and what the characters mean.
 */
char *exm_strip_to_text(const ExmStripCell *cells, uint64_t size, bool colour)
{
	g_autoptr(GString) text = g_string_new(NULL);

	for (size_t i = 0; i < EXM_STRIP_CELLS; i++) {
		if (i % LINE == 0)
			g_string_append_printf(text, "%10" PRIx64 "  ", size / EXM_STRIP_CELLS * i);
		add_block(text, kind_of(&cells[i]), colour);
		if (i % LINE == LINE - 1)
			g_string_append_c(text, '\n');
	}
	g_string_append_printf(text, "%12s", "");
	for (int kind = UNTOUCHED; kind <= COPIED; kind++) {
		add_block(text, kind, colour);
		g_string_append_printf(text, " %s%s", kinds[kind].name, kind < COPIED ? "  " : "\n");
	}
	return g_string_free(g_steal_pointer(&text), FALSE);
}

static void add_bar(GString *svg, size_t column, double from, double share, int kind)
{
	char x[G_ASCII_DTOSTR_BUF_SIZE];
	char y[G_ASCII_DTOSTR_BUF_SIZE];
	char height[G_ASCII_DTOSTR_BUF_SIZE];

	if (!(share > 0))
		return;
	/* A comma for the point of another language would be no SVG. */
	g_ascii_formatd(x, sizeof(x), "%g", (double)(column * CELL_WIDTH));
	g_ascii_formatd(y, sizeof(y), "%g", from * HEIGHT);
	g_ascii_formatd(height, sizeof(height), "%g", share * HEIGHT);
	g_string_append_printf(svg,
	                       "<rect x=\"%s\" y=\"%s\" width=\"%d\" height=\"%s\" fill=\"%s\"/>\n",
	                       x, y, CELL_WIDTH, height, kinds[kind].colour);
}

static void add_cell(GString *svg, const ExmStripCell *cell, size_t column)
{
	const double pages = (double)MAX(cell->pages, 1);
	const double copied = (double)cell->copied / pages;
	const double shared = (double)cell->shared / pages;

	add_bar(svg, column, 0, 1 - copied - shared, UNTOUCHED);
	add_bar(svg, column, 1 - copied - shared, shared, SHARED);
	add_bar(svg, column, 1 - copied, copied, COPIED);
}

/**
 * exm_strip_to_svg() - Draw memory as a picture
 * @cells: EXM_STRIP_CELLS of them
 * @title: the guest's name
 * @size:  bytes of the memory
 *
 * Return: an SVG document (transfer full): a column for each cell, filled in parts.
 */
char *exm_strip_to_svg(const ExmStripCell *cells, const char *title, uint64_t size)
{
	g_autoptr(GString) svg = g_string_new(NULL);
	g_autofree char *name = g_markup_escape_text(title, -1);
	g_autofree char *human = exm_size_human(size);
	const int width = EXM_STRIP_CELLS * CELL_WIDTH;

	g_string_append_printf(svg,
	                       "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" "
	                       "font-family=\"sans-serif\" font-size=\"14\">\n",
	                       width, HEIGHT + 24);
	for (size_t i = 0; i < EXM_STRIP_CELLS; i++)
		add_cell(svg, &cells[i], i);
	g_string_append_printf(svg, "<text x=\"0\" y=\"%d\">%s, %s:", HEIGHT + 18, name, human);
	for (int kind = UNTOUCHED; kind <= COPIED; kind++)
		g_string_append_printf(svg, " <tspan fill=\"%s\">\u25a0</tspan> %s",
		                       kinds[kind].colour, kinds[kind].name);
	g_string_append(svg, "</text>\n</svg>\n");
	return g_string_free(g_steal_pointer(&svg), FALSE);
}
