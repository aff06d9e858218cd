/* answer_json.h: the JSON of answers. */
#ifndef WEFT_SERVE_ANSWER_JSON_H
#define WEFT_SERVE_ANSWER_JSON_H

#include "tools/serve/forms.h"
#include "tools/serve/server.h"

typedef struct answer answer;

/* Text of one kind, up to that of another. */
typedef struct text_run { form_part part; weft_text text; } text_run;

typedef struct choice {
    answer *a;
    task *task; /* the engine's, until it has ended */
    uint32_t index;
    bool counted;    /* another choice counts its prompt */
    weft_text text;  /* of an answer that is no stream */
    weft_text reasoning;
    text_run *runs;  /* of shapes with items: both in the order in which they came */
    size_t n_runs, cap_runs;
    char name[56];      /* of the answer and this choice, for ids of calls */
    form_reader reader; /* of a chat whose template has forms of its own */
    uint64_t n_reasoned; /* tokens */
    uint64_t n_dropped; /* tokens, where the context was full */
    size_t n_lead; /* characters that the prompt's tokens have before its text */
    size_t n_before; /* characters of text before this token, those of an echo among them */
    json_t *calls;   /* of tools, read at the end; NULL: none */
    json_t *logprobs; /* of all tokens; of a stream those that were not sent; NULL: not asked for */
    const char *finish;
    int stopped;   /* the stop string of a->stops that ended it; -1: none */
    bool open;     /* of streams in blocks: one has begun, */
    form_part part; /* which is of this kind, */
    unsigned n_blocks; /* and so many before it */
} choice;

/* The form of an endpoint's answers. Of a stream `begin`, `piece` and `end` of each choice, then `finish`, send its
 * events; `object` is the whole answer otherwise. A piece is perhaps empty, with log-probabilities alone. False: nobody
 * reads any more. */
typedef struct answer_shape {
    const char *prefix; /* of ids, "cmpl-" */
    bool items;         /* runs of text are kept one by one */
    bool chat;          /* log-probabilities are those of chats; forms are looked for */
    void (*begin)(answer *a, choice *c);
    bool (*piece)(answer *a, choice *c, form_part part, const char *text, size_t n);
    void (*end)(answer *a, choice *c);
    void (*finish)(answer *a);
    json_t *(*object)(answer *a);
} answer_shape;

struct answer {
    exchange *x;
    const served *m;
    const answer_shape *shape;
    bool stream, include_usage, logprobs, reads, keep_reasoning, failed; /* reads: choices have readers */
    bool truncated; /* the prompt was cut */
    bool narrowed; /* not all tokens are allowed */
    char id[40], model[300]; /* model: as the request calls it */
    time_t created;
    weft_grammar *grammar; /* of all choices; NULL: none */
    json_t *tools;         /* NULL: none */
    json_t *stops;         /* the request's stop strings */
    int32_t *shown;        /* special tokens that marks of forms consist of */
    uint32_t n_shown;
    choice *choices;
    uint32_t n_choices, n_left;
    uint64_t prompt_tokens, cached_tokens, picked_tokens, reasoned_tokens, drafted_tokens, accepted_tokens;
    unsigned n_events; /* of a stream that counts them */
    unsigned status; /* of the failure, with its code and text */
    const char *code;
    weft_error fault;
};

/* Says in an object that tokens were dropped where they were; gives it back. */
json_t *answer_shifted(const choice *c, json_t *json);

json_t *answer_logprobs_new(const answer *a);
void answer_logprobs_add(answer *a, choice *c, const task_token *t); /* those of a prompt's first are null */

extern const answer_shape answer_completions, answer_chats; /* OpenAI's */
extern const answer_shape answer_responses; /* OpenAI's newer (responses_json.c) */
extern const answer_shape answer_messages; /* Anthropic's (messages_json.c) */

#endif
