/* test_config.c: what a configuration means is what its type's class in transformers makes of it;
 * what is refused. */
#include "models/config_impl.h"
#include "temp.h"

static weft_config_file *parse(const char *text, const char *generation)
{
    weft_config_file *c;
    weft_error err = { 0 };
    CHECK_OK(weft_config_file_parse(text, strlen(text), generation,
                                   generation ? strlen(generation) : 0, "config.json", &c, &err),
             err);
    return c;
}

static double number(const weft_config_file *c, const char *key)
{
    double x;
    return CHECK_EQ_INT(weft_config_file_number(c, key, &x), 1) ? x : -1;
}

/* By what positions are multiplied. */
static double position_scale(const weft_config_file *c)
{
    const char *type;
    bool linear = weft_config_file_text(c, "rope_type", &type) == 1 && !strcmp(type, "linear");
    return linear ? 1 / number(c, "rope.factor") : 1;
}

static size_t count_notes(const weft_config_file *c)
{
    size_t n = 0;
    while (weft_config_file_note(c, n)) n++;
    return n;
}

/* Which of a folder's files it came from. */
static const char *origin_of(const weft_config_file *c)
{
    weft_config view;
    weft_error err;
    return CHECK_OK(weft_config_file_view(c, &view, &err), err) ? view.origin : "";
}

#define NEOX "{\"model_type\":\"gpt_neox\","

/* What transformers 5.24 makes of it (config.rope_parameters of GPTNeoXConfig), and how many notes we keep. */
static const struct {
    const char *text;
    double theta, fraction, scale;
    size_t warnings;
} rotary[] = {
    { NEOX "\"x\":1}", 10000, 0.25, 1, 0 },
    { NEOX "\"rotary_pct\":0.5,\"rotary_emb_base\":40}", 40, 0.5, 1, 0 },
    { NEOX "\"rotary_pct\":0.5,\"rotary_emb_base\":40.0,\"rope_scaling\":null}", 40, 0.5, 1, 0 },
    /* what only other types read */
    { NEOX "\"rope_theta\":7}", 10000, 0.25, 1, 1 },
    { NEOX "\"rope_theta\":10000.0,\"partial_rotary_factor\":0.25}", 10000, 0.25, 1, 0 },
    { NEOX "\"rope_theta\":7,\"rotary_emb_base\":40}", 40, 0.25, 1, 1 },
    { NEOX "\"partial_rotary_factor\":1.0,\"rotary_pct\":0.5}", 10000, 0.5, 1, 1 },
    { NEOX "\"partial_rotary_factor\":0.5,\"rotary_pct\":0.5,\"rope_theta\":40,\"rotary_emb_base\":40.0}", 40, 0.5, 1,
      0 },
    /* rope_parameters */
    { NEOX "\"rope_parameters\":{\"rope_theta\":5,\"partial_rotary_factor\":0.75,\"rope_type\":\"default\"}}", 5, 0.75,
      1, 0 },
    { NEOX "\"rope_parameters\":{\"rope_theta\":5,\"partial_rotary_factor\":0.75},\"rotary_emb_base\":40,"
           "\"rotary_pct\":0.5,\"rope_theta\":7,\"partial_rotary_factor\":0.1}",
      5, 0.75, 1, 4 },
    { NEOX "\"rope_parameters\":{\"rope_type\":\"default\"},\"rotary_emb_base\":40,\"rotary_pct\":0.5}", 40, 0.5, 1,
      0 },
    { NEOX "\"rope_parameters\":{},\"rotary_emb_base\":40}", 40, 0.25, 1, 0 },
    { NEOX "\"rope_parameters\":null,\"rotary_emb_base\":40}", 40, 0.25, 1, 0 },
    { NEOX "\"rope_parameters\":{\"rope_theta\":10000,\"rope_type\":\"linear\",\"factor\":4.0}}", 10000, 0.25, 0.25,
      0 },
    /* rope_scaling: all or nothing */
    { NEOX "\"rope_scaling\":{},\"rotary_emb_base\":40}", 40, 0.25, 1, 0 },
    { NEOX "\"rope_scaling\":[]}", 10000, 0.25, 1, 0 },
    { NEOX "\"rope_scaling\":false,\"rope_parameters\":{\"rope_type\":\"linear\",\"factor\":2}}", 10000, 0.25, 0.5, 0 },
    { NEOX "\"rope_scaling\":{\"type\":\"linear\",\"factor\":8.0},\"rotary_emb_base\":40,"
           "\"rope_parameters\":{\"rope_type\":\"default\",\"rope_theta\":5,\"partial_rotary_factor\":0.75}}",
      40, 0.25, 0.125, 1 },
    { NEOX "\"rope_scaling\":{\"rope_type\":\"linear\",\"factor\":2,\"rope_theta\":3,\"partial_rotary_factor\":1.0},"
           "\"rotary_emb_base\":40}",
      3, 1, 0.5, 1 },
    { NEOX "\"rope_scaling\":{\"type\":\"linear\",\"rope_type\":\"linear\",\"factor\":4}}", 10000, 0.25, 0.25, 0 },
    { NEOX "\"rope_scaling\":{\"rope_type\":null,\"type\":\"linear\",\"factor\":4}}", 10000, 0.25, 0.25, 0 },
    { NEOX "\"rope_scaling\":{\"type\":\"linear\",\"rope_type\":\"default\",\"factor\":8.0}}", 10000, 0.25, 1, 1 },
    { NEOX "\"rope_scaling\":{\"factor\":8.0}}", 10000, 0.25, 1, 1 },
    { NEOX "\"rope_scaling\":{\"type\":\"linear\",\"factor\":0.5}}", 10000, 0.25, 2, 0 },
    { NEOX "\"rope_scaling\":{\"type\":\"dynamic\",\"factor\":8.0}}", 10000, 0.25, 1, 0 },
    /* without a type its class tells */
    { "{\"architectures\":[\"GPTNeoXForCausalLM\"],\"rotary_emb_base\":40}", 40, 0.25, 1, 0 },
    { "{\"architectures\":[\"GPTNeoXModel\"],\"rotary_emb_base\":40}", 40, 0.25, 1, 0 },
};

