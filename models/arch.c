/* arch.c: the architectures that the library has, and how a class's graph is put together. */
#include "models/arch.h"

#include <string.h>

static const weft__arch *const architectures[] = {
#define WEFT_ARCH(type) &weft__arch_##type,
#include "models/models.def"
#undef WEFT_ARCH
};
enum { N_ARCHITECTURES = sizeof architectures / sizeof *architectures };

const weft__arch *weft__arch_at(size_t i)
{
    return i < N_ARCHITECTURES ? architectures[i] : NULL;
}

const weft__arch *weft__arch_of_type(const char *type)
{
    for (size_t i = 0; type && i < N_ARCHITECTURES; i++)
        if (!strcmp(architectures[i]->keys.type, type)) return architectures[i];
    return NULL;
}

const weft__class *weft__class_find(const char *name, const weft__arch **of)
{
    for (size_t i = 0; name && i < N_ARCHITECTURES; i++) {
        *of = architectures[i];
        for (size_t k = 0; k < WEFT__MAX_CLASSES && (*of)->classes[k].name; k++)
            if (!strcmp((*of)->classes[k].name, name)) return &(*of)->classes[k];
    }
    *of = NULL;
    return NULL;
}

const weft__class *weft__class_of_head(const weft__arch *a, weft_head head)
{
    for (size_t k = 0; k < WEFT__MAX_CLASSES && a->classes[k].name; k++)
        if (a->classes[k].head == head) return &a->classes[k];
    return NULL;
}

static uint32_t score_count(weft_graph *g, const weft_config *c, weft_head head)
{
    return head == WEFT_HEAD_SPAN ? 2 : weft_config_u32(g, c, "num_labels", 1, 1 << 16);
}

void weft__arch_build(const weft__arch *a, const weft__class *k, bool wrapped, weft_graph *g, const weft_config *c,
                      const weft_model_inputs *in)
{
    weft_net x = { .g = g };
    weft_ref hidden = a->trunk(&x, g, c, in);
    if (wrapped) x.head = (weft_net_head){ .name = x.head.name };
    if (k->head == WEFT_HEAD_LOGITS) weft_block_logits(&x, hidden);
    else if (k->scores) weft_block_scores(&x, hidden, k->scores, score_count(g, c, k->head), k->bias);
}
