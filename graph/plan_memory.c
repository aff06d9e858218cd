/* plan_memory.c: which values share bytes: in-place results first, then one offset per block of an
 * arena.
 *
 * A block is a value that owns bytes, or the scratch of a step, with the groups of steps during
 * which it is in use. Two blocks may overlap only if their groups do not. Blocks are placed from
 * the largest to the smallest, each into the smallest hole that fits, or else at the end. */
#include "graph/alias.h"
#include "graph/plan_impl.h"

#include <stdlib.h>
#include <string.h>

/* Readers of an owner of bytes, by value id. Steps are visited in order, so `last_step` only grows. */
typedef struct use {
    bool made, read, pinned; /* pinned: an output, kept to the end */
    uint32_t first_group;    /* of its making */
    uint32_t last_step, last_reads;
    bool read_before; /* by a step other than last_step, the last time in group before_group */
    uint32_t before_group;
} use;

typedef struct block {
    uint64_t bytes, offset;       /* bytes: a multiple of the alignment */
    uint32_t device, first, last; /* groups */
    uint32_t owner;               /* value id, or step if scratch */
    bool scratch;
} block;

static void note_read(const weft__planner *p, use *u, uint32_t step)
{
    if (u->read && u->last_step == step) {
        u->last_reads++;
        return;
    }
    u->read_before = u->read;
    u->before_group = u->read ? p->group[u->last_step] : 0;
    u->read = true;
    u->last_step = step;
    u->last_reads = 1;
}

static void collect_uses(const weft__planner *p, use *uses)
{
    const weft_slot *slots = p->plan->slots;
    for (uint32_t i = 0; i < p->plan->n_steps; i++) {
        const weft_node *n = weft_graph_node_by_id(p->g, p->plan->steps[i].node);
        for (uint32_t k = 0; k < n->n_in; k++)
            if (n->in[k].id) note_read(p, &uses[slots[n->in[k].id].root.id], i);
        for (uint32_t k = 0; k < n->n_out; k++) {
            if (slots[n->out[k].id].root.id != n->out[k].id) continue; /* a store */
            uses[n->out[k].id].made = true;
            uses[n->out[k].id].first_group = p->group[i];
        }
    }
    uint32_t n_outputs;
    const weft_named *outputs = weft_graph_outputs(p->g, &n_outputs);
    for (uint32_t i = 0; i < n_outputs; i++) uses[slots[outputs[i].ref.id].root.id].pinned = true;
}

/* Step `at` may write its result over input 0: nobody else wants those bytes, then or later. */
static bool can_replace(const weft__planner *p, uint32_t at, const weft_node *n, const use *uses)
{
    if (!(weft_op_get(n->op)->traits & WEFT_TRAIT_INPLACE_0) || !p->desc->nodes[n->id].inplace)
        return false;
    if (n->n_out != 1 || n->n_in == 0) return false;
    const weft_slot *in = &p->plan->slots[n->in[0].id], *out = &p->plan->slots[n->out[0].id];
    const weft_value *a = weft_graph_value(p->g, n->in[0]), *b = weft_graph_value(p->g, n->out[0]);
    const use *u = &uses[in->root.id];
    if (in->storage != WEFT_STORAGE_ARENA || !u->made || u->pinned)
        return false; /* no graph input or output */
    if (in->device != out->device || in->bytes != out->bytes || a->dtype != b->dtype) return false;
    if (u->last_step != at || u->last_reads != 1 ||
        (u->read_before && u->before_group >= p->group[at]))
        return false;
    if (a->dims.rank != b->dims.rank) return false;
    for (uint32_t i = 0; i < a->dims.rank; i++)
        if (a->dims.d[i].n != b->dims.d[i].n || a->dims.d[i].extent != b->dims.d[i].extent)
            return false;
    return weft__slot_plain(p->g, n->in[0], p->desc->bounds, in);
}

/* Gives results the bytes of their input 0 where possible; `moved` is the new owner by old owner, 0
 * if unchanged. */
