/* rope_table.comp: cos and sin of pos * frequency(pair, length) / factor[pair], one invocation per pair.
 *
 * The table holds, per pair, the turns that one position makes: as a fraction of a turn in 64 bits, so that the
 * product with the position modulo a turn is exact in integers, and as a float and the rest, for what is divided by
 * data. For kind dynamic, whose frequencies depend on a sequence's length, exponents and tables of logarithms follow;
 * arithmetic is then in pairs of floats, to about 44 bits. The drivers' sin, cos, log and exp are not used: some are
 * wrong in the fourth digit.
 *
 * u0: pairs, mode, original length; f0.x: what cos and sin are multiplied with. */
#version 450
#extension GL_GOOGLE_include_directive : require
#define IN_SLOTS 5
#define OUT_SLOTS 1
#include "common.glsl"

#define POS 0
#define LENGTH 1
#define FACTORS 2
#define LONG 3
#define TABLE 4
#define Y 5

/* Modes: as the table has it; divided by factors; by one of two lists of factors; slowed down by length. */
#define PLAIN 0
#define DIVIDED 1
#define LONGROPE 2
#define DYNAMIC 3

/* cos and sin of a fraction of a turn in 32 bits: an octant by its top bits, polynomials within. */
vec2 turn(uint fraction)
{
    uint octant = (fraction + 0x10000000u) >> 29;                            /* nearest multiple of an eighth: 0..7 */
    float a = float(int(fraction - (octant << 29))) * 1.4629180792671596e-9; /* 2 pi / 2^32, |a| <= pi / 8 */
    float s = a * a;
    float sine = fma(fma(fma(fma(2.75573192e-6, s, -1.98412698e-4), s, 8.33333333e-3), s, -1.66666667e-1) * s, a, a);
    float cosine = fma(fma(fma(fma(2.48015873e-5, s, -1.38888889e-3), s, 4.16666667e-2), s, -0.5), s, 1.0);
    const float h = 0.70710678118654752;
    vec2 eighth = (octant & 1u) == 0 ? vec2(1.0, 0.0) : vec2(h, h); /* the octant within its quarter */
    vec2 v = vec2(cosine * eighth.x - sine * eighth.y, sine * eighth.x + cosine * eighth.y);
    uint quarter = octant >> 1;
    if ((quarter & 1u) != 0) v = vec2(-v.y, v.x);
    return quarter >= 2 ? -v : v;
}

/* The low half of the turns that `pos` positions make, in units of 2^-32 of a turn, rounded. */
uint turns(uint pos, uvec2 step) /* step: high and low 32 bits of the fraction */
{
    uint high, low;
    umulExtended(pos, step.y, high, low);
    return pos * step.x + high + (low >> 31);
}

/* a * b as a float and what rounding took away (Dekker, Numerische Mathematik 18, 1971): fma need not be fused. */
vec2 product(float a, float b)
{
    precise float ca = 4097.0 * a, cb = 4097.0 * b;
    precise float ah = ca - (ca - a), bh = cb - (cb - b);
    precise float al = a - ah, bl = b - bh, p = a * b;
    precise float e = ((ah * bh - p) + ah * bl + al * bh) + al * bl;
    return vec2(p, e);
}

/* ---- pairs of floats: a number and what it leaves out ---- */

vec2 pair_of(float a, float b) /* |a| >= |b| */
{
    precise float s = a + b, e = b - (s - a);
    return vec2(s, e);
}

vec2 pair_add(vec2 x, vec2 y)
{
    precise float s = x.x + y.x, b = s - x.x, e = (x.x - (s - b)) + (y.x - b), rest = e + (x.y + y.y);
    return pair_of(s, rest);
}

vec2 pair_mul(vec2 x, vec2 y)
{
    vec2 p = product(x.x, y.x);
    precise float rest = p.y + (x.x * y.y + x.y * y.x);
    return pair_of(p.x, rest);
}

vec2 pair_div(vec2 x, vec2 y)
{
    precise float q = x.x / y.x;
    vec2 back = pair_mul(y, vec2(q, 0.0));
    precise float rest = ((x.x - back.x) - back.y) + x.y, low = rest / y.x;
    return pair_of(q, low);
}

vec2 table_pair(uint j, uint word) { return vec2(in_f[IN(j, TABLE)].d[word], in_f[IN(j, TABLE)].d[word + 1]); }

/* Words of the table behind the pairs: exponents, factor / original, 1 / ln 2 and ln 2, logarithms, powers. */
uint exponents(uint j) { return 4 * P.job[j].u0.x; }
uint constants(uint j) { return 6 * P.job[j].u0.x; }
uint logarithms(uint j) { return constants(j) + 6; }
uint powers(uint j) { return logarithms(j) + 128; }

