/* test_text.c: the text form: goldens of printed graphs, texts written by hand, and what the parser refuses and
 * where. */
#include <locale.h>

#include "golden.h"
#include "support.h"

/* ---- printing ---- */

/* One of each kind of line, attribute and clause. */
static weft_graph *every_kind(void)
{
    weft_graph *g = test_graph();
    weft_error err;
    weft_ref none = { 0 }, values, indices;
    weft_dim t = weft_extent(g, "tokens", 512), c = weft_extent(g, "cells", 64);
    const float f32[] = { 1, -0.0f, 0.1f, 1e-45f, 3.4028235e38f, 1.0f / 0.0f };
    const uint16_t f16[] = { 0x3c00, 0x8000, 0x0001, 0x7bff, 0xfc00, 0x7e01 };
    const int32_t i32[] = { 0, -1, INT32_MIN, INT32_MAX };
    weft_ref x = weft_input(g, WEFT_F32, WEFT_DIMS(t, 4, 8), "a \"quoted\\name\"");
    weft_ref pos = weft_input(g, WEFT_I32, WEFT_DIMS(t), "pos");
    weft_scope_begin(g, "layers.%d", 0);
    weft_ref s = weft_state(g, WEFT_F16, WEFT_DIMS(2, c, 8), "keys");
    weft_ref angles = weft_rope_table(g, pos, &(weft_rope_desc){ WEFT_ROPE_LINEAR, 8, 10000, .factor = 4 });
    weft_ref q = weft_rope(g, x, angles, true), k = weft_slice(g, x, 1, 1, 2);
    s = weft_store(g, s, weft_transpose(g, k, 0, 1), pos, 1);
    weft_ref y = weft_attention(g, q, s, s, pos, pos, 0.35355338f);
    y = weft_scope_end(g, weft_reshape(g, y, WEFT_DIMS(weft_dim_mul(t, 2), 16)));
    y = weft_layer_norm(g, y, none, none, 1e-5f);
    y = weft_matmul_nt(g, y, weft_weight(g, WEFT_BF16, WEFT_DIMS(32, 16), "head"));
    weft_top_k(g, y, 3, &values, &indices);
    weft_output(g, values, "values");
    weft_output(g, indices, "indices \\ %d", 1);
    weft_output(g, weft_constant(g, WEFT_F32, WEFT_DIMS(2, 3), f32), "f32");
    weft_output(g, weft_constant(g, WEFT_F16, WEFT_DIMS(6), f16), "f16");
    weft_output(g, weft_constant(g, WEFT_BF16, WEFT_DIMS(6), f16), "bf16");
    weft_output(g, weft_constant(g, WEFT_I32, WEFT_DIMS(4), i32), "i32");
    weft_output(g, weft_cast(g, weft_reduce_max(g, weft_select(g, values, 0, 1), 0), WEFT_F16), "scalar");
    CHECK_OK(weft_graph_seal(g, &err), err);
    return g;
}

/* A fused node as a pass makes it: with origins, an activation, and its id not its value's. */
static void fuse(weft_graph *g)
{
    weft_error err;
    weft_ref in[3] = { weft_graph_find(g, "x"), { 2 }, { 3 } };
    weft_attrs a = { .linear = { .has_bias = 1, .act = WEFT_ACT_GELU_TANH } };
    weft_node *n = weft__graph_add(g, WEFT_OP_linear, &a, in, 3, "mlp", NULL, &err);
    if (!CHECK(n != NULL)) return;
    CHECK(weft__graph_set_origin(g, n, (uint32_t[]){ 4, 5, 6 }, 3));
    test_replace(g, (weft_ref){ 6 }, n->out[0]);
    for (uint32_t id = 6; id >= 4; id--) test_remove(g, g->nodes[id]);
    CHECK_OK(weft__graph_sort(g, &err), err);
}

