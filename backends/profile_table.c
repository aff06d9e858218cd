/* profile_table.c: a profile as text: what people paste into issues. Rows are groups of nodes, the most time first; a
 * line has at most 100 columns, so names are cut in the middle. */
#include "backends/conditions.h"
#include "backends/profile_impl.h"
#include "graph/layers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS = 100, NAME_SIZE = 512 };

/* One row: the sums of its nodes. */
typedef struct group {
    const char *name;
    uint32_t count;
    double seconds, bytes, flops, roof_seconds, by_bound[4];
} group;

typedef struct table {
    const weft_profile *prof;
    const weft_writer *w;
    const weft_profile_table_desc *desc;
    weft__arena arena; /* names */
    group *groups;
    uint32_t n;
} table;

const char *weft_profile_by_name(weft_profile_by by)
{
    static const char *const names[WEFT_BY_COUNT] = { "op", "layer", "shape", "node" };
    return (unsigned)by < WEFT_BY_COUNT ? names[by] : "?";
}

/* ---- groups ---- */

/* "linear f16 1x768 2304x768": the first two inputs, and the type that a weight is stored in. */
static void shape_name(const weft_profile *prof, const weft_node *n, char *buf, size_t size)
{
    const weft_graph *g = prof->p->s->g;
    size_t at = (size_t)snprintf(buf, size, "%s", weft_op_get(n->op)->name);
    for (uint32_t i = 0; i < n->n_in && i < 2; i++) {
        const weft_value *v = weft_graph_value(g, n->in[i]);
        if (v && weft_graph_node_by_id(g, v->node)->op == WEFT_OP_weight)
            at += (size_t)snprintf(buf + at, size - at, " %s", weft_dtype_get(v->dtype)->name);
    }
    for (uint32_t i = 0; i < n->n_in && i < 2; i++) {
        const weft_value *v = weft_graph_value(g, n->in[i]);
        int64_t dims[WEFT_MAX_RANK];
        if (!v) continue;
        weft_dims_resolve(g, &v->dims, prof->p->extents, dims);
        for (uint32_t k = 0; k < v->dims.rank; k++)
            at += (size_t)snprintf(buf + at, size - at, "%s%lld", k ? "x" : " ", (long long)dims[k]);
    }
}

static void group_name(const weft_profile *prof, weft_profile_by by, uint32_t step, char *buf, size_t size)
{
    const weft_node *n = weft_graph_node_by_id(prof->p->s->g, prof->p->s->plan->steps[step].node);
    size_t layer = weft__layer_key(n->scope);
    if (by == WEFT_BY_NODE) weft__launch_name(prof->p->s->g, prof->p->s->plan, step, 1, buf, size);
    else if (by == WEFT_BY_SHAPE) shape_name(prof, n, buf, size);
    else if (by == WEFT_BY_OP) snprintf(buf, size, "%s", weft_op_get(n->op)->name);
    else if (layer) snprintf(buf, size, "%.*s", (int)layer, n->scope);
    else snprintf(buf, size, "%s", *n->scope ? n->scope : "(outside of layers)");
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const group *)a)->name, ((const group *)b)->name);
}

static int most_time_first(const void *a, const void *b)
{
    const group *x = a, *y = b;
    if (x->seconds != y->seconds) return x->seconds > y->seconds ? -1 : 1;
    return strcmp(x->name, y->name);
}

static void merge(group *to, const group *from)
{
    to->count += from->count;
    to->seconds += from->seconds;
    to->bytes += from->bytes;
    to->flops += from->flops;
    to->roof_seconds += from->roof_seconds;
    for (int b = 0; b < 4; b++) to->by_bound[b] += from->by_bound[b];
}

static group group_of(const weft_profile_node *n)
{
    group g = { .count = 1, .seconds = n->seconds.median, .bytes = n->bytes, .flops = n->flops,
                .roof_seconds = n->roof_seconds };
    g.by_bound[n->bound] = n->seconds.median;
    return g;
}

static weft_status make_groups(table *t, weft_error *err)
{
    char name[NAME_SIZE];
    uint32_t n = t->prof->n_steps, k = 0;
    t->groups = calloc((size_t)n + 1, sizeof *t->groups);
    if (!t->groups) return WEFT_OOM_FAIL(err, "a table");
    for (uint32_t i = 0; i < n; i++) {
        t->groups[i] = group_of(&t->prof->nodes[i]);
        group_name(t->prof, t->desc->by, i, name, sizeof name);
        t->groups[i].name = weft__arena_strdup(&t->arena, name);
        if (!t->groups[i].name) return WEFT_OOM_FAIL(err, "a table");
    }
    qsort(t->groups, n, sizeof *t->groups, by_name);
    for (uint32_t i = 1; i < n; i++) {
        if (!strcmp(t->groups[i].name, t->groups[k].name)) merge(&t->groups[k], &t->groups[i]);
        else t->groups[++k] = t->groups[i];
    }
    t->n = n ? k + 1 : 0;
    qsort(t->groups, t->n, sizeof *t->groups, most_time_first);
    return WEFT_OK;
}

