"""tools/predict and tools/compare-predicted: what is committed is what they print; what differs is named.

usage: test_predict.py ROOT"""
import json
import math
import os
import subprocess
import sys
import tempfile
import unittest

ROOT = sys.argv[1]


def run(tool, *arguments):
    return subprocess.run([sys.executable, os.path.join(ROOT, "tools", tool), *arguments], capture_output=True, text=True, timeout=120)


def page(name):
    with open(os.path.join(ROOT, "docs", "benchmarks", name), encoding="utf-8") as f:
        return f.read()


class Predict(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.predicted = json.loads(run("predict", "--json").stdout)
        cls.cards = json.loads(page("cards.json"))

    def test_pages_are_what_it_prints(self):
        """After a change of the constants or counts: tools/predict > docs/benchmarks/predicted.md, and the table in cards.md."""
        self.assertIn(run("predict", "--peers").stdout.strip(), page("cards.md"))
        self.assertEqual(run("predict").stdout, page("predicted.md"))

    def test_nothing_beyond_physics(self):
        cards = {c["name"]: c for c in self.cards["cards"]}
        self.assertEqual({p["card"] for p in self.predicted}, set(cards))
        for p in self.predicted:
            card = cards[p["card"]]
            for k in p["kernels"]:
                self.assertLess(k["gb_per_second"], card["bandwidth"])
                self.assertLess(k["tflops"], max(card["matrix"], card["f32"]))
            for m in p["models"]:
                speeds = [x["decode_tokens_per_second"] for x in m["lengths"]]
                self.assertEqual(speeds, sorted(speeds, reverse=True))

    def test_every_source_is_named(self):
        for c in self.cards["cards"] + self.cards["peers"]:
            self.assertIn("https://", self.cards["sources"][c["source"]])

    def compare(self, change, *arguments):
        p = [p for p in self.predicted if p["card"] == "RTX 4090"][-1]
        report = {"format": "weft-report", "version": 1, "device": {"model": "NVIDIA GeForce RTX 4090"},
                  "kernels": [dict(k) for k in p["kernels"]],
                  "models": [dict(m, lengths=[dict(x) for x in m["lengths"]]) for m in p["models"]]}
        change(report)
        with tempfile.NamedTemporaryFile("w", suffix=".json") as f:
            json.dump(report, f)
            f.flush()
            return run("compare-predicted", f.name, *arguments)

    def test_what_is_as_predicted(self):
        done = self.compare(lambda r: None)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("0 differ", done.stdout)
        self.assertNotIn("|", done.stdout)

    def test_what_differs_is_named(self):
        def change(r):
            r["kernels"][0]["gb_per_second"] *= 0.7
            r["kernels"][1] = {"type": "f16", "rows": 1, "columns": 1, "tokens": 8, "left_out": "no time"}
            r["models"][0]["lengths"][1]["decode_tokens_per_second"] *= 1.3
            r["models"][0]["lengths"][2] = {"tokens": 65536, "left_out": "no time"}
        done = self.compare(change)
        self.assertIn(" 2 differ", done.stdout)
        self.assertIn("| 70 % |", done.stdout)
        self.assertIn("llama 8M q4_0, decode at 16384", done.stdout)

    def test_other_shapes_are_not_compared(self):
        done = self.compare(lambda r: [k.update(rows=8192, tflops=1e9, gb_per_second=1e9) for k in r["kernels"]])
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(" 0 differ", done.stdout)

    def test_what_it_refuses(self):
        for change, arguments, text in ((lambda r: r["device"].update(model="llvmpipe"), (), "nothing is predicted"),
                                        (lambda r: r.update(version=2), (), "no report"),
                                        (lambda r: r.pop("device"), (), "what the device is"),
                                        (lambda r: r.update(kernels=3), (), "expected a list"),
                                        (lambda r: r["kernels"][0].update(gb_per_second=math.nan), (), "no measurement"),
                                        (lambda r: r["kernels"][0].pop("gb_per_second"), (), "a number is missing"),
                                        (lambda r: None, ("--state", "tomorrow"), "expected one of")):
            done = self.compare(change, *arguments)
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            self.assertIn(text, done.stderr)


unittest.main(argv=sys.argv[:1], verbosity=0)
