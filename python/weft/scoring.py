"""Scores of many texts: log-likelihoods of continuations, and texts that are continued, in batches.

What an evaluation asks a model, without an evaluation's own code: token ids in, numbers and texts out. Texts that begin
alike are evaluated once as far as they do (the choices of one question, the examples before every question); logits are
float32 and computed only where something is scored; sums are in double precision. weft.lm_eval is this for the
lm-evaluation-harness.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from .batch import WANTS, Rows
from .device import Device
from .errors import InvalidError, LimitError
from .model import Model
from .sampling import Sampler, Sampling
from .session import Session, SessionPlan

__all__ = ["Continued", "Score", "Scorer", "scoring_plan"]

Told = Callable[[int], object]
PAGE = 16  # cells of a page: each continuation has its own copy of the page that its context ends in
CELLS = 4096  # two questions of the longest kind, some dozens of the usual one
MANY_CELLS = 8192
RUN = 512  # tokens, and rows of logits
ROWS = 16  # of logits that are looked at together: what a cache holds, with a large vocabulary
SHARED = 16  # tokens that a run less for them is worth


def scoring_plan(
    model: Model,
    device: str | Device | Sequence[str | Device] = "cpu",
    *,
    dtype: str | None = None,
    kv: str | None = None,
    exact: bool = False,
    context: int = 0,
    sequences: int = 64,
    cells: int = 0,
) -> SessionPlan:
    """What a Scorer's session is going to be: can be made, and asked for its bytes, without reading a weight.

    sequences: how many texts are evaluated at once. cells: tokens of all of them together, shared beginnings counted
    once; 0: the context of one, at least 4096 and at most 8192.

    >>> scoring_plan(weft.Model(TINY)).bytes() < 64 << 20
    True
    """
    longest = context or model.context
    most = -(-longest // PAGE) * (sequences + 1)
    wanted = cells or min(max(longest, CELLS), MANY_CELLS)
    return SessionPlan(
        model,
        device,
        dtype=dtype,
        kv=kv,
        exact=exact,
        context=longest,
        sequences=sequences + 1,  # one goes on from the batch before
        cells=min(-(-wanted // PAGE), most) * PAGE,
        page=PAGE,
        outputs="logits",
        max_tokens=RUN,
        max_rows=RUN,
    )


@dataclass(frozen=True)
class Score:
    """The natural logarithm of a continuation's probability, and whether each of its tokens is the most probable."""

    logprob: float
    greedy: bool


@dataclass(frozen=True)
class Continued:
    """Tokens that were picked, and their text, without the string or the token that ended it."""

    tokens: list[int]
    text: str


@dataclass
class _Request:
    """The tokens that are read, and those that are scored: targets[i] follows tokens[first + i]."""

    tokens: tuple[int, ...]
    targets: tuple[int, ...]
    logprob: float = 0.0
    greedy: bool = True

    @property
    def first(self) -> int:
        return len(self.tokens) - len(self.targets)


@dataclass
class _Node:
    """Tokens begin to end of some requests, which have all of them up to there in common."""

    requests: list[_Request]
    begin: int
    end: int
    children: list[_Node] = field(default_factory=list)
    sequence: int = -1
    done: int = 0  # tokens of it that the sequence has already

    def tokens(self) -> tuple[int, ...]:
        return self.requests[0].tokens[self.begin + self.done : self.end]

    def wanted(self) -> int:
        """The first position of which something is scored."""
        return min(r.first for r in self.requests)


@dataclass
class _Text:
    prompt: tuple[int, ...]
    pages: int
    sampler: Sampler | None
    sequence: int = -1
    pending: tuple[int, ...] = ()
    tokens: list[int] = field(default_factory=list)
    text: str = ""
    over: bool = False


def _common(a: Sequence[int], b: Sequence[int]) -> int:
    n = min(len(a), len(b))
    if a[:n] == b[:n]:
        return n
    return next(i for i in range(n) if a[i] != b[i])


