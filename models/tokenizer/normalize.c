/* normalize.c: the kinds of normalizers.
 *
 * Each is a step with a function from one text to the next. Most look at one character at a time: `chars` walks for
 * them. A kind that does several things (BertNormalizer) becomes several steps. */
#include "normalize.h"

#include <stdlib.h>

#include "charsmap.h"
#include "classes.h"
#include "components.h"
#include "forms.h"

typedef struct work work;

typedef struct weft__normalizer {
    const char *name;
    weft_status (*apply)(const struct weft__normalizer *step, work *w, weft_error *err);
    size_t (*map)(uint32_t c, uint32_t out[3]); /* what becomes of a character, of `chars` */
    weft__form form;
    bool left, right;      /* Strip */
    weft__regex *pattern;  /* Replace */
    weft__bytes content;   /* Replace, Prepend */
    weft__charsmap *table; /* Precompiled */
} weft__normalizer;

/* One step at work. */
struct work {
    weft__stretch in;
    weft__bytes *out;
    size_t first; /* of what is in `out` */
    size_t most;  /* bytes that it may have */
    weft__regex_scratch *regex;
};

/* A text may grow by this factor and constant: every known normalizer stays below 12. */
enum { GROWTH = 64, GROWTH_MIN = 65536 };
#define TEXT_MAX ((size_t)INT32_MAX / 4)

static weft_status put(work *w, const char *data, size_t n, weft_error *err)
{
    if (n > w->most || w->out->size > w->most - n)
        return WEFT_FAIL(err, WEFT_LIMIT, "the tokenizer's normalizer makes the text longer than %zu bytes", w->most);
    return weft__bytes_append(w->out, data, n) ? WEFT_OK : WEFT_OOM_FAIL(err, "the text");
}

/* Copies in[from..end) as it is. */
static weft_status copy(work *w, size_t from, size_t end, weft_error *err)
{
    if (from < w->in.first) w->first = w->out->size + (w->in.first < end ? w->in.first : end) - from;
    return end > from ? put(w, w->in.data + from, end - from, err) : WEFT_OK;
}

/* ---- steps ---- */

static weft_status apply_form(const weft__normalizer *step, work *w, weft_error *err)
{
    if (!weft__form_append(w->out, step->form, w->in.data, w->in.first)) return WEFT_OOM_FAIL(err, "the text");
    w->first = w->out->size;
    w->out->size = 0;
    return weft__form_append(w->out, step->form, w->in.data, w->in.n) ? WEFT_OK : WEFT_OOM_FAIL(err, "the text");
}

static weft_status apply_chars(const weft__normalizer *step, work *w, weft_error *err)
{
    for (size_t i = 0, k; i < w->in.n; i += k) {
        uint32_t out[3];
        size_t n = step->map(weft__utf8_decode(w->in.data + i, &k), out);
        for (size_t j = 0; j < n; j++) {
            char utf8[4];
            WEFT_TRY(put(w, utf8, weft__utf8_encode(out[j], utf8), err));
        }
        if (i < w->in.first) w->first = w->out->size;
    }
    return WEFT_OK;
}

static weft_status apply_strip(const weft__normalizer *step, work *w, weft_error *err)
{
    size_t from = 0, end = w->in.n, k;
    while (step->left && from < end && weft__is_space(weft__utf8_decode(w->in.data + from, &k))) from += k;
    while (step->right && end > from) {
        size_t at = end - 1;
        while (at > from && ((uint8_t)w->in.data[at] & 0xC0) == 0x80) at--;
        if (!weft__is_space(weft__utf8_decode(w->in.data + at, &k))) break;
        end = at;
    }
    return copy(w, from, end, err);
}

static weft_status apply_prepend(const weft__normalizer *step, work *w, weft_error *err)
{
    if (w->in.n) WEFT_TRY(put(w, step->content.data, step->content.size, err));
    return copy(w, 0, w->in.n, err);
}

static weft_status apply_replace(const weft__normalizer *step, work *w, weft_error *err)
{
    weft__regex_walk walk = { .regex = step->pattern, .scratch = w->regex, .text = w->in.data, .n = w->in.n };
    size_t done = 0;
    for (bool found;; done = walk.end) {
        WEFT_TRY(weft__regex_next(&walk, &found, err));
        if (!found) return copy(w, done, w->in.n, err);
        WEFT_TRY(copy(w, done, walk.start, err));
        WEFT_TRY(put(w, step->content.data, step->content.size, err));
        if (walk.start < w->in.first) w->first = w->out->size;
    }
}

static weft_status apply_charsmap(const weft__normalizer *step, work *w, weft_error *err)
{
    size_t single = 0;
    for (size_t i = 0, k; i < w->in.n; i += k) {
        size_t n;
        const char *with = weft__charsmap_find(step->table, w->in.data + i, w->in.n - i, &single, &k, &n);
        WEFT_TRY(put(w, with, n, err));
        if (i < w->in.first) w->first = w->out->size;
    }
    return WEFT_OK;
}