static void reads_rotary_embeddings_as_the_class_does(void)
{
    for (size_t i = 0; i < sizeof rotary / sizeof *rotary; i++) {
        weft_config_file *c = parse(rotary[i].text, NULL);
        weft_config view;
        weft_error err = { 0 };
        if (!c) continue;
        bool ok = CHECK_NEAR(number(c, "rope_theta"), rotary[i].theta, 0);
        ok &= CHECK_NEAR(number(c, "partial_rotary_factor"), rotary[i].fraction, 0);
        ok &= CHECK_NEAR(position_scale(c), rotary[i].scale, 0);
        ok &= CHECK_OK(weft_config_file_view(c, &view, &err), err);
        ok &= CHECK_EQ_INT(count_notes(c), rotary[i].warnings);
        ok &= CHECK_EQ_INT(weft__config_context_limit(c), strstr(rotary[i].text, "dynamic") ? 2048 : 0);
        if (!ok) printf("  in %s\n", rotary[i].text);
        weft_config_file_close(c);
    }
}

/* Of a type that has no table nothing is known but the keys that all types share. */
static void knows_no_spellings_of_other_types(void)
{
    static const char *const texts[] = { "{\"model_type\":\"unheard_of\",\"rotary_emb_base\":40,\"n_embd\":8}",
                                         "{\"architectures\":[\"GPTNeoXJapaneseForCausalLM\"],\"rotary_emb_base\":40}",
                                         "{\"rotary_emb_base\":40}" };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        weft_config_file *c = parse(texts[i], NULL);
        double x;
        CHECK_EQ_INT(weft_config_file_number(c, "rope_theta", &x), 0);
        CHECK_EQ_INT(weft_config_file_number(c, "hidden_size", &x), 0);
        CHECK_NEAR(number(c, "rotary_emb_base"), 40, 0);
        weft_config_file_close(c);
    }
    weft_config_file *c = parse(NEOX "\"n_embd\":8,\"layer_norm_epsilon\":1,\"activation_function\":\"relu\"}", NULL);
    const char *act;
    CHECK_NEAR(number(c, "hidden_size"), 6144, 0); /* GPT-2's names mean nothing to this class */
    CHECK_NEAR(number(c, "layer_norm_eps"), 1e-5, 0);
    CHECK_EQ_INT(weft_config_file_text(c, "hidden_act", &act), 1);
    CHECK_STR(act, "gelu");
    weft_config_file_close(c);
    c = parse("{\"model_type\":\"bloom\",\"\":\"relu\",\"hidden_act\":\"relu\"}", NULL); /* no file says it */
    CHECK_EQ_INT(weft_config_file_text(c, "hidden_act", &act), 1);
    CHECK_STR(act, "gelu_tanh");
    weft_config_file_close(c);
}

