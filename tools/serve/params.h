/* params.h: the fields of requests: one table of names, types and ranges (params.c). */
#ifndef WEFT_SERVE_PARAMS_H
#define WEFT_SERVE_PARAMS_H

#include "tools/serve/forms.h"
#include "tools/serve/server.h"

/* The endpoints that know a field. */
enum { FOR_COMPLETIONS = 1, FOR_CHAT = 2, FOR_EMBEDDINGS = 4, FOR_TOKENIZE = 8, FOR_DETOKENIZE = 16,
       FOR_INFILL = 32, FOR_OPENAI = FOR_COMPLETIONS | FOR_CHAT, FOR_TEXT = FOR_OPENAI | FOR_INFILL };

/* What a full context means for a text; NULL or absent in a request: what the model's option says. */
typedef enum context_full { FULL_AS_MODEL, FULL_STOPS, FULL_SHIFTS } context_full;

enum { PARAMS_STOPS = 16, PARAMS_BIASES = 1024, PARAMS_CHOICES = 128, PARAMS_TOP = 20 };

typedef struct params {
    const char *model;
    weft_sampling sampling; /* points into what follows */
    uint32_t max_tokens, n, best_of;
    context_full full;
    uint32_t n_keep; /* tokens of the prompt that a shift keeps; UINT32_MAX: all */
    bool stream, include_usage, ignore_eos, echo, seeded;
    bool none; /* of completions: no token is asked for */
    bool prompts, goes_on; /* of chats: an answer begins in the prompt; the last message is not at its end */
    bool stays; /* the model stays loaded as long unused: */
    double keep_alive; /* seconds; below 0: for ever */
    bool logprobs;
    uint32_t n_top;
    const char *stop[PARAMS_STOPS + 1]; /* of the request's JSON; one is a form's */
    uint32_t n_stop;
    int32_t bias_tokens[PARAMS_BIASES];
    float bias_values[PARAMS_BIASES];
    weft_step_kind order[WEFT_SAMPLING_STEPS];
    weft_grammar_kind grammar_kind; /* of the text below, or of a schema */
    const char *grammar, *grammar_field; /* grammar_field: which field has it; NULL: none */
    size_t n_grammar;
    char *schema; /* owned: a schema as text */
    forms forms; /* of reasoning and calls that are looked for */
    const json_t *tools; /* of the request, which the model is told of and may call; NULL: none */
    const char *begun; /* what the prompt ends with of them; NULL: nothing */
    bool keep_reasoning; /* it stays in the text */
    const think_form *kept; /* whose marks do, too; NULL: none */
    const json_t *prediction; /* text that may come: a text, or a list of parts; NULL: none */
    bool no_drafts; /* whatever the server does */
    bool truncated; /* the prompt was cut */
    bool add_special, with_pieces;
    task_pool pool; /* of embeddings; NONE: not said */
    bool base64;
} params;

/* Reads what the table has for this endpoint. False after an error has been answered. `p` must not be moved. */
bool params_read(exchange *x, const json_t *request, unsigned endpoint, params *p);
/* What the text must match, by a field of the request. False after an error has been answered. */
bool params_set_schema(exchange *x, params *p, const json_t *schema, const char *field);
/* The prediction's text. False: out of memory. */
bool params_prediction(const params *p, weft_text *out);
void params_free(params *p); /* also after a failure */

#endif
