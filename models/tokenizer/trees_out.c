/* trees_out.c: a tokenizer.json for who has vocab.json and merges.txt. */
#include "models/checkpoint/json.h"
#include "parse.h"

/* One of each; NULL: out of memory. */
static json_t *added_token(const weft_tokenizer *of, const weft__added_token *t)
{
    return json_pack("{s:i, s:s, s:b, s:b, s:b, s:b, s:b}", "id", t->id, "content", weft_tokenizer_token(of, t->id),
                     "single_word", t->single_word, "lstrip", t->lstrip, "rstrip", t->rstrip, "normalized",
                     t->normalized, "special", t->special);
}

static json_t *added_tokens(const weft_tokenizer *of)
{
    json_t *list = json_array();
    for (size_t i = 0; list && i < of->n_added; i++)
        if (json_array_append_new(list, added_token(of, &of->added[i]))) {
            json_decref(list);
            return NULL;
        }
    return list;
}

/* ---- the template ---- */

static bool add_ids(const weft_tokenizer *of, const weft__ids *ids, json_t *list, json_t *known)
{
    for (size_t i = 0; i < ids->size; i++) {
        const char *text = weft_tokenizer_token(of, ids->data[i]);
        if (json_array_append_new(list, json_pack("{s:{s:s, s:i}}", "SpecialToken", "id", text, "type_id", 0)) ||
            json_object_set_new(known, text, json_pack("{s:s, s:[i], s:[s]}", "id", text, "ids", ids->data[i], "tokens",
                                                       text)))
            return false;
    }
    return true;
}

static bool add_text(json_t *list, const char *which, int type)
{
    return !json_array_append_new(list, json_pack("{s:{s:s, s:i}}", "Sequence", "id", which, "type_id", type));
}

/* Of one text, and of two, of which the second has nothing around it. */
static json_t *template_of(const weft_tokenizer *of)
{
    json_t *single = json_array(), *pair = NULL, *known = json_object();
    bool ok = single && known && add_ids(of, &of->prefix, single, known) && add_text(single, "A", 0) &&
              add_ids(of, &of->suffix, single, known) && (pair = json_copy(single)) && add_text(pair, "B", 1);
    json_t *made = ok ? json_pack("{s:s, s:O, s:O, s:O}", "type", "TemplateProcessing", "single", single, "pair", pair,
                                  "special_tokens", known) : NULL;
    json_decref(single);
    json_decref(pair);
    json_decref(known);
    return made;
}

/* ---- the whole ---- */

static bool complete(json_t *root, const weft_tokenizer *of)
{
    const bool around = of->prefix.size || of->suffix.size;
    const bool space = of->pre.n && of->pre.step[of->pre.n - 1].lead != WEFT__LEAD_NEVER;
    json_t *level = json_object_get(root, "pre_tokenizer");
    return !json_object_set_new(root, "version", json_string("1.0")) &&
           !json_object_set_new(level, "add_prefix_space", json_boolean(space)) &&
           !json_object_set_new(root, "added_tokens", added_tokens(of)) &&
           (!around || !json_object_set_new(root, "post_processor", template_of(of)));
}

weft_status weft__trees_write_tokenizer(weft__trees *t, const weft_tokenizer *of, char **text, size_t *n,
                                        weft_error *err)
{
    json_t *root = t->file[WEFT__FILE_TOKENIZER];
    *text = complete(root, of) ? weft__json_dump(root, JSON_COMPACT, n) : NULL;
    return *text ? WEFT_OK : WEFT_OOM_FAIL(err, t->name[WEFT__FILE_TOKENIZER]);
}
