/* shapes.c: a tensor that is not what a model's graph needs. */
#include "models/model_impl.h"

/* "32, 64" */
static void write_dims(weft_text *out, uint32_t rank, const uint64_t *dims)
{
    weft_writer w = weft_text_writer(out);
    for (uint32_t k = 0; k < rank; k++) weft_writef(&w, "%s%llu", k ? ", " : "", (unsigned long long)dims[k]);
}

const char *weft__model_shaper(const weft_model *m)
{
    if (m->text.tree) return "the text";
    return m->checkpoint && weft__checkpoint_gguf(m->checkpoint) ? "its metadata" : "config.json";
}

weft_status weft__model_shape_fault(const weft_model *m, const weft__file_tensor *t, uint32_t rank,
                                    const uint64_t *dims, weft_error *err)
{
    weft_text have = { 0 }, need = { 0 };
    write_dims(&have, t->rank, t->dims);
    write_dims(&need, rank, dims);
    weft_status s = WEFT_FAIL(err, WEFT_SHAPE, "%s: tensor '%s' is [%s], but %s makes it [%s]", t->file, t->name,
                              have.data ? have.data : "", weft__model_shaper(m), need.data ? need.data : "");
    weft_text_free(&have);
    weft_text_free(&need);
    return s;
}
