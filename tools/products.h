/* products.h: how long a device takes for a matrix product, as it stands in a model: a chain of linear nodes, each
 * adding the result of the one before, over as many different weights as leave the caches, in one submission of at
 * least some milliseconds. */
#ifndef WEFT_TOOLS_PRODUCTS_H
#define WEFT_TOOLS_PRODUCTS_H

#include "tools/cli.h"

/* Of an n x k matrix with `columns` vectors. */
typedef struct product {
    uint32_t n, k, columns;
    weft_dtype type;
    bool exact; /* float32 arithmetic alone */
} product;

typedef struct product_time {
    double seconds, bytes, ops; /* of one product; its bytes are the matrix's */
    weft_arith arithmetic;
    char kernel[48];
} product_time;

/* The n-th type that weights can have in memory; ANY: there is no more. */
weft_dtype product_format(uint32_t n);

/* LIMIT, OOM: it does not fit, or its rows are no whole blocks. `roof` tells how long runs may be. */
weft_status product_measure(weft_backend *b, const weft_device_info *info, const weft_roof *roof, const product *s,
                            const weft_progress_sink *progress, product_time *out, weft_error *err);

#endif
