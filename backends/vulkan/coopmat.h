/* coopmat.h: what the backend needs of VK_KHR_cooperative_matrix where the installed headers are older than it. Names
 * and numbers are those of the Vulkan registry (vk.xml, extension 507). */
#ifndef VULKAN_COOPMAT_H
#define VULKAN_COOPMAT_H

#include <vulkan/vulkan.h>

#ifndef VK_KHR_cooperative_matrix
#define VK_KHR_COOPERATIVE_MATRIX_EXTENSION_NAME "VK_KHR_cooperative_matrix"
enum {
    VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_FEATURES_KHR = 1000506000,
    VK_STRUCTURE_TYPE_COOPERATIVE_MATRIX_PROPERTIES_KHR = 1000506001,
    VK_COMPONENT_TYPE_FLOAT16_KHR = 0,
    VK_COMPONENT_TYPE_FLOAT32_KHR = 1,
    VK_SCOPE_SUBGROUP_KHR = 3
};
typedef struct VkPhysicalDeviceCooperativeMatrixFeaturesKHR {
    int sType;
    void *pNext;
    VkBool32 cooperativeMatrix, cooperativeMatrixRobustBufferAccess;
} VkPhysicalDeviceCooperativeMatrixFeaturesKHR;
typedef struct VkCooperativeMatrixPropertiesKHR {
    int sType;
    void *pNext;
    uint32_t MSize, NSize, KSize;
    int AType, BType, CType, ResultType;
    VkBool32 saturatingAccumulation;
    int scope;
} VkCooperativeMatrixPropertiesKHR;
typedef VkResult(VKAPI_PTR *PFN_vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR)(
    VkPhysicalDevice device, uint32_t *n, VkCooperativeMatrixPropertiesKHR *properties);
#endif

#endif
