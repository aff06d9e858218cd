/* common.glsl: what every kernel begins with: the parameter block, the run's extents, the buffers in all their
 * views, dims and offsets of tensors, and loads and stores of every plain type.
 *
 * A shader asks for GL_GOOGLE_include_directive and defines IN_SLOTS and OUT_SLOTS (buffers that a job reads and
 * writes) before including this. Buffers are addressed as 32-bit words, so that devices without 16-bit storage run the
 * same code.
 *
 * IN_PLACE: a result may be its first operand's bytes (gpu_kernel.inplace); without it compilers are promised that
 * nothing that is read is written. */
#ifdef STORAGE16
#extension GL_EXT_shader_16bit_storage : require
#endif
#ifdef IN_PLACE
#extension GL_EXT_spirv_intrinsics : require
#define PROMISE spirv_decorate(20) /* Aliased */
#else
#define PROMISE restrict
#endif
#define WEFT_GLSL 1
#include "params.h"

layout(local_size_x_id = 0, local_size_y = 1, local_size_z = 1) in;
layout(constant_id = 0) const uint BLOCK = 64; /* invocations of a workgroup */

layout(set = 0, binding = WEFT_BINDING_PARAMS, std140) uniform Params {
    uvec4 head;
    weft_job_params job[WEFT_MAX_JOBS];
} P;
layout(set = 0, binding = WEFT_BINDING_RUN, std140) uniform Run { uvec4 extent[2]; } R;

layout(set = 0, binding = WEFT_BINDING_IN, std430) PROMISE readonly buffer InU { uint d[]; } in_u[WEFT_MAX_IN];
layout(set = 0, binding = WEFT_BINDING_IN, std430) PROMISE readonly buffer InW { uvec2 d[]; } in_w[WEFT_MAX_IN];
layout(set = 0, binding = WEFT_BINDING_IN, std430) PROMISE readonly buffer InV { uvec4 d[]; } in_v[WEFT_MAX_IN];
layout(set = 0, binding = WEFT_BINDING_IN, std430) PROMISE readonly buffer InF { float d[]; } in_f[WEFT_MAX_IN];
layout(set = 0, binding = WEFT_BINDING_IN, std430) PROMISE readonly buffer InF4 { vec4 d[]; } in_f4[WEFT_MAX_IN];
layout(set = 0, binding = WEFT_BINDING_OUT, std430) PROMISE buffer OutU { uint d[]; } out_u[WEFT_MAX_OUT];
layout(set = 0, binding = WEFT_BINDING_OUT, std430) PROMISE buffer OutF { float d[]; } out_f[WEFT_MAX_OUT];
#ifdef STORAGE16
layout(set = 0, binding = WEFT_BINDING_OUT, std430) PROMISE buffer OutH { uint16_t d[]; } out_h[WEFT_MAX_OUT];
#endif

/* Where tensor t of job j is in in_*, and in out_*. */
#define IN(j, t) ((j) * IN_SLOTS + (t))
#define OUT(j, t) ((j) * OUT_SLOTS + (t) - IN_SLOTS)

/* weft_dtype's numbers */
#define WEFT_DTYPE(number, id, name, block, bytes, class_, bits, group, minimum, encodes) const uint id = number;
#include "../graph/dtype.def"
#undef WEFT_DTYPE

/* ---- jobs ---- */

/* The workgroup's number in the whole launch, of which this dispatch may be a piece, and whose workgroups may be more
 * than x can count. */
uint group_number() { return gl_WorkGroupID.y * P.head.y + gl_WorkGroupID.x; }

/* The job that this workgroup works for: its number among the job's workgroups is group_number() - groups.x. */
uint job_of_group()
{
    uint j = 0;
    for (uint k = 1; k < P.head.x; k++)
        if (group_number() >= P.job[k].groups.x) j = k;
    return j;
}

/* ---- tensors ---- */

uint extent_value(uint e)
{
    return e == 0 ? 1 : R.extent[(e - 1) >> 2][(e - 1) & 3];
}

