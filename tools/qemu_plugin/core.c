#include "core.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char *const operation_names[OP_COUNT] = {OPERATIONS(AS_STRING_COMMA)};

static int operation_of(const char *name) {
    for (int index = 0; index < OP_COUNT; index++)
        if (strcmp(operation_names[index], name) == 0) return index;
    return -1;
}

static int unit_of(const struct core *core, const char *name) {
    for (int index = 0; index < core->units; index++)
        if (strcmp(core->unit[index].name, name) == 0) return index;
    return NO_UNIT;
}

static int issue_of(const char *name) {
    static const char *const names[] = {"either", "older", "alone"};
    for (int index = 0; index < 3; index++)
        if (strcmp(names[index], name) == 0) return index;
    return -1;
}

static bool three(const char *text, int values[VARIANTS]) {
    return sscanf(text, "%d %d %d", &values[0], &values[1], &values[2]) == VARIANTS;
}

static bool take_operation(struct core *core, const char *text) {
    char name[24], unit[24], port[24], issue[24];
    int pipes, cycles, width, at = 0, index, order;
    struct timing *timing;
    if (sscanf(text, "%23s %23s %d %d %d %23s %23s %n", name, unit, &pipes, &cycles, &width, port, issue, &at) != 7)
        return false;
    index = operation_of(name);
    order = issue_of(issue);
    if (index < 0 || order < 0) return false;
    timing = &core->operation[index];
    timing->unit = unit_of(core, unit);
    timing->port = unit_of(core, port);
    if ((timing->unit == NO_UNIT && strcmp(unit, "-") != 0) || (timing->port == NO_UNIT && strcmp(port, "-") != 0))
        return false;
    if (timing->unit != NO_UNIT && (pipes < 1 || pipes > core->unit[timing->unit].pipes)) return false;
    timing->pipes = pipes;
    timing->cycles = cycles;
    timing->width = width;
    timing->known = three(text + at, timing->latency);
    memcpy(timing->address, timing->latency, sizeof timing->address);
    for (int variant = 0; variant < VARIANTS; variant++) timing->issue[variant] = (enum issue)order;
    return timing->known && cycles >= 1 && width >= 1;
}

static bool take_issue(struct timing *timing, const char *text) {
    char names[VARIANTS][24];
    if (sscanf(text, "%23s %23s %23s", names[0], names[1], names[2]) != VARIANTS) return false;
    for (int variant = 0; variant < VARIANTS; variant++) {
        int order = issue_of(names[variant]);
        if (order < 0) return false;
        timing->issue[variant] = (enum issue)order;
    }
    return true;
}

/* What an earlier "operation" line says, refined. */
static bool take_refinement(struct core *core, const char *key, const char *text) {
    char name[24];
    int at = 0, index;
    struct timing *timing;
    if (sscanf(text, "%23s %n", name, &at) != 1 || at == 0) return false;
    index = operation_of(name);
    if (index < 0 || !core->operation[index].known) return false;
    timing = &core->operation[index];
    if (strcmp(key, "issue") == 0) return take_issue(timing, text + at);
    if (strcmp(key, "address") == 0) return three(text + at, timing->address);
    timing->has_addend = true;
    return three(text + at, timing->addend);
}

static bool take_level(int levels[MOST_LEVELS][VARIANTS], const char *text) {
    int level, at = 0;
    if (sscanf(text, "%d %n", &level, &at) != 1 || level < 1 || level >= MOST_LEVELS) return false;
    return three(text + at, levels[level]);
}

static bool power_of_two(unsigned int number) { return number > 0 && (number & (number - 1)) == 0; }

static bool take_cache(struct core *core, const char *text) {
    unsigned int bytes, ways, line;
    if (core->caches == MOST_LEVELS - 1 || sscanf(text, "%u %u %u", &bytes, &ways, &line) != 3) return false;
    if (!power_of_two(line) || ways == 0 || bytes < ways * line) return false;
    core->cache[core->caches].bytes = bytes;
    core->cache[core->caches].ways = ways;
    core->cache[core->caches++].line = line;
    return true;
}

static bool take_unit(struct core *core, const char *text) {
    int index = core->units;
    if (index == MOST_UNITS || sscanf(text, "%23s %d", core->unit[index].name, &core->unit[index].pipes) != 2) return false;
    core->units++;
    return core->unit[index].pipes >= 1 && core->unit[index].pipes <= MOST_PIPES;
}

static bool take(struct core *core, const char *key, const char *text) {
    if (strcmp(key, "order") == 0) {
        core->out_of_order = strcmp(text, "out") == 0;
        return core->out_of_order || strcmp(text, "in") == 0;
    }
    if (strcmp(key, "width") == 0) return sscanf(text, "%d", &core->width) == 1;
    if (strcmp(key, "window") == 0) return sscanf(text, "%d", &core->window) == 1;
    if (strcmp(key, "taken") == 0) return three(text, core->taken);
    if (strcmp(key, "mispredicted") == 0) return three(text, core->mispredicted);
    if (strcmp(key, "store_late") == 0) return three(text, core->store_late);
    if (strcmp(key, "linefills") == 0) return three(text, core->linefills);
    if (strcmp(key, "unit") == 0) return take_unit(core, text);
    if (strcmp(key, "cache") == 0) return take_cache(core, text);
    if (strcmp(key, "miss") == 0) return take_level(core->miss, text);
    if (strcmp(key, "streamed") == 0) return take_level(core->streamed, text);
    if (strcmp(key, "operation") == 0) return take_operation(core, text);
    if (strcmp(key, "address") == 0 || strcmp(key, "addend") == 0 || strcmp(key, "issue") == 0)
        return take_refinement(core, key, text);
    return false;
}

static const char *missing(const struct core *core) {
    if (core->width < 1) return "width";
    if (core->out_of_order && core->window < 1) return "window";
    if (core->caches < 1) return "cache";
    if (core->linefills[0] < 1 || core->linefills[1] < 1 || core->linefills[2] < 1) return "linefills";
    for (int index = 0; index < OP_COUNT; index++)
        if (!core->operation[index].known) return operation_names[index];
    return NULL;
}

bool core_read(const char *path, struct core *core, char *problem, unsigned int room) {
    char line[256], key[24];
    FILE *file = fopen(path, "r");
    const char *lacking;
    int number = 0;
    memset(core, 0, sizeof *core);
    if (file == NULL) {
        snprintf(problem, room, "%s: %s", path, strerror(errno));
        return false;
    }
    while (fgets(line, sizeof line, file) != NULL) {
        int at = 0;
        number++;
        line[strcspn(line, "\n")] = '\0';
        if (sscanf(line, "%23s %n", key, &at) == 1 && at > 0 && take(core, key, line + at)) continue;
        snprintf(problem, room, "%s, line %d: not understood: %s", path, number, line);
        fclose(file);
        return false;
    }
    fclose(file);
    lacking = missing(core);
    if (lacking != NULL) snprintf(problem, room, "%s: %s is missing", path, lacking);
    return lacking == NULL;
}
