#!/usr/bin/env python3
"""Is one build of weft as fast as another? Runs `weft bench` of both in turn and prints the ratios of their pairs.

    tests/bench/versus.py NEW OLD [--models M...] [--weights F...] [--pairs N] [-- BENCH OPTIONS...]

NEW and OLD are weft programs, M folders or config.json files. Runs go NEW OLD, OLD NEW, and so on: what drifts slowly
(clocks, a neighbour) falls on both. Each line has the median of the ratios NEW / OLD in tokens per second (above 1:
NEW is faster) and a 95 % interval of that median by order statistics (of 11 sorted ratios, the 2nd to the 10th).
Meant for an otherwise idle machine.
"""
import argparse
import json
import math
import statistics
import subprocess
import sys


def run(program, model, weights, options):
    command = [program, "bench", model, "--weights", weights, "--json", *options]
    out = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return {part: out[part]["tokens_per_second"] for part in ("prompt", "decode")}


def interval(ratios):
    """The k-th and the (n + 1 - k)-th of the sorted ratios, k the largest with 95 % or more between them."""
    n, below, k = len(ratios), 0.0, 0
    while below + math.comb(n, k) / 2**n <= 0.025:
        below += math.comb(n, k) / 2**n
        k += 1
    ordered = sorted(ratios)
    return (ordered[k - 1], ordered[n - k]) if k else (ordered[0], ordered[-1])


def main():
    argv = sys.argv[1:]
    cut = argv.index("--") if "--" in argv else len(argv)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("new")
    parser.add_argument("old")
    parser.add_argument("--models", nargs="+", default=["models/configs/pythia-160m.json"])
    parser.add_argument("--weights", nargs="+", default=["f16", "q8_0", "q4_0"])
    parser.add_argument("--pairs", type=int, default=11)
    args, options = parser.parse_args(argv[:cut]), argv[cut + 1:]
    print("| model | weights | part | new, tokens/s | old, tokens/s | ratio | interval |")
    print("|---|---|---|---|---|---|---|")
    for model in args.models:
        for weights in args.weights:
            runs = {args.new: [], args.old: []}
            for i in range(args.pairs):
                for program in (args.new, args.old) if i % 2 == 0 else (args.old, args.new):
                    runs[program].append(run(program, model, weights, options))
            for part in ("prompt", "decode"):
                new, old = ([r[part] for r in runs[p]] for p in (args.new, args.old))
                ratios = [a / b for a, b in zip(new, old)]
                low, high = interval(ratios)
                print(f"| {model} | {weights} | {part} | {statistics.median(new):.1f} | {statistics.median(old):.1f} "
                      f"| {statistics.median(ratios):.3f} | {low:.3f} to {high:.3f} |", flush=True)


main()
