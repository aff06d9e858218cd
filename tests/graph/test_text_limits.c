/* test_text_limits.c: bounds of texts, found before anything is made; faults in blocks and repeats and where they are
 * told; every allocation failing once. */
#include "tests/oom.h"
#include "text_support.h"

#define X "%x = input \"x\" : f32[1]\n"

/* ---- bounds ---- */

/* Refused before a node is made, and with little memory. */
static void too_much(const char *text, const char *why)
{
    weft_error err = { 0 };
    weft_graph *g = test_graph();
    weft_graph_text *t;
    if (!CHECK_OK(weft_graph_text_read(text, strlen(text), "t", &t, &err), err)) return;
    oom_arm(-1);
    CHECK_STATUS(weft_graph_text_build(t, NULL, g, &err), WEFT_LIMIT, err);
    CHECK(oom_largest() < 1 << 20);
    oom_disarm();
    CHECK_CONTAINS(err.text, why);
    CHECK_EQ_INT(weft_graph_node_count(g), 0);
    weft_graph_text_destroy(t);
    weft_graph_destroy(g);
}

static void nodes(void)
{
    too_much(V2 X "repeat i in 0..1000 {\n    repeat j in 0..1000 {\n        %x = gelu %x\n    }\n}\n"
                  "output \"y\" = %x\n",
             "t:5:9: the text makes more than 1000000 nodes (i = 999, j = 999)\n            %x = gelu %x");
    too_much(V2 X "repeat i in 0..1000000000000000000 {\n    %x = gelu %x\n"
                  "}\n", "more than 1000000 nodes (i = 999999)");
}

static void statements(void)
{
    too_much(V2 X "repeat i in 0..1000000000 {\n    repeat j in 0..1000000000 {\n    }\n}\n",
             "the text runs more than 4000000 statements (i = 0, j = ");
    too_much(V2 X "repeat i in -9223372036854775808..9223372036854775807 {\n    let a = i\n}\n",
             "more than 4000000 statements (i = -92233720");
}

/* Each block uses the one above twice. */
static void blocks_that_double(void)
{
    char text[8192];
    size_t used = (size_t)snprintf(text, sizeof text, "%sblock b0(%%x) {\n    %%x = gelu %%x\n    return %%x\n"
                                                      "}\n", V2 X);
    for (int i = 1; i <= 40; i++)
        used += (size_t)snprintf(text + used, sizeof text - used,
                                 "block b%d(%%x) {\n    %%x = b%d %%x\n    %%x = b%d %%x\n    return %%x\n}\n", i,
                                 i - 1, i - 1);
    snprintf(text + used, sizeof text - used, "%%x = b40 %%x\noutput \"y\" = %%x\n");
    too_much(text, "the text runs more than 4000000 statements (in block 'b");
}

static void nesting(void)
{
    enum { MOST = 200 };
    static char text[MOST * 64];
    size_t used = (size_t)snprintf(text, sizeof text, "%sblock b0(%%x) {\n    return %%x\n}\n", V2 X);
    for (int i = 1; i < MOST; i++)
        used += (size_t)snprintf(text + used, sizeof text - used,
                                 "block b%d(%%x) {\n    %%x = b%d %%x\n    return %%x\n}\n", i, i - 1);
    snprintf(text + used, sizeof text - used, "%%x = b%d %%x\noutput \"y\" = %%x\n", MOST - 1);
    too_much(text, "nested too deep");
    used = strlen(text) - strlen("%x = b199 %x\noutput \"y\" = %x\n");
    snprintf(text + used, sizeof text - used, "%%x = b100 %%x\noutput \"y\" = %%x\n");
    weft_graph *g = text_graph(text, NULL);
    CHECK(g != NULL);
    weft_graph_destroy(g);
}

static void attributes(void)
{
    static char text[8192];
    size_t used = (size_t)snprintf(text, sizeof text, "%sblock b(%%x", V2 X);
    for (int i = 0; i <= 256; i++) used += (size_t)snprintf(text + used, sizeof text - used, ", a%d", i);
    snprintf(text + used, sizeof text - used, ") {\n    return %%x\n}\n");
    too_much(text, "t:3:7: block 'b' has more than 256 attributes");
}

/* A long chain is no nesting. */
static void else_if(void)
{
    enum { MOST = 60 };
    static char text[MOST * 64];
    size_t used = (size_t)snprintf(text, sizeof text, "%srepeat i in 0..2 {\n    if i == 5000 {\n", V2 X);
    for (int i = 0; i < MOST; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "    } else if i == %d {\n        %%x = gelu %%x\n",
                                 MOST - 1 - i);
    snprintf(text + used, sizeof text - used, "    }\n}\noutput \"y\" = %%x\n");
    weft_graph *g = text_graph(text, NULL);
    if (g) CHECK_EQ_INT(weft_graph_node_count(g), 3);
    weft_graph_destroy(g);
}

