/* See pool.h. Nothing is allocated here but what pthread_create does; all state is static. */
#define _GNU_SOURCE
#include "pool.h"

#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { OK = 0, ENULL = 1, ETHREADS = 4, EBUSY = 5, ECORES = 6 }; /* as in the network's header */

/* How often a thread looks before it sleeps: some 50 microseconds, the time of a small layer. */
#if defined(__x86_64__)
#define RELAX() __asm__ volatile("pause")
enum { LOOKS = 2000 };
#else
#define RELAX() __asm__ volatile("yield")
enum { LOOKS = 20000 };
#endif

#define LOAD(variable) __atomic_load_n(&(variable), __ATOMIC_SEQ_CST)
#define STORE(variable, value) __atomic_store_n(&(variable), value, __ATOMIC_SEQ_CST)
#define ADD(variable, value) __atomic_add_fetch(&(variable), value, __ATOMIC_SEQ_CST)

struct worker {
    pthread_t thread;
    pid_t number; /* the kernel's */
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int busy;             /* a caller has the pool */
static int threads = 1;      /* the caller and the workers; changes only while a caller has the pool */
static int started, leaving; /* workers that run; whether they are to end */
static unsigned jobs;        /* counts inferences: workers wait for it to change */
static unsigned meetings;    /* counts meetings: parts wait for it to change */
static int arrived;          /* parts at the present meeting */
static int sleepers;         /* threads that wait for `changed` */
static pool_work *job_work;
static const void *job_call;
static struct worker workers[EDGEPRUNE_MAX_THREADS];
static cpu_set_t free_cores; /* where the pinned caller was allowed before */
static pid_t pinned_caller;  /* 0: nobody is pinned */
static int fork_is_watched;

/* Wait until `counter` is no longer `old`: look for a while, then sleep. */
static void await(const unsigned *counter, unsigned old) {
    for (int look = 0; look < LOOKS; look++) {
        if (LOAD(*counter) != old) return;
        RELAX();
    }
    pthread_mutex_lock(&mutex);
    ADD(sleepers, 1); /* before the last look: whoever changes the counter after it sees a sleeper */
    while (LOAD(*counter) == old) pthread_cond_wait(&changed, &mutex);
    ADD(sleepers, -1);
    pthread_mutex_unlock(&mutex);
}

static void advance(unsigned *counter) {
    ADD(*counter, 1u);
    if (LOAD(sleepers) == 0) return;
    pthread_mutex_lock(&mutex);
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mutex);
}

void POOL(meet)(int parts) {
    unsigned meeting = LOAD(meetings);
    if (parts == 1) return;
    if (ADD(arrived, 1) < parts) {
        await(&meetings, meeting);
        return;
    }
    STORE(arrived, 0);
    advance(&meetings);
}

static void *serve(void *own) {
    struct worker *worker = own;
    int part = (int)(worker - workers) + 1;
    unsigned seen = LOAD(jobs);
    worker->number = (pid_t)syscall(SYS_gettid);
    pthread_mutex_lock(&mutex);
    started++;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mutex);
    for (;;) {
        await(&jobs, seen++);
        if (LOAD(leaving)) return NULL;
        job_work(job_call, part, threads);
        POOL(meet)(threads);
    }
}

static int take(void) { return __atomic_exchange_n(&busy, 1, __ATOMIC_ACQUIRE) == 0; }

static void give_back(void) { __atomic_store_n(&busy, 0, __ATOMIC_RELEASE); }

void POOL(run)(pool_work *work, const void *call) {
    if (!take()) {
        work(call, 0, 1);
        return;
    }
    if (threads > 1) {
        job_work = work;
        job_call = call;
        advance(&jobs);
    }
    work(call, 0, threads);
    POOL(meet)(threads);
    give_back();
}

/* ---- everything below runs while the pool is taken, so that no job is under way ---- */

static void unpin(void) {
    if (pinned_caller != 0) sched_setaffinity(pinned_caller, sizeof free_cores, &free_cores);
    pinned_caller = 0;
}

static void stop(void) {
    STORE(leaving, 1);
    advance(&jobs);
    for (int index = 0; index < started; index++) pthread_join(workers[index].thread, NULL);
    STORE(leaving, 0);
    started = 0;
    threads = 1;
}

/* A forked process has its caller's thread alone. */
static void forget(void) {
    pthread_mutex_t unlocked = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t nobody_waits = PTHREAD_COND_INITIALIZER;
    mutex = unlocked;
    changed = nobody_waits;
    busy = started = leaving = arrived = sleepers = 0;
    threads = 1;
    pinned_caller = 0;
}

static int start(int wanted) {
    int created = 0;
    if (wanted > 0 && !fork_is_watched) fork_is_watched = pthread_atfork(NULL, NULL, forget) == 0;
    if (wanted > 0 && !fork_is_watched) return ETHREADS;
    while (created < wanted && pthread_create(&workers[created].thread, NULL, serve, &workers[created]) == 0) created++;
    pthread_mutex_lock(&mutex);
    while (started < created) pthread_cond_wait(&changed, &mutex);
    pthread_mutex_unlock(&mutex);
    if (created < wanted) {
        stop();
        return ETHREADS;
    }
    threads = wanted + 1;
    return OK;
}

int POOL(set_threads)(int wanted) {
    int status;
    if (wanted < 1 || wanted > EDGEPRUNE_MAX_THREADS) return ETHREADS;
    if (!take()) return EBUSY;
    unpin(); /* new workers may run where their maker may */
    stop();
    status = start(wanted - 1);
    give_back();
    return status;
}

static int pin(pid_t number, int core) {
    cpu_set_t only;
    CPU_ZERO(&only);
    CPU_SET((unsigned)core, &only);
    return sched_setaffinity(number, sizeof only, &only);
}

static int pin_all(const int *cores) {
    pid_t caller = (pid_t)syscall(SYS_gettid);
    if (sched_getaffinity(caller, sizeof free_cores, &free_cores) != 0) return ECORES;
    pinned_caller = caller;
    for (int part = 0; part < threads; part++) {
        if (cores[part] < 0 || cores[part] >= CPU_SETSIZE) return ECORES;
        if (pin(part == 0 ? caller : workers[part - 1].number, cores[part]) != 0) return ECORES;
    }
    return OK;
}

static void free_all(void) {
    if (pinned_caller == 0) return;
    for (int index = 0; index < started; index++)
        sched_setaffinity(workers[index].number, sizeof free_cores, &free_cores);
    unpin();
}

int POOL(set_affinity)(const int *cores, int count) {
    int status = OK;
    if (!cores && count != 0) return ENULL;
    if (!take()) return EBUSY;
    free_all();
    if (count != 0) status = count == threads ? pin_all(cores) : ECORES;
    if (status != OK) free_all();
    give_back();
    return status;
}
