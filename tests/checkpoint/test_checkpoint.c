/* test_checkpoint.c: what may be named as MODEL, indexes, shards, the faults of folders, and the
 * bundled model. */
#include "models/checkpoint/checkpoint_impl.h"
#include "temp.h"

#define ONE(name) "{\"" name "\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}"
#define TWO(a, b)                                                              \
    "{\"" a "\":{\"dtype\":\"F16\",\"shape\":[2],\"data_offsets\":[0,4]},\"" b \
    "\":{\"dtype\":\"I64\",\"shape\":[1],\"data_offsets\":[4,12]}}"
#define INDEX     "model.safetensors.index.json"
#define SHARD1    "model-00001-of-00002.safetensors"
#define SHARD2    "model-00002-of-00002.safetensors"
#define MAP(text) "{\"metadata\":{\"total_size\":20},\"weight_map\":{" text "}}"

static void write_shards(const temp_folder *t)
{
    temp_write_safetensors(t, SHARD1, TWO("b", "c"), 12);
    temp_write_safetensors(t, SHARD2, ONE("a"), 8);
    temp_write_text(t, INDEX,
                    MAP("\"a\":\"" SHARD2 "\",\"b\":\"" SHARD1 "\",\"c\":\"" SHARD1 "\""));
}

static void expect(const char *model, weft_status status, const char *fault)
{
    weft_checkpoint *ck;
    weft_error err = { 0 };
    if (!CHECK_STATUS(weft_checkpoint_open(model, &ck, &err), status, err))
        printf("  %s\n", model);
    if (status != WEFT_OK) {
        CHECK(ck == NULL);
        CHECK_CONTAINS(err.text, fault);
    }
    weft_checkpoint_close(ck);
}

/* Opens `model` and expects that many tensors and files. */
static void expect_open(const char *model, size_t n_tensors, size_t n_files)
{
    weft_checkpoint *ck;
    weft_error err = { 0 };
    if (CHECK_OK(weft_checkpoint_open(model, &ck, &err), err)) {
        CHECK_EQ_INT(weft_checkpoint_count(ck), n_tensors);
        CHECK_EQ_INT(weft__checkpoint_file_count(ck), n_files);
    }
    weft_checkpoint_close(ck);
}

static void reads_shards(void)
{
    temp_folder t = temp_make();
    weft_checkpoint *ck;
    const weft__file_tensor *a;
    weft_error err = { 0 };
    write_shards(&t);
    if (CHECK_OK(weft_checkpoint_open(t.path, &ck, &err), err)) {
        CHECK_EQ_INT(weft_checkpoint_count(ck), 3);
        CHECK_EQ_INT(weft__checkpoint_file_count(ck), 2);
        CHECK_EQ_INT(weft_checkpoint_bytes(ck), 20);
        CHECK_STR(weft__checkpoint_at(ck, 0)->name, "a");
        CHECK_STR(weft__checkpoint_at(ck, 2)->name, "c");
        CHECK(weft__checkpoint_at(ck, 3) == NULL);
        CHECK(weft__checkpoint_find(ck, "d") == NULL);
        const weft_tensor_info *c = weft_checkpoint_find(ck, "c");
        CHECK(c && c == weft_checkpoint_tensor(ck, 2) && c->rank == 1 && c->dims[0] == 1 && c->bytes == 8);
        CHECK_STR(c->dtype, "I64");
        CHECK_EQ_INT(c->type, WEFT_ANY);
        CHECK_CONTAINS(c->file, SHARD1);
        CHECK_EQ_INT(((const unsigned char *)c->data)[0], 4); /* the byte's place in the file's data */
        CHECK(!weft_checkpoint_tensor(ck, 3) && !weft_checkpoint_find(ck, "d"));
        if (CHECK_OK(weft__checkpoint_weight(ck, "a", &a, &err), err)) {
            CHECK_EQ_INT(a->dtype->type, WEFT_F32);
            CHECK_EQ_INT(((const unsigned char *)a->data)[7], 7);
            CHECK_CONTAINS(a->file, SHARD2);
        }
        CHECK_STATUS(weft__checkpoint_weight(ck, "d", &a, &err), WEFT_NOT_FOUND, err);
        CHECK_CONTAINS(err.text, "no tensor d");
        CHECK_STATUS(weft__checkpoint_weight(ck, "c", &a, &err), WEFT_UNSUPPORTED, err);
        CHECK_CONTAINS(err.text, "tensor c: weights of type I64");
        weft_weight_source source = weft_checkpoint_source(ck);
        weft_weight_data d;
        if (CHECK_OK(source.find(source.ctx, "b", &d, &err), err))
            CHECK(d.dtype == WEFT_F16 && d.rank == 1 && d.dims[0] == 2 && d.bytes == 4 &&
                  d.data == weft_checkpoint_find(ck, "b")->data);
        CHECK_STATUS(source.find(source.ctx, "c", &d, &err), WEFT_UNSUPPORTED, err);
        CHECK_STATUS(source.find(source.ctx, "d", &d, &err), WEFT_NOT_FOUND, err);
    }
    weft_checkpoint_close(ck);
    temp_remove(&t);
}

