/* test_reflect.c: what the embedded SPIR-V says of bindings, block layouts and specialization constants, against
 * the C side (shaders/params.h). A small reader of the few SPIR-V instructions that tell it (Khronos, SPIR-V
 * specification 2). */
#include "tests/test.h"

#include "backends/vulkan/shaders.h"
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
        if (s) CHECK(s == 2 || s == 4 || s == 16 || s == sizeof(weft_tensor_params) || s == sizeof(weft_job_params));
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
        bool matrix = i == WEFT_SHADER_matmul_coop || i == WEFT_SHADER_roof_matrix;
        if (matrix && !m.shader->n_words) continue; /* built with an old glslang */
        if (!CHECK(m.shader->n_words > 5) || !CHECK_EQ_INT(m.shader->code[0], 0x07230203)) continue;
        read_names();
        check_blocks();
        check_decorations();
        if (weft_test_now.failures > before) printf("  in shader %s\n", m.shader->name);
    }
}

static void sizes(void)
{
    CHECK_EQ_INT(sizeof(weft_params), 16 + WEFT_MAX_JOBS * sizeof(weft_job_params));
    CHECK(sizeof(weft_params) <= 16384); /* what every device binds as a uniform buffer */
    CHECK(WEFT_MAX_IN + WEFT_MAX_OUT <= 30);
}

static const weft_test tests[] = { { "modules", modules }, { "sizes", sizes } };
TEST_MAIN(tests)