static void check_text(weft_graph *g, const char *name)
{
    char *text = test_print(g);
    check_golden(name, text);
    weft_graph *back = test_parse(text);
    if (back) {
        char *again = test_print(back);
        CHECK_STR(again, text);
        free(again);
    }
    weft_graph_destroy(back);
    weft_graph_destroy(g);
    free(text);
}

static void prints_every_kind(void)
{
    check_text(every_kind(), "text_every_kind");
}

static void prints_fused_nodes(void)
{
    weft_graph *g = test_graph();
    weft_error err;
    weft_ref x = weft_input(g, WEFT_F32, WEFT_DIMS(weft_extent(g, "t", 4), 8), "x");
    weft_ref w = weft_weight(g, WEFT_F16, WEFT_DIMS(6, 8), "w"), b = weft_weight(g, WEFT_F32, WEFT_DIMS(6), "b");
    weft_scope_begin(g, "mlp");
    weft_ref y = weft_gelu_tanh(g, weft_add(g, weft_matmul_nt(g, x, w), b)), values, indices;
    weft_top_k(g, weft_scope_end(g, weft_output(g, y, "y")), 2, &values, &indices);
    weft_output(g, weft_relu(g, values), "z");
    CHECK_OK(weft_graph_seal(g, &err), err);
    fuse(g);
    CHECK_OK(weft_graph_verify(g, &err), err);
    check_text(g, "text_fused");
}

/* Stored to, read before and after, and an output. */
static void prints_states_of_blocks(void)
{
    weft_graph *g = test_graph();
    weft_error err;
    weft_dim t = weft_extent(g, "t", 4);
    weft_ref x = weft_input(g, WEFT_F32, WEFT_DIMS(2, t, 96), "x"), at = weft_input(g, WEFT_I32, WEFT_DIMS(t), "at");
    weft_ref s = weft_state(g, WEFT_Q8_0, WEFT_DIMS(2, 64, 96), "s");
    weft_ref v = weft_state(g, WEFT_Q4_0, WEFT_DIMS(2, 64, 32), "v");
    weft_output(g, weft_gather(g, s, at), "before");
    s = weft_store(g, s, x, at, 1);
    weft_output(g, weft_attention(g, weft_transpose(g, x, 0, 1), s, v, at, at, 0.5f), "y");
    weft_output(g, s, "after");
    CHECK_OK(weft_graph_seal(g, &err), err);
    check_text(g, "text_blocks");
}

static bool refuse_write(void *ctx, const char *data, size_t n)
{
    size_t *left = ctx;
    (void)data;
    if (n > *left) return false;
    *left -= n;
    return true;
}

static void a_failed_write_is_told(void)
{
    weft_graph *g = every_kind();
    weft_error err;
    char *text = test_print(g);
    size_t size = strlen(text), left = size;
    weft_writer w = { &left, refuse_write };
    CHECK_OK(weft_graph_print(g, &w, &err), err);
    CHECK_EQ_INT(left, 0);
    for (size_t room = 0; room < size; room += 7) {
        left = room;
        CHECK_STATUS(weft_graph_print(g, &w, &err), WEFT_IO, err);
    }
    free(text);
    weft_graph_destroy(g);
}

/* The text does not depend on the locale (where this machine has one with another decimal point). */
static void ignores_the_locale(void)
{
    static const char *const names[] = { "de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "ps_AF.UTF-8" };
    weft_graph *g = every_kind();
    char *plain = test_print(g);
    bool found = false;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (!setlocale(LC_ALL, names[i])) continue;
        found = true;
        char *text = test_print(g);
        CHECK_STR(text, plain);
        weft_graph *back = test_parse(text);
        weft_graph_destroy(back);
        free(text);
    }
    setlocale(LC_ALL, "C");
    free(plain);
    weft_graph_destroy(g);
    if (!found) TEST_SKIP("no locale with a decimal comma is installed");
}

/* ---- reading what a person wrote ---- */

