/* SPDX-License-Identifier: GPL-2.0-or-later */
/* scrub.c - Make a device of persistent memory zero, past the processor's caches, and look again */

#include "host/scrub.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "base/error.h"
#include "base/fd.h"
#include "base/size.h"
#include "host/place.h"

/* So much is mapped at a time, or one alignment where that is more. */
#define WINDOW (256 * EXM_MIB)

/* So much is zeroed between two calls of tell(). */
#define PIECE (16 * EXM_MIB)

/**
 * exm_scrub_open() - Open a device of persistent memory, and nothing else
 * @path:   of the device; a symbolic link is refused, and nothing is ever made
 * @ret_fd: the descriptor, close-on-exec
 * @error:  STATE where it is no such device; SYSTEM
 */
bool exm_scrub_open(const char *path, int *ret_fd, GError **error)
{
	exm_autofd int fd = open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat info;

	if (fd < 0 || fstat(fd, &info) < 0)
		return exm_throw_errno(error, errno, "open '%s'", path);
	if (!exm_place_is_dax(info.st_rdev))
		return exm_throw(error, EXM_ERROR_STATE, "'%s' is not a DAX device", path);
	*ret_fd = g_steal_fd(&fd);
	return true;
}

/*
 * Stores that go around the caches, and are in the platform's persistence domain once the fence is
 * behind them (Intel, Software Developer's Manual, 10.4.6.2; as pmem_memset() of libpmem does it).
 * Elsewhere msync() is left to bring them there.
 */
#ifdef __SSE2__
static void store_zeros(unsigned char *memory, size_t size)
{
	const __m128i zero = _mm_setzero_si128();

	for (size_t i = 0; i < size; i += 64) {
		__m128i *line = (__m128i *)(void *)(memory + i);

		_mm_stream_si128(line, zero);
		_mm_stream_si128(line + 1, zero);
		_mm_stream_si128(line + 2, zero);
		_mm_stream_si128(line + 3, zero);
	}
	_mm_sfence();
}
#else
static void store_zeros(unsigned char *memory, size_t size)
{
	memset(memory, 0, size);
}
#endif

/**
 * exm_scrub_fill() - Make memory zero, past the caches where the processor can
 * @memory: at a multiple of 64
 * @size:   bytes, a multiple of 64
 */
void exm_scrub_fill(void *memory, size_t size)
{
	store_zeros(memory, size);
}

/**
 * exm_scrub_is_zero() - Whether memory is all zeros
 * @memory: at a multiple of 64
 * @size:   bytes, a multiple of 64
 */
bool exm_scrub_is_zero(const void *memory, size_t size)
{
	const uint64_t *words = memory;
	const size_t count = size / sizeof(*words);

	for (size_t i = 0; i < count; i += 8) {
		uint64_t any = 0;

		for (size_t j = 0; j < 8; j++)
			any |= words[i + j];
		if (any)
			return false;
	}
	return true;
}

/* Where we are after a page that cannot be had, and where that was. */
static sigjmp_buf landing;
static void *volatile broken;

static void land(G_GNUC_UNUSED int signal_number, siginfo_t *info, G_GNUC_UNUSED void *context)
{
	broken = info->si_addr;
	siglongjmp(landing, 1);
}

/* All that is done to memory itself: what it is tells how it went. */
typedef bool (*Touch)(void *memory, size_t size);

static bool fill(void *memory, size_t size)
{
	exm_scrub_fill(memory, size);
	return true;
}

static bool look(void *memory, size_t size)
{
	return exm_scrub_is_zero(memory, size);
}

/*
 * A page that the medium has lost, or that the device has no more, is SIGBUS and no error (Linux,
 * drivers/dax/device.c; mm/memory-failure.c). False where one came; who else may send it is not
 * caught, since nothing else runs meanwhile.
 */
static bool survive(Touch touch, void *memory, size_t size, bool *ret_result)
{
	const struct sigaction action = { .sa_sigaction = land, .sa_flags = SA_SIGINFO };
	struct sigaction before;
	volatile bool alive = false;

	sigaction(SIGBUS, &action, &before);
	if (sigsetjmp(landing, 1) == 0) {
		*ret_result = touch(memory, size);
		alive = true;
	}
	sigaction(SIGBUS, &before, NULL);
	return alive;
}

