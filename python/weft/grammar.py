"""What a generated text must be: grammars and JSON schemas, as masks over the tokens of a model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Union

import numpy as np
import numpy.typing as npt

from ._lib import call, encoded, ffi, lib
from ._life import Guard, Handle, Object
from .errors import InvalidError

if TYPE_CHECKING:
    from .model import Model
    from .sampling import Sampler

__all__ = ["Grammar"]

Schema = Union[str, bool, Mapping[str, Any]]  # a text, or what json.loads makes of one


class TokenTrie(Object):
    """The tokens of a model by their bytes: made once per model, by the first grammar. Any number of threads may use
    one."""

    def __init__(self, model: Model) -> None:
        ends, out = ffi.new("int32_t[]", [*model.eos_tokens]), ffi.new("weft_token_trie **")
        with model.tokenizer._handle as pointer:
            call(lib.weft_token_trie_create, pointer, model.n_vocab, ends, len(ends), out)
        self._own(Handle("token trie", out[0], lib.weft_token_trie_destroy))


class Grammar(Object):
    """The texts that a grammar allows, written as GBNF (docs/grammars.md), for one model.

    ``generate(grammar=...)`` takes the text of a grammar as well; a Grammar is read once for many texts, and keeps what
    it learns of masks. Any number of threads may use one. name: what messages call it. InvalidError: a fault of the
    text, with its line and column. UnsupportedError: a part of the language that is not known.

    >>> model = weft.Model(TINY)
    >>> colour = weft.Grammar(model, 'root ::= " is " ("red" | "blue")')
    >>> model.session().generate("The ball", grammar=colour).run().text
    ' is red'
    """

    def __init__(self, model: Model, text: str, name: str = "grammar") -> None:
        self._parse(model, lib.WEFT_GRAMMAR_GBNF, text, name)

    @classmethod
    def json_schema(cls, model: Model, schema: Schema, name: str = "schema") -> Grammar:
        """The JSON documents that a schema allows: its text, or what ``json.loads`` makes of that."""
        grammar = cls.__new__(cls)
        grammar._parse(model, lib.WEFT_GRAMMAR_JSON_SCHEMA, _schema_text(schema), name)
        return grammar

    def _parse(self, model: Model, kind: int, text: str, name: str) -> None:
        self.model, trie = model, model._token_trie._handle
        data, out = text.encode("utf-8", "surrogatepass"), ffi.new("weft_grammar **")
        with trie as pointer:
            call(lib.weft_grammar_parse, kind, ffi.from_buffer(data), len(data), encoded(name), pointer, out)
            self._own(Handle("grammar", out[0], lib.weft_grammar_destroy, [trie]))

    def _matcher(self, model: Model) -> Matcher:
        if self.model is not model:
            raise InvalidError("a grammar of another model, whose tokens are others")
        return Matcher(self)


class Matcher(Object):
    """Where one text stands in its grammar."""

    def __init__(self, grammar: Grammar) -> None:
        out = ffi.new("weft_matcher **")
        with grammar._handle as pointer:
            call(lib.weft_matcher_create, pointer, out)
            self._own(Handle("matcher", out[0], lib.weft_matcher_destroy, [grammar._handle], guard=Guard()))

    def pick(self, sampler: Sampler, logits: npt.NDArray[np.float32], history: npt.NDArray[np.int32]) -> int:
        """The next token, with which the text goes on. Logits of tokens that may not come are overwritten."""
        token = ffi.new("int32_t *")
        with self._handle as pointer, sampler._handle as picks:
            call(
                lib.weft_matcher_pick,
                pointer,
                picks,
                sampler.may_pick_first,
                ffi.from_buffer("float[]", logits, require_writable=True),
                ffi.from_buffer("int32_t[]", history),
                history.size,
                token,
            )
        return int(token[0])

    @property
    def must_end(self) -> bool:
        """Whether nothing can follow."""
        with self._handle as pointer:
            return bool(lib.weft_matcher_must_end(pointer))


def _schema_text(schema: Schema) -> str:
    if isinstance(schema, str):
        return schema
    try:
        return json.dumps(schema)
    except (TypeError, ValueError) as error:
        raise InvalidError(f"a schema is what JSON can say: {error}") from None


def grammar_of(model: Model, grammar: str | Grammar | None, json_schema: Schema | None) -> Grammar | None:
    """What a generation's options ask for."""
    if grammar is not None and json_schema is not None:
        raise InvalidError("grammar and json_schema: a text has one grammar")
    if isinstance(grammar, str):
        return Grammar(model, grammar)
    return grammar if json_schema is None else Grammar.json_schema(model, json_schema)
