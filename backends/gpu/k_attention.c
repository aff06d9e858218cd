/* k_attention.c: host sides of attention_decode.comp and attention_split.comp (a few tokens), and of
 * attention_tile.comp and attention_lanes.comp (prompts), which attention_alone.comp follows. In deterministic
 * programs those for prompts serve few tokens, too. */
#include "backends/gpu/kernel.h"
#include "graph/attention.h"

/* Slots. */
enum { Q = 0, K = 1, V = 2, FIRST = 3, LAST = 4, SEQUENCE = 5, PAGES = 6, SINKS = 7, SLOPES = 8, BIAS = 9 };
enum { Y = 10, SCRATCH = 11, COUNTERS = 12, INS = 10 };
enum { CAPPED = 1, SLOPED = 2, BIASED = 4, WITH_SINK = 8 }; /* DRESS of attention.glsl */
enum { MAX_TOKENS = 8, TILE_ROWS = 8, LEAST_PIECE = 512, MAX_PIECES = 8 };
enum { MAX_HELD = 16 }; /* vectors of four that a lane of attention_decode.comp holds: half of what registers allow */
enum { WIDE_HEAD = 256, WIDE_ROWS = 2 }; /* heads beyond WIDE_HEAD leave shared memory for fewer tokens */

/* Keys and values in blocks are of types that caches can have (STATES_ONLY in attention.glsl). */
static bool is_kept(const gpu_tensor *t)
{
    return t->n_parts == 1 && weft_dtype_get(t->dtype)->encodes;
}

static bool accepts(const gpu_call *c)
{
    if (!gpu_accepts_stored(c, 1u << K | 1u << V) || !is_kept(&c->in[K]) || !is_kept(&c->in[V])) return false;
    if (c->in[Q].dim[2] > 1024 || c->in[V].dim[2] > 1024) return false;
    for (uint32_t i = FIRST; i < c->n_in; i++)
        if (c->in[i].dtype != WEFT_I32 && c->in[i].dtype != WEFT_F32) return false;
    return true;
}

static bool accepts_few(const gpu_call *c)
{
    return !c->deterministic && c->in[Q].dim[0] <= MAX_TOKENS && accepts(c);
}

/* Positions that a token may see. */
static int64_t positions(const gpu_call *c)
{
    const weft_attr_attention *a = &c->attrs->attention;
    return a->page ? c->in[weft__attention_inputs_of(a).pages].dim[1] * a->page : c->in[K].dim[1];
}

static uint32_t splits_of(const gpu_call *c)
{
    return gpu_groups(positions(c), c->caps->tuning->keys);
}

/* Bytes that n parts of each head's result take until they are put together. */
static uint64_t parts_bytes(const gpu_call *c, uint64_t n)
{
    const gpu_tensor *q = &c->in[Q];
    return n > 1 ? 4 * n * (uint64_t)(q->dim[0] * q->dim[1] * (c->in[V].dim[2] + 2)) : 0;
}

static uint64_t scratch(const gpu_call *c)
{
    return parts_bytes(c, splits_of(c));
}

static uint32_t counters(const gpu_call *c)
{
    return splits_of(c) > 1 ? (uint32_t)(c->in[Q].dim[0] * c->in[Q].dim[1]) : 0;
}

/* Keys and values that cells.glsl reads four elements at a time. */
static bool in_quads(weft_dtype t)
{
    bool units = t == WEFT_Q8_0 || t == WEFT_Q4_0 || t == WEFT_Q4_1 || t == WEFT_Q5_0 || t == WEFT_Q5_1;
    return gpu_plain_type(t) || units;
}

/* Vectors of four: heads that are multiples of four, everything aligned, queries of f32. */
static bool vectors(const gpu_call *c)
{
    for (uint32_t i = 0; i <= V; i++) {
        const gpu_tensor *t = &c->in[i];
        bool type = i == Q ? t->dtype == WEFT_F32 : in_quads(t->dtype);
        if (!type || t->dim[2] % 4 || t->first % 4 || t->stride[0] % 4 || t->stride[1] % 4 || t->stride[2] != 1)
            return false;
    }
    return true;
}

static uint32_t dress(const weft_attr_attention *a)
{
    return (a->soft_cap != 0 ? CAPPED : 0u) | (a->slopes ? SLOPED : 0u) | (a->bias ? BIASED : 0u) |
           (a->sinks ? WITH_SINK : 0u);
}

