/* conditions.c: reads the processors' times and measures roofs, for conditions.h. */
#include "tools/conditions.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* Long enough for a median of several passes; all turns together take a few seconds. */
static const double turn_seconds = 0.1;

/* ---- processors ---- */

bool processor_times_parse(const char *text, processor_times *out)
{
    /* user nice system idle iowait irq softirq steal; what guests take is part of user */
    static const bool is_busy[] = { true, true, true, false, false, true, true, true };
    double busy = 0;
    unsigned n = 0, fields = 0;
    if (strncmp(text, "cpu ", 4)) return false;
    const char *at = text + 4;
    for (char *end; fields < sizeof is_busy / sizeof *is_busy; fields++, at = end) {
        unsigned long long ticks = strtoull(at, &end, 10);
        if (end == at || memchr(at, '\n', (size_t)(end - at))) break;
        if (is_busy[fields]) busy += (double)ticks;
    }
    for (const char *line = text; (line = strchr(line, '\n')); n += *line >= '0' && *line <= '9') {
        line++;
        if (strncmp(line, "cpu", 3)) continue;
        line += 3;
    }
    out->busy = busy;
    out->count = n;
    return fields >= 4 && n > 0;
}

static double seconds_of(struct timeval t)
{
    return (double)t.tv_sec + 1e-6 * (double)t.tv_usec;
}

static processor_times read_times(void)
{
    char text[1 << 16];
    struct rusage own;
    processor_times t = { .wall = weft__seconds(), .busy = -1, .tick = 1.0 / (double)sysconf(_SC_CLK_TCK) };
    FILE *f = fopen("/proc/stat", "r");
    size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
    if (f) fclose(f);
    text[n] = 0;
    if (processor_times_parse(text, &t)) t.busy *= t.tick;
    else t.busy = -1;
    getrusage(RUSAGE_SELF, &own);
    t.own = seconds_of(own.ru_utime) + seconds_of(own.ru_stime);
    return t;
}

double processor_times_others(const processor_times *begin, const processor_times *end)
{
    double wall = end->wall - begin->wall, tick = end->tick;
    if (begin->busy < 0 || end->busy < 0 || !(wall > 0) || wall < 50 * tick) return -1;
    double others = (end->busy - begin->busy - (end->own - begin->own)) / wall;
    return others > 0 ? others : 0;
}

/* ---- conditions ---- */

void conditions_begin(conditions *c, const cli_device_list *devices, weft_progress_sink progress)
{
    *c = (conditions){ .devices = devices, .progress = progress, .begin = read_times(), .sum.others = -1 };
}

weft_status conditions_turn(conditions *c, weft_error *err)
{
    if (c->sum.turns == WEFT_MAX_ROOF_TURNS) return WEFT_OK;
    for (uint32_t d = 0; d < c->devices->n; d++)
        WEFT_TRY(weft_backend_roof(c->devices->device[d], turn_seconds, &c->progress, &c->turn[d][c->sum.turns], err));
    c->sum.turns++;
    for (uint32_t d = 0; d < c->devices->n; d++)
        weft__roof_spread(c->turn[d], c->sum.turns, &c->roofs[d], &c->least[d], &c->most[d]);
    c->sum.roofs = c->roofs;
    c->sum.least = c->least;
    c->sum.most = c->most;
    return WEFT_OK;
}

void conditions_end(conditions *c)
{
    processor_times end = read_times();
    c->sum.processors = end.busy < 0 ? 0 : end.count;
    c->sum.others = processor_times_others(&c->begin, &end);
}
