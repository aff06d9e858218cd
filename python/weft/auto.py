"""What transformers' users know: AutoModelForCausalLM and AutoTokenizer, with numpy arrays or torch tensors.

What comes in as a torch tensor goes out as one; torch is never imported from here.
"""

from __future__ import annotations

import json
import os
import pathlib
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .batch import WANTS
from .device import Device
from .errors import InvalidError, LimitError
from .model import Model
from .sampling import Sampler, Sampling
from .session import Session, SessionPlan
from .tokenizer import Tokenizer
from .weights import Weights

__all__ = ["AutoModelForCausalLM", "AutoTokenizer", "CausalLM", "CausalLMOutput", "PretrainedTokenizer"]

Matrix = npt.NDArray[np.int64]


def _is_torch(x: object) -> bool:
    return type(x).__module__.partition(".")[0] == "torch"


def _matrix(x: Any) -> Matrix:
    """Ids as [rows, tokens], whatever they came as."""
    array = np.asarray(x.detach().cpu().numpy() if _is_torch(x) else x)
    if array.ndim not in (1, 2) or not np.issubdtype(array.dtype, np.integer):
        raise InvalidError(f"ids are whole numbers [rows, tokens], not {array.dtype} of shape {array.shape}")
    rows: Matrix = np.atleast_2d(array).astype(np.int64, copy=False)
    return rows


def _like(array: npt.NDArray[Any], x: Any) -> Any:
    """As what was given: a torch tensor on the same device, or an array."""
    return sys.modules["torch"].from_numpy(array).to(x.device) if _is_torch(x) else array


def _pad_of(model: Model) -> int | None:
    """The id that transformers pads with: that of generation_config.json or config.json, if there is one."""
    for name in ("generation_config.json", "config.json"):
        path = pathlib.Path(model.path or "") / name
        if path.is_file():
            found = json.loads(path.read_text(encoding="utf-8")).get("pad_token_id")
            if isinstance(found, int):
                return found
    return None


@dataclass
class CausalLMOutput:
    """Logits [rows, tokens, n_vocab], float32."""

    logits: Any


