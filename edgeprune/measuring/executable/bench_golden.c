#include "bench_golden.h"

#include <math.h>
#include <stddef.h>

#include "bench_exit.h"
#include "bench_json.h"
#include "bench_model.h"
#include "bench_network.h"

static const struct edgeprune_bench_model *const model = &edgeprune_bench_model;

static struct {
    int passed;
    double error;
    int golden, output;
    size_t element;
} check;

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
    for (size_t element = 0; element < network.output_elements; element++)
        if (difference(expected[element], 0) > scale) scale = difference(expected[element], 0);
    for (int output = 0; output < model->outputs; output++) {
        for (size_t element = 0; element < model->output_elements[output]; element++) {
            double error = difference(network.outputs[output][element], *expected++);
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

int check_golden(void) {
    check.passed = 1;
    for (int golden = 0; golden < model->golden_count; golden++) {
        int status;
        set_golden_inputs(golden);
        status = infer();
        if (status != 0) return complain_of_model(status);
        compare_record(golden);
    }
    check.passed = check.error <= (double)model->golden_tolerance;
    return check.passed ? EXIT_DONE : EXIT_MISMATCH;
}

void write_check(void) {
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