static void reads_by_hand(void)
{
    static const char text[] = "\n# a comment\n  weft-graph 1   # another\n\n"
                               "extent t 8\t\r\n"
                               "%7=input\"x # no comment\":f32[t,4]\n"
                               "%2 = weight \"w\" : any [ 6 , 4 ]\n"
                               "  %3 = matmul_nt %7,%2\n"
                               "%4,%5 = top_k %3{k=2}@\"top\"\n"
                               "%10 = reshape %4 { dims = [2 * t] }\n"
                               "output \"y\" = %10";
    weft_graph *g = test_parse(text);
    if (!g) return;
    char *printed = test_print(g);
    CHECK_STR(printed, "weft-graph 1\nextent t 8\n"
                       "%7 = input \"x # no comment\" : f32[t, 4]\n"
                       "%2 = weight \"w\" : f32[6, 4]\n"
                       "%3 = matmul_nt %7, %2 : f32[t, 6]\n"
                       "%4, %5 = top_k %3 {k = 2} : f32[t, 2], i32[t, 2] @ \"top\"\n"
                       "%10 = reshape %4 {dims = [2*t]} : f32[2*t]\n"
                       "output \"y\" = %10\n");
    free(printed);
    weft_graph_destroy(g);
}

/* The description decides bounds and types of a text's weights as it does for builders. */
static void takes_a_description(void)
{
    static const char text[] = "weft-graph 1\nextent t 8\n%1 = weight \"w\" : any[6]\n%2 = input \"x\" : f32[t, 6]\n"
                               "%3 = add %1, %2\noutput \"y\" = %3\n";
    const weft_bound bounds[] = { { "t", 3 } };
    const weft_weight_type types[] = { { "w", WEFT_F16 } };
    weft_graph_desc desc = { .weight_types = types, .n_weight_types = 1, .bounds = bounds, .n_bounds = 1 };
    weft_graph *g;
    weft_error err;
    if (!CHECK_OK(weft_graph_parse(text, sizeof text - 1, "t", &desc, &g, &err), err)) return;
    CHECK_EQ_INT(weft_graph_value(g, (weft_ref){ 1 })->dtype, WEFT_F16);
    CHECK_EQ_INT(weft_value_elements(g, (weft_ref){ 3 }, NULL), 18);
    weft_graph_destroy(g);
}

/* ---- refusals ---- */

#define HEAD "weft-graph 1\nextent t 8\n%1 = input \"x\" : f32[t, 4]\n"
#define TAIL "\noutput \"y\" = %1\n"

