/* profile_diff.c: `weft profile --diff`: reads two profiles, joins their nodes and judges the changes. */
#include "tools/profile_diff.h"

#include "graph/layers.h"
#include "tools/page.h"
#include "tools/profile.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_ID = 1 << 24 };
static const double max_seconds = 1e12; /* so that sums and squares of times stay finite */

/* ---- reading ---- */

static int read_document(const char *path, char **text, size_t *n, json_t **out)
{
    json_error_t why;
    *text = cli_read_file(path, n);
    if (!*text) return 1;
    json_t *doc = *out = json_loadb(*text, *n, 0, &why);
    if (!doc) return cli_fail("%s: no JSON: line %d: %s", path, why.line, why.text);
    const char *format = json_string_value(json_object_get(doc, "format"));
    json_t *version = json_object_get(doc, "version");
    if (!format || strcmp(format, "weft-dump")) return cli_fail("%s: this is no profile of weft", path);
    if (!json_is_integer(version) || json_integer_value(version) != 1)
        return cli_fail("%s: of another version of the format; this program reads version 1", path);
    return 0;
}

static json_t *find_named(json_t *list, const char *name)
{
    size_t i;
    json_t *item;
    json_array_foreach(list, i, item) {
        const char *own = json_string_value(json_object_get(item, "name"));
        if (own && !strcmp(own, name)) return item;
    }
    return NULL;
}

static bool is_time(json_t *value)
{
    return json_is_number(value) && json_number_value(value) >= 0 && json_number_value(value) <= max_seconds;
}

static double variance_of(double mad, uint32_t runs)
{
    double e = 1.2533 * 1.4826 * mad;
    uint32_t n = runs < DIFF_MAX_RUNS ? runs : DIFF_MAX_RUNS;
    return n ? e * e / n : 0.0;
}

/* One side's nodes, in the order of steps: op and scope come from the planned stage. */
typedef struct side {
    json_t *profile, *nodes; /* of the profile */
    json_t **planned;        /* by node id */
    json_int_t n_planned;
    diff_row *rows;
    size_t n;
} side;

static json_int_t id_of(json_t *node, const char *key)
{
    json_int_t id = json_integer_value(json_object_get(node, key));
    return id > 0 && id < MAX_ID ? id : 0;
}

static bool index_planned(json_t *program, side *s)
{
    json_t *nodes = json_object_get(find_named(json_object_get(program, "stages"), "planned"), "nodes"), *node;
    size_t i;
    json_array_foreach(nodes, i, node)
        if (id_of(node, "id") >= s->n_planned) s->n_planned = id_of(node, "id") + 1;
    s->planned = calloc((size_t)s->n_planned + 1, sizeof *s->planned);
    if (!s->planned) return false;
    json_array_foreach(nodes, i, node) s->planned[id_of(node, "id")] = node;
    s->planned[0] = NULL;
    return true;
}

static int read_row(const char *path, const side *s, json_t *node, uint32_t at, uint32_t runs, diff_row *out)
{
    json_int_t id = id_of(node, "node");
    json_t *seconds = json_object_get(node, "seconds"), *mad = json_object_get(node, "mad");
    json_t *planned = id < s->n_planned ? s->planned[id] : NULL;
    const char *op = json_string_value(json_object_get(planned, "op"));
    const char *scope = json_string_value(json_object_get(planned, "scope"));
    if (!op || !is_time(seconds) || !is_time(mad))
        return cli_fail("%s: entry %u of a profile's nodes has no time, or names no planned node", path, at);
    *out = (diff_row){ .op = op, .scope = scope ? scope : "" };
    out->node[DIFF_A] = out->node[DIFF_B] = (uint32_t)id;
    out->seconds[DIFF_A] = out->seconds[DIFF_B] = json_number_value(seconds);
    out->variance[DIFF_A] = out->variance[DIFF_B] = variance_of(json_number_value(mad), runs);
    return 0;
}

static int by_key(const void *a, const void *b)
{
    const diff_row *x = a, *y = b;
    int k = strcmp(x->scope, y->scope);
    if (!k) k = strcmp(x->op, y->op);
    return k ? k : (x->ordinal > y->ordinal) - (x->ordinal < y->ordinal);
}

