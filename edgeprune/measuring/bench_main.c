/*
 * The benchmark executable of an artifact: it proves that the network computes the right thing on this board, then
 * times it there (or runs records of a file through it), and prints one JSON document.
 *
 * Exit codes: 0 done; 2 wrong usage; 3 the golden check failed (the JSON says where); 4 a file, the standard output or
 * memory failed; 5 the network returned an error code. Messages go to the standard error stream.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <math.h>
#include <stdio.h> /* rename */
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>

#include "bench_environment.h"
#include "bench_inputs.h"
#include "bench_json.h"
#include "bench_model.h"

#define REGION_OPTION 0x45505231 /* "EPR1": no kernel knows it, so that it does nothing but mark the place */
#define ALIGNMENT 64u
#define MOST_SAMPLES (SIZE_MAX / sizeof(uint64_t))

enum { EXIT_DONE = 0, EXIT_USAGE = 2, EXIT_MISMATCH = 3, EXIT_IO = 4, EXIT_MODEL = 5 };

static const struct edgeprune_bench_model *const model = &edgeprune_bench_model;

static struct {
    uint64_t warmup, samples, nanoseconds;
    const char *input, *output;
    int check_only, region;
} options = {50, 1000, 0, NULL, NULL, 0, 0};

static struct {
    void *arena;
    float **inputs, **outputs;
    size_t input_elements, output_elements;
} memory;

static struct {
    uint64_t *nanoseconds;
    uint64_t count, room, elapsed, backwards;
} samples;

static struct {
    int passed;
    double error;
    int golden, output;
    size_t element;
} check;

static int complain(int code, const char *what, const char *which) {
    const char *parts[5] = {model->name, "-bench: ", what, which, "\n"};
    for (int part = 0; part < 5; part++)
        if (write_all(STDERR_FILENO, parts[part], strlen(parts[part])) != 0) break;
    return code;
}

/* ---- memory: everything comes from mmap, once, before the first inference ---- */

static void *reserve(size_t bytes) {
    void *memory_found = mmap(NULL, bytes ? bytes : 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory_found == MAP_FAILED) return NULL;
    memset(memory_found, 0, bytes); /* no page fault is left for the timed part */
    return memory_found;
}

