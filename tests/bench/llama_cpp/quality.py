#!/usr/bin/env python3
"""Are files that weft quantises as good as llama.cpp's, and does either program read them as the other does?

    tests/bench/llama_cpp/quality.py WEFT SOURCE BUILD OUT MODEL TEXT [--types T...] [--window N] [--windows N]
        [--imatrix FILE] [--begin STRING]

WEFT is a weft program, SOURCE llama.cpp's source and BUILD its build (docs/benchmarks/cpu.md says how to get both), OUT
a folder for what is written, MODEL a folder, TEXT a text. The model is converted to GGUF, and for each type `weft
quantize` and llama-quantize make a file of that, with the importance in FILE if it is given. Each file's logits of the
text's windows come from `weft logits --exact`, and those of weft's file also from llama.cpp. The table has, for weft's
file and llama.cpp's: bytes, perplexity, and the divergence (Kullback-Leibler, in thousandths of a nat a token) from the
logits that weft has of MODEL in float32; the difference of both in perplexity (percent) and in divergence, each with a
95 % interval by drawing windows anew; and how far weft's file has another perplexity in llama.cpp (percent), of which
0.5 is an error. Without importance llama.cpp refuses q2_K_S.

With --begin each piece of TEXT that begins with STRING is a window by itself, cut at --window tokens, and what is said
of a window is of the tokens behind STRING. Of texts that MODEL itself wrote after STRING, at a temperature of 1, the
difference in perplexity is then that in divergence and chance, which windows across texts' ends do not show: there a
model is more certain than it is right, and one whose predictions are flat has the better of it.
"""
import argparse
import os
import subprocess
import sys

import numpy

import peer

# weft's names; llama.cpp's number, and whether all matrices get the one type there, too
TYPES = {
    "q2_K_S": (21, 0), "q2_K_M": (10, 0), "q3_K_S": (11, 0), "q3_K_M": (12, 0), "q3_K_L": (13, 0), "q4_K_S": (14, 0),
    "q4_K_M": (15, 0), "q5_K_S": (16, 0), "q5_K_M": (17, 0), "iq4_nl_M": (25, 0), "iq4_xs_M": (30, 0), "q2_K": (10, 1),
    "q3_K": (11, 1), "q4_K": (14, 1), "q5_K": (16, 1), "q6_K": (18, 1), "iq4_nl": (25, 1), "iq4_xs": (30, 1),
    "mxfp4": (38, 1), "q4_0": (2, 1), "q4_1": (3, 1), "q5_0": (8, 1), "q5_1": (9, 1), "q8_0": (7, 1), "bf16": (32, 1),
    "f16": (1, 1),
}


def tokens(args, text):
    command = [args.weft, "tokenize", args.model, "--file", "-"]
    out = subprocess.run(command, check=True, stdout=subprocess.PIPE, input=text.encode())
    return out.stdout.decode().replace(",", " ").split()


class Windows:
    """Of a text: ids, those of a shorter one filled up with zeros, and which of all but the first are spoken of."""

    def __init__(self, args):
        with open(args.text, encoding="utf-8") as f:
            text = f.read()
        first, size = 1, args.window
        if args.begin:
            first = len(tokens(args, args.begin))
            lists = [tokens(args, args.begin + t.rstrip())[:size] for t in text.split(args.begin)[1:][: args.windows]]
        else:
            whole = tokens(args, text)
            lists = [whole[i : i + size] for i in range(0, len(whole) - size + 1, size)][: args.windows]
        self.ids = numpy.zeros((len(lists), size), numpy.int32)
        self.spoken = numpy.zeros((len(lists), size - 1), bool)
        for i, w in enumerate(lists):
            self.ids[i, : len(w)] = w
            self.spoken[i, first - 1 : len(w) - 1] = True
        self.ids.tofile(f"{args.out}/ids")

    def mean(self, x):
        return x[self.spoken].mean()

    def interval(self, x):
        """Of the mean, 95 %: windows drawn anew, 2,000 times."""
        draws = numpy.random.default_rng(1).integers(0, len(x), (2000, len(x)))
        sums, counts = (x * self.spoken).sum(axis=1), self.spoken.sum(axis=1)
        return numpy.percentile(sums[draws].sum(axis=1) / counts[draws].sum(axis=1), [2.5, 97.5])

    def nats(self, logprobs):
        """What each token costs."""
        return -numpy.take_along_axis(logprobs, self.ids[:, 1:, None], -1)[..., 0]


def log_softmax(x):
    x = x.astype(numpy.float64)
    x -= x.max(axis=-1, keepdims=True)
    return x - numpy.log(numpy.exp(x).sum(axis=-1, keepdims=True))


