/* test_convert.c: models from safetensors to GGUF and back: the same tensors, bit for bit, and the same files beside
 * them, or a refusal that says what the format has no way to say. */
#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "graph/convert.h"
#include "models/checkpoint/checkpoint_impl.h"
#include "models/checkpoint/gguf_out.h"
#include "models/convert.h"
#include "models/tokenizer/tokenizer.h"
#include "tests/checkpoint/temp.h"
#include "tests/models/killed.h"

#define REFERENCE WEFT_TEST_ROOT "/tests/reference/"

static weft_error err;

/* A random model of a configuration of tests/reference/arch, in the folder "model". */
static bool make(const temp_folder *t, const char *name, weft_dtype type)
{
    char path[512];
    snprintf(path, sizeof path, REFERENCE "arch/%s.json", name);
    json_t *root = json_load_file(path, 0, NULL);
    char *text = json_dumps(json_object_get(root, "config"), JSON_INDENT(1));
    temp_write_text(t, "config.json", text ? text : "");
    free(text);
    json_decref(root);
    return CHECK_OK(weft_model_init(temp_path(t, "config.json"), NULL, temp_path(t, "model"), type, 3, 0, NULL, &err),
                    err);
}

static weft_status convert(const temp_folder *t, const char *from, const char *to, const weft_convert_desc *d)
{
    weft_model *m;
    weft_status s = weft_model_open(temp_path(t, from), NULL, &m, &err);
    if (s) return s;
    s = weft_model_convert(m, temp_path(t, to), d, &err);
    weft_model_close(m);
    return s;
}

static bool same_file(const temp_folder *t, const char *a, const char *b)
{
    char *x = NULL, *y = NULL;
    size_t n = 0, k = 0;
    bool same = CHECK_OK(weft__file_read(temp_path(t, a), 1 << 20, &x, &n, &err), err) &&
                CHECK_OK(weft__file_read(temp_path(t, b), 1 << 20, &y, &k, &err), err) && n == k && !memcmp(x, y, n);
    free(x);
    free(y);
    return same;
}

static bool same_tensors(const temp_folder *t, const char *a, const char *b)
{
    weft_checkpoint *x = NULL, *y = NULL;
    const weft_tensor_info *p, *q;
    bool same = CHECK_OK(weft_checkpoint_open(temp_path(t, a), &x, &err), err) &&
                CHECK_OK(weft_checkpoint_open(temp_path(t, b), &y, &err), err) &&
                weft_checkpoint_count(x) == weft_checkpoint_count(y);
    for (size_t i = 0; same && (p = weft_checkpoint_tensor(x, i)); i++) {
        q = weft_checkpoint_find(y, p->name);
        same = q && q->rank == p->rank && !memcmp(q->dims, p->dims, p->rank * sizeof *p->dims) &&
               q->type == p->type && q->bytes == p->bytes && !memcmp(q->data, p->data, p->bytes);
        if (!same) printf("  tensor %s differs\n", p->name);
    }
    weft_checkpoint_close(x);
    weft_checkpoint_close(y);
    return same;
}

/* ---- there and back ---- */

/* Whether a model goes there and back as it is; else it is refused, and nothing is left. */
static bool goes_there_and_back(const char *name)
{
    temp_folder t = temp_make();
    bool done = false;
    if (make(&t, name, WEFT_F32)) {
        weft_status s = convert(&t, "model", "x.gguf", NULL);
        CHECK_EQ_INT(temp_count(t.path), s ? 2 : 3);
        if (s) CHECK_STATUS(s, WEFT_UNSUPPORTED, err);
        else {
            done = CHECK_OK(convert(&t, "x.gguf", "back", NULL), err) && CHECK(same_tensors(&t, "model", "back")) &&
                   CHECK(same_file(&t, "model/config.json", "back/config.json"));
            CHECK_EQ_INT(temp_count(t.path), 4);
            if (!done) printf("  %s\n", name);
        }
    }
    temp_remove(&t);
    return done;
}

