/* vmath.h: exp, tanh and the activations over the vectors of vec.h, one definition for every instruction set.
 *
 * The polynomials are least-maximum-error fits made for this file. Errors against double precision, all finite inputs
 * (tests/cpu/test_vmath.c holds them): vf_exp 2 ulp, vf_tanh and vf_sigmoid 4 ulp, gelu and silu 3e-7 |x|. NaN stays
 * NaN; exp overflows to infinity and underflows gradually. */
#ifndef CPU_VMATH_H
#define CPU_VMATH_H

#include "vec.h"
#include "graph/graph.h"

/* 2^n e^r with r = x - n ln 2 in two pieces, |r| <= ln 2 / 2. */
VEC_FN vf vf_exp(vf x)
{
    x = vf_max(vf_set1(-104.0f), vf_min(vf_set1(89.0f), x));
    vf n = vf_round(x * vf_set1(1.44269504088896f));
    vf r = vf_fnma(n, vf_set1(0.693359375f), x);
    r = vf_fnma(n, vf_set1(-2.12194440e-4f), r);
    vf p = vf_set1(1.9918248e-4f);
    p = vf_fma(p, r, vf_set1(1.39460771e-3f));
    p = vf_fma(p, r, vf_set1(8.33326485e-3f));
    p = vf_fma(p, r, vf_set1(4.16662693e-2f));
    p = vf_fma(p, r, vf_set1(1.66666672e-1f));
    p = vf_fma(p, r, vf_set1(0.5f));
    p = vf_fma(p * r, r, r) + vf_set1(1.0f);
    return vf_scale2(p, n);
}

VEC_FN vf vf_sigmoid(vf x) { return vf_set1(1.0f) / (vf_set1(1.0f) + vf_exp(-x)); }

VEC_FN vf vf_tanh(vf x)
{
    vf s = x * x, a = vf_abs(x);
    vf p = vf_set1(2.09792843e-3f);
    p = vf_fma(p, s, vf_set1(-8.12926517e-3f));
    p = vf_fma(p, s, vf_set1(2.16817707e-2f));
    p = vf_fma(p, s, vf_set1(-5.39434291e-2f));
    p = vf_fma(p, s, vf_set1(1.33331805e-1f));
    p = vf_fma(p, s, vf_set1(-3.33333313e-1f));
    vf near = vf_fma(p * s, x, x);
    vf far = vf_set1(1.0f) - vf_set1(2.0f) / (vf_exp(a + a) + vf_set1(1.0f));
    far = vf_if_lt(x, vf_set1(0.0f), -far, far);
    return vf_if_lt(a, vf_set1(0.625f), near, far);
}

/* erfc(t) = e^(-t^2) P(u), u = 1 / (1 + t/2), for t >= 0. */
VEC_FN vf vec_erfc(vf t)
{
    vf u = vf_set1(1.0f) / vf_fma(vf_set1(0.5f), t, vf_set1(1.0f));
    vf p = vf_set1(-5.505146e-2f);
    p = vf_fma(p, u, vf_set1(2.6390395e-1f));
    p = vf_fma(p, u, vf_set1(-4.4147953e-1f));
    p = vf_fma(p, u, vf_set1(2.211933e-1f));
    p = vf_fma(p, u, vf_set1(1.7075924e-2f));
    p = vf_fma(p, u, vf_set1(1.8125072e-1f));
    p = vf_fma(p, u, vf_set1(2.4979325e-1f));
    p = vf_fma(p, u, vf_set1(2.8109848e-1f));
    p = vf_fma(p, u, vf_set1(2.8222138e-1f));
    p = vf_fma(p, u, vf_set1(-6.0111033e-6f));
    return p * vf_exp(-(t * t));
}

/* x Phi(x), the form with erf: with h = erfc(|x| / sqrt 2) / 2 it is x h on the left and x - x h on the right, so that
 * the small tail is computed as such on either side. */
VEC_FN vf vf_gelu(vf x)
{
    vf a = vf_min(vf_set1(17.0f), vf_abs(x)); /* h is zero from there on, and infinity times zero no number */
    vf h = vf_set1(0.5f) * vec_erfc(a * vf_set1(0.707106781f));
    return vf_if_lt(x, vf_set1(0.0f), x * h, x - a * h);
}

/* The form with tanh, by (1 + tanh v) / 2 = 1 / (1 + e^(-2v)). */
VEC_FN vf vf_gelu_tanh(vf x)
{
    vf v = x * vf_fma(x * x, vf_set1(2.0f * 0.7978845608f * 0.044715f), vf_set1(2.0f * 0.7978845608f));
    return x * vf_sigmoid(v);
}

VEC_FN vf vf_silu(vf x) { return x * vf_sigmoid(x); }
VEC_FN vf vf_relu(vf x) { return vf_if_lt(x, vf_set1(0.0f), vf_set1(0.0f), x); }

VEC_FN vf vf_relu2(vf x) { return vf_if_lt(x, vf_set1(0.0f), vf_set1(0.0f), x * x); }

VEC_FN vf vf_act(weft_act act, vf x)
{
    switch ((int)act) {
#define WEFT_ACT(number, id, name, value) \
    case number: return vf_##name(x);
#include "graph/act.def"
#undef WEFT_ACT
    default: break;
    }
    return x;
}

#endif
