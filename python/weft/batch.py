"""Batches: tokens of sequences, each with what it wants to know, and the rows that come back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ._lib import ffi, lib
from .errors import InvalidError
from .sampling import CANDIDATE, CandidateArray
from .tokenizer import IdsLike, ids_of

__all__ = ["WANTS", "Rows"]

Floats = npt.NDArray[np.float32]
WANTS = {
    "logits": int(lib.WEFT_WANT_LOGITS),
    "candidates": int(lib.WEFT_WANT_CANDIDATES),
    "hidden": int(lib.WEFT_WANT_HIDDEN),
    "scores": int(lib.WEFT_WANT_SCORES),
}
BATCH_TOKEN = np.dtype([("id", "<i4"), ("sequence", "<u4"), ("wants", "<u4")])


def wants_of(wants: str | Iterable[str]) -> int:
    """A sum of weft_want."""
    total = 0
    for name in [wants] if isinstance(wants, str) else wants:
        if name not in WANTS:
            raise InvalidError(f"there is no output {name!r} of tokens; there are {', '.join(WANTS)}")
        total |= WANTS[name]
    return total


def batch_of(ids: IdsLike, sequence: int | IdsLike, wants: int | IdsLike) -> npt.NDArray[np.void]:
    """weft_batch_token[]; sequence and wants are one number for all, or each token's."""
    tokens = ids_of(ids)
    batch = np.zeros(tokens.size, BATCH_TOKEN)
    batch["id"] = tokens
    for name, given in (("sequence", sequence), ("wants", wants)):
        numbers = np.asarray(given)
        if numbers.size and (numbers.dtype.kind not in "iu" or numbers.min() < 0 or numbers.max() >= 2**32):
            raise InvalidError(f"{name} is a number that is not negative, or one for each token, not {given!r}")
        if numbers.shape not in ((), tokens.shape):
            raise InvalidError(f"{name} of {tokens.size} tokens: shape {numbers.shape}")
        batch[name] = numbers
    return batch


@dataclass
class Rows:
    """Results: of each kind a row for every token that wanted it, in order. None: no token did."""

    logits: Floats | None = None
    candidates: CandidateArray | None = None
    hidden: Floats | None = None
    scores: Floats | None = None


def room_for(name: str, given: npt.NDArray[Any] | None, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """Where rows go: a new array, or the caller's, which must be as it is needed."""
    dtype = CANDIDATE if name == "candidates" else np.dtype(np.float32)
    if given is None:
        return np.empty(shape, dtype)
    if given.shape != shape or given.dtype != dtype or not given.flags.c_contiguous or not given.flags.writeable:
        raise InvalidError(f"the array for {name} must be {dtype} of shape {shape}, in one piece and writable")
    return given


def pointer_of(name: str, array: npt.NDArray[Any]) -> Any:
    """Where the library writes rows."""
    return ffi.from_buffer("weft_candidate[]" if name == "candidates" else "float[]", array, require_writable=True)


class Step:
    """One evaluation that may be cancelled, alone, while others wait for the session."""

    cancelled = False
