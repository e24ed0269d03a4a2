/*
 * What the board says of itself in /proc and /sys, for bench_main.c only. Whatever a board does not tell is recorded
 * as null. The roots can be set, so that a throttling board can be simulated.
 */
#ifndef EDGEPRUNE_BENCH_ENVIRONMENT_H
#define EDGEPRUNE_BENCH_ENVIRONMENT_H

#include <fcntl.h>
#include <string.h>
#include <sys/utsname.h>

#include "bench_json.h"

static const char *proc_root = "/proc";
static const char *sysfs_root = "/sys";

/* Appends `text` to the path if it fits; a path that does not fit is cut and then simply names no file. */
static void path_append(char *path, size_t room, const char *text) {
    size_t length = strlen(path);
    while (*text && length + 1 < room) path[length++] = *text++;
    path[length] = '\0';
}

static void path_append_number(char *path, size_t room, unsigned number) {
    char digits[11];
    int place = (int)sizeof digits - 1;
    digits[place] = '\0';
    do digits[--place] = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    path_append(path, room, digits + place);
}

/* Reads a whole small file into `text`, without trailing white space; returns 0 if there is none. */
static int read_text(const char *path, char *text, size_t room) {
    size_t used = 0;
    ssize_t got;
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return 0;
    while (used + 1 < room && (got = read(descriptor, text + used, room - 1 - used)) > 0) used += (size_t)got;
    close(descriptor);
    while (used > 0 && (unsigned char)text[used - 1] <= ' ') used--;
    text[used] = '\0';
    return used > 0;
}

static void text_of(const char *root, const char *name, const char *key) {
    char path[512] = "", text[512];
    path_append(path, sizeof path, root);
    path_append(path, sizeof path, name);
    json_key(key);
    json_text(read_text(path, text, sizeof text) ? text : NULL);
}

/* Writes a file's decimal number (which may be negative, as temperatures are), or null. */
static void number_of(const char *directory, const char *name, const char *key) {
    char path[512] = "", text[32];
    size_t digits = 0;
    path_append(path, sizeof path, directory);
    path_append(path, sizeof path, name);
    json_key(key);
    if (read_text(path, text, sizeof text)) digits = strspn(text + (text[0] == '-'), "0123456789");
    json_separate();
    json_raw(digits > 0 && text[(text[0] == '-') + digits] == '\0' ? text : "null");
}

/* Finds "NAME : VALUE" in `text` from `*from` on; copies VALUE and moves `*from` past the line. */
static int next_field(const char *text, const char **from, const char *name, char *value, size_t room) {
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

static void field_text(const char *text, const char *name, const char *key) {
    char value[256];
    const char *from = NULL;
    json_key(key);
    json_text(next_field(text, &from, name, value, sizeof value) ? value : NULL);
}

/* One entry per core: boards with unequal cores differ in it. */
static void write_cpu_parts(const char *cpuinfo) {
    char value[64];
    const char *from = NULL;
    json_key("parts");
    if (!next_field(cpuinfo, &from, "CPU part", value, sizeof value)) {
        json_text(NULL);
        return;
    }
    json_open('[');
    do json_text(value);
    while (next_field(cpuinfo, &from, "CPU part", value, sizeof value));
    json_close(']');
}

static void write_cpu(void) {
    static char cpuinfo[65536];
    char path[512] = "";
    path_append(path, sizeof path, proc_root);
    path_append(path, sizeof path, "/cpuinfo");
    json_key("cpu");
    if (!read_text(path, cpuinfo, sizeof cpuinfo)) {
        json_text(NULL);
        return;
    }
    json_open('{');
    field_text(cpuinfo, "model name", "model");
    field_text(cpuinfo, "Hardware", "hardware");
    field_text(cpuinfo, "CPU implementer", "implementer");
    write_cpu_parts(cpuinfo);
    json_close('}');
}

static void write_uname(void) {
    struct utsname name;
    json_key("uname");
    if (uname(&name) != 0) {
        json_text(NULL);
        return;
    }
    json_open('{');
    json_key("system"), json_text(name.sysname);
    json_key("release"), json_text(name.release);
    json_key("machine"), json_text(name.machine);
    json_close('}');
}

static void write_core(const char *directory, unsigned number) {
    json_open('{');
    json_key("core"), json_unsigned(number);
    text_of(directory, "/cpufreq/scaling_governor", "governor");
    number_of(directory, "/cpufreq/scaling_cur_freq", "frequency_khz");
    number_of(directory, "/cpufreq/scaling_min_freq", "minimum_khz");
    number_of(directory, "/cpufreq/scaling_max_freq", "maximum_khz");
    number_of(directory, "/cpufreq/cpuinfo_max_freq", "hardware_maximum_khz");
    number_of(directory, "/thermal_throttle/core_throttle_count", "throttle_count");
    json_close('}');
}

static void write_zone(const char *directory, unsigned number) {
    (void)number;
    json_open('{');
    text_of(directory, "/type", "type");
    number_of(directory, "/temp", "millidegrees");
    json_close('}');
}

/* Writes an array with one entry per existing directory STEM0, STEM1, ..., or null when there is none. */
static void write_numbered(const char *key, const char *stem, void (*entry)(const char *directory, unsigned number)) {
    json_key(key);
    for (unsigned number = 0;; number++) {
        char directory[512] = "";
        path_append(directory, sizeof directory, sysfs_root);
        path_append(directory, sizeof directory, stem);
        path_append_number(directory, sizeof directory, number);
        if (access(directory, F_OK) != 0) {
            if (number == 0) json_text(NULL);
            else json_close(']');
            return;
        }
        if (number == 0) json_open('[');
        entry(directory, number);
    }
}

static void write_process(void) {
    static char status[8192];
    char path[512] = "", value[256];
    const char *from = NULL;
    int known;
    path_append(path, sizeof path, proc_root);
    path_append(path, sizeof path, "/self/status");
    known = read_text(path, status, sizeof status);
    json_key("affinity");
    json_text(known && next_field(status, &from, "Cpus_allowed_list", value, sizeof value) ? value : NULL);
    json_key("memory_peak_kib");
    from = NULL;
    if (known && next_field(status, &from, "VmHWM", value, sizeof value)) {
        value[strspn(value, "0123456789")] = '\0';
        json_separate();
        json_raw(value[0] ? value : "null");
    } else {
        json_text(NULL);
    }
}

/* What may change while the benchmark runs; written before and after the timed part. */
static void write_moment(const char *key) {
    json_key(key);
    json_open('{');
    write_process();
    text_of(proc_root, "/loadavg", "loadavg");
    text_of(sysfs_root, "/devices/system/cpu/online", "online");
    text_of(sysfs_root, "/devices/platform/soc/soc:firmware/get_throttled", "raspberry_throttled");
    write_numbered("cores", "/devices/system/cpu/cpu", write_core);
    write_numbered("thermal_zones", "/class/thermal/thermal_zone", write_zone);
    json_close('}');
}

/* What the board is. */
static void write_identity(void) {
    write_uname();
    text_of(proc_root, "/device-tree/model", "board");
    write_cpu();
}

#endif
