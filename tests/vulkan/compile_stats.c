/* compile_stats.c: what a driver's compiler makes of the kernels: registers, spills, shared memory, code size,
 * occupancy.
 *
 *   compile_stats [--table]
 *
 * Works on drivers that compile but run nothing (RADV on null hardware: RADV_FORCE_FAMILY=navi21), so it opens the
 * device itself as far as pipelines need it. Exit status 1 if a kernel spills registers or needs scratch memory, 77 if
 * there is no such driver or it tells nothing. */
#include "backends/vulkan/vk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct variant {
    const char *name;
    vk_pipeline_key key;
} variant;

enum { MAX_VARIANTS = 128, MAX_STATISTICS = 64 };

static variant variants[MAX_VARIANTS];
static uint32_t n_variants;

static void add(const char *name, weft_shader_id shader, uint32_t subgroup, uint32_t n, const uint32_t *spec)
{
    variant *v = &variants[n_variants++];
    v->name = name;
    v->key = (vk_pipeline_key){ .shader = shader, .subgroup = subgroup, .n_specs = n };
    memcpy(v->key.spec, spec, n * sizeof *spec);
}
#define ADD(name, shader, subgroup, ...)                                                                     \
    add(name, WEFT_SHADER_##shader, subgroup, sizeof((uint32_t[]){ __VA_ARGS__ }) / sizeof(uint32_t),        \
        (uint32_t[]){ __VA_ARGS__ })

/* The kernels of decoding and prompts as the device is tuned, for heads of 64 to 128 elements. */
static void list_variants(const vk_facts *f)
{
    const vk_tuning *t = f->tuning;
    static const char *const types[] = { "", "f32", "f16", "bf16", "i32", "q8_0", "q4_0" };
    static char names[MAX_VARIANTS][48];
    static const uint32_t matrices[] = { WEFT_F32, WEFT_F16, WEFT_BF16, WEFT_Q8_0, WEFT_Q4_0 };
    for (uint32_t i = 0; i < 5; i++) {
        uint32_t type = matrices[i], rows = t->rows[type == WEFT_Q4_0 ? 2 : type == WEFT_Q8_0 ? 1 : 0];
        for (uint32_t columns = 1; columns <= 8; columns *= 8) {
            char *name = names[n_variants];
            snprintf(name, sizeof *names, "matvec %s, %u column%s", types[type], columns, columns > 1 ? "s" : "");
            ADD(name, matvec_subgroup, f->subgroup, t->block, type, t->panel, rows, columns, 1, 0);
        }
        char *name = names[n_variants];
        snprintf(name, sizeof *names, "matmul_tile %s, %ux%u", types[type], t->tile[0], t->tile[1]);
        ADD(name, matmul_tile, 0, t->tile[0] * t->tile[1] / 16, type, t->panel, t->tile[0], t->tile[1], 1, 0);
    }
    for (uint32_t head = 64; head <= 128; head += 32) {
        char *name = names[n_variants];
        snprintf(name, sizeof *names, "attention_split, heads of %u", head);
        ADD(name, attention_split_subgroup, f->subgroup, t->row_block, head, WEFT_F16, 1, t->keys, WEFT_F16);
        name = names[n_variants];
        snprintf(name, sizeof *names, "attention_tile, heads of %u", head);
        ADD(name, attention_tile, 0, t->flat_block, head, WEFT_F16, 1, 8, WEFT_F16);
    }
    ADD("norm", norm_subgroup, f->subgroup, t->row_block);
    ADD("softmax", softmax_subgroup, f->subgroup, t->row_block);
    ADD("argmax", reduce_subgroup, f->subgroup, t->row_block, 3);
    ADD("top_k", top_k, 0, t->row_block);
    ADD("move (rope, store)", move, 0, t->flat_block);
    ADD("rope_angles", rope_angles, 0, t->flat_block);
    ADD("gather f16", gather, 0, t->flat_block, WEFT_F16, t->panel);
    ADD("gather q4_0", gather, 0, t->flat_block, WEFT_Q4_0, t->panel);
    ADD("unary (gelu)", unary, 0, t->flat_block, 4, 0);
    ADD("binary (add)", binary, 0, t->flat_block, 0);
    ADD("matmul_any", matmul_any, 0, 64);
}

/* ---- statistics ---- */

