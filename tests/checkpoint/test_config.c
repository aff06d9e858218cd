/* test_config.c: every spelling of a GPT-NeoX configuration gives the same canonical values;
 * what is refused. */
#include "models/config.h"
#include "temp.h"

static weft__hf_config *parse(const char *text, const char *generation)
{
    weft__hf_config *c;
    weft_error err = { 0 };
    CHECK_OK(weft__hf_config_parse(text, strlen(text), generation,
                                   generation ? strlen(generation) : 0, "config.json", &c, &err),
             err);
    return c;
}

static double number(const weft__hf_config *c, const char *key)
{
    double x;
    return CHECK_EQ_INT(weft__hf_config_number(c, key, &x), 1) ? x : -1;
}

/* Each says: theta 25000, fraction 0.5, f16. */
static const struct {
    const char *text;
    size_t warnings;
} spellings[] = {
    { "{\"rotary_pct\":0.5,\"rotary_emb_base\":25000,\"torch_dtype\":\"float16\"}", 0 },
    { "{\"rotary_pct\":0.5,\"rotary_emb_base\":25000.0,\"rope_scaling\":null,\"torch_dtype\":"
      "\"float16\"}",
      0 },
    { "{\"rotary_pct\":0.5,\"partial_rotary_factor\":0.5,\"rotary_emb_base\":25000,\"rope_theta\":"
      "25000.0,"
      "\"torch_dtype\":\"float16\"}",
      0 },
    { "{\"partial_rotary_factor\":0.5,\"rope_theta\":25000,\"dtype\":\"float16\"}", 0 },
    { "{\"rope_parameters\":{\"rope_theta\":25000.0,\"partial_rotary_factor\":0.5,\"rope_type\":"
      "\"default\"},"
      "\"dtype\":\"float16\"}",
      0 },
    { "{\"rope_parameters\":{\"rope_theta\":25000,\"rope_type\":\"default\"},\"partial_rotary_"
      "factor\":0.5,"
      "\"dtype\":\"float16\"}",
      0 },
    { "{\"rope_parameters\":{\"rope_type\":\"default\"},\"rotary_pct\":0.5,\"rotary_emb_base\":"
      "25000,"
      "\"dtype\":\"float16\"}",
      0 },
    { "{\"rope_parameters\":null,\"rotary_pct\":0.5,\"rope_theta\":null,\"rotary_emb_base\":25000,"
      "\"dtype\":null,\"torch_dtype\":\"float16\"}",
      0 },
    { "{\"rope_parameters\":{\"rope_theta\":25000,\"partial_rotary_factor\":0.5},\"rotary_pct\":0."
      "25,"
      "\"rotary_emb_base\":10000,\"torch_dtype\":\"float32\",\"dtype\":\"float16\"}",
      3 },
    { "{\"partial_rotary_factor\":0.5,\"rotary_pct\":1.0,\"rope_theta\":25000,\"rotary_emb_base\":"
      "10000,"
      "\"dtype\":\"float16\"}",
      2 },
};

static void reads_every_spelling(void)
{
    for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++) {
        weft__hf_config *c = parse(spellings[i].text, NULL);
        const char *dtype;
        weft_config view;
        weft_error err = { 0 };
        if (!c) continue;
        CHECK_NEAR(number(c, "rope_theta"), 25000, 0);
        CHECK_NEAR(number(c, "partial_rotary_factor"), 0.5, 0);
        CHECK_NEAR(number(c, "rope_position_scale"), 1, 0);
        CHECK_EQ_INT(weft__hf_config_text(c, "dtype", &dtype), 1);
        CHECK_STR(dtype, "float16");
        CHECK_OK(weft__hf_config_view(c, &view, &err), err);
        if (!CHECK_EQ_INT(weft__hf_config_warning_count(c), spellings[i].warnings))
            printf("  in %zu\n", i);
        weft__hf_config_destroy(c);
    }
    weft__hf_config *c = parse("{\"rope_theta\":5,\"rotary_emb_base\":6}", NULL);
    CHECK_STR(weft__hf_config_warning(c, 0),
              "rope_theta and rotary_emb_base differ; rope_theta counts");
    CHECK(weft__hf_config_warning(c, 1) == NULL);
    weft__hf_config_destroy(c);
}