static void share_in_place(weft__planner *p, use *uses, uint32_t *moved)
{
    weft_slot *slots = p->plan->slots;
    for (uint32_t i = 0; i < p->plan->n_steps; i++) {
        const weft_node *n = weft_graph_node_by_id(p->g, p->plan->steps[i].node);
        for (uint32_t k = 0; k < n->n_in; k++) { /* owners that earlier steps have moved */
            uint32_t to = n->in[k].id ? moved[slots[n->in[k].id].root.id] : 0;
            if (to) slots[n->in[k].id].root.id = to;
        }
        if (!can_replace(p, i, n, uses)) continue;
        uint32_t old = n->out[0].id, owner = slots[n->in[0].id].root.id;
        use *u = &uses[owner], later = uses[old];
        if (later.read) {
            if (!later.read_before) later.before_group = p->group[i];
            u->before_group = later.before_group;
            u->last_step = later.last_step;
            u->last_reads = later.last_reads;
            u->read_before = true;
        }
        u->pinned = later.pinned;
        moved[old] = owner;
    }
    for (uint32_t i = 1; i < p->plan->n_slots; i++)
        if (moved[slots[i].root.id]) slots[i].root.id = moved[slots[i].root.id];
}

/* Rounds up to the alignment and counts what the device's arena would take if nothing were shared. */
static weft_status claim(weft__planner *p, uint32_t device, uint64_t *bytes, weft_error *err)
{
    uint64_t mask = (uint64_t)p->desc->alignment - 1, most = (uint64_t)INT64_MAX - mask;
    uint64_t *sum = &p->plan->arena_unshared[device];
    if (*bytes > most || ((*bytes + mask) & ~mask) > most - *sum)
        return WEFT_FAIL(err, WEFT_LIMIT, "memory plan: the arena of device %u exceeds 2^63 bytes",
                         device);
    *bytes = (*bytes + mask) & ~mask;
    *sum += *bytes;
    return WEFT_OK;
}

/* One block per owner of arena bytes and one per scratch. */
static weft_status collect_blocks(weft__planner *p, const use *uses, block *blocks, size_t *n,
                                  weft_error *err)
{
    const weft_plan *plan = p->plan;
    uint32_t end = p->n_groups - 1;
    for (uint32_t i = 1; i < plan->n_slots; i++) {
        const weft_slot *s = &plan->slots[i];
        const weft_value *v = weft_graph_value(p->g, (weft_ref){ i });
        if (!v || s->storage != WEFT_STORAGE_ARENA || weft__is_alias(p->g, (weft_ref){ i })) continue;
        block b = { .bytes = s->bytes, .device = s->device, .owner = i };
        WEFT_TRY(claim(p, b.device, &b.bytes, err));
        if (s->root.id != i) continue; /* in place */
        const use *u = &uses[i];
        b.first = p->desc->keep ? 0 : u->first_group;
        b.last = u->pinned || p->desc->keep ? end : u->read ? p->group[u->last_step] : b.first;
        blocks[(*n)++] = b;
    }
    for (uint32_t i = 0; i < plan->n_steps; i++) {
        const weft_step *s = &plan->steps[i];
        block b = { .bytes = s->scratch_bytes, .device = s->device, .owner = i, .scratch = true };
        if (!b.bytes) continue;
        WEFT_TRY(claim(p, b.device, &b.bytes, err));
        b.first = b.last = p->group[i];
        blocks[(*n)++] = b;
    }
    return WEFT_OK;
}

static int largest_first(const void *a, const void *b)
{
    const block *x = a, *y = b;
    if (x->device != y->device) return x->device < y->device ? -1 : 1;
    if (x->bytes != y->bytes) return x->bytes > y->bytes ? -1 : 1;
    if (x->first != y->first) return x->first < y->first ? -1 : 1;
    if (x->scratch != y->scratch) return x->scratch ? 1 : -1;
    return x->owner < y->owner ? -1 : 1;
}

/* What the search for a hole reads of a placed block, or of several that lie side by side and are in use at the same
 * time; kept in order of `lo`. */
typedef struct placed {
    uint64_t lo, hi;
    uint32_t first, last;
} placed;

/* Returns the new number of entries in `at`. */
static size_t place_block(block *b, placed *at, size_t n)
{
    uint64_t end = 0, best = UINT64_MAX, best_size = UINT64_MAX;
    for (size_t i = 0; i < n; i++) {
        if (at[i].first > b->last || at[i].last < b->first) continue;
        if (at[i].lo > end && at[i].lo - end >= b->bytes && at[i].lo - end < best_size) {
            best = end;
            best_size = at[i].lo - end;
        }
        if (at[i].hi > end) end = at[i].hi;
    }
    b->offset = best == UINT64_MAX ? end : best;
    size_t where = n;
    while (where > 0 && at[where - 1].lo > b->offset) where--;
    placed *below = where ? &at[where - 1] : NULL;
    if (below && below->hi == b->offset && below->first == b->first && below->last == b->last) {
        below->hi += b->bytes;
        return n;
    }
    memmove(at + where + 1, at + where, (n - where) * sizeof *at);
    at[where] = (placed){ b->offset, b->offset + b->bytes, b->first, b->last };
    return n + 1;
}

