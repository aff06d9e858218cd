/* fused.glsl: what a matrix-vector product has beside linear.glsl where it gates another, or norms x itself:
 *
 *     y = act(n(x) w^T + bias) + residuals, or act(n(x) w^T + bias) (n(x) up^T + up_bias)
 *
 * A norm's factor is one number for a row of x, so it is applied to sums; gains are applied to x as it is read, and the
 * squares are summed beside the products. The second matrix has the first one's size, and its parts.
 *
 * u3: whether gated, whether 1 is added to gains; f0.x: epsilon. */

vec4 gain_within(uint j, uint quad)
{
    vec4 gain = in_f4[IN(j, GAIN)].d[tensor_first(j, GAIN) / 4 + quad];
    return P.job[j].u3.y != 0 ? 1.0 + gain : gain;
}

vec4 gain_quad(uint j, uint quad)
{
    if (TAIL != 0 && 4 * quad >= P.job[j].u0.w) return vec4(0.0);
    return gain_within(j, quad);
}

float add_squares(float sum, vec4 x)
{
    sum = fma(x.x, x.x, sum);
    sum = fma(x.y, x.y, sum);
    sum = fma(x.z, x.z, sum);
    return fma(x.w, x.w, sum);
}

float norm_factor(uint j, float squares) { return 1.0 / sqrt(squares / float(P.job[j].u0.w) + P.job[j].f0.x); }

float biased(uint j, uint bias, uint row, float v)
{
    if (P.job[j].u1.w == 0) return v;
    return v + load_as_float(IN(j, bias), tensor_dtype(j, bias), tensor_first(j, bias) + row);
}

void finish(uint j, uint row, uint col, uint n_cols, float v, float up)
{
    if (row >= P.job[j].t[W].stride_b.w || col >= n_cols) return;
    row += P.job[j].t[W].stride_b.z; /* of the part, now of the matrix */
    v = activation(P.job[j].u1.y, biased(j, BIAS, row, v));
    uint at = col * P.job[j].u2.w + row;
    if (P.job[j].u3.x != 0) v *= biased(j, UP_BIAS, row, up);
    if (P.job[j].u1.z > 0) v += load_as_float(IN(j, RES0), tensor_dtype(j, RES0), tensor_first(j, RES0) + at);
    if (P.job[j].u1.z > 1) v += load_as_float(IN(j, RES1), tensor_dtype(j, RES1), tensor_first(j, RES1) + at);
    out_f[OUT(j, Y)].d[tensor_first(j, Y) + at] = v;
}
