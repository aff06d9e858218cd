"""Conversations: chat templates as models ship them, and replies."""

from __future__ import annotations

import datetime
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ._lib import call, encoded, ffi, lib
from ._life import Handle, Object
from .errors import InvalidError, UnsupportedError
from .generation import Generation
from .grammar import Grammar
from .sampling import Sampling

if TYPE_CHECKING:
    from .session import Session

__all__ = ["ChatTemplate", "Message"]

Message = Mapping[str, Any]
# transformers' own, which a template that shows a message twice shows as well; the space: whether it strips messages
_MARK = "CONTINUE_FINAL_MESSAGE_TAG "


class ChatTemplate(Object):
    """What makes the text of a prompt of a conversation: transformers' apply_chat_template gives the same text.

    path: a model's folder, any file of one, or a GGUF file. name: one of several templates, or the text of one, which
    counts instead of the model's. Any number of threads may use one.

    >>> text = "{% for m in messages %}{{ m.role }}: {{ m.content }}\\n{% endfor %}bot:"
    >>> template = weft.ChatTemplate.parse(text)
    >>> template.render([{"role": "user", "content": "Hello"}])
    'user: Hello\\nbot:'
    """

    def __init__(self, path: str | os.PathLike[str], name: str | None = None) -> None:
        out = ffi.new("weft_chat_template **")
        call(lib.weft_chat_template_open, encoded(path), ffi.NULL if name is None else encoded(name), out)
        self._own(Handle("chat template", out[0], lib.weft_chat_template_close))

    @classmethod
    def parse(cls, text: str, name: str = "chat_template") -> ChatTemplate:
        """Of a text, without special tokens; ``name`` stands in messages where the path would."""
        out, data = ffi.new("weft_chat_template **"), text.encode("utf-8", "surrogatepass")
        call(lib.weft_chat_template_parse, ffi.from_buffer(data), len(data), encoded(name), out)
        template = cls.__new__(cls)
        template._own(Handle("chat template", out[0], lib.weft_chat_template_close))
        return template

    def text(self, *, tools: bool = False) -> str:
        """The template itself; tools: that for conversations with tools."""
        n = ffi.new("size_t *")
        with self._handle as pointer:
            data = lib.weft_chat_template_text(pointer, tools, n)
            return bytes(ffi.buffer(data, n[0])).decode("utf-8", "replace")

    def render(
        self,
        messages: Sequence[Message],
        *,
        tools: Sequence[Message] | None = None,
        documents: Sequence[Message] | None = None,
        add_generation_prompt: bool = False,
        continue_final_message: bool = False,
        now: datetime.datetime | None = None,
        **variables: Any,
    ) -> str:
        """The text of a conversation, whose messages have a "role" and a "content" (docs/chat-templates.md).

        add_generation_prompt: with what begins a reply. continue_final_message: the text ends where the content of the
        last message does, which a reply then continues. now: for templates that ask for the time; None: the clock's.
        variables: of the template. InvalidError: the template refuses the conversation, and says why.
        """
        given = [dict(message) for message in messages]
        if continue_final_message:
            if add_generation_prompt:
                raise InvalidError("add_generation_prompt begins a reply, continue_final_message goes on: not both")
            content = _mark(given, self.text(tools=bool(tools)))
        time = (now or datetime.datetime.now()).isoformat()
        text = self._render(
            {
                **variables,
                "messages": given,
                "tools": None if tools is None else list(tools),
                "documents": None if documents is None else list(documents),
                "add_generation_prompt": add_generation_prompt,
                "now": time,
            }
        )
        return _before_mark(text, content) if continue_final_message else text

    def _render(self, values: dict[str, Any]) -> str:
        try:
            data = json.dumps(values).encode()
        except (TypeError, ValueError) as error:
            raise InvalidError(f"a conversation is what JSON can say: {error}") from None
        out = ffi.new("weft_text *")
        try:
            with self._handle as pointer:
                call(lib.weft_chat_template_render, pointer, ffi.from_buffer(data), len(data), ffi.NULL, out)
            return bytes(ffi.buffer(out.data, out.size)).decode("utf-8") if out.size else ""
        finally:
            lib.weft_text_free(out)


def _mark(messages: list[dict[str, Any]], template: str) -> str:
    """Marks the end of the last message's content; returns the content."""
    content = messages[-1].get("content") if messages else None
    if content is None or "content" not in template:
        raise InvalidError("continue_final_message: the last message has no content that the template could show")
    if isinstance(content, str):
        messages[-1]["content"] = content + _MARK
        return content
    parts = [dict(part) for part in content]
    texts = [part for part in parts if "text" in part]
    if not texts:
        raise InvalidError("continue_final_message: the last message has no text")
    last = str(texts[-1]["text"])
    texts[-1]["text"] = last + _MARK
    messages[-1]["content"] = parts
    return last


def _before_mark(text: str, content: str) -> str:
    at = text.rfind(_MARK.strip())
    if at < 0 or content.strip() not in text:
        raise UnsupportedError("continue_final_message: the template does not show the last message as it is")
    return text[:at] if text.startswith(_MARK, at) else text[:at].rstrip()


def _go_back(session: Session, n: int, sequence: int) -> int:
    """Keeps n tokens of a sequence, or none where it cannot go back: a recurrent state, a window that has moved on."""
    try:
        session.truncate(n, sequence)
    except (InvalidError, UnsupportedError):
        session.truncate(0, sequence)
        return 0
    return n


def reply(
    session: Session,
    prompt: str,
    sequence: int,
    *,
    max_tokens: int,
    sampling: Sampling | None,
    stop: str | Iterable[str],
    n_logprobs: int | None,
    grammar: Grammar | None,
) -> Generation:
    """Continues a rendered prompt. What the sequence has of it already is not evaluated again."""
    ids = session.model.tokenizer.encode(prompt, bos=False, template=False)
    if not ids.size:
        raise InvalidError("the template makes no text of this conversation")
    had = session.tokens(sequence)
    n = min(had.size, ids.size - 1)
    differs = np.flatnonzero(had[:n] != ids[:n])
    kept = int(differs[0]) if differs.size else n
    kept = _go_back(session, kept, sequence) if kept < had.size else kept
    generation = session.generate(
        ids[kept:],
        sequence,
        max_tokens=max_tokens,
        sampling=sampling,
        stop=stop,
        n_logprobs=n_logprobs,
        grammar=grammar,
    )
    generation._history = ids.tolist()  # what penalties look at: the same, whatever was kept
    return generation
