/* test_text_eval.c: expressions of texts: what each is, and what is refused with which words. */
#include <math.h>

#include "text_support.h"

/* The value of an expression, by a string that shows it in an output's name. */
static void is(const char *e, const char *want)
{
    char text[512];
    weft_error err = { 0 };
    weft_graph *g;
    uint32_t n;
    snprintf(text, sizeof text, V2 "let v = %s\n%%x = input \"x\" : f32[1]\noutput \"is {v}\" = %%x\n", e);
    if (!CHECK_OK(weft_graph_parse(text, strlen(text), "t", NULL, &g, &err), err)) {
        printf("  %s\n", e);
        return;
    }
    const char *name = weft_graph_outputs(g, &n)[0].name;
    if (!CHECK(!strcmp(name + 3, want))) printf("  %s is %s, not %s\n", e, name + 3, want);
    weft_graph_destroy(g);
}

/* Refused, with this at the column of the expression's own characters, from 0. */
static void refused(const char *e, uint32_t column, const char *why)
{
    char text[512], want[256];
    snprintf(text, sizeof text, V2 "let v = %s\n", e);
    snprintf(want, sizeof want, "t:2:%u: %s", column + 9, why);
    text_fails(text, NULL, WEFT_FORMAT, want);
}

static void whole_numbers(void)
{
    is("2 + 3 * 4 - 1", "13");
    is("(2 + 3) * 4", "20");
    is("7 // 2", "3");
    is("-7 // 2", "-4");
    is("7 // -2", "-4");
    is("-7 % 3", "2");
    is("7 % -3", "-2");
    is("12 / 4", "3");
    is("-9223372036854775808", "-9223372036854775808");
    is("9223372036854775807 - 1", "9223372036854775806");
    is("abs(-3)", "3");
    is("min(3, 1, 2)", "1");
    is("max(3, 1, 2)", "3");
    is("len([1, 2, 3]) + len(\"abc\")", "6");
    is("-(3)", "-3");
    refused("7 / 2", 2, "7 / 2 is not whole: // rounds it down");
    refused("7 / 0", 2, "division by zero");
    refused("7 % 0", 2, "division by zero");
    refused("9223372036854775807 + 1", 20, "the result is too large");
    refused("-9223372036854775807 - 2", 21, "the result is too large");
    refused("4294967296 * 4294967296", 11, "the result is too large");
    refused("(-9223372036854775807 - 1) // -1", 27, "the result is too large");
    refused("abs(-9223372036854775807 - 1)", 0, "the result is too large");
    refused("-(-9223372036854775807 - 1)", 0, "the result is too large");
}

static void numbers(void)
{
    is("1 / 4.0", "0.25");
    is("0.5 + 1", "1.5");
    is("2 * 1.5", "3");
    is("7.5 // 2", "3");
    is("sqrt(16)", "4");
    is("pow(2, 10)", "1024");
    is("exp(0)", "1");
    is("log(1)", "0");
    is("int(2.9) + int(-2.9)", "0");
    is("floor(-2.5)", "-3");
    is("ceil(-2.5)", "-2");
    is("round(2.5)", "2");
    is("round(3.5)", "4");
    is("float(3) / 2", "1.5");
    is("abs(-1.5)", "1.5");
    is("f16(0.1)", "0.0999755859375");
    is("bf16(sqrt(2048))", "45.25");
    is("int(0.25 * 128)", "32");
    is("min(1, 0.5)", "0.5");
    refused("1 / 0.0", 2, "the result is no finite number");
    refused("sqrt(-1)", 0, "the result is no finite number");
    refused("exp(1000)", 0, "the result is no finite number");
    refused("1e308 * 10", 6, "the result is no finite number");
    refused("f16(1e6)", 0, "the result is no finite number");
    refused("7.5 % 2", 4, "a remainder is of whole numbers");
    refused("int(1e300)", 0, "the result is too large");
    refused("sqrt(1, 2)", 0, "sqrt takes 1 argument, not 2");
    refused("pow(1)", 0, "pow takes 2 arguments, not 1");
    refused("min()", 0, "min takes 1 argument or more, not 0");
    refused("sqrt(\"a\")", 5, "a number is wanted, not 'a'");
    refused("sqr(2)", 0, "no function is called 'sqr' (did you mean 'sqrt'?)");
}

