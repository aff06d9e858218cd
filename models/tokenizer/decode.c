/* decode.c: the kinds of decoders.
 *
 * Hugging Face passes the list of all tokens from decoder to decoder. Here each token goes through the chain as it
 * comes, so that a stream gives what the whole would: a step keeps what it needs to know of the tokens before, and
 * what waits for the next one. What can wait is bounded, and so is what one token can grow to;
 * weft__decoders_measure knows by how much.
 *
 * Without a decoder there are spaces between tokens: a step of its own. */
#include "decode.h"

#include <stdlib.h>

#include "components.h"

/* What a step knows of the text so far. */
typedef struct state {
    size_t n_tokens;
    char *buffer;     /* the token that goes on, or one that waits */
    size_t n_waiting; /* bytes in `buffer` that wait */
    bool waits, broken;
    size_t n_whole;  /* of those that wait, bytes that are whole UTF-8 sequences */
    uint32_t n_held; /* characters that Strip may have to drop */
} state;

struct weft__decoding {
    const weft__decoders *list;
    weft__text_fn *text;
    void *ctx;
    bool raw, alone;
    state at[WEFT__DECODERS_MAX];
};

typedef struct weft__decoder_kind {
    bool (*push)(weft__decoding *d, size_t k, const char *token, size_t n);
    bool (*finish)(weft__decoding *d, size_t k); /* NULL: nothing waits */
    size_t (*most)(const weft__decoder *step);   /* bytes that come out at once, of step->most that come in */
} weft__decoder_kind;

static bool push(weft__decoding *d, size_t k, const char *token, size_t n)
{
    if (k == d->list->n) return n == 0 || d->text(d->ctx, token, n);
    return d->list->step[k].kind->push(d, k, token, n);
}

static char *put(char *out, const char *data, size_t n)
{
    if (n) memcpy(out, data, n);
    return out + n;
}

/* ---- Replace ---- */

/* Copies with each `what` replaced; returns the end. */
static char *replace(char *out, const char *text, size_t n, const weft__bytes *what, const char *with, size_t n_with)
{
    for (size_t i = 0; i < n;) {
        if (what->size && n - i >= what->size && memcmp(text + i, what->data, what->size) == 0) {
            out = put(out, with, n_with);
            i += what->size;
        } else {
            *out++ = text[i++];
        }
    }
    return out;
}

static bool push_replace(weft__decoding *d, size_t k, const char *token, size_t n)
{
    const weft__decoder *step = &d->list->step[k];
    char *out = d->at[k].buffer;
    char *end = replace(out, token, n, &step->pattern, step->content.data, step->content.size);
    return push(d, k + 1, out, (size_t)(end - out));
}

static size_t most_replaced(const weft__decoder *step)
{
    return step->most + step->most / step->pattern.size * step->content.size;
}

/* ---- ByteFallback ---- */

/* A run of bytes longer than this is decided when it is full. */
enum { RUN_MAX = 4096 };

/* Whether a token stands for a byte: <0x41>. */
static bool is_byte(const char *token, size_t n, char *byte)
{
    int value = 0;
    if (n != 6 || memcmp(token, "<0x", 3) != 0 || token[5] != '>') return false;
    for (int i = 3; i < 5; i++) {
        char c = token[i], low = (char)(c | 0x20);
        if (c >= '0' && c <= '9') value = value * 16 + (c - '0');
        else if (low >= 'a' && low <= 'f') value = value * 16 + (low - 'a' + 10);
        else if (!(i == 3 && c == '+')) return false; /* which Rust takes for a number, too */
    }
    *byte = (char)value;
    return true;
}

/* A run that is not UTF-8 becomes one U+FFFD per byte, each a token. */
static bool push_broken(weft__decoding *d, size_t k, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!push(d, k + 1, WEFT__REPLACEMENT, 3)) return false;
    return true;
}

/* The run is over. */
static bool finish_bytes(weft__decoding *d, size_t k)
{
    state *s = &d->at[k];
    size_t n = s->n_waiting;
    bool whole = s->n_whole == n;
    s->n_waiting = s->n_whole = 0;
    s->broken = false;
    if (n == 0) return true;
    return whole ? push(d, k + 1, s->buffer, n) : push_broken(d, k, n);
}