static void every_model_goes_there_and_back_or_is_refused(void)
{
    static char text[1 << 14];
    char model[64], last[64] = "";
    unsigned done = 0, refused = 0;
    FILE *f = fopen(REFERENCE "gguf/names.txt", "r");
    if (!CHECK(f != NULL)) return;
    while (fgets(text, sizeof text, f)) {
        if (sscanf(text, "%63s", model) != 1 || !strcmp(model, last)) continue;
        snprintf(last, sizeof last, "%s", model);
        if (goes_there_and_back(model)) done++;
        else refused++;
    }
    fclose(f);
    printf("  %u models, %u refused\n", done, refused);
    CHECK(done >= 30 && done + refused >= 50);
}

static void says_what_cannot_be_said(void)
{
    static const struct { const char *name, *text; } cases[] = {
        { "bloom-normed", "apply_residual_connection_post_layernorm is true" },
        { "mixtral-each", "sliding_window is 7" },
        { "gemma2-caps", "no way to say that query_pre_attn_scalar is 12" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        temp_folder t = temp_make();
        if (make(&t, cases[i].name, WEFT_F16)) {
            CHECK_STATUS(convert(&t, "model", "x.gguf", NULL), WEFT_UNSUPPORTED, err);
            CHECK_CONTAINS(err.text, cases[i].text);
        }
        temp_remove(&t);
    }
}

static weft_status copy(void *ctx, size_t index, uint64_t offset, void *out, size_t n, weft_error *e)
{
    (void)e;
    memcpy(out, (const unsigned char *)((const weft__file_tensor *)ctx)[index].data + offset, n);
    return WEFT_OK;
}

/* A GGUF file without what remembers its folder's files. */
static bool forget_files(const temp_folder *t, const char *from, const char *to)
{
    weft__gguf_file *f;
    weft__gguf_kv kv = { 0 };
    const weft__gguf_value *v;
    size_t n;
    if (!CHECK_OK(weft__gguf_open(temp_path(t, from), &f, &err), err)) return false;
    for (size_t k = 0; (v = weft__gguf_at(f, k)); k++)
        if (strncmp(v->key, "huggingface.", 12) && strcmp(v->key, "tokenizer.huggingface.json"))
            weft__gguf_put_copy(&kv, v);
    const weft__file_tensor *tensors = weft__gguf_tensors(f, &n);
    bool done = CHECK_OK(weft__gguf_write(&(weft__gguf_write_desc){ .path = temp_path(t, to), .values = &kv,
                                              .tensors = tensors, .n_tensors = n, .fill = copy,
                                              .ctx = (void *)(uintptr_t)tensors }, &err), err);
    weft__gguf_kv_free(&kv);
    weft__gguf_close(f);
    return done;
}

/* A file that was not made of a folder: its configuration is what its metadata say. */
static void makes_a_configuration(void)
{
    static const char *const names[] = { "gpt_neox-parallel", "llama-linear", "qwen3-norms", "gpt2-usual", "falcon-40b",
                                         "gemma-each", "granite-factors", "olmoe-each", "phi3-short", "cohere2-pattern"
};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        temp_folder t = temp_make();
        if (make(&t, names[i], WEFT_F32) && CHECK_OK(convert(&t, "model", "x.gguf", NULL), err) &&
            forget_files(&t, "x.gguf", "y.gguf") && CHECK_OK(convert(&t, "y.gguf", "back", NULL), err) &&
            !CHECK(same_tensors(&t, "model", "back")))
            printf("  %s\n", names[i]);
        temp_remove(&t);
    }
}

/* ---- types ---- */

static void folders_have_the_type_that_is_asked_for(void)
{
    temp_folder t = temp_make();
    weft_checkpoint *ck;
    if (make(&t, "llama-linear", WEFT_F32) && CHECK_OK(convert(&t, "model", "x.gguf", NULL), err) &&
        CHECK_OK(convert(&t, "x.gguf", "back", &(weft_convert_desc){ .dtype = WEFT_BF16, .shard_bytes = 20000 }), err)
                 &&
        CHECK_OK(weft_checkpoint_open(temp_path(&t, "back"), &ck, &err), err)) {
        CHECK(weft__checkpoint_file_count(ck) > 1);
        for (size_t i = 0; i < weft_checkpoint_count(ck); i++) CHECK(weft_checkpoint_tensor(ck, i)->type == WEFT_BF16);
        weft_checkpoint_close(ck);
    }
    CHECK_STATUS(convert(&t, "model", "y.gguf", &(weft_convert_desc){ .dtype = WEFT_F16 }), WEFT_INVALID, err);
    CHECK_STATUS(convert(&t, "x.gguf", "z", &(weft_convert_desc){ .dtype = WEFT_Q8_0 }), WEFT_INVALID, err);
    CHECK_STATUS(convert(&t, "x.gguf", "back", NULL), WEFT_INVALID, err);
    CHECK_CONTAINS(err.text, "is no empty folder");
    temp_remove(&t);
}

