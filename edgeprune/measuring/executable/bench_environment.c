#include "bench_environment.h"

#include <string.h>
#include <sys/utsname.h>

#include "bench_affinity.h"
#include "bench_board.h"
#include "bench_json.h"

static void text_of(const char *key, const char *directory, const char *name) {
    char text[512];
    json_key(key);
    json_text(board_text(directory, name, text, sizeof text) ? text : NULL);
}

static void number_of(const char *key, const char *directory, const char *name) {
    long number;
    json_key(key);
    if (!board_number(directory, name, &number)) {
        json_text(NULL);
        return;
    }
    if (number < 0) {
        char text[24] = "-"; /* a temperature in winter */
        append_number(text, sizeof text, (unsigned)-number);
        json_literal(text);
        return;
    }
    json_unsigned((uint64_t)number);
}

/* Under `key`, an array with one entry per directory STEM0, STEM1, ..., or null when there is none. */
static void write_numbered(const char *key, const char *stem, void (*entry)(const char *directory, unsigned number)) {
    char directory[128];
    int found = 0;
    json_key(key);
    for (unsigned number = 0; board_next(stem, &number, directory, sizeof directory); number++) {
        if (!found++) json_open('[');
        json_open('{');
        entry(directory, number);
        json_close('}');
    }
    if (found) json_close(']');
    else json_text(NULL);
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

static void field_text(const char *text, const char *name, const char *key) {
    char value[256];
    const char *from = NULL;
    json_key(key);
    json_text(board_field(text, &from, name, value, sizeof value) ? value : NULL);
}

/* One entry per core: boards with unequal cores differ in it. */
static void write_cpu_parts(const char *cpuinfo) {
    char value[64];
    const char *from = NULL;
    json_key("parts");
    if (!board_field(cpuinfo, &from, "CPU part", value, sizeof value)) {
        json_text(NULL);
        return;
    }
    json_open('[');
    do json_text(value);
    while (board_field(cpuinfo, &from, "CPU part", value, sizeof value));
    json_close(']');
}

static void write_cpu(void) {
    static char cpuinfo[65536];
    json_key("cpu");
    if (!board_text("/proc", "/cpuinfo", cpuinfo, sizeof cpuinfo)) {
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

void write_identity(void) {
    text_of("process", "/proc/self", "/comm"); /* an emulator's name, where one runs this program */
    write_uname();
    text_of("board", "/proc", "/device-tree/model");
    write_cpu();
}

static void write_core(const char *directory, unsigned number) {
    json_key("core"), json_unsigned(number);
    number_of("capacity", directory, "/cpu_capacity");
    text_of("governor", directory, "/cpufreq/scaling_governor");
    number_of("frequency_khz", directory, "/cpufreq/scaling_cur_freq");
    number_of("minimum_khz", directory, "/cpufreq/scaling_min_freq");
    number_of("maximum_khz", directory, "/cpufreq/scaling_max_freq");
    number_of("hardware_maximum_khz", directory, "/cpufreq/cpuinfo_max_freq");
    number_of("throttle_count", directory, "/thermal_throttle/core_throttle_count");
    number_of("package_throttle_count", directory, "/thermal_throttle/package_throttle_count");
}

static void write_zone(const char *directory, unsigned number) {
    (void)number;
    text_of("type", directory, "/type");
    number_of("millidegrees", directory, "/temp");
}

static void write_cooler(const char *directory, unsigned number) {
    (void)number;
    text_of("type", directory, "/type");
    number_of("state", directory, "/cur_state");
    number_of("highest_state", directory, "/max_state");
}

static void write_process(void) {
    static char status[8192];
    char value[256], allowed[256];
    const char *from = NULL;
    json_key("affinity");
    json_text(describe_affinity(allowed, sizeof allowed) ? allowed : NULL);
    json_key("memory_peak_kib");
    if (board_text("/proc", "/self/status", status, sizeof status) &&
        board_field(status, &from, "VmHWM", value, sizeof value)) {
        value[strspn(value, "0123456789")] = '\0';
        json_literal(value[0] ? value : "null");
    } else {
        json_text(NULL);
    }
}

void write_moment(const char *key) {
    json_key(key);
    json_open('{');
    write_process();
    text_of("loadavg", "/proc", "/loadavg");
    text_of("online", "/sys/devices/system/cpu", "/online");
    text_of("raspberry_throttled", "/sys/devices/platform/soc/soc:firmware", "/get_throttled");
    write_numbered("cores", BOARD_CORES, write_core);
    write_numbered("thermal_zones", BOARD_ZONES, write_zone);
    write_numbered("cooling_devices", BOARD_COOLERS, write_cooler);
    json_close('}');
}