/* log2 x for x >= 1: of the middle of the 64th of an octave that x is in, from the table, and a series. */
vec2 pair_log2(uint j, vec2 x)
{
    uint bits = floatBitsToUint(x.x), octave = (bits >> 23) - 127, part = bits >> 17 & 63u;
    float shrink = uintBitsToFloat((127u - octave) << 23);
    precise float m = x.x * shrink, m_low = x.y * shrink, middle = 1.0 + (float(part) + 0.5) / 64.0, over = m - middle;
    vec2 r = pair_div(pair_of(over, m_low), vec2(middle, 0.0));
    if (over == 0.0) r = vec2(m_low / middle, 0.0);
    float t = r.x, series = t * t * t * fma(t, fma(t, fma(t, -1.0 / 6.0, 0.2), -0.25), 1.0 / 3.0);
    vec2 half_square = pair_mul(r, r) * -0.5;
    vec2 ln = pair_add(pair_add(r, half_square), vec2(series, 0.0));
    vec2 l = pair_add(table_pair(j, logarithms(j) + 2 * part), pair_mul(ln, table_pair(j, constants(j) + 2)));
    return pair_add(vec2(float(octave), 0.0), l);
}

/* 2^-y for 0 <= y < 126: of the nearest 64th, from the table, and a series. */
vec2 pair_exp2_of_minus(uint j, vec2 y)
{
    float nearest = floor(y.x * 64.0 + 0.5);
    uint k = uint(nearest);
    vec2 u = pair_mul(pair_add(vec2(nearest / 64.0, 0.0), -y), table_pair(j, constants(j) + 4));
    float t = u.x, series = t * t * t * fma(t, fma(t, fma(t, 1.0 / 720.0, 1.0 / 120.0), 1.0 / 24.0), 1.0 / 6.0);
    vec2 e = pair_add(pair_add(u, pair_mul(u, u) * 0.5), vec2(series, 0.0));
    vec2 p = table_pair(j, powers(j) + 2 * (k & 63u));
    return pair_add(p, pair_mul(p, e)) * uintBitsToFloat((127u - (k >> 6)) << 23);
}

/* The turns that `pos` positions make, q each, in units of 2^-32 of a turn. */
uint fraction_of(float pos, vec2 q)
{
    vec2 whole = product(pos, q.x);
    precise float low = whole.y + pos * q.y, high = fract(whole.x) * 65536.0;
    return (uint(high) << 16 | uint(fract(high) * 65536.0)) + uint(int(floor(low * 4294967296.0 + 0.5)));
}

/* Which buffer is read must not differ within a subgroup: hence two loads. */
uint divided(uint j, bool in_long, uint k, float pos, vec2 step)
{
    float factor = load_as_float(IN(j, FACTORS), tensor_dtype(j, FACTORS), tensor_first(j, FACTORS) + k);
    if (in_long) factor = load_as_float(IN(j, LONG), tensor_dtype(j, LONG), tensor_first(j, LONG) + k);
    return fraction_of(pos, pair_div(step, vec2(factor, 0.0)));
}

/* Slowed down by (1 + factor (length - original) / original)^exponent. */
uint stretched(uint j, uint k, float pos, vec2 step, int beyond)
{
    vec2 s = pair_add(vec2(1.0, 0.0), pair_mul(table_pair(j, constants(j)), vec2(float(beyond), 0.0)));
    vec2 y = pair_mul(pair_log2(j, s), table_pair(j, exponents(j) + 2 * k));
    return fraction_of(pos, pair_mul(step, pair_exp2_of_minus(j, y)));
}

void main()
{
    const uint j = 0;
    uint i = group_number() * BLOCK + gl_LocalInvocationID.x, half_n = P.job[j].u0.x, t = i / half_n, k = i % half_n;
    if (t >= tensor_dim(j, POS, 0)) return;
    int pos = int(in_u[IN(j, POS)].d[tensor_first(j, POS) + t]);
    uint mode = P.job[j].u0.y, fraction;
    int beyond = 0;
    if (mode >= LONGROPE) beyond = int(in_u[IN(j, LENGTH)].d[tensor_first(j, LENGTH) + t]) - int(P.job[j].u0.z);
    vec2 step = table_pair(j, 4 * k + 2);
    if (mode == DIVIDED || mode == LONGROPE)
        fraction = divided(j, beyond > 0, k, float(abs(pos)), step);
    else if (beyond > 0) fraction = stretched(j, k, float(abs(pos)), step, beyond);
    else fraction = turns(uint(abs(pos)), uvec2(in_u[IN(j, TABLE)].d[4 * k], in_u[IN(j, TABLE)].d[4 * k + 1]));
    vec2 v = turn(fraction) * P.job[j].f0.x;
    uint to = tensor_first(j, Y) + 2 * i;
    out_f[OUT(j, Y)].d[to] = v.x;
    out_f[OUT(j, Y)].d[to + 1] = pos < 0 ? -v.y : v.y;
}
