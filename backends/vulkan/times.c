/* times.c: the timestamps of a profiled recording, one before and one after each dispatch. */
#include "backends/vulkan/exec.h"

#include <stdlib.h>

weft_status vk_times_create(vk_backend *vk, vk_recording *r, weft_error *err)
{
    r->times = malloc(2 * (size_t)r->n_dispatches * sizeof *r->times);
    if (!r->times) return WEFT_OOM_FAIL(err, "the times of launches");
    return vk_stamps_create(vk, 2 * r->n_dispatches, &r->queries, err);
}

void vk_times_destroy(vk_backend *vk, vk_recording *r)
{
    if (r->queries) vk->api.DestroyQueryPool(vk->device, r->queries, NULL);
    free(r->times);
}

void vk_times_reset(vk_backend *vk, VkCommandBuffer c, const vk_recording *r, const vk_chunk *chunk)
{
    vk->api.CmdResetQueryPool(c, r->queries, 2 * (chunk->first - r->first_dispatch), 2 * chunk->n);
}

void vk_times_write(vk_backend *vk, VkCommandBuffer c, const vk_recording *r, uint32_t i, bool after)
{
    vk_stamp(vk, c, r->queries, 2 * (i - r->first_dispatch) + after, after);
}
