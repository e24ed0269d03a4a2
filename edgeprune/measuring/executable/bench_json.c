#include "bench_json.h"

#include <stddef.h>
#include <unistd.h>

#include "bench_exit.h"

static struct {
    char buffer[4096];
    size_t used;
    int needs_comma;
    int failed;
} json;

static void flush(void) {
    if (!json.failed && write_all(STDOUT_FILENO, json.buffer, json.used) != 0) json.failed = 1;
    json.used = 0;
}

static void byte_out(char byte) {
    if (json.used == sizeof json.buffer) flush();
    json.buffer[json.used++] = byte;
}

static void text_out(const char *text) {
    while (*text) byte_out(*text++);
}

static void separate(void) {
    if (json.needs_comma) byte_out(',');
    json.needs_comma = 1;
}

static void quoted_out(const char *text) {
    byte_out('"');
    for (; *text; text++) {
        unsigned char byte = (unsigned char)*text;
        if (byte == '"' || byte == '\\') byte_out('\\');
        byte_out(byte < 0x20 || byte > 0x7e ? '?' : *text);
    }
    byte_out('"');
}

static void digits_out(uint64_t value) {
    char digits[20];
    int count = 0;
    do digits[count++] = (char)('0' + value % 10);
    while ((value /= 10) > 0);
    while (count > 0) byte_out(digits[--count]);
}

void json_key(const char *key) {
    separate();
    quoted_out(key);
    byte_out(':');
    json.needs_comma = 0;
}

void json_open(char bracket) {
    separate();
    byte_out(bracket);
    json.needs_comma = 0;
}

void json_close(char bracket) {
    byte_out(bracket);
    json.needs_comma = 1;
}

void json_literal(const char *text) {
    separate();
    text_out(text);
}

void json_text(const char *text) {
    separate();
    if (text) quoted_out(text);
    else text_out("null");
}

void json_bool(int value) { json_literal(value ? "true" : "false"); }

void json_unsigned(uint64_t value) {
    separate();
    digits_out(value);
}

void json_real(double value) {
    int exponent = 0;
    uint64_t scaled;
    if (!(value >= 0) || value - value != 0) {
        json_text(NULL);
        return;
    }
    separate();
    if (value > 0) {
        while (value >= 10) value /= 10, exponent++;
        while (value < 1) value *= 10, exponent--;
    }
    scaled = (uint64_t)(value * 1e6 + 0.5);
    if (scaled >= 10000000) scaled /= 10, exponent++;
    digits_out(scaled / 1000000);
    byte_out('.');
    for (uint64_t place = 100000; place > 0; place /= 10) byte_out((char)('0' + scaled / place % 10));
    byte_out('e');
    if (exponent < 0) byte_out('-');
    digits_out((uint64_t)(exponent < 0 ? -exponent : exponent));
}

int json_end(void) {
    byte_out('\n');
    flush();
    return json.failed ? -1 : 0;
}
