/*
 * Counts the guest instructions that a program executes under qemu-user: all of them, and those of its region of
 * interest by class, which the guest opens by prctl(0x45505231, 1) and closes by prctl(0x45505231, 0). With a core's
 * table (see core.h) it also estimates the cycles of the region on that core.
 *
 *     qemu-aarch64 -plugin libcount.so,out=FILE[,core=TABLE] PROGRAM
 *     qemu-aarch64 -plugin libcount.so,each=FILE[,core=TABLE] PROGRAM
 *
 * At the guest's exit the first form's FILE receives one JSON object. The second form is for programs that open many
 * regions, one after another: its FILE receives one line of JSON per region as it closes, so that those of a program
 * that crashes later are there, and nothing at the exit. There is a call before every instruction instead of one per
 * translated block, because a block may be left in its middle by a fault or a signal; it costs little (1.1 s against
 * 0.7 s for 230 million instructions).
 *
 * The instruction that opens the region is not part of it, the one that closes it is. While the region is open, the
 * instructions of every thread belong to it. Each virtual CPU (a thread of the guest) has counters of its own, so that
 * no count is lost between threads. Cycles are those of one thread, the first: a region in which another one runs too
 * has none. Its caches see the loads and stores of that thread from the program's start, so that they are as warm as the
 * program made them when the region opens.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline.h"
#include "plugin_api.h"
#include "translated.h"

#define REGION_OPTION 0x45505231u /* "EPR1" */
#define MAXIMUM_VCPUS 1024u
#define MODELLED_VCPU 0u

int qemu_plugin_version = EDGEPRUNE_PLUGIN_VERSION;

/* Two cache lines each. */
static struct {
    uint64_t all, region[MIX_COUNT];
    char padding[64];
} counters[MAXIMUM_VCPUS] __attribute__((aligned(64)));

static struct {
    char path[4096], each[4096], table[4096];
    const char *guest;
    int64_t prctl_number;
} settings;

static atomic_bool region_open;
static atomic_uint regions_opened, regions_closed, uncounted;

static const char *const mix_names[MIX_COUNT] = {MIX_CLASSES(AS_STRING_COMMA)};

/* What the modelled thread does; it is touched by that thread alone. */
static struct {
    struct core core;
    struct caches *caches;
    struct pipeline *pipeline;
    const struct translated *executing; /* its accesses are still to come */
    struct found found;
    bool open;
    uint64_t cycles[VARIANTS], found_at[MOST_LEVELS];
} model;

/* ---- the model: an instruction is known whole when the next one begins ---- */

static void finish_instruction(uint64_t next_address) {
    const struct translated *done = model.executing;
    struct execution execution;
    if (done == NULL) return;
    execution.found = model.found;
    execution.address = done->address;
    execution.taken = next_address != done->address + done->bytes;
    pipeline_step(model.pipeline, &done->decoded, &execution);
}

static void begin_instruction(const struct translated *next) {
    finish_instruction(next->address);
    model.executing = next;
    model.found.level = 0;
    model.found.streamed = false;
}

static void accessed(unsigned int vcpu, qemu_plugin_meminfo_t access, uint64_t address, void *user) {
    struct found found;
    (void)access, (void)user;
    if (vcpu != MODELLED_VCPU) return;
    found = caches_access(model.caches, address);
    if (found.level > model.found.level) model.found = found;
}

/* Of many regions each starts as the only one would: what branches did in the others is not its own doing. */
static void open_model(void) {
    if (settings.each[0] != '\0') pipeline_forget_branches(model.pipeline);
    pipeline_restart(model.pipeline);
    caches_forget_counts(model.caches);
    model.executing = NULL;
    model.open = true;
}

static void close_model(void) {
    if (!model.open) return;
    if (model.executing != NULL) finish_instruction(model.executing->address + model.executing->bytes);
    for (int which = 0; which < VARIANTS; which++) model.cycles[which] = pipeline_cycles(model.pipeline, which);
    for (int level = 0; level <= model.core.caches; level++) model.found_at[level] = caches_found(model.caches, level);
    model.open = false;
}

/* ---- counting ---- */

static void count(unsigned int vcpu, void *user) {
    const struct translated *instruction = user;
    if (vcpu >= MAXIMUM_VCPUS) {
        atomic_fetch_add(&uncounted, 1);
        return;
    }
    counters[vcpu].all++;
    if (!atomic_load_explicit(&region_open, memory_order_relaxed)) return;
    counters[vcpu].region[instruction->decoded.mix]++;
    if (model.open && vcpu == MODELLED_VCPU) begin_instruction(instruction);
}

