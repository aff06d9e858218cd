/* test_text_param.c: where parameters come from: the caller, the configuration, the text; their types and ranges; what
 * a text requires of a configuration. And blocks of the caller's. */
#include <math.h>

#include "text_support.h"

/* ---- a configuration in memory, which notes what is asked ---- */

typedef struct entry {
    const char *key, *text;
    double number;
} entry;

typedef struct config {
    const entry *entries;
    size_t n;
    char asked[512];
} config;

static const entry *find(const config *c, const char *key)
{
    for (size_t i = 0; i < c->n; i++)
        if (!strcmp(c->entries[i].key, key)) return &c->entries[i];
    return NULL;
}

static int get_number(const void *ctx, const char *key, double *out)
{
    const entry *e = find(ctx, key);
    if (e && !e->text) *out = e->number;
    return !e ? 0 : e->text ? -1 : 1;
}

static int get_text(const void *ctx, const char *key, const char **out)
{
    const entry *e = find(ctx, key);
    if (e && e->text) *out = e->text;
    return !e ? 0 : e->text ? 1 : -1;
}

static const char *spell(const void *ctx, const char *key)
{
    (void)ctx;
    return !strcmp(key, "hidden_size") ? "text_config.hidden_size" : key;
}

static void note(void *sink, const weft_config_value *v)
{
    config *c = sink;
    size_t used = strlen(c->asked);
    if (v->text)
        snprintf(c->asked + used, sizeof c->asked - used, "%s=%s%s ", v->key, v->text, v->found ? "" : "?");
    else
        snprintf(c->asked + used, sizeof c->asked - used, "%s=%g%s%s ", v->key, v->number, v->truth ? "t" : "",
                 v->found ? "" : "?");
}

static weft_config config_of(config *c)
{
    return (weft_config){ c, get_number, get_text, "config.json", spell, note, c };
}

/* ---- */

#define X    "%x = input \"x\" : f32[1]\n"
#define SHOW(name) X "output \"{" name "}\" = %x\n"

/* The text's first output is named so. */
static void shows(const char *text, const weft_graph_text_desc *with, const char *want)
{
    weft_graph *g = text_graph(text, with);
    uint32_t n;
    if (g) CHECK_STR(weft_graph_outputs(g, &n)[0].name, want);
    weft_graph_destroy(g);
}

static const entry some[] = {
    { "hidden_size", NULL, 64 }, { "n_embd", NULL, 32 },      { "eps", NULL, 1e-5 },        { "tied", NULL, 1 },
    { "kind", "llama", 0 },      { "act", "gelu_new", 0 },    { "dtype", "f16", 0 },        { "half", NULL, 1.5 },
    { "types.0", "a", 0 },       { "types.1", "b", 0 },       { "windows.0", NULL, 1 },     { "windows.1", NULL, 2 },
    { "windows.2", NULL, 3 },    { "nested.kind", "yarn", 0 }, { "infinite", NULL, HUGE_VAL },
};

static void precedence(void)
{
    config c = { some, sizeof some / sizeof *some, "" };
    const weft_config of = config_of(&c);
    const weft_graph_param given[] = { { "n", NULL, 7 } };
    weft_graph_text_desc both = { .config = &of, .params = given, .n_params = 1 }, caller = { .params = given };
    weft_graph_text_desc file = { .config = &of };
    caller.n_params = 1;
    const char *text = V2 "param n : int = 5 from \"absent\", \"n_embd\", \"hidden_size\"\n" SHOW("n");
    shows(text, &both, "7");
    shows(text, &caller, "7");
    CHECK_STR(c.asked, "");
    shows(text, &file, "32");
    CHECK_STR(c.asked, "n_embd=32 ");
    shows(text, NULL, "5");
    shows(V2 "param hidden_size : int = 1\n" SHOW("hidden_size"), &file, "64");
}

