/* groups.h: the caches of a session. Layers whose tokens see equally far are a group: their states have the same pages,
 * which inputs of the group's own tell the graph (weft_model_cache of inputs.h). Every group has cells for the same
 * tokens, but for those that its window has left behind. */
#ifndef WEFT_GROUPS_H
#define WEFT_GROUPS_H

#include "models/pages.h"

enum { WEFT__MAX_GROUPS = 4 };

typedef struct weft__group {
    uint32_t window;   /* tokens that a token sees, itself among them; 0: all */
    uint32_t rollback; /* the last tokens of a sequence that can be taken back */
    uint32_t extent; /* of the graph: how many pages its states have */
    weft__pages pages;
    weft__pages trial;     /* what a call would do to them (room.c); of windows alone */
    int32_t *cell, *first; /* [max_tokens] of the run under way */
} weft__group;

/* Its inputs in a program; id 0 where the program has no such input. */
typedef struct weft__group_ports { weft_ref cell, first, table; } weft__group_ports;

/* What all groups have the same of. */
typedef struct weft__sequence {
    int32_t *tokens;    /* [context] */
    uint32_t length;    /* tokens; between calls that of its list in every group */
    int32_t adapter;    /* the choice that it takes; -1: none */
    uint32_t discarded; /* tokens to come do not see positions below this: weft_session_discard */
} weft__sequence;

/* The first position that the token at position p of a sequence sees. */
static inline uint32_t weft__first_seen(const weft__group *g, uint32_t discarded, uint32_t p)
{
    uint32_t first = g->window && p >= g->window ? p - g->window + 1 : 0;
    return first > discarded ? first : discarded;
}

/* The first position whose cell a sequence of `length` tokens keeps. */
static inline uint32_t weft__first_kept(const weft__group *g, uint32_t discarded, uint32_t length)
{
    return weft__first_seen(g, discarded, length > g->rollback ? length - g->rollback : 0);
}

#endif