static void truths(void)
{
    is("1 < 2", "true");
    is("2 <= 2 and 2 >= 2", "true");
    is("1 > 2 or not true", "false");
    is("1 == 1.0", "true");
    is("9007199254740993 == 9007199254740992.0", "false");
    is("9223372036854775807 < 9223372036854775808.0", "true");
    is("9223372036854775808.0 > 9223372036854775807", "true");
    is("9007199254740992.0 < 9007199254740993", "true");
    is("\"a\" != \"b\"", "true");
    is("true == false", "false");
    is("2 in [1, 2.0, 3]", "true");
    is("\"c\" in [\"a\", \"b\"]", "false");
    is("[1, 2] == [1, 2.0]", "true");
    is("[1, 2] != [1]", "true");
    is("false and 1 / 0 == 1", "false"); /* the right side is not looked at */
    is("true or 1 / 0 == 1", "true");
    is("1 < 2 ? 3 : 1 / 0", "3");
    is("gelu == \"gelu\"", "true");
    refused("1 == \"a\"", 2, "a whole number and a text are never equal");
    refused("[1] == [true]", 4, "a list and a list are never equal");
    refused("\"a\" in [1]", 4, "a text and a whole number are never equal");
    refused("1 in 2", 5, "a list is wanted, not 2");
    refused("1 and true", 0, "true or false is wanted, not 1");
    refused("not 1", 4, "true or false is wanted, not 1");
    refused("1 ? 2 : 3", 0, "true or false is wanted, not 1");
    refused("\"a\" < \"b\"", 0, "a number is wanted, not 'a'");
    refused("true + 1", 5, "+ of numbers: one is true or false");
}

static void texts_and_lists(void)
{
    is("\"a{1 + 1}b{1.5}c{true}d{\"e\"}\"", "a2b1.5ctruede");
    is("\"\\{{1}\\\"\"", "{1\"");
    is("[1, 2, 3][1 + 1]", "3");
    is("[\"x\", \"y\"][0]", "x");
    is("(2 > 1 ? [1] : [2])[0]", "1");
    refused("[1, 2][2]", 7, "the list has 2 elements, and none at 2");
    refused("[1, 2][-1]", 7, "the list has 2 elements, and none at -1");
    refused("[1][0.5]", 4, "a whole number is wanted, not 0.5");
    refused("3[0]", 0, "a list is wanted, not 3");
    refused("[[1], 2]", 1, "a list in a list");
    refused("\"{[1]}\"", 2, "a list is nothing that a text shows");
    refused("\"a\" + \"b\"", 4, "+ of numbers: one is a text");
    refused("widht", 0, "no parameter is called 'widht'");
}

static void dimensions(void)
{
    text_means(V2 "extent t 8\nlet n = 3\nlet rows = 2 * t\n%x = input \"x\" : f32[rows * n, n, t]\n"
                  "%y = reshape %x {dims = [6 * t, 3 * t]}\nlet shape = [t * 2, 9 * t]\n"
                  "%y = reshape %y {dims = shape}\noutput \"y\" = %y\n",
               NULL,
               "weft-graph 1\nextent t 8\n%1 = input \"x\" : f32[6*t, 3, t]\n%2 = reshape %1 {dims = [6*t, 3*t]}\n"
               "%3 = reshape %2 {dims = [2*t, 9*t]}\noutput \"y\" = %3\n");
    text_fails(V2 "extent t 8\nlet n = t + 1\n", NULL, WEFT_FORMAT, "t:3:11: a dimension that an extent gives can be");
    text_fails(V2 "extent t 8\nlet n = t * t\n", NULL, WEFT_FORMAT, "t:3:11: a dimension that an extent gives can be");
    text_fails(V2 "extent t 8\nlet n = 9223372036854775807 * t * 2\n", NULL, WEFT_FORMAT, "the result is too large");
    text_fails(V2 "extent tokens 8\n%x = input \"x\" : f32[toknes, 4]\n", NULL, WEFT_FORMAT,
               "t:3:22: no parameter or extent is called 'toknes' (did you mean 'tokens'?)\n"
               "    %x = input \"x\" : f32[toknes, 4]\n                         ^");
    text_fails(V2 "%x = input \"x\" : f32[4.0]\n", NULL, WEFT_FORMAT, "t:2:22: a dimension is wanted, not 4");
    text_fails(V2 "%x = input \"x\" : f32[0]\n", NULL, WEFT_FORMAT, "t:2:22: the number is out of range");
    text_fails(V2 "%x = input \"x\" : f32[1, 2, 3, 4, 5, 6, 7]\n", NULL, WEFT_FORMAT, "t:2:40: too many dimensions");
}

