"""Models: what a folder, a GGUF file, a text or a definition in Python describes."""

from __future__ import annotations

import datetime
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ._lib import Progress, call, dtype_of, encoded, ffi, lib, string, string_or_none, text_of
from ._life import Guard, Handle, Object
from .adapter import Adapters
from .chat import ChatTemplate, Message
from .definition import Definition, DefinitionLike
from .device import Device
from .errors import NotFoundError
from .generation import Generation
from .grammar import Grammar, Schema, TokenTrie
from .graph import Graph
from .sampling import Sampling
from .tokenizer import Tokenizer
from .weights import Checkpoint, Source, Weights, WeightLike

if TYPE_CHECKING:
    from .session import Session

__all__ = ["Model", "Setting"]

_HEADS = {
    lib.WEFT_HEAD_LOGITS: "logits",
    lib.WEFT_HEAD_NONE: "none",
    lib.WEFT_HEAD_SEQUENCE: "sequence",
    lib.WEFT_HEAD_TOKENS: "tokens",
    lib.WEFT_HEAD_SPAN: "span",
}


@dataclass(frozen=True)
class Setting:
    """A value that the model's definition asked of its configuration, and where it came from."""

    key: str
    value: str
    source: str


def _params(params: Mapping[str, float | str], kept: list[Any]) -> Any:
    array = ffi.new("weft_graph_param[]", max(1, len(params)))
    kept.append(array)
    for i, (name, value) in enumerate(params.items()):
        kept.append(ffi.new("char[]", encoded(name)))
        array[i].name = kept[-1]
        if isinstance(value, str):
            kept.append(ffi.new("char[]", encoded(value)))
            array[i].text = kept[-1]
        else:
            array[i].number = float(value)
    return array


