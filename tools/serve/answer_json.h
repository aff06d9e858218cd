/* answer_json.h: the JSON of answers. */
#ifndef WEFT_SERVE_ANSWER_JSON_H
#define WEFT_SERVE_ANSWER_JSON_H

#include "tools/serve/server.h"

typedef struct answer answer;

typedef struct choice {
    answer *a;
    task *task; /* the engine's, until it has ended */
    uint32_t index;
    bool counted;    /* another choice counts its prompt */
    weft_text text;  /* of an answer that is no stream, or may have calls */
    size_t n_before; /* characters of text before this token, those of an echo among them */
    size_t n_told;   /* of `text`, of a stream that may have calls */
    json_t *calls;   /* of tools, read at the end; NULL: none */
    json_t *logprobs; /* of all tokens; of a stream those that were not sent; NULL: not asked for */
    const char *finish;
} choice;

struct answer {
    exchange *x;
    const served *m;
    bool chat, stream, include_usage, logprobs, tools, failed;
    bool narrowed; /* not all tokens are allowed */
    char id[40], model[300]; /* model: as the request calls it */
    time_t created;
    weft_grammar *grammar; /* of all choices; NULL: none */
    choice *choices;
    uint32_t n_choices, n_left;
    uint64_t prompt_tokens, cached_tokens, picked_tokens;
    unsigned status; /* of the failure, with its code and text */
    const char *code;
    weft_error fault;
};

json_t *answer_logprobs_new(const answer *a);
void answer_logprobs_add(answer *a, choice *c, const task_token *t);

json_t *answer_first_chunk(answer *a, choice *c); /* of a chat's stream: the role */
json_t *answer_chunk(answer *a, choice *c, const char *text, size_t n); /* takes the log-probabilities so far */
json_t *answer_calls_chunk(answer *a, choice *c);
json_t *answer_end_chunk(answer *a, choice *c);
json_t *answer_last_chunk(answer *a); /* with the usage */
json_t *answer_object(answer *a);

#endif