static float **reserve_tensors(int count, const size_t *elements, size_t *total) {
    size_t pad = ALIGNMENT / sizeof(float), table = (size_t)count * sizeof(float *), floats = 0;
    float **tensors, *next;
    table = (table + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    for (int index = 0; index < count; index++) floats += (elements[index] + pad - 1) / pad * pad;
    tensors = reserve(table + floats * sizeof(float));
    if (!tensors) return NULL;
    next = (float *)(void *)((char *)tensors + table);
    for (int index = 0; index < count; index++) {
        tensors[index] = next;
        next += (elements[index] + pad - 1) / pad * pad;
        *total += elements[index];
    }
    return tensors;
}

static int reserve_all(void) {
    memory.arena = reserve(model->arena_bytes);
    memory.inputs = reserve_tensors(model->inputs, model->input_elements, &memory.input_elements);
    memory.outputs = reserve_tensors(model->outputs, model->output_elements, &memory.output_elements);
    samples.room = options.samples;
    if (samples.room > MOST_SAMPLES) return 0;
    samples.nanoseconds = reserve((size_t)samples.room * sizeof(uint64_t));
    return memory.arena && memory.inputs && memory.outputs && samples.nanoseconds;
}

/* ---- one inference ---- */

static void set_inputs(const float *record) {
    for (int index = 0; index < model->inputs; index++) {
        memcpy(memory.inputs[index], record, model->input_elements[index] * sizeof(float));
        record += model->input_elements[index];
    }
}

static void set_golden_inputs(int golden) {
    uint32_t element = 0;
    if (model->golden_inputs) {
        set_inputs(model->golden_inputs[golden]);
        return;
    }
    for (int index = 0; index < model->inputs; index++)
        for (size_t place = 0; place < model->input_elements[index]; place++)
            memory.inputs[index][place] = made_input((uint32_t)golden, element++);
}

static int infer(void) {
    return model->run(memory.arena, (const float *const *)memory.inputs, memory.outputs);
}

static int model_failed(int status) {
    char digits[12] = "";
    path_append_number(digits, sizeof digits, (unsigned)(status < 0 ? -status : status));
    return complain(EXIT_MODEL, status < 0 ? "the network returned error -" : "the network returned error ", digits);
}

/* ---- the golden check ---- */

/* A value that is not finite counts as an infinite error. */
static double difference(float actual, float expected) {
    double error = (double)actual - (double)expected;
    if (error - error != 0) return (double)INFINITY;
    return error < 0 ? -error : error;
}

static void compare_record(int golden) {
    const float *expected = model->golden_outputs[golden];
    double scale = 0, worst = 0;
    int worst_output = 0;
    size_t worst_element = 0;
    for (size_t element = 0; element < memory.output_elements; element++)
        if (difference(expected[element], 0) > scale) scale = difference(expected[element], 0);
    for (int output = 0; output < model->outputs; output++) {
        for (size_t element = 0; element < model->output_elements[output]; element++) {
            double error = difference(memory.outputs[output][element], *expected++);
            if (error <= worst) continue;
            worst = error;
            worst_output = output;
            worst_element = element;
        }
    }
    if (worst > 0) worst = scale > 0 ? worst / scale : (double)INFINITY;
    if (golden > 0 && worst <= check.error) return;
    check.error = worst;
    check.golden = golden;
    check.output = worst_output;
    check.element = worst_element;
}

static int check_golden(void) {
    check.passed = 1;
    for (int golden = 0; golden < model->golden_count; golden++) {
        int status;
        set_golden_inputs(golden);
        status = infer();
        if (status != 0) return model_failed(status);
        compare_record(golden);
    }
    check.passed = check.error <= (double)model->golden_tolerance;
    return check.passed ? EXIT_DONE : EXIT_MISMATCH;
}

/* ---- timing: a single stream of inferences, every sample kept ---- */

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static int make_room(void) {
    size_t bytes = (size_t)samples.room * sizeof(uint64_t);
    void *larger = MAP_FAILED;
    if (samples.room <= MOST_SAMPLES / 2) larger = mremap(samples.nanoseconds, bytes, 2 * bytes, MREMAP_MAYMOVE);
    if (larger == MAP_FAILED) return 0;
    samples.nanoseconds = larger;
    samples.room *= 2;
    return 1;
}

/* Runs until both --samples inferences were timed and --seconds have passed. */
static int time_inferences(void) {
    uint64_t start = now();
    while (samples.count < options.samples || samples.elapsed < options.nanoseconds) {
        uint64_t before, after;
        int status;
        if (samples.count == samples.room && !make_room())
            return complain(EXIT_IO, "no memory for more samples", "");
        before = now();
        status = infer();
        after = now();
        if (status != 0) return model_failed(status);
        if (after < before) samples.backwards++;
        samples.nanoseconds[samples.count++] = after < before ? 0 : after - before;
        samples.elapsed = after < start ? 0 : after - start;
    }
    return EXIT_DONE;
}

/* The smallest of many back-to-back readings: what the clock itself adds to a sample. */
static uint64_t clock_overhead(void) {
    uint64_t least = (uint64_t)-1;
    for (int reading = 0; reading < 256; reading++) {
        uint64_t before = now(), after = now();
        if (after >= before && after - before < least) least = after - before;
    }
    return least;
}

static int run_region(void) {
    int status;
    prctl(REGION_OPTION, 1UL, 0UL, 0UL, 0UL);
    status = infer();
    prctl(REGION_OPTION, 0UL, 0UL, 0UL, 0UL);
    return status == 0 ? EXIT_DONE : model_failed(status);
}

static int measure(void) {
    int status;
    if (model->golden_count > 0) set_golden_inputs(0);
    for (uint64_t run = 0; run < options.warmup; run++)
        if ((status = infer()) != 0) return model_failed(status);
    return options.region ? run_region() : time_inferences();
}

/* ---- records from a file through the network into a file ---- */

/* Returns 1 for a whole record, 0 at the end of the file, -1 on an error or a record cut short. */
static int read_record(int descriptor, float *record, size_t bytes) {
    size_t used = 0;
    while (used < bytes) {
        ssize_t got = read(descriptor, (char *)record + used, bytes - used);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return -1;
        if (got == 0) return used == 0 ? 0 : -1;
        used += (size_t)got;
    }
    return 1;
}

static int run_records(int input, int output, float *record, uint64_t *records) {
    int found, status;
    while ((found = read_record(input, record, memory.input_elements * sizeof(float))) == 1) {
        set_inputs(record);
        if ((status = infer()) != 0) return model_failed(status);
        for (int index = 0; index < model->outputs; index++)
            if (write_all(output, memory.outputs[index], model->output_elements[index] * sizeof(float)) != 0)
                return complain(EXIT_IO, "cannot write ", options.output);
        ++*records;
    }
    if (found < 0) return complain(EXIT_IO, "cannot read whole records from ", options.input);
    return EXIT_DONE;
}

/* The output gets its name only once it is whole. */
static int run_file(uint64_t *records) {
    static char partial[4096];
    static const char suffix[] = ".part";
    float *record = reserve(memory.input_elements * sizeof(float));
    int input, output, status;
    if (strlen(options.output) + sizeof suffix > sizeof partial)
        return complain(EXIT_USAGE, "the path is too long: ", options.output);
    path_append(partial, sizeof partial, options.output);
    path_append(partial, sizeof partial, suffix);
    if (!record) return complain(EXIT_IO, "no memory for a record", "");
    if ((input = open(options.input, O_RDONLY | O_CLOEXEC)) < 0)
        return complain(EXIT_IO, "cannot open ", options.input);
    if ((output = open(partial, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)) < 0) {
        close(input);
        return complain(EXIT_IO, "cannot create ", partial);
    }
    status = run_records(input, output, record, records);
    close(input);
    if (close(output) != 0 && status == EXIT_DONE) status = complain(EXIT_IO, "cannot write ", options.output);
    if (status == EXIT_DONE && rename(partial, options.output) != 0)
        status = complain(EXIT_IO, "cannot rename to ", options.output);
    if (status != EXIT_DONE) unlink(partial);
    return status;
}

/* ---- the command line ---- */

/* Reads "12" or, with a scale of 10^9, "0.5"; returns 0 if `text` is not such a number. */
static int parse_number(const char *text, uint64_t scale, uint64_t *value) {
    uint64_t place = scale;
    if (*text < '0' || *text > '9') return 0;
    for (*value = 0; *text >= '0' && *text <= '9'; text++) {
        if (*value > UINT64_MAX / 16 / scale) return 0;
        *value = *value * 10 + (uint64_t)(*text - '0');
    }
    *value *= scale;
    if (*text == '.' && scale > 1)
        for (text++; *text >= '0' && *text <= '9'; text++) *value += (uint64_t)(*text - '0') * (place /= 10);
    return *text == '\0';
}

/* Returns how many words the option at `word` takes, 0 if it is wrong. */
static int parse_option(const char *word, const char *value) {
    if (strcmp(word, "--check-only") == 0) return options.check_only = 1;
    if (strcmp(word, "--region") == 0) return options.region = 1;
    if (!value) return 0;
    if (strcmp(word, "--warmup") == 0) return parse_number(value, 1, &options.warmup) ? 2 : 0;
    if (strcmp(word, "--samples") == 0) return parse_number(value, 1, &options.samples) && options.samples > 0 ? 2 : 0;
    if (strcmp(word, "--seconds") == 0) return parse_number(value, 1000000000u, &options.nanoseconds) ? 2 : 0;
    if (strcmp(word, "--input") == 0) return options.input = value, 2;
    if (strcmp(word, "--output") == 0) return options.output = value, 2;
    if (strcmp(word, "--proc-root") == 0) return proc_root = value, 2;
    if (strcmp(word, "--sysfs-root") == 0) return sysfs_root = value, 2;
    return 0;
}

static int parse_options(int count, char **words) {
    for (int index = 1; index < count;) {
        int taken = parse_option(words[index], words[index + 1]);
        if (taken == 0) return complain(EXIT_USAGE, "unknown option or missing or wrong value: ", words[index]);
        index += taken;
    }
    if (!options.input != !options.output) return complain(EXIT_USAGE, "--input and --output go together", "");
    if ((options.input != NULL) + options.check_only + options.region > 1)
        return complain(EXIT_USAGE, "choose one of --input, --check-only and --region", "");
    return EXIT_DONE;
}

/* ---- the result ---- */

static void write_check(void) {
    json_key("check"), json_open('{');
    json_key("passed"), json_bool(check.passed);
    json_key("golden"), json_unsigned((uint64_t)model->golden_count);
    json_key("max_relative_error"), json_real(check.error);
    json_key("tolerance"), json_real((double)model->golden_tolerance);
    json_key("worst"), json_open('{');
    json_key("golden"), json_unsigned((uint64_t)check.golden);
    json_key("output"), json_unsigned((uint64_t)check.output);
    json_key("element"), json_unsigned(check.element);
    json_close('}'), json_close('}');
}

static void write_samples(void) {
    json_key("samples_ns"), json_open('[');
    for (uint64_t index = 0; index < samples.count; index++) json_unsigned(samples.nanoseconds[index]);
    json_close(']');
    json_key("warmup"), json_unsigned(options.warmup);
    json_key("clock"), json_open('{');
    json_key("elapsed_ns"), json_unsigned(samples.elapsed);
    json_key("overhead_ns"), json_unsigned(clock_overhead());
    json_key("backwards"), json_unsigned(samples.backwards);
    json_close('}');
}

static int finish(int status, uint64_t records) {
    write_moment("after");
    json_close('}');
    write_check();
    write_samples();
    json_key("records"), json_unsigned(records);
    json_close('}');
    json_byte('\n');
    json_flush();
    return json.failed ? complain(EXIT_IO, "cannot write to the standard output", "") : status;
}

int main(int count, char **words) {
    uint64_t records = 0;
    int status = parse_options(count, words);
    if (status != EXIT_DONE) return status;
    if (!reserve_all()) return complain(EXIT_IO, "not enough memory", "");
    json_open('{');
    json_key("model"), json_text(model->name);
    json_key("version"), json_text(model->version);
    json_key("environment"), json_open('{');
    write_identity();
    write_moment("before");
    status = check_golden();
    if (status == EXIT_DONE && options.input) status = run_file(&records);
    else if (status == EXIT_DONE && !options.check_only) status = measure();
    if (status == EXIT_MISMATCH) complain(status, "the golden check failed: this binary computes wrong values here", "");
    return status == EXIT_DONE || status == EXIT_MISMATCH ? finish(status, records) : status;
}