static int read_side(const char *path, json_t *program, side *out)
{
    *out = (side){ .profile = json_object_get(program, "profile") };
    out->nodes = json_object_get(out->profile, "nodes");
    json_t *runs = json_object_get(out->profile, "runs"), *seconds = json_object_get(out->profile, "seconds");
    if (!json_is_array(out->nodes) || json_integer_value(runs) <= 0 || !is_time(json_object_get(seconds, "median")) ||
        !is_time(json_object_get(seconds, "mad")))
        return cli_fail("%s: a profile without nodes, runs or seconds", path);
    out->rows = calloc(json_array_size(out->nodes) + 1, sizeof *out->rows);
    if (!out->rows || !index_planned(program, out)) return cli_fail("%s: out of memory", path);
    for (; out->n < json_array_size(out->nodes); out->n++) {
        diff_row *r = &out->rows[out->n];
        int status = read_row(path, out, json_array_get(out->nodes, out->n), (uint32_t)out->n,
                              (uint32_t)json_integer_value(runs), r);
        if (status) return status;
        r->ordinal = (uint32_t)out->n; /* for now, so that equals keep the order of steps */
    }
    qsort(out->rows, out->n, sizeof *out->rows, by_key);
    for (size_t i = 0, first = 0; i < out->n; i++) {
        const diff_row *r = &out->rows[i], *equal = &out->rows[first];
        if (strcmp(r->scope, equal->scope) || strcmp(r->op, equal->op)) first = i;
        out->rows[i].ordinal = (uint32_t)(i - first);
    }
    return 0;
}

static void close_side(side *s)
{
    free(s->planned);
    free(s->rows);
}

/* ---- joining ---- */

static void judge(diff_row *r, bool known)
{
    r->change = r->in[DIFF_A] && r->in[DIFF_B] ? r->seconds[DIFF_B] - r->seconds[DIFF_A] : 0.0;
    r->noise = 3 * sqrt(r->variance[DIFF_A] + r->variance[DIFF_B]);
    r->counts = known && r->in[DIFF_A] && r->in[DIFF_B] && fabs(r->change) > r->noise;
}

static bool noise_known(const diff_program *p)
{
    return p->runs[DIFF_A] >= DIFF_MIN_RUNS && p->runs[DIFF_B] >= DIFF_MIN_RUNS;
}

static int largest_change_first(const void *a, const void *b)
{
    const diff_row *x = a, *y = b;
    bool both_x = x->in[DIFF_A] && x->in[DIFF_B], both_y = y->in[DIFF_A] && y->in[DIFF_B];
    if (both_x != both_y) return both_x ? -1 : 1;
    if (fabs(x->change) != fabs(y->change)) return fabs(x->change) > fabs(y->change) ? -1 : 1;
    return by_key(a, b);
}

static void join_rows(diff_program *p, const side *a, const side *b)
{
    size_t i = 0, k = 0;
    while (i < a->n || k < b->n) {
        int order = i == a->n ? 1 : k == b->n ? -1 : by_key(&a->rows[i], &b->rows[k]);
        diff_row *r = &p->rows[p->n_rows++];
        *r = order <= 0 ? a->rows[i] : b->rows[k];
        r->in[DIFF_A] = order <= 0;
        r->in[DIFF_B] = order >= 0;
        if (r->in[DIFF_B]) {
            r->node[DIFF_B] = b->rows[k].node[DIFF_B];
            r->seconds[DIFF_B] = b->rows[k].seconds[DIFF_B];
            r->variance[DIFF_B] = b->rows[k].variance[DIFF_B];
        }
        for (int s = 0; s < 2; s++)
            if (!r->in[s]) r->node[s] = 0, r->seconds[s] = r->variance[s] = 0.0;
        i += order <= 0;
        k += order >= 0;
        judge(r, noise_known(p));
    }
    qsort(p->rows, p->n_rows, sizeof *p->rows, largest_change_first);
}

static void join_totals(diff_program *p, const side *sides)
{
    static const char *const names[DIFF_PARTS] = { "nodes", "gaps", "submit", "wait", "host" };
    p->run = (diff_row){ .op = "a run", .scope = "", .in = { true, true } };
    for (int i = 0; i < DIFF_PARTS; i++) p->parts[i] = (diff_row){ .op = names[i], .scope = "", .in = { true, true } };
    for (int s = 0; s < 2; s++) {
        json_t *seconds = json_object_get(sides[s].profile, "seconds");
        json_t *parts = json_object_get(sides[s].profile, "parts");
        p->run.seconds[s] = json_number_value(json_object_get(seconds, "median"));
        p->run.variance[s] = variance_of(json_number_value(json_object_get(seconds, "mad")), p->runs[s]);
        for (int i = 0; i < DIFF_PARTS; i++)
            p->parts[i].seconds[s] = json_number_value(json_object_get(parts, names[i]));
    }
    judge(&p->run, noise_known(p));
    for (int i = 0; i < DIFF_PARTS; i++) judge(&p->parts[i], false);
}

