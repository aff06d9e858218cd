/* random_init.h: deterministic random weights for a checkpoint of any size.
 *
 * Element i of a tensor is a function of (seed, tensor name, i) alone, in integer arithmetic up to
 * one last rounding: the same bits on every machine, whatever the shards, the pieces, or the order of writing. */
#ifndef WEFT_CHECKPOINT_RANDOM_INIT_H
#define WEFT_CHECKPOINT_RANDOM_INIT_H

#include "writer.h"

typedef enum weft__init_kind { WEFT__INIT_NORMAL, WEFT__INIT_ZERO, WEFT__INIT_ONE } weft__init_kind;

/* What Hugging Face's models do: a matrix is normal, a vector called "..weight" (a norm's gain) is
 * one, any other vector (a bias) is zero. */
weft__init_kind weft__init_kind_of(const weft__file_tensor *t);

/* Random blocks of a quantised type, of which a tensor's are chosen: as fast as copying, whatever quantising takes. */
typedef struct weft__random_pool {
    unsigned char *blocks; /* NULL: not made yet; to be freed */
    size_t n, bytes;       /* how many, and of each */
} weft__random_pool;

/* Context of weft__random_fill. The tensors' dtypes are F32, F16 or BF16, or with pools any that values are turned
 * into. */
typedef struct weft__random_init {
    const weft__file_tensor *tensors;
    const weft__init_kind *kinds; /* one per tensor, or NULL for weft__init_kind_of */
    uint64_t seed;
    float deviation; /* of the normal ones: the config's initializer_range */
    weft__random_pool *pools; /* by type [WEFT_DTYPE_COUNT], all zero at first; NULL: no blocks */
} weft__random_init;

/* A weft__tensor_fill; ctx is a weft__random_init. */
weft_status weft__random_fill(void *ctx, size_t index, uint64_t offset, void *out, size_t n,
                              weft_error *err);

#endif
