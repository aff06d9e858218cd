"""What transformers' users know: batches equal single rows, tensors of torch go in and out, torch is not loaded."""

import importlib
import sys
import types
import unittest
from typing import Any

import numpy as np
import numpy.typing as npt
import weft

from common import STORY, TINY, python


class Tensor:
    """As much of a torch tensor as is asked for, where torch is not installed."""

    device = "cpu"

    def __init__(self, array: npt.NDArray[Any]) -> None:
        self.array = array

    def detach(self) -> Any:
        return self

    cpu = detach

    def to(self, device: str) -> Any:
        assert device == "cpu"
        return self

    def numpy(self) -> npt.NDArray[Any]:
        return self.array


Tensor.__module__ = "torch"


def torch_or_stand_in() -> Any:
    try:
        return importlib.import_module("torch")
    except ImportError:
        return types.SimpleNamespace(from_numpy=Tensor, Tensor=Tensor)


class Auto(unittest.TestCase):
    model: weft.CausalLM
    tokenizer: weft.PretrainedTokenizer

    @classmethod
    def setUpClass(cls) -> None:
        cls.model = weft.AutoModelForCausalLM.from_pretrained(TINY, device="cpu,threads=1", deterministic=True)
        cls.tokenizer = weft.AutoTokenizer.from_pretrained(TINY)

    def test_logits(self) -> None:
        wanted = weft.Model(TINY).session("cpu,threads=1", deterministic=True).logits(STORY, all=True)
        self.assertEqual(self.model(np.array([STORY])).logits.tobytes(), wanted.tobytes())
        both = self.model([[0, 0, *STORY], [1, 2, 3, 4, 5, 6]], attention_mask=[[0, 0, 1, 1, 1, 1], [1] * 6]).logits
        self.assertEqual(both.shape, (2, 6, 4096))
        self.assertEqual(both[0, 2:].tobytes(), wanted.tobytes())
        self.assertFalse(both[0, :2].any())

    def test_rows_of_a_batch_are_those_alone(self) -> None:
        texts = ["Once upon a time", "Tom had", "The little dog was very"]
        ways: list[dict[str, Any]] = [{}]
        ways += [{"do_sample": True, "temperature": 0.8, "top_k": 20, "top_p": 0.9, "repetition_penalty": 1.1}]
        for how in ways:
            inputs = self.tokenizer(texts, padding=True, return_tensors="np")
            batch = self.model.generate(**inputs, max_new_tokens=9, pad_token_id=0, **how)
            self.assertEqual(batch.shape, (3, inputs["input_ids"].shape[1] + 9))
            for i, text in enumerate(texts):
                alone = self.model.generate(np.array([self.tokenizer.encode(text)]), max_new_tokens=9, seed=i, **how)
                self.assertEqual(batch[i, -9:].tolist(), alone[0, -9:].tolist())

    def test_ends(self) -> None:
        new = self.model.generate(np.array([STORY, [9, 9, 9, 9]]), max_new_tokens=12, eos_token_id=13, pad_token_id=7)
        self.assertEqual(new[0, 4:7].tolist(), [13, 7, 7])
        self.assertEqual(self.model.generate([STORY], max_new_tokens=0).tolist(), [STORY])
        short = [STORY, [9, 9, 9, 9]]
        pad = self.model.generate(short, max_new_tokens=12, eos_token_id=13)[0, 5:7].tolist()
        self.assertEqual(pad, [1, 1])  # generation_config.json's
        out = self.model.generate(np.array([STORY]), max_new_tokens=600)
        self.assertLessEqual(out.shape[1], 513)  # the context's end

    def test_torch(self) -> None:
        torch = sys.modules["torch"] = torch_or_stand_in()
        try:
            ids = torch.from_numpy(np.array([STORY]))
            out = self.model.generate(ids, max_new_tokens=2)
            self.assertIsInstance(out, torch.Tensor)
            self.assertEqual(out.numpy().tolist(), self.model.generate([STORY], max_new_tokens=2).tolist())
            self.assertIsInstance(self.model(ids).logits, torch.Tensor)
            self.assertIsInstance(self.tokenizer("Once", return_tensors="pt")["input_ids"], torch.Tensor)
        finally:
            del sys.modules["torch"]
        with self.assertRaises(weft.InvalidError):
            self.tokenizer("Once", return_tensors="pt")
        status, printed = python("import weft, sys; print([m for m in ('torch', 'transformers') if m in sys.modules])")
        self.assertEqual((status, printed.strip()), (0, "[]"))

    def test_tokenizer(self) -> None:
        t = self.tokenizer
        self.assertEqual(t.encode("Once upon a time"), STORY)
        self.assertEqual(t.decode(np.array(STORY)), "Once upon a time")
        self.assertEqual(t.convert_tokens_to_ids([token or "" for token in t.convert_ids_to_tokens(STORY)]), STORY)
        self.assertEqual((t.eos_token, t.pad_token, t.pad_token_id), ("<|endoftext|>", "<|padding|>", 1))
        t.pad_token = t.eos_token
        self.assertEqual(t.pad_token_id, 0)
        with self.assertRaisesRegex(weft.InvalidError, "no such"):
            t.pad_token = "no such token"
        padded = t(["Once upon a time", "Once"], padding=True)
        self.assertEqual(padded["attention_mask"], [[1, 1, 1, 1], [0, 0, 0, 1]])
        self.assertEqual(t("Once upon a time", truncation=True, max_length=2)["input_ids"], STORY[:2])

    def test_refused(self) -> None:
        for wrong in (
            lambda: self.model(np.zeros((1, 2))),
            lambda: self.model([[1]], attention_mask=[[0]]),
            lambda: self.model([[1, 2]], attention_mask=[[1]]),
            lambda: self.model([[4096]]),
            lambda: self.tokenizer(["a", "b b b"], return_tensors="np"),
        ):
            with self.assertRaises(weft.InvalidError):
                wrong()
        with self.assertRaises(weft.LimitError):
            self.model(np.ones((1, 513), int))


if __name__ == "__main__":
    unittest.main()