/* Texts that double, lists that are searched, expressions that go on and on. */
static void expressions(void)
{
    static char text[40000];
    too_much(V2 "let a = \"0123456789abcdef\"\nblock twice(%x, s) {\n    let t = \"{s}{s}\"\n"
                "    let u = \"{t}{t}{t}{t}\"\n"
                "    let v = \"{u}{u}{u}{u}{u}{u}{u}{u}{u}\"\n    return %x\n}\n" X "%x = twice %x {s = a}\n",
             "t:6:13: the text has more than 1023 bytes (in block 'twice', used at line 10)");
    size_t used = (size_t)snprintf(text, sizeof text, V2 "let list = [0");
    for (int i = 1; i < 5000; i++) used += (size_t)snprintf(text + used, sizeof text - used, ", %d", i);
    snprintf(text + used, sizeof text - used, "]\nrepeat i in 0..1000000 {\n    let a = -1 in list\n}\n");
    too_much(text, "t:4:16: the text takes more than 64000000 steps (i = 12");
}

/* ---- where faults are told ---- */

static void traces(void)
{
    text_fails(V2 X "block inner(%x, n) {\n    if n == 3 {\n        %y = reshape %x {dims = [n]}\n    }\n"
                    "    return %x\n}\n"
                    "block outer(%x, n) {\n    %x = inner %x {n = n + 1}\n    return %x\n}\n"
                    "repeat i in 0..4 {\n    scope \"layers.{i}\" {\n        %x = outer %x {n = i}\n    }\n}\n"
                    "output \"y\" = %x\n",
               NULL, WEFT_SHAPE,
               "t:5:9: layers.2: reshape: [3] does not hold as many elements as [1] (in block 'inner', used at "
               "line 10, in block 'outer', used at line 15, i = 2)\n            %y = reshape %x {dims ="
               " [n]}\n            ^");
    text_fails(V2 X "repeat i in 0..4 {\n    %x = gelu %z\n}\n", NULL, WEFT_FORMAT,
               "t:4:15: no value here is called 'z' (did you mean 'x'?) (i = 0)");
    text_fails(V2 X "let kinds = [\"a\", \"b\"]\nrepeat i in 0..4 {\n    if kinds[i] == \"c\" {\n"
                    "        %x = gelu %x\n    }\n}\n",
               NULL, WEFT_FORMAT, "t:5:14: the list has 2 elements, and none at 2 (i = 2)");
    text_fails(V2 X "repeat i in 0..4 {\n    if i == 1 {\n        fail \"no layer {i} of \\\"{i + 1}\\\"\"\n    }\n"
                    "}\n", NULL,
               WEFT_UNSUPPORTED, "t:5:9: no layer 1 of \"2\" (i = 1)");
    text_fails(V2 X "repeat i in 0..4 {\n    output \"y\" = %x\n}\n", NULL, WEFT_INVALID,
               "t:4:12: output 'y': the name is taken (i = 1)");
}

static void names(void)
{
#define NOT(lines, why) text_fails(V2 X lines "\noutput \"y\" = %x\n", NULL, WEFT_FORMAT, why)
    NOT("let a = 1\nlet a = 2", "t:4:5: given twice: 'a'");
    NOT("let a = 1\nrepeat a in 0..1 {\n}", "t:4:8: given twice: 'a'");
    NOT("let a = 1\nif true {\n    let a = 2\n}", "t:5:9: given twice: 'a'");
    NOT("let a = 1\nblock b(%x, a) {\n    return %x\n}", "t:4:13: given twice: 'a'");
    NOT("block b(%x, a, a) {\n    return %x\n}", "t:3:16: given twice: 'a'");
    NOT("block b(%x, a) {\n    let a = 1\n    return %x\n}\n%y = b %x {a = 1}", "t:4:9: given twice: 'a'");
    NOT("block b(%x, a) {\n    return %x\n}\nlet a = 1\n%y = b %x {a = 1}", "t:3:13: given twice: 'a'");
    NOT("block b(%x) {\n    return %x\n}\nblock b(%x) {\n    return %x\n}", "t:6:7: given twice: block 'b'");
    NOT("extent t 4\nlet t = 1", "t:4:5: given twice: 't'");
    NOT("extent t 4\nextent t 4", "t:4:8: given twice: 't'");
    NOT("if true {\n    let a = 1\n}\nlet b = a", "t:6:9: no parameter is called 'a'");
    NOT("repeat i in 0..1 {\n}\nlet b = i", "t:5:9: no parameter is called 'i'");
    NOT("block b(%x) {\n    let c = i\n    return %x\n}\nrepeat i in 0..1 {\n    %y = b %x\n}",
        "t:4:13: no parameter is called 'i'");
    NOT("%z = gelu %x\nblock b(%x) {\n    return %z\n}\n%y = b %x", "t:5:12: no value here is called 'z'");
    NOT("if false {\n    %y = gelu %x\n}\n%z = gelu %y", "t:6:11: no value here is called 'y'");
    NOT("block b(%x) {\n    %x = b %x\n    return %x\n}\n%y = b %x", "t:4:10: no op or block is called 'b'");
    NOT("%y = b %x\nblock b(%x) {\n    return %x\n}", "t:3:6: no op or block is called 'b'");
    NOT("block b(%x, n) {\n    return %x\n}\n%y = b %x", "t:6:6: missing attribute 'n'");
    NOT("block b(%x, n) {\n    return %x\n}\n"
        "%y = b %x {m = 1}", "t:6:12: no attribute is called 'm' (did you mean 'n'?)");
    NOT("block b(%x, n) {\n    return %x\n}\n%y = b %x {n = 1, n = 1}", "t:6:19: given twice: 'n'");
    NOT("block b(%x) {\n    return %x\n}\n%y = b %x, %x", "t:6:6: block 'b' takes 1 value, not 2");
    NOT("block b(%x) {\n    return %x, %x\n}\n%y = b %x", "t:6:6: block 'b' gives 2 results, not 1");
    NOT("block b(%x) {\n    if false {\n        return %x\n    }\n}\n"
        "%y = b %x", "t:8:6: block 'b' ended without a return");
    NOT("%y, %z = %x", "t:3:1: 2 names for 1 value");
    NOT("let a = none + 1", "+ of numbers: one is a word");
    NOT("if 1 {\n}", "t:3:4: true or false is wanted, not 1");
    NOT("repeat i in 0..2.5 {\n}", "t:3:16: a whole number is wanted, not 2.5");
    NOT("extent t 0", "t:3:10: the number is out of range");
}