static bool push_byte(weft__decoding *d, size_t k, char byte)
{
    state *s = &d->at[k];
    if (d->raw) return push(d, k + 1, &byte, 1);
    if (s->broken) return push_broken(d, k, 1);
    s->buffer[s->n_waiting++] = byte;
    weft__utf8_kind kind;
    weft__utf8_step(s->buffer + s->n_whole, s->n_waiting - s->n_whole, &kind);
    if (kind == WEFT__UTF8_BROKEN) {
        size_t n = s->n_waiting;
        s->n_waiting = s->n_whole = 0;
        s->broken = true;
        return push_broken(d, k, n);
    }
    if (kind == WEFT__UTF8_VALID) s->n_whole = s->n_waiting;
    if (s->n_waiting < RUN_MAX || s->n_whole == 0) return true;
    size_t n = s->n_whole, rest = s->n_waiting - n;
    if (!push(d, k + 1, s->buffer, n)) return false;
    memmove(s->buffer, s->buffer + n, rest);
    s->n_waiting = rest;
    s->n_whole = 0;
    return true;
}

static bool push_bytes(weft__decoding *d, size_t k, const char *token, size_t n)
{
    char byte;
    if (is_byte(token, n, &byte)) return push_byte(d, k, byte);
    return finish_bytes(d, k) && push(d, k + 1, token, n);
}

static size_t most_bytes(const weft__decoder *step)
{
    return step->most + 3 * (size_t)RUN_MAX;
}

/* ---- Fuse, Strip ---- */

static bool push_fuse(weft__decoding *d, size_t k, const char *token, size_t n)
{
    return n == 0 || push(d, k + 1, token, n);
}

static size_t most_same(const weft__decoder *step)
{
    return step->most;
}

static bool is_content(const weft__decoder *step, const char *text, size_t n)
{
    return n >= step->content.size && memcmp(text, step->content.data, step->content.size) == 0;
}

/* Of a token as a whole. */
static bool strip_token(weft__decoding *d, size_t k, const char *token, size_t n)
{
    const weft__decoder *step = &d->list->step[k];
    size_t c = step->content.size;
    for (uint32_t i = 0; i < step->start && is_content(step, token, n); i++) {
        token += c;
        n -= c;
    }
    for (uint32_t i = 0; i < step->stop && n >= c && is_content(step, token + n - c, c); i++) n -= c;
    return push(d, k + 1, token, n);
}

/* Of all tokens as one: what is at the end is held back, as far as it may be dropped. */
static bool strip_fused(weft__decoding *d, size_t k, const char *text, size_t n)
{
    const weft__decoder *step = &d->list->step[k];
    state *s = &d->at[k];
    size_t c = step->content.size;
    for (; n && s->n_tokens < step->start && !d->alone && is_content(step, text, n); s->n_tokens++) {
        text += c;
        n -= c;
    }
    if (n == 0) return true;
    s->n_tokens = step->start; /* the beginning is over */
    size_t tail = 0, most = d->alone ? 0 : step->stop;
    while (tail < most && n >= (tail + 1) * c && is_content(step, text + n - (tail + 1) * c, c)) tail++;
    size_t body = n - tail * c, held = s->n_held;
    size_t give = body ? held : held + tail > most ? held + tail - most : 0;
    for (size_t i = 0; i < give; i++)
        if (!push(d, k + 1, step->content.data, c)) return false;
    s->n_held = (uint32_t)(held + tail - give);
    return body == 0 || push(d, k + 1, text, body);
}

static bool push_strip(weft__decoding *d, size_t k, const char *token, size_t n)
{
    return d->list->step[k].fused ? strip_fused(d, k, token, n) : strip_token(d, k, token, n);
}

static bool finish_strip(weft__decoding *d, size_t k)
{
    d->at[k].n_held = 0;
    return true;
}

static size_t most_stripped(const weft__decoder *step)
{
    return step->most + (size_t)step->stop * step->content.size;
}

/* ---- Metaspace, WordPiece, BPE, spaces ---- */

static bool push_metaspace(weft__decoding *d, size_t k, const char *token, size_t n)
{
    const weft__decoder *step = &d->list->step[k];
    char *out = d->at[k].buffer;
    bool drop = d->at[k].n_tokens++ == 0 && step->flag && !d->alone;
    char *end = replace(out, token, n, &step->content, " ", !drop);
    return push(d, k + 1, out, (size_t)(end - out));
}

