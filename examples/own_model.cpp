// own_model MODEL DEVICE: what own_model.c does, as C++ has it: values that add with +, scopes and objects that end with
// their block, faults that are thrown. The weights are models/bundled/tiny-stories-neox's.
#include <cmath>
#include <cstdio>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <weft/model.h>

namespace {

constexpr int Layers = 6, E = 256, Heads = 8, D = 32, Vocab = 4096, Turning = 8;

// A value of the graph that is being built. Builders keep the first fault in the graph, so nothing is looked at here.
struct Value {
    weft_graph *g;
    weft_ref ref;
};
Value operator+(Value a, Value b) { return { a.g, weft_add(a.g, a.ref, b.ref) }; }
Value gelu(Value x) { return { x.g, weft_gelu(x.g, x.ref) }; }

// While it lives, weights are called by it: "gpt_neox.layers.0." and their own name.
class Scope {
public:
    Scope(weft_graph *g, const std::string &name) : g(g) { weft_scope_begin(g, "%s", name.c_str()); }
    ~Scope() { weft_scope_end(g, weft_ref{}); }
    Scope(const Scope &) = delete;
    Scope &operator=(const Scope &) = delete;

private:
    weft_graph *g;
};

class Net {
public:
    Net(weft_graph *g, const weft_model_inputs &in) : g(g), in(in), angles(weft_rope_angles(g, in.pos, Turning, 1e4f)) {}

    void logits()
    {
        Value h = rows(weight(WEFT_DIMS(Vocab, E), "gpt_neox.embed_in.weight"), in.tokens);
        for (int i = 0; i < Layers; i++) {
            Scope scope(g, "gpt_neox.layers." + std::to_string(i));
            h = layer(h);
        }
        h = rows(norm(h, "gpt_neox.final_layer_norm"), in.rows); // of the tokens whose next one is asked for
        weft_output(g, linear(h, "embed_out", Vocab, E, false).ref, "logits");
    }

private:
    Value weight(weft_dims d, const char *name) { return { g, weft_weight(g, WEFT_ANY, d, name) }; }
    Value rows(Value table, weft_ref index) { return { g, weft_gather(g, table.ref, index) }; }

    Value linear(Value x, const char *name, int n_out, int n_in, bool bias = true)
    {
        Scope scope(g, name);
        Value y{ g, weft_matmul_nt(g, x.ref, weight(WEFT_DIMS(n_out, n_in), "weight").ref) };
        return bias ? y + weight(WEFT_DIMS(n_out), "bias") : y;
    }
    Value norm(Value x, const char *name)
    {
        Scope scope(g, name);
        Value w = weight(WEFT_DIMS(E), "weight"), b = weight(WEFT_DIMS(E), "bias");
        return { g, weft_layer_norm(g, x.ref, w.ref, b.ref, 1e-5f) };
    }
    Value attention(Value x)
    {
        Value y = linear(x, "attention.query_key_value", 3 * E, E);
        weft_ref all = weft_reshape(g, y.ref, WEFT_DIMS(in.T, Heads, 3, D)), qkv[3];
        for (int i = 0; i < 3; i++) qkv[i] = weft_select(g, all, 2, i);
        for (int i = 0; i < 2; i++) qkv[i] = weft_rope(g, qkv[i], angles, false);
        weft_ref seen = weft_cached_attention(g, &in, qkv[0], qkv[1], qkv[2], 1 / std::sqrt(float(D)));
        return linear({ g, weft_reshape(g, seen, WEFT_DIMS(in.T, E)) }, "attention.dense", E, E);
    }
    Value mlp(Value x) { return linear(gelu(linear(x, "mlp.dense_h_to_4h", 4 * E, E)), "mlp.dense_4h_to_h", E, 4 * E); }
    Value layer(Value x) // both parts beside each other
    {
        return x + (attention(norm(x, "input_layernorm")) + mlp(norm(x, "post_attention_layernorm")));
    }

    weft_graph *g;
    const weft_model_inputs &in;
    weft_ref angles;
};

void build(weft_graph *g, const weft_config *, const weft_model_inputs *in, void *) { Net(g, *in).logits(); }

weft_error err;
void check(weft_status s)
{
    if (s) throw std::runtime_error(err.text);
}

template <auto close> struct Closer {
    template <typename T> void operator()(T *p) const { close(p); }
};
template <typename T, auto close> using Owned = std::unique_ptr<T, Closer<close>>;

void tell_stories(const char *path, const char *device)
{
    const weft_model_definition mine = { "Mine", nullptr, WEFT_HEAD_LOGITS, build, nullptr };
    const char *const begin[] = { "Once upon a time", "Tom had a red ball", "The little dog" };
    weft_model_desc own{};
    weft_session_desc how{};
    weft_generate_desc until{};
    weft_model *m;
    weft_backend *b;
    weft_session *s;
    const weft_tokenizer *tok; // the model's
    own.graph = &mine, own.context = 512, until.max_tokens = 20;
    check(weft_model_open(path, &own, &m, &err));
    Owned<weft_model, weft_model_close> model(m);
    check(weft_model_tokenizer(m, &tok, &err));
    check(weft_backend_open(device, &b, &err));
    Owned<weft_backend, weft_backend_close> backend(b);
    how.devices = &b, how.n_devices = 1, how.n_sequences = 3;
    check(weft_session_create(m, &how, &s, &err));
    Owned<weft_session, weft_session_destroy> session(s);
    for (uint32_t i = 0; i < 3; i++) {
        weft_tokens t;
        weft_generated r;
        check(weft_tokenizer_encode(tok, begin[i], std::strlen(begin[i]), nullptr, &t, &err));
        Owned<weft_tokens, weft_tokens_free> ids(&t);
        check(weft_generate(s, i, t.ids, t.n, &until, &r, &err));
        Owned<weft_generated, weft_generated_free> story(&r);
        std::printf("%s%s\n", begin[i], r.text);
    }
}

} // namespace

int main(int argc, char **argv)
try {
    if (argc < 3) throw std::runtime_error("usage: own_model MODEL DEVICE");
    tell_stories(argv[1], argv[2]);
} catch (const std::exception &e) {
    return std::fprintf(stderr, "%s\n", e.what()), 1;
}
