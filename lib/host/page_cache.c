/* SPDX-License-Identifier: GPL-2.0-or-later */
/* page_cache.c - What of a file is in the page cache, and bringing more of it there */

#include "host/page_cache.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/size.h"

/* mincore(2) wants a byte for each page; a file is looked at in such pieces. */
#define WINDOW (1024 * EXM_MIB)

/*
 * So many reads are under way at once. Over a network with delay it is their number that counts,
 * and a fault of the guest waits for no more than these. A whole block counts for several.
 */
#define READERS       16
#define BLOCK_READERS 4

/*
 * Where nothing must be held up: so many, and no more begun in so much time. What is near is read
 * one after the other then, and what is far has many under way, which cost nothing while they are.
 */
#define SLOW_READERS  8
#define SLOW_PAUSE_US 1500
#define REQUEST       (128 * EXM_KIB)

/* How long one that waits for its time sleeps, before it looks whether it is still wanted. */
#define NAP_US 20000

/* How long reads that are under way are waited for when nobody wants them any more. */
#define PATIENCE_MS 2000

/* Linux, include/uapi/linux/ioprio.h; older headers have it not. */
#define IOPRIO_WHO_PROCESS 1
#define IOPRIO_IDLE        (3 << 13)

/* Linux 5.14, include/uapi/asm-generic/mman-common.h. */
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif

static void look_at_window(int fd, uint64_t offset, uint64_t length, GArray *extents)
{
	const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	const size_t pages = (length + page - 1) / page;
	g_autofree unsigned char *present = g_malloc0(pages);
	void *mapping = mmap(NULL, length, PROT_READ, MAP_SHARED, fd, (off_t)offset);

	if (mapping == MAP_FAILED)
		return;
	if (mincore(mapping, length, present) == 0)
		for (size_t i = 0; i < pages; i++)
			if (present[i] & 1)
				exm_extents_add(extents, offset + i * page, offset + (i + 1) * page);
	munmap(mapping, length);
}

/**
 * exm_page_cache_look() - What of a file is in the page cache
 * @fd:   the file
 * @size: bytes of it
 *
 * Return: a set of ExmExtent, in whole pages (transfer full); all of it where mincore(2) does not
 * show it to this user: see exm_page_cache_is_shown().
 */
GArray *exm_page_cache_look(int fd, uint64_t size)
{
	GArray *extents = exm_extents_new();

	for (uint64_t offset = 0; offset < size; offset += WINDOW)
		look_at_window(fd, offset, MIN(WINDOW, size - offset), extents);
	return extents;
}

/**
 * exm_page_cache_is_shown() - Whether this user may see what of a file is in the page cache
 * @fd: the file
 *
 * Linux, mm/mincore.c, can_do_mincore(): its owner may, and who could write it.
 */
bool exm_page_cache_is_shown(int fd)
{
	g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", fd);
	struct stat info;

	return (fstat(fd, &info) == 0 && info.st_uid == geteuid()) || access(path, W_OK) == 0;
}

/**
 * struct ExmCacheFill - Files on their way into the page cache
 * @fds:     of the files
 * @pieces:  of ExmPrefetchPiece, in order
 * @rate:    bytes a second, or 0
 * @begun:   when, in microseconds of the monotonic clock
 * @next:    first piece that nobody has begun
 * @halted:  nothing more is begun
 * @failed:  errno of a read that failed, or 0
 * @lock:    of what follows, up to @freed
 * @slowly:  not more than one read is begun in SLOW_PAUSE_US
 * @turn:    when the next one may be, in microseconds of the monotonic clock
 * @bytes:   that were read
 * @idle:    so many more reads may be under way
 * @freed:   @idle has grown
 * @left:    readers that have not ended
 * @ended:   readable when all have
 * @threads: the readers
 */
struct ExmCacheFill {
	const int *fds;
	const GArray *pieces;
	uint64_t rate;
	gint64 begun;
	gint next;
	gint halted;
	gint failed;
	GMutex lock;
	bool slowly;
	gint64 turn;
	uint64_t bytes;
	guint idle;
	GCond freed;
	gint left;
	int ended;
	GThread *threads[READERS];
};

