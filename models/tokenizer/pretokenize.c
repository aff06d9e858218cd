/* pretokenize.c: the kinds of pre-tokenizers.
 *
 * A kind is what it puts into a weft__pre_step; those that cut by several rules become several steps. Each step
 * hands its pieces to the next one, the last one's are words. */
#include "pretokenize.h"

#include <stdlib.h>

#include "classes.h"
#include "components.h"

static const char gpt2_regex[] = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";
/* One character that Digits takes: any number, to Unicode 17. */
static const char digit_regex[] = "[\\p{N}\\x{11DE0}-\\x{11DE9}\\x{16FF4}-\\x{16FF6}]";

/* ---- reading ---- */

static weft_status add(weft__pre_steps *list, const weft__component *row, weft__pre_step **out, weft_error *err)
{
    if (list->n == WEFT__PRE_STEPS_MAX)
        return WEFT_FAIL(err, WEFT_UNSUPPORTED, "more than %d steps are not supported", WEFT__PRE_STEPS_MAX);
    *out = &list->step[list->n++];
    **out = (weft__pre_step){ .name = row->type };
    return WEFT_OK;
}

static weft_status read_behavior(const json_t *part, weft__split_behavior *out, weft_error *err)
{
    static const char *const names[] = { "Isolated", "Removed", "MergedWithPrevious", "MergedWithNext", "Contiguous" };
    const char *behavior = weft__string_at(part, "behavior");
    if (!behavior) return WEFT_FAIL(err, WEFT_FORMAT, "it has no \"behavior\"");
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(behavior, names[i]) != 0) continue;
        *out = (weft__split_behavior)i;
        return WEFT_OK;
    }
    return WEFT_FAIL(err, WEFT_UNSUPPORTED, "the behavior %s is not supported",
                     weft__quote_text(behavior, strlen(behavior)).text);
}

static weft_status read_split(void *ctx, const weft__component *row, const json_t *part, weft_error *err)
{
    weft__pre_step *step = NULL;
    weft__pattern pattern;
    weft__split_options options = { 0 };
    WEFT_TRY(add(ctx, row, &step, err));
    WEFT_TRY(weft__read_pattern(part, &pattern, err));
    options.literal = pattern.literal;
    WEFT_TRY(read_behavior(part, &options.behavior, err));
    WEFT_TRY(weft__read_bool(part, "its options", "invert", -1, &options.invert, err));
    return weft__splitter_create(pattern.text, pattern.n, options, &step->splitter, err);
}

/* One character, in UTF-8: its bytes. */
static weft_status read_char(const json_t *part, const char *key, char out[4], uint8_t *n, weft_error *err)
{
    const json_t *text = json_object_get(part, key);
    size_t step = 0;
    if (json_is_string(text) && json_string_length(text)) weft__utf8_decode(json_string_value(text), &step);
    if (!step || step != json_string_length(text))
        return WEFT_FAIL(err, WEFT_FORMAT, "\"%s\" is not one character", key);
    memcpy(out, json_string_value(text), step);
    *n = (uint8_t)step;
    return WEFT_OK;
}

static weft_status read_delimiter(void *ctx, const weft__component *row, const json_t *part, weft_error *err)
{
    static const weft__split_options options = { .literal = true, .behavior = WEFT__SPLIT_REMOVED };
    weft__pre_step *step = NULL;
    char delimiter[4];
    uint8_t n;
    WEFT_TRY(add(ctx, row, &step, err));
    WEFT_TRY(read_char(part, "delimiter", delimiter, &n, err));
    return weft__splitter_create(delimiter, n, options, &step->splitter, err);
}

static weft_status read_digits(void *ctx, const weft__component *row, const json_t *part, weft_error *err)
{
    weft__pre_step *step = NULL;
    bool individual;
    WEFT_TRY(add(ctx, row, &step, err));
    WEFT_TRY(weft__read_bool(part, "its options", "individual_digits", -1, &individual, err));
    weft__split_options options = { .behavior = individual ? WEFT__SPLIT_ISOLATED : WEFT__SPLIT_CONTIGUOUS };
    return weft__splitter_create(digit_regex, strlen(digit_regex), options, &step->splitter, err);
}

