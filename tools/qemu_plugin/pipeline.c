#include "pipeline.h"

#include <stdlib.h>
#include <string.h>

enum { PREDICTORS = 4096, MOST_LINEFILLS = 64, CALENDAR = 4096, MOST_WINDOW = 512 };

/* One set of values being simulated. Times are cycles since the restart. */
struct variant {
    uint64_t ready[REGISTERS], ready_address[REGISTERS], ready_addend[REGISTERS];
    uint64_t linefill[MOST_LINEFILLS]; /* when each ends */
    unsigned int next_linefill;
    uint64_t cycle, last_done; /* of the newest issue or dispatch; the end of the longest operation */
    int issued;                /* in that cycle */
    bool closed;               /* nothing more issues in that cycle */
    uint64_t free[MOST_UNITS][MOST_PIPES];
    /* out of order only */
    struct { uint64_t cycle; int used; } calendar[MOST_UNITS][CALENDAR];
    uint64_t retired[MOST_WINDOW], last_retired, number;
    int retired_in_cycle;
};

struct pipeline {
    const struct core *core;
    uint8_t predictor[PREDICTORS]; /* two-bit counters: 0, 1 not taken; 2, 3 taken */
    uint64_t mispredicted;
    struct variant variant[VARIANTS];
};

void pipeline_forget_branches(struct pipeline *pipeline) {
    memset(pipeline->predictor, 2, sizeof pipeline->predictor);
}

struct pipeline *pipeline_new(const struct core *core) {
    struct pipeline *pipeline = calloc(1, sizeof *pipeline);
    if (pipeline == NULL || core->window > MOST_WINDOW) {
        free(pipeline);
        return NULL;
    }
    pipeline->core = core;
    pipeline_forget_branches(pipeline);
    return pipeline;
}

void pipeline_restart(struct pipeline *pipeline) {
    memset(pipeline->variant, 0, sizeof pipeline->variant);
    pipeline->mispredicted = 0;
}

static uint64_t later(uint64_t one, uint64_t other) { return one > other ? one : other; }

/* ---- what both kinds of core share ---- */

/* How often the unit is used: once, but for the transfers of pairs and longer lists. */
static uint64_t steps(const struct timing *timing, const struct instruction *instruction) {
    switch (instruction->operation) {
    case OP_load_pair: case OP_load_many: case OP_load_fp_many:
    case OP_store_pair: case OP_store_many: case OP_store_fp_many:
        return (uint64_t)((instruction->beats + timing->width - 1) / timing->width);
    default:
        return 1;
    }
}

static bool is_store(const struct instruction *instruction) { return instruction->mix == MIX_store; }

/* When the operands are there: those that form an address, those of the operation, and the addend of a MAC. */
static uint64_t operands_ready(const struct pipeline *pipeline, const struct variant *variant, int which,
                               const struct instruction *instruction) {
    int late = is_store(instruction) ? pipeline->core->store_late[which] : 0;
    int addends = pipeline->core->operation[instruction->operation].has_addend ? instruction->accumulated : 0;
    uint64_t when = 0;
    for (int index = 0; index < instruction->reads; index++) {
        uint8_t number = instruction->read[index];
        uint64_t ready;
        if (index < instruction->addressing) ready = variant->ready_address[number];
        else if (index >= instruction->reads - addends) ready = variant->ready_addend[number];
        else ready = variant->ready[number] > (uint64_t)late ? variant->ready[number] - (uint64_t)late : 0;
        when = later(when, ready);
    }
    return when;
}

/* How much later than from the first cache a load ends; a free linefill is waited for. */
static uint64_t waits_for_line(const struct pipeline *pipeline, struct variant *variant, int which, struct found found,
                               uint64_t when) {
    const struct core *core = pipeline->core;
    uint64_t *slot, start;
    int penalty;
    if (found.level == 0) return 0;
    penalty = found.streamed ? core->streamed[found.level][which] : core->miss[found.level][which];
    slot = &variant->linefill[variant->next_linefill++ % (unsigned int)core->linefills[which]];
    start = later(when, *slot);
    *slot = start + (uint64_t)penalty;
    return *slot - when;
}

