/* template.h: chat templates, from messages to the text of a prompt, as a model's own template has it.
 *
 *     weft_chat_template *t;
 *     weft_text prompt = { 0 };
 *     if (weft_chat_template_open("qwen3-0.6b", NULL, &t, &err) ||
 *         weft_chat_template_render(t, json, n, NULL, &prompt, &err)) ...   // {"messages": [...], "tools": [...]}
 *
 * Templates are written in Jinja. The text is the one that apply_chat_template of Hugging Face transformers gives, byte
 * for byte; docs/chat-templates.md says what of Jinja and Python there is. A template comes with a model, from anybody:
 * it can read the variables that it is given and nothing else, and the work, memory and depth of a rendering are
 * bounded.
 *
 * A template never changes once it is open: any number of threads may render with it at the same time. */
#ifndef WEFT_TEMPLATE_H
#define WEFT_TEMPLATE_H

#include "graph/base.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_chat_template weft_chat_template;

/* The template of a model, with the special tokens that its files name (bos_token, eos_token...). path: a model folder
 * (chat_template.jinja, chat_template of tokenizer_config.json, additional_chat_templates/), any file of one, or a GGUF
 * file. name: one of several templates, or, where it holds a '{', a template's text, which counts instead of the
 * model's; NULL: "default", and for conversations with tools "tool_use" where there is one. NOT_FOUND: there is no
 * template, or none of that name (the text says which there are); FORMAT, INVALID (a fault
 * of the template: its line and cause), IO, OOM, LIMIT. */
WEFT_API WEFT_MUST_USE weft_status weft_chat_template_open(const char *path, const char *name, weft_chat_template **out,
                                                           weft_error *err);
/* A template's text in memory, without special tokens; `name` stands in messages. `text` is not kept. */
WEFT_API WEFT_MUST_USE weft_status weft_chat_template_parse(const char *text, size_t n, const char *name,
                                                            weft_chat_template **out, weft_error *err);
/* Accepts NULL. */
WEFT_API void weft_chat_template_close(weft_chat_template *t);

/* The text of a template; tools: that for conversations with tools. Lent; *n is its length. */
WEFT_API const char *weft_chat_template_text(const weft_chat_template *t, bool tools, size_t *n);

/* Limits of one rendering; 0: the usual one. */
typedef struct weft_chat_limits {
    uint64_t steps; /* 20,000,000 */
    size_t bytes;   /* 256 MiB */
    uint32_t depth; /* 400: nesting of expressions, statements and values, and of calls */
} weft_chat_limits;

/* Renders one conversation. json: an object of `size` bytes, whose members are the template's variables:
 *   messages               the conversation, at least one object. As in transformers members that are null are dropped,
 *                          and reasoning_content, thinking and reasoning stand for each other
 *   tools, documents       lists of objects; null where they are not there
 *   add_generation_prompt  false where it is not there
 *   now                    "2026-11-30T09:10:45", for templates that ask for the time (strftime_now); the library does
 *                          not look at the clock. Not seen by the template
 *   continue_final_message must be false where it is there
 *   any other              as it is; bos_token and its like come before those of the model
 * The text is appended to *out. limits may be NULL. INVALID: the JSON is none (its line), messages are missing, or the
 * template refuses them: the text has its line and its reason, which may be its author's (raise_exception). LIMIT: a
 * limit was reached, or a whole number has more than 64 bits. UNSUPPORTED: something of Jinja that is not here; OOM. */
WEFT_API WEFT_MUST_USE weft_status weft_chat_template_render(const weft_chat_template *t, const char *json, size_t size,
                                                             const weft_chat_limits *limits, weft_text *out,
                                                             weft_error *err);

#ifdef __cplusplus
}
#endif
#endif
