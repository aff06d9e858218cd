"""Sessions, generation and tokenizers: equal to the program to the bit, and without copies."""

import asyncio
import json
import math
import os
import pathlib
import tempfile
import threading
import unittest
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import weft

from common import STORY, TINY, address, program, program_rows, raised

model = weft.Model(TINY)
LIST = 'root ::= ("- " [a-z]{2,9} "\\n"){2}\n'
TOY = {
    "type": "object",
    "properties": {"toy": {"type": "string", "maxLength": 12}, "n": {"type": "integer", "maximum": 9}},
    "required": ["toy", "n"],
    "additionalProperties": False,
}


class Logits(unittest.TestCase):
    def setUp(self) -> None:
        self.session = model.session(sequences=3)

    def test_bits_are_the_programs(self) -> None:
        rows = self.session.logits(STORY, all=True)
        self.assertEqual(rows.shape, (4, model.n_vocab))
        assert rows is not None
        self.assertEqual(rows.tobytes(), program_rows("logits", "--tokens", "424,436,260,398").tobytes())

    def test_batches_are_the_programs(self) -> None:
        ids, sequences = [1, 2, 3, 4, 5], [0, 0, 0, 1, 1]
        rows = model.session(sequences=2, context=3).eval(ids, sequences, "logits").logits
        assert rows is not None
        self.assertEqual(rows.tobytes(), program_rows("logits", "--batch", "1,2,3;4,5").tobytes())

    def test_the_library_writes_into_the_callers_array(self) -> None:
        out = np.full((4, model.n_vocab), np.nan, np.float32)
        rows = self.session.logits(STORY, all=True, out=out)
        self.assertEqual(address(rows), address(out))
        self.assertTrue(np.isfinite(out).all())
        row = out[1]
        given = self.session.logits(STORY, 1, out=row)
        self.assertEqual(address(given), address(row))
        self.assertLess(np.abs(row - out[3]).max(), 1e-3)

    def test_ids_are_read_where_they_are(self) -> None:
        ids = np.array(STORY, np.int32)
        self.assertEqual(address(weft.tokenizer.ids_of(ids)), address(ids))
        self.assertEqual(self.session.logits(np.array(STORY), 0).tobytes(), self.session.logits(ids, 1).tobytes())

    def test_kept_weights_give_the_same(self) -> None:
        wanted = self.session.logits(STORY).tobytes()
        with tempfile.TemporaryDirectory() as folder:
            for _ in range(2):
                plan = weft.SessionPlan(model, sequences=3, cache_weights=pathlib.Path(folder))
                self.assertEqual(weft.Session(plan).logits(STORY).tobytes(), wanted)
                self.assertTrue(os.listdir(folder))

    def test_what_cannot_be_is_refused(self) -> None:
        for wrong, kind in (
            (lambda: self.session.logits([]), ValueError),
            (lambda: self.session.logits([0.5]), weft.InvalidError),  # type: ignore[list-item]
            (lambda: self.session.logits([2**40]), weft.InvalidError),
            (lambda: self.session.logits([model.n_vocab]), weft.InvalidError),
            (lambda: self.session.logits([1], 3), weft.InvalidError),
            (lambda: self.session.logits([1], -1), weft.InvalidError),
            (lambda: self.session.eval([1, 2], [0.5, 1]), weft.InvalidError),  # type: ignore[list-item]
            (lambda: self.session.eval([1, 2], [0]), weft.InvalidError),
            (lambda: self.session.eval([1, 2], 0, [1, 2, 3]), weft.InvalidError),
            (lambda: self.session.generate([1], max_tokens=-1), weft.InvalidError),
            (lambda: self.session.hidden([1]), weft.InvalidError),
            (lambda: self.session.logits([1], out=np.empty(3, np.float32)), weft.InvalidError),
            (lambda: self.session.logits(np.ones(513, int)), weft.LimitError),
            (lambda: model.session(outputs="nonsense"), weft.InvalidError),
            (lambda: model.session("no such device"), weft.NotFoundError),
            (lambda: model.session(dtype="f7"), weft.InvalidError),
        ):
            with self.assertRaises(kind):
                wrong()
        self.assertEqual(self.session.length(), 0)

    def test_sequences(self) -> None:
        s = self.session
        whole = s.logits([*STORY, 13], 0)
        s.truncate(4, 0)
        s.fork(0, 1)
        self.assertEqual(s.tokens(1).tolist(), STORY)
        self.assertEqual(s.share([*STORY, 13], 2), 4)
        self.assertLess(np.abs(s.logits([13], 2) - whole).max(), 2e-2)
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "state"
            s.save(file, 1, pending=[13])
            with weft.Model(TINY).session() as other:
                self.assertEqual(other.load(file).tolist(), [13])
                self.assertEqual(other.tokens().tolist(), STORY)
            file.write_bytes(b"x" * 100)
            with self.assertRaisesRegex(weft.FormatError, str(file)):
                model.session().load(file)

    def test_checks(self) -> None:
        self.assertEqual(self.session.check(STORY), [])

    def test_deterministic(self) -> None:
        s = model.session(sequences=2, deterministic=True)
        alone = s.logits(STORY, 0)
        s.truncate(0)
        both = s.eval([*[9] * 5, *STORY], [1] * 5 + [0] * 4, [0] * 8 + [weft.WANTS["logits"]])
        assert both.logits is not None
        self.assertEqual(both.logits[0].tobytes(), alone.tobytes())


