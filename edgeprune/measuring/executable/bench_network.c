#define _GNU_SOURCE
#include "bench_network.h"

#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "bench_inputs.h"
#include "bench_model.h"

#define ALIGNMENT 64u

static const struct edgeprune_bench_model *const model = &edgeprune_bench_model;

struct network_memory network;

void *reserve(size_t bytes) {
    void *found = mmap(NULL, bytes ? bytes : 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (found == MAP_FAILED) return NULL;
    memset(found, 0, bytes);
    return found;
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

int reserve_network(void) {
    network.arena = reserve(model->arena_bytes);
    network.inputs = reserve_tensors(model->inputs, model->input_elements, &network.input_elements);
    network.outputs = reserve_tensors(model->outputs, model->output_elements, &network.output_elements);
    return network.arena && network.inputs && network.outputs;
}

void set_inputs(const float *record) {
    for (int index = 0; index < model->inputs; index++) {
        memcpy(network.inputs[index], record, model->input_elements[index] * sizeof(float));
        record += model->input_elements[index];
    }
}

void set_golden_inputs(int golden) {
    uint32_t element = 0;
    if (model->golden_inputs) {
        set_inputs(model->golden_inputs[golden]);
        return;
    }
    for (int index = 0; index < model->inputs; index++)
        for (size_t place = 0; place < model->input_elements[index]; place++)
            network.inputs[index][place] = made_input((uint32_t)golden, element++);
}

int infer(void) {
    return model->run(network.arena, (const float *const *)network.inputs, network.outputs);
}