/* ---- rows ---- */

/* Three digits or more, and never the e+05 that %g would give. */
static const char *rate(double x, char buf[32])
{
    if (!(x > 0)) return "-";
    snprintf(buf, 32, x < 10 ? "%.2f" : x < 1000 ? "%.1f" : "%.0f", x);
    return buf;
}

static bool inside_character(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80; /* of UTF-8 */
}

/* Of a name too long for the room: the first 12 bytes, "..", and the end, where names differ most. */
static void cut_name(const char *name, int room, char *buf, size_t size)
{
    int length = (int)strlen(name), head = room > 26 ? 12 : 0;
    if (length <= room) {
        snprintf(buf, size, "%s", name);
        return;
    }
    const char *tail = name + length - (room > head + 2 ? room - head - 2 : 0);
    while (head && inside_character(name[head])) head--;
    while (inside_character(*tail)) tail++;
    snprintf(buf, size, "%.*s..%s", head, name, tail);
}

static const char *bound_name(const group *g)
{
    int most = 0;
    for (int b = 1; b < 4; b++)
        if (g->by_bound[b] > g->by_bound[most]) most = b;
    return most ? weft_profile_bound_name((weft_profile_bound)most) : "-";
}

/* A row; of what is no group of nodes (count 0) only time and share are known. */
static bool print_row(const table *t, const group *g)
{
    char line[160], name[NAME_SIZE], a[32], b[32], roof[32] = "-", count[16] = "";
    double run = t->prof->total.seconds.median, share = run > 0 ? 100.0 * g->seconds / run : 0.0;
    bool known = g->count && g->seconds > 0;
    if (known && t->prof->has_roofs) snprintf(roof, sizeof roof, "%.0f%%", 100.0 * g->roof_seconds / g->seconds);
    if (g->count) snprintf(count, sizeof count, "%u", g->count);
    const char *gb = known ? rate(g->bytes * 1e-9 / g->seconds, a) : g->count ? "-" : "";
    const char *gf = known ? rate(g->flops * 1e-9 / g->seconds, b) : g->count ? "-" : "";
    const char *end = t->desc->markdown ? " |" : "";
    int n = snprintf(line, sizeof line,
                     t->desc->markdown ? "| %.1f | %.1f%% | %s | %s | %s | %s | %s | "
                                       : "%10.1f %5.1f%% %5s %7s %8s %5s %-7s ",
                     1e6 * g->seconds, share, count, gb, gf, g->count ? roof : "", g->count ? bound_name(g) : "");
    cut_name(g->name, COLUMNS - n - (int)strlen(end), name, sizeof name);
    for (char *at = name; t->desc->markdown && (at = strchr(at, '|')); at++) *at = '/'; /* it would end the cell */
    return weft_writef(t->w, "%s%s%s\n", line, name, end);
}

static bool print_groups(const table *t)
{
    uint32_t shown = t->desc->top && t->desc->top < t->n ? t->desc->top : t->n;
    char name[64];
    group rest = { .name = name }, all = { .name = "all nodes" };
    bool ok = weft_writef(t->w, t->desc->markdown ? "| time us | share | count | GB/s | GFLOP/s | roof | bound | %s |\n"
                                                    "|---:|---:|---:|---:|---:|---:|:---|:---|\n"
                                                  : "   time us  share count    GB/s  GFLOP/s  roof bound   %s\n",
                          weft_profile_by_name(t->desc->by));
    for (uint32_t i = 0; i < t->n && ok; i++) {
        merge(&all, &t->groups[i]);
        if (i < shown) ok = print_row(t, &t->groups[i]);
        else merge(&rest, &t->groups[i]);
    }
    snprintf(name, sizeof name, "(%u more)", t->n - shown);
    if (shown < t->n) ok = ok && print_row(t, &rest);
    ok = ok && print_row(t, &all);
    const weft_profile_parts *p = &t->prof->total.parts;
    const group parts[] = { { .name = "gaps between steps", .seconds = p->gaps },
                            { .name = "submit", .seconds = p->submit },
                            { .name = "wait", .seconds = p->wait },
                            { .name = "host", .seconds = p->host },
                            { .name = "a run", .seconds = t->prof->total.seconds.median } };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) ok = ok && print_row(t, &parts[i]);
    return ok;
}

/* ---- what stands above ---- */

