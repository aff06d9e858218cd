/* describe.c: what a model's graph shows of it: how many layers, ids and positions there are, and which of the files'
 * tensors it uses. */
#include "graph/guess.h"
#include "models/model_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- outputs ---- */

static bool is_extent(const weft_graph *g, weft_dim d, const char *name)
{
    return d.n == 1 && d.extent && !strcmp(weft_graph_extent(g, d.extent, NULL), name);
}

/* The length of an output's rows, of which each of `extent` has one; *width 0: there is no such output. */
static weft_status read_width(const weft_model *m, const weft_graph *g, const char *output, const char *extent,
                              uint32_t *width, weft_error *err)
{
    *width = 0;
    weft_ref r = weft_graph_find(g, output);
    const weft_value *v = r.id ? weft_graph_value(g, r) : NULL;
    if (!v) return WEFT_OK;
    const weft_dims *d = &v->dims;
    bool fits = v->dtype == WEFT_F32 && d->rank == 2 && is_extent(g, d->d[0], extent) && !d->d[1].extent;
    if (!fits || d->d[1].n > INT32_MAX)
        return WEFT_FAIL(err, WEFT_INVALID, "%s: a session reads the output '%s' as f32 [%s, n], which it is not",
                         weft__definition_origin(m), output, extent);
    *width = (uint32_t)d->d[1].n;
    return WEFT_OK;
}

/* Behind a gap nobody would count what there is. */
static weft_status check_gaps(const weft_model *m, const weft_graph *g, uint32_t n, weft_error *err)
{
    static const char begin[] = "hidden.";
    const size_t k = sizeof begin - 1;
    uint32_t n_outputs;
    const weft_named *outputs = weft_graph_outputs(g, &n_outputs);
    char number[16];
    for (uint32_t i = 0; i < n_outputs; i++) {
        const char *name = outputs[i].name;
        if (strncmp(name, begin, k)) continue;
        const unsigned long at = strtoul(name + k, NULL, 10);
        snprintf(number, sizeof number, "%lu", at < n ? at : 0);
        if (at < n && !strcmp(name + k, number)) continue;
        return WEFT_FAIL(err, WEFT_INVALID, "%s: there is an output '%s', but no 'hidden.%u': they are hidden.0 (the "
                         "embedding) to hidden.N (behind the last layer)", weft__definition_origin(m), name, n);
    }
    return WEFT_OK;
}

/* hidden.0, hidden.1 and so on, which are equally wide. *n: how many there are. */
static weft_status read_hidden(const weft_model *m, const weft_graph *g, uint32_t *n, uint32_t *width, weft_error *err)
{
    char name[32];
    uint32_t other;
    *width = 0;
    for (*n = 0;; ++*n) {
        snprintf(name, sizeof name, "hidden.%u", *n);
        WEFT_TRY(read_width(m, g, name, "tokens", &other, err));
        if (!other) return check_gaps(m, g, *n, err);
        if (!*n) *width = other;
        if (other != *width)
            return WEFT_FAIL(err, WEFT_INVALID, "%s: the output '%s' has %u numbers a token, hidden.0 %u",
                             weft__definition_origin(m), name, other, *width);
    }
}

