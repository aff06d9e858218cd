/* save.c: a sequence in a file, which is a safetensors file: "weft.sequence", a JSON object that says whose it is;
 * "tokens"; of every state what is the sequence's, densely; and "checksum", FNV-1a over all bytes of data before it. */
#include "models/adapter_impl.h"
#include "models/checkpoint/json.h"
#include "models/checkpoint/out.h"
#include "models/checkpoint/safetensors.h"
#include "models/session_impl.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { VERSION = 2, PIECE = 1 << 18 };
#define SEED 0xcbf29ce484222325u

static uint64_t mix(uint64_t h, const void *data, size_t n)
{
    const unsigned char *p = data;
    for (size_t i = 0; i < n; i++) h = (h ^ p[i]) * 0x100000001b3u;
    return h;
}

/* ---- whose a sequence is ---- */

/* Names and shapes of all tensors, settings, the text that says what is done with them, and some of each tensor's
 * bytes: models that differ differ here, without all of their data being read. */
static uint64_t fingerprint(const weft_model *m)
{
    const weft_setting_info *set;
    uint64_t h = mix(SEED, m->info.architecture, strlen(m->info.architecture));
    if (m->text.tree) h = mix(h, &m->text.hash, sizeof m->text.hash);
    for (uint32_t i = 0; (set = weft_model_setting(m, i)); i++) {
        h = mix(h, set->key, strlen(set->key) + 1);
        h = mix(h, set->value, strlen(set->value) + 1);
    }
    for (size_t i = 0; m->checkpoint && i < weft_checkpoint_count(m->checkpoint); i++) {
        const weft__file_tensor *t = weft__checkpoint_at(m->checkpoint, i);
        h = mix(h, t->name, strlen(t->name) + 1);
        h = mix(h, t->dims, t->rank * sizeof *t->dims);
        h = mix(h, t->data, t->size < 256 ? t->size : 256);
        h = mix(h, (const unsigned char *)t->data + t->size / 2, t->size / 2 < 256 ? t->size / 2 : 256);
    }
    return h;
}

static bool reads(const weft_node *n, weft_ref r)
{
    for (uint32_t k = 0; r.id && k < n->n_in; k++)
        if (n->in[k].id == r.id) return true;
    return false;
}

/* The graph's numbers that something reads. A definition may choose them by the context (rotations of long texts), and
 * what lies in a cache is made with them. Not those that place a choice of adapters in their tables: which adapters
 * a sequence has is compared for itself, and others of the session are nothing to it. */
static uint64_t constants(const weft_graph *g)
{
    const int64_t unbound[WEFT_MAX_EXTENTS] = { 0 }; /* a constant has no extents */
    const weft_ref adapter = weft_graph_find(g, "adapter"), row_adapter = weft_graph_find(g, "row_adapter");
    uint64_t h = SEED;
    for (uint32_t i = 0; i < weft_graph_node_count(g); i++) {
        const weft_node *n = weft_graph_node(g, i);
        if (reads(n, adapter) || reads(n, row_adapter)) continue;
        for (uint32_t k = 0; k < n->n_in; k++) {
            const weft_node *from = weft_graph_node_by_id(g, weft_graph_value(g, n->in[k])->node);
            if (from->op == WEFT_OP_constant) h = mix(h, from->data, weft_value_bytes(g, n->in[k], unbound));
        }
    }
    return h;
}

static const char *type_name(weft_dtype t)
{
    return t == WEFT_ANY ? "as in the files" : weft_dtype_get(t)->name;
}

/* Of keys and values, if they differ as --kv takes them: "q8_0,q4_0". */
static void name_cache(const weft_session_desc *d, char *out, size_t size)
{
    bool two = d->kv != d->kv_values;
    snprintf(out, size, "%s%s%s", type_name(d->kv), two ? "," : "", two ? type_name(d->kv_values) : "");
}

/* What must be equal, as a JSON text; to be freed. */
static char *identity(const weft_session *s, uint32_t sequence, uint32_t length, uint32_t discarded, size_t *n)
{
    char model[24], numbers[24], cache[48], adapter[24] = "none";
    const int32_t choice = s->sequences[sequence].adapter;
    if (choice >= 0)
        snprintf(adapter, sizeof adapter, "%016" PRIx64, weft__adapters_identity(weft__plan_adapters(s->plan), choice));
    name_cache(&s->desc, cache, sizeof cache);
    snprintf(model, sizeof model, "%016" PRIx64, fingerprint(s->m));
    snprintf(numbers, sizeof numbers, "%016" PRIx64, constants(weft_session_graph(s)));
    json_t *o = json_pack("{s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:I}", "version", VERSION, "architecture",
                          s->m->info.architecture, "model", model, "constants", numbers, "adapter",
                          adapter, "weights", type_name(s->desc.weights), "kv", cache, "length", (json_int_t)length,
                          "discarded", (json_int_t)discarded);
    char *text = o ? weft__json_dump(o, JSON_COMPACT, n) : NULL;
    json_decref(o);
    return text;
}

