/* follow.c: see follow.h. */
#include "models/follow.h"

#include "graph/attr.h"
#include "graph/lookup.h"
#include "graph/same.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_KEYS = 256, ENOUGH = 2, MAX_TRIALS = 1024, MAX_NODES = 600000 }; /* of all trials */

static void *alloc(weft__follows *x, size_t n, size_t size)
{
    void *p = x->failed ? NULL : weft__arena_alloc(x->probe.arena, n ? n : 1, size);
    if (!p) x->failed = true;
    return p;
}

/* ---- keys ---- */

static weft__follow *find(weft__follows *x, const char *key, size_t n)
{
    for (uint32_t i = 0; i < x->n; i++)
        if (!strncmp(x->at[i].key, key, n) && !x->at[i].key[n]) return &x->at[i];
    return NULL;
}

static bool is_there(const weft__asked *a)
{
    return a->told ? a->found : a->as_number > 0 || a->as_text > 0;
}

/* Entries key.0, key.1 .. up to the one that is not there. */
static uint32_t entries(const weft__follows *x, const char *key, size_t length)
{
    uint32_t n = 0, entry;
    for (bool more = true; more;) {
        more = false;
        for (size_t i = 0; !more && i < x->probe.n_asked; i++) {
            const weft__asked *a = &x->probe.asked[i];
            bool its = weft__list_key(a->key, &entry) == length && !strncmp(a->key, key, length);
            more = its && entry == n && is_there(a);
        }
        n += more;
    }
    return n;
}

static void read_list(weft__follows *x, weft__follow *f, uint32_t n)
{
    double *numbers = alloc(x, n, sizeof *numbers);
    const char **words = alloc(x, n, sizeof *words);
    uint32_t entry;
    const size_t length = strlen(f->key);
    for (size_t i = 0; numbers && words && i < x->probe.n_asked; i++) {
        const weft__asked *a = &x->probe.asked[i];
        if (weft__list_key(a->key, &entry) != length || strncmp(a->key, f->key, length) != 0 || entry >= n) continue;
        numbers[entry] = a->number;
        words[entry] = a->text;
    }
    if (x->failed) return;
    f->list = (weft__param_list){ words[0] ? words : NULL, words[0] ? NULL : numbers, n };
    f->text = words[0] != NULL;
    for (uint32_t i = 0; i < n; i++) /* one of texts and numbers is none that can be followed */
        if (!words[i] != !words[0]) f->verdict = FOLLOW_NEEDED;
}

static char *copy_part(weft__follows *x, const char *key, size_t n)
{
    char *copy = alloc(x, n + 1, 1);
    if (copy) memcpy(copy, key, n);
    return copy;
}

/* One of a list's entries stands for the list. */
static void add_key(weft__follows *x, const weft__asked *a)
{
    uint32_t entry;
    size_t length = weft__list_key(a->key, &entry);
    weft__follow *f = length ? find(x, a->key, length) : NULL;
    if (f && f->is_list && entry < f->list.n) return;
    const uint32_t n = length ? entries(x, a->key, length) : 0;
    if (!n) f = find(x, a->key, strlen(a->key));
    if (f && n && !f->is_list) *f = (weft__follow){ .key = f->key, .is_list = true, .found = true, .told = true };
    if (f && (!n || f->list.n)) return;
    if (!f && x->n == MAX_KEYS) x->crowded = true;
    if (!f && x->crowded) return;
    if (!f) f = &x->at[x->n++];
    *f = (weft__follow){ .key = n ? copy_part(x, a->key, length) : a->key, .is_list = n != 0, .told = a->told || n,
                         .found = n || is_there(a), .truth = a->truth, .number = a->number, .word = a->text };
    f->text = a->text != NULL;
    weft_act act;
    f->act = f->text && weft__act_named(a->text, &act);
    if (n) read_list(x, f, n);
}

/* A group, such as the list itself, that was looked for as a number: what is in it counts. */
static bool is_group(const weft__asked *a)
{
    return !a->told && (a->as_number == -1 || a->as_text == -1) && a->as_number <= 0 && a->as_text <= 0;
}

