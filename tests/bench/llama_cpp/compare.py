#!/usr/bin/env python3
"""Weft beside llama.cpp: the same files of random weights, the same work, in turns.

    tests/bench/llama_cpp/compare.py WEFT SOURCE BUILD OUT [--ik SOURCE BUILD] [--models M...] [--weights F...]
        [--rounds N] [--seconds S] [--sequences N] [--depth N] ...

WEFT is a weft program, SOURCE llama.cpp's source and BUILD its build (docs/benchmarks/cpu.md says how to get both; --ik:
those of ik_llama.cpp, too), OUT a folder for models, which are made when first asked for: a few GB. M are configurations
by name, beside this file or in models/configs. Each round runs every program once for every model and format, another
one first each time. Each run is a line of OUT/results.jsonl; the table at the end is of all lines there of what was
asked for now, so that a table can be gathered in several calls, and --rounds 0 prints it alone. Each figure is the median
over rounds, each ratio the median of the rounds' ratios, behind it their smallest and largest. --seconds ends a call
before a round that would not be done by then. Runs beside which others kept more than --others processors busy do not
count. --check compares the logits of a prompt instead. --layers 99 --device
vulkan:0 with a llama.cpp that has Vulkan compares those. Meant for an otherwise idle machine.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import time

import peer

HERE = peer.HERE
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
WORK = ("device", "threads", "prompt", "decode", "sequences", "depth", "kv")  # what else a line is of


def config(model):
    own = f"{HERE}/{model}.json"
    return own if os.path.exists(own) else f"{ROOT}/models/configs/{model}.json"


def file_of(args, model, weights):
    return os.path.join(args.out, f"{model}-{weights}.gguf")


def prepare(args):
    """The peers' programs by name, and the files."""
    peers = {"llama.cpp": (peer.compiled("bench", args.source, args.build, args.out), args.build)}
    if args.ik:
        peers["ik_llama.cpp"] = (peer.compiled("bench", *args.ik, args.out), args.ik[1])
    for model in args.models:
        for weights in args.weights:
            path = file_of(args, model, weights)
            if not os.path.exists(path):
                subprocess.run([args.weft, "init", config(model), path, "--weights", weights, "--quiet"], check=True)
    return peers


