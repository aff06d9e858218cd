"""Scores against those of lm-evaluation-harness's Hugging Face class, which tests/bench/lm_eval/record.py has written
down; and the class for the harness against them."""

import json
import random
import unittest
import unittest.mock
from typing import Any

import numpy as np
import weft
from weft import scoring

from common import ROOT, TINY
from harness import RECORD, asked, harness_class, recorded


def scorer(**options):
    plan = scoring.scoring_plan(weft.Model(TINY), "cpu", dtype="f32", exact=True, **options)
    return scoring.Scorer(plan)


class Recorded(unittest.TestCase):
    scorer: scoring.Scorer
    encode: Any  # the tokenizer's

    @classmethod
    def setUpClass(cls) -> None:
        cls.scorer = scorer()
        cls.encode = cls.scorer.session.model.tokenizer.encode

    def near(self, ours, theirs, name):
        self.assertLessEqual(abs(ours - theirs), 2e-5 * max(1.0, abs(theirs)), name)

    def test_continuations(self) -> None:
        requests = recorded("loglikelihood")
        self.assertGreater(len(requests), 100)
        scores = self.scorer.loglikelihoods([r["ids"] for r in requests])
        for r, score in zip(requests, scores):
            self.near(score.logprob, r["answer"][0], r["args"])
            self.assertEqual(score.greedy, r["answer"][1], r["args"])
        self.assertEqual({r["answer"][1] for r in requests}, {True, False})
        longest = max(len(context) + len(continuation) for context, continuation in (r["ids"] for r in requests))
        self.assertGreater(longest, self.scorer.max_length + 1)

    def test_whole_texts(self) -> None:
        requests = recorded("loglikelihood_rolling")
        told: list[int] = []
        sums = self.scorer.rolling([r["ids"] for r in requests], RECORD["prefix"], told.append)
        for r, total in zip(requests, sums):
            self.near(total, r["answer"], r["args"])
        self.assertGreater(max(len(r["ids"]) for r in requests), 2 * self.scorer.max_length)
        self.assertGreater(sum(told), len(requests))

    def test_generated_texts(self) -> None:
        requests = recorded("generate_until")
        by_options: dict[str, list[Any]] = {}
        for r in requests:
            by_options.setdefault(json.dumps(r["args"][1]), []).append(r)
        for group in by_options.values():
            options = group[0]["args"][1]
            n = options.get("max_gen_toks", 256)
            prompts = [r["ids"][n - self.scorer.max_length :] for r in group]
            stop = [*(s for s in options["until"] if s != "<|endoftext|>"), "<|endoftext|>"]
            for r, text in zip(group, self.scorer.generate(prompts, n, stop)):
                self.assertEqual(text.text, r["answer"], r["args"])

    def test_ids(self) -> None:
        for r in recorded("loglikelihood_rolling"):
            self.assertEqual(self.encode(r["args"][0]).tolist(), r["ids"])

    def test_the_class(self) -> None:
        lm = harness_class()(str(TINY), dtype="float32", batch_size=8)
        for kind in ("loglikelihood", "loglikelihood_rolling", "generate_until"):
            requests = recorded(kind)
            for r, answer in zip(requests, getattr(lm, kind)(asked(requests), disable_tqdm=True)):
                if kind == "generate_until":
                    self.assertEqual(answer, r["answer"])
                else:
                    ours, theirs = (a if isinstance(a, (list, tuple)) else (a, None) for a in (answer, r["answer"]))
                    self.near(ours[0], theirs[0], r["args"])
                    self.assertEqual(ours[1], theirs[1])


class Arguments(unittest.TestCase):
    """What --model_args says of the device, and how that and the harness's own options meet."""

    def made(self, text, **options):
        opened = []

        def open_all(specs):
            opened.append(specs)
            return [weft.Device("cpu,threads=1")]

        with unittest.mock.patch.object(weft.Device, "open_all", open_all):
            harness_class().create_from_arg_string(f"pretrained={TINY}{text}", options)
        return opened[0]

    def test_devices(self) -> None:
        cases: list[tuple[str, dict[str, Any], str]] = [
            ("", {"device": "cuda:0", "batch_size": 1}, "cpu"),
            (",dtype=float32", {"device": None}, "cpu"),
            (",device=vulkan,dtype=float32", {}, "vulkan"),
            (",device=vulkan:1", {"device": "cuda:0"}, "vulkan:1"),
            ("", {"device": "vulkan"}, "vulkan"),
            (",device=cpu,threads=3", {}, "cpu,threads=3"),
            (",threads=3", {"device": "vulkan:0,cache=x,cpu"}, "vulkan:0,cache=x,cpu,threads=3"),
            (",threads=3", {"device": "cpu,threads=2"}, "cpu,threads=2"),
        ]
        for text, options, spec in cases:
            self.assertEqual(self.made(text, **options), spec)

    def test_devices_that_are_not_there(self) -> None:
        with self.assertWarnsRegex(RuntimeWarning, "vulkan:63 is left out"):
            lm = harness_class()(str(TINY), device="vulkan:63,cpu,threads=1", batch_size=1)
        self.assertEqual(lm.scorer.max_length, 512)
        for spec, kind in (("vulkan:63", weft.WeftError), ("cuda", weft.NotFoundError), ("", weft.NotFoundError)):
            with self.assertRaises(kind):
                weft.Device.open_all(spec)
        with self.assertRaisesRegex(weft.InvalidError, "nonsense"):
            weft.Device.open_all("cpu,nonsense=1,null")


