/* pipeline.c: the parts of a tokenizer.json around the model: normalizer, pre-tokenizers, post-processor, decoder. */
#include "parse.h"
#include "values.h"

#include <string.h>

/* Calls `read` for a part, or for each of the parts of {"type": "Sequence", key: [...]}; an absent part is none. */
typedef weft_status read_part(weft_tokenizer *tok, const json_t *part, weft_error *err);
static weft_status read_sequence(weft_tokenizer *tok, const json_t *root, const char *name,
                                 const char *key, read_part *read, weft_error *err)
{
    const json_t *part = json_object_get(root, name);
    if (weft__is_absent(part)) return WEFT_OK;
    if (!json_is_object(part)) return WEFT_FAIL(err, WEFT_FORMAT, "\"%s\" is not an object", name);
    if (strcmp(weft__type_of(part), "Sequence") != 0) return read(tok, part, err);
    const json_t *list = json_object_get(part, key);
    if (!json_is_array(list))
        return WEFT_FAIL(err, WEFT_FORMAT, "\"%s\": \"%s\" is not an array", name, key);
    for (size_t i = 0; i < json_array_size(list); i++)
        WEFT_TRY(read(tok, json_array_get(list, i), err));
    return WEFT_OK;
}

static weft_status unsupported(const char *what, const json_t *part, weft_error *err)
{
    return WEFT_FAIL(err, WEFT_UNSUPPORTED, "the %s %s is not supported", what,
                     weft__quote_text(weft__type_of(part), strlen(weft__type_of(part))).text);
}

static weft_status read_normalizer(weft_tokenizer *tok, const json_t *part, weft_error *err)
{
    if (strcmp(weft__type_of(part), "NFC") != 0) return unsupported("normalizer", part, err);
    tok->nfc = true;
    return WEFT_OK;
}

static weft_status read_behavior(const json_t *part, weft__split_behavior *out, weft_error *err)
{
    static const char *const names[] = { "Isolated", "Removed", "MergedWithPrevious",
                                         "MergedWithNext", "Contiguous" };
    const char *behavior = weft__string_at(part, "behavior");
    if (!behavior)
        return WEFT_FAIL(err, WEFT_FORMAT, "the Split pre-tokenizer has no \"behavior\"");
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(behavior, names[i]) != 0) continue;
        *out = (weft__split_behavior)i;
        return WEFT_OK;
    }
    return WEFT_FAIL(err, WEFT_UNSUPPORTED,
                     "the Split pre-tokenizer's behavior %s is not supported",
                     weft__quote_text(behavior, strlen(behavior)).text);
}

static weft_status read_split(weft__pre_step *step, const json_t *part, weft_error *err)
{
    const json_t *pattern = json_object_get(part, "pattern");
    const json_t *regex = json_object_get(pattern, "Regex"),
                 *literal = json_object_get(pattern, "String");
    const json_t *text = regex ? regex : literal;
    weft__split_options options = { .literal = !regex };
    if (!json_is_string(text))
        return WEFT_FAIL(err, WEFT_FORMAT, "the Split pre-tokenizer has no pattern");
    WEFT_TRY(read_behavior(part, &options.behavior, err));
    WEFT_TRY(weft__read_bool(part, "the Split pre-tokenizer", "invert", -1, &options.invert, err));
    return weft__splitter_create(json_string_value(text), json_string_length(text), options,
                                 &step->splitter, err);
}

static weft_status read_digits(weft__pre_step *step, const json_t *part, weft_error *err)
{
    bool individual;
    WEFT_TRY(weft__read_bool(part, "the Digits pre-tokenizer", "individual_digits", -1, &individual,
                       err));
    weft__split_options options = { .behavior = individual ? WEFT__SPLIT_ISOLATED
                                                           : WEFT__SPLIT_CONTIGUOUS };
    return weft__splitter_create(weft__digit_regex, strlen(weft__digit_regex), options,
                                 &step->splitter, err);
}

static weft_status read_byte_level(weft__pre_step *step, const json_t *part, weft_error *err)
{
    bool use_regex;
    step->last = true;
    WEFT_TRY(weft__read_bool(part, "the ByteLevel pre-tokenizer", "add_prefix_space", -1,
                       &step->prefix_space, err));
    WEFT_TRY(weft__read_bool(part, "the ByteLevel pre-tokenizer", "use_regex", 1, &use_regex, err));
    if (!use_regex) return WEFT_OK;
    return weft__splitter_create(weft__gpt2_regex, strlen(weft__gpt2_regex),
                                 (weft__split_options){ 0 }, &step->splitter, err);
}

