/* words.glsl: words of graph/map.def beyond those of math.glsl, which products need, too. Drivers' own functions give
 * what Vulkan asks of them: three digits of a sine, none of large arguments. NaN stays NaN. */

#define NOT_A_NUMBER uintBitsToFloat(0x7fc00000u)
#define INFINITE uintBitsToFloat(0x7f800000u)

/* x = 2^e m with m in [sqrt 1/2, sqrt 2); log m = 2 atanh(s) with s = (m - 1) / (m + 1), |s| < 0.172, by its series. */
float log_exact(float x)
{
    uint u = floatBitsToUint(x);
    int e = 0;
    if ((u & 0x7fffffffu) == 0) return -INFINITE;
    if (is_nan(x) || u == 0x7f800000u) return x;
    if (u >> 31 != 0) return NOT_A_NUMBER;
    if (u < 0x00800000u) { /* a denormal number is u 2^-149, whatever the device makes of it */
        u = floatBitsToUint(float(u));
        e = -149;
    }
    int k = int(u - 0x3f3504f3u) >> 23;
    precise float f = uintBitsToFloat(u - (uint(k) << 23)) - 1.0;
    precise float s = f / (2.0 + f), z = s * s;
    precise float tail = s * z * (0.66666667 + z * (0.4 + z * (0.28571429 + z * 0.22222222)));
    float n = float(e + k);
    precise float r = n * 0.693359375 + (n * -2.12194440e-4 + (2.0 * s + tail));
    return r;
}

/* By the logarithm of what 1 + t is rounded to, corrected by what the rounding took (Kahan). */
float log1p_exact(float t)
{
    precise float u = 1.0 + t, d = u - 1.0;
    if (d == 0.0 || u == INFINITE) return t;
    precise float r = log_exact(u) * (t / d);
    return r;
}

/* As C's, with its exceptions; |y log x| is rounded once, so that many of its units are lost. */
float pow_exact(float x, float y)
{
    float a = abs(x), whole = abs(y);
    if (y == 0.0 || x == 1.0) return 1.0;
    if (is_nan(x) || is_nan(y)) return NOT_A_NUMBER;
    float r = a == 1.0 ? 1.0 : exp_exact(y * log_exact(a));
    if (floatBitsToUint(x) >> 31 == 0 || whole >= 16777216.0) return r;
    if (floor(whole) != whole) return a == 0.0 || a == INFINITE ? r : NOT_A_NUMBER;
    return (int(whole) & 1) == 1 ? -r : r;
}

/* sqrt() promises nothing below zero. */
float sqrt_exact(float x)
{
    return x < 0.0 ? NOT_A_NUMBER : sqrt(x);
}

/* 2/pi, 32 bits a number. */
const uint TWO_OVER_PI[7] = uint[7](0xa2f9836eu, 0x4e441529u, 0xfc2757d1u, 0xf534ddc0u, 0xdb629599u, 0x3c439041u,
                                    0xfe5163abu);

uint two_over_pi(uint bit, uint i)
{
    uint at = (bit >> 5) + i, shift = bit & 31u;
    return shift == 0 ? TWO_OVER_PI[at] : TWO_OVER_PI[at] << shift | TWO_OVER_PI[at + 1] >> (32u - shift);
}

/* x as quarter turns and a rest in -pi/4..pi/4, exact for every x (Payne and Hanek, 1983): the 24 bits of x times those
 * 96 bits of 2/pi that tell where in the turn it ends. */
uint quarter_turns(float x, out float rest)
{
    uint u = floatBitsToUint(x) & 0x7fffffffu, carry, h0, h1, h2, p1, p2, p3;
    rest = x;
    if (u < 0x3f490fdbu) return 0;
    int e = int(u >> 23) - 150;
    uint m = (u & 0x7fffffu) | 0x800000u, first = e > 2 ? uint(e - 2) : 0;
    umulExtended(m, two_over_pi(first, 2), h2, p3);
    umulExtended(m, two_over_pi(first, 1), h1, p2);
    umulExtended(m, two_over_pi(first, 0), h0, p1);
    p2 = uaddCarry(p2, h2, carry);
    h1 += carry;
    p1 = uaddCarry(p1, h1, carry);
    h0 += carry;
    if (e < 2) { /* 2^94 is a quarter turn */
        uint k = uint(2 - e);
        p3 = p3 >> k | p2 << (32u - k);
        p2 = p2 >> k | p1 << (32u - k);
        p1 = p1 >> k | h0 << (32u - k);
    }
    uint turns = p1 >> 30, high = p1 << 2 | p2 >> 30, low = p2 << 2 | p3 >> 30;
    bool past = high >> 31 != 0; /* nearer to the next */
    if (past) {
        turns++;
        high = ~high + uint(low == 0);
        low = ~low + 1u;
    }
    float r = (float(high) * 2.3283064365386963e-10 + float(low) * 5.421010862427522e-20) * 1.5707963267948966;
    rest = past != x < 0.0 ? -r : r;
    return x < 0.0 ? 4u - turns : turns;
}

/* Taylor's, whose next terms are below 2^-28 here. */
float sine_of_rest(float r)
{
    float z = r * r;
    return r + r * z * (-1.6666667e-1 + z * (8.3333333e-3 + z * (-1.9841270e-4 + z * 2.7557319e-6)));
}

float cosine_of_rest(float r)
{
    float z = r * r;
    return 1.0 + z * (-0.5 + z * (4.1666667e-2 + z * (-1.3888889e-3 + z * (2.4801587e-5 + z * -2.7557319e-7))));
}

float turned(float x, uint by)
{
    float r;
    if ((floatBitsToUint(x) & 0x7fffffffu) >= 0x7f800000u) return NOT_A_NUMBER;
    uint turns = quarter_turns(x, r) + by & 3u;
    float v = (turns & 1u) == 0 ? sine_of_rest(r) : cosine_of_rest(r);
    return turns > 1u ? -v : v;
}

float sin_exact(float x) { return turned(x, 0); }
float cos_exact(float x) { return turned(x, 1); }

/* Of i32, as graph/map_words.h says. */
int wrap_add(int a, int b) { return a + b; }
int wrap_sub(int a, int b) { return a - b; }
int wrap_mul(int a, int b) { return a * b; }
int whole_div(int a, int b) { return b == 0 ? 0 : b == -1 ? -a : a / b; }

#define fabs abs
#define log log_exact
#define log1p log1p_exact
#define pow pow_exact
#define sqrt sqrt_exact
#define sin sin_exact
#define cos cos_exact
