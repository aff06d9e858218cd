/* math.glsl: exp, tanh, erfc and the activations, without the drivers' own: those of some are wrong in the fourth
 * digit, or give NaN for large arguments. The same least-maximum-error polynomials as backends/cpu/vmath.h. NaN
 * stays NaN. */

float power_of_two(int n) { return uintBitsToFloat(uint(n + 127) << 23); }

/* 2^n e^r with r = x - n ln 2 in two pieces, |r| <= ln 2 / 2; underflows gradually where the device does. */
float exp_exact(float x)
{
    if (is_nan(x)) return x;
    x = clamp(x, -104.0, 89.0);
    float n = floor(x * 1.44269504088896 + 0.5);
    precise float high = x - n * 0.693359375; /* exact, if it is left in this order */
    precise float r = high + n * 2.12194440e-4;
    float p = 1.9918248e-4;
    p = fma(p, r, 1.39460771e-3);
    p = fma(p, r, 8.33326485e-3);
    p = fma(p, r, 4.16662693e-2);
    p = fma(p, r, 1.66666672e-1);
    p = fma(p, r, 0.5);
    p = fma(p * r, r, r) + 1.0;
    int i = int(n), h = i / 2;
    return p * power_of_two(h) * power_of_two(i - h);
}

float tanh_exact(float x)
{
    float s = x * x, a = abs(x);
    if (is_nan(x)) return x;
    float p = 2.09792843e-3;
    p = fma(p, s, -8.12926517e-3);
    p = fma(p, s, 2.16817707e-2);
    p = fma(p, s, -5.39434291e-2);
    p = fma(p, s, 1.33331805e-1);
    p = fma(p, s, -3.33333313e-1);
    if (a < 0.625) return fma(p * s, x, x);
    float far = 1.0 - 2.0 / (exp_exact(a + a) + 1.0);
    return x < 0.0 ? -far : far;
}

/* erfc(t) = e^(-t^2) P(u), u = 1 / (1 + t/2), for t >= 0; 2 - erfc(-t) below. */
float erfc_exact(float t)
{
    float a = abs(t), u = 1.0 / fma(0.5, a, 1.0);
    if (is_nan(t)) return t;
    float p = -5.505146e-2;
    p = fma(p, u, 2.6390395e-1);
    p = fma(p, u, -4.4147953e-1);
    p = fma(p, u, 2.211933e-1);
    p = fma(p, u, 1.7075924e-2);
    p = fma(p, u, 1.8125072e-1);
    p = fma(p, u, 2.4979325e-1);
    p = fma(p, u, 2.8109848e-1);
    p = fma(p, u, 2.8222138e-1);
    p = fma(p, u, -6.0111033e-6);
    p *= exp_exact(-(a * a));
    return t < 0.0 ? 2.0 - p : p;
}

/* The words in which graph/act.def is written (map.comp has more): instead of GLSL's own functions. */
#define real float
#define exp exp_exact
#define tanh tanh_exact
#define erfc erfc_exact
float activation(uint act, float x)
{
#define WEFT_ACT(number, id, name, value) if (act == number) return value;
#include "../graph/act.def"
#undef WEFT_ACT
    return x;
}
