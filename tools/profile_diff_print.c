/* profile_diff_print.c: a comparison of two profiles as text, Markdown and JSON. */
#include "tools/profile_diff.h"

#include <string.h>

enum { COLUMNS = 100 };

typedef struct printer {
    const weft_writer *w;
    bool markdown;
} printer;

/* "linear ..layers.3.mlp.dense #2": of a scope that is too long for the room the end. */
static void row_name(const diff_row *r, int room, char *buf, size_t size)
{
    char number[16] = "";
    if (r->ordinal) snprintf(number, sizeof number, " #%u", r->ordinal + 1);
    const char *scope = *r->op || *r->scope ? r->scope : "(outside of layers)", *blank = *r->op && *scope ? " " : "";
    int length = (int)strlen(scope), rest = room - (int)(strlen(r->op) + strlen(blank) + strlen(number));
    if (length <= rest) snprintf(buf, size, "%s%s%s%s", r->op, blank, scope, number);
    else if (rest > 2) snprintf(buf, size, "%s%s..%s%s", r->op, blank, scope + length - (rest - 2), number);
    else snprintf(buf, size, "%.*s", room > 0 ? room : 0, r->op);
}

static bool print_row(const printer *p, const diff_row *r)
{
    char line[200], name[400], percent[32] = "", noise[32] = "", a[32] = "-", b[32] = "-", change[32] = "-";
    bool both = r->in[DIFF_A] && r->in[DIFF_B];
    if (r->in[DIFF_A]) snprintf(a, sizeof a, "%.1f", 1e6 * r->seconds[DIFF_A]);
    if (r->in[DIFF_B]) snprintf(b, sizeof b, "%.1f", 1e6 * r->seconds[DIFF_B]);
    if (both) snprintf(change, sizeof change, "%+.1f", 1e6 * r->change);
    if (both && r->seconds[DIFF_A] > 0)
        snprintf(percent, sizeof percent, "%+.1f%%", 100 * r->change / r->seconds[DIFF_A]);
    if (both && r->noise > 0) snprintf(noise, sizeof noise, "%.1f", 1e6 * r->noise);
    int n = snprintf(line, sizeof line,
                     p->markdown ? "| %s | %s | %s | %s | %s | %s | " : "%10s %10s %10s %8s %9s %-6s ", a, b, change,
                     percent, noise, r->counts ? r->change > 0 ? "slower" : "faster" : "");
    const char *end = p->markdown ? " |" : "";
    row_name(r, COLUMNS - n - (int)strlen(end), name, sizeof name);
    for (char *at = name; p->markdown && (at = strchr(at, '|')); at++) *at = '/'; /* it would end the cell */
    return weft_writef(p->w, "%s%s%s\n", line, name, end);
}

static void add(diff_row *sum, const diff_row *r)
{
    for (int s = 0; s < 2; s++) sum->seconds[s] += r->seconds[s];
}

/* Rows up to `top`, then what was left out, then the sums. */
static bool print_rows(const printer *p, const diff_program *d, uint32_t top)
{
    diff_row rest = { .op = "(the others)", .scope = "", .in = { true, true } };
    diff_row only[2] = { { .op = "all that is in A alone", .scope = "", .in = { true, false } },
                         { .op = "all that is in B alone", .scope = "", .in = { false, true } } };
    bool ok = true, left_out = false, alone[2] = { false, false };
    for (size_t i = 0; i < d->n_rows && ok; i++) {
        const diff_row *r = &d->rows[i];
        bool both = r->in[DIFF_A] && r->in[DIFF_B];
        if (!both) add(&only[r->in[DIFF_A] ? 0 : 1], r);
        if (!both) alone[r->in[DIFF_A] ? 0 : 1] = true;
        if (!top || i < top) ok = print_row(p, r);
        else if (both) {
            add(&rest, r);
            left_out = true;
        }
    }
    rest.change = rest.seconds[DIFF_B] - rest.seconds[DIFF_A];
    if (left_out) ok = ok && print_row(p, &rest);
    for (int s = 0; s < 2; s++)
        if (alone[s]) ok = ok && print_row(p, &only[s]);
    for (int i = 0; i < DIFF_PARTS; i++) ok = ok && print_row(p, &d->parts[i]);
    return ok && print_row(p, &d->run);
}

static const char *text_of(const json_t *doc, const char *key)
{
    const char *s = json_string_value(json_object_get(doc, key));
    return s ? s : "?";
}

static const char *device_of(const json_t *doc)
{
    return text_of(json_array_get(json_object_get(doc, "devices"), 0), "description");
}

static json_int_t extent_value(const json_t *doc, const char *program, size_t i, const char **name)
{
    size_t k;
    json_t *p;
    json_array_foreach(json_object_get(doc, "programs"), k, p) {
        if (strcmp(text_of(p, "name"), program)) continue;
        json_t *e = json_array_get(json_object_get(p, "extents"), i);
        *name = json_string_value(json_object_get(e, "name"));
        return json_integer_value(json_object_get(e, "value"));
    }
    return 0;
}

static json_t *warnings_of(const json_t *doc, const char *program)
{
    size_t k;
    json_t *p;
    json_array_foreach(json_object_get(doc, "programs"), k, p)
        if (!strcmp(text_of(p, "name"), program))
            return json_object_get(json_object_get(json_object_get(p, "profile"), "conditions"), "warnings");
    return NULL;
}

