/* blocks.c: scopes that say the same of other values and other numbers become uses of a block.
 *
 * A scope is one if it holds plain statements and gives one value. What differs between its uses are attributes; what
 * does not stays in the block. */
#include "graph/text/write.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_BODY = 8, MAX_SLOTS = 24, MAX_VALUES = 16, MAX_USES = 512, TEXT = 600, MIN_SAVED = 2 };

/* A number or a text of a scope that others may have otherwise. */
typedef struct slot {
    weft__expr **at;
    const char *role; /* what an attribute for it would be called */
} slot;

typedef struct use {
    weft__stmt *scope;
    slot slots[MAX_SLOTS];
    uint32_t n_slots, n_inputs;
    const char *inputs[MAX_VALUES]; /* values from outside */
    char skeleton[TEXT]; /* all but slots and names of values */
    bool taken;
} use;

typedef struct blocks {
    weft__fold *f;
    const weft__solver *s;
    const weft_graph *g;
    use *uses;
    uint32_t n_uses;
    weft__stmt *list, **last; /* that were made */
} blocks;

/* ---- texts of expressions, to compare them ---- */

static void put(char *out, const char *text)
{
    size_t n = strlen(out);
    snprintf(out + n, TEXT - n, "%s", text);
}

static void put_expr(char *out, const weft__expr *e)
{
    char number[64];
    snprintf(number, sizeof number, "%d:%lld:%a(", (int)e->kind, (long long)e->i, e->f);
    put(out, number);
    if (e->text) put(out, e->text);
    for (uint32_t i = 0; i < e->n; i++) put_expr(out, e->args[i]);
    put(out, ")");
}

static bool same_expr(const weft__expr *a, const weft__expr *b)
{
    char x[TEXT] = "", y[TEXT] = "";
    put_expr(x, a);
    put_expr(y, b);
    return strlen(x) + 1 < TEXT && !strcmp(x, y);
}

static bool names_counter(const blocks *b, const weft__expr *e)
{
    for (uint32_t i = 0; i < WEFT__LOOPS && e->kind == EXPR_NAME; i++)
        if (b->s->counter[i] && !strcmp(e->text, b->s->counter[i])) return true;
    for (uint32_t i = 0; i < e->n; i++)
        if (names_counter(b, e->args[i])) return true;
    return false;
}

/* ---- what a scope says ---- */

static bool add_slot(use *u, weft__expr **at, const char *role)
{
    if (u->n_slots == MAX_SLOTS) return false;
    u->slots[u->n_slots++] = (slot){ at, role };
    return true;
}

/* Number of a name in a list, which it may be added to; n: there is no room. */
static uint32_t number_of(const char **list, uint32_t *n, const char *name, bool add)
{
    uint32_t i = 0;
    while (i < *n && strcmp(list[i], name)) i++;
    if (i < *n || !add || i == MAX_VALUES) return i;
    list[(*n)++] = name;
    return i;
}

static bool describe_values(use *u, const weft__stmt *s, const char **inside, uint32_t *n_inside)
{
    char text[32];
    for (uint32_t i = 0; i < s->n_inputs; i++) {
        uint32_t k = number_of(inside, n_inside, s->inputs[i].text, false);
        bool own = k < *n_inside;
        if (!own) k = number_of(u->inputs, &u->n_inputs, s->inputs[i].text, true);
        if (k == MAX_VALUES) return false;
        snprintf(text, sizeof text, own ? " v%u" : " x%u", k);
        put(u->skeleton, text);
    }
    for (uint32_t i = 0; i < s->n_results; i++) {
        uint32_t k = number_of(inside, n_inside, s->results[i].text, true);
        if (k == MAX_VALUES) return false;
        snprintf(text, sizeof text, " =v%u", k);
        put(u->skeleton, text);
    }
    return true;
}

static bool describe_type(use *u, const weft__type *t)
{
    static const char *const roles[][3] = { { "n", "", "" }, { "n_out", "n_in", "" }, { "n", "n_out", "n_in" } };
    put(u->skeleton, t->dtype->text);
    for (uint32_t i = 0; i < t->dims->n; i++) {
        put(u->skeleton, "#");
        const char *role = t->dims->n <= 3 ? roles[t->dims->n - 1][i] : "n";
        if (!add_slot(u, &t->dims->args[i], role)) return false;
    }
    return true;
}