static void reads_linear_scaling(void)
{
    static const char *const texts[] = {
        "{\"rope_scaling\":{\"type\":\"linear\",\"factor\":4.0}}",
        "{\"rope_scaling\":{\"rope_type\":\"linear\",\"factor\":4}}",
        "{\"rope_scaling\":{\"type\":\"linear\",\"rope_type\":\"linear\",\"factor\":4}}",
        "{\"rope_parameters\":{\"rope_theta\":10000,\"rope_type\":\"linear\",\"factor\":4.0}}",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        weft__hf_config *c = parse(texts[i], NULL);
        weft_config view;
        weft_error err = { 0 };
        double x;
        if (CHECK_OK(weft__hf_config_view(c, &view, &err), err)) {
            CHECK_EQ_INT(view.number(view.ctx, "rope_position_scale", &x), 1);
            CHECK_NEAR(x, 0.25, 0);
        }
        weft__hf_config_destroy(c);
    }
}

static const struct {
    const char *text;
    weft_status status;
    const char *fault;
} unfit[] = {
    { "{\"rope_scaling\":{\"type\":\"dynamic\",\"factor\":2}}", WEFT_UNSUPPORTED,
      "rope_type \"dynamic\"" },
    { "{\"rope_parameters\":{\"rope_type\":\"yarn\",\"factor\":2}}", WEFT_UNSUPPORTED,
      "rope_type \"yarn\"" },
    { "{\"rope_scaling\":{\"type\":3}}", WEFT_FORMAT, "rope_type is not a string" },
    { "{\"rope_scaling\":{\"factor\":3}}", WEFT_FORMAT, "rope_scaling has no rope_type" },
    { "{\"rope_scaling\":\"linear\"}", WEFT_FORMAT, "rope_scaling is a string, not an object" },
    { "{\"rope_parameters\":[]}", WEFT_FORMAT, "rope_parameters is an array, not an object" },
    { "{\"rope_scaling\":{\"type\":\"linear\"}}", WEFT_FORMAT, "factor is missing" },
    { "{\"rope_scaling\":{\"type\":\"linear\",\"factor\":\"2\"}}", WEFT_FORMAT,
      "factor is not a number" },
    { "{\"rope_scaling\":{\"type\":\"linear\",\"factor\":0}}", WEFT_FORMAT,
      "factor is 0, not in 1..1e6" },
    { "{\"rope_scaling\":{\"type\":\"linear\",\"factor\":-2}}", WEFT_FORMAT,
      "factor is -2, not in 1..1e6" },
    { "{\"rope_scaling\":{\"type\":\"linear\",\"factor\":1e300}}", WEFT_FORMAT, "not in 1..1e6" },
    { "{\"quantization_config\":{\"quant_method\":\"gptq\",\"bits\":4}}", WEFT_UNSUPPORTED,
      "\"gptq\"" },
    { "{\"quantization_config\":{}}", WEFT_UNSUPPORTED, "quantised" },
};

static void refuses_what_no_model_would_notice(void)
{
    for (size_t i = 0; i < sizeof unfit / sizeof *unfit; i++) {
        weft__hf_config *c = parse(unfit[i].text, NULL);
        weft_config view;
        weft_error err = { 0 };
        CHECK_STATUS(weft__hf_config_view(c, &view, &err), unfit[i].status, err);
        CHECK_CONTAINS(err.text, unfit[i].fault);
        CHECK_CONTAINS(err.text, "config.json");
        weft__hf_config_destroy(c);
    }
}

