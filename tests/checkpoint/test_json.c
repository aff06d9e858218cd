/* test_json.c: JSON as Python's json module reads it: numbers that jansson has not, keys that stand
 * there twice, odd strings; and what stays refused. What is expected was seen with Python 3.11. */
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "models/checkpoint/json.h"
#include "temp.h"

static json_t *parse(const char *text)
{
    json_t *v;
    weft_error err = { 0 };
    CHECK_OK(weft__json_parse(text, strlen(text), "a.json", &v, &err), err);
    return v;
}

/* "{"x": NUMBER}" */
static json_t *parse_x(const char *number)
{
    char text[1024];
    snprintf(text, sizeof text, "{\"x\": %s}", number);
    return parse(text);
}

#define NOUGHTS_50  "00000000000000000000000000000000000000000000000000"
#define NOUGHTS_300 NOUGHTS_50 NOUGHTS_50 NOUGHTS_50 NOUGHTS_50 NOUGHTS_50 NOUGHTS_50

static const struct {
    const char *text;
    double value;
    bool integer;
} numbers[] = {
    { "0", 0, true },
    { "-0", 0, true },
    { "12", 12, true },
    { "9223372036854775807", 9223372036854775807.0, true },
    { "9223372036854775808", 9223372036854775808.0, false },
    { "-9223372036854775807", -9223372036854775807.0, true },
    { "-9223372036854775809", -9223372036854775809.0, false },
    { "10000000000000000000", 1e19, false },
    { "1000000000000000019884624838656", 1e30, false },
    { "1" NOUGHTS_300, 1e300, false },
    { "1" NOUGHTS_300 "00000000", 1e308, false },
    { "1" NOUGHTS_300 "000000000", INFINITY, false },
    { "-1" NOUGHTS_300 NOUGHTS_300, -INFINITY, false },
    { "0." NOUGHTS_300 NOUGHTS_300 "1", 0, false },
    { "0.25", 0.25, false },
    { "1e-5", 1e-5, false },
    { "1e-400", 0, false },
    { "0e999999999999999999999", 0, false },
    { "0.0000001E+315", 1e308, false },
    { "1e308", 1e308, false },
    { "1.7976931348623157e308", 1.7976931348623157e308, false },
    { "-1.7976931348623158e+308", -1.7976931348623157e308, false },
    { "1.7976931348623159e308", INFINITY, false },
    { "1.797693134862315807999999999999e308", INFINITY, false }, /* just beyond half of the last step */
    { "179769313486231580" NOUGHTS_50 "e241", 1.7976931348623157e308, false },
    { "1e309", INFINITY, false },
    { "-1e400", -INFINITY, false },
    { "1e99999999999999999999999999", INFINITY, false },
    { "1e-99999999999999999999999999", 0, false },
    { "Infinity", INFINITY, false },
    { "-Infinity", -INFINITY, false },
    { "NaN", NAN, false },
};

static void reads_every_number(void)
{
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        json_t *v = parse_x(numbers[i].text), *x = json_object_get(v, "x");
        double got;
        bool ok = CHECK(weft__json_number(x, &got));
        ok &= isnan(numbers[i].value) ? CHECK(isnan(got)) : CHECK(got == numbers[i].value);
        ok &= CHECK_EQ_INT(json_is_integer(x), numbers[i].integer);
        if (!ok) printf("  in %s\n", numbers[i].text);
        json_decref(v);
    }
    double got;
    CHECK(!weft__json_number(NULL, &got));
    json_t *v = parse_x("\"1\"");
    CHECK(!weft__json_number(json_object_get(v, "x"), &got));
    json_decref(v);
}

static void leaves_strings_alone(void)
{
    json_t *v = parse("{\"NaN\":\"Infinity\",\"a\\\"NaN\":[NaN,-Infinity,{\"b\":\"x\\\\\"}],"
                      "\"1e400\":\"99999999999999999999\",\"u\":\"\\u00e9\\ud83d\\ude00 -1e999\"}");
    double x;
    CHECK_STR(json_string_value(json_object_get(v, "NaN")), "Infinity");
    CHECK_STR(json_string_value(json_object_get(v, "1e400")), "99999999999999999999");
    CHECK_STR(json_string_value(json_object_get(v, "u")), "\xc3\xa9\xf0\x9f\x98\x80 -1e999");
    json_t *list = json_object_get(v, "a\"NaN");
    CHECK_EQ_INT(json_array_size(list), 3);
    CHECK(weft__json_number(json_array_get(list, 0), &x) && isnan(x));
    CHECK_STR(json_string_value(json_object_get(json_array_get(list, 2), "b")), "x\\");
    CHECK_STR(weft__json_kind(json_array_get(list, 0)), "NaN");
    CHECK_STR(weft__json_kind(json_array_get(list, 1)), "-Infinity");
    json_decref(v);
}

