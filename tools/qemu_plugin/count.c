/*
 * Counts the guest instructions that a program executes under qemu-user: all of them, and those of its region of
 * interest, which the guest opens by prctl(0x45505231, 1) and closes by prctl(0x45505231, 0).
 *
 *     qemu-aarch64 -plugin libcount.so,out=FILE PROGRAM
 *
 * At the guest's exit FILE receives one JSON object. There is a call before every instruction instead of one per
 * translated block, because a block may be left in its middle by a fault or a signal; it costs little (1.1 s against
 * 0.7 s for 230 million instructions).
 *
 * The instruction that opens the region is not part of it, the one that closes it is. While the region is open, the
 * instructions of every thread belong to it. Each virtual CPU (a thread of the guest) has counters of its own, so that
 * no count is lost between threads.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "plugin_api.h"

#define REGION_OPTION 0x45505231u /* "EPR1" */
#define MAXIMUM_VCPUS 1024u

int qemu_plugin_version = EDGEPRUNE_PLUGIN_VERSION;

/* One cache line each. */
static struct {
    uint64_t all, region;
    char padding[48];
} counters[MAXIMUM_VCPUS] __attribute__((aligned(64)));

static struct {
    char path[4096];
    const char *guest;
    int64_t prctl_number;
} settings;

static atomic_bool region_open;
static atomic_uint regions_opened, regions_closed, uncounted;

static void count(unsigned int vcpu, void *user) {
    (void)user;
    if (vcpu >= MAXIMUM_VCPUS) {
        atomic_fetch_add(&uncounted, 1);
        return;
    }
    counters[vcpu].all++;
    if (atomic_load_explicit(&region_open, memory_order_relaxed)) counters[vcpu].region++;
}

static void block_translated(qemu_plugin_id_t id, struct qemu_plugin_tb *block) {
    size_t instructions = qemu_plugin_tb_n_insns(block);
    (void)id;
    for (size_t index = 0; index < instructions; index++)
        qemu_plugin_register_vcpu_insn_exec_cb(qemu_plugin_tb_get_insn(block, index), count, QEMU_PLUGIN_CB_NO_REGS,
                                               NULL);
}

static void system_call(qemu_plugin_id_t id, unsigned int vcpu, int64_t number, uint64_t option, uint64_t open,
                        uint64_t a3, uint64_t a4, uint64_t a5, uint64_t a6, uint64_t a7, uint64_t a8) {
    (void)id, (void)vcpu, (void)a3, (void)a4, (void)a5, (void)a6, (void)a7, (void)a8;
    if (number != settings.prctl_number || option != REGION_OPTION) return;
    atomic_store(&region_open, open != 0);
    atomic_fetch_add(open ? &regions_opened : &regions_closed, 1);
}

/* A result with a hole in it must not look like one: no file is left when writing fails or a thread went uncounted. */
static void write_counts(qemu_plugin_id_t id, void *user) {
    uint64_t all = 0, region = 0;
    unsigned int threads = 0;
    FILE *file;
    (void)id, (void)user;
    for (unsigned int vcpu = 0; vcpu < MAXIMUM_VCPUS; vcpu++) {
        all += counters[vcpu].all;
        region += counters[vcpu].region;
        threads += counters[vcpu].all > 0;
    }
    if (atomic_load(&uncounted) > 0) {
        fprintf(stderr, "edgeprune count: more than %u threads; no counts written\n", MAXIMUM_VCPUS);
        return;
    }
    file = fopen(settings.path, "w");
    if (file == NULL ||
        fprintf(file, "{\"guest\":\"%s\",\"threads\":%u,\"instructions\":%llu,"
                      "\"region\":{\"opened\":%u,\"closed\":%u,\"instructions\":%llu}}\n",
                settings.guest, threads, (unsigned long long)all,
                atomic_load(&regions_opened), atomic_load(&regions_closed), (unsigned long long)region) < 0 ||
        fclose(file) != 0) {
        fprintf(stderr, "edgeprune count: cannot write %s: %s\n", settings.path, strerror(errno));
        remove(settings.path);
    }
}

/* The number of prctl in each guest's system call table; -1 for a guest this plugin does not know. */
static int64_t prctl_number(const char *guest) {
    static const struct {
        const char *guest;
        int64_t number;
    } known[] = {{"aarch64", 167}, {"riscv64", 167}, {"riscv32", 167}, {"arm", 172}, {"i386", 172}, {"x86_64", 157}};
    for (size_t index = 0; index < sizeof known / sizeof *known; index++)
        if (strcmp(guest, known[index].guest) == 0) return known[index].number;
    return -1;
}

static bool take_argument(const char *argument) {
    if (strncmp(argument, "out=", 4) != 0 || strlen(argument + 4) >= sizeof settings.path) return false;
    strcpy(settings.path, argument + 4);
    return settings.path[0] != '\0';
}

int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int arguments, char **argument) {
    static char guest[32];
    for (int index = 0; index < arguments; index++) {
        if (take_argument(argument[index])) continue;
        fprintf(stderr, "edgeprune count: wrong argument %s\n", argument[index]);
        return -1;
    }
    if (settings.path[0] == '\0') {
        fprintf(stderr, "edgeprune count: the argument out=FILE is missing\n");
        return -1;
    }
    snprintf(guest, sizeof guest, "%s", info->target_name);
    settings.guest = guest;
    settings.prctl_number = prctl_number(guest);
    if (settings.prctl_number < 0) {
        fprintf(stderr, "edgeprune count: guest %s is not known\n", guest);
        return -1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, block_translated);
    qemu_plugin_register_vcpu_syscall_cb(id, system_call);
    qemu_plugin_register_atexit_cb(id, write_counts, NULL);
    return 0;
}
