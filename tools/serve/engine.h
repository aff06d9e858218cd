/* engine.h: one thread that owns a session and generates for many at once (continuous batching). A *task* is one text
 * to be continued. Tasks join and leave between tokens: each step evaluates one token for every task that generates,
 * and a piece of the prompts of those that do not yet, which is bounded while others generate, so that they keep their
 * pace.
 *
 * Which waiting task comes next: of the client that has the fewest running, the one that waits longest. */
#ifndef WEFT_SERVE_ENGINE_H
#define WEFT_SERVE_ENGINE_H

#include <stdatomic.h>

#include "models/adapter.h"
#include "models/grammar/grammar.h"
#include "tools/serve/cores.h"

enum { ENGINE_SLOTS = 256 }; /* at most */
enum { ENGINE_DRAFT = 15 };  /* tokens that are guessed for a text in a step at most */

typedef struct engine engine;
typedef struct task task;

typedef enum task_end { TASK_GOING, TASK_EOS, TASK_STOP, TASK_LENGTH, TASK_CANCELLED, TASK_FAILED } task_end;

/* A task that is no text to be continued: its hidden states, pooled. */
typedef enum task_pool { TASK_POOL_NONE, TASK_POOL_MEAN, TASK_POOL_FIRST, TASK_POOL_LAST } task_pool;

typedef struct task_token {
    int32_t id; /* -1: none, but text that was held back */
    const char *text; /* what became certain with it, whole UTF-8 sequences; perhaps nothing */
    size_t n;
    const weft_logprob *logprobs; /* of it, then of the n_top best; NULL: not asked for */
    uint32_t n_top;
} task_token;

/* What a task tells, from the engine's thread; nothing here may block. */
typedef struct task_listener {
    bool (*token)(void *ctx, const task_token *t); /* false: nobody wants more */
    /* A token of the prompt, where they are scored: its log-probabilities, but of the first, which follows nothing. */
    void (*scored)(void *ctx, const task_token *t, bool last);
    void (*vector)(void *ctx, const double *v, uint32_t width); /* of a pooled one; of one that is not, of each token */
    bool (*gone)(void *ctx); /* whether nobody wants more, asked now and then */
    void (*end)(void *ctx, task_end how, const weft_error *err); /* the last call; err where it has failed */
    void *ctx;
} task_listener;

typedef struct task_desc {
    const int32_t *ids; /* the prompt, copied: from 1 token to the context's */
    size_t n;
    int32_t adapter; /* a choice of the session's; WEFT_ADAPTER_NONE */
    task_pool pool; /* then nothing down to `client` matters */
    weft_grammar *grammar; /* what the text must match, which outlives the task; NULL: nothing */
    weft_sampling sampling;
    const char *const *stop;
    uint32_t n_stop;
    uint32_t max_tokens; /* 0: as many as the context holds; it must be said of one that shifts */
    bool shift; /* a full context ends it not: the oldest half of what follows the first n_keep tokens is dropped */
    uint32_t n_keep; /* fewer where the context has no room for them and what follows */
    bool ignore_eos, logprobs;
    bool scores; /* with log-probabilities: those of the prompt's tokens, too */
    bool none;   /* nothing is picked */
    bool drafts; /* its next tokens are guessed, where that makes it faster: the text is the same */
    const int32_t *expected; /* [n_expected] what may come, to be looked up there; copied */
    size_t n_expected;
    uint32_t n_top;
    const int32_t *shown; /* special tokens whose text is told, too; they outlive the task */
    uint32_t n_shown;
    uint64_t client;
    task_listener listener;
} task_desc;

weft_status task_create(engine *e, const task_desc *d, task **out, weft_error *err);
void task_destroy(task *t); /* of one that was not submitted */
/* Tokens of a task; all but the prompt's to be asked in a listener. */
typedef struct task_tokens {
    uint32_t prompt, cached; /* cached: those of the prompt that were there already */
    uint32_t picked, drafted, accepted; /* drafted: that were guessed; accepted: of them right */
    uint64_t dropped; /* of its beginning, for want of context */
} task_tokens;
task_tokens task_count(const task *t);
int task_stopped(const task *t); /* by which stop string; -1: none */

typedef struct engine_desc {
    weft_model *model;
    weft_session *session; /* of `slots` and `kept` sequences */
    const weft_tokenizer *tokenizer;
    uint32_t slots; /* tasks at once */
    uint32_t kept;  /* sequences that are kept for their beginnings, besides; at least 2 */
    uint32_t queue; /* tasks that may wait */
    bool embeds;    /* the session gives hidden states, of n_embed numbers */
    float pace; /* while any task generates a step lasts at most this many times as long as without prompts */
    weft_model *draft; /* that guesses tokens for tasks; NULL: there is none */
    weft_session *draft_session; /* of it, of as many sequences, that gives candidates */
    bool draft_always; /* whether or not it pays */
    cores *cores;     /* that other engines use, too; NULL: there are none */
    uint32_t threads; /* of them, that a step takes */
} engine_desc;

weft_status engine_start(const engine_desc *d, engine **out, weft_error *err);
/* Room in the queue for n tasks; false: there is none, or the engine ends. Then they are submitted, which cannot fail:
 * before engine_close is called. */
bool engine_reserve(engine *e, uint32_t n);
void engine_submit(engine *e, task *const *t, uint32_t n);
/* Has the engine's thread call `work` once, between two steps, with the session and its cores its own. False: it ends,
 * or has been asked already; then nothing is called. */
bool engine_between(engine *e, void (*work)(void *ctx), void *ctx);
/* For such work: a sequence that is empty, and is to be left so; UINT32_MAX: there is none. And whether a sequence's
 * pages were given back that was only kept: to be tried again where there were too few. */
uint32_t engine_spare(engine *e);
bool engine_spare_pages(engine *e);
/* Takes no more tasks. `at_once`: ends those that there are. */
void engine_close(engine *e, bool at_once);
bool engine_is_idle(engine *e);
void engine_destroy(engine *e); /* waits for the thread, which ends when nothing is left to do */

/* What has happened so far; read from any thread. */
#define ENGINE_COUNTERS(X) /* which go up for ever */                                                                  \
    X(prompt_tokens) X(cached_tokens) X(picked_tokens) X(steps) X(failures) X(preempted) X(drafted_tokens)             \
    X(accepted_tokens) X(draft_model_tokens) X(shifts)
typedef struct engine_counts {
#define ENGINE_COUNTER(name) atomic_ullong name;
    ENGINE_COUNTERS(ENGINE_COUNTER)
#undef ENGINE_COUNTER
    atomic_uint running, waiting, cells_free;
} engine_counts;
const engine_counts *engine_count(const engine *e);

#endif
