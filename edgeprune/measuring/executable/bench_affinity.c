#define _GNU_SOURCE
#include "bench_affinity.h"

#include <sched.h>
#include <string.h>

#include "bench_board.h"
#include "bench_cores.h"
#include "bench_exit.h"

static int digit_of(char character) {
    if (character >= '0' && character <= '9') return character - '0';
    if (character >= 'a' && character <= 'f') return character - 'a' + 10;
    if (character >= 'A' && character <= 'F') return character - 'A' + 10;
    return -1;
}

/* Reads the digits behind "0x", the last of which stands for cores 0 to 3. */
static int parse_mask(const char *digits, cpu_set_t *cores) {
    size_t count = strlen(digits);
    if (count == 0 || count > CPU_SETSIZE / 4) return 0;
    for (size_t place = 0; place < count; place++) {
        int digit = digit_of(digits[count - 1 - place]);
        if (digit < 0) return 0;
        for (int bit = 0; bit < 4; bit++)
            if (digit >> bit & 1) CPU_SET(4 * place + (size_t)bit, cores);
    }
    return 1;
}

static int parse_core(const char **text, unsigned *core) {
    if (**text < '0' || **text > '9') return 0;
    for (*core = 0; **text >= '0' && **text <= '9'; ++*text)
        if ((*core = *core * 10 + (unsigned)(**text - '0')) >= CPU_SETSIZE) return 0;
    return 1;
}

static int parse_list(const char *text, cpu_set_t *cores) {
    for (;;) {
        unsigned first, last;
        if (!parse_core(&text, &first)) return 0;
        last = first;
        if (*text == '-' && (text++, !parse_core(&text, &last) || last < first)) return 0;
        for (unsigned core = first; core <= last; core++) CPU_SET(core, cores);
        if (*text == '\0') return 1;
        if (*text++ != ',') return 0;
    }
}

/* The kernel's own measure of a core's speed where it has one, else its highest clock. */
static int speeds_from(const char *name, int fastest, cpu_set_t *cores) {
    char directory[128];
    long speed, low = 0, high = 0;
    int found = 0;
    for (unsigned core = 0; board_next(BOARD_CORES, &core, directory, sizeof directory); core++) {
        if (!board_number(directory, name, &speed)) continue;
        if (!found++) low = high = speed;
        if (speed < low) low = speed;
        if (speed > high) high = speed;
    }
    if (found < 2 || low == high) return 0;
    for (unsigned core = 0; board_next(BOARD_CORES, &core, directory, sizeof directory); core++)
        if (core < CPU_SETSIZE && board_number(directory, name, &speed) && speed == (fastest ? high : low))
            CPU_SET(core, cores);
    return 1;
}

static int choose(const char *wanted, cpu_set_t *cores) {
    int fastest = strcmp(wanted, "big") == 0;
    CPU_ZERO(cores);
    if (fastest || strcmp(wanted, "little") == 0) {
        if (speeds_from("/cpu_capacity", fastest, cores) || speeds_from("/cpufreq/cpuinfo_max_freq", fastest, cores))
            return EXIT_DONE;
        return complain(EXIT_USAGE, "this board does not tell big cores from little ones; give --affinity as a list, not ",
                        wanted);
    }
    if (strncmp(wanted, "0x", 2) == 0 ? parse_mask(wanted + 2, cores) : parse_list(wanted, cores)) return EXIT_DONE;
    return complain(EXIT_USAGE, "--affinity takes big, little, a mask (0xF0) or a list (4-7), not ", wanted);
}

int bind_cores(const char *wanted) {
    cpu_set_t cores;
    int status = choose(wanted, &cores);
    if (status != EXIT_DONE) return status;
    if (sched_setaffinity(0, sizeof cores, &cores) == 0) return EXIT_DONE;
    return complain(EXIT_USAGE, "the kernel has none of these cores for this process: --affinity ", wanted);
}

int describe_affinity(char *text, size_t room) {
    cpu_set_t cores;
    if (sched_getaffinity(0, sizeof cores, &cores) != 0) return 0;
    describe_cores(&cores, text, room);
    return text[0] != '\0';
}
