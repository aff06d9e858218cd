/* model.c: opening a model folder: which architecture it is, what its configuration says, which tensors it has. */
#include "models/checkpoint/file.h"
#include "models/gguf_config.h"
#include "models/model_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The configuration's dtype, for models without files. */
static weft_dtype config_dtype(const weft_model *m)
{
    static const struct { const char *name; weft_dtype t; } names[] = {
        { "float32", WEFT_F32 }, { "float16", WEFT_F16 }, { "bfloat16", WEFT_BF16 },
        { "torch.float32", WEFT_F32 }, { "torch.float16", WEFT_F16 }, { "torch.bfloat16", WEFT_BF16 },
    };
    const char *name;
    if (weft_config_file_text(m->hf, "dtype", &name) == 1)
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
            if (!strcmp(name, names[i].name)) return names[i].t;
    return WEFT_F16;
}

/* A configuration that is named itself. */
static bool is_config(const char *path)
{
    return weft__ends_with(path, ".json") && !weft__ends_with(path, ".index.json") && !weft__path_is_folder(path);
}

static weft_status open_files(weft_model *m, weft_error *err)
{
    /* a configuration; weights or not */
    if (is_config(m->path)) {
        static const char *const names[] = { "model.safetensors", "model.safetensors.index.json" };
        bool has_weights = false;
        for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
            char *path = weft__path_join(m->folder, names[i]);
            if (!path) return WEFT_OOM_FAIL(err, "a path");
            has_weights |= weft__path_exists(path);
            free(path);
        }
        if (!has_weights) return WEFT_OK;
    }
    WEFT_TRY(weft_checkpoint_open(m->path, &m->checkpoint, err));
    m->used = calloc(weft_checkpoint_count(m->checkpoint) + 1, sizeof *m->used);
    if (!m->used) return WEFT_OOM_FAIL(err, "a model");
    const char *note = weft_checkpoint_note(m->checkpoint, 0);
    return note ? weft__model_add_note(m, err, "%s", note) : WEFT_OK;
}

static uint32_t read_u32(const weft_model *m, const char *key)
{
    double x;
    return weft_config_file_number(m->hf, key, &x) == 1 && x >= 0 && x <= UINT32_MAX ? (uint32_t)x : 0;
}

/* The caller's end tokens count before the configuration's. */
static weft_status read_special_tokens(weft_model *m, const weft_model_desc *desc, weft_error *err)
{
    enum { MOST = sizeof m->eos / sizeof *m->eos };
    int32_t bos[MOST];
    size_t n_bos;
    if (desc->n_eos > MOST)
        return WEFT_FAIL(err, WEFT_LIMIT, "%u end tokens; a model has at most %d", desc->n_eos, MOST);
    WEFT_TRY(weft_config_file_tokens(m->hf, "bos_token_id", bos, sizeof bos / sizeof *bos, &n_bos, err));
    WEFT_TRY(weft_config_file_tokens(m->hf, "eos_token_id", m->eos, sizeof m->eos / sizeof *m->eos, &m->n_eos, err));
    if (desc->n_eos) memcpy(m->eos, desc->eos, (m->n_eos = desc->n_eos) * sizeof *m->eos);
    m->info.bos = n_bos ? bos[0] : -1;
    m->info.eos = m->n_eos ? m->eos[0] : -1;
    return WEFT_OK;
}

/* Builds the graph once: that checks the configuration and every tensor before anything else happens, counts the
 * parameters, and finds the tensors that nothing asks for. */
static weft_status survey(weft_model *m, weft_error *err)
{
    weft_graph *g;
    weft__settings_listen(m);
    WEFT_TRY(weft_model_graph(m, &(weft_model_graph_desc){ 0 }, &g, err));
    weft_status s = weft__model_describe(m, g, err);
    weft_graph_destroy(g);
    return s;
}

static void use(weft_model *m, const weft__class *k)
{
    m->class_ = k;
    m->info.head = k->head;
}

static weft_status keep_reason(weft_model *m, const weft_error *why, weft_error *err)
{
    size_t n = strlen(m->path);
    const char *text = why->text;
    if (!strncmp(text, m->path, n) && !strncmp(text + n, ": ", 2)) text += n + 2;
    m->no_logits = strdup(text);
    return m->no_logits ? WEFT_OK : WEFT_OOM_FAIL(err, "a model");
}

/* Whether a language model has its head is for the files to say: a base model's may have it, and one that is called a
 * language model may have been saved without. Then there are hidden states. */
