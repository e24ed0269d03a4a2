/* Threads that each execute the same loop of 2 TURNS instructions inside one region; with TOGETHER none ends before all
   have begun, so that the emulator cannot give two of them the same number. */
#include <pthread.h>
#include <stddef.h>
#include <sys/prctl.h>

#ifdef TOGETHER
static pthread_barrier_t begun;
#endif

static void *spin(void *unused) {
#ifdef TOGETHER
    pthread_barrier_wait(&begun);
#endif
    unsigned long turns = TURNS;
    __asm__ volatile("1: subs %0, %0, #1\n\tb.ne 1b" : "+r"(turns));
    return unused;
}

int main(void) {
    pthread_t threads[THREADS];
#ifdef TOGETHER
    if (pthread_barrier_init(&begun, NULL, THREADS) != 0) return 1;
#endif
    prctl(0x45505231, 1UL, 0UL, 0UL, 0UL);
    for (int index = 0; index < THREADS; index++)
        if (pthread_create(&threads[index], NULL, spin, NULL) != 0) return 1;
    for (int index = 0; index < THREADS; index++) pthread_join(threads[index], NULL);
    prctl(0x45505231, 0UL, 0UL, 0UL, 0UL);
    return 0;
}
