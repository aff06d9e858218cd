/* blocks.h: what decoders are made of, above the graph: projections, norms, rotary embeddings, cached attention, feed-
 * forward parts, experts, the stack of layers, heads. An architecture is these put together (models/arch/ has the
 * library's own, docs/adding-a-model.md walks through one), and what they do not have it writes with the graph's
 * builders.
 *
 *     static weft_ref layer(weft_net *x, weft_ref in, uint32_t i)         // of weft_block_layers
 *     {
 *         weft_ref y = weft_block_self_attention(x, weft_block_norm(x, in, "input_layernorm"), &how);
 *         weft_ref r = weft_add(x->g, in, y);
 *         y = weft_block_gated_mlp(x, weft_block_norm(x, r, "post_attention_layernorm"), false);
 *         return weft_add(x->g, r, y);
 *     }
 *
 * Blocks name weights as Hugging Face's modules do: a part called "q_proj" has the weights q_proj.weight and
 * q_proj.bias under the scope that is open. Widths of inputs are read off the inputs. Errors are sticky, as the
 * builders' are: nothing needs to be checked. `weft graph MODEL --format html` draws what they make. */
#ifndef WEFT_BLOCKS_H
#define WEFT_BLOCKS_H

#include "models/inputs.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- what the blocks of a model share ---------------------------------------------------------------------------- */

/* Angles that heads turn by, and how: weft_block_rotary. */
typedef struct weft_rotary {
    weft_ref angles; /* of rope_table; none: nothing turns */
    bool interleaved; /* pairs (2i, 2i + 1), else (i, i + n/2) of the dimensions that turn */
} weft_rotary;

/* Every norm of the model, but for those that it makes itself. */
typedef struct weft_net_norm {
    weft_norm_kind kind;
    float eps;
    bool plain;    /* no weight and no bias */
    bool bias;     /* LAYER: beside the weight */
    bool one_plus; /* the weight is stored less 1 */
} weft_net_norm;

/* What stands on the last hidden state of a language model. */
typedef struct weft_net_head {
    const char *name; /* its weight's part: "lm_head" */
    bool bias;        /* that it has even where its weight is the embedding's */
    float scale;      /* of logits; 0: 1 */
    float soft_cap;   /* c > 0: c tanh(logit / c), after the scale */
} weft_net_head;

/* The weights of a norm of queries or keys. */
typedef enum weft_net_gains {
    WEFT_GAINS_SHARED,   /* name.weight [D], of each head */
    WEFT_GAINS_OWN,      /* name.weight [heads, D] */
    WEFT_GAINS_LISTED,   /* name.norms.J.weight [D], of head J */
    WEFT_GAINS_TOGETHER, /* name.weight [heads D], of one norm over all heads of a token */
} weft_net_gains;

/* Sizes as in papers: L layers, E embedding, H heads of queries and G of keys, of D dimensions, F feed-forward, V
 * ids. */
typedef struct weft_net {
    weft_graph *g;
    const weft_config *c;
    const weft_model_inputs *in;
    uint32_t L, E, H, G, D, F, V;
    weft_act act;
    bool tied; /* the head's weight is the embedding's */
    weft_net_norm norm;
    weft_net_gains gains; /* where qk_norm asks for norms */
    weft_net_head head;
    weft_rotary rotary, local; /* local: of layers with a window, where those turn otherwise */
    weft_ref slopes; /* of scores along positions, in every attention: weft_block_alibi; none: no matter */
    weft_ref own;   /* what an architecture's trunk has for its layers */
    weft_ref embed; /* the embedding's weight, for a head that is tied */
} weft_net;

/* Reads num_hidden_layers, hidden_size, num_attention_heads, intermediate_size (4 E without), vocab_size,
 * max_position_embeddings (checked alone), hidden_act, tie_word_embeddings, and the norms' epsilon as `eps`. Norms of
 * LAYER have a bias; change what is otherwise. `c` and `in` outlive x. */
WEFT_API void weft_net_read(weft_net *x, weft_graph *g, const weft_config *c, const weft_model_inputs *in,
                            weft_norm_kind norm, const char *eps);
/* Then one of these: as many heads of keys as of queries, which divide the width; or num_key_value_heads (else as many)
 * of head_dim (else what the width is by heads). */
WEFT_API void weft_net_equal_heads(weft_net *x);
WEFT_API void weft_net_grouped_heads(weft_net *x);
WEFT_API void weft_net_key_heads(weft_net *x); /* the first, and then num_key_value_heads */
/* All of it as most decoders have it: RMS norms with rms_norm_eps, grouped heads, and one rotation of whole heads. */
WEFT_API void weft_net_read_decoder(weft_net *x, weft_graph *g, const weft_config *c, const weft_model_inputs *in);

/* A key that is true asks for what the graph has not: UNSUPPORTED, by name. */
WEFT_API void weft_net_refuse(weft_net *x, const char *key);

/* ---- parts ------------------------------------------------------------------------------------------------------ */