static bool describe_statement(use *u, const weft__stmt *s, const char **inside, uint32_t *n_inside)
{
    const char *label = s->label ? weft__expr_plain(s->label) : "";
    if (s->kind != STMT_NODE || !s->word.text || s->n_items || !label) return false;
    put(u->skeleton, "; ");
    put(u->skeleton, s->word.text);
    put(u->skeleton, label);
    if (!describe_values(u, s, inside, n_inside)) return false;
    for (uint32_t i = 0; i < s->n_attrs; i++) {
        weft__expr **value = &s->attrs[i].value;
        if ((*value)->kind == EXPR_LIST || (*value)->kind == EXPR_TUPLE) return false;
        put(u->skeleton, s->attrs[i].name.text);
        if (!add_slot(u, value, s->attrs[i].name.text)) return false;
    }
    for (uint32_t i = 0; i < s->n_types; i++)
        if (!describe_type(u, &s->types[i])) return false;
    return true;
}

static bool describe(use *u, weft__stmt *scope)
{
    const char *inside[MAX_VALUES];
    uint32_t n_inside = 0, n = 0;
    *u = (use){ .scope = scope };
    if (scope->n_results != 1 || !add_slot(u, &scope->label, "name")) return false;
    for (const weft__stmt *s = scope->body; s; s = s->next)
        if (++n > MAX_BODY || !describe_statement(u, s, inside, &n_inside)) return false;
    put(u->skeleton, " >");
    const uint32_t given = number_of(inside, &n_inside, scope->results[0].text, false);
    char text[16];
    snprintf(text, sizeof text, "%u", given);
    put(u->skeleton, text);
    return n > 1 && u->n_inputs && given < n_inside && strlen(u->skeleton) + 1 < TEXT;
}

static void find_uses(blocks *b, weft__stmt *s)
{
    for (; s; s = s->next) {
        if (s->kind == STMT_SCOPE && b->n_uses < MAX_USES && describe(&b->uses[b->n_uses], s)) b->n_uses++;
        find_uses(b, s->body);
        find_uses(b, s->other);
    }
}

/* ---- a block ---- */

/* Uses that have a block in common. */
typedef struct family {
    use *of[MAX_USES];
    uint32_t n;
    const char *attr[MAX_SLOTS]; /* by slot; NULL: it stays as it is */
    uint32_t same_as[MAX_SLOTS]; /* an earlier slot that is always the same, or itself */
} family;

static bool is_same_everywhere(const family *m, uint32_t a, uint32_t b)
{
    for (uint32_t i = 0; i < m->n; i++)
        if (!same_expr(*m->of[i]->slots[a].at, *m->of[i]->slots[b].at)) return false;
    return true;
}

static bool stays(const blocks *b, const family *m, uint32_t k)
{
    for (uint32_t i = 1; i < m->n; i++)
        if (!same_expr(*m->of[0]->slots[k].at, *m->of[i]->slots[k].at)) return false;
    return !names_counter(b, *m->of[0]->slots[k].at);
}

static bool is_extent(const weft_graph *g, const char *name)
{
    const char *extent;
    for (uint32_t i = 1; (extent = weft_graph_extent(g, i, NULL)); i++)
        if (!strcmp(extent, name)) return true;
    return false;
}

static bool is_known(const blocks *b, const family *m, uint32_t before, const char *name)
{
    for (uint32_t i = 0; i < b->s->n_params; i++)
        if (!strcmp(b->s->params[i].name, name)) return true;
    for (uint32_t i = 0; i < WEFT__LOOPS; i++)
        if (b->s->counter[i] && !strcmp(b->s->counter[i], name)) return true;
    for (uint32_t i = 0; i < before; i++)
        if (m->attr[i] && !strcmp(m->attr[i], name)) return true;
    return is_extent(b->g, name);
}

