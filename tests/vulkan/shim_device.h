/* shim_device.h: what shim.c and shim_device.c share. */
#ifndef TEST_SHIM_DEVICE_H
#define TEST_SHIM_DEVICE_H

#define VK_NO_PROTOTYPES
#include <vulkan/vulkan.h>

#include "backends/vulkan/matrix_ext.h"
#include "tests/vulkan/shim.h"

/* Whether the call that asks is the one that fails; it counts. */
bool shim_fails(void);
/* Objects made, or destroyed (negative). */
void shim_count(int made);
int shim_taken(void); /* of shim_without */

/* The function to use for `name` in place of `real`; NULL: shim_device.c has none. */
PFN_vkVoidFunction shim_device_wrap(const char *name, PFN_vkVoidFunction real);
/* What the host has written since the last submission becomes visible to the device. */
void shim_memory_submit(void);
void shim_device_reset(void);
/* For programs, which cannot call shim_device: SHIM_DEVICES=radv,room=300,amdvlk lists devices, each with changes
 * behind it (stuck, and of its local heaps budget, usage, room). */
void shim_device_environment(void);
shim_report *shim_report_now(void);

#endif