/* Of "hidden_size", wanted in 1..1048576. */
static const struct {
    const char *text;
    weft_status status;
    const char *fault;
} absurd[] = {
    { "{}", WEFT_NOT_FOUND, "hidden_size is missing" },
    { "{\"hidden_size\":null}", WEFT_NOT_FOUND, "hidden_size is missing" },
    { "{\"hidden_size\":0}", WEFT_FORMAT, "hidden_size is 0, not a whole number in 1..1048576" },
    { "{\"hidden_size\":-256}", WEFT_FORMAT, "hidden_size is -256" },
    { "{\"hidden_size\":256.5}", WEFT_FORMAT, "hidden_size is 256.5" },
    { "{\"hidden_size\":1e18}", WEFT_FORMAT, "hidden_size is 1e+18" },
    { "{\"hidden_size\":9223372036854775807}", WEFT_FORMAT, "hidden_size is 9.2" },
    { "{\"hidden_size\":4294967552}", WEFT_FORMAT, "hidden_size is 4294967552" },
    { "{\"hidden_size\":\"256\"}", WEFT_FORMAT, "hidden_size is a string, not a number" },
    { "{\"hidden_size\":[256]}", WEFT_FORMAT, "hidden_size is an array, not a number" },
    { "{\"hidden_size\":true}", WEFT_FORMAT, "hidden_size is true, not a number" },
};

static void refuses_absurd_numbers(void)
{
    uint32_t x;
    weft_error err = { 0 };
    for (size_t i = 0; i < sizeof absurd / sizeof *absurd; i++) {
        weft__hf_config *c = parse(absurd[i].text, NULL);
        CHECK_STATUS(weft__hf_config_u32(c, "hidden_size", 1, 1048576, &x, &err), absurd[i].status,
                     err);
        CHECK_CONTAINS(err.text, absurd[i].fault);
        CHECK_EQ_INT(x, 0);
        weft__hf_config_destroy(c);
    }
    weft__hf_config *c = parse("{\"hidden_size\":256.0,\"n_layer\":3}", NULL);
    CHECK_OK(weft__hf_config_u32(c, "hidden_size", 256, 256, &x, &err), err);
    CHECK_EQ_INT(x, 256);
    CHECK_OK(weft__hf_config_u32(c, "num_hidden_layers", 1, 9, &x, &err),
             err); /* GPT-2's spelling */
    CHECK_EQ_INT(x, 3);
    weft__hf_config_destroy(c);
}

