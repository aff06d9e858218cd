/* folder.h: writes a random model of ref_neox.h as a Hugging Face folder. */
#ifndef TEST_FOLDER_H
#define TEST_FOLDER_H

#include "ref_neox.h"
#include "tests/checkpoint/temp.h"

typedef struct folder_variant {
    const char *name;
    neox_config c;
    const char *act; /* as config.json spells it */
} folder_variant;

static inline void folder_config(const temp_folder *folder, const folder_variant *v)
{
    const neox_config *c = &v->c;
    weft_text text = { 0 };
    weft_writer w = weft_text_writer(&text);
    weft_writef(&w, "{ \"architectures\": [\"GPTNeoXForCausalLM\"], \"model_type\": \"gpt_neox\",\n");
    weft_writef(&w, "\"num_hidden_layers\": %u, \"hidden_size\": %u, \"num_attention_heads\": %u,\n", c->n_layer,
                c->n_embed, c->n_head);
    weft_writef(&w, "\"intermediate_size\": %u, \"vocab_size\": %u, \"max_position_embeddings\": 64,\n", c->n_inner,
                c->n_vocab);
    weft_writef(&w, "\"rotary_pct\": %g, \"rotary_emb_base\": %g, \"layer_norm_eps\": %g,\n", c->rotary, c->theta,
                c->eps);
    weft_writef(&w, "\"hidden_act\": \"%s\", \"use_parallel_residual\": %s,\n", v->act, c->parallel ? "true" : "false");
    weft_writef(&w, "\"attention_bias\": %s, \"tie_word_embeddings\": %s, \"torch_dtype\": \"float32\" }\n",
                c->attention_bias ? "true" : "false", c->tied ? "true" : "false");
    temp_write(folder, "config.json", text.data, text.size);
    weft_text_free(&text);
}

/* How files may spell a model otherwise. */
typedef struct folder_spelling {
    const char *f64;   /* tensors with this in their names are stored as F64; NULL: none */
    const char *strip; /* what is left out at the beginning of names; may be NULL */
    const char *from, *to; /* a beginning of names and what stands in its place; may be NULL */
    const char *without;   /* the tensor that is left out; may be NULL */
    const char *extra; /* entries of the header beside the model's, with a comma at the end, ... */
    size_t n_extra;    /* ... and their bytes, which come first */
} folder_spelling;

static inline bool folder_is_f64(const folder_spelling *s, const neox_tensor *t)
{
    return s->f64 && strstr(t->name, s->f64);
}

static inline void folder_name(const folder_spelling *s, const char *name, char *out, size_t size)
{
    const char *from = s->strip ? s->strip : s->from;
    bool begins = from && !strncmp(name, from, strlen(from));
    snprintf(out, size, "%s%s", begins && !s->strip ? s->to : "", begins ? name + strlen(from) : name);
}

static inline void folder_weights_as(const temp_folder *folder, const neox_model *m, const folder_spelling *s)
{
    weft_text header = { 0 };
    weft_writer w = weft_text_writer(&header);
    size_t at = s->n_extra, n = 0;
    weft_writef(&w, "{%s", s->extra ? s->extra : "");
    for (size_t i = 0; i < m->n_tensors; i++) {
        const neox_tensor *t = &m->tensors[i];
        char name[128];
        if (s->without && !strcmp(t->name, s->without)) continue;
        bool wide = folder_is_f64(s, t);
        folder_name(s, t->name, name, sizeof name);
        weft_writef(&w, "%s\"%s\":{\"dtype\":\"%s\",\"shape\":[%zu", n++ ? "," : "", name, wide ? "F64" : "F32",
                    t->dim[0]);
        if (t->rank == 2) weft_writef(&w, ",%zu", t->dim[1]);
        weft_writef(&w, "],\"data_offsets\":[%zu,%zu]}", at, at + (wide ? 8 : 4) * t->n);
        at += (wide ? 8 : 4) * t->n;
    }
    weft_writef(&w, "}");
    while (header.size % 8) weft_writef(&w, " ");
    unsigned char *image = calloc(8 + header.size + at, 1);
    if (!CHECK(image != NULL)) return;
    for (int i = 0; i < 8; i++) image[i] = (unsigned char)((uint64_t)header.size >> (8 * i));
    memcpy(image + 8, header.data, header.size);
    at = 8 + header.size + s->n_extra;
    for (size_t i = 0; i < m->n_tensors; i++) {
        const neox_tensor *t = &m->tensors[i];
        if (s->without && !strcmp(t->name, s->without)) continue;
        size_t size = folder_is_f64(s, t) ? 8 : 4;
        for (size_t k = 0; k < t->n; k++, at += size) {
            double x = (double)t->v[k];
            memcpy(image + at, size == 8 ? (const void *)&x : (const void *)&t->v[k], size);
        }
    }
    temp_write(folder, "model.safetensors", image, at);
    free(image);
    weft_text_free(&header);
}

static inline void folder_weights(const temp_folder *folder, const neox_model *m)
{
    folder_weights_as(folder, m, &(folder_spelling){ 0 });
}

static inline void folder_write(const temp_folder *folder, const folder_variant *v, const neox_model *m)
{
    folder_config(folder, v);
    folder_weights(folder, m);
}

#endif
