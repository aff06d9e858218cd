"""Every object made and ended many times leaves the process as large as it was.

Each has a share of 10,000 rounds that takes half a second; WEFT_TEST_ROUNDS=10000 gives that many to each, and prints a
table.
"""

import asyncio
import gc
import os
import resource
import time
import unittest
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import weft

from common import TINY

ROUNDS = int(os.environ.get("WEFT_TEST_ROUNDS", "0"))
GROWN = 1 << 18  # bytes that the second half of the rounds may add: by 10,000 a leak of 50 bytes is found


def resident() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def bigram(g: weft.Graph, config: weft.Config, inputs: weft.ModelInputs) -> None:
    """A model of four tokens."""
    g.output(g.weight("f32", (4, 4), "w").gather(inputs.tokens).gather(inputs.rows), "logits")


def broken(g: weft.Graph, config: weft.Config, inputs: weft.ModelInputs) -> None:
    raise KeyError("mine")


class Rounds(unittest.TestCase):
    device: weft.Device
    model: weft.Model
    small: weft.Model
    tokenizer: weft.Tokenizer
    weights: weft.Weights
    session: weft.Session
    graph: weft.Graph
    program: weft.Program
    w: dict[str, npt.NDArray[np.float32]]
    x: npt.NDArray[np.float32]

    @classmethod
    def setUpClass(cls) -> None:
        cls.w = {"w": np.eye(4, dtype=np.float32)}
        cls.device, cls.model, cls.tokenizer = weft.Device("cpu,threads=1"), weft.Model(TINY), weft.Tokenizer(TINY)
        cls.weights, cls.small = weft.Weights(cls.model), weft.Model(None, graph=bigram, weights=cls.w, context=16)
        cls.session, cls.graph = cls.small.session(cls.device), cls.add_one()
        cls.program, cls.x = weft.Program(cls.graph, cls.device), np.ones((3, 4), np.float32)

    @staticmethod
    def add_one() -> weft.Graph:
        g = weft.Graph()
        g.output(g.input("f32", (3, 4), "x").gelu() + 1, "y")
        g.seal()
        return g

    def rounds(self, make: Callable[[], object], share: int) -> None:
        """No trend: what the second half adds is next to nothing."""
        n = (ROUNDS or share) // 2
        begin = time.perf_counter()
        for _ in range(n):
            make()
        gc.collect()
        half = resident()
        for _ in range(n):
            make()
        gc.collect()
        grown = resident() - half
        if ROUNDS:
            print(f"| {self._testMethodName[5:]} | {2 * n} | {grown >> 10} KiB | {time.perf_counter() - begin:.0f} s |")
        self.assertLess(grown, GROWN)

    def test_device(self) -> None:
        self.rounds(lambda: weft.Device("cpu,threads=2").info, 3000)

    def test_model(self) -> None:
        self.rounds(lambda: weft.Model(TINY).n_layer, 300)

    def test_model_in_python(self) -> None:
        self.rounds(lambda: weft.Model(None, graph=bigram, weights=self.w, context=16), 1500)

    def test_tokenizer(self) -> None:
        self.rounds(lambda: weft.Tokenizer(TINY).encode("Once upon"), 60)

    def test_token_stream(self) -> None:
        self.rounds(lambda: self.tokenizer.stream(stop=["x"]).push(424), 5000)

    def test_ids(self) -> None:
        self.rounds(lambda: self.tokenizer.decode(self.tokenizer.encode("Once upon")), 5000)

    def test_checkpoint(self) -> None:
        self.rounds(lambda: weft.Checkpoint(TINY)["embed_out.weight"].numpy(), 800)

    def test_weights(self) -> None:
        self.rounds(lambda: (weft.Weights(self.model), weft.Weights(self.w)), 4000)

    def test_plan(self) -> None:
        self.rounds(lambda: weft.SessionPlan(self.model, self.device, context=64), 100)

    def test_session(self) -> None:
        self.rounds(lambda: self.model.session(self.device, context=64, weights=self.weights).logits([13]), 60)

    def test_small_session(self) -> None:
        self.rounds(lambda: self.small.session(self.device).logits([1, 2]), 400)

    def test_generation(self) -> None:
        def make() -> None:
            self.session.truncate(0)
            next(self.session.generate([1], max_tokens=3))

        self.rounds(make, 1200)

    def test_async_generation(self) -> None:
        async def read() -> None:
            async for _ in self.session.generate([1], max_tokens=2):
                pass

        def make() -> None:
            self.session.truncate(0)
            loop.run_until_complete(read())

        loop = asyncio.new_event_loop()
        self.addCleanup(loop.close)
        self.rounds(make, 500)

    def test_async_generation_cancelled(self) -> None:
        async def cancelled() -> None:
            task = asyncio.ensure_future(self.session.generate([1], max_tokens=0).__anext__())
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        def make() -> None:
            self.session.truncate(0)
            loop.run_until_complete(cancelled())

        loop = asyncio.new_event_loop()
        self.addCleanup(loop.close)
        self.rounds(make, 500)

    def test_graph(self) -> None:
        self.rounds(lambda: str(self.add_one()), 2000)

    def test_program(self) -> None:
        self.rounds(lambda: weft.Program(self.graph, self.device).run(x=self.x), 700)

    def test_profile(self) -> None:
        self.rounds(lambda: self.program.profile(lambda: self.program.run(x=self.x), 1).nodes, 600)

    def test_sampler(self) -> None:
        how = weft.Sampling(temperature=1.0, steps=[lambda candidates, history: None])
        row = np.ones(8, np.float32)
        self.rounds(lambda: weft.Sampler(how, 8).pick(row), 4000)

    def test_grammar(self) -> None:
        text = 'root ::= "a" | "b"'
        self.rounds(lambda: weft.Grammar(self.model, text)._matcher(self.model).must_end, 3000)

    def test_token_trie(self) -> None:
        self.rounds(lambda: weft.grammar.TokenTrie(self.model), 100)

    def test_failures(self) -> None:
        failures: list[tuple[Callable[[], object], type[Exception]]] = [
            (lambda: weft.Model(None, graph=broken, context=16), KeyError),
            (lambda: weft.Model("nothing here"), weft.NotFoundError),
            (lambda: self.session.logits([9]), weft.InvalidError),
            (lambda: weft.Grammar(self.model, "root"), weft.InvalidError),
            (lambda: self.add_one().parse("nonsense"), weft.FormatError),
        ]

        def make() -> None:
            for wrong, kind in failures:
                try:
                    wrong()
                except kind:
                    pass

        self.rounds(make, 800)


if __name__ == "__main__":
    unittest.main()
