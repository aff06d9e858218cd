/* test_edits.c: a model's text, edited as people edit it, by a script of places and what stands there instead; each
 * edit is made in C, too, by a definition of the same model, and both give the same bits. Edits that do not fit the
 * files, or mean nothing, are told with line, column and the line itself. */
#include <stdlib.h>

#include "models/blocks.h"
#include "models/model.h"
#include "tests/checkpoint/temp.h"
#include "tests/test.h"

static weft_error err;

enum { VOCAB = 64, MOST_TEXT = 1 << 14, TOKENS = 12 };

static const char config[] =
    "{\"architectures\": [\"LlamaForCausalLM\"], \"model_type\": \"llama\", \"vocab_size\": 64, \"hidden_size\": 32,\n"
    "\"intermediate_size\": 48, \"num_hidden_layers\": 3, \"num_attention_heads\": 4, \"num_key_value_heads\": 2,\n"
    "\"max_position_embeddings\": 64, \"rms_norm_eps\": 1e-5, \"rope_theta\": 10000.0, \"hidden_act\": \"silu\",\n"
    "\"tie_word_embeddings\": false, \"initializer_range\": 0.3}";

/* ---- the model in C ---- */

/* What is otherwise in it. */
typedef struct variant {
    weft_act act; /* NONE: the configuration's */
    uint32_t dropped; /* layers at the end */
    bool parallel, layer_norm, tied;
    uint32_t window; /* of every second layer */
    float theta;
} variant;
static const variant *now;

static weft_ref layer(weft_net *x, weft_ref in, uint32_t i)
{
    const weft_block_attention_desc how = { .rotary = &x->rotary, .window = i % 2 ? now->window : 0 };
    weft_ref y = weft_block_self_attention(x, weft_block_norm(x, in, "input_layernorm"), &how);
    weft_ref r = weft_add(x->g, in, y);
    y = weft_block_norm(x, now->parallel ? in : r, "post_attention_layernorm");
    return weft_add(x->g, r, weft_block_gated_mlp(x, y, false));
}

static void build(weft_graph *g, const weft_config *c, const weft_model_inputs *in, void *ctx)
{
    weft_net x;
    (void)ctx;
    weft_net_read_decoder(&x, g, c, in);
    x.L -= now->dropped;
    x.tied = now->tied;
    if (now->act) x.act = now->act;
    if (now->layer_norm) x.norm.kind = WEFT_NORM_LAYER;
    if (now->theta > 0)
        x.rotary.angles = weft_rope_table(g, in->pos, &(weft_rope_desc){ .n_rot = x.D, .theta = now->theta });
    weft_block_logits(&x, weft_block_decoder(&x, layer));
}

/* ---- the model as text ---- */

typedef struct change { const char *from, *to; } change;
enum { MOST_CHANGES = 4 };

static void read_text(char *out)
{
    FILE *f = fopen(WEFT_TEST_ROOT "/tests/models/llama.weft", "rb");
    size_t n = f ? fread(out, 1, MOST_TEXT - 1, f) : 0;
    out[n] = 0;
    CHECK(n > 0 && n < MOST_TEXT - 1);
    if (f) fclose(f);
}

/* Each change's place is there once. */
static bool apply(char *text, const change *changes)
{
    static char rest[MOST_TEXT];
    for (size_t i = 0; i < MOST_CHANGES && changes[i].from; i++) {
        char *at = strstr(text, changes[i].from);
        bool once = at && !strstr(at + 1, changes[i].from);
        if (!CHECK(once)) return printf("  '%s'\n", changes[i].from), false;
        strcpy(rest, at + strlen(changes[i].from));
        if (!CHECK(strlen(text) + strlen(changes[i].to) < MOST_TEXT)) return false;
        strcpy(at, changes[i].to);
        strcat(text, rest);
    }
    return true;
}

/* ---- both ---- */

static temp_folder folder;