static void reads_dtype(void)
{
    static const char *const texts[] = { NEOX "\"torch_dtype\":\"float16\"}", NEOX "\"dtype\":\"float16\"}",
                                         NEOX "\"dtype\":null,\"torch_dtype\":\"float16\"}",
                                         NEOX "\"torch_dtype\":\"float32\",\"dtype\":\"float16\"}" };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        weft_config_file *c = parse(texts[i], NULL);
        const char *dtype;
        CHECK_EQ_INT(weft_config_file_text(c, "dtype", &dtype), 1);
        CHECK_STR(dtype, "float16");
        CHECK_EQ_INT(count_notes(c), i == 3);
        weft_config_file_close(c);
    }
}

static void warns_in_words(void)
{
    static const struct {
        const char *text, *warning;
    } cases[] = {
        { NEOX "\"rope_theta\":5,\"rotary_emb_base\":6}",
          "rotary_emb_base and rope_theta differ; rotary_emb_base counts" },
        { NEOX "\"rope_theta\":5}", "rope_theta is not read for gpt_neox; the default counts" },
        { "{\"model_type\":\"mpt\",\"attn_config\":{\"alibi_bias_max\":16}}",
          "attn_config.alibi_bias_max is not read for mpt; the default counts" },
        { NEOX "\"rope_scaling\":{\"factor\":5}}", "rope_scaling names no rope_type; its factor is ignored" },
        { NEOX "\"rope_parameters\":{\"rope_theta\":5},\"rotary_emb_base\":6}",
          "rope_parameters.rope_theta and rotary_emb_base differ; rope_parameters.rope_theta counts" },
        { NEOX "\"rope_scaling\":{\"type\":\"linear\",\"factor\":2},\"rope_parameters\":{\"rope_theta\":6}}",
          "rope_scaling and rope_parameters differ; rope_scaling counts alone" },
        { NEOX "\"x\":{\"y\":1,\"y\":2}}", "the key \"y\" stands twice in config.json; the last counts" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weft_config_file *c = parse(cases[i].text, NULL);
        CHECK_STR(weft_config_file_note(c, 0), cases[i].warning);
        CHECK(weft_config_file_note(c, 1) == NULL);
        weft_config_file_close(c);
    }
    weft_config_file *c = parse("{}", "{\"eos_token_id\":1,\"eos_token_id\":2}");
    int32_t id;
    size_t n;
    weft_error err = { 0 };
    CHECK_STR(weft_config_file_note(c, 0),
              "the key \"eos_token_id\" stands twice in generation_config.json; the last counts");
    CHECK_OK(weft_config_file_tokens(c, "eos_token_id", &id, 1, &n, &err), err);
    CHECK_EQ_INT(id, 2);
    weft_config_file_close(c);
}

static void says_where_values_come_from(void)
{
    static const char text[] = NEOX "\"hidden_size\":8,\"rotary_emb_base\":5,\"eos_token_id\":1,\"bos_token_id\":1,"
                                    "\"rope_scaling\":{\"type\":\"linear\",\"factor\":2}}";
    static const struct {
        const char *key, *source;
    } cases[] = {
        { "hidden_size", "c.json" },
        { "rope_theta", "c.json: rotary_emb_base" },
        { "rope.factor", "c.json: rope_scaling.factor" },
        { "vocab_size", "default of gpt_neox" },
        { "head_dim", "default" },
        { "eos_token_id", "generation_config.json" },
        { "bos_token_id", "c.json" },
    };
    weft_config_file *c;
    weft_error err = { 0 };
    const char *generation = "{\"eos_token_id\":2}";
    char buf[WEFT_CONFIG_SOURCE_SIZE];
    if (!CHECK_OK(weft_config_file_parse(text, sizeof text - 1, generation, strlen(generation), "a/b/c.json", &c, &err),
                  err))
        return;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        CHECK_STR(weft_config_file_source(c, cases[i].key, buf), cases[i].source);
    weft_config_file_close(c);
}

#define LLAVA "{\"model_type\":\"llava\",\"text_config\":"
#define GEMMA "{\"model_type\":\"gemma3\",\"text_config\":"

/* What transformers 5.24 makes of it: tie_word_embeddings of the whole, hidden_size of text_config, the first end token
 * (-1: none); and where the last two come from. */
static const struct {
    const char *text;
    double tie, width;
    int32_t eos;
    const char *from, *eos_from;
} wrapped[] = {
    { LLAVA "{}}", 0, 4096, 2, "default of llama", "default of llama" }, /* of no type: LLaMA's */
    { LLAVA "{\"hidden_size\":8},\"hidden_size\":9}", 0, 8, 2, "c.json: text_config", "default of llama" },
    { LLAVA "{\"model_type\":\"gemma\"}}", 1, 3072, 1, "default of gemma", "default of gemma" },
    { LLAVA "{\"tie_word_embeddings\":true}}", 1, 4096, 2, "default of llama", "default of llama" },
    { LLAVA "{\"tie_word_embeddings\":false},\"tie_word_embeddings\":true}", 1, 4096, 2, "default of llama",
      "default of llama" },
    { LLAVA "{\"eos_token_id\":[7,8]},\"eos_token_id\":null}", 0, 4096, 7, "default of llama", "c.json: text_config" },
    { LLAVA "{\"eos_token_id\":7},\"eos_token_id\":[5,6]}", 0, 4096, 5, "default of llama", "c.json" },
    { LLAVA "{\"eos_token_id\":null}}", 0, 4096, -1, "default of llama", "c.json: text_config" },
    { GEMMA "{\"tie_word_embeddings\":false}}", 1, 2304, 1, "default of gemma3_text", "default of gemma3_text" },
    { GEMMA "{},\"tie_word_embeddings\":false}", 0, 2304, 1, "default of gemma3_text", "default of gemma3_text" },
    { "{\"architectures\":[\"Gemma3ForConditionalGeneration\"],\"text_config\":{\"hidden_size\":8}}", 1, 8, 1,
      "c.json: text_config", "default of gemma3_text" },
};

static void reads_the_configuration_inside(void)
{
    char buf[WEFT_CONFIG_SOURCE_SIZE];
    for (size_t i = 0; i < sizeof wrapped / sizeof *wrapped; i++) {
        weft_config_file *c;
        weft_error err = { 0 };
        int32_t eos[4] = { -1 };
        size_t n;
        const char *text = wrapped[i].text;
        if (!CHECK_OK(weft_config_file_parse(text, strlen(text), NULL, 0, "a/c.json", &c, &err), err)) continue;
        bool ok = CHECK_NEAR(number(c, "tie_word_embeddings"), wrapped[i].tie, 0);
        ok &= CHECK_NEAR(number(c, "hidden_size"), wrapped[i].width, 0);
        ok &= CHECK_OK(weft_config_file_tokens(c, "eos_token_id", eos, 4, &n, &err), err);
        ok &= CHECK_EQ_INT(eos[0], wrapped[i].eos);
        ok &= CHECK_STR(weft_config_file_source(c, "hidden_size", buf), wrapped[i].from);
        ok &= CHECK_STR(weft_config_file_source(c, "eos_token_id", buf), wrapped[i].eos_from);
        ok &= CHECK_STR(origin_of(c), "a/c.json: text_config");
        if (!ok) printf("  in %s\n", wrapped[i].text);
        weft_config_file_close(c);
    }
}

/* A definition of somebody's own may read what the library's do not. */
static void reads_what_stands_beside_it(void)
{
    weft_config_file *c = parse(LLAVA "{\"hidden_size\":8},\"hidden_size\":7,\"vision_config\":{\"hidden_size\":9},"
                                "\"audio_config\":{\"hidden_size\":10}}", NULL);
    CHECK_NEAR(number(c, "hidden_size"), 8, 0);
    CHECK_NEAR(number(c, "text_config.hidden_size"), 8, 0);
    CHECK_NEAR(number(c, "vision_config.hidden_size"), 9, 0);
    CHECK_NEAR(number(c, "audio_config.hidden_size"), 10, 0);
    weft_config_file_close(c);
}

static const struct {
    const char *text;
    weft_status status;
    const char *fault;
} unfit[] = {
    { "{\"model_type\":\"llava\"}", WEFT_FORMAT, "text_config is nothing, not an object" },
    { LLAVA "[]}", WEFT_FORMAT, "text_config is an array, not an object" },
    { LLAVA "{\"rope_scaling\":3}}", WEFT_FORMAT, "text_config: rope_scaling is an integer, not an object" },
    { LLAVA "{},\"quantization_config\":{\"quant_method\":\"awq\"}}", WEFT_UNSUPPORTED, "\"awq\"" },
    { "{\"rope_scaling\":{\"type\":3}}", WEFT_FORMAT, "rope_scaling.type is not a string" },
    { "{\"rope_scaling\":{\"type\":Infinity}}", WEFT_FORMAT, "rope_scaling.type is not a string" },
    { "{\"rope_scaling\":\"linear\"}", WEFT_FORMAT, "rope_scaling is a string, not an object" },
    { "{\"rope_scaling\":NaN}", WEFT_FORMAT, "rope_scaling is NaN, not an object" },
    { "{\"rope_parameters\":[]}", WEFT_FORMAT, "rope_parameters is an array, not an object" },
    { "{\"quantization_config\":{\"quant_method\":\"gptq\",\"bits\":4}}", WEFT_UNSUPPORTED,
      "\"gptq\"" },
    { "{\"quantization_config\":{}}", WEFT_UNSUPPORTED, "quantised" },
};

static void refuses_what_no_model_would_notice(void)
{
    for (size_t i = 0; i < sizeof unfit / sizeof *unfit; i++) {
        weft_config_file *c = parse(unfit[i].text, NULL);
        weft_config view;
        weft_error err = { 0 };
        CHECK_STATUS(weft_config_file_view(c, &view, &err), unfit[i].status, err);
        CHECK_CONTAINS(err.text, unfit[i].fault);
        CHECK_CONTAINS(err.text, "config.json");
        weft_config_file_close(c);
    }
}

/* Of "hidden_size", wanted in 1..1048576. */
static const struct {
    const char *text;
    weft_status status;
    const char *fault;
} absurd[] = {
    { "{}", WEFT_NOT_FOUND, "'hidden_size' is missing" },
    { "{\"hidden_size\":null}", WEFT_NOT_FOUND, "'hidden_size' is missing" },
    { NEOX "\"hidden_size\":null}", WEFT_FORMAT, "'hidden_size' is not a number" },
    { "{\"hidden_size\":0}", WEFT_FORMAT, "'hidden_size' is 0, must be a whole number from 1 to 1048576" },
    { "{\"hidden_size\":-256}", WEFT_FORMAT, "'hidden_size' is -256" },
    { "{\"hidden_size\":256.5}", WEFT_FORMAT, "'hidden_size' is 256.5" },
    { "{\"hidden_size\":1e18}", WEFT_FORMAT, "'hidden_size' is 1e+18" },
    { "{\"hidden_size\":9223372036854775807}", WEFT_FORMAT, "'hidden_size' is 9.2" },
    { "{\"hidden_size\":4294967552}", WEFT_FORMAT, "'hidden_size' is 4.29496755e+09" },
    { "{\"hidden_size\":1000000000000000000000000000000000}", WEFT_FORMAT, "'hidden_size' is 1e+33" },
    { "{\"hidden_size\":NaN}", WEFT_FORMAT, "'hidden_size' is nan" },
    { "{\"hidden_size\":Infinity}", WEFT_FORMAT, "'hidden_size' is inf" },
    { "{\"hidden_size\":-1e999}", WEFT_FORMAT, "'hidden_size' is -inf" },
    { "{\"hidden_size\":\"256\"}", WEFT_FORMAT, "'hidden_size' is not a number" },
    { "{\"hidden_size\":[256]}", WEFT_FORMAT, "'hidden_size' is not a number" },
};

/* What a definition would get, and the error that it would end with. */
static uint32_t hidden_size(const char *text, weft_error *err)
{
    weft_config_file *c = parse(text, NULL);
    weft_config view;
    weft_graph *g;
    uint32_t x = 0;
    *err = (weft_error){ 0 };
    if (CHECK_OK(weft_config_file_view(c, &view, err), *err) && CHECK_OK(weft_graph_create(NULL, &g, err), *err)) {
        x = weft_config_u32(g, &view, "hidden_size", 1, 1048576);
        weft_output(g, weft_input(g, WEFT_F32, WEFT_DIMS(2), "x"), "y");
        (void)!weft_graph_seal(g, err);
        weft_graph_destroy(g);
    }
    weft_config_file_close(c);
    return x;
}

static void refuses_absurd_numbers(void)
{
    weft_error err;
    for (size_t i = 0; i < sizeof absurd / sizeof *absurd; i++) {
        CHECK_EQ_INT(hidden_size(absurd[i].text, &err), 1);
        CHECK_EQ_INT(err.status, absurd[i].status);
        CHECK_CONTAINS(err.text, absurd[i].fault);
        CHECK_CONTAINS(err.text, "config.json: ");
    }
    CHECK_EQ_INT(hidden_size("{\"hidden_size\":256.0,\"other\":[NaN,{\"x\":-Infinity}],\"length\":1" "0000000000"
                             "0000000000" "0000000000}", &err), 256);
    CHECK_EQ_INT(err.status, WEFT_OK);
}

static void refuses_bad_json(void)
{
    static const struct {
        const char *text, *fault;
    } cases[] = {
        { "", "not JSON" },
        { "{", "not JSON" },
        { "3", "is an integer, not an object" },
        { "\xef\xbb\xbf{}", "byte order mark" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weft_config_file *c;
        weft_error err = { 0 };
        CHECK_STATUS(weft_config_file_parse(cases[i].text, strlen(cases[i].text), NULL, 0,
                                           "config.json", &c, &err),
                     WEFT_FORMAT, err);
        CHECK(c == NULL);
        CHECK_CONTAINS(err.text, cases[i].fault);
        CHECK_STATUS(weft_config_file_parse("{}", 2, cases[i].text, strlen(cases[i].text),
                                           "config.json", &c, &err),
                     WEFT_FORMAT, err);
        CHECK_CONTAINS(err.text, "generation_config.json");
    }
}

static void looks_up_by_path_and_type(void)
{
    weft_config_file *c =
        parse("{\"architectures\":[\"GPTNeoXForCausalLM\",7],\"t\":true,\"f\":false,\"one\":1,"
              "\"s\":\"0.25\",\"a\":{\"b\":{\"c\":1.5}}}",
              NULL);
    const char *text;
    double x;
    CHECK_EQ_INT(weft_config_file_text(c, "architectures.0", &text), 1);
    CHECK_STR(text, "GPTNeoXForCausalLM");
    CHECK_EQ_INT(weft_config_file_text(c, "architectures.1", &text), -1);
    CHECK_EQ_INT(weft_config_file_text(c, "architectures.2", &text), 0);
    CHECK_NEAR(number(c, "t"), 1, 0);
    CHECK_NEAR(number(c, "f"), 0, 0);
    CHECK_NEAR(number(c, "one"), 1, 0);
    CHECK_NEAR(number(c, "a.b.c"), 1.5, 0);
    CHECK_EQ_INT(weft_config_file_number(c, "a.b.d", &x), 0);
    CHECK_EQ_INT(weft_config_file_number(c, "a.b.c.d", &x), 0);
    CHECK_EQ_INT(weft_config_file_number(c, "a", &x), -1);
    CHECK_EQ_INT(weft_config_file_number(c, "s", &x), -1); /* a string is no number */
    CHECK_EQ_INT(weft_config_file_text(c, "one", &text), -1);
    weft_config_file_close(c);
}

/* -1: an error; else how many ids, the first in *id. */
static int tokens(const char *text, const char *generation, const char *key, int32_t *id)
{
    int32_t ids[4] = { -1, -1, -1, -1 };
    size_t n;
    weft_error err = { 0 };
    weft_config_file *c = parse(text, generation);
    weft_status s = weft_config_file_tokens(c, key, ids, 4, &n, &err);
    weft_config_file_close(c);
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
        { "{\"eos_token_id\":0}", "{\"eos_token_id\":null}", "eos_token_id", 0, -1 },
        { "{\"eos_token_id\":0}", "{\"eos_token_id\":-1}", "eos_token_id", 0, -1 },
        { "{\"eos_token_id\":0}", "{\"eos_token_id\":[]}", "eos_token_id", 0, -1 },
        { "{\"eos_token_id\":0}", "{\"eos_token_id\":[-1,7,-100]}", "eos_token_id", 1, 7 },
        { "{\"bos_token_id\":-1}", "{}", "bos_token_id", 0, -1 },
        { "{\"pad_token_id\":-1}", NULL, "pad_token_id", 0, -1 },
        { "{\"eos_token_id\":-1}", "{\"eos_token_id\":4}", "eos_token_id", 1, 4 },
        { "{\"eos_token_id\":2.0}", NULL, "eos_token_id", 1, 2 },
        { "{\"eos_token_id\":[1,2,-1,-1,3,4]}", NULL, "eos_token_id", 4, 1 },
        { "{\"eos_token_id\":null,\"model_type\":\"gpt_neox\"}", NULL, "eos_token_id", 0, -1 },
        { "{\"model_type\":\"gpt_neox\"}", NULL, "eos_token_id", 1, 2 }, /* the class's default */
        { "{\"model_type\":\"gpt_neox\"}", NULL, "bos_token_id", 1, 0 },
        { "{\"model_type\":\"gpt_neox\"}", NULL, "pad_token_id", 0, -1 },
        { "{\"model_type\":\"unheard_of\"}", NULL, "eos_token_id", 0, -1 },
        { "{}", "{\"pad_token_id\":1}", "pad_token_id", 1, 1 },
        { "{\"eos_token_id\":[]}", NULL, "eos_token_id", 0, -1 },
        { "{\"eos_token_id\":-1}", NULL, "eos_token_id", 0, -1 },
        { "{\"eos_token_id\":NaN}", NULL, "eos_token_id", -1, 0 },
        { "{\"eos_token_id\":{}}", NULL, "eos_token_id", -1, 0 },
        { "{\"eos_token_id\":true}", NULL, "eos_token_id", -1, 0 },
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

/* A fault is named in the file that has it. */
static void names_the_file_of_a_fault(void)
{
    static const struct {
        const char *text, *generation, *fault;
    } cases[] = {
        { "{}", "{\"eos_token_id\":\"x\"}", "a/generation_config.json: eos_token_id holds a string" },
        { "{}", "{\"eos_token_id\":1.5}", "a/generation_config.json: eos_token_id holds 1.5" },
        { "{\"eos_token_id\":[null]}", "{}", "a/config.json: eos_token_id holds null" },
        { "{\"eos_token_id\":1e99}", NULL, "a/config.json: eos_token_id holds 1e+99" },
        { "{}", "{\"eos_token_id\":[1,2,3]}", "a/generation_config.json: eos_token_id lists 3 ids, more than 2" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weft_config_file *c;
        int32_t ids[2];
        size_t n, n_generation = cases[i].generation ? strlen(cases[i].generation) : 0;
        weft_error err = { 0 };
        if (!CHECK_OK(weft_config_file_parse(cases[i].text, strlen(cases[i].text), cases[i].generation, n_generation,
                                            "a/config.json", &c, &err), err))
            continue;
        weft_status s = weft_config_file_tokens(c, "eos_token_id", ids, 2, &n, &err);
        CHECK_STATUS(s, i == 4 ? WEFT_LIMIT : WEFT_FORMAT, err);
        CHECK_CONTAINS(err.text, cases[i].fault);
        weft_config_file_close(c);
    }
}

static void opens_folders(void)
{
    temp_folder t = temp_make();
    weft_config_file *c;
    int32_t id;
    size_t n;
    weft_error err = { 0 };
    CHECK_STATUS(weft_config_file_open(t.path, &c, &err), WEFT_NOT_FOUND, err);
    CHECK_CONTAINS(err.text, "config.json");
    temp_write_text(&t, "config.json", "{\"eos_token_id\":3,\"model_type\":\"gpt_neox\"}");
    temp_write_text(&t, "variant.json", "{\"model_type\":\"gpt2\"}");
    temp_write_text(&t, "model.safetensors", "");
    const char *const models[] = { t.path, temp_path(&t, "config.json"),
                                   temp_path(&t, "model.safetensors") };
    for (int i = 0; i < 3; i++) {
        if (CHECK_OK(weft_config_file_open(models[i], &c, &err), err)) {
            CHECK_OK(weft_config_file_tokens(c, "eos_token_id", &id, 1, &n, &err), err);
            CHECK_EQ_INT(id, 3);
            CHECK_CONTAINS(origin_of(c), "/config.json");
        }
        weft_config_file_close(c);
    }
    if (CHECK_OK(weft_config_file_open(temp_path(&t, "variant.json"), &c, &err), err))
        CHECK_CONTAINS(origin_of(c), "/variant.json");
    weft_config_file_close(c);
    temp_write_text(&t, "generation_config.json", "{\"eos_token_id\":[7,8]}");
    if (CHECK_OK(weft_config_file_open(t.path, &c, &err), err)) {
        CHECK_STATUS(weft_config_file_tokens(c, "eos_token_id", &id, 1, &n, &err), WEFT_LIMIT, err);
        CHECK_CONTAINS(err.text, "2 ids, more than 1");
    }
    weft_config_file_close(c);
    temp_remove(&t);
}

static void reads_the_bundled_model(void)
{
    weft_config_file *c;
    weft_config view;
    int32_t id;
    size_t n;
    weft_error err = { 0 };
    if (!CHECK_OK(weft_config_file_open(WEFT_TEST_ROOT "/models/bundled/tiny-stories-neox", &c,
                                       &err),
                  err))
        return;
    CHECK_NEAR(number(c, "hidden_size"), 256, 0);
    CHECK_NEAR(number(c, "rope_theta"), 10000, 0);
    CHECK_NEAR(number(c, "partial_rotary_factor"), 0.25, 0);
    CHECK_NEAR(number(c, "use_parallel_residual"), 1, 0);
    CHECK_OK(weft_config_file_tokens(c, "pad_token_id", &id, 1, &n, &err), err);
    CHECK_EQ_INT(id, 1);
    CHECK_OK(weft_config_file_view(c, &view, &err), err);
    CHECK_EQ_INT(count_notes(c), 0);
    weft_config_file_close(c);
}

static const weft_test tests[] = {
    { "reads_rotary_embeddings_as_the_class_does", reads_rotary_embeddings_as_the_class_does },
    { "knows_no_spellings_of_other_types", knows_no_spellings_of_other_types },
    { "reads_dtype", reads_dtype },
    { "warns_in_words", warns_in_words },
    { "says_where_values_come_from", says_where_values_come_from },
    { "reads_the_configuration_inside", reads_the_configuration_inside },
    { "reads_what_stands_beside_it", reads_what_stands_beside_it },
    { "refuses_what_no_model_would_notice", refuses_what_no_model_would_notice },
    { "refuses_absurd_numbers", refuses_absurd_numbers },
    { "refuses_bad_json", refuses_bad_json },
    { "looks_up_by_path_and_type", looks_up_by_path_and_type },
    { "reads_token_ids", reads_token_ids },
    { "names_the_file_of_a_fault", names_the_file_of_a_fault },
    { "opens_folders", opens_folders },
    { "reads_the_bundled_model", reads_the_bundled_model },
};
TEST_MAIN(tests)