/* A field takes what fits its type, and a number that is written out is rounded once. */
static void fields(void)
{
    text_means(V2 "let h = 64\nlet on = true\n%x = input \"x\" : f32[4, 64]\n"
                  "%w = weight \"w\" : any[64]\n%y = scale %x {factor = 1 / sqrt(h)}\n"
                  "%y = scale %y {factor = 1.00000005960464477540000001}\n%y = scale %y {factor = 0x3f800001}\n"
                  "%y = rms_norm %y, %w {eps = 1e-6, one_plus = on, group = h // 2}\n%y = cast %y {dtype = f16}\n"
                  "%y = permute %y {order = (1, 0)}\noutput \"y\" = %y\n",
               NULL,
               "weft-graph 1\n%1 = input \"x\" : f32[4, 64]\n%9 = weight \"w\" : f32[64]\n"
               "%2 = scale %1 {factor = 0.125}\n%3 = scale %2 {factor = 0x3f800001}\n"
               "%4 = scale %3 {factor = 0x3f800001}\n%5 = rms_norm %4, %9 {eps = 1e-06, group = 32, one_plus = 1}\n"
               "%6 = cast %5 {dtype = f16}\n"
               "%7 = permute %6 {order = (1, 0)}\noutput \"y\" = %7\n");
#define NODE(line, status, why) text_fails(V2 "%x = input \"x\" : f32[4, 64]\n%y = " line "\n", NULL, status, why)
    NODE("scale %x {factor = 1e39}", WEFT_FORMAT, "t:3:25: not a number of this type: '1e39'");
    NODE("scale %x {factor = 1e39 * 2}", WEFT_FORMAT, "not a number of this type: 2e+39");
    NODE("scale %x {factor = gelu}", WEFT_FORMAT, "t:3:25: a number is wanted, not 'gelu'");
    NODE("scale %x {factor = 0x3f800001 + 1}", WEFT_FORMAT, "+ of numbers: one is bits");
    NODE("scale %x {factr = 1}", WEFT_FORMAT, "t:3:16: no attribute is called 'factr' (did you mean 'factor'?)");
    NODE("slice %x {axis = 1.5, start = 0, size = 1}", WEFT_FORMAT, "t:3:23: a whole number is wanted, not 1.5");
    NODE("slice %x {axis = 5000000000, start = 0, size = 1}", WEFT_FORMAT, "t:3:23: the number is out of range");
    NODE("cast %x {dtype = f17}", WEFT_FORMAT, "t:3:23: no type is called 'f17' (did you mean 'f16'?)");
    NODE("cast %x {dtype = 16}", WEFT_FORMAT, "t:3:23: a type is wanted, not 16");
    NODE("activation %x {act = glu}", WEFT_FORMAT, "no activation is called 'glu' (did you mean 'gelu'?)");
    NODE("activation %x {act = 1 < 2}", WEFT_FORMAT, "an activation is wanted, not true");
    NODE("activation %x", WEFT_FORMAT, "t:3:6: an activation is written");
    NODE("permute %x {order = [1, 0]}", WEFT_FORMAT, "t:3:26: an order of axes such as (1, 0, 2) is wanted");
    NODE("gelo %x", WEFT_FORMAT, "t:3:6: no op or block is called 'gelo' (did you mean 'gelu'?)");
    NODE("gelu %z", WEFT_FORMAT, "t:3:11: no value here is called 'z' (did you mean 'x'?)");
    NODE("gelu \"x\" %x", WEFT_FORMAT, "only inputs, weights and states have names");
    NODE("gelu %x : f32[4, 65]", WEFT_SHAPE, "t:3:1: %y is given as f32[4, 65], but is f32[4, 64]");
    NODE("gelu %x : f32[4, 64], f32[4, 64]", WEFT_FORMAT, "more types than results");
    NODE("matmul %x, %x", WEFT_SHAPE,
         "t:3:1: matmul: inner sizes differ: [4, 64] x [4, 64]\n    %y = matmul %x, %x\n");
    NODE("constant : f32[2] data 1", WEFT_FORMAT, "the number of elements does not fit");
    NODE("constant : f32[2] data [1]", WEFT_FORMAT, "the number of elements does not fit");
    NODE("constant : i32[1] data [1.5]", WEFT_FORMAT, "a whole number is wanted, not 1.5");
    NODE("constant : f16[1] data 0x123456", WEFT_FORMAT, "not a number of this type");
    NODE("constant : f16[1] data 65520", WEFT_FORMAT, "not a number of this type: 65520");
    NODE("constant : bf16[2] data [1, -3.4e38]", WEFT_FORMAT, "not a number of this type: -3.4e+38");
    NODE("weight \"w\"", WEFT_FORMAT, "a source needs a type");
    NODE("weight : f32[1]", WEFT_FORMAT, "weight: a name is wanted");
    NODE("input \"x\" : f32[4, 64]", WEFT_INVALID, "t:3:1: input 'x': the name is taken");
    NODE("input \"\" : f32[4, 64]", WEFT_INVALID, "t:3:1: input: the name is empty");
}

static const weft_test tests[] = {
    { "whole_numbers", whole_numbers },
    { "numbers", numbers },
    { "truths", truths },
    { "texts_and_lists", texts_and_lists },
    { "dimensions", dimensions },
    { "fields", fields },
};
TEST_MAIN(tests)
