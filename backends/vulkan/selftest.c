/* selftest.c: stand-in */
#include "backends/vulkan/vk.h"
#include <stddef.h>
bool vk_kernel_disabled(const void *vk, const vk_kernel *k) { return vk_without(&((const vk_backend *)vk)->options, k->name); }
weft_status vk_selftest(vk_backend *vk, weft_error *err) { (void)vk, (void)err; return WEFT_OK; }
void vk_verdicts_destroy(vk_backend *vk) { (void)vk; }