/* in [.., n] -> [.., n_out] by name.weight [n_out, n], plus name.bias. */
WEFT_API weft_ref weft_block_linear(weft_net *x, weft_ref in, const char *name, uint32_t n_out, bool bias);
/* The same as heads: [T, heads, D]. */
WEFT_API weft_ref weft_block_heads(weft_net *x, weft_ref in, const char *name, uint32_t heads, bool bias);
/* What holds queries, keys and values one after the other: in [T, (H + 2 G) D] -> out [T, H, D], [T, G, D] twice. */
WEFT_API void weft_block_split_heads(weft_net *x, weft_ref in, weft_ref out[3]);
/* What holds them group by group, the queries of a group before its key and its value: in [T, G (H/G + 2) D]. */
WEFT_API void weft_block_split_groups(weft_net *x, weft_ref in, weft_ref out[3]);
/* x->norm along the last axis, weights by name: of a hidden state, or of each head. */
WEFT_API weft_ref weft_block_norm(weft_net *x, weft_ref in, const char *name);
/* The same of the heads of queries or keys, [T, heads, D], by x->gains. */
WEFT_API weft_ref weft_block_norm_heads(weft_net *x, weft_ref in, uint32_t heads, const char *name);

/* The angles by which int(head * fraction) dimensions of each head turn, as the configuration describes them:
 * rope_theta, rope_type (default, linear, dynamic, llama3, yarn, longrope) and what that needs under rope.* (config.h).
 * An odd number of dimensions turns one more, at the frequencies of the odd number. Of `dynamic` what holds up to
 * max_position_embeddings, beyond which sessions go with no model of it. Of `longrope` the long factors where a
 * sequence may be longer than original_max_position_embeddings, else the short ones. `divided` is of GGUF files: a list
 * of `divisors` of the frequencies. Nothing to turn: no angles. */
WEFT_API weft_rotary weft_block_rotary(weft_net *x, uint32_t head, double fraction);
/* The same of a group of keys that is asked for as group.rope_theta, group.rope_type, group.factor and so on. */
WEFT_API weft_rotary weft_block_group_rotary(weft_net *x, const char *group, uint32_t head, double fraction);
/* Of n dimensions in pairs (2i, 2i + 1), for classes whose theta is fixed. */
WEFT_API weft_rotary weft_block_pair_rotary(weft_net *x, uint32_t n, float theta);
WEFT_API weft_ref weft_block_rope(weft_net *x, weft_ref in, const weft_rotary *r); /* NULL or no angles: in */

/* weft_alibi_slopes of the model's heads. */
WEFT_API weft_ref weft_block_alibi(weft_net *x);

WEFT_API uint32_t weft_net_window(weft_net *x); /* sliding_window; 0: there is none */
/* The window of layer i: `window` if layer_types calls it sliding_attention, 0 if full_attention; without such a list
 * it has the window where `otherwise` is true. */
WEFT_API uint32_t weft_block_window(weft_net *x, uint32_t window, uint32_t i, bool otherwise);

/* The same where a window must be asked for (use_sliding_window), of sliding_window tokens in the layers from
 * max_window_layers on. */
WEFT_API uint32_t weft_block_upper_window(weft_net *x, uint32_t i);

/* What attention may have besides; zeros: nothing. */
typedef struct weft_block_attention_desc {
    const weft_rotary *rotary; /* by which queries and keys turn */
    uint32_t window;           /* tokens that one sees, itself included; 0: its sequence from the start */
    float scale;               /* of scores; 0: D^-1/2 */
    float soft_cap;            /* c > 0: c tanh(score / c) */
    const char *sinks;         /* a weight [H] of this name: a score besides, whose value is zero; NULL: none */
    /* Of weft_block_self_attention alone: */
    const char *scope, *out;   /* names of the whole and of the last projection; NULL: "self_attn", "o_proj" */
    bool bias, out_bias;       /* of the three projections; of the last one */
    const char *qk_norm;       /* norms of queries and keys before they turn, whose weights are called q_ and k_ and
                                * this, such as "norm"; NULL: none */
} weft_block_attention_desc;
/* q [T, H, D], k and v [T, G, D] with the sequences' cache -> [T, H D]. */
WEFT_API weft_ref weft_block_attention(weft_net *x, weft_ref q, weft_ref k, weft_ref v,
                                       const weft_block_attention_desc *d);
/* q_proj, k_proj, v_proj, attention, o_proj. */
WEFT_API weft_ref weft_block_self_attention(weft_net *x, weft_ref in, const weft_block_attention_desc *d);

/* Under "mlp": down(act(up(in))), with biases if `bias`. */
WEFT_API weft_ref weft_block_mlp(weft_net *x, weft_ref in, const char *up, const char *down, bool bias);
/* Under "mlp": down_proj(act(gate_proj(in)) * up_proj(in)). */
WEFT_API weft_ref weft_block_gated_mlp(weft_net *x, weft_ref in, bool bias);
/* The same of another width than F, under another name; without biases. */
WEFT_API weft_ref weft_block_gated_part(weft_net *x, weft_ref in, const char *name, uint32_t width);
/* The same where one weight, gate_up_proj, holds both, the gate first; without biases. */
WEFT_API weft_ref weft_block_fused_mlp(weft_net *x, weft_ref in);

