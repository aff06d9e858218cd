/* meter.c: when the line of meter.h is drawn, and what is on it. */
#include "tools/meter.h"

#include <stdio.h>
#include <string.h>

static const double patience = 1.0, between_reports = 0.1, between_ticks = 0.5, least_for_a_rate = 0.5; /* seconds */

enum { LINE = 256 };

/* ---- text ---- */

typedef struct text { char data[LINE]; size_t n; } text;

static void add(text *t, const char *fmt, ...) WEFT_PRINTF(2, 3);
static void add(text *t, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(t->data + t->n, sizeof t->data - t->n, fmt, args);
    va_end(args);
    if (n > 0) t->n = t->n + (size_t)n < sizeof t->data ? t->n + (size_t)n : sizeof t->data - 1;
}

/* The unit in which `most` bytes are a number below 1024. */
static const char *byte_unit(double most, double *scale)
{
    static const char *const names[] = { "B", "KiB", "MiB", "GiB", "TiB" };
    size_t i = 0;
    for (*scale = 1; most >= 1024 * *scale && i + 1 < sizeof names / sizeof *names; i++) *scale *= 1024;
    return names[i];
}

static void add_amount(text *t, const weft_progress *p)
{
    double scale = 1;
    bool bytes = !strcmp(p->unit, "B");
    const char *unit = bytes ? byte_unit((double)(p->total ? p->total : p->done), &scale) : p->unit;
    int digits = bytes && scale > 1;
    add(t, ": %.*f", digits, (double)p->done / scale);
    if (p->total) add(t, " of %.*f", digits, (double)p->total / scale);
    add(t, " %s", unit);
    if (p->total) add(t, ", %.0f %%", 100.0 * (double)p->done / (double)p->total);
}

static void add_rate(text *t, const weft_progress *p, double per_second)
{
    double scale = 1;
    const char *unit = !strcmp(p->unit, "B") ? byte_unit(per_second, &scale) : p->unit;
    double rate = per_second / scale;
    add(t, ", %.*f %s/s", rate < 10, rate, unit);
    if (!p->total) return;
    double left = (double)(p->total - p->done) / per_second;
    if (left < 60) add(t, ", %.0f s left", left);
    else if (left < 6000) add(t, ", %.0f min left", left / 60);
    else add(t, ", %.0f h left", left / 3600);
}

/* ---- drawing ---- */

static void draw(meter *m, double now)
{
    text t = { .n = 0 };
    size_t columns = m->columns ? m->columns : 80;
    add(&t, "%s", m->at.what);
    add_amount(&t, &m->at);
    double took = now - m->begun;
    if (took >= least_for_a_rate && m->at.done > m->first) add_rate(&t, &m->at, (double)(m->at.done - m->first) / took);
    if (t.n >= columns) t.n = columns - 1; /* a line that is full would wrap, and could not be erased */
    weft_writef(&m->terminal, "\r%.*s\033[K", (int)t.n, t.data);
    m->visible = true;
    m->drawn = now;
}

void meter_report(meter *m, const weft_progress *p)
{
    double now = m->seconds(m->ctx);
    bool fresh = !m->active || p->done < m->at.done || strcmp(p->what, m->at.what);
    if (!m->active) m->since = now;
    if (fresh) {
        m->begun = now;
        m->first = p->done;
    }
    m->active = true;
    m->at = *p;
    if (now - m->since >= patience && (!m->visible || fresh || now - m->drawn >= between_reports)) draw(m, now);
}

void meter_tick(meter *m)
{
    double now = m->active ? m->seconds(m->ctx) : 0;
    if (m->active && now - m->since >= patience && (!m->visible || now - m->drawn >= between_ticks)) draw(m, now);
}

void meter_end(meter *m)
{
    if (m->visible) weft_writef(&m->terminal, "\r\033[K");
    m->active = m->visible = false;
}