static void results(const struct pipeline *pipeline, struct variant *variant, int which,
                    const struct instruction *instruction, uint64_t issued, uint64_t extra) {
    const struct timing *timing = &pipeline->core->operation[instruction->operation];
    const struct timing *sum = &pipeline->core->operation[OP_alu];
    for (int index = 0; index < instruction->writes; index++) {
        uint8_t number = instruction->written[index];
        variant->ready[number] = issued + (uint64_t)timing->latency[which] + extra;
        variant->ready_address[number] = issued + (uint64_t)timing->address[which] + extra;
        variant->ready_addend[number] =
            timing->has_addend ? issued + (uint64_t)timing->addend[which] + extra : variant->ready[number];
    }
    if (instruction->base != 0xff) {
        variant->ready[instruction->base] = issued + (uint64_t)sum->latency[which];
        variant->ready_address[instruction->base] = issued + (uint64_t)sum->latency[which];
        variant->ready_addend[instruction->base] = variant->ready[instruction->base];
    }
    if (instruction->writes > 0) variant->last_done = later(variant->last_done, variant->ready[instruction->written[0]]);
}

/* The two-bit counters of a simple predictor; jumps to registers are taken to be known (return stack, target buffer). */
static bool predicts_wrongly(struct pipeline *pipeline, const struct instruction *instruction,
                             const struct execution *execution) {
    uint8_t *counter = &pipeline->predictor[execution->address / 2 % PREDICTORS];
    bool wrong;
    if (instruction->mix != MIX_branch || !instruction->conditional) return false;
    wrong = (*counter >= 2) != execution->taken;
    if (execution->taken && *counter < 3) ++*counter;
    if (!execution->taken && *counter > 0) --*counter;
    pipeline->mispredicted += wrong;
    return wrong;
}

/* ---- in order ---- */

/* The first cycle from `when` on in which so many pipes of the unit are free. Its pipes are kept in order of time. */
static uint64_t pipes_free(const struct variant *variant, int unit, int pipes, uint64_t when) {
    return unit == NO_UNIT ? when : later(when, variant->free[unit][pipes - 1]);
}

static void occupy(struct variant *variant, int unit, int pipes, int of, uint64_t until) {
    uint64_t *free_from;
    if (unit == NO_UNIT) return;
    free_from = variant->free[unit];
    for (int pipe = 0; pipe + pipes < of; pipe++) {
        if (free_from[pipe + pipes] > until) { /* one that is busy for longer stays behind the new ones */
            for (int place = pipe; place < pipe + pipes; place++) free_from[place] = until;
            return;
        }
        free_from[pipe] = free_from[pipe + pipes];
    }
    for (int place = of - pipes; place < of; place++) free_from[place] = until;
}

static uint64_t slot_free(const struct core *core, const struct variant *variant, enum issue issue) {
    bool pairs = variant->issued > 0 && variant->issued < core->width && !variant->closed && issue == ISSUE_EITHER;
    return variant->issued == 0 || pairs ? variant->cycle : variant->cycle + 1;
}

static void take_slot(const struct core *core, struct variant *variant, enum issue issue, uint64_t when, uint64_t cycles) {
    if (when > variant->cycle || variant->issued == 0) {
        variant->cycle = when;
        variant->issued = 0;
        variant->closed = false;
    }
    variant->issued++;
    if (issue != ISSUE_ALONE) return;
    variant->cycle = when + cycles - 1; /* nothing issues beside it, nor while it issues its transfers */
    variant->issued = core->width;
    variant->closed = true;
}

/* No younger result may overtake an older one of the same register. */
static uint64_t in_order_results(const struct variant *variant, const struct timing *timing, int which,
                                 const struct instruction *instruction, uint64_t when) {
    for (int index = 0; index < instruction->writes; index++) {
        uint64_t older = variant->ready[instruction->written[index]], latency = (uint64_t)timing->latency[which];
        if (older > when + latency) when = older - latency;
    }
    return when;
}

static void step_in_order(struct pipeline *pipeline, int which, const struct instruction *instruction,
                          const struct execution *execution, bool wrong) {
    const struct core *core = pipeline->core;
    const struct timing *timing = &core->operation[instruction->operation];
    struct variant *variant = &pipeline->variant[which];
    uint64_t cycles = (uint64_t)timing->cycles * steps(timing, instruction), extra = 0, when;
    int unit_pipes = timing->unit == NO_UNIT ? 0 : core->unit[timing->unit].pipes;
    int port_pipes = timing->port == NO_UNIT ? 0 : core->unit[timing->port].pipes;
    when = later(slot_free(core, variant, timing->issue[which]), operands_ready(pipeline, variant, which, instruction));
    when = in_order_results(variant, timing, which, instruction, when);
    when = pipes_free(variant, timing->unit, timing->pipes, when);
    when = pipes_free(variant, timing->port, 1, when);
    if (instruction->mix == MIX_load) extra = waits_for_line(pipeline, variant, which, execution->found, when);
    occupy(variant, timing->unit, timing->pipes, unit_pipes, when + cycles);
    occupy(variant, timing->port, 1, port_pipes, when + 1);
    take_slot(core, variant, timing->issue[which], when, cycles);
    results(pipeline, variant, which, instruction, when, extra + cycles - (uint64_t)timing->cycles);
    if (wrong || execution->taken) {
        variant->cycle += (uint64_t)(wrong ? core->mispredicted[which] : core->taken[which]);
        variant->closed = true;
        variant->issued = core->width;
    }
}

