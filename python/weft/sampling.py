"""Which token comes next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ._lib import call, callback, ffi, lib
from ._life import Guard, Handle, Object
from .tokenizer import IdsLike, ids_of

__all__ = ["Sampler", "Sampling", "logprobs"]

CANDIDATE = np.dtype([("logit", "<f4"), ("id", "<i4")])
CandidateArray = npt.NDArray[np.void]
# Told of the candidates, which it may change in place, and of the tokens so far; says how many are left (None: all).
Step = Callable[[CandidateArray, npt.NDArray[np.int32]], "int | None"]


@dataclass(frozen=True)
class Sampling:
    """How a token is picked: all defaults take the most probable one.

    The fields are steps, in this order (docs/generation.md has the formulas). ``steps`` are functions of the caller's:
    a grammar's mask, a bias. Each is told of the candidates as an array of ``logit`` and ``id``, which it may change,
    and of the tokens so far, and returns how many candidates are left, the first so many (None: all). They come before
    temperature and what follows.
    """

    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 0.0
    min_p: float = 0.0
    repeat_penalty: float = 0.0
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    repeat_window: int = 0
    seed: int = 0
    steps: Sequence[Step] = field(default=())

    def _c(self) -> tuple[Any, Any]:
        """A weft_sampling, and what to keep as long as it is used."""
        c = ffi.new("weft_sampling *")
        for name in (
            "temperature",
            "top_k",
            "top_p",
            "min_p",
            "repeat_penalty",
            "frequency_penalty",
            "presence_penalty",
            "repeat_window",
        ):
            setattr(c, name, getattr(self, name))
        c.seed = self.seed & (2**64 - 1)
        if not self.steps:
            return c, None
        usual = ffi.new("weft_sampler_step[]", lib.WEFT_SAMPLING_STEPS)
        n = lib.weft_sampling_steps(c, usual)
        kept = [_function(step) for step in self.steps]
        own = [{"kind": lib.WEFT_STEP_CALL, "call": function} for function in kept]
        penalties = (lib.WEFT_STEP_REPEAT, lib.WEFT_STEP_FREQUENCY, lib.WEFT_STEP_PRESENCE)
        first = sum(1 for i in range(n) if usual[i].kind in penalties)
        rows = [usual[i] for i in range(first)] + own + [usual[i] for i in range(first, n)]
        steps = ffi.new("weft_sampler_step[]", rows)
        c.steps, c.n_steps = steps, len(rows)
        return c, (steps, kept)


def _function(step: Step) -> Any:
    def told(_ctx: Any, candidates: Any, n: int, history: Any, n_history: int) -> int:
        array = np.frombuffer(ffi.buffer(candidates, n * CANDIDATE.itemsize), CANDIDATE)
        ids = np.frombuffer(ffi.buffer(history, 4 * n_history), np.int32) if n_history else np.empty(0, np.int32)
        left = step(array, ids)
        return n if left is None else left

    return callback("uint32_t(void *, weft_candidate *, uint32_t, const int32_t *, size_t)", told, 0)


class Sampler(Object):
    """Picks tokens from rows of logits, wherever these come from.

    >>> sampler = weft.Sampler(weft.Sampling(), n_vocab=3)
    >>> sampler.pick(np.array([0.5, 2.0, 1.0], np.float32))
    1
    """

    def __init__(self, sampling: Sampling, n_vocab: int) -> None:
        c, kept = sampling._c()
        out = ffi.new("weft_sampler **")
        call(lib.weft_sampler_create, c, n_vocab, out)
        self.n_vocab = n_vocab
        self.candidates_needed = int(lib.weft_sampling_candidates(c))
        self._own(Handle("sampler", out[0], lib.weft_sampler_destroy, guard=Guard(), keep=kept))

    def pick(self, logits: npt.NDArray[np.float32], history: IdsLike = ()) -> int:
        """The next token, from its logits and the tokens so far, the newest last."""
        row = np.ascontiguousarray(logits, np.float32)
        if row.shape != (self.n_vocab,):
            raise ValueError(f"logits of shape {row.shape}, not ({self.n_vocab},)")
        ids, token = ids_of(history), ffi.new("int32_t *")
        with self._handle as pointer:
            call(
                lib.weft_sampler_pick,
                pointer,
                ffi.from_buffer("float[]", row),
                ffi.from_buffer("int32_t[]", ids),
                ids.size,
                token,
                ffi.NULL,
            )
        return int(token[0])

    def pick_candidate(self, candidates: CandidateArray, history: IdsLike = ()) -> int:
        """The same from the best candidates, descending, at least ``candidates_needed`` of them."""
        row = np.ascontiguousarray(candidates, CANDIDATE)
        ids, token = ids_of(history), ffi.new("int32_t *")
        with self._handle as pointer:
            call(
                lib.weft_sampler_pick_candidate,
                pointer,
                ffi.from_buffer("weft_candidate[]", row),
                row.size,
                ffi.from_buffer("int32_t[]", ids),
                ids.size,
                token,
            )
        return int(token[0])


def logprobs(logits: npt.NDArray[np.float32], ids: IdsLike) -> npt.NDArray[np.float32]:
    """The natural logarithm of the probability of each id under softmax(logits)."""
    row, wanted = np.ascontiguousarray(logits, np.float32), ids_of(ids)
    if row.ndim != 1 or (wanted.size and (wanted.min() < 0 or wanted.max() >= row.size)):
        raise ValueError(f"ids must be below the {row.shape} logits of one row")
    out = np.empty(wanted.size, np.float32)
    lib.weft_logprobs(
        ffi.from_buffer("float[]", row),
        row.size,
        ffi.from_buffer("int32_t[]", wanted),
        wanted.size,
        ffi.from_buffer("float[]", out),
    )
    return out