/* What the measurements themselves say against them. */
static bool print_warnings(const printer *p, const diff *d, const diff_program *program)
{
    bool ok = true;
    for (int s = 0; s < 2; s++) {
        size_t i;
        json_t *w;
        json_array_foreach(warnings_of(d->doc[s], program->name), i, w)
            ok = ok && weft_writef(p->w, "%swarning: while %c was measured %.80s\n", p->markdown ? "- " : "", 'A' + s,
                                   json_string_value(w) ? json_string_value(w) : "?");
    }
    return ok;
}

/* What makes the two hard to compare. */
static bool print_notes(const printer *p, const diff *d, const diff_program *program)
{
    const char *before = p->markdown ? "- " : "";
    bool ok = print_warnings(p, d, program);
    if (strcmp(device_of(d->doc[DIFF_A]), device_of(d->doc[DIFF_B])))
        ok = ok && weft_writef(p->w, "%sthe devices differ: %.36s and %.36s\n", before, device_of(d->doc[DIFF_A]),
                               device_of(d->doc[DIFF_B]));
    for (size_t i = 0;; i++) {
        const char *a = NULL, *b = NULL;
        json_int_t x = extent_value(d->doc[DIFF_A], program->name, i, &a);
        json_int_t y = extent_value(d->doc[DIFF_B], program->name, i, &b);
        if (!a || !b) return ok;
        if (!strcmp(a, b) && x != y)
            ok = ok && weft_writef(p->w, "%sthe sizes differ: %.40s %lld and %lld\n", before, a, (long long)x,
                                   (long long)y);
    }
}

weft_status diff_print_text(const diff *d, uint32_t top, bool markdown, const weft_writer *w, weft_error *err)
{
    printer p = { w, markdown };
    const char *before = markdown ? "- " : "";
    bool ok = weft_writef(w, "%sA: %.90s\n%sB: %.90s\n", before, d->path[DIFF_A], before, d->path[DIFF_B]);
    for (uint32_t i = 0; i < d->n && ok; i++) {
        const diff_program *program = &d->programs[i];
        ok = weft_writef(w, markdown ? "\n### %s: %u runs and %u\n" : "\n%s: %u runs and %u\n", program->name,
                         program->runs[DIFF_A], program->runs[DIFF_B]) &&
             print_notes(&p, d, program) &&
             weft_writef(w, markdown ? "\n| A us | B us | change | | noise | | node |\n"
                                       "|---:|---:|---:|---:|---:|:---|:---|\n"
                                     : "\n      A us       B us     change              noise        node\n") &&
             print_rows(&p, program, top);
    }
    return ok ? WEFT_OK : WEFT_FAIL(err, WEFT_IO, "the comparison could not be written");
}

/* ---- JSON ---- */

static json_t *row_json(const diff_row *r)
{
    json_t *j = json_object();
    if (*r->op) json_object_set_new(j, "op", json_string(r->op));
    json_object_set_new(j, "scope", json_string(r->scope));
    json_object_set_new(j, "ordinal", json_integer(r->ordinal));
    static const char *const nodes[] = { "node_a", "node_b" }, *const seconds[] = { "a", "b" };
    for (int s = 0; s < 2; s++) {
        json_object_set_new(j, nodes[s], r->in[s] && r->node[s] ? json_integer(r->node[s]) : json_null());
        json_object_set_new(j, seconds[s], r->in[s] ? json_real(r->seconds[s]) : json_null());
    }
    bool both = r->in[DIFF_A] && r->in[DIFF_B];
    json_object_set_new(j, "change", both ? json_real(r->change) : json_null());
    json_object_set_new(j, "noise", both ? json_real(r->noise) : json_null());
    json_object_set_new(j, "counts", json_boolean(r->counts));
    return j;
}

static json_t *warnings_json(const diff *d, const diff_program *p, int side)
{
    json_t *w = warnings_of(d->doc[side], p->name);
    return json_is_array(w) ? json_incref(w) : json_array();
}

json_t *diff_json(const diff *d)
{
    json_t *programs = json_array();
    for (uint32_t i = 0; i < d->n; i++) {
        const diff_program *p = &d->programs[i];
        json_t *nodes = json_array(), *parts = json_object();
        for (size_t k = 0; k < p->n_rows; k++) json_array_append_new(nodes, row_json(&p->rows[k]));
        for (int k = 0; k < DIFF_PARTS; k++)
            json_object_set_new(parts, p->parts[k].op, json_pack("{s:f, s:f}", "a", p->parts[k].seconds[DIFF_A], "b",
                                                                 p->parts[k].seconds[DIFF_B]));
        json_array_append_new(programs, json_pack("{s:s, s:[i,i], s:{s:f, s:f, s:f, s:f, s:b}, s:{s:o, s:o}, s:o, s:o}",
                                                  "name", p->name, "runs", (int)p->runs[DIFF_A], (int)p->runs[DIFF_B],
                                                  "seconds", "a", p->run.seconds[DIFF_A], "b", p->run.seconds[DIFF_B],
                                                  "change", p->run.change, "noise", p->run.noise, "counts",
                                                  (int)p->run.counts, "warnings", "a", warnings_json(d, p, DIFF_A), "b",
                                                  warnings_json(d, p, DIFF_B), "parts", parts, "nodes", nodes));
    }
    return json_pack("{s:s, s:i, s:o, s:o, s:o}", "format", "weft-profile-diff", "version", 1, "a",
                     cli_json_text(d->path[DIFF_A]), "b", cli_json_text(d->path[DIFF_B]), "programs", programs);
}