/* Spaces that come before punctuation and contractions in English, taken away. */
static size_t clean_up(char *text, size_t n)
{
    static const struct {
        const char *what, *with;
    } rules[] = { { " .", "." },     { " ?", "?" },     { " !", "!" },
                  { " ,", "," },     { " ' ", "'" },    { " n't", "n't" },
                  { " 'm", "'m" },   { " do not", " don't" }, { " 's", "'s" },
                  { " 've", "'ve" }, { " 're", "'re" } };
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        weft__bytes what = { .data = (char *)(uintptr_t)rules[i].what, .size = strlen(rules[i].what) };
        n = (size_t)(replace(text, text, n, &what, rules[i].with, strlen(rules[i].with)) - text); /* none is longer */
    }
    return n;
}

static bool push_wordpiece(weft__decoding *d, size_t k, const char *token, size_t n)
{
    const weft__decoder *step = &d->list->step[k];
    char *out = d->at[k].buffer, *end = out;
    if (d->at[k].n_tokens++ > 0 || d->alone) {
        bool continues = step->content.size == 0 || is_content(step, token, n);
        if (continues) {
            token += step->content.size;
            n -= step->content.size;
        } else {
            *end++ = ' ';
        }
    }
    end = put(end, token, n);
    return push(d, k + 1, out, step->flag ? clean_up(out, (size_t)(end - out)) : (size_t)(end - out));
}

/* The suffix is a space, but for the last token, which is why each waits for the next. */
static bool push_bpe(weft__decoding *d, size_t k, const char *token, size_t n)
{
    const weft__decoder *step = &d->list->step[k];
    state *s = &d->at[k];
    char *next = s->buffer + step->most; /* room for what goes on */
    if (s->waits) {
        char *end = replace(next, s->buffer, s->n_waiting, &step->content, " ", 1);
        if (!push(d, k + 1, next, (size_t)(end - next))) return false;
    }
    put(s->buffer, token, n);
    s->n_waiting = n;
    s->waits = true;
    return true;
}

static bool finish_bpe(weft__decoding *d, size_t k)
{
    const weft__decoder *step = &d->list->step[k];
    state *s = &d->at[k];
    char *next = s->buffer + step->most;
    if (!s->waits) return true;
    s->waits = false;
    char *end = replace(next, s->buffer, s->n_waiting, &step->content, " ", d->alone);
    return push(d, k + 1, next, (size_t)(end - next));
}

static size_t most_waiting(const weft__decoder *step)
{
    return 2 * step->most;
}

static bool push_space(weft__decoding *d, size_t k, const char *token, size_t n)
{
    if (d->at[k].n_tokens++ > 0 && !d->alone && !push(d, k + 1, " ", 1)) return false;
    return push(d, k + 1, token, n);
}

static size_t most_spaced(const weft__decoder *step)
{
    return 2 * step->most + 1; /* a token may be empty */
}

/* ---- ByteLevel ---- */

/* The bytes of a token: each character's, or, if one of them is not in the alphabet, the text itself. */
static bool push_level(weft__decoding *d, size_t k, const char *token, size_t n)
{
    char *out = d->at[k].buffer;
    size_t n_out = 0;
    for (size_t i = 0, step; i < n; i += step) {
        int byte = weft__char_byte(weft__utf8_decode(token + i, &step));
        if (byte < 0) return push(d, k + 1, token, n);
        out[n_out++] = (char)byte;
    }
    return push(d, k + 1, out, n_out);
}

static const weft__decoder_kind replace_kind = { push_replace, NULL, most_replaced },
                                bytes_kind = { push_bytes, finish_bytes, most_bytes },
                                fuse_kind = { push_fuse, NULL, most_same },
                                strip_kind = { push_strip, finish_strip, most_stripped },
                                metaspace_kind = { push_metaspace, NULL, most_same },
                                wordpiece_kind = { push_wordpiece, NULL, most_spaced },
                                bpe_kind = { push_bpe, finish_bpe, most_waiting },
                                space_kind = { push_space, NULL, most_spaced },
                                level_kind = { push_level, NULL, most_same };

/* ---- reading ---- */

