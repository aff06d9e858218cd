/* session_impl.h: a session, shared by session.c (life), eval.c and room.c (runs), groups.c (cells), states.c (what
 * lies in them), sequences.c and save.c (what can be done with a sequence). */
#ifndef WEFT_SESSION_IMPL_H
#define WEFT_SESSION_IMPL_H

#include "models/groups.h"
#include "models/model_impl.h"
#include "models/speculate.h"

#include <stdatomic.h>

/* A loaded program and its ports; id 0 where the program has no such port. */
typedef struct weft__runner {
    weft_program *p;
    weft_ref tokens, pos, sequence, reset, adapter, rows, row_adapter;
    weft__group_ports groups[WEFT__MAX_GROUPS];
    weft_ref logits, scores, hidden, ids, values, means; /* the last three of candidates */
    uint32_t max_tokens, max_rows;
} weft__runner;

/* How a state is divided among sequences: [outer, along, inner], where `along` counts cells or sequences. */
typedef struct weft__division {
    uint32_t state;           /* in the session's states */
    const weft__group *group; /* whose pages its cells lie in; NULL: it has a row for each sequence */
    uint64_t outer, along, inner; /* inner: bytes */
} weft__division;

/* What one run takes of a call: tokens, and the rows that they want. */
typedef struct weft__cut { weft__runner *r; uint32_t n, n_rows; } weft__cut;

/* An evaluation from its submit to the end of its wait, or a check. */
typedef struct weft__call {
    bool running;
    bool inside; /* a function of it has not returned: it may be one of the caller's that calls */
    bool began; /* it is an activity of its own */
    const weft_batch_token *tokens;
    size_t n, done; /* tokens; those of chunks that were begun */
    weft_rows out;  /* what is still to come */
    weft__task task;
    weft__cut run;  /* the chunk that runs */
} weft__call;

/* What other threads may ask to end. */
typedef enum weft__activity { WEFT__IDLE, WEFT__BUSY, WEFT__CANCELLED } weft__activity;

struct weft_session {
    weft_session_plan *plan; /* its own */
    weft_model *m;           /* the plan's */
    weft_session_desc desc;  /* the plan's, settled */
    weft_weights *weights, *own_weights; /* own_weights: where none were given, or there are adapters beside them */
    weft_states *states;
    weft__division *divisions; /* of every state */
    uint32_t n_divisions;
    bool recurrent;            /* some states are by sequence: they cannot be taken back */
    weft_state_span *spans;    /* as many as the largest `outer` */
    weft__sequence *sequences; /* [n_sequences] */
    weft__group groups[WEFT__MAX_GROUPS];
    uint32_t n_groups;
    weft__runner runners[1 + WEFT_SESSION_BOUNDS]; /* from the largest down */
    uint32_t n_runners;
    weft_load_times times;
    weft__widths widths; /* what runs of one text took, where drafts were checked */
    uint32_t *reduced; /* candidates of max_rows rows: logits, then ids, then a sum per row */
    /* [n_sequences] of the call that is under way: tokens that it brings, that its run brings (zeros in between), and
     * lengths before it */
    uint32_t *fresh, *running, *before;
    int32_t *batch;    /* BATCH_ARRAYS of max_tokens */
    weft__call call;
    atomic_int activity; /* weft__activity */
};

/* The smallest that runs n tokens, or the largest there is. */
static inline weft__runner *weft__runner_of(weft_session *s, size_t n)
{
    uint32_t i = s->n_runners - 1;
    while (i && s->runners[i].max_tokens < n) i--;
    return &s->runners[i];
}

/* The arrays of a session's batch. */
enum {
    WEFT__TOKENS, WEFT__POS, WEFT__SEQUENCE, WEFT__RESET, WEFT__ADAPTER,
    WEFT__ROWS, WEFT__ROW_ADAPTER, /* which token a row is of, and that one's adapter */
    WEFT__BATCH_ARRAYS
};

static inline int32_t *weft__batch(const weft_session *s, int array)
{
    return s->batch + (size_t)array * s->desc.max_tokens;
}

