/* weights_turn.glsl: reading rows that lie in the lanes' turn (turn.h), which GPUs have. Included by weights.glsl.
 *
 * q, the panel's params: chunks per row, units of 16 bytes per group, words of a row in the low plane, columns. TAIL:
 * the last turn of a row, or the last quad of plain types, is not full. */
#include "turn.h"

#define GROUP_ROWS 8u

const uint QUADS = CODES == CODES_FLOAT ? 1 : CHUNK_WEIGHTS / 4, PER_CHUNK = 4 * QUADS;
const uint LOW_WORDS = PER_CHUNK * LOW / 32;
/* Scales of a turn are one or two loads of so many words; offsets of 16 bits lie behind a row's scales. */
const bool PAIRED = SCALES == SCALES_PAIR;
const uint SCALE_WORDS = QUADS * (PAIRED ? 2 : SCALE_BYTES) / 4;

/* Where a row begins in each plane: in units of LOW_WORDS words; words; units of SCALE_WORDS, of UPPER_BYTES. */
struct weight_row { uint low, high, scale, upper; };

weight_row find_row(uvec4 q, uint row)
{
    uint r = row % GROUP_ROWS, at = row / GROUP_ROWS * q.y * 4, turns = q.x / TURN_CHUNKS;
    weight_row w;
    w.low = (at + r * q.z) / LOW_WORDS;
    at += GROUP_ROWS * q.z;
    w.high = at + r * q.x * HIGH;
    at += GROUP_ROWS * q.x * HIGH;
    w.scale = at / max(SCALE_WORDS, 1u) + r * turns * (PAIRED ? 2 : 1);
    at += GROUP_ROWS * turns * SCALE_WORDS * (PAIRED ? 2 : 1);
    w.upper = at * 4 / max(UPPER_BYTES, 1u) + r * turns;
    return w;
}

/* PER_CHUNK weights of a row: the codes of quad i are a number times a scale, plus an offset, of the turn's i. */
struct weight_chunk {
    uvec4 low, scale, offset;
    uvec2 high;
    vec2 upper;
};

/* Words of the low plane that a chunk has in a last turn that is not full; 0: it is. */
uint rest_words(uvec4 q)
{
    uint quads = q.w / TURN_COLUMNS % QUADS;
    return quads == 0 ? 0 : turn_word(quads - 1, LOW) + 1;
}

uvec4 load_words(uint slot, uint at, uint words)
{
    if (words == 4) return in_v[slot].d[at];
    return uvec4(in_w[slot].d[at], 0, 0);
}

/* Chunks of a row's turns that are full. */
uint whole_chunks(uvec4 q) { return TAIL == 0 ? q.x : q.w / (TURN_CHUNKS * PER_CHUNK) * TURN_CHUNKS; }

uvec4 load_low(uint slot, uvec4 q, weight_row w, uint k, bool whole)
{
    if (whole || CODES == CODES_FLOAT) return load_words(slot, w.low + turn_plane(k), LOW_WORDS);
    uint rest = rest_words(q), at = w.low * LOW_WORDS + turn_rest(k, LOW_WORDS, rest);
    uvec4 v = uvec4(in_u[slot].d[at], 0, 0, 0);
    if (rest > 1) v.y = in_u[slot].d[at + 1];
    if (rest > 2) v.z = in_u[slot].d[at + 2];
    if (rest > 3) v.w = in_u[slot].d[at + 3];
    return v;
}

/* Two half floats, or one. */
vec2 load_upper(uint slot, uint at)
{
    if (UPPER_BYTES == 4) return unpackHalf2x16(in_u[slot].d[at]);
    return vec2(unpackHalf2x16(in_u[slot].d[at >> 1] >> (at & 1u) * 16).x, 0.0);
}

/* Chunk k of a row; whole: of a turn that is full. */
weight_chunk load_chunk(uint slot, uvec4 q, weight_row w, uint k, bool whole)
{
    weight_chunk c = weight_chunk(load_low(slot, q, w, k, whole), uvec4(0), uvec4(0), uvec2(0), vec2(1.0, 0.0));
    uint at = w.high + turn_plane(k) * HIGH, turn = turn_shared(k, 1);
    if (HIGH == 1) c.high.x = in_u[slot].d[at];
    if (HIGH == 2) c.high = uvec2(in_u[slot].d[at], in_u[slot].d[at + 1]);
    if (SCALE_WORDS != 0) c.scale = load_words(slot, w.scale + turn, SCALE_WORDS);
    if (PAIRED) c.offset = load_words(slot, w.scale + q.x / TURN_CHUNKS + turn, SCALE_WORDS);
    if (HALVED) c.scale >>= (k & 4u) * 2; /* the first four chunks have the first 16 of 32 columns */
    if (UPPER_BYTES != 0) c.upper = load_upper(slot, w.upper + turn) * UNIT;
    return c;
}

/* The codes of a quad, a byte each, from its words of either plane. */
uint codes_from(uint low, uint high, uint i)
{
    uint codes = LOW == 8 ? low : low >> turn_shift(i, LOW) & ((1u << LOW) - 1) * 0x01010101u;
    return HIGH == 0 ? codes : codes | (high >> turn_shift(i, HIGH) & ((1u << HIGH) - 1) * 0x01010101u) << LOW;
}

