"""Which token comes next."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ._lib import call, callback, ffi, lib
from ._life import Guard, Handle, Object
from .tokenizer import IdsLike, ids_of

__all__ = ["Sampler", "Sampling", "logprobs"]

CANDIDATE = np.dtype([("logit", "<f4"), ("id", "<i4")])
# The fields of a weft_sampling that are numbers.
NUMBERS = (
    "temperature",
    "top_k",
    "top_p",
    "min_p",
    "repeat_penalty",
    "frequency_penalty",
    "presence_penalty",
    "repeat_window",
    "typical_p",
    "xtc_probability",
    "xtc_threshold",
    "dry_multiplier",
    "dry_base",
    "dry_allowed",
    "dry_window",
    "mirostat_tau",
    "mirostat_eta",
)
CandidateArray = npt.NDArray[np.void]
# Told of the candidates, which it may change in place, and of the tokens so far; says how many are left (None: all).
Step = Callable[[CandidateArray, npt.NDArray[np.int32]], "int | None"]


@dataclass(frozen=True)
class Sampling:
    """How a token is picked: all defaults take the most probable one.

    The fields are steps; docs/generation.md has the formulas, and the order that they have unless ``order`` names
    another ("top_k", "temperature" ...; what it does not name does not count). ``bias`` adds to logits, by token.
    ``dry_breakers`` are tokens (`Tokenizer.containing` finds them). ``steps`` are functions of the caller's:
    a grammar's mask, another formula. Each is told of the candidates as an array of ``logit`` and ``id``, which it may
    change, and of the tokens so far, and returns how many candidates are left, the first so many (None: all). They come
    before temperature and what follows.
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
    typical_p: float = 0.0
    xtc_probability: float = 0.0
    xtc_threshold: float = 0.0
    dry_multiplier: float = 0.0
    dry_base: float = 0.0
    dry_allowed: int = 0
    dry_window: int = 0
    dry_breakers: Sequence[int] = field(default=())
    mirostat_tau: float = 0.0
    mirostat_eta: float = 0.0
    bias: Mapping[int, float] = field(default_factory=dict)
    order: Sequence[str] | None = None
    steps: Sequence[Step] = field(default=())

    def _c(self) -> tuple[Any, Any]:
        """A weft_sampling, and what to keep as long as it is used."""
        c = ffi.new("weft_sampling *")
        for name in NUMBERS:
            setattr(c, name, getattr(self, name))
        c.seed = self.seed & (2**64 - 1)
        kept: list[Any] = [
            ffi.new("int32_t[]", list(self.dry_breakers)),
            ffi.new("int32_t[]", list(self.bias)),
            ffi.new("float[]", list(self.bias.values())),
        ]
        c.dry_breakers, c.bias_tokens, c.bias_values = kept
        c.n_dry_breakers, c.n_bias = len(self.dry_breakers), len(self.bias)
        if self.order is not None:
            kinds = [kind for name in self.order for kind in _kinds(name)]
            kept.append(ffi.new("weft_step_kind[]", kinds))
            c.order, c.n_order = kept[-1], len(kinds)
        if self.steps:
            kept.append(self._put_steps(c))
        return c, kept

    def _put_steps(self, c: Any) -> Any:
        """The caller's functions among the fields' steps, before temperature and what follows it."""
        usual = ffi.new("weft_sampler_step[]", lib.WEFT_SAMPLING_STEPS)
        n = lib.weft_sampling_steps(c, usual)
        kept = [_function(step) for step in self.steps]
        own = [{"kind": lib.WEFT_STEP_CALL, "call": function} for function in kept]
        late = (i for i in range(n) if usual[i].kind >= lib.WEFT_STEP_TEMPERATURE)
        first = next(late, n)
        rows = [usual[i] for i in range(first)] + own + [usual[i] for i in range(first, n)]
        steps = ffi.new("weft_sampler_step[]", rows)
        c.steps, c.n_steps = steps, len(rows)
        return steps, usual, kept


def _kinds(name: str) -> list[int]:
    """The steps that a name stands for ("penalties" for three)."""
    out = ffi.new("weft_step_kind[]", lib.WEFT_STEP_SHARED)
    n = lib.weft_steps_named(name.encode(), out)
    if not n:
        raise ValueError(f"there is no sampling step {name!r}")
    return [int(out[i]) for i in range(n)]


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
        self.may_pick_first = bool(lib.weft_sampling_may_pick_first(c))
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
