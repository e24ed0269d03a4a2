#include "bench_cold.h"

#include <stddef.h>

#include "bench_board.h"
#include "bench_json.h"
#include "bench_network.h"

#define MIB ((size_t)1 << 20)
#define LINE 64u /* no cache of a supported board has shorter lines that matter here: longer ones are hit twice */
#define LEAST_CACHE (8 * MIB)
/* Servers share caches so large that walking them would take longer than any inference. */
#define LARGEST_CACHE (64 * MIB)

static struct {
    volatile unsigned char *buffer;
    size_t bytes;
} eviction;

/* Reads "512K" or "32M". */
static size_t parse_size(const char *text) {
    size_t bytes = 0;
    for (; *text >= '0' && *text <= '9'; text++) bytes = bytes * 10 + (size_t)(*text - '0');
    if (*text == 'K') return bytes << 10;
    return *text == 'M' ? bytes * MIB : bytes;
}

static size_t largest_cache(void) {
    char directory[128], text[32];
    size_t largest = 0;
    for (unsigned level = 0; board_next(BOARD_CORES "0/cache/index", &level, directory, sizeof directory); level++)
        if (board_text(directory, "/size", text, sizeof text) && parse_size(text) > largest)
            largest = parse_size(text);
    if (largest < LEAST_CACHE) return LEAST_CACHE;
    return largest > LARGEST_CACHE ? LARGEST_CACHE : largest;
}

int reserve_eviction(void) {
    eviction.bytes = 2 * largest_cache();
    eviction.buffer = reserve(eviction.bytes);
    return eviction.buffer != NULL;
}

void evict_caches(void) {
    for (size_t place = 0; place < eviction.bytes; place += LINE) eviction.buffer[place]++;
}

void write_cold(void) {
    json_key("cold_bytes");
    if (eviction.bytes) json_unsigned(eviction.bytes);
    else json_text(NULL);
}