static void describe(const gpu_call *c, gpu_launch *l)
{
    const gpu_tensor *q = &c->in[Q], *k = &c->in[K];
    const weft_attr_attention *a = &c->attrs->attention;
    weft__attention_inputs in = weft__attention_inputs_of(a);
    const uint32_t more[] = { in.sequence, in.pages, in.sinks, in.slopes, in.bias };
    for (uint32_t i = 0; i <= LAST; i++) gpu_bind_in(c, l, i, i, 0);
    for (uint32_t i = 0; i < 5; i++)
        if (more[i]) gpu_bind_in(c, l, SEQUENCE + i, more[i], 0);
    gpu_bind_out(c, l, Y, 0);
    l->job.u0 = (weft_uvec4){ (uint32_t)q->dim[1], (uint32_t)(q->dim[1] / k->dim[0]), (uint32_t)q->dim[2], 0 };
    l->job.u1.y = splits_of(c);
    for (int64_t page = a->page; page > 1; page /= 2) l->job.u1.z++;
    l->job.f0.x = a->scale;
    l->job.f0.y = a->soft_cap;
    l->spec[1] = (uint32_t)q->dim[2];
    l->spec[2] = (uint32_t)k->dtype;
    l->spec[3] = vectors(c);
    l->spec[5] = (uint32_t)c->in[V].dtype;
    l->spec[7] = a->page != 0;
    l->spec[9] = (uint32_t)c->in[V].dim[2];
    l->spec[10] = dress(a);
    l->n_specs = 11;
}

static void split_launch(const gpu_call *c, uint32_t i, gpu_launch *l)
{
    (void)i;
    const gpu_tensor *q = &c->in[Q];
    describe(c, l);
    gpu_launch_rows(c, l, WEFT_SHADER_attention_split, WEFT_SHADER_attention_split_subgroup,
                    q->dim[0] * q->dim[1] * splits_of(c));
    l->spec[4] = c->caps->tuning->keys;
    l->spec[6] = c->caps->tuning->panel > 1;
    if (splits_of(c) == 1) return;
    l->bind[SCRATCH].kind = GPU_BIND_SCRATCH;
    l->bind[COUNTERS].kind = GPU_BIND_COUNTERS;
}

/* ---- a few tokens, on GPUs ---- */

/* Elements that a lane reads of a row at once. */
static uint32_t piece_elements(const gpu_tensor *t)
{
    return t->dtype == WEFT_F32 ? 4 : 8;
}

/* Lanes that share a position: one for each piece of the longer row, as far as a subgroup has so many. */
static uint32_t decode_lanes(const gpu_call *c, uint32_t subgroup)
{
    uint32_t lanes = 1;
    for (uint32_t i = K; i <= V; i++)
        while (lanes < subgroup && lanes * piece_elements(&c->in[i]) < c->in[i].dim[2]) lanes *= 2;
    return lanes;
}

/* Vectors of four that a lane holds for each head: of its query and of the sum of values. */
static uint32_t decode_held(const gpu_call *c, uint32_t lanes)
{
    uint32_t held = 0;
    for (uint32_t i = K; i <= V; i++) {
        uint32_t n = piece_elements(&c->in[i]);
        held += gpu_groups(c->in[i].dim[2], n * lanes) * n / 4;
    }
    return held;
}

/* How attention_decode.comp runs: heads of a group at once, blocks of those in a group, splits at most. */
typedef struct decode_form { uint32_t lanes, heads, blocks, splits; } decode_form;

static decode_form decode_form_of(const gpu_call *c, uint32_t subgroup)
{
    const gpu_tuning *t = c->caps->tuning;
    uint32_t of_group = (uint32_t)(c->in[Q].dim[1] / c->in[K].dim[0]), most = t->decode.heads;
    decode_form f = { .lanes = decode_lanes(c, subgroup) };
    while (most > 1 && most * decode_held(c, f.lanes) > MAX_HELD) most--;
    f.blocks = gpu_groups(of_group, most);
    f.heads = gpu_groups(of_group, f.blocks);
    uint32_t workgroups = (uint32_t)(c->in[Q].dim[0] * c->in[K].dim[0]) * f.blocks;
    uint32_t fill = workgroups < t->decode.fill ? t->decode.fill / workgroups : 1;
    f.splits = gpu_groups(positions(c), t->decode.keys);
    if (f.splits > fill) f.splits = fill;
    if (!f.splits) f.splits = 1;
    return f;
}

/* A workgroup in subgroups: how many of them, and of what size. */
static uint32_t decode_subgroups(const gpu_call *c, gpu_launch *l)
{
    return gpu_set_subgroups(c, l, c->caps->tuning->decode.block);
}