/* What stands behind `else` is for configurations that have none of the keys, and no others. */
static void absence(void)
{
    config c = { some, sizeof some / sizeof *some, "" };
    const weft_config of = config_of(&c);
    const weft_graph_param given[] = { { "n", NULL, 7 } };
    weft_graph_text_desc file = { .config = &of }, none = { .config = &of, .undemanding = true }, both = file;
    both.params = given;
    both.n_params = 1;
    const char *text = V2 "param E : int = 8 from \"hidden_size\"\n"
                          "param n : int = 5 from \"absent\", \"also\" else 2 * E\n" SHOW("n");
    shows(text, NULL, "5");
    shows(text, &none, "5");
    shows(text, &file, "128");
    CHECK_STR(c.asked, "hidden_size=64 absent=5? hidden_size=64 absent=128? ");
    shows(text, &both, "7");
    shows(V2 "param n : int = 5 from \"n_embd\" else none\n" SHOW("n"), &file, "32");
    shows(V2 "param n : int = 5 from \"absent\" else none\n" SHOW("n"), NULL, "5");
    shows(V2 "param a : [int] = [1] from \"absent\" else [2, 3]\n" SHOW("len(a)"), &file, "2");
    shows(V2 "param a : act = relu from \"absent\" else silu\n" SHOW("a"), &file, "silu");
    text_fails(V2 "param n : int = 5 from \"absent\" else none\n", &file, WEFT_NOT_FOUND,
               "t:2:7: parameter 'n' has no value: config.json has no 'absent'");
    text_fails(V2 "param n : int = 5 in 1..9 from \"absent\" else 10\n", &file, WEFT_FORMAT,
               "t:2:46: parameter 'n' is 10, must be from 1 to 9");
    text_fails(V2 "param a : [int] = [1] else 2\n", &file, WEFT_FORMAT, "t:2:28: a list is wanted, not 2");
}

static void asks_once_and_tells_defaults(void)
{
    config c = { some, sizeof some / sizeof *some, "" };
    const weft_config of = config_of(&c);
    weft_graph_text_desc file = { .config = &of };
    shows(V2 "param hidden_size : int\nparam heads : int = hidden_size / 16 from \"n_head\", \"heads\"\n"
             "param tied : bool\nparam bias : bool = false\nparam kind : text\nparam name : text = \"x\"\n"
             "param eps : float\nparam act : act\n" SHOW("heads"),
          &file, "4");
    CHECK_STR(c.asked, "hidden_size=64 n_head=4? tied=1t bias=0t? kind=llama name=x? eps=1e-05 act=gelu_new ");
}

static void types(void)
{
    config c = { some, sizeof some / sizeof *some, "" };
    const weft_config of = config_of(&c);
    const weft_graph_param given[] = { { "b", NULL, 1 }, { "i", NULL, -3 }, { "t", "f16", 0 }, { "a", "swish", 0 },
                                       { "list.0", NULL, 5 }, { "list.1", NULL, 6 } };
    weft_graph_text_desc with = { .config = &of, .params = given, .n_params = 6 };
    shows(V2 "param b : bool\nparam i : int\nparam t : dtype\nparam a : act\nparam list : [int]\n"
             "param act : act = relu\nparam dtype : dtype = f32\nparam types : [text]\nparam windows : [float] = [9]\n"
             "param more : [int] = [1, i]\n"
             "let all = \"{b} {i} {t} {a} {list[0]} {len(list)} {act} {dtype} {types[1]} {windows[2]} {more[1]}\"\n"
             SHOW("all"), &with, "true -3 f16 silu 5 2 gelu_tanh f16 b 3 -3");
    text_means(V2 "param t : dtype = f16\nparam a : text = \"gelu_new\"\n%x = input \"x\" : t[2]\n"
                  "%y = cast %x {dtype = f32}\n%y = activation %y {act = a}\noutput \"y\" = %y\n",
               NULL,
               "weft-graph 1\n%1 = input \"x\" : f16[2]\n%2 = cast %1 {dtype = f32}\n%3 = gelu_tanh %2\n"
               "output \"y\" = %3\n");
}

