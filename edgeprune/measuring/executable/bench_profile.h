/* Where an inference spends its time: step by step, by a second entry of the network that only this executable has. */
#ifndef EDGEPRUNE_BENCH_PROFILE_H
#define EDGEPRUNE_BENCH_PROFILE_H

/* Returns EXIT_DONE, or complains where the network has no such entry, memory is short, or it failed. */
int profile_steps(void);

/* Writes the key "profile": per step its name and every sample, in the order they were taken; or null. */
void write_profile(void);

#endif
