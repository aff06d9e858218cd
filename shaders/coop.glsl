/* coop.glsl: the cooperative matrices of matmul_coop.comp and roof.comp: products of f16 matrices that a subgroup holds
 * together, added up in f32. COOP: the device's own (GL_KHR_cooperative_matrix); else the same from shared memory, by
 * the same invocations: slow, but it runs everywhere, so that what is around it can be tested.
 *
 * Include with MATRIX_M, MATRIX_N, MATRIX_K defined: A is M x K, B is K x N, the sums are M x N. STRIDE: units of 8
 * halves from a row of A (tile_a) or a column of B (tile_b) to the next; SUBGROUPS: of the workgroup; stage: floats. */
#ifdef COOP
#define UNROLL [[unroll]] /* matrices are picked by constants alone */
#define MATRIX_A coopmat<float16_t, gl_ScopeSubgroup, MATRIX_M, MATRIX_K, gl_MatrixUseA>
#define MATRIX_B coopmat<float16_t, gl_ScopeSubgroup, MATRIX_K, MATRIX_N, gl_MatrixUseB>
#define MATRIX_SUM coopmat<float, gl_ScopeSubgroup, MATRIX_M, MATRIX_N, gl_MatrixUseAccumulator>
#define SUBGROUP gl_SubgroupID
#define LANE gl_SubgroupInvocationID
#define LANES gl_SubgroupSize
#define SUMS(sum, n) MATRIX_SUM sum[n]
#define CLEAR_SUM(sum, f) sum[f] = MATRIX_SUM(0.0)
#define LOAD_A(a, at) coopMatLoad(a, tile_a, at, STRIDE, gl_CooperativeMatrixLayoutRowMajor)
#define LOAD_B(b, at) coopMatLoad(b, tile_b, at, STRIDE, gl_CooperativeMatrixLayoutColumnMajor)
#define MULTIPLY_ADD(sum, f, a, b) sum[f] = coopMatMulAdd(a, b, sum[f])
/* element (m, n) to stage[at + n * M + m] */
#define STORE_SUM(sum, f, at) coopMatStore(sum[f], stage, at, MATRIX_M, gl_CooperativeMatrixLayoutColumnMajor)
#else
#define UNROLL
/* A and B are where they lie in the tiles; of the sums a lane has elements LANE, LANE + LANES, ... by columns. */
const uint LANES = BLOCK / SUBGROUPS, PER_LANE = MATRIX_M * MATRIX_N / LANES;
#define MATRIX_A uint
#define MATRIX_B uint
#define SUBGROUP (gl_LocalInvocationID.x / LANES)
#define LANE (gl_LocalInvocationID.x % LANES)

vec2 halves(uvec4 unit, uint i) { return unpackHalf2x16(unit[i]); }

float product(uint a, uint b, uint i)
{
    float sum = 0.0;
    a += i % MATRIX_M * STRIDE;
    b += i / MATRIX_M * STRIDE;
    for (uint k = 0; k < MATRIX_K / 2; k++) {
        vec2 x = halves(tile_a[a + k / 4], k & 3u), y = halves(tile_b[b + k / 4], k & 3u);
        sum = fma(x.y, y.y, fma(x.x, y.x, sum));
    }
    return sum;
}
#define EACH(e) for (uint e = 0; e < PER_LANE; e++)
#define SUMS(sum, n) float sum[(n) * PER_LANE]
#define CLEAR_SUM(sum, f) EACH(e) sum[(f) * PER_LANE + e] = 0.0
#define LOAD_A(a, at) a = at
#define LOAD_B(b, at) b = at
#define MULTIPLY_ADD(sum, f, a, b) EACH(e) sum[(f) * PER_LANE + e] += product(a, b, LANE + e * LANES)
#define STORE_SUM(sum, f, at) EACH(e) stage[at + LANE + e * LANES] = sum[(f) * PER_LANE + e]
#endif
