/* test_devices.c: which devices are found, refused and chosen, and what is said when one is lost: devices that nobody
 * here has, as the shim describes them. */
#include "tests/backends/small.h"

#include "backends/vulkan/vk.h"
#include "tests/vulkan/shim.h"

#include <dlfcn.h>

static weft_error err;
static void (*begin)(int fail, int swallow);
static void (*lose)(void);
static shim_profile *(*device)(const char *key);
static const shim_report *(*reported)(void);

static const char shimmed[] = "vulkan:0,loader=" SHIM_PATH, listed[] = "vulkan,loader=" SHIM_PATH;

static bool load_shim(void)
{
    void *library = dlopen(SHIM_PATH, RTLD_NOW | RTLD_LOCAL);
    if (!CHECK(library != NULL)) return false;
    *(void **)&begin = dlsym(library, "shim_begin");
    *(void **)&lose = dlsym(library, "shim_lose");
    *(void **)&device = dlsym(library, "shim_device");
    *(void **)&reported = dlsym(library, "shim_reported");
    if (!CHECK(begin && lose && device && reported)) return false;
    begin(0, 0);
    return true;
}

/* The devices of the list, in this order. */
static void list_devices(const char *const *keys, int n)
{
    begin(0, 0);
    for (int i = 0; i < n; i++) CHECK(device(keys[i]) != NULL);
}

/* ---- A4 ---- */

static void a4_portability(void)
{
    weft_device_info info;
    if (!load_shim()) return;
    list_devices((const char *const[]){ "moltenvk" }, 1);
    if (!CHECK_OK(weft_backend_list(listed, 0, &info, &err), err)) return;
    CHECK_STR(info.model, "Apple M2");
    CHECK(info.is_default);
    weft_backend *b = NULL;
    CHECK_OK(weft_backend_open(listed, &b, &err), err);
    CHECK_CONTAINS(reported()->extensions, "VK_KHR_portability_subset ");
    weft_backend_close(b);
    list_devices((const char *const[]){ "anv" }, 1);
    CHECK_OK(weft_backend_open(listed, &b, &err), err);
    CHECK(!strstr(reported()->extensions, "portability"));
    weft_backend_close(b);
}

static bool has_name(vk_platform p, uint32_t i, const char *name)
{
    const char *const *names = vk_loader_names(p);
    for (uint32_t k = 0; k < i; k++)
        if (!names[k]) return false;
    return names[i] ? !strcmp(names[i], name) : !name;
}

static void a4_loaders(void)
{
    CHECK(has_name(VK_PLATFORM_ELF, 0, "libvulkan.so.1"));
    CHECK(has_name(VK_PLATFORM_APPLE, 0, "libvulkan.1.dylib"));
    CHECK(has_name(VK_PLATFORM_APPLE, 2, "libMoltenVK.dylib"));
    CHECK(has_name(VK_PLATFORM_WINDOWS, 0, "vulkan-1.dll"));
    for (vk_platform p = VK_PLATFORM_ELF; p <= VK_PLATFORM_WINDOWS; p++) {
        uint32_t n = 0;
        while (vk_loader_names(p)[n]) n++;
        CHECK(n >= 1 && n <= 3);
    }
}

/* ---- A12 ---- */

/* Refused by name where a device has less than all kernels need; listed with that reason; and never the default. */
static void check_refused(const char *limit)
{
    weft_device_info info;
    weft_backend *b = NULL;
    CHECK_STATUS(weft_backend_open(shimmed, &b, &err), WEFT_UNSUPPORTED, err);
    CHECK_CONTAINS(err.text, limit);
    if (CHECK_OK(weft_backend_list(listed, 0, &info, &err), err)) CHECK_CONTAINS(info.unusable, limit);
}

static void a12_limits(void)
{
    weft_backend *b = NULL;
    weft_device_info info;
    if (!load_shim()) return;
    list_devices((const char *const[]){ "v3dv" }, 1); /* 8 storage buffers */
    check_refused("maxPerStageDescriptorStorageBuffers 8; 22 are needed");
    CHECK_STATUS(weft_backend_open(listed, &b, &err), WEFT_UNSUPPORTED, err);
    for (int i = 0; i < 5; i++) {
        begin(0, 0);
        shim_profile *p = device("turnip");
        static const char *const names[] = { "maxPerStageDescriptorUniformBuffers 1", "maxPerStageResources 17",
                                             "maxUniformBufferRange 1024", "maxComputeWorkGroupCount[1] 1000",
                                             "maxBoundDescriptorSets 0" };
        if (i == 0) p->uniform_buffers = 1;
        if (i == 1) p->resources = 17;
        if (i == 2) p->uniform_range = 1024;
        if (i == 3) p->groups[1] = 1000;
        if (i == 4) p->sets = 0;
        check_refused(names[i]);
    }
    /* one that can be used is taken instead, and what cannot does not end the list */
    list_devices((const char *const[]){ "v3dv", "turnip" }, 2);
    if (CHECK_OK(weft_backend_open(listed, &b, &err), err)) {
        weft_backend_info(b, &info);
        CHECK_EQ_INT(info.index, 1);
        weft_backend_close(b);
    }
    CHECK_OK(weft_backend_list(listed, 1, &info, &err), err);
    CHECK(info.is_default && !*info.unusable);
    CHECK_STATUS(weft_backend_list(listed, 2, &info, &err), WEFT_NOT_FOUND, err);
}

/* ---- A14 ---- */

