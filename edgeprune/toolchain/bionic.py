"""Stand-ins for Android's libc.so and libm.so: a linker wants to see who defines a symbol, a phone has the real ones.

The names are those that C compilers and kernels of a network use, all of them in Android's libraries since API level
21 (NDK documentation, "Native APIs").
"""

from __future__ import annotations

_LIBC = (
    *("memcpy", "memmove", "memset", "memcmp", "syscall", "sched_getaffinity", "sched_setaffinity"),
    *("pthread_create", "pthread_join", "pthread_atfork", "pthread_mutex_lock", "pthread_mutex_unlock"),
    *("pthread_cond_wait", "pthread_cond_broadcast"),
)
_LIBM = (
    *("expf", "exp2f", "expm1f", "logf", "log2f", "log10f", "log1pf", "powf", "sqrtf", "cbrtf", "erff", "tanhf"),
    *("sinf", "cosf", "tanf", "asinf", "acosf", "atanf", "atan2f", "sinhf", "coshf", "asinhf", "acoshf", "atanhf"),
    *("floorf", "ceilf", "roundf", "truncf", "rintf", "nearbyintf", "fmodf", "fmaf", "fmaxf", "fminf", "ldexpf"),
    *("hypotf", "copysignf"),
)


def _source(symbols: tuple[str, ...]) -> str:
    return "".join(f"void {symbol}(void) {{}}\n" for symbol in symbols)


STUBS = {"libm.so": _source(_LIBM), "libc.so": _source(_LIBC)}
"""C source of each stand-in, by the name that a phone's linker looks for."""