/* What the head gives: the width of its rows. A text may leave it to its outputs. */
static weft_status read_head(weft_model *m, const weft_graph *g, uint32_t *width, weft_error *err)
{
    static const struct { const char *output, *extent; } heads[] = {
        [WEFT_HEAD_LOGITS] = { "logits", "rows" },   [WEFT_HEAD_NONE] = { "hidden.0", "tokens" },
        [WEFT_HEAD_SEQUENCE] = { "scores", "rows" }, [WEFT_HEAD_TOKENS] = { "scores", "rows" },
        [WEFT_HEAD_SPAN] = { "scores", "rows" },
    };
    weft_head *head = &m->info.head;
    if (m->text.tree && !m->text.says_head)
        *head = weft_graph_find(g, heads[WEFT_HEAD_LOGITS].output).id ? WEFT_HEAD_LOGITS : WEFT_HEAD_NONE;
    WEFT_TRY(read_width(m, g, heads[*head].output, heads[*head].extent, width, err));
    if (*width) return WEFT_OK;
    char hint[80];
    uint32_t n;
    weft__guess near = { .word = heads[*head].output };
    const weft_named *outputs = weft_graph_outputs(g, &n);
    for (uint32_t i = 0; i < n; i++) weft__guess_try(&near, outputs[i].name, strlen(outputs[i].name));
    return WEFT_FAIL(err, WEFT_INVALID, "%s: the definition of %s makes no output '%s'%s", weft__definition_origin(m),
                     weft__definition_name(m), heads[*head].output, weft__guess_text(&near, hint, sizeof hint));
}

/* ---- inputs ---- */

static weft_status check_inputs(const weft_model *m, const weft_graph *g, weft_error *err)
{
    for (uint32_t i = 0; i < weft_graph_node_count(g); i++) {
        const weft_node *n = weft_graph_node(g, i);
        weft_status s = n->op == WEFT_OP_input ? weft__input_check(n->name, err) : WEFT_OK;
        if (s) return weft__annotate(err, s, "%s", weft__definition_origin(m));
    }
    return WEFT_OK;
}

/* The one number of a constant that positions are moved by. */
static bool find_offset(const weft_graph *g, weft_ref r, int32_t *out)
{
    const weft_value *v = weft_graph_value(g, r);
    const weft_node *n = weft_graph_node_by_id(g, v->node);
    bool one = n->op == WEFT_OP_constant && v->dtype == WEFT_I32 && weft_value_elements(g, r, NULL) == 1;
    if (one) memcpy(out, n->data, sizeof *out);
    return one;
}

/* How many of an input's numbers have a row in the table that is looked up by them, or by them and an offset; 0: by
 * others. */
static int64_t rows_by(const weft_graph *g, const weft_node *gather, const char *input)
{
    const weft_node *by = weft_graph_node_by_id(g, weft_graph_value(g, gather->in[1])->node);
    int32_t offset = 0;
    if (by->op == WEFT_OP_add)
        for (int k = 0; k < 2; k++)
            if (find_offset(g, by->in[k], &offset)) {
                by = weft_graph_node_by_id(g, weft_graph_value(g, by->in[1 - k])->node);
                break;
            }
    const weft_dim rows = weft_graph_value(g, gather->in[0])->dims.d[0];
    return by->op != WEFT_OP_input || strcmp(by->name, input) || rows.extent || rows.n <= offset ? 0 : rows.n - offset;
}

/* The least that any table has; 0: there is none. */
static uint32_t table_rows(const weft_graph *g, const char *input)
{
    int64_t least = 0;
    for (uint32_t i = 0; i < weft_graph_node_count(g); i++) {
        const weft_node *n = weft_graph_node(g, i);
        int64_t rows = n->op == WEFT_OP_gather ? rows_by(g, n, input) : 0;
        if (rows && (!least || rows < least)) least = rows;
    }
    return least < UINT32_MAX ? (uint32_t)least : UINT32_MAX;
}

/* What is looked up in tables: ids, and positions, beyond which nothing was learned. */
static void describe_tables(weft_model *m, const weft_graph *g)
{
    weft_model_info *i = &m->info;
    uint32_t ids = table_rows(g, "tokens"), positions = table_rows(g, "pos");
    if (ids && i->head != WEFT_HEAD_LOGITS) i->n_vocab = ids;
    m->n_ids = ids && ids < i->n_vocab ? ids : i->n_vocab;
    if (!positions || (i->context_limit && i->context_limit <= positions)) return;
    m->bounded = true;
    i->context_limit = positions;
    if (i->context > positions) i->context = positions;
}

