/*
 * A JSON writer to a file descriptor, for bench_main.c only: no allocation, and none of stdio's printf, which would
 * weigh more than a small network. Commas are placed by the writer.
 */
#ifndef EDGEPRUNE_BENCH_JSON_H
#define EDGEPRUNE_BENCH_JSON_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

static struct {
    char buffer[4096];
    size_t used;
    int needs_comma;
    int failed;
} json;

static int write_all(int descriptor, const void *data, size_t bytes) {
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

static void json_flush(void) {
    if (!json.failed && write_all(STDOUT_FILENO, json.buffer, json.used) != 0) json.failed = 1;
    json.used = 0;
}

static void json_byte(char byte) {
    if (json.used == sizeof json.buffer) json_flush();
    json.buffer[json.used++] = byte;
}

static void json_raw(const char *text) {
    while (*text) json_byte(*text++);
}

static void json_separate(void) {
    if (json.needs_comma) json_byte(',');
    json.needs_comma = 1;
}

/* Control characters, and bytes that might not be valid UTF-8, become '?'. */
static void json_quoted(const char *text) {
    json_byte('"');
    for (; *text; text++) {
        unsigned char byte = (unsigned char)*text;
        if (byte == '"' || byte == '\\') json_byte('\\');
        json_byte(byte < 0x20 || byte > 0x7e ? '?' : *text);
    }
    json_byte('"');
}

static void json_key(const char *key) {
    json_separate();
    json_quoted(key);
    json_byte(':');
    json.needs_comma = 0;
}

static void json_open(char bracket) {
    json_separate();
    json_byte(bracket);
    json.needs_comma = 0;
}

static void json_close(char bracket) {
    json_byte(bracket);
    json.needs_comma = 1;
}

static void json_text(const char *text) {
    json_separate();
    if (text) json_quoted(text);
    else json_raw("null");
}

static void json_bool(int value) {
    json_separate();
    json_raw(value ? "true" : "false");
}

static void json_digits(uint64_t value) {
    char digits[20];
    int count = 0;
    do digits[count++] = (char)('0' + value % 10);
    while ((value /= 10) > 0);
    while (count > 0) json_byte(digits[--count]);
}

static void json_unsigned(uint64_t value) {
    json_separate();
    json_digits(value);
}

/* A non-negative finite number as D.DDDDDDeX; anything else becomes null, as JSON has no word for it. */
static void json_real(double value) {
    int exponent = 0;
    uint64_t scaled;
    json_separate();
    if (!(value >= 0) || value - value != 0) {
        json_raw("null");
        return;
    }
    if (value > 0) {
        while (value >= 10) value /= 10, exponent++;
        while (value < 1) value *= 10, exponent--;
    }
    scaled = (uint64_t)(value * 1e6 + 0.5);
    if (scaled >= 10000000) scaled /= 10, exponent++;
    json_digits(scaled / 1000000);
    json_byte('.');
    for (uint64_t place = 100000; place > 0; place /= 10) json_byte((char)('0' + scaled / place % 10));
    json_byte('e');
    if (exponent < 0) json_byte('-');
    json_digits((uint64_t)(exponent < 0 ? -exponent : exponent));
}

#endif
