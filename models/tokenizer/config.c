/* config.c: what tokenizer_config.json says of a tokenizer that has been read. */
#include "parse.h"
#include "values.h"

#include <stdio.h>
#include <string.h>

/* Classes that take tokenizer.json as it is. */
static bool keeps_prefix_space(const weft__trees *t)
{
    return weft__is_class(t, "PreTrainedTokenizerFast") || weft__is_class(t, "TokenizersBackend");
}

/* A boolean that may be absent: *given says whether it is there. */
static weft_status read_wish(const json_t *config, const char *key, bool *given, bool *out,
                             weft_error *err)
{
    *given = !weft__is_absent(json_object_get(config, key));
    return weft__read_bool(config, "the file", key, 0, out, err);
}

/* Whether a step of tokenizer.json puts a space, or what stands for one, before a text. */
static bool has_prefix_space(const weft_tokenizer *tok)
{
    const char *name;
    for (size_t i = 0; i < tok->pre.n; i++)
        if (tok->pre.step[i].lead != WEFT__LEAD_NEVER) return true;
    for (size_t i = 0; (name = weft__normalizer_name(&tok->normalizers, i)); i++)
        if (strcmp(name, "Prepend") == 0) return true;
    return false;
}

/* add_prefix_space. It counts where the last step is ByteLevel; other steps are as tokenizer.json has them. */
static weft_status apply_prefix_space(weft_tokenizer *tok, const weft__trees *t, weft_error *err)
{
    weft__pre_step *last = tok->pre.n ? &tok->pre.step[tok->pre.n - 1] : NULL;
    bool given, wish, level = last && last->bytes;
    bool now = level ? last->lead != WEFT__LEAD_NEVER : has_prefix_space(tok);
    WEFT_TRY(read_wish(t->file[WEFT__FILE_CONFIG], "add_prefix_space", &given, &wish, err));
    if (given && wish != now && !level)
        return weft__tokenizer_add_note(
            tok, err, "%s: add_prefix_space is %s, but the steps of tokenizer.json decide, which put %s space there",
            t->name[WEFT__FILE_CONFIG], wish ? "true" : "false", now ? "a" : "no");
    if (given && wish != now && keeps_prefix_space(t))
        return weft__tokenizer_add_note(
            tok, err, "%s: add_prefix_space is ignored, because its class takes tokenizer.json as it is",
            t->name[WEFT__FILE_CONFIG]);
    if (!level || keeps_prefix_space(t)) return WEFT_OK;
    if (given || weft__sets_prefix_space(t)) last->lead = wish ? WEFT__LEAD_ALWAYS : WEFT__LEAD_NEVER;
    return WEFT_OK;
}

/* add_bos_token, add_eos_token. They count without a tokenizer.json; with one, its template decides. */
static weft_status apply_edge(weft_tokenizer *tok, const weft__trees *t, const char *name,
                              int32_t id, weft__ids *edge, weft_error *err)
{
    bool given, wish;
    char key[16];
    snprintf(key, sizeof key, "add_%s_token", name);
    WEFT_TRY(read_wish(t->file[WEFT__FILE_CONFIG], key, &given, &wish, err));
    if (!given || wish == (edge->size > 0)) return WEFT_OK;
    const char *file = t->name[WEFT__FILE_CONFIG];
    if (!t->from_vocab)
        return weft__tokenizer_add_note(
            tok, err, "%s: %s is %s, but the post-processor of tokenizer.json decides, which puts %s token there",
            file, key, wish ? "true" : "false", wish ? "no" : "a");
    if (id < 0)
        return weft__tokenizer_add_note(tok, err, "%s: %s is true, but no %s_token is named", file,
                                        key, name);
    return weft__ids_append(edge, &id, 1) ? WEFT_OK : WEFT_OOM_FAIL(err, "the template");
}

static weft_status find_named(weft_tokenizer *tok, const weft__trees *t, weft_error *err)
{
    for (weft_named_token k = 0; k < WEFT_TOKEN_COUNT; k++) {
        weft__span text;
        WEFT_TRY(weft__named_token(t, k, &text, err));
        tok->named[k] = text.n ? weft__vocab_find(&tok->vocab, text.data, text.n) : -1;
    }
    return WEFT_OK;
}

static weft_status read_wishes(weft_tokenizer *tok, const weft__trees *t, weft_error *err)
{
    const json_t *config = t->file[WEFT__FILE_CONFIG];
    WEFT_TRY(apply_prefix_space(tok, t, err));
    size_t before = tok->n_notes;
    WEFT_TRY(apply_edge(tok, t, "bos", tok->named[WEFT_TOKEN_BOS], &tok->prefix, err));
    if (tok->n_notes > before) tok->bos_note = tok->n_notes;
    WEFT_TRY(apply_edge(tok, t, "eos", tok->named[WEFT_TOKEN_EOS], &tok->suffix, err));
    if (json_object_get(config, "auto_map"))
        WEFT_TRY(weft__tokenizer_add_note(
            tok, err, "%s: auto_map names Python code that is not run; the files alone count",
            t->name[WEFT__FILE_CONFIG]));
    return weft__read_bool(config, "the file", "split_special_tokens", 0, &tok->special_as_text,
                           err);
}

weft_status weft__read_config(weft_tokenizer *tok, const weft__trees *t, weft_error *err)
{
    WEFT_TRY(find_named(tok, t, err));
    weft_status status = read_wishes(tok, t, err);
    return status == WEFT_OK ? WEFT_OK : weft__annotate(err, status, "%s", t->name[WEFT__FILE_CONFIG]);
}
