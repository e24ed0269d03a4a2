"""What an artifact's objects may ask of the system they are linked into: an interface this project depends on."""

from __future__ import annotations

from collections.abc import Mapping

from edgeprune.artifact.elf import ObjectFile
from edgeprune.errors import StageFailure

# Memory functions that C compilers call on their own.
_MEMORY = {"memcpy", "memmove", "memset"}
# libm in single precision: what LLVM calls for the transcendental intrinsics of element-wise kernels.
_MATHS = {
    *("expf", "exp2f", "logf", "log2f", "log10f", "log1pf", "powf", "sqrtf", "erff", "tanhf", "sinf", "cosf", "tanf"),
    *("asinf", "acosf", "atanf", "atan2f", "sinhf", "coshf", "asinhf", "acoshf", "atanhf", "floorf", "ceilf"),
    *("roundf", "truncf", "rintf", "nearbyintf", "fmodf", "fmaf", "fmaxf", "fminf", "ldexpf", "hypotf", "copysignf"),
}
# ARM's run-time ABI: unwinding marks, and the same memory functions under their EABI names.
_ARM_EABI = {
    *("__aeabi_unwind_cpp_pr0", "__aeabi_unwind_cpp_pr1"),
    *("__aeabi_memcpy", "__aeabi_memcpy4", "__aeabi_memcpy8", "__aeabi_memmove", "__aeabi_memmove4"),
    *("__aeabi_memset", "__aeabi_memset4", "__aeabi_memset8"),
    *("__aeabi_memclr", "__aeabi_memclr4", "__aeabi_memclr8", "__aeabi_memmove8"),
    *("__aeabi_idiv", "__aeabi_uidiv", "__aeabi_idivmod", "__aeabi_uidivmod", "__aeabi_ldivmod", "__aeabi_uldivmod"),
}
_ARM_WIDE_INTEGERS = {"__aeabi_f2lz", "__aeabi_f2ulz", "__aeabi_l2f", "__aeabi_ul2f"}
# What runtime/pool.c asks for: a network that runs on one thread needs none of it.
THREAD_SYMBOLS = frozenset(
    {
        *("pthread_create", "pthread_join", "pthread_atfork", "pthread_mutex_lock", "pthread_mutex_unlock"),
        *("pthread_cond_wait", "pthread_cond_broadcast", "sched_getaffinity", "sched_setaffinity", "syscall"),
    }
)
SYSTEM_SYMBOLS = frozenset(_MEMORY | _MATHS | _ARM_EABI | _ARM_WIDE_INTEGERS)
# What runtime/wide_integers.c defines, for objects that need it.
WIDE_INTEGER_SYMBOLS = frozenset({"__fixsfdi", "__fixunssfdi", "__floatdisf", "__floatundisf"})


def check_linkage(objects: Mapping[str, ObjectFile], *, threaded: bool = False) -> frozenset[str]:
    """Return the system symbols that ``objects`` (by name) need together.

    Raises:
        StageFailure: an object needs a symbol that neither another object nor `SYSTEM_SYMBOLS` (with ``threaded``:
            nor `THREAD_SYMBOLS`) provides, or two objects define the same one.
    """
    allowed = SYSTEM_SYMBOLS | THREAD_SYMBOLS if threaded else SYSTEM_SYMBOLS
    provided = _provided(objects)
    needed: set[str] = set()
    for name, found in objects.items():
        outside = found.undefined - provided
        unknown = sorted(outside - allowed)
        if unknown:
            raise StageFailure(f"{name}: needs {', '.join(unknown)}, which no board provides")
        needed |= outside
    return frozenset(needed)


def _provided(objects: Mapping[str, ObjectFile]) -> set[str]:
    provided: set[str] = set()
    for name, found in objects.items():
        strong = found.defined - found.weak
        twice = sorted(provided & strong)
        if twice:
            raise StageFailure(f"{name}: defines {', '.join(twice)} a second time")
        provided |= strong
    return provided | {symbol for found in objects.values() for symbol in found.defined}
