/* What the benchmark executable knows of the network it carries. A generated bench_model.c defines it. */
#ifndef EDGEPRUNE_BENCH_MODEL_H
#define EDGEPRUNE_BENCH_MODEL_H

#include <stddef.h>

/*
 * All tensors are dense float32. `input_elements` and `output_elements` hold one count per tensor.
 * `golden_inputs[g]` are all inputs of golden record g, concatenated; `golden_outputs[g]` likewise. Where
 * `golden_inputs` is NULL, record g is made from the seed g (bench_inputs.h).
 * A golden record passes when max|computed - golden| <= golden_tolerance * max|golden|.
 * `run` returns 0, or an error code of the artifact; the arena and every tensor it gets are 64-byte aligned.
 *
 * `run_profiled` does the same and calls `step_done(n)` behind each of its `steps` steps, n = 0, 1, ...; `step_names[n]`
 * is "KERNEL" or "KERNEL: ONNX NODE, ONNX NODE". NULL where the network was built without it.
 * `set_threads` makes later runs use that many threads and returns 0, or an error code. NULL: always one.
 */
struct edgeprune_bench_model {
    const char *name;
    const char *version;
    size_t arena_bytes;
    int inputs, outputs;
    const size_t *input_elements, *output_elements;
    int golden_count;
    const float *const *golden_inputs;
    const float *const *golden_outputs;
    float golden_tolerance;
    int (*run)(void *arena, const float *const *inputs, float *const *outputs);
    int steps;
    const char *const *step_names;
    int (*run_profiled)(void *arena, const float *const *inputs, float *const *outputs, void (*step_done)(int step));
    int (*set_threads)(int threads);
};

extern const struct edgeprune_bench_model edgeprune_bench_model;

#endif
