#include "bench_options.h"

#include <limits.h>
#include <stddef.h>
#include <string.h>

#include "bench_board.h"
#include "bench_exit.h"

#define BILLION 1000000000u

struct bench_options options = {.warmup = 50, .samples = 1000, .threads = 1};

/* Reads "12" or, with a scale of 10^9, "0.5"; sets `end` behind it. Returns 0 if `text` begins with no such number. */
static int read_number(const char *text, uint64_t scale, uint64_t *value, const char **end) {
    uint64_t place = scale;
    if (*text < '0' || *text > '9') return 0;
    for (*value = 0; *text >= '0' && *text <= '9'; text++) {
        if (*value > UINT64_MAX / 16 / scale) return 0;
        *value = *value * 10 + (uint64_t)(*text - '0');
    }
    *value *= scale;
    if (*text == '.' && scale > 1)
        for (text++; *text >= '0' && *text <= '9'; text++) *value += (uint64_t)(*text - '0') * (place /= 10);
    *end = text;
    return 1;
}

static int parse_number(const char *text, uint64_t scale, uint64_t *value) {
    const char *end;
    return read_number(text, scale, value, &end) && *end == '\0';
}

static int parse_positive(const char *text, uint64_t most, uint64_t *value) {
    return parse_number(text, 1, value) && *value > 0 && *value <= most;
}

/* "30" waits 30 seconds, "55C" until the board is no hotter than 55 degrees. */
static int parse_cooldown(const char *text) {
    uint64_t number;
    const char *end;
    if (parse_number(text, BILLION, &options.cooldown_nanoseconds)) return 1;
    options.cooldown_nanoseconds = 0;
    if (!read_number(text, 1000, &number, &end) || strcmp(end, "C") != 0 || number == 0 || number > 200000) return 0;
    options.cool_to = number;
    return 1;
}

/* Returns how many words the option at `word` takes, 0 if it is wrong. */
static int parse_option(const char *word, const char *value) {
    if (strcmp(word, "--check-only") == 0) return options.check_only = 1;
    if (strcmp(word, "--region") == 0) return options.region = 1;
    if (strcmp(word, "--cold") == 0) return options.cold = 1;
    if (!value) return 0;
    if (strcmp(word, "--warmup") == 0) return parse_number(value, 1, &options.warmup) ? 2 : 0;
    if (strcmp(word, "--warmup-seconds") == 0) return parse_number(value, BILLION, &options.warmup_nanoseconds) ? 2 : 0;
    if (strcmp(word, "--samples") == 0) return parse_positive(value, UINT64_MAX, &options.samples) ? 2 : 0;
    if (strcmp(word, "--seconds") == 0) return parse_number(value, BILLION, &options.nanoseconds) ? 2 : 0;
    if (strcmp(word, "--profile") == 0) return parse_positive(value, 100000, &options.profile) ? 2 : 0;
    if (strcmp(word, "--threads") == 0) return parse_positive(value, INT_MAX, &options.threads) ? 2 : 0;
    if (strcmp(word, "--affinity") == 0) return options.affinity = value, 2;
    if (strcmp(word, "--cooldown") == 0) return parse_cooldown(value) ? 2 : 0;
    if (strcmp(word, "--input") == 0) return options.input = value, 2;
    if (strcmp(word, "--output") == 0) return options.output = value, 2;
    if (strcmp(word, "--sysroot") == 0) return board_root = value, 2;
    return 0;
}

int parse_options(int count, char **words) {
    int other_work;
    for (int index = 1; index < count;) {
        int taken = parse_option(words[index], words[index + 1]);
        if (taken == 0) return complain(EXIT_USAGE, "unknown option or missing or wrong value: ", words[index]);
        index += taken;
    }
    if (!options.input != !options.output) return complain(EXIT_USAGE, "--input and --output go together", "");
    other_work = (options.input != NULL) + options.check_only + options.region;
    if (other_work > 1) return complain(EXIT_USAGE, "choose one of --input, --check-only and --region", "");
    if (other_work && (options.cold || options.profile || options.cooldown_nanoseconds || options.cool_to))
        return complain(EXIT_USAGE, "--cold, --profile and --cooldown do nothing where nothing is timed", "");
    return EXIT_DONE;
}
