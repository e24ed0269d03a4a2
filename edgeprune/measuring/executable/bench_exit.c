#include "bench_exit.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "bench_board.h"
#include "bench_model.h"

int write_all(int descriptor, const void *data, size_t bytes) {
    const char *next = data;
    while (bytes > 0) {
        ssize_t written = write(descriptor, next, bytes);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return -1;
        next += written;
        bytes -= (size_t)written;
    }
    return 0;
}

int complain(int code, const char *what, const char *which) {
    const char *parts[5] = {edgeprune_bench_model.name, "-bench: ", what, which, "\n"};
    for (int part = 0; part < 5; part++)
        if (write_all(STDERR_FILENO, parts[part], strlen(parts[part])) != 0) break;
    return code;
}

int complain_of_model(int status) {
    char digits[12] = "";
    append_number(digits, sizeof digits, (unsigned)(status < 0 ? -status : status));
    return complain(EXIT_MODEL, status < 0 ? "the network returned error -" : "the network returned error ", digits);
}
