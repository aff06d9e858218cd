/* attention_join.glsl: for kernels whose workgroups leave parts of a result in scratch, which the last one to arrive
 * puts together. The counters are zero before and after. Include after attention.glsl; OUT_SLOTS is 3. */
#define COUNTERS 12

layout(set = 0, binding = WEFT_BINDING_OUT, std430) coherent buffer Shared { float d[]; } shared_f[WEFT_MAX_OUT];
layout(set = 0, binding = WEFT_BINDING_OUT, std430) coherent buffer Counts { uint d[]; } shared_u[WEFT_MAX_OUT];

shared uint arrived;

/* Whether this workgroup, whose part is written, is the last of n that count here.
 * barrier() orders the workgroup's invocations, but says nothing of buffers: what all of them wrote is handed on by the
 * one that counts, which fences (device scope, acquire and release) on both sides of its atomic. */
bool is_last(uint counter, uint n)
{
    uint me = gl_LocalInvocationID.x;
    memoryBarrierBuffer();
    barrier();
    if (me == 0) {
        memoryBarrierBuffer();
        arrived = atomicAdd(shared_u[OUT(0, COUNTERS)].d[counter], 1);
        memoryBarrierBuffer();
    }
    barrier();
    if (arrived != n - 1) return false;
    memoryBarrierBuffer();
    if (me == 0) shared_u[OUT(0, COUNTERS)].d[counter] = 0;
    return true;
}