/* Experts: n feed-forward parts, of which each token gets those that a router scores highest; of equal scores the first
 * expert's counts. Zeros: nothing of it. */
typedef struct weft_block_experts_desc {
    uint32_t n, chosen;  /* experts; of them for a token */
    uint32_t width;      /* of each */
    bool normalised;     /* the weights of the chosen ones are 1 in sum (softmax of their scores, else of all) */
    const char *router;  /* its name; NULL: "gate" */
    bool bias;           /* of the router, and of every expert's projections ("gate_up_proj_bias") */
    bool alternating;    /* rows of gate and up by turns, else those of the gate first */
} weft_block_experts_desc;
/* Reads num_experts, num_experts_per_tok, moe_intermediate_size (F without) and norm_topk_prob (false without). */
WEFT_API weft_block_experts_desc weft_net_experts(weft_net *x);
/* Whether layer i has them: there are any (num_experts), i + 1 is a multiple of decoder_sparse_step, and
 * mlp_only_layers does not list i. */
WEFT_API bool weft_net_is_sparse(weft_net *x, uint32_t i);
/* Under "mlp": the router, and "experts" with gate_up_proj [n, 2 width, E] and down_proj [n, E, width], each one
 * weight, of which a run reads what its tokens chose. */
WEFT_API weft_ref weft_block_experts(weft_net *x, weft_ref in, const weft_block_experts_desc *d);
/* With something else than act(gate) * up. */
typedef weft_ref weft_block_gate(weft_net *x, weft_ref gate, weft_ref up);
WEFT_API weft_ref weft_block_gated_experts(weft_net *x, weft_ref in, const weft_block_experts_desc *d,
                                           weft_block_gate *gated);

/* h = in + self_attention(input_layernorm(in)); h + gated_mlp(post_attention_layernorm(h)): a layer as most have it. */
WEFT_API weft_ref weft_block_prenorm_layer(weft_net *x, weft_ref in, const weft_block_attention_desc *attention,
                                           bool mlp_bias);
/* in + self_attention(n) + gated_mlp(n) of n = input_layernorm(in): both parts beside each other. */
WEFT_API weft_ref weft_block_parallel_layer(weft_net *x, weft_ref in, const weft_block_attention_desc *attention);

/* The first with experts for the second part. */
WEFT_API weft_ref weft_block_sparse_layer(weft_net *x, weft_ref in, const weft_block_attention_desc *attention,
                                          const weft_block_experts_desc *experts);

/* h = in + post_attention_layernorm(self_attention(in)); h + post_feedforward_layernorm(gated_mlp(h)): norms of what
 * the parts give alone. */
WEFT_API weft_ref weft_block_postnorm_layer(weft_net *x, weft_ref in, const weft_block_attention_desc *attention);

/* h = in + post_attention_layernorm(self_attention(input_layernorm(in))), and then h +
 * post_feedforward_layernorm(gated_mlp(pre_feedforward_layernorm(h))): norms on both sides. */
WEFT_API weft_ref weft_block_sandwich_layer(weft_net *x, weft_ref in, const weft_block_attention_desc *attention);

/* ---- from tokens to results ------------------------------------------------------------------------------------- */

/* Rows of name.weight [V, E], which x->embed is then. */
WEFT_API weft_ref weft_block_embed(weft_net *x, const char *name);
WEFT_API weft_ref weft_block_embed_of(weft_net *x, const char *name, uint32_t width); /* for E */
/* Rows of name.weight [max_position_embeddings + offset, E], each token's by its position and the offset. */
WEFT_API weft_ref weft_block_positions(weft_net *x, const char *name, uint32_t offset);
/* A number that the reference rounds to the type of its weights: as dtype of the configuration has it. */
WEFT_API float weft_block_rounded(weft_net *x, double v);
/* What a layer makes of the hidden state [T, E]; `i` from 0. */
typedef weft_ref weft_block_layer(weft_net *x, weft_ref in, uint32_t i);
/* x->L layers, each under name.i, then the norm (NULL: none): the last hidden state. Outputs hidden.0 (what comes in),
 * hidden.i (after layer i), and the last one after the norm. */
WEFT_API weft_ref weft_block_layers(weft_net *x, weft_ref in, const char *name, weft_block_layer *layer,
                                    const char *norm);
/* Under "model" embed_tokens, layers.i and norm: a decoder as most have it; and with the embedding's rows times a
 * factor. */
WEFT_API weft_ref weft_block_decoder(weft_net *x, weft_block_layer *layer);
WEFT_API weft_ref weft_block_scaled_decoder(weft_net *x, float factor, weft_block_layer *layer);
/* The output "logits" [R, V] of the tokens that results are wanted of, by x->head. */
WEFT_API void weft_block_logits(weft_net *x, weft_ref hidden);
/* The output "scores" [R, n] of them. */
WEFT_API void weft_block_scores(weft_net *x, weft_ref hidden, const char *name, uint32_t n, bool bias);

#ifdef __cplusplus
}
#endif
#endif