class Model(Object):
    """A model: configuration, tensors and tokenizer of a folder or a GGUF file, and the graph that they make.

    path: a Hugging Face folder or a GGUF file as it is, or a config.json by itself (then nothing can run but with
    weights). graph: the model is this definition in Python, whatever the files say of an architecture (see
    weft.Definition). definitions: those that are looked at before the library's own. text: the model is this text
    (docs/graph-text.md), with params for its parameters. weights: arrays by the graph's names, instead of files.

    >>> model = weft.Model(TINY)
    >>> model.architecture, model.n_layer, model.context
    ('GPTNeoXForCausalLM', 6, 512)
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None,
        *,
        graph: DefinitionLike | None = None,
        definitions: Iterable[Definition] = (),
        text: str | None = None,
        text_origin: str = "graph",
        params: Mapping[str, float | str] | None = None,
        context: int = 0,
        eos: Sequence[int] = (),
        weights: Mapping[str, WeightLike] | None = None,
    ) -> None:
        kept: list[Any] = []
        desc = ffi.new("weft_model_desc *")
        known = [Definition.of(d)._c(kept) for d in definitions]
        if known:
            kept.append(ffi.new("weft_model_definition[]", [d[0] for d in known]))
            desc.definitions, desc.n_definitions = kept[-1], len(known)
        if graph is not None:
            desc.graph = Definition.of(graph)._c(kept)
        if text is not None:
            data = text.encode("utf-8")
            kept.append(ffi.from_buffer(data))
            desc.text, desc.n_text = kept[-1], len(data)
            kept.append(ffi.new("char[]", encoded(text_origin)))
            desc.text_origin = kept[-1]
        desc.params, desc.n_params = _params(params or {}, kept), len(params or {})
        ids = ffi.new("int32_t[]", list(eos) or [0])
        desc.context, desc.eos, desc.n_eos = context, ids, len(eos)
        out = ffi.new("weft_model **")
        call(lib.weft_model_open, ffi.NULL if path is None else encoded(path), desc, out)
        self._tokenizer: Tokenizer | None = None
        self._chat_template: ChatTemplate | None = None
        self._trie: TokenTrie | None = None
        self._source = None if weights is None else Source(weights)
        if self._source:
            lib.weft_model_set_weights(out[0], self._source.source)
            kept.append(self._source)
        self._own(Handle("model", out[0], lib.weft_model_close, guard=Guard(), keep=kept))

    def close(self) -> None:
        """Ends the object, not what was made of it: sessions, and a tokenizer that is in use, go on. Once more is
        nothing."""
        self._tokenizer = self._chat_template = self._trie = None
        super().close()

    def __repr__(self) -> str:
        return f"<weft.Model {self.architecture} {self.path or ''}>" if not self.closed else "<weft.Model, closed>"

    def _info(self, name: str) -> Any:
        with self._handle as pointer:
            return getattr(lib.weft_model_info_get(pointer), name)

    @property
    def path(self) -> str | None:
        """Where it was opened; None: it has no files."""
        return string_or_none(self._info("path"))

    @property
    def architecture(self) -> str:
        """Its name in the configuration, or that of its definition."""
        return string(self._info("architecture"))

    @property
    def n_layer(self) -> int:
        """Layers."""
        return int(self._info("n_layer"))

    @property
    def n_embed(self) -> int:
        """Numbers of a hidden state."""
        return int(self._info("n_embed"))

    @property
    def n_head(self) -> int:
        """Heads of attention; 0: not known."""
        return int(self._info("n_head"))

    @property
    def n_vocab(self) -> int:
        """Logits of a token."""
        return int(self._info("n_vocab"))

    @property
    def context(self) -> int:
        """Tokens of a sequence, unless a session says otherwise."""
        return int(self._info("context"))

    @property
    def bos(self) -> int | None:
        """The token that begins a text; None: there is none."""
        return None if self._info("bos") < 0 else int(self._info("bos"))

    @property
    def eos(self) -> int | None:
        """The token that ends a text, of several the first; None: there is none."""
        return None if self._info("eos") < 0 else int(self._info("eos"))

    @property
    def eos_tokens(self) -> list[int]:
        """All tokens that end a text."""
        found: list[int] = []
        with self._handle as pointer:
            while (token := lib.weft_model_eos(pointer, len(found))) >= 0:
                found.append(int(token))
        return found

    @property
    def parameters(self) -> int:
        """Elements of the tensors that the graph uses."""
        return int(self._info("parameters"))

    @property
    def file_bytes(self) -> int:
        """Of all tensors in the files; 0 without files."""
        return int(self._info("file_bytes"))

    @property
    def has_weights(self) -> bool:
        """Whether there is something to run it with."""
        return bool(self._info("has_weights"))

    @property
    def head(self) -> str:
        """What stands on top of the last hidden state: "logits", "none", "sequence", "tokens" or "span"."""
        return _HEADS[self._info("head")]

    @property
    def labels(self) -> list[str]:
        """Names of a classification head's scores."""
        labels: list[str] = []
        with self._handle as pointer:
            while (label := lib.weft_model_label(pointer, len(labels))) != ffi.NULL:
                labels.append(string(label))
        return labels

    @property
    def notes(self) -> list[str]:
        """What is worth telling: keys that contradict each other, tensors that no weight asks for."""
        notes: list[str] = []
        with self._handle as pointer:
            while (note := lib.weft_model_note(pointer, len(notes))) != ffi.NULL:
                notes.append(string(note))
        return notes

    @property
    def settings(self) -> list[Setting]:
        """What the definition asked of the configuration, and what it got."""
        found: list[Setting] = []
        with self._handle as pointer:
            while (s := lib.weft_model_setting(pointer, len(found))) != ffi.NULL:
                found.append(Setting(string(s.key), string(s.value), string(s.source)))
        return found

    @property
    def tokenizer(self) -> Tokenizer:
        """The files' tokenizer. NotFoundError: there is none."""
        if self._tokenizer is None:
            out = ffi.new("weft_tokenizer **")
            with self._handle as pointer:
                call(lib.weft_model_tokenizer, pointer, out)
            # Lent by the model, which therefore stays as long as it; but any thread may use it.
            handle = Handle("tokenizer", out[0], lambda _pointer: None, [self._handle], shared=True)
            self._tokenizer = Tokenizer._of(handle)
        return self._tokenizer

    @property
    def _token_trie(self) -> TokenTrie:
        """What grammars of this model share."""
        if self._trie is None:
            self._trie = TokenTrie(self)
        return self._trie

    @property
    def chat_template(self) -> ChatTemplate:
        """The files' chat template. NotFoundError: there is none."""
        if self._chat_template is None:
            if self.path is None:
                raise NotFoundError("a model without files has no chat template: say which")
            self._chat_template = ChatTemplate(self.path)
        return self._chat_template

    def apply_chat_template(
        self,
        messages: Sequence[Message],
        *,
        chat_template: str | None = None,
        tools: Sequence[Message] | None = None,
        documents: Sequence[Message] | None = None,
        add_generation_prompt: bool = False,
        continue_final_message: bool = False,
        now: datetime.datetime | None = None,
        **variables: Any,
    ) -> str:
        """The text of a prompt for a conversation, as transformers' function of this name makes it (tokenize=False).

        chat_template: one of the files' by name, or the text of another. The rest is weft.ChatTemplate.render's. The
        text has its special tokens: ``tokenizer.encode(text, bos=False, template=False)``.

        >>> hello = [{"role": "user", "content": "Hello"}]
        >>> weft.Model(TINY).apply_chat_template(hello, chat_template="{{ bos_token }}{{ messages[0].content }}")
        '<|endoftext|>Hello'
        """
        template = self.chat_template if chat_template is None else ChatTemplate(self.path or "", chat_template)
        return template.render(
            messages,
            tools=tools,
            documents=documents,
            add_generation_prompt=add_generation_prompt,
            continue_final_message=continue_final_message,
            now=now,
            **variables,
        )

    def chat(
        self,
        messages: Sequence[Message],
        *,
        session: Session | None = None,
        device: str | Device | Sequence[str | Device] = "cpu",
        max_tokens: int = 0,
        sampling: Sampling | None = None,
        stop: str | Iterable[str] = (),
        grammar: str | Grammar | None = None,
        json_schema: Schema | None = None,
        **variables: Any,
    ) -> Generation:
        """The reply to a conversation: an iterator of tokens; ``run().text`` is the whole.

        It has a session of its own on the device, with the weights that go with one: who chats for longer gives one
        (``session``), and the turns before are not evaluated again. variables: see Session.chat, which this is.

        >>> model, hello = weft.Model(TINY), [{"role": "user", "content": "Once upon a time"}]
        >>> model.chat(hello, chat_template="{{ messages[0].content }}", max_tokens=5).run().text
        ', there was a little'
        """
        session = session or self.session(device)
        return session.chat(
            messages,
            max_tokens=max_tokens,
            sampling=sampling,
            stop=stop,
            grammar=grammar,
            json_schema=json_schema,
            **variables,
        )

    @property
    def checkpoint(self) -> Checkpoint | None:
        """The files' tensors; None: there are no files."""
        with self._handle as pointer:
            found = ffi.cast("weft_checkpoint *", lib.weft_model_checkpoint(pointer))
        if found == ffi.NULL:
            return None
        return Checkpoint._of(Handle("checkpoint", found, lambda _pointer: None, [self._handle], shared=True))

    def graph(
        self,
        *,
        dtype: str | None = None,
        kv: str | None = None,
        context: int = 0,
        sequences: int = 1,
        max_tokens: int = 0,
        max_rows: int = 0,
        candidates: int = 0,
    ) -> Graph:
        """The graph before any pass, sealed. dtype: how matrices are stored; None: as the files have them."""
        desc = ffi.new(
            "weft_model_graph_desc *",
            {
                "weights": dtype_of(dtype),
                "kv": dtype_of(kv),
                "context": context,
                "n_sequences": sequences,
                "max_tokens": max_tokens,
                "max_rows": max_rows,
                "candidates": candidates,
            },
        )
        out = ffi.new("weft_graph **")
        with self._handle as pointer:
            call(lib.weft_model_graph, pointer, desc, out)
        return Graph._of(out[0])

    def text(self) -> str:
        """The graph as a text that follows config.json: layers folded, keys as parameters (docs/graph-text.md)."""
        with self._handle as pointer:
            return text_of(lib.weft_model_print_text, pointer)

    def session(
        self,
        device: str | Device | Sequence[str | Device] = "cpu",
        *,
        dtype: str | None = None,
        kv: str | None = None,
        context: int = 0,
        sequences: int = 1,
        outputs: str | Iterable[str] = (),
        candidates: int = 0,
        layer: int | None = None,
        exact: bool = False,
        deterministic: bool = False,
        lora: Adapters = (),
        weights: Weights | None = None,
        progress: Callable[[Progress], Any] | None = None,
    ) -> Session:
        """A session on a device: weft.SessionPlan has all that can be chosen, and says what it is."""
        from .session import Session, SessionPlan

        plan = SessionPlan(
            self,
            device,
            dtype=dtype,
            kv=kv,
            context=context,
            sequences=sequences,
            outputs=outputs,
            candidates=candidates,
            layer=layer,
            exact=exact,
            deterministic=deterministic,
            lora=lora,
            progress=progress,
        )
        return Session(plan, weights)
