#!/usr/bin/env python3
"""Writes tests/python/harness.json: what lm-evaluation-harness's Hugging Face class says of records of our own.

    tests/bench/lm_eval/record.py MODEL OUT

The records are drawn with a seed from sentences of the bundled model's kind, a few for every task of tasks.py, with what
is special among them: an empty context, white space at a context's end, text beyond the context, one-token
continuations. Needs lm_eval, torch, transformers, accelerate; in float32 on the CPU.
"""

import json
import os
import pathlib
import random
import sys
import tempfile

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import lm_eval
import torch
import transformers
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager

import tasks

NAMES = ("Lily", "Tom", "Mia", "Ben", "Sue", "Max")
THINGS = ("ball", "kite", "red car", "big box", "cake", "little boat", "shiny stone", "hat")
PLACES = ("park", "garden", "house", "lake", "forest", "school")
MOODS = ("happy", "sad", "scared", "proud", "tired", "excited")


def sentence(r):
    a, b = r.sample(NAMES, 2)
    return r.choice(
        (
            f"{a} went to the {r.choice(PLACES)} with her mom.",
            f"{a} had a {r.choice(THINGS)} and loved to play with it.",
            f"One day, {a} saw a {r.choice(THINGS)} near the {r.choice(PLACES)}.",
            f'"Can I have the {r.choice(THINGS)}?" asked {a}.',
            f"{a} and {b} were very {r.choice(MOODS)}.",
        )
    )


def story(r, n):
    return " ".join(sentence(r) for _ in range(n))


def choice(r, texts, n=4, **fields):
    return {**fields, "choices": r.sample(texts, n), "label": r.randrange(n)}


def records(r, n=4):
    things = [f"a {t}" for t in THINGS]
    for name in ("sciq", "piqa", "arc_easy", "arc_challenge", "hellaswag", "logiqa"):
        sizes = {"piqa": 2, "arc_challenge": 5}
        texts = [sentence(r) for _ in range(12)] if name in ("piqa", "hellaswag") else things
        if name == "arc_easy":
            texts = list(MOODS)  # of one token each, most of them
        fields = {
            "support": lambda i: story(r, i),
            "question": lambda i: f"What did {r.choice(NAMES)} see at the {r.choice(PLACES)}?",
            "goal": lambda i: f"How can {r.choice(NAMES)} find the {r.choice(THINGS)}",
            "query": lambda i: story(r, 2),
            "context": lambda i: story(r, 60 if i == 1 else 4),
        }
        used = {k: f for k, f in fields.items() if k in tasks.CONTEXTS[name]}
        yield name, [
            choice(r, list(dict.fromkeys(texts)), sizes.get(name, 4), **{k: f(i) for k, f in used.items()})
            for i in range(n)
        ]
    yield "lambada_openai", [{"text": story(r, 3).rstrip(".")} for _ in range(2 * n)]
    yield "winogrande", [
        {"sentence": f"{a} gave {b} the {t} because _ was {m}.", "choices": [a, b], "label": r.randrange(2)}
        for a, b, t, m in ((*r.sample(NAMES, 2), r.choice(THINGS), r.choice(MOODS)) for _ in range(n))
    ]
    yield "triviaqa", [
        {"question": f"{story(r, 2)} Where was {r.choice(NAMES)}?", "aliases": r.sample(PLACES, 3)} for _ in range(n)
    ]
    yield "rolling", [{"text": story(r, k)} for k in (1, 5, 110)]


def instances():
    """Requests that no task makes."""
    pairs = [("", "Once upon a time"), ("", "<|endoftext|>Once upon"), ("Once upon a  ", "time"), ("One day,\n", "Tom")]
    return {
        "loglikelihood": [Instance("loglikelihood", {}, pair, i) for i, pair in enumerate(pairs)],
        "loglikelihood_rolling": [Instance("loglikelihood_rolling", {}, ("Lily ran.",), 0)],
        "generate_until": [
            Instance("generate_until", {}, (text, {"until": until, "max_gen_toks": 24, "do_sample": False}), i)
            for i, (text, until) in enumerate(
                [("Once upon a time", ["\n\n"]), ("Tom and Lily", [" the", "."]), ("<|endoftext|>One day", [])]
            )
        ],
    }


def encoded(lm, kind, args):
    if kind != "loglikelihood":
        return lm.tok_encode(args[0])
    context, continuation = args
    if context:
        return list(lm._encode_pair(context, continuation))
    ids = lm.tok_encode(continuation, add_special_tokens=False)
    return [ids[:1], ids[1:]] if ids[0] == lm.prefix_token_id else [[lm.prefix_token_id], ids]


def recorded(lm, task, kind, args, answer):
    return {"task": task, "kind": kind, "args": list(args), "ids": encoded(lm, kind, args), "answer": answer}


def main(model, out):
    torch.manual_seed(0)
    lm = HFLM(model, device="cpu", dtype="float32", batch_size=1)
    found = []
    for kind, requests in instances().items():
        for request, answer in zip(requests, getattr(lm, kind)(requests)):
            found.append(recorded(lm, "", kind, request.args, answer))
    with tempfile.TemporaryDirectory() as folder:
        for name, rows in records(random.Random(14)):
            text = "".join(json.dumps(row) + "\n" for row in rows)
            (pathlib.Path(folder) / f"{name}.jsonl").write_text(text, encoding="utf-8")
        for name, task in zip(tasks.NAMES, tasks.tasks(folder)):
            result = lm_eval.evaluate(lm, TaskManager(include_defaults=False).load([task]), bootstrap_iters=0)
            kind = task["output_type"].replace("multiple_choice", "loglikelihood")
            (samples,) = result["samples"].values()
            for sample in samples:
                for args, answer in zip(sample["arguments"], sample["resps"], strict=True):
                    found.append(recorded(lm, name, kind, args, answer[0]))
    versions = {p.__name__: p.__version__ for p in (lm_eval, torch, transformers)}
    head = {"versions": versions, "prefix": lm.prefix_token_id, "max_length": lm.max_length}
    lines = ",\n".join(json.dumps(r, ensure_ascii=False, separators=(",", ":")) for r in found)
    text = f'{json.dumps(head)[:-1]},\n"requests": [\n{lines}\n]}}\n'
    pathlib.Path(out).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
