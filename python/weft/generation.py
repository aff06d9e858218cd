"""Generation: a sequence continued token by token."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .batch import WANTS, Rows, Step
from .errors import CancelledError, InvalidError, NotFoundError, WeftError
from .grammar import Grammar
from .sampling import Sampler, Sampling, logprobs
from .tokenizer import Ids, ids_of

if TYPE_CHECKING:
    from .session import Session

__all__ = ["Generation", "Token"]


@dataclass(frozen=True)
class Token:
    """A token that was picked, and the text that became complete with it (perhaps none).

    With n_logprobs: the natural logarithm of its probability, and the best n tokens with theirs, by the model alone.
    """

    id: int
    text: str
    logprob: float | None = None
    top: tuple[tuple[int, float], ...] = field(default=())


class Generation(Iterator[Token], AsyncIterator[Token]):
    """The tokens that continue a sequence, as an iterator; ``async for`` takes them as well, and runs in another
    thread.

    Each step runs when it is asked for, and stopping is just not asking: what was picked stands in the sequence (but
    for the last one, which nothing has needed: the next prompt begins with it). ``text``, ``tokens`` and
    ``stop_reason`` ("length", "eos", "stop", "context", "cancelled"; None while it goes on) say what has come so far.

    >>> session = weft.Model(TINY).session()
    >>> story = session.generate("Once upon a time", max_tokens=8)
    >>> "".join(token.text for token in story)
    ', there was a little girl named Lily'
    >>> story.stop_reason, len(story.tokens), story.last
    ('length', 8, 396)
    """

    def __init__(
        self,
        session: Session,
        prompt: Ids,
        sequence: int,
        max_tokens: int,
        sampling: Sampling,
        stop: list[str],
        ignore_eos: bool,
        n_logprobs: int | None,
        grammar: Grammar | None = None,
    ) -> None:
        if not prompt.size:
            raise InvalidError("generation needs a prompt of at least one token")
        if max_tokens < 0 or (n_logprobs or 0) < 0:
            raise InvalidError(f"max_tokens={max_tokens}, n_logprobs={n_logprobs}: less than none")
        self._session, self._sequence, self._prompt = session, sequence, prompt
        self._max_tokens, self._ignore_eos, self._n_logprobs = max_tokens, ignore_eos, n_logprobs
        self._sampler = Sampler(sampling, session.n_vocab)
        self._matcher = None if grammar is None else grammar._matcher(session.model)
        self._wants = self._source()
        try:
            self._stream: Any = session.model.tokenizer.stream(stop=stop)
        except NotFoundError:
            if stop:
                raise
            self._stream = None
        self._eos = session.model.eos_tokens
        self._history = prompt.tolist()
        self._step: Step | None = None
        self.tokens: list[int] = []
        self.text = ""
        self.stop_reason: str | None = None
        self.prompt_seconds = self.decode_seconds = 0.0

    def _source(self) -> str:
        """Picks are made from candidates where the session has enough of them, else from logits."""
        session, need = self._session, self._sampler.candidates_needed
        have = session.n_candidates
        enough = have == session.n_vocab or (have and need and have >= need)
        if enough and self._n_logprobs is None and self._matcher is None:
            return "candidates"
        if "logits" in session.outputs:
            return "logits"
        raise InvalidError(
            f"the session gives {have} candidates and no logits; this sampling needs {need or session.n_vocab}"
            " candidates, log-probabilities and grammars need logits"
        )

    @property
    def last(self) -> int | None:
        """The token picked last, which is not in the sequence yet: the next prompt begins with it."""
        return self.tokens[-1] if self.tokens else None

    def run(self) -> Generation:
        """Goes on to the end; returns itself."""
        for _ in self:
            pass
        return self

    def __iter__(self) -> Generation:
        return self

    def __next__(self) -> Token:
        if self.stop_reason is not None:
            raise StopIteration
        begin, first = time.perf_counter(), not self.tokens
        ids = self._prompt if first else np.array(self.tokens[-1:], np.int32)
        try:
            row = self._evaluate(ids)
        except CancelledError:
            if first:
                raise
            self._end("cancelled", self._stream.finish() if self._stream else "")
            raise StopIteration from None
        token = self._pick(row)
        seconds = time.perf_counter() - begin
        if first:
            self.prompt_seconds = seconds
        else:
            self.decode_seconds += seconds
        return token

    def _evaluate(self, ids: Ids) -> npt.NDArray[Any]:
        wants = np.zeros(ids.size, np.uint32)
        wants[-1] = WANTS[self._wants]
        rows = self._session._run(ids, self._sequence, wants, Rows(), self._step)
        row: npt.NDArray[Any] = getattr(rows, self._wants)[0]
        return row

    def _pick(self, row: npt.NDArray[Any]) -> Token:
        if self._matcher:
            masked = row if self._n_logprobs is None else row.copy()  # log-probabilities are the model's alone
            token = self._matcher.pick(self._sampler, masked, ids_of(self._history))
        elif self._wants == "logits":
            token = self._sampler.pick(row, self._history)
        else:
            token = self._sampler.pick_candidate(row, self._history)
        self._history.append(token)
        self.tokens.append(token)
        ends = token in self._eos and not self._ignore_eos
        full = self._session.length(self._sequence) >= self._session.context
        over = self._matcher is not None and self._matcher.must_end
        last = ends or over or full or len(self.tokens) == self._max_tokens
        text = ""
        if self._stream:
            text = "" if ends else self._stream.push(token)
            if last:
                text += self._stream.finish()
        if self._stream and self._stream.stopped is not None:
            self._end("stop", text)
        elif last:
            self._end("eos" if ends or over else "length" if len(self.tokens) == self._max_tokens else "context", text)
        else:
            self.text += text
        if self._n_logprobs is None:
            return Token(token, text)
        best = np.argsort(-row, kind="stable")[: self._n_logprobs]
        values = logprobs(row, np.concatenate([[token], best]))
        return Token(token, text, float(values[0]), tuple((int(i), float(v)) for i, v in zip(best, values[1:])))

    def _end(self, reason: str, text: str) -> None:
        self.stop_reason = reason
        self.text += text

    def __aiter__(self) -> Generation:
        return self

    def _next(self) -> Token | None:
        return next(self, None)

    async def __anext__(self) -> Token:
        this = self._step = Step()
        step = asyncio.get_running_loop().run_in_executor(None, self._next)
        try:
            token: Token | None = await asyncio.shield(step)
        except asyncio.CancelledError:
            # The task was cancelled: its step ends, and nothing is left running that others then could meet.
            self._session._cancel_step(this)
            await asyncio.wait([step])
            if not step.cancelled() and isinstance(step.exception(), WeftError):
                self.stop_reason = self.stop_reason or "cancelled"
            raise
        if token is None:
            raise StopAsyncIteration
        return token