static void refuses(void)
{
    config c = { some, sizeof some / sizeof *some, "" };
    const weft_config of = config_of(&c);
    weft_graph_text_desc file = { .config = &of };
#define NOT(param, status, why) text_fails(V2 param "\n" X "output \"y\" = %x\n", &file, status, why)
    NOT("param hidden_size : int in 1..32", WEFT_FORMAT,
        "t:2:7: config.json: 'text_config.hidden_size' is 64, must be a whole number from 1 to 32\n"
        "    param hidden_size : int in 1..32\n          ^");
    NOT("param half : int", WEFT_FORMAT, "'half' is 1.5, must be a whole number");
    NOT("param half : bool", WEFT_FORMAT, "'half' is 1.5, must be");
    NOT("param kind : int", WEFT_FORMAT, "config.json: 'kind' is not a number");
    NOT("param eps : text", WEFT_FORMAT, "config.json: 'eps' is not a text");
    NOT("param infinite : float", WEFT_FORMAT, "config.json: 'infinite' is inf");
    NOT("param kind : act", WEFT_UNSUPPORTED, "parameter 'kind' is 'llama', an activation that is not known");
    NOT("param kind : dtype", WEFT_FORMAT, "parameter 'kind' is a text: llama, not a type");
    NOT("param windows : [int] in 1..2", WEFT_FORMAT,
        "config.json: 'windows.2' is 3, must be a whole number from 1 to 2");
    NOT("param absent : int", WEFT_NOT_FOUND, "t:2:7: parameter 'absent' has no value: config.json has no 'absent'");
    NOT("param absent : int from \"a\", \"b\"", WEFT_NOT_FOUND, "config.json has no 'a' or what else it may be called");
    NOT("param n : int = 40 in 1..32", WEFT_FORMAT, "t:2:17: parameter 'n' is 40, must be from 1 to 32");
    NOT("param n : int = 1.5", WEFT_FORMAT, "t:2:17: parameter 'n' is a number: 1.5, not a whole number");
    NOT("param n : int = \"a\"", WEFT_FORMAT, "parameter 'n' is a text: a, not a whole number");
    NOT("param n : bool = 1", WEFT_FORMAT, "parameter 'n' is a whole number: 1, not true or false");
    NOT("param n : [int] = 1", WEFT_FORMAT, "a list is wanted, not 1");
    NOT("param n : [int] = [1, \"a\"]", WEFT_FORMAT, "t:2:23: parameter 'n' is a text: a, not a whole number");
    NOT("param n : int = 1\nparam n : int = 2", WEFT_FORMAT, "t:3:7: given twice: 'n'");
    text_fails(V2 "param n : int\n", NULL, WEFT_NOT_FOUND, "neither the caller nor the text gives one");
    const weft_graph_param wrong[] = { { "heds", NULL, 1 } }, kind[] = { { "heads", "a", 0 } };
    weft_graph_text_desc with = { .params = wrong, .n_params = 1 };
    text_fails(V2 "param heads : int = 1\n" SHOW("heads"), &with, WEFT_NOT_FOUND,
               "t: the text has no parameter 'heds' (did you mean 'heads'?)");
    const weft_graph_param twice[] = { { "heads", NULL, 1 }, { "heads", NULL, 1 } };
    with.params = twice;
    with.n_params = 2;
    text_fails(V2 "param heads : int = 1\n" SHOW("heads"), &with, WEFT_INVALID, "t: parameter 'heads' is given twice");
    with.n_params = 1;
    with.params = kind;
    text_fails(V2 "param heads : int = 1\n" SHOW("heads"), &with, WEFT_FORMAT, "parameter 'heads' is a text: a");
}

static void requirements(void)
{
    config c = { some, sizeof some / sizeof *some, "" };
    const weft_config of = config_of(&c);
    weft_graph_text_desc file = { .config = &of };
    const char *fine = V2 "require \"tied\" = true\nrequire \"kind\" = \"llama\"\nrequire \"half\" = 3 / 2.0\n"
                          "require \"absent\" = 1 or none\nrequire \"types\" = [\"a\", \"b\"]\n"
                          "require \"other\" = none\n"
                          X "output \"y\" = %x\n";
    shows(fine, &file, "y");
    shows(fine, NULL, "y"); /* nothing to contradict */
    shows(V2 "require \"kind\" = \"gpt\"\n" X "output \"y\" = %x\n", NULL, "y");
    NOT("require \"kind\" = \"gpt\"", WEFT_UNSUPPORTED,
        "t:2:1: the text is for a model whose 'kind' is gpt, and config.json has llama");
    NOT("require \"tied\" = false", WEFT_UNSUPPORTED, "'tied' is false, and config.json has true");
    NOT("require \"absent\" = false", WEFT_UNSUPPORTED, "'absent' is false, and config.json has none");
    NOT("require \"hidden_size\" = 65", WEFT_UNSUPPORTED, "'text_config.hidden_size' is 65, and config.json has 64");
    NOT("require \"kind\" = none", WEFT_UNSUPPORTED, "a model without 'kind', and config.json has one");
    NOT("require \"tied\" = none", WEFT_UNSUPPORTED, "a model without 'tied', and config.json has one");
    NOT("require \"types\" = [\"a\", \"c\"]", WEFT_UNSUPPORTED, "'types.1' is c, and config.json has b");
    NOT("require \"types\" = [\"a\", \"b\", \"b\"]", WEFT_UNSUPPORTED, "'types.2' is b, and config.json has none");
    NOT("require \"types\" = [\"a\"]", WEFT_UNSUPPORTED, "without 'types.1', and config.json has one");
}

/* ---- blocks of the caller's ---- */

