#define _GNU_SOURCE
#include "bench_cores.h"

#include "bench_board.h"

void describe_cores(const cpu_set_t *cores, char *text, size_t room) {
    text[0] = '\0';
    for (unsigned core = 0; core < CPU_SETSIZE; core++) {
        unsigned first = core;
        if (!CPU_ISSET(core, cores)) continue;
        while (core + 1 < CPU_SETSIZE && CPU_ISSET(core + 1, cores)) core++;
        if (text[0]) append(text, room, ",");
        append_number(text, room, first);
        if (core == first) continue;
        append(text, room, "-");
        append_number(text, room, core);
    }
}
