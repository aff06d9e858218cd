/* rope_angles.comp: cos and sin of pos * position_scale * theta^(-2i/n) / factor[i], one invocation per pair.
 *
 * The table holds, per i, the turns that one position makes: as a fraction of a turn in 64 bits, so that the
 * product with the position modulo a turn is exact in integers, and as a float, for factors that are data. The
 * drivers' sin and cos are not used: some are wrong in the fourth digit. u0: pairs, has factors. */
#version 450
#extension GL_GOOGLE_include_directive : require
#define IN_SLOTS 3
#define OUT_SLOTS 1
#include "common.glsl"

#define POS 0
#define FACTORS 1
#define TABLE 2
#define Y 3

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

/* The turns that `pos` positions make, divided by a factor that is data, in units of 2^-32 of a turn. step: the
 * turns of one position as a float and the rest. */
uint divided(float pos, vec2 step, float factor)
{
    precise float q = step.x / factor;
    vec2 back = product(q, factor);
    precise float rest = (step.x - back.x) - back.y + step.y, q_low = rest / factor;
    vec2 whole = product(pos, q);
    precise float low = whole.y + pos * q_low, high = fract(whole.x) * 65536.0;
    return (uint(high) << 16 | uint(fract(high) * 65536.0)) + uint(int(floor(low * 4294967296.0 + 0.5)));
}

void main()
{
    const uint j = 0;
    uint i = group_number() * BLOCK + gl_LocalInvocationID.x, half_n = P.job[j].u0.x, t = i / half_n, k = i % half_n;
    if (t >= tensor_dim(j, POS, 0)) return;
    int pos = int(in_u[IN(j, POS)].d[tensor_first(j, POS) + t]);
    uint base = 4 * k, fraction;
    if (P.job[j].u0.y == 0) {
        fraction = turns(uint(abs(pos)), uvec2(in_u[IN(j, TABLE)].d[base], in_u[IN(j, TABLE)].d[base + 1]));
    } else {
        float factor = load_as_float(IN(j, FACTORS), tensor_dtype(j, FACTORS), tensor_first(j, FACTORS) + k);
        vec2 step = vec2(in_f[IN(j, TABLE)].d[base + 2], in_f[IN(j, TABLE)].d[base + 3]);
        fraction = divided(float(abs(pos)), step, factor);
    }
    vec2 v = turn(fraction);
    uint to = tensor_first(j, Y) + 2 * i;
    out_f[OUT(j, Y)].d[to] = v.x;
    out_f[OUT(j, Y)].d[to + 1] = pos < 0 ? -v.y : v.y;
}
