/* imatrix_out.c: what was gathered as a file. */
#include <stdlib.h>
#include <string.h>

#include "models/checkpoint/gguf_out.h"
#include "models/quantize/imatrix_impl.h"
#include "models/session_impl.h"

static weft_status declare(weft__imatrix_writing *w, const weft__imatrix_entry *e, const char *name, weft_error *err)
{
    static const char *const ends[] = { ".in_sum2", ".counts" };
    for (int k = 0; k < 2; k++) {
        char *text = weft__arena_alloc(&w->names, strlen(name) + strlen(ends[k]) + 1, 1);
        if (!text) return WEFT_OOM_FAIL(err, name);
        strcpy(text, name);
        strcat(text, ends[k]);
        w->tensors[w->n] = (weft__file_tensor){ .name = text, .dtype = weft__file_dtype_find("F32"), .rank = 2,
                                                .dims = { e->matrices, k ? 1 : e->columns } };
        w->of[w->n++] = e;
    }
    return WEFT_OK;
}

static weft_status write_file(weft__imatrix_writing *w, const char *path, const char *text, weft_error *err)
{
    weft__gguf_kv kv = { 0 };
    const weft__gguf_write_desc d = { .path = path, .values = &kv, .tensors = w->tensors, .n_tensors = w->n,
                                      .fill = weft__imatrix_fill, .ctx = w };
    weft__gguf_put_text(&kv, "general.type", "imatrix", 7);
    weft__gguf_put_strings(&kv, "imatrix.datasets", 1);
    weft__gguf_put_string(&kv, text, strlen(text));
    weft__gguf_put_u32(&kv, "imatrix.chunk_count", w->i->chunks);
    weft__gguf_put_u32(&kv, "imatrix.chunk_size", w->i->session->desc.max_tokens);
    weft_status s = weft__gguf_write(&d, err);
    weft__gguf_kv_free(&kv);
    return s;
}

weft_status weft_imatrix_write(const weft_imatrix *i, const char *path, const char *text, weft_error *err)
{
    if (!i->n) return WEFT_FAIL(err, WEFT_INVALID, "%s: no tokens were run: there is no importance to write", path);
    weft__imatrix_writing w = { .i = i };
    w.tensors = calloc(4 * i->n, sizeof *w.tensors);
    w.of = calloc(4 * i->n, sizeof *w.of);
    weft_status s = w.tensors && w.of ? WEFT_OK : WEFT_OOM_FAIL(err, path);
    for (size_t k = 0; !s && k < i->n; k++) {
        s = declare(&w, &i->entries[k], i->entries[k].name, err);
        if (!s && *i->entries[k].second) s = declare(&w, &i->entries[k], i->entries[k].second, err);
    }
    if (!s) s = write_file(&w, path, text, err);
    free(w.tensors);
    free(w.of);
    weft__arena_free(&w.names);
    return s;
}