static weft_status settle_head(weft_model *m, weft_error *err)
{
    weft_error why = { 0 };
    bool named = m->info.head == WEFT_HEAD_LOGITS;
    const weft__class *whole = weft__definition_class(m, WEFT_HEAD_LOGITS);
    const weft__class *base = weft__definition_class(m, WEFT_HEAD_NONE);
    if (m->text.tree) WEFT_TRY(weft__model_settle_tie(m, err));
    if (!m->checkpoint || !whole || !base || (!named && m->info.head != WEFT_HEAD_NONE)) return survey(m, err);
    WEFT_TRY(weft__model_settle_tie(m, err));
    use(m, whole);
    weft_status s = survey(m, &why);
    if (!s) return WEFT_OK;
    use(m, base);
    weft_status without = s == WEFT_NOT_FOUND ? survey(m, NULL) : s;
    if (without == WEFT_OOM) return WEFT_OOM_FAIL(err, "a model");
    if (!without) {
        WEFT_TRY(keep_reason(m, &why, err));
        return named ? weft__model_add_note(m, err, "hidden states only, no logits: %s", m->no_logits) : WEFT_OK;
    }
    if (err) *err = why;
    return s;
}

/* NULL: it comes from no GGUF file, or without its weights. */
static const weft__gguf_file *gguf_of(const weft_model *m)
{
    return m->checkpoint ? weft__checkpoint_gguf(m->checkpoint) : NULL;
}

enum { DEFAULT_CONTEXT = 2048 }; /* where nothing says it */

static weft_status fill_info(weft_model *m, const weft_model_desc *desc, weft_error *err)
{
    m->info = (weft_model_info){
        .head = m->info.head, .path = m->path, .architecture = weft__definition_name(m),
        .n_layer = read_u32(m, "num_hidden_layers"), .n_embed = read_u32(m, "hidden_size"),
        .n_head = read_u32(m, "num_attention_heads"), .n_vocab = read_u32(m, "vocab_size"),
        .context = read_u32(m, "max_position_embeddings"), .has_weights = m->checkpoint != NULL,
        .file_bytes = m->checkpoint ? weft_checkpoint_bytes(m->checkpoint) : 0, .text = m->text.origin,
    };
    if (!m->info.context) m->info.context = desc->context ? desc->context : DEFAULT_CONTEXT;
    m->info.context_limit = weft__config_context_limit(m->hf);
    m->bounded = !m->definition && m->arch->bounded;
    if (m->bounded) m->info.context_limit = m->info.context;
    else if (m->info.context_limit)
        WEFT_TRY(weft__model_add_note(m, err, "rope_type dynamic: contexts beyond %u tokens are refused",
                                      m->info.context_limit));
    WEFT_TRY(read_special_tokens(m, desc, err));
    return weft__tokenizer_in_model(gguf_of(m), m->folder, &m->info.has_tokenizer, err);
}

/* Whether the model can do without a configuration: its graph says all. */
static weft_status says_all(const weft_model *m, bool *out, weft_error *err)
{
    char *text = weft__text_folder_path(m);
    if (m->folder && !text) return WEFT_OOM_FAIL(err, "a path");
    *out = m->graph_alone || m->text.tree || (text && weft__path_exists(text));
    free(text);
    return WEFT_OK;
}

/* The configuration; of a graph by itself one that may be empty. */
static weft_status open_config(weft_model *m, const char *path, bool config_only, weft_error *err)
{
    bool alone = false;
    char *gguf = NULL;
    if (path) WEFT_TRY(weft__model_gguf(path, &gguf, err));
    const bool own = gguf != NULL; /* the file has it */
    free(gguf);
    if (path) WEFT_TRY(weft__model_folder(path, &m->folder, err));
    WEFT_TRY(says_all(m, &alone, err));
    char *file = m->folder ? weft__path_join(m->folder, "config.json") : NULL;
    if (m->folder && !file) return WEFT_OOM_FAIL(err, "a path");
    bool there = file && (!alone || own || is_config(path) || weft__path_exists(file));
    free(file);
    const char *origin = m->graph_alone ? m->path : "config.json (there is none)";
    m->unconfigured = !there;
    if (own && !config_only) { /* the header is read once */
        WEFT_TRY(open_files(m, err));
        WEFT_TRY(weft__gguf_config(gguf_of(m), &m->hf, err));
    } else if (there) WEFT_TRY(weft_config_file_open(path, &m->hf, err));
    else WEFT_TRY(weft_config_file_parse("{}", 2, NULL, 0, origin, &m->hf, err));
    if (!m->graph_alone) return weft_config_file_view(m->hf, &m->config, err);
    m->config = weft__config_view_unchecked(m->hf); /* what it asks for is for the graph to know */
    return WEFT_OK;
}