/* What follows a step that makes one token of all cannot wait for its end. */
static weft_status add(weft__decoders *list, const weft__component *row, const weft__decoder_kind *kind,
                       weft__decoder **out, weft_error *err)
{
    const weft__decoder *last = list->n ? &list->step[list->n - 1] : NULL;
    bool fused = last && (last->fused || last->kind == &fuse_kind || last->kind == &level_kind);
    if (list->n == WEFT__DECODERS_MAX)
        return WEFT_FAIL(err, WEFT_UNSUPPORTED, "more than %d steps are not supported", WEFT__DECODERS_MAX);
    if (fused && kind != &fuse_kind && kind != &strip_kind)
        return WEFT_FAIL(err, WEFT_UNSUPPORTED, "it comes after %s, which is not supported", last->name);
    *out = &list->step[list->n++];
    **out = (weft__decoder){ .name = row ? row->type : "", .kind = kind, .fused = fused };
    return WEFT_OK;
}

/* The text at part[key], kept. */
static weft_status read_text(const json_t *part, const char *key, weft__bytes *out, weft_error *err)
{
    const json_t *text = json_object_get(part, key);
    if (!json_is_string(text)) return WEFT_FAIL(err, WEFT_FORMAT, "\"%s\" is not a text", key);
    bool ok = weft__bytes_append(out, json_string_value(text), json_string_length(text));
    return ok ? WEFT_OK : WEFT_OOM_FAIL(err, "a decoder");
}

/* One character. */
static weft_status read_char(const json_t *part, const char *key, weft__bytes *out, weft_error *err)
{
    WEFT_TRY(read_text(part, key, out, err));
    size_t step = 0;
    if (out->size) weft__utf8_decode(out->data, &step);
    if (step && step == out->size) return WEFT_OK;
    return WEFT_FAIL(err, WEFT_FORMAT, "\"%s\" is not one character", key);
}

enum { READ_LEVEL, READ_BYTES, READ_FUSE };

static weft_status read_plain(void *ctx, const weft__component *row, const json_t *part, weft_error *err)
{
    static const weft__decoder_kind *const plain[] = { &level_kind, &bytes_kind, &fuse_kind };
    weft__decoder *step = NULL;
    (void)part;
    return add(ctx, row, plain[row->arg], &step, err);
}

static weft_status read_replace(void *ctx, const weft__component *row, const json_t *part, weft_error *err)
{
    weft__decoder *step = NULL;
    weft__pattern pattern;
    WEFT_TRY(add(ctx, row, &replace_kind, &step, err));
    WEFT_TRY(weft__read_pattern(part, &pattern, err));
    if (!pattern.literal) return WEFT_FAIL(err, WEFT_UNSUPPORTED, "a regular expression is not supported here");
    if (!weft__bytes_append(&step->pattern, pattern.text, pattern.n)) return WEFT_OOM_FAIL(err, "a decoder");
    return read_text(part, "content", &step->content, err);
}

enum { STRIP_MAX = 1024 };

static weft_status read_count(const json_t *part, const char *key, uint32_t *out, weft_error *err)
{
    const json_t *count = json_object_get(part, key);
    if (!json_is_integer(count) || json_integer_value(count) < 0)
        return WEFT_FAIL(err, WEFT_FORMAT, "\"%s\" is not a number of characters", key);
    if (json_integer_value(count) > STRIP_MAX)
        return WEFT_FAIL(err, WEFT_UNSUPPORTED, "\"%s\" is more than %d", key, STRIP_MAX);
    *out = (uint32_t)json_integer_value(count);
    return WEFT_OK;
}

static weft_status read_strip(void *ctx, const weft__component *row, const json_t *part, weft_error *err)
{
    weft__decoder *step = NULL;
    WEFT_TRY(add(ctx, row, &strip_kind, &step, err));
    WEFT_TRY(read_char(part, "content", &step->content, err));
    WEFT_TRY(read_count(part, "start", &step->start, err));
    return read_count(part, "stop", &step->stop, err);
}

static weft_status read_metaspace(void *ctx, const weft__component *row, const json_t *part, weft_error *err)
{
    weft__decoder *step = NULL;
    weft__lead lead;
    WEFT_TRY(add(ctx, row, &metaspace_kind, &step, err));
    WEFT_TRY(read_char(part, "replacement", &step->content, err));
    WEFT_TRY(weft__read_scheme(part, &lead, err));
    step->flag = lead != WEFT__LEAD_NEVER;
    return WEFT_OK;
}