def weft_logits(args, text, model, *options):
    out, found = f"{args.out}/weft.logits", []
    for at in range(0, len(text.ids), 64):
        ids = text.ids[at : at + 64]
        lists = ";".join(",".join(map(str, w)) for w in ids)
        subprocess.run([args.weft, "logits", model, "--batch", lists, "--output", out, "--exact", "--device", "cpu",
                        "--quiet", *options], check=True, stdout=subprocess.DEVNULL)
        found.append(numpy.fromfile(out, numpy.float32).reshape(*ids.shape, -1)[:, :-1])
    return log_softmax(numpy.concatenate(found))


def llama_logits(args, program, text, model):
    out = f"{args.out}/llama.logits"
    command = [program, f"{args.build}/bin", model, f"{args.out}/ids", str(args.window), out]
    subprocess.run(command, check=True)
    return log_softmax(numpy.fromfile(out, numpy.float32).reshape(*text.ids.shape, -1)[:, :-1])


def divergence(base, other):
    return (numpy.exp(base) * (base - other)).sum(axis=-1) * 1000


def make_files(args, name, ours, theirs):
    """False: llama.cpp makes none."""
    number, pure = TYPES[name]
    importance = ["--imatrix", args.imatrix] if args.imatrix else []
    subprocess.run([args.weft, "quantize", args.model, ours, "--weights", name, "--quiet", *importance], check=True,
                   stdout=subprocess.DEVNULL)
    command = [f"{args.build}/bin/llama-quantize", *importance, *["--pure"][:pure], f"{args.out}/model.gguf", theirs,
               str(number)]
    return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0


def versus(args, text, base, ours, theirs, cost, far):
    """The columns about llama.cpp's file."""
    b = weft_logits(args, text, theirs)
    other, others = text.nats(b), divergence(base, b)
    low, high = 100 * numpy.expm1(text.interval(cost - other))
    near, away = text.interval(far - others)
    more = os.path.getsize(ours) / os.path.getsize(theirs) - 1
    return (f"{more:+.2%}", f"{numpy.exp(text.mean(other)):.4f}",
            f"{100 * numpy.expm1(text.mean(cost - other)):+.2f} ({low:+.2f} to {high:+.2f})", f"{text.mean(others):.2f}",
            f"{text.mean(far - others):+.2f} ({near:+.2f} to {away:+.2f})")


def compare(args, program, text, base, name):
    ours, theirs = f"{args.out}/weft-{name}.gguf", f"{args.out}/llama-{name}.gguf"
    both = make_files(args, name, ours, theirs)
    a, c = weft_logits(args, text, ours), llama_logits(args, program, text, ours)
    cost, far = text.nats(a), divergence(base, a)
    there = 100 * numpy.expm1(text.mean(text.nats(c) - cost))
    more, other, worse, others, further = versus(args, text, base, ours, theirs, cost, far) if both else "-----"
    print(f"| {name} | {more} | {numpy.exp(text.mean(cost)):.4f} | {other} | {worse} | {text.mean(far):.2f} | {others} | "
          f"{further} | {there:+.3f} |", flush=True)
    for path in (ours, theirs):
        if os.path.exists(path):
            os.remove(path)
    return abs(there) <= 0.5


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("weft", "source", "build", "out", "model", "text"):
        parser.add_argument(name)
    parser.add_argument("--types", nargs="+", default=list(TYPES))
    parser.add_argument("--window", type=int, default=256)
    parser.add_argument("--windows", type=int, default=16)
    parser.add_argument("--imatrix")
    parser.add_argument("--begin")
    args = parser.parse_args()
    program = peer.compiled("logits", args.source, args.build, args.out)
    subprocess.run([args.weft, "convert", args.model, f"{args.out}/model.gguf", "--quiet"], check=True)
    text = Windows(args)
    base = weft_logits(args, text, args.model, "--weights", "f32")
    cost = text.mean(text.nats(base))
    print(f"{text.spoken.sum()} tokens in {len(text.ids)} windows; float32: perplexity {numpy.exp(cost):.4f}, of "
          f"{numpy.exp(text.mean(-(numpy.exp(base) * base).sum(axis=-1))):.4f} by its own probabilities\n")
    print("| type | bytes | weft's | llama.cpp's | difference, % | weft's divergence | llama.cpp's | difference | "
          "in llama.cpp, % |\n|---|---|---|---|---|---|---|---|---|")
    return 0 if all([compare(args, program, text, base, name) for name in args.types]) else 1


if __name__ == "__main__":
    sys.exit(main())