/* ---- memory ---- */

static const char every[] =
    V2 "extent t 8\nparam L : int = 3 from \"n\"\nparam prefix : text = \"layers\"\n"
       "param kinds : [text] = [\"a\", \"b\", \"a\"]\n"
    "let sizes = [4, 4]\n%x = input \"x\" : f32[t, 4]\n"
    "block linear(%x, name, n, bias = true) {\n    scope \"{name}\" {\n"
    "        %w = weight \"weight\" : any[n, sizes[0]]\n"
    "        %y = matmul_nt %x, %w\n        if bias {\n            %b = weight \"bias\" : any[n]\n"
    "            %y = add %y, %b\n"
    "        }\n    }\n    return %y\n}\n"
    "repeat i in 0..L {\n    let kind = kinds[i]\n    scope \"{prefix}.{i}\" {\n"
    "        %y = linear %x {name = \"up\", n = 4}\n"
    "        if kind == \"a\" {\n            %y = activation %y {act = gelu}\n        } else {\n"
    "            %y = relu %y\n        }\n"
    "        %x = add %x, %y\n    }\n    output \"hidden.{i}\" = %x\n}\n"
    "%c = constant : f32[4] data 1, 2, 3, 4\n%x = mul %x, %c\noutput \"y\" = %x\n";

static void without_memory(void)
{
    weft_error err = { 0 };
    weft_graph_text *t;
    const weft_graph_param params[] = { { "kinds.0", "b", 0 }, { "kinds.1", "b", 0 }, { "kinds.2", "a", 0 } };
    weft_graph_text_desc with = { .params = params, .n_params = 3 };
    if (!CHECK_OK(weft_graph_text_read(every, sizeof every - 1, "t", &t, &err), err)) return;
    OOM_LOOP(n)
    {
        weft_graph *g = NULL;
        weft_status s = weft_graph_create(NULL, &g, &err);
        if (s == WEFT_OK) s = weft_graph_text_build(t, n % 2 ? &with : NULL, g, &err);
        if (s == WEFT_OK) s = weft_graph_seal(g, &err);
        OOM_CHECK(s, err);
        weft_graph_destroy(g);
    }
    OOM_LOOP(n)
    {
        weft_graph *g;
        weft_status s = weft_graph_parse(every, sizeof every - 1, "t", NULL, &g, &err);
        OOM_CHECK(s, err);
        weft_graph_destroy(g);
    }
    weft_graph_text_destroy(t);
}

/* Other characters at every place of a good text: it may be good or bad then, but a verdict comes, and a good one has
 * passed the verifier. */
static void survives_any_character(void)
{
    static const char others[] = "%{}[]()\"= \n,.:0129-+*/?<aixyL#_";
    char *text = strdup(every);
    if (!text) exit(1);
    for (size_t i = 0; text[i]; i++) {
        char old = text[i];
        for (const char *c = others; *c; c++) {
            weft_error err = { 0 };
            weft_graph *g;
            text[i] = *c;
            weft_status s = weft_graph_parse(text, sizeof every - 1, "t", NULL, &g, &err);
            CHECK(s == WEFT_OK ? err.status == WEFT_OK : err.status == s && *err.text && !g);
            weft_graph_destroy(g);
        }
        text[i] = old;
    }
    free(text);
}

static const weft_test tests[] = {
    { "nodes", nodes },
    { "statements", statements },
    { "blocks_that_double", blocks_that_double },
    { "nesting", nesting },
    { "attributes", attributes },
    { "else_if", else_if },
    { "expressions", expressions },
    { "traces", traces },
    { "names", names },
    { "without_memory", without_memory },
    { "survives_any_character", survives_any_character },
};
TEST_MAIN(tests)
