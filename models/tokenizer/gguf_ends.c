/* gguf_ends.c: which tokens end a text or a turn, and the chat template. */
#include "gguf.h"

#include <stdio.h>
#include <string.h>

#include "gguf_kinds.h"

enum { NORMAL = 1 }; /* of tokenizer.ggml.token_type */

typedef struct id_list {
    int32_t *ids;
    size_t n, room;
} id_list;

static void add(id_list *list, int64_t id)
{
    for (size_t i = 0; i < list->n; i++)
        if (list->ids[i] == id) return;
    if (list->n < list->room) list->ids[list->n++] = (int32_t)id;
}

static bool is(const weft__gguf_string *s, const char *text)
{
    return s->size == strlen(text) && memcmp(s->text, text, s->size) == 0;
}

/* Texts that end a turn in published models; their files name one end at most. */
static bool ends_turn(const weft__gguf_string *s)
{
    static const char *const texts[] = {
        "<|eot_id|>",      "<|eom_id|>",   "<|im_end|>",    "<|end|>",           "<|return|>",
        "<|call|>",        "<|calls|>",    "<|flush|>",     "<end_of_turn>",     "<turn|>",
        "<|endoftext|>",   "<|end_of_text|>", "<EOT>",      "[EOT]",             "[EOS]",
        "<end_of_utterance>", "<eos>",     "<|tool_response>", "<｜end▁of▁sentence｜>", "[e~[",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (is(s, texts[i])) return true;
    return false;
}

/* Where these are there, a turn goes on after <|end|>. */
static bool ends_more(const weft__gguf_string *s)
{
    return is(s, "<|return|>") || is(s, "<|flush|>");
}

size_t weft__gguf_end_tokens(const weft__gguf_file *f, int32_t *ids, size_t room)
{
    static const char *const keys[] = { "tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id",
                                        "tokenizer.ggml.eom_token_id" };
    const weft__gguf_value *tokens = weft__gguf_find(f, "tokenizer.ggml.tokens");
    const weft__gguf_value *types = weft__gguf_find(f, "tokenizer.ggml.token_type");
    id_list list = { ids, 0, room };
    int64_t id, end = -1, type;
    bool more = false;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (weft__gguf_integer(weft__gguf_find(f, keys[i]), 0, &id) && id >= 0 && id < INT32_MAX) add(&list, id);
    for (uint64_t i = 0; tokens && i < tokens->count && i < INT32_MAX; i++) {
        weft__gguf_string text;
        if (!weft__gguf_text(tokens, i, &text) || !ends_turn(&text)) continue;
        if (weft__gguf_integer(types, i, &type) && type == NORMAL) continue;
        more |= ends_more(&text);
        if (is(&text, "<|end|>")) end = (int64_t)i;
        else add(&list, (int64_t)i);
    }
    if (end >= 0 && !more) add(&list, end);
    return list.n;
}

bool weft__gguf_chat_template(const weft__gguf_file *f, const char *name, weft__gguf_string *out)
{
    char key[256];
    int n = snprintf(key, sizeof key, "tokenizer.chat_template%s%s", name ? "." : "", name ? name : "");
    return n > 0 && (size_t)n < sizeof key && weft__gguf_text(weft__gguf_find(f, key), 0, out);
}