static bool begin(void)
{
    char made[TEMP_PATH];
    folder = temp_make();
    temp_write_text(&folder, "config.json", config);
    snprintf(made, sizeof made, "%s", temp_path(&folder, "made"));
    return CHECK_OK(weft_model_init(temp_path(&folder, "config.json"), NULL, made, WEFT_F32, 7, 0, NULL, &err), err);
}

/* Logits of every token. */
static bool eval(const weft_model_desc *desc, float *out)
{
    weft_batch_token t[TOKENS];
    weft_model *m = NULL;
    weft_backend *cpu = NULL;
    weft_session *s = NULL;
    weft_session_desc d = { .devices = &cpu, .n_devices = 1 };
    for (int i = 0; i < TOKENS; i++) t[i] = (weft_batch_token){ (i * 29 + 5) % VOCAB, 0, WEFT_WANT_LOGITS };
    memset(out, 0, TOKENS * VOCAB * sizeof *out);
    bool ok = CHECK_OK(weft_model_open(temp_path(&folder, "made"), desc, &m, &err), err) &&
              CHECK_OK(weft_backend_open("cpu,threads=1", &cpu, &err), err) &&
              CHECK_OK(weft_session_create(m, &d, &s, &err), err) &&
              CHECK_OK(weft_session_eval(s, t, TOKENS, &(weft_rows){ .logits = out }, &err), err);
    weft_session_destroy(s);
    weft_backend_close(cpu);
    weft_model_close(m);
    return ok;
}

static bool eval_text(const char *text, float *out)
{
    return eval(&(weft_model_desc){ .text = text, .n_text = strlen(text), .text_origin = "llama.weft" }, out);
}

static bool eval_variant(const variant *v, float *out)
{
    static const weft_model_definition d = { "LlamaForCausalLM", NULL, WEFT_HEAD_LOGITS, build, NULL };
    now = v;
    return eval(&(weft_model_desc){ .graph = &d }, out);
}

#define HEAD "if not tied {\n    %head = weight \"lm_head.weight\" : any[vocab_size, E]\n}\n"
static const struct {
    const char *name;
    change before[MOST_CHANGES], edit[MOST_CHANGES]; /* what makes the text that is edited; the edit */
    variant was, is;
} edits[] = {
    { "another activation",
      .edit = { { "act = hidden_act", "act = gelu_tanh" } }, .is.act = WEFT_ACT_GELU_TANH },
    { "a dropped layer",
      .edit = { { "in 0..L {", "in 0..L - 1 {" }, { "if i + 1 < L {", "if i + 2 < L {" },
                { "output \"hidden.{L}\"", "output \"hidden.{L - 1}\"" } },
      .is.dropped = 1 },
    { "a moved residual",
      .edit = { { "norm %r {name = \"post", "norm %x {name = \"post" } }, .is.parallel = true },
    { "a norm swapped",
      .edit = { { "rms_norm %x", "layer_norm %x" } }, .is.layer_norm = true },
    { "a window on every second layer",
      .edit = { { "{window = 0}", "{window = i % 2 == 1 ? 3 : 0}" } }, .is.window = 3 },
    { "tied heads untied",
      .before = { { HEAD, "" } }, .was.tied = true,
      .edit = { { "%head = %embed\n", "%head = weight \"lm_head.weight\" : any[vocab_size, E]\n" } } },
    { "another base of rotations",
      .edit = { { "theta = theta}", "theta = 100}" } }, .is.theta = 100 },
};

static void edits_are_the_same_in_text_and_in_c(void)
{
    static char text[MOST_TEXT];
    static float was[TOKENS * VOCAB], is[TOKENS * VOCAB], wanted[TOKENS * VOCAB];
    if (!begin()) return;
    for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
        read_text(text);
        bool ok = apply(text, edits[i].before) && eval_text(text, was) && eval_variant(&edits[i].was, wanted) &&
                  CHECK(!memcmp(was, wanted, sizeof was)) && apply(text, edits[i].edit) && eval_text(text, is) &&
                  eval_variant(&edits[i].is, wanted) && CHECK(!memcmp(is, wanted, sizeof is)) &&
                  CHECK(memcmp(is, was, sizeof is) != 0);
        if (!ok) printf("  %s\n", edits[i].name);
    }
    temp_remove(&folder);
}