/* Offsets for all blocks, and the size of each arena. */
static weft_status place_blocks(weft__planner *p, block *blocks, size_t n, weft_error *err)
{
    placed *at = weft__arena_alloc(&p->work, n + 1, sizeof *at);
    if (!at) return WEFT_OOM_FAIL(err, "the memory plan");
    if (n > 1) qsort(blocks, n, sizeof *blocks, largest_first);
    size_t on_device = 0;
    for (size_t i = 0; i < n; i++) {
        block *b = &blocks[i];
        if (i == 0 || blocks[i - 1].device != b->device) on_device = 0;
        on_device = place_block(b, at, on_device);
        uint64_t *arena = &p->plan->arena_bytes[b->device];
        if (b->offset + b->bytes > *arena) *arena = b->offset + b->bytes;
        if (b->scratch) {
            p->plan->steps[b->owner].scratch_offset = b->offset;
            continue;
        }
        weft_slot *s = &p->plan->slots[b->owner];
        s->offset = b->offset;
        s->birth = p->group_first[b->first];
        s->death = p->group_first[b->last + 1];
        if (s->death > s->birth) s->death--;
    }
    for (uint32_t i = 1; i < p->plan->n_slots; i++) {
        weft_slot *s = &p->plan->slots[i];
        const weft_slot *root = &p->plan->slots[s->root.id];
        if (s->storage != WEFT_STORAGE_ARENA) continue;
        s->offset = root->offset;
        s->birth = root->birth;
        s->death = root->death;
    }
    return WEFT_OK;
}

/* Bytes in use during every step, and the first step of the group in which they are most, per device. */
static weft_status find_peaks(weft__planner *p, const block *blocks, size_t n, weft_error *err)
{
    weft_plan *plan = p->plan;
    int64_t *change = weft__arena_alloc(&p->work, (size_t)p->n_groups + 1, sizeof *change);
    plan->live = weft__arena_alloc(p->own, (size_t)plan->n_devices * plan->n_steps + 1, sizeof *plan->live);
    if (!change || !plan->live) return WEFT_OOM_FAIL(err, "the memory plan");
    for (uint32_t d = 0; d < plan->n_devices; d++) {
        memset(change, 0, ((size_t)p->n_groups + 1) * sizeof *change);
        for (size_t i = 0; i < n; i++) {
            if (blocks[i].device != d) continue;
            change[blocks[i].first] += (int64_t)blocks[i].bytes;
            change[blocks[i].last + 1] -= (int64_t)blocks[i].bytes;
        }
        int64_t live = 0, most = -1;
        for (uint32_t i = 0; i < p->n_groups; i++) {
            live += change[i];
            if (live > most) plan->peak_step[d] = p->group_first[i];
            if (live > most) most = live;
            for (uint32_t k = p->group_first[i]; k < p->group_first[i + 1]; k++)
                plan->live[(size_t)d * plan->n_steps + k] = (uint64_t)live;
        }
    }
    return WEFT_OK;
}

weft_status weft__plan_memory(weft__planner *p, weft_error *err)
{
    uint32_t n_values = p->plan->n_slots;
    size_t n = 0;
    use *uses = weft__arena_alloc(&p->work, n_values, sizeof *uses);
    uint32_t *moved = weft__arena_alloc(&p->work, n_values, sizeof *moved);
    block *blocks =
        weft__arena_alloc(&p->work, (size_t)n_values + p->plan->n_steps, sizeof *blocks);
    if (!uses || !moved || !blocks) return WEFT_OOM_FAIL(err, "the memory plan");
    collect_uses(p, uses);
    if (!p->desc->keep) share_in_place(p, uses, moved);
    WEFT_TRY(collect_blocks(p, uses, blocks, &n, err));
    WEFT_TRY(place_blocks(p, blocks, n, err));
    return find_peaks(p, blocks, n, err);
}