/* ---- random models ---- */

/* Normal values, whatever the type; the same for the same seed. */
static void check_values(const weft_tensor_info *t, const weft_tensor_info *again, const weft_tensor_info *other)
{
    const int64_t n = t->dims[0] * t->dims[1];
    float *x = malloc((size_t)n * sizeof *x);
    double sum = 0, squares = 0;
    if (!CHECK(x && weft__convert_row(t->type, t->data, WEFT_F32, x, n))) return free(x);
    for (int64_t i = 0; i < n; i++) sum += x[i], squares += (double)x[i] * x[i];
    CHECK(fabs(sum / (double)n) < 2e-3 && fabs(sqrt(squares / (double)n) - 0.02) < 2e-3);
    CHECK(!memcmp(t->data, again->data, t->bytes) && memcmp(t->data, other->data, t->bytes) != 0);
    free(x);
}

static void random_models_have_any_type(void)
{
    static const char config[] = "{\"model_type\":\"llama\",\"architectures\":[\"LlamaForCausalLM\"],"
                                 "\"hidden_size\":256,\"num_hidden_layers\":1,\"num_attention_heads\":4,"
                                 "\"intermediate_size\":96,\"vocab_size\":64,\"tie_word_embeddings\":false}";
    static const weft_dtype types[] = { WEFT_F16, WEFT_Q8_0, WEFT_Q4_0, WEFT_Q2_K, WEFT_Q4_K, WEFT_Q6_K, WEFT_IQ4_XS,
                                        WEFT_MXFP4 };
    for (size_t k = 0; k < sizeof types / sizeof *types; k++) {
        temp_folder t = temp_make();
        weft_checkpoint *ck[3] = { NULL };
        bool made = true;
        temp_write_text(&t, "config.json", config);
        for (uint64_t i = 0; made && i < 3; i++) {
            const char *path = temp_path(&t, i == 0 ? "a.gguf" : i == 1 ? "b.gguf" : "c.gguf");
            made = CHECK_OK(weft_model_init(temp_path(&t, "config.json"), NULL, path, types[k], i / 2, 0, NULL, &err),
                            err) &&
                   CHECK_OK(weft_checkpoint_open(path, &ck[i], &err), err);
        }
        for (size_t i = 0; made && i < weft_checkpoint_count(ck[0]); i++) {
            const weft_tensor_info *x = weft_checkpoint_tensor(ck[0], i);
            weft_dtype want = x->rank < 2 ? WEFT_F32 : x->dims[1] % weft_dtype_get(types[k])->block ? WEFT_Q8_0 :
                                                                                   types[k];
            if (!CHECK_EQ_INT(x->type, want)) printf("  %s\n", x->name);
            if (x->rank == 2) check_values(x, weft_checkpoint_tensor(ck[1], i), weft_checkpoint_tensor(ck[2], i));
        }
        for (int i = 0; i < 3; i++) weft_checkpoint_close(ck[i]);
        temp_remove(&t);
    }
    CHECK_STATUS(weft_model_init("none.json", NULL, "x.gguf", WEFT_I32, 0, 0, NULL, &err), WEFT_INVALID, err);
    CHECK_STATUS(weft_model_init("none.json", NULL, "x.gguf", WEFT_F16, 0, 5, NULL, &err), WEFT_INVALID, err);
}

/* ---- killed ---- */

typedef struct conversion { const temp_folder *t; const char *from, *to; } conversion;

static weft_status work(void *ctx, const weft_progress_sink *progress)
{
    const conversion *c = ctx;
    return convert(c->t, c->from, c->to, &(weft_convert_desc){ .progress = progress });
}

static bool is_killed(int moment, const temp_folder *t, const char *from, const char *to)
{
    return killed_at(moment, work, &(conversion){ t, from, to });
}