static bool has_entries(const weft__follows *x, const char *key)
{
    const size_t n = strlen(key);
    for (size_t i = 0; i < x->probe.n_asked; i++)
        if (!strncmp(x->probe.asked[i].key, key, n) && !strcmp(x->probe.asked[i].key + n, ".0")) return true;
    return false;
}

static void add_keys(weft__follows *x)
{
    x->at = alloc(x, MAX_KEYS, sizeof *x->at);
    for (size_t i = 0; !x->failed && i < x->probe.n_asked; i++) {
        const weft__asked *a = &x->probe.asked[i];
        uint32_t entry;
        bool beyond = weft__list_key(a->key, &entry) && entry && !is_there(a); /* the end of a list */
        if (!is_group(a) && !beyond && !has_entries(x, a->key)) add_key(x, a);
    }
    x->crowded = x->crowded || x->n == MAX_KEYS;
    if (!x->failed && !x->crowded)
        x->at[x->n++] = (weft__follow){ .key = WEFT__SESSION_CONTEXT, .found = true, .told = true,
                                        .number = x->probe.m->info.context };
}

/* ---- trials ---- */

typedef enum outcome { REFUSED, OTHER, JOINED } outcome;

static bool grow_values(weft__follows *x, uint32_t m, uint32_t sample)
{
    weft__param *p = &x->params[m];
    if (sample >= MAX_TRIALS) return false;
    if (p->numbers) return true;
    p->numbers = alloc(x, MAX_TRIALS, sizeof *p->numbers);
    p->words = alloc(x, MAX_TRIALS, sizeof *p->words);
    p->lists = alloc(x, MAX_TRIALS, sizeof *p->lists);
    p->given = x->given[m] = alloc(x, MAX_TRIALS, sizeof **x->given);
    return !x->failed;
}

static const weft__said *said_of(const weft__trial *t, const char *key)
{
    for (uint32_t i = t->n_said; i--;)
        if (!strcmp(t->said[i].key, key)) return &t->said[i];
    return NULL;
}

static const char *act_word(const char *name)
{
    weft_act act;
    return name && weft__act_named(name, &act) ? weft__act_name(act) : "?";
}

/* What each key was in a sample. */
static void note_values(weft__follows *x, const weft__trial *t)
{
    for (uint32_t m = 0; m < x->n && !x->failed; m++) {
        const weft__follow *f = &x->at[m];
        weft__param *p = &x->params[m];
        if (!grow_values(x, m, t->sample)) return;
        const weft__asked *a = weft__probe_asked(&x->probe, f->key);
        const weft__said *s = said_of(t, f->key);
        const bool absent = s && s->kind == SAID_ABSENT;
        const bool told = a && a->told && (!s || absent);
        const char *word = told && a->text ? a->text : s && !absent ? s->text : f->word;
        ((double *)(uintptr_t)p->numbers)[t->sample] = told ? a->number : s ? s->number : f->number;
        ((const char **)(uintptr_t)p->words)[t->sample] = f->act ? act_word(word) : "";
        ((weft__param_list *)(uintptr_t)p->lists)[t->sample] =
            s && s->kind == SAID_LIST ? (weft__param_list){ s->texts, s->numbers, s->n } : f->list;
        x->given[m][t->sample] = s ? !absent : a && a->told ? a->found : f->found;
    }
}

/* No more is tried. */
static bool is_enough(const weft__follows *x)
{
    return x->failed || x->n_trials + 1 >= MAX_TRIALS || x->n_nodes > MAX_NODES;
}