static decode_form decode_planned(const gpu_call *c)
{
    gpu_launch l = { 0 };
    decode_subgroups(c, &l);
    return decode_form_of(c, l.subgroup);
}

static uint64_t decode_scratch(const gpu_call *c)
{
    return parts_bytes(c, decode_planned(c).splits);
}

static uint32_t decode_counters(const gpu_call *c)
{
    decode_form f = decode_planned(c);
    return f.splits > 1 ? (uint32_t)(c->in[Q].dim[0] * c->in[K].dim[0]) * f.blocks : 0;
}

/* Rows of whole pieces, each aligned. */
static bool in_pieces(const gpu_tensor *t)
{
    int64_t n = piece_elements(t);
    return t->dim[2] % n == 0 && t->first % n == 0 && t->stride[0] % n == 0 && t->stride[1] % n == 0;
}

static bool accepts_decode(const gpu_call *c)
{
    const gpu_caps *f = c->caps;
    gpu_launch l = { 0 };
    if (!f->tuning->decode.heads || !f->subgroup_ops || !accepts_few(c) || !vectors(c)) return false;
    if (!in_pieces(&c->in[K]) || !in_pieces(&c->in[V])) return false;
    return 4 * decode_subgroups(c, &l) * (uint64_t)(c->in[V].dim[2] + 2) <= f->max_shared;
}

static void decode_launch(const gpu_call *c, uint32_t i, gpu_launch *l)
{
    (void)i;
    describe(c, l);
    l->shader = WEFT_SHADER_attention_decode;
    uint32_t subgroups = decode_subgroups(c, l);
    decode_form f = decode_form_of(c, l->subgroup);
    l->spec[4] = f.lanes;
    l->spec[6] = f.heads;
    l->spec[8] = subgroups;
    l->job.u1.y = f.splits;
    l->job.u2 = (weft_uvec4){ f.blocks, c->caps->tuning->decode.keys, 0, 0 };
    gpu_spread(c, l, (uint64_t)c->in[Q].dim[0] * (uint64_t)c->in[K].dim[0] * f.blocks * f.splits);
    if (f.splits == 1) return;
    l->bind[SCRATCH].kind = GPU_BIND_SCRATCH;
    l->bind[COUNTERS].kind = GPU_BIND_COUNTERS;
}

/* ---- many tokens ---- */

/* Bytes of a workgroup's shared memory: queries, scores, a number and a cell per invocation, seven per row. */
static uint64_t tile_shared(const gpu_call *c, uint32_t block, uint32_t rows)
{
    return 4 * (rows * ((uint64_t)c->in[Q].dim[2] + block + 7) + 2 * block);
}

static uint32_t tile_rows(const gpu_call *c)
{
    return c->in[Q].dim[2] > WIDE_HEAD || c->in[V].dim[2] > WIDE_HEAD ? WIDE_ROWS : TILE_ROWS;
}

/* On processors as many invocations as there are pairs of elements, so that all of them read the same cells. */
static uint32_t tile_block(const gpu_call *c)
{
    const gpu_tuning *t = c->caps->tuning;
    uint32_t pairs = (uint32_t)(c->in[V].dim[2] + 1) / 2, block = gpu_workgroup(c->caps, t->flat_block);
    while (block / 2 >= TILE_ROWS && tile_shared(c, block, tile_rows(c)) > c->caps->max_shared) block /= 2;
    if (t->panel == 1) return block;
    while (block / 2 >= pairs && block / 2 >= t->panel && block / 2 >= TILE_ROWS) block /= 2;
    return block;
}

/* The second launch of those that take many tokens at once. */
static void alone_launch(const gpu_call *c, gpu_launch *l)
{
    describe(c, l);
    l->shader = WEFT_SHADER_attention_alone;
    l->spec[0] = gpu_workgroup(c->caps, c->caps->tuning->block);
    l->spec[4] = 0;
    l->barrier = true;
    gpu_spread(c, l, (uint64_t)c->in[Q].dim[0] * (uint64_t)c->in[Q].dim[1]);
}

static uint32_t two_launches(const gpu_call *c)
{
    (void)c;
    return 2;
}

static uint64_t tiles(const gpu_call *c)
{
    return (uint64_t)gpu_groups(c->in[Q].dim[0], tile_rows(c)) * (uint64_t)c->in[Q].dim[1];
}

static void tile_launch(const gpu_call *c, uint32_t i, gpu_launch *l)
{
    if (i) {
        alone_launch(c, l);
        return;
    }
    describe(c, l);
    l->shader = WEFT_SHADER_attention_tile;
    l->spec[0] = tile_block(c);
    l->spec[4] = tile_rows(c);
    gpu_spread(c, l, tiles(c));
}