/* What stood there stays, and the next run begins anew. */
static void killed_it_leaves_the_target(void)
{
    temp_folder t = temp_make();
    if (make(&t, "gpt_neox-parallel", WEFT_F16)) {
        temp_write_text(&t, "x.gguf", "old");
        for (int k = 0; k < KILLED_MOMENTS; k++) {
            CHECK(is_killed(k, &t, "model", "x.gguf"));
            CHECK(temp_count(t.path) == 4 && !weft__file_begins(temp_path(&t, "x.gguf"), "GGUF"));
        }
        CHECK_OK(convert(&t, "model", "x.gguf", NULL), err);
        CHECK(temp_count(t.path) == 3 && weft__file_begins(temp_path(&t, "x.gguf"), "GGUF"));
        for (int k = 0; k < KILLED_MOMENTS; k++) {
            CHECK(is_killed(k, &t, "x.gguf", "back"));
            CHECK(!weft__path_exists(temp_path(&t, "back")) && weft__path_exists(temp_path(&t, "back.partial")));
        }
        CHECK_OK(convert(&t, "x.gguf", "back", NULL), err);
        CHECK(temp_count(t.path) == 4 && weft__path_exists(temp_path(&t, "back/config.json")));
        CHECK(!weft__path_exists(temp_path(&t, "back/.weft-convert")));
    }
    temp_remove(&t);
}

/* A folder that is called what is written is called meanwhile. */
static void what_others_made_stays(void)
{
    temp_folder t = temp_make();
    if (make(&t, "gpt_neox-parallel", WEFT_F16) && CHECK_OK(convert(&t, "model", "x.gguf", NULL), err) &&
        CHECK(!mkdir(temp_path(&t, "back.partial"), 0777))) {
        temp_write_text(&t, "back.partial/config.json", "precious");
        CHECK_STATUS(convert(&t, "x.gguf", "back", NULL), WEFT_INVALID, err);
        CHECK_CONTAINS(err.text, "back.partial");
        CHECK(temp_count(t.path) == 4 && temp_count(temp_path(&t, "back.partial")) == 1);
        CHECK(!remove(temp_path(&t, "back.partial/config.json"))); /* one that is empty is nobody's */
        CHECK_OK(convert(&t, "x.gguf", "back", NULL), err);
        CHECK(temp_count(t.path) == 4 && !weft__path_exists(temp_path(&t, "back.partial")));
    }
    temp_remove(&t);
}

/* ---- files beside the tensors ---- */

static void check_text(const weft__gguf_file *f, const char *key, const char *want)
{
    weft__gguf_string s = { "", 0 };
    if (!CHECK(weft__gguf_text(weft__gguf_find(f, key), 0, &s) && s.size == strlen(want) &&
               !memcmp(s.text, want, s.size)))
        printf("  %s: %.*s\n", key, (int)s.size, s.text);
}

#define TEMPLATES                                                                                  \
    "{\"chat_template\":[{\"name\":\"default\",\"template\":\"{{ a }}\"},"                           \
    "{\"name\":\"tool use\",\"template\":\"{{ b }}\"},{\"name\":\"rag\",\"template\":\"\\u00e9\"},"     \
    "{\"name\":\"tool_use\",\"template\":\"of the same name in a key\"}]}"

/* Templates of tokenizer_config.json become keys, and those of a file that has only keys such a file again; that of
 * chat_template.jinja comes before. */