class CausalLM:
    """A language model as transformers has them: called for logits, ``generate`` for tokens.

    >>> model = weft.AutoModelForCausalLM.from_pretrained(TINY)
    >>> tokenizer = weft.AutoTokenizer.from_pretrained(TINY)
    >>> inputs = tokenizer(["Once upon a time", "Tom had"], return_tensors="np", padding=True)
    >>> for text in tokenizer.batch_decode(model.generate(**inputs, max_new_tokens=6), skip_special_tokens=True):
    ...     print(text)
    Once upon a time, there was a little girl
    Tom had a big bag of toys.
    """

    def __init__(
        self,
        model: Model,
        device: str | Device = "cpu",
        dtype: str | None = None,
        deterministic: bool = False,
        exact: bool = False,
    ) -> None:
        self.model, self._exact = model, exact
        self._device = Device(device) if isinstance(device, str) else device
        self._dtype, self._deterministic = dtype, deterministic
        self._weights, self._session = Weights(model), None  # type: Weights, Session | None
        self._pad = _pad_of(model)

    def _open(self, rows: int, tokens: int) -> Session:
        """A session with room for so many rows; weights are loaded once for all."""
        if tokens > self.model.context:
            raise LimitError(f"{tokens} tokens in a row, and the model has a context of {self.model.context}")
        session = self._session
        if session is None or session.sequences < rows or session.context < tokens:
            if session is not None:
                session.close()
            self._session = None
            plan = SessionPlan(
                self.model,
                self._device,
                dtype=self._dtype,
                outputs="logits",
                sequences=rows,
                context=min(self.model.context, -(-tokens // 256) * 256),
                deterministic=self._deterministic,
                exact=self._exact,
            )
            session = self._session = Session(plan, self._weights)
        for row in range(session.sequences):
            session.truncate(0, row)
        return session

    def close(self) -> None:
        """Gives back what it has loaded."""
        for owned in (self._session, self._weights, self._device):
            if owned is not None:
                owned.close()
        self._session = None

    def __call__(self, input_ids: Any, attention_mask: Any = None) -> CausalLMOutput:
        """Logits of every token. Rows of masked tokens are zero."""
        ids, mask = _masked(input_ids, attention_mask)
        session = self._open(len(ids), int(mask.sum(axis=1).max()))
        row, column = np.nonzero(mask)
        wants = np.full(row.size, WANTS["logits"], np.uint32)
        rows = session.eval(ids[row, column], row, wants).logits
        assert rows is not None
        if mask.all():
            return CausalLMOutput(_like(rows.reshape(*ids.shape, session.n_vocab), input_ids))
        logits = np.zeros((*ids.shape, session.n_vocab), np.float32)
        logits[row, column] = rows
        return CausalLMOutput(_like(logits, input_ids))

    forward = __call__

    def generate(
        self,
        input_ids: Any,
        attention_mask: Any = None,
        *,
        max_new_tokens: int = 20,
        do_sample: bool = False,
        temperature: float = 1.0,
        top_k: int = 50,
        top_p: float = 1.0,
        min_p: float = 0.0,
        repetition_penalty: float = 1.0,
        eos_token_id: int | Iterable[int] | None = None,
        pad_token_id: int | None = None,
        seed: int = 0,
    ) -> Any:
        """Continues every row: [rows, tokens + new ones], those of rows that have ended padded.

        Without do_sample the most probable token is taken, after repetition_penalty; what generation_config.json has
        of sampling is not looked at. A row ends with eos_token_id (None: the model's), and where the model's context
        does. It is padded with pad_token_id (None: what the model's files name, else the first that ends). The rows run
        as one batch. Draws are the library's, by the seed (row i has seed + i), and not those that torch would make.
        """
        ids, mask = _masked(input_ids, attention_mask)
        longest = int(mask.sum(axis=1).max())
        session = self._open(len(ids), min(longest + max_new_tokens, max(longest, self.model.context)))
        given = self.model.eos_tokens if eos_token_id is None else eos_token_id
        ends = [given] if isinstance(given, int) else list(given)
        pads = (pad_token_id, self._pad, *ends, 0)
        pad = next(token for token in pads if token is not None)
        heat = temperature if do_sample else 0.0
        samplers = []
        for i in range(len(ids)):
            sampling = Sampling(
                heat, top_k, top_p, min_p, repetition_penalty, repeat_window=session.context, seed=seed + i
            )
            samplers.append(Sampler(sampling, session.n_vocab))
        texts = [row[keep].tolist() for row, keep in zip(ids, mask)]
        new = np.full((len(ids), max_new_tokens), pad, np.int64)
        going, pending = list(range(len(ids))), [list(text) for text in texts]
        made = 0
        while going and made < max_new_tokens:
            tokens = np.concatenate([pending[i] for i in going])
            wants = np.zeros(tokens.size, np.uint32)
            wants[np.cumsum([len(pending[i]) for i in going]) - 1] = WANTS["logits"]
            rows = session.eval(tokens, np.repeat(going, [len(pending[i]) for i in going]), wants).logits
            assert rows is not None
            for i, row in zip(list(going), rows):
                token = samplers[i].pick(row, texts[i])
                texts[i].append(token)
                pending[i] = [token]
                new[i, made] = token
                if token in ends or session.length(i) >= session.context:
                    going.remove(i)
            made += 1
        return _like(np.concatenate([ids, new[:, :made]], axis=1), input_ids)


def _masked(input_ids: Any, attention_mask: Any) -> tuple[Matrix, npt.NDArray[np.bool_]]:
    ids = _matrix(input_ids)
    mask = np.ones(ids.shape, bool) if attention_mask is None else _matrix(attention_mask) != 0
    if mask.shape != ids.shape or not mask.any(axis=1).all():
        raise InvalidError(f"a mask of shape {mask.shape} for ids of shape {ids.shape}, or a row without tokens")
    return ids, mask


def _special(which: str) -> property:
    """A special token by the text of its ``..._id``; setting it sets that."""

    def text(self: PretrainedTokenizer) -> str | None:
        number = getattr(self, f"{which}_token_id")
        return None if number is None else self.tokenizer.token(number)

    def choose(self: PretrainedTokenizer, token: str | None) -> None:
        number = None if token is None else self.tokenizer.find(token)
        if token is not None and number is None:
            raise InvalidError(f"{which}_token: the vocabulary has no {token!r}")
        setattr(self, f"{which}_token_id", number)

    return property(text, choose)


class PretrainedTokenizer:
    """A tokenizer as transformers has them, around ``tokenizer``, which is weft's own.

    >>> tokenizer = weft.AutoTokenizer.from_pretrained(TINY)
    >>> tokenizer("Once upon")["input_ids"], tokenizer.decode([424, 436])
    ([424, 436], 'Once upon')
    """

    def __init__(self, tokenizer: Tokenizer, eos: int | None = None) -> None:
        self.tokenizer = tokenizer
        self.bos_token_id, self.unk_token_id = tokenizer.named("bos"), tokenizer.named("unk")
        named = tokenizer.named("eos")
        self.eos_token_id = eos if named is None else named
        self.pad_token_id = tokenizer.named("pad") if tokenizer.named("pad") is not None else self.eos_token_id
        self.padding_side = "left"

    bos_token, eos_token, unk_token, pad_token = map(_special, ("bos", "eos", "unk", "pad"))

    def __len__(self) -> int:
        return len(self.tokenizer)

    def encode(self, text: str, add_special_tokens: bool = True) -> list[int]:
        """The ids of a text."""
        ids: list[int] = self.tokenizer.encode(text, template=add_special_tokens).tolist()
        return ids

    def __call__(
        self,
        text: str | Sequence[str],
        *,
        add_special_tokens: bool = True,
        padding: bool = False,
        truncation: bool = False,
        max_length: int | None = None,
        return_tensors: str | None = None,
    ) -> dict[str, Any]:
        """``input_ids`` and ``attention_mask``; return_tensors: "np", "pt" (where torch is loaded) or None for
        lists."""
        rows = [self.encode(t, add_special_tokens) for t in ([text] if isinstance(text, str) else text)]
        if truncation and max_length is not None:
            rows = [row[:max_length] for row in rows]
        masks = [[1] * len(row) for row in rows]
        if padding:
            longest = max(map(len, rows), default=0)
            if self.pad_token_id is None:
                raise InvalidError("the tokenizer names no token to pad with: set pad_token_id")
            gaps = [longest - len(row) for row in rows]
            left = self.padding_side == "left"
            pads = [([self.pad_token_id] * gap, [0] * gap) for gap in gaps]
            rows = [p + r if left else r + p for r, (p, _) in zip(rows, pads)]
            masks = [z + m if left else m + z for m, (_, z) in zip(masks, pads)]
        if return_tensors is None:
            one = isinstance(text, str)
            return {"input_ids": rows[0] if one else rows, "attention_mask": masks[0] if one else masks}
        if len({len(row) for row in rows}) > 1:
            raise InvalidError("rows of different lengths make no array: use padding=True")
        arrays = {"input_ids": np.array(rows, np.int64), "attention_mask": np.array(masks, np.int64)}
        if return_tensors == "np":
            return arrays
        if return_tensors == "pt" and "torch" in sys.modules:
            return {name: sys.modules["torch"].from_numpy(array) for name, array in arrays.items()}
        raise InvalidError(f"return_tensors is 'np', 'pt' (after `import torch`) or None, not {return_tensors!r}")

    def decode(self, ids: Any, skip_special_tokens: bool = False) -> str:
        """The text of one row of ids."""
        return self.tokenizer.decode(_matrix(ids)[0] if np.size(ids) else [], skip_special=skip_special_tokens)

    def batch_decode(self, rows: Any, skip_special_tokens: bool = False) -> list[str]:
        """The text of each row."""
        return [self.decode(row, skip_special_tokens) for row in rows]

    def convert_ids_to_tokens(self, ids: Sequence[int]) -> list[str | None]:
        """Ids as the files spell them; None where there is no such id."""
        return [self.tokenizer.token(int(i)) for i in ids]

    def convert_tokens_to_ids(self, tokens: Sequence[str]) -> list[int | None]:
        """Ids by the files' spelling; None where there is none."""
        return [self.tokenizer.find(t) for t in tokens]


class AutoModelForCausalLM:
    """``from_pretrained``: a CausalLM of a folder or a GGUF file."""

    @staticmethod
    def from_pretrained(
        path: str | os.PathLike[str],
        *,
        device: str | Device = "cpu",
        dtype: str | None = None,
        deterministic: bool = False,
        exact: bool = False,
    ) -> CausalLM:
        """dtype: how weights are stored ("q8_0"; None: as in the files). For the others see weft.SessionPlan."""
        return CausalLM(Model(path), device, dtype, deterministic, exact)


class AutoTokenizer:
    """``from_pretrained``: a PretrainedTokenizer of a folder or a file."""

    @staticmethod
    def from_pretrained(path: str | os.PathLike[str]) -> PretrainedTokenizer:
        """Reads the tokenizer of a folder or a GGUF file."""
        return PretrainedTokenizer(Tokenizer(path))
