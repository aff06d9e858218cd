/* cmd_memory.c: `weft memory`: what a model's programs hold on each device, what of the arena is in use when, and what
 * lives at the peak. All of it comes from the plan: no weight is read. */
#include "tools/cli.h"

#include <stdlib.h>
#include <string.h>

static const cli_option options[] = {
    { .name = "format", .kind = CLI_TEXT, .value = "FORMAT", .choices = "text|md|json",
      .help = "md: tables in Markdown; json: the document of docs/dump-format.md (default: text)" },
    { .name = NULL },
};

enum { BAR = 40, MAX_PERIOD = 40, MAX_ALIASES = 4, WHERE = 54 };

typedef struct report {
    const cli_source *source;
    bool md;
} report;

static double mib(uint64_t bytes)
{
    return (double)bytes / 1048576.0;
}

static void heading(const report *r, const char *text)
{
    printf(r->md ? "\n## %s\n\n" : "\n%s\n", text);
}

/* ---- totals ---- */

static void total_row(const report *r, const char *what, uint64_t bytes, const char *note)
{
    if (r->md) printf("| %s | %.1f | %s |\n", what, mib(bytes), note);
    else printf("  %-14s %12.1f MiB%s%s\n", what, mib(bytes), *note ? "  " : "", note);
}

/* Beside the programs for prompts and for one token there are some for runs between, each of at most so many tokens. */
static void print_others(const report *r, uint32_t d)
{
    const cli_source *s = r->source;
    char text[64], note[96];
    for (uint32_t n = 2; s->plan; n++) {
        const weft_program *p = weft_session_plan_program(s->plan, n);
        const weft_plan *plan = weft_program_plan(p);
        if (p == s->programs[0]) break;
        if (p == weft_session_plan_program(s->plan, n + 1)) continue;
        snprintf(text, sizeof text, "%u tokens", n);
        snprintf(note, sizeof note, "in the same memory; %.1f without sharing", mib(plan->arena_unshared[d]));
        total_row(r, text, plan->arena_bytes[d], note);
    }
}

static void print_totals(const report *r, uint32_t d)
{
    const cli_source *s = r->source;
    weft_device_info device;
    char text[512], note[96];
    weft_program_memory m = weft_program_device_memory(s->programs[0], d);
    weft_backend_info(s->devices.device[d], &device);
    snprintf(text, sizeof text, "device %u: %s (%s)", d, device.name, device.description);
    heading(r, text);
    if (r->md) printf("| what | MiB | |\n|---|---:|---|\n");
    total_row(r, "weights", m.weights, "");
    snprintf(note, sizeof note, "%u tokens", s->plan ? weft_session_plan_desc(s->plan)->context : 0);
    total_row(r, "states", m.states, s->plan ? note : "");
    total_row(r, "constants", m.constants, "");
    for (uint32_t i = 0; i < s->n; i++) {
        const weft_plan *plan = weft_program_plan(s->programs[i]);
        snprintf(text, sizeof text, "%s arena", s->names[i]);
        snprintf(note, sizeof note, "%s%.1f without sharing", i ? "in the same memory; " : "",
                 mib(plan->arena_unshared[d]));
        total_row(r, text, plan->arena_bytes[d], note);
    }
    print_others(r, d);
    uint64_t total = cli_source_bytes(s, d);
    total_row(r, "total", total, "");
    if (device.memory_known)
        total_row(r, "the device has", device.memory, total > device.memory ? "it does NOT fit" : "");
}

/* ---- the arena over time ---- */

static const char *scope_of(const weft_program *p, uint32_t step)
{
    const weft_graph *g = weft_program_graph(p);
    const weft_node *n = weft_graph_node_by_id(g, weft_program_plan(p)->steps[step].node);
    return *n->scope ? n->scope : weft_op_get(n->op)->name;
}

/* Steps first..last: the most that is in use during one of them, as a number and a bar. */
static void print_row(const report *r, const weft_program *p, uint32_t d, uint32_t first, uint32_t last, uint64_t peak)
{
    const weft_plan *plan = weft_program_plan(p);
    uint64_t most = 0;
    char steps[32], bar[BAR + 1];
    for (uint32_t i = first; i <= last; i++) {
        uint64_t live = plan->live[(size_t)d * plan->n_steps + i];
        if (live > most) most = live;
    }
    size_t n = peak ? (size_t)((double)most / (double)peak * BAR + 0.5) : 0;
    memset(bar, '#', n);
    bar[n] = 0;
    if (first == last) snprintf(steps, sizeof steps, "%u", first);
    else snprintf(steps, sizeof steps, "%u-%u", first, last);
    printf(r->md ? "| %s | %.2f | `%-*s` | %.60s |\n" : "  %11s %10.2f |%-*s| %.30s\n", steps, mib(most), BAR, bar,
           scope_of(p, first));
}

