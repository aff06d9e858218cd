/* noise.c: weights for benchmarks where there are no files: random halves of about 0.02, the same memory for every
 * tensor, so that a model of any size needs only its largest tensor on the host. */
#include "tools/cli.h"

#include <stdlib.h>
#include <string.h>

static weft_status find(void *ctx, const char *name, weft_weight_data *out, weft_error *err)
{
    const cli_noise *n = ctx;
    for (uint32_t i = 0; i < weft_graph_node_count(n->g); i++) {
        const weft_node *node = weft_graph_node(n->g, i);
        if (node->op != WEFT_OP_weight || strcmp(node->name, name)) continue;
        const weft_dims *d = &weft_graph_value(n->g, node->out[0])->dims;
        *out = (weft_weight_data){ .dtype = WEFT_F16, .rank = d->rank, .data = n->halves, .bytes = 2 };
        for (uint32_t k = 0; k < d->rank; k++) {
            out->dims[k] = d->d[k].n;
            out->bytes *= (uint64_t)d->d[k].n;
        }
        return WEFT_OK;
    }
    return WEFT_FAIL(err, WEFT_NOT_FOUND, "the graph has no weight '%s'", name);
}

weft_status cli_noise_open(const weft_graph *g, cli_noise *out, weft_error *err)
{
    size_t largest = 1;
    uint32_t state = 1;
    *out = (cli_noise){ .g = g };
    for (uint32_t i = 0; i < weft_graph_node_count(g); i++) {
        const weft_node *node = weft_graph_node(g, i);
        if (node->op != WEFT_OP_weight) continue;
        int64_t n = weft_value_elements(g, node->out[0], NULL);
        if (n > 0 && (size_t)n > largest) largest = (size_t)n;
    }
    out->halves = malloc(largest * sizeof *out->halves);
    if (!out->halves) return WEFT_FAIL(err, WEFT_OOM, "no memory for %zu random numbers", largest);
    for (size_t i = 0; i < largest; i++) { /* either sign, 2^-6 * 1.x */
        state = state * 1664525u + 1013904223u;
        out->halves[i] = (uint16_t)(0x2400u | (state >> 16 & 0x83ffu));
    }
    return WEFT_OK;
}

weft_weight_source cli_noise_source(cli_noise *n)
{
    return (weft_weight_source){ n, find };
}

void cli_noise_close(cli_noise *n)
{
    free(n->halves);
    *n = (cli_noise){ 0 };
}
