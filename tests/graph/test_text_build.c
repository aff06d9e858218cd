/* test_text_build.c: what each statement of version 2 means: a text and the same graph written out. Expressions and
 * parameters have files of their own. */
#include "text_support.h"

#define X  "extent t 8\n%x = input \"x\" : f32[t, 4]\n"
#define FX "weft-graph 1\nextent t 8\n%1 = input \"x\" : f32[t, 4]\n"

/* ---- nodes ---- */

static void nodes(void)
{
    text_means(V2 X "%w = weight \"w\" : any[6, 4]\n%y = matmul_nt %x, %w\n%best, %at = top_k %y {k = 1 + 1}\n"
                    "%s = state \"s\" : f16[2 * t, 6]\n%c = constant : f32[2] data 1, -0\n%z = gelu %y : f32[t, 6]\n"
                    "output \"best\" = %best\noutput \"z\" = %z\n",
               NULL,
               FX "%2 = weight \"w\" : f32[6, 4]\n%3 = matmul_nt %1, %2\n%4, %5 = top_k %3 {k = 2}\n"
                  "%6 = state \"s\" : f16[2*t, 6]\n%7 = constant : f32[2] data 1, -0\n%8 = gelu %3\n"
                  "output \"best\" = %4\noutput \"z\" = %8\n");
}

static void values_have_names_that_move(void)
{
    text_means(V2 X "%y = gelu %x\n%x = add %x, %y\n%a, %b = %y, %x\n%b = %a\n%y = mul %b, %x\n"
                    "output \"y\" = %y\n", NULL,
               FX "%2 = gelu %1\n%3 = add %1, %2\n%4 = mul %2, %3\noutput \"y\" = %4\n");
}

static void activations(void)
{
    text_means(V2 X "param act : text = \"swish\"\nlet linear = \"linear\"\n%y = activation %x {act = act}\n"
                    "%y = activation %y {act = gelu}\n%y = activation %y {act = none}\n"
                    "%y = activation %y {act = linear}\n%y = activation %y {act = 1 < 2 ? relu : gelu}\n"
                    "output \"y\" = %y\n",
               NULL, FX "%2 = silu %1\n%3 = gelu %2\n%4 = relu %3\noutput \"y\" = %4\n");
}

static void data_of_lists(void)
{
    text_means(V2 "let a = [1, 2.5, 1 / 4.0]\n%a = constant : f32[3] data a\n%b = constant : i32[] data 3 * 2\n"
                  "%c = constant : f16[2] data 0x7e01, sqrt(4)\noutput \"a\" = %a\noutput \"b\" = %b\n"
                  "output \"c\" = %c\n",
               NULL,
               "weft-graph 1\n%1 = constant : f32[3] data 1, 2.5, 0.25\n%2 = constant : i32[] data 6\n"
               "%3 = constant : f16[2] data 0x7e01, 2\noutput \"a\" = %1\noutput \"b\" = %2\noutput \"c\" = %3\n");
}

/* ---- scopes, repeats, conditions ---- */

static void scopes(void)
{
    text_means(V2 X "scope \"a\" {\n    scope \"b.{1 + 1}\" {\n        %w = weight \"w\" : any[4]\n"
                    "        %y = add %x, %w\n"
                    "    }\n    %y = gelu %y\n}\n%v = weight \"a.b.2.w\" : any[4]\n%y = mul %y, %v\n"
                    "output \"y\" = %y\n",
               NULL,
               FX "%2 = weight \"a.b.2.w\" : f32[4]\n%3 = add %1, %2 @ \"a.b.2\"\n%4 = gelu %3 @ \"a\"\n"
                  "%5 = mul %4, %2\noutput \"y\" = %5\n");
}