/* Row: a text, and the beginning of the error. */
static const char *const refused[][2] = {
    { "", "t:1:1: this is not a weft-graph text" },
    { "# only\n\n", "t:3:1: this is not a weft-graph text" },
    { "weft_graph 1\n", "t:1:1: this is not a weft-graph text" },
    { "weft-graph 3\n", "t:1:12: only versions 1 and 2" },
    { "weft-graph\n", "t:1:11: expected a number" },
    { "weft-graph 1 1\n", "t:1:14: unexpected text at the end of the line" },
    { "weft-graph 1\n", "t: the graph has no output" },
    { HEAD, "t: the graph has no output" },
    { HEAD "extent t 8" TAIL, "t:4:8: given twice: extent 't'" },
    { HEAD "extent t 9" TAIL, "t:4:8: extent 't': bound 9, but 8 before" },
    { HEAD "extent u 0" TAIL, "t:4:10: the number is out of range" },
    { HEAD "extent u 4294967296" TAIL, "t:4:10: the number is out of range" },
    { HEAD "extent u 99999999999999999999" TAIL, "t:4:10: the number is too large" },
    { HEAD "extent 2u 4" TAIL, "t:4:8: expected an extent's name" },
    { HEAD "nonsense" TAIL, "t:4:1: expected a node, an extent or an output" },
    { HEAD "output \"z\" = %9" TAIL, "t:4:8: output 'z': no value" },
    { HEAD "output \"x\" = %1" TAIL, "t:4:8: output 'x': the name is taken" },
    { HEAD "output z = %1" TAIL, "t:4:8: expected '\"'" },
    { HEAD "output \"z = %1" TAIL, "t:4:15: the string does not end" },
    { HEAD "output \"z\\n\" = %1" TAIL, "t:4:11: only \\\" and \\\\ are known here" },
    { HEAD "output \"\" = %1" TAIL, "t:4:8: output: the name is empty" },
    { HEAD "%2 = gelo %1" TAIL, "t:4:6: no op is called 'gelo'" },
    { HEAD "%2 = %1" TAIL, "t:4:6: expected an op" },
    { HEAD "%2 gelu %1" TAIL, "t:4:4: expected '='" },
    { HEAD "%2, = gelu %1" TAIL, "t:4:5: expected '%'" },
    { HEAD "%2, %3 = gelu %1" TAIL, "t:4:10: wrong number of results for 'gelu'" },
    { HEAD "%2 = top_k %1 {k = 2}" TAIL, "t:4:6: wrong number of results for 'top_k'" },
    { HEAD "%2, %3, %4 = top_k %1 {k = 2}" TAIL, "t:4:14: wrong number of results for 'top_k'" },
    { HEAD "%2, %2 = top_k %1 {k = 2}" TAIL, "t:4:1: value id 2 is used twice" },
    { HEAD "%1 = gelu %1" TAIL, "t:4:1: node id 1 is used twice" },
    { HEAD "%1 = gelu %1 node 2" TAIL, "t:4:1: value id 1 is used twice" },
    { HEAD "%2 = gelu %1 node 1" TAIL, "t:4:1: node id 1 is used twice" },
    { HEAD "%0 = gelu %1" TAIL, "t:4:2: the number is out of range" },
    { HEAD "%4000000000 = gelu %1" TAIL, "t:4:2: the number is out of range" },
    { HEAD "%2 = gelu %1 node 900000" TAIL, "t:4:1: node: the number is out of range" },
    { HEAD "%-2 = gelu %1" TAIL, "t:4:2: expected a number" },
    { HEAD "%2 = gelu %7" TAIL, "t:4:1: gelu: input 0 is no value" },
    { HEAD "%2 = gelu" TAIL, "t:4:1: gelu: 0 inputs, needs 1 to 1" },
    { HEAD "%2 = gelu %1, 1" TAIL, "t:4:15: expected '%'" },
    { HEAD "%2 = gelu %1 %1" TAIL, "t:4:14: unexpected text" },
    { HEAD "%2 = gelu %1 {k = 2}" TAIL, "t:4:15: no attribute is called 'k'" },
    { HEAD "%2 = concat %1,%1,%1,%1,%1,%1,%1,%1,%1,%1,%1,%1,%1,%1,%1,%1,%1 {axis = 0}" TAIL,
      "t:4:61: too many inputs" },
    { HEAD "%2 = scale %1" TAIL, "t:4:6: missing attribute 'factor'" },
    { HEAD "%2 = scale %1 {}" TAIL, "t:4:16: expected an attribute" },
    { HEAD "%2 = scale %1 {scale = 1}" TAIL, "t:4:16: no attribute is called 'scale'" },
    { HEAD "%2 = scale %1 {factor = x}" TAIL, "t:4:25: a number is wanted, not 'x'" },
    { HEAD "%2 = scale %1 {factor = inf}" TAIL, "t:4:25: a number is wanted, not 'inf'" },
    { HEAD "%2 = scale %1 {factor = 1e99}" TAIL, "t:4:25: not a number of this type: '1e99'" },
    { HEAD "%2 = scale %1 {factor = 0x}" TAIL, "t:4:25: not a number" },
    { HEAD "%2 = scale %1 {factor = 0x123456789}" TAIL, "t:4:25: not a number of this type" },
    { HEAD "%2 = scale %1 {factor = 0x0-1}" TAIL, "t:4:28: expected '}'" },
    { HEAD "%2 = scale %1 {factor = 1, factor = 1}" TAIL, "t:4:28: given twice: 'factor'" },
    { HEAD "%2 = scale %1 {factor = 1" TAIL, "t:4:26: expected '}'" },
    { HEAD "%2 = slice %1 {axis = 0, size = 1}" TAIL, "t:4:6: missing attribute 'start'" },
    { HEAD "%2 = slice %1 {axis = 5000000000, start = 0, size = 1}" TAIL, "t:4:23: the number is out of range" },
    { HEAD "%2 = cast %1 {dtype = f17}" TAIL, "t:4:23: no type is called 'f17'" },
    { HEAD "%2 = permute %1 {order = (1, 6)}" TAIL, "t:4:30: the number is out of range" },
    { HEAD "%2 = permute %1 {order = (1, 0, 0, 0, 0, 0, 0)}" TAIL, "t:4:45: too many axes" },
    { HEAD "%2 = permute %1 {order = [1, 0]}" TAIL,
      "t:4:26: an order of axes such as (1, 0, 2) is wanted, not a list" },
    { HEAD "%2 = reshape %1 {dims = [v]}" TAIL, "t:4:26: no extent is called 'v'" },
    { HEAD "%2 = reshape %1 {dims = [2*]}" TAIL, "t:4:28: expected an expression" },
    { HEAD "%2 = reshape %1 {dims = [2*3]}" TAIL, "t:4:1: reshape: [6] does not hold" },
    { HEAD "%2 = reshape %1 {dims = [0]}" TAIL, "t:4:26: the number is out of range" },
    { HEAD "%2 = reshape %1 {dims = [1,1,1,1,1,1,1]}" TAIL, "t:4:38: too many dimensions" },
    { HEAD "%2 = linear %1, %1 {act = fast, has_bias = 0, n_residual = 0}" TAIL,
      "t:4:27: no activation is called 'fast'" },
    { HEAD "%2 = rope_table %1 {kind = ntk, n_rot = 4, theta = 1}" TAIL,
      "t:4:28: no kind of rotary embedding is called 'ntk'" },
    { HEAD "%2 = rms_norm %1 {eps = 1, group = 2, group = 2}" TAIL, "t:4:39: given twice: 'group'" },
    { HEAD "%2 = gelu %1 : f16[t, 4]" TAIL, "t:4:1: %2 is given as f16[t, 4], but is f32[t, 4]" },
    { HEAD "%2 = gelu %1 : f32[8, 4]" TAIL, "t:4:1: %2 is given as f32[8, 4], but is f32[t, 4]" },
    { HEAD "%2 = gelu %1 : f32[t, 4], f32[t, 4]" TAIL, "t:4:16: more types than results" },
    { HEAD "%2, %3 = top_k %1 {k = 1} : f32[t, 1]" TAIL, "t:4:29: fewer types than results" },
    { HEAD "%2 = gelu %1 @ layer" TAIL, "t:4:16: expected '\"'" },
    { HEAD "%2 = gelu %1 from" TAIL, "t:4:18: expected a number" },
    { HEAD "%2 = gelu %1 data 1" TAIL, "t:4:19: data is for constants" },
    { HEAD "%2 = input \"z\"" TAIL, "t:4:6: a source needs a type" },
    { HEAD "%2 = input : f32[1]" TAIL, "t:4:6: input: a name is wanted" },
    { HEAD "%2 = input \"x\" : f32[1]" TAIL, "t:4:1: input 'x': the name is taken" },
    { HEAD "%2 = input \"z\" : any[1]" TAIL, "t:4:1: input 'z': type 'any' cannot be stored" },
    { HEAD "%2 = input \"z\" %1 : f32[1]" TAIL, "t:4:1: input: 1 inputs, needs 0 to 0" },
    { HEAD "%2 = constant : f32[1]" TAIL, "t:4:6: a constant needs data" },
    { HEAD "%2 = constant data 1" TAIL, "t:4:6: a source needs a type" },
    { HEAD "%2 = constant : q8_0[32] data 1" TAIL, "t:4:31: data is for constants" },
    { HEAD "%2 = constant : any[32] data 1" TAIL, "t:4:30: data is for constants" },
    { HEAD "%2 = constant : f32[t] data 1" TAIL, "t:4:1: constant: [t] must be plain numbers" },
    { HEAD "%2 = constant : f32[3] data 1, 2" TAIL, "t:4:29: the number of elements does not fit" },
    { HEAD "%2 = constant : f32[1] data 1, 2" TAIL, "t:4:29: the number of elements does not fit" },
    { HEAD "%2 = constant : i32[1] data 1.5" TAIL, "t:4:29: a whole number is wanted, not 1.5" },
    { HEAD "%2 = constant : i32[1] data 2147483648" TAIL, "t:4:29: the number is out of range" },
    { HEAD "%2 = constant : f16[1] data 0x12345" TAIL, "t:4:29: not a number of this type" },
    { HEAD "%2 = constant : f32[1099511627776] data 1" TAIL, "t:4:41: the number of elements" },
    { HEAD "%2 = constant : f32[4611686018427387904] data 1" TAIL, "t:4:47: [4611686018427387904] is too large" },
    { HEAD "%2 = constant : f32[9999999999999999999] data 1" TAIL, "t:4:21: the number is too large" },
    { HEAD "%2 = add %1, %1 @ \"deep.scope\" : f32[t, 4]" TAIL, "t:4:32: unexpected text" },
    { HEAD "%2 = matmul %1, %1 @ \"deep.scope\"" TAIL,
      "t:4:1: deep.scope: matmul: inner sizes differ: [t, 4] x [t, 4]" },
    { HEAD "%2 = state \"s\" : f32[9, 4]\n%3 = input \"i\" : i32[t]\n%4 = store %2, %1, %3 {axis = 0}\noutput \"s2\" = "
           "%2" TAIL,
      "t: output 's2' is the value of state 's' from before node 4 (store), which is gone after the run" },
};