static weft_status read_byte_level(void *ctx, const weft__component *row, const json_t *part, weft_error *err)
{
    weft__pre_step *step = NULL;
    bool use_regex, lead;
    WEFT_TRY(add(ctx, row, &step, err));
    step->bytes = true;
    step->space[0] = ' ';
    step->n_space = 1;
    WEFT_TRY(weft__read_bool(part, "its options", "add_prefix_space", -1, &lead, err));
    WEFT_TRY(weft__read_bool(part, "its options", "use_regex", 1, &use_regex, err));
    step->lead = lead ? WEFT__LEAD_ALWAYS : WEFT__LEAD_NEVER;
    if (!use_regex) return WEFT_OK;
    return weft__splitter_create(gpt2_regex, strlen(gpt2_regex), (weft__split_options){ 0 }, &step->splitter, err);
}

static weft_status read_metaspace(void *ctx, const weft__component *row, const json_t *part, weft_error *err)
{
    static const weft__split_options options = { .literal = true, .behavior = WEFT__SPLIT_NEXT };
    weft__pre_step *step = NULL;
    bool split;
    WEFT_TRY(add(ctx, row, &step, err));
    step->spaces = true;
    WEFT_TRY(read_char(part, "replacement", step->space, &step->n_space, err));
    WEFT_TRY(weft__read_scheme(part, &step->lead, err));
    WEFT_TRY(weft__read_bool(part, "its options", "split", 1, &split, err));
    return split ? weft__splitter_create(step->space, step->n_space, options, &step->splitter, err) : WEFT_OK;
}

static weft_status add_class(void *ctx, const weft__component *row, bool (*holds)(uint32_t c),
                             weft__split_behavior behavior, weft_error *err)
{
    weft__pre_step *step = NULL;
    WEFT_TRY(add(ctx, row, &step, err));
    return weft__splitter_create_class(holds, behavior, &step->splitter, err);
}

static weft_status read_punctuation(void *ctx, const weft__component *row, const json_t *part, weft_error *err)
{
    weft__split_behavior behavior = WEFT__SPLIT_ISOLATED;
    if (json_object_get(part, "behavior")) WEFT_TRY(read_behavior(part, &behavior, err));
    return add_class(ctx, row, weft__is_punctuation, behavior, err);
}

enum { SPACE_ALONE, SPACE_AND_WORDS, SPACE_AND_PUNCTUATION };

/* Those that remove white space, and cut what is left. */
static weft_status read_space(void *ctx, const weft__component *row, const json_t *part, weft_error *err)
{
    (void)part;
    WEFT_TRY(add_class(ctx, row, weft__is_space, WEFT__SPLIT_REMOVED, err));
    if (row->arg == SPACE_AND_WORDS) return add_class(ctx, row, weft__is_word, WEFT__SPLIT_CONTIGUOUS, err);
    if (row->arg == SPACE_AND_PUNCTUATION) return add_class(ctx, row, weft__is_punctuation, WEFT__SPLIT_ISOLATED, err);
    return WEFT_OK;
}

static const weft__component kinds[] = {
    { "ByteLevel", read_byte_level, 0 },
    { "Split", read_split, 0 },
    { "Digits", read_digits, 0 },
    { "Metaspace", read_metaspace, 0 },
    { "Punctuation", read_punctuation, 0 },
    { "WhitespaceSplit", read_space, SPACE_ALONE },
    { "Whitespace", read_space, SPACE_AND_WORDS },
    { "BertPreTokenizer", read_space, SPACE_AND_PUNCTUATION },
    { "CharDelimiterSplit", read_delimiter, 0 },
};

weft_status weft__read_pre_tokenizers(weft__pre_steps *list, const json_t *root, weft_error *err)
{
    static const weft__component_set set = { "pre_tokenizer", "pre-tokenizer", "pretokenizers", kinds,
                                             sizeof kinds / sizeof *kinds };
    return weft__read_components(list, root, &set, err);
}

void weft__pre_steps_free(weft__pre_steps *list)
{
    for (size_t i = 0; i < list->n; i++) weft__splitter_destroy(list->step[i].splitter);
    list->n = 0;
}

/* ---- cutting ---- */

void weft__pre_scratch_free(weft__pre_scratch *s)
{
    for (size_t i = 0; i < WEFT__PRE_STEPS_MAX; i++) {
        free(s->at[i].spaced.data);
        free(s->at[i].mapped.data);
    }
}

