/*
 * Conversions between float and 64-bit integers under the names that LLVM calls on 32-bit ARM with a GNU triple.
 *
 * GCC's run-time library has both these and ARM's own names, LLVM's has only ARM's. Each function here compiles to a
 * call under ARM's name. Weak, so that a program which already has them keeps its own.
 */
#define WEAK __attribute__((weak))

long long __fixsfdi(float value);
unsigned long long __fixunssfdi(float value);
float __floatdisf(long long value);
float __floatundisf(unsigned long long value);

WEAK long long __fixsfdi(float value) { return (long long)value; }
WEAK unsigned long long __fixunssfdi(float value) { return (unsigned long long)value; }
WEAK float __floatdisf(long long value) { return (float)value; }
WEAK float __floatundisf(unsigned long long value) { return (float)value; }