static void refuses_bad_json(void)
{
    static const struct {
        const char *text, *fault;
    } cases[] = {
        { "", "not JSON" },
        { "{", "not JSON" },
        { "3", "is an integer, not an object" },
        { "{\"hidden_size\":1,\"hidden_size\":2}", "the key \"hidden_size\" stands there twice" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weft__hf_config *c;
        weft_error err = { 0 };
        CHECK_STATUS(weft__hf_config_parse(cases[i].text, strlen(cases[i].text), NULL, 0,
                                           "config.json", &c, &err),
                     WEFT_FORMAT, err);
        CHECK(c == NULL);
        CHECK_CONTAINS(err.text, cases[i].fault);
        CHECK_STATUS(weft__hf_config_parse("{}", 2, cases[i].text, strlen(cases[i].text),
                                           "config.json", &c, &err),
                     WEFT_FORMAT, err);
        CHECK_CONTAINS(err.text, "generation_config.json");
    }
}

static void looks_up_by_path_and_type(void)
{
    weft__hf_config *c =
        parse("{\"architectures\":[\"GPTNeoXForCausalLM\",7],\"t\":true,\"f\":false,\"one\":1,"
              "\"s\":\"0.25\",\"a\":{\"b\":{\"c\":1.5}},\"list\":[1,2.5,3],\"mixed\":[1,\"x\"]}",
              NULL);
    const char *text;
    double x, list[2];
    size_t n;
    CHECK_EQ_INT(weft__hf_config_text(c, "architectures.0", &text), 1);
    CHECK_STR(text, "GPTNeoXForCausalLM");
    CHECK_EQ_INT(weft__hf_config_text(c, "architectures.1", &text), -1);
    CHECK_EQ_INT(weft__hf_config_text(c, "architectures.2", &text), 0);
    CHECK_NEAR(number(c, "t"), 1, 0);
    CHECK_NEAR(number(c, "f"), 0, 0);
    CHECK_NEAR(number(c, "one"), 1, 0);
    CHECK_NEAR(number(c, "a.b.c"), 1.5, 0);
    CHECK_EQ_INT(weft__hf_config_number(c, "a.b.d", &x), 0);
    CHECK_EQ_INT(weft__hf_config_number(c, "a.b.c.d", &x), 0);
    CHECK_EQ_INT(weft__hf_config_number(c, "a", &x), -1);
    CHECK_EQ_INT(weft__hf_config_number(c, "s", &x), -1); /* a string is no number */
    CHECK_EQ_INT(weft__hf_config_text(c, "one", &text), -1);
    CHECK_EQ_INT(weft__hf_config_numbers(c, "list", list, 2, &n), 1);
    CHECK_EQ_INT(n, 3);
    CHECK_NEAR(list[1], 2.5, 0);
    CHECK_EQ_INT(weft__hf_config_numbers(c, "mixed", list, 2, &n), -1);
    CHECK_EQ_INT(weft__hf_config_numbers(c, "one", list, 2, &n), -1);
    CHECK_EQ_INT(weft__hf_config_numbers(c, "absent", list, 2, &n), 0);
    weft__hf_config_destroy(c);
}

/* -1: an error; else how many ids, the first in *id. */
static int tokens(const char *text, const char *generation, const char *key, int32_t *id)
{
    int32_t ids[4] = { -1, -1, -1, -1 };
    size_t n;
    weft_error err = { 0 };
    weft__hf_config *c = parse(text, generation);
    weft_status s = weft__hf_config_tokens(c, key, ids, 4, &n, &err);
    weft__hf_config_destroy(c);
    *id = ids[0];
    return s == WEFT_OK ? (int)n : -1;
}

static void reads_token_ids(void)
{
    static const struct {
        const char *text, *generation, *key;
        int n;
        int32_t first;
    } cases[] = {
        { "{\"eos_token_id\":0}", NULL, "eos_token_id", 1, 0 },
        { "{\"eos_token_id\":0}", "{\"eos_token_id\":[5,6]}", "eos_token_id", 2, 5 },
        { "{\"eos_token_id\":0}", "{}", "eos_token_id", 1, 0 },
        { "{\"eos_token_id\":0}", "{\"eos_token_id\":null}", "eos_token_id", 1, 0 },
        { "{\"eos_token_id\":null,\"model_type\":\"gpt_neox\"}", NULL, "eos_token_id", 0, -1 },
        { "{\"model_type\":\"gpt_neox\"}", NULL, "eos_token_id", 1, 2 }, /* the class's default */
        { "{\"model_type\":\"gpt_neox\"}", NULL, "bos_token_id", 1, 0 },
        { "{\"model_type\":\"gpt_neox\"}", NULL, "pad_token_id", 0, -1 },
        { "{\"model_type\":\"unheard_of\"}", NULL, "eos_token_id", 0, -1 },
        { "{}", "{\"pad_token_id\":1}", "pad_token_id", 1, 1 },
        { "{\"eos_token_id\":[]}", NULL, "eos_token_id", 0, -1 },
        { "{\"eos_token_id\":-1}", NULL, "eos_token_id", -1, 0 },
        { "{\"eos_token_id\":\"0\"}", NULL, "eos_token_id", -1, 0 },
        { "{\"eos_token_id\":1.5}", NULL, "eos_token_id", -1, 0 },
        { "{\"eos_token_id\":4294967296}", NULL, "eos_token_id", -1, 0 },
        { "{\"eos_token_id\":[0,null]}", NULL, "eos_token_id", -1, 0 },
        { "{\"eos_token_id\":[1,2,3,4,5]}", NULL, "eos_token_id", -1, 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int32_t id;
        int n = tokens(cases[i].text, cases[i].generation, cases[i].key, &id);
        if (!CHECK_EQ_INT(n, cases[i].n)) printf("  in %s\n", cases[i].text);
        if (n >= 0) CHECK_EQ_INT(id, cases[i].first);
    }
}

static void opens_folders(void)
{
    temp_folder t = temp_make();
    weft__hf_config *c;
    int32_t id;
    size_t n;
    weft_error err = { 0 };
    CHECK_STATUS(weft__hf_config_open(t.path, &c, &err), WEFT_NOT_FOUND, err);
    CHECK_CONTAINS(err.text, "config.json");
    temp_write_text(&t, "config.json", "{\"eos_token_id\":3,\"model_type\":\"gpt_neox\"}");
    temp_write_text(&t, "variant.json", "{\"model_type\":\"gpt2\"}");
    temp_write_text(&t, "model.safetensors", "");
    const char *const models[] = { t.path, temp_path(&t, "config.json"),
                                   temp_path(&t, "model.safetensors") };
    for (int i = 0; i < 3; i++) {
        if (CHECK_OK(weft__hf_config_open(models[i], &c, &err), err)) {
            CHECK_OK(weft__hf_config_tokens(c, "eos_token_id", &id, 1, &n, &err), err);
            CHECK_EQ_INT(id, 3);
            CHECK_CONTAINS(weft__hf_config_origin(c), "/config.json");
        }
        weft__hf_config_destroy(c);
    }
    if (CHECK_OK(weft__hf_config_open(temp_path(&t, "variant.json"), &c, &err), err))
        CHECK_CONTAINS(weft__hf_config_origin(c), "/variant.json");
    weft__hf_config_destroy(c);
    temp_write_text(&t, "generation_config.json", "{\"eos_token_id\":[7,8]}");
    if (CHECK_OK(weft__hf_config_open(t.path, &c, &err), err)) {
        CHECK_STATUS(weft__hf_config_tokens(c, "eos_token_id", &id, 1, &n, &err), WEFT_LIMIT, err);
        CHECK_CONTAINS(err.text, "2 ids, more than 1");
    }
    weft__hf_config_destroy(c);
    temp_remove(&t);
}

static void reads_the_bundled_model(void)
{
    weft__hf_config *c;
    weft_config view;
    uint32_t x;
    int32_t id;
    size_t n;
    weft_error err = { 0 };
    if (!CHECK_OK(weft__hf_config_open(WEFT_TEST_ROOT "/models/bundled/tiny-stories-neox", &c,
                                       &err),
                  err))
        return;
    CHECK_OK(weft__hf_config_u32(c, "hidden_size", 1, 4096, &x, &err), err);
    CHECK_EQ_INT(x, 256);
    CHECK_NEAR(number(c, "rope_theta"), 10000, 0);
    CHECK_NEAR(number(c, "partial_rotary_factor"), 0.25, 0);
    CHECK_NEAR(number(c, "use_parallel_residual"), 1, 0);
    CHECK_OK(weft__hf_config_tokens(c, "pad_token_id", &id, 1, &n, &err), err);
    CHECK_EQ_INT(id, 1);
    CHECK_OK(weft__hf_config_view(c, &view, &err), err);
    CHECK_EQ_INT(weft__hf_config_warning_count(c), 0);
    weft__hf_config_destroy(c);
}

static const weft_test tests[] = {
    { "reads_every_spelling", reads_every_spelling },
    { "reads_linear_scaling", reads_linear_scaling },
    { "refuses_what_no_model_would_notice", refuses_what_no_model_would_notice },
    { "refuses_absurd_numbers", refuses_absurd_numbers },
    { "refuses_bad_json", refuses_bad_json },
    { "looks_up_by_path_and_type", looks_up_by_path_and_type },
    { "reads_token_ids", reads_token_ids },
    { "opens_folders", opens_folders },
    { "reads_the_bundled_model", reads_the_bundled_model },
};
TEST_MAIN(tests)