/* Where the configuration has not the keys, the graph's shapes say it. */
static weft_status describe_graph(weft_model *m, const weft_graph *g, weft_error *err)
{
    weft_model_info *i = &m->info;
    uint32_t hidden, width, row;
    WEFT_TRY(read_head(m, g, &row, err));
    WEFT_TRY(read_hidden(m, g, &hidden, &width, err));
    WEFT_TRY(check_inputs(m, g, err));
    if (width) i->n_embed = width;
    if (hidden) i->n_layer = hidden - 1;
    if (i->head == WEFT_HEAD_LOGITS) i->n_vocab = row;
    m->n_scores = i->head == WEFT_HEAD_LOGITS || i->head == WEFT_HEAD_NONE ? 0 : row;
    describe_tables(m, g);
    return WEFT_OK;
}

/* ---- tensors ---- */

/* What a GGUF file has for the library's own definition is all of the model: what is not read would be a fault of the
 * reader's. Factors of rotary embeddings are read with the configuration. Beside matrices of NVFP4 there may be
 * .input_scale, by which activations would become such blocks, too: nothing here does that, nor does llama.cpp. */
static weft_status check_unused(const weft_model *m, weft_error *err)
{
    static const char *const read[] = { "rope_freqs.", "rope_factors_long.", "rope_factors_short." };
    if (m->definition) return WEFT_OK;
    for (size_t i = 0; i < weft_checkpoint_count(m->checkpoint); i++) {
        const weft__file_tensor *t = weft__checkpoint_at(m->checkpoint, i);
        bool known = m->used[i] || strstr(t->name, ".attn_rot_embd") || /* of old files: what rope_theta says */
                     weft__ends_with(t->name, ".input_scale");
        for (size_t k = 0; k < sizeof read / sizeof *read; k++) known |= !strncmp(t->name, read[k], strlen(read[k]));
        if (!known)
            return WEFT_FAIL(err, WEFT_UNSUPPORTED, "%s: tensor '%s' is of no part of %s that is supported", t->file,
                             t->name, weft__definition_name(m));
    }
    return WEFT_OK;
}

static weft_status note_ignored(weft_model *m, weft_error *err)
{
    size_t ignored = 0, first = 0;
    for (size_t i = m->checkpoint ? weft_checkpoint_count(m->checkpoint) : 0; i-- > 0;)
        if (!m->used[i]) first = i, ignored++;
    const char *name = ignored ? weft__checkpoint_at(m->checkpoint, first)->name : "";
    if (m->wrapper)
        return weft__model_add_note(m, err,
                                    "the language model of %s alone: what it sees or hears with is ignored, "
                                    "%zu tensors%s%s%s",
                                    m->wrapper->config.type, ignored, ignored ? ", '" : "", name,
                                    ignored ? "' the first" : "");
    if (ignored == 1)
        return weft__model_add_note(m, err, "tensor '%s' is in the files but not in the model: ignored", name);
    if (!ignored) return WEFT_OK;
    return weft__model_add_note(m, err, "%zu tensors are in the files but not in the model, '%s' the first: ignored",
                                ignored, name);
}

static weft_status describe_weights(weft_model *m, const weft_graph *g, weft_error *err)
{
    for (uint32_t i = 0; i < weft_graph_node_count(g); i++) {
        const weft_node *n = weft_graph_node(g, i);
        if (n->op != WEFT_OP_weight) continue;
        m->info.parameters += (uint64_t)weft_value_elements(g, n->out[0], NULL);
        const weft__file_tensor *t;
        for (uint32_t k = 0; m->checkpoint && (t = weft__model_tensor(m, n->name, k)); k++)
            m->used[t - weft__checkpoint_at(m->checkpoint, 0)] = true;
    }
    if (m->checkpoint && weft__checkpoint_gguf(m->checkpoint)) return check_unused(m, err);
    return note_ignored(m, err);
}

weft_status weft__model_describe(weft_model *m, const weft_graph *g, weft_error *err)
{
    WEFT_TRY(describe_graph(m, g, err));
    return describe_weights(m, g, err);
}