/* ---- characters ---- */

static size_t drop_mark(uint32_t c, uint32_t out[3])
{
    out[0] = c;
    return !weft__is_mark(c);
}

static size_t drop_nonspacing(uint32_t c, uint32_t out[3])
{
    out[0] = c;
    return !weft__is_nonspacing(c);
}

/* What BERT's clean_text does: no control characters, and one kind of space. */
static size_t clean(uint32_t c, uint32_t out[3])
{
    bool space = weft__is_space(c);
    out[0] = space ? ' ' : c;
    if (c == '\t' || c == '\n' || c == '\r') return 1;
    return c != 0 && c != 0xFFFD && !weft__is_control(c);
}

/* Spaces around an ideograph. */
static size_t space_ideograph(uint32_t c, uint32_t out[3])
{
    static const uint32_t ideographs[][2] = {
        { 0x3400, 0x4DBF },   { 0x4E00, 0x9FFF },   { 0xF900, 0xFAFF },   { 0x20000, 0x2A6DF },
        { 0x2A700, 0x2B81F }, { 0x2B920, 0x2CEAF }, { 0x2F800, 0x2FA1F },
    };
    bool found = WEFT__IN_RANGES(ideographs, c);
    out[found] = c;
    if (!found) return 1;
    out[0] = out[2] = ' ';
    return 3;
}

static size_t lower(uint32_t c, uint32_t out[3])
{
    return weft__to_lower(c, out);
}

/* The characters of the byte-level alphabet that stand for a character's bytes: at most two at a time, so by bytes. */
static weft_status apply_bytes(const weft__normalizer *step, work *w, weft_error *err)
{
    (void)step;
    for (size_t i = 0; i < w->in.n; i++) {
        char utf8[4];
        WEFT_TRY(put(w, utf8, weft__utf8_encode(weft__byte_char((uint8_t)w->in.data[i]), utf8), err));
        if (i < w->in.first) w->first = w->out->size;
    }
    return WEFT_OK;
}

/* ---- reading ---- */

static weft_status add(weft__normalizers *list, weft__normalizer step, weft__normalizer **out, weft_error *err)
{
    if (!weft__grow(&list->step, &list->capacity, list->n + 1, sizeof *list->step))
        return WEFT_OOM_FAIL(err, "a normalizer");
    list->step[list->n] = step;
    if (out) *out = &list->step[list->n];
    list->n++;
    return WEFT_OK;
}

static weft_status read_form(void *ctx, const weft__component *row, const json_t *part, weft_error *err)
{
    (void)part;
    weft__normalizer step = { .name = row->type, .apply = apply_form, .form = (weft__form)row->arg };
    return add(ctx, step, NULL, err);
}

static weft_status read_strip(void *ctx, const weft__component *row, const json_t *part, weft_error *err)
{
    weft__normalizer step = { .name = row->type, .apply = apply_strip };
    WEFT_TRY(weft__read_bool(part, "its options", "strip_left", -1, &step.left, err));
    WEFT_TRY(weft__read_bool(part, "its options", "strip_right", -1, &step.right, err));
    return add(ctx, step, NULL, err);
}

enum { MAP_MARKS, MAP_LOWER };

static weft_status read_chars(void *ctx, const weft__component *row, const json_t *part, weft_error *err)
{
    (void)part;
    weft__normalizer step = { .name = row->type, .apply = apply_chars };
    step.map = row->arg == MAP_LOWER ? lower : drop_mark;
    return add(ctx, step, NULL, err);
}

static weft_status read_byte_level(void *ctx, const weft__component *row, const json_t *part, weft_error *err)
{
    (void)part;
    return add(ctx, (weft__normalizer){ .name = row->type, .apply = apply_bytes }, NULL, err);
}

/* The text at part[key], kept. */
static weft_status read_content(weft__normalizer *step, const json_t *part, const char *key, weft_error *err)
{
    const json_t *text = json_object_get(part, key);
    if (!json_is_string(text)) return WEFT_FAIL(err, WEFT_FORMAT, "\"%s\" is not a text", key);
    bool ok = weft__bytes_append(&step->content, json_string_value(text), json_string_length(text));
    return ok ? WEFT_OK : WEFT_OOM_FAIL(err, "a normalizer");
}

static weft_status read_prepend(void *ctx, const weft__component *row, const json_t *part, weft_error *err)
{
    weft__normalizer *step = NULL;
    WEFT_TRY(add(ctx, (weft__normalizer){ .name = row->type, .apply = apply_prepend }, &step, err));
    return read_content(step, part, "prepend", err);
}

