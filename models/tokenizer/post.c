/* post.c: the kinds of post-processors: which tokens come around a text. */
#include "components.h"
#include "parse.h"

#include <stdlib.h>
#include <string.h>

/* Puts tokens around what there is so far, and takes them. */
static weft_status wrap(weft_tokenizer *tok, weft__ids *before, weft__ids *after, weft_error *err)
{
    bool ok = weft__ids_append(before, tok->prefix.data, tok->prefix.size) &&
              weft__ids_append(&tok->suffix, after->data, after->size);
    free(tok->prefix.data);
    free(after->data);
    tok->prefix = *before;
    *before = *after = (weft__ids){ 0 };
    return ok ? WEFT_OK : WEFT_OOM_FAIL(err, "the template");
}

/* ---- TemplateProcessing ---- */

/* The ids of one special token of a template. */
static weft_status read_template_token(const weft_tokenizer *tok, const json_t *known,
                                       const char *name, weft__ids *out, weft_error *err)
{
    const json_t *ids = json_object_get(json_object_get(known, name), "ids");
    weft__quoted what = weft__quote_text(name, strlen(name));
    if (!json_is_array(ids))
        return WEFT_FAIL(err, WEFT_FORMAT, "the template's %s is not among its special_tokens",
                         what.text);
    for (size_t i = 0; i < json_array_size(ids); i++) {
        int32_t id;
        WEFT_TRY(weft__read_id(json_array_get(ids, i), what.text, tok->vocab.n, &id, err));
        if (!weft__ids_append(out, &id, 1)) return WEFT_OOM_FAIL(err, "the template");
    }
    return WEFT_OK;
}

/* The template for one text: special tokens, the text (sequence A) once, special tokens. */
static weft_status read_parts(const weft_tokenizer *tok, const json_t *part, weft__ids *before, weft__ids *after,
                              weft_error *err)
{
    const json_t *single = json_object_get(part, "single");
    if (!json_is_array(single)) return WEFT_FAIL(err, WEFT_FORMAT, "the template has no \"single\" array");
    bool seen = false;
    for (size_t i = 0; i < json_array_size(single); i++) {
        const json_t *item = json_array_get(single, i);
        const char *special = weft__string_at(json_object_get(item, "SpecialToken"), "id");
        const char *sequence = weft__string_at(json_object_get(item, "Sequence"), "id");
        if (special) {
            WEFT_TRY(read_template_token(tok, json_object_get(part, "special_tokens"), special, seen ? after : before,
                                         err));
        } else if (sequence && strcmp(sequence, "A") == 0 && !seen) {
            seen = true;
        } else {
            return WEFT_FAIL(err, WEFT_FORMAT, "part %zu of the template is neither a special token nor the text", i);
        }
    }
    return seen ? WEFT_OK : WEFT_FAIL(err, WEFT_FORMAT, "the template leaves out the text");
}

static weft_status read_template(void *ctx, const weft__component *row, const json_t *part, weft_error *err)
{
    weft__ids before = { 0 }, after = { 0 };
    (void)row;
    weft_status status = read_parts(ctx, part, &before, &after, err);
    if (status == WEFT_OK) return wrap(ctx, &before, &after, err);
    free(before.data);
    free(after.data);
    return status;
}

/* ---- the others ---- */

/* It changes nothing but offsets. */
static weft_status read_byte_level(void *ctx, const weft__component *row, const json_t *part, weft_error *err)
{
    (void)ctx, (void)row, (void)part, (void)err;
    return WEFT_OK;
}

/* ["[SEP]", 102] */
static weft_status read_edge(const weft_tokenizer *tok, const json_t *part, const char *key, weft__ids *out,
                             weft_error *err)
{
    const json_t *pair = json_object_get(part, key), *text = json_array_get(pair, 0);
    int32_t id;
    if (json_array_size(pair) != 2 || !json_is_string(text))
        return WEFT_FAIL(err, WEFT_FORMAT, "\"%s\" is not a token and its id", key);
    weft__quoted name = weft__quote_text(json_string_value(text), json_string_length(text));
    WEFT_TRY(weft__read_id(json_array_get(pair, 1), name.text, tok->vocab.n, &id, err));
    return weft__ids_append(out, &id, 1) ? WEFT_OK : WEFT_OOM_FAIL(err, "the template");
}

/* BERT and RoBERTa: one token before, one after. */
static weft_status read_edges(void *ctx, const weft__component *row, const json_t *part, weft_error *err)
{
    weft__ids before = { 0 }, after = { 0 };
    (void)row;
    weft_status status = read_edge(ctx, part, "cls", &before, err);
    if (status == WEFT_OK) status = read_edge(ctx, part, "sep", &after, err);
    if (status == WEFT_OK) return wrap(ctx, &before, &after, err);
    free(before.data);
    free(after.data);
    return status;
}

static const weft__component kinds[] = {
    { "TemplateProcessing", read_template, 0 },
    { "ByteLevel", read_byte_level, 0 },
    { "BertProcessing", read_edges, 0 },
    { "RobertaProcessing", read_edges, 0 },
};

weft_status weft__read_post_processor(weft_tokenizer *tok, const json_t *root, weft_error *err)
{
    static const weft__component_set set = { "post_processor", "post-processor", "processors", kinds,
                                             sizeof kinds / sizeof *kinds };
    return weft__read_components(tok, root, &set, err);
}
