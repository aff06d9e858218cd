/* test_gguf_scales.c: factors beside the matrices of a GGUF file (models/gguf_scales.h) that are not what they should
 * be: errors that name the tensor. That right ones are multiplied with is test_gguf.c's: gpt_oss-nvfp4,
 * qwen3_moe-nvfp4. */
#include <math.h>
#include <stdlib.h>

#include "gguf_golden.h"
#include "models/checkpoint/gguf_out.h"
#include "models/convert.h"
#include "models/quantize/quantize.h"

static weft_error err;

enum { MOST = 64, ROOM = 64 };

/* A file in which one tensor is another one; NULL, 0: as it was. */
typedef struct change {
    const char *tensor, *name, *type;
    uint32_t rank;
    uint64_t dims[2];
    float value; /* of all its numbers */
    weft_status status;
    const char *says;
} change;

typedef struct source {
    const weft__file_tensor *from; /* NULL: made */
    float made[ROOM];
} source;

static weft_status fill(void *ctx, size_t index, uint64_t offset, void *out, size_t n, weft_error *e)
{
    const source *s = (const source *)ctx + index;
    (void)e;
    memcpy(out, (const char *)(s->from ? s->from->data : s->made) + offset, n);
    return WEFT_OK;
}

static void alter(const change *c, const weft__file_tensor *t, weft__file_tensor *made, source *s)
{
    *made = *t;
    s->from = t;
    if (strcmp(t->name, c->tensor) != 0) return;
    if (c->name) made->name = c->name;
    if (!c->type) return;
    made->dtype = weft__file_dtype_find(c->type);
    made->rank = c->rank;
    memcpy(made->dims, c->dims, sizeof c->dims);
    s->from = NULL;
    for (int i = 0; i < ROOM; i++) s->made[i] = c->value;
}

/* The golden's file with the change, as x.gguf. */
static bool write_altered(const golden *g, const change *c)
{
    static weft__file_tensor made[MOST];
    static source from[MOST];
    weft__gguf_file *f = NULL;
    weft__gguf_kv kv = { 0 };
    const weft__gguf_value *v;
    size_t n, changed = 0;
    if (!CHECK_OK(weft__gguf_open(temp_path(&g->folder, "model.gguf"), &f, &err), err)) return false;
    for (size_t i = 0; (v = weft__gguf_at(f, i)); i++) weft__gguf_put_copy(&kv, v);
    const weft__file_tensor *t = weft__gguf_tensors(f, &n);
    for (size_t i = 0; i < n && CHECK(n <= MOST); i++) {
        alter(c, &t[i], &made[i], &from[i]);
        changed += !strcmp(t[i].name, c->tensor);
    }
    const weft__gguf_write_desc d = { .path = temp_path(&g->folder, "x.gguf"), .values = &kv, .tensors = made,
                                      .n_tensors = n, .fill = fill, .ctx = from };
    weft_status s = CHECK(changed == 1) ? weft__gguf_write(&d, &err) : WEFT_INVALID;
    weft__gguf_kv_free(&kv);
    weft__gguf_close(f);
    return CHECK_OK(s, err);
}

/* A model of it is opened, and runs a token; its first logit. */
static weft_status run(const golden *g, float *first)
{
    float logits[GOLDEN_VOCAB];
    weft_model *m;
    weft_session *s = NULL;
    weft_backend *b = NULL;
    const weft_batch_token token = { .id = g->prompt[0], .wants = WEFT_WANT_LOGITS };
    err.text[0] = 0;
    WEFT_TRY(weft_model_open(temp_path(&g->folder, "x.gguf"), NULL, &m, &err));
    weft_status status = weft_backend_open("cpu,threads=1", &b, &err);
    if (!status) status = weft_session_create(m, &(weft_session_desc){ .devices = &b, .n_devices = 1 }, &s, &err);
    if (!status) status = weft_session_eval(s, &token, 1, &(weft_rows){ .logits = logits }, &err);
    *first = status ? NAN : *logits;
    weft_session_destroy(s);
    weft_backend_close(b);
    weft_model_close(m);
    return status;
}

