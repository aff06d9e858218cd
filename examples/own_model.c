/* own_model MODEL DEVICE: an architecture of one's own on a Hugging Face folder's weights and tokenizer, and texts in
 * several sequences. The weights are models/bundled/tiny-stories-neox's, the graph is written here. C and C++ alike. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <weft/model.h>
enum { LAYERS = 6, E = 256, HEADS = 8, D = 32, VOCAB = 4096, TURNING = 8, CONTEXT = 512, TEXTS = 3 };
typedef struct net { weft_graph *g; const weft_model_inputs *in; weft_ref angles; } net;
static weft_ref weight(net *x, weft_dims d, const char *name) { return weft_weight(x->g, WEFT_ANY, d, name); }
static weft_ref linear(net *x, weft_ref in, const char *name, int n_out, int n_in, bool bias) {
    weft_scope_begin(x->g, "%s", name); /* the files' tensors are called by it: name.weight, name.bias */
    weft_ref y = weft_matmul_nt(x->g, in, weight(x, WEFT_DIMS(n_out, n_in), "weight"));
    return weft_scope_end(x->g, bias ? weft_add(x->g, y, weight(x, WEFT_DIMS(n_out), "bias")) : y);
}
static weft_ref norm(net *x, weft_ref in, const char *name) {
    weft_scope_begin(x->g, "%s", name);
    weft_ref w = weight(x, WEFT_DIMS(E), "weight"), b = weight(x, WEFT_DIMS(E), "bias");
    return weft_scope_end(x->g, weft_layer_norm(x->g, in, w, b, 1e-5f));
}
static weft_ref layer(net *x, weft_ref in) {
    weft_ref y = linear(x, norm(x, in, "input_layernorm"), "attention.query_key_value", 3 * E, E, true), q, k, v;
    y = weft_reshape(x->g, y, WEFT_DIMS(x->in->T, HEADS, 3, D));
    q = weft_rope(x->g, weft_select(x->g, y, 2, 0), x->angles, false);
    k = weft_rope(x->g, weft_select(x->g, y, 2, 1), x->angles, false), v = weft_select(x->g, y, 2, 2);
    y = weft_cached_attention(x->g, x->in, q, k, v, 1 / sqrtf(D)); /* each token sees its sequence up to itself */
    y = weft_reshape(x->g, y, WEFT_DIMS(x->in->T, E));
    weft_ref a = linear(x, y, "attention.dense", E, E, true); /* beside it, not before it, the feed-forward part: */
    y = linear(x, norm(x, in, "post_attention_layernorm"), "mlp.dense_h_to_4h", 4 * E, E, true);
    return weft_add(x->g, in, weft_add(x->g, a, linear(x, weft_gelu(x->g, y), "mlp.dense_4h_to_h", E, 4 * E, true)));
}
static void build(weft_graph *g, const weft_config *c, const weft_model_inputs *in, void *ctx) {
    net x = { g, in, { 0 } };
    x.angles = weft_rope_angles(g, in->pos, TURNING, 10000), (void)c, (void)ctx;
    weft_ref h = weft_gather(g, weight(&x, WEFT_DIMS(VOCAB, E), "gpt_neox.embed_in.weight"), in->tokens);
    for (int i = 0; i < LAYERS; i++) weft_scope_begin(g, "gpt_neox.layers.%d", i), h = weft_scope_end(g, layer(&x, h));
    h = weft_gather(g, norm(&x, h, "gpt_neox.final_layer_norm"), in->rows);
    weft_output(g, linear(&x, h, "embed_out", VOCAB, E, false), "logits");
}
int main(int argc, char **argv) {
    static const char *const begin[TEXTS] = { "Once upon a time", "Tom had a red ball", "The little dog" };
    static weft_model_desc own; static weft_session_desc d; static weft_generate_desc how; /* zero: the defaults */
    const weft_model_definition mine = { "Mine", NULL, WEFT_HEAD_LOGITS, build, NULL }; weft_error err;
    weft_model *m; weft_backend *device; weft_session *s; const weft_tokenizer *tok; weft_tokens t; weft_generated r;
    own.graph = &mine, own.context = CONTEXT, how.max_tokens = 20;
    d.devices = &device, d.n_devices = 1, d.n_sequences = TEXTS;
    if (argc < 3 || weft_model_open(argv[1], &own, &m, &err) || weft_model_tokenizer(m, &tok, &err) ||
        weft_backend_open(argv[2], &device, &err) || weft_session_create(m, &d, &s, &err))
        return fprintf(stderr, "%s\n", argc < 3 ? "usage: own_model MODEL DEVICE" : err.text), 1;
    for (uint32_t i = 0; i < TEXTS; i++) {
        if (weft_tokenizer_encode(tok, begin[i], strlen(begin[i]), NULL, &t, &err) ||
            weft_generate(s, i, t.ids, t.n, &how, &r, &err)) return fprintf(stderr, "%s\n", err.text), 1;
        printf("%s%s\n", begin[i], r.text), weft_generated_free(&r), weft_tokens_free(&t);
    }
    weft_session_destroy(s), weft_backend_close(device), weft_model_close(m);
}