/* The graph of what is said, which the text is held against. NULL: it is refused, or enough was tried. */
static weft__trial *build_trial(weft__follows *x, const weft__said *said, uint32_t n, int32_t changed)
{
    weft_error err;
    weft__trial t = { .n_said = n, .changed = changed };
    if (is_enough(x)) return NULL;
    t.said = alloc(x, n, sizeof *t.said);
    if (x->failed || !weft__grow(&x->trials, &x->trial_cap, x->n_trials + 1, sizeof *x->trials)) {
        x->failed = true;
        return NULL;
    }
    if (n) memcpy(t.said, said, n * sizeof *said);
    x->probe.said = t.said;
    x->probe.n_said = n;
    if (weft__probe_build(&x->probe, NULL, &t.graph, &err)) {
        x->failed = x->failed || err.status == WEFT_OOM;
        return NULL;
    }
    x->n_nodes += weft_graph_node_count(t.graph);
    x->trials[x->n_trials] = t;
    return &x->trials[x->n_trials++];
}

/* The last trial becomes a sample, if it has the same statements. */
static outcome join(weft__follows *x, weft__trial *t, uint32_t like)
{
    t->sample = weft__general_add(&x->general, t->graph, like, t->changed);
    x->failed = x->failed || x->general.fold.failed;
    if (t->sample) note_values(x, t);
    return t->sample ? JOINED : OTHER;
}

static outcome add_trial(weft__follows *x, const weft__said *said, uint32_t n, uint32_t like, int32_t changed)
{
    weft__trial *t = build_trial(x, said, n, changed);
    return t ? join(x, t, like) : REFUSED;
}

/* A list as long as another number of layers needs. */
static weft__said resized(weft__follows *x, const weft__follow *f, uint32_t n)
{
    weft__said s = { .key = f->key, .kind = SAID_LIST, .n = n };
    double *numbers = alloc(x, n, sizeof *numbers);
    const char **words = alloc(x, n, sizeof *words);
    for (uint32_t i = 0; numbers && words && i < n; i++) {
        if (f->list.numbers) numbers[i] = f->list.numbers[i % f->list.n];
        if (f->list.words) words[i] = f->list.words[i % f->list.n];
    }
    s.numbers = f->list.numbers ? numbers : NULL;
    s.texts = f->list.words ? words : NULL;
    return s;
}

enum { MOST_SAID = 64 };

/* A number instead of a key's own; and, if `lists`, lists that are as long as it as long as that. */
static uint32_t say_number(weft__follows *x, const weft__follow *f, double v, bool lists, weft__said said[MOST_SAID],
                           uint32_t n)
{
    if (n + 1 < MOST_SAID) said[n++] = (weft__said){ .key = f->key, .kind = SAID_NUMBER, .number = v };
    for (uint32_t m = 0; lists && m < x->n && n + 1 < MOST_SAID; m++)
        if (x->at[m].is_list && (double)x->at[m].list.n == f->number && v >= 1 && v <= 4096)
            said[n++] = resized(x, &x->at[m], (uint32_t)v);
    return n;
}

static outcome try_value(weft__follows *x, uint32_t m, const weft__said *value)
{
    weft__said said[MOST_SAID];
    weft__follow *f = &x->at[m];
    uint32_t n = 0;
    said[n++] = *value;
    outcome o = add_trial(x, said, n, 0, (int32_t)m);
    if (o == REFUSED && value->kind == SAID_NUMBER) {
        n = say_number(x, f, value->number, true, said, 0);
        if (n > 1) o = add_trial(x, said, n, 0, (int32_t)m);
        f->lists = f->lists || o == JOINED;
    }
    if (o == JOINED && f->n_other < ENOUGH) f->other[f->n_other++] = *value;
    f->joined += o == JOINED;
    return o;
}

/* ---- numbers ---- */

/* The graph of that alone; NULL: it is refused, or failed. */
static weft_graph *build_with(weft__follows *x, const weft__said *value)
{
    weft_graph *g;
    weft_error err;
    x->probe.said = value;
    x->probe.n_said = 1;
    if (!x->failed && weft__probe_build(&x->probe, NULL, &g, &err) == WEFT_OK) return g;
    x->failed = x->failed || err.status == WEFT_OOM;
    return NULL;
}

