/* Waiting for a board to be cool before it is timed. */
#ifndef EDGEPRUNE_BENCH_COOLDOWN_H
#define EDGEPRUNE_BENCH_COOLDOWN_H

/* Does what --cooldown asks; returns EXIT_DONE, or complains. */
int cool_down(void);

/* Writes the key "cooldown": what was waited for and how it ended, or null. */
void write_cooldown(void);

#endif
