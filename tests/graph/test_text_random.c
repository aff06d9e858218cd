/* test_text_random.c: random texts with blocks, repeats, conditions and scopes within each other. A few lines that know
 * nothing of the library run the same statements and write the graph out; both are the same graph, also after the text
 * was formatted. */
#include "text_support.h"

enum { TEXTS = 1000, VALUES = 4, BLOCKS = 3, MOST = 6, NODES = 20000 };

/* ---- statements ---- */

typedef enum kind { UNARY, SUM, WEIGHT, COPY, USE, REPEAT, IF, SCOPE, LET, KINDS } kind;

typedef struct stmt {
    kind kind;
    int a, b, c, d; /* values, and small numbers */
    uint32_t id;
    struct stmt *body[2][MOST]; /* of an IF the second, too */
    uint32_t n[2];
} stmt;

typedef struct program {
    weft__arena arena;
    uint64_t state;
    uint32_t next_id;
    stmt *blocks[BLOCKS], *top; /* a block is a SCOPE that is named by nobody */
} program;

static const char *const unary[] = { "gelu", "relu", "tanh", "abs" };

static int roll(program *p, int n)
{
    p->state = p->state * 6364136223846793005u + 1442695040888963407u;
    return (int)((p->state >> 33) % (uint64_t)n);
}

static stmt *grow(program *p, int depth, int blocks);

static void fill(program *p, stmt *s, int part, int depth, int blocks)
{
    s->n[part] = 2 + (uint32_t)roll(p, MOST - 1);
    for (uint32_t i = 0; i < s->n[part]; i++) s->body[part][i] = grow(p, depth, blocks);
}

/* A statement that may use the first `blocks` blocks and hold bodies `depth` deep. */
static stmt *grow(program *p, int depth, int blocks)
{
    stmt *s = weft__arena_alloc(&p->arena, 1, sizeof *s);
    if (!s) exit(1);
    do s->kind = (kind)roll(p, KINDS);
    while ((s->kind == USE && !blocks) || (s->kind >= REPEAT && s->kind <= SCOPE && !depth));
    s->a = roll(p, VALUES);
    s->b = roll(p, VALUES);
    s->c = roll(p, VALUES);
    s->d = s->kind == USE ? roll(p, blocks) : roll(p, 4);
    s->id = p->next_id++;
    if (s->kind >= REPEAT && s->kind <= SCOPE) fill(p, s, 0, depth - 1, blocks);
    if (s->kind == IF) fill(p, s, 1, depth - 1, blocks);
    return s;
}

static program make(uint64_t seed)
{
    program p = { .state = seed };
    for (int i = 0; i <= BLOCKS; i++) {
        stmt *s = weft__arena_alloc(&p.arena, 1, sizeof *s);
        if (!s) exit(1);
        fill(&p, s, 0, i < BLOCKS ? 1 : 3, i);
        *(i < BLOCKS ? &p.blocks[i] : &p.top) = s;
    }
    return p;
}

/* ---- as a text. n is the number that counts: of a block what it was given, else the innermost counter ---- */

static void put_body(const weft_writer *w, const stmt *s, int part, int depth, const char *n);

static void put(const weft_writer *w, const stmt *s, int depth, const char *n)
{
    char own[16];
    weft_writef(w, "%*s", 4 * depth, "");
    snprintf(own, sizeof own, "i%u", s->id);
    switch (s->kind) {
    case UNARY: weft_writef(w, "%%v%d = %s %%v%d\n", s->a, unary[s->d], s->b); break;
    case SUM: weft_writef(w, "%%v%d = add %%v%d, %%v%d\n", s->a, s->b, s->c); break;
    case WEIGHT:
        weft_writef(w, "%%w = weight \"w{%s %% 2}\" : any[4]\n", n);
        weft_writef(w, "%*s%%v%d = mul %%v%d, %%w\n", 4 * depth, "", s->a, s->b);
        break;
    case COPY: weft_writef(w, "%%v%d = %%v%d\n", s->a, s->b); break;
    case USE:
        weft_writef(w, "%%v%d, %%v%d = block%d %%v%d, %%v%d {n%d = %s + %d}\n", s->a, (s->a + 1) % VALUES, s->d, s->b,
                    s->c, s->d, n, s->c);
        break;
    case REPEAT:
        weft_writef(w, "repeat %s in %d..%d {\n", own, s->b, s->b + s->c + s->d % 2);
        put_body(w, s, 0, depth, own);
        break;
    case IF:
        weft_writef(w, "if %s %% %d == %d or %s > %d {\n", n, s->a + 1, s->b % 2, n, s->c + 3);
        put_body(w, s, 0, depth, n);
        weft_writef(w, "%*s} else {\n", 4 * depth, "");
        put_body(w, s, 1, depth, n);
        break;
    case SCOPE:
        weft_writef(w, "scope \"s%d.{%s}\" {\n", s->a, n);
        put_body(w, s, 0, depth, n);
        break;
    default: weft_writef(w, "let l%u = %s * %d\n", s->id, n, s->a); break;
    }
    if (s->kind >= REPEAT && s->kind <= SCOPE) weft_writef(w, "%*s}\n", 4 * depth, "");
}

static void put_body(const weft_writer *w, const stmt *s, int part, int depth, const char *n)
{
    for (uint32_t i = 0; i < s->n[part]; i++) put(w, s->body[part][i], depth + 1, n);
}