static void name_attrs(blocks *b, family *m)
{
    for (uint32_t k = 0; k < m->of[0]->n_slots; k++) {
        m->same_as[k] = k;
        m->attr[k] = NULL;
        if (stays(b, m, k)) continue;
        for (uint32_t j = k; j--;)
            if (m->attr[j] && m->same_as[j] == j && is_same_everywhere(m, j, k)) m->same_as[k] = j;
        if (m->same_as[k] != k) {
            m->attr[k] = m->attr[m->same_as[k]];
            continue;
        }
        char *name = weft__fold_alloc(b->f, strlen(m->of[0]->slots[k].role) + 8, 1);
        if (!name) return;
        strcpy(name, m->of[0]->slots[k].role);
        for (uint32_t i = 2; is_known(b, m, k, name); i++) sprintf(name, "%s%u", m->of[0]->slots[k].role, i);
        m->attr[k] = name;
    }
}

/* What a value is called in the block: w and b for weights and biases, y for what is given, x for what is taken. */
typedef struct renaming {
    const char *from[MAX_VALUES], *to[MAX_VALUES];
    uint32_t n;
} renaming;

static const char *label_of_maker(const weft__stmt *body, const char *name)
{
    for (const weft__stmt *s = body; s; s = s->next)
        for (uint32_t i = 0; i < s->n_results; i++)
            if (!strcmp(s->results[i].text, name)) return s->label ? weft__expr_plain(s->label) : "";
    return "";
}

static bool is_called(const renaming *r, const char *name)
{
    for (uint32_t k = 0; k < r->n; k++)
        if (!strcmp(r->to[k], name)) return true;
    return !strcmp(name, "x") || !strcmp(name, "y");
}

static const char *numbered(blocks *b, const char *name, uint32_t k)
{
    char *text = weft__fold_alloc(b->f, strlen(name) + 12, 1);
    if (!text) return name;
    if (k > 1) snprintf(text, strlen(name) + 12, "%s%u", name, k);
    else strcpy(text, name);
    return text;
}

static void add_name(blocks *b, renaming *r, const use *u, const char *name)
{
    if (r->n == MAX_VALUES) return;
    const char *label = label_of_maker(u->scope->body, name);
    const char *to = !strcmp(label, "weight") ? "w" : !strcmp(label, "bias") ? "b" : name, *unique = to;
    bool given = !strcmp(name, u->scope->results[0].text);
    for (uint32_t k = 2; !given && is_called(r, unique); k++) unique = numbered(b, to, k);
    r->from[r->n] = name;
    r->to[r->n++] = given ? "y" : unique;
}

static const char *renamed(const renaming *r, const char *name)
{
    for (uint32_t k = 0; k < r->n; k++)
        if (!strcmp(r->from[k], name)) return r->to[k];
    return NULL;
}

/* Of the first use's body, which becomes the block's: a name that is not bound yet is one from outside. */
static void rename_values(blocks *b, use *u)
{
    renaming r = { .n = 0 };
    for (weft__stmt *s = u->scope->body; s; s = s->next) {
        for (uint32_t i = 0; i < s->n_inputs; i++) {
            const char *to = renamed(&r, s->inputs[i].text);
            const uint32_t k = number_of(u->inputs, &u->n_inputs, s->inputs[i].text, false);
            s->inputs[i].text = to ? to : numbered(b, "x", k + 1);
        }
        for (uint32_t i = 0; i < s->n_results; i++) {
            if (!renamed(&r, s->results[i].text)) add_name(b, &r, u, s->results[i].text);
            s->results[i].text = renamed(&r, s->results[i].text);
        }
    }
}

/* project and norm for what these are, else part; with a number where there are several. */
static const char *block_name(blocks *b, const weft__stmt *body)
{
    const char *name = "part";
    for (const weft__stmt *s = body; s; s = s->next) {
        if (strstr(s->word.text, "_norm")) name = "norm";
        if (!strcmp(s->word.text, "matmul_nt")) name = "project";
    }
    const char *unique = name;
    for (uint32_t k = 2;; k++) {
        const weft__stmt *s = b->list;
        while (s && strcmp(s->name.text, unique)) s = s->next;
        if (!s) return unique;
        unique = numbered(b, name, k);
    }
}

static void set_values(blocks *b, weft__ident **out, uint32_t *n_out, const char *const *names, uint32_t n)
{
    *out = weft__fold_alloc(b->f, n, sizeof **out);
    for (uint32_t i = 0; *out && i < n; i++) (*out)[i].text = names[i];
    *n_out = *out ? n : 0;
}