static weft_status read_replace(void *ctx, const weft__component *row, const json_t *part, weft_error *err)
{
    weft__normalizer *step = NULL;
    weft__pattern pattern;
    WEFT_TRY(add(ctx, (weft__normalizer){ .name = row->type, .apply = apply_replace }, &step, err));
    WEFT_TRY(weft__read_pattern(part, &pattern, err));
    WEFT_TRY(read_content(step, part, "content", err));
    return weft__regex_create(pattern.text, pattern.n, pattern.literal, &step->pattern, err);
}

static weft_status read_precompiled(void *ctx, const weft__component *row, const json_t *part, weft_error *err)
{
    weft__normalizer *step = NULL;
    const json_t *map = json_object_get(part, "precompiled_charsmap");
    if (!json_is_string(map)) return WEFT_FAIL(err, WEFT_FORMAT, "\"precompiled_charsmap\" is not a text");
    WEFT_TRY(add(ctx, (weft__normalizer){ .name = row->type, .apply = apply_charsmap }, &step, err));
    return weft__charsmap_create(json_string_value(map), json_string_length(map), &step->table, err);
}

static weft_status read_bert(void *ctx, const weft__component *row, const json_t *part, weft_error *err)
{
    bool wants_clean, ideographs, accents, lowercase;
    weft__normalizer step = { .name = row->type, .apply = apply_chars };
    WEFT_TRY(weft__read_bool(part, "its options", "clean_text", -1, &wants_clean, err));
    WEFT_TRY(weft__read_bool(part, "its options", "handle_chinese_chars", -1, &ideographs, err));
    WEFT_TRY(weft__read_bool(part, "its options", "lowercase", -1, &lowercase, err));
    WEFT_TRY(weft__read_bool(part, "its options", "strip_accents", lowercase, &accents, err));
    step.map = clean;
    if (wants_clean) WEFT_TRY(add(ctx, step, NULL, err));
    step.map = space_ideograph;
    if (ideographs) WEFT_TRY(add(ctx, step, NULL, err));
    weft__normalizer form = { .name = row->type, .apply = apply_form, .form = WEFT__FORM_D };
    step.map = drop_nonspacing;
    if (accents) WEFT_TRY(add(ctx, form, NULL, err));
    if (accents) WEFT_TRY(add(ctx, step, NULL, err));
    step.map = lower;
    return lowercase ? add(ctx, step, NULL, err) : WEFT_OK;
}

static const weft__component kinds[] = {
    { "NFC", read_form, WEFT__FORM_C },
    { "NFD", read_form, WEFT__FORM_D },
    { "NFKC", read_form, WEFT__FORM_KC },
    { "NFKD", read_form, WEFT__FORM_KD },
    { "Lowercase", read_chars, MAP_LOWER },
    { "StripAccents", read_chars, MAP_MARKS },
    { "Strip", read_strip, 0 },
    { "Prepend", read_prepend, 0 },
    { "Replace", read_replace, 0 },
    { "Precompiled", read_precompiled, 0 },
    { "BertNormalizer", read_bert, 0 },
    { "ByteLevel", read_byte_level, 0 },
};

weft_status weft__read_normalizers(weft__normalizers *list, const json_t *root, weft_error *err)
{
    static const weft__component_set set = { "normalizer", "normalizer", "normalizers", kinds,
                                             sizeof kinds / sizeof *kinds };
    return weft__read_components(list, root, &set, err);
}

void weft__normalizers_free(weft__normalizers *list)
{
    for (size_t i = 0; i < list->n; i++) {
        weft__regex_destroy(list->step[i].pattern);
        free(list->step[i].content.data);
        weft__charsmap_destroy(list->step[i].table);
    }
    free(list->step);
    *list = (weft__normalizers){ 0 };
}

const char *weft__normalizer_name(const weft__normalizers *list, size_t i)
{
    return i < list->n ? list->step[i].name : NULL;
}

/* ---- all steps ---- */

void weft__normal_scratch_free(weft__normal_scratch *s)
{
    free(s->text[0].data);
    free(s->text[1].data);
    *s = (weft__normal_scratch){ 0 };
}

weft_status weft__normalize(const weft__normalizers *list, weft__normal_scratch *s, weft__regex_scratch *regex,
                            weft__stretch *text, weft_error *err)
{
    work w = { .regex = regex };
    w.most = text->n > TEXT_MAX / GROWTH ? TEXT_MAX : text->n * GROWTH + GROWTH_MIN;
    for (size_t i = 0, k = 0; i < list->n; i++) {
        const weft__normalizer *step = &list->step[i];
        if (step->apply == apply_form && weft__form_quick(step->form, text->data, text->n)) continue;
        w.in = *text;
        w.first = 0;
        w.out = &s->text[k];
        w.out->size = 0;
        WEFT_TRY(step->apply(step, &w, err));
        if (w.out->size > w.most) return WEFT_FAIL(err, WEFT_LIMIT, "the text is too long for the normalizer");
        *text = (weft__stretch){ w.out->data, w.out->size, w.first };
        k ^= 1;
    }
    return WEFT_OK;
}
