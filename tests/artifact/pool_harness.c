/*
 * Drives runtime/pool.c alone, so that sanitizers see every access: several callers, threads that come and go, a fork.
 * Work is a chain of stages, each of which reads what all parts of the stage before have written.
 */
#include "pool.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CELLS = 37, STAGES = 5, CALLERS = 3 };
enum { EBUSY = 5 }; /* as in the network's header */

struct call {
    int seed, parts, set_threads_said;
    int cells[STAGES][CELLS];
};

static void work(const void *opaque, int part, int parts) {
    struct call *call = (struct call *)opaque;
    if (part == 0) {
        call->parts = parts;
        call->set_threads_said = parts == 1 ? EBUSY : POOL(set_threads)(1); /* one part: perhaps without the pool */
    }
    for (int stage = 0; stage < STAGES; stage++) {
        if (stage > 0) POOL(meet)(parts);
        for (int cell = pool_first(CELLS, part, parts); cell < pool_first(CELLS, part + 1, parts); cell++)
            call->cells[stage][cell] = stage == 0 ? call->seed + cell : 2 * call->cells[stage - 1][CELLS - 1 - cell];
    }
}

/* Returns on how many parts the call ran, or -1 if a cell is wrong. */
static int run(int seed) {
    struct call call;
    memset(&call, 0xA5, sizeof call);
    call.seed = seed;
    POOL(run)(work, &call);
    for (int cell = 0; cell < CELLS; cell++)
        if (call.cells[STAGES - 1][cell] != (1 << (STAGES - 1)) * (seed + cell)) return -1;
    return call.set_threads_said == EBUSY ? call.parts : -1;
}

static void *calls(void *rounds) {
    for (int round = 0; round < *(int *)rounds; round++)
        if (run(round) < 1) return "a wrong result";
    return NULL;
}

static int callers(int rounds) {
    pthread_t threads[CALLERS];
    void *trouble;
    int good = 1;
    for (int index = 0; index < CALLERS; index++) pthread_create(&threads[index], NULL, calls, &rounds);
    for (int index = 0; index < CALLERS; index++) {
        pthread_join(threads[index], &trouble);
        good = good && !trouble;
    }
    return good;
}

static int in_child(void) {
    int status;
    pid_t child = fork();
    if (child == 0) _exit(run(4) == 1 && POOL(set_threads)(2) == 0 && run(5) == 2 && POOL(set_threads)(1) == 0 ? 0 : 1);
    return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

#define CHECK(what) if (!(what)) return fprintf(stderr, "line %d: %s\n", __LINE__, #what), 1

int main(int count, char **words) {
    int first_core[] = {0, 0, 0}, nowhere[] = {0, 0, 100000}, negative[] = {0, -1, 0};
    (void)words;
    CHECK(run(1) == 1);
    CHECK(POOL(set_threads)(0) == 4 && POOL(set_threads)(EDGEPRUNE_MAX_THREADS + 1) == 4);
    for (int threads = 1; threads <= EDGEPRUNE_MAX_THREADS; threads++) {
        CHECK(POOL(set_threads)(threads) == 0);
        for (int round = 0; round < 200; round++) CHECK(run(round) == threads);
    }
    CHECK(POOL(set_threads)(3) == 0);
    usleep(20000); /* long enough that the workers sleep */
    CHECK(run(2) == 3);
    CHECK(callers(300));
    CHECK(run(3) == 3);
    CHECK(POOL(set_affinity)(NULL, 3) == 1);
    CHECK(POOL(set_affinity)(first_core, 2) == 6);
    CHECK(POOL(set_affinity)(nowhere, 3) == 6 && POOL(set_affinity)(negative, 3) == 6);
    CHECK(POOL(set_affinity)(first_core, 3) == 0);
    CHECK(run(6) == 3);
    CHECK(POOL(set_affinity)(NULL, 0) == 0);
    CHECK(run(7) == 3);
    CHECK(count > 1 || in_child());
    CHECK(run(8) == 3);
    CHECK(POOL(set_threads)(1) == 0);
    CHECK(run(9) == 1);
    return 0;
}
