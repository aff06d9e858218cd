/* print.c: a model's graph as a text that follows its configuration: parameters for the keys that matter, requirements
 * for what the text holds for only. The text is read back and built for every configuration that was tried; what does
 * not come out the same is no parameter. */
#include "models/print.h"
#include "models/text.h"

#include "graph/attr.h"
#include "graph/text/grammar.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- statements ---- */

static weft__stmt *add(weft__printing *p, weft__stmt_kind kind)
{
    weft__stmt *s = weft__stmt_make(p->f, kind);
    if (!s) return NULL;
    *p->last = s;
    p->last = &s->next;
    return s;
}

/* A line of comment, or a blank one, above a statement. */
static void comment(weft__printing *p, weft__comments *c, const char *line)
{
    const char **lines = weft__fold_alloc(p->f, (size_t)c->n + 1, sizeof *lines);
    char *copy = weft__fold_alloc(p->f, strlen(line) + 1, 1);
    if (!lines || !copy) return;
    memcpy(copy, line, strlen(line));
    if (c->n) memcpy(lines, c->lines, c->n * sizeof *lines);
    lines[c->n] = copy;
    *c = (weft__comments){ lines, c->n + 1 };
}

static weft__expr *text_of(weft__printing *p, const char *text)
{
    return weft__expr_text(p->f, text);
}

static void set_strings(weft__printing *p, weft__stmt *s, const char *const *strings, uint32_t n)
{
    const char **copy = weft__fold_alloc(p->f, n, sizeof *copy);
    for (uint32_t i = 0; copy && i < n; i++) copy[i] = strings[i];
    s->strings = copy;
    s->n_strings = n;
}

static void add_files(weft__printing *p, const char *word, const char *const *strings, uint32_t n)
{
    weft__stmt *s = add(p, STMT_FILES);
    if (!s) return;
    s->word.text = word;
    set_strings(p, s, strings, n);
}

/* How files of the architecture, and of what it is wrapped in, hold weights. */
static void add_names(weft__printing *p, const weft__arch *a, const weft__wrapper *w)
{
    for (size_t i = 0; w && i < WEFT__MAX_NAMES && w->spellings[i].name; i++)
        add_files(p, "spelled", (const char *[]){ w->spellings[i].name, w->spellings[i].in_file }, 2);
    for (size_t i = 0; i < WEFT__MAX_NAMES && a->spellings[i].name; i++)
        add_files(p, "spelled", (const char *[]){ a->spellings[i].name, a->spellings[i].in_file }, 2);
    for (size_t i = 0; i < WEFT__MAX_NAMES && a->transposed[i]; i++) add_files(p, "transposed", &a->transposed[i], 1);
    for (size_t i = 0; i < WEFT__MAX_NAMES && a->parts[i].name; i++) {
        const char *const s[] = { a->parts[i].name, a->parts[i].of[0], a->parts[i].of[1] };
        add_files(p, "parts", s, s[2] ? 3 : 2);
    }
    if (a->embed && a->head) add_files(p, "tied", (const char *[]){ a->embed, a->head }, 2);
}

static void add_model(weft__printing *p)
{
    static const char *const heads[] = { [WEFT_HEAD_LOGITS] = "logits", [WEFT_HEAD_NONE] = "none",
                                         [WEFT_HEAD_SEQUENCE] = "sequence", [WEFT_HEAD_TOKENS] = "tokens",
                                         [WEFT_HEAD_SPAN] = "span" };
    weft__stmt *s = add(p, STMT_MODEL);
    if (!s) return;
    s->label = text_of(p, weft__definition_name(p->m));
    s->word.text = heads[p->m->info.head];
    if (p->m->arch) add_names(p, p->m->arch, p->m->wrapper);
}

/* ---- parameters ---- */

static const char *type_of(const weft__param *q, const weft__follow *f)
{
    if (q->kind == PARAM_WORD || (q->kind == PARAM_LIST && f->text)) return "text";
    bool whole = q->kind == PARAM_WHOLE;
    if (q->kind == PARAM_LIST) whole = true;
    for (uint32_t i = 0; q->kind == PARAM_LIST && i < f->list.n; i++)
        whole = whole && f->list.numbers[i] == floor(f->list.numbers[i]);
    return whole ? "int" : "float";
}

static weft__expr *number(weft__printing *p, double x)
{
    if (x == floor(x) && fabs(x) < 1e15) return weft__expr_whole(p->f, (int64_t)x);
    return weft__expr_double(p->f, x);
}