/* Steps that may run at the same time hold their memory together: a row each. Layers repeat: of rows [first, first +
 * length * times) only the first `length` are shown. */
typedef struct row_list {
    uint32_t *begin, n; /* the steps at which rows begin; one more entry holds the end */
    uint32_t first, length, times;
} row_list;

static bool find_rows(const weft_plan *plan, row_list *out)
{
    *out = (row_list){ .begin = malloc(((size_t)plan->n_steps + 1) * sizeof *out->begin) };
    if (!out->begin) return false;
    for (uint32_t i = 0; i < plan->n_steps; i++)
        if (!i || !weft_plan_same_group(plan, i - 1, i)) out->begin[out->n++] = i;
    out->begin[out->n] = plan->n_steps;
    return true;
}

/* Two rows: as many steps, the same memory, the first of the same op. */
static bool alike(const weft_program *p, uint32_t d, const row_list *r, uint32_t i, uint32_t k)
{
    uint32_t a = r->begin[i], b = r->begin[k];
    const weft_graph *g = weft_program_graph(p);
    const weft_plan *plan = weft_program_plan(p);
    const uint64_t *live = plan->live + (size_t)d * plan->n_steps;
    return r->begin[i + 1] - a == r->begin[k + 1] - b && live[a] == live[b] &&
           weft_graph_node_by_id(g, plan->steps[a].node)->op == weft_graph_node_by_id(g, plan->steps[b].node)->op;
}

/* The repetition that hides most rows; of those that hide as many the shortest. */
static void find_repetition(const weft_program *p, uint32_t d, row_list *r)
{
    uint32_t hidden = 0;
    for (uint32_t length = 2; length <= MAX_PERIOD; length++)
        for (uint32_t first = 0, same = 0; first + length < r->n; first++) {
            same = alike(p, d, r, first, first + length) ? same + 1 : 0;
            uint32_t hides = same / length * length; /* rows up to first + length repeat those before them */
            if (hides <= hidden) continue;
            hidden = hides;
            r->first = first + 1 - hides;
            r->length = length;
            r->times = hides / length + 1;
        }
}

static void print_rows(const report *r, const weft_program *p, uint32_t d, const row_list *rows, uint64_t peak)
{
    uint32_t behind = rows->first + rows->length * rows->times;
    for (uint32_t i = 0; i < rows->n; i++) {
        print_row(r, p, d, rows->begin[i], rows->begin[i + 1] - 1, peak);
        if (!rows->times || i + 1 != rows->first + rows->length) continue;
        char steps[32];
        snprintf(steps, sizeof steps, "to %u", rows->begin[behind] - 1);
        printf(r->md ? "| %s | | the last %u rows %u times more | |\n"
                     : "  %11s            the last %u rows %u times more\n",
               steps, rows->length, rows->times - 1);
        i = behind - 1;
    }
}

static int print_timeline(const report *r, const weft_program *p, const char *name, uint32_t d)
{
    const weft_plan *plan = weft_program_plan(p);
    uint32_t n = plan->n_steps;
    char text[160];
    row_list rows;
    if (!find_rows(plan, &rows)) return cli_fail("out of memory");
    find_repetition(p, d, &rows);
    uint64_t peak = plan->live[(size_t)d * n + plan->peak_step[d]];
    snprintf(text, sizeof text, "%s program, device %u: the arena during %u steps, most at step %u: %.2f MiB", name, d,
             n, plan->peak_step[d], mib(peak));
    heading(r, text);
    if (r->md) printf("| steps | MiB | | begins in |\n|---|---:|---|---|\n");
    else printf("  %11s %10s  steps on one line may run at the same time\n", "steps", "MiB");
    print_rows(r, p, d, &rows, peak);
    free(rows.begin);
    return 0;
}

/* ---- what lives at the peak ---- */

/* "%16 %17 ...": the other values in the same bytes. */
static void aliases(const weft_plan *plan, weft_ref root, char *out, size_t size)
{
    uint32_t n = 0;
    size_t at = 0;
    *out = 0;
    for (uint32_t i = 1; i < plan->n_slots && at < size; i++) {
        if (plan->slots[i].root.id != root.id || i == root.id) continue;
        if (n++ == MAX_ALIASES) at += (size_t)snprintf(out + at, size - at, " ...");
        if (n > MAX_ALIASES) continue;
        at += (size_t)snprintf(out + at, size - at, "%s%%%u", at ? " " : "", i);
    }
}