static bool builds(weft__follows *x, const weft__said *value)
{
    weft_graph *g = build_with(x, value);
    weft_graph_destroy(g);
    return g != NULL;
}

/* Whether a fraction will do. */
static bool is_whole(weft__follows *x, const weft__follow *f)
{
    const double ways[] = { f->number + 0.5, f->number * 0.75 + 0.125, f->number - 0.5 };
    if (f->number != floor(f->number)) return false;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
        if (ways[i] > 0 && builds(x, &(weft__said){ .key = f->key, .number = ways[i] })) return false;
    return true;
}

static uint32_t alternatives(const weft__follow *f, bool whole, double out[16])
{
    const double v = f->number, half = floor(v / 2);
    const double even = v == 2 * half ? half : 0;
    const double wholes[] = { 2 * v, even, v + 1, 3 * v, v - 1, v + 2, 4 * v, 1, floor(v / 4), 3, 64 };
    const double reals[] = { 2 * v, v / 2, 3 * v, v / 4, v * 1.5, v + 1, 0.5, 8 };
    const double *from = whole ? wholes : reals;
    const uint32_t n = whole ? sizeof wholes / sizeof *wholes : sizeof reals / sizeof *reals;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < n; i++) {
        bool known = from[i] == v || from[i] <= 0;
        for (uint32_t k = 0; k < kept; k++) known = known || out[k] == from[i];
        if (!known) out[kept++] = from[i];
    }
    return kept;
}

/* A session's length is tried at its least, too. */
static uint32_t lengths(const weft__follow *f, double out[16])
{
    out[0] = f->number > 1 ? 1 : 2;
    out[1] = 2 * f->number;
    return 2;
}

static void try_number(weft__follows *x, uint32_t m)
{
    double values[16];
    weft__follow *f = &x->at[m];
    const bool session = !strcmp(f->key, WEFT__SESSION_CONTEXT), whole = session || is_whole(x, f);
    const uint32_t n = session ? lengths(f, values) : alternatives(f, whole, values);
    x->params[m].kind = whole ? PARAM_WHOLE : PARAM_FLOAT;
    f->verdict = FOLLOW_NEEDED;
    for (uint32_t i = 0; i < n && f->joined < ENOUGH && !x->failed; i++)
        (void)try_value(x, m, &(weft__said){ .key = f->key, .kind = SAID_NUMBER, .number = values[i] });
    if (f->joined) f->verdict = FOLLOW_PARAM;
}

/* ---- the others ---- */

/* Whether the graph is the same with another value; false, too, if that is refused. */
static bool is_idle(weft__follows *x, const weft__said *value)
{
    weft_error err;
    weft_graph *g = build_with(x, value);
    weft_status same = g ? weft__graph_same(x->trials[0].graph, g, &err) : WEFT_INVALID;
    x->failed = x->failed || same == WEFT_OOM;
    weft_graph_destroy(g);
    return same == WEFT_OK;
}

static void try_word(weft__follows *x, uint32_t m)
{
    static const char *const acts[] = { "silu", "relu", "gelu", "gelu_new", "gelu_pytorch_tanh", "relu2", "tanh" };
    weft__follow *f = &x->at[m];
    x->params[m].kind = PARAM_WORD;
    f->verdict = FOLLOW_NEEDED;
    for (size_t i = 0; f->act && i < sizeof acts / sizeof *acts; i++) /* all: some definitions take one for another */
        if (strcmp(f->word, acts[i]) != 0)
            (void)try_value(x, m, &(weft__said){ .key = f->key, .kind = SAID_TEXT, .text = acts[i] });
    if (f->joined) f->verdict = FOLLOW_PARAM;
}

/* A list of which entry i is entry `from`. False: it is so already. */
static bool set_entry(weft__said *s, const weft__follow *f, uint32_t i, uint32_t from)
{
    const weft__param_list *l = &f->list;
    if (s->numbers) ((double *)(uintptr_t)s->numbers)[i] = l->numbers[from];
    if (s->texts) ((const char **)(uintptr_t)s->texts)[i] = l->words[from];
    return s->numbers ? l->numbers[i] != l->numbers[from] : strcmp(l->words[i], l->words[from]) != 0;
}