/* Of configurations that were made smaller and kept their end token. */
static weft_status note_eos(weft_model *m, weft_error *err)
{
    uint32_t n = m->info.n_vocab, beyond = 0;
    for (size_t i = 0; i < m->n_eos; i++) beyond += m->eos[i] >= 0 && (uint32_t)m->eos[i] >= n;
    if (!n || !beyond || beyond < m->n_eos) return WEFT_OK;
    return weft__model_add_note(m, err, "eos_token_id %d is beyond the vocabulary of %u: no text ends by it",
                                m->eos[0], n);
}

static weft_status open_model(weft_model *m, const char *path, const weft_model_desc *desc, bool config_only,
                              weft_error *err)
{
    if (!path && !desc->graph && !desc->text)
        return WEFT_FAIL(err, WEFT_INVALID, "a model needs a path, or a graph of its own");
    WEFT_TRY(weft__take_definitions(m, desc, err));
    WEFT_TRY(weft__text_take(m, desc, err));
    m->path = strdup(path ? path : m->text.tree ? m->text.origin : desc->graph->architecture);
    if (!m->path) return WEFT_OOM_FAIL(err, "a model");
    WEFT_TRY(open_config(m, path, config_only, err));
    WEFT_TRY(weft__find_definition(m, err));
    m->default_dtype = config_dtype(m);
    if (path && !config_only && !m->checkpoint) WEFT_TRY(open_files(m, err));
    WEFT_TRY(fill_info(m, desc, err));
    const char *note;
    for (size_t i = 0; (note = weft_config_file_note(m->hf, i)); i++)
        WEFT_TRY(weft__model_add_note(m, err, "%s", note));
    WEFT_TRY(settle_head(m, err));
    WEFT_TRY(note_eos(m, err));
    WEFT_TRY(weft__settings_finish(m, err));
    return weft__model_read_labels(m, err);
}

static weft_status open_any(const char *path, const weft_model_desc *desc, bool config_only, weft_model **out,
                            weft_error *err)
{
    static const weft_model_desc usual;
    *out = NULL;
    weft_model *m = calloc(1, sizeof *m);
    if (!m) return WEFT_OOM_FAIL(err, "a model");
    weft_status s = open_model(m, path, desc ? desc : &usual, config_only, err);
    if (s) {
        weft_model_close(m);
        return s;
    }
    *out = m;
    return WEFT_OK;
}

weft_status weft_model_open(const char *path, const weft_model_desc *desc, weft_model **out, weft_error *err)
{
    return open_any(path, desc, false, out, err);
}

weft_status weft__model_open_config(const char *path, const weft_model_desc *desc, weft_model **out, weft_error *err)
{
    return open_any(path, desc, true, out, err);
}

weft_status weft_model_tokenizer(weft_model *m, const weft_tokenizer **out, weft_error *err)
{
    *out = NULL;
    if (!m->folder) return WEFT_FAIL(err, WEFT_NOT_FOUND, "%s: has no files, so no tokenizer", m->path);
    if (!m->tokenizer) WEFT_TRY(weft__tokenizer_open_model(gguf_of(m), m->folder, m->info.bos, &m->tokenizer, err));
    *out = m->tokenizer;
    return WEFT_OK;
}

void weft_model_close(weft_model *m)
{
    if (!m) return;
    weft_tokenizer_close(m->tokenizer);
    free(m->parts);
    weft__gguf_free(m->made);
    weft_checkpoint_close(m->checkpoint);
    weft__settings_clear(&m->settings);
    weft_config_file_close(m->hf);
    for (size_t i = 0; i < m->n_notes; i++) free(m->notes[i]);
    free(m->notes);
    weft__model_free_labels(m);
    free(m->no_logits);
    free(m->used);
    free(m->own);
    weft__text_clear(&m->text);
    free(m->folder);
    free(m->path);
    free(m);
}

int32_t weft_model_eos(const weft_model *m, uint32_t i)
{
    return i < m->n_eos ? m->eos[i] : -1;
}

const weft_model_info *weft_model_info_get(const weft_model *m)
{
    return &m->info;
}

const weft_config *weft_model_config(const weft_model *m)
{
    return &m->config;
}

const weft_checkpoint *weft_model_checkpoint(const weft_model *m)
{
    return m->checkpoint;
}

bool weft_model_uses(const weft_model *m, size_t i)
{
    return m->checkpoint && i < weft_checkpoint_count(m->checkpoint) && m->used[i];
}