/* ---- the tensors of a file ---- */

/* A state's part: [outer, tokens, bytes] of those that tokens to come can see, or of a recurrent one [outer, bytes]. */
static void describe_part(const weft_session *s, const weft__division *d, uint32_t length, uint32_t discarded,
                          weft__file_tensor *t)
{
    weft_state_info info;
    weft_states_get(s->states, d->state, &info);
    *t = (weft__file_tensor){ .name = info.name, .dtype = weft__file_dtype_find("U8"), .dims = { d->outer } };
    if (d->group) t->dims[++t->rank] = length - weft__first_seen(d->group, discarded, length);
    t->dims[++t->rank] = d->inner;
    t->rank++;
}

typedef struct file {
    weft_session *s;
    weft__out out;
    uint64_t checksum;
    unsigned char *piece; /* PIECE bytes */
} file;

static weft_status put(file *f, const void *data, size_t n, weft_error *err)
{
    f->checksum = mix(f->checksum, data, n);
    return weft__out_write(&f->out, data, n, err);
}

static weft_status put_part(void *ctx, const weft__division *d, uint64_t offset, uint64_t bytes, weft_error *err)
{
    file *f = ctx;
    for (uint64_t at = 0; at < bytes; at += PIECE) {
        uint64_t n = bytes - at < PIECE ? bytes - at : PIECE;
        WEFT_TRY(weft_states_read(f->s->states, d->state, offset + at, f->piece, n, err));
        WEFT_TRY(put(f, f->piece, n, err));
    }
    return WEFT_OK;
}

static weft_status write_file(file *f, uint32_t sequence, const int32_t *pending, size_t n_pending, const char *who,
                              size_t who_size, weft_error *err)
{
    weft_session *s = f->s;
    const weft__sequence *q = &s->sequences[sequence];
    weft__file_tensor *t = calloc(s->n_divisions + 3, sizeof *t);
    if (!t) return WEFT_OOM_FAIL(err, f->out.path);
    size_t n = 0;
    t[n++] = (weft__file_tensor){ "weft.sequence", weft__file_dtype_find("U8"), .rank = 1, .dims = { who_size } };
    t[n++] = (weft__file_tensor){ "tokens", weft__file_dtype_find("I32"), .rank = 1,
                                  .dims = { q->length + n_pending } };
    for (uint32_t i = 0; i < s->n_divisions; i++)
        describe_part(s, &s->divisions[i], q->length, q->discarded, &t[n++]);
    t[n++] = (weft__file_tensor){ "checksum", weft__file_dtype_find("U64"), .rank = 1, .dims = { 1 } };
    weft_status status = weft__out_header(&f->out, t, n, err);
    if (!status) status = put(f, who, who_size, err);
    if (!status) status = put(f, q->tokens, q->length * sizeof *q->tokens, err);
    if (!status && n_pending) status = put(f, pending, n_pending * sizeof *pending, err);
    if (!status) status = weft__each_part(s, sequence, true, put_part, f, err);
    if (!status) status = weft__out_write(&f->out, &f->checksum, sizeof f->checksum, err);
    free(t);
    return status;
}

weft_status weft_session_save(weft_session *s, uint32_t sequence, const int32_t *pending, size_t n_pending,
                              const char *path, weft_error *err)
{
    WEFT_TRY(weft__check_sequence(s, sequence, err));
    const weft__sequence *q = &s->sequences[sequence];
    if (!q->length) return WEFT_FAIL(err, WEFT_INVALID, "%s: sequence %u has no tokens to save", path, sequence);
    size_t who_size = 0, size = strlen(path) + sizeof ".partial";
    file f = { .s = s, .checksum = SEED, .piece = malloc(PIECE) };
    char *who = identity(s, sequence, q->length, q->discarded, &who_size), *partial = malloc(size);
    if (partial) snprintf(partial, size, "%s.partial", path);
    weft_status status = f.piece && who && partial ? weft__out_open(partial, &f.out, err) : WEFT_OOM_FAIL(err, path);
    if (!status) {
        status = write_file(&f, sequence, pending, n_pending, who, who_size, err);
        status = weft__out_sync(&f.out, status, err);
        if (!status) status = weft__out_rename(partial, path, err);
        if (status) unlink(partial);
        status = weft__out_close(&f.out, status, err);
    }
    free(f.piece);
    free(who);
    free(partial);
    return status;
}