static weft_status read_pre_tokenizer(weft_tokenizer *tok, const json_t *part, weft_error *err)
{
    static const struct {
        const char *type;
        weft_status (*read)(weft__pre_step *step, const json_t *part, weft_error *err);
    } kinds[] = { { "Split", read_split }, { "Digits", read_digits },
                  { "ByteLevel", read_byte_level } };
    size_t kind = 0, n = sizeof kinds / sizeof *kinds;
    while (kind < n && strcmp(weft__type_of(part), kinds[kind].type) != 0) kind++;
    if (kind == n) return unsupported("pre-tokenizer", part, err);
    if (tok->n_steps > 0 && tok->steps[tok->n_steps - 1].last)
        return WEFT_FAIL(err, WEFT_UNSUPPORTED, "a pre-tokenizer after ByteLevel is not supported");
    if (tok->n_steps == WEFT__PRE_STEPS_MAX)
        return WEFT_FAIL(err, WEFT_UNSUPPORTED, "more than %d pre-tokenizers are not supported",
                         WEFT__PRE_STEPS_MAX);
    return kinds[kind].read(&tok->steps[tok->n_steps++], part, err);
}

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
        if (!weft__grow(&out->data, &out->capacity, out->size + 1, sizeof *out->data))
            return WEFT_OOM_FAIL(err, "the template");
        out->data[out->size++] = id;
    }
    return WEFT_OK;
}

/* The template for one text: special tokens, the text (sequence A) once, special tokens. */
static weft_status read_template(weft_tokenizer *tok, const json_t *part, weft_error *err)
{
    const json_t *single = json_object_get(part, "single");
    if (!json_is_array(single))
        return WEFT_FAIL(err, WEFT_FORMAT, "the template has no \"single\" array");
    bool seen = false;
    for (size_t i = 0; i < json_array_size(single); i++) {
        const json_t *item = json_array_get(single, i);
        const char *special = weft__string_at(json_object_get(item, "SpecialToken"), "id");
        const char *sequence = weft__string_at(json_object_get(item, "Sequence"), "id");
        if (special) {
            WEFT_TRY(read_template_token(tok, json_object_get(part, "special_tokens"), special,
                                         seen ? &tok->suffix : &tok->prefix, err));
        } else if (sequence && strcmp(sequence, "A") == 0 && !seen) {
            seen = true;
        } else {
            return WEFT_FAIL(err, WEFT_FORMAT,
                             "part %zu of the template is neither a special token nor the text", i);
        }
    }
    return seen ? WEFT_OK : WEFT_FAIL(err, WEFT_FORMAT, "the template leaves out the text");
}

static weft_status read_post_processor(weft_tokenizer *tok, const json_t *part, weft_error *err)
{
    if (strcmp(weft__type_of(part), "ByteLevel") == 0) return WEFT_OK; /* it changes offsets only */
    if (strcmp(weft__type_of(part), "TemplateProcessing") != 0)
        return unsupported("post-processor", part, err);
    if (tok->has_template)
        return WEFT_FAIL(err, WEFT_UNSUPPORTED, "more than one template is not supported");
    tok->has_template = true;
    return read_template(tok, part, err);
}

static weft_status read_decoder(weft_tokenizer *tok, const json_t *part, weft_error *err)
{
    if (strcmp(weft__type_of(part), "ByteLevel") != 0) return unsupported("decoder", part, err);
    tok->has_decoder = true;
    return WEFT_OK;
}

weft_status weft__read_text_steps(weft_tokenizer *tok, const json_t *root, weft_error *err)
{
    WEFT_TRY(read_sequence(tok, root, "normalizer", "normalizers", read_normalizer, err));
    WEFT_TRY(read_sequence(tok, root, "pre_tokenizer", "pretokenizers", read_pre_tokenizer, err));
    if (tok->n_steps == 0 || !tok->steps[tok->n_steps - 1].last)
        return WEFT_FAIL(err, WEFT_UNSUPPORTED,
                         "there is no ByteLevel pre-tokenizer; only byte-level BPE is supported");
    WEFT_TRY(read_sequence(tok, root, "decoder", "decoders", read_decoder, err));
    if (!tok->has_decoder)
        return WEFT_FAIL(err, WEFT_UNSUPPORTED,
                         "there is no ByteLevel decoder; only byte-level BPE is supported");
    return WEFT_OK;
}

weft_status weft__read_post_processor(weft_tokenizer *tok, const json_t *root, weft_error *err)
{
    return read_sequence(tok, root, "post_processor", "processors", read_post_processor, err);
}