/* Whatever else wants the processor or the disk goes first; both are a thread's own on Linux. */
static void step_back(void)
{
	setpriority(PRIO_PROCESS, 0, 19);
	syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_IDLE);
}

static void wait_for_turn(ExmCacheFill *fill, const ExmPrefetchPiece *piece)
{
	const double seconds = fill->rate ? (double)piece->before / (double)fill->rate : 0;
	const gint64 turn = fill->begun + (gint64)(seconds * G_USEC_PER_SEC);
	gint64 left;

	while (!g_atomic_int_get(&fill->halted) && (left = turn - g_get_monotonic_time()) > 0)
		g_usleep((gulong)MIN(left, NAP_US));
}

/*
 * A mapping with huge pages is read by requests as large as the file system can make them. The second
 * advice keeps what follows from being read too, and is given only where the first was understood.
 */
static bool populate(int fd, const ExmPrefetchPiece *piece)
{
	void *mapping = mmap(NULL, piece->length, PROT_READ, MAP_SHARED, fd, (off_t)piece->start);
	bool is_read;

	if (mapping == MAP_FAILED)
		return false;
	is_read = madvise(mapping, piece->length, MADV_HUGEPAGE) == 0 &&
	          madvise(mapping, piece->length, MADV_RANDOM) == 0 &&
	          madvise(mapping, piece->length, MADV_POPULATE_READ) == 0;
	munmap(mapping, piece->length);
	return is_read;
}

/* What cannot be populated is read by read(2), which says why where it cannot either. */
static uint64_t read_piece(ExmCacheFill *fill, const ExmPrefetchPiece *piece, char *buffer,
                           size_t size)
{
	uint64_t done = 0;
	ssize_t got = 1;

	if (piece->length == EXM_PREFETCH_BLOCK && populate(fill->fds[piece->file], piece))
		return piece->length;
	/* A file that has become shorter has no more. */
	while (done < piece->length && got > 0) {
		got = pread(fill->fds[piece->file], buffer, MIN(size, piece->length - done),
		            (off_t)(piece->start + done));
		done += (uint64_t)MAX(got, 0);
	}
	if (got < 0) {
		g_atomic_int_set(&fill->failed, errno);
		g_atomic_int_set(&fill->halted, 1);
	}
	return done;
}

/* How long a read has to wait for its turn; the lock is held. */
static gint64 take_turn(ExmCacheFill *fill, const ExmPrefetchPiece *piece)
{
	const gint64 now = g_get_monotonic_time();
	const gint64 turn = MAX(now, fill->turn);

	if (!fill->slowly)
		return 0;
	fill->turn = turn + (gint64)((piece->length + REQUEST - 1) / REQUEST) * SLOW_PAUSE_US;
	return turn - now;
}

static void begin_read(ExmCacheFill *fill, const ExmPrefetchPiece *piece, guint weight)
{
	gint64 wait;

	g_mutex_lock(&fill->lock);
	while (fill->idle < weight)
		g_cond_wait(&fill->freed, &fill->lock);
	fill->idle -= weight;
	wait = take_turn(fill, piece);
	g_mutex_unlock(&fill->lock);
	g_usleep((gulong)wait);
}

static void end_read(ExmCacheFill *fill, guint weight, uint64_t bytes)
{
	g_mutex_lock(&fill->lock);
	fill->idle += weight;
	fill->bytes += bytes;
	g_cond_broadcast(&fill->freed);
	g_mutex_unlock(&fill->lock);
}

static gpointer read_pieces(gpointer data)
{
	ExmCacheFill *fill = data;
	const size_t size = REQUEST;
	g_autofree char *buffer = g_malloc(size);
	gint index;

	step_back();
	while (!g_atomic_int_get(&fill->halted) &&
	       (index = g_atomic_int_add(&fill->next, 1)) < (gint)fill->pieces->len) {
		const ExmPrefetchPiece *piece = &g_array_index(fill->pieces, ExmPrefetchPiece, index);
		const guint weight = piece->length == EXM_PREFETCH_BLOCK ? BLOCK_READERS : 1;
		uint64_t bytes = 0;

		wait_for_turn(fill, piece);
		begin_read(fill, piece, weight);
		if (!g_atomic_int_get(&fill->halted))
			bytes = read_piece(fill, piece, buffer, size);
		end_read(fill, weight, bytes);
	}
	if (g_atomic_int_dec_and_test(&fill->left))
		eventfd_write(fill->ended, 1);
	return NULL;
}

