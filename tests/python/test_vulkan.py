"""Vulkan from Python, on the device that WEFT_TEST_DEVICE names: listed, run, refused, and as the CPU has it."""

import os
import unittest

import numpy as np
import weft

from common import STORY, TINY
from harness import asked, harness_class, recorded

DEVICE = os.environ.get("WEFT_TEST_DEVICE", "")


@unittest.skipUnless(DEVICE, "WEFT_TEST_DEVICE names no device")
class Vulkan(unittest.TestCase):
    model: weft.Model
    device: weft.Device
    session: weft.Session

    @classmethod
    def setUpClass(cls) -> None:
        cls.model, cls.device = weft.Model(TINY), weft.Device(DEVICE)
        cls.session = cls.model.session(cls.device, context=64, sequences=2)

    def setUp(self) -> None:
        for sequence in range(2):
            self.session.truncate(0, sequence)

    def test_listed(self) -> None:
        listed = {d.spec: d for d in weft.devices("vulkan")}
        self.assertIn(DEVICE, listed)
        info = self.device.info
        self.assertEqual((info.name, info.model), ("vulkan", listed[DEVICE].model))
        self.assertEqual((info.unusable, listed[DEVICE].unusable), ("", ""))
        self.assertNotEqual((info.driver, info.type), ("", "cpu"))
        self.assertGreater(info.memory or 0, 0)
        self.assertGreaterEqual({d.spec for d in weft.devices()}, {DEVICE, "cpu", "null"})
        for spec in ("cpu", "null"):
            weft.Device(spec).close()

    def test_says_what_the_cpu_says(self) -> None:
        rows = self.session.logits(STORY, all=True)
        wanted = self.model.session("cpu").logits(STORY, all=True)
        self.assertLess(np.abs(rows - wanted).max(), 2e-2)
        self.assertEqual(rows.argmax(axis=1).tolist(), wanted.argmax(axis=1).tolist())
        story = self.session.generate("Once upon a time", 1, max_tokens=8).run()
        self.assertEqual(story.text, ", there was a little girl named Lily")

    def test_like_transformers(self) -> None:
        here, cpu = (weft.AutoModelForCausalLM.from_pretrained(TINY, device=d) for d in (DEVICE, "cpu"))
        ids, mask = np.array([STORY, [0, 0, 0, 9]]), np.array([[1, 1, 1, 1], [0, 0, 0, 1]])
        found, wanted = (m.generate(ids, mask, max_new_tokens=3).tolist() for m in (here, cpu))
        self.assertEqual(found, wanted)
        here.close()

    def test_harness(self) -> None:
        """The class for lm-evaluation-harness, by the arguments of its command line, against the recorded answers."""
        args = f"pretrained={TINY},device={DEVICE},dtype=float32,batch_size=8"
        lm = harness_class().create_from_arg_string(args)
        self.assertIn("vulkan", str(lm.scorer.session.program()))
        pairs = [r for r in recorded("loglikelihood") if len(r["ids"][0]) < 25][::9]
        answers = lm.loglikelihood(asked(pairs), disable_tqdm=True)
        self.assertGreater(len(answers), 8)
        for r, (logprob, greedy) in zip(pairs, answers):
            self.assertLess(abs(logprob - r["answer"][0]), 1e-4 * max(1, abs(r["answer"][0])), r["args"])
            self.assertEqual(greedy, r["answer"][1])
        texts = [r for r in recorded("generate_until") if "." in r["args"][1]["until"] and len(r["ids"]) < 20]
        for r, text in zip(texts, lm.generate_until(asked(texts), disable_tqdm=True)):
            self.assertEqual(text, r["answer"])

    def test_graphs(self) -> None:
        g = weft.Graph()
        n = g.extent("n", 4)
        g.output(g.input("f32", (n, 3), "x").matmul_nt(g.weight("f32", (2, 3), "w")), "y")
        g.seal()
        w = np.arange(6, dtype=np.float32).reshape(2, 3)
        with weft.Program(g, self.device, weights={"w": w}) as program:
            x = np.ones((2, 3), np.float32)
            np.testing.assert_allclose(program.run(x=x)["y"], x @ w.T, rtol=1e-5)
            self.assertIn("vulkan", str(program))
            profile = program.profile(lambda: program.run(x=x), 1)
            self.assertEqual([node.op for node in profile.nodes], ["linear"])
            self.assertEqual(program.check(), [])

    def test_refused(self) -> None:
        for spec, kind, text in (
            ("vulkan:63", weft.NotFoundError, "vulkan:63"),
            (f"{DEVICE},nonsense=1", weft.InvalidError, "nonsense"),
            (f"{DEVICE},tuning=nonsense", weft.InvalidError, "tuning"),
            (f"{DEVICE},loader=/nothing/here.so", weft.NotFoundError, "/nothing/here.so"),
        ):
            with self.assertRaisesRegex(kind, text):
                weft.Device(spec)
        with self.assertRaisesRegex(weft.NotFoundError, "cuda"):
            weft.devices("cuda")
        with self.assertRaises(weft.LimitError):
            self.model.session(f"{DEVICE},memory=1")

    def test_ends_in_any_order(self) -> None:
        device = weft.Device(DEVICE)
        session = self.model.session(device, context=64)
        device.close()
        self.assertEqual(int(session.logits(STORY).argmax()), 13)
        read, write = os.pipe()
        if not os.fork():
            try:
                session.logits([1])
            except weft.InvalidError as error:
                os.write(write, str(error).encode())
            finally:
                session.close()
                os._exit(0)
        os.close(write)
        with os.fdopen(read) as file:
            self.assertIn("before the fork", file.read())
        os.wait()
        self.assertEqual(session.logits([1]).shape, (4096,))


if __name__ == "__main__":
    unittest.main()