static bool throw_broken(const ExmScrub *scrub, const unsigned char *memory, uint64_t offset,
                         GError **error)
{
	const uint64_t within = (uint64_t)((const unsigned char *)broken - memory);

	return exm_throw(error, EXM_ERROR_SYSTEM,
	                 "'%s' cannot be read or written at byte %" G_GUINT64_FORMAT
	                 ": is the medium broken? ('ndctl list --media-errors')",
	                 scrub->path, offset + within);
}

/* What is done to one piece of a window. */
typedef bool (*Deed)(const ExmScrub *scrub, unsigned char *memory, size_t size, uint64_t offset,
                     GError **error);

static bool zero_piece(const ExmScrub *scrub, unsigned char *memory, size_t size, uint64_t offset,
                       GError **error)
{
	bool filled;

	if (!survive(fill, memory, size, &filled))
		return throw_broken(scrub, memory, offset, error);
	/* DAX has nothing to sync where the stores went past the caches, and says so (EINVAL). */
	if (msync(memory, size, MS_SYNC) < 0 && errno != EINVAL)
		return exm_throw_errno(error, errno, "sync '%s'", scrub->path);
	return true;
}

static bool verify_piece(const ExmScrub *scrub, unsigned char *memory, size_t size, uint64_t offset,
                         GError **error)
{
	bool zero;

	if (!survive(look, memory, size, &zero))
		return throw_broken(scrub, memory, offset, error);
	return zero || exm_throw(error, EXM_ERROR_SYSTEM,
	                         "'%s' is not zero after %" G_GUINT64_FORMAT
	                         " bytes, though it was scrubbed: is the medium broken?",
	                         scrub->path, offset);
}

/**
 * struct Walk - A way over all of a device
 * @scrub: which
 * @deed:  done to each piece
 * @tell:  called after it
 * @user:  for @tell
 */
typedef struct {
	const ExmScrub *scrub;
	Deed deed;
	ExmScrubTell tell;
	void *user;
} Walk;

static bool walk_window(const Walk *way, uint64_t from, uint64_t length, GError **error)
{
	const ExmScrub *scrub = way->scrub;
	unsigned char *memory = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, scrub->fd,
	                             (off_t)from);
	bool done = true;

	if (memory == MAP_FAILED)
		return exm_throw_errno(error, errno, "map '%s'", scrub->path);
	for (uint64_t at = 0; done && at < length; at += PIECE) {
		const uint64_t size = MIN(PIECE, length - at);

		done = way->deed(scrub, memory + at, size, from + at, error) &&
		       way->tell(from + at + size, way->user, error);
	}
	munmap(memory, length);
	return done;
}

static bool walk(const Walk *way, uint64_t from, GError **error)
{
	const ExmScrub *scrub = way->scrub;
	const uint64_t window = MAX(WINDOW, scrub->align);

	for (uint64_t at = from - from % scrub->align; at < scrub->size; at += window)
		if (!walk_window(way, at, MIN(window, scrub->size - at), error))
			return false;
	return true;
}

/**
 * exm_scrub_zero() - Make a device zero
 * @scrub: which
 * @from:  bytes that are zero already
 * @tell:  called after each piece
 * @user:  for @tell
 * @error: SYSTEM, and what @tell throws
 */
bool exm_scrub_zero(const ExmScrub *scrub, uint64_t from, ExmScrubTell tell, void *user,
                    GError **error)
{
	const Walk way = { scrub, zero_piece, tell, user };

	return walk(&way, from, error);
}

/**
 * exm_scrub_verify() - Look whether a device is zero
 * @scrub: which
 * @tell:  called after each piece
 * @user:  for @tell
 * @error: SYSTEM where it is not, and what @tell throws
 */
bool exm_scrub_verify(const ExmScrub *scrub, ExmScrubTell tell, void *user, GError **error)
{
	const Walk way = { scrub, verify_piece, tell, user };

	return walk(&way, 0, error);
}