static const struct {
    const char *text, *fault;
} refused[] = {
    { "", "not JSON" },
    { "{", "not JSON" },
    { "{\"x\":1} 2", "not JSON" },
    { "{\"x\":1,}", "not JSON" },
    { "{\"x\":nan}", "not JSON" },
    { "{\"x\":+Infinity}", "not JSON" },
    { "{\"x\":--Infinity}", "not JSON" },
    { "{\"x\":Inf}", "not JSON" },
    { "{\"x\":NaN1}", "not JSON" },
    { "{\"x\":1NaN}", "not JSON" },
    { "{\"x\":NaN NaN}", "not JSON" },
    { "{NaN:1}", "not JSON" },
    { "{\"x\":-}", "not JSON" },
    { "{\"x\":1.}", "not JSON" },
    { "{\"x\":01}", "not JSON" },
    { "{\"x\":1e}", "not JSON" },
    { "{\"x\":1e400.5}", "not JSON" },
    { "{\"x\":0" NOUGHTS_300 NOUGHTS_300 "}", "not JSON" },
    { "{\"x\":1e400", "not JSON" },
    { "{\"x\":\"a\tb\"}", "not JSON" },
    { "{\"x\":\"\\u12\"}", "not JSON" },
    { "{\"x\":\"\\", "not JSON" },
    { "{\"x\":\"\xff\"}", "not JSON" },
    { "\xef\xbb\xbf{}", "byte order mark" },
    { "3", "is an integer, not an object" },
    { "NaN", "is NaN, not an object" },
    { "[{}]", "is an array, not an object" },
};

static void refuses_what_python_refuses(void)
{
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        json_t *v;
        char twice[WEFT__QUOTE_SIZE];
        weft_error err = { 0 };
        size_t n = strlen(refused[i].text);
        if (!CHECK_STATUS(weft__json_parse(refused[i].text, n, "a.json", &v, &err), WEFT_FORMAT, err))
            printf("  in %s\n", refused[i].text);
        CHECK(v == NULL);
        CHECK_CONTAINS(err.text, refused[i].fault);
        CHECK_CONTAINS(err.text, "a.json: ");
        CHECK_STATUS(weft__json_parse_lenient(refused[i].text, n, "a.json", &v, twice, &err),
                     WEFT_FORMAT, err);
        CHECK(v == NULL);
    }
}

/* The place of a fault is that in the text, whatever stands before it. */
static void places_faults(void)
{
    json_t *v;
    weft_error err = { 0 };
    const char *text = "{\"a\":NaN,\"b\":99999999999999999999,\n\"c\":-Infinity,\"c\":2}";
    CHECK_STATUS(weft__json_parse(text, strlen(text), "a", &v, &err), WEFT_FORMAT, err);
    CHECK_STR(err.text, "a: the key \"c\" stands there twice");
    text = "{\"a\\\"\\\\\":1,\"a\\\"\\\\\":2}"; /* quotes and backslashes in the key, as they stand in the file */
    CHECK_STATUS(weft__json_parse(text, strlen(text), "a", &v, &err), WEFT_FORMAT, err);
    CHECK_STR(err.text, "a: the key \"a\\\"\\\\\" stands there twice");
    text = "{\"a\":NaN,\"b\":99999999999999999999,\n\"c\":-Infinity,]";
    CHECK_STATUS(weft__json_parse(text, strlen(text), "a", &v, &err), WEFT_FORMAT, err);
    CHECK_CONTAINS(err.text, "(line 2, byte 50)");
}

static void refuses_what_is_too_deep(void)
{
    char text[3 * 2100 + 16] = "{\"x\":";
    size_t n = strlen(text);
    memset(text + n, '[', 2100);
    memset(text + n + 2100, ']', 2100);
    text[n + 4200] = '}';
    json_t *v;
    weft_error err = { 0 };
    CHECK_STATUS(weft__json_parse(text, n + 4201, "a.json", &v, &err), WEFT_FORMAT, err);
    CHECK_CONTAINS(err.text, "depth");
    memcpy(text + n, "1}", 2);
    CHECK_OK(weft__json_parse(text, n + 2, "a.json", &v, &err), err);
    json_decref(v);
}

static void reads_settings_leniently(void)
{
    static const char text[] =
        "{\"a\":1,\"b\":{\"q\":1,\"q\":NaN},\"a\":\"\\u0000\\ud800x\\udc00\\ud800\\ud83d\\ude00\"}";
    char twice[WEFT__QUOTE_SIZE];
    json_t *v;
    double x;
    weft_error err = { 0 };
    CHECK_STATUS(weft__json_parse(text, sizeof text - 1, "a", &v, &err), WEFT_FORMAT, err);
    CHECK_STR(err.text, "a: the key \"q\" stands there twice");
    err = (weft_error){ 0 };
    if (!CHECK_OK(weft__json_parse_lenient(text, sizeof text - 1, "a", &v, twice, &err), err)) return;
    CHECK_STR(twice, "q"); /* the first */
    CHECK_STR(err.text, "");
    CHECK_STR(json_string_value(json_object_get(v, "a")),
              "\xef\xbf\xbd\xef\xbf\xbdx\xef\xbf\xbd\xef\xbf\xbd\xf0\x9f\x98\x80");
    CHECK(weft__json_number(json_object_get(json_object_get(v, "b"), "q"), &x) && isnan(x));
    json_decref(v);
    CHECK_OK(weft__json_parse_lenient("{}", 2, "a", &v, twice, &err), err);
    CHECK_STR(twice, "");
    json_decref(v);
    const char *odd = "{\"a\":\"\\u0000\"}";
    CHECK_STATUS(weft__json_parse(odd, strlen(odd), "a", &v, &err), WEFT_FORMAT, err);
}

static const weft_test tests[] = {
    { "reads_every_number", reads_every_number },
    { "leaves_strings_alone", leaves_strings_alone },
    { "refuses_what_python_refuses", refuses_what_python_refuses },
    { "places_faults", places_faults },
    { "refuses_what_is_too_deep", refuses_what_is_too_deep },
    { "reads_settings_leniently", reads_settings_leniently },
};
TEST_MAIN(tests)
