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

static inline void folder_weights(const temp_folder *folder, const neox_model *m)
{
    weft_text header = { 0 };
    weft_writer w = weft_text_writer(&header);
    size_t at = 0;
    weft_writef(&w, "{");
    for (size_t i = 0; i < m->n_tensors; i++) {
        const neox_tensor *t = &m->tensors[i];
        weft_writef(&w, "%s\"%s\":{\"dtype\":\"F32\",\"shape\":[%zu", i ? "," : "", t->name, t->dim[0]);
        if (t->rank == 2) weft_writef(&w, ",%zu", t->dim[1]);
        weft_writef(&w, "],\"data_offsets\":[%zu,%zu]}", at, at + 4 * t->n);
        at += 4 * t->n;
    }
    weft_writef(&w, "}");
    while (header.size % 8) weft_writef(&w, " ");
    unsigned char *image = malloc(8 + header.size + at);
    if (!CHECK(image != NULL)) return;
    for (int i = 0; i < 8; i++) image[i] = (unsigned char)((uint64_t)header.size >> (8 * i));
    memcpy(image + 8, header.data, header.size);
    at = 8 + header.size;
    for (size_t i = 0; i < m->n_tensors; at += 4 * m->tensors[i++].n)
        memcpy(image + at, m->tensors[i].v, 4 * m->tensors[i].n);
    temp_write(folder, "model.safetensors", image, at);
    free(image);
    weft_text_free(&header);
}

static inline void folder_write(const temp_folder *folder, const folder_variant *v, const neox_model *m)
{
    folder_config(folder, v);
    folder_weights(folder, m);
}

#endif