static weft__expr *list_of(weft__printing *p, const weft__param_list *l)
{
    weft__expr **items = weft__fold_alloc(p->f, l->n, sizeof *items);
    for (uint32_t i = 0; items && i < l->n; i++)
        items[i] = l->words ? text_of(p, l->words[i]) : number(p, l->numbers[i]);
    return items ? weft__expr_many(p->f, EXPR_LIST, NULL, items, l->n) : NULL;
}

/* It is what the definition takes, by others, where the configuration has it not. */
static bool is_computed(const weft__follow *f)
{
    return !f->found || f->absence == ABSENT_SAME;
}

/* What the definition takes where the configuration has it not; of one that has it, as if the first sample had not, if
 * that is the same. NULL: that cannot be said. */
static weft__expr *computed(weft__printing *p, uint32_t m, bool first)
{
    const weft__follow *f = &p->x.at[m];
    const weft__param *q = &p->x.params[m];
    const uint32_t n = p->x.general.n_samples;
    bool *given = weft__fold_alloc(p->f, n, sizeof *given);
    if (q->kind == PARAM_WORD) return !first || !strcmp(f->word_absent, f->word) ? text_of(p, f->word_absent) : NULL;
    if (!given) return NULL;
    memcpy(given, p->x.given[m], n * sizeof *given);
    if (first) given[0] = false;
    return weft__general_default(&p->x.general, p->x.params, p->x.n, m, given);
}

/* The model's own. */
static weft__expr *value_of(weft__printing *p, uint32_t m)
{
    const weft__follow *f = &p->x.at[m];
    const weft__param *q = &p->x.params[m];
    if (q->kind == PARAM_LIST) return list_of(p, &f->list);
    if (q->kind == PARAM_WORD) return text_of(p, f->word);
    return q->kind == PARAM_FLOAT ? weft__expr_double(p->f, f->number) : number(p, f->number);
}

/* What a parameter is by itself, and where a configuration has not the key, if that is something else: what the
 * definition makes of it. */
static void set_default(weft__printing *p, uint32_t m, weft__stmt *s)
{
    const weft__follow *f = &p->x.at[m];
    const bool refused = f->found && f->absence == ABSENT_REFUSED;
    const bool words = p->x.params[m].kind >= PARAM_WORD;
    if (is_computed(f) && !(words && !f->found)) s->value = computed(p, m, true);
    if (s->value || p->f->failed) return;
    s->value = value_of(p, m);
    if (!f->found || refused) return;
    if (f->absence == ABSENT_SAME) s->absent = computed(p, m, false);
    if (!s->absent) s->absent = weft__expr_name(p->f, "none");
}

/* The keys: the definition's, and the file's own where it spells it otherwise. */
static void set_keys(weft__printing *p, weft__stmt *s, const weft__follow *f, const char *name)
{
    const char *spelled = weft__config_spelling(p->m->hf, f->key);
    char *copy = weft__fold_alloc(p->f, strlen(spelled) + 1, 1);
    if (!copy) return;
    memcpy(copy, spelled, strlen(spelled));
    const char *const keys[] = { f->key, copy };
    bool same = f->is_list || !strcmp(f->key, spelled);
    if (!same || strcmp(f->key, name) != 0) set_strings(p, s, keys, same ? 1 : 2);
}

static weft__stmt *make_param(weft__printing *p, uint32_t m)
{
    const weft__param *q = &p->x.params[m];
    const weft__follow *f = &p->x.at[m];
    weft__stmt *s = weft__stmt_make(p->f, STMT_PARAM);
    if (!s) return NULL;
    s->name.text = q->name;
    s->word.text = type_of(q, f);
    s->list = q->kind == PARAM_LIST;
    set_default(p, m, s);
    set_keys(p, s, f, q->name);
    return s;
}

/* derived: what the key would be follows others, where it is absent. */
static void add_require(weft__printing *p, const weft__follow *f, bool derived, const char *key, const char *word,
                        double x)
{
    weft__stmt *s = add(p, STMT_REQUIRE);
    if (!s) return;
    s->label = text_of(p, key);
    s->list = !f->found;
    if (derived || (!f->told && !f->found)) return; /* none */
    if (word) s->value = text_of(p, word);
    else if (f->truth) s->value = weft__expr_name(p->f, x != 0 ? "true" : "false");
    else s->value = number(p, x);
}

