/* test_gguf.c: models from GGUF files, whose metadata llama.cpp's converter wrote, against double precision: every
 * architecture that both have. */
#include <stdlib.h>

#include "gguf_golden.h"
#include "models/arch.h"
#include "tests/sample.h"

static weft_error err;
static const char *only = "";

static void meets(const golden *g, weft_backend *device)
{
    golden_meets(g, NULL, device);
}

static void cpu(void)
{
    golden_each_on_cpu("gguf", only, gguf_golden_open, meets);
}

static void meets_some(const golden *g, weft_backend *device)
{
    if (sample_takes(g->name, "vulkan_gguf")) meets(g, device);
}

static void vulkan(void)
{
    weft_backend *b;
    if (!CHECK_OK(weft_backend_open("vulkan:0", &b, &err), err)) return;
    golden_each_of("gguf", only, gguf_golden_open, meets_some, b);
    weft_backend_close(b);
}

static const weft_test tests[] = {
    { "CPU", cpu },
    { "Vulkan", vulkan },
};

weft_test_state weft_test_now;

int main(int argc, char **argv)
{
    int n = 0;
    for (int i = 1; i < argc; i++) {
        if (!strncmp(argv[i], "only=", 5)) only = argv[i] + 5;
        else argv[++n] = argv[i];
    }
    return test_run_all(tests, sizeof tests / sizeof *tests, n, argv + 1);
}
