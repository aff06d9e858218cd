/* select.glsl: what linear_select has beside linear.glsl. A column is a choice of a token, the matrix is the expert
 * that it names: rows e m .. e m + m - 1 of all, of which a launch may have a part.
 *
 * u1.x: rows of x per token; u2: choices at the bounds, rows of x at the bounds, x's first element / 4, m; u3: choices
 * of a token, experts, which rows of x the choices have, whether this is the first part.
 *
 * matmul_nt with a matrix per batch is the same: the ids, and behind them the rows of x, are a table then. */
#define IDS BIAS
#define OWN_ROWS 1
#define LISTED_ROWS 2

uint expert_row; /* the first row of the expert, among all */

uint choices(uint j) { return tensor_dim(j, IDS, 0) * P.job[j].u3.x; }

uint x_of_choice(uint j, uint col)
{
    if (P.job[j].u3.z == LISTED_ROWS) return in_u[IN(j, IDS)].d[tensor_first(j, IDS) + P.job[j].u2.x + col];
    return P.job[j].u3.z == OWN_ROWS ? col : col / P.job[j].u3.x;
}

/* For so many rows and lanes: false if this part has none of the rows. Where there is no expert, the launch of the
 * first part writes zeros. */
bool find_expert(uint j, uint row0, uint rows, uint lane, uint lanes, uint col)
{
    uint m = P.job[j].u2.w, id = in_u[IN(j, IDS)].d[tensor_first(j, IDS) + col];
    if (id >= P.job[j].u3.y) { /* also if it is negative */
        for (uint r = row0 + lane; r < min(row0 + rows, m) && P.job[j].u3.w != 0; r += lanes)
            out_f[OUT(j, Y)].d[tensor_first(j, Y) + col * m + r] = 0.0;
        return false;
    }
    expert_row = id * m;
    uint first = P.job[j].t[W].stride_b.z, end = first + P.job[j].t[W].stride_b.w;
    return expert_row + min(row0 + rows, m) > first && expert_row + row0 < end;
}

/* A row of the expert in this part, or the nearest one that is there. */
uint row_of_part(uint j, uint row)
{
    uint first = P.job[j].t[W].stride_b.z, n = P.job[j].t[W].stride_b.w;
    return clamp(expert_row + row, first, first + n - 1) - first;
}

void finish(uint j, uint row, uint col, uint n_cols, float v)
{
    uint m = P.job[j].u2.w, first = P.job[j].t[W].stride_b.z;
    if (row >= m || expert_row + row - first >= P.job[j].t[W].stride_b.w) return; /* rows before the part wrap around */
    out_f[OUT(j, Y)].d[tensor_first(j, Y) + col * m + row] = v;
}
