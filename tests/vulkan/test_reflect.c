/* test_reflect.c: what the embedded SPIR-V says of bindings, block layouts and specialization constants, against
 * the C side (shaders/params.h). A small reader of the few SPIR-V instructions that tell it (Khronos, SPIR-V
 * specification 2). */
#include "tests/test.h"

#include "backends/gpu/shaders.h"
#include "shaders/params.h"

#include <stddef.h>

enum { OP_NAME = 5, OP_DECORATE = 71, OP_MEMBER_DECORATE = 72 };
enum { SPEC_ID = 1, ARRAY_STRIDE = 6, BINDING = 33, DESCRIPTOR_SET = 34, OFFSET = 35 };
enum { MAX_IDS = 20000, MAX_MEMBERS = 8 };

typedef struct module {
    const weft_shader *shader;
    const char *name[MAX_IDS];
    uint32_t offset[MAX_IDS][MAX_MEMBERS]; /* +1; 0: none */
    uint32_t stride[MAX_IDS];
} module;

static module m;

static void read_names(void)
{
    const uint32_t *w = m.shader->code;
    for (uint32_t i = 5; i < m.shader->n_words && (w[i] >> 16); i += w[i] >> 16) {
        uint32_t op = w[i] & 0xffff;
        if (op == OP_NAME && w[i + 1] < MAX_IDS) m.name[w[i + 1]] = (const char *)&w[i + 2];
        if (op == OP_MEMBER_DECORATE && w[i + 3] == OFFSET && w[i + 2] < MAX_MEMBERS && w[i + 1] < MAX_IDS)
            m.offset[w[i + 1]][w[i + 2]] = w[i + 4] + 1;
        if (op == OP_DECORATE && w[i + 2] == ARRAY_STRIDE && w[i + 1] < MAX_IDS) m.stride[w[i + 1]] = w[i + 3];
    }
}

static bool named(uint32_t id, const char *name)
{
    return id < MAX_IDS && m.name[id] && !strcmp(m.name[id], name);
}

static void check_struct(uint32_t id, const uint32_t *offsets, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) CHECK_EQ_INT(m.offset[id][i], offsets[i] + 1);
}

static void check_blocks(void)
{
    static const uint32_t tensor[] = {
        offsetof(weft_tensor_params, dim_a),    offsetof(weft_tensor_params, dim_b),
        offsetof(weft_tensor_params, extent_a), offsetof(weft_tensor_params, extent_b),
        offsetof(weft_tensor_params, stride_a), offsetof(weft_tensor_params, stride_b) };
    static const uint32_t job[] = { offsetof(weft_job_params, groups), offsetof(weft_job_params, u0),
                                    offsetof(weft_job_params, u1),     offsetof(weft_job_params, u2),
                                    offsetof(weft_job_params, u3),     offsetof(weft_job_params, f0),
                                    offsetof(weft_job_params, f1),     offsetof(weft_job_params, t) };
    static const uint32_t params[] = { offsetof(weft_params, head), offsetof(weft_params, job) };
    for (uint32_t id = 0; id < MAX_IDS; id++) {
        if (named(id, "weft_tensor_params")) check_struct(id, tensor, 6);
        if (named(id, "weft_job_params")) check_struct(id, job, 8);
        if (named(id, "Params")) check_struct(id, params, 2);
        uint32_t s = m.stride[id];
        bool of_elements = s == 2 || s == 4 || s == 8 || s == 16;
        if (s) CHECK(of_elements || s == sizeof(weft_tensor_params) || s == sizeof(weft_job_params));
    }
}

/* Every binding is one of the four, in set 0; specialization constants are below WEFT_MAX_SPECS. */
static void check_decorations(void)
{
    const uint32_t *w = m.shader->code;
    uint32_t bindings = 0;
    for (uint32_t i = 5; i < m.shader->n_words && (w[i] >> 16); i += w[i] >> 16) {
        if ((w[i] & 0xffff) != OP_DECORATE) continue;
        if (w[i + 2] == DESCRIPTOR_SET) CHECK_EQ_INT(w[i + 3], 0);
        if (w[i + 2] == SPEC_ID) CHECK(w[i + 3] < WEFT_MAX_SPECS);
        if (w[i + 2] == BINDING && CHECK(w[i + 3] <= WEFT_BINDING_OUT)) bindings |= 1u << w[i + 3];
    }
    CHECK(bindings & 1u << WEFT_BINDING_PARAMS);
    CHECK(bindings & 1u << WEFT_BINDING_OUT);
}

