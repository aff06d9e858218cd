/* recur.comp: recurrences along the tokens of sequences: linear_scan, and with CONV conv1d. An invocation has a channel
 * of one sequence: it takes what the state holds, walks the batch for the sequence's tokens, and stores what comes of
 * the last. Padding, of no sequence, is sequence 0's to clear. The state is read and written through one binding.
 *
 * u0: sequences and channels at the bounds, the weight's length, whether there is a bias. */
#version 450
#extension GL_GOOGLE_include_directive : require
#define IN_SLOTS 5
#define OUT_SLOTS 2
#include "common.glsl"
#include "state.glsl"

#define A 0 /* x of conv1d */
#define B 1 /* weight */
#define SEQUENCE 2
#define RESET 3
#define BIAS 4
#define STATE 5
#define Y 6

const uint j = 0;

float load_in(uint t, uint i) { return load_as_float(IN(j, t), tensor_dtype(j, t), i); }

float load_state(uint i)
{
    uint t = tensor_dtype(j, STATE);
    if (t == F32) return out_f[OUT(j, STATE)].d[i];
    uint w = out_u[OUT(j, STATE)].d[i >> 1], h = (i & 1u) == 0 ? w & 0xffffu : w >> 16;
    return t == F16 ? half_bits_to_float(h) : uintBitsToFloat(h << 16);
}

void keep(uint i, float v)
{
    uint t = tensor_dtype(j, STATE);
    if (t == F32) out_f[OUT(j, STATE)].d[i] = v;
    else store_half_bits(OUT(j, STATE), i, state_bits(t, v));
}

uint at(uint t, uint row, uint e)
{
    return tensor_first(j, t) + row * tensor_stride(j, t, 0) + e * tensor_stride(j, t, 1);
}

#ifdef CONV

#define MAX_TAIL 15
float tail[MAX_TAIL]; /* the last rows, oldest first */

uint state_at(uint s, uint k, uint e)
{
    return at(STATE, s, k) + e * tensor_stride(j, STATE, 2);
}

void begin(uint s, uint e)
{
    for (uint k = 0; k + 1 < P.job[j].u0.z; k++) tail[k] = load_state(state_at(s, k, e));
}

void forget()
{
    for (uint k = 0; k < MAX_TAIL; k++) tail[k] = 0.0;
}

float next(uint token, uint e)
{
    uint last = P.job[j].u0.z - 1;
    float x = load_in(A, at(A, token, e));
    float y = P.job[j].u0.w != 0 ? load_in(BIAS, tensor_first(j, BIAS) + e * tensor_stride(j, BIAS, 0)) : 0.0;
    for (uint k = 0; k < last; k++) {
        y = fma(tail[k], load_in(B, at(B, e, k)), y);
        tail[k] = k + 1 < last ? tail[k + 1] : x;
    }
    return fma(x, load_in(B, at(B, e, last)), y);
}

void end(uint s, uint e)
{
    for (uint k = 0; k + 1 < P.job[j].u0.z; k++) keep(state_at(s, k, e), tail[k]);
}

#else

float h;

void begin(uint s, uint e) { h = load_state(at(STATE, s, e)); }

void forget() { h = 0.0; }

float next(uint token, uint e)
{
    h = fma(load_in(A, at(A, token, e)), h, load_in(B, at(B, token, e)));
    return h;
}

void end(uint s, uint e) { keep(at(STATE, s, e), h); }

#endif

void main()
{
    uint i = group_number() * BLOCK + gl_LocalInvocationID.x, e = i % P.job[j].u0.y, s = i / P.job[j].u0.y;
    uint sequences = tensor_dim(j, STATE, 0), tokens = tensor_dim(j, Y, 0);
    if (s >= sequences || e >= tensor_dim(j, Y, 1)) return;
    bool any = false;
    begin(s, e);
    for (uint t = 0; t < tokens; t++) {
        uint q = in_u[IN(j, SEQUENCE)].d[tensor_first(j, SEQUENCE) + t * tensor_stride(j, SEQUENCE, 0)];
        if (q >= sequences && s == 0) out_f[OUT(j, Y)].d[at(Y, t, e)] = 0.0; /* negative ones are large */
        if (q != s) continue;
        if (in_u[IN(j, RESET)].d[tensor_first(j, RESET) + t * tensor_stride(j, RESET, 0)] != 0) forget();
        out_f[OUT(j, Y)].d[at(Y, t, e)] = next(t, e);
        any = true;
    }
    if (any) end(s, e);
}
