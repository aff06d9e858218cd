/* run.c: faults of a running text, with the blocks and turns in which they stand; its names and its bounds. */
#include "graph/guess.h"
#include "graph/text/place.h"
#include "graph/text/run.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- faults ---- */

enum { SHOWN = 3 }; /* blocks within each other that a fault names */

typedef struct note {
    char text[256];
    size_t used;
} note;

static void add(note *n, const char *fmt, ...) WEFT_PRINTF(2, 3);
static void add(note *n, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int wrote = vsnprintf(n->text + n->used, sizeof n->text - n->used, fmt, args);
    va_end(args);
    if (wrote > 0) n->used += (size_t)wrote;
    if (n->used >= sizeof n->text) n->used = sizeof n->text - 1;
}

/* "in block 'linear', used at line 40, i = 3" */
static void trace(const weft__run *r, note *n)
{
    for (uint32_t d = r->depth, shown = 0; d > 0; d--, shown++) {
        const weft__frame *f = r->frames[d];
        uint32_t line = weft__text_line(r->t, f->call->at);
        if (shown == SHOWN) {
            add(n, ", ..");
            break;
        }
        add(n, "%sin block '%s'", n->used ? ", " : "", f->block->name.text);
        if (line) add(n, ", used at line %u", line);
    }
    for (uint32_t i = 0; i < r->n_counters; i++)
        add(n, "%s%s = %" PRId64, n->used ? ", " : "", r->counters[i].name, r->counters[i].at);
}

weft_status weft__run_locate(weft__run *r, const char *at, weft_status status)
{
    note n = { .used = 0 };
    trace(r, &n);
    size_t used = strlen(r->err->text);
    if (n.used) snprintf(r->err->text + used, sizeof r->err->text - used, " (%s)", n.text);
    return weft__text_locate(r->t, at, r->err, status);
}

weft_status weft__run_fail(weft__run *r, const char *at, weft_status status, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    weft__fail_v(r->err, status, __FILE__, __LINE__, fmt, args);
    va_end(args);
    return weft__run_locate(r, at, status);
}

weft_status weft__run_sticky(weft__run *r, const char *at)
{
    if (r->g->error.status == WEFT_OK) return WEFT_OK;
    *r->err = r->g->error;
    return weft__run_locate(r, at, r->err->status);
}

static void try_names(weft__guess *guess, const weft__names *names, bool is_value, bool globals)
{
    for (uint32_t i = 0; i < names->n; i++) {
        const weft__entry *e = &names->entries[i];
        if (e->bound && e->is_value == is_value && (!globals || e->global))
            weft__guess_try(guess, e->name, strlen(e->name));
    }
}

static weft_status unknown(weft__run *r, const weft__ident *name, const char *what, const weft__guess *guess)
{
    char hint[80];
    return weft__run_fail(r, name->at, WEFT_FORMAT, "%s '%.*s'%s", what, WEFT__TEXT_WORD, name->text,
                          weft__guess_text(guess, hint, sizeof hint));
}

weft_status weft__run_unknown(weft__run *r, const weft__ident *name, const char *what, const void *rows, uint32_t n,
                              size_t size)
{
    weft__guess guess = { .word = name->text };
    for (uint32_t i = 0; i < n; i++) {
        const char *word;
        memcpy(&word, (const char *)rows + i * size, sizeof word);
        weft__guess_try(&guess, word, strlen(word));
    }
    return unknown(r, name, what, &guess);
}

weft_status weft__run_unbound(weft__run *r, const weft__ident *name, const char *what, bool is_value)
{
    weft__guess guess = { .word = name->text };
    try_names(&guess, &weft__run_frame(r)->names, is_value, false);
    if (r->depth && !is_value) try_names(&guess, &r->frames[0]->names, false, true);
    for (uint32_t i = 0; i < r->g->n_extents && !is_value; i++)
        weft__guess_try(&guess, r->g->extents[i].name, strlen(r->g->extents[i].name));
    return unknown(r, name, what, &guess);
}

weft_status weft__run_unfit(weft__run *r, const weft__expr *e, const weft__datum *d, const char *wanted)
{
    char buf[WEFT__DATUM_TEXT];
    const char *shown = weft__datum_text(d, buf), *quote = d->kind == DATUM_TEXT || d->kind == DATUM_WORD ? "'" : "";
    if (!shown) return weft__run_fail(r, e->at, WEFT_FORMAT, "%s is wanted, not %s", wanted, weft__datum_what(d));
    return weft__run_fail(r, e->at, WEFT_FORMAT, "%s is wanted, not %s%.60s%s", wanted, quote, shown, quote);
}

weft_status weft__run_step(weft__run *r, const char *at, uint64_t n)
{
    if (n > WEFT__TEXT_STEPS - r->steps)
        return weft__run_fail(r, at, WEFT_LIMIT, "the text takes more than %d steps", (int)WEFT__TEXT_STEPS);
    r->steps += (uint32_t)n;
    return WEFT_OK;
}

/* ---- names ---- */

const weft__datum *weft__run_find(const weft__run *r, const char *name)
{
    const weft__entry *e = weft__names_find(&weft__run_frame(r)->names, name, false);
    if (e && e->bound) return &e->datum;
    e = r->depth ? weft__names_find(&r->frames[0]->names, name, false) : NULL;
    return e && e->bound && e->global ? &e->datum : NULL;
}

weft_status weft__run_bind(weft__run *r, const weft__ident *name, const weft__datum *d)
{
    weft__names *names = &weft__run_frame(r)->names;
    if (weft__run_find(r, name->text))
        return weft__run_fail(r, name->at, WEFT_FORMAT, "given twice: '%s'", name->text);
    weft__entry *e = weft__names_put(names, name->text, false);
    if (!e || !weft__grow(&r->bound, &r->bound_cap, (size_t)r->n_bound + 1, sizeof *r->bound))
        return WEFT_OOM_FAIL(r->err, "names of a text");
    e->bound = true;
    e->global = r->bodies == 1;
    e->datum = *d;
    r->bound[r->n_bound++] = (uint32_t)(e - names->entries);
    return WEFT_OK;
}

weft_status weft__run_value(weft__run *r, const weft__ident *name, weft_ref *out)
{
    const weft__entry *e = weft__names_find(&weft__run_frame(r)->names, name->text, true);
    *out = (weft_ref){ e ? e->ref.id : 0 };
    return e ? WEFT_OK : weft__run_unbound(r, name, "no value here is called", true);
}

weft_status weft__run_bind_value(weft__run *r, const weft__ident *name, weft_ref ref)
{
    weft__entry *e = weft__names_put(&weft__run_frame(r)->names, name->text, true);
    if (!e) return WEFT_OOM_FAIL(r->err, "names of a text");
    e->bound = true;
    e->ref = ref;
    return WEFT_OK;
}