uint tensor_dim(uint j, uint t, uint axis)
{
    return axis < 4 ? P.job[j].t[t].dim_a[axis] * extent_value(P.job[j].t[t].extent_a[axis])
                    : P.job[j].t[t].dim_b[axis - 4] * extent_value(P.job[j].t[t].extent_b[axis - 4]);
}

uint tensor_stride(uint j, uint t, uint axis)
{
    return axis < 4 ? P.job[j].t[t].stride_a[axis] : P.job[j].t[t].stride_b[axis - 4];
}

uint tensor_rank(uint j, uint t) { return P.job[j].t[t].dim_b.z; }
uint tensor_dtype(uint j, uint t) { return P.job[j].t[t].extent_b.z; }
uint tensor_first(uint j, uint t) { return P.job[j].t[t].extent_b.w; }

/* ---- values: bit tests, since compilers fold x != x ---- */

bool is_nan(float x) { return (floatBitsToUint(x) & 0x7fffffffu) > 0x7f800000u; }

float half_bits_to_float(uint h) { return unpackHalf2x16(h).x; }

/* To the nearest half, ties to even, overflow to infinity, NaN stays NaN: exact on every driver, in integers. */
uint float_to_half_bits(float x)
{
    uint u = floatBitsToUint(x), sign = (u >> 16) & 0x8000u, a = u & 0x7fffffffu;
    if (a > 0x7f800000u) return sign | 0x7e00u;
    if (a >= 0x477ff000u) return sign | 0x7c00u;
    if (a >= 0x38800000u) { /* normal: rebias, round the 13 bits that go */
        uint r = a - 0x38000000u;
        return sign | ((r + 0xfffu + ((r >> 13) & 1u)) >> 13);
    }
    if (a < 0x33000000u) return sign;
    uint e = a >> 23, m = (a & 0x7fffffu) | 0x800000u, shift = 126u - e; /* denormal: shift 14..24 */
    uint half_bit = 1u << (shift - 1u), q = m >> shift, rest = m & ((1u << shift) - 1u);
    return sign | (q + uint(rest > half_bit || (rest == half_bit && (q & 1u) == 1u)));
}

uint float_to_bfloat_bits(float x)
{
    uint u = floatBitsToUint(x);
    if ((u & 0x7fffffffu) > 0x7f800000u) return (u >> 16) | 0x40u;
    return (u + 0x7fffu + ((u >> 16) & 1u)) >> 16;
}

/* Element i of a buffer of type t. */
float load_as_float(uint slot, uint t, uint i)
{
    if (t == F32) return in_f[slot].d[i];
    if (t == I32) return float(int(in_u[slot].d[i]));
    uint w = in_u[slot].d[i >> 1], h = (i & 1u) == 0 ? w & 0xffffu : w >> 16;
    return t == F16 ? half_bits_to_float(h) : uintBitsToFloat(h << 16);
}

/* Towards zero; what does not fit, for which int() promises nothing, becomes the nearest end of the range, NaN 0. */
uint float_to_int_bits(float x)
{
    if (is_nan(x)) return 0;
    if (abs(x) < 2147483648.0) return uint(int(x));
    return x < 0.0 ? 0x80000000u : 0x7fffffffu;
}

/* The bits of v as type t, in the low 16 or all 32 bits. */
uint float_bits_as(uint t, float v)
{
    if (t == F16) return float_to_half_bits(v);
    if (t == BF16) return float_to_bfloat_bits(v);
    return t == I32 ? float_to_int_bits(v) : floatBitsToUint(v);
}

/* Stores the low 16 bits of `bits` as 16-bit element i where a neighbour may be written by another invocation. */
void store_half_bits(uint slot, uint i, uint bits)
{
#ifdef STORAGE16
    out_h[slot].d[i] = uint16_t(bits);
#else
    uint shift = (i & 1u) * 16u;
    atomicAnd(out_u[slot].d[i >> 1], ~(0xffffu << shift));
    atomicOr(out_u[slot].d[i >> 1], (bits & 0xffffu) << shift);
#endif
}

void store_from_float(uint slot, uint t, uint i, float v)
{
    if (t == F32 || t == I32) out_u[slot].d[i] = float_bits_as(t, v);
    else store_half_bits(slot, i, float_bits_as(t, v));
}
