/* probe.c: see probe.h. */
#include "models/probe.h"

#include <stdlib.h>
#include <string.h>

size_t weft__list_key(const char *key, uint32_t *entry)
{
    size_t n = strlen(key), at = n;
    while (at && key[at - 1] >= '0' && key[at - 1] <= '9') at--;
    if (at == n || n - at > 6 || at < 2 || key[at - 1] != '.') return 0;
    *entry = (uint32_t)strtoul(key + at, NULL, 10);
    return at - 1;
}

/* What is absent is so by either of its names. */
static bool is_said(const weft__probe *p, const weft__said *s, const char *key, size_t list)
{
    const size_t n = strlen(s->key);
    if (s->kind == SAID_LIST) return list == n && !strncmp(s->key, key, list);
    if (!strcmp(s->key, key)) return true;
    if (s->kind != SAID_ABSENT) return false;
    return (list == n && !strncmp(s->key, key, list)) || !strcmp(weft__config_spelling(p->m->hf, s->key), key);
}

const weft__said *weft__probe_said(const weft__probe *p, const char *key, uint32_t *entry)
{
    size_t list = weft__list_key(key, entry);
    for (uint32_t i = p->n_said; i--;)
        if (is_said(p, &p->said[i], key, list)) return &p->said[i];
    return NULL;
}

/* ---- what was asked ---- */

const weft__asked *weft__probe_asked(const weft__probe *p, const char *key)
{
    for (size_t i = 0; i < p->n_asked; i++)
        if (!strcmp(p->asked[i].key, key)) return &p->asked[i];
    return NULL;
}

static weft__asked *record(weft__probe *p, const char *key)
{
    weft__asked *known = (weft__asked *)(uintptr_t)weft__probe_asked(p, key);
    if (known || p->failed) return known;
    char *copy = weft__arena_strdup(p->arena, key);
    p->failed = !copy || !weft__grow(&p->asked, &p->cap, p->n_asked + 1, sizeof *p->asked);
    if (p->failed) return NULL;
    p->asked[p->n_asked] = (weft__asked){ .key = copy, .as_number = -2, .as_text = -2 };
    return &p->asked[p->n_asked++];
}

static void hear(void *sink, const weft_config_value *v)
{
    weft__probe *p = sink;
    weft__asked *a = record(p, v->key);
    if (!a || a->told) return;
    a->told = true;
    a->found = v->found;
    a->truth = v->truth;
    a->number = v->number;
    a->text = v->text ? weft__arena_strdup(p->arena, v->text) : NULL;
    p->failed = p->failed || (v->text && !a->text);
}

/* ---- the configuration ---- */

static int number(const void *ctx, const char *key, double *out)
{
    weft__probe *p = (weft__probe *)(uintptr_t)ctx;
    uint32_t entry;
    const weft__said *s = weft__probe_said(p, key, &entry);
    int found;
    *out = 0;
    if (!s) found = weft_config_file_number(p->m->hf, key, out);
    else if (s->kind == SAID_LIST) found = entry >= s->n ? 0 : s->numbers ? 1 : -1;
    else found = s->kind == SAID_NUMBER ? 1 : s->kind == SAID_ABSENT ? 0 : -1;
    if (s && found > 0) *out = s->kind == SAID_LIST ? s->numbers[entry] : s->number;
    weft__asked *a = record(p, key);
    if (a) a->as_number = found;
    if (a && !a->told) a->number = *out;
    return found;
}

static int text(const void *ctx, const char *key, const char **out)
{
    weft__probe *p = (weft__probe *)(uintptr_t)ctx;
    uint32_t entry;
    const weft__said *s = weft__probe_said(p, key, &entry);
    int found;
    *out = NULL;
    if (!s) found = weft_config_file_text(p->m->hf, key, out);
    else if (s->kind == SAID_LIST) found = entry >= s->n ? 0 : s->texts ? 1 : -1;
    else found = s->kind == SAID_TEXT ? 1 : s->kind == SAID_ABSENT ? 0 : -1;
    if (s && found > 0) *out = s->kind == SAID_LIST ? s->texts[entry] : s->text;
    weft__asked *a = record(p, key);
    if (a) a->as_text = found;
    if (a && !a->told && found > 0) a->text = weft__arena_strdup(p->arena, *out);
    return found;
}

static const char *spelling(const void *ctx, const char *key)
{
    const weft__probe *p = ctx;
    return weft__config_spelling(p->m->hf, key);
}

weft_config weft__probe_config(weft__probe *p)
{
    return (weft_config){ .ctx = p, .number = number, .text = text, .origin = p->m->config.origin,
                          .spelling = spelling, .asked = hear, .sink = p };
}

void weft__probe_free(weft__probe *p)
{
    free(p->asked);
    p->asked = NULL;
    p->n_asked = p->cap = 0;
}
