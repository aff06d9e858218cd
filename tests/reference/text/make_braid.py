#!/usr/bin/env python3
"""Writes braid-NAME.json for each model below: what examples/braid.weft must give, by the formulas of the papers that it
names, in double precision, token by token. It shares nothing with Weft but the form of goldens: configuration, shapes
of tensors whose elements are hashes of their names (fill), a prompt, logits, a greedy continuation.

usage: make_braid.py [NAME...]        (all; needs numpy alone)
"""
import json
import math
import os
import sys

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
LENGTH, STEPS = 40, 6  # of the prompt, and greedy tokens after it
ROWS = [0, 5, 23, LENGTH - 1]  # of the prompt, whose logits are kept
GAP = 0.01  # of every score of an expert that is chosen before the next one's
MARGIN = 0.06  # of each greedy token before the next best
MASK = 2**64 - 1

COMMON = {"architectures": ["BraidForCausalLM"], "model_type": "braid", "max_position_embeddings": 64, "torch_dtype": "float32"}
MODELS = {
    # Experts are tensors of their own; heads are wider than the hidden state divided by their number.
    "usual": {**COMMON, "vocab_size": 61, "num_hidden_layers": 4, "hidden_size": 48, "num_attention_heads": 4,
              "num_key_value_heads": 2, "head_dim": 16, "rms_norm_eps": 1e-6, "sliding_window": 7, "lru_width": 40, "lru_c": 0.5,
              "conv1d_width": 4, "num_local_experts": 6, "num_experts_per_tok": 2, "intermediate_size": 20,
              "layer_types": ["recurrent", "sliding_attention", "recurrent", "full_attention"]},
    # Other sizes and another order; what can be left out is left out; all experts of a layer are in one tensor.
    "other": {**COMMON, "vocab_size": 53, "num_hidden_layers": 3, "hidden_size": 36, "num_attention_heads": 3,
              "rms_norm_eps": 1e-5, "rope_theta": 500.0, "sliding_window": 5, "lru_c": 2.0, "conv1d_width": 3,
              "num_local_experts": 5, "num_experts_per_tok": 3, "intermediate_size": 28, "hidden_act": "gelu",
              "layer_types": ["sliding_attention", "recurrent", "sliding_attention"]},
}
EACH = ["usual"]  # models whose experts have tensors of their own


# ---- weights ----


def hashed(z):
    z = ((z ^ z >> 30) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ z >> 27) * 0x94D049BB133111EB) & MASK
    return z ^ z >> 31


def fill(name, shape):
    """Sixteen bits of SplitMix64, from a start that is the name's FNV-1a: -1 to 1 in steps of 2^-15, of which a gain is
    1 + x / 4, all else x / 4."""
    start = 0xCBF29CE484222325
    for byte in name.encode():
        start = (start ^ byte) * 0x100000001B3 & MASK
    bits = [hashed((start + i * 0x9E3779B97F4A7C15) & MASK) >> 48 for i in range(1, math.prod(shape) + 1)]
    x = (np.array(bits, dtype=np.float64) / 32768 - 1) / 4
    gain = len(shape) == 1 and name.endswith("weight")
    return (1 + x if gain else x).reshape(shape)


def shapes(c, each):
    e, v, layers = c["hidden_size"], c["vocab_size"], c["num_hidden_layers"]
    heads, groups, width = heads_of(c)
    r, k = c.get("lru_width", e), c["conv1d_width"]
    n, f = c["num_local_experts"], c["intermediate_size"]
    out = {"embed.weight": [v, e], "norm.weight": [e]}
    for i in range(layers):
        at = f"layers.{i}."
        out[at + "mixer_norm.weight"] = out[at + "experts_norm.weight"] = [e]
        if c["layer_types"][i] == "recurrent":
            out.update({at + "y_proj.weight": [r, e], at + "x_proj.weight": [r, e], at + "out_proj.weight": [e, r],
                        at + "conv1d.weight": [r, k], at + "conv1d.bias": [r], at + "lambda": [r]})
            for gate in "recurrence_gate", "input_gate":
                out.update({at + gate + ".weight": [r, r], at + gate + ".bias": [r]})
        else:
            out.update({at + "qkv_proj.weight": [(heads + 2 * groups) * width, e], at + "o_proj.weight": [e, heads * width]})
        out[at + "router.weight"] = [n, e]
        if each:
            for j in range(n):
                part = at + f"experts.{j}."
                out.update({part + "gate_proj.weight": [f, e], part + "up_proj.weight": [f, e], part + "down_proj.weight": [e, f]})
        else:
            out.update({at + "experts.gate_up_proj": [n, 2 * f, e], at + "experts.down_proj": [n, e, f]})
    return out


