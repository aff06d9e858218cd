#!/usr/bin/env python3
"""Weft beside llama.cpp on the CPU: the same random weights, the same work, in turns.

    tests/bench/llama_cpp/compare.py WEFT SOURCE BUILD OUT [--models M...] [--weights F...] [--rounds N] [--threads N]

WEFT is a weft program, SOURCE llama.cpp's source and BUILD its build (docs/benchmarks/cpu.md says how to get both), OUT a
folder for models, which are made when first asked for: a few GB. M are the configurations beside this file by name. Each
round runs both programs once for every model and format, the other one first in every second round; each figure is the
median over rounds of medians over repetitions, each ratio the median of the rounds' ratios. --check compares the logits
of a prompt instead. Meant for an otherwise idle machine.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys

import gguf
import peer

HERE = peer.HERE


def prepare(args):
    program = peer.compiled("bench", args.source, args.build, args.out)
    for model in args.models:
        folder = os.path.join(args.out, model)
        if not os.path.exists(f"{folder}/model.safetensors"):
            subprocess.run([args.weft, "init", f"{HERE}/{model}.json", folder, "--dtype", "f16", "--quiet"], check=True)
        for weights in args.weights:
            path = f"{folder}-{weights}.gguf"
            if not os.path.exists(path):
                gguf.write(folder, path + ".part", weights)
                os.replace(path + ".part", path)
    return program


def run_weft(args, model, weights):
    command = [args.weft, "bench", os.path.join(args.out, model), "--weights", weights, "--device",
               f"cpu,threads={args.threads}", "--context", "1024", "--prompt-tokens", str(args.prompt),
               "--decode-tokens", str(args.decode), "--repeat", str(args.repeat), "--json", "--quiet"]
    out = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return {part: out[part]["tokens_per_second"] for part in ("prompt", "decode")}


def run_llama(args, program, model, weights):
    command = [program, f"{args.build}/bin", os.path.join(args.out, f"{model}-{weights}.gguf"), str(args.threads),
               str(args.prompt), str(args.decode), str(args.repeat)]
    out = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return {part: getattr(args, part) / statistics.median(out[part]) for part in ("prompt", "decode")}


def measure(args, program):
    cases = [(m, w) for m in args.models for w in args.weights]
    runs = {c: [] for c in cases}
    for i in range(args.rounds):
        for c in cases:
            ours = run_weft(args, *c) if i % 2 == 0 else None
            theirs = run_llama(args, program, *c)
            runs[c].append((ours or run_weft(args, *c), theirs))
            print(f"round {i + 1}: {c[0]} {c[1]} " + ", ".join(
                f"{p} {runs[c][-1][0][p]:.1f} by {theirs[p]:.1f}" for p in ("prompt", "decode")), file=sys.stderr, flush=True)
    print("| model | weights | prompt Weft | llama.cpp | ratio | decode Weft | llama.cpp | ratio |")
    print("|---|---|---|---|---|---|---|---|")
    for c in cases:
        row = [c[0], c[1]]
        for part in ("prompt", "decode"):
            row += [f"{statistics.median(r[side][part] for r in runs[c]):.1f}" for side in (0, 1)]
            row.append(f"**{statistics.median(r[0][part] / r[1][part] for r in runs[c]):.2f}**")
        print("| " + " | ".join(row) + " |")


def check(args, program):
    """How far the two programs' logits of the prompt's last token are apart, by their spread."""
    import numpy as np
    for model in args.models:
        with open(f"{HERE}/{model}.json") as f:
            vocab = json.load(f)["vocab_size"]
        ids = ",".join(str((7 + 101 * i) % vocab) for i in range(args.prompt))
        for weights in args.weights:
            a, b = os.path.join(args.out, "weft.bin"), os.path.join(args.out, "llama.bin")
            subprocess.run([args.weft, "logits", os.path.join(args.out, model), "--tokens", ids, "--weights", weights,
                            "--device", "cpu", "--output", a, "--quiet"], check=True)
            subprocess.run([program, f"{args.build}/bin", os.path.join(args.out, f"{model}-{weights}.gguf"),
                            str(args.threads), str(args.prompt), "0", "1", b], check=True, stdout=subprocess.DEVNULL)
            x, y = np.fromfile(a, np.float32)[-vocab:], np.fromfile(b, np.float32)
            print(f"{model} {weights}: off by {np.sqrt(np.mean((x - y) ** 2)) / np.std(x):.4f} of the spread, "
                  f"the same largest: {x.argmax() == y.argmax()}", flush=True)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("weft", "source", "build", "out"):
        p.add_argument(name)
    p.add_argument("--models", nargs="+", default=["neox-0.5b", "llama-0.5b", "qwen3-0.6b"])
    p.add_argument("--weights", nargs="+", default=["f16", "q8_0", "q4_0"])
    for name, value in (("rounds", 3), ("threads", 2), ("prompt", 256), ("decode", 48), ("repeat", 2)):
        p.add_argument(f"--{name}", type=int, default=value)
    p.add_argument("--check", action="store_true")
    args = p.parse_args()
    (check if args.check else measure)(args, prepare(args))


main()
