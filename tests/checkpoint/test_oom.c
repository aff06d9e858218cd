/* test_oom.c: opening and writing with every allocation failing in turn, jansson's too: OOM each
 * time, nothing leaked, nothing left on the disk. */
#include <jansson.h>

#include "models/checkpoint/checkpoint_impl.h"
#include "models/checkpoint/random_init.h"
#include "models/config_impl.h"
#include "temp.h"
#include "tests/oom.h"

static weft_status open_all(const char *folder, weft_error *err)
{
    weft_checkpoint *ck;
    weft_config_file *c = NULL;
    weft_status s = weft_checkpoint_open(folder, &ck, err);
    if (s == WEFT_OK) s = weft_config_file_open(folder, &c, err);
    weft_config_file_close(c);
    weft_checkpoint_close(ck);
    return s;
}

static weft_status write_all(const char *folder, weft_error *err)
{
    weft__file_tensor tensors[3];
    for (int i = 0; i < 3; i++)
        tensors[i] = (weft__file_tensor){ .name = i == 0   ? "a.weight"
                                                  : i == 1 ? "b.bias"
                                                           : "c.weight",
                                          .dtype = weft__file_dtype_find("F16"),
                                          .rank = 1,
                                          .dims = { 10 } };
    weft__random_init r = { .tensors = tensors, .seed = 1, .deviation = 1 };
    weft__write_desc d = { .folder = folder,
                           .tensors = tensors,
                           .n_tensors = 3,
                           .shard_bytes = 20,
                           .texts = &(const weft__write_text){ "config.json", "{}", 2 },
                           .n_texts = 1,
                           .fill = weft__random_fill,
                           .ctx = &r };
    return weft__checkpoint_write(&d, err);
}

static void opening_survives(void)
{
    temp_folder t = temp_make();
    temp_write_text(
        &t, "config.json",
        "{\"hidden_size\":8,\"rope_theta\":1,\"rotary_emb_base\":2,\"e\":[1,{\"x\":2.5}]}");
    temp_write_text(&t, "generation_config.json", "{\"eos_token_id\":[1,2]}");
    temp_write_safetensors(&t, "s1",
                           "{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]}}", 2);
    temp_write_safetensors(&t, "s2",
                           "{\"b\":{\"dtype\":\"X8\",\"shape\":[2],\"data_offsets\":[0,2]},"
                           "\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[2,4]}}", 4);
    temp_write_text(&t, "model.safetensors.index.json",
                    "{\"weight_map\":{\"a\":\"s1\",\"b\":\"s2\"}}");
    json_set_alloc_funcs(malloc, free); /* those of oom.c: the linker sends the names there */
    OOM_LOOP(n)
    {
        weft_error err = { 0 };
        weft_status s = open_all(t.path, &err);
        OOM_CHECK(s, err);
        CHECK(s == WEFT_OK || err.text[0]);
    }
    temp_remove(&t);
}

static void writing_survives(void)
{
    temp_folder t = temp_make();
    json_set_alloc_funcs(malloc, free);
    const char *folder = temp_path(&t, "out");
    OOM_LOOP(n)
    {
        weft_error err = { 0 };
        weft_status s = write_all(folder, &err);
        OOM_CHECK(s, err);
        CHECK_EQ_INT(temp_count(t.path), s == WEFT_OK);
    }
    temp_remove(&t);
}

/* Doubles are converted when a source is first asked for them. */
static void reading_doubles_survives(void)
{
    temp_folder t = temp_make();
    temp_write_safetensors(&t, "model.safetensors",
                           "{\"a\":{\"dtype\":\"F64\",\"shape\":[2],\"data_offsets\":[0,16]}}", 16);
    json_set_alloc_funcs(malloc, free);
    OOM_LOOP(n)
    {
        weft_error err = { 0 };
        weft_checkpoint *ck;
        weft_weight_data d;
        weft_status s = weft_checkpoint_open(t.path, &ck, &err);
        if (!s) s = weft_checkpoint_source(ck).find(ck, "a", &d, &err);
        OOM_CHECK(s, err);
        weft_checkpoint_close(ck);
    }
    temp_remove(&t);
}

static const weft_test tests[] = {
    { "opening_survives", opening_survives },
    { "reading_doubles_survives", reading_doubles_survives },
    { "writing_survives", writing_survives },
};
TEST_MAIN(tests)
