"""Text to token ids and back."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any, Union

import numpy as np
import numpy.typing as npt

from ._lib import call, encoded, ffi, lib, names_array, string, string_or_none
from ._life import Guard, Handle, Object
from .errors import InvalidError, NotFoundError

__all__ = ["TokenStream", "Tokenizer"]

Ids = npt.NDArray[np.int32]
IdsLike = Union[Sequence[int], npt.NDArray[Any]]

_BOS = {None: lib.WEFT_BOS_AS_FILES, True: lib.WEFT_BOS_ON, False: lib.WEFT_BOS_OFF}
_NAMED = {
    name: getattr(lib, f"WEFT_TOKEN_{name.upper()}") for name in ("bos", "eos", "unk", "sep", "pad", "cls", "mask")
}


def ids_of(ids: IdsLike) -> Ids:
    """Ids as the library has them: i32, in one piece. An array that is so already is not copied."""
    array = np.asarray(ids)
    if array.ndim != 1 or not (array.size == 0 or np.issubdtype(array.dtype, np.integer)):
        raise InvalidError(f"token ids are whole numbers in one row, not {array.dtype} of shape {array.shape}")
    if array.size and (array.min() < -(2**31) or array.max() >= 2**31):
        raise InvalidError("a token id is no 32-bit number")
    return np.ascontiguousarray(array, dtype=np.int32)


def take_ids(tokens: Any) -> Ids:
    """The ids of a weft_tokens as an array whose memory they stay in; it is freed with the array."""
    if not tokens.n:
        lib.weft_tokens_free(tokens)
        return np.empty(0, np.int32)
    data = ffi.gc(tokens.ids, lambda _ids: lib.weft_tokens_free(tokens))
    return np.frombuffer(ffi.buffer(data, 4 * tokens.n), np.int32)


class Tokenizer(Object):
    """A tokenizer.json with the files beside it, or what a GGUF file has instead. Any number of threads may use one.

    >>> tokenizer = weft.Tokenizer(TINY)
    >>> ids = tokenizer.encode("Once upon a time")
    >>> ids
    array([424, 436, 260, 398], dtype=int32)
    >>> tokenizer.decode(ids)
    'Once upon a time'
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        out = ffi.new("weft_tokenizer **")
        call(lib.weft_tokenizer_open, encoded(path), out)
        self._own(Handle("tokenizer", out[0], lib.weft_tokenizer_close))

    @classmethod
    def parse(cls, data: bytes, name: str = "tokenizer.json") -> Tokenizer:
        """From the bytes of a tokenizer.json; ``name`` stands in messages where the path would."""
        out = ffi.new("weft_tokenizer **")
        call(lib.weft_tokenizer_parse, ffi.from_buffer(data), len(data), encoded(name), out)
        return cls._of(Handle("tokenizer", out[0], lib.weft_tokenizer_close))

    @classmethod
    def _of(cls, handle: Handle) -> Tokenizer:
        tokenizer = cls.__new__(cls)
        tokenizer._own(handle)
        return tokenizer

    def encode(self, text: str | bytes, *, bos: bool | None = None, template: bool = True, special: bool = True) -> Ids:
        """The ids of a text.

        bos: whether the token that begins a text stands first; None: as the files say. template: the tokens that the
        files put around a text. special: ``<|endoftext|>`` in the text is that token, not thirteen characters.
        """
        data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
        desc = ffi.new(
            "weft_encode_desc *", {"bos": _BOS[bos], "no_template": not template, "special_as_text": not special}
        )
        out = ffi.new("weft_tokens *")
        with self._handle as pointer:
            call(lib.weft_tokenizer_encode, pointer, ffi.from_buffer(data), len(data), desc, out)
        return take_ids(out)

    def decode(self, ids: IdsLike, *, skip_special: bool = False) -> str:
        """The text of ids. Bytes that are no UTF-8 become U+FFFD."""
        return self.decode_bytes(ids, skip_special=skip_special, repair=True).decode("utf-8")

    def decode_bytes(self, ids: IdsLike, *, skip_special: bool = False, repair: bool = False) -> bytes:
        """The bytes of ids, which need not be UTF-8 unless they are to be repaired."""
        array = ids_of(ids)
        desc = ffi.new("weft_decode_desc *", {"skip_special": skip_special, "repair": repair})
        out = ffi.new("weft_text *")
        with self._handle as pointer:
            call(lib.weft_tokenizer_decode, pointer, ffi.from_buffer("int32_t[]", array), array.size, desc, out)
        try:
            return bytes(ffi.buffer(out.data, out.size)) if out.size else b""
        finally:
            lib.weft_text_free(out)

    def stream(self, *, stop: Iterable[str] = (), keep_special: bool = False) -> TokenStream:
        """Decodes ids one by one into pieces that can be shown at once."""
        return TokenStream(self, stop=stop, keep_special=keep_special)

    def __len__(self) -> int:
        with self._handle as pointer:
            return int(lib.weft_tokenizer_size(pointer))

    def token(self, token_id: int) -> str | None:
        """A token as the files spell it ("Ġthe"); None: there is no such id."""
        with self._handle as pointer:
            return string_or_none(lib.weft_tokenizer_token(pointer, token_id))

    def token_bytes(self, token_id: int) -> bytes | None:
        """What a token stands for within a text (b" the"), perhaps no UTF-8 by itself; None: there is no such id."""
        n = ffi.new("size_t *")
        with self._handle as pointer:
            data = lib.weft_tokenizer_bytes(pointer, token_id, n)
            return None if data == ffi.NULL else bytes(ffi.buffer(data, n[0]))

    def find(self, token: str) -> int | None:
        """The id of a token by the files' spelling; None: there is none."""
        with self._handle as pointer:
            found = int(lib.weft_tokenizer_find(pointer, encoded(token)))
        return None if found < 0 else found

    def containing(self, *texts: str) -> Ids:
        """The tokens whose bytes contain one of the texts, ascending."""
        words = [ffi.new("char[]", encoded(text)) for text in texts]
        out = ffi.new("weft_tokens *")
        with self._handle as pointer:
            call(lib.weft_tokenizer_containing, pointer, ffi.new("char *[]", words), len(words), out)
        return take_ids(out)

    def is_special(self, token_id: int) -> bool:
        """Whether a token is no text of its own: ``<|endoftext|>``."""
        with self._handle as pointer:
            return bool(lib.weft_tokenizer_is_special(pointer, token_id))

    def named(self, which: str) -> int | None:
        """The id of "bos", "eos", "unk", "sep", "pad", "cls" or "mask"; None: the files name none."""
        if which not in _NAMED:
            raise NotFoundError(f"there is no named token {which!r}; there are {', '.join(_NAMED)}")
        with self._handle as pointer:
            found = int(lib.weft_tokenizer_named(pointer, _NAMED[which]))
        return None if found < 0 else found

    @property
    def notes(self) -> list[str]:
        """What the files ask for and do not get."""
        notes: list[str] = []
        with self._handle as pointer:
            while (note := lib.weft_tokenizer_note(pointer, ffi.NULL, len(notes))) != ffi.NULL:
                notes.append(string(note))
        return notes


