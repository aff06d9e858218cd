/* reduce.glsl: sums and maxima over a workgroup, given to every invocation. Include after common.glsl; with SUBGROUP by
 * subgroup operations and one step through shared memory, else by a tree. Every invocation must call them. */
shared float reduce_part[BLOCK];

#ifdef SUBGROUP
#define REDUCE(v, operation, combine)                                                   \
    v = operation(v);                                                                   \
    if (gl_NumSubgroups > 1) {                                                          \
        barrier();                                                                      \
        if (subgroupElect()) reduce_part[gl_SubgroupID] = v;                            \
        barrier();                                                                      \
        v = reduce_part[0];                                                             \
        for (uint i = 1; i < gl_NumSubgroups; i++) v = combine(v, reduce_part[i]);      \
    }
#else
#define REDUCE(v, operation, combine)                                                                   \
    barrier();                                                                                          \
    reduce_part[gl_LocalInvocationID.x] = v;                                                            \
    for (uint step = BLOCK / 2; step > 0; step /= 2) {                                                  \
        barrier();                                                                                      \
        if (gl_LocalInvocationID.x < step)                                                              \
            reduce_part[gl_LocalInvocationID.x] =                                                       \
                combine(reduce_part[gl_LocalInvocationID.x], reduce_part[gl_LocalInvocationID.x + step]); \
    }                                                                                                   \
    barrier();                                                                                          \
    v = reduce_part[0];
#endif

float plus(float a, float b) { return a + b; }
/* NaN loses, as the ops want it; an infinity is kept. */
float greater(float a, float b) { return is_nan(a) || b > a ? b : a; }

float workgroup_sum(float v)
{
    REDUCE(v, subgroupAdd, plus)
    return v;
}

float workgroup_max(float v)
{
#ifdef SUBGROUP
    if (is_nan(v)) v = uintBitsToFloat(0xff800000u);
#endif
    REDUCE(v, subgroupMax, greater)
    return v;
}