static void what_is_no_factor_is_refused(void)
{
    static const change rows[] = {
        { "blk.0.attn_q.scale", NULL, "F32", 1, { 2 }, 1, WEFT_SHAPE, "attn_q.scale" },
        { "blk.0.attn_q.scale", NULL, "F32", 1, { 64 }, 1, WEFT_SHAPE, "attn_q.scale" },
        { "blk.0.attn_q.scale", NULL, "F32", 2, { 1, 1 }, 1, WEFT_SHAPE, "attn_q.scale" },
        { "blk.0.attn_q.scale", NULL, "F16", 1, { 1 }, 0, WEFT_UNSUPPORTED, "attn_q.scale" },
        { "blk.0.attn_q.scale", NULL, "I32", 1, { 1 }, 0, WEFT_UNSUPPORTED, "attn_q.scale" },
        { "blk.0.attn_q.scale", NULL, "F32", 1, { 1 }, NAN, WEFT_NOT_FINITE, "" },
        { "blk.0.attn_v.bias", "blk.0.attn_v.scale", NULL, 0, { 0 }, 0, WEFT_SHAPE, "attn_v.scale" },
        { "blk.0.attn_q.scale", "blk.0.attn_norm.scale", NULL, 0, { 0 }, 0, WEFT_UNSUPPORTED, "attn_norm.scale" },
        { "blk.0.attn_q.scale", "token_embd.scale", NULL, 0, { 0 }, 0, WEFT_UNSUPPORTED, "token_embd.scale" },
        { "blk.0.attn_q.scale", "blk.7.attn_q.scale", NULL, 0, { 0 }, 0, WEFT_UNSUPPORTED, "blk.7.attn_q.scale" },
        { "blk.0.attn_q.scale", ".scale", NULL, 0, { 0 }, 0, WEFT_UNSUPPORTED, "'.scale'" },
        { "blk.0.ffn_up_exps.scale", NULL, "F32", 1, { 1 }, 1, WEFT_SHAPE, "ffn_up_exps.scale" },
        { "blk.0.ffn_up_exps.scale", NULL, "F32", 2, { 5, 2 }, 1, WEFT_SHAPE, "ffn_up_exps.scale" },
        { "blk.0.ffn_down_exps.scale", NULL, "F32", 1, { 6 }, 1, WEFT_SHAPE, "ffn_down_exps.scale" },
        { "blk.0.ffn_gate_exps.scale", NULL, "F16", 1, { 5 }, 0, WEFT_UNSUPPORTED, "ffn_gate_exps.scale" },
        { "blk.0.ffn_down_exps.scale", NULL, "F32", 1, { 5 }, INFINITY, WEFT_NOT_FINITE, "" },
    };
    golden g;
    float first;
    bool made = gguf_golden_open(&g, "gguf/gpt_oss-nvfp4.json");
    for (size_t i = 0; made && i < sizeof rows / sizeof *rows; i++) {
        if (!write_altered(&g, &rows[i])) break;
        bool ok = CHECK_STATUS(run(&g, &first), rows[i].status, err) && CHECK_CONTAINS(err.text, rows[i].says);
        if (!ok) printf("  row %zu: %s: %s\n", i, rows[i].tensor, err.text);
    }
    golden_close(&g);
}

static float first_logit(const golden *g, const change *c)
{
    float x = NAN;
    if (write_altered(g, c)) CHECK_OK(run(g, &x), err);
    return x;
}

/* A tensor may have no factors, also one of two that make a weight; 1 changes nothing, another one does. */
static void none_is_one(void)
{
    static const char *const names[] = { "blk.0.ffn_gate_exps.scale", "blk.0.ffn_up_exps.scale",
                                         "blk.0.ffn_down_exps.scale", "blk.0.attn_output.scale", "output.scale" };
    golden g;
    bool made = gguf_golden_open(&g, "gguf/gpt_oss-nvfp4.json");
    for (size_t i = 0; made && i < sizeof names / sizeof *names; i++) {
        const uint64_t n = i < 3 ? 5 : 1;
        change c = { .tensor = names[i], .type = "F32", .rank = 1, .dims = { n }, .value = 1 };
        const float one = first_logit(&g, &c);
        c.value = 3;
        const float three = first_logit(&g, &c);
        const float none = first_logit(&g, &(change){ .tensor = names[i], .name = "x.input_scale" });
        if (!CHECK(one == none && one != three)) printf("  %s: %g %g %g\n", names[i], one, none, three);
    }
    golden_close(&g);
}

/* A GGUF file that is written of one has them, too; a folder cannot. */
static void they_stay_in_files(void)
{
    static const weft_quantize_desc to = { .weights = "q8_0" };
    golden g;
    weft_model *m = NULL;
    weft__gguf_file *f = NULL;
    size_t n = 0;
    if (gguf_golden_open(&g, "gguf/gpt_oss-nvfp4.json") &&
        CHECK_OK(weft_model_open(temp_path(&g.folder, "model.gguf"), NULL, &m, &err), err)) {
        CHECK_STATUS(weft_model_convert(m, temp_path(&g.folder, "x"), NULL, &err), WEFT_UNSUPPORTED, err);
        CHECK_CONTAINS(err.text, ".scale");
        CHECK_OK(weft_model_quantize(m, temp_path(&g.folder, "x.gguf"), &to, &err), err);
        CHECK_OK(weft__gguf_open(temp_path(&g.folder, "x.gguf"), &f, &err), err);
        const weft__file_tensor *t = f ? weft__gguf_tensors(f, &n) : NULL, *scale = t ?
                                     weft__file_tensor_find(t, n, "blk.0.ffn_up_exps.scale") : NULL;
        CHECK(scale && scale->rank == 1 && scale->dims[0] == 5 && scale->dtype->type == WEFT_F32);
    }
    weft__gguf_close(f);
    weft_model_close(m);
    golden_close(&g);
}

static const weft_test tests[] = {
    { "they_stay_in_files", they_stay_in_files },
    { "what_is_no_factor_is_refused", what_is_no_factor_is_refused },
    { "none_is_one", none_is_one },
};
TEST_MAIN(tests)
