"""Architectures written in Python: how a configuration becomes a graph (docs/define-a-model.md)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Union

from ._lib import callback, dtype_name, dtype_of, encoded, ffi, lib, string_or_none
from .errors import InvalidError
from .graph import Graph
from .value import Value, attention_desc, dim_of, raise_of

__all__ = ["Config", "Definition", "ModelInputs"]

HEADS = {
    "logits": lib.WEFT_HEAD_LOGITS,
    "none": lib.WEFT_HEAD_NONE,
    "sequence": lib.WEFT_HEAD_SEQUENCE,
    "tokens": lib.WEFT_HEAD_TOKENS,
    "span": lib.WEFT_HEAD_SPAN,
}
MOST = 2**32 - 1


class Config:
    """What a definition may ask of the configuration, by key; valid while it builds.

    A value that is missing, or beyond what the definition allows, is an error of the graph: the next builder raises it.
    """

    def __init__(self, graph: Graph, config: Any) -> None:
        self._graph, self._c = graph, config

    def integer(self, key: str, default: int | None = None, least: int = 0, most: int = MOST) -> int:
        """A whole number from ``least`` to ``most``. Without a default it must be there."""
        if default is None:
            return int(lib.weft_config_u32(self._graph._g, self._c, encoded(key), least, most))
        return int(lib.weft_config_u32_or(self._graph._g, self._c, encoded(key), default, least, most))

    def number(self, key: str, default: float | None = None, least: float = -1e300, most: float = 1e300) -> float:
        """A number from ``least`` to ``most``. Without a default it must be there."""
        if default is None:
            return float(lib.weft_config_f64(self._graph._g, self._c, encoded(key), least, most))
        return float(lib.weft_config_f64_or(self._graph._g, self._c, encoded(key), default, least, most))

    def truth(self, key: str, default: bool | None = None) -> bool:
        """True or false. Without a default it must be there."""
        if default is None:
            return bool(lib.weft_config_bool(self._graph._g, self._c, encoded(key)))
        return bool(lib.weft_config_bool_or(self._graph._g, self._c, encoded(key), default))

    def text(self, key: str, default: str | None = None) -> str | None:
        """A text, or the default."""
        fallback = ffi.NULL if default is None else ffi.new("char[]", encoded(default))
        return string_or_none(lib.weft_config_text_or(self._graph._g, self._c, encoded(key), fallback))


class ModelInputs:
    """What a session feeds the graph; valid while a definition builds.

    tokens, pos, sequence, reset: i32 [T]; rows: i32 [R], the tokens that results are wanted of. T, R, S: tokens of a
    run, rows of results, sequences.
    """

    def __init__(self, graph: Graph, c: Any) -> None:
        self._graph, self._c = graph, c
        self.T, self.R, self.S = (dim_of(graph, getattr(c, name)) for name in "TRS")
        self.tokens, self.pos, self.sequence, self.reset, self.rows = (
            Value(graph, int(getattr(c, name).id)) for name in ("tokens", "pos", "sequence", "reset", "rows")
        )
        self.page, self.context = int(c.page), int(c.context)
        self.kv, self.kv_values = dtype_name(c.kv), dtype_name(c.kv_values)

    def cached_attention(
        self,
        q: Value,
        k: Value,
        v: Value,
        scale: float,
        *,
        window: int = 0,
        soft_cap: float = 0.0,
        sinks: Value | None = None,
        slopes: Value | None = None,
        bias: Value | None = None,
    ) -> Value:
        """Attention of q [T, H, D] over the sequences' keys and values, to which k [T, G, D] and v [T, G, E] are added:
        each token sees its sequence up to itself, or the window's last tokens of that."""
        more = attention_desc(self._graph, 0, None, None, soft_cap, sinks, slopes, bias)
        return self._graph._build("cached_attention_with", self._c, q, k, v, scale, window, more)

    def alibi_slopes(self, heads: int) -> Value:
        """f32 [heads], for ``slopes``."""
        return self._graph._build("alibi_slopes", heads)

    def cache(self, window: int = 0) -> Cache:
        """The cache of layers that see so far, for layers that read another's state."""
        return Cache(self, ffi.new("weft_model_cache *", lib.weft_window_cache(self._graph._g, self._c, window)))


class Cache:
    """States that have the cells of all sequences along one axis, in pages; see models/inputs.h."""

    def __init__(self, inputs: ModelInputs, c: Any) -> None:
        graph = inputs._graph
        self._inputs, self._c = inputs, c
        self.window, self.cells = int(c.window), dim_of(graph, c.cells)
        if not c.cell.id:
            raise_of(graph._g)
        self.cell, self.first, self.table = (
            Value(graph, int(getattr(c, name).id)) for name in ("cell", "first", "table")
        )

    def store(self, rows: Value, name: str, dtype: str | None = None) -> Value:
        """Stores rows [T, G, D] in the state ``name``, which it gives. dtype None: that of the session's keys."""
        graph = self._inputs._graph
        number = self._inputs._c.kv if dtype is None else dtype_of(dtype)
        return graph._build("cache_store", self._c, rows, number, encoded(name))

    def attention(
        self,
        q: Value,
        keys: Value,
        values: Value,
        scale: float,
        *,
        soft_cap: float = 0.0,
        sinks: Value | None = None,
        slopes: Value | None = None,
        bias: Value | None = None,
    ) -> Value:
        """Of queries [T, H, D] over what is stored, each token's sequence up to itself: [T, H, E]."""
        graph = self._inputs._graph
        more = attention_desc(graph, 0, None, None, soft_cap, sinks, slopes, bias)
        return graph._build("cache_attention", self._inputs._c, self._c, q, keys, values, scale, more)


Build = Callable[[Graph, Config, ModelInputs], Any]


@dataclass(frozen=True)
class Definition:
    """An architecture: ``build`` emits the graph of a configuration, up to an output "logits" (or what the head gives).

    architecture: in ``architectures`` of config.json. type: its model_type; None: any. build is called more than once
    and must emit the same each time; what it raises arrives where the model or its session was being made.
    """

    architecture: str
    build: Build
    type: str | None = None
    head: str = "logits"

    @classmethod
    def of(cls, given: DefinitionLike) -> Definition:
        """A definition, also of a function alone."""
        return given if isinstance(given, Definition) else cls(getattr(given, "__name__", "python"), given)

    def _c(self, kept: list[object]) -> Any:
        """A weft_model_definition; what must stay as long as its model goes into ``kept``."""
        if self.head not in HEADS:
            raise InvalidError(f"there is no head {self.head!r}; there are {', '.join(HEADS)}")

        def build(g: Any, config: Any, inputs: Any, _ctx: Any) -> None:
            graph = Graph._lent(g)
            try:
                self.build(graph, Config(graph, config), ModelInputs(graph, inputs))
            except BaseException as error:
                text = f"{type(error).__name__}: {error}"
                lib.weft_graph_fail(g, lib.WEFT_CANCELLED, b"%s", ffi.new("char[]", encoded(text.replace("\0", ""))))
                raise
            finally:
                graph.close()

        names = [ffi.new("char[]", encoded(name)) for name in (self.architecture, self.type or "")]
        function = callback("void(weft_graph *, const weft_config *, const weft_model_inputs *, void *)", build)
        c = ffi.new(
            "weft_model_definition *",
            {
                "architecture": names[0],
                "type": names[1] if self.type else ffi.NULL,
                "head": HEADS[self.head],
                "build": function,
            },
        )
        kept += [names, function, c]
        return c


DefinitionLike = Union[Definition, Build]