static void repeats_carry_values(void)
{
    text_means(V2 X "repeat i in 0..2 {\n    scope \"layers.{i}\" {\n        %w = weight \"w\" : any[4]\n"
                    "        %x = mul %x, %w\n    }\n    output \"hidden.{i + 1}\" = %x\n}\n%y = gelu %x\n"
                    "output \"y\" = %y\n",
               NULL,
               FX "%2 = weight \"layers.0.w\" : f32[4]\n%3 = mul %1, %2 @ \"layers.0\"\n"
                  "%4 = weight \"layers.1.w\" : f32[4]\n%5 = mul %3, %4 @ \"layers.1\"\n%6 = gelu %5\n"
                  "output \"hidden.1\" = %3\noutput \"hidden.2\" = %5\noutput \"y\" = %6\n");
}

static void repeats_of_nothing(void)
{
    text_means(V2 X "repeat i in 3..3 {\n    %x = gelu %x\n}\nrepeat i in 3..0 {\n    %x = gelu %x\n}\n%y = relu %x\n"
                    "output \"y\" = %y\n",
               NULL, FX "%2 = relu %1\noutput \"y\" = %2\n");
}

static void layers_alternate(void)
{
    text_means(V2 X "let kinds = [\"a\", \"b\", \"c\"]\nrepeat i in 0..6 {\n    let kind = kinds[i % 3]\n"
                    "    if kind == \"a\" {\n        %x = gelu %x\n    } else if kind == \"b\" {\n"
                    "        %x = relu %x\n"
                    "    } else if i < 4 {\n        %x = tanh %x\n    } else {\n        let scale = i\n"
                    "        %x = scale %x {factor = scale}\n    }\n}\noutput \"y\" = %x\n",
               NULL,
               FX "%2 = gelu %1\n%3 = relu %2\n%4 = tanh %3\n%5 = gelu %4\n%6 = relu %5\n%7 = scale %6 {factor = 5}\n"
                  "output \"y\" = %7\n");
}

/* ---- blocks ---- */

static void blocks(void)
{
    text_means(V2 X "let n = 4\nblock norm(%x, name, eps = 1 / 10.0) {\n    scope \"{name}\" {\n"
                    "        %w = weight \"weight\" : any[n]\n        %x = rms_norm %x, %w {eps = eps}\n"
                    "        return %x\n"
                    "    }\n}\n"
                    "block twice(%a, %b, name) {\n    %a = norm %a {name = \"{name}.1\", eps = 0.5}\n"
                    "    %b = norm %b {name = \"{name}.2\"}\n    return %a, %b\n}\n"
                    "%y, %z = twice %x, %x {name = \"n\"} : f32[t, 4], f32[t, n]\n%y = add %y, %z\n%y = add %y, %x\n"
                    "output \"y\" = %y\n",
               NULL,
               FX "%2 = weight \"n.1.weight\" : f32[4]\n%3 = rms_norm %1, %2 {eps = 0.5} @ \"n.1\"\n"
                  "%4 = weight \"n.2.weight\" : f32[4]\n%5 = rms_norm %1, %4 {eps = 0.1} @ \"n.2\"\n%6 = add %3, %5\n"
                  "%7 = add %6, %1\noutput \"y\" = %7\n");
}

static void blocks_return_early(void)
{
    text_means(V2 X "block f(%x, n) {\n    repeat i in 0..10 {\n        if i == n {\n            return %x\n        }\n"
                    "        %x = gelu %x\n    }\n    return %x\n}\n%y = f %x {n = 2}\n%y = f %y {n = 0}\n"
                    "output \"y\" = %y\n",
               NULL, FX "%2 = gelu %1\n%3 = gelu %2\noutput \"y\" = %3\n");
}

static const weft_test tests[] = {
    { "nodes", nodes },
    { "values_have_names_that_move", values_have_names_that_move },
    { "activations", activations },
    { "data_of_lists", data_of_lists },
    { "scopes", scopes },
    { "repeats_carry_values", repeats_carry_values },
    { "repeats_of_nothing", repeats_of_nothing },
    { "layers_alternate", layers_alternate },
    { "blocks", blocks },
    { "blocks_return_early", blocks_return_early },
};
TEST_MAIN(tests)
