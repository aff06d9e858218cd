#!/usr/bin/env python3
"""lm-evaluation-harness by Weft and by its own Hugging Face class (torch), item for item, in float32.

    tests/bench/lm_eval/compare.py DATA MODEL [--tasks T...] [--limit N] [--batch-size N] [--hf-batch-size N]
                                   [--threads N] [--device D] [--rounds N] [--list]

DATA is a folder of JSON lines (tasks.py), MODEL a Hugging Face folder. A line per task: requests, the largest relative
difference of a log-likelihood, how many are above 1e-3, how many requests differ in what is greedy or in the text, how
many documents in a metric, the metrics of both, and seconds of both (the smallest of the rounds, model loaded, with all
that the harness does itself). --list prints every difference. PYTHONPATH must have the package weft; needs lm_eval,
torch, transformers, accelerate.
"""

import argparse
import logging
import os
import sys
import time

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import lm_eval
import torch
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager

import tasks
from weft.lm_eval import WeftLM

MANAGER = TaskManager(include_defaults=False)


def evaluate(lm, task):
    begin = time.perf_counter()
    found = lm_eval.evaluate(lm, MANAGER.load([task]), bootstrap_iters=0)
    return found, time.perf_counter() - begin


def numbers(response):
    """(log-likelihood, the rest) of a request's answer."""
    if isinstance(response, (tuple, list)):
        return float(response[0]), response[1]
    return (0.0, response) if isinstance(response, str) else (float(response), None)


def differences(ours, theirs):
    """Of each pair of requests (relative difference, whether the rest differs); of each document whether a metric
    differs, but for those that are log-likelihoods themselves."""
    requests, documents = [], []
    for a, b in zip(ours, theirs, strict=True):
        for x, y in zip(a["resps"], b["resps"], strict=True):
            (p, rest), (q, other) = numbers(x[0]), numbers(y[0])
            requests.append((abs(p - q) / abs(q) if p != q else 0.0, rest != other, x[0], y[0]))
        documents.append(any(a[m] != b[m] for m in a["metrics"] if "perplexity" not in m and "bits" not in m))
    return requests, documents


def metrics(found):
    (values,) = found["results"].values()
    pairs = [(key.split(",")[0], v) for key, v in values.items() if isinstance(v, float) and "stderr" not in key]
    return ", ".join(f"{key} {value:.6g}" for key, value in pairs)


def compare(name, task, ours, theirs, rounds, listing):
    runs = [(evaluate(ours, task), evaluate(theirs, task)) for _ in range(rounds)]
    (mine, _), (his, _) = runs[0]
    seconds = [min(run[i][1] for run in runs) for i in range(2)]
    requests, documents = differences(*(next(iter(f["samples"].values())) for f in (mine, his)))
    worst = max(r[0] for r in requests)
    above, rest = sum(r[0] > 1e-3 for r in requests), sum(r[1] for r in requests)
    print(
        f"| {name} | {len(documents)} | {len(requests)} | {worst:.1e} | {above} | {rest} | {sum(documents)} "
        f"| {metrics(mine)} | {metrics(his)} | {seconds[0]:.1f} | {seconds[1]:.1f} | {seconds[1] / seconds[0]:.2f} |",
        flush=True,
    )
    for i, (relative, other, x, y) in enumerate(requests):
        if listing and (relative > 1e-3 or other):
            print(f"  {name}, request {i}: {x!r}, Hugging Face {y!r}")
    return seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("model")
    parser.add_argument("--tasks", nargs="+", default=tasks.NAMES)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--batch-size", default="auto")
    parser.add_argument("--hf-batch-size", type=int, default=8)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--list", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    logging.disable(logging.WARNING)
    device = args.device if args.device != "cpu" else f"cpu,threads={args.threads}"
    ours = WeftLM(args.model, device=device, dtype="float32", batch_size=args.batch_size)
    theirs = HFLM(args.model, device="cpu", dtype="float32", batch_size=args.hf_batch_size)
    print(
        "| task | items | requests | worst difference | above 1e-3 | other text or greedy | other metric "
        "| Weft | Hugging Face | Weft, s | Hugging Face, s | ratio |\n" + "|---" * 12 + "|"
    )
    total = [0.0, 0.0]
    for name, task in zip(args.tasks, tasks.tasks(args.data, args.tasks, args.limit)):
        seconds = compare(name, task, ours, theirs, args.rounds, args.list)
        total = [a + b for a, b in zip(total, seconds)]
    print(f"together: Weft {total[0]:.1f} s, Hugging Face {total[1]:.1f} s, ratio {total[1] / total[0]:.2f}")


if __name__ == "__main__":
    sys.exit(main())