/* ---- reading ---- */

static const weft__file_tensor *tensor(const weft__safetensors *st, const char *name)
{
    return weft__file_tensor_find(st->tensors, st->n_tensors, name);
}

/* All data is one piece, in which the checksum comes last. */
static weft_status check_sum(const weft__safetensors *st, weft_error *err)
{
    uint64_t stands;
    const weft__file_tensor *sum = tensor(st, "checksum");
    if (!tensor(st, "weft.sequence") || !tensor(st, "tokens") || !sum || sum->size != sizeof stands)
        return WEFT_FAIL(err, WEFT_FORMAT, "%s: no saved sequence", st->file);
    const unsigned char *end = sum->data;
    memcpy(&stands, end, sizeof stands);
    if (end + sizeof stands == st->map.data + st->map.size &&
        mix(SEED, end + sizeof stands - st->data_size, st->data_size - sizeof stands) == stands)
        return WEFT_OK;
    return WEFT_FAIL(err, WEFT_FORMAT, "%s: damaged: its bytes are not those that were saved", st->file);
}

static weft_status check_number(const weft__safetensors *st, const json_t *o, const char *key, uint32_t *out,
                                weft_error *err)
{
    const json_t *v = json_object_get(o, key);
    json_int_t n = json_is_integer(v) ? json_integer_value(v) : -1;
    if (n < 0 || n > INT32_MAX) return WEFT_FAIL(err, WEFT_FORMAT, "%s: no saved sequence: '%s'", st->file, key);
    *out = (uint32_t)n;
    return WEFT_OK;
}

/* The file's object against the session's own. */
static weft_status compare(const weft__safetensors *st, const json_t *is, const json_t *must, weft_error *err)
{
    static const struct { const char *key, *what, *remedy; } keys[] = {
        { "architecture", "of architecture", "" }, { "model", "of another model: its weights or settings hash to", "" },
        { "constants", "of a graph for another context (longrope), whose constants hash to", "" },
        { "adapter", "with an adapter that hashes to", "; choose that one (--lora)" },
        { "weights", "of a session with weights", "; open the session with those (--weights)" },
        { "kv", "of a session with a cache of", "; open the session with such a one (--kv)" }
    };
    uint32_t version;
    char there[WEFT__QUOTE_SIZE];
    WEFT_TRY(check_number(st, is, "version", &version, err));
    if (version != VERSION)
        return WEFT_FAIL(err, WEFT_UNSUPPORTED, "%s: saved in version %u of the format, this reads %d", st->file,
                         version, VERSION);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const char *a = json_string_value(json_object_get(is, keys[i].key));
        const char *b = json_string_value(json_object_get(must, keys[i].key));
        if (!a && !strcmp(keys[i].key, "adapter")) a = "none"; /* from when there were none */
        if (!a) return WEFT_FAIL(err, WEFT_FORMAT, "%s: no saved sequence: '%s'", st->file, keys[i].key);
        if (strcmp(a, b))
            return WEFT_FAIL(err, WEFT_UNSUPPORTED, "%s: a sequence %s %s, here it is %s%s", st->file, keys[i].what,
                             weft__quote(there, a), b, keys[i].remedy);
    }
    return WEFT_OK;
}

/* Whether every state's part is there and of the right size. */
static weft_status check_parts(const weft_session *s, const weft__safetensors *st, uint32_t length,
                               uint32_t discarded, weft_error *err)
{
    for (uint32_t i = 0; i < s->n_divisions; i++) {
        weft__file_tensor want;
        describe_part(s, &s->divisions[i], length, discarded, &want);
        const weft__file_tensor *t = tensor(st, want.name);
        if (!t || t->rank != want.rank || memcmp(t->dims, want.dims, t->rank * sizeof *t->dims))
            return WEFT_FAIL(err, WEFT_FORMAT, "%s: state '%s' is missing or has another shape", st->file, want.name);
    }
    return WEFT_OK;
}

typedef struct reader {
    weft_session *s;
    const weft__safetensors *st;
    uint32_t state;            /* that `data` is of */
    const unsigned char *data; /* what comes next of it */
} reader;

