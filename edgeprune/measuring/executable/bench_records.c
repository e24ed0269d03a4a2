#define _GNU_SOURCE
#include "bench_records.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h> /* rename */
#include <string.h>
#include <unistd.h>

#include "bench_board.h"
#include "bench_exit.h"
#include "bench_model.h"
#include "bench_network.h"
#include "bench_options.h"

static const struct edgeprune_bench_model *const model = &edgeprune_bench_model;

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
    while ((found = read_record(input, record, network.input_elements * sizeof(float))) == 1) {
        set_inputs(record);
        if ((status = infer()) != 0) return complain_of_model(status);
        for (int index = 0; index < model->outputs; index++)
            if (write_all(output, network.outputs[index], model->output_elements[index] * sizeof(float)) != 0)
                return complain(EXIT_IO, "cannot write ", options.output);
        ++*records;
    }
    if (found < 0) return complain(EXIT_IO, "cannot read whole records from ", options.input);
    return EXIT_DONE;
}

/* The output gets its name only once it is whole. */
int run_file(uint64_t *records) {
    static char partial[4096];
    static const char suffix[] = ".part";
    float *record = reserve(network.input_elements * sizeof(float));
    int input, output, status;
    if (strlen(options.output) + sizeof suffix > sizeof partial)
        return complain(EXIT_USAGE, "the path is too long: ", options.output);
    append(partial, sizeof partial, options.output);
    append(partial, sizeof partial, suffix);
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