static void emit(void *ctx, weft_graph *g, const weft_ref *in, uint32_t n_in, const weft_text_value *v,
                 weft_ref *out)
{
    uint32_t *uses = ctx;
    ++*uses;
    weft_scope_begin(g, "%s", v[2].given ? v[2].word : "twins");
    weft_ref y = weft_scale(g, in[0], (float)v[0].number);
    for (int64_t i = 0; i < v[1].whole; i++) y = weft_add(g, y, in[n_in - 1]);
    out[0] = weft_activation(g, y, v[3].act);
    out[1] = weft_scope_end(g, v[4].whole ? weft_neg(g, y) : y);
}

static const weft_text_attr attrs[] = {
    { "factor", WEFT_TEXT_NUMBER, false }, { "times", WEFT_TEXT_WHOLE, true }, { "name", WEFT_TEXT_WORD, true },
    { "act", WEFT_TEXT_ACT, true },        { "minus", WEFT_TEXT_TRUTH, true },
};
static const weft_text_block twins = { "twins", 1, 2, 2, attrs, 5, emit };

static void refuse_gelu(void *ctx, weft_graph *g, uint32_t node)
{
    (void)ctx;
    const weft_node *n = weft_graph_node_by_id(g, node);
    if (n && n->op == WEFT_OP_gelu) weft_graph_fail(g, WEFT_NOT_FOUND, "no gelu here");
}

static void blocks_of_the_caller(void)
{
    uint32_t uses = 0;
    weft_graph_text_desc with = { .blocks = &twins, .n_blocks = 1, .ctx = &uses };
    text_means(V2 X "let n = 2\nscope \"s\" {\n"
                    "    %y, %z = twins %x, %x {factor = n / 4.0, times = n - 1, act = relu}\n"
                    "    %y, %z = twins %y {factor = 1, minus = true, name = both}\n}\noutput \"y\" = %y\n",
               &with,
               "weft-graph 1\n%1 = input \"x\" : f32[1]\n%2 = scale %1 {factor = 0.5} @ \"s.twins\"\n"
               "%3 = add %2, %1 @ \"s.twins\"\n%4 = relu %3 @ \"s.twins\"\n%5 = scale %4 {factor = 1} @ \"s.both\"\n"
               "%6 = neg %5 @ \"s.both\"\noutput \"y\" = %5\n");
    CHECK_EQ_INT(uses, 2);
#define USE(line, status, why) text_fails(V2 X line "\noutput \"y\" = %x\n", &with, status, why)
    USE("%y = twins %x {factor = 1}", WEFT_FORMAT, "t:3:6: wrong number of results for 'twins'");
    USE("%y, %z = twins {factor = 1}", WEFT_FORMAT, "twins: 0 inputs, needs 1 to 2");
    USE("%y, %z = twins %x", WEFT_FORMAT, "missing attribute 'factor'");
    USE("%y, %z = twins %x {factor = 1, tims = 1}", WEFT_FORMAT, "called 'tims' (did you mean 'times'?)");
    USE("%y, %z = twins %x {factor = 1, factor = 1}", WEFT_FORMAT, "given twice: 'factor'");
    USE("%y, %z = twins %x {factor = \"a\"}", WEFT_FORMAT, "a number is wanted, not 'a'");
    USE("%y, %z = twins %x {factor = 1, minus = 2}", WEFT_FORMAT, "the number is out of range");
    USE("%y, %z = twins %x {factor = 1, name = 3}", WEFT_FORMAT, "a word is wanted, not 3");
    USE("%y, %z = twins %x {factor = 1, name = \"\"}", WEFT_INVALID, "t:3:1: a scope's name is empty");
    USE("%y, %z = twns %x {factor = 1}", WEFT_FORMAT, "no op or block is called 'twns' (did you mean 'twins'?)");
    with.made = refuse_gelu;
    USE("scope \"a\" {\n    %y = gelu %x\n}", WEFT_NOT_FOUND, "t:4:5: a: no gelu here\n        %y = gelu %x\n"
        "        ^");
}

static void count_made(void *ctx, weft_graph *g, uint32_t node)
{
    uint32_t *n = ctx;
    if (weft_graph_node_by_id(g, node)) ++*n;
}

