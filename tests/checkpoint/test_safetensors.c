/* test_safetensors.c: every fault that a safetensors file can have, and what valid files give. */
#include <stdlib.h>

#include "models/checkpoint/safetensors.h"
#include "tests/test.h"

#define T(shape, offsets) "{\"dtype\":\"F32\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

/* Parses header + n_data bytes; the image is exactly as long as the file, so a read beyond it is
 * seen by ASan. */
static weft_status parse(const char *header, size_t n_data, weft__safetensors **out,
                         unsigned char **image, weft_error *err)
{
    size_t n = strlen(header);
    unsigned char *p = calloc(8 + n + n_data, 1);
    *image = p;
    for (int i = 0; i < 8; i++) p[i] = (unsigned char)((uint64_t)n >> (8 * i));
    memcpy(p + 8, header, n);
    for (size_t i = 0; i < n_data; i++) p[8 + n + i] = (unsigned char)i;
    return weft__safetensors_parse(p, 8 + n + n_data, "x.safetensors", out, err);
}

static const struct {
    const char *header;
    size_t n_data;
    const char *fault; /* part of the error's text */
} faults[] = {
    /* JSON */
    { "[]", 0, "does not begin with {" },
    { " {}", 0, "does not begin with {" },
    { "{", 0, "not JSON" },
    { "{\"a\":}", 0, "not JSON" },
    { "{} x", 0, "not JSON" },
    { "{\"a\\u0000b\":" T("[1]", "[0,4]") "}", 4, "not JSON" },
    { "{\"\xff\":" T("[1]", "[0,4]") "}", 4, "not JSON" },
    { "{\"w\":" T("[1]", "[0,4]") ",\"w\":" T("[1]", "[4,8]") "}", 8,
      "the key \"w\" stands there twice" },
    { "{\"gpt_neox.layers.0.attention.dense.weight\":" T(
          "[1]", "[0,4]") ",\"gpt_neox.layers.0.attention.dense.weight\":" T("[1]", "[4,8]") "}",
      8, "the key \"gpt_neox.layers.0.attention.dense.weight\" stands there twice" },
    { "{\"a\\\"b\":" T("[1]", "[0,4]") ",\"a\\\"b\":" T("[1]", "[4,8]") "}", 8, "twice" },
    { "{\"w\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4,
      "the key \"dtype\" stands there twice" },
    { "{\"w\":" T("[99999999999999999999]", "[0,4]") "}", 4, "dimension 0 is not a non-negative integer" },
    { "{\"w\":" T("[NaN]", "[0,4]") "}", 4, "dimension 0 is not a non-negative integer" },
    /* metadata */
    { "{\"__metadata__\":[]}", 0, "__metadata__ is an array" },
    { "{\"__metadata__\":{\"k\":1}}", 0, "\"k\" is an integer, not a string" },
    /* an entry */
    { "{\"w\":3}", 0, "tensor w: its entry is an integer" },
    { "{\"w\":null}", 0, "tensor w: its entry is null" },
    { "{\"w\":{\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "tensor w: dtype is nothing" },
    { "{\"w\":{\"dtype\":7,\"shape\":[1],\"data_offsets\":[0,4]}}", 4,
      "tensor w: dtype is an integer" },
    { "{\"w\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 4, "shape is nothing" },
    { "{\"w\":" T("4", "[0,4]") "}", 4, "tensor w: shape is an integer" },
    { "{\"w\":" T("[-1]", "[0,4]") "}", 4, "dimension 0 is not a non-negative integer" },
    { "{\"w\":" T("[1,1.0]", "[0,4]") "}", 4, "dimension 1 is not a non-negative integer" },
    { "{\"w\":" T("[\"1\"]", "[0,4]") "}", 4, "dimension 0 is not a non-negative integer" },
    { "{\"w\":" T("[true]", "[0,4]") "}", 4, "dimension 0 is not a non-negative integer" },
    { "{\"w\":" T("[1,1,1,1,1,1,1,1,1]", "[0,4]") "}", 4, "9 dimensions, more than 8" },
    /* sizes: 2^62 * 4 = 2^64, 2^61 * 4 = 2^63, a product that wraps to 4, and a zero that would
     * hide it */
    { "{\"w\":" T("[4611686018427387904]", "[0,4]") "}", 4,
      "the product of its dimensions overflows" },
    { "{\"w\":" T("[2305843009213693952]", "[0,4]") "}", 4, "overflows" },
    { "{\"w\":" T("[4294967296,4294967296,4]", "[0,4]") "}", 4, "overflows" },
    { "{\"w\":" T("[0,4611686018427387904,4]", "[0,0]") "}", 0, "overflows" },
    { "{\"w\":" T("[2]", "[0,4]") "}", 4, "4 bytes of data, but its shape and type take 8" },
    { "{\"w\":" T("[1]", "[0,8]") "}", 8, "8 bytes of data, but its shape and type take 4" },
    { "{\"w\":" T("[]", "[0,0]") "}", 0, "0 bytes of data, but its shape and type take 4" },
    /* offsets */
    { "{\"w\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, "data_offsets are not two" },
    { "{\"w\":" T("[1]", "[0]") "}", 4, "data_offsets are not two" },
    { "{\"w\":" T("[1]", "[0,4,8]") "}", 4, "data_offsets are not two" },
    { "{\"w\":" T("[1]", "[0,4.0]") "}", 4, "data_offsets are not two" },
    { "{\"w\":" T("[1]", "[-4,0]") "}", 4, "data_offsets are not two" },
    { "{\"w\":" T("[1]", "{\"0\":0,\"1\":4}") "}", 4, "data_offsets are not two" },
    { "{\"w\":" T("[1]", "[4,0]") "}", 4, "data begins at 4, behind its end at 0" },
    { "{\"w\":" T("[1]", "[0,4]") "}", 3, "data ends at 4, but the file holds 3 bytes" },
    { "{\"w\":" T("[1]", "[9223372036854775803,9223372036854775807]") "}", 4,
      "but the file holds 4 bytes" },
    /* tiling */
    { "{\"a\":" T("[2]", "[0,8]") ",\"b\":" T("[2]", "[4,12]") "}", 12,
      "tensor b: its data overlaps that of a" },
    { "{\"a\":" T("[1]", "[0,4]") ",\"b\":" T("[1]", "[0,4]") "}", 4,
      "tensor b: its data overlaps that of a" },
    { "{\"b\":" T("[1]", "[4,8]") ",\"a\":" T("[2]", "[0,8]") "}", 8, "overlaps" },
    { "{\"a\":" T("[1]", "[0,4]") ",\"b\":" T("[1]", "[8,12]") "}", 12,
      "tensor b: 4 bytes before its data" },
    { "{\"a\":" T("[1]", "[4,8]") "}", 8, "tensor a: 4 bytes before its data" },
    { "{\"a\":" T("[1]", "[0,4]") "}", 7, "3 bytes at the end belong to no tensor" },
    { "{}", 1, "1 bytes at the end belong to no tensor" },
    { "{\"a\":" T("[0]", "[2,2]") ",\"b\":" T("[1]", "[0,4]") "}", 4, "overlaps" },
};

static void refuses_every_fault(void)
{
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        weft__safetensors *st;
        unsigned char *image;
        weft_error err = { 0 };
        weft_status s = parse(faults[i].header, faults[i].n_data, &st, &image, &err);
        if (!CHECK_STATUS(s, WEFT_FORMAT, err)) printf("  in case %zu: %s\n", i, faults[i].header);
        CHECK(st == NULL);
        CHECK_CONTAINS(err.text, faults[i].fault);
        CHECK_CONTAINS(err.text, "x.safetensors");
        weft__safetensors_destroy(st);
        free(image);
    }
}

static void refuses_bad_lengths(void)
{
    static const struct {
        unsigned char bytes[10];
        size_t n;
        const char *fault;
    } cases[] = {
        { "", 0, "the file is empty" },
        { { 2, 0, 0, 0, 0, 0, 0 }, 7, "too few" },
        { { 0, 0, 0, 0, 0, 0, 0, 0 }, 8, "does not begin with {" },
        { { 3, 0, 0, 0, 0, 0, 0, 0, '{', '}' },
          10,
          "a header of 3 bytes does not fit in a file of 10" },
        { { 0, 0, 0, 0, 0, 0, 0, 0x80 }, 8, "longer than the 100000000 allowed" },
        { { 255, 255, 255, 255, 255, 255, 255, 255, '{', '}' },
          10,
          "longer than the 100000000 allowed" },
        { { 0x01, 0xe1, 0xf5, 0x05 }, 10, "longer than the 100000000 allowed" },
        { { 0x00, 0xe1, 0xf5, 0x05 }, 10, "does not fit" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weft__safetensors *st;
        weft_error err = { 0 };
        weft_status s = weft__safetensors_parse(cases[i].bytes, cases[i].n, "x", &st, &err);
        CHECK_STATUS(s, WEFT_FORMAT, err);
        CHECK_CONTAINS(err.text, cases[i].fault);
    }
}

static void reads_valid_files(void)
{
    weft__safetensors *st;
    unsigned char *image;
    weft_error err = { 0 };
    /* out of order, a scalar, empty tensors, a byte type that makes the rest unaligned, unknown
     * fields, padding */
    const char *header = "{\"__metadata__\":{\"format\":\"pt\"},"
                         "\"z\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[0,3],\"more\":1},"
                         "\"m\":{\"dtype\":\"BF16\",\"shape\":[2,3],\"data_offsets\":[7,19]},"
                         "\"e\":{\"dtype\":\"F64\",\"shape\":[5,0,2],\"data_offsets\":[19,19]},"
                         "\"s\":" T("[]", "[3,7]") "}    ";
    if (CHECK_OK(parse(header, 19, &st, &image, &err), err)) {
        const unsigned char *data = image + 8 + strlen(header);
        CHECK_EQ_INT(st->n_tensors, 4);
        CHECK_STR(st->tensors[0].name, "e");
        CHECK_STR(st->tensors[3].name, "z");
        const weft__file_tensor *m = weft__file_tensor_find(st->tensors, st->n_tensors, "m");
        if (CHECK(m)) {
            CHECK_STR(m->dtype->name, "BF16");
            CHECK_EQ_INT(m->dtype->type, WEFT_BF16);
            CHECK_EQ_INT(m->rank, 2);
            CHECK_EQ_INT(m->dims[1], 3);
            CHECK_EQ_INT(m->size, 12);
            CHECK(m->data == data + 7);
        }
        const weft__file_tensor *s = weft__file_tensor_find(st->tensors, st->n_tensors, "s");
        CHECK(s && s->rank == 0 && s->size == 4 && s->data == data + 3);
        CHECK(weft__file_tensor_find(st->tensors, st->n_tensors, "") == NULL);
        CHECK(weft__file_tensor_find(st->tensors, st->n_tensors, "zz") == NULL);
        weft__safetensors_destroy(st);
    }
    free(image);
    if (CHECK_OK(parse("{}", 0, &st, &image, &err), err)) {
        CHECK_EQ_INT(st->n_tensors, 0);
        weft__safetensors_destroy(st);
    }
    free(image);
}

/* Types without a row, of today and tomorrow: the offsets say how large such a tensor is. */
static void reads_types_of_unknown_size(void)
{
    weft__safetensors *st;
    unsigned char *image;
    weft_error err = { 0 };
    const char *header = "{\"a\":{\"dtype\":\"F4\",\"shape\":[3,2],\"data_offsets\":[0,3]},"
                         "\"b\":" T("[1]", "[3,7]") ","
                         "\"c\":{\"dtype\":\"X\\u0007Y\",\"shape\":[],\"data_offsets\":[7,20]}}";
    if (CHECK_OK(parse(header, 20, &st, &image, &err), err)) {
        CHECK_EQ_INT(st->n_tensors, 3);
        CHECK_STR(st->tensors[0].dtype->name, "F4");
        CHECK_EQ_INT(st->tensors[0].dtype->type, WEFT_ANY);
        CHECK_EQ_INT(st->tensors[0].size, 3);
        CHECK_EQ_INT(st->tensors[1].dtype->type, WEFT_F32);
        CHECK_STR(st->tensors[2].dtype->name, "X?Y");
        CHECK_EQ_INT(st->tensors[2].size, 13);
        weft__safetensors_destroy(st);
    }
    free(image);
    header = "{\"a\":{\"dtype\":\"F4\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,3]}}";
    CHECK_STATUS(parse(header, 3, &st, &image, &err), WEFT_FORMAT, err);
    CHECK_CONTAINS(err.text, "the product of its dimensions overflows");
    free(image);
    header = "{\"a\":{\"dtype\":\"F4\",\"shape\":[4],\"data_offsets\":[0,4]}}";
    CHECK_STATUS(parse(header, 3, &st, &image, &err), WEFT_FORMAT, err);
    CHECK_CONTAINS(err.text, "data ends at 4, but the file holds 3");
    free(image);
}

static void knows_the_dtypes(void)
{
    static const struct {
        const char *name;
        uint32_t bytes;
    } rows[] = { { "F64", 8 }, { "F32", 4 }, { "F16", 2 }, { "BF16", 2 }, { "I64", 8 },
                 { "I32", 4 }, { "I16", 2 }, { "I8", 1 },  { "U8", 1 },   { "BOOL", 1 },
                 { "C64", 8 }, { "F8_E8M0", 1 }, { "F8_E4M3FNUZ", 1 }, { "F8_E5M2FNUZ", 1 } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const weft__file_dtype *t = weft__file_dtype_find(rows[i].name);
        if (CHECK(t)) CHECK_EQ_INT(t->bytes, rows[i].bytes);
    }
    CHECK(weft__file_dtype_find("Q4_9") == NULL);
}

static void names_in_messages_are_clean(void)
{
    weft__safetensors *st;
    unsigned char *image;
    weft_error err = { 0 };
    CHECK_STATUS(parse("{\"a\\u001b[31m\\nb\":7}", 0, &st, &image, &err), WEFT_FORMAT, err);
    CHECK_CONTAINS(err.text, "a?[31m?b");
    free(image);
}

static const weft_test tests[] = {
    { "refuses_every_fault", refuses_every_fault },
    { "refuses_bad_lengths", refuses_bad_lengths },
    { "reads_valid_files", reads_valid_files },
    { "reads_types_of_unknown_size", reads_types_of_unknown_size },
    { "knows_the_dtypes", knows_the_dtypes },
    { "names_in_messages_are_clean", names_in_messages_are_clean },
};
TEST_MAIN(tests)
