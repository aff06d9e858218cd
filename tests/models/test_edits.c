/* test_edits.c: a model's text, as it is printed and as one writes it by hand (llama.weft), edited as people edit it,
 * by a script of places and what stands there instead; each edit is made in C, too, by a definition of the same model,
 * and both give the same bits. Edits that do not fit the files, or mean nothing, are told with line, column and the
 * line itself. */
#include <stdlib.h>

#include "models/blocks.h"
#include "models/model.h"
#include "tests/checkpoint/temp.h"
#include "tests/oom.h"
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

static void read_by_hand(char *out)
{
    FILE *f = fopen(WEFT_TEST_ROOT "/tests/models/llama.weft", "rb");
    size_t n = f ? fread(out, 1, MOST_TEXT - 1, f) : 0;
    out[n] = 0;
    CHECK(n > 0 && n < MOST_TEXT - 1);
    if (f) fclose(f);
}

/* The place of each change is there once. */
static bool apply(char *text, const change *changes)
{
    static char rest[MOST_TEXT];
    for (size_t i = 0; i < MOST_CHANGES && changes[i].from; i++) {
        unsigned n = 0;
        for (char *at = text; (at = strstr(at, changes[i].from)); n++) {
            strcpy(rest, at + strlen(changes[i].from));
            if (!CHECK(strlen(text) + strlen(changes[i].to) < MOST_TEXT)) return false;
            strcpy(at, changes[i].to);
            at += strlen(at);
            strcat(at, rest);
        }
        if (!CHECK_EQ_INT(n, 1)) return printf("  '%s'\n", changes[i].from), false;
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

/* The text that the library prints of the model. */
static void read_printed(char *out)
{
    weft_model *m = NULL;
    weft_text text = { 0 };
    const weft_writer w = weft_text_writer(&text);
    *out = 0;
    if (CHECK_OK(weft_model_open(temp_path(&folder, "made"), NULL, &m, &err), err) &&
        CHECK_OK(weft_model_print_text(m, &w, &err), err) && CHECK(text.size < MOST_TEXT))
        strcpy(out, text.data);
    weft_text_free(&text);
    weft_model_close(m);
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

typedef struct edit {
    const char *name;
    change before[MOST_CHANGES], edit[MOST_CHANGES]; /* what makes the text that is edited; the edit */
    variant was, is;
} edit;

#define HEAD "if not tied {\n    %head = weight \"lm_head.weight\" : any[vocab_size, E]\n}\n"
static const edit by_hand[] = {
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

#define HEAD_LINE "    %w = weight \"weight\" : any[vocab_size, hidden_size]\n"
static const edit of_printed[] = {
    { "another activation",
      .edit = { { "act = hidden_act", "act = gelu_tanh" } }, .is.act = WEFT_ACT_GELU_TANH },
    { "a dropped layer",
      .edit = { { "in 0..num_hidden_layers {", "in 0..num_hidden_layers - 1 {" },
                { "output \"hidden.{num_hidden_layers}\"", "output \"hidden.{num_hidden_layers - 1}\"" } },
      .is.dropped = 1 },
    { "a moved residual",
      .edit = { { "%x = add %x, %o\n", "%r = add %x, %o\n" }, { "%x = add %x, %down", "%x = add %r, %down" } },
      .is.parallel = true },
    { "a norm swapped",
      .edit = { { "rms_norm %x", "layer_norm %x" } }, .is.layer_norm = true },
    { "a window on every second layer",
      .edit = { { "sqrt(head_dim)}", "sqrt(head_dim), window = i % 2 == 1 ? 3 : 0}" } }, .is.window = 3 },
    { "tied heads untied",
      .before = { { HEAD_LINE, "" }, { "%logits = matmul_nt %n, %w", "%logits = matmul_nt %n, %embed" } },
      .was.tied = true,
      .edit = { { "scope \"lm_head\" {\n", "scope \"lm_head\" {\n" HEAD_LINE },
                { "%logits = matmul_nt %n, %embed", "%logits = matmul_nt %n, %w" } } },
    { "another base of rotations",
      .edit = { { "theta = rope_theta}", "theta = 100}" } }, .is.theta = 100 },
};

/* Both texts, before and behind the edit, beside their definitions in C. */
static void run_edit(const edit *e, char *text)
{
    static float was[TOKENS * VOCAB], is[TOKENS * VOCAB], wanted[TOKENS * VOCAB];
    bool ok = apply(text, e->before) && eval_text(text, was) && eval_variant(&e->was, wanted) &&
              CHECK(!memcmp(was, wanted, sizeof was)) && apply(text, e->edit) && eval_text(text, is) &&
              eval_variant(&e->is, wanted) && CHECK(!memcmp(is, wanted, sizeof is)) &&
              CHECK(memcmp(is, was, sizeof is) != 0);
    if (!ok) printf("  %s\n", e->name);
}

static void edits_are_the_same_in_text_and_in_c(void)
{
    static char text[MOST_TEXT];
    if (!begin()) return;
    for (size_t i = 0; i < sizeof by_hand / sizeof *by_hand; i++) {
        read_by_hand(text);
        run_edit(&by_hand[i], text);
    }
    for (size_t i = 0; i < sizeof of_printed / sizeof *of_printed; i++) {
        read_printed(text);
        run_edit(&of_printed[i], text);
    }
    temp_remove(&folder);
}

/* ---- edits that do not fit ---- */

typedef struct fault {
    const char *name;
    change edit[MOST_CHANGES];
    weft_status status;
    const char *line; /* that is shown, as it begins in the edited text */
    int column;
    const char *says, *used; /* and the line from which its block is used, as it begins; NULL: no block */
} fault;

static const fault faults_by_hand[] = {
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

static const fault faults_of_printed[] = {
    { "a wider MLP with the weights of a narrow one",
      { { "\"gate_proj\", n_out = intermediate_size,", "\"gate_proj\", n_out = 2 * intermediate_size," } }, WEFT_SHAPE,
      "        %w = weight \"weight\" : any[n_out, n_in]", 9,
      "'model.layers.0.mlp.gate_proj.weight' is [48, 32], but the text makes it [96, 32]",
      "                %gate = project" },
    { "a misspelt name", { { "\"gate_proj\"", "\"gate_porj\"" } }, WEFT_NOT_FOUND,
      "        %w = weight \"weight\" : any[n_out, n_in]", 9, "no tensor model.layers.0.mlp.gate_porj.weight",
      "                %gate = project" },
    { "a wrong shape", { { "any[vocab_size, hidden_size]\n    %x", "any[hidden_size, vocab_size]\n    %x" } },
      WEFT_SHAPE, "    %embed = weight", 5,
      "'model.embed_tokens.weight' is [64, 32], but the text makes it [32, 64]", NULL },
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

static void run_fault(const fault *f, char *text)
{
    char place[64], line[160];
    weft_model *m;
    if (!apply(text, f->edit)) return;
    const weft_model_desc d = { .text = text, .n_text = strlen(text), .text_origin = "llama.weft" };
    bool ok = CHECK_STATUS(weft_model_open(temp_path(&folder, "made"), &d, &m, &err), f->status, err);
    const char *at = strstr(text, f->line);
    snprintf(place, sizeof place, "llama.weft:%d:%d: ", find_line(text, f->line), f->column);
    snprintf(line, sizeof line, "%.*s", at ? (int)strcspn(at, "\n") : 0, at ? at : "");
    ok = ok && CHECK(!strncmp(err.text, place, strlen(place))) && CHECK_CONTAINS(err.text, line + strspn(line, " ")) &&
         CHECK_CONTAINS(err.text, f->says);
    snprintf(place, sizeof place, "line %d", f->used ? find_line(text, f->used) : 0);
    ok = ok && (!f->used || CHECK_CONTAINS(err.text, place));
    if (!ok) printf("  %s (%s): %s\n", f->name, place, err.text);
}

static void edits_that_do_not_fit_are_shown(void)
{
    static char text[MOST_TEXT];
    if (!begin()) return;
    for (size_t i = 0; i < sizeof faults_by_hand / sizeof *faults_by_hand; i++) {
        read_by_hand(text);
        run_fault(&faults_by_hand[i], text);
    }
    for (size_t i = 0; i < sizeof faults_of_printed / sizeof *faults_of_printed; i++) {
        read_printed(text);
        run_fault(&faults_of_printed[i], text);
    }
    temp_remove(&folder);
}

/* ---- edits that nobody means ---- */

enum { LARGE = 16 << 20 }; /* bytes in one piece */
static size_t opened, refused;

/* An error that shows its place, or a model; nothing large is allocated for it. */
static void open_absurd(const char *text, const char *what)
{
    static const char *const paths[] = { "made", "config.json" }; /* with weights and without */
    for (int i = 0; i < 2; i++) {
        const weft_model_desc d = { .text = text, .n_text = strlen(text), .text_origin = "llama.weft" };
        weft_model *m;
        oom_arm(-1);
        weft_status s = weft_model_open(temp_path(&folder, paths[i]), &d, &m, &err);
        oom_disarm();
        bool ok = CHECK(oom_largest() < LARGE) && CHECK((m != NULL) == (s == WEFT_OK)) &&
                  (!s || CHECK(!strncmp(err.text, "llama.weft:", 11)));
        if (!ok) printf("  %s, %s: %s\n", what, paths[i], s ? err.text : "opens");
        if (s) refused++;
        opened++;
        weft_model_close(m);
    }
}

/* The text with n bytes from `at` on replaced. */
static void open_replaced(const char *text, const char *at, size_t n, const char *by)
{
    static char other[2 * MOST_TEXT];
    char what[160];
    snprintf(other, sizeof other, "%.*s%s%s", (int)(at - text), text, by, at + n);
    snprintf(what, sizeof what, "'%.*s' by '%.60s'", n < 60 ? (int)n : 60, at, by);
    open_absurd(other, what);
}

static void lines_lost_doubled_and_swapped(void)
{
    static char text[MOST_TEXT];
    char two[512];
    if (!begin()) return;
    read_by_hand(text);
    for (const char *at = text; *at;) {
        const size_t n = strcspn(at, "\n") + 1, next = strcspn(at + n, "\n") + 1;
        open_replaced(text, at, n, "");
        snprintf(two, sizeof two, "%.*s%.*s", (int)n, at, (int)n, at);
        open_replaced(text, at, n, two);
        snprintf(two, sizeof two, "%.*s%.*s", at[n] ? (int)next : 0, at + n, (int)n, at);
        if (at[n]) open_replaced(text, at, n + next, two);
        at += n;
    }
    temp_remove(&folder);
}

static bool is_word(char c)
{
    return c == '_' || c == '.' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Every number, name and value of the text. */
static void words_made_absurd(void)
{
    static const char *const by[] = { "0", "-1", "9223372036854775807", "1e300", "L", "x", "tokens", "\"\"", "%x",
                                      "{" };
    static char text[MOST_TEXT];
    if (!begin()) return;
    read_by_hand(text);
    opened = refused = 0;
    for (char *at = text; *at;) {
        size_t n = 0;
        while (is_word(at[n])) n++;
        for (size_t i = 0; n && i < sizeof by / sizeof *by; i++) open_replaced(text, at, n, by[i]);
        at += n ? n : 1;
    }
    CHECK(refused > opened / 2);
    temp_remove(&folder);
}

static const weft_test tests[] = {
    { "edits are the same in text and in C", edits_are_the_same_in_text_and_in_c },
    { "edits that do not fit are shown", edits_that_do_not_fit_are_shown },
    { "lines lost, doubled and swapped", lines_lost_doubled_and_swapped },
    { "words made absurd", words_made_absurd },
};
TEST_MAIN(tests)
