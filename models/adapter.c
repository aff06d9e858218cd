/* adapter.c: opening a folder that PEFT wrote: which tensors are what of which module. */
#include "models/adapter_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WEIGHTS_FILE "adapter_model.safetensors"

/* ---- names ---- */

/* A tensor by its name: "base_model.model." MODULE "." word, and then ".weight" or whatever `end` is, before which the
 * adapter's name may stand. */
static const struct { const char *word, *end; weft__adapter_part part; } words[] = {
    { "lora_A", ".weight", WEFT__LORA_A }, { "lora_B", ".weight", WEFT__LORA_B },
    { "lora_B", ".bias", WEFT__LORA_BIAS }, { "lora_embedding_A", "", WEFT__LORA_TABLE_A },
    { "lora_embedding_B", "", WEFT__LORA_TABLE_B },
};

/* What files have besides, and why it is refused. */
static const struct { const char *in, *what; } others[] = {
    { ".lora_magnitude_vector", "DoRA, which is not supported" },
    { ".modules_to_save.", "a whole module that was trained (modules_to_save), which is not supported" },
    { ".original_module.", "a whole module that was trained (modules_to_save), which is not supported" },
    { ".token_adapter.", "trained tokens (trainable_token_indices), which are not supported" },
    { ".weight", "a weight of the base model, which an adapter cannot replace here" },
};

typedef struct named {
    const char *module;
    weft__adapter_part part;
    const weft__file_tensor *tensor;
} named;

static weft_status refuse_name(const weft__file_tensor *t, weft_error *err)
{
    char quoted[WEFT__QUOTE_SIZE];
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (strstr(t->name, others[i].in))
            return WEFT_FAIL(err, WEFT_UNSUPPORTED, "%s: tensor '%s' is %s", t->file, weft__quote(quoted, t->name),
                             others[i].what);
    return WEFT_FAIL(err, WEFT_UNSUPPORTED, "%s: tensor '%s' is none of a LoRA adapter's", t->file,
                     weft__quote(quoted, t->name));
}

/* rest: behind ".lora_A". */
static bool ends_so(const char *rest, const char *end)
{
    const size_t n = strlen(rest), k = strlen(end);
    if (n < k || strcmp(rest + n - k, end)) return false;
    return n == k || (rest[0] == '.' && !memchr(rest + 1, '.', n - k - 1) && n - k > 1);
}

/* The length of the module's name; 0: it is none of LoRA's. */
static size_t find_word(const char *name, weft__adapter_part *part)
{
    const char *at = strstr(name, ".lora_");
    for (size_t i = 0; at && i < sizeof words / sizeof *words; i++) {
        const size_t n = strlen(words[i].word);
        *part = words[i].part;
        if (!strncmp(at + 1, words[i].word, n) && ends_so(at + 1 + n, words[i].end)) return (size_t)(at - name);
    }
    static const char *const biases[] = { ".base_layer.bias", ".bias" };
    *part = WEFT__BIAS;
    for (size_t i = 0; !at && i < sizeof biases / sizeof *biases; i++)
        if (weft__ends_with(name, biases[i])) return strlen(name) - strlen(biases[i]);
    return 0;
}

static weft_status read_name(weft_adapter *a, const weft__file_tensor *t, named *out, weft_error *err)
{
    static const char begin[] = "base_model.model.";
    char quoted[WEFT__QUOTE_SIZE];
    if (strncmp(t->name, begin, sizeof begin - 1))
        return WEFT_FAIL(err, WEFT_UNSUPPORTED, "%s: tensor '%s' is not named as PEFT does: '%s' stands before all",
                         t->file, weft__quote(quoted, t->name), begin);
    const char *name = t->name + sizeof begin - 1;
    const size_t n = find_word(name, &out->part);
    if (!n || n >= WEFT__TENSOR_NAME - 32) return refuse_name(t, err);
    char *module = weft__arena_alloc(&a->texts, n + 1, 1);
    if (!module) return WEFT_OOM_FAIL(err, t->file);
    memcpy(module, name, n);
    module[n] = 0;
    out->module = module;
    out->tensor = t;
    return WEFT_OK;
}