/* Doubles are read as the nearest floats, once; those that no float holds are refused by name. */
static void gives_doubles_as_floats(void)
{
    static const double values[] = { 1.0 / 3.0, -2.5, 1e300 };
    temp_folder t = temp_make();
    weft_checkpoint *ck;
    weft_error err = { 0 };
    temp_write_safetensors(&t, "model.safetensors",
                           "{\"a\":{\"dtype\":\"F64\",\"shape\":[2],\"data_offsets\":[0,16]},"
                           "\"b\":{\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[16,24]}}", 24);
    FILE *f = fopen(temp_path(&t, "model.safetensors"), "r+b");
    CHECK(f && !fseek(f, -24, SEEK_END) && fwrite(values, 8, 3, f) == 3);
    if (f) fclose(f);
    if (CHECK_OK(weft_checkpoint_open(t.path, &ck, &err), err)) {
        weft_weight_source source = weft_checkpoint_source(ck);
        weft_weight_data d, again;
        CHECK_EQ_INT(weft_checkpoint_find(ck, "a")->type, WEFT_F32);
        if (CHECK_OK(source.find(source.ctx, "a", &d, &err), err)) {
            const float *x = d.data;
            CHECK(d.dtype == WEFT_F32 && d.bytes == 8 && x[0] == (float)values[0] && x[1] == -2.5f);
            CHECK(!source.find(source.ctx, "a", &again, &err) && again.data == d.data);
        }
        CHECK_STATUS(source.find(source.ctx, "b", &d, &err), WEFT_UNSUPPORTED, err);
        CHECK_CONTAINS(err.text, "tensor b: element 0, 1e+300, is beyond the range of float32");
    }
    weft_checkpoint_close(ck);
    temp_remove(&t);
}

static void finds_what_model_names(void)
{
    temp_folder t = temp_make();
    write_shards(&t);
    temp_write_text(&t, "config.json", "{}");
    expect_open(t.path, 3, 2);
    expect_open(temp_path(&t, "config.json"), 3, 2);
    expect_open(temp_path(&t, INDEX), 3, 2);
    expect_open(temp_path(&t, SHARD1), 3, 2); /* a shard stands for the whole */
    temp_write_safetensors(&t, "other.safetensors", ONE("x"), 8);
    expect_open(temp_path(&t, "other.safetensors"), 1, 1);
    temp_write_safetensors(&t, "model.safetensors", ONE("y"), 8);
    expect_open(t.path, 1, 1); /* the single file comes first */
    expect_open(temp_path(&t, INDEX), 3, 2);
    expect_open(temp_path(&t, SHARD1), 3, 2); /* unless a shard is named */
    unlink(temp_path(&t, INDEX));
    expect_open(temp_path(&t, SHARD1), 2, 1);
    expect(temp_path(&t, "nothing"), WEFT_NOT_FOUND, "no such file or folder");
    temp_write_text(&t, "notes.txt", "x");
    expect(temp_path(&t, "notes.txt"), WEFT_INVALID, "neither a model folder nor");
    temp_write_text(&t, "m.gguf", "GGUF");
    expect(temp_path(&t, "m.gguf"), WEFT_FORMAT, "the file ends within the header");
    temp_remove(&t);
}

static void follows_links(void)
{
    temp_folder t = temp_make();
    temp_write_safetensors(&t, "blob", ONE("a"), 8);
    CHECK(symlink("blob", temp_path(&t, "model.safetensors")) == 0);
    expect_open(t.path, 1, 1);
    temp_remove(&t);
}

#define LFS "version https://git-lfs.github.com/spec/v1\noid sha256:12\nsize 34\n"

/* Links to nowhere (a cache whose blobs are gone), empty files, pointers of Git LFS: each says which file, and what
 * happened to it. */