/**
 * exm_cache_fill_start() - Begin to bring files into the page cache
 * @fds:    of the files; they and @pieces must stay until exm_cache_fill_finish()
 * @pieces: of ExmPrefetchPiece, in the order in which they are read
 * @rate:   bytes a second, or 0 for no limit
 * @slowly: with few reads under way, and few begun, until exm_cache_fill_hurry()
 *
 * Some threads read at lowest priority: so a guest that faults meets a bounded number of reads,
 * where readahead(2) would put all of them before it.
 *
 * Return: the work (transfer full: exm_cache_fill_finish()).
 */
ExmCacheFill *exm_cache_fill_start(const int *fds, const GArray *pieces, uint64_t rate, bool slowly)
{
	ExmCacheFill *fill = g_new0(ExmCacheFill, 1);

	fill->fds = fds;
	fill->pieces = pieces;
	fill->rate = rate;
	fill->begun = g_get_monotonic_time();
	fill->left = READERS;
	fill->ended = eventfd(0, EFD_CLOEXEC);
	g_mutex_init(&fill->lock);
	g_cond_init(&fill->freed);
	fill->slowly = slowly;
	fill->idle = slowly ? SLOW_READERS : READERS;
	/* What is read is what was recorded, and not what lies behind. */
	for (guint i = 0; i < pieces->len; i++) {
		const guint file = g_array_index(pieces, ExmPrefetchPiece, i).file;

		if (i == 0 || file != g_array_index(pieces, ExmPrefetchPiece, i - 1).file)
			posix_fadvise(fds[file], 0, 0, POSIX_FADV_RANDOM);
	}
	for (guint i = 0; i < READERS; i++)
		fill->threads[i] = g_thread_new("prefetch", read_pieces, fill);
	return fill;
}

/**
 * exm_cache_fill_hurry() - Do such work as fast as it can be done from now on
 * @fill: the work, which was begun slowly
 */
void exm_cache_fill_hurry(ExmCacheFill *fill)
{
	g_mutex_lock(&fill->lock);
	fill->slowly = false;
	g_mutex_unlock(&fill->lock);
	end_read(fill, READERS - SLOW_READERS, 0);
}

/**
 * exm_cache_fill_ended() - What to wait for
 * @fill: the work
 *
 * Return: a descriptor (borrowed) that is readable when there is nothing left to do.
 */
int exm_cache_fill_ended(const ExmCacheFill *fill)
{
	return fill->ended;
}

/**
 * exm_cache_fill_bytes() - How much has been read so far
 * @fill: the work
 */
uint64_t exm_cache_fill_bytes(ExmCacheFill *fill)
{
	uint64_t bytes;

	g_mutex_lock(&fill->lock);
	bytes = fill->bytes;
	g_mutex_unlock(&fill->lock);
	return bytes;
}

/**
 * exm_cache_fill_finish() - End such work, done or not
 * @fill:  the work (transfer full)
 * @error: SYSTEM where a file could not be read
 *
 * A server that is away holds up a read for as long as it likes: such readers are left where they
 * are, and end with the process.
 */
bool exm_cache_fill_finish(ExmCacheFill *fill, GError **error)
{
	struct pollfd ended = { .fd = fill->ended, .events = POLLIN };
	bool all;
	int failed;

	g_atomic_int_set(&fill->halted, 1);
	all = TEMP_FAILURE_RETRY(poll(&ended, 1, PATIENCE_MS)) > 0;
	failed = g_atomic_int_get(&fill->failed);
	if (all) {
		for (guint i = 0; i < READERS; i++)
			g_thread_join(fill->threads[i]);
		exm_fd_clear(&fill->ended);
		g_mutex_clear(&fill->lock);
		g_cond_clear(&fill->freed);
		g_free(fill);
	}
	return failed == 0 || exm_throw_errno(error, failed, "read memory");
}