static void require_key(weft__printing *p, uint32_t m)
{
    const weft__follow *f = &p->x.at[m];
    const bool derived = weft__param_is_derived(&p->x.params[m], p->x.general.n_samples);
    if (!f->is_list) {
        add_require(p, f, derived, f->key, f->text ? f->word : NULL, f->number);
        return;
    }
    for (uint32_t i = 0; i < f->list.n; i++) {
        char *key = weft__fold_alloc(p->f, strlen(f->key) + 12, 1);
        if (!key) return;
        sprintf(key, "%s.%u", f->key, i);
        const double x = f->list.numbers ? f->list.numbers[i] : 0;
        add_require(p, f, false, key, f->list.words ? f->list.words[i] : NULL, x);
    }
}

static bool is_named(const weft__printing *p, uint32_t m)
{
    const bool limited = p->least > 1 || (p->most && p->most < WEFT__MOST_TOKENS);
    return p->x.params[m].used || p->x.params[m].idle || (limited && weft__print_is_session(p, m));
}

/* Those first from which others are computed, which then are used, too. */
static void add_params(weft__printing *p)
{
    weft__stmt **first = p->last, **params = weft__fold_alloc(p->f, p->x.n, sizeof *params);
    if (!params) return;
    for (uint32_t m = p->x.n; m--;)
        if (is_named(p, m)) params[m] = make_param(p, m);
    for (int computed_ones = 0; computed_ones < 2; computed_ones++)
        for (uint32_t m = 0; m < p->x.n; m++) {
            if (!params[m] || is_computed(&p->x.at[m]) != (bool)computed_ones) continue;
            *p->last = params[m];
            p->last = &params[m]->next;
        }
    if (*first) comment(p, &(*first)->before, "");
    first = p->last;
    for (uint32_t m = 0; m < p->x.n; m++)
        if (p->x.params[m].literal && p->x.at[m].verdict != FOLLOW_NOTHING && !weft__print_is_session(p, m))
            require_key(p, m);
    if (*first) comment(p, &(*first)->before, "");
}

/* ---- words that a list may have ---- */

static weft__expr *many(weft__printing *p, weft__expr_kind kind, const char *text, weft__expr *x, weft__expr *y)
{
    return weft__expr_many(p->f, kind, text, (weft__expr *[]){ x, y }, 2);
}

/* Each word of a list once. */
static weft__expr *words_of(weft__printing *p, const weft__param_list *l)
{
    weft__expr **items = weft__fold_alloc(p->f, l->n, sizeof *items);
    uint32_t n = 0;
    for (uint32_t i = 0; items && i < l->n; i++) {
        uint32_t j = 0;
        while (j < i && strcmp(l->words[j], l->words[i])) j++;
        if (j == i) items[n++] = text_of(p, l->words[i]);
    }
    return items ? weft__expr_many(p->f, EXPR_LIST, NULL, items, n) : NULL;
}

/* repeat i in 0..len(list) { if not list[i] in [..] { fail ".." } } */
static void add_guard(weft__printing *p, uint32_t m, const char *counter)
{
    const weft__follow *f = &p->x.at[m];
    weft__expr *list = weft__expr_name(p->f, p->x.params[m].name), *i = weft__expr_name(p->f, counter);
    weft__expr *entry = many(p, EXPR_INDEX, NULL, list, i);
    weft__expr *known = many(p, EXPR_BINARY, "in", entry, words_of(p, &f->list));
    weft__expr *const says[] = { weft__expr_characters(p->f, f->key), weft__expr_characters(p->f, "."), i,
                                 weft__expr_characters(p->f, " is '"), entry, weft__expr_characters(p->f, "'") };
    weft__stmt *s = add(p, STMT_REPEAT), *when = weft__stmt_make(p->f, STMT_IF);
    weft__stmt *fail = weft__stmt_make(p->f, STMT_FAIL);
    if (!s || !when || !fail) return;
    comment(p, &s->before, "");
    s->name.text = counter;
    s->lo = weft__expr_whole(p->f, 0);
    s->hi = weft__expr_many(p->f, EXPR_CALL, "len", &list, 1);
    s->body = when;
    when->value = weft__expr_many(p->f, EXPR_UNARY, "not", &known, 1);
    when->body = fail;
    fail->label = weft__expr_string(p->f, says, sizeof says / sizeof *says);
}

/* if session_context > most { fail ".." } */
static void add_limit(weft__printing *p, uint32_t m, const char *sign, uint32_t n, const char *words)
{
    char line[96], *copy = weft__fold_alloc(p->f, sizeof line, 1);
    weft__stmt *s = add(p, STMT_IF), *fail = weft__stmt_make(p->f, STMT_FAIL);
    if (!s || !fail || !copy) return;
    snprintf(copy, sizeof line, "the text is for sequences of at %s %u tokens", words, n);
    comment(p, &s->before, "");
    s->value = many(p, EXPR_BINARY, sign, weft__expr_name(p->f, p->x.params[m].name), weft__expr_whole(p->f, n));
    s->body = fail;
    fail->label = text_of(p, copy);
}