static void tells_incomplete_downloads(void)
{
    temp_folder t = temp_make();
    CHECK(symlink("blobs/0", temp_path(&t, "model.safetensors")) == 0);
    expect(t.path, WEFT_NOT_FOUND, "model.safetensors: the link leads nowhere: an incomplete download?");
    write_shards(&t); /* the index is whole: it counts, as for the reference */
    expect_open(t.path, 3, 2);
    unlink(temp_path(&t, SHARD2));
    CHECK(symlink("blobs/1", temp_path(&t, SHARD2)) == 0);
    expect(t.path, WEFT_NOT_FOUND, "a shard is missing: ");
    expect(t.path, WEFT_NOT_FOUND, SHARD2 ": the link leads nowhere");
    unlink(temp_path(&t, "model.safetensors"));
    temp_write_text(&t, INDEX, "");
    expect(t.path, WEFT_FORMAT, INDEX ": the file is empty: an incomplete download?");
    temp_write_text(&t, INDEX, LFS);
    expect(t.path, WEFT_FORMAT, INDEX ": a Git LFS pointer");
    unlink(temp_path(&t, INDEX));
    CHECK(symlink("blobs/2", temp_path(&t, INDEX)) == 0);
    expect(t.path, WEFT_NOT_FOUND, INDEX ": the link leads nowhere");
    temp_write_text(&t, "model.safetensors", "");
    expect(t.path, WEFT_FORMAT, "model.safetensors: the file is empty: an incomplete download?");
    temp_write_text(&t, "model.safetensors", LFS);
    expect(t.path, WEFT_FORMAT, "a Git LFS pointer in place of the file; `git lfs pull` fetches it");
    temp_write_safetensors(&t, "model.safetensors", ONE("a"), 7);
    expect(t.path, WEFT_FORMAT, "the file holds 7 bytes of data: an incomplete download?");
    CHECK(symlink("gone", temp_path(&t, "folder")) == 0);
    expect(temp_path(&t, "folder"), WEFT_NOT_FOUND, "folder: the link leads nowhere");
    temp_remove(&t);
}

static void says_what_is_there_instead(void)
{
    temp_folder t = temp_make();
    expect(t.path, WEFT_NOT_FOUND, "no model.safetensors, no model.safetensors.index.json and no GGUF file");
    temp_write_text(&t, "pytorch_model.bin", "PK");
    expect(t.path, WEFT_UNSUPPORTED, "PyTorch .bin files only");
    temp_write_text(&t, "q4.gguf", "GGUF");
    expect(t.path, WEFT_FORMAT, "q4.gguf: the file ends within the header");
    temp_write_safetensors(&t, "weights.safetensors", ONE("a"), 8);
    expect(t.path, WEFT_NOT_FOUND, "has weights.safetensors but no");
    CHECK(mkfifo(temp_path(&t, "model.safetensors"), 0600) == 0);
    expect(t.path, WEFT_IO, "not a regular file");
    temp_remove(&t);
}

static void refuses_bad_indexes(void)
{
    static const struct {
        const char *index;
        weft_status status;
        const char *fault;
    } cases[] = {
        { "", WEFT_FORMAT, "the file is empty" },
        { " ", WEFT_FORMAT, "not JSON" },
        { "[]", WEFT_FORMAT, "is an array, not an object" },
        { "{}", WEFT_FORMAT, "weight_map is nothing" },
        { "{\"weight_map\":[]}", WEFT_FORMAT, "weight_map is an array" },
        { "{\"weight_map\":{}}", WEFT_FORMAT, "weight_map is empty" },
        { MAP("\"a\":1"), WEFT_FORMAT, "the file of tensor a is an integer" },
        { MAP("\"a\":\"\""), WEFT_FORMAT, "is not a plain name" },
        { MAP("\"a\":\".\""), WEFT_FORMAT, "is not a plain name" },
        { MAP("\"a\":\"..\""), WEFT_FORMAT, "is not a plain name" },
        { MAP("\"a\":\"../model.safetensors\""), WEFT_FORMAT,
          "\"../model.safetensors\", is not a plain name" },
        { MAP("\"a\":\"/etc/passwd\""), WEFT_FORMAT, "is not a plain name" },
        { MAP("\"a\":\"sub/x.safetensors\""), WEFT_FORMAT, "is not a plain name" },
        { MAP("\"a\":\"..\\\\x\""), WEFT_FORMAT, "is not a plain name" },
        { MAP("\"a\":\"" SHARD2 "\",\"a\":\"" SHARD1 "\""), WEFT_FORMAT,
          "the key \"a\" stands there twice" },
        { MAP("\"a\":\"model-00003-of-00002.safetensors\""), WEFT_NOT_FOUND, "a shard is missing" },
        { MAP("\"a\":\"" SHARD1 "\""), WEFT_NOT_FOUND, "tensor a is not in" },
        { MAP("\"a\":\"" SHARD2 "\",\"zz\":\"" SHARD1 "\""), WEFT_NOT_FOUND,
          "tensor zz is not in" },
        { MAP("\"a\":\"" INDEX "\""), WEFT_FORMAT, "not a safetensors file?" },
    };
    temp_folder t = temp_make();
    write_shards(&t);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        temp_write_text(&t, INDEX, cases[i].index);
        expect(t.path, cases[i].status, cases[i].fault);
    }
    temp_remove(&t);
}