static char *text_of(const program *p)
{
    char n[16];
    weft_text t = { 0 };
    weft_writer w = weft_text_writer(&t);
    weft_writef(&w, V2 "param L : int = 2\n%%v0 = input \"x\" : f32[4]\n%%v1 = %%v0\n%%v2 = %%v0\n%%v3 = %%v0\n");
    for (int i = 0; i < BLOCKS; i++) {
        weft_writef(&w, "block block%d(%%v0, %%v1, n%d) {\n    %%v2 = %%v1\n    %%v3 = %%v0\n", i, i);
        snprintf(n, sizeof n, "n%d", i);
        put_body(&w, p->blocks[i], 0, 0, n);
        weft_writef(&w, "    return %%v2, %%v1\n}\n");
    }
    for (uint32_t i = 0; i < p->top->n[0]; i++) put(&w, p->top->body[0][i], 0, "L");
    for (int i = 0; i < VALUES; i++) weft_writef(&w, "output \"y%d\" = %%v%d\n", i, i);
    return t.data;
}

/* ---- as a graph written out ---- */

typedef struct flat {
    const program *p;
    weft_writer w;
    uint32_t next; /* id */
    char scope[400];
    struct { char name[400]; uint32_t id; } weights[NODES];
    uint32_t n_weights;
} flat;

static void run_body(flat *f, const stmt *s, int part, uint32_t *v, int64_t n);

static void put_scope(flat *f)
{
    weft_writef(&f->w, *f->scope ? " @ \"%s\"\n" : "\n", f->scope);
}

static uint32_t weight(flat *f, int64_t n)
{
    char name[400];
    snprintf(name, sizeof name, "%.390s%sw%lld", f->scope, *f->scope ? "." : "", (long long)(n % 2));
    for (uint32_t i = 0; i < f->n_weights; i++)
        if (!strcmp(f->weights[i].name, name)) return f->weights[i].id;
    snprintf(f->weights[f->n_weights].name, sizeof name, "%s", name);
    weft_writef(&f->w, "%%%u = weight \"%s\" : f32[4]\n", f->next, name);
    return f->weights[f->n_weights++].id = f->next++;
}

static void run(flat *f, const stmt *s, uint32_t *v, int64_t n)
{
    size_t scope = strlen(f->scope);
    uint32_t id, inner[VALUES];
    switch (s->kind) {
    case UNARY: weft_writef(&f->w, "%%%u = %s %%%u", f->next, unary[s->d], v[s->b]); break;
    case SUM: weft_writef(&f->w, "%%%u = add %%%u, %%%u", f->next, v[s->b], v[s->c]); break;
    case WEIGHT:
        id = weight(f, n);
        weft_writef(&f->w, "%%%u = mul %%%u, %%%u", f->next, v[s->b], id);
        break;
    case COPY: v[s->a] = v[s->b]; break;
    case USE:
        inner[0] = inner[3] = v[s->b];
        inner[1] = inner[2] = v[s->c];
        run_body(f, f->p->blocks[s->d], 0, inner, n + s->c);
        v[s->a] = inner[2];
        v[(s->a + 1) % VALUES] = inner[1];
        break;
    case REPEAT:
        for (int i = s->b; i < s->b + s->c + s->d % 2; i++) run_body(f, s, 0, v, i);
        break;
    case IF: run_body(f, s, n % (s->a + 1) == s->b % 2 || n > s->c + 3 ? 0 : 1, v, n); break;
    case SCOPE:
        snprintf(f->scope + scope, sizeof f->scope - scope, "%ss%d.%lld", scope ? "." : "", s->a, (long long)n);
        run_body(f, s, 0, v, n);
        f->scope[scope] = 0;
        break;
    default: break;
    }
    if (s->kind > WEIGHT) return;
    put_scope(f);
    v[s->a] = f->next++;
}

static void run_body(flat *f, const stmt *s, int part, uint32_t *v, int64_t n)
{
    for (uint32_t i = 0; i < s->n[part] && f->next < NODES - 8; i++) run(f, s->body[part][i], v, n);
}

/* NULL: it would be too large. */
static char *flat_of(const program *p)
{
    static flat f;
    weft_text t = { 0 };
    uint32_t v[VALUES] = { 1, 1, 1, 1 };
    f.p = p;
    f.w = weft_text_writer(&t);
    f.next = 2;
    f.n_weights = 0;
    weft_writef(&f.w, "weft-graph 1\n%%1 = input \"x\" : f32[4]\n");
    run_body(&f, p->top, 0, v, 2);
    for (int i = 0; i < VALUES; i++) weft_writef(&f.w, "output \"y%d\" = %%%u\n", i, v[i]);
    if (f.next < NODES - 8) return t.data;
    weft_text_free(&t);
    return NULL;
}

/* ---- */

static char *formatted(const char *text)
{
    weft_error err = { 0 };
    weft_text out = { 0 };
    weft_writer w = weft_text_writer(&out);
    weft_graph_text *t;
    if (!CHECK_OK(weft_graph_text_read(text, strlen(text), "t", &t, &err), err)) return NULL;
    CHECK_OK(weft_graph_text_format(t, &w, &err), err);
    weft_graph_text_destroy(t);
    return out.data;
}

static void means_what_it_says(void)
{
    uint32_t compared = 0;
    for (uint64_t seed = 0; seed < TEXTS; seed++) {
        program p = make(seed);
        char *text = text_of(&p), *want = flat_of(&p), *canonical = formatted(text);
        if (want) text_means(text, NULL, want);
        if (want && canonical) text_means(canonical, NULL, want);
        compared += want != NULL;
        free(text);
        free(want);
        free(canonical);
        weft__arena_free(&p.arena);
    }
    CHECK(compared > TEXTS / 2);
}

static const weft_test tests[] = {
    { "means_what_it_says", means_what_it_says },
};
TEST_MAIN(tests)
