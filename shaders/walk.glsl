/* walk.glsl: elements of a dense result by their flat index at the bounds, and where the same coordinates are in
 * another tensor. The job's u2 and u3.xy hold the result's dims at the bounds. Include after common.glsl. */

uint walk_dim(uint j, uint axis) { return axis < 4 ? P.job[j].u2[axis] : P.job[j].u3[axis - 4]; }

/* Coordinates of element i; false: beyond the run's extents (of tensor t, the result). */
bool walk(uint j, uint t, uint i, out uint at[6])
{
    bool inside = true;
    for (int a = 5; a >= 0; a--) {
        uint n = walk_dim(j, a);
        at[a] = i % n;
        i /= n;
        inside = inside && at[a] < tensor_dim(j, t, a);
    }
    return inside && i == 0;
}

/* The element of tensor t at these coordinates; dims of 1 and axes that are missing have stride 0. */
uint walk_offset(uint j, uint t, uint at[6])
{
    uint o = tensor_first(j, t);
    for (uint a = 0; a < 6; a++) o += at[a] * tensor_stride(j, t, a);
    return o;
}