static void add_limits(weft__printing *p, uint32_t m)
{
    if (p->least > 1) add_limit(p, m, "<", p->least, "least");
    if (p->most && p->most < WEFT__MOST_TOKENS) add_limit(p, m, ">", p->most, "most");
}

static void add_guards(weft__printing *p, const char *counter)
{
    for (uint32_t m = 0; m < p->x.n; m++)
        if (p->most && weft__print_is_session(p, m)) add_limits(p, m);
    for (uint32_t m = 0; m < p->x.n; m++)
        if (p->x.params[m].kind == PARAM_LIST && p->x.at[m].text && (p->x.params[m].used || p->x.params[m].idle))
            add_guard(p, m, counter);
}

/* ---- names of parameters ---- */

static bool is_taken(const weft__printing *p, const char *name, uint32_t before)
{
    const char *extent;
    weft_act act;
    weft_dtype type;
    if (weft__is_reserved(name) || weft__act_parse(name, &act) || weft_dtype_parse(name, &type)) return true;
    for (uint32_t i = 1; (extent = weft_graph_extent(p->x.general.first, i, NULL)); i++)
        if (!strcmp(extent, name)) return true;
    for (uint32_t m = 0; m < before; m++)
        if (!strcmp(p->x.params[m].name, name)) return true;
    return false;
}

static void name_param(weft__printing *p, uint32_t m)
{
    const char *key = p->x.at[m].key;
    size_t n = 0;
    char *name = weft__fold_alloc(p->f, strlen(key) + 8, 1);
    if (!name) return;
    for (; key[n]; n++) {
        bool letter = (key[n] >= 'a' && key[n] <= 'z') || (key[n] >= 'A' && key[n] <= 'Z') || key[n] == '_';
        name[n] = letter || (n && key[n] >= '0' && key[n] <= '9') ? key[n] : '_';
    }
    while (n + 1 < strlen(key) + 8 && is_taken(p, name, m)) name[n++] = '_';
    p->x.params[m].name = name;
}

/* ---- quotients that are written often ---- */

/* What people call them. */
static const struct { const char *of, *by, *name; } quotients[] = {
    { "hidden_size", "num_attention_heads", "head_size" },
    { "num_attention_heads", "num_key_value_heads", "heads_per_group" },
};
enum { N_QUOTIENTS = sizeof quotients / sizeof *quotients };

static int quotient_of(const weft__expr *e)
{
    bool names = e->kind == EXPR_BINARY && !strcmp(e->text, "/") && e->args[0]->kind == EXPR_NAME &&
                 e->args[1]->kind == EXPR_NAME;
    for (int i = 0; names && i < N_QUOTIENTS; i++)
        if (!strcmp(e->args[0]->text, quotients[i].of) && !strcmp(e->args[1]->text, quotients[i].by)) return i;
    return -1;
}

typedef void visit_fn(void *ctx, weft__expr *e);

static void visit_expr(weft__expr *e, visit_fn *visit, void *ctx)
{
    if (!e) return;
    for (uint32_t i = 0; i < e->n; i++) visit_expr(e->args[i], visit, ctx);
    visit(ctx, e);
}

static void visit_all(weft__stmt *s, visit_fn *visit, void *ctx)
{
    for (; s; s = s->next) {
        weft__expr *const own[] = { s->label, s->value, s->lo, s->hi };
        for (size_t i = 0; i < 4; i++) visit_expr(own[i], visit, ctx);
        for (uint32_t i = 0; i < s->n_attrs; i++) visit_expr(s->attrs[i].value, visit, ctx);
        for (uint32_t i = 0; i < s->n_types; i++) visit_expr(s->types[i].dims, visit, ctx);
        for (uint32_t i = 0; i < s->n_items; i++) visit_expr(s->items[i], visit, ctx);
        visit_all(s->body, visit, ctx);
        visit_all(s->other, visit, ctx);
    }
}

static void count_quotient(void *ctx, weft__expr *e)
{
    uint32_t *count = ctx;
    int i = quotient_of(e);
    if (i >= 0) count[i]++;
}

static void name_quotient(void *ctx, weft__expr *e)
{
    const uint32_t *count = ctx;
    int i = quotient_of(e);
    if (i < 0 || count[i] < 2) return;
    e->kind = EXPR_NAME;
    e->text = quotients[i].name;
    e->n = 0;
}