static void print_value(const report *r, const weft_program *p, weft_ref v)
{
    const weft_graph *g = weft_program_graph(p);
    const weft_plan *plan = weft_program_plan(p);
    const weft_slot *s = &plan->slots[v.id];
    const weft_node *n = weft_graph_node_by_id(g, weft_graph_value(g, v)->node);
    char others[128], life[48], where[512];
    const char *name = n->name ? n->name : n->scope;
    aliases(plan, v, others, sizeof others);
    snprintf(life, sizeof life, "%u-%u", s->birth, s->death);
    snprintf(where, sizeof where, "%s%s%s", name, *others ? "; also " : "", others);
    if (r->md)
        printf("| %%%u | %.3f | %s | %s | %s | %s |\n", v.id, mib(s->bytes), life, weft_op_get(n->op)->name, name,
               others);
    else
        printf("  %%%-6u %10.3f %-11s %-12s%s%.*s\n", v.id, mib(s->bytes), life, weft_op_get(n->op)->name,
               *where ? " " : "", WHERE, where);
}

static int print_peak(const report *r, const weft_program *p, const char *name, uint32_t d)
{
    const weft_plan *plan = weft_program_plan(p);
    uint32_t peak = plan->peak_step[d];
    weft_ref *live = malloc(((size_t)plan->n_slots + 1) * sizeof *live);
    if (!live) return cli_fail("out of memory");
    uint32_t n = weft_plan_live(plan, d, peak, live);
    char text[128];
    snprintf(text, sizeof text, "%s program, device %u: in use at step %u", name, d, peak);
    heading(r, text);
    if (r->md) printf("| value | MiB | steps | op | where | also |\n|---|---:|---|---|---|---|\n");
    else printf("  %-7s %10s %-11s %-12s %s\n", "value", "MiB", "steps", "op", "where");
    for (uint32_t i = 0; i < n; i++) print_value(r, p, live[i]);
    free(live);
    for (uint32_t i = peak; i < plan->n_steps && weft_plan_same_group(plan, peak, i); i++) {
        const weft_step *s = &plan->steps[i];
        if (s->device != d || !s->scratch_bytes) continue;
        if (r->md) printf("| scratch | %.3f | %u | | %s | |\n", mib(s->scratch_bytes), i, scope_of(p, i));
        else printf("  scratch %10.3f %-11u %-12s %.54s\n", mib(s->scratch_bytes), i, "", scope_of(p, i));
    }
    return 0;
}

/* ---- the command ---- */

static int print_all(const report *r)
{
    const cli_source *s = r->source;
    char hint[256];
    int status = 0;
    printf(r->md ? "# Memory of %s\n" : "%s\n", s->title);
    for (uint32_t d = 0; d < s->devices.n; d++) print_totals(r, d);
    cli_source_hint(s, hint, sizeof hint);
    if (*hint) printf(r->md ? "\n%s\n" : "  %s\n", hint);
    for (uint32_t i = 0; i < s->n && !status; i++)
        for (uint32_t d = 0; d < s->devices.n && !status; d++) {
            const weft_plan *plan = weft_program_plan(s->programs[i]);
            if (!plan->n_steps || !plan->arena_bytes[d]) continue;
            status = print_timeline(r, s->programs[i], s->names[i], d);
            if (!status) status = print_peak(r, s->programs[i], s->names[i], d);
        }
    return status;
}

static int print_json(const report *r)
{
    weft_error err;
    weft_writer w = cli_stdout();
    weft_dump_program d[2];
    weft_dump_desc desc = { .title = r->source->title };
    for (uint32_t i = 0; i < r->source->n; i++)
        d[i] = (weft_dump_program){ .name = r->source->names[i], .program = r->source->programs[i] };
    return weft_program_dump(d, r->source->n, WEFT_DUMP_JSON, &desc, &w, &err) ? cli_report(&err) : 0;
}

static int run_memory(const cli_args *a)
{
    const char *format = cli_text(a, "format", "text");
    cli_source source;
    report r = { &source, !strcmp(format, "md") };
    int status = cli_source_open(a, true, &source);
    if (!status) status = strcmp(format, "json") ? print_all(&r) : print_json(&r);
    cli_source_close(&source);
    return status;
}

const cli_command cli_memory = {
    .name = "memory", .summary = "Shows what a model's programs hold on each device, step by step, without running it",
    .positional = "MODEL", .plans = true, .sources = true, .options = options, .run = run_memory,
};
