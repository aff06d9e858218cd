#!/usr/bin/env python3
"""Are files that weft quantises as good as llama.cpp's, and does either program read them as the other does?

    tests/bench/llama_cpp/quality.py WEFT SOURCE BUILD OUT MODEL TEXT [--types T...] [--window N] [--windows N]
        [--imatrix FILE]

WEFT is a weft program, SOURCE llama.cpp's source and BUILD its build (docs/benchmarks/cpu.md says how to get both), OUT
a folder for what is written, MODEL a folder, TEXT a text. The model is converted to GGUF, and for each type `weft
quantize` and llama-quantize make a file of that, with the importance in FILE if it is given. Each file's logits of the
text's windows come from `weft logits --exact`, and those of weft's file also from llama.cpp. The table has, for weft's
file and llama.cpp's: bytes, perplexity, and the divergence (Kullback-Leibler, in thousandths of a nat a token) from the
logits that weft has of MODEL in float32; the difference of both in perplexity (percent) and in divergence, each with a
95 % interval by drawing windows anew; and how far weft's file has another perplexity in llama.cpp (percent), of which
0.5 is an error. Without importance llama.cpp refuses q2_K_S.
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


def text_ids(args):
    command = [args.weft, "tokenize", args.model, "--file", args.text]
    out = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    ids = numpy.array(out.stdout.decode().replace(",", " ").split(), numpy.int32)
    n = min(len(ids) // args.window, args.windows)
    ids = ids[: n * args.window]
    ids.tofile(f"{args.out}/ids")
    return ids.reshape(n, args.window)


def log_softmax(x):
    x = x.astype(numpy.float64)
    x -= x.max(axis=-1, keepdims=True)
    return x - numpy.log(numpy.exp(x).sum(axis=-1, keepdims=True))


def weft_logits(args, ids, model, *options):
    out = f"{args.out}/weft.logits"
    lists = ";".join(",".join(map(str, w)) for w in ids)
    subprocess.run([args.weft, "logits", model, "--batch", lists, "--output", out, "--exact", "--device", "cpu",
                    "--quiet", *options], check=True, stdout=subprocess.DEVNULL)
    return log_softmax(numpy.fromfile(out, numpy.float32).reshape(*ids.shape, -1)[:, :-1])


def llama_logits(args, program, ids, model):
    out = f"{args.out}/llama.logits"
    command = [program, f"{args.build}/bin", model, f"{args.out}/ids", str(args.window), out]
    subprocess.run(command, check=True)
    return log_softmax(numpy.fromfile(out, numpy.float32).reshape(*ids.shape, -1)[:, :-1])


def nats(logprobs, ids):
    """Of each window: what a token costs."""
    return -numpy.take_along_axis(logprobs, ids[:, 1:, None], -1)[..., 0].mean(axis=1)


def divergence(base, other):
    return (numpy.exp(base) * (base - other)).sum(axis=-1).mean(axis=1)


def interval(x):
    """Of the mean: windows drawn anew, 2,000 times."""
    draws = numpy.random.default_rng(1).integers(0, len(x), (2000, len(x)))
    return numpy.percentile(x[draws].mean(axis=1), [2.5, 97.5])


def make_files(args, name, ours, theirs):
    """False: llama.cpp makes none."""
    number, pure = TYPES[name]
    importance = ["--imatrix", args.imatrix] if args.imatrix else []
    subprocess.run([args.weft, "quantize", args.model, ours, "--weights", name, "--quiet", *importance], check=True,
                   stdout=subprocess.DEVNULL)
    command = [f"{args.build}/bin/llama-quantize", *importance, *["--pure"][:pure], f"{args.out}/model.gguf", theirs,
               str(number)]
    return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0


def versus(args, ids, base, ours, theirs, cost, far):
    """The columns about llama.cpp's file."""
    b = weft_logits(args, ids, theirs)
    other, others = nats(b, ids), divergence(base, b) * 1000
    low, high = 100 * numpy.expm1(interval(cost - other))
    near, away = interval(far - others)
    more = os.path.getsize(ours) / os.path.getsize(theirs) - 1
    return (f"{more:+.2%}", f"{numpy.exp(other.mean()):.4f}",
            f"{100 * numpy.expm1((cost - other).mean()):+.2f} ({low:+.2f} to {high:+.2f})", f"{others.mean():.2f}",
            f"{(far - others).mean():+.2f} ({near:+.2f} to {away:+.2f})")


def compare(args, program, ids, base, name):
    ours, theirs = f"{args.out}/weft-{name}.gguf", f"{args.out}/llama-{name}.gguf"
    both = make_files(args, name, ours, theirs)
    a, c = weft_logits(args, ids, ours), llama_logits(args, program, ids, ours)
    cost, far = nats(a, ids), divergence(base, a) * 1000
    there = 100 * numpy.expm1(nats(c, ids).mean() - cost.mean())
    more, other, worse, others, further = versus(args, ids, base, ours, theirs, cost, far) if both else "-----"
    print(f"| {name} | {more} | {numpy.exp(cost.mean()):.4f} | {other} | {worse} | {far.mean():.2f} | {others} | "
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
    args = parser.parse_args()
    program = peer.compiled("logits", args.source, args.build, args.out)
    subprocess.run([args.weft, "convert", args.model, f"{args.out}/model.gguf", "--quiet"], check=True)
    ids = text_ids(args)
    base = weft_logits(args, ids, args.model, "--weights", "f32")
    print(f"{ids.size} tokens in {len(ids)} windows; float32: perplexity {numpy.exp(nats(base, ids).mean()):.4f}\n")
    print("| type | bytes | weft's | llama.cpp's | difference, % | weft's divergence | llama.cpp's | difference | "
          "in llama.cpp, % |\n|---|---|---|---|---|---|---|---|---|")
    return 0 if all([compare(args, program, ids, base, name) for name in args.types]) else 1


if __name__ == "__main__":
    sys.exit(main())