class Batches(unittest.TestCase):
    plain: weft.Session

    """However texts share beginnings and fall into batches: the scores are those of each by itself."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.plain = weft.Model(TINY).session("cpu", dtype="f32", exact=True)

    def alone(self, context, continuation):
        self.plain.truncate(0)
        tokens = [*context, *continuation][-self.plain.context - 1 :]
        rows = self.plain.logits(tokens[:-1], all=True)[-len(continuation) :].astype(np.float64)
        logprobs = rows - np.log(np.exp(rows).sum(axis=1, keepdims=True))
        best = rows.argmax(axis=1) == continuation
        return float(logprobs[np.arange(len(continuation)), continuation].sum()), bool(best.all())

    def test_batches(self) -> None:
        r = random.Random(3)

        def ids(n):
            return [r.randrange(4096) for _ in range(n)]

        shots, pairs = ids(70), []
        for _ in range(4):
            context = shots + ids(r.choice((1, 15, 40)))
            pairs += [(context, ids(r.choice((1, 2, 20)))) for _ in range(3)]
        pairs += [(shots[:30], shots[30:60]), (shots[:30], shots[30:61]), (shots[:5], ids(3)), (ids(600), ids(9))]
        pairs += [pairs[0], (pairs[1][0] + pairs[1][1][:-1], pairs[1][1][-1:])] if len(pairs[1][1]) > 1 else [pairs[0]]
        r.shuffle(pairs)
        expected = [self.alone(*pair) for pair in pairs]
        ways: list[dict[str, int]] = [{}, {"sequences": 1, "cells": 512}, {"sequences": 5, "cells": 512}]
        for options in ways:
            scores = scorer(**options).loglikelihoods(pairs)
            for (logprob, greedy), score in zip(expected, scores):
                self.assertLessEqual(abs(score.logprob - logprob), 1e-5 * abs(logprob), options)
                self.assertEqual(score.greedy, greedy)

    def test_what_is_shared_is_run_once(self) -> None:
        s, ran = scorer(), list[int]()
        evaluate = s.session.eval

        def counted(ids, *rest):
            ran.append(len(ids))
            return evaluate(ids, *rest)

        setattr(s.session, "eval", counted)
        context = list(range(100, 200))
        s.loglikelihoods([(context, [i]) for i in range(4)])
        self.assertEqual(sum(ran), 100)
        ran.clear()
        s.loglikelihoods([(context, [i, 7]) for i in range(100)])  # more than one batch of 64 sequences
        self.assertEqual(sum(ran), 100 + 100 + 1)  # the second batch asks once more what follows the context

    def test_generation_in_few_places(self) -> None:
        encode = weft.Model(TINY).tokenizer.encode
        prompts = [encode(f"{a} {b}") for a in ("Once upon a time", "One day,") for b in ("Tom", "Lily", "the dog")]
        texts = [scorer(sequences=n).generate(prompts, 20, ["."]) for n in (64, 1, 2)]
        self.assertEqual(texts[0], texts[1])
        self.assertEqual(texts[0], texts[2])
        drawn = scorer(sequences=2).generate(prompts, 5, [], weft.Sampling(temperature=1.0))
        self.assertEqual(drawn, scorer().generate(prompts, 5, [], weft.Sampling(temperature=1.0)))
        self.assertNotEqual(drawn, scorer().generate(prompts, 5))


class Small(unittest.TestCase):
    def test_windows(self) -> None:
        text = list(range(1, 11))
        self.assertEqual(
            list(scoring.windows(text, 0, 4)),
            [([0], [1, 2, 3, 4]), ([4], [5, 6, 7, 8]), ([6, 7, 8], [9, 10])],
        )
        self.assertEqual(list(scoring.windows([], 0, 4)), [])
        self.assertEqual(list(scoring.windows([1, 2], 0, 4)), [([0], [1, 2])])

    def test_stop_strings(self) -> None:
        self.assertEqual(scoring.cut("one, two. three", ["", ".", ","]), "one")
        self.assertFalse(scoring.certain("no end", 6, ["."]))
        self.assertTrue(scoring.certain("an end.", 6, ["."]))
        self.assertFalse(scoring.certain("xab", 2, ["b", "abc"]))  # with a c it would end before the a

    def test_what_cannot_be(self) -> None:
        s = scorer(cells=64)
        for pair in (([], [1]), ([1], []), ([1], [2] * 513)):
            with self.assertRaises(weft.InvalidError):
                s.loglikelihoods([pair])
        with self.assertRaisesRegex(weft.LimitError, "64 cells"):
            s.loglikelihoods([([1] * 64, [2, 3])])
        with self.assertRaises(weft.InvalidError):
            s.generate([[1] * 500], 20)

    def test_a_plan_needs_no_weights(self) -> None:
        plan = scoring.scoring_plan(weft.Model(ROOT / "models/configs/gpt-neox-20b.json"))
        self.assertGreater(plan.bytes(), 39 << 30)


if __name__ == "__main__":
    unittest.main()
