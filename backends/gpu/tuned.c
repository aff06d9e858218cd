/* tuned.c: what is known of settings, by key, and its lines in a file:
 *
 *     kept product q4_0 1 0 4096 12.3 15.1 block=64,rows=2     microseconds by the setting, by the row
 *     kept product f16 1 0 4096 20.1 20.1 row
 *     wrong product q4_0 1 0 4096 rows=8 max error 0.3, ...
 *     trying attention f16 1 0 128 keys=512 4711:99            process 4711 has it under test */
#include "backends/gpu/tuned.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/gpu/linear.h"
#include "graph/number.h"

static const char *const words[] = { "kept", "wrong", "trying" };

/* ---- keys ---- */

static uint32_t round_up(int64_t n)
{
    uint32_t up = 1;
    while (up < n && up < 1u << 31) up *= 2;
    return up;
}

static uint32_t tokens_class(int64_t n)
{
    return n <= 1 ? 1 : n <= 8 ? 8 : n <= 32 ? 32 : n <= 128 ? 128 : 512;
}

static gpu_tuned_key make_key(bool attention, weft_dtype type, int64_t rows, int64_t columns, int64_t tokens)
{
    gpu_tuned_key k = { .attention = attention, .type = type, .tokens = tokens_class(tokens) };
    k.rows = attention || k.tokens <= 8 ? 0 : round_up(rows);
    k.columns = attention ? (uint32_t)columns : round_up(columns);
    return k;
}

gpu_tuned_key gpu_tuned_key_of_shape(const weft_tune_shape *s)
{
    return make_key(s->heads > 0, s->type, s->rows, s->columns, s->tokens);
}

bool gpu_tuned_key_of(const gpu_call *c, gpu_tuned_key *out)
{
    const gpu_tensor *in = c->in;
    if (c->deterministic) return false;
    if (c->op == WEFT_OP_attention) {
        *out = make_key(true, in[1].dtype, 0, in[0].dim[2], in[0].dim[0]);
        return true;
    }
    const bool product = c->op == WEFT_OP_linear || c->op == WEFT_OP_matmul_nt;
    if (!product || in[1].layout != GPU_LAYOUT_PANEL || in[1].rank != 2) return false;
    *out = make_key(false, in[1].dtype, in[1].dim[0], in[1].dim[1], gpu_linear_columns(c));
    return true;
}

static bool same(const gpu_tuned_key *a, const gpu_tuned_key *b)
{
    return a->attention == b->attention && a->type == b->type && a->tokens == b->tokens && a->rows == b->rows &&
           a->columns == b->columns;
}

/* ---- the set ---- */

void gpu_tuned_free(gpu_tuned_set *s)
{
    for (gpu_form *next; s && s->forms; s->forms = next) {
        next = s->forms->next;
        free(s->forms->kernels);
        free(s->forms);
    }
    free(s);
}

const gpu_tuned *gpu_tuned_find(const gpu_tuned_set *s, const gpu_tuned_key *key, gpu_tuned_state state,
                                const char *setting)
{
    for (uint32_t i = 0; i < s->n; i++) {
        const gpu_tuned *it = &s->items[i];
        if (it->state == state && same(&it->key, key) && (!setting || !strcmp(it->setting, setting))) return it;
    }
    return NULL;
}

const gpu_caps *gpu_tuned_caps(const gpu_tuned_set *s, const gpu_caps *base, const gpu_call *c)
{
    gpu_tuned_key key;
    if (!s || (!s->n && !s->tries) || !gpu_tuned_key_of(c, &key)) return base;
    if (s->tries && same(&s->trial, &key)) return s->trial_caps;
    const gpu_tuned *it = gpu_tuned_find(s, &key, GPU_TUNED_KEPT, NULL);
    return it && it->caps ? it->caps : base;
}

const gpu_kernel *gpu_tuned_kernel(const gpu_tuned_set *s, const gpu_caps *base, const gpu_caps *caps,
                                   const gpu_kernel *k)
{
    uint32_t n, i = 0;
    const gpu_kernel *const *all = gpu_kernels(&n);
    if (caps == base || !k) return k;
    while (i < n && all[i] != k) i++;
    for (const gpu_form *f = s->forms; f && i < n; f = f->next)
        if (&f->caps == caps) return &f->kernels[i];
    return k;
}

bool gpu_tuned_put(gpu_tuned_set *s, const gpu_caps *base, const gpu_tuned *item)
{
    const gpu_caps *caps = gpu_form_of(s, base, &item->key, item->setting);
    if (!caps) return false;
    const bool kept = item->state == GPU_TUNED_KEPT;
    uint32_t i = 0;
    for (; i < s->n; i++) { /* one that is kept for each key, one word on each setting */
        const gpu_tuned *it = &s->items[i];
        if (same(&it->key, &item->key) && (it->state == GPU_TUNED_KEPT) == kept &&
            (kept || !strcmp(it->setting, item->setting)))
            break;
    }
    if (i == GPU_MAX_TUNED) return false;
    s->items[i] = *item;
    s->items[i].caps = kept && caps != base ? caps : NULL;
    s->n += i == s->n;
    return true;
}

void gpu_tuned_drop(gpu_tuned_set *s, const gpu_tuned_key *key, gpu_tuned_state state, const char *setting)
{
    const gpu_tuned *it = gpu_tuned_find(s, key, state, setting);
    if (it) memmove(&s->items[it - s->items], it + 1, (size_t)(&s->items[s->n--] - (it + 1)) * sizeof *it);
}