class TokenStream(Object):
    """Ids in, text out: each piece is whole characters, and none holds a stop string or the beginning of one.

    >>> stream = weft.Tokenizer(TINY).stream(stop=["time"])
    >>> [stream.push(i) for i in (424, 436, 260, 398)], stream.stopped
    (['Once', ' upon', ' a', ' '], 'time')
    """

    def __init__(self, tokenizer: Tokenizer, *, stop: Iterable[str] = (), keep_special: bool = False) -> None:
        self._stop = list(stop)
        array, kept = names_array(self._stop)
        desc = ffi.new("weft_token_stream_desc *")
        desc.keep_special, desc.stop, desc.n_stop = keep_special, array, len(kept)
        out = ffi.new("weft_token_stream **")
        with tokenizer._handle as pointer:
            call(lib.weft_token_stream_create, pointer, desc, out)
        self._own(Handle("token stream", out[0], lib.weft_token_stream_destroy, [tokenizer._handle], guard=Guard()))
        self._size = ffi.new("size_t *")

    def push(self, token_id: int) -> str:
        """What is certain after one more id, perhaps nothing."""
        with self._handle as pointer:
            data = lib.weft_token_stream_push(pointer, token_id, self._size)
            return bytes(ffi.buffer(data, self._size[0])).decode("utf-8") if self._size[0] else ""

    def finish(self) -> str:
        """Ends a text: gives what was held back. The stream then takes a new text."""
        with self._handle as pointer:
            data = lib.weft_token_stream_finish(pointer, self._size)
            return bytes(ffi.buffer(data, self._size[0])).decode("utf-8") if self._size[0] else ""

    @property
    def stopped(self) -> str | None:
        """The stop string that the text has ended with."""
        with self._handle as pointer:
            at = int(lib.weft_token_stream_stopped(pointer))
        return None if at < 0 else self._stop[at]