/* ---- out of order ---- */

/* The first cycle from `when` on with a free pipe for each of `pipes` micro-operations, every one for `cycles`. */
static uint64_t take_pipes(struct variant *variant, int unit, int pipes, int of, uint64_t when, uint64_t cycles) {
    if (unit == NO_UNIT) return when;
    for (int operation = 0; operation < pipes; operation++) {
        uint64_t start = when, place = 0;
        while (place < cycles) {
            uint64_t at = start + place, slot = at % CALENDAR;
            bool mine = variant->calendar[unit][slot].cycle == at;
            if (mine && variant->calendar[unit][slot].used >= of) {
                start = at + 1;
                place = 0;
            } else {
                place++;
            }
        }
        for (place = 0; place < cycles; place++) {
            uint64_t at = start + place, slot = at % CALENDAR;
            if (variant->calendar[unit][slot].cycle != at) {
                variant->calendar[unit][slot].cycle = at;
                variant->calendar[unit][slot].used = 0;
            }
            variant->calendar[unit][slot].used++;
        }
        when = start;
    }
    return when;
}

static uint64_t dispatch(const struct core *core, struct variant *variant) {
    uint64_t oldest = variant->retired[variant->number % (uint64_t)core->window], when = variant->cycle;
    if (variant->issued == core->width) when++;
    when = later(when, oldest);
    if (when > variant->cycle) variant->issued = 0;
    variant->cycle = when;
    variant->issued++;
    return when;
}

static void retire(const struct core *core, struct variant *variant, uint64_t done) {
    uint64_t when = later(done, variant->last_retired);
    if (when == variant->last_retired && variant->retired_in_cycle == core->width) when++;
    variant->retired_in_cycle = when == variant->last_retired ? variant->retired_in_cycle + 1 : 1;
    variant->last_retired = when;
    variant->retired[variant->number++ % (uint64_t)core->window] = when;
    variant->last_done = later(variant->last_done, when);
}

static void step_out_of_order(struct pipeline *pipeline, int which, const struct instruction *instruction,
                              const struct execution *execution, bool wrong) {
    const struct core *core = pipeline->core;
    const struct timing *timing = &core->operation[instruction->operation];
    struct variant *variant = &pipeline->variant[which];
    uint64_t moves = steps(timing, instruction), extra = 0, when, done;
    int unit_pipes = timing->unit == NO_UNIT ? 0 : core->unit[timing->unit].pipes;
    when = later(dispatch(core, variant), operands_ready(pipeline, variant, which, instruction));
    for (uint64_t move = 0; move < moves; move++)
        when = take_pipes(variant, timing->unit, timing->pipes, unit_pipes, when, (uint64_t)timing->cycles);
    if (timing->port != NO_UNIT) when = take_pipes(variant, timing->port, 1, core->unit[timing->port].pipes, when, 1);
    if (instruction->mix == MIX_load) extra = waits_for_line(pipeline, variant, which, execution->found, when);
    results(pipeline, variant, which, instruction, when, extra);
    done = when + (uint64_t)timing->latency[which] + extra;
    retire(core, variant, done);
    if (wrong) {
        variant->cycle = later(variant->cycle, done + (uint64_t)core->mispredicted[which]);
        variant->issued = 0;
    } else if (execution->taken && core->taken[which] > 0) {
        variant->cycle += (uint64_t)core->taken[which];
        variant->issued = 0;
    }
}

/* ---- */

void pipeline_step(struct pipeline *pipeline, const struct instruction *instruction, const struct execution *execution) {
    bool wrong = predicts_wrongly(pipeline, instruction, execution);
    for (int which = 0; which < VARIANTS; which++) {
        if (pipeline->core->out_of_order) step_out_of_order(pipeline, which, instruction, execution, wrong);
        else step_in_order(pipeline, which, instruction, execution, wrong);
    }
}

uint64_t pipeline_cycles(const struct pipeline *pipeline, int which) {
    const struct variant *variant = &pipeline->variant[which];
    return later(variant->cycle + (variant->issued > 0), variant->last_done);
}

uint64_t pipeline_mispredicted(const struct pipeline *pipeline) { return pipeline->mispredicted; }

void pipeline_free(struct pipeline *pipeline) { free(pipeline); }