bool gpu_tuned_try(gpu_tuned_set *s, const gpu_caps *base, const gpu_tuned_key *key, const char *setting)
{
    s->tries = setting != NULL;
    if (!setting) return true;
    s->trial = *key;
    s->trial_caps = gpu_form_of(s, base, key, setting);
    s->tries = s->trial_caps != NULL;
    return s->tries;
}

uint32_t gpu_tuned_count(const gpu_tuned_set *s, uint32_t *changed)
{
    uint32_t n = 0;
    *changed = 0;
    for (uint32_t i = 0; i < s->n; i++) {
        if (s->items[i].state != GPU_TUNED_KEPT) continue;
        n++;
        *changed += s->items[i].caps != NULL;
    }
    return n;
}

/* ---- lines ---- */

static weft_dtype type_named(const char *name)
{
    for (weft_dtype t = WEFT_ANY + 1; t < WEFT_DTYPE_COUNT; t++)
        if (!strcmp(weft_dtype_get(t)->name, name)) return t;
    return WEFT_ANY;
}

static bool take_head(const char *line, gpu_tuned *it, const char **rest)
{
    char word[8], kind[16], type[16];
    int used = 0;
    gpu_tuned_key *k = &it->key;
    if (sscanf(line, "%7s %15s %15s %u %u %u %n", word, kind, type, &k->tokens, &k->rows, &k->columns, &used) != 6 ||
        !used)
        return false;
    k->attention = !strcmp(kind, "attention");
    k->type = type_named(type);
    *rest = line + used;
    for (uint32_t i = 0; i < sizeof words / sizeof *words; i++)
        if (!strcmp(word, words[i])) it->state = (gpu_tuned_state)i;
    const bool known = !strcmp(word, words[it->state]) && (k->attention || !strcmp(kind, "product"));
    const bool sizes = k->columns && k->columns <= 1u << 24 && k->rows <= 1u << 24;
    return known && sizes && k->type != WEFT_ANY && k->tokens == tokens_class(k->tokens);
}

/* Microseconds. */
static bool take_seconds(const char *text, double *out)
{
    if (!weft__double_scan(text, out) || !(*out > 0)) return false;
    *out *= 1e-6;
    return true;
}

/* *process: of a trial, whose it is. */
static bool take_line(const char *line, gpu_tuned *it, const char **process)
{
    const char *rest;
    char seconds[32], row_seconds[32];
    int used = 0;
    *it = (gpu_tuned){ 0 };
    if (!take_head(line, it, &rest)) return false;
    if (it->state == GPU_TUNED_KEPT) { /* of a row whose results were wrong there are no seconds */
        if (sscanf(rest, "%31s %31s %95s", seconds, row_seconds, it->setting) != 3) return false;
        const bool no_row = !strcmp(row_seconds, "0");
        if (!take_seconds(seconds, &it->seconds)) return false;
        if (!no_row && !take_seconds(row_seconds, &it->row_seconds)) return false;
    } else if (sscanf(rest, "%95s %n", it->setting, &used) != 1 || !used) return false;
    if (!strcmp(it->setting, "row")) *it->setting = 0;
    *process = rest + used;
    if (it->state != GPU_TUNED_KEPT) snprintf(it->detail, sizeof it->detail, "%.95s", rest + used);
    return true;
}

bool gpu_tuned_take(gpu_tuned_set *s, const gpu_caps *base, const char *line, bool (*alive)(const char *process))
{
    gpu_tuned it;
    const char *process;
    if (!take_line(line, &it, &process)) return false;
    if (it.state == GPU_TUNED_TRYING) {
        if (alive(process)) return true; /* somebody else is at it */
        it.state = GPU_TUNED_WRONG;
        snprintf(it.detail, sizeof it.detail, "its test did not come back");
    }
    return gpu_tuned_put(s, base, &it);
}

bool gpu_tuned_replaces(const gpu_tuned_set *s, const char *line, const char *process)
{
    gpu_tuned it;
    const char *whose;
    if (!take_line(line, &it, &whose)) return false;
    if (it.state == GPU_TUNED_KEPT) return gpu_tuned_find(s, &it.key, GPU_TUNED_KEPT, NULL) != NULL;
    return (it.state == GPU_TUNED_TRYING && !strcmp(whose, process)) ||
           gpu_tuned_find(s, &it.key, GPU_TUNED_WRONG, it.setting) ||
           gpu_tuned_find(s, &it.key, GPU_TUNED_TRYING, it.setting);
}

void gpu_tuned_print(const gpu_tuned_set *s, const char *process, const weft_writer *w)
{
    for (uint32_t i = 0; i < s->n; i++) {
        const gpu_tuned *it = &s->items[i];
        const gpu_tuned_key *k = &it->key;
        const char *setting = *it->setting ? it->setting : "row";
        char seconds[WEFT__FLOAT_TEXT], row_seconds[WEFT__FLOAT_TEXT];
        weft_writef(w, "%s %s %s %u %u %u ", words[it->state], k->attention ? "attention" : "product",
                    weft_dtype_get(k->type)->name, k->tokens, k->rows, k->columns);
        if (it->state == GPU_TUNED_KEPT)
            weft_writef(w, "%s %s %s\n", weft__double_text(it->seconds * 1e6, seconds),
                        weft__double_text(it->row_seconds * 1e6, row_seconds), setting);
        else if (it->state == GPU_TUNED_TRYING) weft_writef(w, "%s %s\n", setting, process);
        else weft_writef(w, "%s %s\n", setting, it->detail);
    }
}
