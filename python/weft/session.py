"""Sessions: token sequences that are run, and what the model says of them."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ._lib import Progress, call, dtype_of, encoded, ffi, lib, progress_sink, string
from ._life import Handle, Object
from .adapter import Adapters, uses_of
from .batch import WANTS, Floats, Rows, Step, batch_of, pointer_of, room_for, wants_of
from .chat import Message, reply
from .device import Device
from .errors import CancelledError, InvalidError
from .generation import Generation
from .grammar import Grammar, Schema, grammar_of
from .graph import Graph
from .program import Program
from .sampling import Sampling
from .tokenizer import Ids, IdsLike, ids_of, take_ids
from .weights import Weights

if TYPE_CHECKING:
    from .model import Model

__all__ = ["Session", "SessionPlan"]


class SessionPlan(Object):
    """What a session is going to run: programs that are placed and planned, not loaded.

    A plan reads no tensor and takes nothing on a device, and can be made for a model that is a configuration alone.

    device: one, or several of which the first is asked first. dtype: how matrices are stored ("q8_0"; None: as in the
    files). kv, kv_values: types of the cache. context: tokens of a sequence (0: the model's). sequences: how many there
    are. cells, page: the cache, over all sequences. outputs: what tokens may ask for, of "logits", "candidates",
    "hidden", "scores"; nothing: what the model's head gives. candidates: how many. layer: of hidden states, 0 the
    embeddings (None: the last). max_tokens, max_rows, bounds: of a run. exact: float32 everywhere. deterministic: a
    token's bits do not depend on what is run beside it. lora: folders of LoRA adapters that all sequences take, which
    add up; "folder=0.5" takes half of what one adds (docs/adapters.md). cache_weights: a folder that keeps weights as
    the device holds them, so that the next session loads faster (docs/program.md). progress: told of loading and long
    evaluations; returning False cancels.

    >>> plan = weft.SessionPlan(weft.Model(TINY), context=128)
    >>> plan.bytes() < 40 << 20
    True
    """

    def __init__(
        self,
        model: Model,
        device: str | Device | Sequence[str | Device] = "cpu",
        *,
        dtype: str | None = None,
        kv: str | None = None,
        kv_values: str | None = None,
        context: int = 0,
        sequences: int = 1,
        cells: int = 0,
        page: int = 0,
        outputs: str | Iterable[str] = (),
        candidates: int = 0,
        layer: int | None = None,
        max_tokens: int = 0,
        max_rows: int = 0,
        bounds: Sequence[int] = (),
        split: Sequence[int] | None = None,
        spread: bool = False,
        exact: bool = False,
        deterministic: bool = False,
        strict: bool = False,
        as_built: bool = False,
        lora: Adapters = (),
        cache_weights: str | os.PathLike[str] | None = None,
        progress: Callable[[Progress], Any] | None = None,
    ) -> None:
        given = [device] if isinstance(device, (str, Device)) else list(device)
        devices = [Device(d) if isinstance(d, str) else d for d in given]
        sink, kept = progress_sink(progress)
        desc = ffi.new(
            "weft_session_desc *",
            {
                "weights": dtype_of(dtype),
                "kv": dtype_of(kv),
                "kv_values": dtype_of(kv_values),
                "context": context,
                "n_sequences": sequences,
                "cells": cells,
                "page": page,
                "max_tokens": max_tokens,
                "max_rows": max_rows,
                "bounds": list(bounds),
                "outputs": wants_of(outputs),
                "candidates": candidates,
                "layer": model.n_layer if layer is None else layer,
                "spread": spread,
                "exact": exact,
                "deterministic": deterministic,
                "strict": strict,
                "as_built": as_built,
                "progress": sink,
            },
        )
        pointers = ffi.new("weft_backend *[]", [d._handle.pointer for d in devices] or [ffi.NULL])
        numbers = ffi.NULL if split is None else ffi.new("uint32_t[]", [*split, *[0] * (len(devices) - len(split))])
        folder = ffi.NULL if cache_weights is None else ffi.new("char[]", os.fsencode(cache_weights))
        desc.cache_weights = folder
        adapters, uses = uses_of(lora)
        desc.adapters, desc.n_adapters = uses, len(adapters)
        desc.devices, desc.n_devices, desc.split = pointers, len(devices), numbers
        out = ffi.new("weft_session_plan **")
        self.model, self._parents = model, [model._handle, *(d._handle for d in devices), *adapters]

        def create() -> Any:
            call(lib.weft_session_plan_create, model._handle.pointer, desc, out)
            return out[0]

        keep = (desc, pointers, numbers, folder, uses, kept)
        try:
            self._own(Handle.make("plan", create, lib.weft_session_plan_destroy, self._parents, keep))
        finally:
            for adapter in adapters:
                adapter.close()  # it stays open for as long as the plan or its session
        for made, asked in zip(devices, given):
            if made is not asked:
                made.close()  # it stays open for as long as the plan or its session

    @property
    def graph(self) -> Graph:
        """Before any pass, with all outputs."""
        out = ffi.new("weft_graph **")
        with self._handle as pointer:
            call(lib.weft_graph_clone, lib.weft_session_plan_graph(pointer), out)
        return Graph._of(out[0])

    def program(self, n: int = 1) -> Program:
        """The program that runs n tokens: to look at."""
        with self._handle as pointer:
            found = lib.weft_session_plan_program(pointer, n)
        if found == ffi.NULL:
            raise InvalidError("a plan without devices has no programs")
        return Program._of(ffi.cast("weft_program *", found), self._handle)

    def bytes(self, device: int = 0) -> int:
        """What a session that runs it takes on one of the devices."""
        with self._handle as pointer:
            return int(lib.weft_session_plan_bytes(pointer, device))

    def check(self) -> None:
        """LimitError, with the numbers, if a device has not the memory."""
        with self._handle as pointer:
            call(lib.weft_session_plan_check, pointer)


class Session(Object):
    """Several token sequences that share one set of weights and one cache.

    Made by ``Model.session``, or of a plan, which it takes over. One thread at a time uses a session and its devices:
    other threads wait. The interpreter lock is released while something runs.

    >>> model = weft.Model(TINY)
    >>> session = model.session()
    >>> row = session.logits(model.tokenizer.encode("Once upon a time"))
    >>> row.shape, model.tokenizer.token(int(row.argmax()))
    ((4096,), ',')
    """

    def __init__(self, plan: SessionPlan, weights: Weights | None = None) -> None:
        out = ffi.new("weft_session **")
        self.model = plan.model
        self._turn, self._inside = threading.Lock(), None  # type: threading.Lock, Step | None

        def create() -> Any:
            loaded = ffi.NULL if weights is None else weights._handle.pointer
            call(lib.weft_session_open, plan._handle.take(), loaded, out)
            return out[0]

        parents = plan._parents + ([weights._handle] if weights else [])
        if weights:
            weights._handle.adopt(plan._handle.devices())
        self._own(Handle.make("session", create, lib.weft_session_destroy, parents, plan._handle.kept))
        with self._handle as pointer:
            settled = lib.weft_session_settled(pointer)
            self.context, self.sequences = int(lib.weft_session_context(pointer)), int(settled.n_sequences)
            self.n_vocab, self.n_candidates = (
                int(lib.weft_session_n_vocab(pointer)),
                int(lib.weft_session_candidates(pointer)),
            )
            self.outputs = frozenset(name for name, bit in WANTS.items() if settled.outputs & bit)
            self.bytes = int(lib.weft_session_bytes(pointer))
            info = lib.weft_model_info_get(self.model._handle.pointer)
            self._widths = {
                "logits": self.n_vocab,
                "candidates": self.n_candidates,
                "hidden": int(info.n_embed),
                "scores": int(info.n_labels),
            }

    # ---- evaluation ----

    @contextlib.contextmanager
    def _within(self, step: Step | None) -> Iterator[None]:
        with self._turn:
            if step and step.cancelled:
                raise CancelledError("cancelled before it began")
            self._inside = step
        try:
            yield
        finally:
            with self._turn:
                self._inside = None

    def eval(
        self, ids: IdsLike, sequence: int | IdsLike = 0, wants: str | IdsLike = (), out: Rows | None = None
    ) -> Rows:
        """Appends tokens to their sequences and runs them: the general form of ``logits`` and ``hidden``.

        sequence: one for all, or each token's. wants: "logits", "hidden" and so on of every token; or each token's sum
        of ``weft.WANTS``; nothing: they are only read. out: arrays of the caller's, which the library then writes into;
        else it writes into new ones. There is no other copy.
        """
        given = wants_of(wants) if isinstance(wants, str) else wants if np.size(wants) else 0
        return self._run(ids, sequence, given, out or Rows(), None)

    def _run(
        self, ids: IdsLike, sequence: int | IdsLike, wants: int | IdsLike, out: Rows, step: Step | None
    ) -> Rows:
        batch = batch_of(ids, sequence, wants)
        rows, c_rows = Rows(), ffi.new("weft_rows *")
        with self._handle as pointer, self._within(step):
            for name, bit in WANTS.items():
                n = int(np.count_nonzero(batch["wants"] & bit))
                if n:
                    array = room_for(name, getattr(out, name), (n, self._widths[name]))
                    setattr(rows, name, array)
                    setattr(c_rows, name, pointer_of(name, array))
            call(lib.weft_session_eval, pointer, ffi.from_buffer("weft_batch_token[]", batch), batch.size, c_rows)
        return rows

    def logits(self, ids: IdsLike, sequence: int = 0, *, all: bool = False, out: Floats | None = None) -> Floats:
        """Appends tokens to a sequence; logits of what follows the last one [n_vocab], or with ``all`` each [n,
        n_vocab]."""
        return self._rows("logits", ids, sequence, all, out)

    def hidden(self, ids: IdsLike, sequence: int = 0, *, all: bool = True, out: Floats | None = None) -> Floats:
        """The same of hidden states: those of each token [n, n_embed], or of the last one."""
        return self._rows("hidden", ids, sequence, all, out)

    def scores(self, ids: IdsLike, sequence: int = 0, *, all: bool = True, out: Floats | None = None) -> Floats:
        """The same of a classification head's scores [n, labels]."""
        return self._rows("scores", ids, sequence, all, out)

    def _rows(self, name: str, ids: IdsLike, sequence: int, all: bool, out: Floats | None) -> Floats:
        tokens = ids_of(ids)
        if not tokens.size:
            raise InvalidError(f"{name} of no tokens")
        wants = np.zeros(tokens.size, np.uint32)
        wants[slice(None) if all else slice(-1, None)] = WANTS[name]
        given = Rows()
        if out is not None:
            setattr(given, name, out if all else out[np.newaxis])
        rows: Floats = getattr(self.eval(tokens, sequence, wants, given), name)
        row: Floats = rows[0]
        return rows if all else row

    def embed(self, text: str | IdsLike, *, pool: str = "mean", sequence: int = 0) -> Floats:
        """The hidden state of a text: the "mean" of its tokens (in double precision), the "last" token's, or "none":
        each.

        The session must have "hidden" among its outputs. The sequence must be empty, and is so again afterwards.
        """
        if pool not in ("mean", "last", "none"):
            raise InvalidError(f"pool is mean, last or none, not {pool!r}")
        if self.length(sequence):
            raise InvalidError(f"sequence {sequence} has {self.length(sequence)} tokens: embed takes an empty one")
        ids = self.model.tokenizer.encode(text) if isinstance(text, str) else text
        try:
            rows = self.hidden(ids, sequence, all=pool != "last")
        finally:
            self.truncate(0, sequence)
        mean: Floats = rows.mean(axis=0, dtype=np.float64).astype(np.float32) if pool == "mean" else rows
        return mean

    def generate(
        self,
        prompt: str | IdsLike,
        sequence: int = 0,
        *,
        max_tokens: int = 0,
        sampling: Sampling | None = None,
        stop: str | Iterable[str] = (),
        ignore_eos: bool = False,
        n_logprobs: int | None = None,
        grammar: str | Grammar | None = None,
        json_schema: Schema | None = None,
    ) -> Generation:
        """Continues a sequence with a prompt: an iterator of tokens, with ``async for``, too (see weft.Generation).

        max_tokens: at most so many (0: until the text ends, or the context is full). grammar: the new text is one that
        this GBNF, or weft.Grammar, allows. json_schema: it is a JSON document that this schema allows, itself a text or
        what ``json.loads`` makes of one.
        """
        ids = self.model.tokenizer.encode(prompt) if isinstance(prompt, str) else prompt
        stops = [stop] if isinstance(stop, str) else list(stop)
        return Generation(
            self,
            ids_of(ids),
            sequence,
            max_tokens,
            sampling or Sampling(),
            stops,
            ignore_eos,
            n_logprobs,
            grammar_of(self.model, grammar, json_schema),
        )

    def chat(
        self,
        messages: Sequence[Message],
        sequence: int = 0,
        *,
        max_tokens: int = 0,
        sampling: Sampling | None = None,
        stop: str | Iterable[str] = (),
        n_logprobs: int | None = None,
        grammar: str | Grammar | None = None,
        json_schema: Schema | None = None,
        add_generation_prompt: bool = True,
        **variables: Any,
    ) -> Generation:
        """The reply to a conversation, as ``generate`` gives it: an iterator, ``run().text`` is the whole.

        The prompt is made by the model's chat template; variables are those of ``Model.apply_chat_template``. What the
        sequence has of it already, as the turns before, is not evaluated again; anything else that it has is forgotten.
        """
        prompt = self.model.apply_chat_template(messages, add_generation_prompt=add_generation_prompt, **variables)
        return reply(
            self,
            prompt,
            sequence,
            max_tokens=max_tokens,
            sampling=sampling,
            stop=stop,
            n_logprobs=n_logprobs,
            grammar=grammar_of(self.model, grammar, json_schema),
        )

    def cancel(self) -> None:
        """From any thread: ends what is under way before its next chunk with CancelledError."""
        self._handle.retain()
        try:
            lib.weft_session_cancel(self._handle.pointer)
        finally:
            self._handle.release()

    def _cancel_step(self, step: Step) -> None:
        """Ends this step, whether it has begun or not, and no other."""
        with self._turn:
            step.cancelled = True
            if self._inside is step:
                lib.weft_session_cancel(self._handle.pointer)

    def program(self, n: int = 1) -> Program:
        """The program that runs n tokens: to look at and to profile."""
        with self._handle as pointer:
            return Program._of(lib.weft_session_program(pointer, n), self._handle)

    # ---- sequences ----

    def length(self, sequence: int = 0) -> int:
        """Tokens of a sequence."""
        with self._handle as pointer:
            return int(lib.weft_session_length(pointer, sequence))

    def tokens(self, sequence: int = 0) -> Ids:
        """The tokens of a sequence, copied."""
        with self._handle as pointer:
            n, ids = int(lib.weft_session_length(pointer, sequence)), lib.weft_session_tokens(pointer, sequence)
            return np.frombuffer(ffi.buffer(ids, 4 * n), np.int32).copy() if n else np.empty(0, np.int32)

    @property
    def cells_free(self) -> int:
        """Cells of the cache that no sequence has."""
        with self._handle as pointer:
            return int(lib.weft_session_cells_free(pointer))

    def truncate(self, n: int, sequence: int = 0) -> None:
        """Forgets all but the first n tokens of a sequence."""
        with self._handle as pointer:
            call(lib.weft_session_truncate, pointer, sequence, n)

    def fork(self, source: int, to: int) -> None:
        """The empty sequence ``to`` goes on from where ``source`` is; nothing is evaluated or copied."""
        with self._handle as pointer:
            call(lib.weft_session_fork, pointer, source, to)

    def share(self, ids: IdsLike, sequence: int = 0) -> int:
        """Begins an empty sequence with as many of the tokens as some sequence begins with; returns how many."""
        tokens, shared = ids_of(ids), ffi.new("uint32_t *")
        with self._handle as pointer:
            call(lib.weft_session_share, pointer, sequence, ffi.from_buffer("int32_t[]", tokens), tokens.size, shared)
        return int(shared[0])

    def discard(self, n: int, sequence: int = 0) -> None:
        """Gives back the pages that hold only tokens before the first n, which later tokens then do not see."""
        with self._handle as pointer:
            call(lib.weft_session_discard, pointer, sequence, n)

    def save(self, path: str | os.PathLike[str], sequence: int = 0, pending: IdsLike = ()) -> None:
        """Writes a sequence to a file; ``pending`` are tokens of the text that were not evaluated."""
        ids = ids_of(pending)
        with self._handle as pointer:
            call(lib.weft_session_save, pointer, sequence, ffi.from_buffer("int32_t[]", ids), ids.size, encoded(path))

    def load(self, path: str | os.PathLike[str], sequence: int = 0) -> Ids:
        """The empty sequence goes on from a file, as if it had never stopped; returns its pending tokens."""
        out = ffi.new("weft_tokens *")
        with self._handle as pointer:
            call(lib.weft_session_load, pointer, sequence, encoded(path), out)
        return take_ids(out)

    def check(self, ids: IdsLike) -> list[str]:
        """Compares what these tokens make after sequence 0, node by node, with plain float32 arithmetic.

        Returns what differs by more than its tolerance, a line each: none is as it should be.
        """
        from .program import check_report

        tokens, (report, failed) = ids_of(ids), check_report()
        with self._handle as pointer:
            call(lib.weft_session_check, pointer, ffi.from_buffer("int32_t[]", tokens), tokens.size, report, ffi.NULL)
            g = lib.weft_program_graph(lib.weft_session_program(pointer, tokens.size))
            return [
                f"{string(lib.weft_op_get(lib.weft_graph_node_by_id(g, node).op).name)} %{node}: error {error:g}, "
                f"tolerance {tolerance:g}"
                for node, error, tolerance in failed
            ]
