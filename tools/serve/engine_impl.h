/* engine_impl.h: what the engine's files share: engine.c has its life and its queue, batch.c the steps, prefix.c the
 * sequences, pick.c what becomes of a row of logits, shift.c what becomes of a text that fills the context. All but the
 * queue belongs to the engine's thread. */
#ifndef WEFT_SERVE_ENGINE_IMPL_H
#define WEFT_SERVE_ENGINE_IMPL_H

#include <pthread.h>

#include "models/speculate.h"
#include "tools/serve/engine.h"

enum { NO_SEQUENCE = UINT32_MAX };

struct task {
    task *next;   /* in the queue */
    engine *e;
    int32_t *ids; /* the prompt, then what was picked, without what was dropped */
    size_t n, cap;
    int32_t *past; /* [n_past] of one that was shifted: its last tokens, also those that were dropped; NULL: ids */
    size_t n_past, cap_past;
    bool shift;
    uint32_t n_keep;
    uint64_t n_dropped;
    uint32_t n_prompt, n_cached, n_picked, max_tokens;
    uint32_t sequence, done; /* tokens of ids that the sequence has */
    uint32_t quota;          /* of them, evaluated in this step */
    weft_sampler *sampler;
    weft_matcher *matcher; /* of its grammar; NULL: it has none */
    bool pick_first;
    weft_token_stream *stream;
    int32_t adapter;
    task_pool pool;
    double *sum; /* [n_embed] of a pooled one */
    weft_logprob *logprobs; /* [1 + n_top]; NULL: not asked for */
    uint32_t n_top;
    bool scores, none;
    uint32_t n_scored, n_rows; /* of the prompt, that were told; that this step scores */
    const int32_t *shown; /* [n_shown] special tokens whose text is told */
    uint32_t n_shown;
    bool ignore_eos, counted;
    bool drafts;          /* tokens are guessed for it */
    int32_t *expected;    /* [n_expected] what is looked up beside its text, until there is a table of it */
    size_t n_expected, n_told; /* n_told: of ids, that the table has */
    weft_ngrams *ngrams;  /* NULL: not made yet */
    weft__pace pace;
    weft_draft draft;     /* of this step; n 0: none */
    bool probe;
    uint32_t wants, n_same; /* of a draft model: tokens in this step; tokens of its sequence that are known to be ids */
    bool reads;             /* in this step it reads for all that is left of the text */
    bool rated;             /* it began with what is known of other tasks */
    uint32_t n_drafted, n_accepted;
    uint64_t client, order; /* order: of submission */
    task_listener listener;
};

/* A draft model: what it has of task and kept texts is in sequences of the same numbers. */
typedef struct guesser {
    weft_session *session; /* NULL: there is none */
    weft__widths widths;   /* what its runs take */
    double hits, misses;   /* of all tasks so far, of which the newest count most */
    double each;           /* seconds that a token of this step's drafts took */
    uint32_t n_asked;      /* tasks that had drafts of it last */
    weft_batch_token *batch;
    size_t n_batch, cap_batch;
    weft_candidate *picks; /* [slots] */
} guesser;

typedef struct kept { task *t; uint64_t used; } kept; /* a sequence: whose it is, and when it was last of use */

struct engine {
    engine_desc d;
    pthread_t thread;
    pthread_mutex_t lock; /* of the queue, closed, at_once, between */
    pthread_cond_t changed;
    task *queue, **last;
    uint32_t n_queue, n_reserved;
    uint64_t n_submitted;
    bool closed, at_once;
    void (*between)(void *ctx); /* to be called; NULL: nothing */
    void *between_ctx;

    kept *sequences; /* [n_sequences] */
    uint32_t n_sequences;
    task **running; /* [slots]; the first n_running, oldest first */
    uint32_t n_running;
    weft_batch_token *batch;
    size_t n_batch, cap_batch;
    uint32_t n_rows, n_draft; /* of logits in a step; tokens of a draft at most, 0: the model takes none back */
    weft__widths widths; /* what steps without prompts take */
    uint32_t n_alone, since_alone; /* steps without drafts, a few; those since the last */
    guesser guesser;
    double token_seconds, draft_seconds; /* of the last step: what a token takes without drafts, and a drafted one */
    float *logits; /* [n_rows, n_vocab] */
    float *row;    /* [n_vocab]: logits as they came, of a text with a grammar */
    float *hidden; /* [n_batch at most, n_embed] */
    size_t cap_hidden;
    uint32_t n_embed;
    uint64_t clock;
    double alone, each; /* measured: seconds of a step without prompts, and that a token of a prompt adds */
    bool mixed; /* `each` was measured beside texts that are continued */
    bool held; /* pages have run out: nothing is admitted until a task has ended */
    double asked; /* when clients were last asked whether they are there */
    engine_counts counts;
};

/* ---- prefix.c ---- */
/* An empty sequence for a task, which begins with what others have of its prompt already. */
bool engine_seat(engine *e, task *t, weft_error *err);
/* Whether another task is about to evaluate much more of this prompt's beginning than there is now. */
bool engine_should_wait(const engine *e, const task *t);
void engine_unseat(engine *e, task *t, bool keep); /* keep: its sequence stays, for others that begin alike */
weft_status engine_clear(engine *e, uint32_t sequence, weft_error *err); /* the draft model's, too */
bool engine_evict(engine *e); /* gives back the sequence that was of no use for longest; false: there is none */

/* ---- batch.c ---- */
void engine_step(engine *e);

/* ---- draft.c ---- */
/* Drafts for the tasks of a step of which n generate; how many tokens. */
uint32_t engine_draft(engine *e, uint32_t n_generate);
void engine_undraft(engine *e, bool for_good); /* for_good: what has a draft gets none any more */
void engine_timed(engine *e, uint32_t n_generate, uint32_t n_drafted, double seconds); /* of a step without prompts */
/* So many drafted tokens of a task were right: the others are forgotten. */
weft_status engine_accept(engine *e, task *t, uint32_t accepted, weft_error *err);

/* ---- guess.c ---- */
/* What a draft of the model's would take for a task, beside n - 1 others. */
weft__offer engine_offer(engine *e, task *t, uint32_t most, uint32_t n);
/* Drafts for the tasks that want some; `shared`: others wait meanwhile. */
void engine_guess(engine *e, bool shared);
void engine_guessed(engine *e, uint32_t n, uint32_t accepted); /* so many of n were right */
weft_status guesser_open(engine *e, const engine_desc *d, weft_error *err);
void guesser_close(guesser *g);

/* ---- pick.c ---- */
/* The log-probabilities of a token that a row of logits comes before. */
void engine_score(engine *e, task *t, const float *logits, int32_t token);
/* The next token from a row of logits. Whether it was the last, and why. */
task_end engine_pick(engine *e, task *t, float *logits, weft_error *err);

/* ---- shift.c ---- */
/* One more token of a text. */
weft_status engine_remember(engine *e, task *t, int32_t id, weft_error *err);
/* What samplers look back at: at least the context's length, where the text is as long. */
const int32_t *engine_history(const engine *e, const task *t, size_t *n);
/* Makes room in a text that fills the context; what follows what is kept is evaluated again. */
weft_status engine_shift(engine *e, task *t, weft_error *err);

/* ---- engine.c ---- */
void engine_finish(engine *e, task *t, task_end how, const weft_error *err); /* of one that runs: it is gone then */
void engine_put_back(engine *e, task *t); /* it waits again, first of all */

#endif
