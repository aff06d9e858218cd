"""own_model.py MODEL [DEVICE]: examples/own_model.c in Python: an architecture of one's own, on a folder's weights."""
import sys
import weft

LAYERS, E, HEADS, D, VOCAB, TURNING, CONTEXT = 6, 256, 8, 32, 4096, 8, 512


def linear(g: weft.Graph, x: weft.Value, name: str, n_out: int, n_in: int, bias: bool = True) -> weft.Value:
    with g.scope(name):  # the files' tensors are called by it: name.weight, name.bias
        y = x.matmul_nt(g.weight(None, (n_out, n_in), "weight"))
        return y + g.weight(None, (n_out,), "bias") if bias else y


def norm(g: weft.Graph, x: weft.Value, name: str) -> weft.Value:
    with g.scope(name):
        return x.layer_norm(g.weight(None, (E,), "weight"), g.weight(None, (E,), "bias"), 1e-5)


def layer(g: weft.Graph, inputs: weft.ModelInputs, angles: weft.Value, x: weft.Value) -> weft.Value:
    y = linear(g, norm(g, x, "input_layernorm"), "attention.query_key_value", 3 * E, E)
    q, k, v = (y.reshape((inputs.T, HEADS, 3, D)).select(2, i) for i in range(3))
    y = inputs.cached_attention(q.rope(angles), k.rope(angles), v, D**-0.5).reshape((inputs.T, E))  # causal
    a = linear(g, y, "attention.dense", E, E)  # beside it, not before it, the feed-forward part:
    y = linear(g, norm(g, x, "post_attention_layernorm"), "mlp.dense_h_to_4h", 4 * E, E).gelu()
    return x + (a + linear(g, y, "mlp.dense_4h_to_h", E, 4 * E))


def build(g: weft.Graph, config: weft.Config, inputs: weft.ModelInputs) -> None:
    angles = inputs.pos.rope_angles(TURNING, 10000)
    h = g.weight(None, (VOCAB, E), "gpt_neox.embed_in.weight").gather(inputs.tokens)
    for i in range(LAYERS):
        with g.scope(f"gpt_neox.layers.{i}"):
            h = layer(g, inputs, angles, h)
    h = norm(g, h, "gpt_neox.final_layer_norm").gather(inputs.rows)
    g.output(linear(g, h, "embed_out", VOCAB, E, bias=False), "logits")


if __name__ == "__main__":
    session = weft.Model(sys.argv[1], graph=build, context=CONTEXT).session(*sys.argv[2:])
    print("Once upon a time" + session.generate("Once upon a time", max_tokens=20).run().text)