/* One text on its way through the steps. */
typedef struct cutting {
    const weft__pre_steps *list;
    weft__pre_scratch *s;
    size_t step; /* the one at work */
    bool raw_bytes;
    weft__piece_fn *word;
    void *ctx;
} cutting;

/* Puts the step's space where it belongs. */
static weft_status prepare(const weft__pre_step *step, weft__bytes *out, weft__stretch *text, weft_error *err)
{
    bool has = text->n >= step->n_space && memcmp(text->data, step->space, step->n_space) == 0;
    has |= step->spaces && text->data[0] == ' ';
    bool lead = !has && (step->lead == WEFT__LEAD_ALWAYS || (step->lead == WEFT__LEAD_FIRST && text->first > 0));
    size_t first = text->first;
    if (!lead && !(step->spaces && memchr(text->data, ' ', text->n))) return WEFT_OK;
    out->size = 0;
    bool ok = !lead || weft__bytes_append(out, step->space, step->n_space);
    for (size_t i = 0, end; i < text->n && ok; i = end) {
        const char *space = step->spaces ? memchr(text->data + i, ' ', text->n - i) : NULL;
        end = space ? (size_t)(space - text->data) : text->n;
        ok = weft__bytes_append(out, text->data + i, end - i);
        if (space && ok) ok = weft__bytes_append(out, step->space, step->n_space);
        end += space != NULL;
    }
    if (!ok) return WEFT_OOM_FAIL(err, "the text");
    if (out->size > INT32_MAX / 2) return WEFT_FAIL(err, WEFT_LIMIT, "the text is too long for the pre-tokenizers");
    /* Only whether the first piece is the text's first matters, and one of that many bytes is. */
    *text = (weft__stretch){ out->data, out->size, first ? first + (lead ? step->n_space : 0) : 0 };
    return WEFT_OK;
}

static weft_status map_bytes(weft__bytes *out, weft__stretch *text, weft_error *err)
{
    size_t first = 0;
    out->size = 0;
    for (size_t i = 0; i < text->n; i++) {
        char utf8[4];
        if (!weft__bytes_append(out, utf8, weft__utf8_encode(weft__byte_char((uint8_t)text->data[i]), utf8)))
            return WEFT_OOM_FAIL(err, "the text");
        if (i < text->first) first = out->size;
    }
    if (out->size > INT32_MAX / 2) return WEFT_FAIL(err, WEFT_LIMIT, "the text is too long for the pre-tokenizers");
    *text = (weft__stretch){ out->data, out->size, first };
    return WEFT_OK;
}

static weft_status run_step(cutting *c, weft__stretch text, weft_error *err);

/* A piece of the step at work. */
static weft_status take_piece(void *ctx, const char *data, size_t n, weft_error *err)
{
    cutting *c = ctx;
    const weft__pre_step *step = &c->list->step[c->step];
    size_t offset = (size_t)(data - c->s->at[c->step].text), first = c->s->at[c->step].first;
    weft__stretch text = { data, n, offset < first ? first - offset : 0 };
    bool last = c->step + 1 == c->list->n;
    if (step->bytes && !(last && c->raw_bytes)) WEFT_TRY(map_bytes(&c->s->at[c->step].mapped, &text, err));
    if (last) return c->word(c->ctx, text.data, text.n, err);
    c->step++;
    weft_status status = run_step(c, text, err);
    c->step--;
    return status;
}

static weft_status run_step(cutting *c, weft__stretch text, weft_error *err)
{
    const weft__pre_step *step = &c->list->step[c->step];
    if (step->n_space) WEFT_TRY(prepare(step, &c->s->at[c->step].spaced, &text, err));
    c->s->at[c->step].text = text.data;
    c->s->at[c->step].first = text.first;
    if (!step->splitter) return take_piece(c, text.data, text.n, err);
    return weft__split(step->splitter, c->s->regex, text.data, text.n, take_piece, c, err);
}

weft_status weft__pre_tokenize(const weft__pre_steps *list, weft__pre_scratch *s, weft__stretch text, bool raw_bytes,
                               weft__piece_fn *word, void *ctx, weft_error *err)
{
    cutting c = { .list = list, .s = s, .raw_bytes = raw_bytes, .word = word, .ctx = ctx };
    if (list->n == 0) return word(ctx, text.data, text.n, err);
    return run_step(&c, text, err);
}
