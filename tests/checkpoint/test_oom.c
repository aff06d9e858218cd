/* test_oom.c: opening and writing with every allocation failing in turn: OOM each time, no leak
 * (LeakSanitizer's part), no crash, nothing left on the disk. The linker sends the library's
 * allocations here (--wrap), jansson's come by its hook. */
#include <errno.h>
#include <jansson.h>

#include "models/checkpoint/checkpoint.h"
#include "models/checkpoint/random_init.h"
#include "models/config.h"
#include "temp.h"

static long countdown = -1; /* allocations until one fails; negative: none will */

static bool fails(void)
{
    if (countdown < 0 || countdown-- > 0) return false;
    errno = ENOMEM;
    return true;
}

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
char *__real_strdup(const char *s);
char *__real_strndup(const char *s, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
char *__wrap_strdup(const char *s);
char *__wrap_strndup(const char *s, size_t n);

void *__wrap_malloc(size_t n)
{
    return fails() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
    return fails() ? NULL : __real_realloc(p, n);
}

char *__wrap_strdup(const char *s)
{
    return fails() ? NULL : __real_strdup(s);
}

char *__wrap_strndup(const char *s, size_t n)
{
    return fails() ? NULL : __real_strndup(s, n);
}

/* Runs `work` with the first, the second, ... allocation failing, until one run needs fewer. */
static void inject(weft_status (*work)(const temp_folder *t, weft_error *err), const temp_folder *t,
                   unsigned n_left)
{
    json_set_alloc_funcs(__wrap_malloc, free);
    long n = 0;
    for (;; n++) {
        weft_error err = { 0 };
        countdown = n;
        weft_status s = work(t, &err);
        bool hit = countdown < 0;
        countdown = -1;
        if (!hit) {
            CHECK_OK(s, err);
            break;
        }
        if (!CHECK_STATUS(s, WEFT_OOM, err)) printf("  at allocation %ld\n", n);
        CHECK(err.text[0] != 0);
        CHECK_EQ_INT(temp_count(t->path), n_left);
        if (n > 100000) break;
    }
    CHECK(n > 3);
    printf("  %ld allocations\n", n);
    json_set_alloc_funcs(malloc, free);
}

static weft_status open_all(const temp_folder *t, weft_error *err)
{
    weft__checkpoint *ck;
    weft__hf_config *c = NULL;
    weft_status s = weft__checkpoint_open(t->path, &ck, err);
    if (s == WEFT_OK) s = weft__hf_config_open(t->path, &c, err);
    weft__hf_config_destroy(c);
    weft__checkpoint_destroy(ck);
    return s;
}

static weft_status write_all(const temp_folder *t, weft_error *err)
{
    char folder[TEMP_PATH];
    snprintf(folder, sizeof folder, "%s", temp_path(t, "out"));
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
                           .config = "{}",
                           .config_size = 2,
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
                           "{\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]}}", 2);
    temp_write_text(&t, "model.safetensors.index.json",
                    "{\"weight_map\":{\"a\":\"s1\",\"b\":\"s2\"}}");
    inject(open_all, &t, 5);
    temp_remove(&t);
}

static void writing_survives(void)
{
    temp_folder t = temp_make();
    inject(write_all, &t, 0);
    CHECK_EQ_INT(temp_count(t.path), 1);
    temp_remove(&t);
}

static const weft_test tests[] = {
    { "opening_survives", opening_survives },
    { "writing_survives", writing_survives },
};
TEST_MAIN(tests)
