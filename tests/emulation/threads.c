/* Threads that each execute the same loop of 2 TURNS instructions inside one region. */
#include <pthread.h>
#include <stddef.h>
#include <sys/prctl.h>

static void *spin(void *unused) {
    unsigned long turns = TURNS;
    __asm__ volatile("1: subs %0, %0, #1\n\tb.ne 1b" : "+r"(turns));
    return unused;
}

int main(void) {
    pthread_t threads[THREADS];
    prctl(0x45505231, 1UL, 0UL, 0UL, 0UL);
    for (int index = 0; index < THREADS; index++)
        if (pthread_create(&threads[index], NULL, spin, NULL) != 0) return 1;
    for (int index = 0; index < THREADS; index++) pthread_join(threads[index], NULL);
    prctl(0x45505231, 0UL, 0UL, 0UL, 0UL);
    return 0;
}