static uint32_t default_of(const char *const *keys, uint32_t n)
{
    uint32_t found = UINT32_MAX;
    list_devices(keys, (int)n);
    for (uint32_t i = 0; i < n; i++) {
        weft_device_info info;
        if (!CHECK_OK(weft_backend_list(listed, i, &info, &err), err) || !info.is_default) continue;
        CHECK_EQ_INT(found, UINT32_MAX);
        found = i;
    }
    weft_backend *b;
    if (CHECK_OK(weft_backend_open(listed, &b, &err), err)) {
        weft_device_info info;
        weft_backend_info(b, &info);
        CHECK_EQ_INT(info.index, found);
        weft_backend_close(b);
    }
    return found;
}

static void a14_best(void)
{
    if (!load_shim()) return;
    CHECK_EQ_INT(default_of((const char *const[]){ "anv", "anv-dgpu", "radv-window" }, 3), 1); /* 16 GB against 15.75 */
    CHECK_EQ_INT(default_of((const char *const[]){ "radv-window", "radv", "radv-apu" }, 3), 1);
    CHECK_EQ_INT(default_of((const char *const[]){ "turnip", "anv" }, 2), 1);
    CHECK_EQ_INT(default_of((const char *const[]){ "amdvlk", "radv" }, 2), 1);
    CHECK_EQ_INT(default_of((const char *const[]){ "radv", "amdvlk" }, 2), 0);
    CHECK_EQ_INT(default_of((const char *const[]){ "amdvlk", "nvidia", "radv" }, 3), 1); /* as much, better driver */
}

static void a14_twins(void)
{
    weft_device_info info;
    weft_backend *b;
    if (!load_shim()) return;
    list_devices((const char *const[]){ "amdvlk", "nvidia", "radv" }, 3);
    if (CHECK_OK(weft_backend_list(listed, 0, &info, &err), err))
        CHECK_STR(info.remark, "the same card as vulkan:2, under another driver");
    for (uint32_t i = 1; i < 3; i++)
        if (CHECK_OK(weft_backend_list(listed, i, &info, &err), err)) CHECK_STR(info.remark, "");
    /* a name that fits the one card twice means its better driver */
    if (CHECK_OK(weft_backend_open("vulkan:XTX,loader=" SHIM_PATH, &b, &err), err)) {
        weft_backend_info(b, &info);
        CHECK_EQ_INT(info.index, 2);
        weft_backend_close(b);
    }
    list_devices((const char *const[]){ "radv", "radv-window" }, 2);
    CHECK_STATUS(weft_backend_open("vulkan:Radeon,loader=" SHIM_PATH, &b, &err), WEFT_INVALID, err);
}

/* ---- A15 ---- */

static void a15_fault(void)
{
    static float y[SMALL_T * SMALL_OUT], sum[SMALL_OUT];
    small_world w;
    if (!load_shim()) return;
    for (int i = 0; i < 2; i++) {
        list_devices((const char *const[]){ i ? "anv" : "radv" }, 1);
        if (CHECK_OK(small_open(&w, shimmed, NULL, &err), err)) {
            bool asked = strstr(reported()->extensions, "VK_EXT_device_fault") != NULL;
            CHECK_EQ_INT(asked, !i);
            CHECK_OK(small_run(w.p, 0, 4, y, sum, &err), err);
            lose();
            CHECK_STATUS(small_run(w.p, 4, 4, y, sum, &err), WEFT_DEVICE_LOST, err);
            CHECK_CONTAINS(err.text, "Mesa 25.0.7");
            CHECK_CONTAINS(err.text, "version 0x6400007");
            CHECK_CONTAINS(err.text, i ? "Intel(R) UHD" : "RX 7900 XTX");
            CHECK_EQ_INT(reported()->fault_queries, i ? 0 : 2);
            CHECK(!strstr(err.text, "page fault") == (i == 1));
            if (!i) CHECK_CONTAINS(err.text, "page fault of the test; read of 0xdeadb000; ring gfx timed out (7, 9)");
        }
        small_close(&w);
    }
}

/* ---- submissions and waits ---- */

/* One submission per run where inputs and outputs are copied; and no busy waiting on what a processor computes. */
static void one_submission(void)
{
    static float y[SMALL_T * SMALL_OUT], sum[SMALL_OUT];
    static const char *const keys[] = { "nvidia", "radv-apu", "anv" };
    small_world w;
    if (!load_shim()) return;
    for (int i = 0; i < 3; i++) {
        list_devices(&keys[i], 1);
        if (CHECK_OK(small_open(&w, shimmed, NULL, &err), err)) {
            CHECK_OK(small_run(w.p, 0, 4, y, sum, &err), err);
            unsigned submits = reported()->submits, polls = reported()->polls;
            CHECK_OK(small_run(w.p, 4, 4, y, sum, &err), err);
            CHECK_EQ_INT(reported()->submits - submits, 1);
            CHECK(reported()->polls > polls);
        }
        small_close(&w);
    }
    begin(0, 0); /* the software driver itself */
    if (CHECK_OK(small_open(&w, "vulkan:0,staging=1,loader=" SHIM_PATH, NULL, &err), err)) {
        CHECK_OK(small_run(w.p, 0, 4, y, sum, &err), err);
        unsigned submits = reported()->submits;
        CHECK_OK(small_run(w.p, 4, 4, y, sum, &err), err);
        CHECK_EQ_INT(reported()->submits - submits, 1);
        CHECK_EQ_INT(reported()->polls, 0);
        CHECK(reported()->waits > 0);
    }
    small_close(&w);
}

static const weft_test tests[] = {
    { "A4 portability", a4_portability },   { "A4 loaders", a4_loaders }, { "A12 limits", a12_limits },
    { "A14 best", a14_best },               { "A14 twins", a14_twins },   { "A15 fault", a15_fault },
    { "B5 one submission", one_submission },
};
TEST_MAIN(tests)