static weft_status read_wordpiece(void *ctx, const weft__component *row, const json_t *part, weft_error *err)
{
    weft__decoder *step = NULL;
    WEFT_TRY(add(ctx, row, &wordpiece_kind, &step, err));
    WEFT_TRY(read_text(part, "prefix", &step->content, err));
    return weft__read_bool(part, "its options", "cleanup", -1, &step->flag, err);
}

static weft_status read_bpe(void *ctx, const weft__component *row, const json_t *part, weft_error *err)
{
    weft__decoder *step = NULL;
    WEFT_TRY(add(ctx, row, &bpe_kind, &step, err));
    WEFT_TRY(read_text(part, "suffix", &step->content, err));
    return step->content.size ? WEFT_OK : WEFT_FAIL(err, WEFT_FORMAT, "\"suffix\" is empty");
}

static const weft__component kinds[] = {
    { "ByteLevel", read_plain, READ_LEVEL },
    { "ByteFallback", read_plain, READ_BYTES },
    { "Fuse", read_plain, READ_FUSE },
    { "Replace", read_replace, 0 },
    { "Strip", read_strip, 0 },
    { "Metaspace", read_metaspace, 0 },
    { "WordPiece", read_wordpiece, 0 },
    { "BPEDecoder", read_bpe, 0 },
};

weft_status weft__read_decoders(weft__decoders *list, const json_t *root, weft_error *err)
{
    static const weft__component_set set = { "decoder", "decoder", "decoders", kinds, sizeof kinds / sizeof *kinds };
    weft__decoder *step = NULL;
    bool none = weft__is_absent(json_object_get(root, "decoder"));
    WEFT_TRY(none ? add(list, NULL, &space_kind, &step, err) : weft__read_components(list, root, &set, err));
    bool level = false, other = false;
    for (size_t i = 0; i < list->n; i++) {
        level |= list->step[i].kind == &level_kind;
        other |= list->step[i].kind != &level_kind && list->step[i].kind != &fuse_kind;
    }
    list->bytes = level && !other;
    return WEFT_OK;
}

void weft__decoders_free(weft__decoders *list)
{
    for (size_t i = 0; i < list->n; i++) {
        free(list->step[i].pattern.data);
        free(list->step[i].content.data);
    }
    list->n = 0;
}

weft_status weft__decoders_measure(weft__decoders *list, size_t longest, weft_error *err)
{
    enum { MOST = 1 << 26 };
    list->most = longest;
    for (size_t i = 0; i <= list->n; i++) {
        if (list->most > MOST)
            return WEFT_FAIL(err, WEFT_LIMIT, "the decoder makes texts of more than %d bytes of a token", MOST);
        if (i == list->n) break;
        list->step[i].most = list->most;
        list->most = list->step[i].kind->most(&list->step[i]);
    }
    return WEFT_OK;
}

/* ---- a text ---- */

weft__decoding *weft__decoding_create(const weft__decoders *list, bool raw, weft__text_fn *text, void *ctx)
{
    weft__decoding *d = calloc(1, sizeof *d);
    if (!d) return NULL;
    *d = (weft__decoding){ .list = list, .text = text, .ctx = ctx, .raw = raw };
    for (size_t i = 0; i < list->n; i++) {
        const weft__decoder *step = &list->step[i];
        size_t out = step->kind->most(step);
        d->at[i].buffer = malloc(step->most + (out > step->most ? out : step->most) + 1);
        if (d->at[i].buffer) continue;
        weft__decoding_destroy(d);
        return NULL;
    }
    return d;
}

void weft__decoding_destroy(weft__decoding *d)
{
    if (!d) return;
    for (size_t i = 0; i < d->list->n; i++) free(d->at[i].buffer);
    free(d);
}

bool weft__decoding_push(weft__decoding *d, const char *token, size_t n)
{
    return push(d, 0, token, n);
}

bool weft__decoding_finish(weft__decoding *d)
{
    bool ok = true;
    for (size_t k = 0; k < d->list->n; k++) {
        const weft__decoder_kind *kind = d->list->step[k].kind;
        if (ok && kind->finish) ok = kind->finish(d, k);
        d->at[k] = (state){ .buffer = d->at[k].buffer };
    }
    return ok;
}

bool weft__decoding_alone(weft__decoding *d, const char *token, size_t n)
{
    d->alone = true;
    bool ok = push(d, 0, token, n) && weft__decoding_finish(d);
    d->alone = false;
    return ok;
}