/* A weight that is named twice, twice; what is no node, and nodes of the caller's blocks, not at all. */
static void tells_what_is_made(void)
{
    uint32_t n = 0;
    weft_graph_text_desc with = { .blocks = &twins, .n_blocks = 1, .ctx = &n, .made = count_made };
    weft_graph *g = text_graph(V2 X "%w = weight \"w\" : any[1]\n%w = weight \"w\" : any[1]\n%x = mul %x, %w\n"
                                    "%x = activation %x {act = none}\n%y, %x = twins %x {factor = 2}\n"
                                    "output \"y\" = %x\n", &with);
    CHECK_EQ_INT(n, 4 + 1); /* emit() counts, too */
    weft_graph_destroy(g);
    n = 0;
    g = text_graph("weft-graph 1\n%1 = input \"x\" : f32[1]\n%2 = gelu %1\noutput \"y\" = %2\n", &with);
    CHECK_EQ_INT(n, 2);
    weft_graph_destroy(g);
}

/* A text's block hides one of the caller's, and an op; in the block itself they are what they were. */
static void blocks_before_ops(void)
{
    uint32_t uses = 0;
    weft_graph_text_desc with = { .blocks = &twins, .n_blocks = 1, .ctx = &uses };
    text_means(V2 X "block gelu(%x) {\n    %x = relu %x\n    %x = gelu %x\n    return %x\n}\n"
                    "block twins(%x) {\n    %y, %x = twins %x {factor = 2}\n    %x = gelu %x\n    return %x\n}\n"
                    "%x = twins %x\noutput \"y\" = %x\n",
               &with,
               "weft-graph 1\n%1 = input \"x\" : f32[1]\n%2 = scale %1 {factor = 2} @ \"twins\"\n%3 = relu %2\n"
               "%4 = gelu %3\noutput \"y\" = %4\n");
}

/* What the graph has already is taken; an input must be of the same type. */
static void extents_and_inputs_that_are_there(void)
{
    weft_error err = { 0 };
    for (int bad = 0; bad < 2; bad++) {
        weft_graph *g = test_graph();
        weft_graph_text *t;
        weft_dim tokens = weft_extent(g, "tokens", 8);
        weft_input(g, WEFT_I32, WEFT_DIMS(tokens), "tokens");
        const char *text = bad ? V2 "extent tokens 512\n%t = input \"tokens\" : f32[tokens]\noutput \"y\" = %t\n"
                               : V2 "extent tokens 512\nextent rows 3\n%t = input \"tokens\" : i32[tokens]\n"
                                    "%r = input \"rows\" : i32[rows]\n%t = abs %t\noutput \"y\" = %t\n";
        if (!CHECK_OK(weft_graph_text_read(text, strlen(text), "t", &t, &err), err)) return;
        weft_status s = weft_graph_text_build(t, NULL, g, &err);
        CHECK_STATUS(s, bad ? WEFT_SHAPE : WEFT_OK, err);
        CHECK_STATUS(weft_graph_seal(g, &err), bad ? WEFT_SHAPE : WEFT_OK, err); /* the graph has the error, too */
        if (bad)
            CHECK_CONTAINS(err.text, "t:3:1: input 'tokens' is f32[tokens], and what runs the graph gives i32[tokens]");
        else
            CHECK_EQ_INT(weft_graph_node_count(g), 3);
        weft_graph_text_destroy(t);
        weft_graph_destroy(g);
    }
}

static void version_1_needs_an_empty_graph(void)
{
    weft_error err = { 0 };
    weft_graph *g = test_graph();
    weft_graph_text *t;
    const char *text = "weft-graph 1\n%1 = input \"x\" : f32[1]\n";
    if (!CHECK_OK(weft_graph_text_read(text, strlen(text), "t", &t, &err), err)) return;
    CHECK_OK(weft_graph_text_build(t, NULL, g, &err), err);
    CHECK_STATUS(weft_graph_text_build(t, NULL, g, &err), WEFT_INVALID, err);
    weft_output(g, (weft_ref){ 1 }, "y");
    CHECK_OK(weft_graph_seal(g, &err), err);
    CHECK_STATUS(weft_graph_text_build(t, NULL, g, &err), WEFT_INVALID, err);
    weft_graph_text_destroy(t);
    weft_graph_destroy(g);
}

static const weft_test tests[] = {
    { "precedence", precedence },
    { "absence", absence },
    { "asks_once_and_tells_defaults", asks_once_and_tells_defaults },
    { "types", types },
    { "refuses", refuses },
    { "requirements", requirements },
    { "blocks_of_the_caller", blocks_of_the_caller },
    { "tells_what_is_made", tells_what_is_made },
    { "blocks_before_ops", blocks_before_ops },
    { "extents_and_inputs_that_are_there", extents_and_inputs_that_are_there },
    { "version_1_needs_an_empty_graph", version_1_needs_an_empty_graph },
};
TEST_MAIN(tests)