/* A line of the head, cut to the width; in Markdown a line of its own too. */
static bool print_line(const table *t, const char *text)
{
    int room = COLUMNS - (t->desc->markdown ? 2 : 0), n = (int)strlen(text);
    return weft_writef(t->w, "%s%.*s%s\n", t->desc->markdown ? "- " : "", n > room ? room - 2 : n, text,
                       n > room ? ".." : "");
}

static bool print_device(const table *t, uint32_t d)
{
    char text[512];
    weft_device_info info;
    const weft_roof *r = &t->prof->roofs[d];
    weft_backend_info(t->prof->p->devices[d], &info);
    snprintf(text, sizeof text, "%s: %s%s%s", info.name, info.description, *info.driver ? ", " : "", info.driver);
    if (!print_line(t, text)) return false;
    if (!t->prof->has_roofs) return print_line(t, "roof: not measured");
    size_t at = (size_t)snprintf(text, sizeof text, "roof: %.1f GB/s, %.1f GFLOP/s f32", r->bytes_per_second * 1e-9,
                                 r->f32_ops_per_second * 1e-9);
    if (r->int8_ops_per_second > 0)
        at += (size_t)snprintf(text + at, sizeof text - at, ", %.1f GOP/s int8", r->int8_ops_per_second * 1e-9);
    if (r->f16_matrix_ops_per_second > 0)
        at += (size_t)snprintf(text + at, sizeof text - at, ", %.1f GFLOP/s f16 matrices",
                               r->f16_matrix_ops_per_second * 1e-9);
    snprintf(text + at, sizeof text - at, ", %.2f us a launch", 1e6 * r->launch_seconds);
    return print_line(t, text);
}

/* "decode: tokens 1, cells 96": the sizes of the last run. */
static bool print_extents(const table *t)
{
    const weft_graph *g = t->prof->p->s->g;
    char text[512];
    size_t at = (size_t)snprintf(text, sizeof text, "%s", t->prof->name);
    for (uint32_t i = 0; i < weft_graph_extent_count(g) && at < sizeof text; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%s %s %lld", i ? "," : ":",
                               weft_graph_extent(g, i + 1, NULL), (long long)t->prof->work[i]);
    return print_line(t, text);
}

static bool print_warnings(const table *t)
{
    weft__warnings w;
    char text[WEFT__WARNING_SIZE + 16];
    bool ok = true;
    weft__conditions_warnings(&t->prof->conditions, t->prof->p->s->n_devices, &w);
    for (uint32_t i = 0; i < w.n && ok; i++) {
        snprintf(text, sizeof text, "warning: %s", w.text[i]);
        ok = print_line(t, text);
    }
    return ok;
}

static bool print_head(const table *t)
{
    const weft_profile *prof = t->prof;
    const weft_profile_totals *total = &prof->total;
    char text[512];
    bool ok = print_extents(t);
    snprintf(text, sizeof text, "%u runs, %s: %s", total->kept, weft_profile_mode_name(prof->mode),
             prof->mode == WEFT_PROFILE_ISOLATED ? "one step at a time"
                                                 : "as the program really runs, steps may overlap");
    ok = ok && print_line(t, text);
    for (uint32_t d = 0; d < prof->p->s->n_devices; d++) ok = ok && print_device(t, d);
    double run = total->seconds.median;
    size_t at = (size_t)snprintf(text, sizeof text, "a run takes %.1f us (%.1f to %.1f, MAD %.1f)", 1e6 * run,
                          1e6 * total->seconds.min, 1e6 * total->seconds.max, 1e6 * total->seconds.mad);
    if (prof->tokens > 0 && run > 0)
        snprintf(text + at, sizeof text - at, ", %.1f tokens/s", prof->tokens / run);
    ok = ok && print_line(t, text);
    snprintf(text, sizeof text, "nodes explain %.1f%% of it", run > 0 ? 100.0 * total->parts.nodes / run : 0.0);
    return ok && print_line(t, text) && print_warnings(t) && weft_writef(t->w, "\n");
}

weft_status weft_profile_table(const weft_profile *prof, const weft_profile_table_desc *desc, const weft_writer *w,
                               weft_error *err)
{
    if (!prof->shown) return WEFT_FAIL(err, WEFT_INVALID, "the profile of '%s' is not finished", prof->name);
    if ((unsigned)desc->by >= WEFT_BY_COUNT)
        return WEFT_FAIL(err, WEFT_INVALID, "a profile cannot be grouped by %d", (int)desc->by);
    table t = { .prof = prof, .w = w, .desc = desc };
    weft_status s = make_groups(&t, err);
    if (!s && (!print_head(&t) || !print_groups(&t))) s = WEFT_FAIL(err, WEFT_IO, "the table could not be written");
    free(t.groups);
    weft__arena_free(&t.arena);
    return s;
}