static void modules(void)
{
    CHECK(WEFT_SHADER_COUNT <= 64);
    for (uint32_t i = 0; i < WEFT_SHADER_COUNT; i++) {
        unsigned before = weft_test_now.failures;
        memset(&m, 0, sizeof m);
        m.shader = &weft__shaders[i];
        if (!CHECK(m.shader->n_words > 5) || !CHECK_EQ_INT(m.shader->code[0], 0x07230203)) continue;
        read_names();
        check_blocks();
        check_decorations();
        if (weft_test_now.failures > before) printf("  in shader %s\n", m.shader->name);
    }
}

/* ---- what single kernels promise ---- */

/* Calls `see` for every instruction of a module until it returns false. */
static void each(weft_shader_id id, bool (*see)(const uint32_t *instruction, void *ctx), void *ctx)
{
    const weft_shader *s = &weft__shaders[id];
    for (uint32_t i = 5; i < s->n_words && (s->code[i] >> 16); i += s->code[i] >> 16)
        if (!see(s->code + i, ctx)) return;
}

typedef struct roundings { uint32_t packs, to_nearest; } roundings;

static bool see_rounding(const uint32_t *w, void *ctx)
{
    enum { OP_EXT_INST = 12, OP_EXECUTION_MODE = 16, PACK_HALF = 58, ROUNDING_MODE_RTE = 4462 };
    roundings *r = ctx;
    r->packs += (w[0] & 0xffff) == OP_EXT_INST && w[4] == PACK_HALF;
    r->to_nearest += (w[0] & 0xffff) == OP_EXECUTION_MODE && w[2] == ROUNDING_MODE_RTE && w[3] == 16;
    return true;
}

/* packHalf2x16 rounds as the driver likes. */
static void halves(void)
{
    roundings coop = { 0 }, in_shader = { 0 };
    each(WEFT_SHADER_matmul_coop, see_rounding, &coop);
    each(WEFT_SHADER_matmul_coop_in_shader, see_rounding, &in_shader);
    CHECK_EQ_INT(coop.packs, 0);
    CHECK_EQ_INT(coop.to_nearest, 1);
    CHECK_EQ_INT(in_shader.packs, 0);
}

typedef struct fences { bool before, open; uint32_t atomics, missing; } fences;

static bool see_fence(const uint32_t *w, void *ctx)
{
    enum { OP_CONTROL_BARRIER = 224, OP_MEMORY_BARRIER = 225, OP_ATOMIC_ADD = 234 };
    fences *f = ctx;
    switch (w[0] & 0xffff) {
    case OP_CONTROL_BARRIER:
        f->missing += f->open;
        f->before = f->open = false;
        break;
    case OP_MEMORY_BARRIER:
        f->before = true;
        f->open = false;
        break;
    case OP_ATOMIC_ADD:
        f->missing += !f->before;
        f->atomics++;
        f->before = false;
        f->open = true;
        break;
    default: break;
    }
    return true;
}

/* The counter by which splits hand over their parts: a fence between each barrier() and the atomic, on both sides. */
static void handover(void)
{
    static const weft_shader_id ids[] = { WEFT_SHADER_attention_split, WEFT_SHADER_attention_split_subgroup };
    for (uint32_t i = 0; i < 2; i++) {
        fences f = { 0 };
        each(ids[i], see_fence, &f);
        CHECK_EQ_INT(f.atomics, 1);
        CHECK_EQ_INT(f.missing + f.open, 0);
    }
}

static bool see_promise(const uint32_t *w, void *ctx)
{
    enum { RESTRICT = 19, ALIASED = 20 };
    uint32_t *n = ctx;
    n[0] += (w[0] & 0xffff) == OP_DECORATE && w[2] == RESTRICT;
    n[1] += (w[0] & 0xffff) == OP_DECORATE && w[2] == ALIASED;
    return true;
}

/* Shaders that may write over what they read promise nothing else. */
static void aliasing(void)
{
    uint32_t in_place = 0;
    for (uint32_t i = 0; i < WEFT_SHADER_COUNT; i++) {
        uint32_t n[2] = { 0 };
        each((weft_shader_id)i, see_promise, n);
        in_place += weft__shaders[i].in_place;
        CHECK(n[weft__shaders[i].in_place ? 0 : 1] == 0);
        if (weft__shaders[i].in_place) CHECK(n[1] >= 2);
    }
    CHECK(in_place >= 4); /* map, norm, softmax, move */
}

static void sizes(void)
{
    CHECK_EQ_INT(sizeof(weft_params), 16 + WEFT_MAX_JOBS * sizeof(weft_job_params));
    CHECK(sizeof(weft_params) <= 16384); /* what every device binds as a uniform buffer */
    CHECK(WEFT_MAX_IN + WEFT_MAX_OUT <= 30);
}

static const weft_test tests[] = { { "modules", modules },   { "halves", halves }, { "handover", handover },
                                   { "aliasing", aliasing }, { "sizes", sizes } };
TEST_MAIN(tests)
