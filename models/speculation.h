/* speculation.h: drafts of one generation: when there is one, how long it is, and what became of it. */
#ifndef WEFT_SPECULATION_H
#define WEFT_SPECULATION_H

#include "models/speculate.h"

typedef struct weft__speculation {
    const weft_drafter *drafter; /* NULL: nothing is drafted */
    uint32_t most;               /* tokens of a draft */
    bool always;                 /* whether or not it pays */
    weft__widths *widths;        /* of the session */
    double (*clock)(void);       /* in seconds */
    weft__pace pace;
    weft__timing each; /* what drafting a token takes */
    weft_draft draft;  /* of the run that comes next */
    bool probe;
    double draft_seconds; /* what it took */
    uint32_t since_alone, n_ids;
    uint32_t drafted, accepted; /* tokens so far */
} weft__speculation;

/* Of a text that goes on from a sequence with a prompt. UNSUPPORTED: it cannot take drafts back. INVALID: drafts that
 * are too long. */
weft_status weft__speculation_begin(weft__speculation *p, weft_session *s, uint32_t sequence, const int32_t *prompt,
                                    size_t n_prompt, const weft_generate_desc *d, weft_error *err);
/* Drafts what may come behind n tokens, which are new: at most `room` tokens. */
weft_status weft__speculation_next(weft__speculation *p, const int32_t *ids, size_t n, uint32_t room, weft_error *err);
/* The prompt took so many seconds. */
void weft__speculation_read(weft__speculation *p, double seconds);
/* The run with the draft took so many seconds, and the first of its tokens were right. */
void weft__speculation_ran(weft__speculation *p, uint32_t accepted, double seconds);

#endif
