/*
 * Reading what the board says in /proc and /sys. All of it lies under one root that can be set, so that a board that
 * throttles can be simulated by a directory.
 */
#ifndef EDGEPRUNE_BENCH_BOARD_H
#define EDGEPRUNE_BENCH_BOARD_H

#include <stddef.h>

#define BOARD_CORES "/sys/devices/system/cpu/cpu"
#define BOARD_ZONES "/sys/class/thermal/thermal_zone"
#define BOARD_COOLERS "/sys/class/thermal/cooling_device"

/* No directory NAMEn is looked for beyond this many; numbers may have holes where cores are taken out. */
#define BOARD_MOST 1024u

extern const char *board_root; /* "" is the board itself */

/* Both append to `text` what fits into `room` bytes; a path that is cut then names no file. */
void append(char *text, size_t room, const char *more);
void append_number(char *text, size_t room, unsigned number);

/* Reads a small file, without white space at its end; returns 0 if there is none or it is empty. */
int board_text(const char *directory, const char *name, char *text, size_t room);

/* Reads a file that holds one decimal number; returns 0 if there is none. */
int board_number(const char *directory, const char *name, long *number);

/* Sets `directory` to STEM and the first number from `*number` on that exists; returns 0 if there is no more. */
int board_next(const char *stem, unsigned *number, char *directory, size_t room);

/* Finds "NAME : VALUE" in `text` from `*from` (NULL: its start) on; copies VALUE and moves `*from` past the line. */
int board_field(const char *text, const char **from, const char *name, char *value, size_t room);

#endif