static void chat_templates_go_both_ways(void)
{
    static const struct { const char *config, *jinja, *usual, *named; } rows[] = {
        { "{\"chat_template\":\"{{ a }}\"}", NULL, "{{ a }}", NULL },
        { TEMPLATES, NULL, "{{ a }}", "{{ b }}" },
        { TEMPLATES, "{{ c }}", "{{ c }}", "{{ b }}" },
        { NULL, "{{ c }}", "{{ c }}", NULL },
    };
    temp_folder t = temp_make();
    bool made = make(&t, "gpt_neox-parallel", WEFT_F16);
    for (size_t i = 0; made && i < sizeof rows / sizeof *rows; i++) {
        weft__gguf_file *f;
        (void)remove(temp_path(&t, "model/tokenizer_config.json"));
        if (rows[i].config) temp_write_text(&t, "model/tokenizer_config.json", rows[i].config);
        if (rows[i].jinja) temp_write_text(&t, "model/chat_template.jinja", rows[i].jinja);
        for (int turn = 0; turn < 2; turn++) { /* of the folder, and of the folder that was made of keys alone */
            char out[40], plain[40], back[40], from[40];
            snprintf(out, sizeof out, "%zu-%d.gguf", i, turn);
            snprintf(plain, sizeof plain, "%zu-%d-p.gguf", i, turn);
            snprintf(back, sizeof back, "back%zu-%d", i, turn);
            snprintf(from, sizeof from, "back%zu-0", i);
            if (!CHECK_OK(convert(&t, turn ? from : "model", out, NULL), err) || !forget_files(&t, out, plain) ||
                !CHECK_OK(weft__gguf_open(temp_path(&t, plain), &f, &err), err))
                break;
            check_text(f, "tokenizer.chat_template", rows[i].usual);
            if (rows[i].named) check_text(f, "tokenizer.chat_template.tool_use", rows[i].named);
            if (rows[i].named) check_text(f, "tokenizer.chat_template.rag", "\xc3\xa9");
            CHECK_EQ_INT(weft__gguf_find(f, "tokenizer.chat_templates") != NULL, rows[i].named != NULL);
            weft__gguf_close(f);
            CHECK_OK(convert(&t, plain, back, NULL), err);
        }
    }
    temp_remove(&t);
}

/* The ids of a text, for short. */
static const char *ids_of(const temp_folder *t, const char *model, const char *text)
{
    static char out[256];
    weft_tokenizer *tok;
    weft_tokens ids = { 0 };
    out[0] = 0;
    if (!CHECK_OK(weft_tokenizer_open(temp_path(t, model), &tok, &err), err)) return "-";
    CHECK_OK(weft_tokenizer_encode(tok, text, strlen(text), NULL, &ids, &err), err);
    for (size_t i = 0; i < ids.n; i++) snprintf(out + strlen(out), sizeof out - strlen(out), " %d", ids.ids[i]);
    weft_tokens_free(&ids);
    weft_tokenizer_close(tok);
    return out;
}

/* Without a tokenizer.json: llama.cpp's keys, and the file that stands for the others. */
static void vocabularies_become_tokenizers(void)
{
    static const char *const models[] = { "model", "x.gguf", "y.gguf", "back" };
    temp_folder t = temp_make();
    if (make(&t, "gpt_neox-parallel", WEFT_F16)) {
        temp_write_text(&t, "model/vocab.json", "{\"<|endoftext|>\":0,\"h\":1,\"<eos>\":2,\"i\":3,\"hi\":4,"
                                                "\"\xc4\xa0\":5,\"\xc4\xa0hi\":6,\"e\":7}");
        temp_write_text(&t, "model/merges.txt", "#version: 0.2\nh i\n\xc4\xa0 hi\n");
        temp_write_text(&t, "model/added_tokens.json", "{\"<mark>\":8}");
        temp_write_text(&t, "model/tokenizer_config.json",
                        "{\"tokenizer_class\":\"GPT2Tokenizer\",\"add_bos_token\":true}");
        CHECK_OK(convert(&t, "model", "x.gguf", NULL), err);
        CHECK_OK(convert(&t, "x.gguf", "back", NULL), err);
        CHECK_OK(convert(&t, "model", "copy", NULL), err);
        CHECK(forget_files(&t, "x.gguf", "y.gguf") && weft__path_exists(temp_path(&t, "back/tokenizer.json")));
        for (size_t i = 0; i < sizeof models / sizeof *models; i++)
            if (!CHECK(!strcmp(ids_of(&t, models[i], "hi hi<mark>ie"), " 0 4 6 8 3 7"))) printf("  %s\n", models[i]);
        CHECK(same_file(&t, "model/vocab.json", "copy/vocab.json"));
        CHECK(same_file(&t, "model/merges.txt", "copy/merges.txt"));
    }
    temp_remove(&t);
}