static void names_the_faulty_shard(void)
{
    temp_folder t = temp_make();
    write_shards(&t);
    temp_write_safetensors(&t, SHARD2, ONE("a"), 7);
    expect(t.path, WEFT_FORMAT, SHARD2 ": tensor a: data ends at 8");
    temp_write_text(&t, SHARD2, "{}");
    expect(t.path, WEFT_FORMAT, SHARD2 ": 2 bytes are too few");
    temp_remove(&t);
}

/* A stale copy in another shard: the index decides, whichever shard comes first. Without its word there is no telling,
 * which only who asks for the tensor has to know. */
static void index_decides_between_copies(void)
{
    static const char *const files[] = { SHARD1, SHARD2 };
    temp_folder t = temp_make();
    weft_error err = { 0 };
    temp_write_safetensors(&t, SHARD1, TWO("b", "c"), 12);
    temp_write_safetensors(&t, SHARD2, TWO("b", "a"), 12);
    for (int i = 0; i < 3; i++) {
        char index[256];
        weft_checkpoint *ck;
        const weft__file_tensor *b = NULL;
        snprintf(index, sizeof index, MAP("\"c\":\"" SHARD1 "\",\"a\":\"" SHARD2 "\"%s%s%s"),
                 i < 2 ? ",\"b\":\"" : "", i < 2 ? files[i] : "", i < 2 ? "\"" : "");
        temp_write_text(&t, INDEX, index);
        if (!CHECK_OK(weft_checkpoint_open(t.path, &ck, &err), err)) continue;
        CHECK_EQ_INT(weft_checkpoint_count(ck), 3);
        CHECK_CONTAINS(weft_checkpoint_note(ck, 0), "1 tensor stands in more than one shard: the index decides (b is");
        weft_status s = weft__checkpoint_weight(ck, "b", &b, &err);
        if (i == 2) {
            CHECK_STATUS(s, WEFT_FORMAT, err);
            CHECK_CONTAINS(err.text, "tensor b is also in");
        } else if (CHECK_OK(s, err)) {
            CHECK_CONTAINS(b->file, files[i]);
            CHECK_CONTAINS(weft_checkpoint_note(ck, 0), files[1 - i]);
        }
        weft_checkpoint_close(ck);
    }
    temp_remove(&t);
}

/* A tensor that the index does not list is kept: a model that needs it finds it. */
static void keeps_unlisted_tensors(void)
{
    temp_folder t = temp_make();
    write_shards(&t);
    temp_write_text(&t, INDEX, MAP("\"a\":\"" SHARD2 "\",\"b\":\"" SHARD1 "\""));
    expect_open(t.path, 3, 2);
    temp_remove(&t);
}

static void opens_the_bundled_model(void)
{
    weft_checkpoint *ck;
    const weft__file_tensor *w;
    weft_error err = { 0 };
    if (!CHECK_OK(weft_checkpoint_open(WEFT_TEST_ROOT "/models/bundled/tiny-stories-neox", &ck,
                                        &err),
                  err))
        return;
    CHECK_EQ_INT(weft_checkpoint_count(ck),
                 76); /* 12 in each of 6 layers, 2 embeddings, the final norm's 2 */
    CHECK_EQ_INT(weft_checkpoint_bytes(ck), 13680832 - 8 - 8376);
    if (CHECK_OK(weft__checkpoint_weight(ck, "gpt_neox.layers.5.attention.query_key_value.weight",
                                         &w, &err),
                 err)) {
        CHECK_EQ_INT(w->dtype->type, WEFT_F16);
        CHECK_EQ_INT(w->rank, 2);
        CHECK_EQ_INT(w->dims[0], 768);
        CHECK_EQ_INT(w->dims[1], 256);
    }
    weft_checkpoint_close(ck);
}

static const weft_test tests[] = {
    { "reads_shards", reads_shards },
    { "gives_doubles_as_floats", gives_doubles_as_floats },
    { "finds_what_model_names", finds_what_model_names },
    { "follows_links", follows_links },
    { "tells_incomplete_downloads", tells_incomplete_downloads },
    { "says_what_is_there_instead", says_what_is_there_instead },
    { "refuses_bad_indexes", refuses_bad_indexes },
    { "names_the_faulty_shard", names_the_faulty_shard },
    { "index_decides_between_copies", index_decides_between_copies },
    { "keeps_unlisted_tensors", keeps_unlisted_tensors },
    { "opens_the_bundled_model", opens_the_bundled_model },
};
TEST_MAIN(tests)