static void add_lets(weft__printing *p, weft__stmt *body)
{
    uint32_t count[N_QUOTIENTS] = { 0 };
    weft__stmt **first = p->last;
    visit_all(body, count_quotient, count);
    for (int i = 0; i < N_QUOTIENTS; i++)
        if (is_taken(p, quotients[i].name, p->x.n)) count[i] = 0;
    visit_all(body, name_quotient, count);
    for (int i = 0; i < N_QUOTIENTS; i++) {
        weft__stmt *s = count[i] > 1 ? add(p, STMT_LET) : NULL;
        if (!s) continue;
        s->name.text = quotients[i].name;
        s->value = weft__expr_many(p->f, EXPR_BINARY, "/",
                                   (weft__expr *[]){ weft__expr_name(p->f, quotients[i].of),
                                                     weft__expr_name(p->f, quotients[i].by) }, 2);
    }
    if (*first) comment(p, &(*first)->before, "");
}

/* ---- the whole ---- */

static void add_head(weft__printing *p)
{
    char line[256];
    const char *name = weft__definition_name(p->m);
    snprintf(line, sizeof line, "# %.80s as Weft makes it of %.120s.", name, p->m->config.origin);
    comment(p, &p->tree->head, line);
    comment(p, &p->tree->head, "# It follows a configuration by the parameters, and holds for what `require` says.");
}

/* The tree, of the parameters that are not literal. */
static bool make_tree(weft__printing *p)
{
    weft__stmt *body = weft__general_write(&p->x.general, p->x.params, p->x.n), **first;
    if (!body) return false;
    weft__solver s = { .f = p->f, .params = p->x.params, .n_params = p->x.n };
    weft__writing w = { .f = p->f, .s = &s, .g = p->x.general.first, .extents = p->x.general.extents };
    weft__name_counters(&s, w.g);
    p->tree->head = (weft__comments){ 0 };
    p->tree->body = NULL;
    p->last = &p->tree->body;
    add_head(p);
    add_model(p);
    add_params(p);
    add_lets(p, body);
    add_guards(p, s.counter[0]);
    first = p->last;
    *p->last = weft__write_extents(&w, false);
    p->last = weft__stmt_end(p->last);
    if (*first) comment(p, &(*first)->before, "");
    first = p->last;
    *p->last = weft__write_blocks(&w, body);
    for (weft__stmt *b = *first; b; b = b->next) comment(p, &b->before, "");
    p->last = weft__stmt_end(p->last);
    *p->last = body;
    if (*first && body != *first) comment(p, &body->before, "");
    return !p->f->failed;
}

static weft_status print(weft__printing *p, weft_text *out, weft_error *err)
{
    for (uint32_t tries = 0; tries <= 2 * p->x.n + 1; tries++) {
        weft_writer w = weft_text_writer(out);
        bool again;
        out->size = 0;
        if (!make_tree(p)) break;
        WEFT_TRY(weft_graph_text_format(p->tree, &w, err));
        bool held = weft__print_verify(p, out->data, out->size, &again, err);
        if (p->f->failed) break;
        if (held) return WEFT_OK;
        if (!again) return weft__annotate(err, WEFT_INTERNAL, "%s: its graph has no text", p->m->path);
    }
    if (p->f->failed) return WEFT_OOM_FAIL(err, "a model's text");
    return WEFT_FAIL(err, WEFT_INTERNAL, "%s: its graph has no text", p->m->path);
}

static weft_status find_and_print(weft__printing *p, weft_text *out, weft_error *err)
{
    WEFT_TRY(weft__follows_find(&p->x, p->m, &p->tree->arena, err));
    p->f = &p->x.general.fold;
    for (uint32_t m = 0; m < p->x.n; m++) name_param(p, m);
    if (p->f->failed) return WEFT_OOM_FAIL(err, "a model's text");
    return print(p, out, err);
}

weft_status weft_model_print_text(const weft_model *m, const weft_writer *w, weft_error *err)
{
    weft__printing p = { .m = m };
    weft_text out = { 0 };
    if (m->text.tree) return weft_graph_text_format(m->text.tree, w, err);
    p.tree = calloc(1, sizeof *p.tree);
    if (!p.tree) return WEFT_OOM_FAIL(err, "a model's text");
    p.tree->version = WEFT__TEXT_VERSION;
    weft_status s = find_and_print(&p, &out, err);
    if (s == WEFT_OK && !weft_writef(w, "%s", out.data)) s = WEFT_FAIL(err, WEFT_IO, "a text could not be written");
    weft__follows_free(&p.x);
    weft_graph_text_destroy(p.tree);
    weft_text_free(&out);
    return s;
}