/* ---- edits that do not fit ---- */

static const struct {
    const char *name;
    change edit[MOST_CHANGES];
    weft_status status;
    const char *line; /* that is shown, as it begins in the edited text */
    int column;
    const char *says, *used; /* and the line from which its block is used, as it begins; NULL: no block */
} faults[] = {
    { "a wider MLP with the weights of a narrow one", { { "\"gate_proj\", n = F,", "\"gate_proj\", n = 2 * F," } },
      WEFT_SHAPE, "    %w = weight \"{name}.weight\" : any[n, m]", 5,
      "'model.layers.0.mlp.gate_proj.weight' is [48, 32], but the text makes it [96, 32]", "        %gate = project" },
    { "a misspelt name", { { "\"gate_proj\"", "\"gate_porj\"" } }, WEFT_NOT_FOUND,
      "    %w = weight \"{name}.weight\" : any[n, m]", 5, "no tensor model.layers.0.mlp.gate_porj.weight",
      "        %gate = project" },
    { "a wrong shape", { { "any[vocab_size, E]\n    %x", "any[E, vocab_size]\n    %x" } }, WEFT_SHAPE,
      "    %embed = weight", 5, "'model.embed_tokens.weight' is [64, 32], but the text makes it [32, 64]", NULL },
    { "a shape that is none", { { "dims = [tokens, n, D]", "dims = [tokens, n, D + 1]" } }, WEFT_SHAPE,
      "    %y = reshape %y {dims = [tokens, n, D + 1]}", 5, "reshape", "        %q = heads" },
    { "a misspelt parameter", { { "any[vocab_size, E]\n    %x", "any[vocabsize, E]\n    %x" } }, WEFT_FORMAT,
      "    %embed = weight", 49, "'vocabsize' (did you mean 'vocab_size'?)", NULL },
};

/* The number of the line that begins so; 0: none does. */
static int find_line(const char *text, const char *begin)
{
    int n = 1;
    for (const char *at = text; at; n++) {
        if (!strncmp(at, begin, strlen(begin))) return n;
        at = strchr(at, '\n');
        at = at ? at + 1 : NULL;
    }
    return 0;
}

static void edits_that_do_not_fit_are_shown(void)
{
    static char text[MOST_TEXT];
    char place[64], line[160];
    if (!begin()) return;
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        weft_model *m;
        read_text(text);
        if (!apply(text, faults[i].edit)) continue;
        const weft_model_desc d = { .text = text, .n_text = strlen(text), .text_origin = "llama.weft" };
        bool ok = CHECK_STATUS(weft_model_open(temp_path(&folder, "made"), &d, &m, &err), faults[i].status, err);
        const char *at = strstr(text, faults[i].line);
        snprintf(place, sizeof place, "llama.weft:%d:%d: ", find_line(text, faults[i].line), faults[i].column);
        snprintf(line, sizeof line, "%.*s", at ? (int)strcspn(at, "\n") : 0, at ? at : "");
        ok = ok && CHECK(!strncmp(err.text, place, strlen(place))) &&
             CHECK_CONTAINS(err.text, line + strspn(line, " ")) && CHECK_CONTAINS(err.text, faults[i].says);
        snprintf(place, sizeof place, "line %d", faults[i].used ? find_line(text, faults[i].used) : 0);
        ok = ok && (!faults[i].used || CHECK_CONTAINS(err.text, place));
        if (!ok) printf("  %s (%s): %s\n", faults[i].name, place, err.text);
    }
    temp_remove(&folder);
}

static const weft_test tests[] = {
    { "edits are the same in text and in C", edits_are_the_same_in_text_and_in_c },
    { "edits that do not fit are shown", edits_that_do_not_fit_are_shown },
};
TEST_MAIN(tests)