def context(args):
    need = args.depth + max(args.prompt, 16 + args.decode)
    return max(args.context, (need + 63) // 64 * 64)


def state_of(args, program, model, weights):
    """Where the tokens before what is measured are kept: computing thousands of them takes minutes."""
    return os.path.join(args.out, f"{program}-{model}-{weights}-{args.kv}-{args.depth}.state")


def fill_weft(args, model, weights, path):
    with open(config(model), encoding="utf-8") as f:
        vocab = json.load(f)["vocab_size"]
    ids = ",".join(str((7 + 101 * i) % vocab) for i in range(args.depth))
    subprocess.run([args.weft, "generate", file_of(args, model, weights), "--tokens", ids, "--max-tokens", "1",
                    "--ignore-eos", "--kv", args.kv, "--context", str(context(args)), "--save-state", path,
                    "--device", f"cpu,threads={args.threads}", "--quiet"], check=True, stdout=subprocess.DEVNULL)


def run_weft(args, model, weights):
    command = [args.weft, "bench", file_of(args, model, weights), "--context", str(context(args)), "--kv", args.kv,
               "--prompt-tokens", str(args.prompt or 16), "--decode-tokens", str(args.decode),
               "--repeat", str(args.repeat), "--sequences", str(args.sequences), "--json", "--quiet",
               "--device", args.device + (f",threads={args.threads}" if args.device == "cpu" else "")]
    if args.depth:
        path = state_of(args, "weft", model, weights)
        if not os.path.exists(path):
            fill_weft(args, model, weights, path)
        command += ["--load-state", path]
    out = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    line = {part: out[part]["tokens_per_second"] for part in ("prompt", "decode")}
    line["others"] = out["conditions"]["others"]
    line["of"] = {part: [out[part]["fraction_of_limit"], out[part]["limit"]] for part in ("prompt", "decode")}
    return line


def run_peer(args, program, model, weights, *more):
    name, (path, build) = program
    numbers = ("threads", "prompt", "decode", "repeat", "sequences", "depth", "layers", "kv")
    command = [path, f"{build}/bin", file_of(args, model, weights), f"context={context(args)}",
               *(f"{n}={getattr(args, n)}" for n in numbers), *more]
    if args.depth:
        command.append("state=" + state_of(args, name, model, weights))
    out = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    tokens = {"prompt": args.prompt, "decode": args.decode * args.sequences}
    return {part: tokens[part] / statistics.median(times) for part, times in out.items()}


def keep(args, line):
    with open(f"{args.out}/results.jsonl", "a", encoding="utf-8") as f:
        f.write(json.dumps(line) + "\n")


def lines_of(args):
    """What was measured of this work while the machine was quiet enough."""
    path = f"{args.out}/results.jsonl"
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as f:
        lines = [json.loads(line) for line in f]
    return [x for x in lines if all(x[k] == getattr(args, k) for k in WORK)
            and (x["runs"]["weft"]["others"] or 0) <= args.others]


def measure(args, peers):
    """Whatever has the fewest lines is next, so that calls that end early go on where the last one ended."""
    start, longest = time.monotonic(), 0
    done = {(m, w): 0 for m in args.models for w in args.weights}
    for x in lines_of(args):
        if (x["model"], x["weights"]) in done:
            done[x["model"], x["weights"]] += 1
    for _ in range(args.rounds * len(done)):
        begun = time.monotonic()
        if args.seconds and begun + longest - start > args.seconds:
            return
        c = min(done, key=done.get)
        runs = {"weft": lambda: run_weft(args, *c)}
        for p in peers.items():
            runs[p[0]] = lambda p=p: run_peer(args, p, *c)
        names = list(runs)
        first = done[c] % len(names)
        line = {"model": c[0], "weights": c[1], **{k: getattr(args, k) for k in WORK}, "at": int(time.time())}
        line["runs"] = {name: runs[name]() for name in names[first:] + names[:first]}
        keep(args, line)
        print(f"{c[0]} {c[1]}: " + "; ".join(f"{n} {r.get('prompt', 0):.1f} {r['decode']:.1f}"
                                            for n, r in line["runs"].items()) +
              f"; others {line['runs']['weft']['others']:.2f}", file=sys.stderr, flush=True)
        done[c] += 1
        longest = max(longest, time.monotonic() - begun)


def cells(lines, part, peers):
    """Weft's median and share of its limit; of each peer the median and the ratio."""
    of = statistics.median(x["runs"]["weft"]["of"][part][0] for x in lines)
    row = [f"{statistics.median(x['runs']['weft'][part] for x in lines):.1f}", f"{100 * of:.0f} %"]
    for p in peers:
        both = [(x["runs"]["weft"][part], x["runs"][p][part]) for x in lines if p in x["runs"]]
        if not both:
            row += ["", ""]
            continue
        ratios = [a / b for a, b in both]
        row += [f"{statistics.median(b for _, b in both):.1f}",
                f"**{statistics.median(ratios):.2f}** ({min(ratios):.2f} to {max(ratios):.2f})"]
    return row


def print_table(args, peers):
    parts = [p for p in ("prompt", "decode") if getattr(args, p)]
    lines = lines_of(args)
    head = ["model", "weights", "rounds"]
    for part in parts:
        head += [f"{part} Weft", "of the limit"]
        for p in peers:
            head += [p, "ratio"]
    print("| " + " | ".join(head) + " |\n" + "|---" * len(head) + "|")
    for model in args.models:
        for weights in args.weights:
            these = [x for x in lines if x["model"] == model and x["weights"] == weights]
            if these:
                row = [model, weights, str(len(these))]
                for part in parts:
                    row += cells(these, part, peers)
                print("| " + " | ".join(row) + " |")


def check(args, peers):
    """How far the programs' logits of the prompt's last token are from weft's, by their spread."""
    import numpy as np
    for model in args.models:
        with open(config(model), encoding="utf-8") as f:
            vocab = json.load(f)["vocab_size"]
        ids = ",".join(str((7 + 101 * i) % vocab) for i in range(args.prompt))
        for weights in args.weights:
            a, b = os.path.join(args.out, "weft.bin"), os.path.join(args.out, "peer.bin")
            subprocess.run([args.weft, "logits", file_of(args, model, weights), "--tokens", ids, "--device", "cpu",
                            "--output", a, "--quiet"], check=True)
            for p in peers.items():
                one = argparse.Namespace(**{**vars(args), "decode": 0, "repeat": 1, "depth": 0})
                run_peer(one, p, model, weights, f"logits={b}")
                x, y = np.fromfile(a, np.float32)[-vocab:], np.fromfile(b, np.float32)
                print(f"{model} {weights}, {p[0]}: off by {np.sqrt(np.mean((x - y) ** 2)) / np.std(x):.4f} of the "
                      f"spread, the same largest: {x.argmax() == y.argmax()}", flush=True)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("weft", "source", "build", "out"):
        p.add_argument(name)
    p.add_argument("--ik", nargs=2, metavar=("SOURCE", "BUILD"))
    p.add_argument("--models", nargs="+", default=["neox-0.5b", "llama-0.5b", "qwen3-0.6b"])
    p.add_argument("--weights", nargs="+", default=["f16", "q8_0", "q4_0"])
    for name, value in (("rounds", 3), ("seconds", 0), ("threads", 2), ("prompt", 256), ("decode", 48), ("repeat", 1),
                        ("sequences", 1), ("depth", 0), ("context", 1024), ("layers", 0)):
        p.add_argument(f"--{name}", type=int, default=value)
    p.add_argument("--others", type=float, default=0.5)
    p.add_argument("--device", default="cpu")
    p.add_argument("--kv", default="f16", choices=["f16", "q8_0", "q4_0"])
    p.add_argument("--check", action="store_true")
    args = p.parse_args()
    peers = prepare(args)
    if args.check:
        check(args, peers)
        return
    measure(args, peers)
    print_table(args, peers)


main()