/* A program of A and its namesake. */
static int join_program(diff *d, json_t *a, json_t *b)
{
    side sides[2] = { 0 };
    diff_program *p = &d->programs[d->n];
    int status = read_side(d->path[DIFF_A], a, &sides[DIFF_A]);
    if (!status) status = read_side(d->path[DIFF_B], b, &sides[DIFF_B]);
    if (!status) {
        *p = (diff_program){ .name = json_string_value(json_object_get(a, "name")) };
        d->n++;
        const char *modes[2];
        for (int s = 0; s < 2; s++) {
            p->runs[s] = (uint32_t)json_integer_value(json_object_get(sides[s].profile, "runs"));
            modes[s] = json_string_value(json_object_get(sides[s].profile, "mode"));
        }
        p->rows = calloc(sides[DIFF_A].n + sides[DIFF_B].n + 1, sizeof *p->rows);
        if (!p->rows) status = cli_fail("profile: out of memory");
        else if (!modes[0] || !modes[1] || strcmp(modes[0], modes[1]))
            status = cli_fail("profile: '%s' is %s in %s and %s in %s", p->name, modes[0] ? modes[0] : "?",
                              d->path[DIFF_A], modes[1] ? modes[1] : "?", d->path[DIFF_B]);
    }
    if (!status) {
        join_rows(p, &sides[DIFF_A], &sides[DIFF_B]);
        join_totals(p, sides);
    }
    close_side(&sides[DIFF_A]);
    close_side(&sides[DIFF_B]);
    return status;
}

static bool has_profile(json_t *program)
{
    return json_is_object(json_object_get(program, "profile")) && json_is_string(json_object_get(program, "name"));
}

int diff_open(const char *a, const char *b, diff *out)
{
    *out = (diff){ .path = { a, b } };
    bool any[2] = { false, false };
    for (int s = 0; s < 2; s++) {
        size_t i;
        json_t *program;
        int status = read_document(out->path[s], &out->text[s], &out->size[s], &out->doc[s]);
        if (status) return status;
        json_array_foreach(json_object_get(out->doc[s], "programs"), i, program) any[s] |= has_profile(program);
        if (!any[s]) return cli_fail("%s: there is no profile in it", out->path[s]);
    }
    size_t i;
    json_t *mine, *programs = json_object_get(out->doc[DIFF_B], "programs");
    json_array_foreach(json_object_get(out->doc[DIFF_A], "programs"), i, mine) {
        if (!has_profile(mine) || out->n == DIFF_MAX_PROGRAMS) continue;
        json_t *other = find_named(programs, json_string_value(json_object_get(mine, "name")));
        if (!other || !has_profile(other)) continue;
        int status = join_program(out, mine, other);
        if (status) return status;
    }
    return out->n ? 0 : cli_fail("%s and %s have no program in common", a, b);
}

void diff_close(diff *d)
{
    for (uint32_t i = 0; i < d->n; i++) free(d->programs[i].rows);
    for (int s = 0; s < 2; s++) {
        json_decref(d->doc[s]);
        free(d->text[s]);
    }
    *d = (diff){ 0 };
}

/* ---- the gate ---- */

static bool exceeds(const diff_program *p, const diff_row *r, double fraction)
{
    double limit = fraction * p->run.seconds[DIFF_A];
    if (!r->counts || r->change <= limit) return false;
    cli_fail("%s: %s%s%s takes %.1f us more, %.1f%% of a run; the limit is %.4g%%, the noise %.1f us", p->name, r->op,
             *r->scope ? " " : "", r->scope, 1e6 * r->change, 100 * r->change / p->run.seconds[DIFF_A], 100 * fraction,
             1e6 * r->noise);
    return true;
}

bool diff_exceeds(const diff *d, double fraction)
{
    bool any = false;
    for (uint32_t i = 0; i < d->n; i++) {
        const diff_program *p = &d->programs[i];
        any = exceeds(p, &p->run, fraction) || any;
        for (size_t k = 0; k < p->n_rows; k++) any = exceeds(p, &p->rows[k], fraction) || any;
    }
    return any;
}

