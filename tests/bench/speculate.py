"""speculate.py WEFT MODEL [--pairs N] [--how ngram|MODEL] -- OPTIONS: what speculative decoding brings.

Runs `weft generate MODEL OPTIONS` without and with --speculate in turn, each pair with a seed of its own, and tells the
medians of the decoding speeds, the median of the pairs' ratios with the least and the greatest, and how many of the
drafted tokens were right. A ratio above 1: with drafts it is faster.
"""

import argparse
import json
import statistics
import subprocess
import sys


def run(a, options, seed, how):
    command = [a.weft, "generate", a.model, "--json", "--seed", str(seed), "--speculate", how, *options]
    r = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return (len(r["tokens"]) - 1) / r["timings"]["decode"], r.get("draft", {"tokens": 0, "accepted": 0})


def main():
    p = argparse.ArgumentParser()
    p.add_argument("weft")
    p.add_argument("model")
    p.add_argument("--pairs", type=int, default=9)
    p.add_argument("--how", default="ngram")
    at = sys.argv.index("--")
    a = p.parse_args(sys.argv[1:at])
    without, with_drafts, drafted, right = [], [], 0, 0
    for seed in range(a.pairs):
        without.append(run(a, sys.argv[at + 1:], seed, "off")[0])
        speed, draft = run(a, sys.argv[at + 1:], seed, a.how)
        with_drafts.append(speed)
        drafted += draft["tokens"]
        right += draft["accepted"]
    ratios = [b / a for a, b in zip(without, with_drafts)]
    print(f"{statistics.median(without):.1f} tokens/s without, {statistics.median(with_drafts):.1f} with: ratio "
          f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}), {right} of {drafted} right")


main()