/* ---- modules ---- */

static int by_module(const void *x, const void *y)
{
    const named *a = x, *b = y;
    return strcmp(a->module, b->module);
}

static weft_status check_tensor(const weft__file_tensor *t, uint32_t rank, weft_error *err)
{
    char quoted[WEFT__QUOTE_SIZE];
    const weft_dtype type = t->dtype->type;
    if (type != WEFT_F32 && type != WEFT_F16 && type != WEFT_BF16)
        return WEFT_FAIL(err, WEFT_UNSUPPORTED, "%s: tensor '%s' is of type %s; adapters are F32, F16 or BF16", t->file,
                         weft__quote(quoted, t->name), t->dtype->name);
    bool sound = t->rank == rank && t->size;
    for (uint32_t i = 0; sound && i < rank; i++) sound = t->dims[i] <= INT32_MAX;
    return sound ? WEFT_OK
                 : WEFT_FAIL(err, WEFT_UNSUPPORTED, "%s: tensor '%s' has %u dimensions or no elements; it must be %s",
                             t->file, weft__quote(quoted, t->name), t->rank, rank == 1 ? "a vector" : "a matrix");
}

static weft_status check_pair(weft__adapter_module *m, weft__adapter_part a, weft_error *err)
{
    char quoted[WEFT__QUOTE_SIZE];
    const weft__file_tensor *first = m->part[a], *second = m->part[a + 1], *t = first ? first : second;
    if (!t) return WEFT_OK;
    weft__quote(quoted, t->name);
    if (!first || !second) return WEFT_FAIL(err, WEFT_FORMAT, "%s: tensor '%s' has no other half", t->file, quoted);
    WEFT_TRY(check_tensor(first, 2, err));
    WEFT_TRY(check_tensor(second, 2, err));
    if (first->dims[0] != second->dims[1])
        return WEFT_FAIL(err, WEFT_SHAPE, "%s: tensor '%s' is of rank %llu, but its other half of %llu", t->file,
                         quoted, (unsigned long long)first->dims[0], (unsigned long long)second->dims[1]);
    if (m->rank) return WEFT_FAIL(err, WEFT_FORMAT, "%s: tensor '%s': its module has two forms", t->file, quoted);
    m->rank = (uint32_t)first->dims[0];
    return WEFT_OK;
}

static weft_status check_module(weft__adapter_module *m, weft_error *err)
{
    const weft__file_tensor *more = m->part[WEFT__LORA_BIAS];
    char quoted[WEFT__QUOTE_SIZE];
    WEFT_TRY(check_pair(m, WEFT__LORA_A, err));
    WEFT_TRY(check_pair(m, WEFT__LORA_TABLE_A, err));
    for (int i = WEFT__LORA_BIAS; i <= WEFT__BIAS; i++)
        if (m->part[i]) WEFT_TRY(check_tensor(m->part[i], 1, err));
    const weft__file_tensor *b = m->part[WEFT__LORA_B];
    if (more && (!b || b->dims[0] != more->dims[0]))
        return WEFT_FAIL(err, WEFT_SHAPE, "%s: tensor '%s' does not fit its lora_B.weight", more->file,
                         weft__quote(quoted, more->name));
    return WEFT_OK;
}

static weft_status gather(weft_adapter *a, const named *list, size_t n, weft_error *err)
{
    char quoted[WEFT__QUOTE_SIZE];
    for (size_t i = 0; i < n; i++) {
        if (!i || strcmp(list[i].module, list[i - 1].module))
            a->modules[a->n_modules++] = (weft__adapter_module){ .name = list[i].module };
        const weft__file_tensor **part = &a->modules[a->n_modules - 1].part[list[i].part];
        if (*part)
            return WEFT_FAIL(err, WEFT_FORMAT, "%s: tensor '%s' is there a second time, under another name",
                             list[i].tensor->file, weft__quote(quoted, list[i].tensor->name));
        *part = list[i].tensor;
    }
    for (size_t i = 0; i < a->n_modules; i++) {
        WEFT_TRY(check_module(&a->modules[i], err));
        if (a->modules[i].rank > a->info.rank) a->info.rank = a->modules[i].rank;
    }
    a->info.modules = (uint32_t)a->n_modules;
    return WEFT_OK;
}

