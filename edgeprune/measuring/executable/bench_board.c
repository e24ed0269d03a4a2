#define _GNU_SOURCE
#include "bench_board.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

/* Numbers may have holes; after so many in a row there is nothing left. */
#define WIDEST_HOLE 64u

const char *board_root = "";

void append(char *text, size_t room, const char *more) {
    size_t length = strlen(text);
    while (*more && length + 1 < room) text[length++] = *more++;
    text[length] = '\0';
}

void append_number(char *text, size_t room, unsigned number) {
    char digits[11];
    int place = (int)sizeof digits - 1;
    digits[place] = '\0';
    do digits[--place] = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    append(text, room, digits + place);
}

static void board_path(char *path, size_t room, const char *directory, const char *name) {
    path[0] = '\0';
    append(path, room, board_root);
    append(path, room, directory);
    append(path, room, name);
}

int board_text(const char *directory, const char *name, char *text, size_t room) {
    char path[512];
    size_t used = 0;
    ssize_t got;
    int descriptor;
    board_path(path, sizeof path, directory, name);
    descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return 0;
    while (used + 1 < room && (got = read(descriptor, text + used, room - 1 - used)) > 0) used += (size_t)got;
    close(descriptor);
    while (used > 0 && (unsigned char)text[used - 1] <= ' ') used--;
    text[used] = '\0';
    return used > 0;
}

int board_number(const char *directory, const char *name, long *number) {
    char text[32];
    const char *next = text;
    long value = 0;
    int negative;
    if (!board_text(directory, name, text, sizeof text)) return 0;
    negative = *next == '-';
    next += negative;
    if (*next == '\0') return 0;
    for (; *next; next++) {
        if (*next < '0' || *next > '9' || value > LONG_MAX / 10 - 1) return 0;
        value = value * 10 + (*next - '0');
    }
    *number = negative ? -value : value;
    return 1;
}

int board_next(const char *stem, unsigned *number, char *directory, size_t room) {
    for (unsigned missing = 0; missing < WIDEST_HOLE && *number < BOARD_MOST; missing++, ++*number) {
        char path[512];
        directory[0] = '\0';
        append(directory, room, stem);
        append_number(directory, room, *number);
        board_path(path, sizeof path, directory, "");
        if (access(path, F_OK) == 0) return 1;
    }
    return 0;
}

int board_field(const char *text, const char **from, const char *name, char *value, size_t room) {
    size_t length = strlen(name);
    const char *line = *from ? *from : text;
    while (*line) {
        const char *end = strchr(line, '\n');
        const char *next = end ? end + 1 : line + strlen(line);
        const char *after = line + length;
        if (strncmp(line, name, length) == 0) {
            while (*after == ' ' || *after == '\t') after++;
            if (*after == ':') {
                size_t used = 0;
                for (after++; *after == ' ' || *after == '\t'; after++) {}
                while (after < next && *after != '\n' && used + 1 < room) value[used++] = *after++;
                value[used] = '\0';
                *from = next;
                return 1;
            }
        }
        line = next;
    }
    return 0;
}