/* Opens a file that another process would write, and locks it as that would; -1: failed. */
static int held(const temp_folder *t, const char *name)
{
    const int fd = open(temp_path(t, name), O_RDWR | O_CREAT, 0666);
    return CHECK(fd >= 0 && !flock(fd, LOCK_EX | LOCK_NB) && write(fd, "theirs", 6) == 6) ? fd : -1;
}

static void devices_stay(void)
{
    struct stat info;
    temp_folder t = temp_make();
    if (make(&t, "gpt_neox-parallel", WEFT_F16) && CHECK(!mkfifo(temp_path(&t, "x.gguf"), 0666))) {
        CHECK_STATUS(convert(&t, "model", "x.gguf", NULL), WEFT_INVALID, err);
        CHECK_CONTAINS(err.text, "is no ordinary file");
        CHECK(!stat(temp_path(&t, "x.gguf"), &info) && S_ISFIFO(info.st_mode));
        CHECK(!weft__path_exists(temp_path(&t, "x.gguf.partial")));
    }
    temp_remove(&t);
}

static void two_at_once_do_not_share(void)
{
    static const char *const out[] = { "x.gguf", "folder" };
    static const char *const file[] = { "x.gguf.partial", "folder.partial/.weft-convert" };
    temp_folder t = temp_make();
    const bool made = make(&t, "gpt_neox-parallel", WEFT_F16);
    CHECK(!mkdir(temp_path(&t, "folder.partial"), 0777));
    for (int i = 0; made && i < 2; i++) {
        char text[8] = { 0 };
        const int fd = held(&t, file[i]);
        CHECK_STATUS(convert(&t, "model", out[i], NULL), WEFT_IO, err);
        CHECK_CONTAINS(err.text, "another process is writing it");
        CHECK_CONTAINS(err.text, file[i]);
        CHECK(pread(fd, text, 7, 0) == 6 && !strcmp(text, "theirs"));
        close(fd); /* it was killed: what it left is in nobody's way */
        CHECK_OK(convert(&t, "model", out[i], NULL), err);
        CHECK(weft__path_exists(temp_path(&t, out[i])) && !weft__path_exists(temp_path(&t, file[i])));
    }
    temp_remove(&t);
}

/* Between our mkdir and our lock another run takes the folder, empty and without a mark, for a killed one's. */
static const temp_folder *race;
static int theirs = -1;

__attribute__((visibility("default"))) int mkdir(const char *path, mode_t mode)
{
    const int result = mkdirat(AT_FDCWD, path, mode);
    if (!result && race && !strcmp(path, temp_path(race, "folder.partial"))) {
        theirs = held(race, "folder.partial/.weft-convert");
        temp_write_text(race, "folder.partial/config.json", "theirs");
    }
    return result;
}

static void a_race_for_a_name_takes_nothing(void)
{
    temp_folder t = temp_make();
    if (make(&t, "gpt_neox-parallel", WEFT_F16)) {
        race = &t;
        CHECK_STATUS(convert(&t, "model", "folder", NULL), WEFT_IO, err);
        CHECK_CONTAINS(err.text, "another process is writing it");
        race = NULL;
        CHECK(theirs >= 0 && weft__path_exists(temp_path(&t, "folder.partial/config.json")));
        CHECK(weft__path_exists(temp_path(&t, "folder.partial/.weft-convert")));
        if (theirs >= 0) close(theirs);
    }
    temp_remove(&t);
}

static const weft_test tests[] = {
    { "every_model_goes_there_and_back_or_is_refused", every_model_goes_there_and_back_or_is_refused },
    { "says_what_cannot_be_said", says_what_cannot_be_said },
    { "makes_a_configuration", makes_a_configuration },
    { "folders_have_the_type_that_is_asked_for", folders_have_the_type_that_is_asked_for },
    { "random_models_have_any_type", random_models_have_any_type },
    { "killed_it_leaves_the_target", killed_it_leaves_the_target },
    { "what_others_made_stays", what_others_made_stays },
    { "devices_stay", devices_stay },
    { "two_at_once_do_not_share", two_at_once_do_not_share },
    { "a_race_for_a_name_takes_nothing", a_race_for_a_name_takes_nothing },
    { "chat_templates_go_both_ways", chat_templates_go_both_ways },
    { "vocabularies_become_tokenizers", vocabularies_become_tokenizers },
};
TEST_MAIN(tests)
