/* Cache-cold runs: whatever an inference reads has left every cache before it starts. */
#ifndef EDGEPRUNE_BENCH_COLD_H
#define EDGEPRUNE_BENCH_COLD_H

/* Reserves a buffer of twice the largest cache that /sys names (of 8 MiB where it names none); 0 without memory. */
int reserve_eviction(void);

/* Writes to every cache line of the buffer. */
void evict_caches(void);

/* Writes the key "cold_bytes": the buffer's size, or null when runs are warm. */
void write_cold(void);

#endif