/* INVALID: an evaluation is to be waited for. */
static inline weft_status weft__check_idle(const weft_session *s, weft_error *err)
{
    return s->call.running ? WEFT_FAIL(err, WEFT_INVALID, "an evaluation is under way: it must be waited for")
                           : WEFT_OK;
}

/* groups.c. Those that the states of g have, the one that sees all first; where none has pages, that one alone. */
weft_status weft__groups_create(weft_session *s, const weft_graph *g, weft_error *err);
void weft__groups_destroy(weft_session *s);
void weft__groups_find_ports(const weft_session *s, const weft_graph *g, weft__group_ports *ports);
/* The first group that has given back what the token at position n would see; NULL: the sequence can end there. */
const weft__group *weft__group_without(const weft_session *s, uint32_t sequence, uint32_t n);
/* In all groups: forgets all but the first n tokens; gives back what no token to come sees. */
void weft__groups_truncate(weft_session *s, uint32_t sequence, uint32_t n);
void weft__groups_leave_behind(weft_session *s, uint32_t sequence);
/* `to`, which is empty, has the first n tokens of `from`. */
void weft__groups_share(weft_session *s, uint32_t from, uint32_t to, uint32_t n);

/* eval.c. Calls `visit` with the program that tokens behind sequence 0 would be run with, their inputs being written:
 * it runs it or its steps. n above max_tokens: the first. The sequence is left as weft_session_check says. */
typedef weft_status weft__visit(void *ctx, weft_program *p, weft_error *err);
WEFT_MUST_USE weft_status weft__session_visit(weft_session *s, const int32_t *ids, size_t n, weft__visit *visit,
                                              void *ctx, weft_error *err);

/* room.c. What the next run takes of n tokens of a call. */
weft__cut weft__cut_run(weft_session *s, const weft_batch_token *t, size_t n);
/* LIMIT: some cache has no room for the call, of which s->fresh tells how many tokens each sequence gets. */
weft_status weft__check_room(weft_session *s, const weft_batch_token *t, size_t n, weft_error *err);

/* states.c. What every state has of a sequence: its pages, its rows. */
weft_status weft__divide_states(weft_session *s, weft_error *err);
weft_status weft__copy_cells(weft_session *s, const weft__group *g, const weft__page_copy *copy, weft_error *err);
weft_status weft__copy_rows(weft_session *s, uint32_t from, uint32_t to, weft_error *err);
/* Calls for the bytes of each state that are the sequence's, in order: all that it has a cell for, or, `needed`, what
 * tokens to come can see. */
typedef weft_status weft__part_fn(void *ctx, const weft__division *d, uint64_t offset, uint64_t bytes, weft_error *err);
weft_status weft__each_part(weft_session *s, uint32_t sequence, bool needed, weft__part_fn *visit, void *ctx,
                            weft_error *err);

/* session.c. What a weight is read from: a source's `find`, of the session. */
weft_status weft__session_find(void *session, const char *name, weft_weight_data *out, weft_error *err);

/* sequences.c. */
weft_status weft__check_sequence(const weft_session *s, uint32_t sequence, weft_error *err);
weft_status weft__check_empty(const weft_session *s, uint32_t sequence, weft_error *err);

/* results.c. What the tokens of a run want, which is over, to where *out points, which is then behind it. */
weft_status weft__read_results(weft_session *s, weft__runner *r, const weft_batch_token *t, uint32_t n,
                               uint32_t n_rows, weft_rows *out, weft_error *err);
/* Those that are rows of the run; hidden states stand at their tokens. */
#define WEFT__WANT_ROW (WEFT_WANT_LOGITS | WEFT_WANT_CANDIDATES | WEFT_WANT_SCORES)

/* finite.c. The first state that was given a number too large for its type in what it has of the sequence; false: none,
 * or it cannot be told. Reads states back: for when something has gone wrong. */
bool weft__overflowed_state(weft_session *s, uint32_t sequence, weft_state_info *out);

#endif