static bool is_uniform(const weft__follow *f)
{
    for (uint32_t i = 1; i < f->list.n; i++)
        if (strcmp(f->list.words[i], f->list.words[0]) != 0) return false;
    return true;
}

/* A list with its entries but the first in the other order, or with one that is like the one before it. */
static void try_list(weft__follows *x, uint32_t m)
{
    weft__follow *f = &x->at[m];
    weft__said s = resized(x, f, f->list.n);
    bool differs = false;
    x->params[m].kind = PARAM_LIST;
    if (f->verdict == FOLLOW_NEEDED || x->failed) return;
    for (uint32_t i = 1; i < f->list.n; i++) differs = set_entry(&s, f, i, f->list.n - i) || differs;
    f->verdict = FOLLOW_NEEDED;
    if (differs) (void)try_value(x, m, &s);
    for (uint32_t i = 1; i < f->list.n && !f->joined && !x->failed; i++) {
        s = resized(x, f, f->list.n);
        if (set_entry(&s, f, i, i - 1)) (void)try_value(x, m, &s);
    }
    x->params[m].idle = f->text && is_uniform(f); /* of one word: another is refused */
    if (f->joined || x->params[m].idle) f->verdict = FOLLOW_PARAM;
}

static void try_key(weft__follows *x, uint32_t m)
{
    weft__follow *f = &x->at[m];
    const weft__said one = { .key = f->key, .kind = SAID_NUMBER, .number = f->truth ? f->number == 0 : 1 };
    if (f->is_list) {
        try_list(x, m);
    } else if (!f->told && !f->found) { /* what it would be is not known */
        f->verdict = is_idle(x, &one) ? FOLLOW_NOTHING : FOLLOW_NEEDED;
    } else if (f->text) {
        try_word(x, m);
    } else if (f->truth) {
        f->verdict = is_idle(x, &one) ? FOLLOW_NOTHING : FOLLOW_NEEDED;
    } else {
        try_number(x, m);
    }
    if (f->verdict != FOLLOW_PARAM) x->params[m].literal = true;
}

/* The sample in which a key alone is this. */
static uint32_t alone(const weft__follows *x, uint32_t m, const weft__said *s)
{
    for (size_t i = 0; i < x->n_trials; i++) {
        const weft__trial *t = &x->trials[i];
        if (t->changed == (int32_t)m && t->sample && t->said[0].kind == s->kind && t->said[0].number == s->number &&
            t->said[0].text == s->text)
            return t->sample;
    }
    return 0;
}

/* ---- absence ---- */

static bool may_be_absent(const weft__follow *f)
{
    return f->verdict == FOLLOW_PARAM && f->found && strcmp(f->key, WEFT__SESSION_CONTEXT) != 0;
}

/* A configuration that has the key not, as others of the architecture may. */
static void try_absent(weft__follows *x, uint32_t m)
{
    weft__follow *f = &x->at[m];
    const weft__said none = { .key = f->key, .kind = SAID_ABSENT };
    if (is_enough(x)) f->absence = ABSENT_OTHER; /* for all that is known */
    weft__trial *t = build_trial(x, &none, 1, (int32_t)m);
    if (!t) return;
    const weft__asked *a = weft__probe_asked(&x->probe, f->key);
    const bool none_of_it = !a || !a->told || (!a->text && a->number <= 0); /* such as no window */
    f->absence = ABSENT_OTHER;
    if (f->is_list || none_of_it || join(x, t, 0) != JOINED) return;
    f->absence = ABSENT_SAME;
    f->word_absent = a->text;
}