static void block_translated(qemu_plugin_id_t id, struct qemu_plugin_tb *block) {
    size_t instructions = qemu_plugin_tb_n_insns(block);
    bool thumb = strcmp(settings.guest, "arm") == 0 && block_is_thumb(block);
    enum instruction_set set = thumb ? SET_T32 : strcmp(settings.guest, "arm") == 0 ? SET_A32 : SET_A64;
    (void)id;
    for (size_t index = 0; index < instructions; index++) {
        struct qemu_plugin_insn *instruction = qemu_plugin_tb_get_insn(block, index);
        const struct translated *known = translate(instruction, set);
        if (known == NULL) {
            atomic_fetch_add(&uncounted, 1);
            continue;
        }
        qemu_plugin_register_vcpu_insn_exec_cb(instruction, count, QEMU_PLUGIN_CB_NO_REGS, (void *)known);
        if (model.pipeline != NULL)
            qemu_plugin_register_vcpu_mem_cb(instruction, accessed, QEMU_PLUGIN_CB_NO_REGS, QEMU_PLUGIN_MEM_RW, NULL);
    }
}

static void close_region_of_many(void);

static void forget_region(void) {
    for (unsigned int vcpu = 0; vcpu < MAXIMUM_VCPUS; vcpu++)
        memset(counters[vcpu].region, 0, sizeof counters[vcpu].region);
}

static void system_call(qemu_plugin_id_t id, unsigned int vcpu, int64_t number, uint64_t option, uint64_t open,
                        uint64_t a3, uint64_t a4, uint64_t a5, uint64_t a6, uint64_t a7, uint64_t a8) {
    (void)id, (void)a3, (void)a4, (void)a5, (void)a6, (void)a7, (void)a8;
    if (number != settings.prctl_number || option != REGION_OPTION) return;
    if (open && settings.each[0] != '\0') forget_region();
    if (model.pipeline != NULL && vcpu == MODELLED_VCPU) {
        if (open) open_model();
        else close_model();
    }
    atomic_store(&region_open, open != 0);
    atomic_fetch_add(open ? &regions_opened : &regions_closed, 1);
    if (!open && settings.each[0] != '\0') close_region_of_many();
}

/* ---- the result ---- */

static uint64_t region_of(unsigned int vcpu) {
    uint64_t sum = 0;
    for (int class = 0; class < MIX_COUNT; class++) sum += counters[vcpu].region[class];
    return sum;
}

static void write_mix(FILE *file) {
    for (int class = 0; class < MIX_COUNT; class++) {
        uint64_t sum = 0;
        for (unsigned int vcpu = 0; vcpu < MAXIMUM_VCPUS; vcpu++) sum += counters[vcpu].region[class];
        fprintf(file, "%s\"%s\":%llu", class ? "," : "", mix_names[class], (unsigned long long)sum);
    }
}

static void write_cycles(FILE *file) {
    fprintf(file, ",\"cycles\":[%llu,%llu,%llu],\"mispredicted\":%llu,\"found\":[",
            (unsigned long long)model.cycles[0], (unsigned long long)model.cycles[1],
            (unsigned long long)model.cycles[2], (unsigned long long)pipeline_mispredicted(model.pipeline));
    for (int level = 0; level <= model.core.caches; level++)
        fprintf(file, "%s%llu", level ? "," : "", (unsigned long long)model.found_at[level]);
    fprintf(file, "]");
}

static void write_region(FILE *file) {
    uint64_t region = 0;
    unsigned int in_region = 0;
    for (unsigned int vcpu = 0; vcpu < MAXIMUM_VCPUS; vcpu++) {
        region += region_of(vcpu);
        in_region += region_of(vcpu) > 0;
    }
    fprintf(file, "{\"opened\":%u,\"closed\":%u,\"instructions\":%llu,\"threads\":%u,\"mix\":{",
            atomic_load(&regions_opened), atomic_load(&regions_closed), (unsigned long long)region, in_region);
    write_mix(file);
    fprintf(file, "}");
    if (model.pipeline != NULL && in_region == 1 && region_of(MODELLED_VCPU) > 0) write_cycles(file);
    fprintf(file, "}");
}

