#include "bench_cooldown.h"

#include <limits.h>
#include <stdint.h>

#include "bench_board.h"
#include "bench_clock.h"
#include "bench_exit.h"
#include "bench_json.h"
#include "bench_options.h"

#define SECOND UINT64_C(1000000000)
#define LONGEST (600 * SECOND) /* a room warmer than the temperature asked for must not hold a run for ever */

static struct {
    uint64_t waited;
    int reached;
} cooldown;

/* Returns 0 if the board has no thermal zone that can be read. */
static int hottest(long *millidegrees) {
    char directory[128];
    long degrees;
    int found = 0;
    *millidegrees = LONG_MIN;
    for (unsigned zone = 0; board_next(BOARD_ZONES, &zone, directory, sizeof directory); zone++) {
        if (!board_number(directory, "/temp", &degrees)) continue;
        found = 1;
        if (degrees > *millidegrees) *millidegrees = degrees;
    }
    return found;
}

static int wait_until_cool(uint64_t start) {
    long millidegrees;
    for (;;) {
        if (!hottest(&millidegrees))
            return complain(EXIT_USAGE, "this board shows no temperature; give --cooldown in seconds", "");
        cooldown.reached = millidegrees <= (long)options.cool_to;
        if (cooldown.reached || now() - start >= LONGEST) return EXIT_DONE;
        wait_for(SECOND / 4);
    }
}

int cool_down(void) {
    uint64_t start = now();
    int status = EXIT_DONE;
    cooldown.reached = 1;
    if (options.cooldown_nanoseconds) wait_for(options.cooldown_nanoseconds);
    if (options.cool_to) status = wait_until_cool(start);
    cooldown.waited = now() - start;
    return status;
}

void write_cooldown(void) {
    json_key("cooldown");
    if (!options.cooldown_nanoseconds && !options.cool_to) {
        json_text(NULL);
        return;
    }
    json_open('{');
    json_key("until_millidegrees");
    if (options.cool_to) json_unsigned(options.cool_to);
    else json_text(NULL);
    json_key("waited_ns"), json_unsigned(cooldown.waited);
    json_key("reached"), json_bool(cooldown.reached);
    json_close('}');
}
