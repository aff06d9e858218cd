/* linear.glsl: what the kernels for y = act(x w^T + bias) + residuals with a PANEL matrix share: their operands,
 * reading x four columns at a time, and the end of a sum. Include after weights.glsl and math.glsl, with VECTORS
 * (x is f32 in groups of four that are aligned) and TAIL (columns beyond a row's end are asked for) defined.
 * With SELECT defined, select.glsl has another end of a sum, with FUSED fused.glsl.
 *
 * u0: the panel's params; u1: rows of x per step of its first axis, act, residuals, has bias; u2: blocks of
 * columns, rows of x at the bounds, x's first element / 4, rows of the matrix. */
#define X 0
#define W 1
#define BIAS 2
#define RES0 3
#define RES1 4
#ifdef FUSED
#define UP RES0 /* a gated product has no residuals */
#define UP_BIAS RES1
#define GAIN 5
#define Y 6
#else
#define Y 5
#endif

/* Columns 4 quad .. 4 quad + 3 of a row, of which the first is there. */
vec4 x_within(uint j, uint col, uint quad)
{
    uint columns = P.job[j].u0.w, k = 4 * quad;
    if (VECTORS != 0) return in_f4[IN(j, X)].d[P.job[j].u2.z + col * (columns / 4) + quad];
    uint t = tensor_dtype(j, X), i = tensor_first(j, X) + col * columns + k;
    vec4 v = vec4(0.0);
    for (uint c = 0; c < 4; c++)
        if (k + c < columns) v[c] = load_as_float(IN(j, X), t, i + c);
    return v;
}

/* Zeros beyond the row's end. */
vec4 x_quad(uint j, uint col, uint quad)
{
    if (TAIL != 0 && 4 * quad >= P.job[j].u0.w) return vec4(0.0);
    return x_within(j, col, quad);
}

#if !defined(SELECT) && !defined(FUSED)
void finish(uint j, uint row, uint col, uint n_cols, float v)
{
    if (row >= P.job[j].t[W].stride_b.w || col >= n_cols) return;
    row += P.job[j].t[W].stride_b.z; /* of the part, now of the matrix */
    if (P.job[j].u1.w != 0)
        v += load_as_float(IN(j, BIAS), tensor_dtype(j, BIAS), tensor_first(j, BIAS) + row);
    v = activation(P.job[j].u1.y, v);
    uint at = col * P.job[j].u2.w + row;
    if (P.job[j].u1.z > 0) v += load_as_float(IN(j, RES0), tensor_dtype(j, RES0), tensor_first(j, RES0) + at);
    if (P.job[j].u1.z > 1) v += load_as_float(IN(j, RES1), tensor_dtype(j, RES1), tensor_first(j, RES1) + at);
    out_f[OUT(j, Y)].d[tensor_first(j, Y) + at] = v;
}
#endif