def _tree(requests: list[_Request], begin: int) -> list[_Node]:
    """Sorted requests that have the first ``begin`` tokens in common, as nodes that go on from there."""
    first, last = requests[0].tokens, requests[-1].tokens
    end = _common(first, last)  # of sorted ones: what all have in common
    if len(requests) == 1 or end == len(last):
        return [_Node(requests, begin, end)]
    whole = [r for r in requests if len(r.tokens) == end]
    groups: list[list[_Request]] = []
    for r in requests[len(whole) :]:
        if groups and groups[-1][0].tokens[end] == r.tokens[end]:
            groups[-1].append(r)
        else:
            groups.append([r])
    worth = (end - begin) * (len(groups) + bool(whole) - 1) >= SHARED
    children = [node for group in groups for node in _tree(group, end if worth else begin)]
    if worth:
        return [_Node(requests, begin, end, children)]
    return [*([_Node(whole, begin, end)] if whole and end > begin else []), *children]


class Scorer:
    """Scores with one session, which is its own.

    >>> scorer = Scorer(scoring_plan(weft.Model(TINY)))
    >>> encode = scorer.session.model.tokenizer.encode
    >>> time, tree = scorer.loglikelihoods([(encode("Once upon a"), encode(t)) for t in (" time", " tree")])
    >>> time.logprob > tree.logprob, time.greedy, tree.greedy
    (True, True, False)
    """

    def __init__(self, plan: SessionPlan) -> None:
        """plan: of scoring_plan, which it takes over."""
        self.session = Session(plan)
        self.max_length = self.session.context
        self._pages = self.session.cells_free // PAGE
        self._sequences = self.session.sequences - 1
        self._logits = np.empty((max(RUN, self._sequences), self.session.n_vocab), np.float32)
        self._eos = frozenset(self.session.model.eos_tokens)

    def close(self) -> None:
        """Ends its session."""
        self.session.close()

    # ---- log-likelihoods ----

    def loglikelihoods(
        self, pairs: Iterable[tuple[Sequence[int], Sequence[int]]], told: Told | None = None
    ) -> list[Score]:
        """Of each pair (context, continuation) of token ids: how probable the continuation is after the context.

        The last max_length + 1 tokens count. A context has at least one token, a continuation one to max_length.
        told: called with the number of pairs that are done.
        """
        requests = [self._request(context, continuation) for context, continuation in pairs]
        for wave in self._waves(sorted(requests, key=lambda r: r.tokens)):
            self._score(wave)
            if told:
                told(len(wave))
        self._clear()
        return [Score(r.logprob, r.greedy) for r in requests]

    def rolling(self, texts: Iterable[Sequence[int]], prefix: int, told: Told | None = None) -> list[float]:
        """The log-likelihood of each text, however long: each token is scored once, the first after ``prefix``."""
        parts = [list(windows(text, prefix, self.max_length)) for text in texts]
        scores = iter(self.loglikelihoods([pair for part in parts for pair in part], told))
        return [sum((next(scores).logprob for _ in part), 0.0) for part in parts]

    def _request(self, context: Sequence[int], continuation: Sequence[int]) -> _Request:
        if not len(context) or not 0 < len(continuation) <= self.max_length:
            raise InvalidError(
                f"a context of {len(context)} and a continuation of {len(continuation)} tokens: at least one of each, "
                f"and no more than {self.max_length} of the second, can be scored"
            )
        tokens = (*map(int, context), *map(int, continuation))[-(self.max_length + 1) :][:-1]
        if -(-len(tokens) // PAGE) > self._pages:
            raise LimitError(f"a text of {len(tokens)} tokens: there are {self._pages * PAGE} cells (option cells)")
        return _Request(tokens, tuple(map(int, continuation)))

    def _waves(self, requests: list[_Request]) -> Iterator[list[_Request]]:
        """Neighbours of the sorted requests, as many as there are sequences and pages for."""
        wave: list[_Request] = []
        pages = distinct = 0
        for r in requests:
            common = _common(wave[-1].tokens, r.tokens) if wave else 0
            new = not wave or common < len(r.tokens) or common < len(wave[-1].tokens)
            # what is common may be evaluated twice where it is short, and the page it ends in is copied
            need = new * (-(-len(r.tokens) // PAGE) - max(common - SHARED, 0) // PAGE)
            if wave and (distinct + new > self._sequences or pages + need > self._pages):
                yield wave
                wave, pages, distinct, need = [], 0, 0, -(-len(r.tokens) // PAGE)
                new = True
            wave.append(r)
            pages, distinct = pages + need, distinct + new
        if wave:
            yield wave

    def _score(self, wave: list[_Request]) -> None:
        level = _tree(wave, 0)
        free = self._begin(level[0])
        for node in level[1:]:
            node.sequence = free.pop()
        while level:
            self._evaluate(level)
            level = [child for node in level for child in self._follow(node, free)]

    def _begin(self, node: _Node) -> list[int]:
        """The first node begins with what the wave before has of its tokens; other sequences become empty: which?"""
        session = self.session
        empty = next(i for i in range(session.sequences) if not session.length(i))
        node.sequence, n = empty, min(node.end, node.wanted())
        node.done = session.share(node.requests[0].tokens[:n], empty)
        return self._clear(but=empty)

    def _clear(self, but: int = -1) -> list[int]:
        others = [i for i in range(self.session.sequences) if i != but]
        for i in others:
            self.session.truncate(0, i)
        return others

    def _follow(self, node: _Node, free: list[int]) -> list[_Node]:
        for child in node.children[:-1]:
            child.sequence = free.pop()
            self.session.fork(node.sequence, child.sequence)
        for child in node.children[-1:]:
            child.sequence = node.sequence
        return node.children

    def _evaluate(self, level: list[_Node]) -> None:
        """Runs the nodes' tokens together, and adds what their logits say to the requests."""
        ids: list[int] = []
        sequences: list[int] = []
        rows: list[list[tuple[_Request, int]]] = []  # of each token: who scores what follows it
        for node in level:
            wanted = node.wanted()
            for p in range(node.begin + node.done, node.end):
                ids.append(node.requests[0].tokens[p])
                sequences.append(node.sequence)
                users = node.requests if p >= wanted else []
                rows.append([(r, r.targets[p - r.first]) for r in users if p >= r.first])
        for at in range(0, len(ids), RUN):
            piece = slice(at, at + RUN)
            self._run(ids[piece], sequences[piece], rows[piece])

    def _run(self, ids: list[int], sequences: list[int], rows: list[list[tuple[_Request, int]]]) -> None:
        wants = np.array([WANTS["logits"] if users else 0 for users in rows], np.uint32)
        users_of = [users for users in rows if users]
        out = Rows(logits=self._logits[: len(users_of)])
        self.session.eval(ids, sequences, wants, out)
        for at in range(0, len(users_of), ROWS):
            self._score_rows(self._logits[at : at + ROWS], users_of[at : at + ROWS])

    def _score_rows(self, rows: npt.NDArray[np.float32], users_of: list[list[tuple[_Request, int]]]) -> None:
        rows = rows[: len(users_of)]
        best, sums = rows.argmax(axis=1).tolist(), log_sums(rows).tolist()
        for row, users, top, log_sum in zip(rows, users_of, best, sums):
            for request, target in users:
                request.logprob += float(row[target]) - log_sum
                request.greedy &= target == top

    # ---- texts ----

    def generate(
        self,
        prompts: Sequence[Sequence[int]],
        max_tokens: int,
        stop: Sequence[str] = (),
        sampling: Sampling | None = None,
        told: Told | None = None,
    ) -> list[Continued]:
        """Continues each prompt: to a stop string, to a token that ends a text, or by max_tokens.

        A text is cut before each stop string in turn, as the harness does it. sampling: None takes the most probable
        token. A text that has ended makes room for the next one at once.
        """
        texts = [self._text(i, prompt, max_tokens, sampling) for i, prompt in enumerate(prompts)]
        waiting = sorted(texts, key=lambda t: t.prompt, reverse=True)
        active: list[_Text] = []
        free, over = self._clear(), list[int]()
        while waiting or active:
            self._admit(waiting, active, free, over)
            for text, row in zip(active, self._step(active)):
                self._take(text, row, max_tokens, stop)
            over = [t.sequence for t in active if t.over]
            if told and over:
                told(len(over))
            active = [t for t in active if not t.over]
        self._clear()
        return [Continued(t.tokens, t.text) for t in texts]

    def _text(self, index: int, prompt: Sequence[int], max_tokens: int, sampling: Sampling | None) -> _Text:
        tokens = tuple(map(int, prompt))
        if not tokens or max_tokens < 1 or len(tokens) + max_tokens > self.max_length:
            raise InvalidError(
                f"a prompt of {len(tokens)} tokens and {max_tokens} more: at least one of each, and no more than "
                f"{self.max_length} together, can be run"
            )
        pages = -(-(len(tokens) + max_tokens) // PAGE)
        if pages > self._pages:
            raise LimitError(
                f"a prompt of {len(tokens)} tokens and {max_tokens} more: there are {self._pages * PAGE} cells "
                "(option cells)"
            )
        sampler = Sampler(replace(sampling, seed=sampling.seed + index), self.session.n_vocab) if sampling else None
        return _Text(tokens, pages, sampler)

    def _admit(self, waiting: list[_Text], active: list[_Text], free: list[int], over: list[int]) -> None:
        """Begins texts while there is room. What has ended is let go only then: the next prompt may begin like it."""
        pages = self._pages - sum(t.pages for t in active)
        while waiting and len(active) < self._sequences and waiting[-1].pages <= pages:
            text = waiting.pop()
            text.sequence, pages = free.pop(), pages - text.pages
            shared = self.session.share(text.prompt[:-1], text.sequence)
            text.pending = text.prompt[shared:]
            active.append(text)
            if over:
                self._let_go(over.pop(), free)
        while over:
            self._let_go(over.pop(), free)

    def _let_go(self, sequence: int, free: list[int]) -> None:
        self.session.truncate(0, sequence)
        free.append(sequence)

    def _step(self, active: list[_Text]) -> npt.NDArray[np.float32]:
        """Runs what is pending of each text; logits of what follows."""
        ids = [token for t in active for token in t.pending]
        sequences = [t.sequence for t in active for _ in t.pending]
        wants = np.zeros(len(ids), np.uint32)
        wants[np.cumsum([len(t.pending) for t in active]) - 1] = WANTS["logits"]
        rows = self.session.eval(ids, sequences, wants, Rows(logits=self._logits[: len(active)])).logits
        assert rows is not None
        return rows

    def _take(self, text: _Text, row: npt.NDArray[np.float32], max_tokens: int, stop: Sequence[str]) -> None:
        token = text.sampler.pick(row, text.prompt + tuple(text.tokens)) if text.sampler else int(row.argmax())
        ends = token in self._eos
        text.tokens.append(token)
        text.pending = (token,)
        whole = self.session.model.tokenizer.decode(text.tokens[:-1] if ends else text.tokens, skip_special=True)
        text.text = cut(whole, stop)
        text.over = ends or len(text.tokens) == max_tokens or certain(whole, len(text.text), stop)


def log_sums(rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """log(sum(exp(row))) of each row: the exponentials are float32, their sum is double."""
    top = rows.max(axis=1)
    below = rows - top[:, np.newaxis]
    np.exp(below, out=below)
    sums: npt.NDArray[np.float64] = top + np.log(below.sum(axis=1, dtype=np.float64))
    return sums


def windows(text: Sequence[int], prefix: int, length: int) -> Iterator[tuple[list[int], list[int]]]:
    """A text as pairs to score: ``length`` tokens at a time, each after the one before; the rest after as many
    tokens as there is room for."""
    tokens = [prefix, *text]
    for begin in range(1, len(tokens), length):
        end = min(begin + length, len(tokens))
        yield tokens[max(0, end - length - 1) : begin], tokens[begin:end]


def cut(text: str, stop: Sequence[str]) -> str:
    """A text before its stop strings, one after the other."""
    for s in stop:
        text = text.split(s)[0] if s else text
    return text


def certain(text: str, end: int, stop: Sequence[str]) -> bool:
    """Whether a text stays cut at ``end`` however it goes on: no stop string may have begun before."""
    return end < len(text) and not any(text[at:] == s[: len(text) - at] for at in range(end) for s in stop)
