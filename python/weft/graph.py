"""Graphs: built, read, printed and changed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ._lib import DTYPE_OF_NUMPY, call, dtype_of, encoded, ffi, lib, names_array, string, text_of
from ._life import Guard, Handle, Object
from .errors import InvalidError, NotFoundError
from .value import Dims, Extent, Value, dims_of, raise_of, ref_of

__all__ = ["Graph", "Node"]

DUMPS = {
    "text": lib.WEFT_DUMP_TEXT,
    "dot": lib.WEFT_DUMP_DOT,
    "json": lib.WEFT_DUMP_JSON,
    "model_explorer": lib.WEFT_DUMP_MODEL_EXPLORER,
}


def dump_format(name: str) -> int:
    """The number of a dump's format."""
    if name not in DUMPS:
        raise NotFoundError(f"there is no dump format {name!r}; there are {', '.join(DUMPS)}")
    return int(DUMPS[name])


@dataclass(frozen=True)
class Node:
    """A node: its op, scope, name (of sources), and the numbers of the values that it reads and makes."""

    id: int
    op: str
    scope: str
    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


class Graph(Object):
    """A static tensor graph. Builders are its methods, and those of the values that they return.

    weight_types: stored types of weights that are declared without one, by name. bounds: instead of those of extents.

    >>> g = weft.Graph()
    >>> tokens = g.extent("tokens", 512)
    >>> x = g.input("f32", (tokens, 64), "x")
    >>> y = g.output(x.matmul_nt(g.weight("f16", (256, 64), "w")).gelu(), "y")
    >>> y
    <weft.Value %4 f32 [tokens, 256]>
    >>> g.seal()
    """

    def __init__(
        self, *, weight_types: Mapping[str, str] | None = None, bounds: Mapping[str, int] | None = None
    ) -> None:
        names, kept = names_array(list(weight_types or {}))
        types = ffi.new("weft_weight_type[]", max(1, len(kept)))
        for i, name in enumerate((weight_types or {}).values()):
            types[i].name, types[i].type = names[i], dtype_of(name)
        array, n_bounds, more = bounds_array(bounds or {})
        desc = ffi.new("weft_graph_desc *", {"bounds": array, "n_bounds": n_bounds})
        if weight_types is not None:
            desc.weight_types, desc.n_weight_types = types, len(kept)
        out = ffi.new("weft_graph **")
        call(lib.weft_graph_create, desc, out)
        self._own(_owned(out[0], keep=(desc, names, kept, types, array, more)))

    @classmethod
    def _of(cls, pointer: Any) -> Graph:
        graph = cls.__new__(cls)
        graph._own(_owned(pointer))
        return graph

    @classmethod
    def _lent(cls, pointer: Any) -> Graph:
        """A graph that is being built by somebody else, who ends it."""
        graph = cls.__new__(cls)
        graph._own(Handle("graph", pointer, lambda _pointer: None))
        return graph

    @classmethod
    def parse(cls, text: str, origin: str = "graph", *, bounds: Mapping[str, int] | None = None) -> Graph:
        """From a text (docs/graph-text.md), sealed. FormatError shows the line and a mark."""
        data, out = text.encode("utf-8"), ffi.new("weft_graph **")
        array, n, kept = bounds_array(bounds or {})
        desc = ffi.new("weft_graph_desc *", {"bounds": array, "n_bounds": n})
        call(lib.weft_graph_parse, ffi.from_buffer(data), len(data), encoded(origin), desc, out)
        del kept
        return cls._of(out[0])

    @property
    def _g(self) -> Any:
        return self._handle.pointer

    def _build(self, name: str, *args: Any) -> Value:
        """What a builder makes; values among its arguments must be this graph's."""
        c = [ref_of(self, a) if isinstance(a, Value) else a for a in args]
        with self._handle as g:
            ref = getattr(lib, f"weft_{name}")(g, *c)
            if not ref.id:
                raise_of(g)
        return Value(self, int(ref.id))

    def _build_into(self, name: str, out: Any, *args: Any) -> None:
        """The same of a builder that returns nothing, but fills ``out``."""
        c = [ref_of(self, a) if isinstance(a, Value) else a for a in args]
        with self._handle as g:
            getattr(lib, f"weft_{name}")(g, *c)
            if not out[0].id:
                raise_of(g)

    # ---- building ----

    def extent(self, name: str, bound: int) -> Extent:
        """A dimension that each run chooses, from 1 to the bound. The same name gives the same extent."""
        with self._handle as g:
            dim = lib.weft_extent(g, encoded(name), bound)
            if not dim.extent:
                raise_of(g)
        return Extent(name, bound, int(dim.extent))

    @contextlib.contextmanager
    def scope(self, name: str) -> Iterator[None]:
        """Prefixes names of weights and states, and is the path of the nodes made inside: "layers.3"."""
        with self._handle as g:
            lib.weft_scope_begin(g, b"%s", ffi.new("char[]", encoded(name)))
        try:
            yield
        finally:
            with self._handle as g:
                lib.weft_scope_end(g, ref_of(self, None))

    def input(self, dtype: str, dims: Dims, name: str) -> Value:
        """What every run is given."""
        return self._source("input", dtype, dims, name)

    def weight(self, dtype: str | None, dims: Dims, name: str) -> Value:
        """dtype None: as the files have it. The same name gives the same weight."""
        return self._source("weight", dtype, dims, name)

    def state(self, dtype: str, dims: Dims, name: str) -> Value:
        """What programs keep from one run to the next; zero at first."""
        return self._source("state", dtype, dims, name)

    def _source(self, kind: str, dtype: str | None, dims: Dims, name: str) -> Value:
        return self._build(kind, dtype_of(dtype), dims_of(self, dims), encoded(name))

    def constant(self, data: npt.ArrayLike) -> Value:
        """From an array, which is copied: float32 (and Python's numbers), float16 or int32."""
        array = np.asarray(data)
        if array.dtype.str[1:] not in DTYPE_OF_NUMPY:
            array = array.astype(np.int32 if np.issubdtype(array.dtype, np.integer) else np.float32)
        array = np.ascontiguousarray(array)
        kind = DTYPE_OF_NUMPY[array.dtype.str[1:]]
        pointer = ffi.from_buffer("char[]", array.reshape(-1).view(np.uint8))
        return self._build("constant", dtype_of(kind), dims_of(self, array.shape or (1,)), pointer)

    def number(self, value: float, dtype: str = "f32") -> Value:
        """A constant of one element that goes with values of that type."""
        return self.constant(np.array([value], np.int32 if dtype == "i32" else np.float32))

    def concat(self, values: Sequence[Value], axis: int) -> Value:
        """One after the other along an axis."""
        refs = ffi.new("weft_ref[]", [ref_of(self, v) for v in values] or [ref_of(self, None)])
        return self._build("concat", refs, len(values), axis)

    def activation(self, x: Value, name: str) -> Value:
        """By its usual name: "gelu", "silu"."""
        acts = {
            n: getattr(lib, f"WEFT_ACT_{n.upper()}")
            for n in ("none", "relu", "gelu", "gelu_tanh", "silu", "tanh", "sigmoid", "relu2")
        }
        if name not in acts:
            raise NotFoundError(f"there is no activation {name!r}; there are {', '.join(acts)}")
        return self._build("activation", x, acts[name])

    def output(self, value: Value, name: str) -> Value:
        """Names a value that can be read after a run; returns it."""
        return self._build("output", value, b"%s", ffi.new("char[]", encoded(name)))

    def seal(self) -> None:
        """Verifies everything; builders are refused from now on."""
        with self._handle as g:
            call(lib.weft_graph_seal, g)

    # ---- reading and changing a sealed graph ----

    def __str__(self) -> str:
        """The text of docs/graph-text.md, which ``parse`` reads back."""
        with self._handle as g:
            return text_of(lib.weft_graph_print, g)

    def dump(self, format: str = "json", title: str = "graph") -> str:
        """As "json" (docs/dump-format.md), "dot", "model_explorer" or "text"."""
        kind, name = dump_format(format), ffi.new("char[]", encoded(title))
        with self._handle as g:
            return text_of(lib.weft_graph_dump, g, kind, ffi.new("weft_dump_desc *", {"title": name}))

    def __len__(self) -> int:
        """How many nodes there are."""
        with self._handle as g:
            return int(lib.weft_graph_node_count(g))

    @property
    def nodes(self) -> list[Node]:
        """In an order in which they can be run."""
        with self._handle as g:
            return [_node(lib.weft_graph_node(g, i)) for i in range(lib.weft_graph_node_count(g))]

    @property
    def outputs(self) -> dict[str, Value]:
        """Values by the names that ``output`` gave them."""
        n = ffi.new("uint32_t *")
        with self._handle as g:
            named = lib.weft_graph_outputs(g, n)
            return {string(named[i].name): Value(self, int(named[i].ref.id)) for i in range(n[0])}

    def find(self, name: str) -> Value:
        """An input or output by its name."""
        with self._handle as g:
            ref = lib.weft_graph_find(g, encoded(name))
        if not ref.id:
            raise NotFoundError(f"the graph has no input or output {name!r}")
        return Value(self, int(ref.id))

    def clone(self) -> Graph:
        """A copy, which can be changed by itself."""
        out = ffi.new("weft_graph **")
        with self._handle as g:
            call(lib.weft_graph_clone, g, out)
        return Graph._of(out[0])

    def keep_outputs(self, names: Sequence[str]) -> None:
        """What no longer feeds an output goes with the pass "dce"."""
        array, kept = names_array(names)
        with self._handle as g:
            call(lib.weft_graph_keep_outputs, g, array, len(kept))

    def optimise(self, passes: Sequence[str] | None = None) -> None:
        """Runs passes by name (None: the usual ones), each followed by the verifier."""
        array, kept = names_array(passes or [])
        with self._handle as g:
            call(lib.weft_graph_optimise, g, ffi.NULL if passes is None else array, len(kept))

    def verify(self) -> None:
        """Checks every rule of a legal graph."""
        with self._handle as g:
            call(lib.weft_graph_verify, g)


def _owned(pointer: Any, keep: object = None) -> Handle:
    return Handle("graph", pointer, lib.weft_graph_destroy, guard=Guard(), keep=keep)


def _node(n: Any) -> Node:
    return Node(
        int(n.id),
        string(lib.weft_op_get(n.op).name),
        string(n.scope),
        string(n.name),
        _inputs(n),
        tuple(int(n.out[i].id) for i in range(n.n_out)),
    )


def _inputs(n: Any) -> tuple[int, ...]:
    refs = getattr(n, "in")
    return tuple(int(refs[i].id) for i in range(n.n_in))


def bounds_array(bounds: Mapping[str, int]) -> tuple[Any, int, Any]:
    """weft_bound[], how many, and what to keep with it."""
    names, kept = names_array(list(bounds))
    array = ffi.new("weft_bound[]", max(1, len(bounds)))
    for i, bound in enumerate(bounds.values()):
        if bound < 1:
            raise InvalidError(f"a bound of {bound}")
        array[i].extent, array[i].bound = names[i], bound
    return array, len(bounds), (names, kept)
