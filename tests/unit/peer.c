/* SPDX-License-Identifier: GPL-2.0-or-later */
/* peer.c - A scripted QEMU at the other end of a socket */

#include "peer.h"

#include <sys/socket.h>
#include <unistd.h>

#include "suite.h"

static bool hear(Peer *peer)
{
	char chunk[4096];
	ssize_t got = read(peer->fd, chunk, sizeof(chunk));

	if (got > 0)
		g_string_append_len(peer->heard, chunk, got);
	return got > 0;
}

static bool say(Peer *peer, const char *text, size_t chunk)
{
	size_t length = strlen(text);

	while (length > 0) {
		ssize_t sent = send(peer->fd, text, chunk ? MIN(chunk, length) : length,
		                    MSG_NOSIGNAL);

		if (sent <= 0)
			return false;
		text += sent;
		length -= (size_t)sent;
		if (chunk)
			g_usleep(300);
	}
	return true;
}

static gpointer run_peer(gpointer data)
{
	Peer *peer = data;
	bool alive = true;

	for (const Line *line = peer->lines; alive && line->send; line++) {
		while (alive && line->wait_for && !strstr(peer->heard->str, line->wait_for))
			alive = hear(peer);
		for (int i = 0; alive && i < MAX(line->repeat, 1); i++)
			alive = say(peer, line->send, line->chunk);
	}
	while (alive && peer->stays && hear(peer))
		;
	close(peer->fd);
	return NULL;
}

/** peer_start() - Let a scripted QEMU begin, which hangs up at its end unless it @stays */
Peer *peer_start(const Line *lines, bool stays)
{
	Peer *peer = g_new0(Peer, 1);
	int ends[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	peer->lines = lines;
	peer->stays = stays;
	peer->fd = ends[0];
	peer->ours = ends[1];
	peer->heard = g_string_new(NULL);
	peer->thread = g_thread_new("peer", run_peer, peer);
	return peer;
}

/** peer_end_having_heard() - Wait for the end of a peer, which must have heard this text
 *
 * After the conversation is freed: the peer may wait for its end.
 */
void peer_end_having_heard(Peer *peer, const char *wanted)
{
	g_thread_join(peer->thread);
	ck_assert_ptr_nonnull(strstr(peer->heard->str, wanted));
	g_string_free(peer->heard, TRUE);
	g_free(peer);
}

/** peer_begin() - Begin a conversation, which must come about */
ExmQmp *peer_begin(const Peer *peer)
{
	g_autoptr(GError) error = NULL;
	ExmQmp *qmp = exm_qmp_new(peer->ours, PATIENCE_MS, NULL, &error);

	assert_no_error(error);
	ck_assert_ptr_nonnull(qmp);
	return qmp;
}

/** peer_end() - Wait for the end of a peer, whatever it heard */
void peer_end(Peer *peer)
{
	peer_end_having_heard(peer, "");
}