static bool accepts_tile(const gpu_call *c)
{
    return !c->deterministic && accepts(c);
}

/* ---- deterministic programs: the same for few tokens and many ---- */

/* Positions of a piece: a power of two, by what a token may see alone. */
static uint32_t piece_positions(const gpu_call *c)
{
    uint32_t n = LEAST_PIECE;
    while (n < positions(c) / MAX_PIECES) n *= 2;
    return n;
}

static uint32_t pieces(const gpu_call *c)
{
    return gpu_groups(positions(c), piece_positions(c));
}

static uint64_t pieces_scratch(const gpu_call *c)
{
    return parts_bytes(c, pieces(c));
}

static uint32_t pieces_counters(const gpu_call *c)
{
    return pieces(c) > 1 ? (uint32_t)tiles(c) : 0;
}

static bool accepts_pieces(const gpu_call *c)
{
    return c->deterministic && accepts(c) && pieces_scratch(c) <= c->caps->max_binding;
}

static void pieces_launch(const gpu_call *c, uint32_t i, gpu_launch *l)
{
    tile_launch(c, i, l);
    if (i || pieces(c) == 1) return;
    l->job.u1.y = pieces(c);
    l->job.u2.x = piece_positions(c);
    l->spec[8] = 1;
    l->bind[SCRATCH].kind = GPU_BIND_SCRATCH;
    l->bind[COUNTERS].kind = GPU_BIND_COUNTERS;
    gpu_spread(c, l, tiles(c) * pieces(c));
}

/* ---- prompts, on processors ---- */

/* A lane has a token to itself; an array per lane holds tuning->lanes elements of queries. */
static uint32_t lanes_rows(const gpu_call *c)
{
    return c->caps->tuning->lanes / (uint32_t)c->in[Q].dim[2];
}

static bool accepts_lanes(const gpu_call *c)
{
    const gpu_caps *f = c->caps;
    if (!f->tuning->lanes || !f->subgroup_ops || f->subgroup != f->tuning->panel || !accepts(c)) return false;
    if (dress(&c->attrs->attention) || c->in[V].dim[2] != c->in[Q].dim[2]) return false;
    for (uint32_t i = K; i <= V; i++) {
        const gpu_tensor *t = &c->in[i];
        if (t->first % 8 || t->stride[0] % 8 || t->stride[1] % 8) return false;
    }
    return c->in[Q].dim[2] % 8 == 0 && c->in[Q].dim[2] <= f->tuning->lanes && vectors(c);
}

static void lanes_launch(const gpu_call *c, uint32_t i, gpu_launch *l)
{
    if (i) {
        alone_launch(c, l);
        return;
    }
    const gpu_tensor *q = &c->in[Q];
    uint32_t rows = lanes_rows(c), lanes = c->caps->subgroup;
    describe(c, l);
    l->shader = WEFT_SHADER_attention_lanes;
    l->subgroup = lanes;
    l->spec[0] = lanes;
    l->spec[4] = rows;
    gpu_spread(c, l, (uint64_t)gpu_groups(q->dim[0], rows * lanes) * (uint64_t)q->dim[1]);
}

const gpu_kernel gpu_attention_decode = { .name = "attention_decode", .accepts = accepts_decode,
                                        .scratch = decode_scratch, .counters = decode_counters,
                                        .launch = decode_launch, .need = WEFT_NEED_ROWS, .ins = INS, .outs = 3 };
const gpu_kernel gpu_attention_split = { .name = "attention_split", .accepts = accepts_few, .scratch = scratch,
                                       .counters = counters, .launch = split_launch, .need = WEFT_NEED_ROWS,
                                       .ins = INS, .outs = 3 };
const gpu_kernel gpu_attention_lanes = { .name = "attention_lanes", .accepts = accepts_lanes, .launches = two_launches,
                                       .launch = lanes_launch, .need = WEFT_NEED_ROWS, .ins = INS, .outs = 1 };
const gpu_kernel gpu_attention_tile = { .name = "attention_tile", .accepts = accepts_tile, .launches = two_launches,
                                      .launch = tile_launch, .need = WEFT_NEED_ROWS, .ins = INS, .outs = 3 };
const gpu_kernel gpu_attention_pieces = { .name = "attention_pieces", .accepts = accepts_pieces,
                                        .scratch = pieces_scratch, .counters = pieces_counters,
                                        .launches = two_launches, .launch = pieces_launch, .need = WEFT_NEED_ROWS,
                                        .ins = INS, .outs = 3 };