static void write_all(FILE *file) {
    uint64_t all = 0;
    unsigned int threads = 0;
    for (unsigned int vcpu = 0; vcpu < MAXIMUM_VCPUS; vcpu++) {
        all += counters[vcpu].all;
        threads += counters[vcpu].all > 0;
    }
    fprintf(file, "{\"guest\":\"%s\",\"threads\":%u,\"instructions\":%llu,\"region\":", settings.guest, threads,
            (unsigned long long)all);
    write_region(file);
    fprintf(file, "}\n");
}

/* A result with a hole in it must not look like one: no file is left when writing fails or something went uncounted. */
static void write_counts(qemu_plugin_id_t id, void *user) {
    FILE *file;
    bool failed;
    (void)id, (void)user;
    if (atomic_load(&uncounted) > 0) {
        fprintf(stderr, "edgeprune count: more than %u threads, or no memory; no counts written\n", MAXIMUM_VCPUS);
        return;
    }
    file = fopen(settings.path, "w");
    failed = file == NULL;
    if (!failed) {
        write_all(file);
        failed = ferror(file) != 0;
        failed = fclose(file) != 0 || failed;
    }
    if (failed) {
        fprintf(stderr, "edgeprune count: cannot write %s: %s\n", settings.path, strerror(errno));
        remove(settings.path);
    }
}

/* A line that cannot be written ends the guest: the reader would take the next region's for this one's. */
static void close_region_of_many(void) {
    FILE *file = atomic_load(&uncounted) > 0 ? NULL : fopen(settings.each, "a");
    bool failed = file == NULL;
    if (!failed) {
        write_region(file);
        failed = fputc('\n', file) == EOF;
        failed = fclose(file) != 0 || failed;
    }
    if (!failed) return;
    fprintf(stderr, "edgeprune count: cannot write %s: %s\n", settings.each, strerror(errno));
    abort();
}

/* ---- set-up ---- */

/* The number of prctl in each guest's system call table; -1 for a guest this plugin does not know. */
static int64_t prctl_number(const char *guest) {
    static const struct {
        const char *guest;
        int64_t number;
    } known[] = {{"aarch64", 167}, {"arm", 172}};
    for (size_t index = 0; index < sizeof known / sizeof *known; index++)
        if (strcmp(guest, known[index].guest) == 0) return known[index].number;
    return -1;
}

static bool take_argument(const char *argument) {
    static const struct {
        const char *key;
        char *place;
    } known[] = {{"out=", settings.path}, {"each=", settings.each}, {"core=", settings.table}};
    for (size_t index = 0; index < sizeof known / sizeof *known; index++) {
        size_t key = strlen(known[index].key);
        if (strncmp(argument, known[index].key, key) != 0) continue;
        if (argument[key] == '\0' || strlen(argument + key) >= sizeof settings.path) return false;
        strcpy(known[index].place, argument + key);
        return true;
    }
    return false;
}

static bool start_model(void) {
    char problem[4500] = "no memory";
    if (settings.table[0] == '\0') return true;
    if (core_read(settings.table, &model.core, problem, sizeof problem)) {
        model.caches = caches_new(&model.core);
        model.pipeline = pipeline_new(&model.core);
    }
    if (model.caches != NULL && model.pipeline != NULL) return true;
    fprintf(stderr, "edgeprune count: %s\n", problem);
    return false;
}

int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int arguments, char **argument) {
    static char guest[32];
    for (int index = 0; index < arguments; index++) {
        if (take_argument(argument[index])) continue;
        fprintf(stderr, "edgeprune count: wrong argument %s\n", argument[index]);
        return -1;
    }
    if ((settings.path[0] == '\0') == (settings.each[0] == '\0')) {
        fprintf(stderr, "edgeprune count: one of the arguments out=FILE and each=FILE is wanted\n");
        return -1;
    }
    snprintf(guest, sizeof guest, "%s", info->target_name);
    settings.guest = guest;
    settings.prctl_number = prctl_number(guest);
    if (settings.prctl_number < 0) {
        fprintf(stderr, "edgeprune count: guest %s is not known\n", guest);
        return -1;
    }
    if (!start_model()) return -1;
    qemu_plugin_register_vcpu_tb_trans_cb(id, block_translated);
    qemu_plugin_register_vcpu_syscall_cb(id, system_call);
    if (settings.path[0] != '\0') qemu_plugin_register_atexit_cb(id, write_counts, NULL);
    return 0;
}