def write_adapter(folder: pathlib.Path, seed: int, width: int = 0) -> pathlib.Path:
    """One of rank 4 for the first layer's attention output, of random numbers, as PEFT writes it."""
    folder.mkdir()
    numbers, header, data = np.random.default_rng(seed), {}, b""
    width = width or model.n_embed
    for which, shape in (("A", (4, width)), ("B", (width, 4))):
        tensor = numbers.normal(0, 0.2, shape).astype("<f4").tobytes()
        name = f"base_model.model.gpt_neox.layers.0.attention.dense.lora_{which}.weight"
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + len(tensor)]}
        data += tensor
    text = json.dumps(header).encode()
    (folder / "adapter_model.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + data)
    config = {"peft_type": "LORA", "r": 4, "lora_alpha": 8, "target_modules": ["dense"]}
    (folder / "adapter_config.json").write_text(json.dumps(config))
    return folder


class Adapters(unittest.TestCase):
    folder: Any
    one: pathlib.Path
    two: pathlib.Path

    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = tempfile.TemporaryDirectory()
        cls.one = write_adapter(pathlib.Path(cls.folder.name) / "one=1x", 1)
        cls.two = write_adapter(pathlib.Path(cls.folder.name) / "two", 2)

    @classmethod
    def tearDownClass(cls) -> None:
        cls.folder.cleanup()

    def bits(self, lora: Any) -> bytes:
        return model.session(lora=lora).logits(STORY, all=True).tobytes()

    def test_bits_are_the_programs(self) -> None:
        plain, seen = self.bits(()), set()
        one, two = str(self.one), str(self.two)
        for lora in ([one], [f"{one}=0.5"], [f"{one}=-2e-1", two], [f"{two}=1", f"{two}=1"]):
            rows = program_rows("logits", "--tokens", "424,436,260,398", *(o for f in lora for o in ("--lora", f)))
            self.assertEqual(self.bits(lora), rows.tobytes())
            seen.add(self.bits(lora))
        self.assertEqual(len(seen | {plain}), 5)
        self.assertEqual(self.bits(f"{two}=0"), plain)
        self.assertEqual(self.bits(self.one), self.bits(one))

    def test_refused(self) -> None:
        folder = pathlib.Path(self.folder.name)
        with self.assertRaisesRegex(weft.NotFoundError, "none"):
            model.session(lora=[self.two, folder / "none"])
        with self.assertRaisesRegex(weft.WeftError, r"dense.lora_A.weight' is \[4, 8\]"):
            model.session(lora=write_adapter(folder / "wrong", 3, 8))

    def test_the_session_keeps_them(self) -> None:
        plan = weft.SessionPlan(model, lora=[self.two])
        session = weft.Session(plan)
        plan.close()
        self.assertEqual(session.logits(STORY, all=True).tobytes(), self.bits(self.two))


class Embedding(unittest.TestCase):
    def test_bits_are_the_programs(self) -> None:
        session = model.session(outputs="hidden")
        for pool in ("mean", "last", "none"):
            wanted = program_rows("embed", "--prompt", "a red ball", "--pool", pool)
            self.assertEqual(session.embed("a red ball", pool=pool).tobytes(), wanted.tobytes())
        self.assertEqual(session.length(), 0)
        layer = model.session(outputs="hidden", layer=2).hidden(STORY)
        wanted = program_rows("embed", "--tokens", "424,436,260,398", "--layer", "2")
        self.assertEqual(layer.tobytes(), wanted.tobytes())


class Generation(unittest.TestCase):
    def compare(self, *arguments: object, **options: Any) -> tuple[Any, list[weft.Token]]:
        wanted = json.loads(program("generate", TINY, "--prompt", "Once upon a time", "--json", *arguments))
        story = model.session().generate("Once upon a time", **options)
        tokens = list(story)
        self.assertEqual([t.id for t in tokens], wanted["tokens"])
        self.assertEqual(story.text, wanted["text"])
        self.assertEqual("".join(t.text for t in tokens), wanted["text"])
        self.assertEqual(story.stop_reason, wanted["stop_reason"])
        return wanted, tokens

    def test_equals_the_program(self) -> None:
        self.compare("--max-tokens", 24, max_tokens=24)
        self.compare("--max-tokens", 40, "--stop", "girl", max_tokens=40, stop="girl")
        self.compare(
            "--max-tokens",
            40,
            "--temperature",
            "0.8",
            "--top-k",
            "40",
            "--top-p",
            "0.9",
            "--seed",
            "7",
            "--repeat-penalty",
            "1.2",
            max_tokens=40,
            sampling=weft.Sampling(temperature=0.8, top_k=40, top_p=0.9, seed=7, repeat_penalty=1.2),
        )

    def test_samplers_like_the_program(self) -> None:
        breakers = model.tokenizer.containing("\n", ".")
        self.assertEqual(
            breakers.tolist(),
            [i for i in range(len(model.tokenizer)) if {10, 46} & set(model.tokenizer.token_bytes(i) or b"")],
        )
        self.compare(
            *("--max-tokens", 40, "--temperature", "0.9", "--seed", "3", "--typical", "0.9", "--logit-bias", "13=-inf"),
            *("--xtc-probability", "0.5", "--xtc-threshold", "0.2", "--dry-multiplier", "0.8"),
            *("--dry-allowed-length", "1", "--dry-sequence-breaker", "\n", "--dry-sequence-breaker", "."),
            *("--samplers", "logit_bias;dry;typ_p;xtc;temperature"),
            max_tokens=40,
            sampling=weft.Sampling(
                temperature=0.9,
                seed=3,
                typical_p=0.9,
                bias={13: -math.inf},
                xtc_probability=0.5,
                xtc_threshold=0.2,
                dry_multiplier=0.8,
                dry_allowed=1,
                dry_breakers=breakers.tolist(),
                order=("logit_bias", "dry", "typ_p", "xtc", "temperature"),
            ),
        )
        self.compare(
            *("--max-tokens", 30, "--temperature", "1.2", "--mirostat", "2", "--mirostat-ent", "2"),
            max_tokens=30,
            sampling=weft.Sampling(temperature=1.2, mirostat_tau=2.0),
        )
        with self.assertRaisesRegex(ValueError, "no sampling step 'top_q'"):
            weft.Sampler(weft.Sampling(order=["top_q"]), 8)

    def test_logprobs(self) -> None:
        wanted, tokens = self.compare("--max-tokens", 3, "--logprobs", 2, max_tokens=3, n_logprobs=2)
        for token, row in zip(tokens, wanted["logprobs"]):
            self.assertAlmostEqual(token.logprob, row["logprob"], places=5)
            self.assertEqual([i for i, _ in token.top], [best["token"] for best in row["top"]])

    def test_grammars_like_the_program(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            gbnf, schema = pathlib.Path(folder) / "list.gbnf", pathlib.Path(folder) / "toy.json"
            gbnf.write_text(LIST)
            schema.write_text(json.dumps(TOY))
            hot = {"sampling": weft.Sampling(temperature=1.2, seed=5), "max_tokens": 60}
            hotter = ("--temperature", "1.2", "--seed", 5, "--max-tokens", 60)
            wanted, _ = self.compare("--grammar", gbnf, grammar=LIST)
            self.assertRegex(wanted["text"], r"^(- [a-z]{2,9}\n){2}$")
            self.assertEqual(wanted["stop_reason"], "eos")
            self.compare("--grammar", gbnf, *hotter, grammar=weft.Grammar(model, LIST), **hot)
            wanted, _ = self.compare("--json-schema", schema, *hotter, json_schema=TOY, **hot)
            self.assertEqual(list(json.loads(wanted["text"])), ["toy", "n"])
            self.compare("--json-schema", schema, *hotter, json_schema=json.dumps(TOY), **hot)
            wanted, tokens = self.compare("--grammar", gbnf, "--logprobs", 2, grammar=LIST, n_logprobs=2)
            for token, row in zip(tokens, wanted["logprobs"]):  # the model's, without the grammar
                self.assertAlmostEqual(token.logprob, row["logprob"], places=5)
                self.assertEqual([i for i, _ in token.top], [best["token"] for best in row["top"]])

    def test_a_grammar_for_several_texts(self) -> None:
        session, grammar = model.session(sequences=2), weft.Grammar(model, LIST)
        both = [session.generate(STORY, sequence, grammar=grammar) for sequence in range(2)]
        grammar.close()  # who uses it goes on
        alone = session.model.session().generate(STORY, grammar=LIST).run().tokens
        for _ in alone:
            for story in both:
                next(story)
        self.assertEqual([story.tokens for story in both], [alone, alone])
        with self.assertRaisesRegex(weft.InvalidError, "closed"):
            session.generate(STORY, grammar=grammar)

    def test_grammars_that_cannot_be(self) -> None:
        session = model.session()
        cases: list[tuple[dict[str, Any], type[weft.WeftError], str]] = [
            ({"grammar": "root ::= x"}, weft.InvalidError, "grammar: line 1"),
            ({"grammar": LIST, "json_schema": TOY}, weft.InvalidError, "one grammar"),
            ({"grammar": weft.Grammar(weft.Model(TINY), LIST)}, weft.InvalidError, "another model"),
            ({"json_schema": "{"}, weft.InvalidError, "not JSON"),
            ({"json_schema": {"x": {1}}}, weft.InvalidError, "set"),
            ({"json_schema": {"not": {}}}, weft.UnsupportedError, '"not"'),
        ]
        for options, kind, text in cases:
            with self.assertRaisesRegex(kind, text):
                session.generate(STORY, **options)
        with self.assertRaisesRegex(weft.InvalidError, "mine: line 2"):
            weft.Grammar(model, "root ::= \n  (", "mine")
        with self.assertRaisesRegex(weft.InvalidError, "grammars need logits"):
            model.session(candidates=1).generate(STORY, grammar=LIST)
        self.assertEqual(session.length(), 0)

    def test_goes_on_where_it_stopped(self) -> None:
        session = model.session()
        whole = model.session().generate(STORY, max_tokens=12).run().tokens
        first = session.generate(STORY, max_tokens=5)
        for _, token in zip(range(5), first):
            pass
        self.assertEqual(session.length(), 4 + 4)
        assert first.last is not None
        second = session.generate([first.last], max_tokens=7).run()
        self.assertEqual(first.tokens + second.tokens, whole)

    def test_candidates_pick_the_same(self) -> None:
        few = model.session(candidates=1).generate(STORY, max_tokens=10).run()
        self.assertEqual(few.tokens, model.session().generate(STORY, max_tokens=10).run().tokens)
        with self.assertRaises(weft.InvalidError):
            model.session(candidates=1).generate(STORY, n_logprobs=1)

    def test_steps_in_python(self) -> None:
        def no_comma(candidates: npt.NDArray[Any], history: npt.NDArray[Any]) -> None:
            self.assertEqual(history[:4].tolist(), STORY)
            candidates["logit"][candidates["id"] == 13] = -np.inf

        story = model.session().generate(STORY, max_tokens=3, sampling=weft.Sampling(steps=[no_comma])).run()
        self.assertNotIn(13, story.tokens)

        def broken(candidates: npt.NDArray[Any], history: npt.NDArray[Any]) -> None:
            raise KeyError("mine")

        story = model.session().generate(STORY, sampling=weft.Sampling(steps=[broken]))
        error, names = raised(KeyError, story.run)
        self.assertEqual((error.args, names[0], names[-1]), (("mine",), "run", "broken"))

    def test_async(self) -> None:
        async def read(session: weft.Session, sequence: int) -> list[int]:
            return [t.id async for t in session.generate(STORY, sequence, max_tokens=6)]

        async def both() -> tuple[list[int], list[int]]:
            session = model.session(sequences=2)
            return await asyncio.gather(read(session, 0), read(session, 1))

        one, two = asyncio.run(both())
        self.assertEqual(one, two)
        self.assertEqual(one, model.session().generate(STORY, max_tokens=6).run().tokens)

    def test_async_cancelled(self) -> None:
        """A task that is cancelled ends its own step, in the middle of it or before it, and nobody else's."""
        session = weft.Session(weft.SessionPlan(model, sequences=2, max_tokens=8))
        whole = model.session().generate(STORY * 20, max_tokens=8).run().tokens

        async def read(story: weft.Generation) -> list[int]:
            return [token.id async for token in story]

        async def run(begun: Callable[[weft.Generation, weft.Generation], object]) -> tuple[int, int]:
            other = session.generate(STORY * 20, 0, max_tokens=8)
            story = session.generate([9] * 150, 1, max_tokens=0, ignore_eos=True)
            tasks = [asyncio.ensure_future(read(s)) for s in (other, story)]
            while not begun(other, story):
                await asyncio.sleep(0.001)
            tasks[1].cancel()
            with self.assertRaises(asyncio.CancelledError):
                await tasks[1]
            made = len(story.tokens)
            self.assertEqual(await tasks[0], whole)
            self.assertEqual(len(story.tokens), made)
            found = made, session.length(1)
            for sequence in range(2):
                session.truncate(0, sequence)
            return found

        def waits(other: weft.Generation, story: weft.Generation) -> object:
            return story._step and other._step and session._inside is other._step

        self.assertEqual(asyncio.run(run(waits)), (0, 0))  # in the middle of another's step
        # in the middle of its own, where the machine lets us come in time
        ends = (asyncio.run(run(lambda _, story: story._step and session._inside is story._step)) for _ in range(20))
        self.assertIn((0, 0), ends)
        self.assertLess(asyncio.run(run(lambda other, story: len(story.tokens) > 2))[0], 100)
        self.assertEqual(session.generate(STORY * 20, max_tokens=8).run().tokens, whole)

    def test_cancelled(self) -> None:
        told = []

        def progress(p: weft.Progress) -> None:
            told.append(p.what)
            if p.unit == "tokens" and p.done:
                thread = threading.Thread(target=session.cancel)
                thread.start()
                thread.join()

        session = weft.Session(weft.SessionPlan(model, max_tokens=8, progress=progress))
        with self.assertRaises(weft.CancelledError):
            session.generate(STORY * 20).run()
        self.assertEqual(session.length(), 0)
        self.assertIn("loading weights", told)


class Tokenizers(unittest.TestCase):
    def test_equals_the_program(self) -> None:
        text = "Tom's dog 🐕 ran <|endoftext|> home.\n"
        ids = model.tokenizer.encode(text)
        self.assertEqual(ids.tolist(), json.loads(program("tokenize", TINY, "--prompt", text, "--json"))["tokens"])
        self.assertEqual(model.tokenizer.decode(ids), text)
        stream = model.tokenizer.stream(keep_special=True)
        self.assertEqual("".join(map(stream.push, ids.tolist())) + stream.finish(), text)

    def test_vocabulary(self) -> None:
        tokenizer = weft.Tokenizer(TINY)
        self.assertEqual(tokenizer.find(tokenizer.token(424) or ""), 424)
        self.assertEqual(tokenizer.token_bytes(436), b" upon")
        self.assertIsNone(tokenizer.token(10**6))
        self.assertIsNone(tokenizer.find("no such token"))
        self.assertTrue(tokenizer.is_special(0))
        self.assertEqual(tokenizer.decode_bytes(tokenizer.encode(b"\xff\0")), "\ufffd\0".encode())
        with self.assertRaises(weft.FormatError):
            weft.Tokenizer.parse(b"{")
        with self.assertRaises(weft.NotFoundError):
            weft.Tokenizer(TINY / "nothing here")
        self.assertEqual(tokenizer.encode("").size, 0)


if __name__ == "__main__":
    unittest.main()
