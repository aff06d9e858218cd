/* answer.h: a request for text and what is made of it: one or more choices, each a task of an engine, as one JSON
 * object or a stream of events, in the form (answer_shape) of the endpoint. */
#ifndef WEFT_SERVE_ANSWER_H
#define WEFT_SERVE_ANSWER_H

#include "tools/serve/answer_json.h"
#include "tools/serve/params.h"

typedef struct answer_prompt { weft_tokens tokens; char *echo; size_t n_echo; } answer_prompt;

/* Begins the generation of p->n choices for each prompt; everything is copied. Answers x, at once where it is
 * refused. */
void answer_begin(exchange *x, served *m, const params *p, const answer_shape *shape, const answer_prompt *prompts,
                  size_t n_prompts);

/* A request in the form of OpenAI's chats (chat.c), whose fields are read, is answered in some shape; shape NULL: only
 * the tokens of its prompt are counted. */
void chat_answer(exchange *x, const json_t *request, params *p, const answer_shape *shape);

/* Prompts of a field: a text, token ids, or a list of texts or of lists of ids, each of which fits the context. NULL
 * after an error has been answered. */
answer_prompt *answer_prompts_read(exchange *x, const served *m, const char *field, const json_t *value, size_t *n);
void answer_prompts_free(answer_prompt *p, size_t n);
/* Whether a prompt of n tokens can be continued; an error about the field is answered where not. */
bool answer_prompt_fits(exchange *x, const served *m, size_t n, const char *field);

#endif