/* ---- groups ---- */

static void add_row(diff_row *to, const diff_row *from)
{
    for (int s = 0; s < 2; s++) {
        to->in[s] = to->in[s] || from->in[s];
        to->seconds[s] += from->seconds[s];
        to->variance[s] += from->variance[s];
        to->node[s] = 0;
    }
}

bool diff_group(diff_program *p, bool by_layer)
{
    diff_row *groups = calloc(p->n_rows + 1, sizeof *groups);
    size_t n = 0;
    if (!groups) return false;
    for (size_t i = 0; i < p->n_rows; i++) {
        const diff_row *r = &p->rows[i];
        size_t k = 0, length = weft__layer_key(r->scope);
        for (; k < n; k++) {
            bool same_layer = length ? !strncmp(groups[k].scope, r->scope, length) &&
                                           weft__layer_key(groups[k].scope) == length
                                     : !strcmp(groups[k].scope, r->scope);
            if (by_layer ? same_layer : !strcmp(groups[k].op, r->op)) break;
        }
        if (k == n) {
            groups[n++] = *r;
            groups[k].ordinal = 0;
        } else add_row(&groups[k], r);
        if (by_layer) groups[k].op = "";
        else groups[k].scope = "";
    }
    free(p->rows);
    p->rows = groups;
    p->n_rows = n;
    for (size_t k = 0; k < n; k++) judge(&groups[k], noise_known(p));
    qsort(groups, n, sizeof *groups, largest_change_first);
    return true;
}

/* ---- the command ---- */

static weft_status print(const cli_args *a, const diff *d, const weft_writer *w, weft_error *err)
{
    const char *format = cli_text(a, "format", "text");
    if (strcmp(format, "json")) return diff_print_text(d, cli_u32(a, "top", 0), !strcmp(format, "md"), w, err);
    json_t *j = diff_json(d);
    char *text = json_dumps(j, JSON_INDENT(1) | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(9));
    bool ok = text && weft_writef(w, "%s\n", text);
    free(text);
    json_decref(j);
    return ok ? WEFT_OK : WEFT_OOM_FAIL(err, "a comparison");
}

static int group_all(diff *d, const char *by)
{
    bool ok = true;
    if (!strcmp(by, "shape")) return cli_misuse("--by shape: a comparison is by node, op or layer");
    for (uint32_t i = 0; i < d->n && strcmp(by, "node"); i++)
        ok = ok && diff_group(&d->programs[i], !strcmp(by, "layer"));
    return ok ? 0 : cli_fail("profile: out of memory");
}

/* Without a measure of noise nothing could ever fail. */
static int check_runs(const diff *d)
{
    for (uint32_t i = 0; i < d->n; i++)
        for (int s = 0; s < 2; s++)
            if (d->programs[i].runs[s] < DIFF_MIN_RUNS)
                return cli_misuse("--fail-above: '%s' of %s has %u runs; the noise is known from %d on",
                                  d->programs[i].name, d->path[s], d->programs[i].runs[s], DIFF_MIN_RUNS);
    return 0;
}

int profile_diff(const cli_args *a)
{
    weft_error err;
    diff d;
    weft_text text = { 0 };
    weft_writer w = weft_text_writer(&text);
    bool gate = cli_has(a, "fail-above"), failed = false;
    if (!strcmp(cli_text(a, "format", "text"), "perfetto"))
        return cli_misuse("--diff: there is no trace of two profiles");
    bool html = !strcmp(cli_text(a, "format", "text"), "html");
    int status = diff_open(cli_text(a, "diff", ""), a->model, &d);
    if (!status && gate) status = check_runs(&d);
    if (!status && gate) failed = diff_exceeds(&d, (double)cli_f32(a, "fail-above", 0) / 100);
    if (!status) status = group_all(&d, cli_text(a, "by", "node"));
    if (!status && !html && print(a, &d, &w, &err)) status = cli_report(&err);
    if (!status && html)
        status = cli_page_write("weft profile --diff", d.text[DIFF_A], d.size[DIFF_A], d.text[DIFF_B], d.size[DIFF_B],
                                cli_text(a, "output", NULL));
    else if (!status) status = cli_write_file(cli_text(a, "output", "-"), text.data, text.size);
    diff_close(&d);
    weft_text_free(&text);
    return status ? status : failed;
}