uint quad_codes(weight_chunk c, uint i)
{
    return codes_from(c.low[turn_word(i, LOW)], c.high[turn_word(i, max(HIGH, 1u))], i);
}

/* Scale and offset from the turn's words: s has those of i in its low bits. */
vec2 scale_from(uint s, uint offset, vec2 upper)
{
    if (SCALES == SCALES_HALF) return vec2(unpackHalf2x16(s).x, 0.0);
    if (SCALES == SCALES_PAIR) return vec2(unpackHalf2x16(s).x, unpackHalf2x16(offset).x);
    if (SCALES == SCALES_EXPONENT) return vec2(scale_of_exponent(s & 255u), 0.0);
    if (SCALES == SCALES_UE4M3) return vec2(scale_of_ue4m3(s), 0.0);
    if (SCALES == SCALES_BYTE || SCALES == SCALES_BYTES) return vec2(upper.x * float(int(s << 24) >> 24), 0.0);
    if (SCALES == SCALES_MINIMUM) return upper * vec2(s & 255u, s >> 8 & 255u) * vec2(1.0, -1.0);
    if (SCALES == SCALES_NIBBLES) return upper * vec2(s & 15u, s >> 4 & 15u) * vec2(1.0, -1.0);
    return vec2(upper.x, 0.0);
}

/* Bytes of a scale, or of an offset, in the words of a turn. */
const uint SCALE_UNIT = PAIRED ? 2 : SCALE_BYTES == 0 ? 1 : SCALE_BYTES;

/* Of quad i: its weights are numbers times x, plus y. */
vec2 quad_scale(weight_chunk c, uint i)
{
    uint word = i * SCALE_UNIT / 4, shift = i * SCALE_UNIT % 4 * 8;
    return scale_from(c.scale[word] >> shift, c.offset[word] >> shift, c.upper);
}

/* The weights of a quad of plain types. */
vec4 plain_chunk(weight_chunk c)
{
    return WEIGHT_TYPE == F32 ? uintBitsToFloat(c.low) : plain_quad(c.low.xy);
}

/* ---- eight columns of a row at a time, as they come, for tiles ---- */

struct weight_piece {
    uvec4 low; /* plain types: as stored; else the codes of either quad */
    uvec4 more;
    vec2 scale;
};
const uint PIECE_QUADS = 2;

weight_piece no_piece() { return weight_piece(uvec4(0), uvec4(0), vec2(0.0)); }

/* Of blocks: the two chunks that have quads 2 p and 2 p + 1, and their i. */
weight_piece block_piece(uint slot, uvec4 q, weight_row w, uint p)
{
    uint k = turn_chunk_of(2 * p, QUADS), i = turn_index_of(2 * p, QUADS), turn = turn_shared(k, 1);
    uint rest = rest_words(q);
    bool whole = rest == 0 || turn + 1 < q.x / TURN_CHUNKS;
    uint words = whole ? LOW_WORDS : rest, at = w.low * LOW_WORDS + turn_rest(k, LOW_WORDS, words) + turn_word(i, LOW);
    uint high = w.high + turn_plane(k) * HIGH + turn_word(i, max(HIGH, 1u)), s = 0, offset = 0;
    uvec2 low_word = uvec2(in_u[slot].d[at], in_u[slot].d[at + words]), high_word = uvec2(0);
    if (HIGH != 0) high_word = uvec2(in_u[slot].d[high], in_u[slot].d[high + HIGH]);
    uint unit = (w.scale + turn) * SCALE_WORDS * 4 / SCALE_UNIT + i;
    if (SCALE_WORDS != 0) s = load_bits(slot, unit, SCALE_UNIT);
    if (PAIRED) offset = load_bits(slot, unit + q.x / TURN_CHUNKS * SCALE_WORDS * 4 / SCALE_UNIT, SCALE_UNIT);
    if (HALVED) s >>= (k & 4u) * 2;
    vec2 upper = UPPER_BYTES == 0 ? vec2(1.0, 0.0) : load_upper(slot, w.upper + turn) * UNIT;
    uvec2 codes = uvec2(codes_from(low_word.x, high_word.x, i), codes_from(low_word.y, high_word.y, i));
    return weight_piece(uvec4(codes, 0, 0), uvec4(0), scale_from(s, offset, upper));
}

/* Columns 8 p .. 8 p + 7. */
weight_piece load_piece(uint slot, uvec4 q, uint row, uint p)
{
    weight_row w = find_row(q, row);
    if (CODES != CODES_FLOAT) return block_piece(slot, q, w, p);
    if (WEIGHT_TYPE != F32) return weight_piece(in_v[slot].d[w.low / 2 + p], uvec4(0), vec2(0.0));
    bool both = 2 * p + 1 < q.x;
    return weight_piece(in_v[slot].d[w.low + 2 * p], both ? in_v[slot].d[w.low + 2 * p + 1] : uvec4(0), vec2(0.0));
}

vec4 piece_quad(weight_piece w, uint i)
{
    if (WEIGHT_TYPE == F32) return uintBitsToFloat(i == 0 ? w.low : w.more);
    if (CODES == CODES_FLOAT) return plain_quad(i == 0 ? w.low.xy : w.low.zw);
    vec4 v = centred(numbers_of(i == 0 ? w.low.x : w.low.y)) * w.scale.x;
    return OFFSETS ? v + w.scale.y : v;
}