def heads_of(c):
    heads = c["num_attention_heads"]
    return heads, c.get("num_key_value_heads", heads), c.get("head_dim", c["hidden_size"] // heads)


# ---- formulas ----


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def gelu(x):
    return np.array([0.5 * v * (1 + math.erf(v / math.sqrt(2))) for v in x.ravel()]).reshape(x.shape)


def gelu_tanh(x):
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def softmax(x):
    e = np.exp(x - x.max())
    return e / e.sum()


ACTS = {"silu": lambda x: x * sigmoid(x), "gelu": gelu}


class Braid:
    def __init__(self, c, each):
        self.c, self.each = c, each
        self.shapes = shapes(c, each)
        self.w = {name: fill(name, shape) for name, shape in self.shapes.items()}
        self.gap = math.inf

    def norm(self, x, name):
        return x / np.sqrt(np.mean(x * x) + self.c["rms_norm_eps"]) * self.w[name + ".weight"]

    def turned(self, x, pos):
        """The pairs (i, i + D/2) of each head."""
        half = x.shape[1] // 2
        angle = pos * self.c.get("rope_theta", 10000.0) ** (-np.arange(half) / half)
        a, b = x[:, :half], x[:, half:]
        return np.concatenate([a * np.cos(angle) - b * np.sin(angle), b * np.cos(angle) + a * np.sin(angle)], axis=1)

    def attention(self, xs, at, window):
        """Every token of the text; a window has itself in it. 0: all before it, without positions."""
        heads, groups, width = heads_of(self.c)
        q, k, v, out = [], [], [], []
        for pos, x in enumerate(xs):
            y = (self.w[at + "qkv_proj.weight"] @ x).reshape(heads + 2 * groups, width)
            q.append(y[:heads]), k.append(y[heads:heads + groups]), v.append(y[heads + groups:])
            if window:
                q[pos], k[pos] = self.turned(q[pos], pos), self.turned(k[pos], pos)
            first = max(0, pos + 1 - window) if window else 0
            seen = range(first, pos + 1)
            y = np.zeros((heads, width))
            for h in range(heads):
                g = h // (heads // groups)
                p = softmax(np.array([q[pos][h] @ k[t][g] for t in seen]) / math.sqrt(width))
                y[h] = sum(p[i] * v[t][g] for i, t in enumerate(seen))
            out.append(self.w[at + "o_proj.weight"] @ y.ravel())
        return out

    def recurrence(self, xs, at):
        w = {name[len(at):]: value for name, value in self.w.items() if name.startswith(at)}
        width, kernel = w["conv1d.weight"].shape
        us = [w["x_proj.weight"] @ x for x in xs]
        h, out = np.zeros(width), []
        for t, x in enumerate(xs):
            u = w["conv1d.bias"].copy()
            for k in range(kernel):
                if t - (kernel - 1) + k >= 0:
                    u += w["conv1d.weight"][:, k] * us[t - (kernel - 1) + k]
            r = sigmoid(w["recurrence_gate.weight"] @ u + w["recurrence_gate.bias"])
            i = sigmoid(w["input_gate.weight"] @ u + w["input_gate.bias"])
            a = np.exp(-self.c["lru_c"] * np.log1p(np.exp(w["lambda"])) * r)
            h = a * h + np.sqrt(1 - a * a) * (i * u)
            out.append(w["out_proj.weight"] @ (gelu_tanh(w["y_proj.weight"] @ x) * h))
        return out

    def expert(self, x, at, j):
        f = self.c["intermediate_size"]
        if self.each:
            gate, up, down = (self.w[f"{at}experts.{j}.{part}_proj.weight"] for part in ("gate", "up", "down"))
        else:
            both, down = self.w[at + "experts.gate_up_proj"][j], self.w[at + "experts.down_proj"][j]
            gate, up = both[:f], both[f:]
        return down @ (ACTS[self.c.get("hidden_act", "silu")](gate @ x) * (up @ x))

    def mixture(self, x, at):
        scores, n = self.w[at + "router.weight"] @ x, self.c["num_experts_per_tok"]
        order = np.argsort(-scores, kind="stable")
        self.gap = min(self.gap, scores[order[n - 1]] - scores[order[n]])
        by = softmax(scores[order[:n]])
        return sum(by[i] * self.expert(x, at, j) for i, j in enumerate(order[:n]))

    def logits(self, ids):
        xs = [self.w["embed.weight"][i] for i in ids]
        for i, kind in enumerate(self.c["layer_types"]):
            at = f"layers.{i}."
            ys = [self.norm(x, at + "mixer_norm") for x in xs]
            if kind == "recurrent":
                ys = self.recurrence(ys, at)
            else:
                ys = self.attention(ys, at, self.c["sliding_window"] if kind == "sliding_attention" else 0)
            xs = [x + y for x, y in zip(xs, ys)]
            xs = [x + self.mixture(self.norm(x, at + "experts_norm"), at) for x in xs]
        return np.array([self.w["embed.weight"] @ self.norm(x, "norm") for x in xs])


# ---- goldens ----


def continue_greedily(model, prompt):
    """None if a choice is close."""
    ids = list(prompt)
    for _ in range(STEPS):
        row = model.logits(ids)[-1]
        best, next_best = np.sort(row)[::-1][:2]
        if best - next_best < MARGIN or model.gap < GAP:
            return None
        ids.append(int(row.argmax()))
    return ids[len(prompt):]


def write(name):
    c = MODELS[name]
    model = Braid(c, name in EACH)
    for seed in range(1000):
        model.gap = math.inf
        prompt = [int(x) for x in np.random.default_rng(seed).integers(0, c["vocab_size"], LENGTH)]
        greedy = continue_greedily(model, prompt)
        if greedy:
            break
    else:
        sys.exit(f"{name}: no prompt without a close choice")
    logits = model.logits(prompt)
    rows = ",\n    ".join("[" + ", ".join("%.10g" % x for x in logits[row]) + "]" for row in ROWS)
    tensors = ",\n    ".join("%s: %s" % (json.dumps(k), json.dumps(v)) for k, v in sorted(model.shapes.items()))
    parts = ["  %s: %s" % (json.dumps(k), json.dumps(v))
             for k, v in {"config": c, "prompt": prompt, "greedy": greedy, "rows": ROWS}.items()]
    parts += ['  "tensors": {\n    ' + tensors + "\n  }", '  "logits": [\n    ' + rows + "\n  ]"]
    with open(os.path.join(HERE, "braid-" + name + ".json"), "w") as f:
        f.write("{\n" + ",\n".join(parts) + "\n}\n")
    print(name, "seed", seed, "gap %.3f" % model.gap)


if __name__ == "__main__":
    for name in sys.argv[1:] or MODELS:
        write(name)