static weft_status read_modules(weft_adapter *a, weft_error *err)
{
    const size_t n = a->file->n_tensors;
    if (!n) return WEFT_FAIL(err, WEFT_FORMAT, "%s: has no tensors", a->file->file);
    named *list = calloc(n, sizeof *list);
    a->modules = calloc(n, sizeof *a->modules);
    weft_status s = list && a->modules ? WEFT_OK : WEFT_OOM_FAIL(err, a->file->file);
    for (size_t i = 0; !s && i < n; i++) {
        const weft__file_tensor *t = &a->file->tensors[i];
        s = read_name(a, t, &list[i], err);
        a->info.parameters += t->size / (t->dtype->bytes ? t->dtype->bytes : 1);
    }
    if (!s) qsort(list, n, sizeof *list, by_module);
    if (!s) s = gather(a, list, n, err);
    free(list);
    return s;
}

static int by_name(const void *x, const void *y)
{
    const weft__adapter_module *m = y;
    return strcmp(x, m->name);
}

const weft__adapter_module *weft__adapter_find(const weft_adapter *a, const char *name)
{
    return bsearch(name, a->modules, a->n_modules, sizeof *a->modules, by_name);
}

/* ---- the object ---- */

static weft_status open_file(weft_adapter *a, weft_error *err)
{
    static const char *const pickles[] = { "adapter_model.bin", "adapter_model.pt" };
    char *path = weft__path_join(a->info.path, WEIGHTS_FILE);
    if (!path) return WEFT_OOM_FAIL(err, a->info.path);
    weft_status s = WEFT_OK;
    for (size_t i = 0; !s && !weft__path_exists(path) && i < sizeof pickles / sizeof *pickles; i++) {
        char *other = weft__path_join(a->info.path, pickles[i]);
        if (!other) s = WEFT_OOM_FAIL(err, a->info.path);
        else if (weft__path_exists(other))
            s = WEFT_FAIL(err, WEFT_UNSUPPORTED, "%s: a pickle, which may run code when it is read; save the adapter "
                          "as " WEIGHTS_FILE " (PEFT's save_pretrained does)", other);
        free(other);
    }
    if (!s) s = weft__safetensors_open(path, &a->file, err);
    free(path);
    return s;
}

weft_status weft_adapter_open(const char *folder, weft_adapter **out, weft_error *err)
{
    *out = NULL;
    weft_adapter *a = calloc(1, sizeof *a);
    if (!a) return WEFT_OOM_FAIL(err, folder);
    a->info.base = "";
    a->info.path = weft__arena_strdup(&a->texts, folder);
    weft_status s = a->info.path ? WEFT_OK : WEFT_OOM_FAIL(err, folder);
    if (!s && !weft__path_is_folder(folder))
        s = WEFT_FAIL(err, WEFT_NOT_FOUND, "%s: no folder, which an adapter is", folder);
    if (!s) s = open_file(a, err);
    if (!s) s = read_modules(a, err);
    if (!s) s = weft__adapter_configure(a, err);
    if (s) weft_adapter_close(a);
    else *out = a;
    return s;
}

void weft_adapter_close(weft_adapter *a)
{
    if (!a) return;
    if (a->file) weft__safetensors_destroy(a->file);
    free(a->modules);
    weft__arena_free(&a->texts);
    free(a);
}

const weft_adapter_info *weft_adapter_info_get(const weft_adapter *a)
{
    return &a->info;
}