/* The attributes, each once, with their values in a use; of == NULL: without. */
static void set_attrs(blocks *b, weft__stmt *s, const family *m, const use *of)
{
    s->attrs = weft__fold_alloc(b->f, MAX_SLOTS, sizeof *s->attrs);
    for (uint32_t k = 0; s->attrs && k < m->of[0]->n_slots; k++) {
        if (!m->attr[k] || m->same_as[k] != k) continue;
        s->attrs[s->n_attrs].name.text = m->attr[k];
        s->attrs[s->n_attrs++].value = of ? *of->slots[k].at : NULL;
    }
}

static void use_block(blocks *b, const family *m, use *u, const char *name)
{
    const weft__stmt *was = u->scope;
    weft__stmt s = { .kind = STMT_NODE, .next = was->next, .before = was->before, .word.text = name };
    set_values(b, &s.inputs, &s.n_inputs, u->inputs, u->n_inputs);
    set_values(b, &s.results, &s.n_results, (const char *const[]){ was->results[0].text }, 1);
    set_attrs(b, &s, m, u);
    *u->scope = s;
}

/* The slots of the first use read the attributes. */
static void open_slots(blocks *b, const family *m)
{
    for (uint32_t k = 0; k < m->of[0]->n_slots; k++) {
        if (!m->attr[k]) continue;
        weft__expr *name = weft__expr_name(b->f, m->attr[k]);
        *m->of[0]->slots[k].at = k ? name : weft__expr_many(b->f, EXPR_STRING, NULL, &name, 1);
    }
}

static void make_block(blocks *b, family *m)
{
    use *first = m->of[0];
    weft__stmt *block = weft__stmt_make(b->f, STMT_BLOCK), *scope = weft__stmt_make(b->f, STMT_SCOPE);
    weft__stmt *give = weft__stmt_make(b->f, STMT_RETURN);
    const char *takes[MAX_VALUES];
    name_attrs(b, m);
    if (!give || !scope || !block || b->f->failed) return;
    *scope = (weft__stmt){ .kind = STMT_SCOPE, .body = first->scope->body, .next = give };
    block->name.text = block_name(b, first->scope->body);
    set_attrs(b, block, m, NULL);
    for (uint32_t k = 0; k < first->n_inputs; k++) takes[k] = numbered(b, "x", k + 1);
    set_values(b, &block->inputs, &block->n_inputs, takes, first->n_inputs);
    set_values(b, &give->inputs, &give->n_inputs, (const char *const[]){ "y" }, 1);
    rename_values(b, first);
    weft__expr *label = first->scope->label;
    for (uint32_t i = 0; i < m->n; i++) use_block(b, m, m->of[i], block->name.text);
    first->slots[0].at = &scope->label;
    scope->label = label;
    open_slots(b, m);
    block->body = scope;
    *b->last = block;
    b->last = &block->next;
}

static uint32_t body_lines(const use *u)
{
    uint32_t n = 2;
    for (const weft__stmt *s = u->scope->body; s; s = s->next) n++;
    return n;
}

/* Scopes that are like the first of them, if a block for them is shorter. */
static void find_family(blocks *b, uint32_t first)
{
    family m = { .n = 0 };
    for (uint32_t i = first; i < b->n_uses; i++)
        if (!b->uses[i].taken && !strcmp(b->uses[i].skeleton, b->uses[first].skeleton)) m.of[m.n++] = &b->uses[i];
    const uint32_t lines = body_lines(m.of[0]);
    if (m.n < 2 || m.n * (lines - 1) < lines + 3 + MIN_SAVED) return;
    for (uint32_t i = 0; i < m.n; i++) m.of[i]->taken = true;
    make_block(b, &m);
}

weft__stmt *weft__write_blocks(weft__writing *w, weft__stmt *list)
{
    blocks b = { .f = w->f, .s = w->s, .g = w->g, .last = &b.list };
    b.uses = calloc(MAX_USES, sizeof *b.uses);
    if (!b.uses) w->f->failed = true;
    if (b.uses) find_uses(&b, list);
    for (uint32_t i = 0; i < b.n_uses && !w->f->failed; i++)
        if (!b.uses[i].taken) find_family(&b, i);
    free(b.uses);
    return w->f->failed ? NULL : b.list;
}