/* The same where one of the others is another: what is taken instead may follow that. */
static void try_absent_beside(weft__follows *x, uint32_t m)
{
    const weft__said none = { .key = x->at[m].key, .kind = SAID_ABSENT };
    const uint32_t like = alone(x, m, &none);
    for (uint32_t k = 0; k < x->n && x->at[m].absence == ABSENT_SAME; k++) {
        const weft__follow *f = &x->at[k];
        for (uint32_t i = 0; k != m && f->verdict == FOLLOW_PARAM && i < f->n_other; i++) {
            weft__said said[MOST_SAID] = { none };
            uint32_t n = 1;
            if (f->other[i].kind == SAID_NUMBER) n = say_number(x, f, f->other[i].number, f->lists, said, n);
            else said[n++] = f->other[i];
            (void)add_trial(x, said, n, like, (int32_t)k);
        }
    }
}

/* One key after the other is changed, so that each is seen where others are different, too: `backwards` from the last
 * key on, with its other value. */
static void try_together(weft__follows *x, bool backwards)
{
    weft__said said[MOST_SAID];
    uint32_t n = 0, like = 0;
    for (uint32_t i = 0; i < x->n && !x->failed; i++) {
        const uint32_t m = backwards ? x->n - 1 - i : i;
        const weft__follow *f = &x->at[m];
        if (f->verdict != FOLLOW_PARAM || !f->n_other) continue;
        const weft__said *s = &f->other[backwards && f->n_other > 1];
        uint32_t more = n;
        if (s->kind == SAID_NUMBER) more = say_number(x, f, s->number, f->lists, said, n);
        else if (n + 1 < MOST_SAID) said[more++] = *s;
        if (!like && !n) n = more; /* it alone was tried */
        else if (add_trial(x, said, more, like, (int32_t)m) == JOINED) {
            like = x->trials[x->n_trials - 1].sample;
            n = more;
        }
        if (!like) like = alone(x, m, s);
    }
}

/* ---- all of it ---- */

static weft_status begin(weft__follows *x, weft_error *err)
{
    weft__trial t = { .changed = -2 };
    WEFT_TRY(weft__probe_build(&x->probe, NULL, &t.graph, err));
    if (!weft__grow(&x->trials, &x->trial_cap, 1, sizeof *x->trials)) {
        weft_graph_destroy(t.graph);
        return WEFT_OOM_FAIL(err, "a model's text");
    }
    x->trials[x->n_trials++] = t;
    add_keys(x);
    if (x->crowded)
        return WEFT_FAIL(err, WEFT_LIMIT, "%s: more than %d keys are asked for, a text follows no more",
                         x->probe.m->path, MAX_KEYS - 1);
    x->params = alloc(x, x->n, sizeof *x->params);
    x->given = alloc(x, x->n, sizeof *x->given);
    if (!x->failed) note_values(x, &x->trials[0]);
    if (!weft__general_begin(&x->general, x->probe.arena, t.graph) && !x->general.fold.failed)
        return WEFT_FAIL(err, WEFT_INTERNAL, "%s: the graph has no text", x->probe.m->path);
    return x->failed || x->general.fold.failed ? WEFT_OOM_FAIL(err, "a model's text") : WEFT_OK;
}

weft_status weft__follows_find(weft__follows *x, const weft_model *m, weft__arena *arena, weft_error *err)
{
    *x = (weft__follows){ .probe = { .m = m, .arena = arena } };
    WEFT_TRY(begin(x, err));
    for (uint32_t i = 0; i < x->n && !x->failed; i++) try_key(x, i);
    for (uint32_t i = 0; i < x->n && !x->failed; i++)
        if (may_be_absent(&x->at[i])) try_absent(x, i);
    x->n_alone = x->n_trials;
    try_together(x, false);
    try_together(x, true);
    for (uint32_t i = 0; i < x->n && !x->failed; i++) try_absent_beside(x, i);
    return x->failed ? WEFT_OOM_FAIL(err, "a model's text") : WEFT_OK;
}

void weft__follows_free(weft__follows *x)
{
    for (size_t i = 0; i < x->n_trials; i++) weft_graph_destroy(x->trials[i].graph);
    free(x->trials);
    weft__general_end(&x->general);
    weft__probe_free(&x->probe);
}