static weft_status get_part(void *ctx, const weft__division *d, uint64_t offset, uint64_t bytes, weft_error *err)
{
    reader *r = ctx;
    weft_state_info info;
    weft_states_get(r->s->states, d->state, &info);
    if (!r->data || r->state != d->state) r->data = tensor(r->st, info.name)->data;
    r->state = d->state;
    WEFT_TRY(weft_states_write(r->s->states, d->state, offset, r->data, bytes, err));
    r->data += bytes;
    return WEFT_OK;
}

static weft_status check_room(const weft_session *s, const weft__safetensors *st, uint32_t length, uint32_t discarded,
                              weft_error *err)
{
    if (length > s->desc.context)
        return WEFT_FAIL(err, WEFT_LIMIT, "%s: %u tokens, more than the context of %u", st->file, length,
                         s->desc.context);
    for (uint32_t i = 0; i < s->n_groups; i++) {
        const weft__pages *p = &s->groups[i].pages;
        uint32_t wanted = weft__pages_of(p->page, length) -
                          weft__first_seen(&s->groups[i], discarded, length) / p->page;
        if (wanted > p->n_free)
            return WEFT_FAIL(err, WEFT_LIMIT, "%s: the cache of %u cells has %u pages of %u left, %u are needed",
                             st->file, p->n_pages * p->page, p->n_free, p->page, wanted);
    }
    return WEFT_OK;
}

/* What was read and checked, into the empty sequence. */
static weft_status fill(weft_session *s, uint32_t sequence, const weft__safetensors *st, uint32_t length,
                        uint32_t discarded, weft_error *err)
{
    weft__sequence *q = &s->sequences[sequence];
    for (uint32_t i = 0; i < s->n_groups; i++) {
        weft__pages *p = &s->groups[i].pages;
        weft__pages_begin(p, sequence, weft__first_seen(&s->groups[i], discarded, length));
        weft__pages_append(p, sequence, length - p->lists[sequence].length);
    }
    memcpy(q->tokens, tensor(st, "tokens")->data, length * sizeof *q->tokens);
    q->length = length;
    q->discarded = discarded;
    weft_status status = weft__each_part(s, sequence, true, get_part, &(reader){ .s = s, .st = st }, err);
    if (status) weft__groups_truncate(s, sequence, 0);
    return status;
}

static weft_status load(weft_session *s, uint32_t sequence, const weft__safetensors *st, const json_t *is,
                        weft_tokens *pending, weft_error *err)
{
    uint32_t length, discarded;
    const weft__file_tensor *tokens = tensor(st, "tokens");
    WEFT_TRY(check_number(st, is, "length", &length, err));
    WEFT_TRY(check_number(st, is, "discarded", &discarded, err));
    if (!length || tokens->rank != 1 || strcmp(tokens->dtype->name, "I32") || tokens->dims[0] < length ||
        discarded > length)
        return WEFT_FAIL(err, WEFT_FORMAT, "%s: no saved sequence: its tokens", st->file);
    WEFT_TRY(check_parts(s, st, length, discarded, err));
    WEFT_TRY(check_room(s, st, length, discarded, err));
    size_t n = tokens->dims[0] - length;
    if (pending) {
        pending->ids = malloc(n * sizeof *pending->ids + 1);
        if (!pending->ids) return WEFT_OOM_FAIL(err, st->file);
        memcpy(pending->ids, (const int32_t *)tokens->data + length, n * sizeof *pending->ids);
        pending->n = n;
    }
    weft_status status = fill(s, sequence, st, length, discarded, err);
    if (status && pending) weft_tokens_free(pending);
    return status;
}

weft_status weft_session_load(weft_session *s, uint32_t sequence, const char *path, weft_tokens *pending,
                              weft_error *err)
{
    weft__safetensors *st = NULL;
    json_t *is = NULL, *must = NULL;
    size_t size = 0;
    if (pending) *pending = (weft_tokens){ 0 };
    WEFT_TRY(weft__check_empty(s, sequence, err));
    char *own = identity(s, sequence, 0, 0, &size);
    weft_status status = own ? weft__safetensors_open(path, &st, err) : WEFT_OOM_FAIL(err, path);
    if (!status) status = check_sum(st, err);
    if (!status) status = weft__json_parse(own, size, path, &must, err);
    if (!status) {
        const weft__file_tensor *who = tensor(st, "weft.sequence");
        status = weft__json_parse(who->data, who->size, path, &is, err);
    }
    if (!status) status = compare(st, is, must, err);
    if (!status) status = load(s, sequence, st, is, pending, err);
    json_decref(is);
    json_decref(must);
    free(own);
    if (st) weft__safetensors_destroy(st);
    return status;
}