typedef struct row { double vgpr, sgpr, spills, scratch, lds, code, waves; bool any; } row;

static double number(const VkPipelineExecutableStatisticKHR *s)
{
    switch ((int)s->format) {
    case VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_INT64_KHR: return (double)s->value.i64;
    case VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_UINT64_KHR: return (double)s->value.u64;
    case VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_FLOAT64_KHR: return s->value.f64;
    default: return s->value.b32;
    }
}

static void take(row *r, const VkPipelineExecutableStatisticKHR *s)
{
    const char *n = s->name;
    double v = number(s);
    r->any = true;
    if (!strcmp(n, "VGPRs")) r->vgpr = v;
    else if (!strcmp(n, "SGPRs")) r->sgpr = v;
    else if (strstr(n, "pilled") || strstr(n, "Spill") || strstr(n, "spill") || strstr(n, "fill")) r->spills += v;
    else if (strstr(n, "cratch")) r->scratch = v;
    else if (strstr(n, "LDS") || strstr(n, "shared")) r->lds = v;
    else if (!strcmp(n, "Code size")) r->code = v;
    else if (strstr(n, "Subgroups per SIMD")) r->waves = v;
}

static row read_statistics(vk_backend *vk, VkPipeline p)
{
    row r = { 0 };
    VkPipelineExecutableInfoKHR info = { .sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_INFO_KHR, .pipeline = p };
    VkPipelineExecutableStatisticKHR s[MAX_STATISTICS];
    uint32_t n = MAX_STATISTICS;
    for (uint32_t i = 0; i < n; i++)
        s[i] = (VkPipelineExecutableStatisticKHR){ .sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_STATISTIC_KHR };
    if (vk->api.GetPipelineExecutableStatisticsKHR(vk->device, &info, &n, s) < 0) return r;
    for (uint32_t i = 0; i < n; i++) take(&r, &s[i]);
    return r;
}

/* ---- the device, as far as pipelines need it ---- */

static weft_status open_compiler(vk_backend *vk, weft_error *err)
{
    WEFT_TRY(vk_options_parse("0", "statistics=1", &vk->options, err));
    WEFT_TRY(vk_instance_create(vk, err));
    WEFT_TRY(vk_device_pick(vk, err));
    WEFT_TRY(vk_device_create(vk, err));
    WEFT_TRY(vk_api_load_device(&vk->api, vk->device, err));
    WEFT_TRY(vk_layouts_create(vk, err));
    return vk_pipelines_create(vk, err);
}

static void print_row(const variant *v, const row *r)
{
    printf("| %s | %.0f | %.0f | %.0f | %.0f | %.0f | %.0f | %.0f |\n", v->name, r->vgpr, r->sgpr, r->spills,
           r->scratch, r->lds, r->code, r->waves);
}

int main(int argc, char **argv)
{
    static vk_backend vk; /* left open: null hardware has nothing to close properly */
    weft_error err;
    bool table = argc > 1 && !strcmp(argv[1], "--table");
    uint32_t bad = 0, told = 0;
    weft_status s = open_compiler(&vk, &err);
    if (s || !vk.api.GetPipelineExecutableStatisticsKHR) {
        printf("skipped: %s\n", s ? err.text : "the driver tells no statistics");
        return 77;
    }
    list_variants(&vk.facts);
    if (table)
        printf("## %s, %s\n\n| kernel | VGPRs | SGPRs | spills | scratch | LDS | code | waves per SIMD |\n"
               "|---|---|---|---|---|---|---|---|\n", vk.properties.deviceName, vk.driver.driverInfo);
    for (uint32_t i = 0; i < n_variants; i++) {
        VkPipeline p;
        if (vk_pipelines_get(&vk, &variants[i].key, 1, &p, &err)) {
            printf("%s: %s\n", variants[i].name, err.text);
            bad++;
            continue;
        }
        row r = read_statistics(&vk, p);
        told += r.any;
        if (table) print_row(&variants[i], &r);
        if (r.spills > 0 || r.scratch > 0) {
            printf("%s: %.0f spills, %.0f bytes of scratch\n", variants[i].name, r.spills, r.scratch);
            bad++;
        }
    }
    printf("%s: %u kernels, %u with faults\n", vk.properties.deviceName, n_variants, bad);
    fflush(stdout);
    _Exit(bad ? 1 : told ? 0 : 77);
}