static void refuses_with_a_place(void)
{
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        weft_error err = { 0 };
        weft_graph *g;
        weft_status s = weft_graph_parse(refused[i][0], strlen(refused[i][0]), "t", NULL, &g, &err);
        bool ok =
            CHECK(s != WEFT_OK) && CHECK(g == NULL) && CHECK(!strncmp(err.text, refused[i][1], strlen(refused[i][1])));
        if (!ok) printf("  %s\n  wanted %s\n  got    %s\n", refused[i][0], refused[i][1], err.text);
        weft_graph_destroy(g);
        CHECK(weft_graph_parse(refused[i][0], strlen(refused[i][0]), NULL, NULL, &g, NULL) == s);
    }
}

/* NUL bytes and every other byte, at every place of a good text; the result may be good or bad, but must come. */
static void survives_any_byte(void)
{
    weft_graph *g = every_kind();
    char *text = test_print(g);
    size_t n = strlen(text);
    for (size_t i = 0; i < n; i++) {
        char old = text[i];
        for (size_t c = i % 37; c < 256; c += 37) {
            weft_graph *back;
            weft_error err;
            text[i] = (char)c;
            if (weft_graph_parse(text, n, "t", NULL, &back, &err) == WEFT_OK) weft_graph_destroy(back);
        }
        text[i] = old;
    }
    for (size_t i = 0; i < n; i++) {
        weft_graph *back;
        weft_error err;
        if (weft_graph_parse(text, i, "t", NULL, &back, &err) == WEFT_OK) weft_graph_destroy(back);
    }
    free(text);
    weft_graph_destroy(g);
}

static const weft_test tests[] = {
    { "prints_every_kind", prints_every_kind },
    { "prints_fused_nodes", prints_fused_nodes },
    { "prints_states_of_blocks", prints_states_of_blocks },
    { "a_failed_write_is_told", a_failed_write_is_told },
    { "ignores_the_locale", ignores_the_locale },
    { "reads_by_hand", reads_by_hand },
    { "takes_a_description", takes_a_description },
    { "refuses_with_a_place", refuses_with_a_place },
    { "survives_any_byte", survives_any_byte },
};
GOLDEN_MAIN(tests)
